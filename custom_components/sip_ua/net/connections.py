"""The connections of one account: opened on demand, used again both ways, never too many (RFC 3261 section 18)."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..sip.account import SIP_DSCP, Transport
from ..sip.address import Address
from ..sip.core import Failure
from ..sip.events import RegistrationFailure
from .failures import explain
from .marking import mark
from .tcp import Connection
from .tls import HANDSHAKE_TIMEOUT, SHUTDOWN_TIMEOUT, TlsTrust

MAX_CONNECTIONS: Final = 64
MAX_CONNECTIONS_FROM_HOST: Final = 8
CONNECT_TIMEOUT: Final = 10.0
INCOMING_IDLE: Final = 300.0
CHECK_INTERVAL: Final = 30.0

type Received = Callable[[bytes, Address], None]
type Failed = Callable[[Address, Failure], None]
type Names = Callable[[Address], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may connect to us: hosts that are expected, and among them the account's own servers before all others."""

    expects: Callable[[str], bool]
    is_server: Callable[[str], bool]


class Connections:
    """Finds or makes the connection for an address; keeps each alive that we made."""

    def __init__(
        self,
        *,
        received: Received,
        failed: Failed,
        names: Names,
        admission: Admission,
        tls: TlsTrust,
        bind_address: str = "",
        keep_alive: float = CHECK_INTERVAL,
        dscp: int = SIP_DSCP,
    ) -> None:
        """Deliver each message by `received` and each lost or failed connection, once, by `failed`.

        `names(address)` are those that the TLS certificate of an address may bear, the first one is asked for.
        `admission` decides who may connect to us. `keep_alive` is in seconds, 0 sends nothing; `bind_address` is
        numeric, "" for any. What is sent bears the mark `dscp`.
        """
        self._loop = asyncio.get_running_loop()
        self._received = received
        self._failed = failed
        self._names = names
        self._admission = admission
        self._tls = tls
        self._bind_address = bind_address
        self._keep_alive = keep_alive
        self._dscp = dscp
        self._open: dict[Address, Connection] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._timer = self._loop.call_later(keep_alive or CHECK_INTERVAL, self._tick)
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many connections there are, counting those that are being made."""
        return len(self._open)

    async def listen(self, bound: socket.socket) -> None:
        """Accept connections on a bound socket, which is ours from now on."""
        self._server = await self._loop.create_server(self._accept, sock=bound)

    def send(self, address: Address, data: bytes) -> None:
        """Send over the connection to an address, making one where there is none; never waits."""
        connection = self._open.get(address)
        if connection is None:
            if self._is_closed:
                return
            if not self._make_room():
                self._report(address, Failure(RegistrationFailure.NO_ANSWER, "too many connections are open"))
                return
            names = self._names(address) if address.transport is Transport.TLS else ()
            connection = Connection(
                address, received=self._received, closed=self._lost, check=partial(self._tls.check, expected=names)
            )
            connection.names = frozenset(names)
            self._open[address] = connection
            self._tasks[address] = self._loop.create_task(self._connect(connection, names))
        connection.send(data)

    def recheck(self, host: str) -> None:
        """Close what was made to a host whose certificate is expected to bear other names by now.

        The next message opens a new connection, which is checked for these.
        """
        for address, connection in list(self._open.items()):
            if address.host == host and not connection.names.issubset(self._names(address)):
                del self._open[address]
                if (task := self._tasks.pop(address, None)) is not None:
                    task.cancel()
                connection.close()

    def close_all(self) -> None:
        """Say goodbye on every connection; the next message opens a new one."""
        for task in self._tasks.values():
            task.cancel()
        for connection in self._drain():
            connection.close()

    async def close(self) -> None:
        """Free everything; what is written already still goes out, for a second at most."""
        self._is_closed = True
        self._timer.cancel()
        if self._server is not None:
            self._server.close()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        leaving = list(self._drain())
        for connection in leaving:
            connection.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        if gone := [connection.gone for connection in leaving if connection.established]:
            await asyncio.wait(gone, timeout=SHUTDOWN_TIMEOUT)
        for connection in leaving:
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()

    def maintain(self) -> None:
        """Ping the connections that we made, close what strangers left open; goes on by itself from time to time."""
        now = self._loop.time()
        for address, connection in list(self._open.items()):
            if not connection.incoming:
                if self._keep_alive:
                    connection.ping()
            elif now - connection.last_received > INCOMING_IDLE:
                del self._open[address]
                connection.close()

    def _drain(self) -> Iterator[Connection]:
        while self._open:
            yield self._open.popitem()[1]

    async def _connect(self, connection: Connection, names: tuple[str, ...]) -> None:
        """Make a connection; how it failed is told by the connection itself."""
        address = connection.address
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                context = await self._tls.context() if address.transport is Transport.TLS else None
                secure = context is not None
                connected = await self._open_socket(address)
                await self._loop.create_connection(
                    lambda: connection,
                    sock=connected,
                    ssl=context,
                    server_hostname=names[0] if secure else None,
                    ssl_handshake_timeout=HANDSHAKE_TIMEOUT if secure else None,
                    ssl_shutdown_timeout=SHUTDOWN_TIMEOUT if secure else None,
                )
        except TimeoutError as error:
            lacking = "TLS connection" if address.transport is Transport.TLS else "answer"
            connection.fail(error if error.errno else TimeoutError(f"no {lacking} within {CONNECT_TIMEOUT:.0f} s"))
        except OSError as error:
            connection.fail(error)
        finally:
            if self._tasks.get(address) is asyncio.current_task():
                del self._tasks[address]

    async def _open_socket(self, address: Address) -> socket.socket:
        """Return a socket that is connected, its first packet marked as all that follow; raises OSError."""
        opened = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)  # noqa: FBT003 - its only parameter
            mark(opened, self._dscp)
            if self._bind_address:
                opened.bind((self._bind_address, 0))
            await self._loop.sock_connect(opened, (address.host, address.port))
        except BaseException:
            opened.close()
            raise
        return opened

    def _accept(self) -> Connection:
        return Connection(None, received=self._received, closed=self._lost, opened=self._welcome)

    def _welcome(self, connection: Connection) -> bool:
        """Take in a peer's connection, unless nobody expects it or its host has too many."""
        address = connection.address
        if self._is_closed or not self._admission.expects(address.host):
            return False
        if (replaced := self._open.pop(address, None)) is not None:
            replaced.abort()
        from_host = sum(known.host == address.host for known in self._open)
        if from_host >= MAX_CONNECTIONS_FROM_HOST or not self._make_room():
            return False
        self._open[address] = connection
        return True

    def _make_room(self) -> bool:
        """Drop the peer's connection that is missed the least where there are too many, never one of ours.

        A server's goes last, and of others that which has been silent the longest: whoever fills the table with
        connections keeps neither the server nor us from making one.
        """
        if len(self._open) < MAX_CONNECTIONS:
            return True
        incoming = [connection for connection in self._open.values() if connection.incoming]
        if not incoming:
            return False
        least = min(incoming, key=lambda known: (self._admission.is_server(known.address.host), known.last_received))
        del self._open[least.address]
        least.abort()
        return True

    def _lost(self, connection: Connection, error: Exception | None) -> None:
        address = connection.address
        if self._open.get(address) is connection:
            del self._open[address]
        self._report(address, explain(error))

    def _report(self, address: Address, failure: Failure) -> None:
        # Later, because whoever sends is not ready to hear of it within its own call.
        if not self._is_closed:
            self._loop.call_soon(self._failed, address, failure)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._keep_alive or CHECK_INTERVAL, self._tick)
        self.maintain()
