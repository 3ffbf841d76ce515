"""A call that we place: INVITE, ringing, forks, early media, answer or refusal, CANCEL.

RFC 3261 sections 8.1, 9.1 (CANCEL), 13.2 (caller), 8.1.3.4 (redirection), 12.1.2 (dialogs of forks), RFC 3262
section 4 (PRACK).
"""

from dataclasses import replace
from typing import ClassVar, override

from .account import ReliableProvisional, Srtp
from .address import Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import RELIABLE_TAG, SDP_TYPE, Core, Failure, NextHop
from .dialog import DialogKey
from .dialog_call import DialogCall
from .dialog_peer import DialogPeer
from .emergency import must_get_through
from .errors import AuthenticationFailure, LocalFault, LocalProtocolError, RemoteProtocolError
from .events import CallDirection, CallOutcome, CallState, EndedBy, LadderStep, RegistrationFailure
from .forks import Fork, Forks, LatePhones
from .headers import CSeq, Headers, NameAddr
from .key_rules import NEEDS_TLS, may_want_secure_profile
from .message import Request, Response
from .offer_answer import LocalMedia, OfferAnswer
from .outcome import NO_ANSWER_REASON, outcome_of, reason_of, sip_reason
from .party import HIDDEN_HEADERS, HIDDEN_IDENTITY, asserted_party, dial_number, party_of, target_uri
from .redirection import Targets, places_of
from .refer import ReferTarget, may_be_called
from .reliable import rseq_of
from .session_timer import SessionExpires
from .transaction import ServerTransaction
from .transfer import ReceivedTransfer
from .uri import SipUri, TelUri, for_request_uri

STATUS_RINGING = 180
STATUS_TRYING = 100
STATUS_REDIRECTED = 300
STATUS_REFUSED = 400
STATUS_TERMINATED = 487
STATUS_NOT_ACCEPTABLE = 488
STATUS_UNAVAILABLE = 503
STATUS_DECLINED_EVERYWHERE = 600
_UNREACHABLE = {
    RegistrationFailure.NO_ANSWER: 408,
    RegistrationFailure.CONNECTION_REFUSED: 503,
    RegistrationFailure.NAME_NOT_FOUND: 502,
}


