"""A stream of bytes from the event loop to a worker thread that reads it like a file."""

import asyncio
import contextlib
from collections.abc import AsyncIterable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final

from .audio_source import BytesSource, FileSource, RawPcm, SilenceSource, ToneSource
from .errors import AudioError, AudioFault

WINDOW: Final = 256 * 1024
"""Bytes that may wait for the worker before the stream is read on."""

FIRST_TIMEOUT: Final = 30.0
"""Seconds in which a stream must give its first bytes: some engines render a whole message before they give any."""

STREAM_TIMEOUT: Final = 10.0
"""Seconds in which a stream must give its next bytes."""

MAX_KEPT: Final = 16 * 1024 * 1024
"""Bytes of a stream that are kept to be played again: a quarter of an hour of MP3."""


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing follows; `error` tells why where it was not the natural end."""

    error: str | None = None
    fault: AudioFault = AudioFault.OTHER


class AudioFeed:
    """The bytes of an asynchronous stream, read by one worker thread with `read`."""

    def __init__(self, chunks: AsyncIterable[bytes], *, keep: bool = False) -> None:
        """Begin to read the stream in the running event loop; `keep` its bytes for `kept`."""
        self._loop = asyncio.get_running_loop()
        self._chunks = chunks
        self._queue: SimpleQueue[bytes | _End] = SimpleQueue()
        self._room = asyncio.Event()
        self._waiting = 0
        self._chunk = memoryview(b"")
        self._kept: bytearray | None = bytearray() if keep else None
        self._begun = False
        self._end: _End | None = None
        self._task = self._loop.create_task(self._pump(), name="sip_ua audio feed")

    async def _pump(self) -> None:
        """Carry bytes over until the stream ends; whatever it raises is told to the reader."""
        end = _End()
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
            end = _End("the playback was stopped")
            raise
        except AudioError as failure:
            end = _End(str(failure), failure.fault)
        except Exception as failure:  # noqa: BLE001 - a foreign iterator may raise anything
            end = _End(
                f"the sound could not be fetched: {str(failure) or type(failure).__name__}", AudioFault.UNREACHABLE
            )
        finally:
            self._queue.put(end)
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
                raise AudioError(self._end.error, self._end.fault)
            return b""
        data, self._chunk = bytes(self._chunk[:size]), self._chunk[size:]
        if self._kept is not None:
            self._kept += data
            if len(self._kept) > MAX_KEPT:
                self._kept = None
        return data

    @property
    def kept(self) -> bytes:
        """Return what was read; raises `AudioError` where that is too much. For the worker thread."""
        if self._kept is None:
            raise AudioError("it is too long to be repeated", AudioFault.TOO_LONG)
        return bytes(self._kept)

    def _fetch(self) -> None:
        """Wait for the next chunk."""
        patience = STREAM_TIMEOUT if self._begun else FIRST_TIMEOUT
        try:
            message = self._queue.get(timeout=patience)
        except Empty:
            message = _End(f"nothing came for {patience:g} seconds", AudioFault.TIMED_OUT)
        self._begun = True
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
