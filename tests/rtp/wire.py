"""Two RTP sessions on one virtual clock, joined by a faulty wire, and tones to send over it."""

import heapq
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import acos, cos, pi, sin, sqrt
from random import Random

from custom_components.sip_ua.rtp.events import RtpEvent
from custom_components.sip_ua.rtp.parameters import Address, MediaParameters, RtpConfig
from custom_components.sip_ua.rtp.session import RtpSession

ALICE: Address = ("192.0.2.1", 4000)
BOB: Address = ("192.0.2.2", 5000)
PTIME = 0.02
UNIX_EPOCH_OFFSET = 1_700_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What the wire does to a datagram; probabilities of 1, times in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.01
    jitter: float = 0.0


def parameters(remote: Address, **changes: object) -> MediaParameters:
    """Give a usual outcome of offer and answer: A-law, u-law and telephone events."""
    usual: dict[str, object] = {
        "codec": "PCMA",
        "payload_type": 8,
        "receive": ((8, "PCMA"), (0, "PCMU")),
        "dtmf_send": 101,
        "dtmf_receive": 101,
    }
    return MediaParameters(remote_rtp=remote, **(usual | changes))  # type: ignore[arg-type]


def session(
    seed: int = 1, *, config: RtpConfig | None = None, sequence: int = 100, timestamp: int = 1000
) -> RtpSession:
    """Give a session whose SSRC is its seed."""
    return RtpSession(
        config or RtpConfig(),
        ssrc=seed,
        first_sequence=sequence,
        first_timestamp=timestamp,
        cname=f"user{seed}@example.invalid",
        wallclock_offset=UNIX_EPOCH_OFFSET,
        entropy=Random(seed).randbytes,
    )


@dataclass(order=True)
class _Flight:
    """A datagram under way."""

    due: float
    number: int
    data: bytes = field(compare=False)
    source: Address = field(compare=False)
    deliver: Callable[[bytes, Address, float], None] = field(compare=False)


class End:
    """One session with what it played and told."""

    def __init__(self, rtp: RtpSession, address: Address) -> None:
        self.rtp = rtp
        self.address = address
        self.played = bytearray()
        self.told: list[RtpEvent] = []
        self.sent: list[bytes] = []
        self.source: Callable[[], bytes | None] = lambda: None
        self.pace = 1.0


class Wire:
    """Moves the datagrams of Alice and Bob; `run` lets seconds pass."""

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        alice: RtpSession | None = None,
        bob: RtpSession | None = None,
        **changes: object,
    ) -> None:
        self.random = Random(seed)
        self.faults = faults or Faults()
        self.now = 10.0
        self.alice = End(alice or session(1), ALICE)
        self.bob = End(bob or session(2), BOB)
        self.alice.rtp.configure(parameters(BOB, **changes), self.now)
        self.bob.rtp.configure(parameters(ALICE, **changes), self.now)
        self._flights: list[_Flight] = []
        self._number = 0
        self._ticks = {id(self.alice): self.now + 0.001, id(self.bob): self.now + 0.008}

    def run(self, seconds: float) -> None:
        """Let time pass, tick by tick."""
        end = self.now + seconds
        while True:
            sender = min((self.alice, self.bob), key=lambda one: self._ticks[id(one)])
            moment = self._ticks[id(sender)]
            if moment > end:
                break
            self._deliver_until(moment)
            self.now = moment
            self._tick(sender)
            self._ticks[id(sender)] = moment + PTIME * sender.pace
        self._deliver_until(end)
        self.now = end

    def _tick(self, one: End) -> None:
        other = self.bob if one is self.alice else self.alice
        for data, target in one.rtp.send_frame(one.source(), self.now):
            one.sent.append(data)
            if target == other.address:
                self._send(data, one.address, other.rtp.receive_rtp)
        for data, _ in one.rtp.rtcp_due(self.now):
            self._send(data, (one.address[0], one.address[1] + 1), other.rtp.receive_rtcp)
        one.played += one.rtp.play_out(self.now)
        one.told += one.rtp.events()

    def _send(self, data: bytes, source: Address, deliver: Callable[[bytes, Address, float], None]) -> None:
        faults, random = self.faults, self.random
        if random.random() < faults.loss:
            return
        for _ in range(2 if random.random() < faults.duplication else 1):
            self._number += 1
            due = self.now + faults.delay + random.random() * faults.jitter
            heapq.heappush(self._flights, _Flight(due, self._number, data, source, deliver))

    def _deliver_until(self, moment: float) -> None:
        while self._flights and self._flights[0].due <= moment:
            flight = heapq.heappop(self._flights)
            flight.deliver(flight.data, flight.source, flight.due)


class Tone:
    """A sine that goes on from frame to frame."""

    def __init__(self, frequency: float = 1000.0, level: float = 8000.0, rate: int = 8000, samples: int = 160) -> None:
        self._step = 2 * pi * frequency / rate
        self._level = level
        self._samples = samples
        self._at = 0

    def __call__(self) -> bytes:
        """Give the next frame."""
        frame = tone_pcm(self._step, self._level, self._at, self._samples)
        self._at += self._samples
        return frame


def tone_pcm(step: float, level: float, start: int, samples: int) -> bytes:
    """Give PCM of a sine that advances by `step` radians a sample."""
    return array("h", [round(level * sin(step * at)) for at in range(start, start + samples)]).tobytes()


def samples(pcm: bytes | bytearray) -> list[int]:
    """Give the samples of PCM."""
    return list(array("h", pcm))


def level(pcm: bytes | bytearray) -> float:
    """Give the root mean square."""
    values = samples(pcm)
    return sqrt(sum(value * value for value in values) / len(values)) if values else 0.0


def part_at(pcm: bytes | bytearray, frequency: float, rate: int = 8000) -> float:
    """Give the amplitude of one frequency."""
    values = samples(pcm)
    step = 2 * pi * frequency / rate
    real = sum(value * cos(step * at) for at, value in enumerate(values))
    imaginary = sum(value * sin(step * at) for at, value in enumerate(values))
    return 2 * sqrt(real * real + imaginary * imaginary) / len(values)


def dominant_frequency(pcm: bytes | bytearray, rate: int = 8000) -> float:
    """Give the frequency of a clean tone: each sample of a sine is set by the two beside it."""
    values = samples(pcm)
    triples = list(zip(values, values[1:], values[2:], strict=False))
    products = sum((before + after) * middle for before, middle, after in triples)
    squares = sum(middle * middle for _, middle, _ in triples)
    return acos(max(-1.0, min(1.0, products / squares / 2))) * rate / (2 * pi)


def largest_step(pcm: bytes | bytearray) -> int:
    """Give the largest difference of two neighbouring samples: a click shows in it."""
    values = samples(pcm)
    return max(abs(after - before) for before, after in pairwise(values))
