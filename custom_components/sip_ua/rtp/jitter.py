"""The jitter buffer: puts packets back in order and in time, with a delay that follows the network (RFC 3550)."""

from collections import deque
from enum import Enum, auto
from typing import Final, NamedTuple

from .timeline import Timeline

MAX_PACKETS: Final = 256
"""More than this never waits, whatever the delay."""

INITIAL_DELAY: Final = 0.04
MARGIN: Final = 0.005
"""Seconds above the measured lateness, for the unsteadiness of the one who plays."""

QUANTILE: Final = 0.97
"""This part of the packets shall be in time; the rest is concealed, which costs less than the delay it would take."""

_SAMPLES: Final = 256
_RECOMPUTE_EVERY: Final = 25
_WINDOW_SECONDS: Final = 4.0
_SMOOTHING: Final = 1 / 8
_RESYNC_SECONDS: Final = 1.0
_SAME_JUMP_SECONDS: Final = 0.2
_SHORTEST_FRAMES_PER_SECOND: Final = 200
_TOLERATED_SURPLUS: Final = 0.1
_PATIENCE: Final = 0.16
"""Seconds of nothing after which the far end is taken to have paused."""


class Kind(Enum):
    """What is to be played next."""

    PACKET = auto()
    LOST = auto()
    SILENCE = auto()


class Waiting(NamedTuple):
    """A packet in the buffer; `timestamp` is extended beyond 32 bits."""

    sequence: int
    timestamp: int
    payload_type: int
    payload: bytes


class Taken(NamedTuple):
    """What `take` gives; `jumped` when voice was skipped just before this packet."""

    kind: Kind
    packet: Waiting | None = None
    jumped: bool = False


_LOST: Final = Taken(Kind.LOST)
_SILENCE: Final = Taken(Kind.SILENCE)


class _Lateness:
    """How much later than the quickest ones packets come, and so how long to wait for them."""

    __slots__ = ("_count", "_minimum", "_previous", "_samples", "_window_end", "base")

    def __init__(self, transit: float, now: float) -> None:
        """Begin with the transit of the first packet of a stretch."""
        self.base = self._minimum = self._previous = transit
        self._window_end = now + _WINDOW_SECONDS
        self._samples: deque[float] = deque(maxlen=_SAMPLES)
        self._count = 0

    def add(self, transit: float, now: float) -> float | None:
        """Take in the transit of one packet; gives now and then the lateness that `QUANTILE` of the packets keep."""
        if now >= self._window_end:
            self._previous, self._minimum = self._minimum, transit
            self._window_end = now + _WINDOW_SECONDS
        elif transit < self._minimum:
            self._minimum = transit
        self.base = min(self._minimum, self._previous)
        self._samples.append(transit - self.base)
        self._count += 1
        if self._count % _RECOMPUTE_EVERY:
            return None
        ordered = sorted(self._samples)
        return ordered[int(QUANTILE * (len(ordered) - 1))]


