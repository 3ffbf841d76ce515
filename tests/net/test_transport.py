"""Messages of one account over UDP and TCP on loopback (RFC 3261 section 18, RFC 5626)."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import override

import pytest

from custom_components.sip_ua.net import connections, public_address, stun, tcp, transport, udp
from custom_components.sip_ua.net.errors import LocalAddressError, LocalPortInUseError, ResolutionError
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.tls import TlsContexts
from custom_components.sip_ua.net.transport import TransportHandlers, Transports
from custom_components.sip_ua.sip.account import (
    Account,
    NatMode,
    NetworkSettings,
    ServerAddress,
    Transport,
)
from custom_components.sip_ua.sip.address import Address, Hop, HostPort, Lookup
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
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def message(self, data: bytes, hop: Hop) -> None:
        self.messages.append((data, hop))
        self.told.set()

    def failed(self, address: Address, failure: RegistrationFailure, text: str) -> None:
        self.failures.append((address, failure, text))
        self.told.set()

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


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    resolver = Resolver(nameservers=["127.0.0.1:9"])
    yield resolver
    await resolver.close()


@pytest.fixture
async def open_side(resolver: Resolver) -> AsyncIterator[Open]:
    sides: list[Side] = []

    async def open_one(account: Account = ACCOUNT) -> Side:
        inbox = Inbox()
        handlers = TransportHandlers(inbox.message, inbox.failed, inbox.address_changed)
        side = Side(Transports(account, resolver, handlers), inbox)
        await side.transports.start()
        sides.append(side)
        return side

    yield open_one
    for side in sides:
        await side.transports.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOME, 0))
        port: int = probe.getsockname()[1]
        return port


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


# UDP


async def test_a_datagram_arrives_with_the_hop_that_it_came_over(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(UDP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    local = HostPort(HOME, other.transports.port)
    assert other.inbox.messages == [(MESSAGE, Hop(one.address(UDP), local))]
    other.transports.send(one.address(UDP), REPLY)
    await one.inbox.until(lambda: one.inbox.messages)
    assert one.inbox.messages[0][0] == REPLY


async def test_keep_alives_and_empty_datagrams_are_nobodys_business(open_side: Open) -> None:
    side = await open_side()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for data in (b"", b"\r\n\r\n", b"\0\0\0\0", b"\r\n", b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), MESSAGE):
            peer.sendto(data, (HOME, side.transports.port))
    await side.inbox.until(lambda: side.inbox.messages)
    assert [data for data, _hop in side.inbox.messages] == [MESSAGE]


async def test_the_largest_datagram_is_received_whole(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    large = MESSAGE + bytes(65507 - len(MESSAGE))
    one.transports.send(other.address(UDP), large)
    await other.inbox.until(lambda: other.inbox.messages)
    assert other.inbox.messages[0][0] == large


async def test_a_datagram_that_is_too_large_fails_and_harms_nobody(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(UDP), bytes(65508))
    assert one.inbox.failures == []
    await one.inbox.until(lambda: one.inbox.failures)
    assert one.inbox.failures[0][:2] == (other.address(UDP), RegistrationFailure.NO_ANSWER)


async def test_a_port_where_nobody_listens_is_told_at_once_and_by_its_address(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    nobody = Address(UDP, HOME, free_port())
    one.transports.send(nobody, MESSAGE)
    await one.inbox.until(lambda: one.inbox.failures)
    expected = (nobody, RegistrationFailure.CONNECTION_REFUSED, "nothing listens on this port")
    assert one.inbox.failures == [expected]
    # The error of one peer does not swallow the message for another.
    one.transports.send(nobody, MESSAGE)
    await asyncio.sleep(0.01)
    one.transports.send(other.address(UDP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    await one.inbox.until(lambda: len(one.inbox.failures) == 2)
    assert one.inbox.failures[1] == expected


async def test_both_versions_of_ip_share_one_port(open_side: Open) -> None:
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    for family, host in ((socket.AF_INET, HOME), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as peer:
            peer.bind((host, 0))
            peer.sendto(MESSAGE, (host, side.transports.port))
            await side.inbox.until(lambda: side.inbox.messages)
            data, hop = side.inbox.messages.pop()
            assert data == MESSAGE
            assert hop == Hop(Address(UDP, host, peer.getsockname()[1]), HostPort(host, side.transports.port))


async def test_a_machine_without_ipv6_does_with_ipv4(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    real = udp.bind

    def bind(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
        if ":" in host:
            raise LocalAddressError(host)
        return real(kind, host, port)

    monkeypatch.setattr(transport, "bind", bind)
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    distant = Address(UDP, "::1", 5060)
    assert side.transports.local_for(distant) is None
    side.transports.send(distant, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    assert side.inbox.failures == [(distant, RegistrationFailure.NO_ANSWER, "this machine has no way there")]
    with pytest.raises(ResolutionError):
        await side.transports.locate(Lookup(1, "::1", None, UDP))


@pytest.mark.parametrize("kind", [UDP, TCP])
async def test_a_name_where_an_address_belongs_is_never_asked_of_the_system(
    open_side: Open, kind: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = await open_side()
    name = Address(kind, "pbx.example.com", 5060)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    side.transports.send(name, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    assert side.inbox.failures == [(name, RegistrationFailure.NO_ANSWER, "this machine has no way there")]
    assert side.transports.local_for(name) is None


async def test_a_port_in_use_is_told_by_its_number_and_nothing_stays_bound(resolver: Resolver) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as busy:
        busy.bind((HOME, 0))
        busy.listen()
        port = busy.getsockname()[1]
        inbox = Inbox()
        account = replace(ACCOUNT, network=NetworkSettings(bind_address=HOME, local_port=port))
        handlers = TransportHandlers(inbox.message, inbox.failed, inbox.address_changed)
        transports = Transports(account, resolver, handlers)
        with pytest.raises(LocalPortInUseError) as caught:
            await transports.start()
        assert caught.value.port == port
        await transports.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as now_free:
            now_free.bind((HOME, port))


async def test_a_chosen_port_is_used_and_free_again_afterwards(open_side: Open) -> None:
    port = free_port()
    account = replace(ACCOUNT, network=NetworkSettings(bind_address=HOME, local_port=port))
    for _ in range(2):
        side = await open_side(account)
        assert side.transports.port == port
        await side.transports.close()
        await side.transports.close()
        side.transports.send(Address(UDP, HOME, port), MESSAGE)
        side.transports.send(Address(TCP, HOME, port), MESSAGE)


async def test_an_address_of_another_machine_is_told(resolver: Resolver) -> None:
    account = replace(ACCOUNT, network=NetworkSettings(bind_address="192.0.2.99"))
    inbox = Inbox()
    transports = Transports(account, resolver, TransportHandlers(inbox.message, inbox.failed, inbox.address_changed))
    with pytest.raises(LocalAddressError, match=r"192\.0\.2\.99 is no address of this machine"):
        await transports.start()


async def test_a_full_buffer_loses_a_datagram_and_counts_it() -> None:
    with pytest.MonkeyPatch.context() as patch:
        bound = udp.bind(socket.SOCK_DGRAM, HOME, 0)
        opened = udp.UdpSocket(bound, lambda *_: None, lambda *_: None)

        class Full:
            def sendto(self, *_args: object) -> None:
                raise BlockingIOError(errno.EAGAIN, "full")

        patch.setattr(opened, "_socket", Full())
        opened.send(b"x", HOME, 9)
        assert opened.dropped == 1
        patch.undo()
        opened.close()
        opened.send(b"x", HOME, 9)


# TCP


async def test_a_connection_is_made_on_demand_and_used_both_ways(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    one.transports.send(other.address(TCP), REPLY)
    await other.inbox.until(lambda: len(other.inbox.messages) == 2)
    (first, hop), (second, _same) = other.inbox.messages
    assert (first, second) == (MESSAGE, REPLY)
    assert hop.remote.transport is TCP
    assert hop.remote.port != one.transports.port
    assert hop.local == HostPort(HOME, other.transports.port)
    other.transports.send(hop.remote, REPLY)
    await one.inbox.until(lambda: one.inbox.messages)
    assert one.inbox.messages == [(REPLY, Hop(other.address(TCP), HostPort(HOME, one.transports.port)))]
    assert len(pool_of(one)) == len(pool_of(other)) == 1


async def test_a_message_in_pieces_arrives_whole(open_side: Open) -> None:
    side = await open_side()
    reader, writer = await asyncio.open_connection(HOME, side.transports.port)
    for octet in (REPLY + MESSAGE)[:-1]:
        writer.write(bytes([octet]))
        await writer.drain()
    await side.inbox.until(lambda: side.inbox.messages)
    assert [data for data, _hop in side.inbox.messages] == [REPLY]
    writer.write(b"\n\r\n\r\n")
    assert await reader.readexactly(2) == b"\r\n"
    assert [data for data, _hop in side.inbox.messages] == [REPLY, MESSAGE]
    writer.close()
    await writer.wait_closed()


async def test_a_refused_connection_is_told_with_its_cause(open_side: Open) -> None:
    side = await open_side()
    nobody = Address(TCP, HOME, free_port())
    side.transports.send(nobody, MESSAGE)
    side.transports.send(nobody, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    await settle()
    assert side.inbox.failures == [(nobody, RegistrationFailure.CONNECTION_REFUSED, "nothing listens on this port")]


async def test_a_peer_that_does_not_answer_is_given_up(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    side = await open_side()
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.05)

    async def never(*_args: object, **_kwargs: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    distant = Address(TCP, "192.0.2.1", 5060)
    side.transports.send(distant, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    assert side.inbox.failures == [(distant, RegistrationFailure.NO_ANSWER, "no answer within 0 s")]


async def test_a_lost_connection_is_told_and_made_anew(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    port = other.transports.port
    await other.transports.close()
    await one.inbox.until(lambda: one.inbox.failures)
    expected = (Address(TCP, HOME, port), RegistrationFailure.CONNECTION_REFUSED)
    assert one.inbox.failures[0][:2] == expected
    account = replace(ACCOUNT, network=NetworkSettings(bind_address=HOME, local_port=port))
    again = await open_side(account)
    one.transports.send(again.address(TCP), MESSAGE)
    await again.inbox.until(lambda: again.inbox.messages)


async def test_a_stream_that_is_no_sip_is_closed(open_side: Open) -> None:
    side = await open_side()
    reader, writer = await asyncio.open_connection(HOME, side.transports.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert side.inbox.messages == []
    writer.close()


async def test_connections_from_one_host_are_bounded(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_FROM_HOST", 2)
    side = await open_side()
    streams = [await asyncio.open_connection(HOME, side.transports.port) for _ in range(3)]
    assert await asyncio.wait_for(streams[2][0].read(), 5) == b""
    streams[0][1].write(MESSAGE)
    await side.inbox.until(lambda: side.inbox.messages)
    assert len(pool_of(side)) == 2
    assert side.inbox.failures == []
    for _reader, writer in streams:
        writer.close()


async def test_connections_that_we_make_are_bounded(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    one.transports.send(Address(TCP, HOME, 1), MESSAGE)
    await one.inbox.until(lambda: one.inbox.failures)
    assert one.inbox.failures[0][2] == "too many connections are open"


async def test_a_peer_that_takes_nothing_off_our_hands_is_given_up(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "MAX_WRITE_BUFFER", 100_000)
    side = await open_side()
    async with deaf_server() as port:
        peer = Address(TCP, HOME, port)
        for _ in range(20):
            side.transports.send(peer, bytes(10_000))
        await side.inbox.until(lambda: side.inbox.failures)
        assert side.inbox.failures == [(peer, RegistrationFailure.NO_ANSWER, "too much waits to be sent")]
        side.inbox.failures.clear()
        side.transports.send(peer, b"x")
        await settle()
        await asyncio.sleep(0.05)
        for _ in range(2000):
            side.transports.send(peer, bytes(10_000))
            if side.inbox.failures:
                break
            await asyncio.sleep(0)
        assert side.inbox.failures == [(peer, RegistrationFailure.NO_ANSWER, "too much waits to be sent")]


@asynccontextmanager
async def deaf_server(answer: bytes = b"") -> AsyncIterator[int]:
    """Accept connections, answer the first octets of each once, and read no more."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer:
            await reader.read(100)
            writer.write(answer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can

    server = await asyncio.start_server(serve, HOME, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.transport.abort()


async def test_our_connections_are_kept_alive() -> None:
    inbox = Inbox()
    pool = connections.Connections(
        received=lambda _data, _source: None,
        failed=inbox.failed,
        names=lambda _address: (),
        tls=TlsContexts(),
        verify=True,
        keep_alive=0.03,
    )
    received = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await reader.readexactly(len(MESSAGE)))
        received.put_nowait(await reader.readexactly(4))
        received.put_nowait(await reader.readexactly(4))
        writer.close()

    async with await asyncio.start_server(serve, HOME, 0) as server:
        pool.send(Address(TCP, HOME, server.sockets[0].getsockname()[1]), MESSAGE)
        async with asyncio.timeout(5):
            assert [await received.get() for _ in range(3)] == [MESSAGE, b"\r\n\r\n", b"\r\n\r\n"]
        await pool.close()
    assert inbox.failures == []


async def test_a_peer_that_used_to_answer_keep_alives_must_go_on(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "PONG_TIMEOUT", 0.05)
    side = await open_side()
    async with deaf_server(b"\r\n") as port:
        peer = Address(TCP, HOME, port)
        side.transports.send(peer, MESSAGE)
        connection = pool_of(side)._open[peer]  # noqa: SLF001 - whose state is seen nowhere else
        await eventually(lambda: connection._answers_pings)  # noqa: SLF001
        connection.ping()
        await side.inbox.until(lambda: side.inbox.failures)
        assert side.inbox.failures == [(peer, RegistrationFailure.NO_ANSWER, "no answer to a keep-alive")]


async def test_a_peer_that_never_answered_keep_alives_need_not(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "PONG_TIMEOUT", 0.01)
    side = await open_side()
    async with deaf_server(REPLY) as port:
        peer = Address(TCP, HOME, port)
        side.transports.send(peer, MESSAGE)
        await side.inbox.until(lambda: side.inbox.messages)
        pool_of(side).maintain()
        await asyncio.sleep(0.05)
        assert side.inbox.failures == []


async def test_what_strangers_leave_open_is_closed(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "INCOMING_IDLE", -1.0)
    side = await open_side()
    reader, writer = await asyncio.open_connection(HOME, side.transports.port)
    await settle()
    pool_of(side).maintain()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert side.inbox.failures == []
    writer.close()


async def test_an_account_over_udp_accepts_no_connections(open_side: Open) -> None:
    side = await open_side(replace(ACCOUNT, transport=UDP))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOME, side.transports.port)


