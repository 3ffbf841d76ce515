"""One connection over TCP or TLS: framed, bounded and kept alive (RFC 3261 section 18, RFC 5626 section 3.5.1)."""

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, cast, override

from ..sip.account import Transport
from ..sip.address import Address
from ..sip.errors import MessageError
from ..sip.framing import PING, PONG, KeepAlive, StreamFramer

MAX_WRITE_BUFFER: Final = 1 << 20
UNACKNOWLEDGED_LIMIT: Final = 20.0
PONG_TIMEOUT: Final = 10.0


class _State(Enum):
    CONNECTING = auto()
    OPEN = auto()
    CLOSED = auto()


class Connection(asyncio.Protocol):
    """One connection, ours or the peer's; what is sent before it stands waits in a bounded buffer."""

    def __init__(
        self,
        address: Address | None,
        *,
        received: Callable[[bytes, Address], None],
        closed: Callable[[Connection, Exception | None], None],
        opened: Callable[[Connection], bool] | None = None,
        check: Callable[[ssl.SSLObject], None] | None = None,
    ) -> None:
        """Talk to `address`, or to whoever connects where it is None.

        `closed(connection, error)` is called once, unless we closed it ourselves. `opened` may refuse a peer's
        connection. `check` raises ssl.SSLError where the TLS peer is not who it should be; nothing is sent before.
        """
        self._loop = asyncio.get_running_loop()
        self._received = received
        self._closed = closed
        self._opened = opened
        self._check = check
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._state = _State.CONNECTING
        self._answers_pings = False
        self._pong_timer: asyncio.TimerHandle | None = None
        self._address = address
        self.incoming = address is None
        self.names: frozenset[str] = frozenset()
        """What the certificate of the other side was to bear, one of these names."""
        self.last_received = self._loop.time()
        self.gone = self._loop.create_future()

    @property
    def address(self) -> Address:
        """The peer's address."""
        if self._address is None:
            raise RuntimeError("a connection nobody has made yet")
        return self._address

    @property
    def established(self) -> bool:
        """Whether there is a connection at all, so that its end will be told by `gone`."""
        return self._transport is not None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        if self._address is None:
            host, port = transport.get_extra_info("peername")[:2]
            self._address = Address(Transport.TCP, host, port)
        if self._state is _State.CLOSED or (self._opened is not None and not self._opened(self)):
            self._state = _State.CLOSED
            transport.abort()
            return
        _limit_silence(transport.get_extra_info("socket"))
        connection = transport.get_extra_info("ssl_object")
        if connection is not None and self._check is not None:
            try:
                self._check(connection)
            except ssl.SSLError as error:
                self.fail(error)
                return
        self._state = _State.OPEN
        pending, self._pending = self._pending, []
        transport.writelines(pending)

    @override
    def data_received(self, data: bytes) -> None:
        self.last_received = self._loop.time()
        if self._pong_timer is not None:
            self._pong_timer.cancel()
            self._pong_timer = None
        try:
            frames = self._framer.feed(data)
        except MessageError as error:
            self.fail(error)
            return
        for frame in frames:
            if self._state is not _State.OPEN:
                return
            if frame is KeepAlive.PING:
                self.send(PONG)
            elif frame is KeepAlive.PONG:
                self._answers_pings = True
            elif isinstance(frame, bytes):
                self._received(frame, self.address)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(exc)
        if not self.gone.done():
            self.gone.set_result(None)

    def send(self, data: bytes) -> None:
        """Write, or keep until the connection stands; a peer that takes nothing off our hands is given up."""
        if self._state is _State.CLOSED:
            return
        if self._transport is None:
            self._pending_size += len(data)
            if self._pending_size > MAX_WRITE_BUFFER:
                self.fail(BufferError("too much waits to be sent"))
            else:
                self._pending.append(data)
        elif self._transport.get_write_buffer_size() + len(data) > MAX_WRITE_BUFFER:
            self.fail(BufferError("too much waits to be sent"))
        else:
            self._transport.write(data)

    def ping(self) -> None:
        """Keep the connection alive; a peer that has answered such a ping before must answer this one."""
        if self._state is _State.OPEN:
            self.send(PING)
            if self._answers_pings and self._pong_timer is None:
                self._pong_timer = self._loop.call_later(PONG_TIMEOUT, self._no_pong)

    def close(self) -> None:
        """Say goodbye after what is still to be written; nothing is delivered or reported any more."""
        self._end()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._end()
        if self._transport is not None:
            self._transport.abort()

    def fail(self, error: Exception | None) -> None:
        """Drop the connection and report why, once."""
        if self._state is not _State.CLOSED:
            self.abort()
            self._closed(self, error)

    def _no_pong(self) -> None:
        self._pong_timer = None
        self.fail(TimeoutError("no answer to a keep-alive"))

    def _end(self) -> None:
        self._state = _State.CLOSED
        self._pending = []
        if self._pong_timer is not None:
            self._pong_timer.cancel()
            self._pong_timer = None


def _limit_silence(connected: socket.socket) -> None:
    """Let the system give up a peer that acknowledges nothing, long before its own quarter of an hour."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            milliseconds = int(UNACKNOWLEDGED_LIMIT * 1000)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
