"""A call that comes in: ringing, answer, rejection, redirection, CANCEL.

RFC 3261 sections 8.2, 9.2 (CANCEL), 13.3 (called party), RFC 3262 section 3 (reliable provisional answers), RFC 3326
(a call that another phone took).
"""

from dataclasses import replace
from functools import cached_property
from typing import ClassVar, override

from .account import Transport
from .alarm import Alarm
from .core import Core
from .dialog import Dialog
from .dialog_call import DialogCall
from .dialog_media import description_of
from .dialog_peer import DialogPeer
from .errors import LocalFault, LocalProtocolError, RemoteProtocolError
from .events import CallDirection, CallOutcome, CallReplaced, EndedBy, IncomingCall, LadderStep, Party
from .headers import NameAddr
from .message import Request, Response
from .offer_answer import LocalMedia, OfferAnswer
from .outcome import ANSWERED_ELSEWHERE, reason_of
from .party import ANONYMOUS, at_address, caller_of
from .reliable import ReliableAnswers, parse_rack
from .shown_headers import shown_headers
from .text import clean_text
from .transaction import ServerTransaction
from .uri import SipUri, TelUri

_DECLINED_CODES = range(400, 700)
STATUS_MOVED = 302
STATUS_BUSY = 486
STATUS_NOT_NOW = 480
STATUS_GATEWAY_TIMEOUT = 504


