"""Where a redirection leads: the places that it names, in order of preference (RFC 3261 sections 8.1.3.4, 20.10)."""

import re

from .headers import NameAddr
from .message import Response
from .uri import SipUri, TelUri, for_request_uri

MAX_CONTACTS = 16
_Q_VALUE = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def places_of(response: Response) -> list[SipUri | TelUri]:
    """Return whom a 3xx names, the preferred one first, without what a Request-URI may not have."""
    contacts = sorted(response.contacts[:MAX_CONTACTS], key=_preference, reverse=True)
    uris = (contact.uri for contact in contacts)
    return [for_request_uri(uri) for uri in uris if isinstance(uri, SipUri | TelUri)]


def _preference(contact: NameAddr) -> float:
    """Return the q value of a Contact, 1 where it has none that can be read."""
    text = contact.params.get("q") or ""
    return float(text) if _Q_VALUE.fullmatch(text) else 1.0
