"""What happens inside the dialog of a call besides offers: hang-up, transfers, digits, in both directions.

RFC 3261 section 15 (BYE), RFC 3515 (REFER), RFC 6086 (INFO); offers stand in `dialog_media`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, override

from .account import Transport
from .address import Address, Hop
from .alarm import Alarm
from .call import nobody
from .client import Handlers
from .core import Failure
from .dialog import DialogKey
from .dialog_media import MediaCall
from .dialog_peer import DialogPeer
from .errors import LocalFault, LocalProtocolError, RemoteProtocolError
from .events import (
    CallDirection,
    CallOutcome,
    DigitMethod,
    DigitReceived,
    DigitsRefused,
    EndedBy,
    LadderStep,
    TransferProgress,
    TransferRefused,
    TransferRequested,
    TransferState,
)
from .info import parse_dtmf
from .message import Request, Response
from .offer_answer import LocalMedia
from .outcome import reason_of, sip_reason
from .rate_limit import RateLimit
from .refer import ReferTarget, may_be_called, parse_refer_to
from .sent_digits import SentDigits
from .transaction import ServerTransaction
from .transfer import EVENT as REFER_EVENT, ReceivedTransfer, SentTransfer, event_of

# The subscription to the news of a transfer outlasts the call (RFC 5057 section 4.2).
_AFTER_BYE = frozenset({"BYE", "NOTIFY"})
# What people are told at the wish of a far end: nobody presses keys, or asks to be transferred, more often.
TOLD_RATE = 25.0
TOLD_BURST = 50
STATUS_UNAVAILABLE = 503


class DialogCall(MediaCall, ABC):
    """A call with a dialog, or on its way to one."""

    released: Callable[[DialogCall], None] | None = None
    asked: Callable[[ReceivedTransfer], None] | None = None
    of_stranger = False
    """Whether it came from somebody else than a server of ours."""
    _guard: Alarm | None = None
    _sent_transfer: SentTransfer | None = None
    _received_transfer: ReceivedTransfer | None = None
    _sent_digits: SentDigits | None = None
    _told: RateLimit | None = None
    _refers = 0
    _over = False

    @property
    @abstractmethod
    def local_media(self) -> LocalMedia:
        """Return our end of the voice."""

    @abstractmethod
    def hangup(self, now: float) -> None:
        """End the call as its state demands: CANCEL, rejection or BYE."""

    def peer_of(self, key: DialogKey) -> DialogPeer | None:
        """Return the far end that a request of this dialog comes from, None where there is no such dialog."""
        return self.peer if self.peer is not None and self.peer.dialog.key == key else None

    @property
    @abstractmethod
    def secure(self) -> bool:
        """Return whether the INVITE came or went by TLS."""

    def takes_from(self, source: Address) -> bool:
        """Whether a request in the dialog may come from there: one that began by TLS goes on by TLS (section 26.2).

        That nobody takes part who has only seen, or guessed, what it is known by. Where the far end is reached by
        another transport, its requests come by that too.
        """
        told_otherwise = self.peer is not None and self.peer.told_otherwise
        return source.transport is Transport.TLS or told_otherwise or not self.secure

    # Hang-up

    def bye(self, now: float, *, reason: str | None = None) -> None:
        """End the dialog; people see the call end when the BYE is answered, or soon anyway."""
        if self.bye_sent:
            return
        self.bye_sent = True
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

    @property
    def places(self) -> frozenset[str]:
        """Return the numeric hosts that late answers to our INVITE come from; none where the other side called."""
        return frozenset()

    def release(self) -> None:
        """Let go of the dialog as soon as no transfer needs it: nothing else of it is expected any more."""
        if self._guard is not None:
            self._guard.cancel()
        self._over = True
        self._let_go()

    def _let_go(self) -> None:
        transfers = (self._sent_transfer, self._received_transfer)
        if self._over and self.released is not None and all(one is None or one.over for one in transfers):
            self.released(self)
            self.released = None

    def hand_over(self, now: float) -> None:
        """Hang up without a word: another call goes on in the place of this one (RFC 3891 section 3)."""
        self.handed_over = True
        self.forget = nobody
        self.hangup(now)

    @override
    def fail(self, now: float, code: int, reason: str) -> None:
        if not self.established:
            self.hangup(now)
            return
        self.bye(now, reason=sip_reason(code, reason))
        self.end(CallOutcome.FAILED, now, by=EndedBy.NETWORK, code=code, reason=reason)

    @override
    def stop_timers(self) -> None:
        super().stop_timers()
        if self._sent_digits is not None:
            self._sent_digits.stop()

    # Digits

    @property
    def takes_info(self) -> bool:
        """Whether the far end says that it understands INFO."""
        return self.peer is not None and "INFO" in self.peer.allowed

    def send_digits(self, digits: str, duration_ms: int, gap_ms: int, now: float) -> None:
        """Press keys by INFO requests; raises LocalProtocolError where the call or the digits are not fit."""
        peer = self.far_end
        if not self.established or self.bye_sent:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        if self._sent_digits is None:
            self._sent_digits = SentDigits(self.core, peer, self._digits_refused)
        self._sent_digits.queue(digits, duration_ms, gap_ms, now)

    def _digits_refused(self, digits: str, code: int, reason: str, now: float) -> None:
        self.tell(DigitsRefused(at=now, call=self.snapshot, digits=digits, code=code, reason=reason))

    # Transfers

    def transfer(
        self,
        target: ReferTarget,
        now: float,
        *,
        shown: str,
        done: Callable[[float], None] | None = None,
        private: bool = False,
    ) -> None:
        """Ask the far end to call somebody else; `done(now)` hears of the success, before we hang up.

        With `private` nobody may learn by it who we are, as in a call that hides that anyway.
        """
        peer = self.far_end
        if not self.established or self.bye_sent:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        if self._sent_transfer is not None and not self._sent_transfer.over:
            raise LocalProtocolError("a transfer of this call is under way", LocalFault.TRANSFER_UNDER_WAY)
        if peer.allowed and "REFER" not in peer.allowed:
            raise LocalProtocolError("the far end cannot be transferred", LocalFault.NO_TRANSFER)

        def tell(state: TransferState, code: int, reason: str, later: float) -> None:
            self.tell(
                TransferProgress(at=later, call=self.snapshot, state=state, target=shown, code=code, reason=reason)
            )
            if state is TransferState.SUCCEEDED:
                if done is not None:
                    done(later)
                if self.established:
                    self.bye(later)
            self._let_go()

        self._sent_transfer = SentTransfer(self.core, peer, tell)
        self._sent_transfer.start(str(target), now, private=private or self.private)

    def _on_notify(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        transfer = self._sent_transfer
        if event_of(request.headers)[0] != REFER_EVENT:
            self.core.respond(transaction, 489, now, headers=(("Allow-Events", REFER_EVENT),))
        elif transfer is None or not transfer.matches(request):
            self.core.respond(transaction, 481, now)
        else:
            self.core.respond(transaction, 200, now)
            transfer.notified(request, now)

    def _on_refer(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Follow a transfer where the owner's rule says so; 603 where it does not (RFC 3515 section 2.4.2).

        Who called past the server has proved nothing to it, and does not place calls at its expense.
        """
        core = self.core
        number, self._refers = self._refers, self._refers + 1
        pending = self._received_transfer
        try:
            target = parse_refer_to(request)
        except RemoteProtocolError as error:
            core.respond(transaction, error.status, now)
            return
        allowed = not self.snapshot.past_server and may_be_called(core.account, core.server_hosts, target)
        if not self.established or self.asked is None or not allowed:
            core.respond(transaction, 603, now)
            if self.established and self._may_tell(now):
                self.tell(TransferRefused(at=now, call=self.snapshot, target=str(target.uri)))
            return
        if pending is not None and not pending.over:
            core.respond(transaction, 491, now)
            return
        silent = (request.headers.get("Refer-Sub") or "").strip().lower() == "false"
        headers = (
            *self.contact_headers(request),
            *((("Refer-Sub", "false"),) if silent else ()),
        )
        core.respond(transaction, 202, now, headers=headers)
        event = f"{REFER_EVENT};id={request.cseq.number}" if number else REFER_EVENT
        transfer = ReceivedTransfer(core, self.far_end, target, event, silent=silent)
        self._received_transfer = transfer
        transfer.done = self._let_go
        self.asked(transfer)
        transfer.start(request, now)
        self.tell(TransferRequested(at=now, call=self.snapshot, transfer_id=transfer.id, target=str(target.uri)))

    # Requests of theirs

    def _may_tell(self, now: float) -> bool:
        """Whether people may be told of one more thing that the far end does as often as it likes."""
        if self._told is None:
            self._told = RateLimit(TOLD_RATE, TOLD_BURST)
        return self._told.allow(now)

    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Deal with a request inside the dialog."""
        peer = self.peer_of(DialogKey.of_request(request))
        if peer is None:
            self.core.respond(transaction, 481, now)
            return
        try:
            peer.dialog.receive_request(request)
        except RemoteProtocolError as error:
            self.core.respond(transaction, error.status, now)
            return
        if self.bye_sent and request.method not in _AFTER_BYE:
            self.core.respond(transaction, 481, now)
        else:
            self._handlers[request.method](self, transaction, request, now)

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.step(LadderStep.BYE, now, sent=False)
        self.core.respond(transaction, 200, now)
        self.step(LadderStep.BYE_OK, now, sent=True, code=200, reason="OK")
        self.overtaken(now)
        incoming = self.snapshot.direction is CallDirection.INCOMING
        unanswered = CallOutcome.MISSED if incoming else CallOutcome.FAILED
        self.end(unanswered, now, by=EndedBy.REMOTE, reason=reason_of(request.headers))
        if not self.bye_sent:
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
        if found is not None and not self._may_tell(now):
            self.core.respond(transaction, STATUS_UNAVAILABLE, now, headers=(("Retry-After", "1"),))
            return
        self.core.respond(transaction, 200, now)
        if found is not None:
            digit, duration = found
            method = DigitMethod.INFO
            self.tell(DigitReceived(at=now, call=self.snapshot, digit=digit, duration=duration, method=method))

    def on_prack(self, transaction: ServerTransaction, _request: Request, now: float) -> None:
        """Refuse a PRACK: no answer of ours waits for one (RFC 3262 section 3)."""
        self.core.respond(transaction, 481, now)

    _handlers: ClassVar[dict[str, Callable[[DialogCall, ServerTransaction, Request, float], None]]] = {
        "BYE": _on_bye,
        "INFO": _on_info,
        "INVITE": MediaCall.on_offer,
        "NOTIFY": _on_notify,
        "OPTIONS": _on_options,
        "PRACK": lambda call, transaction, request, now: call.on_prack(transaction, request, now),
        "REFER": _on_refer,
        "UPDATE": MediaCall.on_offer,
    }
