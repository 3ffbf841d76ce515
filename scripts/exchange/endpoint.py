"""The exchange's sockets: one port of loopback for UDP and for TCP (RFC 3261 section 18)."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import override

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.errors import MessageError
from custom_components.sip_ua.sip.framing import PONG, KeepAlive, StreamFramer

TRIES = 20

type OnMessage = Callable[[bytes, Address], None]


class Endpoint:
    """Sends and receives whole messages; keep-alives are answered here (RFC 5626 section 3.5.1)."""

    def __init__(self, host: str, on_message: OnMessage) -> None:
        """Hold a numeric address of this machine; `start` binds it."""
        self.host = host
        self.port = 0
        self._on_message = on_message
        self._datagrams = _Datagrams(self._receive_datagram)
        self._udp: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._connections: dict[Address, asyncio.Transport] = {}

    async def start(self, port: int = 0) -> None:
        """Bind a port, any free one by default; raises OSError where the wanted one is taken."""
        udp, tcp = _bind_both(self.host, port)
        self.port = udp.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self._datagrams, sock=udp)
        self._server = await loop.create_server(lambda: _Connection(self._connections, self._on_message), sock=tcp)

    async def stop(self) -> None:
        """Free the port and every connection."""
        if self._udp is not None:
            self._udp.close()
            await self._datagrams.closed.wait()
        if self._server is not None:
            self._server.close()
            for connection in tuple(self._connections.values()):
                connection.abort()
            await self._server.wait_closed()
        self._udp = self._server = None

    def connected(self, address: Address) -> bool:
        """Whether a message can be sent there: by UDP always, else while the connection is there."""
        return address.transport is Transport.UDP or address in self._connections

    def send(self, address: Address, data: bytes) -> None:
        """Send a message; one over a connection that is gone is lost."""
        if address.transport is Transport.UDP and self._udp is not None:
            self._udp.sendto(data, (address.host, address.port))
        elif (connection := self._connections.get(address)) is not None:
            connection.write(data)

    def _receive_datagram(self, data: bytes, source: Address) -> None:
        if data.strip(b"\r\n"):
            self._on_message(data, source)
        elif data:
            self.send(source, PONG)


def _bind_both(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind the same port for UDP and TCP."""
    for attempt in range(TRIES):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((host, port))
            tcp.bind(udp.getsockname())
        except OSError as error:
            udp.close()
            tcp.close()
            if port or error.errno != errno.EADDRINUSE or attempt == TRIES - 1:
                raise
        else:
            return udp, tcp
    raise AssertionError


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: one datagram, one message."""

    def __init__(self, receive: OnMessage) -> None:
        self._receive = receive
        self.closed = asyncio.Event()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receive(data, Address(Transport.UDP, addr[0], addr[1]))


class _Connection(asyncio.Protocol):
    """TCP: messages by their Content-Length (RFC 3261 section 18.3)."""

    def __init__(self, connections: dict[Address, asyncio.Transport], on_message: OnMessage) -> None:
        self._connections = connections
        self._on_message = on_message
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._peer = Address(Transport.TCP, "", 0)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            host, port = transport.get_extra_info("peername")[:2]
            self._peer = Address(Transport.TCP, host, port)
            self._transport = self._connections[self._peer] = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.pop(self._peer, None)

    @override
    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        with contextlib.suppress(MessageError):
            for frame in self._framer.feed(data):
                if isinstance(frame, bytes):
                    self._on_message(frame, self._peer)
                elif frame is KeepAlive.PING:
                    self._transport.write(PONG)
            return
        self._transport.abort()
