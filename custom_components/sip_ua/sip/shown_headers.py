"""Which header fields of an INVITE people are shown, and what somebody on the way wanted nobody to see of them.

RFC 3323 section 4.2 (Privacy), RFC 7044 section 10.1 (privacy of History-Info), RFC 5806 (that of Diversion),
RFC 7544 section 4 (what one means to the other).
"""

from typing import Final

from .errors import RemoteProtocolError
from .grammar import split_list
from .headers import NameAddr, parse_name_addr
from .message import Request
from .party import privacy_of
from .text import clean_text
from .uri import SipUri, TelUri

MAX_SHOWN_HEADERS: Final = 16
SHOWN_HEADERS: Final = frozenset(
    {
        "Alert-Info",
        "Call-Info",
        "Diversion",
        "History-Info",
        "P-Asserted-Identity",
        "P-Called-Party-ID",
        "Subject",
        "User-Agent",
    }
)
_OF_THE_CALLER: Final = frozenset({"Call-Info", "P-Asserted-Identity"})
_OF_THE_WAY: Final = frozenset({"Diversion", "History-Info"})
_HIDES_THE_WAY: Final = frozenset({"header", "history"})
_NOTHING_HIDDEN: Final = {"Diversion": frozenset({None, "off"}), "History-Info": frozenset({None, "none"})}
_IDENTITIES: Final = ("From", "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Contact")


def shown_headers(request: Request, *, private: bool) -> tuple[tuple[str, str], ...]:
    """Return the names and texts of what people are shown; `private` is a caller whom nobody may know."""
    names = SHOWN_HEADERS - _OF_THE_CALLER if private else SHOWN_HEADERS
    found = [(name, value) for name, value in request.headers if name in names]
    if not _OF_THE_WAY.isdisjoint(request.headers.first_values()):
        found = _without_hidden(request, found, private=private)
    return tuple([(name, clean_text(value)) for name, value in found[:MAX_SHOWN_HEADERS]])


def _without_hidden(request: Request, found: list[tuple[str, str]], *, private: bool) -> list[tuple[str, str]]:
    """Leave out who wanted to be hidden of those that a call passed, and a private caller among them."""
    callers = _callers(request) if private else frozenset()
    hides_all = not privacy_of(request).isdisjoint(_HIDES_THE_WAY)
    kept = []
    for name, value in found:
        if name not in _OF_THE_WAY:
            kept.append((name, value))
        elif not hides_all:
            entries = [entry for entry in split_list(value) if _may_be_shown(name, entry, callers)]
            if entries:
                kept.append((name, ", ".join(entries)))
    return kept


def _may_be_shown(name: str, entry: str, callers: frozenset[str]) -> bool:
    """Whether an entry of Diversion or History-Info hides nobody; of one that cannot be read nobody knows."""
    try:
        address = parse_name_addr(entry)
        uri = address.uri
        if name == "Diversion":
            wanted = address.params.get("privacy")
        else:
            wanted = uri.header("Privacy") if isinstance(uri, SipUri) else None
    except RemoteProtocolError:
        return False
    return (wanted and wanted.strip().lower()) in _NOTHING_HIDDEN[name] and _user_of(address) not in callers


def _callers(request: Request) -> frozenset[str]:
    """Return all that a caller is known by."""
    users = set()
    for name in _IDENTITIES:
        for value in request.headers.split(name):
            try:
                users.add(_user_of(parse_name_addr(value)))
            except RemoteProtocolError:
                continue
    return frozenset(users) - {""}


def _user_of(address: NameAddr) -> str:
    uri = address.uri
    if isinstance(uri, TelUri):
        return uri.number.lower()
    return (uri.user or "").lower() if isinstance(uri, SipUri) else ""
