"""Sounds and recordings in real calls: in turn, at their level, and no harm to the call when one fails."""

import array
import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import BytesSource, FileSource, SilenceSource, StreamSource, ToneSource
from custom_components.sip_ua.net.errors import AudioError
from custom_components.sip_ua.net.media import MediaEngine, RecordedSides
from custom_components.sip_ua.net.media_stream import MAX_SOUNDS
from custom_components.sip_ua.net.play_order import PlayOrder
from custom_components.sip_ua.net.stream_events import (
    FirstPacketReceived,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    StreamFailed,
    VoiceHeard,
)
from custom_components.sip_ua.sip.offer_answer import MediaDirection

from .media_support import (
    FarEnd,
    Pair,
    eventually,
    frequency_of,
    level_of,
    loud_part,
    negotiated,
    open_stream,
    power_at,
    read_wav,
    sine,
    split,
    wav,
)


async def test_sounds_are_played_in_turn_and_told_of(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "voice.wav").write_bytes(wav(sine(800, 0.2, level=-10)))
    pair.connect()
    pair.theirs.record(tmp_path / "theirs.wav")

    ids = [
        pair.ours.play(ToneSource(500, -10, 0.2)),
        pair.ours.play(FileSource(tmp_path / "missing.wav")),
        pair.ours.play(FileSource(tmp_path / "voice.wav")),
        pair.ours.play(BytesSource(b"no sound at all")),
        pair.ours.play(ToneSource(1300, -10, 0.2)),
    ]
    await pair.heard.wait_for(PlaybackFinished, 5)
    await asyncio.sleep(0.2)
    await pair.theirs.close()

    finished = pair.heard.of(PlaybackFinished)
    assert [event.playback_id for event in finished] == ids
    assert [event.error is None for event in finished] == [True, False, True, False, True]
    assert [event.playback_id for event in pair.heard.of(PlaybackStarted)] == [ids[0], ids[2], ids[4]]
    tone = loud_part(read_wav(tmp_path / "theirs.wav")[0])
    assert len(tone) / 16000 == pytest.approx(0.6, abs=0.06)
    for number, frequency in enumerate((500, 800, 1300)):
        part = tone[3200 * number + 800 : 3200 * number + 2400]
        assert power_at(part, frequency, 8000) > 0.03


async def test_a_repeated_sound_is_stopped_on_demand(pair: Pair) -> None:
    pair.connect()
    playback = pair.ours.play(BytesSource(wav(sine(1000, 0.05))), PlayOrder(loop=True))
    await pair.heard.wait_for(PlaybackStarted)
    await asyncio.sleep(0.2)
    assert not pair.heard.of(PlaybackFinished)

    pair.ours.stop_playback(playback)

    assert await pair.heard.wait_for(PlaybackFinished) == PlaybackFinished(playback, stopped=True)


async def test_a_sound_made_ready_before_the_answer_is_in_the_first_packet(engine: MediaEngine) -> None:
    prepared = engine.prepare(ToneSource(1000, -10, 1.0))
    await asyncio.sleep(0.2)
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.play(prepared)
        stream.configure(far.media())
        await eventually(lambda: len(far.arrivals) >= 3)

        assert far.arrivals[0].packet.payload != b"\xd5" * 160
        with pytest.raises(AudioError):
            stream.play(prepared)


@pytest.mark.parametrize("order", ["sound first", "voice first"])
async def test_a_sound_made_ready_for_another_codec_is_in_the_first_packet_too(engine: MediaEngine, order: str) -> None:
    prepared = engine.prepare(ToneSource(1000, -10, 1.0), rate=16000)
    await asyncio.sleep(0.5)
    with FarEnd() as far:
        stream = await open_stream(engine)
        if order == "sound first":
            stream.play(prepared, codec=far.media().codec)
            stream.configure(far.media())
        else:
            stream.configure(far.media())
            stream.play(prepared)
        await eventually(lambda: len(far.arrivals) >= 3)
        late = 0 if order == "sound first" else 1
        assert far.arrivals[late].packet.payload != b"\xd5" * 160
        await stream.close()


