"""Calls with Asterisk: voice both ways, keys, outcomes, reliable answers, early voice."""

from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.account import ReliableProvisional, Timing, Transport
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    CallStep,
    DigitMethod,
    DigitReceived,
    EndedBy,
    LadderStep,
    MediaChanged,
)
from custom_components.sip_ua.sip.outcome import ANSWERED_ELSEWHERE

from .agent import Agent, account_at
from .conftest import Peers
from .peers import Asterisk
from .peers.asterisk import TONE_DBFS, TONE_HZ
from .tone import assert_tone, measure, read_wav, sine, wav_seconds, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]

OUR_HZ, OUR_DBFS, RATE = 700.0, -15.0, 8_000
ENOUGH_SECONDS = 2.0
ALL_DIGITS = "0123456789*#ABCD"


async def assert_voice_both_ways(ours: Agent, call_id: str, asterisk: Asterisk, folder: Path) -> None:
    """Find our tone at the extension `tone`, and its tone here."""
    tone = write_wav(folder / "ours.wav", sine(OUR_HZ, 15.0, RATE, OUR_DBFS), RATE)
    recording = ours.record(call_id, folder)
    ours.phone.play(call_id, FileSource(tone))
    await ours.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS, "we hear Asterisk's tone")
    # Read before anything is measured: that would be heard on a machine with little time.
    samples, rate = read_wav(recording)
    assert_tone(await asterisk.until_heard(ENOUGH_SECONDS), OUR_HZ, OUR_DBFS)
    assert_tone(measure(samples, rate), TONE_HZ, TONE_DBFS)


@pytest.mark.parametrize(
    ("transport", "codec"), [(Transport.UDP, "PCMA"), (Transport.UDP, "PCMU"), (Transport.TCP, "PCMA")]
)
async def test_we_call_asterisk_and_both_hear_the_other(
    peers: Peers, tmp_path: Path, transport: Transport, codec: str
) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, transport=transport, codecs=(codec,))) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("tone")
        await ours.until_state(call_id, CallState.TALKING)
        assert ours.told(MediaChanged)[-1].media is not None
        await assert_voice_both_ways(ours, call_id, asterisk, tmp_path)
        await ours.phone.hangup(call_id)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.LOCAL)
    assert "0 active channels" in await asterisk.command("core show channels")


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_asterisk_calls_us_and_both_hear_the_other(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, transport=transport)) as ours:
        await ours.until_registered()
        await asterisk.originate("ha", "tone")
        call = (await ours.until_incoming()).call
        assert (call.remote.name, call.remote.number) == ("Exchange", "700")
        await ours.phone.answer(call.id)
        await ours.until_state(call.id, CallState.TALKING)
        await assert_voice_both_ways(ours, call.id, asterisk, tmp_path)
        await asterisk.hang_up("ha")
        ended = await ours.until_ended(call.id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
        assert ours.phone.calls == {}


async def test_what_we_say_comes_back_as_an_echo(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("echo")
        await ours.until_state(call_id, CallState.TALKING)
        recording = ours.record(call_id, tmp_path)
        tone = write_wav(tmp_path / "ours.wav", sine(OUR_HZ, 8.0, RATE, OUR_DBFS), RATE)
        ours.phone.play(call_id, FileSource(tone))
        await ours.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS + 1, "we hear ourselves")
        assert_tone(measure(*read_wav(recording)), OUR_HZ, OUR_DBFS)


@pytest.mark.parametrize(
    ("user", "method"),
    [("ha", DigitMethod.RFC4733), ("info", DigitMethod.INFO), ("inband", DigitMethod.INBAND)],
)
async def test_every_key_that_asterisk_presses_arrives(peers: Peers, user: str, method: DigitMethod) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, user)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("keys")
        await ours.until_state(call_id, CallState.TALKING)
        await ours.until(lambda: len(ours.digits) >= len(ALL_DIGITS), "every digit comes")
        assert ours.digits == ALL_DIGITS
        assert {event.method for event in ours.told(DigitReceived)} == {method}


@pytest.mark.parametrize("user", ["ha", "info", "inband"])
async def test_every_key_that_we_press_arrives(peers: Peers, user: str) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, user)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("silent")
        await ours.until_state(call_id, CallState.TALKING)
        ours.phone.send_digits(call_id, ALL_DIGITS)
        await asterisk.until(lambda: len(asterisk.digits) >= len(ALL_DIGITS), "Asterisk hears every digit")
        assert asterisk.digits == ALL_DIGITS


