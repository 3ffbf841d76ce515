"""The concealment of ITU-T G.711 appendix I, written down plainly to measure ours against; in frames of 10 ms.

It delays what it plays by 30 samples, which a comparison has to take out.
"""

from collections.abc import Sequence
from math import sqrt

SHORTEST, LONGEST = 40, 120
DELAY = LONGEST // 4
HISTORY = 3 * LONGEST + DELAY
FRAME = 80
TEMPLATE = 160
LEAST_POWER = 250.0
GROWING_END = 32
FADE = 0.2


class AppendixI:
    """One channel of 8 kHz."""

    def __init__(self) -> None:
        self._history = [0.0] * HISTORY
        self._erased = 0
        self._pitch = self._overlap = self._offset = self._length = 0
        self._pitch_buffer: list[float] = []
        self._last_quarter: list[float] = []

    def good(self, frame: Sequence[float]) -> list[float]:
        """Take a received frame; gives the frame to play."""
        sound = list(frame)
        if self._erased:
            length = min(FRAME, self._overlap + (self._erased - 1) * GROWING_END)
            ending = self._scaled(self._repeat(length), self._erased) if self._erased > 1 else self._repeat(length)
            sound[:length] = _cross(ending, sound[:length])
            self._erased = 0
        return self._save(sound)

    def lost(self) -> list[float]:
        """Give the frame to play in place of a lost one."""
        if self._erased == 0:
            self._pitch_buffer = list(self._history)
            self._pitch = self._find_pitch()
            self._overlap = self._pitch // 4
            self._last_quarter = self._pitch_buffer[-self._overlap :]
            self._offset, self._length = 0, self._pitch
            self._close_loop()
            self._history[-self._overlap :] = self._pitch_buffer[-self._overlap :]
            sound = self._repeat(FRAME)
        elif self._erased <= 2:
            before = self._offset
            tail = self._repeat(self._overlap)
            self._offset = before
            while self._offset > self._pitch:
                self._offset -= self._pitch
            self._length += self._pitch
            self._close_loop()
            sound = self._repeat(FRAME)
            sound[: self._overlap] = _cross(tail, sound[: self._overlap])
            sound = self._scaled(sound, self._erased)
        elif self._erased > 5:
            sound = [0.0] * FRAME
        else:
            sound = self._scaled(self._repeat(FRAME), self._erased)
        self._erased += 1
        return self._save(sound)

    def _save(self, sound: list[float]) -> list[float]:
        self._history = (self._history + sound)[-HISTORY:]
        return self._history[-FRAME - DELAY : -DELAY]

    def _close_loop(self) -> None:
        """Blend the end of the pitch buffer into what went before its beginning."""
        start, overlap = len(self._pitch_buffer) - self._length, self._overlap
        self._pitch_buffer[-overlap:] = _cross(self._last_quarter, self._pitch_buffer[start - overlap : start])

    def _repeat(self, count: int) -> list[float]:
        loop = self._pitch_buffer[-self._length :]
        sound = [loop[(self._offset + number) % self._length] for number in range(count)]
        self._offset = (self._offset + count) % self._length
        return sound

    @staticmethod
    def _scaled(sound: list[float], erased: int) -> list[float]:
        gain = 1 - (erased - 1) * FADE
        return [value * max(0.0, gain - FADE / FRAME * number) for number, value in enumerate(sound)]

    def _find_pitch(self) -> int:
        def likeness(lag: int, step: int) -> float:
            end = len(self._pitch_buffer)
            recent = self._pitch_buffer[end - TEMPLATE :: step]
            earlier = self._pitch_buffer[end - TEMPLATE - lag : end - lag : step]
            energy = sum(value * value for value in earlier)
            product = sum(one * other for one, other in zip(recent, earlier, strict=True))
            return product / sqrt(max(energy, LEAST_POWER))

        coarse = max(range(LONGEST, SHORTEST - 1, -2), key=lambda lag: likeness(lag, 2))
        near = range(max(SHORTEST, coarse - 1), min(LONGEST, coarse + 1) + 1)
        return max(near, key=lambda lag: likeness(lag, 1))


def _cross(old: Sequence[float], new: Sequence[float]) -> list[float]:
    """Go over from one sound to another of the same length."""
    step = 1 / len(old) if old else 0.0
    return [
        before * (1 - number * step) + after * number * step
        for number, (before, after) in enumerate(zip(old, new, strict=True), start=1)
    ]