class ReceivedCall(DialogCall):
    """A call from somebody to us."""

    placed_by_us: ClassVar[bool] = False

    def __init__(self, core: Core, transaction: ServerTransaction, now: float) -> None:
        """Begin with an INVITE that is fit to ring."""
        request = transaction.request
        uri = request.request_uri
        called = uri.user or "" if isinstance(uri, SipUri) else ""
        from_server = core.from_server
        remote = caller_of(request, trusted=from_server)
        past_server = not from_server and core.account.registers
        super().__init__(
            core,
            sip_call_id=request.call_id,
            direction=CallDirection.INCOMING,
            remote=at_address(remote, core.arrival.remote.host) if past_server else remote,
            called=clean_text(called),
            now=now,
        )
        if past_server:
            self.snapshot = replace(self.snapshot, past_server=True)
        self._invite = transaction
        transaction.context = self
        self.hop = core.arrival
        self.of_stranger = not from_server
        self.proven = from_server
        self._tag = core.token()
        self._description = b""
        self._answer_held = False
        self._accepted = False
        self._acked = False
        self._hang_up_when_acked = False
        self._ring_alarm: Alarm | None = None
        self._expiry: Alarm | None = None

    @property
    @override
    def secure(self) -> bool:
        return self.hop.remote.transport is Transport.TLS

    @property
    @override
    def dialog_key(self) -> tuple[str, str]:
        """Return Call-ID and our tag."""
        return (self.snapshot.sip_call_id, self._tag)

    @cached_property
    def _reliable(self) -> ReliableAnswers:
        return ReliableAnswers(self.core, self._invite, self._unacknowledged)

    def begin(self, now: float) -> None:
        """Tell that somebody calls; that it rings here the caller is told after that."""
        self.tell(IncomingCall(now, self.snapshot, self._shown_headers))
        self.core.do_afterwards(self._ring, now)

    def _shown_headers(self, event: IncomingCall) -> tuple[tuple[str, str], ...]:
        return shown_headers(self._invite.request, private=event.call.remote == ANONYMOUS)

    def _ring(self, now: float) -> None:
        if self.peer is not None or self.ended:
            return
        request = self._invite.request
        response = self._open(180)
        self._ring_alarm = self.core.alarms.set(now + self.core.account.timing.ring_timeout, self._rang_long_enough)
        if request.expires is not None:
            self._expiry = self.core.alarms.set(now + request.expires, self._expired)
        self.step(LadderStep.INVITE, now, sent=False)
        # Where the INVITE has no offer, the first answer to be acknowledged must have one (RFC 3262 section 5).
        if request.body or not self._reliable.demanded:
            self._reliable.send(response, now)
            self.step(LadderStep.RINGING, now, sent=True, code=180, reason=response.reason)

    def _open(self, status: int) -> Response:
        """Begin the dialog by an answer, and return that."""
        response = self._create(status)
        dialog = Dialog.called(self._invite.request, response)
        dialog.private = self.private
        self.peer = DialogPeer(self.core, dialog, self.hop)
        self.peer.note_allowed(self._invite.request)
        return response

    def take_over(self, old: DialogCall, now: float) -> None:
        """Go on in the place of another call, with its id and our end of its voice (RFC 3891 section 3).

        Raises RemoteProtocolError where the offer does not fit; then the other call goes on.
        """
        self._agree(old.local_media)
        self.private = old.private
        self._open(200)
        before, remote = old.snapshot, self.snapshot.remote
        answered_by = before.answered_by
        if before.direction is CallDirection.OUTGOING and answered_by is not None:
            answered_by = remote
        self.media = old.media
        sip_call_id = self.snapshot.sip_call_id
        old.hand_over(now)
        self.snapshot = replace(before, sip_call_id=sip_call_id, remote=remote, answered_by=answered_by)
        self.tell(CallReplaced(at=now, call=self.snapshot, previous=before.remote))
        self.step(LadderStep.INVITE, now, sent=False)

    def _create(self, status: int, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Response:
        common = (
            *self.contact_headers(self._invite.request, self.hop),
            ("Allow", self.core.allow),
            ("Supported", self.core.supported),
        )
        return self.core.create_response(self._invite, status, to_tag=self._tag, headers=(*common, *headers), body=body)

    # What we decide

    def progress(self, media: LocalMedia, now: float) -> None:
        """Let the caller hear us before the call is answered; raises LocalProtocolError where that cannot be."""
        if self.agreement is not None:
            raise LocalProtocolError("the caller can hear us already")
        if not (self._invite.request.body or self._reliable.possible):
            raise LocalProtocolError("the caller takes no offer before the answer")
        if self._negotiate(media, now):
            response = self._create(183, self._description)
            self._reliable.send(response, now)
            self.step(LadderStep.PROGRESS, now, sent=True, code=183, reason=response.reason)
            self._tell_voice(now)

    def _tell_voice(self, now: float) -> None:
        """Tell of the voice as far as both sides have agreed on it."""
        if self.agreement is not None and self.agreement.current is not None:
            self.set_media(self.agreement.current, now)

    def answer(self, media: LocalMedia, now: float) -> None:
        """Take the call; raises LocalProtocolError where it does not ring any more.

        After `progress` the voice of that goes on, whatever `media` is. The answer leaves as soon as the caller has
        acknowledged the description that it builds upon (RFC 3262 section 3).
        """
        if self._answer_held:
            raise LocalProtocolError("the call is answered already", LocalFault.NOT_RINGING)
        if self.agreement is not None or self._negotiate(media, now):
            self._answer_held = self._reliable.holds_description
            if not self._answer_held:
                self.accept(now)

    def _negotiate(self, media: LocalMedia, now: float) -> bool:
        """Answer the offer of the INVITE, or make one; False where nothing fits and the call is refused."""
        if self._accepted or self.ended:
            raise LocalProtocolError("the call does not ring any more", LocalFault.NOT_RINGING)
        self._ring(now)
        try:
            self._agree(media)
        except RemoteProtocolError as error:
            self._refuse_offered(error, now)
            return False
        return True

    def _agree(self, media: LocalMedia) -> None:
        rules = self.core.key_rules(self.hop.remote.transport)
        agreement = OfferAnswer(media, int.from_bytes(self.core.entropy(4)), rules)
        body = self._invite.request.body
        self._description = agreement.receive_offer(body)[0] if body else agreement.create_offer()
        self.agreement = agreement

    @property
    @override
    def local_media(self) -> LocalMedia:
        if self.agreement is None:
            raise LocalProtocolError("the call has no voice yet")
        return self.agreement.local

    def _refuse_offered(self, error: RemoteProtocolError, now: float) -> None:
        self.refuse_offer(self._invite, error, now)
        self._finish(CallOutcome.FAILED, now, by=EndedBy.LOCAL, code=error.status, reason=str(error))

    def accept(self, now: float) -> None:
        """Send the 2xx that was prepared."""
        self._accepted = True
        self._stop_ringing()
        self._reliable.stop()
        request = self._invite.request
        # What both sides have acknowledged already is not said again.
        body = b"" if self.early_agreed else self._description
        response = self._create(200, body, self.accept_session_timer(request))
        self.core.layer.respond(self._invite, response, now)
        self.far_end.dialog.confirm(response)
        self.answered(now, self._answerer())
        self.step(LadderStep.OK, now, sent=True, code=200, reason=response.reason)
        self.start_session_timer(response, now, uac=False)
        self._tell_voice(now)
        self.enter_talking(now)

    def _answerer(self) -> Party:
        """Return who took the call: we, or whoever took the place of somebody whom we called."""
        if self.snapshot.direction is CallDirection.OUTGOING:
            return self.snapshot.remote
        account = self.core.account
        return Party(account.display_name, account.number, str(self.core.identity(self.hop.local.host).uri))

    def reject(self, code: int, now: float) -> None:
        """Refuse the call with a final answer of 400 to 699."""
        if self._accepted or self.ended:
            raise LocalProtocolError("the call does not ring any more", LocalFault.NOT_RINGING)
        if code not in _DECLINED_CODES:
            raise LocalProtocolError("a call is rejected with a code from 400 to 699")
        self._ring(now)
        self._refuse(code, CallOutcome.BUSY if code == STATUS_BUSY else CallOutcome.DECLINED, EndedBy.LOCAL, now)

    def turn_away(self, code: int, now: float, *, missed: bool) -> None:
        """Refuse the call before the caller hears that it rings; `missed` where its owner would have wanted it."""
        if self._accepted or self.ended:
            raise LocalProtocolError("the call does not ring any more", LocalFault.NOT_RINGING)
        if self.peer is None:
            self.step(LadderStep.INVITE, now, sent=False)
        self._refuse(code, CallOutcome.MISSED if missed else CallOutcome.DECLINED, EndedBy.LOCAL, now)

    def redirect(self, target: SipUri | TelUri, now: float) -> None:
        """Send the caller elsewhere (RFC 3261 section 21.3.3), before or while the call rings."""
        if self._accepted or self.ended:
            raise LocalProtocolError("the call does not ring any more", LocalFault.NOT_RINGING)
        if self.peer is None:
            self.step(LadderStep.INVITE, now, sent=False)
        contact = ("Contact", str(NameAddr("", target)))
        self._refuse(STATUS_MOVED, CallOutcome.DECLINED, EndedBy.LOCAL, now, headers=(contact,))

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

    def _refuse(
        self,
        code: int,
        outcome: CallOutcome,
        by: EndedBy,
        now: float,
        reason: str = "",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        response = self.core.respond(self._invite, code, now, to_tag=self._tag, headers=headers)
        self.step(LadderStep.REJECTED, now, sent=True, code=code, reason=response.reason)
        self._finish(outcome, now, by=by, code=code, reason=reason or response.reason)

    def _rang_long_enough(self, now: float) -> None:
        self._refuse(STATUS_NOT_NOW, CallOutcome.MISSED, EndedBy.LOCAL, now)

    def _unacknowledged(self, now: float) -> None:
        """Give up a caller that acknowledges nothing (RFC 3262 section 3)."""
        self._refuse(STATUS_GATEWAY_TIMEOUT, CallOutcome.FAILED, EndedBy.NETWORK, now)

    def _expired(self, now: float) -> None:
        """Give up with the time that the caller granted (section 13.3.1)."""
        self._refuse(487, CallOutcome.MISSED, EndedBy.REMOTE, now, "the caller waits no longer")

    # What they do

    @override
    def on_prack(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take the PRACK of a provisional answer, with the answer to our offer or another offer in it."""
        rack = parse_rack(request.headers.get("RAck"))
        if rack is None:
            self.core.respond(transaction, 400, now)
            return
        self._invite.prove()
        self.prove(now)
        described = self._reliable.holds_description
        if not self._reliable.acknowledge(rack):
            self.core.respond(transaction, 481, now)
            return
        if self.ended:
            self.core.respond(transaction, 200, now)
            self.release()
            return
        if not self._take_description(transaction, request, now):
            return
        self.early_agreed = self.early_agreed or described
        self._reliable.go_on(now)
        if self._answer_held and not self._reliable.holds_description:
            self.accept(now)

    def _take_description(self, transaction: ServerTransaction, prack: Request, now: float) -> bool:
        """Answer a PRACK; False where the description in it ends the call."""
        agreement, body = None if self._accepted else self.agreement, b""
        ours = agreement is not None and agreement.has_local_offer and self._offering is None
        try:
            description = description_of(prack)
            if agreement is not None and ours:
                agreement.receive_answer(description)
            elif agreement is not None and description:
                rules = self.core.key_rules(self.core.arrival.remote.transport)
                body, _ = agreement.receive_offer(description, rules)
        except RemoteProtocolError as error:
            self.refuse_offer(transaction, error, now)
            if ours:
                self._refuse_offered(error, now)
            return not ours
        self.core.respond(transaction, 200, now, body=body)
        if agreement is not None:
            self.set_media(agreement.current, now)
        return True

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
            self.prove(now)
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
        if not (self._accepted or self.ended):
            self.core.respond(self._invite, 487, now, to_tag=self._tag)

    def _finish(self, outcome: CallOutcome, now: float, *, by: EndedBy, code: int = 0, reason: str = "") -> None:
        self.end(outcome, now, by=by, code=code, reason=reason)
        self._reliable.stop()
        if self._reliable.pending:
            # The PRACK of what was sent before the refusal may still be on its way.
            self.core.alarms.set(now + self.core.timers.timeout, self._no_prack)
        else:
            self.release()

    def _no_prack(self, _now: float) -> None:
        self.release()

    @override
    def release(self) -> None:
        super().release()
        # The INVITE is remembered for half a minute, but nothing that belongs to it concerns us any more.
        self._invite.context = None

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
