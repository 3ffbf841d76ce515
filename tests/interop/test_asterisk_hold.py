"""Holding with Asterisk between us and another telephone: either side holds, voice moves, sessions are refreshed."""

import asyncio
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.events import CallSnapshot, CallState, MediaChanged

from .agent import Agent, account_at
from .conftest import Peers
from .peers import Asterisk
from .peers.asterisk import MUSIC_DBFS, MUSIC_HZ
from .peers.baresip import TONE_DBFS
from .tone import assert_tone, measure, read_wav, sine, wav_seconds, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk", "baresip")]

OUR_HZ, THEIR_HZ, OUR_DBFS, RATE = 700.0, 440.0, -15.0, 8_000
ENOUGH_SECONDS, SETTLING_SECONDS = 1.5, 0.5


async def talk_to_bob(ours: Agent, asterisk: Asterisk) -> CallSnapshot:
    """Call bob through Asterisk, and talk."""
    await ours.until_registered()
    call_id = await ours.phone.dial("bob")
    call = await ours.until_state(call_id, CallState.TALKING)
    await asterisk.until_event("BridgeEnter", Channel=await asterisk.channel_of("bob"))
    return call


async def assert_hears(agent: Agent, call_id: str, path: Path, frequency_hz: float, level_dbfs: float) -> None:
    """Record anew and find a tone in it, once what was on its way before is over."""
    agent.phone.record(call_id, path)
    await agent.until(lambda: wav_seconds(path, RATE) >= SETTLING_SECONDS + ENOUGH_SECONDS, f"{frequency_hz} Hz")
    agent.phone.stop_recording(call_id)
    samples, rate = read_wav(path)
    assert_tone(measure(samples[round(rate * SETTLING_SECONDS) :], rate), frequency_hz, level_dbfs)


