"""The transaction layer: matches messages to transactions, and owns all of them (RFC 3261 section 17).

A user gives it parsed messages (`receive`), clock readings (`handle_timer` no later than `next_timer`) and commands,
and drains `sends` and `indications` after each. Requests that were repeated, lost, reordered or merged on the way
are dealt with here, as are ACKs to refusals, answers to CANCEL, and the repetition of a 2xx until its ACK.
"""

from typing import Final

from .address import Address, Send
from .errors import LocalProtocolError
from .headers import Headers
from .indications import (
    AckMissing,
    AckReceived,
    CancelReceived,
    Indication,
    RequestReceived,
    ResponseReceived,
    StrayResponse,
    TransactionTimedOut,
    TransportFailed,
)
from .message import Request, Response
from .transaction_client import ClientTransaction
from .transaction_machine import Exchange
from .transaction_matching import (
    Key,
    answer_key,
    client_key,
    has_unique_branch,
    note_source,
    response_destination,
    server_key,
    stateless_tag,
)
from .transaction_requests import create_cancel
from .transaction_server import ANY_TERMS, ServerTransaction, Terms
from .transaction_tables import Command, State
from .transaction_timers import Timers

__all__ = [
    "AckMissing",
    "AckReceived",
    "CancelReceived",
    "ClientTransaction",
    "Indication",
    "RequestReceived",
    "ResponseReceived",
    "ServerTransaction",
    "State",
    "StrayResponse",
    "Terms",
    "Timers",
    "TransactionLayer",
    "TransactionTimedOut",
    "TransportFailed",
]

MAX_UNANSWERED: Final = 256
"""Most requests of peers that may wait for our final answer at once."""
MAX_SERVER_TRANSACTIONS: Final = 16384
"""Most requests of peers that are remembered at once, the answered ones for as long as they may be repeated."""
MAX_OVERLOAD_ANSWERS: Final = 200
"""Most 503 answers a second beyond that; the rest gets none."""
OVERLOAD_RETRY_AFTER: Final = 2
"""Seconds after which a request may be tried again that met an overload: a proxy may send nothing at all till then."""


