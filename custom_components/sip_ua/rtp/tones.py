"""DTMF digits as tones in the voice itself: their frequencies and their sending (ITU-T Q.23)."""

from array import array
from collections import deque
from math import pi, sin
from typing import Final

from .dtmf import PAUSE, PAUSE_MS, QueuedDigit, check_queue

LOW_GROUP: Final = (697.0, 770.0, 852.0, 941.0)
HIGH_GROUP: Final = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS: Final = ("123A", "456B", "789C", "*0#D")
"""The digits by low and high frequency."""

LOW_LEVEL: Final = -10.0
HIGH_LEVEL: Final = -8.0
"""Levels in dBm0; lines attenuate the higher tone more, which two decibels make up for."""

EDGE_MS: Final = 2.0
"""Milliseconds in which a tone comes and goes, so that it does not click."""

FULL_SCALE_DBM0: Final = 3.14
"""Level of a sine from rail to rail (ITU-T G.711 table 5, A-law)."""


def peak_of(level: float) -> float:
    """Give the amplitude of a sine of so many dBm0 in 16-bit samples."""
    return 32767.0 * 10 ** ((level - FULL_SCALE_DBM0) / 20)


def frequencies_of(digit: str) -> tuple[float, float]:
    """Give the low and the high frequency of a digit in Hz."""
    row = next(number for number, keys in enumerate(KEYS) if digit in keys)
    return LOW_GROUP[row], HIGH_GROUP[KEYS[row].index(digit)]


class ToneSender:
    """Plays queued digits: the tones, and after each its pause in silence."""

    __slots__ = ("_at", "_queue", "_rate")

    def __init__(self) -> None:
        """Begin with none."""
        self._queue: deque[QueuedDigit] = deque()
        self._rate = 0
        self._at = 0

    @property
    def active(self) -> bool:
        """Whether a digit or its pause is under way or waits."""
        return bool(self._queue)

    def queue(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Add digits; raises `RtpUsageError` for what is no digit, for too many, or for times out of bounds."""
        self._queue.extend(check_queue(digits, duration_ms, gap_ms, len(self._queue)))

    def cancel(self) -> None:
        """Drop the digits not yet begun; the one being played ends properly."""
        while len(self._queue) > (1 if self._at else 0):
            self._queue.pop()

    def frame(self, count: int, rate: int) -> bytes:
        """Give the next `count` samples at `rate` Hz; silence behind the last pause."""
        if rate != self._rate:
            self._at = self._at * rate // self._rate if self._rate else 0
            self._rate = rate
        made = array("h")
        while len(made) < count and self._queue:
            digit = self._queue[0]
            sounding, whole = self._lengths(digit)
            wanted = count - len(made)
            if self._at < sounding:
                piece = min(wanted, sounding - self._at)
                made.extend(_tone(digit.digit, self._at, piece, sounding, rate))
            else:
                piece = min(wanted, whole - self._at)
                made.extend(array("h", bytes(2 * piece)))
            self._at += piece
            if self._at >= whole:
                self._queue.popleft()
                self._at = 0
        made.extend(array("h", bytes(2 * (count - len(made)))))
        return made.tobytes()

    def _lengths(self, digit: QueuedDigit) -> tuple[int, int]:
        """Give the samples of the tone, and of tone and pause together."""
        if digit.digit == PAUSE:
            return 0, self._rate * PAUSE_MS // 1000
        return self._rate * digit.duration_ms // 1000, self._rate * (digit.duration_ms + digit.gap_ms) // 1000


def _tone(digit: str, start: int, count: int, whole: int, rate: int) -> array[int]:
    """Give `count` samples of a digit from `start` on, which is `whole` samples long."""
    low, high = (2 * pi * frequency / rate for frequency in frequencies_of(digit))
    low_peak, high_peak = peak_of(LOW_LEVEL), peak_of(HIGH_LEVEL)
    edge = rate * EDGE_MS / 1000
    return array(
        "h",
        (
            round(
                min(1.0, (at + 1) / edge, (whole - at) / edge) * (low_peak * sin(low * at) + high_peak * sin(high * at))
            )
            for at in range(start, start + count)
        ),
    )
