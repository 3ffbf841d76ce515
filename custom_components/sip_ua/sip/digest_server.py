"""The asking side of digest authentication, for exchanges and direct calls (RFC 3261 section 22, RFC 7616)."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest

from .digest_values import (
    ALGORITHMS,
    DEFAULT_ALGORITHM,
    AuthValue,
    DigestInput,
    Qop,
    digest_key,
    digest_response,
    nonce_count,
    parse_auth_values,
    quoted,
)
from .message import Request, Response

NONCE_LENGTH = 16
NONCE_LIFETIME = 300.0
MAX_NONCES = 4096


class Login(StrEnum):
    """What became of a login."""

    ACCEPTED = "accepted"
    MISSING = "missing"
    STALE = "stale"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A login's outcome and the user name it gave, "" where it gave none."""

    login: Login
    username: str = ""


@dataclass(slots=True)
class _Nonce:
    """A nonce given out: when, in seconds of the caller's clock, and the highest count seen with it."""

    issued: float
    count: int = 0


class DigestServer:
    """Challenges requests of one realm and checks the answers; a nonce count is accepted once."""

    def __init__(self, realm: str, algorithm: str, entropy: Callable[[int], bytes]) -> None:
        """Ask with one algorithm, e.g. "SHA-256"; raises KeyError for one that is not to be had here."""
        self._realm = realm
        self._algorithm = ALGORITHMS[algorithm.lower()]
        self._entropy = entropy
        self._nonces: dict[str, _Nonce] = {}

    def challenge(self, request: Request, now: float, *, proxy: bool = False, stale: bool = False) -> Response:
        """Return the 401, or as a proxy the 407, that asks for a login."""
        nonce = self._entropy(NONCE_LENGTH).hex()
        self._nonces[nonce] = _Nonce(now)
        if len(self._nonces) > MAX_NONCES:
            del self._nonces[next(iter(self._nonces))]
        value = f'Digest realm={quoted(self._realm)}, nonce="{nonce}", algorithm={self._algorithm.name}, qop="auth"'
        response = request.create_response(407 if proxy else 401)
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        response.headers.add(name, f"{value}, stale=true" if stale else value)
        return response

    def verify(
        self, request: Request, password_of: Callable[[str], str | None], now: float, *, proxy: bool = False
    ) -> Verdict:
        """Check the login of a request; `password_of` returns None for a user who is not known."""
        value = self._credentials(request, "Proxy-Authorization" if proxy else "Authorization")
        if value is None:
            return Verdict(Login.MISSING)
        username = value.get("username")
        nonce = self._nonces.get(value.get("nonce"))
        if nonce is None or now - nonce.issued > NONCE_LIFETIME:
            return Verdict(Login.STALE, username)
        count = _count(value)
        password = password_of(username)
        if password is None or count is None or not self._matches(value, request, password, count):
            return Verdict(Login.REFUSED, username)
        if count <= nonce.count:
            return Verdict(Login.STALE, username)
        nonce.count = count
        return Verdict(Login.ACCEPTED, username)

    def _credentials(self, request: Request, name: str) -> AuthValue | None:
        """Return the login for our realm."""
        for field in request.headers.get_all(name):
            for value in parse_auth_values(field):
                if value.scheme == "digest" and value.get("realm") == self._realm:
                    return value
        return None

    def _matches(self, value: AuthValue, request: Request, password: str, count: int) -> bool:
        """Compute the response anew and compare."""
        if value.get("qop").lower() != Qop.AUTH or value.get("uri") != request.uri:
            return False
        if (value.get("algorithm") or DEFAULT_ALGORITHM).lower() != self._algorithm.name.lower():
            return False
        expected = digest_response(
            digest_key(self._algorithm, value.get("username"), self._realm, password),
            DigestInput(
                algorithm=self._algorithm,
                method=request.method,
                uri=request.uri,
                nonce=value.get("nonce"),
                qop=Qop.AUTH,
                cnonce=value.get("cnonce"),
                count=count,
            ),
        )
        return compare_digest(expected.encode(), value.get("response").lower().encode(errors="replace"))


def _count(value: AuthValue) -> int | None:
    """Return the nonce count, which is eight hexadecimal digits."""
    text = value.get("nc").lower()
    try:
        count = int(text, 16)
    except ValueError:
        return None
    return count if nonce_count(count) == text else None
