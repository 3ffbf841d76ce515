"""Where peers beyond a NAT are told to send voice (RFC 8489, RFC 3605): our ports as a STUN server sees them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import override

import pytest

from custom_components.sip_ua.net import public_address, stun
from custom_components.sip_ua.net.media import MediaEngine, PortRange
from custom_components.sip_ua.net.phone import Phone, PhoneEvent
from custom_components.sip_ua.net.ports import PortPair, PortPool
from custom_components.sip_ua.net.public_address import VoiceAddress
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.sip.address import Address, HostPort, Lookup
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import IncomingCall, MediaChanged
from custom_components.sip_ua.sip.offer_answer import NegotiatedMedia
from tests.interop.peers import free_ports

from .media_support import Listener, open_stream
from .transport_support import ACCOUNT, HOME, UDP, Open, StunServer, behind_nat, eventually

OUTSIDE = "127.0.0.9"
PEER = Address(UDP, HOME, 5060)
PORTS = PortRange(20000, 32000)


class Nat(StunServer):
    """A STUN server beyond a NAT that gives each port another number; it may be deaf to some ports."""

    def __init__(self) -> None:
        super().__init__(HostPort(OUTSIDE, 0))
        self.map: Callable[[int], int] = lambda port: port ^ 1
        self.hears: Callable[[int], bool] = lambda _port: True
        self.asked_from: set[int] = set()

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        port = addr[1]
        self.asked_from.add(port)
        if self.hears(port):
            self.mapped = replace(self.mapped, port=self.map(port))
            super().datagram_received(data, addr)


@pytest.fixture
async def nat() -> AsyncIterator[Nat]:
    server = Nat()
    server.address = await server.start()
    yield server
    assert server.transport is not None
    server.transport.close()


@pytest.fixture
def pair() -> Iterator[PortPair]:
    bound = PortPool().open(HOME, PORTS)
    yield bound
    bound.close()


async def ask(open_side: Open, nat: Nat, pair: PortPair) -> VoiceAddress | None:
    side = await open_side(behind_nat(nat))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    return await side.transports.voice_address(pair, PEER)


async def test_both_ports_are_told_as_they_are_seen(open_side: Open, nat: Nat, pair: PortPair) -> None:
    assert await ask(open_side, nat, pair) == VoiceAddress(OUTSIDE, pair.port + 1, pair.port)


async def test_ports_that_stay_neighbours_need_no_second_number(open_side: Open, nat: Nat, pair: PortPair) -> None:
    nat.map = lambda port: port + 10
    assert await ask(open_side, nat, pair) == VoiceAddress(OUTSIDE, pair.port + 10, None)


async def test_a_voice_whose_rtcp_is_not_seen_is_told_all_the_same(
    open_side: Open, nat: Nat, pair: PortPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_address, "VOICE_TIMEOUT", 0.05)
    nat.hears = lambda port: port != pair.port + 1
    assert await ask(open_side, nat, pair) == VoiceAddress(OUTSIDE, pair.port + 1, None)


async def test_a_silent_server_is_waited_for_but_not_long(
    open_side: Open, nat: Nat, pair: PortPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_address, "VOICE_TIMEOUT", 0.05)
    nat.hears = lambda port: port not in {pair.port, pair.port + 1}
    assert await ask(open_side, nat, pair) is None
    assert {pair.port, pair.port + 1} <= nat.asked_from


async def test_port_nought_is_no_port(open_side: Open, nat: Nat, pair: PortPair) -> None:
    nat.map = lambda _port: 0
    assert await ask(open_side, nat, pair) is None


async def test_a_server_that_refuses_does_not_stop_a_call(open_side: Open, nat: Nat, pair: PortPair) -> None:
    side = await open_side(behind_nat(nat))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    nat.refuses = True
    assert await side.transports.voice_address(pair, PEER) is None


async def test_for_a_peer_at_home_nobody_is_asked(open_side: Open, nat: Nat, pair: PortPair) -> None:
    nat.mapped = HostPort("8.8.4.4", 0)
    assert await ask(open_side, nat, pair) is None
    assert pair.port not in nat.asked_from


async def test_without_stun_nobody_is_asked(open_side: Open, pair: PortPair) -> None:
    side = await open_side(ACCOUNT)
    assert await side.transports.voice_address(pair, PEER) is None


async def test_the_ports_are_shown_before_voice_begins_and_freed_where_that_fails(engine: MediaEngine) -> None:
    shown: list[PortPair] = []

    async def look(pair: PortPair) -> None:
        await asyncio.sleep(0)
        assert engine.streams == len(shown)
        shown.append(pair)
        if len(shown) == 2:
            raise OSError("no")

    stream = await engine.open(bind_address=HOME, ports=PORTS, on_event=Listener(), on_bound=look)
    assert stream.port == shown[0].port
    with pytest.raises(OSError, match="no"):
        await engine.open(bind_address=HOME, ports=PORTS, on_event=Listener(), on_bound=look)
    assert shown[1].rtp.fileno() == shown[1].rtcp.fileno() == -1
    assert engine.streams == 1
    await open_stream(engine)


@dataclass
class End:
    """A telephone that takes every call, and the voice that was agreed on."""

    port: int
    ports: PortRange
    phone: Phone = field(init=False)
    voice: list[NegotiatedMedia] = field(default_factory=list)
    answering: list[asyncio.Task[None]] = field(default_factory=list)

    def hear(self, event: PhoneEvent) -> None:
        if isinstance(event, IncomingCall):
            self.answering.append(asyncio.create_task(self.phone.answer(event.call.id)))
        if isinstance(event, MediaChanged) and event.media is not None:
            self.voice.append(event.media)


type Start = Callable[[PortRange], Awaitable[End]]


@pytest.fixture
async def start(engine: MediaEngine, resolver: Resolver, nat: Nat) -> AsyncIterator[Start]:
    """Give a function that starts telephones without a server; the NAT gives other numbers to voice only."""
    ends: list[End] = []
    nat.mapped = HostPort(HOME, 0)
    nat.map = lambda port: port if any(end.port == port for end in ends) else port ^ 1

    async def start_one(ports: PortRange) -> End:
        port = free_ports()
        network = replace(behind_nat(nat).network, local_port=port, rtp_port_min=ports.first, rtp_port_max=ports.last)
        account = replace(ACCOUNT, server=None, domain="home.example", allow_direct_calls=True, network=network)
        end = End(port, ports)
        end.phone = Phone(account, engine, end.hear, resolver=resolver)
        ends.append(end)
        await end.phone.start()
        return end

    yield start_one
    for end in ends:
        await end.phone.stop()


@pytest.fixture
async def ends(start: Start) -> tuple[End, End]:
    return await start(PortRange(20000, 25999)), await start(PortRange(26000, 31999))


async def call(alice: End, bob: End) -> tuple[NegotiatedMedia, NegotiatedMedia]:
    """Let Alice call Bob, and return what each was told of the other's voice."""
    await alice.phone.dial(f"sip:bob@{HOME}:{bob.port}")
    await eventually(lambda: alice.voice and bob.voice)
    return alice.voice[-1], bob.voice[-1]


