"""The voice of one call at the exchange: an echo, a tone or silence, paced by the event loop."""

import asyncio
import math
import os
import socket
import time
from array import array
from collections.abc import Callable
from enum import Enum, auto

from custom_components.sip_ua.net.media_stream import media_parameters
from custom_components.sip_ua.net.ports import PortPool, PortRange
from custom_components.sip_ua.rtp.errors import RtpUsageError
from custom_components.sip_ua.rtp.events import DigitReceived
from custom_components.sip_ua.rtp.parameters import Outgoing, RtpConfig
from custom_components.sip_ua.rtp.session import RtpSession, RtpStatistics
from custom_components.sip_ua.sip.offer_answer import NegotiatedMedia

PORTS = PortRange(53000, 54999)
LARGEST_DATAGRAM = 2048
TONE_FREQUENCY = 1000
TONE_PEAK = 8000
MAX_DIGITS = 64


class Sound(Enum):
    """What a caller hears."""

    SILENCE = auto()
    ECHO = auto()
    TONE = auto()


class Voice:
    """Two sockets of loopback and an RTP session; `digits` are the keys that were heard."""

    def __init__(self, host: str, ports: PortPool, sound: Sound) -> None:
        """Bind a pair of ports; raises NoPortError."""
        self.digits = ""
        self._pair = ports.open(host, PORTS)
        self._sound = sound
        self._session = RtpSession(
            RtpConfig(media_timeout=0.0),
            ssrc=int.from_bytes(os.urandom(4)),
            first_sequence=int.from_bytes(os.urandom(2)),
            first_timestamp=int.from_bytes(os.urandom(4)),
            cname=os.urandom(12).hex(),
            wallclock_offset=time.time() - time.monotonic(),
            entropy=os.urandom,
        )
        self._media: NegotiatedMedia | None = None
        self._pacing: asyncio.Task[None] | None = None
        self._phase = 0
        self.port = self._pair.port

    def configure(self, media: NegotiatedMedia) -> None:
        """Start or change the voice as offer and answer agreed."""
        self._media = media
        self._session.configure(media_parameters(media), time.monotonic())
        if self._pacing is None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._pair.rtp, self._read, self._pair.rtp, self._session.receive_rtp)
            loop.add_reader(self._pair.rtcp, self._read, self._pair.rtcp, self._session.receive_rtcp)
            self._pacing = loop.create_task(self._pace(), name=f"exchange voice {self.port}")

    def send_digits(self, digits: str) -> None:
        """Press keys (RFC 4733); a caller who takes no telephone events hears none."""
        try:
            self._session.send_digits(digits)
        except RtpUsageError:
            return

    @property
    def statistics(self) -> RtpStatistics | None:
        """The figures so far, None where no voice began."""
        return self._session.statistics(time.monotonic()) if self._session.configured else None

    def close(self) -> None:
        """Say goodbye and free the ports."""
        if self._pacing is not None:
            self._pacing.cancel()
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._pair.rtp)
            loop.remove_reader(self._pair.rtcp)
            _send(self._pair.rtcp, self._session.bye(time.monotonic()))
        self._pair.close()

    def _read(self, readable: socket.socket, receive: Callable[[bytes, tuple[str, int], float], None]) -> None:
        try:
            data, source = readable.recvfrom(LARGEST_DATAGRAM)
        except OSError:
            return
        receive(data, source[:2], time.monotonic())

    async def _pace(self) -> None:
        """Send a packet each ptime, by a schedule that does not drift."""
        due = time.monotonic()
        while self._media is not None:
            now = time.monotonic()
            heard = self._session.play_out(now)
            _send(self._pair.rtp, self._session.send_frame(self._frame(heard), now))
            _send(self._pair.rtcp, self._session.rtcp_due(now))
            for event in self._session.events():
                if isinstance(event, DigitReceived):
                    self.digits = (self.digits + event.digit)[-MAX_DIGITS:]
            due = max(due + self._media.ptime / 1000, now)
            await asyncio.sleep(due - time.monotonic())

    def _frame(self, heard: bytes) -> bytes | None:
        """Return what is said in this ptime."""
        if self._sound is Sound.ECHO:
            return heard
        if self._sound is Sound.SILENCE:
            return None
        step = math.tau * TONE_FREQUENCY / self._session.send_codec.sample_rate
        count = self._session.frame_bytes // 2
        frame = array("h", (round(TONE_PEAK * math.sin(step * (self._phase + index))) for index in range(count)))
        self._phase += count
        return frame.tobytes()


def _send(sender: socket.socket, packets: list[Outgoing]) -> None:
    """Send what can be sent; loopback loses nothing that matters here."""
    for data, address in packets:
        try:
            sender.sendto(data, address)
        except OSError:
            return
