"""Where a redirection leads: the places that it names, in order of preference (RFC 3261 sections 8.1.3.4, 20.10)."""

import re
from collections.abc import Iterable

from .headers import NameAddr
from .message import Response
from .uri import SipUri, TelUri, for_request_uri

MAX_CONTACTS = 16
MAX_REDIRECTIONS = 5
_Q_VALUE = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Targets:
    """Whom one call goes to: first who was dialled, then whom redirections name; few in all, each once."""

    def __init__(self, dialled: SipUri | TelUri) -> None:
        """Begin with who was dialled."""
        self.present = dialled
        self._tried = [dialled]
        self._named: list[SipUri | TelUri] = []

    @property
    def secure(self) -> bool:
        """Return whether who is called now wants TLS all the way."""
        return isinstance(self.present, SipUri) and self.present.secure

    def add(self, uris: Iterable[SipUri | TelUri]) -> None:
        """Note whom a redirection names, to be called before those that an earlier one named."""
        self._named[:0] = uris

    def turn_to_next(self) -> bool:
        """Go on with the best one that was not called yet; False where there is none."""
        while self._named and len(self._tried) <= MAX_REDIRECTIONS:
            uri = self._named.pop(0)
            if uri not in self._tried:
                self._tried.append(uri)
                self.present = uri
                return True
        return False


def places_of(response: Response) -> list[SipUri | TelUri]:
    """Return whom a 3xx names, the preferred one first, without what a Request-URI may not have."""
    contacts = sorted(response.contacts[:MAX_CONTACTS], key=_preference, reverse=True)
    uris = (contact.uri for contact in contacts)
    return [for_request_uri(uri) for uri in uris if isinstance(uri, SipUri | TelUri)]


def _preference(contact: NameAddr) -> float:
    """Return the q value of a Contact, 1 where it has none that can be read."""
    text = contact.params.get("q") or ""
    return float(text) if _Q_VALUE.fullmatch(text) else 1.0
