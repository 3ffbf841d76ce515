"""A bound UDP socket as the media thread uses it: never waiting, and with the kernel's own times of arrival."""

import contextlib
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, Protocol

from . import libc

MAX_BATCHES: Final = 4
"""Batches that one socket may bring in one tick; a flood beyond that is the kernel's to drop."""

_NOWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - not bound to, but never sent to

type Receive = Callable[[bytes, tuple[str, int], float], None]


class Reader(Protocol):
    """Reads what waits at a socket."""

    def read(self, bound: socket.socket) -> list[libc.Datagram]:
        """Return up to `libc.BATCH` datagrams."""


class PlainReader:
    """Reads by the `socket` module, where the C library is not Linux's; when a datagram came is not known there."""

    def read(self, bound: socket.socket) -> list[libc.Datagram]:
        """Return up to `libc.BATCH` datagrams."""
        datagrams: list[libc.Datagram] = []
        with contextlib.suppress(OSError):
            while len(datagrams) < libc.BATCH:
                data, source = bound.recvfrom(libc.MAX_DATAGRAM)
                datagrams.append((data, (source[0], source[1]), None))
        return datagrams


def create_reader() -> Reader:
    """Return the reader that fits this system."""
    return libc.BatchReader() if libc.AVAILABLE else PlainReader()


class MediaSocket:
    """One of the two sockets of a stream."""

    __slots__ = ("_fd", "_receive", "_scope", "_socket", "_target", "_target_name", "send_errors")

    def __init__(self, bound: socket.socket, receive: Receive) -> None:
        """Own `bound` and hand each datagram, its source and its monotonic time of arrival in seconds to `receive`."""
        self._socket = bound
        self._fd = bound.fileno()
        self._receive = receive
        self._scope = bound.getsockname()[3] if bound.family == socket.AF_INET6 else 0
        self._target: tuple[str, int] | None = None
        self._target_name = b""
        self.send_errors = 0

    def receive(self, reader: Reader, now: float, wall: int, elapsed: float) -> None:
        """Take what has arrived.

        `now` is the monotonic time in seconds and `wall` the time of day in ns, read together. The kernel stamps with
        the time of day, which may have been set since: an age beyond `elapsed` seconds is not believed.
        """
        for _ in range(MAX_BATCHES):
            datagrams = reader.read(self._socket)
            for data, source, stamp in datagrams:
                age = 0.0 if stamp is None else (wall - stamp) / 1e9
                self._receive(data, source, now - min(max(age, 0.0), elapsed))
            if len(datagrams) < libc.BATCH:
                return

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send one datagram; what cannot be sent is counted and lost, as it would be on the way."""
        if address[0] in _NOWHERE:
            return
        try:
            if not libc.AVAILABLE:
                self._socket.sendto(data, (*address, 0, self._scope) if self._scope else address)
                return
            if address != self._target:
                name = libc.pack_address(self._socket.family, *address, self._scope)
                self._target, self._target_name = address, name
        except OSError:
            self.send_errors += 1
            return
        if not libc.send_to(self._fd, data, self._target_name):
            self.send_errors += 1

    def close(self) -> None:
        """Free the port."""
        # The number may be another socket's by the time somebody sends again.
        self._fd = -1
        with contextlib.suppress(OSError):
            self._socket.close()


def is_numeric(host: str) -> bool:
    """Tell whether a host needs no look-up: the media thread must never wait for one."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
