"""One UDP socket for signalling that never waits and tells which peer an error came from (RFC 3261 section 18)."""

import asyncio
import errno
import socket
import struct
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from ..sip.account import SIP_DSCP
from .errors import LocalAddressError, LocalPortInUseError
from .marking import mark, set_option

RECEIVE_BUFFER: Final = 1 << 20
"""Octets that may wait for a busy event loop: some 900 requests, where the usual 200 kB hold 90 and lose the rest."""
MAX_DATAGRAM: Final = 65535
BATCH: Final = 64
_IN_USE: Final = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EPERM})
_LATER: Final = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.EINTR})
_SO_RCVBUFFORCE: Final = 33
_SO_TIMESTAMPNS: Final = 35
_TIMESTAMP: Final = struct.Struct("=qq")
_TIMESTAMP_SPACE: Final = socket.CMSG_SPACE(_TIMESTAMP.size)
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25
_ERROR_KINDS: Final = frozenset({(socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)})
_ERROR_NUMBER: Final = struct.Struct("=I")

type Received = Callable[[bytes, str, int, float | None], None]
type Failed = Callable[[str, int, int], None]


def bind(kind: socket.SocketKind, host: str, port: int, dscp: int = SIP_DSCP) -> socket.socket:
    """Return a bound, non-blocking socket; `host` is numeric, with its zone where it is link-local.

    What it sends, and so do the connections that it accepts, bears the mark `dscp`.

    Raises LocalPortInUseError or LocalAddressError.
    """
    version = ip_address(host).version
    try:
        bound = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, kind)
    except OSError:
        raise LocalAddressError(host) from None
    try:
        bound.setblocking(False)  # noqa: FBT003 - its only parameter
        mark(bound, dscp)
        if version != 4:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_STREAM:
            # Connections that still say goodbye must not keep us from our port after a restart.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            set_option(bound, socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if sys.platform == "linux":
                # Beyond what the system grants everybody, where we have the right to it.
                set_option(bound, socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno in _IN_USE:
            raise LocalPortInUseError(port) from None
        raise LocalAddressError(host) from None
    return bound


class UdpSocket:
    """Reads whatever arrives in the loop that it was made in, and sends at once or not at all.

    Linux tells about refused and unreachable peers through the socket's error queue, with the peer's address, so
    that one which is off the network is known in milliseconds and not after 32 seconds of silence.
    """

    def __init__(self, bound: socket.socket, received: Received, failed: Failed) -> None:
        """Own `bound`; `received(data, host, port, waited)` and `failed(host, port, errno)` are called from the loop.

        `waited` is how many seconds the datagram waited to be read, None for the first of those read together.
        """
        self._loop = asyncio.get_running_loop()
        self._socket = bound
        self._received = received
        self._failed = failed
        self._closed = False
        self.dropped = 0
        set_option(bound, socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if bound.family == socket.AF_INET:
            set_option(bound, socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            set_option(bound, socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        self._loop.add_reader(bound, self._readable)

    @property
    def port(self) -> int:
        """The port that the socket is bound to."""
        port: int = self._socket.getsockname()[1]
        return port

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send one datagram; what the system has no room for is lost and counted, as on the way (it is repeated)."""
        if self._closed:
            return
        # An error that waits on the socket is told by the next call whoever that is for: ask twice.
        for last in (False, True):
            try:
                self._socket.sendto(data, (host, port))
            except OSError as error:
                if error.errno in _LATER:
                    self.dropped += 1
                    return
                if last or not self._take_errors():
                    self._loop.call_soon(self._failed, host, port, error.errno or errno.EIO)
                    return
            else:
                return

    def close(self) -> None:
        """Free the port; nothing is delivered any more."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        waited: float | None = None
        for place in range(BATCH):
            if self._closed:
                return
            try:
                # The first is read the shortest way: while messages are too many, there are others behind it.
                if place:
                    data, told, _flags, source = self._socket.recvmsg(MAX_DATAGRAM, _TIMESTAMP_SPACE)
                    waited = seconds_waited(told)
                else:
                    data, source = self._socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                self._take_errors()
                return
            except OSError:
                if not self._take_errors():
                    return
            else:
                self._received(data, source[0], source[1], waited)

    def _take_errors(self) -> bool:
        """Report what peers' errors the system holds; tell whether there were any."""
        if sys.platform != "linux":
            return False
        taken = False
        for _ in range(BATCH):
            try:
                _data, ancillary, _flags, peer = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            except OSError:
                break
            taken = True
            for level, kind, value in ancillary:
                if (level, kind) in _ERROR_KINDS and len(value) >= _ERROR_NUMBER.size and peer:
                    (number,) = _ERROR_NUMBER.unpack_from(value)
                    # A datagram that is too long for the path goes again in fragments by itself.
                    if number != errno.EMSGSIZE:
                        self._loop.call_soon(self._failed, peer[0], peer[1], number)
        return taken


def seconds_waited(told: list[tuple[int, int, bytes]]) -> float:
    """Return how long a datagram was in the system's hands, by the clock that says when it came."""
    for level, kind, value in told:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(value) == _TIMESTAMP.size:
            seconds, nanoseconds = _TIMESTAMP.unpack(value)
            came_at: float = seconds + nanoseconds / 1e9
            # Where that clock was set meanwhile, nothing is known.
            return max(0.0, time.time() - came_at)
    return 0.0
