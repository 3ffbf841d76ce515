"""What is agreed inside the dialog of a call: hold, resume, session refresh, and the offers of the far end.

RFC 3261 section 14 (re-INVITE), RFC 3311 (UPDATE), RFC 3264 section 8, RFC 4028 (session timers).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, override

from .address import Hop
from .alarm import Alarm
from .call import Call
from .client import ClientRequest, Handlers
from .core import SDP_TYPE, Failure
from .dialog import wants_sips
from .dialog_peer import DialogPeer
from .errors import LocalFault, LocalProtocolError, NegotiationError, RemoteProtocolError
from .message import Request, Response
from .offer_answer import MediaDirection, OfferAnswer
from .party import HIDDEN_HEADERS, asserted_identity
from .session_timer import (
    LONGEST_SESSION,
    SHORTEST_MIN_SE,
    SessionExpires,
    SessionTimer,
    knows_timer,
    parse_min_se,
    parse_session_expires,
)
from .transaction import ServerTransaction

GLARE_RETRY_OWNER = (2.1, 1.9)
GLARE_RETRY_OTHER = (0.0, 2.0)
MAX_INTERVAL_ROUNDS = 2
STATUS_SERVER_ERROR = 500
STATUS_REQUEST_PENDING = 491
LONGEST_RETRY = 10
MAX_RETRIES = 5
STATUS_DIALOG_GONE = frozenset({408, 481})
STATUS_UNSUPPORTED_TYPE = 415
STATUS_INTERVAL_TOO_SMALL = 422
WARNING_AGENT = "sip"
WARNING_MISCELLANEOUS = 399


class MediaCall(Call, ABC):
    """A call whose dialog may change: one offer at a time, from either side."""

    placed_by_us: ClassVar[bool]
    """Whether we made the Call-ID, which decides who waits longer after a glare (section 14.1)."""
    peer: DialogPeer | None = None
    agreement: OfferAnswer | None = None
    early_agreed = False
    """Whether offer and answer were both acknowledged before the call was answered (RFC 3311 section 5.1)."""
    bye_sent = False
    _offering: ClientRequest | None = None
    _refreshing: ClientRequest | None = None
    _retry: Alarm | None = None
    _timer: SessionTimer | None = None
    _session_expires = 0
    _far_min_se = 0
    """The longest of the shortest sessions that the far end has named (RFC 4028 section 5)."""
    _interval_rounds = 0
    _retries = 0
    _unsettled = 0
    """How many requests of ours are on their way that no later one may overtake (section 12.2.2)."""

    @property
    @abstractmethod
    def dialog_key(self) -> tuple[str, str]:
        """Return Call-ID and our tag, which every request of the far end names."""

    @property
    def far_end(self) -> DialogPeer:
        """Return the far end of the dialog; LocalProtocolError where there is none yet."""
        if self.peer is None:
            raise LocalProtocolError("the call is not answered yet", LocalFault.NOT_CONNECTED)
        return self.peer

    @abstractmethod
    def fail(self, now: float, code: int, reason: str) -> None:
        """Hang up a call that cannot go on, and say why."""

    @property
    @override
    def holds(self) -> bool:
        return self.agreement is not None and self.agreement.direction is not MediaDirection.SENDRECV

    # Hold and resume: a re-INVITE of ours, or an UPDATE before the answer

    def hold(self, now: float) -> None:
        """Put the far end on hold."""
        self._want(now, held=True)

    def resume(self, now: float) -> None:
        """Talk again."""
        self._want(now, held=False)

    @property
    def _changes_early(self) -> bool:
        """Whether an UPDATE can change the voice of a call that nobody has answered yet."""
        return self.early_agreed and not self.ended and self.peer is not None and "UPDATE" in self.peer.allowed

    def _want(self, now: float, *, held: bool) -> None:
        if self.agreement is None or not (self.established or self._changes_early):
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        if held != self.held:
            self.held = held
            self._renegotiate(now)

    def _renegotiate(self, now: float) -> None:
        """Send an offer with what we want by now; while another exchange runs, after it."""
        agreement = self.agreement
        if agreement is None or self.bye_sent or not (self.established or self._changes_early):
            return
        if self._offering is not None or agreement.has_local_offer or self._unsettled:
            self._set_retry(now, GLARE_RETRY_OTHER, self._renegotiate)
            return
        if self._retry is not None:
            self._retry.cancel()
        body = agreement.create_offer(MediaDirection.SENDONLY if self.held else MediaDirection.SENDRECV)
        handlers = Handlers(final=self._offer_answered, failed=self._offer_failed)
        if self.established:
            headers = self._session_headers()
            self._offering = self.far_end.request("INVITE", handlers, now, headers=headers, body=body)
        else:
            self._offering = self.far_end.request("UPDATE", handlers, now, body=body)

    def _offer_answered(self, response: Response, _hop: Hop, now: float) -> None:
        client, agreement = self._offering, self.agreement
        status = response.status
        if 200 <= status < 300:
            asked = None if client is None or client.transaction is None else client.transaction.request
            if asked is None or asked.cseq != response.cseq or agreement is None:
                self.far_end.repeat_ack(response.cseq.number)
                return
            self._offering = None
            self._retries = 0
            problem = self.far_end.note_answer(response)
            if response.cseq.method == "INVITE":
                self.far_end.acknowledge(response, asked, now)
            if problem is None:
                self._take_answer(agreement, response, now)
            else:
                self.fail(now, problem.status, str(problem))
            return
        self._offering = None
        if agreement is not None:
            agreement.rollback()
        if status in STATUS_DIALOG_GONE:
            self.fail(now, status, response.reason)
        elif self._try_again(response, now, self._renegotiate):
            return
        elif self._longer_session(response):
            self._renegotiate(now)
        else:
            self.held = self.holds

    def _take_answer(self, agreement: OfferAnswer, response: Response, now: float) -> None:
        try:
            media = agreement.receive_answer(response.body)
        except RemoteProtocolError as error:
            self.fail(now, error.status, str(error))
            return
        self.set_media(media, now)
        self._settle(response, now, uac=True)
        if self.held is not self.holds:
            # What we want by now is not what we asked for then.
            self._renegotiate(now)

    def _settle(self, message: Request | Response, now: float, *, uac: bool) -> None:
        """Show who holds the call and run its session timer; before the answer there is neither."""
        if self.established:
            self.enter_talking(now)
            self.start_session_timer(message, now, uac=uac)

    def _offer_failed(self, failure: Failure, now: float) -> None:
        self._offering = None
        self.fail(now, 408, failure.text)

    def _try_again(self, response: Response, now: float, action: Callable[[float], None]) -> bool:
        """Wait where the request crossed another one (section 14.1, RFC 3311 section 5.3); False for other refusals.

        A 500 without a time comes from a far end at which a later request of ours arrived first (section 12.2.2).
        """
        self._retries += 1
        if self._retries > MAX_RETRIES:
            return False
        seconds = response.retry_after
        if response.status == STATUS_REQUEST_PENDING:
            self._set_retry(now, GLARE_RETRY_OWNER if self.placed_by_us else GLARE_RETRY_OTHER, action)
        elif response.status == STATUS_SERVER_ERROR:
            self._set_retry(now, (min(seconds, LONGEST_RETRY), 1.0), action)
        else:
            return False
        return True

    def _set_retry(self, now: float, window: tuple[float, float], action: Callable[[float], None]) -> None:
        if self._retry is not None:
            self._retry.cancel()
        least, spread = window
        self._retry = self.core.alarms.set(now + least + spread * self.core.entropy(1)[0] / 255, action)

    # Session timers

    @property
    def min_se(self) -> int:
        """Return the shortest session that a request of ours may ask for, in seconds: that of both sides."""
        return max(self.core.account.timing.min_se, self._far_min_se)

    def _note_min_se(self, message: Request | Response) -> int:
        wanted = min(parse_min_se(message.headers), LONGEST_SESSION)
        self._far_min_se = max(self._far_min_se, wanted)
        return wanted

    def _session_headers(self) -> tuple[tuple[str, str], ...]:
        """Return what asks for the next interval; who has refreshed so far goes on (RFC 4028 section 7.4)."""
        seconds = max(self._session_expires or self.core.account.timing.session_expires, self.min_se)
        refresher = "uas" if self._timer is not None and self._timer.is_theirs else "uac"
        return (("Session-Expires", str(SessionExpires(seconds, refresher))), ("Min-SE", str(self.min_se)))

    def _longer_session(self, response: Response) -> bool:
        """Whether to try again with the session interval that the far end wants at least (RFC 4028 section 7.3)."""
        self._interval_rounds += 1
        wanted = self._note_min_se(response)
        more = response.status == STATUS_INTERVAL_TOO_SMALL and self._session_expires < wanted
        if not more or self._interval_rounds > MAX_INTERVAL_ROUNDS:
            return False
        self._session_expires = wanted
        return True

    def follow_move(self, now: float) -> None:
        """Tell the far end of a connected call where its requests reach us by now (section 12.2)."""
        self._refresh(now)

    def _refresh(self, now: float) -> None:
        """Refresh the session by an UPDATE without an offer where the far end takes it (RFC 4028 section 7.4)."""
        if not self.established or self.bye_sent or self._refreshing is not None:
            return
        if "UPDATE" not in self.far_end.allowed:
            self._renegotiate(now)
            return
        handlers = Handlers(final=self._refreshed, failed=self._refresh_failed)
        self._refreshing = self.far_end.request("UPDATE", handlers, now, headers=self._session_headers())

    def _refreshed(self, response: Response, _hop: Hop, now: float) -> None:
        self._refreshing = None
        status = response.status
        if self.bye_sent or self.ended:
            return
        if status < 300:
            self._retries = 0
            problem = self.far_end.note_answer(response)
            if problem is None:
                self._settle(response, now, uac=True)
            else:
                self.fail(now, problem.status, str(problem))
        elif status in STATUS_DIALOG_GONE:
            self.fail(now, status, response.reason)
        elif self._try_again(response, now, self._refresh):
            return
        elif self._longer_session(response):
            self._refresh(now)
        else:
            self.far_end.allowed -= {"UPDATE"}
            self._renegotiate(now)

    def _refresh_failed(self, failure: Failure, now: float) -> None:
        self._refreshing = None
        self.fail(now, 408, failure.text)

    def start_session_timer(self, message: Request | Response, now: float, *, uac: bool) -> None:
        """Run the timer that a 2xx agreed on; without one the call is not timed."""
        agreed = parse_session_expires(message.headers)
        if self._timer is None:
            self._timer = SessionTimer(self.core.alarms, self._refresh, self._session_expired)
        if agreed is None:
            self._timer.stop()
            return
        self._session_expires = agreed.seconds
        ours = agreed.refresher == ("uac" if uac else "uas") or not agreed.refresher
        self._timer.restart(agreed.seconds, now, ours=ours)

    def accept_session_timer(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Return the header fields of a 2xx that agree to the peer's session timer (RFC 4028 section 9)."""
        self._note_min_se(request)
        asked = parse_session_expires(request.headers)
        if asked is None:
            return ()
        if not knows_timer(request.headers):
            # It is a proxy that wants the timer: we refresh, by its interval, for that must not be made longer.
            return (("Session-Expires", str(SessionExpires(max(asked.seconds, SHORTEST_MIN_SE), "uas"))),)
        return (("Session-Expires", str(SessionExpires(asked.seconds, asked.refresher or "uac"))), ("Require", "timer"))

    def session_too_short(self, transaction: ServerTransaction, now: float) -> bool:
        """Refuse a session interval below our minimum (422); True where it was refused.

        Only who supports session timers can ask again for a longer one (RFC 4028 section 9).
        """
        asked = parse_session_expires(transaction.request.headers)
        minimum = self.core.account.timing.min_se
        if asked is None or asked.seconds >= minimum or not knows_timer(transaction.request.headers):
            return False
        headers = (("Min-SE", str(minimum)),)
        self.core.respond(transaction, STATUS_INTERVAL_TOO_SMALL, now, to_tag=self.dialog_key[1], headers=headers)
        return True

    def _session_expired(self, now: float) -> None:
        self.fail(now, 408, "session timer expired")

    # Offers of theirs

    def contact_headers(self, request: Request, came_by: Hop | None = None) -> tuple[tuple[str, str], ...]:
        """Return what an answer says of where we are, and whether that is all that may be said of us.

        `came_by` is how the request came, None for the message dealt with.
        """
        hop = came_by or self.core.arrival
        contact = self.core.contact(hop, secure=wants_sips(request), private=self.private)
        return (("Contact", str(contact)), *(HIDDEN_HEADERS if self.private else ()))

    def on_offer(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answer a re-INVITE or UPDATE (RFC 3261 section 14.2, RFC 3311 section 5.2)."""
        if self._must_wait(transaction, request, now) or self.session_too_short(transaction, now):
            return
        agreement = self.agreement
        media, body = self.media, b""
        rules = self.core.key_rules(self.core.arrival.remote.transport)
        try:
            offer = description_of(request)
            if agreement is not None and offer:
                body, media = agreement.receive_offer(offer, rules)
            elif agreement is not None and request.method == "INVITE":
                body = agreement.create_offer(rules=rules)
        except RemoteProtocolError as error:
            self.refuse_offer(transaction, error, now)
            return
        self.far_end.note_allowed(request)
        headers = (
            *self.contact_headers(request),
            ("Allow", self.core.allow),
            ("Supported", self.core.supported),
            *self.accept_session_timer(request),
        )
        response = self.core.respond(transaction, 200, now, headers=headers, body=body)
        transaction.context = self
        if media is not None:
            self.set_media(media, now)
        self._note_identity(request, now)
        self._settle(response, now, uac=False)

    def _note_identity(self, request: Request, now: float) -> None:
        """Follow the exchange where it connected us to somebody else (RFC 5876)."""
        identity = asserted_identity(request)
        if identity is not None and self.core.from_server:
            self.connected_to(identity, now)

    def _must_wait(self, transaction: ServerTransaction, request: Request, now: float) -> bool:
        """Refuse what crosses an exchange that is not over: 491 where it is ours, 500 where it is theirs.

        Before the call is answered, what no PRACK has acknowledged was but a preview (RFC 3261 section 13.2.1).
        """
        agreement = self.agreement
        invite = request.method == "INVITE"
        previewed = not (self.established or self.placed_by_us or self.early_agreed)
        if invite and not self.established and self.placed_by_us:
            status = STATUS_REQUEST_PENDING
        elif (invite and not self.established) or (request.body and (agreement is None or previewed)):
            status = STATUS_SERVER_ERROR
        elif (invite or request.body) and agreement is not None and (self._offering or agreement.has_local_offer):
            status = STATUS_REQUEST_PENDING
        else:
            return False
        wait = (("Retry-After", str(self.core.entropy(1)[0] % 11)),) if status == STATUS_SERVER_ERROR else ()
        self.core.respond(transaction, status, now, headers=wait)
        return True

    def refuse_offer(self, transaction: ServerTransaction, error: RemoteProtocolError, now: float) -> None:
        """Refuse an offer that is unreadable, or in which nothing fits; a Warning says why (section 20.43)."""
        code = error.warning if isinstance(error, NegotiationError) else WARNING_MISCELLANEOUS
        text = str(error).replace('"', "'")
        headers: tuple[tuple[str, str], ...] = (("Warning", f'{code} {WARNING_AGENT} "{text}"'),)
        if error.status == STATUS_UNSUPPORTED_TYPE:
            headers = (("Accept", SDP_TYPE),)
        self.core.respond(transaction, error.status, now, to_tag=self.dialog_key[1], headers=headers)

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """Take the ACK of a 2xx of ours, with the answer where the 2xx held the offer."""
        self.core.layer.acked(transaction, now)
        agreement = self.agreement
        if agreement is None or not agreement.has_local_offer or self._offering is not None or self.ended:
            return
        try:
            media = agreement.receive_answer(ack.body)
        except RemoteProtocolError as error:
            self.fail(now, error.status, str(error))
            return
        self.set_media(media, now)
        self.enter_talking(now)

    def ack_missing(self, now: float) -> None:
        """End a call whose 2xx nobody acknowledged (section 13.3.1.4)."""
        self.fail(now, 408, "the answer was never acknowledged")

    @override
    def stop_timers(self) -> None:
        """Cancel every alarm that could still change the call."""
        if self._retry is not None:
            self._retry.cancel()
        if self._timer is not None:
            self._timer.stop()


def description_of(request: Request) -> bytes:
    """Return the session description in a request, empty where there is none; raises RemoteProtocolError (415)."""
    if request.body and request.content_type != SDP_TYPE:
        raise RemoteProtocolError("content that is no session description", STATUS_UNSUPPORTED_TYPE)
    return request.body
