"""The media thread's clock: ticks on an absolute schedule, and an alarm that wakes the thread for them.

A tick's moment is computed from the beginning of the schedule and never from the tick before, so that nothing adds up.
All times are readings of the monotonic clock in nanoseconds.
"""

import contextlib
import select
import socket
import time
from dataclasses import dataclass
from typing import Final

from . import libc

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
    """Sleeps until a moment or until another thread wakes it."""

    def __init__(self) -> None:
        """Open the wake-up line."""
        self._receiver, self._sender = socket.socketpair()
        self._receiver.settimeout(0.0)
        self._sender.settimeout(0.0)
        self._sleep = libc.Sleeper(self._receiver.fileno()).sleep if libc.AVAILABLE else self._select

    def wait(self, moment: int | None) -> None:
        """Return at `moment`, or when woken; None waits to be woken."""
        if self._sleep(None if moment is None else moment - time.monotonic_ns()):
            with contextlib.suppress(BlockingIOError):
                self._receiver.recv(4096)

    def _select(self, timeout: int | None) -> bool:
        """Tell whether there was a wake-up within so many ns."""
        seconds = None if timeout is None else max(0, timeout) / 1e9
        return bool(select.select([self._receiver], [], [], seconds)[0])

    def wake(self) -> None:
        """End the other thread's waiting; may be called from any thread."""
        # A full line has woken it already, a closed one has nobody to wake.
        with contextlib.suppress(OSError):
            self._sender.send(b"\0")

    def close(self) -> None:
        """Free what was opened."""
        self._receiver.close()
        self._sender.close()