class OutgoingCall(DialogCall):
    """A call from us to somebody."""

    placed_by_us: ClassVar[bool] = True

    def __init__(
        self,
        core: Core,
        target: str,
        media: LocalMedia,
        now: float,
        ring_timeout: float | None,
        transfer: ReceivedTransfer | None = None,
        *,
        late_offer: bool = False,
        caller_id: bool | None = None,
    ) -> None:
        """Prepare a call to a number or URI; raises LocalProtocolError where it cannot be dialled.

        With `late_offer` the far end makes the offer (RFC 3261 section 13.2.1). `caller_id` says whether it learns who
        calls, None as the account does; who is called for help always does.
        """
        uri = for_request_uri(target_uri(core.account, target))
        remote, called = party_of(NameAddr("", uri)), dial_number(target)
        call_id = core.token(16)
        super().__init__(
            core, sip_call_id=call_id, direction=CallDirection.OUTGOING, remote=remote, called=called, now=now
        )
        self._transfer = transfer
        self._targets = Targets(uri)
        shows = core.account.send_caller_id if caller_id is None else caller_id
        self.private = not (shows or must_get_through(called))
        self._identity = core.identity(media.address)
        self._from = (HIDDEN_IDENTITY if self.private else self._identity).with_tag(core.token())
        self._to = NameAddr("", uri)
        self._cseq = 0
        self._session_expires = core.account.timing.session_expires
        self._forks = Forks(core)
        self._heard: Fork | None = None
        self._late = LatePhones()
        self._offer = OfferAnswer(media, int.from_bytes(core.entropy(4)))
        self._offers_late = late_offer
        self._insisted = False
        self._body = b""
        self._invite: ClientRequest | None = None
        self._cancelled: CallOutcome | None = None
        self._answered_by: str | None = None
        self._moved = False
        seconds = core.account.timing.ring_timeout if ring_timeout is None else ring_timeout
        self._ring_alarm: Alarm | None = core.alarms.set(now + seconds, self._rang_long_enough)

    @property
    @override
    def dialog_key(self) -> tuple[str, str]:
        """Return Call-ID and our tag."""
        return (self.snapshot.sip_call_id, self._from.tag or "")

    @property
    @override
    def secure(self) -> bool:
        return self._invite is not None and self._invite.secure

    @property
    @override
    def places(self) -> frozenset[str]:
        hops = () if self._invite is None else self._invite.hops
        return self.core.server_hosts.union(hop.remote.host for hop in hops)

    # The INVITE

    def start(self) -> None:
        """Send the INVITE."""
        hop = self.core.server_for(self._targets.present, secure=self._targets.secure) or self._direct_hop()
        handlers = Handlers(
            final=self._final,
            failed=self._failed,
            provisional=self._provisional,
            sent=self._invite_left,
            challenged=self._challenged,
        )
        self._invite = ClientRequest(self.core, self._build_invite, handlers)
        self.core.locate(hop, self._located)

    def _direct_hop(self) -> NextHop:
        if not isinstance(uri := self._targets.present, SipUri):
            text = "a telephone number needs a SIP server"
            raise LocalProtocolError(text, LocalFault.NEEDS_SERVER, number=self.snapshot.called)
        return self.core.uri_hop(uri)

    def _located(self, outcome: tuple[Hop, ...] | Failure, now: float) -> None:
        if self.ended or self._invite is None:
            return
        if isinstance(outcome, Failure):
            self._failed(outcome, now)
            return
        server = self.core.server_for(self._targets.present, secure=self._targets.secure)
        if server is not None:
            self.core.note_servers(server, outcome)
        elif self._transfer is None:
            self.core.note_chosen(outcome)
        ways = self.core.ways_for(outcome, keys=self.core.account.srtp is Srtp.REQUIRED)
        rest = 0 if server is None or must_get_through(self.snapshot.called) else self.core.rest_of(ways, now)
        if rest:
            reason = f"the server wants no calls for another {rest} s"
            self._finish(CallOutcome.UNREACHABLE, now, by=EndedBy.LOCAL, code=STATUS_UNAVAILABLE, reason=reason)
        elif ways:
            self._invite.start(ways, now)
        else:
            self._finish(CallOutcome.FAILED, now, by=EndedBy.LOCAL, code=STATUS_NOT_ACCEPTABLE, reason=NEEDS_TLS)

    def _describe(self, hop: Hop) -> None:
        """Write our offer for a way, anew where that decides otherwise on keys."""
        offer = self._offer
        rules = replace(self.core.key_rules(hop.remote.transport), insisted=self._insisted)
        if self._offers_late:
            offer.rules = rules
        elif not self._body or rules != offer.rules:
            offer.rollback()
            self._body = offer.create_offer(rules=rules)

    @override
    def follow_move(self, now: float) -> None:
        # An INVITE on its way has our old address: the far end hears of the new one once it has answered.
        self._moved = not self.established
        super().follow_move(now)

    def _build_invite(self, hop: Hop) -> Request:
        core = self.core
        self._cseq += 1
        self._moved = False
        self._describe(hop)
        self._forks, self._heard, self.peer, self.agreement = Forks(core), None, None, None
        request = core.create_request(
            CSeq(self._cseq, "INVITE"),
            str(self._targets.present),
            from_=self._from,
            to=self._to,
            call_id=self.snapshot.sip_call_id,
            route=core.route_to(self._targets.present),
        )
        headers = request.headers
        headers.add("Contact", str(core.contact(hop, secure=self._targets.secure, private=self.private)))
        for name, value in self._hidden_headers() if self.private else ():
            headers.add(name, value)
        headers.add("Allow", core.allow)
        headers.add("Supported", core.supported)
        if core.account.reliable_provisional is ReliableProvisional.REQUIRED:
            headers.add("Require", RELIABLE_TAG)
        headers.add("Session-Expires", str(SessionExpires(self._session_expires)))
        headers.add("Min-SE", str(self.min_se))
        for name, value in () if self._transfer is None else self._transfer.headers:
            headers.add(name, value)
        if self._body:
            headers.add("Content-Type", SDP_TYPE)
            request.body = self._body
        return request

    def _hidden_headers(self) -> tuple[tuple[str, str], ...]:
        """Return what asks for privacy, and tells our server alone whom to bill (RFC 3325 section 9.2)."""
        if self.core.server_for(self._targets.present) is None:
            return HIDDEN_HEADERS
        return (*HIDDEN_HEADERS, ("P-Preferred-Identity", str(NameAddr("", self._identity.uri))))

    def _challenged(self, response: Response, now: float) -> None:
        self.step(LadderStep.CHALLENGE, now, sent=False, code=response.status, reason=response.reason)

    def _invite_left(self, now: float) -> None:
        self.step(LadderStep.INVITE, now, sent=True)

    @property
    def _sent_invite(self) -> Request | None:
        transaction = None if self._invite is None else self._invite.transaction
        return None if transaction is None else transaction.request

    # Provisional answers

    def _provisional(self, response: Response, _hop: Hop, now: float) -> None:
        status = response.status
        invite = self._sent_invite
        fork = self._forks.heard_from(response, invite) if status != STATUS_TRYING and invite is not None else None
        rseq = rseq_of(response)
        if rseq is not None and (fork is None or not fork.in_order(rseq)):
            return
        step = {STATUS_TRYING: LadderStep.TRYING, STATUS_RINGING: LadderStep.RINGING}.get(status, LadderStep.PROGRESS)
        self.step(step, now, sent=False, code=status, reason=response.reason)
        self._report(status, response.reason, now)
        answer = b""
        wanted = fork is not None and not self.ended and self._cancelled is None
        if fork is not None and wanted and response.body and response.content_type == SDP_TYPE:
            answer = self._early_media(fork, response, now, settled=rseq is not None)
        elif wanted and status == STATUS_RINGING and self.snapshot.state is CallState.DIALING:
            self.enter(CallState.ALERTING, now)
        if fork is not None and rseq is not None:
            self._unsettled += 1
            fork.acknowledge(f"{rseq} {response.cseq}", answer, now, self._prack_answered)

    def _prack_answered(self) -> None:
        self._unsettled -= 1

    def _early_media(self, fork: Fork, response: Response, now: float, *, settled: bool) -> bytes:
        """Take the description of one of the forks, and return the answer to it where it is an offer.

        The first fork that plays anything before somebody answers is heard.
        """
        if fork.settled or (self._offers_late and not settled):
            return b""
        try:
            answer = fork.agree(self._offer, response.body)
        except RemoteProtocolError as error:
            if self._offers_late:
                self._hang_up(CallOutcome.FAILED, now, sip_reason(error.status, str(error)))
            return b""
        fork.settled = settled
        if self._heard is None or self._heard is fork:
            self._hear(fork, now)
        return answer

    def _hear(self, fork: Fork, now: float) -> None:
        heard = self._heard
        if heard is not None and heard is not fork:
            heard.media = self.media
        self._heard = fork
        self.peer, self.agreement, self.early_agreed = fork.peer, fork.agreement, fork.settled
        self.set_media(fork.media, now)
        self.enter(CallState.EARLY, now)

    # Requests of phones that ring

    @override
    def peer_of(self, key: DialogKey) -> DialogPeer | None:
        fork = self._forks.get(key.remote_tag)
        return fork.peer if fork is not None and self._answered_by is None else super().peer_of(key)

    @override
    def receive_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        fork = self._forks.get(request.from_.tag)
        if self._answered_by is None and fork is not None and fork is not self._heard:
            if request.method == "BYE":
                # A phone that rings may not hang up for the others (section 15).
                self.core.respond(transaction, 200, now)
                return
            if request.method == "UPDATE" and fork.agreement is not None:
                # Who changes what we hear is the one to listen to.
                self._hear(fork, now)
            elif self.peer is None:
                self.peer = fork.peer
        super().receive_request(transaction, request, now)

    # The final answer

    def _final(self, response: Response, _hop: Hop, now: float) -> None:
        status = response.status
        if status < 300:
            self._accepted(response, now)
            return
        self.step(LadderStep.REJECTED, now, sent=False, code=status, reason=response.reason)
        if self.ended:
            self.release()
        elif self._cancelled is not None:
            self._finish(self._cancelled, now, by=EndedBy.LOCAL, code=status, reason=response.reason)
        elif not (self._longer_interval(response) or self._secured(response) or self._redirected(response)):
            reason = reason_of(response.headers) or self._foreign_challenge or response.reason
            self._finish(outcome_of(status), now, by=EndedBy.REMOTE, code=status, reason=reason)

    @property
    def _foreign_challenge(self) -> str:
        """Return who asked for our login and got none, "" where nobody did."""
        error = None if self._invite is None else self._invite.login_error
        return str(error) if error is not None and error.failure is AuthenticationFailure.FOREIGN else ""

    def _accepted(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        known = self.peer if self._answered_by == tag else self._late.get(tag)
        if known is not None:
            known.repeat_ack(response.cseq.number)
            return
        if (request := self._sent_invite) is None:
            return
        self.step(LadderStep.OK, now, sent=False, code=response.status, reason=response.reason)
        try:
            fork = self._forks.answered_by(response, request)
        except RemoteProtocolError as error:
            self._finish(CallOutcome.FAILED, now, by=EndedBy.NETWORK, code=error.status, reason=str(error))
            return
        peer = fork.peer
        if self._answered_by is not None or self.ended or self._cancelled is not None:
            self._answered_late(peer, response, request, now)
            return
        if fork is self._heard:
            fork.media = self.media
        self._answered_by = tag
        self._stop_ringing()
        self.peer = peer
        self.answered(now, asserted_party(response, response.to, trusted=self.core.from_server))
        answer, problem = b"", None
        # What was agreed early stays; without acknowledgement it was but a preview of what the 2xx says.
        if fork.agreement is None or (response.body and not fork.settled):
            try:
                answer = fork.agree(self._offer, response.body)
            except RemoteProtocolError as error:
                problem = error
        peer.acknowledge(response, request, now, answer)
        self.step(LadderStep.ACK, now, sent=True)
        self._report(response.status, response.reason, now)
        self.agreement = fork.agreement
        if problem is not None:
            self.fail(now, problem.status, str(problem))
            return
        self.set_media(fork.media, now)
        self.enter_talking(now)
        self.start_session_timer(response, now, uac=True)
        if self._moved:
            self.follow_move(now)

    def _answered_late(self, peer: DialogPeer, response: Response, invite: Request, now: float) -> None:
        if not self._late.hang_up(peer, response, invite, now):
            return
        self.step(LadderStep.ACK, now, sent=True)
        if self._cancelled is not None:
            self._finish(self._cancelled, now, by=EndedBy.LOCAL, code=response.status, reason=response.reason)

    def _longer_interval(self, response: Response) -> bool:
        """Try again with the session interval that the far end wants at least (RFC 4028 section 7.3)."""
        if not self._longer_session(response):
            return False
        self.start()
        return True

    def _secured(self, response: Response) -> bool:
        """Offer our keys once more under the secure profile, which some insist on (RFC 4568 section 3.2)."""
        if self._offers_late or not (self._offer.rules.may_insist and may_want_secure_profile(response)):
            return False
        self._insisted = True
        self.start()
        return True

    def _redirected(self, response: Response) -> bool:
        """Call where a redirection leads, or the next place it named where one refused (section 8.1.3.4).

        A redirection is followed inside our own domain; what leads elsewhere is the person's to dial. Of a call that
        a far end transferred us to, each place obeys the owner's rule of transfers.
        """
        if response.status < STATUS_REFUSED:
            self._targets.add([uri for uri in places_of(response) if self._may_follow(uri)])
        return response.status < STATUS_DECLINED_EVERYWHERE and self._call_next()

    def _may_follow(self, uri: SipUri | TelUri) -> bool:
        core = self.core
        if self._targets.secure and not (isinstance(uri, SipUri) and uri.secure):
            return False
        if self._transfer is not None:
            return may_be_called(core.account, core.server_hosts, ReferTarget(uri))
        return isinstance(uri, SipUri) and uri.host in {core.account.domain.lower(), *core.server_hosts}

    def _call_next(self) -> bool:
        """Call the best place that was named and not called yet."""
        if not self._targets.turn_to_next():
            return False
        self._insisted = False
        self.start()
        return True

    def _failed(self, failure: Failure, now: float) -> None:
        if not self.ended and self._cancelled is None and self._call_next():
            return
        outcome = self._cancelled or CallOutcome.UNREACHABLE
        code = _UNREACHABLE.get(failure.kind, 503)
        self._finish(outcome, now, by=EndedBy.NETWORK, code=code, reason=failure.text)

    def _report(self, status: int, reason: str, now: float) -> None:
        """Tell who transferred us how the call goes."""
        if self._transfer is not None:
            self._transfer.report(status, reason, now)

    @override
    def end(self, outcome: CallOutcome, now: float, *, by: EndedBy, code: int = 0, reason: str = "") -> None:
        self._report(code if code >= STATUS_REDIRECTED else STATUS_TERMINATED, "", now)
        super().end(outcome, now, by=by, code=code, reason=reason)

    @property
    @override
    def local_media(self) -> LocalMedia:
        return self._offer.local

    # Hanging up before the answer

    @override
    def hangup(self, now: float) -> None:
        self._hang_up(CallOutcome.CANCELLED, now)

    @override
    def fail(self, now: float, code: int, reason: str) -> None:
        if self.established:
            super().fail(now, code, reason)
        else:
            self._hang_up(CallOutcome.CANCELLED, now, sip_reason(code, reason))

    def _hang_up(self, outcome: CallOutcome, now: float, reason: str = "") -> None:
        if self.ended or self._cancelled is not None:
            return
        if self._answered_by is not None:
            self.bye(now)
            return
        self._cancelled = outcome
        self._stop_ringing()
        self.set_media(None, now)
        invite = self._invite
        if invite is None or invite.transaction is None:
            self._finish(outcome, now, by=EndedBy.LOCAL)
            return
        invite.stop()
        self.step(LadderStep.CANCEL, now, sent=True)
        self.core.layer.cancel(invite.transaction, now, Headers((("Reason", reason),) if reason else ()))
        self._ring_alarm = self.core.alarms.set(now + self.core.timers.t2, self._cancel_unanswered)

    def _cancel_unanswered(self, now: float) -> None:
        """Stop waiting for the final answer in the eyes of people; a late 2xx is still acknowledged and hung up."""
        self.end(self._cancelled or CallOutcome.CANCELLED, now, by=EndedBy.LOCAL)

    def _rang_long_enough(self, now: float) -> None:
        self._hang_up(CallOutcome.NO_ANSWER, now, NO_ANSWER_REASON)

    def _finish(self, outcome: CallOutcome, now: float, *, by: EndedBy, code: int = 0, reason: str = "") -> None:
        self._stop_ringing()
        self.end(outcome, now, by=by, code=code, reason=reason)
        self.release()

    def _stop_ringing(self) -> None:
        if self._ring_alarm is not None:
            self._ring_alarm.cancel()
            self._ring_alarm = None

    @override
    def stop_timers(self) -> None:
        super().stop_timers()
        self._stop_ringing()
