"""What happens inside the dialog of a call: hold and resume, refresh, digits, hang-up, in both directions.

RFC 3261 sections 14 (re-INVITE) and 15 (BYE), RFC 3311 (UPDATE), RFC 3264 section 8, RFC 4028 (session timers).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, override

from .address import Hop
from .alarm import Alarm
from .call import Call
from .client import ClientRequest, Handlers
from .core import Failure
from .dialog_peer import DialogPeer
from .errors import LocalProtocolError, NegotiationError, RemoteProtocolError
from .events import CallDirection, CallOutcome, DigitMethod, DigitReceived, EndedBy, LadderStep
from .info import parse_dtmf
from .message import Request, Response
from .offer_answer import MediaDirection, OfferAnswer
from .outcome import reason_of
from .session_timer import SessionExpires, SessionTimer, parse_min_se, parse_session_expires
from .transaction import ServerTransaction

GLARE_RETRY_OWNER = (2.1, 1.9)
GLARE_RETRY_OTHER = (0.0, 2.0)
STATUS_REQUEST_PENDING = 491
STATUS_DIALOG_GONE = frozenset({408, 481})
STATUS_INTERVAL_TOO_SMALL = 422
WARNING_AGENT = "sip"
WARNING_MISCELLANEOUS = 399


class DialogCall(Call, ABC):
    """A call with a dialog, or on its way to one."""

    peer: DialogPeer | None = None
    agreement: OfferAnswer | None = None
    released: Callable[[DialogCall], None] | None = None
    _offering: ClientRequest | None = None
    _retry: Alarm | None = None
    _guard: Alarm | None = None
    _bye_sent = False
    _interval = 0
    _timer: SessionTimer | None = None

    @property
    @abstractmethod
    def dialog_key(self) -> tuple[str, str]:
        """Return Call-ID and our tag, which every request of the far end names."""

    @abstractmethod
    def hangup(self, now: float) -> None:
        """End the call as its state demands: CANCEL, rejection or BYE."""

    @property
    def far_end(self) -> DialogPeer:
        """Return the far end of the dialog; LocalProtocolError where there is none yet."""
        if self.peer is None:
            raise LocalProtocolError("the call is not answered yet")
        return self.peer

    # Hang-up

    def bye(self, now: float, *, reason: str | None = None) -> None:
        """End the dialog; people see the call end when the BYE is answered, or soon anyway."""
        if self._bye_sent:
            return
        self._bye_sent = True
        self.set_media(None, now)
        self.stop_timers()
        self._guard = self.core.alarms.set(now + self.core.timers.t2, self._hung_up)
        headers = (("Reason", reason),) if reason else ()
        handlers = Handlers(final=self._bye_answered, failed=self._bye_failed, sent=self._bye_left)
        self.far_end.request("BYE", handlers, now, headers=headers)

    def _bye_left(self, now: float) -> None:
        self.step(LadderStep.BYE, now, sent=True)

    def _bye_answered(self, response: Response, _hop: Hop, now: float) -> None:
        self.step(LadderStep.BYE_OK, now, sent=False, code=response.status, reason=response.reason)
        self._hung_up(now)
        self.release()

    def _bye_failed(self, _failure: Failure, now: float) -> None:
        self._hung_up(now)
        self.release()

    def _hung_up(self, now: float) -> None:
        self.end(CallOutcome.CANCELLED, now, by=EndedBy.LOCAL)

    def release(self) -> None:
        """Let go of the dialog: nothing of it is expected any more."""
        if self._guard is not None:
            self._guard.cancel()
        if self.released is not None:
            self.released(self)
            self.released = None

    def fail(self, now: float, code: int, reason: str) -> None:
        """Hang up a call that cannot go on, and say why."""
        self.bye(now, reason=f'SIP;cause={code};text="{reason}"')
        self.end(CallOutcome.FAILED, now, by=EndedBy.NETWORK, code=code, reason=reason)

    # Hold, resume, refresh: a re-INVITE of ours

    def hold(self, now: float) -> None:
        """Put the far end on hold."""
        self._want(now, held=True)

    def resume(self, now: float) -> None:
        """Talk again."""
        self._want(now, held=False)

    def _want(self, now: float, *, held: bool) -> None:
        if not self.established or self.agreement is None:
            raise LocalProtocolError("the call is not connected")
        if held != self.held:
            self.held = held
            self._renegotiate(now)

    def _renegotiate(self, now: float) -> None:
        """Send an offer with what we want by now; while another exchange runs, after it."""
        agreement = self.agreement
        if agreement is None or not self.established or self._bye_sent:
            return
        if self._offering is not None:
            self._set_retry(now, GLARE_RETRY_OTHER)
            return
        body = agreement.create_offer(MediaDirection.SENDONLY if self.held else MediaDirection.SENDRECV)
        timing = self.core.account.timing
        interval = self._interval or timing.session_expires
        headers = (("Session-Expires", str(SessionExpires(interval, "uac"))), ("Min-SE", str(timing.min_se)))
        handlers = Handlers(final=self._reinvite_final, failed=self._reinvite_failed)
        self._offering = self.far_end.request("INVITE", handlers, now, headers=headers, body=body)

    def _reinvite_final(self, response: Response, _hop: Hop, now: float) -> None:
        client, agreement = self._offering, self.agreement
        status = response.status
        if 200 <= status < 300:
            if client is None or client.transaction is None or agreement is None:
                self.far_end.repeat_ack(response.cseq.number)
                return
            self._offering = None
            try:
                self.far_end.dialog.update_target(response)
            except RemoteProtocolError as error:
                self.far_end.acknowledge(response, client.transaction.request, now)
                self.fail(now, error.status, str(error))
                return
            self.far_end.acknowledge(response, client.transaction.request, now)
            self._take_answer(agreement, response, now)
            return
        self._offering = None
        if agreement is not None:
            agreement.rollback()
        if status == STATUS_REQUEST_PENDING:
            owner = self.snapshot.direction is CallDirection.OUTGOING
            self._set_retry(now, GLARE_RETRY_OWNER if owner else GLARE_RETRY_OTHER)
        elif status in STATUS_DIALOG_GONE:
            self.fail(now, status, response.reason)
        elif status == STATUS_INTERVAL_TOO_SMALL and self._interval < parse_min_se(response.headers):
            self._interval = parse_min_se(response.headers)
            self._renegotiate(now)
        else:
            self.held = agreement is not None and agreement.direction is not MediaDirection.SENDRECV

    def _take_answer(self, agreement: OfferAnswer, response: Response, now: float) -> None:
        try:
            media = agreement.receive_answer(response.body)
        except RemoteProtocolError as error:
            self.fail(now, error.status, str(error))
            return
        self.set_media(media, now)
        self.enter_talking(now)
        self.start_session_timer(response, now, uac=True)

    def _reinvite_failed(self, failure: Failure, now: float) -> None:
        self._offering = None
        self.fail(now, 408, failure.text)

    def _set_retry(self, now: float, window: tuple[float, float]) -> None:
        if self._retry is not None:
            self._retry.cancel()
        least, spread = window
        self._retry = self.core.alarms.set(now + least + spread * self.core.entropy(1)[0] / 255, self._renegotiate)

    # Session timers

    def start_session_timer(self, message: Request | Response, now: float, *, uac: bool) -> None:
        """Run the timer that a 2xx agreed on; without one the call is not timed."""
        agreed = parse_session_expires(message.headers)
        if self._timer is None:
            self._timer = SessionTimer(self.core.alarms, self._renegotiate, self._session_expired)
        if agreed is None:
            self._timer.stop()
            return
        self._interval = agreed.seconds
        ours = agreed.refresher == ("uac" if uac else "uas") or not agreed.refresher
        self._timer.restart(agreed.seconds, now, ours=ours)

    def accept_session_timer(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Return the header fields of a 2xx that agree to the peer's session timer (RFC 4028 section 9)."""
        asked = parse_session_expires(request.headers)
        if asked is None:
            return ()
        supported = "timer" in (value.lower() for value in request.headers.split("Supported"))
        if not supported:
            return (("Session-Expires", str(SessionExpires(asked.seconds, "uas"))),)
        return (("Session-Expires", str(SessionExpires(asked.seconds, asked.refresher or "uac"))), ("Require", "timer"))

    def session_too_short(self, transaction: ServerTransaction, now: float) -> bool:
        """Refuse a session interval below our minimum (422); True where it was refused."""
        asked = parse_session_expires(transaction.request.headers)
        minimum = self.core.account.timing.min_se
        if asked is None or asked.seconds >= minimum:
            return False
        headers = (("Min-SE", str(minimum)),)
        self.core.respond(transaction, STATUS_INTERVAL_TOO_SMALL, now, to_tag=self.dialog_key[1], headers=headers)
        return True

    def _session_expired(self, now: float) -> None:
        self.fail(now, 408, "session timer expired")

    # Requests of theirs

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Deal with a request inside the dialog."""
        try:
            self.far_end.dialog.receive_request(request)
        except RemoteProtocolError as error:
            self.core.respond(transaction, error.status, now)
            return
        handler = self._handlers.get(request.method)
        if self._bye_sent and request.method != "BYE":
            self.core.respond(transaction, 481, now)
        elif handler is None:
            self.core.respond(transaction, 405, now, headers=(("Allow", self.core.allow),))
        else:
            handler(self, transaction, request, now)

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.step(LadderStep.BYE, now, sent=False)
        self.core.respond(transaction, 200, now)
        self.step(LadderStep.BYE_OK, now, sent=True, code=200, reason="OK")
        self.overtaken(now)
        incoming = self.snapshot.direction is CallDirection.INCOMING
        unanswered = CallOutcome.MISSED if incoming else CallOutcome.FAILED
        self.end(unanswered, now, by=EndedBy.REMOTE, reason=reason_of(request.headers))
        if not self._bye_sent:
            self.release()

    def overtaken(self, now: float) -> None:
        """Deal with an INVITE that a BYE overtook (section 15.1.2)."""

    def _on_options(self, transaction: ServerTransaction, _request: Request, now: float) -> None:
        self.core.respond(
            transaction, 200, now, headers=(("Allow", self.core.allow), ("Supported", self.core.supported))
        )

    def _on_info(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        found = parse_dtmf(request)
        if found is None and request.body:
            self.core.respond(transaction, 415, now, headers=(("Accept", "application/dtmf-relay, application/dtmf"),))
            return
        self.core.respond(transaction, 200, now)
        if found is not None:
            digit, duration = found
            method = DigitMethod.INFO
            self.core.emit(DigitReceived(at=now, call=self.snapshot, digit=digit, duration=duration, method=method))

    def _on_notify(self, transaction: ServerTransaction, _request: Request, now: float) -> None:
        self.core.respond(transaction, 481, now)

    def _on_offer(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answer a re-INVITE or UPDATE."""
        agreement = self.agreement
        if agreement is None:
            self.core.respond(transaction, 500, now, headers=(("Retry-After", str(self.core.entropy(1)[0] % 11)),))
            return
        if self._offering is not None or agreement.has_local_offer:
            self.core.respond(transaction, STATUS_REQUEST_PENDING, now)
            return
        if self.session_too_short(transaction, now):
            return
        media, body = self.media, b""
        invite = request.method == "INVITE"
        try:
            if request.body:
                body, media = agreement.receive_offer(request.body)
            elif invite:
                body = agreement.create_offer()
        except RemoteProtocolError as error:
            self.refuse_offer(transaction, error, now)
            return
        headers = (
            ("Contact", str(self.core.contact(self.core.arrival))),
            ("Allow", self.core.allow),
            ("Supported", self.core.supported),
            *self.accept_session_timer(request),
        )
        response = self.core.respond(transaction, 200, now, headers=headers, body=body)
        transaction.context = self
        if request.body or not invite:
            self.start_session_timer(response, now, uac=False)
            if media is not None:
                self.set_media(media, now)
            self.enter_talking(now)

    def refuse_offer(self, transaction: ServerTransaction, error: RemoteProtocolError, now: float) -> None:
        """Refuse an offer in which nothing fits, and say why in a Warning header field (section 20.43)."""
        code = error.warning if isinstance(error, NegotiationError) else WARNING_MISCELLANEOUS
        text = str(error).replace('"', "'")
        warning = (("Warning", f'{code} {WARNING_AGENT} "{text}"'),)
        self.core.respond(transaction, error.status, now, to_tag=self.dialog_key[1], headers=warning)

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

    _handlers: ClassVar[dict[str, Callable[[DialogCall, ServerTransaction, Request, float], None]]] = {
        "BYE": _on_bye,
        "INFO": _on_info,
        "INVITE": _on_offer,
        "NOTIFY": _on_notify,
        "OPTIONS": _on_options,
        "UPDATE": _on_offer,
    }