@pytest.mark.parametrize(
    ("extension", "code", "outcome"),
    [
        ("busy", 486, CallOutcome.BUSY),
        ("congestion", 503, CallOutcome.UNREACHABLE),
        ("declines", 403, CallOutcome.DECLINED),
        ("absent", 480, CallOutcome.NO_ANSWER),
        ("0", 404, CallOutcome.UNREACHABLE),
    ],
)
async def test_a_call_that_is_not_taken_has_its_outcome(
    peers: Peers, extension: str, code: int, outcome: CallOutcome
) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial(extension))
        assert (ended.code, ended.outcome) == (code, outcome)
        assert ended.ended_by is EndedBy.REMOTE


async def test_nobody_answering_ends_the_call_after_the_ring_timeout(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, timing=Timing(ring_timeout=1))) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("rings")
        await ours.until_state(call_id, CallState.ALERTING)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.NO_ANSWER
    await asterisk.settled()
    assert [message.answers for message in asterisk.messages("CANCEL", status=200)] == ["CANCEL"]
    assert len(asterisk.messages("INVITE", status=487)) == 1


async def test_asterisk_that_gives_up_leaves_a_missed_call(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        await asterisk.originate("ha", "echo")
        call = (await ours.until_incoming()).call
        await asterisk.until(lambda: asterisk.messages("INVITE", status=180), "Asterisk hears that it rings")
        await asterisk.hang_up("ha")
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.MISSED


async def test_a_call_that_we_refuse_is_busy_to_asterisk(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        await asterisk.originate("ha", "echo")
        call = (await ours.until_incoming()).call
        await ours.phone.reject(call.id, 486)
        assert (await ours.until_ended(call.id)).outcome is CallOutcome.BUSY
        await asterisk.until_event("Hangup", Cause="17")


async def test_a_server_that_hangs_up_ends_the_call(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial("short"))
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
        await asterisk.until(lambda: asterisk.messages("BYE", status=200), "our answer to the BYE")
        bye = asterisk.messages("BYE", sent=True)[0]
        assert "cause=16" in bye.header("Reason")
        assert len(asterisk.messages("BYE", status=200)) == 1


async def test_voice_before_the_answer_is_heard(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("early")
        await ours.until_state(call_id, CallState.EARLY)
        await ours.until_packets(call_id, received=50)
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.CANCELLED


@pytest.mark.parametrize("way", [ReliableProvisional.SUPPORTED, ReliableProvisional.REQUIRED])
async def test_answers_that_must_be_acknowledged_are(peers: Peers, way: ReliableProvisional) -> None:
    asterisk = await peers.asterisk()
    async with Agent(replace(account_at(asterisk, "reliable"), reliable_provisional=way)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("early")
        await ours.until_state(call_id, CallState.EARLY)
        await asterisk.until(lambda: asterisk.messages("PRACK", status=200), "our PRACK is answered")
        assert asterisk.messages("INVITE", status=183)[0].header("Require") == "100rel"
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)

        await asterisk.originate("reliable", "echo")
        call = (await ours.until_incoming()).call
        await asterisk.until(lambda: asterisk.messages("PRACK", sent=True), "our 180 is acknowledged")
        await ours.phone.answer(call.id)
        await ours.until_state(call.id, CallState.TALKING)
        await asterisk.until(
            lambda: not asterisk.messages("PRACK", status=200)[-1].sent, "Asterisk's PRACK is answered"
        )


async def test_a_phone_that_cannot_acknowledge_is_told_so(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    account = replace(account_at(asterisk, "reliable"), reliable_provisional=ReliableProvisional.OFF)
    async with Agent(account) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial("early"))
        assert ended.outcome is CallOutcome.FAILED
        assert ended.code in (420, 421)


async def test_the_steps_of_a_call_are_those_of_the_wire(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        await ours.until_ended(await ours.phone.dial("short"))
        steps = [(step.step, step.sent) for step in ours.told(CallStep) if step.step is not LadderStep.TRYING]
        assert steps[-5:] == [
            (LadderStep.INVITE, True),
            (LadderStep.OK, False),
            (LadderStep.ACK, True),
            (LadderStep.BYE, False),
            (LadderStep.BYE_OK, True),
        ]


async def test_a_call_that_another_telephone_took_is_not_missed(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours, Agent(account_at(asterisk, "bob")) as bob:
        await ours.until_registered()
        await bob.until_registered()
        await asterisk.originate_at("everybody", "silent")
        call = (await ours.until_incoming()).call
        await bob.phone.answer((await bob.until_incoming()).call.id)
        ended = await ours.until_ended(call.id)
        assert ended.outcome is not CallOutcome.MISSED
        assert ended.reason == ANSWERED_ELSEWHERE
        await asterisk.settled()
        assert asterisk.messages("CANCEL", sent=True)[0].header("Reason")
