"""What every part of the user agent shares: identity, transactions, login, server location and the way out.

RFC 3261 sections 8.1.1 (header fields of a request) and 18.2.1; RFC 3581 for the address that others see us at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from .account import Account, NatMode, ReliableProvisional, Transport, UriType
from .address import Address, Hop, HostPort, Lookup, Send
from .alarm import AlarmQueue
from .codecs import Codec, codecs_named
from .digest import Credentials, DigestClient
from .events import Event, RegistrationFailure
from .grammar import BRANCH_COOKIE
from .headers import Headers, NameAddr, Via
from .key_rules import KeyRules
from .large_requests import LargeRequests
from .message import Request, Response
from .params import NO_PARAMS, Params
from .transaction import ServerTransaction, Timers, TransactionLayer
from .uri import SipUri

type Entropy = Callable[[int], bytes]

SDP_TYPE = "application/sdp"
RELIABLE_TAG = "100rel"
ALLOWED_METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER", "NOTIFY")
SUPPORTED_EXTENSIONS = (RELIABLE_TAG, "timer", "replaces", "norefersub")

MAX_FLOWS = 16
NOWHERE = Hop(Address(Transport.UDP, "", 0), HostPort("", 0))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request got no answer at all; `text` names what was tried."""

    kind: RegistrationFailure
    text: str


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where a request is to go before any address is known."""

    host: str
    port: int | None
    transport: Transport | None
    srv: bool = False


type LocatedCallback = Callable[[tuple[Hop, ...] | Failure, float], None]


class Core:
    """State and services shared by the registration and the calls of one account."""

    def __init__(self, account: Account, entropy: Entropy, timers: Timers) -> None:
        """Start with nothing sent and nobody known; `arrival` is how the message being dealt with came in."""
        self.account = account
        self.entropy = entropy
        self.timers = timers
        self.layer = TransactionLayer(timers)
        self.alarms = AlarmQueue()
        self.digest = DigestClient(Credentials(account.login, account.password), entropy)
        self.large_requests = LargeRequests(account.transport)
        self.lookups: list[Lookup] = []
        self.events: list[Event] = []
        self.sends: list[Send] = []
        self.afterwards: list[Callable[[], None]] = []
        self.arrival = NOWHERE
        self.server_hosts: frozenset[str] = frozenset()
        self._hosts_of: dict[NextHop, frozenset[str]] = {}
        self.preferred: Address | None = None
        self.moves = 0
        """How often a connection came to be seen at another address."""
        self._seen_as: dict[Hop, HostPort] = {}
        self._waiting: dict[int, LocatedCallback] = {}
        self._tokens = count(1)

    def emit(self, event: Event) -> None:
        """Tell the user of the agent."""
        self.events.append(event)

    def do_afterwards(self, work: Callable[[], None]) -> None:
        """Do something when the events so far have been drained: people first, then the wire."""
        self.afterwards.append(work)

    def take_afterwards(self) -> list[Callable[[], None]]:
        """Return what is left to be done, once."""
        work, self.afterwards = self.afterwards, []
        return work

    def token(self, size: int = 8) -> str:
        """Return `size` random bytes as hexadecimal digits, for tags, branches and Call-IDs."""
        return self.entropy(size).hex()

    # Server location

    def locate(self, hop: NextHop, callback: LocatedCallback) -> None:
        """Ask the network layer where `hop` is; the answer comes through `located`."""
        token = next(self._tokens)
        self._waiting[token] = callback
        self.lookups.append(Lookup(token, hop.host, hop.port, hop.transport, hop.srv))

    def located(self, token: int, outcome: Sequence[Hop] | Failure, now: float) -> None:
        """Take the answer to one lookup; answers nobody waits for are ignored."""
        callback = self._waiting.pop(token, None)
        if callback is None:
            return
        if isinstance(outcome, Failure):
            callback(outcome, now)
        elif not outcome:
            callback(Failure(RegistrationFailure.NAME_NOT_FOUND, "no address"), now)
        else:
            # The server that answered last is asked first; the order of the rest is DNS's (RFC 3263 section 4.3).
            callback(tuple(sorted(outcome, key=lambda found: found.remote != self.preferred)), now)

    def server_hop(self, *, registrar: bool = False, secure: bool = False) -> NextHop | None:
        """Return the first hop of requests outside a dialog, None without a server (peer to peer).

        Where a SIPS URI is called, it must be spoken to over TLS (section 26.2.2).
        """
        account = self.account
        server = (
            account.outbound_proxy or (account.registrar if registrar else None) or account.server or account.registrar
        )
        if server is None:
            return None
        transport = Transport.TLS if secure else account.transport
        return NextHop(server.host, server.port, transport, account.use_srv or account.transport is None)

    def note_servers(self, server: NextHop, hops: tuple[Hop, ...]) -> None:
        """Note the addresses of one of our servers: only they may reach us."""
        self._hosts_of[server] = frozenset(hop.remote.host for hop in hops)
        self.server_hosts = frozenset().union(*self._hosts_of.values())

    def uri_hop(self, uri: SipUri) -> NextHop:
        """Return the hop that a SIP URI names (RFC 3263 section 4)."""
        named = uri.params.get("transport")
        if uri.scheme == "sips":
            transport: Transport | None = Transport.TLS
        elif named is not None and named.lower() in Transport:
            transport = Transport(named.lower())
        elif self.account.transport is not None and (uri.host in self.server_hosts or not self.account.registers):
            # A server that records its route without naming a transport means the one it was spoken to over, and
            # without a server the account's transport is what a person wants.
            transport = self.account.transport
        else:
            transport = Transport.UDP
        host = uri.params.get("maddr") or uri.host
        return NextHop(host, uri.port, transport)

    # Identity

    @property
    def scheme(self) -> str:
        """Return the scheme of our own URIs."""
        return "sips" if self.account.uri_type is UriType.SIPS else "sip"

    def identity(self, local_host: str = "") -> NameAddr:
        """Return who we are: number@domain, the address of record; without a domain we are at `local_host`."""
        host = self.account.domain or local_host
        uri = SipUri(scheme=self.scheme, user=self.account.number, password=None, host=host)
        return NameAddr(self.account.display_name, uri)

    def domain_uri(self) -> SipUri:
        """Return the URI of our service domain, as REGISTER and OPTIONS name it."""
        return SipUri(scheme=self.scheme, user=None, password=None, host=self.account.domain)

    def contact(self, hop: Hop, *, secure: bool = False) -> NameAddr:
        """Return where requests to us are to be sent, as the peer behind `hop` reaches us; `secure` by TLS only."""
        if hop.remote.transport is Transport.TCP and not self.account.accepts_connections:
            # A request took a connection for its size; who wants to reach us finds no way to make one.
            hop = replace(hop, remote=replace(hop.remote, transport=Transport.UDP))
        transport = hop.remote.transport
        here = self._seen_as.get(_flow(hop), hop.local)
        scheme = "sips" if secure else self.scheme
        # What goes by TLS at every hop names no transport (section 26.2.2).
        named = transport is not Transport.UDP and scheme == "sip"
        params = Params({"transport": transport.value}) if named else NO_PARAMS
        uri = SipUri(
            scheme=scheme, user=self.account.number, password=None, host=here.host, port=here.port, params=params
        )
        return NameAddr("", uri)

    def via(self, hop: Hop) -> Via:
        """Return a new topmost Via with a fresh branch."""
        params = Params({"rport": None, "branch": BRANCH_COOKIE + self.token()})
        return Via(hop.remote.transport.via, hop.local.host, hop.local.port, params)

    def learn_address(self, hop: Hop, response: Response) -> bool:
        """Note the address that the server saw (RFC 3581); True when it is news.

        Of a datagram that is where a NAT lets us be reached. Nobody can connect to us over TLS, for we have no
        certificate: there it is the connection that we made ourselves, which the server finds again by this address.
        """
        transport = hop.remote.transport
        automatic = self.account.network.nat is NatMode.AUTOMATIC
        if transport is Transport.TCP or (transport is Transport.UDP and not automatic):
            return False
        via = response.via
        seen = HostPort(via.received or hop.local.host, via.rport or hop.local.port)
        flow = _flow(hop)
        if self._seen_as.get(flow, hop.local) == seen:
            return False
        self._seen_as.pop(flow, None)
        self._seen_as[flow] = seen
        if len(self._seen_as) > MAX_FLOWS:
            del self._seen_as[next(iter(self._seen_as))]
        self.moves += transport.reliable
        return True

    @cached_property
    def codecs(self) -> tuple[Codec, ...]:
        """The account's codecs, best first; raises LocalProtocolError for a name that is none."""
        return codecs_named(self.account.codecs)

    def key_rules(self, transport: Transport | None) -> KeyRules:
        """Return whether voice is encrypted where its descriptions go by a transport."""
        account = self.account
        return KeyRules(account.srtp, account.allows_keys(transport), account.srtp_suites, self.entropy)

    def ways_for(self, hops: tuple[Hop, ...], *, keys: bool) -> tuple[Hop, ...]:
        """Return those ways that a request may take: one with keys goes by TLS, or as the owner says otherwise."""
        if not keys:
            return hops
        return tuple(hop for hop in hops if self.account.allows_keys(hop.remote.transport))

    @property
    def extensions(self) -> tuple[str, ...]:
        """Return the option tags of the extensions that we support."""
        off = self.account.reliable_provisional is ReliableProvisional.OFF
        return tuple(tag for tag in SUPPORTED_EXTENSIONS if not (off and tag == RELIABLE_TAG))

    @property
    def allow(self) -> str:
        """Return the value of our Allow header fields."""
        return ", ".join(ALLOWED_METHODS)

    @property
    def supported(self) -> str:
        """Return the value of our Supported header fields."""
        return ", ".join(self.extensions)

    # Requests and answers outside the transactions' own

    def add_route(self, headers: Headers) -> None:
        """Lead a request outside a dialog through the outbound proxy (section 8.1.2)."""
        proxy = self.account.outbound_proxy
        if proxy is None:
            return
        params = Params({"lr": None})
        transport = self.account.transport
        if transport is not None and transport.reliable and self.scheme == "sip":
            params = Params({"transport": transport.value, "lr": None})
        uri = SipUri(scheme=self.scheme, user=None, password=None, host=proxy.host, port=proxy.port, params=params)
        headers.add("Route", str(NameAddr("", uri)))

    def complete(self, request: Request, hop: Hop) -> Request:
        """Give a request its topmost Via and our name."""
        request.headers.insert_first("Via", str(self.via(hop)))
        request.headers.set("User-Agent", self.account.user_agent)
        return request

    def create_response(
        self,
        transaction: ServerTransaction,
        status: int,
        *,
        to_tag: str | None = None,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Response:
        """Return the answer to a request; a body is always a session description."""
        request = transaction.request
        tag = to_tag or (None if request.to.tag else self.token())
        response = request.create_response(status, reason, to_tag=tag)
        for name, value in headers:
            response.headers.add(name, value)
        response.headers.set("User-Agent", self.account.user_agent)
        if body:
            response.headers.set("Content-Type", SDP_TYPE)
            response.body = body
        return response

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        to_tag: str | None = None,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Response:
        """Answer a request, and return the answer."""
        response = self.create_response(transaction, status, to_tag=to_tag, reason=reason, headers=headers, body=body)
        self.layer.respond(transaction, response, now)
        return response


def _flow(hop: Hop) -> Hop:
    """Return what messages share that reach us at one address: a connection, or a socket for datagrams."""
    if hop.remote.transport.reliable:
        return hop
    return Hop(Address(hop.remote.transport, "", 0), hop.local)
