"""Calls with baresip through a record-routing Kamailio: voice both ways, digits, refusals, holding."""

import asyncio
import struct
from pathlib import Path

import pytest

from custom_components.sip_ua.rtp.tone_detector import ToneDetector
from custom_components.sip_ua.sip.account import DtmfMethod, Timing, Transport
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    CallStep,
    DigitMethod,
    DigitReceived,
    EndedBy,
    LadderStep,
)

from .agent import Agent, account_at
from .conftest import Peers
from .peers import LOOPBACK, assert_record_routed, until
from .voices import THEIR_HZ, assert_voice_both_ways
from .wire import STRANGER, wire

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

TRANSPORTS = [Transport.UDP, Transport.TCP]
ALL_DIGITS = "0123456789*#ABCD"


@pytest.mark.parametrize(
    ("transport", "their_transport", "codec"),
    [
        (Transport.UDP, Transport.UDP, "PCMA"),
        (Transport.UDP, Transport.UDP, "PCMU"),
        (Transport.TCP, Transport.UDP, "PCMA"),
        (Transport.UDP, Transport.TCP, "PCMA"),
        (Transport.TCP, Transport.TCP, "PCMU"),
    ],
)
async def test_we_call_baresip_and_both_hear_the_other(
    peers: Peers, tmp_path: Path, transport: Transport, their_transport: Transport, codec: str
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ, answer=False, transport=their_transport)
    async with Agent(account_at(kamailio, transport=transport, codecs=(codec,))) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await bob.until_event("CALL_INCOMING")
        await ours.until_state(call_id, CallState.ALERTING)
        await bob.accept()
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hangup(call_id)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.LOCAL)
        await bob.until_event("CALL_CLOSED")
        assert ours.phone.calls == {}
    assert len(kamailio.requests("INVITE")) == 2
    assert [answer.code for answer in kamailio.answers("INVITE") if answer.local and answer.code >= 200] == [407]
    assert_record_routed(kamailio)
    steps = [(step.step, step.sent) for step in ours.told(CallStep)]
    wanted = [
        (LadderStep.INVITE, True),
        (LadderStep.RINGING, False),
        (LadderStep.OK, False),
        (LadderStep.ACK, True),
        (LadderStep.BYE, True),
        (LadderStep.BYE_OK, False),
    ]
    assert [step for step in steps if step in wanted][-len(wanted) :] == wanted


