"""Full collections of garbage, during which no thread can send a packet, wait for the end of a call."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from custom_components.sip_ua.net import full_collections
from custom_components.sip_ua.net.full_collections import (
    MOST_MEMORY,
    THRESHOLD_IN_CALLS,
    FullCollections,
    largest_size,
)
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.stream import CallStream
from custom_components.sip_ua.net.stream_events import StreamFailed

from .media_support import FarEnd, Listener, eventually, negotiated, open_stream

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 14, 5),
    reason="before Python 3.14.5 old objects were collected in pieces, none of which is long",
)

USUAL = (2000, 10, 10)
LARGE_HOME = 1_000_000
"""Objects: to look at them all takes several times as long as a packet lasts."""

ENOUGH = 300_000
"""Objects that come to stay until there is a full collection, where nothing puts it off."""


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """Have the thresholds of an interpreter that nobody has touched, and give back those of the tests."""
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Note the generation of each collection."""
    done: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            done.append(info["generation"])

    gc.callbacks.append(note)
    try:
        yield done
    finally:
        gc.callbacks.remove(note)


def test_they_are_put_off_as_long_as_anybody_needs_it() -> None:
    collections = FullCollections()
    for step in (collections.put_off, collections.put_off, collections.restore):
        step()
        assert gc.get_threshold() == (2000, 10, THRESHOLD_IN_CALLS)
    collections.restore()
    assert gc.get_threshold() == USUAL


def test_what_somebody_has_chosen_for_himself_stays() -> None:
    collections = FullCollections()
    gc.set_threshold(700, 5, 500)
    collections.put_off()
    assert gc.get_threshold() == (700, 5, 500)
    collections.restore()
    assert gc.get_threshold() == (700, 5, 500)


@pytest.mark.parametrize(
    ("chosen", "left"), [((900, 20, THRESHOLD_IN_CALLS), (900, 20, 10)), ((900, 20, 7), (900, 20, 7))]
)
def test_what_somebody_chooses_meanwhile_stays(chosen: tuple[int, int, int], left: tuple[int, int, int]) -> None:
    collections = FullCollections()
    collections.put_off()
    gc.set_threshold(*chosen)
    collections.restore()
    assert gc.get_threshold() == left


def test_what_is_due_comes_after_the_call_and_young_garbage_is_collected_during_it() -> None:
    collections = FullCollections()
    gc.collect()
    with counted() as done:
        collections.put_off()
        home = [[number] for number in range(ENOUGH)]
        assert set(done) == {0, 1}
        collections.restore()
        home += [[number] for number in range(ENOUGH // 10)]
        assert 2 in done
    assert len(home) == ENOUGH * 11 // 10


def test_where_memory_runs_out_one_comes_and_the_next_is_put_off_again(monkeypatch: pytest.MonkeyPatch) -> None:
    size = largest_size()
    monkeypatch.setattr(full_collections, "largest_size", lambda: size)
    collections = FullCollections()
    collections.put_off()
    try:
        size += MOST_MEMORY
        gc.collect(1)
        assert gc.get_threshold() == (2000, 10, THRESHOLD_IN_CALLS)
        size += 1
        gc.collect(0)
        assert gc.get_threshold() == (2000, 10, THRESHOLD_IN_CALLS)
        gc.collect(1)
        assert gc.get_threshold() == USUAL
        gc.collect()
        gc.collect(1)
        assert gc.get_threshold() == (2000, 10, THRESHOLD_IN_CALLS)
    finally:
        collections.restore()
    assert gc.get_threshold() == USUAL
    size += 2 * MOST_MEMORY
    gc.collect(1)
    gc.collect()
    assert gc.get_threshold() == USUAL


def test_the_size_of_the_process_is_known_in_octets() -> None:
    before = largest_size()
    assert before > 20_000_000
    taken = bytearray(b"x") * (2 * before)
    assert largest_size() - before > len(taken) / 3


def test_a_collection_that_ends_after_the_call_changes_nothing() -> None:
    collections = FullCollections()
    collections.put_off()
    note = gc.callbacks[-1]
    collections.restore()
    note("stop", {"generation": 2})
    assert gc.get_threshold() == USUAL
    assert note not in gc.callbacks


async def test_voice_puts_them_off(engine: MediaEngine) -> None:
    first, second = await open_stream(engine), await open_stream(engine)
    await engine.clock_statistics()
    assert gc.get_threshold() == USUAL
    for stream in (first, second):
        stream.configure(negotiated(9))
        stream.configure(negotiated(9, dtmf=False))
    await second.statistics()
    assert gc.get_threshold() == (2000, 10, THRESHOLD_IN_CALLS)
    await first.close()
    assert gc.get_threshold() == (2000, 10, THRESHOLD_IN_CALLS)
    await second.close()
    assert gc.get_threshold() == USUAL


async def test_a_stream_that_fails_puts_them_off_no_longer(
    engine: MediaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(CallStream, "make_packets", fail)
    listener = Listener()
    stream = await open_stream(engine, listener)
    stream.configure(negotiated(9))
    await listener.wait_for(StreamFailed)
    assert gc.get_threshold() == USUAL


async def test_a_home_that_grows_during_a_call_leaves_no_gap_in_it(engine: MediaEngine) -> None:
    home: list[object] = [[number] for number in range(LARGE_HOME)]
    gc.collect()
    with FarEnd() as far, counted() as done:
        stream = await open_stream(engine)
        stream.configure(far.media())
        await eventually(lambda: len(far.arrivals) >= 10)
        home += [[number] for number in range(2 * ENOUGH)]
        during = list(done)
        await eventually(lambda: len(far.arrivals) >= 30)
        await stream.close()
        moments = [one.at for one in far.arrivals]

    assert 2 not in during
    assert max(later - earlier for earlier, later in pairwise(moments)) < 0.1
    assert len(home) > LARGE_HOME
