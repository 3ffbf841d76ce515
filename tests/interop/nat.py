"""A router on loopback: what comes to its inner side goes on to the server from its outer one, which may change."""

import asyncio
from typing import Self, override

from .peers.ports import LOOPBACK

OUTSIDE = "127.0.0.2"

type UdpAddress = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    """One socket of the router, with who spoke to it last."""

    def __init__(self) -> None:
        self.peer: UdpAddress | None = None
        self.other: _Side | None = None
        self.transport: asyncio.DatagramTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    @override
    def datagram_received(self, data: bytes, addr: UdpAddress) -> None:
        self.peer = addr
        if self.other is not None:
            self.other.send(data)

    def send(self, data: bytes) -> None:
        if self.transport is not None and self.peer is not None:
            self.transport.sendto(data, self.peer)

    @property
    def port(self) -> int:
        assert self.transport is not None
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class Nat:
    """Stands between one telephone and one server on this machine; use it as a context."""

    def __init__(self, server_port: int) -> None:
        """Prepare to stand in front of a server on loopback."""
        self._server: UdpAddress = (LOOPBACK, server_port)
        self._inside = _Side()
        self._outside = _Side()

    async def __aenter__(self) -> Self:
        """Open both sides."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self._inside, local_addr=(LOOPBACK, 0))
        await self.renew()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close both sides."""
        self._inside.close()
        self._outside.close()
        await asyncio.sleep(0)

    async def renew(self) -> None:
        """Give the telephone another public address, as a router does that was restarted."""
        self._outside.close()
        self._outside = _Side()
        self._outside.peer = self._server
        self._outside.other, self._inside.other = self._inside, self._outside
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self._outside, local_addr=(OUTSIDE, 0))

    @property
    def port(self) -> int:
        """Return the port at which the telephone finds its server."""
        return self._inside.port

    @property
    def public(self) -> str:
        """Return `host:port` at which the server finds the telephone."""
        return f"{OUTSIDE}:{self._outside.port}"
