"""The volumes of an account: all that it says, and all that it hears."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.net.loudness import StreamLoudness
from custom_components.sip_ua.net.media import MediaEngine, MediaStream, RecordedSides
from custom_components.sip_ua.net.stream_events import DigitReceived, RecordingFinished, VoiceHeard
from custom_components.sip_ua.rtp.codecs import PCMA

from .media_support import (
    LOOPBACK,
    PORTS,
    FarEnd,
    Listener,
    eventually,
    level_of,
    negotiated,
    open_stream,
    power_at,
    read_wav,
    split,
)

LEVEL: Final = -20.0
"""Of a tone, unless somebody makes it louder or softer."""


async def open_loud(
    engine: MediaEngine, listener: Listener | None = None, *, speaking: float = 0, listening: float = 0
) -> MediaStream:
    return await engine.open(
        bind_address=LOOPBACK,
        ports=PORTS,
        on_event=listener or Listener(),
        loudness=StreamLoudness(speaking, listening),
    )


def second_of(pcm: bytes) -> bytes:
    """Return the last second, when everything has settled."""
    return pcm[-16000:]


async def level_sent(engine: MediaEngine, speaking: float, *, tone: float = LEVEL) -> float:
    """Return how loud a tone arrives at a far end."""
    with FarEnd() as end:
        stream = await open_loud(engine, speaking=speaking)
        stream.configure(end.media())
        stream.play(ToneSource(440.0, level=tone))
        await eventually(lambda: len(end.arrivals) > 80)
        await stream.close()
        return level_of(second_of(b"".join(PCMA.create().decode(one.packet.payload) for one in end.arrivals)))


@pytest.mark.parametrize("speaking", [-12, 0, 12])
async def test_what_we_play_is_sent_louder_or_softer(engine: MediaEngine, speaking: int) -> None:
    assert await level_sent(engine, speaking) == pytest.approx(LEVEL + speaking, abs=0.5)


async def test_what_would_be_too_loud_to_be_sent_is_as_loud_as_it_can_be(engine: MediaEngine) -> None:
    assert await level_sent(engine, 12, tone=-3.0) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("listening", [-12, 0, 12])
async def test_what_the_far_end_says_is_louder_or_softer_wherever_it_is_heard(
    engine: MediaEngine, tmp_path: Path, listening: int
) -> None:
    told = Listener()
    ours, theirs = await open_loud(engine, told, listening=listening, speaking=6), await open_stream(engine)
    ours.configure(negotiated(theirs.port))
    theirs.configure(negotiated(ours.port))
    theirs.play(ToneSource(440.0, level=LEVEL))
    spoken: list[VoiceHeard] = []
    ours.listen(spoken.append)
    ours.record(tmp_path / "call.wav", RecordedSides.STEREO)
    ours.play(ToneSource(1000.0, level=LEVEL))
    await asyncio.sleep(1.6)
    ours.stop_recording()
    await told.wait_for(RecordingFinished)
    for stream in (ours, theirs):
        await stream.close()

    wanted = pytest.approx(LEVEL + listening, abs=0.7)
    assert level_of(second_of(b"".join(event.pcm for event in spoken))) == wanted
    pcm, _rate, channels = read_wav(tmp_path / "call.wav")
    assert channels == 2
    we, they = split(pcm[-32000:])
    assert level_of(they) == wanted
    assert level_of(we) == pytest.approx(LEVEL + 6, abs=0.7), "what we said is recorded as it was sent"


async def test_keys_in_the_voice_are_understood_and_sent_as_ever(engine: MediaEngine) -> None:
    """The softest tones that are understood stay so, and what is turned down is not pressed more softly."""
    told = Listener()
    ours, theirs = await open_loud(engine, told, listening=-12), await open_loud(engine, speaking=-12)
    media = negotiated(theirs.port, dtmf=False)
    ours.configure(media, hear_tones=True)
    theirs.configure(replace(media, remote_port=ours.port, remote_rtcp=(LOOPBACK, ours.port + 1)))
    with FarEnd() as end:
        theirs.send_digits("7", inband=True)
        assert (await told.wait_for(DigitReceived)).digit == "7"
        levels = []
        for volume in (-12, 0):
            stream = await open_loud(engine, speaking=volume)
            end.arrivals.clear()
            stream.configure(end.media())
            stream.send_digits("5", inband=True)
            await asyncio.sleep(0.5)
            await stream.close()
            pcm = b"".join(PCMA.create().decode(one.packet.payload) for one in end.arrivals)
            levels.append(level_of(pcm))
        assert levels[0] == pytest.approx(levels[1], abs=1.5)
    for stream in (ours, theirs):
        await stream.close()


async def test_joined_calls_hear_each_other_by_the_volumes_of_both_accounts(engine: MediaEngine) -> None:
    room = engine.open_room(shared=False)
    first, second = await open_loud(engine, listening=-6), await open_loud(engine, speaking=-6)
    caller = await open_stream(engine)
    with FarEnd() as end:
        first.configure(negotiated(caller.port))
        caller.configure(negotiated(first.port))
        second.configure(end.media())
        for stream in (first, second):
            stream.enter(room)
        caller.play(ToneSource(440.0, level=LEVEL))
        await asyncio.sleep(1.6)
        for stream in (first, second, caller):
            await stream.close()
        pcm = second_of(b"".join(PCMA.create().decode(one.packet.payload) for one in end.arrivals))
    assert level_of(pcm) == pytest.approx(LEVEL - 12, abs=0.7)
    assert power_at(pcm, 440, 8000) > 0
