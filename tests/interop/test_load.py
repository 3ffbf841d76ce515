"""SIPp calls at a steady rate, as `scripts/benchmark/load.py` does, but briefly: every call is answered and ends."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.events import CallOutcome
from custom_components.sip_ua.sip.transaction import Timers

from .load import BLOCKS_SLACK, OBJECTS_PER_PEER, Holdings, answering_phone, left_of, load
from .peers import until

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp"), pytest.mark.usefixtures("loop_of_life")]

RATE, SECONDS = 50, 2
CALLS = RATE * SECONDS
SLOWEST_MS = 10_000
"""SIPp repeats a request long before, so that such a call would not have gone by the scenario."""
CORES = os.cpu_count() or 1
MOST_BYTES_A_CALL = 400_000
OTHER_FILES = 60


async def test_every_call_of_a_steady_load_is_answered_and_ends(tmp_path: Path) -> None:
    async with answering_phone() as ours:
        done = await load(ours.address, tmp_path, rate=RATE, calls=CALLS)
        await until(lambda: ours.heard == CALLS, "the figures of every voice")
        assert not ours.phone.calls
    assert done.good, done.result
    assert ours.rang == CALLS
    assert ours.outcomes == {CallOutcome.ANSWERED: CALLS}
    assert {name: len(times) for name, times in done.times.items()} == {"answer": CALLS, "hangup": CALLS}
    assert all(0 <= milliseconds < SLOWEST_MS for times in done.times.values() for milliseconds in times)
    watch = done.watch
    assert watch.seconds >= (CALLS - 1) / RATE, "the rate was not exceeded"
    assert 0 < watch.cpu < watch.seconds * CORES
    assert len(watch.resident) >= SECONDS
    assert watch.resident[-1][1] - watch.resident[0][1] < CALLS * MOST_BYTES_A_CALL
    # Two sockets of a voice for each call that was under way, and the files of the phone and of SIPp.
    assert watch.descriptors < 2 * CALLS + OTHER_FILES


async def test_a_second_round_of_calls_leaves_no_more_than_the_first(tmp_path: Path) -> None:
    timers = Timers(t1=0.02, t2=0.16)
    async with answering_phone(timers) as ours:
        await load(ours.address, tmp_path / "before", rate=RATE, calls=RATE)
        await asyncio.sleep(timers.timeout + 0.5)
        rested = [Holdings.now()]
        for number in ("first", "second"):
            done = await load(ours.address, tmp_path / number, rate=RATE, calls=RATE)
            assert done.good, done.result
            await asyncio.sleep(timers.timeout + 0.5)
            rested.append(Holdings.now())
    assert left_of(rested) == []


BEFORE = Holdings(descriptors=10, tasks=5, objects=100, blocks=1_000, resident=50_000_000)
AFTER = replace(BEFORE, objects=100 + OBJECTS_PER_PEER, blocks=9_000, resident=90_000_000)


@pytest.mark.parametrize(
    ("second", "left"),
    [
        ({}, []),
        ({"objects": AFTER.objects + OBJECTS_PER_PEER, "blocks": AFTER.blocks + BLOCKS_SLACK}, []),
        ({"objects": AFTER.objects + OBJECTS_PER_PEER + 4}, ["4 objects too many after round 2"]),
        ({"blocks": AFTER.blocks + BLOCKS_SLACK + 9}, ["9 pieces of memory too many after round 2"]),
        (
            {"descriptors": 11, "tasks": 7},
            ["1 files too many after round 2", "2 tasks too many after round 2"],
        ),
    ],
    ids=["the same", "as much as may be", "objects", "memory", "files and tasks"],
)
def test_what_a_round_leaves_is_named(second: dict[str, int], left: list[str]) -> None:
    assert left_of([BEFORE, AFTER, replace(AFTER, **second)]) == left
