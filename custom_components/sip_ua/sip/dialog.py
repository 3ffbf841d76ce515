"""Dialogs: who talks to whom, over which route, in which order (RFC 3261 section 12)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Final, NamedTuple

from .account import Transport
from .errors import LocalProtocolError, RemoteProtocolError
from .grammar import MAX_CSEQ, MAX_FORWARDS
from .headers import CSeq, Headers, NameAddr, Via
from .message import Request, Response
from .party import HIDDEN_HEADERS, is_private
from .uri import SipUri, Uri, for_request_uri

# RFC 3261 section 12.2, RFC 3311 section 5.1, RFC 5057 section 5.3.
_TARGET_REFRESHING: Final = frozenset({"INVITE", "NOTIFY", "REFER", "SUBSCRIBE", "UPDATE"})


class DialogState(StrEnum):
    """States of a dialog."""

    EARLY = "early"
    CONFIRMED = "confirmed"


class DialogKey(NamedTuple):
    """What names a dialog; a tag is "" where a peer of RFC 2543 sent none (RFC 3261 section 12.1)."""

    call_id: str
    local_tag: str
    remote_tag: str

    @classmethod
    def of_request(cls, request: Request) -> DialogKey:
        """Return the key of the dialog that a request of the peer names."""
        return cls(request.call_id, request.to.tag or "", request.from_.tag or "")

    @classmethod
    def of_response(cls, response: Response) -> DialogKey:
        """Return the key of the dialog that an answer to a request of ours names."""
        return cls(response.call_id, response.from_.tag or "", response.to.tag or "")


class Dialog:
    """One dialog, as the side that sent the first request (`caller`) or the side that answered it (`called`).

    `private` tells that the far end must not learn who we are.
    `local` and `remote` are From and To of our requests, tags and all. `remote_target` is where our requests end,
    `route_set` what they pass on the way. `secure` tells that every hop must use TLS. `remote_sequence` is None until
    the peer has sent a request.
    """

    __slots__ = (
        "key",
        "local",
        "local_sequence",
        "private",
        "remote",
        "remote_sequence",
        "remote_target",
        "route_set",
        "secure",
        "state",
    )

    def __init__(
        self, key: DialogKey, local: NameAddr, remote: NameAddr, target: Uri, route_set: list[NameAddr], *, secure: bool
    ) -> None:
        """Take what the first request and its answer tell; `caller` and `called` know how to read them."""
        self.key = key
        self.local = local
        self.remote = remote
        self.remote_target = target
        self.route_set = route_set
        self.secure = secure
        self.private = False
        self.local_sequence = 0
        self.remote_sequence: int | None = None
        self.state = DialogState.EARLY

    @classmethod
    def caller(cls, request: Request, response: Response) -> Dialog:
        """Make the dialog of a request of ours and one of its answers, each fork its own (section 12.1.2).

        Raises RemoteProtocolError for a Contact or Record-Route that cannot be followed.
        """
        dialog = cls(
            DialogKey.of_response(response),
            request.from_,
            response.to,
            _contact(response) or request.request_uri,
            _routes(reversed(response.record_route)),
            secure=_is_secure(request),
        )
        dialog.local_sequence = request.cseq.number
        dialog.private = is_private(request)
        dialog._note_status(response)
        return dialog

    @classmethod
    def called(cls, request: Request, response: Response) -> Dialog:
        """Make the dialog of a request of the peer and our answer, which has our tag (section 12.1.1).

        Raises RemoteProtocolError for a Contact or Record-Route that cannot be followed.
        """
        dialog = cls(
            DialogKey(request.call_id, response.to.tag or "", request.from_.tag or ""),
            response.to,
            request.from_,
            _contact(request) or request.from_.uri,
            _routes(request.record_route),
            secure=_is_secure(request),
        )
        dialog.remote_sequence = request.cseq.number
        dialog._note_status(response)
        return dialog

    def _note_status(self, response: Response) -> None:
        if response.status >= 200:
            self.state = DialogState.CONFIRMED

    @property
    def call_id(self) -> str:
        """The Call-ID of every message of the dialog."""
        return self.key.call_id

    @property
    def next_hop_uri(self) -> Uri:
        """The URI whose server our requests are to be sent to (sections 8.1.2 and 12.2.1.1).

        It is a SIPS URI where the dialog is secure, whatever the peer wrote.
        """
        uri = self.route_set[0].uri if self.route_set else self.remote_target
        needs_tls = self.secure or (isinstance(self.remote_target, SipUri) and self.remote_target.secure)
        return replace(uri, scheme="sips") if needs_tls and isinstance(uri, SipUri) and not uri.secure else uri

    def create_request(
        self, method: str, *, via: Via | Callable[[], Via] | None = None, cseq: int | None = None
    ) -> Request:
        """Return a request inside the dialog (section 12.2.1.1).

        It counts the local sequence up, save where `cseq` is given: the ACK of a 2xx has the number of its INVITE.
        The caller adds Contact and body, and Via where none is given here. Raises LocalProtocolError when the
        sequence numbers are used up.
        """
        if cseq is None:
            if self.local_sequence >= MAX_CSEQ:
                raise LocalProtocolError("the sequence numbers of the dialog are used up")
            self.local_sequence += 1
            cseq = self.local_sequence
        target, routes = self._path()
        headers = Headers()
        if via is not None:
            headers.add("Via", str(via() if callable(via) else via))
        for route in routes:
            headers.add("Route", str(route))
        headers.add("Max-Forwards", MAX_FORWARDS)
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.key.call_id)
        headers.add("CSeq", str(CSeq(cseq, method)))
        for name, value in HIDDEN_HEADERS if self.private else ():
            headers.add(name, value)
        return Request(method, str(for_request_uri(target)), headers)

    def _path(self) -> tuple[Uri, list[NameAddr]]:
        """Return Request-URI and Route, for a strict router with the remote target at the end of the latter."""
        if not self.route_set:
            return self.remote_target, []
        first = self.route_set[0].uri
        if isinstance(first, SipUri) and not first.loose_router:
            return first, [*self.route_set[1:], NameAddr("", self.remote_target)]
        return self.remote_target, self.route_set

    def receive_request(self, request: Request) -> None:
        """Take a request of the peer inside the dialog: its place in the order and its new target (section 12.2.2).

        Raises RemoteProtocolError, with status 500 for a request that is late or was overtaken. An ACK has the
        number of its INVITE and is always in order.
        """
        if request.method != "ACK":
            number = request.cseq.number
            if self.remote_sequence is not None and number <= self.remote_sequence:
                raise RemoteProtocolError(f"CSeq {number} after {self.remote_sequence}", status=500)
            self.remote_sequence = number
        if request.method in _TARGET_REFRESHING:
            self._refresh_target(request)

    def update_target(self, response: Response) -> None:
        """Take the new target out of a 2xx to a request of ours that refreshes it (section 12.2.1.2).

        Raises RemoteProtocolError for a Contact that cannot be followed.
        """
        if response.cseq.method in _TARGET_REFRESHING:
            self._refresh_target(response)

    def confirm(self, response: Response) -> None:
        """Take the 2xx that ends the early state.

        A caller learns route set and target anew from it (section 13.2.2.4). Raises RemoteProtocolError for a Contact
        or Record-Route that cannot be followed.
        """
        self.state = DialogState.CONFIRMED
        if response.from_.tag == self.key.local_tag:
            self.route_set = _routes(reversed(response.record_route))
            self._refresh_target(response)

    def _refresh_target(self, message: Request | Response) -> None:
        self.remote_target = _contact(message) or self.remote_target


def check_targets(request: Request) -> None:
    """Tell early whether a dialog with the sender could be had; raises RemoteProtocolError as `Dialog.called` does."""
    _contact(request)
    if "Record-Route" in request.headers.first_values():
        _routes(request.record_route)


def _contact(message: Request | Response) -> Uri | None:
    """Return where requests to the sender of a message are to be sent; None where it does not say."""
    contacts = message.contacts
    if not contacts and "Contact" not in message.headers:
        return None
    if not contacts or not isinstance(contacts[0].uri, SipUri):
        raise RemoteProtocolError("a Contact that is no SIP URI")
    return contacts[0].uri


def _routes(record_route: Iterable[NameAddr]) -> list[NameAddr]:
    routes = list(record_route)
    if not all(isinstance(route.uri, SipUri) for route in routes):
        raise RemoteProtocolError("a Record-Route that is no SIP URI")
    return routes


def wants_sips(request: Request) -> bool:
    """Whether the Contact beside a request must be a SIPS URI (sections 8.1.1.8 and 12.1.1)."""
    first = [*request.route[:1], *request.record_route[:1]] or request.contacts[:1]
    uris = (request.request_uri, *(address.uri for address in first))
    return any(isinstance(uri, SipUri) and uri.secure for uri in uris)


def _is_secure(request: Request) -> bool:
    uri = request.request_uri
    return isinstance(uri, SipUri) and uri.secure and request.via.transport == Transport.TLS.via
