"""A hundred calls in a row leave nothing behind: no descriptor, no task, no memory."""

import asyncio
import gc
import logging
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import astuple, dataclass, replace

import pytest

from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, IncomingCall
from custom_components.sip_ua.sip.transaction import Timers

from .agent import Agent, direct_account
from .conftest import Peers
from .peers import open_descriptors

_LOGGER = logging.getLogger(__name__)

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp"), pytest.mark.usefixtures("loop_of_life")]

MANY_CALLS = 100
WARM_UP_CALLS = 20
GROWTH_BYTES_PER_CALL = 256
"""Slack of the interpreter, and what is remembered of a call for good reason (bounded lists of Call-IDs); one call
that is kept would be tens of kilobytes."""
OBJECTS_PER_PEER = 3
"""The way to each peer is remembered; the second SIPp is another peer than the first."""
FAST = Timers(t1=0.05, t2=0.2, t4=0.2)
"""Transactions are remembered for 64*T1 after their end: here 3.2 s in place of 32."""
PATIENCE_SECONDS = 30.0
OURS = "custom_components.sip_ua"


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the process holds for the phone at one moment."""

    descriptors: int
    tasks: int
    threads: int
    calls: int
    objects: int
    """Instances of the integration's classes that the garbage collector knows."""
    bytes: int
    """Memory allocated by the integration's own code and still in use."""

    def __sub__(self, other: Holdings) -> Holdings:
        return Holdings(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    @property
    def nothing(self) -> bool:
        """Say whether this, as a difference over a hundred calls, is nothing."""
        return (
            max(self.descriptors, self.tasks, self.threads, self.calls) <= 0
            and self.objects <= OBJECTS_PER_PEER
            and self.bytes < GROWTH_BYTES_PER_CALL * MANY_CALLS
        )


@pytest.fixture
def traced_memory() -> Iterator[None]:
    """Trace allocations with one frame each."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


def untraced() -> Account:
    """Return an account without the trace, which keeps the last messages, and more where some were repeated."""
    return replace(direct_account(), trace=False)


def holdings(ours: Agent) -> Holdings:
    """Count what is held now, after the events that the test itself kept are thrown away."""
    ours.events.clear()
    gc.collect()
    own = tracemalloc.Filter(inclusive=True, filename_pattern="*/custom_components/sip_ua/*")
    snapshot = tracemalloc.take_snapshot().filter_traces([own])
    return Holdings(
        descriptors=open_descriptors(),
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        calls=len(ours.phone.calls),
        objects=sum(str(type(thing).__module__).startswith(OURS) for thing in gc.get_objects()),
        bytes=sum(statistic.size for statistic in snapshot.statistics("filename")),
    )


async def ended(ours: Agent, calls: int) -> None:
    """Wait until so many calls have ended well."""
    await ours.until(lambda: len(ours.told(CallEnded)) >= calls, f"{calls} calls have ended")
    assert {event.call.outcome for event in ours.told(CallEnded)} == {CallOutcome.ANSWERED}


async def assert_nothing_left_over(ours: Agent, make_calls: Callable[[int], Awaitable[None]]) -> None:
    """Make a few calls, then a hundred, and wait until no more is held than before the hundred."""
    await make_calls(WARM_UP_CALLS)
    await ended(ours, WARM_UP_CALLS)
    await asyncio.sleep(FAST.timeout * 1.5)
    before = holdings(ours)
    await make_calls(MANY_CALLS)
    await ended(ours, MANY_CALLS)
    peak = growth = holdings(ours) - before
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not growth.nothing and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        growth = holdings(ours) - before
    _LOGGER.info("before: %s; just after the calls: %s; left over: %s", before, peak, growth)
    assert growth.nothing, growth


async def test_a_hundred_incoming_calls_leave_nothing_over(peers: Peers, traced_memory: None) -> None:
    answers: set[asyncio.Task[None]] = set()

    def ring(event: IncomingCall) -> None:
        task = asyncio.create_task(ours.phone.answer(event.call.id))
        answers.add(task)
        task.add_done_callback(answers.discard)

    async with Agent(untraced(), on_incoming=ring, timers=FAST) as ours:

        async def make_calls(calls: int) -> None:
            caller = await peers.sipp("uac_hangs_up", ours.address, calls=calls, rate=50, service="ha")
            await caller.require_success(calls)

        await assert_nothing_left_over(ours, make_calls)
        assert not answers


async def test_a_hundred_outgoing_calls_leave_nothing_over(peers: Peers, traced_memory: None) -> None:
    async with Agent(untraced(), timers=FAST) as ours:

        async def make_calls(calls: int) -> None:
            called = await peers.sipp("uas_answers", calls=calls)
            for _ in range(calls):
                call_id = await ours.phone.dial(f"sip:service@{called.address}")
                await ours.until_state(call_id, CallState.TALKING)
                await ours.phone.hangup(call_id)
                await ours.until_ended(call_id)
            await called.require_success(calls)

        await assert_nothing_left_over(ours, make_calls)
