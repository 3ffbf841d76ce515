"""The way of decoded sound from a worker thread to the media thread, with back-pressure and a change of rate.

Chunks go one way, acknowledgements the other. The worker keeps what is not acknowledged: that bounds how far it
is ahead, and lets it give the same sound again at another sample rate when the call's codec turns out another.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final

from .errors import AudioFault

SAMPLE_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Some PCM (16 bits, signed, little-endian, mono); `generation` counts the changes of rate."""

    generation: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class AudioEnd:
    """No chunk follows; `error` tells people, and `fault` programs, why where it was not the natural end."""

    generation: int
    error: str | None
    fault: AudioFault | None = None


@dataclass(frozen=True, slots=True)
class ChunkPlayed:
    """The oldest chunk not yet acknowledged was consumed."""

    generation: int


@dataclass(frozen=True, slots=True)
class RateWanted:
    """Give all that was not played at another rate (Hz), `offset` bytes into the oldest chunk."""

    generation: int
    rate: int
    offset: int


@dataclass(frozen=True, slots=True)
class PipeClosed:
    """Nobody listens any more."""


type FromWorker = AudioChunk | AudioEnd
type ToWorker = ChunkPlayed | RateWanted | PipeClosed


@dataclass(frozen=True, slots=True)
class AudioPipe:
    """Both queues; the worker's look-ahead bounds the first, the chunks in it bound the second.

    `close_source`, safe in any thread, ends what the worker may be waiting for.
    """

    sound: SimpleQueue[FromWorker] = field(default_factory=SimpleQueue)
    control: SimpleQueue[ToWorker] = field(default_factory=SimpleQueue)
    close_source: Callable[[], None] | None = None

    def close(self) -> None:
        """Let the worker end; may be called from any thread and more than once."""
        self.control.put(PipeClosed())
        if self.close_source is not None:
            self.close_source()


class AudioReader:
    """The media thread's end of a pipe; never waits."""

    def __init__(self, pipe: AudioPipe, rate: int) -> None:
        """Read a pipe whose worker began with this sample rate in Hz."""
        self.rate = rate
        self.finished = False
        self.error: str | None = None
        self.fault: AudioFault | None = None
        self._pipe = pipe
        self._generation = 0
        self._chunk = b""
        self._position = 0
        self._carried = 0
        self._owed = False

    def change_rate(self, rate: int) -> None:
        """Have the rest at another sample rate."""
        if rate == self.rate:
            return
        self.rate = rate
        self._generation += 1
        # What was carried over from the chunk before is less than a packet: not worth asking for again.
        self._pipe.control.put(RateWanted(self._generation, rate, max(0, self._position - self._carried)))
        # A worker that has nothing to give once more may be gone by now, and its end stays the end.
        self._owed = self._owed or bool(self._chunk)
        self._chunk, self._position, self._carried = b"", 0, 0
        self.finished, self.error, self.fault = False, None, None

    def read(self, size: int) -> bytes | None:
        """Return the next `size` bytes, less at the very end, or None where there is nothing at this moment."""
        end = self._position + size
        if end < len(self._chunk):
            frame = self._chunk[self._position : end]
            self._position = end
            return frame
        return self._read_across(size)

    def _read_across(self, size: int) -> bytes | None:
        """Read what ends a chunk or lies in several of them."""
        while len(self._chunk) - self._position < size and not self.finished:
            if not self._fetch():
                return None
        frame = self._chunk[self._position : self._position + size]
        self._position += len(frame)
        if self._chunk and self._position == len(self._chunk):
            self._acknowledge()
        return frame or None

    def _fetch(self) -> bool:
        """Take one message out of the pipe; false when there is none."""
        try:
            message = self._pipe.sound.get_nowait()
        except Empty:
            return False
        is_old = message.generation != self._generation
        if isinstance(message, AudioChunk):
            self._owed = is_old
            if not is_old:
                self._append(message.pcm)
        elif not (is_old and self._owed):
            self.finished, self.error, self.fault = True, message.error, message.fault
        return True

    def _append(self, pcm: bytes) -> None:
        """Put a chunk behind what is left of the one before."""
        rest = self._chunk[self._position :]
        if self._chunk:
            self._acknowledge()
        self._chunk, self._position, self._carried = rest + pcm, 0, len(rest)

    def _acknowledge(self) -> None:
        """Tell the worker that a chunk is used up."""
        self._chunk, self._position, self._carried = b"", 0, 0
        self._pipe.control.put(ChunkPlayed(self._generation))

    def close(self) -> None:
        """Let the worker end."""
        self._pipe.close()
