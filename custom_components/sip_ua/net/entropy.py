"""Random bytes of the system, fetched ahead: a call that comes in waits for no system call that makes its tags."""

import os
from typing import Final

AHEAD: Final = 512


class Entropy:
    """Returns random bytes that nobody else gets, and forgets them."""

    def __init__(self) -> None:
        """Fetch the first."""
        self._ahead = bytearray(os.urandom(AHEAD))

    def __call__(self, size: int) -> bytes:
        """Return `size` bytes from the system's generator."""
        ahead = self._ahead
        if size > len(ahead):
            ahead += os.urandom(max(AHEAD, size))
        start = len(ahead) - size
        taken = bytes(ahead[start:])
        del ahead[start:]
        return taken
