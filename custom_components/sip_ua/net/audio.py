"""Sounds made ready before they are needed: decoding begins while the far end still rings."""

import weakref
from functools import partial
from itertools import count
from typing import Final

from .audio_feed import AudioFeed, FedSource, Input
from .audio_pipe import AudioPipe, AudioReader
from .audio_source import AudioSource, BytesSource, FileSource, RawPcm, SilenceSource, StreamSource, ToneSource
from .errors import AudioError
from .worker_threads import WorkerThreads

__all__ = [
    "AudioSource",
    "BytesSource",
    "FileSource",
    "PreparedAudio",
    "RawPcm",
    "SilenceSource",
    "StreamSource",
    "ToneSource",
    "prepare",
]

USUAL_RATE: Final = 8000
"""Sample rate in Hz of nearly every call."""

_numbers = count(1)


class PreparedAudio:
    """A sound that a worker thread decodes ahead of its use; it is played once, or discarded."""

    def __init__(self, pipe: AudioPipe, rate: int) -> None:
        """Hold the end of `pipe` that is to be read; nobody else may."""
        self._pipe: AudioPipe | None = pipe
        self._rate = rate
        # Forgotten without a word, the worker would wait for its listener forever.
        self._forgotten = weakref.finalize(self, pipe.close)

    def take(self) -> AudioReader:
        """Hand the sound over to the one who plays it; raises `AudioError` the second time."""
        if self._pipe is None:
            raise AudioError("the sound was played or discarded before")
        self._forgotten.detach()
        pipe, self._pipe = self._pipe, None
        return AudioReader(pipe, self._rate)

    def discard(self) -> None:
        """Let go of a sound that is not needed after all."""
        self._pipe = None
        self._forgotten()


def prepare(
    source: AudioSource, workers: WorkerThreads, *, rate: int = USUAL_RATE, loop: bool = False
) -> PreparedAudio:
    """Begin to decode a sound. `rate` in Hz is a guess: another one at playing costs a moment, no quality below it.

    What is wrong with the sound is told when it is played; raises `AudioError` only for one that cannot be begun.
    To be called in the event loop.
    """
    opened: Input
    if isinstance(source, StreamSource):
        feed = AudioFeed(source.chunks, keep=loop)
        opened, pipe = FedSource(feed, source.hint), AudioPipe(close_source=feed.close)
    else:
        opened, pipe = source, AudioPipe()
    try:
        workers.start(partial(_decode, opened, pipe, rate, loop=loop), pipe.close, f"audio {next(_numbers)}")
    except AudioError:
        pipe.close()
        raise
    return PreparedAudio(pipe, rate)


def _decode(source: Input, pipe: AudioPipe, rate: int, *, loop: bool) -> None:
    """Decode a sound, in a worker thread."""
    # PyAV takes longer to load than all the rest of the runtime; nobody waits for it here.
    from .audio_decoder import AudioDecoder  # noqa: PLC0415

    AudioDecoder(source, pipe, rate, loop=loop).run()
