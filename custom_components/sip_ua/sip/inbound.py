"""Requests of others: what every request must meet, and calls and questions outside a dialog.

RFC 3261 sections 8.2 and 11 (OPTIONS), RFC 3262 section 3 (421), RFC 3891 section 3 (Replaces).
"""

from collections.abc import Callable
from typing import ClassVar

from .account import ReliableProvisional
from .call_incoming import STATUS_BUSY, STATUS_NOT_NOW, ReceivedCall
from .calls import Calls
from .core import ALLOWED_METHODS, RELIABLE_TAG, SDP_TYPE, Core
from .dialog import DialogKey, check_targets
from .dialog_call import DialogCall
from .errors import MessageError, RemoteProtocolError
from .message import Request
from .offer_choice import check_offer
from .refer import Replaces, parse_replaces
from .reliable import knows_reliable
from .subscriptions import Subscriptions
from .transaction import ServerTransaction
from .uri import OtherUri

_DESCRIPTION_RANGES = frozenset({SDP_TYPE, "application/*", "*/*"})


class Inbound:
    """Answers the requests of one account, or leads them to their call."""

    def __init__(self, core: Core, calls: Calls, subscriptions: Subscriptions) -> None:
        """Lead requests to `calls` and `subscriptions`."""
        self._core = core
        self._calls = calls
        self._subscriptions = subscriptions

    def receive(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Deal with a request that came once."""
        if not self._acceptable(transaction, request, now):
            return
        if request.method == "NOTIFY" and self._subscriptions.receive(transaction, request, now):
            return
        if request.to.tag:
            call = self._calls.dialogs.get((request.call_id, request.to.tag))
            if call is None:
                self._core.respond(transaction, 481, now)
            else:
                call.receive_request(transaction, request, now)
            return
        handler = self._handlers.get(request.method)
        if handler is not None:
            handler(self, transaction, request, now)
        else:
            self._refuse(transaction, 481, now)

    def _refuse(self, transaction: ServerTransaction, status: int, now: float, *headers: tuple[str, str]) -> None:
        self._core.respond(transaction, status, now, headers=headers)

    def _acceptable(self, transaction: ServerTransaction, request: Request, now: float) -> bool:
        """Inspect what every request must meet, in this order (sections 8.2.1 to 8.2.3)."""
        headers = request.headers.first_values()
        unsupported = self._unsupported(request) if "Require" in headers else ()
        if request.method not in ALLOWED_METHODS:
            self._refuse(transaction, 405, now, ("Allow", self._core.allow))
        elif unsupported:
            self._refuse(transaction, 420, now, ("Unsupported", ", ".join(unsupported[:8])))
        elif isinstance(request.request_uri, OtherUri):
            self._refuse(transaction, 416, now)
        elif headers.get("Content-Encoding", "identity") != "identity":
            self._refuse(transaction, 415, now, ("Accept-Encoding", "identity"))
        else:
            return True
        return False

    def _unsupported(self, request: Request) -> list[str]:
        """Return the option tags of extensions that a request requires and we do not have."""
        return [tag for tag in request.headers.split("Require") if tag.lower() not in self._core.extensions]

    def _refusal(self) -> int | None:
        """Return the status that refuses a call at this moment whatever is in its INVITE, None where it may ring."""
        calls = self._calls
        if calls.refused:
            return STATUS_NOT_NOW
        strangers = not self._core.from_server and calls.full_of_strangers
        return STATUS_BUSY if strangers or calls.full else None

    def _on_options(self, transaction: ServerTransaction, _request: Request, now: float) -> None:
        """Tell what we can do, by the status that an INVITE would meet (section 11.2)."""
        headers = (("Allow", self._core.allow), ("Accept", SDP_TYPE), ("Supported", self._core.supported))
        self._core.respond(transaction, self._refusal() or 200, now, headers=headers)

    def _on_refer(self, transaction: ServerTransaction, _request: Request, now: float) -> None:
        """Call nobody for somebody who is in no call with us."""
        self._refuse(transaction, 603, now)

    def _on_invite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        core = self._core
        headers = request.headers.first_values()
        if request.body and headers.get("Content-Type") != SDP_TYPE != request.content_type:
            self._refuse(transaction, 415, now, ("Accept", SDP_TYPE))
            return
        if "Accept" in headers and not _reads_descriptions(request):
            self._refuse(transaction, 406, now)
            return
        if core.account.reliable_provisional is ReliableProvisional.REQUIRED and not knows_reliable(request):
            self._refuse(transaction, 421, now, ("Require", RELIABLE_TAG))
            return
        try:
            check_targets(request)
            old = self._replaced(request) if "Replaces" in headers else None
        except RemoteProtocolError as error:
            self._refuse(transaction, error.status, now)
            return
        refusal = self._refusal() if old is None else None
        if refusal is not None:
            self._refuse(transaction, refusal, now)
            return
        core.overload.call_begins(now)
        call = ReceivedCall(core, transaction, now)
        if "Session-Expires" in headers and call.session_too_short(transaction, now):
            return
        try:
            rules = core.key_rules(core.arrival.remote.transport)
            rules.check()
            if request.body:
                check_offer(request.body, core.codecs, core.arrival.local.host, rules)
            if old is not None:
                call.take_over(old, now)
        except RemoteProtocolError as error:
            call.refuse_offer(transaction, error, now)
            return
        self._calls.adopt(call)
        if old is None:
            call.begin(now)
        else:
            call.accept(now)

    def _replaced(self, request: Request) -> DialogCall:
        """Return the call that an INVITE takes over by its Replaces.

        Raises RemoteProtocolError with the status that refuses it (RFC 3891 section 3).
        """
        values = request.headers.get_all("Replaces")
        if len(values) > 1:
            raise MessageError("more than one Replaces")
        wanted = parse_replaces(values[0])
        call = self._calls.dialogs.get((wanted.call_id, wanted.to_tag))
        if call is None and self._calls.strays.knows(wanted.call_id):
            raise RemoteProtocolError("the call is over", 603)
        if call is None or call.peer_of(DialogKey(wanted.call_id, wanted.to_tag, wanted.from_tag)) is None:
            raise RemoteProtocolError("no such call", 481)
        _check_replaceable(call, wanted)
        return call

    _handlers: ClassVar[dict[str, Callable[[Inbound, ServerTransaction, Request, float], None]]] = {
        "INVITE": _on_invite,
        "OPTIONS": _on_options,
        "REFER": _on_refer,
    }


def _reads_descriptions(request: Request) -> bool:
    """Whether session descriptions are among what a caller accepts (section 20.1)."""
    ranges = {"".join(value.partition(";")[0].split()).lower() for value in request.headers.split("Accept")}
    return not ranges.isdisjoint(_DESCRIPTION_RANGES)


def _check_replaceable(call: DialogCall, wanted: Replaces) -> None:
    """Raise RemoteProtocolError where the state of a call does not let it be taken over (RFC 3891 section 3)."""
    if call.ended or call.bye_sent:
        raise RemoteProtocolError("the call is over", 603)
    if call.established and wanted.early_only:
        raise RemoteProtocolError("the call is answered already", 486)
    if not call.established and not call.placed_by_us:
        raise RemoteProtocolError("a call that rings here cannot be taken over", 481)
