"""Session timers, reliable provisional answers, UPDATE and subscriptions with pjsua (RFC 4028, 3262, 3311, 6665)."""

import asyncio
import re
from functools import partial

import pytest

from custom_components.sip_ua.sip.account import ReliableProvisional, Timing
from custom_components.sip_ua.sip.events import CallState, WatchedState, WatchedStateChanged

from .agent import Agent, direct_account
from .conftest import Peers
from .peers import Pjsua
from .pjsua_calls import be_called, connect

pytestmark = [pytest.mark.interop, pytest.mark.peer("pjsua")]

SESSION_SECONDS = 90
TIMERS = ("--use-timer=3", f"--timer-se={SESSION_SECONDS}", f"--timer-min-se={SESSION_SECONDS}")


def refreshes(theirs: Pjsua, *, sent: bool) -> list[str]:
    """Return the refreshes of a session that pjsua got, or sent."""
    requests = [*theirs.requests("INVITE", sent=sent)[int(not sent) :], *theirs.requests("UPDATE", sent=sent)]
    return [f"{request.method}: {request.header('Session-Expires')}" for request in requests]


async def test_sessions_are_refreshed_by_us_and_by_pjsua(peers: Peers) -> None:
    """Half of the shortest time that the standard allows is 45 s: both directions wait for it together."""
    called, caller = await peers.pjsua("bob", options=TIMERS), await peers.pjsua("alice", options=TIMERS)
    timing = Timing(session_expires=SESSION_SECONDS, min_se=SESSION_SECONDS)
    async with Agent(direct_account(timing)) as ours, Agent(direct_account(timing)) as other:
        first, second = await asyncio.gather(connect(ours, called), be_called(other, caller))
        invite, answer = called.requests("INVITE")[0], called.answers("INVITE", 200, sent=True)[0]
        assert re.fullmatch(r"90(;refresher=ua[cs])?", invite.header("Session-Expires"))
        assert "timer" in answer.header("Require")
        ours_refreshes = "refresher=uac" in answer.header("Session-Expires")
        theirs = caller.answers("INVITE", 200)[0]
        assert theirs.header("Session-Expires").startswith("90;refresher=")
        other_refreshes = "refresher=uas" in theirs.header("Session-Expires")
        # Either way round it must come, and be answered; who does it was agreed.
        for phone, peer, by_us in ((ours, called, ours_refreshes), (other, caller, other_refreshes)):
            await peer.until(
                partial(refreshes, peer, sent=not by_us),
                f"the session of {peer.name} is refreshed by {'us' if by_us else 'pjsua'}",
                seconds=SESSION_SECONDS * 0.75,
            )
            assert [call.state for call in phone.phone.calls.values()] == [CallState.TALKING]
        assert {ours_refreshes, other_refreshes} == {True, False}
        await ours.phone.hangup(first)
        await other.phone.hangup(second)


async def test_a_session_shorter_than_ours_may_be_is_refused_and_asked_for_anew(peers: Peers) -> None:
    bob = await peers.pjsua(options=TIMERS)
    async with Agent(direct_account(Timing(session_expires=300, min_se=120))) as ours:
        await be_called(ours, bob)
        assert bob.answers("INVITE", 422)[0].header("Min-SE") == "120"
        assert bob.answers("INVITE", 200)[0].header("Session-Expires").startswith("120;")


async def test_a_session_shorter_than_pjsuas_may_be_is_asked_for_anew(peers: Peers) -> None:
    bob = await peers.pjsua(options=("--use-timer=3", "--timer-se=400", "--timer-min-se=300"))
    async with Agent(direct_account(Timing(session_expires=120, min_se=90))) as ours:
        await connect(ours, bob)
        assert [invite.header("Session-Expires").split(";")[0] for invite in bob.requests("INVITE")] == ["120", "300"]
        assert len(bob.answers("INVITE", 422, sent=True)) == 1


