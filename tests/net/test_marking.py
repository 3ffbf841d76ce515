"""The DSCP marks of what we send, read where it arrives (RFC 2474)."""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import override

import pytest

from custom_components.sip_ua.net.marking import mark
from custom_components.sip_ua.net.ports import PortPool, PortRange
from custom_components.sip_ua.net.sip_probe import speaks_sip
from custom_components.sip_ua.net.transport import Transports
from custom_components.sip_ua.sip.account import NetworkSettings, Transport
from custom_components.sip_ua.sip.address import Address

from .transport_support import ACCOUNT, HOME, MESSAGE, Open

HOME6 = "::1"
PORTS = PortRange(33000, 60000)
SIP_MARK, RTP_MARK = 26, 34
_IP_PKTOPTIONS = 9
_CONTROL_HEADER = struct.Struct("@nii")
_RECV = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS),
}


@contextmanager
def observer(host: str) -> Iterator[socket.socket]:
    """Open a socket that is told the mark of what it receives."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    level, option, _ = _RECV[family]
    with socket.socket(family, socket.SOCK_DGRAM) as seeing:
        seeing.settimeout(5)
        seeing.setsockopt(level, option, 1)
        seeing.bind((host, 0))
        yield seeing


def received_mark(seeing: socket.socket) -> int:
    """Receive a datagram and return its DSCP mark."""
    level, _, kind = _RECV[socket.AddressFamily(seeing.family)]
    _data, told, _flags, _source = seeing.recvmsg(2048, 256)
    marks = [value[0] for where, what, value in told if (where, what) == (level, kind)]
    assert len(marks) == 1
    return marks[0] >> 2


def mark_of_opening(accepted: socket.socket) -> int:
    """Return the DSCP mark of the packet that opened a TCP connection."""
    told = accepted.getsockopt(socket.IPPROTO_IP, _IP_PKTOPTIONS, 256)
    length, level, kind = _CONTROL_HEADER.unpack_from(told)
    assert (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS)
    return told[_CONTROL_HEADER.size : length][0] >> 2


def network(host: str) -> NetworkSettings:
    return NetworkSettings(bind_address=host, sip_dscp=SIP_MARK, rtp_dscp=RTP_MARK)


@pytest.mark.parametrize("host", [HOME, HOME6])
async def test_messages_by_udp_bear_the_mark_of_the_account(open_side: Open, host: str) -> None:
    side = await open_side(replace(ACCOUNT, network=network(host)))
    with observer(host) as seeing:
        side.transports.send(Address(Transport.UDP, host, seeing.getsockname()[1]), MESSAGE)
        assert received_mark(seeing) == SIP_MARK


@pytest.mark.parametrize("host", [HOME, HOME6])
@pytest.mark.parametrize("rtcp", [False, True])
def test_voice_and_its_reports_bear_the_mark_of_the_account(host: str, *, rtcp: bool) -> None:
    pair = PortPool().open(host, PORTS, RTP_MARK)
    try:
        with observer(host) as seeing:
            (pair.rtcp if rtcp else pair.rtp).sendto(b"voice", seeing.getsockname())
            assert received_mark(seeing) == RTP_MARK
    finally:
        pair.close()


async def test_unless_somebody_chose_otherwise_messages_and_voice_have_their_usual_marks(open_side: Open) -> None:
    side = await open_side()
    pair = PortPool().open(HOME, PORTS)
    try:
        with observer(HOME) as seeing:
            side.transports.send(Address(Transport.UDP, HOME, seeing.getsockname()[1]), MESSAGE)
            assert received_mark(seeing) == 40
            pair.rtp.sendto(b"voice", seeing.getsockname())
            assert received_mark(seeing) == 46
    finally:
        pair.close()


class _Greeter(asyncio.Protocol):
    """Accepts a connection and tells what opened it."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.opened.set_result(mark_of_opening(transport.get_extra_info("socket")))


async def test_a_connection_of_ours_is_marked_from_its_first_packet_on(open_side: Open) -> None:
    side = await open_side(replace(ACCOUNT, network=network(HOME)))
    greeter = _Greeter()
    server = await asyncio.get_running_loop().create_server(lambda: greeter, HOME, 0)
    server.sockets[0].setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    async with server:
        address = Address(Transport.TCP, HOME, server.sockets[0].getsockname()[1])
        side.transports.send(address, MESSAGE)
        assert await asyncio.wait_for(greeter.opened, 5) == SIP_MARK
        await side.transports.close()


@pytest.mark.parametrize(("host", "kind"), [(HOME, socket.IP_TOS), (HOME6, socket.IPV6_TCLASS)])
async def test_connections_that_others_make_are_answered_with_the_mark(open_side: Open, host: str, kind: int) -> None:
    side = await open_side(replace(ACCOUNT, network=network(host)))
    side.inbox.expected.add(host)
    _reader, writer = await asyncio.open_connection(host, side.transports.port)
    writer.write(MESSAGE)
    await side.inbox.until(lambda: side.inbox.messages)
    level = socket.IPPROTO_IPV6 if host == HOME6 else socket.IPPROTO_IP
    assert accepted_socket(side.transports).getsockopt(level, kind) >> 2 == SIP_MARK
    writer.close()


def accepted_socket(transports: Transports) -> socket.socket:
    """Return the socket of the only connection."""
    pool = transports._connections  # noqa: SLF001 - no other way to the system's own socket
    assert pool is not None
    (connection,) = pool._open.values()  # noqa: SLF001 - as above
    carrier = connection._transport  # noqa: SLF001 - as above
    assert carrier is not None
    accepted: socket.socket = carrier.get_extra_info("socket")
    return accepted


async def test_the_question_whether_somebody_speaks_sip_is_marked_too() -> None:
    with observer(HOME) as seeing:
        asking = asyncio.create_task(speaks_sip(HOME, seeing.getsockname()[1]))
        assert await asyncio.to_thread(received_mark, seeing) == 40
        asking.cancel()


class _Unmarkable(socket.socket):
    """A socket of a system that lets nobody mark packets."""

    @override
    def setsockopt(self, *_args: object) -> None:
        raise PermissionError("Operation not permitted")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_system_that_lets_nobody_mark_packets_sends_them_all_the_same(family: socket.AddressFamily) -> None:
    with observer(HOME if family == socket.AF_INET else HOME6) as seeing, _Unmarkable(family, socket.SOCK_DGRAM) as one:
        mark(one, SIP_MARK)
        one.sendto(b"as ever", seeing.getsockname())
        assert received_mark(seeing) == 0
