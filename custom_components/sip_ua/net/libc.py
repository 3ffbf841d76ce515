"""The calls of Linux's C library that the media thread makes with the interpreter's lock held.

The `socket` module lets go of that lock in every call. While the event loop computes, each such call costs the media
thread up to 5 ms to get the lock back: with ten calls its packets would be late by seconds. A datagram that is sent or
read without waiting takes microseconds, so here nothing lets go but `sleep`.
"""

import ctypes
import socket
import struct
import sys
from typing import Final

AVAILABLE: Final = sys.platform == "linux" and sys.byteorder == "little" and sys.maxsize > 2**32

SO_TIMESTAMPNS: Final = 35
"""The option that stamps every datagram on arrival; the `socket` module does not name it."""

MAX_DATAGRAM: Final = 2048
BATCH: Final = 16
"""Datagrams read in one call."""

MAX_ADDRESSES: Final = 256

# As plain numbers: what belongs to an enumeration goes through a dozen functions for one `&`.
_TRUNCATED: Final = int(socket.MSG_TRUNC)
_SOCKET_LEVEL: Final = int(socket.SOL_SOCKET)
_POLLIN: Final = 1
_MSG_DONTWAIT: Final = 0x40
_NAME_SIZE: Final = 32
_CONTROL_SIZE: Final = 64
_SECOND: Final = 1_000_000_000

_FAMILY: Final = struct.Struct("=H")
_IPV4: Final = struct.Struct("!H4s8x")
_IPV6: Final = struct.Struct("!HI16s")
_SCOPE: Final = struct.Struct("=I")

# The structures of the kernel on a little-endian machine of 64 bits; glibc's and musl's are laid out alike there.
_POLL: Final = struct.Struct("=ihh")
_TIMESPEC: Final = struct.Struct("=qq")
_VECTOR: Final = struct.Struct("=QQ")
_MESSAGE: Final = struct.Struct("=QI4xQQQQi4xI4x")
_STAMP: Final = struct.Struct("=Qiiqq")

type Address = tuple[str, int]
type Datagram = tuple[bytes, Address, int | None]
"""What came, from where, and when by the kernel's time of day in ns."""


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
        self._poll = bytearray(_POLL.pack(fd, _POLLIN, 0))
        self._time = bytearray(_TIMESPEC.size)
        self._poll_at = _address_of(self._poll)
        self._time_at = _address_of(self._time)

    def sleep(self, timeout: int | None) -> bool:
        """Return true when it is readable, false after `timeout` ns; None waits without end."""
        if timeout is None:
            return bool(_ppoll(self._poll_at, 1, None, None) > 0)
        _TIMESPEC.pack_into(self._time, 0, *divmod(max(0, timeout), _SECOND))
        return bool(_ppoll(self._poll_at, 1, self._time_at, None) > 0)


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
        self._vectors = bytearray(BATCH * _VECTOR.size)
        self._messages = bytearray(BATCH * _MESSAGE.size)
        self._view = memoryview(self._data)
        self._names_view = memoryview(self._names)
        self._messages_at = _address_of(self._messages)
        self._addresses: dict[bytes, Address] = {}
        data_at, names_at = _address_of(self._data), _address_of(self._names)
        controls_at, vectors_at = _address_of(self._controls), _address_of(self._vectors)
        for n in range(BATCH):
            _VECTOR.pack_into(self._vectors, n * _VECTOR.size, data_at + n * MAX_DATAGRAM, MAX_DATAGRAM)
            _MESSAGE.pack_into(
                self._messages,
                n * _MESSAGE.size,
                names_at + n * _NAME_SIZE,
                _NAME_SIZE,
                vectors_at + n * _VECTOR.size,
                1,
                controls_at + n * _CONTROL_SIZE,
                _CONTROL_SIZE,
                0,
                0,
            )
        # The kernel writes what it found where it read how much room there is.
        self._untouched = bytes(self._messages)

    def read(self, bound: socket.socket) -> list[Datagram]:
        """Return up to `BATCH` datagrams that wait at a socket; of those beyond `MAX_DATAGRAM` the source alone."""
        number = _recvmmsg(bound.fileno(), self._messages_at, BATCH, _MSG_DONTWAIT, None)
        if number <= 0:
            return []
        datagrams = [self._take(index) for index in range(number)]
        used = number * _MESSAGE.size
        self._messages[:used] = self._untouched[:used]
        return datagrams

    def _take(self, index: int) -> Datagram:
        """Copy one datagram out of the buffers."""
        _, name_size, _, _, _, control_size, flags, size = _MESSAGE.unpack_from(self._messages, index * _MESSAGE.size)
        start = index * _NAME_SIZE
        name = self._names_view[start : start + name_size].tobytes()
        address = self._addresses.get(name) or self._remember(name)
        stamp: int | None = None
        if control_size >= _STAMP.size:
            _, level, kind, seconds, nanoseconds = _STAMP.unpack_from(self._controls, index * _CONTROL_SIZE)
            if level == _SOCKET_LEVEL and kind == SO_TIMESTAMPNS:
                stamp = seconds * _SECOND + nanoseconds
        start = index * MAX_DATAGRAM
        data = b"" if flags & _TRUNCATED else self._view[start : start + size].tobytes()
        return data, address, stamp

    def _remember(self, name: bytes) -> Address:
        """Return host and port of a `sockaddr`, and keep them for the next datagram."""
        if len(self._addresses) >= MAX_ADDRESSES:
            self._addresses.clear()
        address = self._addresses[name] = _unpack_address(name)
        return address


def _address_of(buffer: bytearray) -> int:
    """Return where a buffer lies in memory; it can change its size no more."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))
