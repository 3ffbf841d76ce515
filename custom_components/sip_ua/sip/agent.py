"""The user agent: one account's registration and calls, without socket, clock or randomness of its own.

Theory of operation: whoever drives it gives it what came in (`receive`), clock readings (`handle_timer` no later than
`next_timer`) and commands, and drains `sends`, `lookups` and `events` after each of them. Servers are located by the
driver: it answers each lookup by `looked_up` or `lookup_failed`. Who may reach us stands in `admission`, requests of
others in `inbound`, the registration in `registration`, calls in `call_outgoing` and `call_incoming`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from .account import Account
from .address import Address, Hop, Lookup, Send
from .admission import Admission, Counters
from .better_server import BetterServer
from .call_incoming import ReceivedCall
from .call_outgoing import OutgoingCall
from .calls import Calls
from .client import ClientRequest
from .codecs import Codec
from .core import Core, Entropy, Failure, NextHop
from .dialog_call import DialogCall
from .errors import LocalFault, LocalProtocolError, MessageError
from .events import CallSnapshot, CertificateFacts, Event, RegistrationChanged, RegistrationFailure, RegistrationState
from .inbound import Inbound
from .keep_alive import KeepAlive
from .message import Request, parse_message
from .offer_answer import LocalMedia
from .party import dial_number, target_uri
from .rate_limit import RateLimit
from .refer import ReferTarget, Replaces
from .registration import Registration
from .subscriptions import Subscriptions
from .transaction import (
    AckMissing,
    AckReceived,
    CancelReceived,
    ClientTransaction,
    Indication,
    RequestReceived,
    ResponseReceived,
    ServerTransaction,
    StrayResponse,
    Timers,
    TransactionTimedOut,
    TransportFailed,
)
from .uri import SipUri

MALFORMED_RATE = 5.0
MALFORMED_BURST = 10
MOVE_RATE = 0.1
MOVE_BURST = 5


class UserAgent:
    """A SIP user agent for one account (RFC 3261)."""

    def __init__(self, account: Account, *, entropy: Entropy, timers: Timers | None = None) -> None:
        """Start silent: nothing is sent before `register` or `dial`; `refuses_calls` lets no new call ring here."""
        core = Core(account, entropy, timers or Timers())
        self._core = core
        self._calls = Calls(core)
        self.subscriptions = Subscriptions(core)
        self._inbound = Inbound(core, self._calls, self.subscriptions)
        self._admission = Admission(core, self._calls, self.subscriptions)
        self._registration = Registration(core, self._registered)
        self._keep_alive = KeepAlive(core, self._is_quiet, self._server_lost)
        self._better_server = BetterServer(core, self._keep_alive.build, self._registration.refresh)
        self._malformed_limit = RateLimit(MALFORMED_RATE, MALFORMED_BURST)
        self._failure = Failure(RegistrationFailure.NO_ANSWER, "")
        self._move_limit = RateLimit(MOVE_RATE, MOVE_BURST)
        self._moves = 0

    # What is known

    @property
    def account(self) -> Account:
        """Return the account's settings."""
        return self._core.account

    @property
    def registration(self) -> RegistrationChanged:
        """Return the present state of the registration."""
        return self._registration.status

    @property
    def calls(self) -> Mapping[str, CallSnapshot]:
        """Return the calls that are not over, oldest first."""
        return MappingProxyType({call_id: call.snapshot for call_id, call in self._calls.alive.items()})

    def call(self, call_id: str) -> CallSnapshot | None:
        """Return the present state of a call that is not over."""
        call = self._calls.alive.get(call_id)
        return None if call is None else call.snapshot

    def first_hop(self, target: str) -> NextHop:
        """Return where an INVITE to `target` goes first; raises LocalProtocolError where it cannot be dialled."""
        uri = target_uri(self._core.account, target)
        server = self._core.server_for(uri, secure=isinstance(uri, SipUri) and uri.secure)
        if server is not None:
            return server
        if not isinstance(uri, SipUri):
            raise LocalProtocolError("a telephone number needs a SIP server", LocalFault.NEEDS_SERVER, number=target)
        return self._core.uri_hop(uri)

    def caller_hop(self, call_id: str) -> Hop:
        """Return where a call that rings here came from, and our address as seen from there."""
        return self._ringing(call_id).hop

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """Return the codecs of calls, best first; raises LocalProtocolError for a name that is none."""
        return self._core.codecs

    def use_codecs(self, names: Iterable[str]) -> None:
        """Have calls use these of the account's codecs, best first, as not every machine has them all.

        Raises LocalProtocolError for a name that is none.
        """
        self._core.use_codecs(names)

    @property
    def refuses_calls(self) -> bool:
        """Whether no new call may ring here."""
        return self._calls.refused

    @refuses_calls.setter
    def refuses_calls(self, refused: bool) -> None:
        self._calls.refused = refused

    @property
    def counters(self) -> Counters:
        """Return what was dropped or refused so far."""
        return replace(self._admission.counters, overloads=self.overloads)

    @property
    def overloads(self) -> int:
        """Return how many requests were refused so far since there was too much to do."""
        return self._core.layer.overloads

    @property
    def idle(self) -> bool:
        """Whether nothing waits for an answer that matters: no call, no dialog, no REGISTER, no last NOTIFY."""
        calls = self._calls
        return not (calls.alive or calls.dialogs or self._registration.in_flight or self.subscriptions.ending)

    # The five methods

    def receive(self, data: bytes, hop: Hop, now: float, *, late: float | None = None) -> None:
        """Take one datagram, or one message framed from a stream; `hop` is its source and our address towards it.

        `late` is how many seconds it waited to be read, where that is known. Whatever the bytes are, nothing is raised.
        """
        core, admission, source = self._core, self._admission, hop.remote
        from_server = core.is_server(source)
        if not from_server and not admission.reads(data, source):
            return
        if late is not None:
            core.overload.message_waited(late, now)
        core.arrival, core.from_server = hop, from_server
        try:
            message = parse_message(data)
            if not isinstance(message, Request):
                core.layer.receive(message, source, now)
            elif (terms := admission.terms(message, source, len(data), now)) is not None:
                core.layer.receive(message, source, now, terms)
        except MessageError as error:
            admission.counters.malformed += 1
            if admission.knows(source) and error.request is not None and self._malformed_limit.allow(now):
                response = error.request.create_response(error.status, to_tag=core.token())
                core.sends.append(Send(hop.remote, response.to_bytes()))
            return
        self._work(now)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        due = self.next_timer()
        if due is not None and due <= now:
            self._core.overload.timer_fired(now - due, now)
        self._core.layer.handle_timer(now)
        self._work(now)
        self._core.alarms.run(now)
        self._work(now)

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is due, None while nothing is."""
        deadlines = [when for when in (self._core.layer.next_timer(), self._core.alarms.next()) if when is not None]
        return min(deadlines, default=None)

    def sends(self) -> list[Send]:
        """Return the messages to be sent since the last call, oldest first.

        What can wait for the events to be drained, as telling a caller that it rings here, is done after that.
        """
        core = self._core
        if core.afterwards and not core.events:
            for work, then in core.take_afterwards():
                work(then)
        sends, core.sends = [*core.layer.sends(), *core.sends], []
        return sends

    def events(self) -> list[Event]:
        """Return what happened since the last call, oldest first."""
        core = self._core
        events, core.events = core.events, []
        return events

    # The network's answers

    def lookups(self) -> list[Lookup]:
        """Return the servers to be located since the last call; each wants `looked_up` or `lookup_failed`."""
        core = self._core
        lookups, core.lookups = core.lookups, []
        return lookups

    def looked_up(self, token: int, hops: Sequence[Hop], now: float) -> None:
        """Take the addresses of a server, best first (RFC 3263)."""
        self._core.located(token, hops, now)
        self._work(now)

    def lookup_failed(
        self, token: int, failure: RegistrationFailure, text: str, now: float, *, place: str = ""
    ) -> None:
        """Learn that a server cannot be located; `place` is what was looked for."""
        self._core.located(token, Failure(failure, text, place), now)
        self._work(now)

    def transport_failed(
        self,
        address: Address,
        failure: RegistrationFailure,
        text: str,
        now: float,
        certificate: CertificateFacts | None = None,
    ) -> None:
        """Learn that an address cannot be sent to, or that the connection to it is gone."""
        self._failure = Failure(failure, text, certificate=certificate)
        self._core.layer.transport_failed(address, text, now)
        self._work(now)
        lost = address.transport.reliable and address == self._registration.server
        # A connection that was only being made is a failed attempt, and the next one has its time.
        if lost and self._registration.status.state is RegistrationState.REGISTERED:
            self.subscriptions.doubt(now)
            self._registration.connection_lost(now)
            self._work(now)

    # Commands

    def register(self, now: float) -> None:
        """Register and stay registered, and begin to watch; without a server there is nothing to register with."""
        if self._core.account.registers:
            self._registration.start(now)
        self.subscriptions.begin(now)
        self._work(now)

    def unregister(self, now: float) -> None:
        """Give up the registration, and every subscription before it."""
        self._keep_alive.stop()
        self._better_server.stop()
        self.subscriptions.stop(now)
        self._registration.stop(now)
        self._work(now)

    def network_changed(self, now: float) -> None:
        """Register again at once: our addresses may have changed."""
        self.subscriptions.doubt(now)
        self._registration.network_changed(now)
        self._work(now)

    def dial(
        self,
        target: str,
        media: LocalMedia,
        now: float,
        *,
        ring_timeout: float | None = None,
        late_offer: bool = False,
        caller_id: bool | None = None,
        failure: Failure | None = None,
    ) -> str:
        """Call a number or URI and return the call's id; raises LocalProtocolError where it cannot be dialled.

        `caller_id` says whether the far end learns who calls, None as the account does.
        With `late_offer` the far end says first what it can speak (RFC 3261 section 13.2.1). With the `failure` of a
        driver that has looked for `first_hop` in vain, the call ends as unreachable at once.
        """
        call = OutgoingCall(self._core, target, media, now, ring_timeout, late_offer=late_offer, caller_id=caller_id)
        return self._place(call, now, failure)

    def _place(self, call: OutgoingCall, now: float, failure: Failure | None = None) -> str:
        if self._calls.full:
            raise LocalProtocolError("too many calls at once", LocalFault.TOO_MANY_CALLS)
        self._calls.adopt(call)
        call.announce(now)
        call.start()
        if failure is not None:
            self._core.located(self._core.lookups.pop().token, failure, now)
        self._work(now)
        return call.id

    def answer(self, call_id: str, media: LocalMedia, now: float) -> None:
        """Take a call that rings here; raises LocalProtocolError where it does not."""
        self._ringing(call_id).answer(media, now)
        self._work(now)

    def progress(self, call_id: str, media: LocalMedia, now: float) -> None:
        """Let a caller hear us while the call still rings here (early media); `answer` keeps that voice."""
        self._ringing(call_id).progress(media, now)
        self._work(now)

    def reject(self, call_id: str, code: int, now: float) -> None:
        """Refuse a call that rings here with a final answer of 400 to 699."""
        self._ringing(call_id).reject(code, now)
        self._work(now)

    def turn_away(self, call_id: str, code: int, now: float, *, missed: bool) -> None:
        """Refuse a call that has just come in, before it rings."""
        self._ringing(call_id).turn_away(code, now, missed=missed)
        self._work(now)

    def redirect(self, call_id: str, target: str, now: float) -> None:
        """Send the caller of a call that rings here, or has just come in, to a number or address instead of us."""
        self._ringing(call_id).redirect(target_uri(self._core.account, target), now)
        self._work(now)

    def hangup(self, call_id: str, now: float) -> None:
        """End a call in whatever state it is."""
        self._calls.find(call_id).hangup(now)
        self._work(now)

    def fail(self, call_id: str, code: int, reason: str, now: float) -> None:
        """Hang up a call that cannot go on, for instance since no voice arrives."""
        self._calls.find(call_id).fail(now, code, reason)
        self._work(now)

    def hold(self, call_id: str, now: float) -> None:
        """Put the far end on hold."""
        self._calls.find(call_id).hold(now)
        self._work(now)

    def resume(self, call_id: str, now: float) -> None:
        """Talk to a far end that we hold."""
        self._calls.find(call_id).resume(now)
        self._work(now)

    def takes_info(self, call_id: str) -> bool:
        """Return whether the far end of a call says that it understands INFO (RFC 6086)."""
        return self._calls.find(call_id).takes_info

    def send_digits(self, call_id: str, digits: str, duration_ms: int, gap_ms: int, now: float) -> None:
        """Press keys by INFO requests; `DigitsRefused` tells of those that the far end did not take.

        Raises LocalProtocolError where the call is not connected, and for what is no digit or pause.
        """
        self._calls.find(call_id).send_digits(digits, duration_ms, gap_ms, now)
        self._work(now)

    def watch(self, target: str, now: float) -> str:
        """Watch somebody's line and return the watch's id; raises LocalProtocolError where it cannot be watched."""
        watch_id = self.subscriptions.watch(target, now)
        self._work(now)
        return watch_id

    def unwatch(self, watch_id: str, now: float) -> None:
        """Watch a line no more; raises LocalProtocolError where there is no such watch."""
        self.subscriptions.unwatch(watch_id, now)
        self._work(now)

    # Transfers

    def transfer(self, call_id: str, target: str, now: float) -> None:
        """Let the far end call a number or URI instead (RFC 3515); `TransferProgress` tells how that goes.

        Once the target has answered we hang up. Raises LocalProtocolError where the call or the target is not fit.
        """
        uri = target_uri(self._core.account, target)
        self._calls.find(call_id).transfer(ReferTarget(uri), now, shown=dial_number(target))
        self._work(now)

    def transfer_to_call(self, call_id: str, other_call_id: str, now: float) -> None:
        """Join the far ends of two calls; both of ours end once that is done (RFC 3891, RFC 5589 section 7).

        Raises LocalProtocolError where one of them is not connected.
        """
        call, other = self._calls.find(call_id), self._calls.find(other_call_id)
        if call is other or not other.established:
            raise LocalProtocolError("a call is joined to another one that is connected", LocalFault.NOT_CONNECTED)
        dialog = other.far_end.dialog
        uri = dialog.remote_target
        if not isinstance(uri, SipUri):
            raise LocalProtocolError("the other call cannot be taken over", LocalFault.NO_TRANSFER)
        target = ReferTarget(uri, Replaces(dialog.call_id, dialog.key.remote_tag, dialog.key.local_tag))

        def joined(later: float) -> None:
            # The target hangs up by itself, as soon as the new call has taken the place of ours.
            self._core.alarms.set(later + self._core.timers.t2, other.hangup)

        shown = other.snapshot.remote.number or other.snapshot.remote.uri
        call.transfer(target, now, shown=shown, done=joined, private=other.private)
        self._work(now)

    def follow_transfer(self, transfer_id: str, media: LocalMedia, now: float) -> str:
        """Call whom a `TransferRequested` names, and return the id of the new call; the far end hears how it goes."""
        transfer = self._calls.take_transfer(transfer_id)
        transfer.followed()
        target = str(transfer.target.uri)
        try:
            caller_id = False if transfer.private else None
            return self._place(OutgoingCall(self._core, target, media, now, None, transfer, caller_id=caller_id), now)
        except LocalProtocolError:
            transfer.report(503, "", now)
            self._work(now)
            raise

    def refuse_transfer(self, transfer_id: str, code: int, now: float) -> None:
        """Tell the far end that its transfer cannot be followed; `code` is of 400 to 699."""
        self._calls.take_transfer(transfer_id).report(code, "", now)
        self._work(now)

    def _ringing(self, call_id: str) -> ReceivedCall:
        call = self._calls.find(call_id)
        if not isinstance(call, ReceivedCall):
            raise LocalProtocolError("the call does not ring here", LocalFault.NOT_RINGING)
        return call

    def _registered(self, hop: Hop, now: float) -> None:
        self._keep_alive.start(hop, now)
        self._better_server.registered(hop, self._registration.hops, now)
        self.subscriptions.registered(hop, now, recovered=self._registration.recovered)

    def _is_quiet(self) -> bool:
        """Whether nothing but a keep-alive would tell that the server is still there."""
        registration = self._registration
        return registration.status.state is RegistrationState.REGISTERED and not registration.in_flight

    def _server_lost(self, now: float) -> None:
        self.subscriptions.doubt(now)
        self._registration.refresh(now)

    # Who may reach us

    @property
    def servers(self) -> frozenset[str]:
        """Return the numeric hosts of the account's servers, as far as they are known."""
        return self._core.server_hosts

    def is_server(self, host: str) -> bool:
        """Whether a numeric host is one of the account's servers."""
        return host in self._core.server_hosts

    def expects(self, host: str) -> bool:
        """Whether anything that a numeric host may send would be read."""
        return self._admission.expects(host)

    # What the transactions tell

    def _work(self, now: float) -> None:
        """Deal with indications until none is left."""
        layer = self._core.layer
        while indications := layer.indications():
            for indication in indications:
                self._dispatch(indication, now)
        if self._moves != self._core.moves:
            self._moves = self._core.moves
            self._follow_move(now)

    def _follow_move(self, now: float) -> None:
        """Tell every far end where it reaches us by now; a server that sees us elsewhere each time is not believed."""
        if self._move_limit.allow(now):
            for call in tuple(self._calls.alive.values()):
                call.follow_move(now)

    def _dispatch(self, indication: Indication, now: float) -> None:
        match indication:
            case RequestReceived(transaction, request):
                self._inbound.receive(transaction, request, now)
            case StrayResponse(response, source):
                if response.cseq.method == "INVITE":
                    self._calls.strays.receive(response, source, now)
                else:
                    self._registration.late_success(response, now)
            case AckReceived(request, ServerTransaction(context=DialogCall() as call) as invite, _):
                call.ack_received(invite, request, now)
            case CancelReceived(ServerTransaction(context=ReceivedCall() as call), request):
                call.cancelled(request, now)
            case AckMissing(ServerTransaction(context=DialogCall() as call)):
                call.ack_missing(now)
            case ResponseReceived(ClientTransaction(context=ClientRequest() as client) as transaction, response):
                client.response(transaction, response, now)
            case TransactionTimedOut(ClientTransaction(context=ClientRequest() as client) as transaction):
                client.timed_out(transaction, now)
            case TransportFailed(ClientTransaction(context=ClientRequest() as client) as transaction, text):
                client.transport_failed(transaction, replace(self._failure, text=text), now)
            case _:
                # What is left needs no hand of ours: answers to a CANCEL, an ACK of nothing, a failure to answer.
                pass
