"""What the tests of signalling's transports share: an account on loopback, what it was told, and a STUN server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import override

from custom_components.sip_ua.net import connections
from custom_components.sip_ua.net.transport import TransportHandlers, Transports
from custom_components.sip_ua.sip.account import Account, NatMode, NetworkSettings, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.core import Failure
from custom_components.sip_ua.sip.events import RegistrationFailure
from custom_components.sip_ua.sip.stun_message import binding_response, is_stun

UDP, TCP = Transport.UDP, Transport.TCP
HOME = "127.0.0.1"
ACCOUNT = Account(
    number="12",
    domain="example.com",
    server=ServerAddress("192.0.2.1"),
    transport=None,
    network=NetworkSettings(bind_address=HOME),
)
MESSAGE = b"OPTIONS sip:12@example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"
REPLY = b"SIP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"


@dataclass
class Inbox:
    """What the transports told."""

    messages: list[tuple[bytes, Hop]] = field(default_factory=list)
    failures: list[tuple[Address, RegistrationFailure, str]] = field(default_factory=list)
    address_changes: int = 0
    expected: set[str] = field(default_factory=lambda: {HOME, "127.0.0.2", "127.0.0.3"})
    servers: set[str] = field(default_factory=set)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    waited: list[float | None] = field(default_factory=list)
    on_message: Callable[[], None] | None = None

    def message(self, data: bytes, hop: Hop, _now: float, waited: float | None) -> None:
        self.messages.append((data, hop))
        self.waited.append(waited)
        if self.on_message is not None:
            self.on_message()
        self.told.set()

    def failed(self, address: Address, failure: Failure) -> None:
        self.failures.append((address, failure.kind, failure.text))
        self.told.set()

    @property
    def handlers(self) -> TransportHandlers:
        admission = connections.Admission(lambda host: host in self.expected, lambda host: host in self.servers)
        return TransportHandlers(self.message, self.failed, self.address_changed, admission)

    def address_changed(self) -> None:
        self.address_changes += 1
        self.told.set()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.told.clear()
                await self.told.wait()


@dataclass
class Side:
    """One account's transports and what they told."""

    transports: Transports
    inbox: Inbox

    def address(self, kind: Transport) -> Address:
        return Address(kind, HOME, self.transports.port)


type Open = Callable[..., Awaitable[Side]]


def pool_of(side: Side) -> connections.Connections:
    """Return the connections of a side, whose number is seen nowhere else."""
    pool = side.transports._connections  # noqa: SLF001
    assert pool is not None
    return pool


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def settle() -> None:
    """Let the loop do what is ready."""
    for _ in range(20):
        await asyncio.sleep(0)


class StunServer(asyncio.DatagramProtocol):
    """Answers binding requests with an address that a test chooses, after as many as it leaves out."""

    def __init__(self, mapped: HostPort) -> None:
        self.mapped = mapped
        self.requests: list[bytes] = []
        self.left_out = 0
        self.refuses = False
        self.address = HostPort("", 0)
        self.transport: asyncio.DatagramTransport | None = None

    async def start(self) -> HostPort:
        loop = asyncio.get_running_loop()
        self.transport, _protocol = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOME, 0))
        return HostPort(*self.transport.get_extra_info("sockname"))

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert is_stun(data)
        self.requests.append(data)
        if self.refuses and self.transport is not None:
            refusal = b"\x01\x11\0\x08" + data[4:20] + b"\0\x09\0\x04\0\0\x05\0"
            self.transport.sendto(refusal, addr)
        elif len(self.requests) > self.left_out and self.transport is not None:
            self.transport.sendto(binding_response(data, self.mapped)[:-1] + b"\0", addr)
            self.transport.sendto(binding_response(data, self.mapped), addr)


def behind_nat(server: StunServer) -> Account:
    network = NetworkSettings(
        bind_address=HOME, nat=NatMode.STUN, stun_server=ServerAddress(server.address.host, server.address.port)
    )
    return replace(ACCOUNT, network=network)
