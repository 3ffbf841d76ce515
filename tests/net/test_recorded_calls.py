"""Recordings of real streams: aligned through loss, hold and another codec, with a tone, and no burden to the call."""

import asyncio
import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest

from custom_components.sip_ua.net import media_stream, recorder, recording_file
from custom_components.sip_ua.net.audio import BytesSource, ToneSource
from custom_components.sip_ua.net.errors import RecordingFault
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.recording_order import (
    RecordedSides,
    RecordingFormat,
    RecordingOrder,
    RecordingTone,
)
from custom_components.sip_ua.net.recording_tone import FREQUENCY, LENGTH_MS, PERIOD_MS, SignalTone, signal_tone
from custom_components.sip_ua.net.stream_events import (
    FirstPacketReceived,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    RecordingStarted,
    StreamFailed,
)
from custom_components.sip_ua.sip.offer_answer import CODECS, MediaDirection

from .media_support import (
    LOOPBACK,
    FarEnd,
    Listener,
    Pair,
    eventually,
    first_loud,
    level_of,
    negotiated,
    open_stream,
    power_at,
    read_wav,
    sine,
    split,
    wav,
)
from .recording_process import read_sound

FRAME = 0.02
BURSTS = 8


class Echo:
    """A far end that sends back at once what it hears, as a source of its own, and loses some of it by a seed."""

    def __init__(self, loss: float) -> None:
        self._random = random.Random(4)
        self._loss = loss
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.settimeout(0.05)
        self._open = True
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()
        self.lost = 0

    @property
    def port(self) -> int:
        """Where voice is wanted."""
        port: int = self._socket.getsockname()[1]
        return port

    def _answer(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                data, source = self._socket.recvfrom(2048)
                if self._random.random() < self._loss:
                    self.lost += 1
                else:
                    self._socket.sendto(data[:8] + b"echo" + data[12:], source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()


def stereo(path: Path, file_format: RecordingFormat = RecordingFormat.WAV, **more: RecordingTone) -> RecordingOrder:
    return RecordingOrder(path=path, sides=RecordedSides.STEREO, file_format=file_format, root=path.parent, **more)


def begins(pcm: bytes, rate: int) -> Iterator[float]:
    """Yield when each burst begins, in seconds."""
    at = 0
    with contextlib.suppress(StopIteration):
        while True:
            first = first_loud(pcm, from_sample=at)
            yield first / rate
            at = first + round(0.25 * rate)


async def test_both_sides_stay_aligned_through_loss_hold_and_another_codec(engine: MediaEngine, tmp_path: Path) -> None:
    heard = Listener()
    stream = await open_stream(engine, heard)
    await engine.usable_codecs(("G722",))
    waits: list[float] = []

    async def pass_time(seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            await asyncio.sleep(0.1)
            figures = await stream.statistics()
            assert figures is not None
            waits.append(figures.delay_ms / 1000)

    with Echo(loss=0.05) as echo:
        stream.configure(negotiated(echo.port))
        await heard.wait_for(FirstPacketReceived)
        stream.record_as(stereo(tmp_path / "call.wav"))
        began = time.monotonic()
        stream.play(BytesSource(wav((bytes(6400) + sine(1000, 0.1)) * BURSTS)))
        await pass_time(1.2)
        stream.configure(negotiated(echo.port, direction=MediaDirection.RECVONLY))
        await pass_time(0.6)
        stream.configure(negotiated(echo.port))
        await pass_time(1.0)
        stream.configure(negotiated(echo.port, codec=CODECS["G722"]))
        await heard.wait_for(PlaybackFinished, timeout=30)
        await pass_time(0.3)
        stream.stop_recording()
        passed = time.monotonic() - began
        finished = await heard.wait_for(RecordingFinished)
        assert echo.lost > 5

    pcm, rate, _ = read_wav(tmp_path / "call.wav")
    ours, theirs = split(pcm)
    assert finished.error is None
    assert len(pcm) / 4 / rate == pytest.approx(passed, abs=0.3)
    said = list(begins(ours, rate))
    assert len(said) == BURSTS
    gaps = [after - before for before, after in pairwise(said)]
    assert sum(gap > 0.8 for gap in gaps) == 1
    echoes = list(begins(theirs, rate))
    delays = sorted(min((late - begin for late in echoes if late >= begin), default=9.0) for begin in said)
    # A packet that is lost just where a burst begins makes that one late.
    assert all(min(waits) - FRAME <= delay <= max(waits) + FRAME for delay in delays[: BURSTS - 2]), (delays, waits)


async def test_what_the_far_end_hears_when_a_recording_begins_is_in_it(pair: Pair, tmp_path: Path) -> None:
    pair.connect()
    await pair.heard.wait_for(FirstPacketReceived)
    pair.theirs.record(tmp_path / "theirs.wav")
    await pair.heard_there.wait_for(RecordingStarted)
    pair.ours.record_as(stereo(tmp_path / "ours.wav", tone=RecordingTone.ONCE))
    await asyncio.sleep(0.8)
    await pair.ours.close()
    await pair.theirs.close()

    pcm, rate, _ = read_wav(tmp_path / "ours.wav")
    ours, theirs = split(pcm)
    length = LENGTH_MS * rate // 1000 * 2
    assert first_loud(ours) < rate // 100
    assert power_at(ours[:length], FREQUENCY, rate) == pytest.approx(0.01, rel=0.1)
    assert level_of(ours[length:]) < -60
    assert level_of(theirs) < -60
    there = read_wav(tmp_path / "theirs.wav")[0]
    begin = 2 * first_loud(there)
    assert power_at(there[begin : begin + length], FREQUENCY, 8000) == pytest.approx(0.01, rel=0.2)


def test_a_tone_is_mixed_into_what_we_say_and_comes_again_where_it_is_repeated() -> None:
    voice = bytes(320)
    tone = SignalTone(repeated=True)
    loud = [tone.mix(voice, 320, 8000) != voice for _ in range(2 * PERIOD_MS // 20)]
    sounding = LENGTH_MS // 20
    wanted = [True] * sounding + [False] * (PERIOD_MS // 20 - sounding)
    assert loud == 2 * wanted
    once = SignalTone(repeated=False)
    assert [once.mix(None, 320, 8000) is not None for _ in range(PERIOD_MS // 20 + 30)].count(True) == sounding
    assert signal_tone(RecordingTone.NONE) is None


def test_a_tone_has_its_time_at_every_rate_and_with_short_frames() -> None:
    tone = SignalTone(repeated=False)
    for rate in (8000, 16000, 48000, 8000):
        size = rate // 50 * 2
        made = tone.mix(b"\1\0", size, rate)
        assert made is not None
        assert len(made) == size


@pytest.mark.parametrize("file_format", list(RecordingFormat))
async def test_the_end_of_a_call_completes_the_file(pair: Pair, tmp_path: Path, file_format: RecordingFormat) -> None:
    path = tmp_path / f"call{file_format.suffix}"
    pair.connect()
    pair.theirs.play(ToneSource(440, -10))
    await pair.heard_there.wait_for(PlaybackStarted)
    pair.ours.record_as(stereo(path, file_format))
    assert (await pair.heard.wait_for(RecordingStarted)).path == path
    await asyncio.sleep(1.0)

    await pair.ours.close()

    (finished,) = pair.heard.of(RecordingFinished)
    assert (finished.error, finished.size) == (None, path.stat().st_size)
    (_, theirs), rate = read_sound(path)
    assert len(theirs) / 2 / rate == pytest.approx(finished.seconds, abs=FRAME)
    # A machine that stands still leaves a gap; a part of a tenth of a second has the tone all the same.
    size = 2 * (rate // 10)
    assert max(power_at(theirs[at : at + size], 440, rate) for at in range(0, len(theirs) - size, size)) > 0.05


async def test_a_slow_disk_costs_sound_of_the_recording_and_no_packet_of_the_call(
    engine: MediaEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    write = recording_file.Disk.write

    def stick(disk: recording_file.Disk, data: bytes) -> int:
        released.wait(10)
        return write(disk, data)

    monkeypatch.setattr(recording_file.Disk, "write", stick)
    monkeypatch.setattr(recorder, "MAX_WAITING", 2)
    heard = Listener()
    with FarEnd() as far:
        stream = await open_stream(engine, heard)
        stream.configure(far.media())
        stream.record_as(stereo(tmp_path / "call.wav"))
        await eventually(lambda: len(far.arrivals) >= 75)
        released.set()
        await heard.wait_for(RecordingStarted)
        await eventually(lambda: len(far.arrivals) >= 110)
        await stream.close()

    (finished,) = heard.of(RecordingFinished)
    assert finished.error is None
    assert finished.lost > 0.5
    sequences = [arrival.packet.sequence for arrival in far.arrivals]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert len(read_wav(tmp_path / "call.wav")[0]) / 4 / 8000 == pytest.approx(finished.seconds)


async def test_a_disk_that_never_answers_does_not_hold_up_the_end_of_the_call(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def stick(_disk: recording_file.Disk, data: bytes) -> int:
        released.wait(10)
        return len(data)

    monkeypatch.setattr(recording_file.Disk, "write", stick)
    monkeypatch.setattr(media_stream, "RECORDING_TIMEOUT", 0.1)
    pair.connect()
    pair.ours.record_as(stereo(tmp_path / "call.wav"))
    await asyncio.sleep(0.3)

    await pair.ours.close()

    assert [event.fault for event in pair.heard.of(RecordingFinished)] == [RecordingFault.TOO_SLOW]
    assert not pair.heard.of(StreamFailed)
    released.set()


async def test_keys_that_are_pressed_as_tones_are_in_the_recording(pair: Pair, tmp_path: Path) -> None:
    pair.connect()
    await pair.heard.wait_for(FirstPacketReceived)
    pair.ours.record_as(stereo(tmp_path / "ours.wav"))
    await pair.heard.wait_for(RecordingStarted)
    pair.ours.send_digits("5", duration_ms=200, inband=True)
    await asyncio.sleep(0.5)
    pair.ours.send_digits("5", duration_ms=200)
    await asyncio.sleep(0.5)
    await pair.ours.close()

    ours, _ = split(read_wav(tmp_path / "ours.wav")[0])
    begin = 2 * first_loud(ours)
    assert power_at(ours[begin : begin + 3200], 770, 8000) > 0.01
    assert level_of(ours[begin + 6400 :]) < -60
