"""The far end's timestamps as one unbroken count, whatever it does to them (RFC 3550 section 5.1)."""

from typing import Final

from .packet import timestamp_distance

JUMP_SECONDS: Final = 0.2
"""A step of the timestamp that is this much longer than the time which passed is no pause but a jump."""


class Timeline:
    """Extends timestamps beyond 32 bits and takes jumps out of them.

    The sequence numbers tell a jump from a pause: a packet that follows its predecessor cannot lie before it, nor far
    ahead of the time that has passed. Far ends that switch between sources of sound send such timestamps.
    """

    __slots__ = ("_arrival", "_reference", "_sequence", "_shift")

    def __init__(self) -> None:
        """Wait for the first packet."""
        self._reference: int | None = None
        self._sequence = 0
        self._arrival = 0.0
        self._shift = 0

    def place(self, sequence: int, timestamp: int, frame: int, clock_rate: int, now: float) -> int:
        """Give the place of a packet that arrived at `now`, in timestamp units.

        `sequence` is extended, `frame` the usual length of a packet in timestamp units.
        """
        reference = self._reference
        if reference is None:
            self._reference, self._sequence, self._arrival = timestamp, sequence, now
            return timestamp
        step = timestamp_distance(timestamp, reference & 0xFFFF_FFFF)
        ahead = sequence - self._sequence
        if ahead <= 0:
            return reference + step + self._shift
        if step <= 0 or step / clock_rate - (now - self._arrival) > JUMP_SECONDS + ahead * frame / clock_rate:
            self._shift += ahead * frame - step
        self._reference, self._sequence, self._arrival = reference + step, sequence, now
        return reference + step + self._shift
