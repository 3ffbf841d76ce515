"""The calls of Linux's C library that the media thread makes with the interpreter's lock held.

The `socket` module lets go of that lock in every call. While the event loop computes, each such call costs the media
thread up to 5 ms to get the lock back: with ten calls its packets would be late by seconds. A datagram that is sent or
read without waiting takes microseconds, so here nothing lets go but `sleep`.
"""

import ctypes
import socket
import struct
import sys
from typing import ClassVar, Final

AVAILABLE: Final = sys.platform == "linux" and sys.byteorder == "little" and sys.maxsize > 2**32

SO_TIMESTAMPNS: Final = 35
"""The option that stamps every datagram on arrival; the `socket` module does not name it."""

MAX_DATAGRAM: Final = 2048
BATCH: Final = 16
"""Datagrams read in one call."""

MAX_ADDRESSES: Final = 256

_POLLIN: Final = 1
_MSG_DONTWAIT: Final = 0x40
_NAME_SIZE: Final = 32
_CONTROL_SIZE: Final = 64
_SECOND: Final = 1_000_000_000

_FAMILY: Final = struct.Struct("=H")
_IPV4: Final = struct.Struct("!H4s8x")
_IPV6: Final = struct.Struct("!HI16s")
_SCOPE: Final = struct.Struct("=I")
_CONTROL: Final = struct.Struct("=Qii")
_TIMESPEC: Final = struct.Struct("=qq")

type Address = tuple[str, int]
type Datagram = tuple[bytes, Address, int | None]
"""What came, from where, and when by the kernel's time of day in ns."""


class _Timespec(ctypes.Structure):
    _fields_: ClassVar = [("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64)]


class _PollFd(ctypes.Structure):
    _fields_: ClassVar = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("returned", ctypes.c_short)]


class _Vector(ctypes.Structure):
    _fields_: ClassVar = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    """The kernel's `msghdr`, which those of glibc and musl equal on a little-endian machine of 64 bits."""

    _fields_: ClassVar = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    _fields_: ClassVar = [("header", _Header), ("length", ctypes.c_uint)]


if AVAILABLE:
    _ppoll = ctypes.CDLL(None).ppoll
    _ppoll.argtypes = [ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]
    _sendto = ctypes.PyDLL(None).sendto
    _sendto.argtypes = [
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint32,
    ]
    _sendto.restype = ctypes.c_ssize_t
    _recvmmsg = ctypes.PyDLL(None).recvmmsg
    _recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]


class Sleeper:
    """Waits for a file descriptor to be readable, to the nanosecond where `select` knows milliseconds only."""

    def __init__(self, fd: int) -> None:
        """Wait for this descriptor."""
        self._poll = _PollFd(fd, _POLLIN, 0)
        self._time = _Timespec()
        self._poll_at = ctypes.addressof(self._poll)
        self._time_at = ctypes.addressof(self._time)

    def sleep(self, timeout: int | None) -> bool:
        """Return true when it is readable, false after `timeout` ns; None waits without end."""
        if timeout is not None:
            self._time.seconds, self._time.nanoseconds = divmod(max(0, timeout), _SECOND)
        return bool(_ppoll(self._poll_at, 1, None if timeout is None else self._time_at, None) > 0)


def pack_address(family: int, host: str, port: int, scope: int) -> bytes:
    """Return the `sockaddr` of a numeric address; raises OSError when it is none of that family."""
    packed = socket.inet_pton(family, host)
    if family == socket.AF_INET:
        return _FAMILY.pack(family) + _IPV4.pack(port, packed)
    return _FAMILY.pack(family) + _IPV6.pack(port, 0, packed) + _SCOPE.pack(scope)


def _unpack_address(name: bytes) -> Address:
    """Return host and port of a `sockaddr`."""
    (family,) = _FAMILY.unpack_from(name)
    if family == socket.AF_INET:
        port, packed = _IPV4.unpack_from(name, _FAMILY.size)
    else:
        port, _, packed = _IPV6.unpack_from(name, _FAMILY.size)
    return socket.inet_ntop(family, packed), port


def send_to(fd: int, data: bytes, address: bytes) -> bool:
    """Send a datagram without waiting; tells whether the system took it."""
    return bool(_sendto(fd, data, len(data), _MSG_DONTWAIT, address, len(address)) >= 0)


class BatchReader:
    """Reads what waits at a socket, in one call; its buffers serve all sockets of a thread."""

    def __init__(self) -> None:
        """Lay out the buffers."""
        self._data = bytearray(BATCH * MAX_DATAGRAM)
        self._names = bytearray(BATCH * _NAME_SIZE)
        self._controls = bytearray(BATCH * _CONTROL_SIZE)
        self._view = memoryview(self._data)
        self._vectors = (_Vector * BATCH)()
        self._messages = (_Message * BATCH)()
        self._headers = [message.header for message in self._messages]
        self._messages_at = ctypes.addressof(self._messages)
        self._addresses: dict[bytes, Address] = {}
        data_at, names_at, controls_at = (
            ctypes.addressof(ctypes.c_char.from_buffer(buffer)) for buffer in (self._data, self._names, self._controls)
        )
        for number, header in enumerate(self._headers):
            self._vectors[number].base = data_at + number * MAX_DATAGRAM
            self._vectors[number].length = MAX_DATAGRAM
            header.name = names_at + number * _NAME_SIZE
            header.name_length = _NAME_SIZE
            header.vectors = ctypes.addressof(self._vectors[number])
            header.vector_count = 1
            header.control = controls_at + number * _CONTROL_SIZE
            header.control_length = _CONTROL_SIZE

    def read(self, bound: socket.socket) -> list[Datagram]:
        """Return up to `BATCH` datagrams that wait at a socket; longer ones than `MAX_DATAGRAM` are left out."""
        number = _recvmmsg(bound.fileno(), self._messages_at, BATCH, _MSG_DONTWAIT, None)
        return [self._take(index) for index in range(number) if not self._headers[index].flags & socket.MSG_TRUNC]

    def _take(self, index: int) -> Datagram:
        """Copy one datagram out of the buffers."""
        header = self._headers[index]
        start, length = index * MAX_DATAGRAM, self._messages[index].length
        address = self._address(bytes(self._names[index * _NAME_SIZE : index * _NAME_SIZE + header.name_length]))
        stamp: int | None = None
        if header.control_length:
            at = index * _CONTROL_SIZE
            _, level, kind = _CONTROL.unpack_from(self._controls, at)
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(self._controls, at + _CONTROL.size)
                stamp = seconds * _SECOND + nanoseconds
        header.name_length, header.control_length = _NAME_SIZE, _CONTROL_SIZE
        return bytes(self._view[start : start + length]), address, stamp

    def _address(self, name: bytes) -> Address:
        """Return host and port of a `sockaddr`, most often from memory."""
        address = self._addresses.get(name)
        if address is None:
            if len(self._addresses) >= MAX_ADDRESSES:
                self._addresses.clear()
            address = self._addresses[name] = _unpack_address(name)
        return address
