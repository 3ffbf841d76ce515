"""A hundred calls in a row leave nothing behind: no descriptor, no task, no memory."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, IncomingCall

from .agent import Agent, direct_account
from .conftest import Peers
from .peers import open_descriptors

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp")]

MANY_CALLS = 100
WARM_UP_CALLS = 20
GROWTH_BYTES_PER_CALL = 256
"""The interpreter's own slack; one call that is kept would be tens of kilobytes."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the process holds for the phone at one moment."""

    descriptors: int
    tasks: int
    calls: int
    kilobytes: float
    """Memory allocated by the integration's own code and still in use."""


@pytest.fixture
async def traced_memory() -> AsyncIterator[None]:
    """Trace allocations with one frame each."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def holdings(ours: Agent) -> Holdings:
    """Count what is held now, after the events that the test itself kept are thrown away."""
    ours.events.clear()
    gc.collect()
    own = tracemalloc.Filter(inclusive=True, filename_pattern="*/custom_components/sip_ua/*")
    snapshot = tracemalloc.take_snapshot().filter_traces([own])
    return Holdings(
        descriptors=open_descriptors(),
        tasks=len(asyncio.all_tasks()),
        calls=len(ours.phone.calls),
        kilobytes=sum(statistic.size for statistic in snapshot.statistics("filename")) / 1024,
    )


def assert_nothing_left_over(before: Holdings, after: Holdings) -> None:
    """Compare two moments with a hundred calls between them."""
    assert after.calls == 0
    assert after.descriptors <= before.descriptors
    assert after.tasks <= before.tasks
    assert (after.kilobytes - before.kilobytes) * 1024 < GROWTH_BYTES_PER_CALL * MANY_CALLS


async def settled(ours: Agent, calls: int) -> Holdings:
    """Wait until so many calls have ended and their media are closed, and count what is held."""
    await ours.until(lambda: len(ours.told(CallEnded)) >= calls, f"{calls} calls have ended")
    assert {event.call.outcome for event in ours.told(CallEnded)} == {CallOutcome.ANSWERED}
    await ours.until(lambda: not ours.phone.calls, "no call is left")
    descriptors = -1

    def steady() -> bool:
        nonlocal descriptors
        before, descriptors = descriptors, open_descriptors()
        return before == descriptors

    await ours.until(steady, "descriptors are steady")
    return holdings(ours)


async def test_a_hundred_incoming_calls_leave_nothing_over(
    peers: Peers, traced_memory: None, record_property: Callable[[str, object], None]
) -> None:
    answers: set[asyncio.Task[None]] = set()

    def ring(event: IncomingCall) -> None:
        task = asyncio.create_task(ours.phone.answer(event.call.id))
        answers.add(task)
        task.add_done_callback(answers.discard)

    ours = Agent(direct_account(), on_incoming=ring)
    async with ours:
        counts: list[Holdings] = []
        for calls in (WARM_UP_CALLS, MANY_CALLS):
            caller = await peers.sipp("uac_hangs_up", ours.address, calls=calls, rate=50, service="ha")
            await caller.require_success(calls)
            counts.append(await settled(ours, calls))
        record_property("holdings", [str(count) for count in counts])
        assert_nothing_left_over(*counts)
        assert not answers


async def test_a_hundred_outgoing_calls_leave_nothing_over(
    peers: Peers, traced_memory: None, record_property: Callable[[str, object], None]
) -> None:
    async with Agent(direct_account()) as ours:
        counts: list[Holdings] = []
        for calls in (WARM_UP_CALLS, MANY_CALLS):
            called = await peers.sipp("uas_answers", calls=calls)
            for _ in range(calls):
                call_id = await ours.phone.dial(f"sip:service@{called.address}")
                await ours.until_state(call_id, CallState.TALKING)
                await ours.phone.hangup(call_id)
                await ours.until_ended(call_id)
            await called.require_success(calls)
            counts.append(await settled(ours, calls))
        record_property("holdings", [str(count) for count in counts])
        assert_nothing_left_over(*counts)
