"""Puts the interpreter's full collections of garbage off while somebody talks.

A full collection looks at every object that may refer to others and keeps the interpreter's lock all the while: for
tenths of a second in a home of usual size, in which no thread can send a packet. So while there is voice, more has to
happen before there is one. Young objects, among which nearly all garbage is, are collected as ever, in milliseconds,
and what is due at the end of the last call comes then by itself.

That is how Python 3.14.5 and later collect. Before, old objects were looked at in small pieces and the third threshold
had no meaning: there nothing changes.
"""

import gc
import resource
import sys
import threading
from typing import Final

THRESHOLD_IN_CALLS: Final = 120
"""Collections of middle-aged objects until a full one, each after 22,000 more objects; usually there are 10."""

MOST_MEMORY: Final = 100_000_000
"""Octets by which the process may become larger than ever before while a full collection is put off."""

_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_MIDDLE, _OLD = 1, 2


class FullCollections:
    """Keeps the threshold high while anybody needs that; one object serves the whole process."""

    def __init__(self) -> None:
        """Begin with nobody."""
        # A collection may come in the midst of anything, in the very thread that holds the lock.
        self._lock = threading.RLock()
        self._needed = 0
        self._usual = 0
        self._high = 0
        self._largest = 0

    def put_off(self) -> None:
        """Have fewer full collections, until `restore` is called as often."""
        with self._lock:
            self._needed += 1
            if self._needed == 1:
                self._usual = gc.get_threshold()[_OLD]
                self._high = max(self._usual, THRESHOLD_IN_CALLS)
                self._largest = largest_size()
                self._change(self._usual, self._high)
                gc.callbacks.append(self._note)

    def restore(self) -> None:
        """Give back what `put_off` took; what somebody else has chosen meanwhile stays."""
        with self._lock:
            self._needed -= 1
            if not self._needed:
                gc.callbacks.remove(self._note)
                self._change(self._high, self._usual)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        """Let a full collection come where memory runs out, and put the next one off again."""
        if phase != "stop" or info["generation"] < _MIDDLE:
            return
        with self._lock:
            if not self._needed:
                return
            if info["generation"] == _OLD:
                self._largest = largest_size()
                self._change(self._usual, self._high)
            elif largest_size() - self._largest > MOST_MEMORY:
                self._change(self._high, self._usual)

    @staticmethod
    def _change(before: int, after: int) -> None:
        """Change the threshold of full collections, unless somebody else has."""
        young, middle, present = gc.get_threshold()
        if present == before:
            gc.set_threshold(young, middle, after)


FULL_COLLECTIONS: Final = FullCollections()


def largest_size() -> int:
    """Return how much memory the process has ever occupied, in octets."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
