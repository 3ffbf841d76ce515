"""A far end's voice made of bare packets, from as many sockets and under as many names as a fault needs."""

import asyncio
import contextlib
import socket
from typing import Final, Self

from .peers import LOOPBACK
from .peers.process import POLL_SECONDS

PTIME: Final = 0.02
SAMPLES: Final = 160
PAYLOAD: Final = b"\x55" * SAMPLES
PAYLOAD_TYPE: Final = 8


class BareVoice:
    """A UDP socket that sends packets of A-law to a port while it is open, and keeps what comes there.

    It shares no line with the product. `ssrc` may be changed at any time, `target` too; None sends nothing.
    """

    def __init__(self, target: int | None, *, ssrc: int = 0x1234) -> None:
        """Open the socket."""
        self.target = target
        self.ssrc = ssrc
        self.heard: list[bytes] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOOPBACK, 0))
        self.socket.settimeout(0.0)
        self._task: asyncio.Task[None] | None = None
        self._number = 0

    @property
    def port(self) -> int:
        """Where it is."""
        port: int = self.socket.getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Begin to send."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Fall silent, and be gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self.socket.close()

    async def _run(self) -> None:
        while True:
            if self.target is not None:
                self.socket.sendto(self._packet(), (LOOPBACK, self.target))
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.heard.append(self.socket.recv(2048))
            await asyncio.sleep(PTIME)

    def _packet(self) -> bytes:
        number = self._number
        self._number += 1
        head = bytes((0x80, PAYLOAD_TYPE | (0 if number else 0x80))) + (number & 0xFFFF).to_bytes(2)
        return head + (number * SAMPLES & 0xFFFF_FFFF).to_bytes(4) + self.ssrc.to_bytes(4) + PAYLOAD

    async def until_heard(self, packets: int, seconds: float = 30.0) -> list[bytes]:
        """Wait until so many more packets came, and return them."""
        begin = len(self.heard)
        async with asyncio.timeout(seconds):
            while len(self.heard) < begin + packets:  # noqa: ASYNC110 - what comes, comes to a socket
                await asyncio.sleep(POLL_SECONDS)
        return self.heard[begin:]


def source_of(packet: bytes) -> int:
    """Return the SSRC of a packet (RFC 3550 section 5.1)."""
    return int.from_bytes(packet[8:12])
