"""The login of a user agent client: challenges answered and nonces kept (RFC 3261 section 22, RFC 7616, RFC 8760)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from .digest_values import (
    ALGORITHMS,
    DEFAULT_ALGORITHM,
    Algorithm,
    AuthParam,
    AuthValue,
    DigestInput,
    Qop,
    choose_qop,
    digest_key,
    digest_response,
    nonce_count,
    parse_auth_values,
    quoted,
)
from .errors import AuthenticationError, AuthenticationFailure
from .message import Request, Response
from .uri import SipUri

MAX_SPACES = 8
MAX_HOSTS = 32
MAX_NONCE_COUNT = 0xFFFFFFFF
CNONCE_LENGTH = 16
_HEADERS = {
    False: ("WWW-Authenticate", "Authorization", "Authentication-Info"),
    True: ("Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info"),
}
_UNCHALLENGEABLE = frozenset({"ACK", "CANCEL"})
_RANK = {algorithm.name: rank for rank, algorithm in enumerate(ALGORITHMS.values())}

type MayAsk = Callable[[str, bool], bool]
type _RequestKey = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A digest login; the password shows in no text form of it."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Challenge:
    """A challenge that we can answer."""

    realm: AuthParam
    nonce: AuthParam
    opaque: AuthParam | None
    algorithm: Algorithm
    named_algorithm: bool
    qop: Qop | None
    stale: bool
    userhash: bool


@dataclass(slots=True)
class _Space:
    """A protection space: one realm of user agent servers or of proxies, and its latest nonce."""

    challenge: _Challenge
    cnonce: str = field(repr=False)
    key: str = field(repr=False)
    count: int = 0
    hosts: dict[str, None] = field(default_factory=dict)
    proven: bool = False
    asked_by: tuple[str, str] = ("", "")
    first_use: _RequestKey | None = None


class DigestClient:
    """Answers challenges with one login, and adds it to later requests before anybody asks.

    A login goes only to hosts that asked for it, told by the host in To, so that a call straight to somebody
    else does not carry what was made for the server.
    """

    def __init__(self, credentials: Credentials, entropy: Callable[[int], bytes]) -> None:
        """Begin with no challenge; `entropy` returns as many random bytes as it is asked for."""
        self._credentials = credentials
        self._entropy = entropy
        self._spaces: dict[tuple[bool, str], _Space] = {}

    def challenged(self, response: Response, *, repeated: bool = False, may_ask: MayAsk | None = None) -> None:
        """Take in a 401 or 407, so that `authorize` can answer it.

        `may_ask(realm, proxy)` tells whether a server of ours can have asked for that realm, as a proxy or not; one
        that took our login before may ask again.

        A server without transactions takes the second copy of a good login, `repeated` by us or doubled on the way,
        for a replay of it. Where that may be, a login that was accepted before gets one more chance.

        Raises AuthenticationError: NO_CREDENTIALS, MALFORMED (no challenge can be read), UNSUPPORTED_ALGORITHM, FOREIGN
        (nobody asks who may), or REFUSED where the request had already answered a fresh nonce of this realm and the new
        challenge is not for a stale one.
        """
        if not self._credentials.username or not self._credentials.password:
            raise AuthenticationError(AuthenticationFailure.NO_CREDENTIALS, "a login is asked for and none is known")
        challenges = self._choose(response, may_ask)
        cseq = response.cseq
        request = (response.call_id, cseq.number, cseq.method)
        for space_key, challenge in challenges.items():
            space = self._spaces.get(space_key)
            if space is not None and space.first_use == request and not challenge.stale:
                del self._spaces[space_key]
                if repeated or space.proven:
                    continue
                raise AuthenticationError(
                    AuthenticationFailure.REFUSED, f"the login was refused for realm {challenge.realm.text[:64]!r}"
                )
        for space_key, challenge in challenges.items():
            self._keep(space_key, challenge, response)

    def succeeded(self, request: Request, response: Response) -> None:
        """Take over the nonce that a 2xx names for the next request (RFC 7616 section 3.5).

        What cannot be read, belongs to no login of `request` or to an older nonce, or comes from somebody who does
        not know the password is ignored: the server then asks anew.
        """
        for proxy, (_asks, answers, informs) in _HEADERS.items():
            self._prove(proxy, request, answers)
            # The field has parameters only; the scheme is that of the login.
            info = parse_auth_values(", ".join(("Digest ", *response.headers.get_all(informs))))[0]
            nonce = info.params.get("nextnonce")
            if nonce is None or not nonce.text:
                continue
            logins = [login for value in request.headers.get_all(answers) for login in parse_auth_values(value)]
            named = [login for login in logins if info.get("cnonce") in {"", login.get("cnonce")}]
            # With two logins only one that the server points at can be meant.
            if len(named) == 1:
                space = self._spaces.get((proxy, named[0].get("realm")))
                if space is not None and _is_proven(space, named[0], info, request, response):
                    _continue_with(space, nonce)

    def _prove(self, proxy: bool, request: Request, answers: str) -> None:  # noqa: FBT001 - as the keys have it
        """Note which logins of a request were accepted."""
        for value in request.headers.get_all(answers):
            for login in parse_auth_values(value):
                if (space := self._spaces.get((proxy, login.get("realm")))) is not None:
                    space.proven = True

    def authorize(self, request: Request, *, proxies_only: bool = False) -> None:
        """Add the header fields of every protection space that this request enters, replacing older ones.

        ACK and CANCEL cannot be challenged and get none: an ACK to a 2xx copies those of its INVITE (RFC 3261
        sections 13.2.2.4 and 22.1). With `proxies_only` those are left out that go on to whoever is behind the proxies.
        """
        if request.method in _UNCHALLENGEABLE:
            return
        for _asks, answers, _informs in _HEADERS.values():
            request.headers.remove(answers)
        host = _host(request)
        for (proxy, _realm), space in self._spaces.items():
            if host in space.hosts and space.count < MAX_NONCE_COUNT and (proxy or not proxies_only):
                request.headers.add(_HEADERS[proxy][1], self._answer(space, request))

    def _choose(self, response: Response, may_ask: MayAsk | None) -> dict[tuple[bool, str], _Challenge]:
        """Return the best challenge of each protection space of a response."""
        best: dict[tuple[bool, str], _Challenge] = {}
        read = unsupported = False
        foreign = ""
        # Both header fields are read whatever the status: a forking proxy gathers them into one answer.
        for proxy, (asks, _answers, _informs) in _HEADERS.items():
            for value in _values(response, asks):
                read = True
                challenge = _read(value)
                if challenge is None:
                    unsupported = unsupported or bool(value.get("nonce")) or value.scheme != "digest"
                    continue
                key = (proxy, challenge.realm.text)
                known = self._spaces.get(key)
                if may_ask is not None and not (known and known.proven) and not may_ask(challenge.realm.text, proxy):
                    foreign = challenge.realm.text
                elif key not in best or _RANK[challenge.algorithm.name] < _RANK[best[key].algorithm.name]:
                    best[key] = challenge
        if best:
            return best
        if foreign:
            raise AuthenticationError(
                AuthenticationFailure.FOREIGN,
                f"somebody else than our server asks for a login, for realm {foreign[:64]!r}",
            )
        if read and unsupported:
            raise AuthenticationError(
                AuthenticationFailure.UNSUPPORTED_ALGORITHM, "no offered login method is supported"
            )
        raise AuthenticationError(AuthenticationFailure.MALFORMED, "the challenge cannot be read")

    def _keep(self, key: tuple[bool, str], challenge: _Challenge, response: Response) -> None:
        """Make a challenge the current one of its protection space."""
        old = self._spaces.pop(key, None)
        if (
            old is not None
            and old.challenge.nonce == challenge.nonce
            and old.challenge.algorithm == challenge.algorithm
        ):
            space = old
            space.challenge = challenge
        else:
            user, password = self._credentials.username, self._credentials.password
            space = _Space(
                challenge,
                self._entropy(CNONCE_LENGTH).hex(),
                digest_key(challenge.algorithm, user, challenge.realm.text, password),
                hosts={} if old is None else old.hosts,
                proven=old is not None and old.proven,
            )
        space.first_use = None
        space.asked_by = (response.call_id, response.cseq.method)
        _remember(space.hosts, _host(response), MAX_HOSTS)
        self._spaces[key] = space
        if len(self._spaces) > MAX_SPACES:
            del self._spaces[next(iter(self._spaces))]

    def _answer(self, space: _Space, request: Request) -> str:
        """Return the credentials for one request and count the nonce's use."""
        challenge, algorithm = space.challenge, space.challenge.algorithm
        space.count += 1
        key = (request.call_id, request.cseq.number, request.method)
        if space.first_use is None and space.asked_by == (request.call_id, request.method):
            space.first_use = key
        realm = challenge.realm.text
        username = self._credentials.username
        response = digest_response(
            space.key,
            DigestInput(
                algorithm=algorithm,
                method=request.method,
                uri=request.uri,
                nonce=challenge.nonce.text,
                qop=challenge.qop,
                cnonce=space.cnonce,
                count=space.count,
                body=request.body,
            ),
        )
        shown = algorithm.digest(f"{username}:{realm}") if challenge.userhash else username
        params = [
            f"username={quoted(shown)}",
            f'realm="{challenge.realm.raw}"',
            f'nonce="{challenge.nonce.raw}"',
            f"uri={quoted(request.uri)}",
            f'response="{response}"',
        ]
        if challenge.named_algorithm:
            params.append(f"algorithm={algorithm.name}")
        if challenge.qop is not None or algorithm.session:
            params.append(f'cnonce="{space.cnonce}"')
        if challenge.opaque is not None:
            params.append(f'opaque="{challenge.opaque.raw}"')
        if challenge.qop is not None:
            params += [f"qop={challenge.qop}", f"nc={nonce_count(space.count)}"]
        if challenge.userhash:
            params.append("userhash=true")
        return "Digest " + ", ".join(params)


