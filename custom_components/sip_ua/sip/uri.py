"""SIP, SIPS and tel URIs: parsed, written and compared (RFC 3261 section 19.1, RFC 3966)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from typing import Final, overload, override
from urllib.parse import quote as _escape, unquote as _unescape

from .errors import MessageError
from .grammar import PLAIN_HOST_PORT, format_host_port, is_token, parse_host_port
from .params import NO_PARAMS, Params

__all__ = [
    "OtherUri",
    "Params",
    "SipUri",
    "TelUri",
    "Uri",
    "escape",
    "for_request_uri",
    "parse_uri",
    "unescape",
    "uri_equal",
]

_USER_SAFE: Final = "!*'()&=+$,;?/"
_SECRET_SAFE: Final = "!*'()&=+$,"  # noqa: S105
_HEADER_SAFE: Final = "!*'()[]/?:+$"
_RESERVED: Final = frozenset(";/?:@&=+$,")

# URI parameters that make two URIs differ when only one of them has it (RFC 3261 section 19.1.4).
_TELLING_PARAMS: Final = ("user", "ttl", "method", "maddr", "transport")

_find_forbidden = re.compile(r'[\x00-\x20<>"\x7f]').search
_is_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*").fullmatch
_is_number = re.compile(r"\+?[0-9A-Fa-f*#.()-]+").fullmatch


# What most messages have, in one pattern: no escapes, no password, no headers, no literal IPv6 address. Everything
# else goes the long way, which says what is wrong with it. Possessive throughout, hence linear.
_is_plain_sip_uri = re.compile(
    rf"sip:(?:([A-Za-z0-9_.!~*'()+-]++)@)?+{PLAIN_HOST_PORT}(?:;([A-Za-z0-9_.=;~-]++))?+"
).fullmatch


# Fields are Final for the type checker instead of frozen at run time: a message has a dozen of these objects, and
# a frozen one takes four times as long to make.
@dataclass(slots=True, unsafe_hash=True)
class SipUri:
    """A SIP or SIPS URI.

    `user` and `password` are unescaped, `host` is in lower case and an IPv6 address has no brackets. `params` hold
    values, and `headers` is what follows the question mark, as they are written, escapes and all. A parsed URI is
    written exactly as it was read.
    """

    scheme: Final[str]
    user: Final[str | None]
    password: Final[str | None] = field(repr=False)
    host: Final[str]
    port: Final[int | None] = None
    params: Final[Params] = NO_PARAMS
    headers: Final[str] = ""
    _text: str = field(default="", init=False, repr=False, compare=False)

    @property
    def hostport(self) -> str:
        """Host and, where one is named, port; an IPv6 address in brackets."""
        return format_host_port(self.host, self.port)

    @property
    def secure(self) -> bool:
        """Whether every hop must use TLS (RFC 3261 section 26.2.2)."""
        return self.scheme == "sips"

    @property
    def transport(self) -> str | None:
        """The `transport` parameter in lower case."""
        transport = self.params.get("transport")
        return transport.lower() if transport else None

    @property
    def loose_router(self) -> bool:
        """Whether the `lr` parameter is there (RFC 3261 section 19.1.1)."""
        return "lr" in self.params

    def header(self, name: str) -> str | None:
        """Return an unescaped header of the URI, as `Replaces` in a Refer-To (RFC 3891)."""
        value = _split_headers(self.headers).get(name.lower())
        return None if value is None else unescape(value)

    @override
    def __str__(self) -> str:
        if self._text:
            return self._text
        user = ""
        if self.user is not None:
            user = escape(self.user, _USER_SAFE)
            if self.password is not None:
                user = f"{user}:{escape(self.password, _SECRET_SAFE)}"
            user = f"{user}@"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{self.hostport}{self.params}{headers}"


@dataclass(frozen=True, slots=True)
class TelUri:
    """A telephone number as a URI (RFC 3966); `number` is as it was written, separators and all."""

    number: str
    params: Params = NO_PARAMS

    @property
    def digits(self) -> str:
        """The number without visual separators."""
        return self.number.translate(_NO_SEPARATORS)

    @override
    def __str__(self) -> str:
        return f"tel:{self.number}{self.params}"


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of a scheme that SIP does not call; a request to it is answered by 416."""

    scheme: str
    text: str

    @override
    def __str__(self) -> str:
        return self.text


type Uri = SipUri | TelUri | OtherUri

_NO_SEPARATORS: Final = str.maketrans("", "", "-.()")


def escape(text: str, safe: str = _HEADER_SAFE) -> str:
    """Percent-escape all but unreserved characters and those in `safe`; surrogates become the bytes they stand for."""
    return _escape(text, safe=safe, errors="surrogateescape")


def unescape(text: str) -> str:
    """Undo percent-escapes; bytes that are no UTF-8 become surrogates, a stray `%` stays."""
    return _unescape(text, errors="surrogateescape") if "%" in text else text


