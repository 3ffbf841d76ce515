"""All ways in and out for the SIP messages of one account (RFC 3261 section 18, RFC 3581, RFC 5626)."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..sip.account import Account, Transport
from ..sip.address import Address, Hop, HostPort, Lookup
from ..sip.core import Failure
from ..sip.events import RegistrationFailure
from ..sip.stun_message import is_stun
from .connections import Admission, Connections
from .dns import ascii_name
from .errors import LocalAddressError, LocalPortInUseError, NoRouteError, ResolutionError
from .failures import explain_number
from .ports import PortPair
from .public_address import PublicAddress, VoiceAddress
from .resolver import Resolver, numeric_address, numeric_host
from .routes import outgoing_address
from .tls import TlsTrust
from .udp import UdpSocket, bind

ANY_IPV4: Final = "0.0.0.0"  # noqa: S104 - the owner of the account left the choice open
ANY_IPV6: Final = "::"
PORT_ATTEMPTS: Final = 16
MAX_ROUTES: Final = 256
ROUTE_LIFETIME: Final = 30.0
NO_ROUTE_LIFETIME: Final = 1.0
MAX_NAMED: Final = 256
_FIRST_OF_TEXT: Final = 4
_LINE_END_OCTETS: Final = b"\r\n\0 "
_LAST_OF_LINE_ENDS: Final = max(_LINE_END_OCTETS)


@dataclass(frozen=True, slots=True)
class TransportHandlers:
    """Whom the transports tell, always from the event loop and never from within a call of theirs.

    `message` gets each whole message with the hop that it came over, the reading of the loop's clock, and how many
    seconds it waited to be read: None for one of a connection, and for the first of the datagrams read together.
    `failed` gets each address that could not be reached or whose connection was lost, with the cause in words.
    `address_changed` says that others see us at another address than before. `admission` is asked who may connect to
    us.
    """

    message: Callable[[bytes, Hop, float, float | None], None]
    failed: Callable[[Address, Failure], None]
    address_changed: Callable[[], None]
    admission: Admission


class Transports:
    """Moves messages over UDP, TCP and TLS; every port and connection is free again after `close`."""

    def __init__(self, account: Account, resolver: Resolver, handlers: TransportHandlers) -> None:
        """Prepare; nothing is bound before `start`. The resolver stays the caller's."""
        self._account = account
        self._network = account.network
        self._resolver = resolver
        self._handlers = handlers
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[bool, UdpSocket] = {}
        self._connections: Connections | None = None
        self._tls = TlsTrust(account.tls)
        self._port = 0
        self._hops: dict[tuple[Transport, str, int], tuple[float, Hop]] = {}
        self._routes: dict[str, tuple[float, str | None]] = {}
        self._names: dict[Address, tuple[str, ...]] = {}
        self._our_names: dict[str, tuple[str, ...]] = {}
        self._public = PublicAddress(account.network, resolver, self._send_stun, self._mapping_changed)

    @property
    def port(self) -> int:
        """Our port, the same for UDP and for connections made to us; 0 before `start`."""
        return self._port

    async def start(self) -> None:
        """Bind the sockets; raises LocalPortInUseError or LocalAddressError and leaves nothing behind then."""
        listener = self._bind_all()
        self._connections = Connections(
            received=self._received,
            failed=self._failed,
            names=self._expected_names,
            admission=self._handlers.admission,
            tls=self._tls,
            bind_address=self._network.bind_address,
            keep_alive=self._account.timing.keep_alive,
            dscp=self._network.sip_dscp,
        )
        if listener is not None:
            await self._connections.listen(listener)
        self._public.start(ipv6=not self._has_ipv4)

    async def close(self) -> None:
        """Free every socket, connection and task."""
        await self._public.close()
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()
        self._close_sockets()

    def send(self, address: Address, data: bytes) -> None:
        """Send one message; never waits, never raises. What fails is told by the handler `failed`."""
        if self._connections is None:
            return
        bound = self._sockets.get(":" in address.host)
        if self._route(address.host) is None or bound is None:
            self._loop.call_soon(
                self._failed, address, Failure(RegistrationFailure.NO_ROUTE, "this machine has no way there")
            )
        elif address.transport is Transport.UDP:
            bound.send(data, address.host, address.port)
        else:
            self._connections.send(address, data)

    def locate_numeric(self, lookup: Lookup) -> list[Hop] | None:
        """Return at once where a numeric host is; None where that is for `locate` to find out.

        Raises NoRouteError.
        """
        address = numeric_address(lookup)
        return None if address is None or self._public.is_pending else self._hops_to(lookup, [address])

    async def locate(self, lookup: Lookup) -> list[Hop]:
        """Return where a server is and where it reaches us, best first (RFC 3263); raises ResolutionError."""
        addresses = await self._resolver.resolve(lookup)
        await self._public.ready()
        return self._hops_to(lookup, addresses)

    def _hops_to(self, lookup: Lookup, addresses: list[Address]) -> list[Hop]:
        for address in addresses:
            if address.transport is Transport.TLS:
                self._expect(address, lookup.host, ours=lookup.ours)
        hops = [Hop(address, local) for address in addresses if (local := self.local_for(address)) is not None]
        if not hops:
            raise NoRouteError(lookup.host, addresses[0].host)
        return hops

    def local_for(self, remote: Address) -> HostPort | None:
        """Return our address as that peer is to use it, None where this machine has no way there."""
        public = self._public.address_for(remote, self._port)
        if public is not None:
            return public
        local = self._route(remote.host)
        return None if local is None else HostPort(local, self._port)

    @property
    def certificate_dates(self) -> tuple[str, str] | None:
        """Return first and last day of our server's certificate, such as 2030-12-31; None where it has none to mind."""
        return self._tls.dates(names[0] for names in self._our_names.values())

    async def voice_address(self, pair: PortPair, remote: Address) -> VoiceAddress | None:
        """Return where that peer is to send voice, None for the host of `local_for` and the ports as bound.

        Takes a second at most, and time only with a STUN server and a peer beyond the NAT. Nobody else may read the
        sockets meanwhile.
        """
        return await self._public.voice_address(pair, remote)

    def network_changed(self) -> None:
        """Forget what was true of another network; connections are made anew."""
        self._routes.clear()
        self._hops.clear()
        self._public.refresh()
        if self._connections is not None:
            self._connections.close_all()

    # Sockets

    @property
    def _has_ipv4(self) -> bool:
        return False in self._sockets

    def _bind_all(self) -> socket.socket | None:
        """Bind UDP, and TCP where the account accepts connections, to one port number."""
        wanted = self._network.local_port
        # A free UDP port may be taken for TCP: then another one is tried.
        for attempts_left in reversed(range(1 if wanted else PORT_ATTEMPTS)):
            try:
                return self._bind_port(wanted)
            except (LocalPortInUseError, LocalAddressError) as error:
                self._close_sockets()
                if isinstance(error, LocalAddressError) or not attempts_left:
                    raise
        return None

    def _bind_port(self, port: int) -> socket.socket | None:
        hosts = (self._network.bind_address,) if self._network.bind_address else (ANY_IPV4, ANY_IPV6)
        for host in hosts:
            try:
                bound = bind(socket.SOCK_DGRAM, host, port, self._network.sip_dscp)
            except LocalAddressError:
                # A machine may lack one version of IP altogether.
                if host == hosts[-1] and not self._sockets:
                    raise
                continue
            self._sockets[":" in host] = opened = UdpSocket(bound, self._datagram_received, self._datagram_failed)
            port = opened.port
        self._port = port
        if not self._account.accepts_connections:
            return None
        host = hosts[0] if self._has_ipv4 else hosts[-1]
        return bind(socket.SOCK_STREAM, host, port, self._network.sip_dscp)

    def _close_sockets(self) -> None:
        for bound in self._sockets.values():
            bound.close()
        self._sockets.clear()

    # What arrives

    def _datagram_received(self, data: bytes, host: str, port: int, waited: float | None) -> None:
        first = data[0] if data else 0
        if first < _FIRST_OF_TEXT and is_stun(data):
            self._public.receive(data, host, port)
        elif first > _LAST_OF_LINE_ENDS or data.strip(_LINE_END_OCTETS):
            self._deliver(data, Transport.UDP, host, port, waited)

    def _datagram_failed(self, host: str, port: int, number: int) -> None:
        if not self._public.is_server(host, port):
            self._failed(Address(Transport.UDP, host, port), explain_number(number))

    def _failed(self, address: Address, failure: Failure) -> None:
        if self._connections is not None:
            self._handlers.failed(address, failure)

    def _received(self, data: bytes, source: Address) -> None:
        self._deliver(data, source.transport, source.host, source.port, None)

    def _deliver(self, data: bytes, transport: Transport, host: str, port: int, waited: float | None) -> None:
        key = (transport, host, port)
        now = self._loop.time()
        expires, hop = self._hops.get(key, (0.0, None))
        if hop is None or expires <= now:
            hop = self._new_hop(Address(transport, host, port))
            if hop is None:
                return
            _put(self._hops, key, (now + ROUTE_LIFETIME, hop), MAX_ROUTES)
        if self._connections is not None:
            self._handlers.message(data, hop, now, waited)

    def _new_hop(self, remote: Address) -> Hop | None:
        local = self.local_for(remote)
        return None if local is None else Hop(remote, local)

    # Our addresses

    def _route(self, host: str) -> str | None:
        """Return the address that packets to a host leave from; asks the system's routes, sends nothing."""
        expires, local = self._routes.get(host, (0.0, None))
        now = self._loop.time()
        if expires <= now:
            local = None
            # Of a name the system would ask its name servers here and now.
            if numeric_host(host) is not None:
                local = self._network.bind_address.partition("%")[0] or outgoing_address(host)
            lifetime = NO_ROUTE_LIFETIME if local is None else ROUTE_LIFETIME
            _put(self._routes, host, (now + lifetime, local), MAX_ROUTES)
        return local if (":" in host) in self._sockets else None

    def _mapping_changed(self) -> None:
        self._hops.clear()
        if self._connections is not None:
            self._handlers.address_changed()

    def _send_stun(self, data: bytes, host: str, port: int) -> None:
        bound = self._sockets.get(":" in host)
        if bound is not None:
            bound.send(data, host, port)

    # Names on certificates

    def _expect(self, address: Address, host: str, *, ours: bool) -> None:
        """Note the name that an address was found by.

        What is at the address of a server of ours must be that server, at whatever port and whoever leads us there:
        a far end may name any host, and have it found anywhere.
        """
        names = tuple(dict.fromkeys(_on_certificates(name) for name in (host, self._account.domain) if name))
        if ours:
            names = tuple(dict.fromkeys((*self._our_names.get(address.host, ()), *names)))
            _put(self._our_names, address.host, names, MAX_NAMED)
        # A recorded route mostly has the numeric address of a server that we know by a better name.
        elif address not in self._names or numeric_host(host) is None:
            _put(self._names, address, names, MAX_NAMED)
        if self._connections is not None:
            self._connections.recheck(address.host)

    def _expected_names(self, address: Address) -> tuple[str, ...]:
        return self._our_names.get(address.host) or self._names.get(address, (address.host,))


def _on_certificates(name: str) -> str:
    """Return a name in the letters that certificates have (RFC 5280 section 7.2)."""
    try:
        return name if name.isascii() else ascii_name(name)
    except ResolutionError:
        return name


def _put[Key, Value](cache: dict[Key, Value], key: Key, value: Value, limit: int) -> None:
    """Keep a value, and drop the oldest where there are too many."""
    cache.pop(key, None)
    cache[key] = value
    if len(cache) > limit:
        del cache[next(iter(cache))]
