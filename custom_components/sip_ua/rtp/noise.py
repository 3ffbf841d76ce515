"""Comfort noise: the far end's background while it sends no voice (RFC 3389)."""

from functools import cache
from typing import Final

from .plc import pcm_of

QUIETEST_LEVEL: Final = 127
DEFAULT_LEVEL: Final = 70
"""Level in -dBov that our own silence is told to have; soft enough to be taken for a quiet room."""

_LENGTH: Final = 4001
_FULL_SCALE: Final = 32767.0
_UNIFORM_RMS: Final = 3**-0.5
_MULTIPLIER: Final = 1_103_515_245
_INCREMENT: Final = 12_345


@cache
def _white() -> tuple[float, ...]:
    """Give noise between -1 and 1, the same each time."""
    state, noise = 1, []
    for _ in range(_LENGTH):
        state = state * _MULTIPLIER + _INCREMENT & 0x7FFF_FFFF
        noise.append(state / 0x4000_0000 - 1)
    return tuple(noise)


class ComfortNoise:
    """Noise of one level, as long as wanted."""

    __slots__ = ("_at", "_pcm", "level")

    def __init__(self, level: int = QUIETEST_LEVEL) -> None:
        """Begin with a level in -dBov; 127 is silence."""
        self._at = 0
        self._pcm = b""
        self.level = QUIETEST_LEVEL
        self.set_level(level)

    def set_level(self, level: int) -> None:
        """Go on with another level in -dBov (0 to 127)."""
        if level == self.level:
            return
        self.level = level
        peak = min(1.0, 10 ** (-level / 20) / _UNIFORM_RMS) * _FULL_SCALE
        self._pcm = pcm_of([round(value * peak) for value in _white()]) if level < QUIETEST_LEVEL else b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Give that many bytes of PCM."""
        if not self._pcm:
            return bytes(size)
        noise = self._pcm[self._at : self._at + size]
        while len(noise) < size:
            noise += self._pcm[: size - len(noise)]
        self._at = (self._at + size) % len(self._pcm)
        return noise
