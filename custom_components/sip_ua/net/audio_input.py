"""Opens sounds of all kinds and gives their frames, for a worker thread (which may wait for a disk or a network).

PyAV reads 64 kB of a WAV file before it gives the first sample, which is more than a second of speech; so the plain
header of PCM is read here, and only what follows is left to PyAV.
"""

import array
import io
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO, Final, Protocol

import av
from av.audio.frame import AudioFrame

from .audio_feed import FedSource, Input
from .audio_source import BytesSource, FileSource, RawPcm, SilenceSource, ToneSource
from .errors import AudioError, AudioFault
from .wav_header import read_wav_header

GENERATED_RATE: Final = 16000
"""Sample rate in Hz of tones and silence as they are made."""

FRAME_SAMPLES: Final = 1600
MAX_BAD_PACKETS: Final = 50

_READ_SIZE: Final = 1024
# Nothing may be opened by what a sound names inside, such as the entries of a playlist.
_OPTIONS: Final = {"protocol_whitelist": "none", "probesize": "32768", "analyzeduration": "500000"}
_RAW_FORMATS: Final = {8: "u8", 16: "s16le", 24: "s24le", 32: "s32le"}


class Readable(Protocol):
    """What can be read like a file."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""


@dataclass(slots=True)
class _Limited:
    """A part of another stream, first what was read of it before."""

    stream: Readable
    left: int | None = None
    before: bytes = b""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        if self.before:
            data, self.before = self.before[:size], self.before[size:]
            return data
        if self.left is None:
            return self.stream.read(size)
        data = self.stream.read(min(size, self.left))
        self.left -= len(data)
        return data


class _Recorder:
    """Reads exact numbers of bytes and keeps them, in case they must be read again."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.seen = bytearray()

    def read_exactly(self, size: int) -> bytes:
        """Return `size` bytes, less at the end only."""
        start = len(self.seen)
        while (missing := start + size - len(self.seen)) > 0:
            data = self._stream.read(missing)
            if not data:
                break
            self.seen += data
        return bytes(self.seen[start:])


def open_frames(source: Input) -> Iterator[AudioFrame]:
    """Give the frames of a sound in whatever format they come. Raises `AudioError` with a text for people."""
    match source:
        case ToneSource():
            yield from _tone(source)
        case SilenceSource():
            yield from _generated(bytes(2 * FRAME_SAMPLES), source.duration)
        case BytesSource():
            yield from _decode(io.BytesIO(source.data), source.hint)
        case FedSource():
            yield from _decode(source.feed, source.hint)
        case FileSource():
            with _open_file(source) as file:
                yield from _decode(file, "")


def _open_file(source: FileSource) -> BinaryIO:
    """Open a local file."""
    try:
        # A pipe would be waited for, and a device never ends.
        if not source.path.is_file() and source.path.exists():
            raise AudioError(f"{source.path.name} is no file", AudioFault.UNREADABLE)
        return source.path.open("rb")
    except OSError as error:
        text = f"the file {source.path.name} cannot be read: {error.strerror}"
        raise AudioError(text, AudioFault.UNREADABLE) from error


def _decode(stream: Readable, hint: str | RawPcm) -> Iterator[AudioFrame]:
    """Find out what a stream is, and give its frames."""
    if isinstance(hint, RawPcm):
        yield from _demux(stream, _RAW_FORMATS[16], hint.sample_rate, hint.channels)
        return
    recorder = _Recorder(stream)
    wav = read_wav_header(recorder.read_exactly)
    if not recorder.seen:
        raise AudioError("there is nothing in it", AudioFault.EMPTY)
    if wav is not None:
        yield from _demux(_Limited(stream, wav.size), _RAW_FORMATS[wav.bits], wav.sample_rate, wav.channels)
        return
    if isinstance(stream, io.IOBase):
        stream.seek(0)
        yield from _demux(stream, hint)
    else:
        yield from _demux(_Limited(stream, before=bytes(recorder.seen)), hint)


def _demux(stream: Readable, name: str, sample_rate: int = 0, channels: int = 0) -> Iterator[AudioFrame]:
    """Give the frames that PyAV finds; `name` is the format's, "" to have it guessed."""
    options = dict(_OPTIONS)
    if sample_rate:
        options |= {"sample_rate": str(sample_rate), "ch_layout": f"{channels}c"}
    try:
        container = av.open(stream, "r", format=name or None, options=options, buffer_size=_READ_SIZE)
    except av.FFmpegError as error:
        raise AudioError(f"this is no sound that can be played ({error.strerror})", AudioFault.NO_SOUND) from error
    except ValueError as error:
        raise AudioError(f"this is no sound that can be played ({error})", AudioFault.NO_SOUND) from error
    with closing(container):
        if not container.streams.audio:
            raise AudioError("there is no sound in it", AudioFault.NO_SOUND)
        bad = 0
        try:
            for packet in container.demux(container.streams.audio[0]):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    bad += 1
                    if bad > MAX_BAD_PACKETS:
                        raise
                    continue
                for frame in frames:
                    if isinstance(frame, AudioFrame):
                        yield frame
        except av.FFmpegError as error:
            raise AudioError(f"the sound breaks off ({error.strerror})", AudioFault.BROKEN) from error


def _tone(source: ToneSource) -> Iterator[AudioFrame]:
    """Give a sine without a break between its frames."""
    if not 0 < source.frequency < GENERATED_RATE / 2:
        raise AudioError(f"{source.frequency:g} Hz is outside of what can be heard in a call")
    peak = 32767 * 10 ** (min(source.level, 0.0) / 20)
    step = 2 * math.pi * source.frequency / GENERATED_RATE
    left = None if source.duration is None else round(source.duration * GENERATED_RATE)
    for start in count(0, FRAME_SAMPLES):
        samples = FRAME_SAMPLES if left is None else min(FRAME_SAMPLES, left - start)
        if samples <= 0:
            return
        yield _frame(array.array("h", (round(peak * math.sin(step * n)) for n in range(start, start + samples))))


def _generated(block: bytes, duration: float) -> Iterator[AudioFrame]:
    """Repeat a block of samples for that many seconds."""
    left = round(duration * GENERATED_RATE)
    while left > 0:
        samples = array.array("h", block[: 2 * left])
        left -= len(samples)
        yield _frame(samples)


def _frame(samples: array.array[int]) -> AudioFrame:
    """Wrap samples as PyAV has them (of the machine's own byte order)."""
    frame = AudioFrame(format="s16", layout="mono", samples=len(samples))
    frame.sample_rate = GENERATED_RATE
    frame.planes[0].update(samples.tobytes())
    return frame