def parse_uri(text: str) -> Uri:
    """Parse a URI of any scheme.

    Raises MessageError for what is no URI, or no right one of the schemes sip, sips and tel.
    """
    if plain := plain_sip_uri(text):
        return plain
    if _find_forbidden(text):
        raise MessageError("a character that no URI may have")
    scheme, colon, rest = text.partition(":")
    if not colon or not _is_scheme(scheme):
        raise MessageError("a URI without a scheme")
    match scheme := scheme.lower():
        case "sip" | "sips":
            return _parse_sip(scheme, rest, text)
        case "tel":
            return _parse_tel(rest)
        case _:
            return OtherUri(scheme, text)


def plain_sip_uri(text: str) -> SipUri | None:
    """Parse what a SIP URI mostly is; None leaves it to `parse_uri`. Raises MessageError."""
    plain = _is_plain_sip_uri(text)
    if plain is None:
        return None
    user, host, port, params = plain.groups()
    number = None if port is None else int(port)
    uri = SipUri("sip", user, None, host.lower(), number, NO_PARAMS if params is None else Params.parse(params))
    uri._text = text  # noqa: SLF001
    return uri


def _parse_sip(scheme: str, rest: str, text: str) -> SipUri:
    user = password = None
    userinfo, at, place = rest.partition("@")
    if at:
        if "@" in place:
            raise MessageError("a URI with two users")
        user, colon, secret = userinfo.partition(":")
        if not user:
            raise MessageError("a URI with an empty user")
        if colon:
            password = unescape(secret)
        if "%" in user:
            user = unescape(user)
    else:
        place = rest
    headers = ""
    params = NO_PARAMS
    if "?" in place:
        place, _, headers = place.partition("?")
    if ";" in place:
        place, _, written = place.partition(";")
        params = Params.parse(written)
        if "%" in written:
            params = Params((_unescape_name(name), value) for name, value in params.items())
    host, port = parse_host_port(place)
    uri = SipUri(scheme, user, password, host, port, params, headers)
    uri._text = text  # noqa: SLF001
    return uri


def _unescape_name(name: str) -> str:
    """Undo escapes in a parameter name where what it then says can still be written as one."""
    plain = unescape(name)
    return plain if is_token(plain) else name


def _split_headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for piece in text.split("&"):
        name, _, value = piece.partition("=")
        headers.setdefault(name.lower(), value)
    return headers


def _parse_tel(rest: str) -> TelUri:
    number, semicolon, written = rest.partition(";")
    if not _is_number(number):
        raise MessageError("a tel URI without a number")
    return TelUri(number, Params.parse(written) if semicolon else NO_PARAMS)


@overload
def for_request_uri(uri: SipUri | TelUri) -> SipUri | TelUri: ...
@overload
def for_request_uri(uri: Uri) -> Uri: ...
def for_request_uri(uri: Uri) -> Uri:
    """Return a URI without what neither a Request-URI nor a To may have (section 19.1.1, table 1)."""
    if not isinstance(uri, SipUri) or not (uri.headers or "method" in uri.params):
        return uri
    return replace(uri, params=uri.params.without("method"), headers="")


def uri_equal(one: Uri, other: Uri) -> bool:
    """Compare two URIs by the rules of their scheme (RFC 3261 section 19.1.4, RFC 3966 section 4)."""
    match one, other:
        case SipUri(), SipUri():
            return (
                one.scheme == other.scheme
                and _userinfo(one) == _userinfo(other)
                and _comparable_host(one.host) == _comparable_host(other.host)
                and one.port == other.port
                and _params_equal(one.params, other.params)
                and _comparable(_split_headers(one.headers)) == _comparable(_split_headers(other.headers))
            )
        case TelUri(), TelUri():
            return one.digits.lower() == other.digits.lower() and _comparable(one.params) == _comparable(other.params)
        case _:
            return str(one) == str(other)


def _userinfo(uri: SipUri) -> str:
    """Return user and password with every needless escape undone; a reserved character is not its escape."""
    userinfo, at, _ = str(uri).partition(":")[2].partition("@")
    if not at:
        return ""
    head, *escaped = userinfo.split("%")
    pieces = [head]
    for piece in escaped:
        code = unescape(f"%{piece[:2]}")
        pieces.append((f"%{piece[:2].upper()}" if code in _RESERVED or not code.isascii() else code) + piece[2:])
    return "".join(pieces)


def _comparable_host(host: str) -> str | IPv6Address:
    return IPv6Address(host) if ":" in host else host


def _comparable(params: Mapping[str, str | None]) -> dict[str, str]:
    return {name: unescape(value or "").lower() for name, value in params.items()}


def _params_equal(one: Params, other: Params) -> bool:
    mine, theirs = _comparable(one), _comparable(other)
    return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys()) and all(
        (name in mine) == (name in theirs) for name in _TELLING_PARAMS
    )