async def test_a_voice_does_not_wait_long_for_a_sound_that_is_not_ready(engine: MediaEngine) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.play(StreamSource(nothing()))
        begun = time.monotonic()
        stream.configure(far.media())
        await eventually(lambda: bool(far.arrivals))
        assert far.arrivals[0].at - begun < 1
        assert far.arrivals[0].packet.payload == b"\xd5" * 160
        await stream.close()


async def test_a_stop_is_heard_within_a_tenth_of_a_second(engine: MediaEngine) -> None:
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.configure(far.media())
        stream.play(ToneSource(1000, -10))
        await eventually(lambda: len(far.arrivals) >= 10)
        stopped = len(far.arrivals)
        stream.stop_playback()
        await eventually(lambda: far.arrivals[-1].packet.payload == b"\xd5" * 160)
        # Counted in packets of 20 ms, as a machine that stands still sends none.
        loud = [arrival.packet.payload != b"\xd5" * 160 for arrival in far.arrivals[stopped:]]
        assert loud.index(False) <= 5
        await stream.close()


async def test_one_sound_too_many_is_refused_until_another_is_over(pair: Pair) -> None:
    pair.connect()
    numbers = [pair.ours.play(SilenceSource(60.0)) for _ in range(MAX_SOUNDS)]
    with pytest.raises(AudioError, match="more than"):
        pair.ours.play(SilenceSource(1.0))
    pair.ours.stop_playback(numbers[3])
    await pair.heard.wait_for(PlaybackFinished)
    pair.ours.play(SilenceSource(1.0))


async def test_a_pause_is_silent_and_the_sound_goes_on_where_it_was(pair: Pair, tmp_path: Path) -> None:
    pair.connect()
    pair.theirs.record(tmp_path / "theirs.wav")
    pair.ours.play(ToneSource(1000, -10, 0.4))
    await pair.heard.wait_for(PlaybackStarted)
    pair.ours.pause(paused=True)
    await asyncio.sleep(0.4)
    assert not pair.heard.of(PlaybackFinished)
    pair.ours.pause(paused=False)
    await pair.heard.wait_for(PlaybackFinished)
    await asyncio.sleep(0.2)
    await pair.theirs.close()

    heard = array.array("h", read_wav(tmp_path / "theirs.wav")[0])
    loud = [max(map(abs, heard[at : at + 80])) > 1000 for at in range(0, len(heard), 80)]
    assert sum(loud) / 100 == pytest.approx(0.4, abs=0.08)
    assert len(loud_part(heard.tobytes())) / 16000 > 0.6


async def test_the_volume_is_in_decibels(pair: Pair, tmp_path: Path) -> None:
    pair.connect()
    pair.theirs.record(tmp_path / "theirs.wav")
    playback = pair.ours.play(ToneSource(1000, -20, 0.4), PlayOrder(volume_db=10))
    pair.ours.set_volume(playback, 12)
    await pair.heard.wait_for(PlaybackFinished)
    await asyncio.sleep(0.2)
    await pair.theirs.close()

    tone = loud_part(read_wav(tmp_path / "theirs.wav")[0])
    assert level_of(tone[3200:-1600]) == pytest.approx(-8, abs=0.5)


async def test_a_sound_waits_while_the_far_end_holds_the_call(pair: Pair) -> None:
    pair.connect()
    pair.ours.configure(negotiated(pair.theirs.port, direction=MediaDirection.RECVONLY))
    pair.ours.play(SilenceSource(0.1))
    await asyncio.sleep(0.3)
    assert not pair.heard.of(PlaybackStarted)

    pair.ours.configure(negotiated(pair.theirs.port))

    await pair.heard.wait_for(PlaybackFinished)


