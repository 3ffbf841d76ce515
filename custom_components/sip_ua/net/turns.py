"""How often the interpreter's threads take turns while voice is coded by PyAV.

PyAV lets go of the interpreter's lock in every call, a dozen times in a packet of both directions. While the event loop
computes, the media thread gets it back only when the loop's turn is over, after 5 ms by default: a dozen turns are
longer than a packet. So the turns are shorter as long as there is such a call, and as they were after the last one.
"""

import sys
import threading
from typing import Final

SHORT_TURN: Final = 0.0005
"""Seconds; a switch of threads takes some ten microseconds, and happens only where one waits."""


class ShortTurns:
    """Counts who needs short turns; one object serves the whole process."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._users = 0
        self._usual = 0.0

    def begin(self) -> None:
        """Have short turns until `end` is called as often as this."""
        with self._lock:
            if not self._users:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, SHORT_TURN))
            self._users += 1

    def end(self) -> None:
        """Give back what `begin` took."""
        with self._lock:
            self._users -= 1
            if not self._users:
                sys.setswitchinterval(self._usual)


SHORT_TURNS: Final = ShortTurns()
