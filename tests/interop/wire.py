"""A registrar of bare bytes: accepts every REGISTER, keeps what it receives, sends whatever it is told to.

It shares no line with the product, so that a mistake there is not repeated here.
"""

import asyncio
import contextlib
import itertools
import re
from collections.abc import AsyncIterator
from typing import override

from .peers import LOOPBACK, PeerError, until

STRANGER = "127.0.0.2"
"""Another host, as far as the phone can tell."""
GRANTED_SECONDS = 3600
_numbers = itertools.count(1)


class Wire(asyncio.DatagramProtocol):
    """A UDP socket that keeps every datagram and, as a registrar, answers REGISTER."""

    def __init__(self, *, registrar: bool = False) -> None:
        """Make one; `wire` opens it."""
        self.received: list[bytes] = []
        self.phone: tuple[str, int] | None = None
        self._registrar = registrar
        self._transport: asyncio.DatagramTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the open socket."""
        if isinstance(transport, asyncio.DatagramTransport):
            self._transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep the datagram; register whoever asks."""
        self.received.append(data)
        if self._registrar and data.startswith(b"REGISTER "):
            self.phone = addr
            self.send(answer(data, "200 OK", to_tag="registrar", extra=self._granted(data)), addr)

    @staticmethod
    def _granted(request: bytes) -> str:
        """Return the Contact of a REGISTER with the granted time, nothing where it unregisters."""
        text = request.decode()
        contact = re.search(r"^Contact: *(<[^>]*>)", text, re.MULTILINE)
        ends = re.search(r"expires[=:] *0\b", text, re.IGNORECASE)
        return "" if contact is None or ends else f"Contact: {contact[1]};expires={GRANTED_SECONDS}\r\n"

    @property
    def port(self) -> int:
        """Return the local port."""
        return int(self._open.get_extra_info("sockname")[1])

    @property
    def address(self) -> str:
        """Return the local `host:port`."""
        host, port = self._open.get_extra_info("sockname")
        return f"{host}:{port}"

    @property
    def _open(self) -> asyncio.DatagramTransport:
        if self._transport is None:
            raise PeerError("the socket is not open")
        return self._transport

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        """Send one datagram."""
        self._open.sendto(data, to)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    async def until_answer(self, call_id: str, method: str) -> bytes:
        """Wait for the response to a request that was sent with this Call-ID, and return it."""
        marks = (b"SIP/2.0 ", call_id.encode(), f" {method}\r\n".encode())

        def found() -> bytes:
            return next(
                (data for data in self.received if data.startswith(marks[0]) and all(m in data for m in marks)), b""
            )

        return await until(found, f"an answer to {method}")

    async def until_alive(self, to: tuple[str, int]) -> bytes:
        """Send OPTIONS and wait for its answer: everything sent before has been read by then."""
        call_id = f"alive-{next(_numbers)}@test"
        self.send(request("OPTIONS", to, self.address, call_id=call_id), to)
        return await self.until_answer(call_id, "OPTIONS")


@contextlib.asynccontextmanager
async def wire(host: str = LOOPBACK, *, registrar: bool = False) -> AsyncIterator[Wire]:
    """Open a socket on a free port of `host`."""
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Wire(registrar=registrar), local_addr=(host, 0)
    )
    try:
        yield protocol
    finally:
        protocol.close()


def request(
    method: str,
    to: tuple[str, int],
    sender: str,
    *,
    call_id: str | None = None,
    extra: str = "",
    body: str = "",
    length: str | None = None,
) -> bytes:
    """Return a well-formed request to the phone at `to` from `sender`, both `host:port`."""
    number = next(_numbers)
    length = str(len(body)) if length is None else length
    return (
        f"{method} sip:ha@{to[0]}:{to[1]} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {sender};branch=z9hG4bKwire{number};rport\r\n"
        f"From: <sip:wire@{sender}>;tag=wire{number}\r\n"
        f"To: <sip:ha@{to[0]}>\r\n"
        f"Call-ID: {call_id or f'wire-{number}@test'}\r\n"
        f"CSeq: 1 {method}\r\n"
        f"Contact: <sip:wire@{sender}>\r\n"
        f"Max-Forwards: 70\r\n{extra}"
        f"Content-Length: {length}\r\n\r\n{body}"
    ).encode()


def answer(to: bytes, status: str, *, to_tag: str, extra: str = "") -> bytes:
    """Return a response to a request, its identifying header fields copied."""
    lines = [f"SIP/2.0 {status}"]
    for line in to.decode(errors="replace").split("\r\n\r\n")[0].split("\r\n")[1:]:
        name = line.partition(":")[0].lower()
        if name in ("via", "from", "call-id", "cseq"):
            lines.append(line)
        elif name == "to":
            lines.append(line if ";tag=" in line else f"{line};tag={to_tag}")
    return ("\r\n".join(lines) + f"\r\n{extra}Content-Length: 0\r\n\r\n").encode()


def offer(host: str, port: int) -> str:
    """Return a session description that offers G.711."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    )
