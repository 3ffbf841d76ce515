"""Threads that wait for disks and decoders in place of the event loop: counted, bounded and joined."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

from .errors import AudioError, AudioFault

MAX_WORKERS: Final = 256


class WorkerThreads:
    """The living workers of one engine; used from its event loop only."""

    def __init__(self) -> None:
        """Begin with none."""
        self._loop = asyncio.get_running_loop()
        self._threads: dict[threading.Thread, Callable[[], None]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self, work: Callable[[], None], cancel: Callable[[], None], name: str) -> None:
        """Run `work` in a thread of its own, which `cancel` ends; raises `AudioError` when too many are at work."""
        if len(self._threads) >= MAX_WORKERS:
            raise AudioError(f"more than {MAX_WORKERS} sounds at once", AudioFault.TOO_MANY)
        thread = threading.Thread(target=self._run, args=(work,), name=f"sip_ua {name}", daemon=True)
        self._threads[thread] = cancel
        self._idle.clear()
        thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        """Do the work and report back."""
        try:
            work()
        finally:
            # A loop that is closed by now has nobody who waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ended, threading.current_thread())

    def _ended(self, thread: threading.Thread) -> None:
        """Forget a thread that did its last act."""
        thread.join()
        self._threads.pop(thread, None)
        if not self._threads:
            self._idle.set()

    def __len__(self) -> int:
        """Count the living."""
        return len(self._threads)

    def cancel(self) -> None:
        """Tell all to end."""
        for cancel in self._threads.values():
            cancel()

    async def join(self, timeout: float) -> None:
        """Wait until all are done, `timeout` seconds at most; a worker stuck in a dead file system is left behind."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._idle.wait()