@pytest.mark.parametrize(
    ("codec", "their_codec", "rate"), [("G722", "G722/16000/1", 16_000), ("OPUS", "opus/48000/2", 48_000)]
)
@pytest.mark.parametrize("we_call", [True, False])
async def test_wide_band_voice_is_heard_both_ways(
    peers: Peers, tmp_path: Path, codec: str, their_codec: str, rate: int, *, we_call: bool
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ, codecs=(their_codec, "pcma"))
    async with Agent(account_at(kamailio, codecs=(codec, "PCMA"))) as ours:
        await ours.until_registered()
        if we_call:
            call_id = await ours.phone.dial("bob")
        else:
            await bob.dial(f"sip:ha@{kamailio.address}")
            call_id = (await ours.until_incoming()).call.id
            await bob.until_event("CALL_RINGING")
            await ours.phone.answer(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, bob, tmp_path, rate)
        statistics = await ours.phone.statistics(call_id)
        assert statistics is not None
        assert (statistics.send_codec, statistics.receive_codec) == (codec, codec)
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_baresip_calls_us_and_both_hear_the_other(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    async with Agent(account_at(kamailio, transport=transport)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        assert call.remote.number == "bob"
        await bob.until_event("CALL_RINGING")
        await ours.phone.answer(call.id)
        await bob.until_event("CALL_ESTABLISHED")
        await ours.until_state(call.id, CallState.TALKING)
        await assert_voice_both_ways(ours, call.id, bob, tmp_path)
        await bob.hangup()
        ended = await ours.until_ended(call.id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
        assert ours.phone.calls == {}
    assert_record_routed(kamailio)


async def test_strangers_cannot_be_heard_in_a_call_nor_take_its_voice_away(peers: Peers, tmp_path: Path) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    async with Agent(account_at(kamailio)) as ours, wire(STRANGER) as stranger:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        await bob.until(lambda: bob.heard_seconds() > 0.2, "voice flows")
        ports = range(ours.account.network.rtp_port_min, ours.account.network.rtp_port_max + 1)
        loud = bytes([0x2A]) * 160
        noise = [struct.pack("!BBHII", 0x80, 8, 7000 + number, 160 * number, 0xBAD) + loud for number in range(100)] + [
            b"",
            b"\x80",
            b"\xff" * 1400,
            bytes(12),
            b"\x80\xc8\x00\x06" + bytes(24),
            b"\x80\xcb\x00\x01" + bytes(4),
        ]
        checking = asyncio.create_task(assert_voice_both_ways(ours, call_id, bob, tmp_path))
        while not checking.done():
            for data in noise:
                for port in ports:
                    stranger.send(data, (LOOPBACK, port))
                await asyncio.sleep(0.02)
        await checking
        assert stranger.received == []
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)


@pytest.mark.parametrize(("ours_by", "messages"), [(DtmfMethod.AUTO, 0), (DtmfMethod.INFO, len(ALL_DIGITS))])
async def test_every_digit_arrives_in_both_directions(peers: Peers, ours_by: DtmfMethod, messages: int) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(account_at(kamailio, dtmf=ours_by)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        ours.phone.send_digits(call_id, ALL_DIGITS)
        await bob.until(lambda: len(bob.digits) >= len(ALL_DIGITS), "baresip hears every digit")
        assert bob.digits == ALL_DIGITS
        await bob.send_digits(ALL_DIGITS)
        await ours.until(lambda: len(ours.digits) >= len(ALL_DIGITS), "we hear every digit")
        assert ours.digits == ALL_DIGITS
        assert {digit.method for digit in ours.told(DigitReceived)} == {DigitMethod.RFC4733}
    assert len(kamailio.requests("INFO")) == messages


async def test_tones_in_the_voice_are_heard_behind_a_real_decoder(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, codecs=("G722/16000/1",))
    async with Agent(account_at(kamailio, codecs=("G722",), dtmf=DtmfMethod.INBAND)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        ours.phone.send_digits(call_id, ALL_DIGITS)
        await bob.until(lambda: bob.heard_seconds() > 5, "baresip has heard every digit")
        samples, rate = bob.heard()
        found = ToneDetector(rate).feed(samples.tobytes())
        assert "".join(digit.digit for digit in found) == ALL_DIGITS


async def test_a_call_that_we_refuse_is_busy_to_the_caller(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        await ours.phone.reject(call.id, 486)
        closed = await bob.until_event("CALL_CLOSED")
        assert "486" in closed.parameter
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.BUSY


async def test_a_caller_that_gives_up_leaves_a_missed_call(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        await bob.until_event("CALL_RINGING")
        await bob.hangup()
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.MISSED
        assert ours.phone.calls == {}


async def test_hanging_up_before_the_answer_cancels_the_call(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, answer=False)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.ALERTING)
        await ours.phone.hangup(call_id)
        await bob.until_event("CALL_CLOSED")
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.CANCELLED
    assert len(kamailio.requests("CANCEL")) == 1


async def test_nobody_answering_ends_the_call_after_the_ring_timeout(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, answer=False)
    async with Agent(account_at(kamailio, timing=Timing(ring_timeout=2))) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        ended = await ours.until_ended(call_id)
        assert ended.outcome is CallOutcome.NO_ANSWER
        assert ended.ended_at is not None
        assert ended.ended_at - ended.started_at >= 2
        await bob.until_event("CALL_CLOSED")
    assert len(kamailio.requests("CANCEL")) == 1


async def test_a_number_that_nobody_has_is_told_with_its_code(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial("nobody"))
        assert ended.code == 404
        assert ended.outcome in (CallOutcome.UNREACHABLE, CallOutcome.FAILED)


async def test_being_put_on_hold_is_told_and_the_voice_comes_back(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        await bob.hold()
        await ours.until_state(call_id, CallState.REMOTE_HELD)
        await bob.resume()
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hangup(call_id)
        await bob.until_event("CALL_CLOSED")


async def test_two_calls_at_once_keep_their_own_states(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    alice = await peers.baresip(kamailio, "alice")
    bob = await peers.baresip(kamailio, "bob", answer=False)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        first = await ours.phone.dial("alice")
        await ours.until_state(first, CallState.TALKING)
        second = await ours.phone.dial("bob")
        await ours.until_state(second, CallState.ALERTING)
        await ours.phone.hangup(second)
        await ours.until_ended(second)
        assert ours.phone.calls[first].state is CallState.TALKING
        await alice.hangup()
        await ours.until_ended(first)
        await until(lambda: not ours.phone.calls, "no call is left", peers=(bob,))
