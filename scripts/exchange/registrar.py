"""The front desk of the exchange: logins, registrations, and who may dial (RFC 3261 sections 10.3 and 22, RFC 8760).

Requests are answered without a transaction (RFC 3261 section 8.2.7): a repeated request gets its first answer again.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.digest_server import DigestServer, Login
from custom_components.sip_ua.sip.message import Request, Response
from custom_components.sip_ua.sip.transaction_matching import Key, note_source, server_key
from custom_components.sip_ua.sip.uri import SipUri, uri_equal

ALGORITHMS = ("SHA-256", "MD5")
EXPIRES_DEFAULT = 3600
EXPIRES_MIN = 60
EXPIRES_MAX = 3600
MAX_REMEMBERED = 1024
MAX_CONTACTS = 8


@dataclass(frozen=True, slots=True)
class Binding:
    """One telephone of a number: the address it gave, and the one its REGISTER came from."""

    contact: SipUri
    source: Address
    expires_at: float


class Registrar:
    """Knows the users of the exchange, and where their telephones are. `now` is a monotonic clock in seconds."""

    def __init__(
        self,
        realm: str,
        users: Mapping[str, str],
        entropy: Callable[[int], bytes],
        *,
        algorithms: tuple[str, ...] = ALGORITHMS,
        expires_min: int = EXPIRES_MIN,
    ) -> None:
        """Take the passwords by number, and the digest algorithms to ask for, the best one first."""
        self._users = users
        self._entropy = entropy
        self._expires_min = expires_min
        self._servers = [DigestServer(realm, algorithm, entropy) for algorithm in algorithms]
        self._bindings: dict[str, list[Binding]] = {}
        self._answered: OrderedDict[Key, Response | None] = OrderedDict()

    def bindings(self, number: str, now: float) -> list[Binding]:
        """Return where a number is registered, the latest first."""
        return [binding for binding in self._bindings.get(number, ()) if binding.expires_at > now]

    def admit(self, request: Request, source: Address, now: float) -> Response | None:
        """Answer a REGISTER, or an INVITE from somebody who did not log in; None lets a request pass."""
        if request.method not in {"REGISTER", "INVITE"} or request.to.tag:
            return None
        key = server_key(request, source.transport)
        if key not in self._answered:
            note_source(request, source)
            self._answered[key] = self._decide(request, source, now)
            if len(self._answered) > MAX_REMEMBERED:
                self._answered.popitem(last=False)
        return self._answered[key]

    def _decide(self, request: Request, source: Address, now: float) -> Response | None:
        """Demand a login; then register, or let the call pass."""
        proxy = request.method == "INVITE"
        verdicts = [server.verify(request, self._users.get, now, proxy=proxy) for server in self._servers]
        accepted = next((verdict for verdict in verdicts if verdict.login is Login.ACCEPTED), None)
        if accepted is None:
            outcomes = {verdict.login for verdict in verdicts}
            if Login.REFUSED in outcomes:
                return self._answer(request, 403)
            return self._challenge(request, now, proxy=proxy, stale=Login.STALE in outcomes)
        if _user_of(request.from_.uri) != accepted.username:
            return self._answer(request, 403)
        return None if proxy else self._register(request, source, now)

    def _challenge(self, request: Request, now: float, *, proxy: bool, stale: bool) -> Response:
        """Ask for a login, offering every algorithm in a header field of its own (RFC 8760 section 2.4)."""
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        response = self._answer(request, 407 if proxy else 401)
        for server in self._servers:
            for value in server.challenge(request, now, proxy=proxy, stale=stale).headers.get_all(name):
                response.headers.add(name, value)
        return response

    def _answer(self, request: Request, status: int) -> Response:
        return request.create_response(status, to_tag=self._entropy(8).hex())

    # REGISTER

    def _register(self, request: Request, source: Address, now: float) -> Response:
        """Keep, renew or forget the contacts of a number."""
        number = _user_of(request.to.uri)
        if number not in self._users:
            return self._answer(request, 404)
        if _user_of(request.from_.uri) != number:
            return self._answer(request, 403)
        if request.contact_star:
            if request.expires != 0:
                return self._answer(request, 400)
            self._bindings.pop(number, None)
            return self._registered(request, number, now)
        wanted: list[tuple[SipUri, int]] = []
        for contact in request.contacts:
            if not isinstance(contact.uri, SipUri):
                return self._answer(request, 400)
            expires = next((span for span in (contact.expires, request.expires) if span is not None), EXPIRES_DEFAULT)
            if 0 < expires < self._expires_min:
                response = self._answer(request, 423)
                response.headers.add("Min-Expires", str(self._expires_min))
                return response
            wanted.append((contact.uri, min(expires, EXPIRES_MAX)))
        for uri, expires in wanted:
            self._bind(number, Binding(uri, source, now + expires), now)
        return self._registered(request, number, now)

    def _bind(self, number: str, binding: Binding, now: float) -> None:
        others = [old for old in self.bindings(number, now) if not uri_equal(old.contact, binding.contact)]
        self._bindings[number] = ([binding] if binding.expires_at > now else []) + others[: MAX_CONTACTS - 1]

    def _registered(self, request: Request, number: str, now: float) -> Response:
        """List what is registered now (section 10.3, step 8)."""
        response = self._answer(request, 200)
        for binding in self.bindings(number, now):
            response.headers.add("Contact", f"<{binding.contact}>;expires={round(binding.expires_at - now)}")
        return response


def _user_of(uri: object) -> str:
    """Return the number of a SIP address."""
    return uri.user or "" if isinstance(uri, SipUri) else ""