def _is_proven(space: _Space, login: AuthValue, info: AuthValue, request: Request, response: Response) -> bool:
    """Tell whether a login used the present nonce, and whether a server that shows its knowledge has any."""
    challenge = space.challenge
    if login.get("nonce") != challenge.nonce.text:
        return False
    proof = info.get("rspauth")
    values = DigestInput(
        algorithm=challenge.algorithm,
        method="",
        uri=request.uri,
        nonce=challenge.nonce.text,
        qop=challenge.qop,
        cnonce=login.get("cnonce"),
        count=int(login.get("nc") or "0", 16),
        body=response.body,
    )
    return not proof or proof.lower() == digest_response(space.key, values)


def _continue_with(space: _Space, nonce: AuthParam) -> None:
    """Make a nonce the current one; a session stays bound to its first one (RFC 7616 section 3.4.2)."""
    if nonce.text != space.challenge.nonce.text and not space.challenge.algorithm.session:
        space.challenge = replace(space.challenge, nonce=nonce)
        space.count = 0
        space.asked_by, space.first_use = ("", ""), None


def _values(response: Response, name: str) -> Iterator[AuthValue]:
    for value in response.headers.get_all(name):
        yield from parse_auth_values(value)


def _read(value: AuthValue) -> _Challenge | None:
    """Return a challenge that we can answer, None where we cannot."""
    realm, nonce = value.params.get("realm"), value.params.get("nonce")
    algorithm = ALGORITHMS.get((value.get("algorithm") or DEFAULT_ALGORITHM).lower())
    possible, qop = choose_qop(value.get("qop"))
    if value.scheme != "digest" or realm is None or nonce is None or algorithm is None or not possible:
        return None
    return _Challenge(
        realm=realm,
        nonce=nonce,
        opaque=value.params.get("opaque"),
        algorithm=algorithm,
        named_algorithm="algorithm" in value.params,
        qop=qop,
        stale=value.get("stale").lower() == "true",
        userhash=value.get("userhash").lower() == "true",
    )


def _host(message: Request | Response) -> str:
    """Return the host in To, by which requests of the same kind are told."""
    uri = message.to.uri
    return uri.host if isinstance(uri, SipUri) else ""


def _remember(hosts: dict[str, None], host: str, limit: int) -> None:
    """Put a host last, dropping the first one where there are too many."""
    hosts.pop(host, None)
    hosts[host] = None
    if len(hosts) > limit:
        del hosts[next(iter(hosts))]
