"""Recordings of a call in WAV files, written by a worker thread so that no disk can hold up the media thread."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import BinaryIO, Final

import audioop

from .audio_pipe import SAMPLE_BYTES
from .resample import Resampler
from .stream_events import RecordingFinished
from .wav_header import write_wav_header

BLOCK_FRAMES: Final = 10
MAX_WAITING: Final = 100
"""Blocks that may wait for the disk; later ones become silence in the recording."""


class RecordedSides(StrEnum):
    """Whose voice is recorded; in stereo the far end is on the left and we are on the right."""

    RECEIVED = "received"
    SENT = "sent"
    MIXED = "mixed"
    STEREO = "stereo"


@dataclass(frozen=True, slots=True)
class RecordedBlock:
    """Some of what was heard and of what was said at the same time; `lost` seconds before it found no room."""

    received: bytes
    received_rate: int
    sent: bytes
    sent_rate: int
    lost: float


@dataclass(frozen=True, slots=True)
class RecordingEnd:
    """Nothing follows."""


@dataclass(frozen=True, slots=True)
class BlockWritten:
    """There is room for another block; without `more` the writer gave up."""

    more: bool = True


@dataclass(frozen=True, slots=True)
class RecordingPipe:
    """Blocks to the writer and room back; what waits is bounded by `RecordingTap`."""

    blocks: SimpleQueue[RecordedBlock | RecordingEnd] = field(default_factory=SimpleQueue)
    written: SimpleQueue[BlockWritten] = field(default_factory=SimpleQueue)

    def close(self) -> None:
        """Let the writer finish the file; may be called from any thread and more than once."""
        self.blocks.put(RecordingEnd())


class RecordingTap:
    """The media thread's end of a recording; never waits."""

    def __init__(self, pipe: RecordingPipe) -> None:
        """Put what is heard into this pipe."""
        self._pipe = pipe
        self._waiting = 0
        self._lost = 0.0
        self._frames = 0
        self._received = bytearray()
        self._sent = bytearray()
        self._rates = (0, 0)
        self.open = True

    def write(self, received: bytes, received_rate: int, sent: bytes | None, sent_rate: int) -> None:
        """Take one frame of each side; None is silence of ours, as long as theirs."""
        if self._rates != (received_rate, sent_rate):
            self._flush()
            self._rates = (received_rate, sent_rate)
        self._received += received
        self._sent += sent or b""
        # Both sides stay abreast, whatever was missing of ours.
        length = len(self._received) // SAMPLE_BYTES * sent_rate // received_rate * SAMPLE_BYTES
        self._sent += bytes(max(0, length - len(self._sent)))
        self._frames += 1
        if self._frames >= BLOCK_FRAMES:
            self._flush()

    def close(self) -> None:
        """Pass on the rest and let the writer finish."""
        self._flush()
        self.open = False
        self._pipe.close()

    def _flush(self) -> None:
        """Pass on what was gathered, or give it up where too much waits."""
        with contextlib.suppress(Empty):
            while self.open:
                self.open = self._pipe.written.get_nowait().more
                self._waiting -= 1
        if self._received:
            if self._waiting < MAX_WAITING:
                self._waiting += 1
                self._pipe.blocks.put(
                    RecordedBlock(bytes(self._received), self._rates[0], bytes(self._sent), self._rates[1], self._lost)
                )
                self._lost = 0.0
            else:
                self._lost += len(self._received) / SAMPLE_BYTES / self._rates[0]
        self._frames = 0
        self._received.clear()
        self._sent.clear()


class Recorder:
    """Writes one WAV file; `run` is the whole life of the worker thread."""

    def __init__(
        self, path: Path, sides: RecordedSides, pipe: RecordingPipe, report: Callable[[RecordingFinished], None]
    ) -> None:
        """Write to `path`, overwriting it, and report the end from the worker thread."""
        self._path = path
        self._sides = sides
        self._pipe = pipe
        self._report = report
        self._channels = 2 if sides is RecordedSides.STEREO else 1
        self._rate = 0
        self._size = 0
        self._received = Resampler()
        self._sent = Resampler()

    def run(self) -> None:
        """Write to the end of the recording, or up to the first error."""
        error: str | None = None
        try:
            with self._path.open("wb") as file:
                self._write(file)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it must be told and not stop the call
            reason = failure.strerror if isinstance(failure, OSError) else None
            error = f"the recording {self._path.name} could not be written: {reason or failure}"
            self._pipe.written.put(BlockWritten(more=False))
        seconds = self._size / (SAMPLE_BYTES * self._channels * self._rate) if self._rate else 0.0
        self._report(RecordingFinished(self._path, seconds, error))

    def _write(self, file: BinaryIO) -> None:
        """Write header and blocks, and at the end the right sizes."""
        while not isinstance(block := self._pipe.blocks.get(), RecordingEnd):
            if not self._rate:
                self._rate = block.received_rate
                # A recording that is cut off by a loss of power can be played all the same.
                file.write(write_wav_header(self._rate, self._channels, None))
            lost = bytes(SAMPLE_BYTES * self._channels * round(block.lost * self._rate))
            pcm = lost + self._join(block)
            file.write(pcm)
            file.flush()
            self._size += len(pcm)
            self._pipe.written.put(BlockWritten())
        file.seek(0)
        file.write(write_wav_header(self._rate or 8000, self._channels, self._size))

    def _join(self, block: RecordedBlock) -> bytes:
        """Return the samples of one block as the file has them."""
        received = self._received.convert(block.received, block.received_rate, self._rate)
        if self._sides is RecordedSides.RECEIVED:
            return received
        sent = self._sent.convert(block.sent, block.sent_rate, self._rate)
        if self._sides is RecordedSides.SENT:
            return sent
        sent = sent[: len(received)].ljust(len(received), b"\0")
        if self._sides is RecordedSides.MIXED:
            return audioop.add(received, sent, SAMPLE_BYTES)
        left, right = audioop.tostereo(received, SAMPLE_BYTES, 1, 0), audioop.tostereo(sent, SAMPLE_BYTES, 0, 1)
        return audioop.add(left, right, SAMPLE_BYTES)
