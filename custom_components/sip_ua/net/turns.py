"""How often the interpreter's threads take turns while there are calls.

While the event loop computes, the media thread gets the interpreter's lock only when the loop's turn is over, after
5 ms by default, and again later where other threads wait as well. So turns are shorter during a call. PyAV lets go of
the lock in every call, a dozen times in a packet of both directions: while such packets are made and read, about a
millisecond in every 20, turns are shorter still.

A switch of threads costs only where one waits: two threads that compute all the time get about 3 % less done with turns
of 2 ms, and a third less with the shortest ones.
"""

import sys
import threading
from collections import Counter
from typing import Final

TURN_IN_CALLS: Final = 0.002
TURN_WITH_PYAV: Final = 0.0002
"""Both in seconds."""


class Turns:
    """Keeps the shortest turn that somebody needs; one object serves the whole process."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._needed: Counter[float] = Counter()
        self._usual = 0.0

    def shorten(self, seconds: float) -> None:
        """Have turns of that length at most, until `restore` is called as often with the same."""
        with self._lock:
            if not self._needed:
                self._usual = sys.getswitchinterval()
            self._needed[seconds] += 1
            sys.setswitchinterval(min(self._usual, *self._needed))

    def restore(self, seconds: float) -> None:
        """Give back what `shorten` took."""
        with self._lock:
            self._needed[seconds] -= 1
            if not self._needed[seconds]:
                del self._needed[seconds]
            sys.setswitchinterval(min(self._usual, min(self._needed, default=self._usual)))


TURNS: Final = Turns()
