"""Messages of one account over UDP on loopback, and the ports that it takes (RFC 3261 section 18)."""

import asyncio
import errno
import socket
import struct
import time
from dataclasses import replace

import pytest

from custom_components.sip_ua.net import transport, udp
from custom_components.sip_ua.net.errors import LocalAddressError, LocalPortInUseError, NoRouteError
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.transport import Transports
from custom_components.sip_ua.sip.account import NetworkSettings, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort, Lookup
from custom_components.sip_ua.sip.events import RegistrationFailure
from tests.interop.peers import free_ports

from .transport_support import (
    ACCOUNT,
    HOME,
    MESSAGE,
    REPLY,
    TCP,
    UDP,
    Inbox,
    Open,
)


async def test_a_datagram_arrives_with_the_hop_that_it_came_over(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(UDP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    local = HostPort(HOME, other.transports.port)
    assert other.inbox.messages == [(MESSAGE, Hop(one.address(UDP), local))]
    other.transports.send(one.address(UDP), REPLY)
    await one.inbox.until(lambda: one.inbox.messages)
    assert one.inbox.messages[0][0] == REPLY


async def test_what_arrives_in_a_rush_waits_for_a_busy_event_loop(open_side: Open) -> None:
    side = await open_side()
    request = MESSAGE + bytes(900 - len(MESSAGE))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        # More than a socket holds by itself, and less than every system grants; the loop does not turn meanwhile.
        for _ in range(130):
            peer.sendto(request, (HOME, side.transports.port))
    await side.inbox.until(lambda: len(side.inbox.messages) == 130)


def hold_up(seconds: float) -> None:
    """Keep the event loop from turning."""
    time.sleep(seconds)


async def test_it_is_known_how_long_datagrams_waited_together_for_a_busy_event_loop(open_side: Open) -> None:
    side = await open_side()
    waited = side.inbox.waited
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(MESSAGE, (HOME, side.transports.port))
        peer.sendto(MESSAGE, (HOME, side.transports.port))
        began = time.monotonic()
        hold_up(0.05)
        await side.inbox.until(lambda: len(waited) == 2)
        read_after = time.monotonic() - began
        peer.sendto(MESSAGE, (HOME, side.transports.port))
        await side.inbox.until(lambda: len(waited) == 3)
    first, second, alone = waited
    assert first is None
    assert second is not None
    assert 0.05 <= second <= read_after + 0.05
    assert alone is None


async def test_a_message_of_a_connection_does_not_tell_how_long_it_waited(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    assert other.inbox.waited == [None]


@pytest.mark.parametrize(
    "told",
    [[], [(socket.SOL_SOCKET, 35, b"short")], [(socket.SOL_SOCKET, 99, bytes(16))], [(0, 35, bytes(16))]],
    ids=["nothing", "too short", "another kind", "another level"],
)
def test_a_system_that_does_not_tell_when_a_datagram_came_is_believed_to_be_on_time(
    told: list[tuple[int, int, bytes]],
) -> None:
    assert udp.seconds_waited(told) == 0


def test_a_clock_that_was_set_back_makes_nobody_late() -> None:
    tomorrow = struct.pack("=qq", int(time.time()) + 86_400, 0)
    assert udp.seconds_waited([(socket.SOL_SOCKET, 35, tomorrow)]) == 0


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
    nobody = Address(UDP, HOME, free_ports())
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

    def bind(kind: socket.SocketKind, host: str, port: int, dscp: int) -> socket.socket:
        if ":" in host:
            raise LocalAddressError(host)
        return real(kind, host, port, dscp)

    monkeypatch.setattr(transport, "bind", bind)
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    distant = Address(UDP, "::1", 5060)
    assert side.transports.local_for(distant) is None
    side.transports.send(distant, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    assert side.inbox.failures == [(distant, RegistrationFailure.NO_ROUTE, "this machine has no way there")]
    with pytest.raises(NoRouteError, match="this machine has no way to ::1"):
        await side.transports.locate(Lookup(1, "::1", None, UDP))
    with pytest.raises(NoRouteError):
        side.transports.locate_numeric(Lookup(1, "::1", None, UDP))


@pytest.mark.parametrize("kind", [UDP, TCP])
async def test_a_name_where_an_address_belongs_is_never_asked_of_the_system(
    open_side: Open, kind: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = await open_side()
    name = Address(kind, "pbx.example.com", 5060)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    side.transports.send(name, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    assert side.inbox.failures == [(name, RegistrationFailure.NO_ROUTE, "this machine has no way there")]
    assert side.transports.local_for(name) is None


async def test_a_port_in_use_is_told_by_its_number_and_nothing_stays_bound(resolver: Resolver) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as busy:
        busy.bind((HOME, 0))
        busy.listen()
        port = busy.getsockname()[1]
        inbox = Inbox()
        account = replace(ACCOUNT, network=NetworkSettings(bind_address=HOME, local_port=port))
        transports = Transports(account, resolver, inbox.handlers)
        with pytest.raises(LocalPortInUseError) as caught:
            await transports.start()
        assert caught.value.port == port
        await transports.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as now_free:
            now_free.bind((HOME, port))


async def test_another_free_port_is_tried_where_the_first_is_taken_for_connections(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    real = udp.bind

    def bind(kind: socket.SocketKind, host: str, port: int, dscp: int) -> socket.socket:
        if kind is socket.SOCK_STREAM:
            tried.append(port)
            if len(tried) < 3:
                raise LocalPortInUseError(port)
        return real(kind, host, port, dscp)

    monkeypatch.setattr(transport, "bind", bind)
    side = await open_side()
    assert len(set(tried)) == 3
    assert side.transports.port == tried[-1]


async def test_a_chosen_port_is_used_and_free_again_afterwards(open_side: Open) -> None:
    port = free_ports()
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
    transports = Transports(account, resolver, inbox.handlers)
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
