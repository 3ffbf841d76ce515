"""The way of reports from other threads into the event loop, bounded and with one wake-up for all that wait."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_WAITING: Final = 4096
"""Reports that may wait for a blocked event loop; more are dropped and counted."""


class Mailbox[Report]:
    """Delivers reports in order; `post` may be called from any thread."""

    def __init__(self, deliver: Callable[[Report], None]) -> None:
        """Deliver to this function, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._deliver = deliver
        self._waiting: deque[Report] = deque()
        self._called = False
        self.dropped = 0

    def post(self, report: Report, *, vital: bool = False) -> None:
        """Leave a report; a `vital` one is never dropped (their number is bounded by those who wait for them)."""
        if len(self._waiting) >= MAX_WAITING and not vital:
            self.dropped += 1
            return
        self._waiting.append(report)
        # The order counts: `_drain` takes the mark down before it looks, so what it misses calls it again.
        if not self._called:
            self._called = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                # The loop is closed, nobody listens any more.
                self._waiting.clear()

    def _drain(self) -> None:
        """Deliver what waits."""
        self._called = False
        for _ in range(len(self._waiting)):
            self._deliver(self._waiting.popleft())
