"""Which calls to refuse while we are late for long: early, and no more than it takes (RFC 3261 section 21.5.4).

The ideas are those of RFC 7339 and RFC 7415: a share of the new calls is refused, which grows as long as we stay late
and shrinks once we are on time; calls in progress and our own requests go on. A moment's delay refuses nothing: what
waited is soon worked off. How late we are, nobody here can know: it is told.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

LATE: Final = 0.25
"""Seconds from which on we are late: callers begin to repeat themselves after T1, half a second."""
PATIENCE: Final = 2.0
"""Seconds of being late all the time before anything is refused."""
MEMORY: Final = 1.0
"""Seconds after which being late is forgotten, where nothing new is told."""
STEP: Final = 0.25
"""Seconds between two changes of the share."""
MORE: Final = 0.1
LESS: Final = 0.05
MOST: Final = 0.95
LONE: Final = 1.0
"""Seconds without another new call after which one is taken in any case."""


@dataclass(slots=True)
class _Gauge:
    """What one kind of thing tells, messages or timers, and since when it has been late all the time."""

    since: float | None = None
    told_at: float = 0.0

    def tell(self, late: float, now: float) -> None:
        """Note how late something was."""
        if late < LATE:
            self.since = None
        elif self.since is None or now - self.told_at >= MEMORY:
            self.since = now
        self.told_at = now

    def lasts(self, now: float) -> bool:
        """Whether that goes on for long."""
        return self.since is not None and now - self.told_at < MEMORY and now - self.since >= PATIENCE


class Overload:
    """Judges new calls by how long messages have waited, and by how much timers have been overdue."""

    def __init__(self) -> None:
        """Begin on time."""
        self._messages = _Gauge()
        self._timers = _Gauge()
        self._share = 0.0
        self._changed_at = 0.0
        self._begun_at: float | None = None

    def message_waited(self, seconds: float, now: float) -> None:
        """Learn how long the message waited that is dealt with."""
        self._messages.tell(seconds, now)
        self._change(now)

    def timer_fired(self, late: float, now: float) -> None:
        """Learn by how many seconds a timer was overdue."""
        self._timers.tell(late, now)
        self._change(now)

    def call_begins(self, now: float) -> None:
        """Note that a call was taken in."""
        self._begun_at = now

    def refuses(self, call_id: str, now: float) -> bool:
        """Whether a call is among those that are too much: one and the same however often its INVITE is repeated."""
        if not self._share or self._begun_at is None or now - self._begun_at >= LONE:
            return False
        return int.from_bytes(sha256(call_id.encode(errors="replace")).digest()[:4]) < self._share * (1 << 32)

    def _change(self, now: float) -> None:
        steps = (now - self._changed_at) // STEP
        if not steps:
            return
        self._changed_at = now
        if self._messages.lasts(now) or self._timers.lasts(now):
            self._share = min(MOST, self._share + MORE)
        else:
            self._share = max(0.0, self._share - LESS * steps)
