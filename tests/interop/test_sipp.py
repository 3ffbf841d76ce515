"""SIPp's scenarios against a phone without a server: answers, refusals, cancelling."""

import asyncio
from collections.abc import Callable

import pytest

from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy, IncomingCall

from .agent import Agent, direct_account
from .conftest import Peers

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp")]


def answering(answer: Callable[[Agent, str], object]) -> tuple[Agent, list[asyncio.Task[None]]]:
    """Return a phone that treats each call by `answer` at once, and the tasks that do so."""
    tasks: list[asyncio.Task[None]] = []

    def ring(event: IncomingCall) -> None:
        async def react() -> None:
            result = answer(agent, event.call.id)
            if asyncio.iscoroutine(result):
                await result

        tasks.append(asyncio.create_task(react()))

    agent = Agent(direct_account(), on_incoming=ring)
    return agent, tasks


async def test_sipp_calls_and_hangs_up(peers: Peers) -> None:
    ours, tasks = answering(lambda agent, call_id: agent.phone.answer(call_id))
    async with ours:
        caller = await peers.sipp("uac_hangs_up", ours.address, service="ha")
        await caller.require_success()
        call = (await ours.until_incoming()).call
        ended = await ours.until_ended(call.id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
        await asyncio.gather(*tasks)


async def test_sipp_calls_and_is_hung_up(peers: Peers) -> None:
    ours, tasks = answering(lambda agent, call_id: agent.phone.answer(call_id))
    async with ours:
        caller = await peers.sipp("uac_is_hung_up", ours.address, service="ha")
        call = (await ours.until_incoming()).call
        await ours.until_state(call.id, CallState.TALKING)
        await asyncio.gather(*tasks)
        await ours.phone.hangup(call.id)
        await caller.require_success()
        assert (await ours.until_ended(call.id)).ended_by is EndedBy.LOCAL


@pytest.mark.parametrize(
    ("code", "outcome"), [(486, CallOutcome.BUSY), (603, CallOutcome.DECLINED), (480, CallOutcome.DECLINED)]
)
async def test_sipp_calls_and_is_refused(peers: Peers, code: int, outcome: CallOutcome) -> None:
    ours, tasks = answering(lambda agent, call_id: agent.phone.reject(call_id, code))
    async with ours:
        await (await peers.sipp(f"uac_expects_{code}", ours.address, service="ha")).require_success()
        call = (await ours.until_incoming()).call
        assert (await ours.until_ended(call.id)).outcome is outcome
        await asyncio.gather(*tasks)


async def test_sipp_calls_and_gives_up(peers: Peers) -> None:
    async with Agent(direct_account()) as ours:
        await (await peers.sipp("uac_cancels", ours.address, service="ha")).require_success()
        call = (await ours.until_incoming()).call
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.MISSED
        assert ours.phone.calls == {}


@pytest.mark.parametrize(
    ("scenario", "outcome", "code"),
    [("uas_busy", CallOutcome.BUSY, 486), ("uas_declines", CallOutcome.DECLINED, 603)],
)
async def test_we_call_sipp_and_are_refused(peers: Peers, scenario: str, outcome: CallOutcome, code: int) -> None:
    called = await peers.sipp(scenario)
    async with Agent(direct_account()) as ours:
        ended = await ours.until_ended(await ours.phone.dial(f"sip:service@{called.address}"))
        assert (ended.outcome, ended.code) == (outcome, code)
        await called.require_success()


async def test_we_call_sipp_and_cancel_before_the_answer(peers: Peers) -> None:
    called = await peers.sipp("uas_rings_until_cancelled")
    async with Agent(direct_account()) as ours:
        call_id = await ours.phone.dial(f"sip:service@{called.address}")
        await ours.until_state(call_id, CallState.ALERTING)
        await ours.phone.hangup(call_id)
        await called.require_success()
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.CANCELLED


async def test_we_call_sipp_and_it_never_answers(peers: Peers) -> None:
    called = await peers.sipp("uas_rings_until_cancelled")
    async with Agent(direct_account(Timing(ring_timeout=2))) as ours:
        ended = await ours.until_ended(await ours.phone.dial(f"sip:service@{called.address}"))
        assert ended.outcome is CallOutcome.NO_ANSWER
        await called.require_success()


@pytest.mark.parametrize(
    ("scenario", "ended_by"),
    [("uas_answers", EndedBy.LOCAL), ("uas_answers_and_hangs_up", EndedBy.REMOTE)],
)
async def test_we_call_sipp_and_it_answers(peers: Peers, scenario: str, ended_by: EndedBy) -> None:
    called = await peers.sipp(scenario)
    async with Agent(direct_account()) as ours:
        call_id = await ours.phone.dial(f"sip:service@{called.address}")
        await ours.until_state(call_id, CallState.TALKING)
        if ended_by is EndedBy.LOCAL:
            await ours.phone.hangup(call_id)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, ended_by)
        await called.require_success()
