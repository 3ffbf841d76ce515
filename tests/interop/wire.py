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


class Mailbag:
    """What a registrar of bytes has received, and how it answers."""

    def __init__(self, *, registrar: bool) -> None:
        """Make an empty one; a `registrar` accepts every REGISTER."""
        self.received: list[bytes] = []
        self.phone: tuple[str, int] | None = None
        self._registrar = registrar

    def _keep(self, data: bytes) -> bytes | None:
        """Keep a message and return the response that a registrar gives it, None where it gives none."""
        self.received.append(data)
        if not self._registrar or not data.startswith(b"REGISTER "):
            return None
        granted = ""
        if re.search(rb"^Contact: *<", data, re.MULTILINE):
            self.phone, granted = contact_of(data)
            if re.search(rb"expires[=:] *0\b", data, re.IGNORECASE):
                granted = ""
        return answer(data, "200 OK", to_tag="registrar", extra=granted)

    def requests(self, method: str) -> list[bytes]:
        """Return the requests of a method that have come."""
        return [data for data in self.received if data.startswith(f"{method} ".encode())]

    async def until_request(self, method: str) -> bytes:
        """Wait for a request and return the first."""
        await until(lambda: self.requests(method), f"a {method}")
        return self.requests(method)[0]

    async def until_answer(self, call_id: str, method: str, *, code: int | None = None) -> bytes:
        """Wait for the response to a request that was sent with this Call-ID, and return it."""
        start = b"SIP/2.0 " + (b"" if code is None else str(code).encode())
        marks = (call_id.encode(), f" {method}\r\n".encode())

        def found() -> bytes:
            answers = (data for data in self.received if data.startswith(start))
            return next((data for data in answers if all(mark in data for mark in marks)), b"")

        return await until(found, f"an answer to {method}")


class Wire(Mailbag, asyncio.DatagramProtocol):
    """A UDP socket that keeps every datagram and, as a registrar, answers REGISTER."""

    def __init__(self, *, registrar: bool = False) -> None:
        """Make one; `wire` opens it."""
        super().__init__(registrar=registrar)
        self._transport: asyncio.DatagramTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the open socket."""
        if isinstance(transport, asyncio.DatagramTransport):
            self._transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep the datagram; register whoever asks."""
        if response := self._keep(data):
            self.send(response, addr)

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

    async def until_alive(self, to: tuple[str, int]) -> bytes:
        """Send OPTIONS and wait for its answer: everything sent before has been read by then."""
        call_id = f"alive-{next(_numbers)}@test"
        self.send(request("OPTIONS", to, self.address, call_id=call_id), to)
        return await self.until_answer(call_id, "OPTIONS")


class StreamWire(Mailbag):
    """A registrar over TCP: keeps every message that comes over a connection of the phone."""

    def __init__(self) -> None:
        """Make one; `stream_wire` opens it."""
        super().__init__(registrar=True)
        self.port = 0
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read messages by their Content-Length until the connection ends."""
        self.connections += 1
        self._writer = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.strip():
                    continue
                length = re.search(rb"^Content-Length: *(\d+)", head, re.MULTILINE | re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                if response := self._keep(head.lstrip() + body):
                    writer.write(response)
        writer.close()

    async def until_alive(self) -> bytes:
        """Send OPTIONS over the connection of the phone and wait for its answer."""
        if self._writer is None or self.phone is None:
            raise PeerError("the phone has not registered")
        call_id = f"alive-{next(_numbers)}@test"
        self._writer.write(request("OPTIONS", self.phone, f"{LOOPBACK}:{self.port}", call_id=call_id, via="TCP"))
        return await self.until_answer(call_id, "OPTIONS")

    def close(self) -> None:
        """Close the connection of the phone."""
        if self._writer is not None:
            self._writer.close()


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


@contextlib.asynccontextmanager
async def stream_wire() -> AsyncIterator[StreamWire]:
    """Open a registrar over TCP on a free port."""
    registrar = StreamWire()
    server = await asyncio.start_server(registrar.serve, LOOPBACK, 0)
    registrar.port = server.sockets[0].getsockname()[1]
    try:
        yield registrar
    finally:
        server.close()
        registrar.close()


def request(
    method: str,
    to: tuple[str, int],
    sender: str,
    *,
    call_id: str | None = None,
    extra: str = "",
    body: str = "",
    length: str | None = None,
    via: str = "UDP",
) -> bytes:
    """Return a well-formed request to the phone at `to` from `sender`, both `host:port`."""
    number = next(_numbers)
    length = str(len(body)) if length is None else length
    return (
        f"{method} sip:ha@{to[0]}:{to[1]} SIP/2.0\r\n"
        f"Via: SIP/2.0/{via} {sender};branch=z9hG4bKwire{number};rport\r\n"
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


def contact_of(register: bytes) -> tuple[tuple[str, int], str]:
    """Return where the phone that registers is reached, and the header field that grants that."""
    found = re.search(r"^Contact: *(<sip:[^@>]*@([^:;>]*):(\d+)[^>]*>)", register.decode(), re.MULTILINE)
    if found is None:
        raise PeerError("the request has no contact")
    return (found[2], int(found[3])), f"Contact: {found[1]};expires={GRANTED_SECONDS}\r\n"


def acknowledge(accepted: bytes, to: tuple[str, int]) -> bytes:
    """Return the ACK to a 200 that answered an INVITE, sent straight to the phone."""
    lines = [f"ACK sip:ha@{to[0]}:{to[1]} SIP/2.0"]
    for line in accepted.decode().split("\r\n\r\n")[0].split("\r\n")[1:]:
        name = line.partition(":")[0].lower()
        if name == "via":
            lines.append(re.sub(r"branch=[^;]+", f"branch=z9hG4bKack{next(_numbers)}", line))
        elif name == "cseq":
            lines.append(line.replace("INVITE", "ACK"))
        elif name in ("from", "to", "call-id"):
            lines.append(line)
    return ("\r\n".join(lines) + "\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()


def offer(host: str, port: int) -> str:
    """Return a session description that offers G.711."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8 0\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    )
