"""Random bytes that were fetched ahead."""

import os

import pytest

from custom_components.sip_ua.net.entropy import AHEAD, PIECE, Entropy


def test_what_is_fetched_ahead_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[bytes] = []

    def urandom(size: int) -> bytes:
        fetched.append(bytes(size))
        return fetched[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    source = Entropy()
    sizes = (PIECE, 0, 1, 16, 30, 4) * (2 * AHEAD)
    taken = [source(size) for size in sizes]
    assert tuple(len(part) for part in taken) == sizes
    assert 0 <= sum(map(len, fetched)) - sum(map(len, taken)) < AHEAD * PIECE


def test_bytes_do_not_come_twice() -> None:
    source = Entropy()
    taken = [source(8) for _ in range(1000)]
    assert len(set(taken)) == len(taken)
