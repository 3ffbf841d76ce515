"""Random bytes that were fetched ahead."""

import os

import pytest

from custom_components.sip_ua.net.entropy import AHEAD, Entropy


def test_what_is_fetched_ahead_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[bytes] = []

    def urandom(size: int) -> bytes:
        fetched.append(bytes(size))
        return fetched[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    source = Entropy()
    taken = [source(size) for size in (8, 0, 1, AHEAD, 16, 3 * AHEAD, 30, 4) * 5]
    assert [len(part) for part in taken] == [8, 0, 1, AHEAD, 16, 3 * AHEAD, 30, 4] * 5
    assert 0 <= sum(map(len, fetched)) - sum(map(len, taken)) < 4 * AHEAD


def test_bytes_do_not_come_twice() -> None:
    source = Entropy()
    taken = [source(8) for _ in range(1000)]
    assert len(set(taken)) == len(taken)
