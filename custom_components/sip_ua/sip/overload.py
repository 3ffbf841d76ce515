"""How many calls may begin while we are late: the rest is refused early and cheaply (RFC 3261 section 21.5.4).

What the overload control of RFC 7339 and RFC 7415 rests upon: the refusal costs less than the call, it ends with its
cause, and calls in progress and our own requests go on. How late we are, nobody here can know: it is told.
"""

from collections import deque
from typing import Final

PACES: Final = ((4.0, 1), (1.0, 4), (0.5, 16), (0.25, 64))
"""Being late by so many seconds, at most so many calls begin in a second.

Callers begin to repeat themselves after T1, half a second. One call may always begin: what is late is no use
refused, where nobody else waits.
"""
LATE: Final = PACES[-1][0]
MEMORY: Final = 1.0
"""Seconds after which being late is forgotten, where nothing new is told."""
SECOND: Final = 1.0


class Overload:
    """Judges new calls by how long messages waited, or timers were overdue, and by the calls of the last second."""

    def __init__(self) -> None:
        """Begin on time."""
        self._late = 0.0
        self._told_at = 0.0
        self._begun: deque[float] = deque(maxlen=max(most for _, most in PACES))

    def tell(self, late: float, now: float) -> None:
        """Learn by how many seconds the latest message or timer was late."""
        self._late, self._told_at = late, now

    def call_begins(self, now: float) -> None:
        """Count a call that was taken in."""
        self._begun.append(now)

    def refuses_calls(self, now: float) -> bool:
        """Whether one call more would be too much at this moment."""
        if self._late < LATE or now - self._told_at >= MEMORY:
            return False
        most = next(most for late, most in PACES if self._late >= late)
        return sum(now - begun < SECOND for begun in self._begun) >= most