@pytest.mark.parametrize("sides", list(RecordedSides))
async def test_both_sides_are_recorded_as_wanted(pair: Pair, tmp_path: Path, sides: RecordedSides) -> None:
    pair.connect()
    pair.theirs.play(ToneSource(440, -10))
    pair.ours.play(ToneSource(1300, -10))
    await pair.heard.wait_for(FirstPacketReceived)
    await asyncio.sleep(0.12)
    pair.ours.record(tmp_path / "call.wav", sides)
    await asyncio.sleep(0.3)
    pair.ours.stop_recording()
    finished = await pair.heard.wait_for(RecordingFinished)

    pcm, rate, channels = read_wav(tmp_path / "call.wav")
    assert (finished.path, finished.error) == (tmp_path / "call.wav", None)
    assert finished.seconds == pytest.approx(len(pcm) / 2 / channels / rate)
    assert finished.seconds == pytest.approx(0.3, abs=0.2)
    ours, theirs = split(pcm) if channels == 2 else (pcm, pcm)
    heard, said = power_at(theirs, 440, rate) > 0.03, power_at(ours, 1300, rate) > 0.03
    assert (heard, said) == (sides is not RecordedSides.SENT, sides is not RecordedSides.RECEIVED)
    if sides is RecordedSides.STEREO:
        assert power_at(theirs, 1300, rate) < 0.001
        assert power_at(ours, 440, rate) < 0.001


async def test_a_recording_that_cannot_be_written_is_told_and_the_call_goes_on(pair: Pair, tmp_path: Path) -> None:
    pair.connect()
    pair.ours.record(tmp_path / "no-folder" / "call.wav")

    finished = await pair.heard.wait_for(RecordingFinished)
    await asyncio.sleep(0.3)

    assert finished.error is not None
    assert "call.wav could not be written: No such file" in finished.error
    statistics = await pair.ours.statistics()
    assert statistics is not None
    assert not pair.heard.of(StreamFailed)


async def test_a_full_disk_ends_the_recording_only(pair: Pair) -> None:
    pair.connect()
    pair.ours.record(Path("/dev/full"))

    finished = await pair.heard.wait_for(RecordingFinished)

    assert finished.error is not None
    assert "No space left" in finished.error
    assert not pair.heard.of(StreamFailed)


async def test_a_new_recording_ends_the_one_before(pair: Pair, tmp_path: Path) -> None:
    pair.connect()
    pair.ours.record(tmp_path / "one.wav")
    await asyncio.sleep(0.1)
    pair.ours.record(tmp_path / "two.wav")
    await asyncio.sleep(0.1)
    await pair.ours.close()

    assert [event.path.name for event in pair.heard.of(RecordingFinished)] == ["one.wav", "two.wav"]
    assert all(read_wav(tmp_path / name)[0] for name in ("one.wav", "two.wav"))


async def test_what_the_far_end_says_can_be_listened_to(pair: Pair) -> None:
    pair.connect()
    heard: list[VoiceHeard] = []
    also_heard: list[VoiceHeard] = []
    pair.theirs.play(ToneSource(1000, -10))
    await pair.heard.wait_for(FirstPacketReceived)
    await asyncio.sleep(0.1)
    leave, leave_too = pair.ours.listen(heard.append), pair.ours.listen(also_heard.append)
    await eventually(lambda: len(heard) >= 10)

    leave()
    await eventually(lambda: len(also_heard) >= 15)
    leave_too()
    leave_too()
    await asyncio.sleep(0.05)
    number = len(also_heard)
    await asyncio.sleep(0.1)

    assert len(heard) < 15
    assert len(also_heard) == number
    assert not pair.heard.of(VoiceHeard)
    assert {event.sample_rate for event in also_heard} == {8000}
    assert frequency_of(b"".join(event.pcm for event in also_heard), 8000) == pytest.approx(1000, rel=0.005)
