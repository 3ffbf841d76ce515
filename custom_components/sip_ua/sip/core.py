"""What every part of the user agent shares: identity, transactions, login, server location and the way out.

RFC 3261 sections 8.1.1 (header fields of a request) and 18.2.1; RFC 3581 for the address that others see us at;
RFC 3608 for the way that the registrar wants requests to take.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from math import ceil

from .account import Account, NatMode, ReliableProvisional, Transport, UriType
from .address import Address, Hop, HostPort, Lookup, Send
from .alarm import AlarmQueue
from .codecs import Codec, codecs_named
from .digest import Credentials, DigestClient
from .events import CertificateFacts, Event, RegistrationFailure
from .grammar import BRANCH_COOKIE, MAX_FORWARDS
from .headers import CSeq, Headers, NameAddr, Via
from .key_rules import KeyRules
from .large_requests import LargeRequests
from .message import Request, Response
from .overload import Overload
from .params import NO_PARAMS, Params
from .party import HIDDEN_USER
from .realms import Realms
from .transaction import ServerTransaction, Timers, TransactionLayer
from .uri import SipUri, Uri

type Entropy = Callable[[int], bytes]

SDP_TYPE = "application/sdp"
RELIABLE_TAG = "100rel"
PATH_TAG = "path"
ALLOWED_METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER", "NOTIFY")
SUPPORTED_EXTENSIONS = (RELIABLE_TAG, "timer", "replaces", "norefersub")

MAX_FLOWS = 16
MAX_RESTING = 64
MAX_CHOSEN = 32
NOWHERE = Hop(Address(Transport.UDP, "", 0), HostPort("", 0))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request got no answer at all; `text` names what was tried, in English.

    `place` is where that is, in words of no language; `certificate` the one that was not accepted.
    """

    kind: RegistrationFailure
    text: str
    place: str = ""
    certificate: CertificateFacts | None = None


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where a request is to go before any address is known; `ours` as in `Lookup`."""

    host: str
    port: int | None
    transport: Transport | None
    srv: bool = False
    ours: bool = field(default=False, compare=False)


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
        self.overload = Overload()
        self.realms = Realms(account)
        self.lookups: list[Lookup] = []
        self.events: list[Event] = []
        self.sends: list[Send] = []
        self.afterwards: list[tuple[Callable[[float], None], float]] = []
        self.arrival = NOWHERE
        self.from_server = False
        """Whether the message being dealt with came from one of our servers."""
        self.server_hosts: frozenset[str] = frozenset()
        self._hosts_of: dict[NextHop, frozenset[str]] = {}
        self._chosen: dict[str, None] = {}
        self.preferred: Address | None = None
        self.moves = 0
        """How often a connection came to be seen at another address."""
        self._resting: dict[Address, float] = {}
        self.service_route: tuple[NameAddr, ...] = ()
        self._seen_as: dict[Hop, HostPort] = {}
        self._key_rules: dict[Transport | None, KeyRules] = {}
        self._waiting: dict[int, LocatedCallback] = {}
        self._tokens = count(1)

    def emit(self, event: Event) -> None:
        """Tell the user of the agent."""
        self.events.append(event)

    def do_afterwards(self, work: Callable[[float], None], now: float) -> None:
        """Do something as of now when the events so far have been drained: people first, then the wire."""
        self.afterwards.append((work, now))

    def take_afterwards(self) -> list[tuple[Callable[[float], None], float]]:
        """Return what is left to be done, and as of when; once."""
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
        self.lookups.append(Lookup(token, hop.host, hop.port, hop.transport, hop.srv, hop.ours))

    def located(self, token: int, outcome: Sequence[Hop] | Failure, now: float) -> None:
        """Take the answer to one lookup; answers nobody waits for are ignored."""
        callback = self._waiting.pop(token, None)
        if callback is None:
            return
        if isinstance(outcome, Failure):
            callback(outcome, now)
            return
        # What leads to a group or to everybody is the word of a far end, or of its DNS.
        reachable = [hop for hop in outcome if hop.remote.is_one_machine]
        if not reachable:
            callback(Failure(RegistrationFailure.NAME_NOT_FOUND, "no address that a message may go to"), now)
        else:
            # The server that took the place of another is asked first, so that nobody waits for that one each time;
            # the order of the rest is DNS's (RFC 3263 section 4.3).
            callback(
                tuple(sorted(reachable, key=lambda hop: (self.rests(hop.remote, now), hop.remote != self.preferred))),
                now,
            )

    def let_rest(self, server: Address, until: float) -> None:
        """Note that a server wants to be asked nothing until then (RFC 3261 section 21.5.4)."""
        self._resting.pop(server, None)
        self._resting[server] = until
        if len(self._resting) > MAX_RESTING:
            del self._resting[next(iter(self._resting))]

    def rests(self, server: Address, now: float) -> bool:
        """Whether a server wants to be asked nothing as yet."""
        return now < self._resting.get(server, now)

    def rest_of(self, ways: Sequence[Hop], now: float) -> int:
        """Return the seconds until the first of these servers may be asked anything, 0 where one may be by now."""
        return ceil(max(0.0, min((self._resting.get(hop.remote, now) - now for hop in ways), default=0.0)))

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
        srv = account.use_srv or account.transport is None
        if self.service_route and not registrar and account.outbound_proxy is None:
            uri = self.service_route[0].uri
            if isinstance(uri, SipUri):
                # A route that names no transport means the one that the account registers over.
                hop = replace(self.uri_hop(uri, transport), srv=srv, ours=True)
                return replace(hop, transport=transport) if secure else hop
        return NextHop(server.host, server.port, transport, srv, ours=True)

    def goes_directly(self, uri: Uri) -> bool:
        """Whether requests to a URI go straight to its host although there is a server: the owner says so."""
        return isinstance(uri, SipUri) and uri.host in self.account.direct_hosts

    def server_for(self, uri: Uri, *, secure: bool = False) -> NextHop | None:
        """Return the first hop of a request to a URI at our server, None where the URI itself leads there."""
        return None if self.goes_directly(uri) else self.server_hop(secure=secure)

    def route_to(self, uri: Uri) -> tuple[NameAddr, ...]:
        """Return the preloaded route of a request outside a dialog to a URI."""
        return () if self.goes_directly(uri) else self.preloaded_route

    def note_servers(self, server: NextHop, hops: tuple[Hop, ...]) -> None:
        """Note the addresses of one of our servers: only they may reach us."""
        known = self._hosts_of | {server: frozenset(hop.remote.host for hop in hops)}
        present = {self.server_hop(), self.server_hop(registrar=True), self.server_hop(secure=True)}
        self._hosts_of = {hop: hosts for hop, hosts in known.items() if hop in present}
        self.server_hosts = frozenset().union(*self._hosts_of.values())

    def is_server(self, source: Address) -> bool:
        """Whether what comes from an address is a server's of ours; where that is spoken to by TLS only by TLS.

        A datagram may name any sender, but nobody else has the server's certificate (RFC 3261 section 26.2.1).
        """
        proven = source.transport is Transport.TLS or self.account.transport is not Transport.TLS
        return proven and source.host in self.server_hosts

    def note_chosen(self, hops: tuple[Hop, ...]) -> None:
        """Note where a person called or watched somebody without a server."""
        for hop in hops:
            self._chosen.pop(hop.remote.host, None)
            self._chosen[hop.remote.host] = None
            if len(self._chosen) > MAX_CHOSEN:
                del self._chosen[next(iter(self._chosen))]

    def may_log_in(self, hop: Hop) -> bool:
        """Whether a login may go there: to our servers, without a server to where a person called somebody.

        Who merely calls us, or is called as another one wishes, could ask for one to guess the password from it.
        """
        return self.is_server(hop.remote) if self.account.registers else hop.remote.host in self._chosen

    def learn_servers(self) -> None:
        """Find out whom calls go through where that is not the registrar: it may call us before we call anybody."""
        server = self.server_hop()
        if server is None or server == self.server_hop(registrar=True):
            return

        def note(outcome: tuple[Hop, ...] | Failure, _now: float) -> None:
            if not isinstance(outcome, Failure):
                self.note_servers(server, outcome)

        self.locate(server, note)

    def uri_hop(self, uri: SipUri, *usual: Transport | None) -> NextHop:
        """Return the hop that a SIP URI names (RFC 3263 section 4); `usual` is what one without a transport means."""
        named = uri.params.get("transport")
        if uri.scheme == "sips":
            transport: Transport | None = Transport.TLS
        elif named is not None and named.lower() in Transport:
            transport = Transport(named.lower())
        elif usual:
            (transport,) = usual
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

    def contact(self, hop: Hop, *, secure: bool = False, private: bool = False) -> NameAddr:
        """Return where requests to us are to be sent, as the peer behind `hop` reaches us; `secure` by TLS only.

        With `private` it does not tell our number.
        """
        if hop.remote.transport is Transport.TCP and not self.account.accepts_connections:
            # A request took a connection for its size; who wants to reach us finds no way to make one.
            hop = replace(hop, remote=replace(hop.remote, transport=Transport.UDP))
        transport = hop.remote.transport
        here = self._seen_as.get(_flow(hop), hop.local)
        scheme = "sips" if secure else self.scheme
        # What goes by TLS at every hop names no transport (section 26.2.2).
        named = transport is not Transport.UDP and scheme == "sip"
        params = Params({"transport": transport.value}) if named else NO_PARAMS
        user = HIDDEN_USER if private else self.account.number
        uri = SipUri(scheme=scheme, user=user, password=None, host=here.host, port=here.port, params=params)
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
        """The codecs of calls, best first: the account's unless `use_codecs` said otherwise.

        Raises LocalProtocolError for a name that is none.
        """
        return codecs_named(self.account.codecs)

    def use_codecs(self, names: Iterable[str]) -> None:
        """Offer and take these codecs from now on, best first; raises LocalProtocolError for a name that is none."""
        self.codecs = codecs_named(names)

    def key_rules(self, transport: Transport | None) -> KeyRules:
        """Return whether voice is encrypted where its descriptions go by a transport."""
        rules = self._key_rules.get(transport)
        if rules is None:
            account = self.account
            rules = KeyRules(account.srtp, account.allows_keys(transport), account.srtp_suites, self.entropy)
            self._key_rules[transport] = rules
        return rules

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

    @property
    def proxy_route(self) -> tuple[NameAddr, ...]:
        """Return the way through the outbound proxy, which REGISTER takes (section 8.1.2)."""
        proxy = self.account.outbound_proxy
        if proxy is None:
            return ()
        params = Params({"lr": None})
        transport = self.account.transport
        if transport is not None and transport.reliable and self.scheme == "sip":
            params = Params({"transport": transport.value, "lr": None})
        uri = SipUri(scheme=self.scheme, user=None, password=None, host=proxy.host, port=proxy.port, params=params)
        return (NameAddr("", uri),)

    @property
    def preloaded_route(self) -> tuple[NameAddr, ...]:
        """Return the way of other requests outside a dialog: the proxy's, then the registrar's (RFC 3608 section 6.1).

        A service route that begins at the outbound proxy leads there by itself.
        """
        own, service = self.proxy_route, self.service_route
        return service if own and service and self._is_proxy(service[0].uri) else own + service

    def _is_proxy(self, uri: Uri) -> bool:
        proxy = self.server_hop(registrar=True)
        if proxy is None or not isinstance(uri, SipUri):
            return False
        hosts = self._hosts_of.get(proxy, frozenset()) | {proxy.host.lower()}
        transport = self.account.transport or Transport.UDP
        ports = {port or transport.default_port for port in (uri.port, proxy.port)}
        return uri.host.lower() in hosts and len(ports) == 1

    def create_request(
        self,
        cseq: CSeq,
        uri: str,
        *,
        from_: NameAddr,
        to: NameAddr,
        call_id: str,
        route: tuple[NameAddr, ...] | None = None,
    ) -> Request:
        """Return a request outside a dialog with the header fields that each has (section 8.1.1); Via comes last.

        It takes the preloaded route, or the one that is given.
        """
        headers = Headers()
        for hop in self.preloaded_route if route is None else route:
            headers.add("Route", str(hop))
        headers.add("Max-Forwards", MAX_FORWARDS)
        headers.add("From", str(from_))
        headers.add("To", str(to))
        headers.add("Call-ID", call_id)
        headers.add("CSeq", str(cseq))
        return Request(cseq.method, uri, headers)

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
