"""What the far end of a call says, for somebody in the event loop who listens to it, such as a speech recognizer."""

import asyncio
from collections import deque
from typing import Final, Self

from .media_stream import MediaStream
from .resample import Resampler, load_pyav
from .stream_events import VoiceHeard

MAX_WAITING: Final = 250
"""Packets that wait for a listener who is late, five seconds of them; then the oldest ones are dropped."""


class Hearing:
    """The voice of a far end at one sample rate: PCM of 16 bits, little-endian, mono, as it comes.

    It is read with `async for`, by one reader at a time, and ends with the call or with `close`.
    """

    def __init__(self, stream: MediaStream, rate: int) -> None:
        """Listen from now on, `rate` in Hz; PyAV has to be loaded. Raises `MediaStoppedError` for a closed stream."""
        self._rate = rate
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()
        self._over = False
        self._resampler = Resampler()
        self._leave = stream.listen(self._take)

    def _take(self, voice: VoiceHeard) -> None:
        if pcm := self._resampler.convert(voice.pcm, voice.sample_rate, self._rate):
            self._waiting.append(pcm)
            self._news.set()

    @property
    def open(self) -> bool:
        """Whether anything is still to come."""
        return not self._over

    def __aiter__(self) -> Self:
        """Return itself: what was heard is read once."""
        return self

    async def __anext__(self) -> bytes:
        """Return what was heard next, after all that was read."""
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def forget(self) -> None:
        """Drop what waits, so that what is heard from now on comes next."""
        self._waiting.clear()

    def close(self) -> None:
        """Listen no more; the reader comes to the end of what it has. Can be called again."""
        if not self._over:
            self._over = True
            self._leave()
            self._news.set()


async def load_resampler() -> None:
    """Load what changes sample rates, which takes a disk its time."""
    await asyncio.to_thread(load_pyav)
