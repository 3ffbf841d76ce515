"""Proxies and redirect servers on the fake link: record-routing, login, forking to one address, and nothing cleverer.

They keep transactions (RFC 3261 section 16), so that CANCEL, refusals and repetitions go hop by hop as in a network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, Send
from custom_components.sip_ua.sip.digest_server import DigestServer, Login
from custom_components.sip_ua.sip.headers import NameAddr, Via
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.transaction import (
    AckReceived,
    CancelReceived,
    ClientTransaction,
    RequestReceived,
    ResponseReceived,
    ServerTransaction,
    Timers,
    TransactionLayer,
    TransactionTimedOut,
)
from custom_components.sip_ua.sip.uri import Params, SipUri

from .agents import entropy
from .link import Link

PASSWORD = "secret"


@dataclass
class Proxy:
    """One proxy with a name, under which Route and Record-Route header fields know it.

    `locations` gives the contact for an address of record, `names` the address for a host. With a `realm` it asks
    for a login, with `record_route` it stays on the way, with `redirect_to` it only says where to call instead.
    `rewrite` changes every body that passes, as a gateway on the edge of a network does.
    """

    link: Link
    name: str
    address: Address
    names: Mapping[str, Address]
    locations: dict[str, str] = field(default_factory=dict)
    realm: str = ""
    record_route: bool = True
    redirect_to: str = ""
    rewrite: Callable[[bytes], bytes] | None = None
    silent: bool = False

    def __post_init__(self) -> None:
        """Join the link."""
        self.asked: list[Request] = []
        self._layer = TransactionLayer(Timers())
        self._digest = DigestServer(self.realm, "MD5", entropy(len(self.name)))
        self._branches = 0
        by_tcp = replace(self.address, transport=Transport.TCP)
        self.link.join(self, self.address, by_tcp, deliver=self.deliver, react=self.react)

    def handle_timer(self, now: float) -> None:
        """Run the transactions' timers."""
        self._layer.handle_timer(now)

    def next_timer(self) -> float | None:
        """Return when the next of them is due."""
        return self._layer.next_timer()

    def sends(self) -> list[Send]:
        """Return what is to be sent."""
        return self._layer.sends()

    def deliver(self, data: bytes, source: Address, now: float) -> None:
        """Take a message, unless this proxy is out of order."""
        if self.silent:
            return
        message = parse_message(data)
        if isinstance(message, Response):
            # The layer is that of a user agent, which never sees the Via of anybody in front of it.
            _set_vias(message, message.headers.split("Via")[:1])
        else:
            self.asked.append(message)
        self._layer.receive(message, source, now)

    def react(self, now: float) -> None:
        """Pass on whatever came."""
        for indication in self._layer.indications():
            match indication:
                case RequestReceived(transaction, request):
                    self._request(transaction, request, now)
                case AckReceived(request, _, _):
                    forwarded, destination = self._forwarded(request)
                    self._layer.send_ack(forwarded, destination)
                case CancelReceived(ServerTransaction(context=ClientTransaction() as client), _):
                    self._layer.cancel(client, now)
                case ResponseReceived(ClientTransaction(context=ServerTransaction() as upstream), response):
                    self._response(upstream, response, now)
                case TransactionTimedOut(ClientTransaction(context=ServerTransaction() as upstream)):
                    answer = upstream.request.create_response(480, "No Response", to_tag=self.name)
                    self._layer.respond(upstream, answer, now)

    def _request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        first = not request.to.tag
        if self.redirect_to and first:
            response = request.create_response(302, to_tag=self.name)
            response.headers.add("Contact", f"<{self.redirect_to}>")
            self._layer.respond(transaction, response, now)
            return
        if self.realm and first:
            verdict = self._digest.verify(request, lambda _user: PASSWORD, now, proxy=True)
            if verdict.login is not Login.ACCEPTED:
                challenge = self._digest.challenge(request, now, proxy=True)
                challenge.headers.set("To", str(request.to.with_tag(self.name)))
                self._layer.respond(transaction, challenge, now)
                return
        forwarded, destination = self._forwarded(request)
        client = self._layer.request(forwarded, destination, now)
        client.context, transaction.context = transaction, client
        if request.method == "INVITE":
            self._layer.respond(transaction, request.create_response(100), now)

    def _forwarded(self, request: Request) -> tuple[Request, Address]:
        """Return a request as it goes on, and where to (RFC 3261 section 16.6)."""
        forwarded = request.copy()
        routes = forwarded.headers.split("Route")
        if routes and self._is_me(forwarded.route[0]):
            routes = routes[1:]
        forwarded.headers.remove("Route")
        for route in routes:
            forwarded.headers.add("Route", route)
        target = str(forwarded.request_uri)
        forwarded.uri = self.locations.get(target, target)
        if self.record_route and request.method == "INVITE" and not request.to.tag:
            forwarded.headers.insert_first("Record-Route", f"<sip:{self.name};lr>")
        forwarded.headers.set("Max-Forwards", str((request.max_forwards or 0) - 1))
        self._branches += 1
        params = Params({"branch": f"z9hG4bK-{self.name}-{self._branches}"})
        forwarded.headers.insert_first("Via", str(Via("UDP", self.address.host, self.address.port, params)))
        forwarded.body = self._rewritten(forwarded.body)
        uri = forwarded.route[0].uri if routes else forwarded.request_uri
        assert isinstance(uri, SipUri)
        named = self.names.get(uri.host)
        return forwarded, named or Address(Transport.UDP, uri.host, uri.port or 5060)

    def _is_me(self, route: NameAddr) -> bool:
        uri = route.uri
        return isinstance(uri, SipUri) and (uri.host == self.name or self.names.get(uri.host) == self.address)

    def _rewritten(self, body: bytes) -> bytes:
        return self.rewrite(body) if self.rewrite is not None and body else body

    def _response(self, upstream: ServerTransaction, response: Response, now: float) -> None:
        if response.status == 100:
            return
        passed = response.copy()
        _set_vias(passed, upstream.request.headers.split("Via"))
        passed.body = self._rewritten(passed.body)
        self._layer.respond(upstream, passed, now)
        # It is the called party that repeats its 2xx, not those on the way (section 16.7).
        self._layer.acked(upstream, now)


def _set_vias(message: Response, vias: list[str]) -> None:
    message.headers.remove("Via")
    for via in reversed(vias):
        message.headers.insert_first("Via", via)
