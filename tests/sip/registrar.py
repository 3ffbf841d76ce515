"""A registrar and proxy on the fake link: login, bindings, faults on demand, and a log of what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, Send
from custom_components.sip_ua.sip.digest_server import DigestServer, Login
from custom_components.sip_ua.sip.headers import NameAddr
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.transaction import RequestReceived, Timers, TransactionLayer

from .agents import entropy
from .link import Link

SERVER = Address(Transport.UDP, "198.51.100.5", 5060)
NAME = "sip.example"


@dataclass
class Registrar:
    """Answers REGISTER and OPTIONS; `script` gives answers in advance: (status, header fields)."""

    link: Link
    password: str = "secret"
    algorithm: str = "SHA-256"
    min_expires: int = 60
    max_expires: int = 3600
    max_contacts: int = 10
    login: bool = True
    silent: bool = False
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    bindings: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[float, Request]] = field(default_factory=list)
    seen_from: Callable[[Address], Address] | None = None
    extra: list[tuple[str, str]] = field(default_factory=list)
    """Header fields that each 2xx to REGISTER has besides."""
    address: Address = SERVER

    def __post_init__(self) -> None:
        """Join the link."""
        self.layer = TransactionLayer(Timers())
        self.restart()
        self.link.join(self, self.address, deliver=self.deliver, react=self.react)

    def restart(self) -> None:
        """Forget every binding and nonce."""
        self.digest = DigestServer(NAME, self.algorithm, entropy(99))
        self.bindings.clear()

    def handle_timer(self, now: float) -> None:
        """Run the transactions' timers."""
        self.layer.handle_timer(now)

    def next_timer(self) -> float | None:
        """Return when the next of them is due."""
        return self.layer.next_timer()

    def sends(self) -> list[Send]:
        """Return the answers; a silent server gives none."""
        sends = self.layer.sends()
        return [] if self.silent else sends

    def deliver(self, data: bytes, source: Address, now: float) -> None:
        """Take a message; `seen_from` plays a NAT."""
        if not self.silent:
            self.layer.receive(parse_message(data), self.seen_from(source) if self.seen_from else source, now)

    def react(self, now: float) -> None:
        """Answer every request."""
        for indication in self.layer.indications():
            if isinstance(indication, RequestReceived):
                self.asked.append((now, indication.request))
                self.layer.respond(indication.transaction, self._answer(indication.request, now), now)

    def registers(self) -> list[tuple[float, Request]]:
        """Return the REGISTER requests and when they came."""
        return [(when, request) for when, request in self.asked if request.method == "REGISTER"]

    def _answer(self, request: Request, now: float) -> Response:
        if request.method != "REGISTER":
            return request.create_response(200, to_tag="server")
        if self.script:
            status, headers = self.script.pop(0)
            response = request.create_response(status, to_tag="server")
            for name, value in headers.items():
                response.headers.add(name, value)
            return response
        if self.login:
            verdict = self.digest.verify(request, lambda _user: self.password, now)
            if verdict.login is not Login.ACCEPTED:
                return self.digest.challenge(request, now, stale=verdict.login is Login.STALE)
        return self._bind(request, now)

    def _bind(self, request: Request, now: float) -> Response:
        times = {str(contact.uri): _seconds(contact, request) for contact in request.contacts}
        if any(0 < expires < self.min_expires for expires in times.values()):
            response = request.create_response(423, to_tag="server")
            response.headers.add("Min-Expires", str(self.min_expires))
            return response
        bindings = {uri: until for uri, until in self.bindings.items() if uri not in times}
        bindings |= {uri: now + min(expires, self.max_expires) for uri, expires in times.items() if expires}
        if len(bindings) > self.max_contacts:
            return request.create_response(403, to_tag="server")
        self.bindings = bindings
        response = request.create_response(200, to_tag="server")
        for bound, until in self.bindings.items():
            response.headers.add("Contact", f"<{bound}>;expires={int(until - now)}")
        for name, value in self.extra:
            response.headers.add(name, value)
        return response


def _seconds(contact: NameAddr, request: Request) -> int:
    return contact.expires if contact.expires is not None else request.expires or 0
