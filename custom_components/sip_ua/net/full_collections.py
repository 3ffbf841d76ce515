"""Puts the interpreter's full collections of garbage off while somebody talks.

A full collection looks at every object that may refer to others and keeps the interpreter's lock all the while: for
tenths of a second in a home of usual size, in which no thread can send a packet. So while there is voice, more has to
happen before there is one: the young objects, among which nearly all garbage is, are collected as ever, in
milliseconds. What is due at the end of the last call comes then by itself.

So do the collections of Python 3.14.5 and later. Before, old objects were looked at in small pieces and the third
threshold had no meaning: there nothing changes.
"""

import gc
import threading
from typing import Final

THRESHOLD_IN_CALLS: Final = 120
"""Collections of what is no longer quite young until a full one, each for 22,000 objects that have come to stay.

The usual 10 of them take a minute in the busiest home and six in a quiet one. What becomes garbage in the time of 120,
and waits, was less than 250,000 objects, some 40 MB.
"""


class FullCollections:
    """Keeps the threshold high while anybody needs that; one object serves the whole process."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._needed = 0
        self._usual = 0

    def put_off(self) -> None:
        """Have fewer full collections, until `restore` is called as often."""
        with self._lock:
            self._needed += 1
            if self._needed == 1:
                young, middle, self._usual = gc.get_threshold()
                gc.set_threshold(young, middle, max(self._usual, THRESHOLD_IN_CALLS))

    def restore(self) -> None:
        """Give back what `put_off` took; what somebody else has chosen meanwhile stays."""
        with self._lock:
            self._needed -= 1
            young, middle, present = gc.get_threshold()
            if not self._needed and present == max(self._usual, THRESHOLD_IN_CALLS):
                gc.set_threshold(young, middle, self._usual)


FULL_COLLECTIONS: Final = FullCollections()