class JitterBuffer:
    """Packets of one source between arrival and playing.

    `insert` takes them as they come; `take` says what to play next, after which the owner tells by `played` how long
    the packet was. The delay that it keeps is between `minimum` and `maximum` seconds and follows the lateness
    measured. It never cuts sound itself: `surplus` says how much too long the sound waits, and the owner shortens or
    stretches it where that is not heard, which also takes up the difference between the two clocks.
    """

    __slots__ = (
        "_debt",
        "_frame",
        "_hurry",
        "_jump",
        "_lateness",
        "_maximum",
        "_minimum",
        "_next_sequence",
        "_next_timestamp",
        "_packets",
        "_paused",
        "_timeline",
        "clock_rate",
        "delay",
        "discarded",
        "late",
        "target",
    )

    def __init__(self, clock_rate: int, *, minimum: float, maximum: float) -> None:
        """Begin empty; `clock_rate` in Hz is that of the timestamps."""
        self.clock_rate = clock_rate
        self._minimum = minimum
        self._maximum = maximum
        self.late = 0
        self.discarded = 0
        self.reset()

    def reset(self) -> None:
        """Forget the stream, as after a change of its source; the counts stay."""
        self.target = min(max(INITIAL_DELAY, self._minimum), self._maximum)
        self.delay = self.target
        self._packets: dict[int, Waiting | None] = {}
        self._lateness: _Lateness | None = None
        self._hurry = False
        self._next_sequence: int | None = None
        self._next_timestamp = 0
        self._timeline = Timeline()
        self._frame = self.clock_rate // 50
        self._debt = 0
        self._jump: float | None = None
        self._paused = False

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._packets)

    @property
    def surplus(self) -> float:
        """Seconds by which the sound waits longer than it must; negative when it waits too short."""
        return self.delay - self.target

    def insert(self, sequence: int, timestamp: int, payload_type: int, payload: bytes, now: float) -> None:
        """Take a packet of voice that arrived at `now`; `sequence` is extended, `timestamp` as in the packet."""
        extended = self._timeline.place(sequence, timestamp, self._frame, self.clock_rate, now)
        transit = now - extended / self.clock_rate
        if self._jumped(transit):
            return self._resync(Waiting(sequence, extended, payload_type, payload), transit, now)
        if self._lateness is None:
            self._lateness = _Lateness(transit, now)
        quantile = self._lateness.add(transit, now)
        if quantile is not None:
            self.target = min(max(quantile + MARGIN, self._minimum), self._maximum)
        if self._next_sequence is not None and sequence < self._next_sequence:
            self.late += 1
            return None
        self._store(sequence, Waiting(sequence, extended, payload_type, payload))
        return None

    def skip(self, sequence: int) -> None:
        """Note a packet that carries no voice, so that its number is not taken for a loss."""
        if self._next_sequence is None or sequence >= self._next_sequence:
            self._store(sequence, None)

    def take(self, now: float, ahead: float) -> Taken:
        """Say what follows; `ahead` is the seconds of decoded sound that still wait before it."""
        self._pass_over()
        packets = self._packets
        if not packets:
            return self._starved()
        expected = self._next_sequence
        packet = None if expected is None else packets.get(expected)
        if packet is None:
            following = min(packets)
            packet = packets[following]
            if packet is None:
                # Voiceless packets after a gap: whatever was lost before them, nothing is missing in the voice now.
                self._next_sequence = following
                return self.take(now, ahead)
            gap = packet.timestamp - self._next_timestamp
            if expected is not None and gap > self._debt and not self._paused:
                return self._lose(expected, following, gap)
        if expected is None or self._paused:
            if self._wait(packet, now, ahead) > 0:
                return _SILENCE
            return self._give(packet, now, ahead, fresh=True)
        gap = packet.timestamp - self._next_timestamp
        if gap > self._debt + self._frame // 2 and self._wait(packet, now, ahead) > 0:
            return _SILENCE
        return self._give(packet, now, ahead)

    def played(self, ticks: int) -> None:
        """Tell how many timestamp units the packet just taken was long."""
        self._next_timestamp += ticks
        if ticks:
            self._frame = max(ticks, self.clock_rate // _SHORTEST_FRAMES_PER_SECOND)

    @property
    def frame(self) -> int:
        """How many timestamp units a packet lasts."""
        return self._frame

    def hurry(self) -> None:
        """Have the next packet played as soon as it may, skipping what waits before it (playing had stopped)."""
        self._hurry = True

    def adjusted(self, seconds: float) -> None:
        """Tell that the owner stretched the waiting sound by that much (negative: shortened it)."""
        self.delay += seconds

    def _store(self, sequence: int, packet: Waiting | None) -> None:
        if len(self._packets) >= MAX_PACKETS:
            oldest = min(self._packets)
            self._packets.pop(oldest)
            self._next_sequence = oldest + 1
            self.discarded += 1
        self._packets[sequence] = packet

    def _jumped(self, transit: float) -> bool:
        return self._lateness is not None and abs(transit - self._lateness.base) > _RESYNC_SECONDS

    def _resync(self, packet: Waiting, transit: float, now: float) -> None:
        """Follow timestamps that stood still or ran away: at once in a pause, else if a second packet agrees."""
        agrees = self._jump is not None and abs(transit - self._jump) < _SAME_JUMP_SECONDS
        if self._next_sequence is not None and not self._paused and not agrees:
            self._jump = transit
            self._store(packet.sequence, None)
            return
        self._jump = None
        self._packets = {}
        self._next_sequence = None
        self._lateness = _Lateness(transit, now)
        self._store(packet.sequence, packet)

    def _pass_over(self) -> None:
        """Go past the voiceless packets that are next."""
        packets, sequence = self._packets, self._next_sequence
        if sequence is None:
            while packets and packets[first := min(packets)] is None:
                del packets[first]
            return
        while sequence in packets and packets[sequence] is None:
            del packets[sequence]
            sequence += 1
            self._paused = True
        self._next_sequence = sequence

    def _starved(self) -> Taken:
        if self._next_sequence is None:
            return _SILENCE
        if self._paused:
            self._next_timestamp += self._frame
            return _SILENCE
        self._debt += self._frame
        if self._debt > _PATIENCE * self.clock_rate:
            self._next_sequence = None
            self._debt = 0
            return _SILENCE
        return _LOST

    def _wait(self, packet: Waiting, now: float, ahead: float) -> float:
        """Seconds until a packet is to be played if nothing before it says otherwise."""
        base = 0.0 if self._lateness is None else self._lateness.base
        return base + packet.timestamp / self.clock_rate + self.target - now - ahead

    def _lose(self, sequence: int, following: int, gap: int) -> Taken:
        self._next_timestamp += min(self._frame, gap)
        self._next_sequence = min(sequence + 1, following)
        return _LOST

    def _give(self, packet: Waiting, now: float, ahead: float, *, fresh: bool = False) -> Taken:
        jumped = False
        delay = self.target - self._wait(packet, now, ahead)
        enough = self.target + self._frame / self.clock_rate
        if delay > (enough if self._hurry else max(self._maximum, self.target + _TOLERATED_SURPLUS)):
            while delay > enough and (following := self._following(packet.sequence)) is not None:
                del self._packets[packet.sequence]
                self.discarded += 1
                packet, jumped = following, True
                delay = self.target - self._wait(packet, now, ahead)
        self._hurry = False
        del self._packets[packet.sequence]
        self.delay = delay if fresh or jumped else self.delay + (delay - self.delay) * _SMOOTHING
        self._next_sequence = packet.sequence + 1
        self._next_timestamp = packet.timestamp
        self._debt = 0
        self._paused = False
        return Taken(Kind.PACKET, packet, jumped)

    def _following(self, sequence: int) -> Waiting | None:
        """Give the next packet of voice behind one, dropping voiceless ones between."""
        later = sorted(number for number in self._packets if number > sequence)
        for number in later:
            packet = self._packets[number]
            if packet is not None:
                return packet
            del self._packets[number]
        return None
