"""The media thread's clock: ticks on an absolute schedule, and an alarm that wakes the thread for them.

A tick's moment is computed from the beginning of the schedule and never from the tick before, so that nothing adds up.
All times are readings of the monotonic clock in nanoseconds.
"""

import contextlib
import os
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from typing import Final

LONGEST_BURST: Final = 100_000_000
"""A thread that is later than this (ns) sends one packet and skips the rest: a burst would overflow the far end."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """What is due: so many ticks to be played now, after so many that are given up."""

    due: int
    skipped: int


@dataclass(frozen=True, slots=True)
class ClockStatistics:
    """How a clock is kept: ticks served, ticks given up, and the worst delay of a tick in ms."""

    ticks: int = 0
    skipped: int = 0
    latest_ms: float = 0.0


_NOTHING: Final = Ticks(0, 0)
_ONE: Final = Ticks(1, 0)


class Schedule:
    """Ticks at `epoch + n * period`; schedules of one epoch and commensurate periods meet in the same tick."""

    __slots__ = ("next", "period")

    def __init__(self, period: int, epoch: int, now: int) -> None:
        """Begin with the first tick that is not past."""
        self.period = period
        self.next = epoch - (epoch - now) // period * period

    def take(self, now: int) -> Ticks:
        """Return what has become due and go on to the tick after it."""
        late = now - self.next
        if late < 0:
            return _NOTHING
        if late < self.period:
            self.next += self.period
            return _ONE
        passed = late // self.period + 1
        self.next += passed * self.period
        if late <= LONGEST_BURST:
            return Ticks(passed, 0)
        return Ticks(1, passed - 1)


class Alarm:
    """Sleeps until a moment or until another thread wakes it.

    On Linux the kernel's own timer is armed with the absolute moment: the time-outs of `epoll` are whole
    milliseconds, relative, and rounded up.
    """

    def __init__(self) -> None:
        """Open the wake-up line and, where there is one, the timer."""
        self._selector = selectors.DefaultSelector()
        self._receiver, self._sender = socket.socketpair()
        self._receiver.settimeout(0.0)
        self._sender.settimeout(0.0)
        self._selector.register(self._receiver, selectors.EVENT_READ)
        self._timer: int | None = None
        if sys.platform == "linux":
            self._timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
            self._selector.register(self._timer, selectors.EVENT_READ)

    def wait(self, moment: int | None) -> None:
        """Return at `moment`, or when woken; None waits to be woken."""
        timeout: float | None = None
        if moment is not None:
            remaining = moment - time.monotonic_ns()
            if remaining <= 0:
                timeout = 0.0
            elif sys.platform == "linux" and self._timer is not None:
                # Setting it anew also takes back that it went off.
                os.timerfd_settime_ns(self._timer, flags=os.TFD_TIMER_ABSTIME, initial=moment)
            else:
                timeout = remaining / 1e9
        elif sys.platform == "linux" and self._timer is not None:
            os.timerfd_settime_ns(self._timer, initial=0)
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._receiver:
                with contextlib.suppress(BlockingIOError):
                    self._receiver.recv(4096)

    def wake(self) -> None:
        """End the other thread's waiting; may be called from any thread."""
        # A full line has woken it already, a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            self._sender.send(b"\0")

    def close(self) -> None:
        """Free what was opened."""
        self._selector.close()
        self._receiver.close()
        self._sender.close()
        if self._timer is not None:
            os.close(self._timer)
            self._timer = None
