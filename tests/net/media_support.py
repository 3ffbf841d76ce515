"""What the tests of media share: streams joined to each other on loopback, sounds, and their measurement."""

import array
import asyncio
import cmath
import contextlib
import io
import math
import socket
import threading
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from custom_components.sip_ua.net.media import MediaEngine, MediaStream, PortRange
from custom_components.sip_ua.net.stream_events import StreamEvent
from custom_components.sip_ua.rtp.packet import RtpPacket, parse_packet
from custom_components.sip_ua.sip.offer_answer import CODECS, Codec, MediaDirection, NegotiatedMedia

LOOPBACK = "127.0.0.1"
PORTS = PortRange(20000, 32000)
TELEPHONE_EVENT = 101


def negotiated(
    port: int,
    *,
    host: str = LOOPBACK,
    codec: Codec = CODECS["PCMA"],
    ptime: int = 20,
    direction: MediaDirection = MediaDirection.SENDRECV,
    dtmf: bool = True,
) -> NegotiatedMedia:
    """Return voice agreed on with a far end on loopback."""
    event = TELEPHONE_EVENT if dtmf else None
    return NegotiatedMedia(
        remote_address=host,
        remote_port=port,
        remote_rtcp=(host, port + 1),
        codec=codec,
        receive=((codec.payload_type, codec),),
        dtmf_send=event,
        dtmf_receive=event,
        dtmf_clock_rate=8000,
        direction=direction,
        ptime=ptime,
    )


class Listener:
    """Keeps the events of a stream and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self._changed = asyncio.Event()

    def __call__(self, event: StreamEvent) -> None:
        self.events.append(event)
        self._changed.set()

    def of[T](self, kind: type[T]) -> list[T]:
        """Return the events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for[T](self, kind: type[T], number: int = 1, timeout: float = 10.0) -> T:
        """Wait for the n-th event of a kind."""
        async with asyncio.timeout(timeout):
            while len(self.of(kind)) < number:
                self._changed.clear()
                await self._changed.wait()
        return self.of(kind)[number - 1]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An RTP packet and when it came, in seconds of the monotonic clock."""

    at: float
    packet: RtpPacket


class FarEnd:
    """A bare RTP and RTCP endpoint with a thread that notes what comes, whatever the event loop does."""

    def __init__(self, host: str = LOOPBACK) -> None:
        self.host = host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.rtp = socket.socket(family, socket.SOCK_DGRAM)
        self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
        for endpoint in (self.rtp, self.rtcp):
            endpoint.bind((host, 0))
            endpoint.settimeout(0.05)
        self.arrivals: list[Arrival] = []
        self.reports: list[bytes] = []
        self._open = True
        self._threads = [threading.Thread(target=self._hear), threading.Thread(target=self._hear_reports)]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int:
        """Where voice is wanted."""
        port: int = self.rtp.getsockname()[1]
        return port

    def media(self, codec: Codec = CODECS["PCMA"], ptime: int = 20) -> NegotiatedMedia:
        """Return what a stream is to be configured with to talk to this end."""
        media = negotiated(self.port, host=self.host, codec=codec, ptime=ptime)
        return replace(media, remote_rtcp=(self.host, self.rtcp.getsockname()[1]))

    def _hear(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                data = self.rtp.recv(2048)
                self.arrivals.append(Arrival(time.monotonic(), parse_packet(data)))

    def _hear_reports(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                self.reports.append(self.rtcp.recv(2048))

    def close(self) -> None:
        """Stop listening."""
        self._open = False
        for thread in self._threads:
            thread.join()
        self.rtp.close()
        self.rtcp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Pair:
    """Two streams that talk to each other."""

    def __init__(self, ours: MediaStream, theirs: MediaStream, heard: Listener, heard_there: Listener) -> None:
        self.ours, self.theirs = ours, theirs
        self.heard, self.heard_there = heard, heard_there

    def connect(self, host: str = LOOPBACK, codec: Codec = CODECS["PCMA"], ptime: int = 20) -> None:
        """Let voice flow."""
        self.ours.configure(negotiated(self.theirs.port, host=host, codec=codec, ptime=ptime))
        self.theirs.configure(negotiated(self.ours.port, host=host, codec=codec, ptime=ptime))


def open_descriptors() -> int:
    """Count the open files and sockets of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def eventually(condition: Callable[[], bool], timeout: float = 5.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other threads
            await asyncio.sleep(0.005)


async def open_stream(engine: MediaEngine, listener: Callable[[StreamEvent], None] | None = None) -> MediaStream:
    """Open a stream on IPv4 loopback."""
    return await engine.open(bind_address=LOOPBACK, ports=PORTS, on_event=listener or Listener())


def sine(frequency: float, seconds: float, *, rate: int = 8000, level: float = -10.0) -> bytes:
    """Return PCM of a sine with peaks at `level` dB of full scale."""
    peak = 32767 * 10 ** (level / 20)
    step = 2 * math.pi * frequency / rate
    return array.array("h", (round(peak * math.sin(step * n)) for n in range(round(seconds * rate)))).tobytes()


def wav(pcm: bytes, *, rate: int = 8000, channels: int = 1) -> bytes:
    """Return a WAV file of PCM."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


def read_wav(path: Path) -> tuple[bytes, int, int]:
    """Return PCM, sample rate and number of channels of a WAV file."""
    with wave.open(str(path), "rb") as reader:
        return reader.readframes(reader.getnframes()), reader.getframerate(), reader.getnchannels()


def level_of(pcm: bytes) -> float:
    """Return the level of a sine by its mean square, as dB of a full-scale sine."""
    samples = array.array("h", pcm)
    power = sum(sample * sample for sample in samples) / max(1, len(samples))
    return 10 * math.log10(max(power, 1e-9) / (32767**2 / 2))


def power_at(pcm: bytes, frequency: float, rate: int) -> float:
    """Return the power of one frequency, of 1 for a full-scale sine."""
    samples = array.array("h", pcm)
    turn = -2j * math.pi * frequency / rate
    total = sum(sample * cmath.exp(turn * n) for n, sample in enumerate(samples))
    return (2 * abs(total) / len(samples) / 32767) ** 2


def frequency_of(pcm: bytes, rate: int) -> float:
    """Return the frequency of a sine by its rising zero crossings, with interpolation."""
    samples = array.array("h", pcm)
    crossings = [
        n - samples[n] / (samples[n] - samples[n - 1])
        for n in range(1, len(samples))
        if samples[n - 1] < 0 <= samples[n]
    ]
    return (len(crossings) - 1) * rate / (crossings[-1] - crossings[0])


def loud_part(pcm: bytes, threshold: int = 200) -> bytes:
    """Return what lies between the first and the last loud sample."""
    samples = array.array("h", pcm)
    loud = [n for n, sample in enumerate(samples) if abs(sample) > threshold]
    return samples[loud[0] : loud[-1] + 1].tobytes() if loud else b""


def split(pcm: bytes) -> tuple[bytes, bytes]:
    """Return left and right of PCM of two channels."""
    samples = array.array("h", pcm)
    return samples[::2].tobytes(), samples[1::2].tobytes()


def first_loud(pcm: bytes, *, from_sample: int = 0, threshold: int = 1000) -> int:
    """Return the number of the first loud sample from one on."""
    samples = array.array("h", pcm)
    first = max(0, from_sample)
    return next(first + n for n, sample in enumerate(samples[first:]) if abs(sample) > threshold)
