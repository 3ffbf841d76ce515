"""Pairs of UDP ports for RTP and RTCP out of an account's range (RFC 3550 section 11)."""

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Final

from ..sip.account import RTP_DSCP
from .errors import NoPortError
from .libc import SO_TIMESTAMPNS
from .marking import mark, set_option

_BUSY: Final = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True)
class PortRange:
    """Inclusive bounds; both ports of a pair lie within."""

    first: int
    last: int

    @property
    def lowest(self) -> int:
        """The lowest even port."""
        return self.first + self.first % 2

    @property
    def pairs(self) -> int:
        """How many pairs fit in."""
        return max(0, (self.last - self.lowest + 1) // 2)


@dataclass(frozen=True, slots=True)
class PortPair:
    """Two bound, non-blocking sockets: RTP on an even port and RTCP on the next."""

    rtp: socket.socket
    rtcp: socket.socket

    @property
    def port(self) -> int:
        """The RTP port."""
        port: int = self.rtp.getsockname()[1]
        return port

    def close(self) -> None:
        """Free both ports."""
        self.rtp.close()
        self.rtcp.close()


class PortPool:
    """Hands out pairs in turn, so that a port just freed rests the longest.

    Which ports are busy only the kernel knows, so nothing is kept here that could leak.
    """

    def __init__(self) -> None:
        """Begin each range at a place that nobody can foresee."""
        self._turn: dict[PortRange, int] = {}

    def open(self, bind_address: str, ports: PortRange, dscp: int = RTP_DSCP) -> PortPair:
        """Bind the next free pair of the range; what it sends bears the mark `dscp`.

        `bind_address` is numeric; "" means every IPv4 address. Raises `NoPortError` when all pairs are busy, and
        OSError when the address is not one of this machine.
        """
        address = bind_address or "0.0.0.0"  # noqa: S104 - the owner left the choice open
        pairs = ports.pairs
        turn = self._turn.get(ports, int.from_bytes(os.urandom(4)))
        for offset in range(turn, turn + pairs):
            port = ports.lowest + 2 * (offset % pairs)
            pair = _bind_pair(address, port, dscp)
            if pair is not None:
                self._turn[ports] = (offset + 1) % pairs
                return pair
        raise NoPortError(address, ports.first, ports.last)


def _bind_pair(address: str, port: int, dscp: int) -> PortPair | None:
    """Bind both ports, or none of them."""
    rtp = bind_socket(address, port, dscp)
    if rtp is None:
        return None
    try:
        rtcp = bind_socket(address, port + 1, dscp)
    except BaseException:
        rtp.close()
        raise
    if rtcp is None:
        rtp.close()
        return None
    return PortPair(rtp, rtcp)


def bind_socket(address: str, port: int, dscp: int = RTP_DSCP) -> socket.socket | None:
    """Bind one UDP socket, or return None where another program has the port or the system forbids it."""
    host, _, zone = address.partition("%")
    version = ipaddress.ip_address(host).version
    bound = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        bound.settimeout(0.0)
        mark(bound, dscp)
        if version == 4:
            bound.bind((address, port))
        else:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((host, port, 0, scope_index(zone)))
        set_option(bound, socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError as error:
        bound.close()
        if error.errno in _BUSY:
            return None
        raise
    except BaseException:
        bound.close()
        raise
    return bound


def scope_index(zone: str) -> int:
    """Return the index of an IPv6 zone given by name or number."""
    if not zone:
        return 0
    return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