async def test_caller_and_called_tell_their_ports_as_seen_from_outside(ends: tuple[End, End]) -> None:
    alice, bob = ends
    for told, other in zip(await call(alice, bob), (bob, alice), strict=True):
        assert told.remote_port % 2, "the number that the NAT gave"
        assert other.ports.first <= told.remote_port <= other.ports.last
        assert told.remote_rtcp == (HOME, told.remote_port - 1)


async def test_where_the_server_does_not_hear_the_voice_its_own_ports_are_told(
    ends: tuple[End, End], nat: Nat, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = ends
    monkeypatch.setattr(public_address, "VOICE_TIMEOUT", 0.05)
    nat.hears = lambda port: port in {alice.port, bob.port}
    for told in await call(alice, bob):
        assert told.remote_port % 2 == 0
        assert told.remote_rtcp == (HOME, told.remote_port + 1)


async def test_a_telephone_that_is_stopped_while_it_asks_keeps_no_port(
    start: Start, nat: Nat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.02)
    alice = await start(PortRange(20000, 25999))
    nat.hears = lambda port: port == alice.port
    dialling = asyncio.create_task(alice.phone.dial(f"sip:bob@{HOME}:9"))
    await eventually(lambda: nat.asked_from - {alice.port})
    await alice.phone.stop()
    nat.hears = lambda _port: True
    with pytest.raises(LocalProtocolError, match="switched off"):
        await dialling
    for port in nat.asked_from - {alice.port}:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOME, port))
