"""The media thread seen from the event loop: messages in, reports out, a bounded end."""

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from .errors import MediaStoppedError
from .media_clock import Alarm
from .media_loop import MediaLoop
from .media_messages import Command, Report, discard

MAX_COMMANDS: Final = 4096
NICENESS: Final = -10


class MediaThread:
    """One running media thread; nothing but messages crosses its border."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        """Start the thread; it calls `report` itself, so that must be safe for threads."""
        self._commands: deque[Command] = deque()
        self._alarm = Alarm()
        self._thread = threading.Thread(target=self._run, args=(report,), name="sip_ua media", daemon=True)
        self._thread.start()

    def _run(self, report: Callable[[Report], None]) -> None:
        """Serve, ahead of others where the system allows it."""
        if sys.platform == "linux":
            # There each thread has a niceness of its own.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            MediaLoop(self._commands, self._alarm, report).run()
        finally:
            self._alarm.close()

    @property
    def alive(self) -> bool:
        """Whether the thread takes messages."""
        return self._thread.is_alive()

    def post(self, command: Command) -> None:
        """Leave a message; raises `MediaStoppedError` when the thread does not take its messages any more."""
        if not self.alive or len(self._commands) >= MAX_COMMANDS:
            raise MediaStoppedError("the media thread does not answer")
        self._commands.append(command)
        self._alarm.wake()

    def join(self, timeout: float) -> None:
        """Wait for the end of a thread that was told to stop, so many seconds at most."""
        self._thread.join(timeout)
        # What came while the thread was ending.
        while not self.alive and self._commands:
            discard(self._commands.popleft())
