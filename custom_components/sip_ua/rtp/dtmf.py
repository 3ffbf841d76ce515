"""DTMF digits as telephone events, sent and received (RFC 4733 section 2)."""

from collections import deque
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from .errors import PacketError, RtpUsageError
from .packet import TIMESTAMP_MODULUS, timestamp_distance

DIGITS: Final = "0123456789*#ABCD"
"""Event codes 0 to 15, in order."""

PAUSE: Final = ","
PAUSE_MS: Final = 1000
MAX_QUEUED_DIGITS: Final = 256
MINIMUM_DURATION_MS: Final = 40
MAXIMUM_DURATION_MS: Final = 60_000
MINIMUM_GAP_MS: Final = 40
DEFAULT_DURATION_MS: Final = 100
DEFAULT_GAP_MS: Final = 100
VOLUME: Final = 10
"""Power of the tone in -dBm0."""

FINAL_PACKETS: Final = 3
MAX_DURATION: Final = 0xFFFF
"""A longer event is sent in segments (section 2.5.1.3)."""

EVENT_LOST_AFTER: Final = 0.3
"""Seconds without an update after which an event whose end was lost is over."""

REMEMBERED_EVENTS: Final = 16
_LATE_EVENT_SECONDS: Final = 5

_EVENT: Final = Struct("!BBH")


class TelephoneEvent(NamedTuple):
    """The payload of one telephone-event packet; duration in timestamp units."""

    event: int
    end: bool
    volume: int
    duration: int

    def to_bytes(self) -> bytes:
        """Serialise."""
        return _EVENT.pack(self.event, self.volume | (0x80 if self.end else 0), self.duration)


def parse_event(payload: bytes) -> TelephoneEvent:
    """Read the first event of a payload; raises `PacketError`."""
    if len(payload) < _EVENT.size:
        raise PacketError("telephone event cut off")
    event, flags, duration = _EVENT.unpack_from(payload)
    return TelephoneEvent(event, flags > 0x7F, flags & 0x3F, duration)


def check_digits(digits: str) -> str:
    """Give the digits in upper case; raises `RtpUsageError` when one is no digit or pause."""
    wanted = digits.upper()
    if not wanted:
        raise RtpUsageError("no digits")
    if strange := sorted(set(wanted) - set(DIGITS) - {PAUSE}):
        raise RtpUsageError(f"not DTMF: {' '.join(strange)}")
    return wanted


class EventPacket(NamedTuple):
    """What the sender wants on the wire in place of voice."""

    timestamp: int
    marker: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class QueuedDigit:
    """One queued digit or pause; times in ms."""

    digit: str
    duration_ms: int
    gap_ms: int


def check_queue(digits: str, duration_ms: int, gap_ms: int, waiting: int) -> list[QueuedDigit]:
    """Give digits as they are queued behind so many others.

    Raises `RtpUsageError` for what is no digit, for too many, or for times out of bounds.
    """
    wanted = check_digits(digits)
    if not MINIMUM_DURATION_MS <= duration_ms <= MAXIMUM_DURATION_MS:
        raise RtpUsageError(f"a digit lasts {MINIMUM_DURATION_MS} to {MAXIMUM_DURATION_MS} ms")
    if not MINIMUM_GAP_MS <= gap_ms <= MAXIMUM_DURATION_MS:
        raise RtpUsageError(f"the pause lasts {MINIMUM_GAP_MS} to {MAXIMUM_DURATION_MS} ms")
    if waiting + len(wanted) > MAX_QUEUED_DIGITS:
        raise RtpUsageError("too many digits are waiting")
    return [QueuedDigit(digit, duration_ms, gap_ms) for digit in wanted]


