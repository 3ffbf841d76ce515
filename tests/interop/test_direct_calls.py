"""Calls with baresip from telephone to telephone, without any server, over UDP and TCP."""

from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy

from .agent import Agent, direct_account
from .conftest import Peers
from .voices import THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("baresip")]

BOTH = pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
ALL_DIGITS = "0123456789*#ABCD"


@BOTH
async def test_we_call_baresip_hold_and_hang_up(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    bob = await peers.baresip(None, tone_hz=THEIR_HZ, answer=False)
    async with Agent(direct_account(transport=transport)) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await bob.until_event("CALL_INCOMING")
        await ours.until_state(call_id, CallState.ALERTING)
        await bob.accept()
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hangup(call_id)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.LOCAL)
        await bob.until_event("CALL_CLOSED")
        assert ours.phone.calls == {}


@BOTH
async def test_baresip_calls_us_holds_and_hangs_up(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    bob = await peers.baresip(None, tone_hz=THEIR_HZ, transport=transport)
    async with Agent(direct_account()) as ours:
        await bob.dial(f"sip:ha@{ours.address};transport={transport}")
        call = (await ours.until_incoming()).call
        assert call.remote.number == "bob"
        await bob.until_event("CALL_RINGING")
        await ours.phone.answer(call.id)
        await bob.until_event("CALL_ESTABLISHED")
        await ours.until_state(call.id, CallState.TALKING)
        await assert_voice_both_ways(ours, call.id, bob, tmp_path)
        await bob.hold()
        await ours.until_state(call.id, CallState.REMOTE_HELD)
        await bob.resume()
        await ours.until_state(call.id, CallState.TALKING)
        await bob.hangup()
        ended = await ours.until_ended(call.id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
        assert ours.phone.calls == {}


@BOTH
async def test_every_digit_arrives_in_both_directions(peers: Peers, transport: Transport) -> None:
    bob = await peers.baresip(None)
    async with Agent(direct_account(transport=transport)) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await ours.until_state(call_id, CallState.TALKING)
        ours.phone.send_digits(call_id, ALL_DIGITS)
        await bob.until(lambda: len(bob.digits) >= len(ALL_DIGITS), "baresip hears every digit")
        await bob.send_digits(ALL_DIGITS)
        await ours.until(lambda: len(ours.digits) >= len(ALL_DIGITS), "we hear every digit")
        assert (bob.digits, ours.digits) == (ALL_DIGITS, ALL_DIGITS)


@BOTH
async def test_whoever_is_called_may_refuse(peers: Peers, transport: Transport) -> None:
    bob = await peers.baresip(None, answer=False, transport=transport)
    async with Agent(direct_account(transport=transport)) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await bob.until_event("CALL_INCOMING")
        await bob.hangup()
        refused = await ours.until_ended(call_id)
        assert (refused.outcome, refused.code) == (CallOutcome.BUSY, 486)
        heard = len(bob.events)
        await bob.dial(f"sip:ha@{ours.address};transport={transport}")
        call = (await ours.until_incoming()).call
        await ours.phone.reject(call.id, 486)
        assert "486" in (await bob.until_event("CALL_CLOSED", heard)).parameter
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.BUSY


@BOTH
async def test_whoever_calls_may_give_up(peers: Peers, transport: Transport) -> None:
    bob = await peers.baresip(None, answer=False, transport=transport)
    async with Agent(direct_account(transport=transport)) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await ours.until_state(call_id, CallState.ALERTING)
        await ours.phone.hangup(call_id)
        await bob.until_event("CALL_CLOSED")
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.CANCELLED
        heard = len(bob.events)
        await bob.dial(f"sip:ha@{ours.address};transport={transport}")
        call = (await ours.until_incoming()).call
        await bob.until_event("CALL_RINGING", heard)
        await bob.hangup()
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.MISSED
        assert ours.phone.calls == {}
