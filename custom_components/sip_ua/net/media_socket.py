"""A bound UDP socket as the media thread uses it: never waiting, and with the kernel's own times of arrival."""

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Callable
from typing import Final

from .ports import SO_TIMESTAMPNS

MAX_DATAGRAM: Final = 4096
_TIMESPEC: Final = struct.Struct("@ll")
_ANCILLARY: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_NOWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - not bound to, but never sent to

type Receive = Callable[[bytes, tuple[str, int], float], None]


class MediaSocket:
    """One of the two sockets of a stream."""

    __slots__ = ("_receive", "_scope", "_socket", "send_errors")

    def __init__(self, bound: socket.socket, receive: Receive) -> None:
        """Own `bound` and hand each datagram, its source and its monotonic time of arrival in seconds to `receive`."""
        self._socket = bound
        self._receive = receive
        self._scope: tuple[int, ...] = ()
        if bound.family == socket.AF_INET6:
            name = bound.getsockname()
            self._scope = (0, name[3])
        self.send_errors = 0

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._socket.fileno()

    def receive(self, now: float, wall: int, elapsed: float) -> None:
        """Take one datagram, if there is one.

        `now` is the monotonic time in seconds and `wall` the time of day in ns, read together. The kernel stamps with
        the time of day, which may have been set since: an age beyond `elapsed` seconds is not believed.
        """
        try:
            data, ancillary, flags, source = self._socket.recvmsg(MAX_DATAGRAM, _ANCILLARY)
        except OSError:
            return
        if flags & socket.MSG_TRUNC:
            return
        for level, kind, value in ancillary:
            if kind == SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(value) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                age = (wall - seconds * 1_000_000_000 - nanoseconds) / 1e9
                now -= min(max(age, 0.0), elapsed)
        self._receive(data, (source[0], source[1]), now)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram; what cannot be sent is counted and lost, as it would be on the way."""
        if address[0] in _NOWHERE:
            return
        try:
            self._socket.sendto(data, address + self._scope)
        except OSError:
            self.send_errors += 1

    def close(self) -> None:
        """Free the port."""
        with contextlib.suppress(OSError):
            self._socket.close()


def is_numeric(host: str) -> bool:
    """Tell whether a host needs no look-up: the media thread must never wait for one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