class DigitSender:
    """Paces queued digits: growing duration, held timestamp, three final packets, pause."""

    __slots__ = (
        "_clock_rate",
        "_duration_ms",
        "_elapsed",
        "_event",
        "_finals",
        "_gap",
        "_queue",
        "_segment_start",
        "_timestamp",
    )

    def __init__(self, clock_rate: int) -> None:
        """Count durations in units of this many Hz."""
        self._clock_rate = clock_rate
        self._queue: deque[QueuedDigit] = deque()
        self._event: int | None = None
        self._duration_ms = 0
        self._timestamp = 0
        self._elapsed = 0.0
        self._segment_start = 0.0
        self._finals = 0
        self._gap = 0.0

    @property
    def active(self) -> bool:
        """Whether a digit or the pause after it is under way or waits."""
        return self._event is not None or self._gap > 0 or bool(self._queue)

    def queue(self, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Add digits; raises `RtpUsageError` for what is no digit, for too many, or for times out of bounds."""
        self._queue.extend(check_queue(digits, duration_ms, gap_ms, len(self._queue)))

    def cancel(self) -> None:
        """Drop the waiting digits and end the one being sent at the next packet."""
        self._queue.clear()
        self._duration_ms = 0

    def packet(self, timestamp: int, ptime: int) -> EventPacket | None:
        """Give the event packet of this ptime (ms), or None when voice may be sent.

        `timestamp` is that of the voice frame whose place the packet takes.
        """
        if self._event is None:
            if self._gap > 0:
                self._gap -= ptime
                return None
            if not self._begin(timestamp, ptime):
                return None
        return self._final(ptime) if self._finals else self._advance(ptime)

    def _begin(self, timestamp: int, ptime: int) -> bool:
        if not self._queue:
            return False
        digit = self._queue.popleft()
        if digit.digit == PAUSE:
            self._gap = PAUSE_MS - ptime
            return False
        self._event = DIGITS.index(digit.digit)
        self._duration_ms = digit.duration_ms
        self._gap = digit.gap_ms
        self._timestamp = timestamp
        self._elapsed = self._segment_start = 0.0
        return True

    def _advance(self, ptime: int) -> EventPacket:
        first = self._elapsed == 0
        self._elapsed += ptime
        if self._units() > MAX_DURATION:
            return self._next_segment()
        ends = self._elapsed >= self._duration_ms
        if ends:
            self._finals = FINAL_PACKETS - 1
        return self._packet(self._units(), marker=first, end=ends)

    def _final(self, ptime: int) -> EventPacket:
        """Repeat the end, which takes the first part of the pause (section 2.5.1.4)."""
        packet = self._packet(self._units(), end=True)
        self._finals -= 1
        self._gap -= ptime
        if not self._finals:
            self._event = None
        return packet

    def _next_segment(self) -> EventPacket:
        """Close a segment at the longest duration a packet can tell; the next one goes on behind it."""
        closing = self._packet(MAX_DURATION)
        self._timestamp = (self._timestamp + MAX_DURATION) % TIMESTAMP_MODULUS
        self._segment_start += MAX_DURATION * 1000 / self._clock_rate
        return closing

    def _packet(self, duration: int, *, marker: bool = False, end: bool = False) -> EventPacket:
        payload = TelephoneEvent(self._event or 0, end, VOLUME, duration).to_bytes()
        return EventPacket(self._timestamp, marker, payload)

    def _units(self) -> int:
        return round((self._elapsed - self._segment_start) * self._clock_rate / 1000)


class ReceivedDigit(NamedTuple):
    """A digit that is over; duration in ms."""

    digit: str
    duration_ms: int


class _Current:
    """The event being received."""

    __slots__ = ("ahead", "duration", "event", "sequence", "timestamp", "updated")

    def __init__(self, event: int, timestamp: int, now: float) -> None:
        self.event = event
        self.timestamp = timestamp
        self.duration = 0
        self.ahead = 0
        self.sequence = 0
        self.updated = now


class DigitReceiver:
    """Turns event packets into digits, each told once: by its end, by the next one, or by silence after it.

    One packet of a digit is enough to tell it, though without its end the duration is that of the last packet to come.
    A digit of which every packet was lost stays unknown: nothing else speaks of it.
    """

    __slots__ = ("_clock_rate", "_current", "_last", "_told")

    def __init__(self, clock_rate: int) -> None:
        """Read durations in units of this many Hz."""
        self._clock_rate = clock_rate
        self._current: _Current | None = None
        self._told: deque[int] = deque(maxlen=REMEMBERED_EVENTS)
        self._last: tuple[int, int, int] | None = None

    def reset(self) -> list[ReceivedDigit]:
        """Forget the timestamps seen (the source changed) and give the digit that was under way."""
        digits = self._finish()
        self._told.clear()
        self._last = None
        return digits

    def receive(self, event: TelephoneEvent, timestamp: int, sequence: int, now: float) -> list[ReceivedDigit]:
        """Take one event packet (16-bit sequence, 32-bit timestamp); gives what is over by it."""
        if event.event >= len(DIGITS) or timestamp in self._told or self._repeats_last(event, sequence):
            return []
        current = self._current
        if current is not None and not self._belongs(current, event, timestamp):
            if timestamp_distance(timestamp, current.timestamp) < 0:
                return self._late(event, timestamp, current)
            digits = self._finish()
            current = None
        else:
            digits = []
        if current is None:
            current = self._current = _Current(event.event, timestamp, now)
        current.duration = max(current.duration, event.duration)
        current.sequence = sequence
        current.updated = now
        return digits + self._finish() if event.end else digits

    def expire(self, now: float) -> list[ReceivedDigit]:
        """Give the digit whose end packets were all lost."""
        if self._current is None or now - self._current.updated < EVENT_LOST_AFTER:
            return []
        return self._finish()

    def _repeats_last(self, event: TelephoneEvent, sequence: int) -> bool:
        """Recognise final packets of a sender that does not hold the timestamp."""
        if self._last is None or not event.end:
            return False
        code, duration, last_sequence = self._last
        return (
            event.event == code
            and event.duration == duration
            and 0 < (sequence - last_sequence & 0xFFFF) < FINAL_PACKETS
        )

    def _belongs(self, current: _Current, event: TelephoneEvent, timestamp: int) -> bool:
        """Tell whether a packet continues the current event, also in a new segment or with a timestamp not held."""
        moved = timestamp_distance(timestamp, current.timestamp)
        if moved == 0:
            return True
        if event.event != current.event:
            return False
        if moved == MAX_DURATION:
            current.ahead += MAX_DURATION
            current.duration = 0
            self._told.append(current.timestamp)
            current.timestamp = timestamp
            return True
        if moved > 0 and moved == event.duration - current.duration:
            self._told.append(current.timestamp)
            current.timestamp = timestamp
            return True
        return False

    def _late(self, event: TelephoneEvent, timestamp: int, current: _Current) -> list[ReceivedDigit]:
        """Tell a digit of which nothing was seen until the next had begun."""
        if timestamp_distance(current.timestamp, timestamp) > _LATE_EVENT_SECONDS * self._clock_rate:
            return []
        self._told.append(timestamp)
        return [self._digit(event.event, event.duration)]

    def _finish(self) -> list[ReceivedDigit]:
        current, self._current = self._current, None
        if current is None:
            return []
        self._told.append(current.timestamp)
        self._last = (current.event, current.duration, current.sequence)
        return [self._digit(current.event, current.ahead + current.duration)]

    def _digit(self, event: int, units: int) -> ReceivedDigit:
        return ReceivedDigit(DIGITS[event], round(units * 1000 / self._clock_rate))
