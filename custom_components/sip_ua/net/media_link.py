"""The event loop's end of the media thread: starts and stops it, sends it messages and gets its answers."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import count
from typing import Final

from .errors import MediaStoppedError
from .mailbox import Mailbox
from .media_clock import ClockStatistics
from .media_messages import Command, Notice, Reply, Report, StopThread
from .media_thread import MediaThread
from .stream_events import RtpStatistics

REPLY_TIMEOUT: Final = 2.0
JOIN_TIMEOUT: Final = 2.0
"""Seconds for a thread that has said its last word; it needs microseconds unless the machine is overrun."""

type Statistics = RtpStatistics | ClockStatistics | None


class MediaLink:
    """Messages to the media thread and back; belongs to the event loop in which it was made."""

    def __init__(self, on_notice: Callable[[Notice], None]) -> None:
        """Hand the events of streams to `on_notice`."""
        self._on_notice = on_notice
        self._mailbox = Mailbox[Report](self._deliver)
        self._tokens = count(1)
        self._replies: dict[int, asyncio.Future[Statistics]] = {}
        self._thread: MediaThread | None = None

    def start(self) -> None:
        """Have a thread running."""
        if self._thread is not None and not self._thread.alive:
            self._thread.join(0)
            self._thread = None
        if self._thread is None:
            self._thread = MediaThread(self.report)

    async def stop(self) -> None:
        """End the thread, in bounded time."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with contextlib.suppress(MediaStoppedError):
            await self._ask(thread, StopThread)
        thread.join(JOIN_TIMEOUT)

    def post(self, command: Command) -> None:
        """Leave a message for the thread; raises `MediaStoppedError` when there is none."""
        if self._thread is None:
            raise MediaStoppedError("the media thread was stopped")
        self._thread.post(command)

    async def ask(self, command: Callable[[int], Command]) -> Statistics:
        """Send a command with a token and return its answer; raises `MediaStoppedError` when none comes."""
        if self._thread is None:
            raise MediaStoppedError("the media thread was stopped")
        return await self._ask(self._thread, command)

    async def _ask(self, thread: MediaThread, command: Callable[[int], Command]) -> Statistics:
        """Send a command to this thread and return its answer."""
        token = next(self._tokens)
        future: asyncio.Future[Statistics] = asyncio.get_running_loop().create_future()
        self._replies[token] = future
        try:
            thread.post(command(token))
            async with asyncio.timeout(REPLY_TIMEOUT):
                return await future
        except TimeoutError as error:
            raise MediaStoppedError("the media thread does not answer") from error
        finally:
            del self._replies[token]

    def report(self, report: Report, *, vital: bool = False) -> None:
        """Take a report over from any thread; answers and what is `vital` are never dropped."""
        self._mailbox.post(report, vital=vital or isinstance(report, Reply))

    def _deliver(self, report: Report) -> None:
        """Hand a report to the one who waits for it."""
        if isinstance(report, Notice):
            self._on_notice(report)
            return
        future = self._replies.get(report.token)
        if future is not None and not future.done():
            future.set_result(report.statistics)