async def test_pjsua_demands_reliable_answers_and_gets_them(peers: Peers) -> None:
    bob = await peers.pjsua(options=("--use-100rel",))
    async with Agent(direct_account()) as ours:
        await bob.dial(f"sip:ha@{ours.address}")
        call_id = (await ours.until_incoming()).call.id
        await bob.until_message(lambda: bob.answers("PRACK", 200), "the PRACK is answered")
        assert "100rel" in bob.requests("INVITE", sent=True)[0].header("Require")
        assert bob.answers("INVITE", 180)[0].header("RSeq")
        assert len(bob.answers("INVITE", 180)) == 1
        await ours.phone.answer(call_id)
        await bob.until_state("CONFIRMED")
        await ours.phone.hangup(call_id)
        await bob.until_state("DISCONNECTED")


async def test_we_demand_reliable_answers_and_acknowledge_each(peers: Peers) -> None:
    bob = await peers.pjsua(answer=False)
    async with Agent(direct_account(reliable_provisional=ReliableProvisional.REQUIRED)) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await bob.until_ringing()
        assert "100rel" in bob.requests("INVITE")[0].header("Require")
        await bob.answer(180)
        await ours.until_state(call_id, CallState.ALERTING)
        await bob.answer(183)
        await bob.until(lambda: len(bob.answers("PRACK", 200, sent=True)) == 2, "both are acknowledged")
        numbers = [int(request.header("RAck").split()[0]) for request in bob.requests("PRACK")]
        assert numbers == [numbers[0], numbers[0] + 1]
        await bob.answer(200)
        await ours.until_state(call_id, CallState.TALKING)
        await bob.until_state("CONFIRMED")


async def test_an_update_within_a_call_is_answered(peers: Peers) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        await bob.update()
        answer = await bob.until_message(lambda: bob.answers("UPDATE", 200), "the UPDATE is answered")
        assert "m=audio" in answer.text
        assert ours.phone.calls[call_id].state is CallState.TALKING


@pytest.mark.parametrize(("method", "code"), [("OPTIONS", 200), ("FOO", 405), ("PUBLISH", 405)])
async def test_other_requests_within_a_call_leave_it_alone(peers: Peers, method: str, code: int) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        await bob.command(f"call send_arb {method} 0")
        answer = await bob.until_message(
            lambda: [seen for seen in bob.messages if seen.method == method and seen.code], "the request is answered"
        )
        assert (answer.code, "INVITE" in answer.header("Allow")) == (code, True)
        assert ours.phone.calls[call_id].state is CallState.TALKING


async def test_the_line_of_a_pjsua_is_told_by_its_presence(peers: Peers) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        watch_id = ours.phone.watch(bob.uri)
        await ours.until(lambda: ours.phone.watched[watch_id] is WatchedState.IDLE, "pjsua is there")
        await bob.until(lambda: len(bob.requests("SUBSCRIBE")) == 2, "it was asked twice")
        assert [request.header("Event") for request in bob.requests("SUBSCRIBE")] == ["dialog", "presence"]
        await bob.command("im tog_state")
        await ours.until(lambda: ours.phone.watched[watch_id] is WatchedState.UNKNOWN, "pjsua is away")
        ours.phone.unwatch(watch_id)
        await bob.until(
            lambda: [last for last in bob.requests("SUBSCRIBE")[2:] if last.header("Expires") == "0"], "it is over"
        )
        assert [told.state for told in ours.told(WatchedStateChanged)] == [WatchedState.IDLE, WatchedState.UNKNOWN]


async def test_nobody_can_subscribe_to_us(peers: Peers) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        await bob.command(f"im add_b sip:ha@{ours.address}")
        await bob.command("im sub_pre 1")
        answer = await bob.until_message(
            lambda: [seen for seen in bob.messages if seen.method == "SUBSCRIBE" and seen.code and not seen.sent],
            "the subscription is refused",
        )
        assert answer.code in (405, 489)
        assert ours.phone.calls == {}