async def test_closing_still_sends_what_was_written(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    for _ in range(50):
        one.transports.send(other.address(TCP), REPLY)
    await one.transports.close()
    await other.inbox.until(lambda: len(other.inbox.messages) == 51)


async def test_closing_in_the_middle_of_connecting_leaves_nothing(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await one.transports.close()
    assert one.inbox.failures == []


async def test_nobody_is_told_anything_after_closing(open_side: Open) -> None:
    one = await open_side()
    one.transports.send(Address(UDP, HOME, free_port()), bytes(65508))
    one.transports.send(Address(TCP, HOME, free_port()), MESSAGE)
    await one.transports.close()
    await asyncio.sleep(0.02)
    assert one.inbox == Inbox(told=one.inbox.told)


async def test_another_network_means_other_connections(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    one.transports.network_changed()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: len(other.inbox.messages) == 2)
    first, second = (hop.remote for _data, hop in other.inbox.messages)
    assert first != second
    assert one.inbox.failures == []


# Where we are


async def test_a_hop_names_the_address_that_the_peer_is_reached_from(open_side: Open) -> None:
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    here = HostPort(HOME, side.transports.port)
    lookup = Lookup(1, HOME, 5070, UDP)
    expected = [Hop(Address(UDP, HOME, 5070), here)]
    assert await side.transports.locate(lookup) == side.transports.locate_numeric(lookup) == expected
    assert side.transports.locate_numeric(Lookup(1, "localhost", None, UDP)) is None
    found = await side.transports.locate(Lookup(1, "localhost", None, TCP))
    assert Hop(Address(TCP, HOME, 5060), here) in found


async def test_a_way_that_was_not_there_is_looked_for_again_soon(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    found: list[str | None] = [None, HOME]
    monkeypatch.setattr(transport, "_outgoing_address", lambda _host: found.pop(0))
    server = Address(UDP, "192.0.2.1", 5060)
    assert side.transports.local_for(server) is side.transports.local_for(server) is None
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + 1.1)
    assert side.transports.local_for(server) == HostPort(HOME, side.transports.port)


async def test_an_address_typed_in_by_hand_is_what_peers_are_told(open_side: Open) -> None:
    network = NetworkSettings(bind_address=HOME, nat=NatMode.MANUAL, public_address="203.0.113.8")
    side = await open_side(replace(ACCOUNT, network=network))
    (hop,) = await side.transports.locate(Lookup(1, "192.0.2.1", None, UDP))
    assert hop.local == HostPort("203.0.113.8", side.transports.port)
    assert side.transports.locate_numeric(Lookup(1, "192.0.2.1", None, UDP)) == [hop]


class StunServer(asyncio.DatagramProtocol):
    """Answers binding requests with an address that a test chooses, after as many as it leaves out."""

    def __init__(self, mapped: HostPort) -> None:
        self.mapped = mapped
        self.requests: list[bytes] = []
        self.left_out = 0
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
        if len(self.requests) > self.left_out and self.transport is not None:
            self.transport.sendto(binding_response(data, self.mapped)[:-1] + b"\0", addr)
            self.transport.sendto(binding_response(data, self.mapped), addr)


@pytest.fixture
async def stun_server() -> AsyncIterator[StunServer]:
    server = StunServer(HostPort("127.0.0.9", 4444))
    server.address = await server.start()
    yield server
    assert server.transport is not None
    server.transport.close()


def behind_nat(server: StunServer) -> Account:
    network = NetworkSettings(
        bind_address=HOME, nat=NatMode.STUN, stun_server=ServerAddress(server.address.host, server.address.port)
    )
    return replace(ACCOUNT, network=network)


async def test_the_address_that_a_stun_server_sees_is_what_peers_are_told(
    open_side: Open, stun_server: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.02)
    stun_server.left_out = 2
    side = await open_side(behind_nat(stun_server))
    lookup = Lookup(1, "127.0.0.2", None, UDP)
    assert side.transports.locate_numeric(lookup) is None
    (hop,) = await side.transports.locate(lookup)
    assert hop.local == HostPort("127.0.0.9", 4444)
    assert len(stun_server.requests) == 3
    assert len(set(stun_server.requests)) == 1
    assert side.inbox.messages == []
    assert side.inbox.address_changes == 0


async def test_another_address_outside_is_told(open_side: Open, stun_server: StunServer) -> None:
    side = await open_side(behind_nat(stun_server))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    stun_server.mapped = HostPort("127.0.0.10", 5555)
    side.transports.network_changed()
    await side.inbox.until(lambda: side.inbox.address_changes)
    assert side.transports.local_for(Address(UDP, HOME, 1)) == stun_server.mapped


async def test_a_peer_at_home_is_told_our_address_at_home(open_side: Open, stun_server: StunServer) -> None:
    stun_server.mapped = HostPort("8.8.4.4", 4444)
    side = await open_side(behind_nat(stun_server))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert side.transports.local_for(Address(UDP, HOME, 1)) == HostPort(HOME, side.transports.port)
    assert side.transports.local_for(Address(UDP, "1.1.1.1", 1)) == stun_server.mapped


async def test_a_silent_stun_server_does_not_stop_anybody(
    open_side: Open, stun_server: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.01)
    monkeypatch.setattr(public_address, "FIRST_ANSWER_TIMEOUT", 0.05)
    stun_server.left_out = 99
    side = await open_side(behind_nat(stun_server))
    (hop,) = await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert hop.local == HostPort(HOME, side.transports.port)
    assert stun_server.requests


async def test_a_fresh_socket_learns_where_it_is_seen(stun_server: StunServer) -> None:
    with udp.bind(socket.SOCK_DGRAM, HOME, 0) as bound:
        assert await stun.mapped_address(bound, stun_server.address) == stun_server.mapped


async def test_a_fresh_socket_that_hears_nothing_gives_up(
    stun_server: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.005)
    stun_server.left_out = 99
    with udp.bind(socket.SOCK_DGRAM, HOME, 0) as bound, pytest.raises(TimeoutError, match="no answer"):
        await stun.mapped_address(bound, stun_server.address)
    assert len(stun_server.requests) == stun.ATTEMPTS


async def test_a_strangers_stun_answer_is_ignored(open_side: Open, stun_server: StunServer) -> None:
    stun_server.left_out = 99
    side = await open_side(behind_nat(stun_server))
    await eventually(lambda: stun_server.requests)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        forged = binding_response(stun_server.requests[0], HostPort("127.0.0.66", 66))
        stranger.sendto(forged, (HOME, side.transports.port))
        stranger.sendto(MESSAGE, (HOME, side.transports.port))
    await side.inbox.until(lambda: side.inbox.messages)
    assert side.transports.local_for(Address(UDP, HOME, 1)) == HostPort(HOME, side.transports.port)
