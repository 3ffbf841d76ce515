"""Recordings of a call, written by a worker thread so that no disk can hold up the media thread."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

import audioop

from .audio_pipe import SAMPLE_BYTES
from .recording_file import SoundFile, check_encoder, create, fault_of, file_rate, open_sound
from .recording_order import RecordedSides, RecordingOrder
from .recording_track import RecordingTrack
from .stream_events import RecordingFinished, RecordingStarted

BLOCK_FRAMES: Final = 10
MAX_WAITING: Final = 100
"""Blocks that may wait for the disk; later ones become silence in the recording."""


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

    def skip(self, seconds: float) -> None:
        """Leave out a time in which nothing was heard or said, because the machine stood still."""
        self._flush()
        self._lost += seconds

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
    """Writes one file; `run` is the whole life of the worker thread."""

    def __init__(
        self,
        order: RecordingOrder,
        pipe: RecordingPipe,
        report: Callable[[RecordingStarted | RecordingFinished], None],
    ) -> None:
        """Report beginning and end from the worker thread."""
        self._order = order
        self._pipe = pipe
        self._report = report
        self._path = order.path
        self._made = False
        self._rate = 0
        self._samples = 0
        self._lost = 0.0
        self._size = 0
        self._received: RecordingTrack | None = None
        self._sent: RecordingTrack | None = None

    def run(self) -> None:
        """Write to the end of the recording, or up to the first error."""
        try:
            check_encoder(self._order.file_format)
            self._path, file = create(self._order)
            self._made = self._order.root is not None
            with file:
                try:
                    self._write(file)
                finally:
                    with contextlib.suppress(OSError):
                        self._size = file.seek(0, io.SEEK_END)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it must be told and not stop the call
            self._give_up(failure)
        else:
            self._report(RecordingFinished(self._path, self._seconds, size=self._size, lost=self._lost))

    @property
    def _seconds(self) -> float:
        return self._samples / self._rate if self._rate else 0.0

    def _give_up(self, failure: Exception) -> None:
        """Tell why nothing more is written; a new file without any sound is taken away."""
        self._pipe.written.put(BlockWritten(more=False))
        if self._made and not self._samples:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self._size = 0
        reason = failure.strerror if isinstance(failure, OSError) else None
        self._report(
            RecordingFinished(
                self._path,
                self._seconds,
                f"the recording {self._path.name} could not be written: {reason or failure}",
                fault_of(failure),
                self._size,
                self._lost,
            )
        )

    def _write(self, file: io.FileIO) -> None:
        """Write what comes, and make the file whole however that ends."""
        sound: SoundFile | None = None
        try:
            while not isinstance(block := self._pipe.blocks.get(), RecordingEnd):
                if sound is None:
                    sound = self._begin(file, block)
                self._take(block)
                self._append(sound, self._ready())
                self._pipe.written.put(BlockWritten())
            sound = sound or open_sound(file, self._order.file_format, 8000, self._order.sides.channels)
            self._append(sound, self._rest())
        except BaseException:
            if sound is not None:
                # The first error is the one that tells why.
                with contextlib.suppress(Exception):
                    sound.finish()
            raise
        sound.finish()

    def _begin(self, file: io.FileIO, block: RecordedBlock) -> SoundFile:
        """Choose the rate of the file by that of the voices in it."""
        sides = self._order.sides
        rates = {RecordedSides.RECEIVED: (block.received_rate,), RecordedSides.SENT: (block.sent_rate,)}
        rate = max(rates.get(sides, (block.received_rate, block.sent_rate)))
        self._rate = file_rate(self._order.file_format, rate)
        self._received = None if sides is RecordedSides.SENT else RecordingTrack(self._rate)
        self._sent = None if sides is RecordedSides.RECEIVED else RecordingTrack(self._rate)
        return open_sound(file, self._order.file_format, self._rate, sides.channels)

    def _take(self, block: RecordedBlock) -> None:
        """Put what was heard and said at one time behind what is there."""
        self._lost += block.lost
        for track, pcm, rate in (
            (self._received, block.received, block.received_rate),
            (self._sent, block.sent, block.sent_rate),
        ):
            if track is not None:
                if block.lost:
                    track.skip(block.lost)
                track.add(pcm, rate)

    def _append(self, sound: SoundFile, pcm: bytes) -> None:
        """Write samples of the file, and say so the first time."""
        sound.write(pcm)
        first = not self._samples and pcm
        self._samples += len(pcm) // SAMPLE_BYTES // self._order.sides.channels
        if first:
            self._report(RecordingStarted(self._path))

    def _ready(self) -> bytes:
        """Return the samples that every side has."""
        tracks = [track for track in (self._received, self._sent) if track is not None]
        count = min((track.ready for track in tracks), default=0)
        return self._joined(count)

    def _rest(self) -> bytes:
        """Return the last samples."""
        for track in (self._received, self._sent):
            if track is not None:
                track.settle()
        return self._ready()

    def _joined(self, count: int) -> bytes:
        """Return so many samples as the file has them."""
        received = self._received.take(count) if self._received is not None else b""
        sent = self._sent.take(count) if self._sent is not None else b""
        match self._order.sides:
            case RecordedSides.MIXED:
                return audioop.add(received, sent, SAMPLE_BYTES)
            case RecordedSides.STEREO:
                left, right = audioop.tostereo(sent, SAMPLE_BYTES, 1, 0), audioop.tostereo(received, SAMPLE_BYTES, 0, 1)
                return audioop.add(left, right, SAMPLE_BYTES)
            case _:
                return received or sent
