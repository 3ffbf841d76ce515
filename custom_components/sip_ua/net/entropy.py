"""Random bytes of the system, fetched ahead: a call that comes in waits for no system call that makes its tags."""

import os
from typing import Final

PIECE: Final = 8
"""Octets of a tag or branch."""
AHEAD: Final = 64
"""How many of these are fetched at once."""


class Entropy:
    """Returns random bytes that nobody else gets, and forgets them."""

    def __init__(self) -> None:
        """Fetch the first."""
        self._ahead = _pieces()

    def __call__(self, size: int) -> bytes:
        """Return `size` bytes from the system's generator."""
        if size != PIECE:
            return os.urandom(size)
        if not self._ahead:
            self._ahead = _pieces()
        return self._ahead.pop()


def _pieces() -> list[bytes]:
    fetched = os.urandom(AHEAD * PIECE)
    return [fetched[start : start + PIECE] for start in range(0, len(fetched), PIECE)]
