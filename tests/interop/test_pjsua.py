"""pjsua, the strictest independent user agent, without a server between: calls, holding, session changes."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    DigitMethod,
    DigitReceived,
    EndedBy,
    MediaChanged,
)

from .agent import Agent, direct_account
from .conftest import Peers
from .peers import Pjsua
from .pjsua_calls import be_called, connect
from .voices import THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("pjsua")]

ALL_DIGITS = "0123456789*#ABCD"


@pytest.mark.parametrize(
    ("codec", "transport"),
    [("PCMA", Transport.UDP), ("PCMU", Transport.TCP)],
)
async def test_we_call_pjsua_and_both_hear_the_other(
    peers: Peers, tmp_path: Path, codec: str, transport: Transport
) -> None:
    bob = await peers.pjsua(tone_hz=THEIR_HZ, codecs=(codec,), answer=False)
    async with Agent(direct_account(transport=transport, codecs=(codec,))) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await bob.until_ringing()
        await bob.answer(180)
        await ours.until_state(call_id, CallState.ALERTING)
        await bob.answer()
        await ours.until_state(call_id, CallState.TALKING)
        await bob.until_state("CONFIRMED")
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hangup(call_id)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.LOCAL)
        await bob.until_state("DISCONNECTED")
        assert ours.phone.calls == {}


@pytest.mark.parametrize("transport", ["", ";transport=tcp"])
async def test_pjsua_calls_us_and_both_hear_the_other(peers: Peers, tmp_path: Path, transport: str) -> None:
    bob = await peers.pjsua(tone_hz=THEIR_HZ)
    async with Agent(direct_account()) as ours:
        await bob.dial(f"sip:ha@{ours.address}{transport}")
        call = (await ours.until_incoming()).call
        assert call.remote.number == "bob"
        await bob.until_state("EARLY")
        await ours.phone.answer(call.id)
        await bob.until_state("CONFIRMED")
        await ours.until_state(call.id, CallState.TALKING)
        await bob.speak()
        await assert_voice_both_ways(ours, call.id, bob, tmp_path)
        await bob.hangup()
        ended = await ours.until_ended(call.id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
        assert ours.phone.calls == {}


@pytest.mark.parametrize("direct", [connect, be_called])
async def test_both_sides_hold_and_come_back(
    peers: Peers, tmp_path: Path, direct: Callable[[Agent, Pjsua], Awaitable[str]]
) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        call_id = await direct(ours, bob)
        await bob.hold()
        await ours.until_state(call_id, CallState.REMOTE_HELD)
        await bob.reinvite()
        await ours.until_state(call_id, CallState.TALKING)
        await ours.until_packets(call_id, sent=10, received=10)
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await bob.until_told("status is Remote hold")
        # pjsua changes its voice some time after its answer, and does not always survive the next change before that.
        await ours.until_packets(call_id, sent=10)
        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        await bob.until_told("status is Active", times=3)
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hangup(call_id)
        await bob.until_state("DISCONNECTED")


async def test_both_sides_hold_at_once(peers: Peers) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await bob.hold()
        await bob.until_told("status is Local hold")
        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.REMOTE_HELD)
        await bob.reinvite()
        await ours.until_state(call_id, CallState.TALKING)


async def test_every_digit_arrives_in_both_directions(peers: Peers) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        await bob.send_digits(ALL_DIGITS)
        await ours.until(lambda: len(ours.digits) >= len(ALL_DIGITS), "we hear every digit")
        await bob.send_digits("*12#", by_info=True)
        await ours.until(lambda: len(ours.digits) >= len(ALL_DIGITS) + 4, "we are told the others")
        assert ours.digits == ALL_DIGITS + "*12#"
        assert ours.told(DigitReceived)[-1].method is DigitMethod.INFO
        ours.phone.send_digits(call_id, ALL_DIGITS)
        await bob.until(lambda: len(bob.digits) >= len(ALL_DIGITS), "pjsua hears every digit")
        assert bob.digits == ALL_DIGITS


@pytest.mark.parametrize("request_name", ["reinvite", "update"])
async def test_the_codec_changes_within_a_call(peers: Peers, tmp_path: Path, request_name: str) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        assert [changed.media.codec.name for changed in ours.told(MediaChanged) if changed.media] == ["PCMA"]
        await bob.prefer("PCMU")
        await (bob.reinvite() if request_name == "reinvite" else bob.update())
        await ours.until(lambda: len(ours.told(MediaChanged)) > 1, "the codec changes")
        media = ours.told(MediaChanged)[-1].media
        assert media is not None
        assert media.codec.name == "PCMU"
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)


async def test_a_call_without_an_offer_is_answered_with_ours(peers: Peers, tmp_path: Path) -> None:
    bob = await peers.pjsua()
    async with Agent(direct_account()) as ours:
        await bob.command("toggle_sdp_offer")
        call_id = await be_called(ours, bob)
        invite = bob.requests("INVITE", sent=True)[0]
        assert "m=audio" not in invite.text
        assert "m=audio" in bob.requests("ACK", sent=True)[-1].text
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (486, CallOutcome.BUSY),
        (480, CallOutcome.NO_ANSWER),
        (603, CallOutcome.DECLINED),
        (404, CallOutcome.UNREACHABLE),
        (503, CallOutcome.UNREACHABLE),
    ],
)
async def test_a_refusal_is_told_with_its_code(peers: Peers, code: int, outcome: CallOutcome) -> None:
    bob = await peers.pjsua(answer=False)
    async with Agent(direct_account()) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await bob.until_ringing()
        await bob.answer(code)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.code) == (outcome, code)


async def test_calls_that_nobody_waits_for_are_cancelled_both_ways(peers: Peers) -> None:
    bob = await peers.pjsua(answer=False)
    async with Agent(direct_account()) as ours:
        call_id = await ours.phone.dial(bob.uri)
        await bob.until_ringing()
        await bob.answer(180)
        await ours.until_state(call_id, CallState.ALERTING)
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.CANCELLED
        await bob.until_state("DISCONNECTED")
        await bob.dial(f"sip:ha@{ours.address}")
        call = (await ours.until_incoming()).call
        await bob.until_state("EARLY", times=2)
        await bob.hangup()
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.MISSED
        await bob.until_state("DISCONNECTED", times=2)


async def test_over_ipv6_calls_come_and_go_and_both_hear_the_other(peers: Peers, tmp_path: Path) -> None:
    bob = await peers.pjsua(address="::1")
    async with Agent(direct_account(address="::1")) as ours:
        call_id = await connect(ours, bob)
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await bob.hangup()
        assert (await ours.until_ended(call_id)).ended_by is EndedBy.REMOTE
        # It would offer IPv4, whatever it calls over.
        await bob.command("toggle_sdp_offer")
        call_id = await be_called(ours, bob)
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hangup(call_id)
        await bob.until_state("DISCONNECTED", times=2)
