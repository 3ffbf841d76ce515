"""Who is at the other end: from header fields of a request, or from what a person dialled.

RFC 3325 with RFC 5876 (asserted identity), RFC 3323 (privacy), RFC 3966 (visual separators of telephone numbers).
"""

from dataclasses import replace

from .account import Account, Transport, UriType
from .errors import LocalFault, LocalProtocolError, RemoteProtocolError
from .events import Party
from .headers import NameAddr, parse_name_addr
from .message import Request, Response
from .params import NO_PARAMS, Params
from .text import clean_text
from .uri import SipUri, TelUri, parse_uri

MAX_TARGET_LENGTH = 256
MAX_SHOWN_LENGTH = 64
URI_LIMIT = 256
_SEPARATORS = str.maketrans("", "", " -.()/\u00a0")
_KEYS = frozenset("0123456789*#+")
_SCHEMES = ("sip:", "sips:", "tel:")
_TRANSPORTS_WITH_TLS = frozenset({None, Transport.TLS})
_ANONYMOUS_DOMAIN = "anonymous.invalid"
_PRIVATE = frozenset({"id", "user", "header"})
ANONYMOUS = Party("Anonymous", "", f"sip:anonymous@{_ANONYMOUS_DOMAIN}")
"""A caller whom nobody may know (RFC 3323 section 4.1.1.3)."""
HIDDEN_IDENTITY = NameAddr("Anonymous", SipUri("sip", "anonymous", None, _ANONYMOUS_DOMAIN))
"""The From of a call of ours whose far end must not learn who we are."""
HIDDEN_USER = "anonymous"
HIDDEN_HEADERS = (("Privacy", "id"),)
"""What asks every server on the way to keep quiet on who we are (RFC 3325 section 9.3)."""


def is_private(request: Request) -> bool:
    """Return whether a request of ours is one of a call that hides who we are."""
    return "Privacy" in request.headers


def party_of(address: NameAddr) -> Party:
    """Return the person a From, To or P-Asserted-Identity header field names."""
    uri = address.uri
    number = ""
    if isinstance(uri, SipUri):
        number = "" if uri.host == _ANONYMOUS_DOMAIN else uri.user or ""
        if uri.password is not None:
            # What a person may see, a log or an automation may keep.
            uri = replace(uri, password=None)
    elif isinstance(uri, TelUri):
        number = uri.number
    return Party(clean_text(address.display_name), clean_text(number), clean_text(str(uri), URI_LIMIT))


def asserted_identity(message: Request | Response) -> Party | None:
    """Return whom a server asserts the far end to be, None where it does not say (RFC 3325 section 9.1)."""
    for value in message.headers.split("P-Asserted-Identity")[:2]:
        try:
            return party_of(parse_name_addr(value))
        except RemoteProtocolError:
            continue
    return None


def asserted_party(message: Request | Response, fallback: NameAddr, *, trusted: bool) -> Party:
    """Return the identity that a trusted server asserts, else the one that the peer claims."""
    return (asserted_identity(message) if trusted else None) or party_of(fallback)


def caller_of(request: Request, *, trusted: bool) -> Party:
    """Return who calls: nobody may know, where the caller wants privacy and no trusted server tells (RFC 3323)."""
    headers = request.headers.first_values()
    asserted = asserted_identity(request) if trusted and "P-Asserted-Identity" in headers else None
    if asserted is not None:
        return asserted
    hidden = "Privacy" in headers and not privacy_of(request).isdisjoint(_PRIVATE)
    return ANONYMOUS if hidden else party_of(request.from_)


def at_address(caller: Party, host: str) -> Party:
    """Return a caller under the numeric address that the call came from, whatever domain it claims to belong to."""
    if caller.uri == ANONYMOUS.uri or caller.number.casefold() == HIDDEN_USER:
        return Party(caller.name, ANONYMOUS.number, ANONYMOUS.uri)
    uri = SipUri("sip", caller.number or None, None, host)
    return Party(caller.name, clean_text(str(uri).removeprefix("sip:")), clean_text(str(uri), URI_LIMIT))


def privacy_of(request: Request) -> frozenset[str]:
    """Return which kinds of privacy a caller wants, in lower case (RFC 3323 section 4.2)."""
    values = request.headers.split("Privacy")
    return frozenset(word.strip().lower() for value in values for word in value.split(";"))


def dial_number(text: str) -> str:
    """Return what goes out for what was typed: separators dropped from numbers and from feature codes."""
    text = text.strip()
    bare = text.translate(_SEPARATORS)
    return bare if bare and _KEYS.issuperset(bare) else text


def target_uri(account: Account, target: str) -> SipUri | TelUri:
    """Return the request URI for a number, user@host or URI; raise LocalProtocolError where none can be made."""
    text = target.strip()
    if not text or len(text) > MAX_TARGET_LENGTH or not text.isprintable():
        raise _undialable("not a number or SIP address that can be dialled", LocalFault.NOT_DIALABLE, text)
    try:
        if text.lower().startswith(_SCHEMES):
            uri = parse_uri(text)
        elif ":" in text.partition("@")[0]:
            raise _undialable("only sip, sips and tel addresses can be dialled", LocalFault.NOT_DIALABLE, text)
        elif "@" in text:
            uri = parse_uri(f"{'sips' if account.uri_type is UriType.SIPS else 'sip'}:{text}")
        else:
            uri = _number_uri(account, dial_number(text))
    except RemoteProtocolError as error:
        message = f"not a number or SIP address that can be dialled: {error}"
        raise _undialable(message, LocalFault.NOT_DIALABLE, text) from error
    if not isinstance(uri, SipUri | TelUri):
        raise _undialable("only sip, sips and tel addresses can be dialled", LocalFault.NOT_DIALABLE, text)
    if isinstance(uri, TelUri) and not account.registers:
        message = "a telephone number needs a SIP server; without one dial user@host"
        raise _undialable(message, LocalFault.NEEDS_SERVER, text)
    if isinstance(uri, SipUri) and uri.secure and account.registers and account.transport not in _TRANSPORTS_WITH_TLS:
        message = "a SIPS address goes by TLS at every hop, and the account by another transport"
        raise _undialable(message, LocalFault.NEEDS_TLS, text)
    return uri


def _undialable(message: str, fault: LocalFault, target: str) -> LocalProtocolError:
    """Return the error of a target that cannot be called, with as much of it as people are shown."""
    return LocalProtocolError(message, fault, number=clean_text(target, MAX_SHOWN_LENGTH) or "-")


def _number_uri(account: Account, number: str) -> SipUri | TelUri:
    if not account.registers:
        message = "a number needs a SIP server; without one dial user@host"
        raise _undialable(message, LocalFault.NEEDS_SERVER, number)
    if account.uri_type is UriType.TEL and number.lstrip("+").isdecimal():
        params = NO_PARAMS if number.startswith("+") else Params({"phone-context": account.domain})
        return TelUri(number, params)
    scheme = "sips" if account.uri_type is UriType.SIPS else "sip"
    return SipUri(scheme=scheme, user=number, password=None, host=account.domain)
