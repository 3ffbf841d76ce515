"""A stream of bytes from the event loop to a worker thread that reads it like a file."""

import asyncio
import contextlib
from collections.abc import AsyncIterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from .audio_source import BytesSource, FileSource, RawPcm, SilenceSource, ToneSource
from .errors import AudioError

WINDOW: Final = 256 * 1024
"""Bytes that may wait for the worker before the stream is read on."""

STREAM_TIMEOUT: Final = 10.0
"""Seconds in which a stream must give its next bytes."""


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing follows; `error` tells why where it was not the natural end."""

    error: str | None


class AudioFeed:
    """The bytes of an asynchronous stream, read by one worker thread with `read`."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        """Begin to read the stream in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._chunks = chunks
        self._queue: SimpleQueue[bytes | _End] = SimpleQueue()
        self._room = asyncio.Event()
        self._waiting = 0
        self._chunk = memoryview(b"")
        self._end: _End | None = None
        self._task = self._loop.create_task(self._pump(), name="sip_ua audio feed")

    async def _pump(self) -> None:
        """Carry bytes over until the stream ends; whatever it raises is told to the reader."""
        error: str | None = None
        try:
            async for chunk in self._chunks:
                if not chunk:
                    continue
                self._waiting += len(chunk)
                self._queue.put(bytes(chunk))
                while self._waiting > WINDOW:
                    self._room.clear()
                    await self._room.wait()
        except asyncio.CancelledError:
            error = "the playback was stopped"
            raise
        except Exception as failure:  # noqa: BLE001 - a foreign iterator may raise anything
            error = f"the sound could not be fetched: {str(failure) or type(failure).__name__}"
        finally:
            self._queue.put(_End(error))
            await self._close_chunks()

    async def _close_chunks(self) -> None:
        """Let a generator that was not read to its end clean up."""
        close = getattr(self._chunks, "aclose", None)
        if close is not None:
            with contextlib.suppress(Exception):
                await close()

    def _consumed(self, size: int) -> None:
        """Account for bytes that the worker took."""
        self._waiting -= size
        if self._waiting <= WINDOW:
            self._room.set()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, b"" at the end; waits for them. Raises `AudioError`. For the worker thread."""
        if not self._chunk and self._end is None:
            self._fetch()
        if self._end is not None:
            if self._end.error is not None:
                raise AudioError(self._end.error)
            return b""
        data, self._chunk = self._chunk[:size], self._chunk[size:]
        return bytes(data)

    def _fetch(self) -> None:
        """Wait for the next chunk."""
        try:
            message = self._queue.get(timeout=STREAM_TIMEOUT)
        except Empty:
            message = _End(f"the stream gave nothing for {STREAM_TIMEOUT:g} seconds")
        if isinstance(message, _End):
            self._end = message
            return
        self._chunk = memoryview(message)
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._consumed, len(message))

    def close(self) -> None:
        """Stop reading the stream; may be called from any thread and more than once."""
        self._queue.put(_End("the playback was stopped"))
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._task.cancel)


@dataclass(frozen=True, slots=True)
class FedSource:
    """A `StreamSource` whose reading has begun."""

    feed: AudioFeed
    hint: str | RawPcm


type Input = BytesSource | FileSource | ToneSource | SilenceSource | FedSource