class TransactionLayer:
    """All transactions of one user agent.

    `discarded` counts messages that belong to nothing, `overloads` requests beyond the limits.
    """

    def __init__(
        self,
        timers: Timers,
        *,
        max_unanswered: int = MAX_UNANSWERED,
        max_server_transactions: int = MAX_SERVER_TRANSACTIONS,
    ) -> None:
        """Start with no transaction."""
        self.discarded = 0
        self.overloads = 0
        self._max_unanswered = max_unanswered
        self._max_server_transactions = max_server_transactions
        self._exchange = Exchange(timers)
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merged: dict[Key, ServerTransaction] = {}
        self._accepted: dict[Key, ServerTransaction] = {}
        self._new_invites: list[tuple[ServerTransaction, float]] = []
        self._overload_second = -1.0
        self._overload_answers = 0

    @property
    def active(self) -> int:
        """The number of transactions that are not terminated."""
        return len(self._clients) + len(self._servers)

    # In

    def receive(self, message: Request | Response, source: Address, now: float, terms: Terms = ANY_TERMS) -> None:
        """Take a message that was parsed and has all mandatory header fields; `terms` are those of a request.

        Raises MessageError where one of those that identify its transaction is malformed.
        """
        if isinstance(message, Request):
            self._receive_request(message, source, now, terms)
        else:
            self._receive_response(message, source, now)
        if self._exchange.terminated:
            self._sweep()

    def knows_invite_of(self, cancel: Request, source: Address) -> bool:
        """Whether the INVITE that a CANCEL names has come, the same way, and is remembered."""
        return server_key(cancel, source.transport, "INVITE") in self._servers

    def handle_timer(self, now: float) -> None:
        """Do what is due by now."""
        self._start_invites()
        self._exchange.alarms.run(now)
        self._sweep()

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is due, None while no timer runs."""
        self._start_invites()
        return self._exchange.alarms.next()

    def transport_failed(self, address: Address, text: str, now: float) -> None:
        """Learn that an address cannot be sent to, or that the connection to it is gone (RFC 3261 section 17.1.4)."""
        for transaction in (*self._clients.values(), *self._servers.values()):
            if transaction.destination == address:
                transaction.transport_failed(text, now)
        self._sweep()

    # Commands

    def abandon(self, transaction: ClientTransaction, now: float) -> None:
        """Send a request no more, as if its destination could not be reached."""
        if transaction.state is not State.TERMINATED:
            transaction.transport_failed("given up", now)
        self._sweep()

    def request(self, request: Request, destination: Address, now: float) -> ClientTransaction:
        """Send a request, whose topmost Via is ours, and see to it until it is answered.

        Raises LocalProtocolError for an ACK, which has no transaction, and for a branch that is in use.
        """
        if request.method == "ACK":
            raise LocalProtocolError("an ACK has no transaction")
        transaction = ClientTransaction(request, destination, self._exchange)
        if transaction.key in self._clients:
            raise LocalProtocolError("the branch is in use already")
        self._clients[transaction.key] = transaction
        transaction.start(now)
        return transaction

    def cancel(
        self, transaction: ClientTransaction, now: float, headers: Headers | None = None
    ) -> ClientTransaction | None:
        """Cancel an INVITE; `headers` adds fields such as Reason to the CANCEL (RFC 3261 section 9.1).

        Return the transaction of the CANCEL, or None while that is held back because no provisional answer came yet.
        Raises LocalProtocolError where the final answer is there already.
        """
        if transaction.cancel_headers is None:
            transaction.process(Command.CANCEL, now)
            transaction.cancel_headers = headers or Headers()
            if transaction.awaits_cancel:
                self._send_cancel(transaction, now)
        return transaction.cancellation

    def send_ack(self, request: Request, destination: Address) -> None:
        """Send the ACK of a 2xx, which is no part of any transaction (RFC 3261 section 13.2.2.4)."""
        self._exchange.sends.append(Send(destination, request.to_bytes()))

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Answer a request; of an INVITE a 2xx is repeated until `acked`.

        Raises LocalProtocolError after a final answer, and where the peer cannot be waiting any more.
        """
        transaction.respond(response, now)
        if transaction.answer_key is not None:
            self._accepted[transaction.answer_key] = transaction
        self._sweep()

    def acked(self, transaction: ServerTransaction, now: float) -> None:
        """Stop repeating a 2xx: its ACK came, or nobody needs it any more."""
        if transaction.state is State.ACCEPTED:
            transaction.process(Command.ACKED, now)

    # Out

    def sends(self) -> list[Send]:
        """Return the messages to be sent since the last call."""
        sends = self._exchange.sends
        self._exchange.sends = []
        return sends

    def indications(self) -> list[Indication]:
        """Return what happened since the last call."""
        indications = self._exchange.indications
        self._exchange.indications = []
        return indications

    # Responses

    def _receive_response(self, response: Response, source: Address, now: float) -> None:
        # A response with a second Via was meant for somebody behind us (RFC 3261 section 8.1.3.3).
        lone_via = len(response.headers.split("Via")) == 1
        transaction = self._clients.get(client_key(response))
        strays = transaction is not None and source.transport is not transaction.destination.transport
        # An answer comes back by the transport that the request went by (section 18.2.2).
        if not lone_via or strays:
            self.discarded += 1
        elif transaction is not None:
            transaction.receive(response, source, now)
            if transaction.awaits_cancel:
                transaction.process(Command.CANCEL, now)
                self._send_cancel(transaction, now)
        elif response.cseq.method == "INVITE" and 200 <= response.status < 300:
            self._exchange.indications.append(StrayResponse(response, source))
        else:
            self.discarded += 1

    def _send_cancel(self, invite: ClientTransaction, now: float) -> None:
        cancel = create_cancel(invite.request, invite.cancel_headers)
        invite.cancellation = self.request(cancel, invite.destination, now)

    # Requests

    def _receive_request(self, request: Request, source: Address, now: float, terms: Terms) -> None:
        if request.method == "ACK":
            self._receive_ack(request, source, now)
            return
        key = server_key(request, source.transport)
        known = self._servers.get(key)
        if known is not None:
            known.repeat(now, terms.allowance)
            return
        request.before_answer = lambda answered: note_source(answered, source)
        if self._overloaded(request.method) or (terms.no_calls and _begins_call(request)):
            self._refuse(request, source, now)
            return
        transaction = ServerTransaction(key, request, source, self._exchange, terms.allowance)
        self._servers[key] = transaction
        if request.method == "INVITE":
            self._new_invites.append((transaction, now))
        else:
            transaction.start(now)
        if request.method == "CANCEL":
            self._answer_cancel(transaction, now)
        elif transaction.merge_key is not None and transaction is not self._merged.setdefault(
            transaction.merge_key, transaction
        ):
            self._answer(transaction, 482, now)
        else:
            self._exchange.indications.append(RequestReceived(transaction, request))

    def _receive_ack(self, ack: Request, source: Address, now: float) -> None:
        to_tag = ack.to.tag or ""
        transaction = self._servers.get(server_key(ack, source.transport))
        if transaction is not None and (has_unique_branch(ack) or to_tag == transaction.to_tag):
            transaction.acknowledge(ack, source, now)
            return
        accepted = self._accepted.get(answer_key(ack, to_tag))
        self._exchange.indications.append(AckReceived(ack, accepted, source))

    def _answer_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a CANCEL, with the To tag of the INVITE's answers (RFC 3261 section 9.2)."""
        cancel = transaction.request
        invite = self._servers.get(server_key(cancel, transaction.source.transport, "INVITE"))
        if invite is None:
            self._answer(transaction, 481, now)
            return
        self._answer(transaction, 200, now, invite.to_tag)
        invite.cancel(cancel, now)

    def _answer(self, transaction: ServerTransaction, status: int, now: float, to_tag: str = "") -> None:
        request = transaction.request
        tag = to_tag or stateless_tag(request)
        self.respond(transaction, request.create_response(status, to_tag=tag), now)

    def _start_invites(self) -> None:
        """Let 100 (Trying) become due for the INVITEs that came in and got no answer at once."""
        invites, self._new_invites = self._new_invites, []
        for transaction, came_at in invites:
            if not transaction.answered:
                transaction.start(came_at)

    # Overload

    def _overloaded(self, method: str) -> bool:
        waiting = len(self._exchange.unanswered) if method != "CANCEL" else 0
        return waiting >= self._max_unanswered or len(self._servers) >= self._max_server_transactions

    def _refuse(self, request: Request, source: Address, now: float) -> None:
        """Refuse a request without remembering it (RFC 3261 sections 8.2.7 and 21.5.4)."""
        self.overloads += 1
        if now - self._overload_second >= 1:
            self._overload_second = now
            self._overload_answers = 0
        self._overload_answers += 1
        if self._overload_answers > MAX_OVERLOAD_ANSWERS:
            return
        response = request.create_response(503, to_tag=stateless_tag(request))
        response.headers.add("Retry-After", str(OVERLOAD_RETRY_AFTER))
        self._exchange.sends.append(Send(response_destination(request, source), response.to_bytes()))

    def _sweep(self) -> None:
        """Forget what is terminated."""
        terminated = self._exchange.terminated
        while terminated:
            transaction = terminated.pop()
            if isinstance(transaction, ServerTransaction):
                del self._servers[transaction.key]
                _forget(self._accepted, transaction.answer_key, transaction)
                _forget(self._merged, transaction.merge_key, transaction)
            else:
                del self._clients[transaction.key]


def _begins_call(request: Request) -> bool:
    """Whether a request begins a call, and does not change one or go on in the place of one."""
    return request.method == "INVITE" and not request.to.tag and "Replaces" not in request.headers


def _forget(table: dict[Key, ServerTransaction], key: Key | None, transaction: ServerTransaction) -> None:
    if key is not None and table.get(key) is transaction:
        del table[key]