async def test_we_hold_and_the_other_side_hears_music_until_we_are_back(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours, Agent(account_at(asterisk, "bob")) as bob:
        await bob.until_registered()
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        theirs = (await bob.until_incoming()).call.id
        await bob.phone.answer(theirs)
        await ours.until_state(call_id, CallState.TALKING)
        await asterisk.until_event("BridgeEnter", Channel=await asterisk.channel_of("bob"))

        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await asterisk.until_event("Hold")
        await asterisk.until_event("MusicOnHoldStart", Class="default")
        await assert_hears(bob, theirs, tmp_path / "music.wav", MUSIC_HZ, MUSIC_DBFS)
        await asterisk.settled()
        assert "a=sendonly" in asterisk.messages("INVITE", sent=False)[-1].text
        assert "a=recvonly" in asterisk.messages("INVITE", status=200)[-1].text

        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        await asterisk.until_event("Unhold")
        tone = write_wav(tmp_path / "ours.wav", sine(OUR_HZ, 15.0, RATE, OUR_DBFS), RATE)
        ours.phone.play(call_id, FileSource(tone))
        await assert_hears(bob, theirs, tmp_path / "back.wav", OUR_HZ, OUR_DBFS)
        await ours.phone.hangup(call_id)
        await bob.until_ended(theirs)


async def test_a_far_end_that_holds_lets_us_hear_music(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    bob = await peers.baresip(asterisk, tone_hz=THEIR_HZ)
    async with Agent(account_at(asterisk)) as ours:
        call = await talk_to_bob(ours, asterisk)
        await bob.hold()
        await asterisk.until_event("MusicOnHoldStart")
        await assert_hears(ours, call.id, tmp_path / "music.wav", MUSIC_HZ, MUSIC_DBFS)
        await bob.resume()
        await asterisk.until_event("MusicOnHoldStop")
        await assert_hears(ours, call.id, tmp_path / "back.wav", THEIR_HZ, TONE_DBFS)


async def test_asterisk_passes_the_hold_of_the_far_end_on_to_us(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    bob = await peers.baresip(asterisk, tone_hz=THEIR_HZ)
    async with Agent(account_at(asterisk, "passed")) as ours:
        call = await talk_to_bob(ours, asterisk)
        await bob.hold()
        await ours.until_state(call.id, CallState.REMOTE_HELD)
        await bob.resume()
        await ours.until_state(call.id, CallState.TALKING)
        await assert_hears(ours, call.id, tmp_path / "back.wav", THEIR_HZ, TONE_DBFS)

        await ours.phone.hold(call.id)
        await ours.until_state(call.id, CallState.HELD)
        await bob.hold()
        await bob.resume()
        await ours.phone.resume(call.id)
        await ours.until_state(call.id, CallState.TALKING)
        await assert_hears(ours, call.id, tmp_path / "again.wav", THEIR_HZ, TONE_DBFS)


async def test_asterisk_that_steps_out_of_the_voice_lets_both_hear_the_other(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    # Its jitter buffer takes the voice of another sender for late, where Asterisk's own came first and counted higher.
    bob = await peers.baresip(asterisk, "carol", tone_hz=THEIR_HZ, jitter_buffer=False)
    async with Agent(account_at(asterisk, "direct")) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("carol")
        await ours.until_state(call_id, CallState.TALKING)

        def meets_directly() -> bool:
            media = ours.told(MediaChanged)[-1].media
            return media is not None and bob.rtp_port <= media.remote_port < bob.rtp_port + 24

        await ours.until(meets_directly, "our voice goes to the other telephone itself")
        tone = write_wav(tmp_path / "ours.wav", sine(OUR_HZ, 15.0, RATE, OUR_DBFS), RATE)
        ours.phone.play(call_id, FileSource(tone))
        await assert_hears(ours, call_id, tmp_path / "direct.wav", THEIR_HZ, TONE_DBFS)
        assert_tone(await bob.until_heard(1.0), OUR_HZ, OUR_DBFS)

        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        await ours.until(meets_directly, "the voice has found its way again")
        await assert_hears(ours, call_id, tmp_path / "again.wav", THEIR_HZ, TONE_DBFS)


async def test_sessions_are_refreshed_by_us_and_by_asterisk(peers: Peers) -> None:
    """Calls of both directions live on at once, because half of 90 seconds is what there is to wait for."""
    asterisk = await peers.asterisk()
    account = account_at(asterisk, "timed", timing=Timing(session_expires=90, min_se=90))
    async with Agent(account) as ours:
        await ours.until_registered()
        outgoing = await ours.phone.dial("silent")
        await ours.until_state(outgoing, CallState.TALKING)
        await asterisk.originate("timed", "silent")
        incoming = (await ours.until_incoming()).call.id
        await ours.phone.answer(incoming)
        await ours.until_state(incoming, CallState.TALKING)
        await asterisk.until(lambda: len(asterisk.messages("INVITE", status=200)) == 2, "both calls are accepted")
        accepted = asterisk.messages("INVITE", status=200)
        agreed = {message.sent: message.header("Session-Expires") for message in accepted}
        assert agreed == {True: "90;refresher=uac", False: "90;refresher=uac"}
        await asyncio.sleep(44)

        def refreshes(*, sent: bool) -> list[str]:
            return [
                message.method
                for message in asterisk.messages(sent=sent)
                if message.method in ("INVITE", "UPDATE") and "tag=" in message.header("To")
            ]

        await asterisk.until(lambda: refreshes(sent=True) and refreshes(sent=False), "both sides refresh")
        assert [ours.phone.calls[call_id].state for call_id in (outgoing, incoming)] == [CallState.TALKING] * 2
        await asyncio.sleep(0.5)
        await asterisk.settled()
        assert not [message for message in asterisk.messages() if message.status >= 400 and message.status != 401]


async def test_either_side_may_want_longer_sessions_than_the_other(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    timing = Timing(session_expires=90, min_se=90)
    async with Agent(account_at(asterisk, "patient", timing=timing)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("silent")
        await ours.until_state(call_id, CallState.TALKING)
        await asterisk.settled()
        assert [message.header("Min-SE") for message in asterisk.messages("INVITE", status=422)] == ["200"]
        assert asterisk.messages("INVITE", status=200)[-1].header("Session-Expires").startswith("200;")
    timing = Timing(session_expires=600, min_se=600)
    async with Agent(account_at(asterisk, "timed", timing=timing)) as ours:
        await ours.until_registered()
        await asterisk.originate("timed", "silent")
        await ours.phone.answer((await ours.until_incoming()).call.id)
        await asterisk.until(lambda: not asterisk.messages("INVITE", status=200)[-1].sent, "we have answered")
        assert [message.header("Min-SE") for message in asterisk.messages("INVITE", status=422)] == ["200", "600"]
        assert asterisk.messages("INVITE", status=200)[-1].header("Session-Expires").startswith("600;")
