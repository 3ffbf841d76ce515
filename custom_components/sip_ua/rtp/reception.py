"""Bookkeeping about one received source: sequence, loss, interarrival jitter (RFC 3550 appendices A.1, A.3, A.8)."""

from enum import Enum, auto
from typing import Final

from .packet import SEQUENCE_MODULUS, timestamp_distance

MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
_WINDOW: Final = (1 << MAX_MISORDER + 1) - 1


class Arrival(Enum):
    """What a packet's sequence number says about it."""

    NEXT = auto()
    REORDERED = auto()
    DUPLICATE = auto()
    RESTARTED = auto()
    SUSPECT = auto()


class Reception:
    """Counts for one synchronization source; one object per source and per stream of sequence numbers."""

    __slots__ = (
        "_base",
        "_expected_prior",
        "_last_timestamp",
        "_last_transit",
        "_received_prior",
        "_seen",
        "_suspect",
        "clock_rate",
        "duplicate",
        "highest",
        "jitter",
        "received",
        "reordered",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate: int) -> None:
        """Begin to count; `clock_rate` in Hz is that of the timestamps."""
        self.ssrc = ssrc
        self.clock_rate = clock_rate
        self.received = 0
        self.duplicate = 0
        self.reordered = 0
        self.jitter = 0.0
        """Interarrival jitter in timestamp units."""
        self.highest = -1
        """Extended highest sequence number received."""
        self._base = 0
        self._seen = 0
        self._suspect: int | None = None
        self._expected_prior = 0
        self._received_prior = 0
        self._last_timestamp = 0
        self._last_transit: float | None = None

    def packet(self, sequence: int, timestamp: int | None, now: float) -> Arrival:
        """Count one packet that arrived at `now` (seconds); without a timestamp it says nothing about the jitter."""
        arrival = self._sequence(sequence)
        if arrival is Arrival.DUPLICATE:
            self.duplicate += 1
            return arrival
        if arrival is Arrival.SUSPECT:
            return arrival
        if arrival is Arrival.REORDERED:
            self.reordered += 1
        self.received += 1
        if timestamp is not None:
            self._measure_jitter(timestamp, now)
        return arrival

    def extend(self, sequence: int) -> int:
        """Give the extended number of a sequence number near the highest one received."""
        return self.highest + ((sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000)

    @property
    def expected(self) -> int:
        """How many packets the far end must have sent since the first we received."""
        return self.highest - self._base + 1 if self.highest >= 0 else 0

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return max(0, self.expected - self.received)

    def fraction_lost(self) -> float:
        """Give the fraction lost since the last call of this method, as a report block wants it."""
        expected = self.expected - self._expected_prior
        received = self.received - self._received_prior
        self._expected_prior, self._received_prior = self.expected, self.received
        return max(0.0, (expected - received) / expected) if expected > 0 else 0.0

    def _sequence(self, sequence: int) -> Arrival:
        if self.highest < 0:
            # One cycle up front, so that a packet from before the first has a number too.
            self.highest = self._base = sequence + SEQUENCE_MODULUS
            self._seen = 1
            return Arrival.NEXT
        ahead = sequence - self.highest & 0xFFFF
        if 0 < ahead < MAX_DROPOUT:
            self.highest += ahead
            self._seen = (self._seen << ahead | 1) & _WINDOW if ahead <= MAX_MISORDER else 1
            self._suspect = None
            return Arrival.NEXT
        behind = -ahead & 0xFFFF
        if behind <= MAX_MISORDER:
            bit = 1 << behind
            if self._seen & bit:
                return Arrival.DUPLICATE
            self._seen |= bit
            self._base = min(self._base, self.highest - behind)
            return Arrival.REORDERED
        if sequence == self._suspect:
            self._restart(sequence)
            return Arrival.RESTARTED
        self._suspect = sequence + 1 & 0xFFFF
        return Arrival.SUSPECT

    def _restart(self, sequence: int) -> None:
        """Go on from a far jump as if nothing were lost in it (two in a row: the far end restarted)."""
        count = self.expected
        self.highest = sequence + (self.highest // SEQUENCE_MODULUS + 1) * SEQUENCE_MODULUS
        self._base = self.highest - count
        self._seen = 1
        self._suspect = None
        self._last_transit = None

    def _measure_jitter(self, timestamp: int, now: float) -> None:
        transit = now * self.clock_rate
        if self._last_transit is not None:
            difference = abs(transit - self._last_transit - timestamp_distance(timestamp, self._last_timestamp))
            if difference < self.clock_rate:
                self.jitter += (difference - self.jitter) / 16
        self._last_transit = transit
        self._last_timestamp = timestamp
