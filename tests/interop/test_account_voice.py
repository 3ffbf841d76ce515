"""What the options of an account's voice mean for other people's telephones: silence, volume, early media."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import FileSource, ToneSource
from custom_components.sip_ua.sip.events import CallOutcome, CallState, IncomingCall, MediaChanged

from .agent import Agent, account_at, direct_account
from .bare_voice import BareVoice
from .conftest import Peers
from .peers.sipp import SCENARIOS
from .tone import assert_tone, measure, read_wav, sine, wav_seconds, write_wav
from .voices import DBFS, ENOUGH_SECONDS, OUR_HZ, RATE, THEIR_HZ, TONE_SECONDS, assert_voice_both_ways

pytestmark = pytest.mark.interop

NOISE, VOICE = 13, 8
DECIBELS = 6


def agreeing(folder: Path, port: int) -> Path:
    """Return a scenario of SIPp that answers with comfort noise, and voice at a port."""
    scenario = (SCENARIOS / "uas_answers.xml").read_text()
    told = "m=audio [media_port] RTP/AVP 8 0 101\n"
    assert scenario.count(told) == 1
    path = folder / "uas_agrees_to_noise.xml"
    path.write_text(scenario.replace(told, f"m=audio {port} RTP/AVP 8 101 13\n      a=rtpmap:13 CN/8000\n"))
    return path


@pytest.mark.peer("sipp")
async def test_who_agrees_to_comfort_noise_gets_it_in_silence_and_voice_with_a_mark(
    peers: Peers, tmp_path: Path
) -> None:
    async with (
        BareVoice(None) as voice,
        Agent(replace(direct_account(), voice_activity_detection=True)) as ours,
    ):
        called = await peers.sipp(agreeing(tmp_path, voice.port))
        call_id = await ours.phone.dial(f"sip:sipp@{called.address}")
        await ours.until_state(call_id, CallState.TALKING)
        (invite,) = called.came("INVITE")
        assert "RTP/AVP 8 0 101 13" in invite
        assert "a=rtpmap:13 CN/8000" in invite
        await asyncio.sleep(1)
        quiet = await voice.until_heard(5)
        assert {packet[1] & 0x7F for packet in quiet} == {NOISE}
        assert all(len(packet) == 13 for packet in quiet), "a header, and the level"
        ours.phone.play(call_id, ToneSource(OUR_HZ, duration=0.2))
        await voice.until_heard(15)
        await ours.phone.hangup(call_id)
        await called.require_success()
    kinds = [packet[1] & 0x7F for packet in voice.heard]
    marked = [number for number, packet in enumerate(voice.heard) if packet[1] & 0x80]
    begins = [number + 1 for number, (before, after) in enumerate(pairwise(kinds)) if (before, after) == (NOISE, VOICE)]
    assert marked == [0, *begins]
    assert len(begins) == 1


@pytest.mark.peer("kamailio", "baresip")
@pytest.mark.parametrize("we_call", [True, False])
async def test_who_does_not_know_comfort_noise_hears_and_is_heard_as_ever(
    peers: Peers, tmp_path: Path, *, we_call: bool
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    async with Agent(replace(account_at(kamailio), voice_activity_detection=True)) as ours:
        await ours.until_registered()
        if we_call:
            call_id = await ours.phone.dial("bob")
        else:
            await bob.dial(f"sip:ha@{kamailio.address}")
            call_id = (await ours.until_incoming()).call.id
            await ours.phone.answer(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        media = ours.told(MediaChanged)[-1].media
        assert media is not None
        assert media.comfort_noise_send is None
        await asyncio.sleep(0.5)
        heard = bob.heard_seconds()
        await bob.until(lambda: bob.heard_seconds() > heard + 1, "silence comes packet by packet")
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)


@pytest.mark.peer("kamailio", "baresip")
async def test_a_telephone_hears_us_by_one_volume_and_is_heard_by_the_other(peers: Peers, tmp_path: Path) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    account = replace(account_at(kamailio), speaking_volume=-DECIBELS, listening_volume=DECIBELS)
    async with Agent(account) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        recording = ours.record(call_id, tmp_path)
        tone = write_wav(tmp_path / "ours.wav", sine(OUR_HZ, TONE_SECONDS, RATE, DBFS), RATE)
        ours.phone.play(call_id, FileSource(tone))
        assert_tone(await bob.until_heard(ENOUGH_SECONDS), OUR_HZ, DBFS - DECIBELS)
        await ours.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS, "we hear the peer's tone")
        assert_tone(measure(*read_wav(recording)), THEIR_HZ, DBFS + DECIBELS)
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)


@pytest.mark.peer("kamailio", "baresip")
async def test_a_telephone_that_calls_hears_our_sound_while_it_rings(peers: Peers, tmp_path: Path) -> None:
    tone = write_wav(tmp_path / "early.wav", sine(OUR_HZ, TONE_SECONDS, RATE, DBFS), RATE)
    tasks: list[asyncio.Task[None]] = []

    def greet(event: IncomingCall) -> None:
        tasks.append(asyncio.create_task(ours.phone.play_early(event.call.id, FileSource(tone))))

    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    async with Agent(account_at(kamailio), on_incoming=greet) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call_id = (await ours.until_incoming()).call.id
        await bob.until_event("CALL_PROGRESS")
        assert_tone(await bob.until_heard(ENOUGH_SECONDS), OUR_HZ, DBFS)
        assert ours.phone.calls[call_id].state is CallState.RINGING
        assert not bob.has("CALL_ESTABLISHED")
        await ours.phone.answer(call_id)
        await bob.until_event("CALL_ESTABLISHED")
        await ours.until_state(call_id, CallState.TALKING)
        recording = ours.record(call_id, tmp_path)
        await ours.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS, "we hear the peer's tone")
        assert_tone(measure(*read_wav(recording)), THEIR_HZ, DBFS)
        rung = measure(*bob.heard()).seconds
        assert bob.heard_seconds() > rung + 1, "what is sent goes on"
        heard = bob.heard_seconds()
        await bob.until(lambda: bob.heard_seconds() > heard + 1, "more is sent")
        assert measure(*bob.heard()).seconds == rung, "the sound is over with the answer"
        await bob.hangup()
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
        await asyncio.gather(*tasks)
