"""A call that comes in: ringing, answer, rejection, CANCEL.

RFC 3261 sections 8.2, 9.2 (CANCEL), 13.3 (called party), RFC 3326 (a call that another phone took).
"""

from typing import override

from .alarm import Alarm
from .core import Core
from .dialog import Dialog
from .dialog_call import DialogCall
from .dialog_peer import DialogPeer
from .errors import LocalProtocolError, RemoteProtocolError
from .events import CallDirection, CallOutcome, EndedBy, IncomingCall, LadderStep, Party
from .message import Request
from .offer_answer import LocalMedia, OfferAnswer
from .outcome import ANSWERED_ELSEWHERE, reason_of
from .party import asserted_party
from .text import clean_text
from .transaction import ServerTransaction
from .uri import SipUri

MAX_SHOWN_HEADERS = 16
SHOWN_HEADERS = frozenset(
    {
        "alert-info",
        "call-info",
        "diversion",
        "history-info",
        "p-asserted-identity",
        "p-called-party-id",
        "subject",
        "user-agent",
    }
)
_DECLINED_CODES = range(400, 700)
STATUS_BUSY = 486
STATUS_NOT_NOW = 480


class ReceivedCall(DialogCall):
    """A call from somebody to us."""

    def __init__(self, core: Core, transaction: ServerTransaction, now: float) -> None:
        """Begin with an INVITE that is fit to ring."""
        request = transaction.request
        uri = request.request_uri
        called = uri.user or "" if isinstance(uri, SipUri) else ""
        super().__init__(
            core,
            sip_call_id=request.call_id,
            direction=CallDirection.INCOMING,
            remote=asserted_party(request, request.from_, trusted=core.account.registers),
            called=clean_text(called),
            now=now,
        )
        self._invite = transaction
        transaction.context = self
        self.hop = core.arrival
        self._contact = str(core.contact(self.hop))
        self._tag = core.token()
        self._accepted = False
        self._acked = False
        self._hang_up_when_acked = False
        self._ring_alarm: Alarm | None = None
        self._expiry: Alarm | None = None

    @property
    @override
    def dialog_key(self) -> tuple[str, str]:
        """Return Call-ID and our tag."""
        return (self.snapshot.sip_call_id, self._tag)

    def begin(self, now: float) -> None:
        """Tell that somebody calls; that it rings here the caller is told after that."""
        request = self._invite.request
        shown = tuple((name, clean_text(value)) for name, value in request.headers if name.lower() in SHOWN_HEADERS)[
            :MAX_SHOWN_HEADERS
        ]
        self.core.emit(IncomingCall(at=now, call=self.snapshot, headers=shown))
        self.core.do_afterwards(lambda: self._ring(now))

    def _ring(self, now: float) -> None:
        if self.peer is not None or self.ended:
            return
        request = self._invite.request
        headers = (("Contact", self._contact), ("Allow", self.core.allow))
        response = self.core.respond(self._invite, 180, now, to_tag=self._tag, headers=headers)
        self._ring_alarm = self.core.alarms.set(now + self.core.account.timing.ring_timeout, self._rang_long_enough)
        if request.expires is not None:
            self._expiry = self.core.alarms.set(now + request.expires, self._expired)
        self.peer = DialogPeer(self.core, Dialog.called(request, response))
        self.step(LadderStep.INVITE, now, sent=False)
        self.step(LadderStep.RINGING, now, sent=True, code=180, reason=response.reason)

    # What we decide

    def answer(self, media: LocalMedia, now: float) -> None:
        """Take the call; raises LocalProtocolError where it does not ring any more."""
        if self._accepted or self.ended:
            raise LocalProtocolError("the call does not ring any more")
        self._ring(now)
        request = self._invite.request
        agreement = OfferAnswer(media, int.from_bytes(self.core.entropy(4)))
        agreed = None
        try:
            if request.body:
                body, agreed = agreement.receive_offer(request.body)
            else:
                body = agreement.create_offer()
        except RemoteProtocolError as error:
            self.refuse_offer(self._invite, error, now)
            self._finish(CallOutcome.FAILED, now, by=EndedBy.LOCAL, code=error.status, reason=str(error))
            return
        self._accepted = True
        self._stop_ringing()
        self.agreement = agreement
        headers = (
            ("Contact", self._contact),
            ("Allow", self.core.allow),
            ("Supported", self.core.supported),
            *self.accept_session_timer(request),
        )
        response = self.core.respond(self._invite, 200, now, to_tag=self._tag, headers=headers, body=body)
        self.far_end.dialog.confirm(response)
        account = self.core.account
        identity = self.core.identity(self.hop.local.host)
        self.answered(now, Party(account.display_name, account.number, str(identity.uri)))
        self.step(LadderStep.OK, now, sent=True, code=200, reason=response.reason)
        self.start_session_timer(response, now, uac=False)
        self.set_media(agreed, now)
        self.enter_talking(now)

    def reject(self, code: int, now: float) -> None:
        """Refuse the call with a final answer of 400 to 699."""
        if self._accepted or self.ended:
            raise LocalProtocolError("the call does not ring any more")
        if code not in _DECLINED_CODES:
            raise LocalProtocolError("a call is rejected with a code from 400 to 699")
        self._ring(now)
        self._refuse(code, CallOutcome.BUSY if code == STATUS_BUSY else CallOutcome.DECLINED, EndedBy.LOCAL, now)

    @override
    def hangup(self, now: float) -> None:
        if self.ended:
            return
        if not self._accepted:
            self.reject(STATUS_BUSY, now)
        elif self._acked:
            self.bye(now)
        else:
            # Before the ACK of our answer a BYE may not leave (section 15).
            self._hang_up_when_acked = True
            self.end(CallOutcome.ANSWERED, now, by=EndedBy.LOCAL)

    def _refuse(self, code: int, outcome: CallOutcome, by: EndedBy, now: float, reason: str = "") -> None:
        response = self.core.respond(self._invite, code, now, to_tag=self._tag)
        self.step(LadderStep.REJECTED, now, sent=True, code=code, reason=response.reason)
        self._finish(outcome, now, by=by, code=code, reason=reason or response.reason)

    def _rang_long_enough(self, now: float) -> None:
        self._refuse(STATUS_NOT_NOW, CallOutcome.MISSED, EndedBy.LOCAL, now)

    def _expired(self, now: float) -> None:
        """Give up with the time that the caller granted (section 13.3.1)."""
        self._refuse(487, CallOutcome.MISSED, EndedBy.REMOTE, now, "the caller waits no longer")

    # What they do

    def cancelled(self, cancel: Request, now: float) -> None:
        """Stop ringing: the caller gave up, or another phone took the call."""
        if self._accepted or self.ended:
            return
        self._ring(now)
        self.step(LadderStep.CANCEL, now, sent=False)
        reason = reason_of(cancel.headers)
        elsewhere = reason == ANSWERED_ELSEWHERE
        outcome = CallOutcome.CANCELLED if elsewhere else CallOutcome.MISSED
        self._refuse(487, outcome, EndedBy.REMOTE, now, reason)

    @override
    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        if transaction is self._invite and not self._acked:
            self._acked = True
            self.step(LadderStep.ACK, now, sent=False)
            if self._hang_up_when_acked:
                self.core.layer.acked(transaction, now)
                self.bye(now)
                return
        super().ack_received(transaction, ack, now)

    @override
    def ack_missing(self, now: float) -> None:
        self._acked = True
        if self._hang_up_when_acked:
            self.bye(now)
        elif self._accepted:
            super().ack_missing(now)

    @override
    def overtaken(self, now: float) -> None:
        self.core.layer.acked(self._invite, now)
        if not self._accepted:
            self.core.respond(self._invite, 487, now, to_tag=self._tag)

    def _finish(self, outcome: CallOutcome, now: float, *, by: EndedBy, code: int = 0, reason: str = "") -> None:
        self.end(outcome, now, by=by, code=code, reason=reason)
        self.release()

    def _stop_ringing(self) -> None:
        if self._ring_alarm is not None:
            self._ring_alarm.cancel()
            self._ring_alarm = None
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    @override
    def stop_timers(self) -> None:
        super().stop_timers()
        self._stop_ringing()
