"""Turns a sound into PCM at a call's sample rate, in a worker thread, only so far ahead as the call needs."""

from collections import deque
from queue import Empty
from typing import Final

from .audio_feed import FedSource, Input
from .audio_input import open_frames
from .audio_pipe import SAMPLE_BYTES, AudioChunk, AudioEnd, AudioPipe, ChunkPlayed, PipeClosed, RateWanted, ToWorker
from .audio_source import BytesSource
from .errors import AudioError, AudioFault
from .resample import pcm_frame, pcm_resampler, resample

LOOK_AHEAD: Final = 2.0
"""Seconds of sound that are ready before they are needed."""

SHORTEST_CHUNK: Final = 0.02
LONGEST_CHUNK: Final = 0.2


class _ClosedError(Exception):
    """Nobody listens any more."""


class AudioDecoder:
    """One sound on its way into one call; `run` is the whole life of the worker thread."""

    def __init__(self, source: Input, pipe: AudioPipe, rate: int, *, loop: bool) -> None:
        """Decode `source` into `pipe` at `rate` Hz, again and again with `loop`."""
        self._source = source
        self._pipe = pipe
        self._rate = rate
        self._loop = loop
        self._generation = 0
        self._resampler = pcm_resampler(rate)
        self._made = bytearray()
        self._unplayed: deque[bytes] = deque()
        self._ahead = 0
        self._end: AudioError | None = None
        self._ended = False

    def run(self) -> None:
        """Decode to the end and stay until the last chunk was played, or until the pipe is closed."""
        try:
            try:
                self._decode()
            except AudioError as error:
                self._finish(error)
            except _ClosedError:
                raise
            except Exception as error:  # noqa: BLE001 - a decoder may raise anything for what it is fed
                self._finish(AudioError(f"the sound cannot be decoded: {error}", AudioFault.NO_SOUND))
            while self._unplayed:
                self._obey(self._pipe.control.get())
        except _ClosedError:
            pass
        finally:
            if isinstance(self._source, FedSource):
                self._source.feed.close()

    def _decode(self) -> None:
        """Give all chunks and the end."""
        empty = True
        source = self._source
        while True:
            for frame in open_frames(source):
                self._take_orders()
                self._made += resample(self._resampler, frame)
                empty = empty and not self._made
                self._give(SHORTEST_CHUNK)
            if empty or not self._loop:
                break
            if isinstance(source, FedSource):
                source = BytesSource(source.feed.kept, source.hint)
        self._made += resample(self._resampler, None)
        self._give(0.0)
        nothing = empty and not self._unplayed
        self._finish(AudioError("there is nothing in it", AudioFault.EMPTY) if nothing else None)

    def _give(self, at_least: float) -> None:
        """Pass on what was made, when it is as many seconds as that, and wait until there is room for more."""
        while self._made and len(self._made) >= self._bytes(at_least):
            while self._ahead >= self._bytes(LOOK_AHEAD):
                self._obey(self._pipe.control.get())
            size = min(len(self._made), self._bytes(LONGEST_CHUNK))
            pcm = bytes(self._made[:size])
            del self._made[:size]
            self._send(pcm)

    def _send(self, pcm: bytes) -> None:
        """Put a chunk into the pipe and keep it until it was played."""
        self._unplayed.append(pcm)
        self._ahead += len(pcm)
        self._pipe.sound.put(AudioChunk(self._generation, pcm))

    def _finish(self, error: AudioError | None) -> None:
        """Say that nothing follows."""
        self._end, self._ended = error, True
        end = AudioEnd(self._generation, None) if error is None else AudioEnd(self._generation, str(error), error.fault)
        self._pipe.sound.put(end)

    def _take_orders(self) -> None:
        """Do what the other end wants, without waiting for it."""
        try:
            while True:
                self._obey(self._pipe.control.get_nowait())
        except Empty:
            pass

    def _obey(self, order: ToWorker) -> None:
        """Do what the other end wants; raises `_ClosedError` when it wants nothing more."""
        match order:
            case ChunkPlayed():
                if order.generation == self._generation and self._unplayed:
                    self._ahead -= len(self._unplayed.popleft())
            case RateWanted():
                self._change_rate(order)
            case PipeClosed():
                raise _ClosedError

    def _change_rate(self, order: RateWanted) -> None:
        """Give what was not played once more, at the new rate, and go on at that rate."""
        self._made += resample(self._resampler, None)
        pcm = (b"".join(self._unplayed) + self._made)[order.offset :]
        converter = pcm_resampler(order.rate)
        again = resample(converter, pcm_frame(pcm, self._rate)) + resample(converter, None) if pcm else b""
        self._generation, self._rate = order.generation, order.rate
        self._resampler = pcm_resampler(order.rate)
        self._made.clear()
        self._unplayed.clear()
        self._ahead = 0
        size = self._bytes(LONGEST_CHUNK)
        for start in range(0, len(again), size):
            self._send(again[start : start + size])
        if self._ended:
            self._finish(self._end)

    def _bytes(self, seconds: float) -> int:
        """Return the bytes of so many seconds of sound."""
        return SAMPLE_BYTES * round(self._rate * seconds)
