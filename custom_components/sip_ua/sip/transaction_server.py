"""Server transactions: a request of a peer and what we answer (RFC 3261 sections 9.2, 17.2 and 18.2; RFC 6026)."""

from dataclasses import dataclass
from typing import Final, override

from .address import Address
from .errors import LocalProtocolError
from .indications import AckMissing, AckReceived, CancelReceived, TransportFailed
from .message import Request, Response
from .transaction_machine import Exchange, Transaction
from .transaction_matching import Key, answer_key, listening_address, merge_key, response_destination
from .transaction_tables import SERVER_INVITE, SERVER_NON_INVITE, Action, Command, Received, State, Transition


# Final for the type checker instead of frozen at run time: see `RequestReceived`.
@dataclass(slots=True)
class Terms:
    """On what terms a request is taken in.

    `allowance` is how many octets all that we send in answer may come to before repetitions of it are left out, None
    for any number: of a datagram nobody knows who sent it. `no_calls` refuses an INVITE that begins a call.
    """

    allowance: Final[int | None] = None
    no_calls: Final[bool] = False


_SESSION_PROGRESS: Final = b"SIP/2.0 183 "
ANY_TERMS: Final = Terms()
_UNANSWERED: Final = frozenset({State.TRYING, State.PROCEEDING})


class ServerTransaction(Transaction):
    """A request of a peer that is being answered; it waits for our final answer from the beginning.

    `source` is where it came from, `destination` where answers go. `to_tag` is the tag that our answers carry,
    "" before the first that has one. `answer_key` is what the ACK of our 2xx is matched by, known with that tag.
    """

    __slots__ = (
        "_allowance",
        "_answer",
        "_followed_by",
        "_followed_from",
        "_is_due",
        "answer_key",
        "merge_key",
        "source",
        "to_tag",
    )

    def __init__(
        self, key: Key, request: Request, source: Address, exchange: Exchange, allowance: int | None = None
    ) -> None:
        """Prepare; `key` is the `server_key` of the request, `allowance` as in `Terms`.

        Nothing happens before `start`.
        """
        table = SERVER_INVITE if request.method == "INVITE" else SERVER_NON_INVITE
        super().__init__(table, key, request, response_destination(request, source), exchange)
        self.source = source
        self.merge_key = merge_key(request)
        self.to_tag = ""
        self.answer_key: Key | None = None
        self._allowance = allowance
        self._is_due = True
        self._answer = b""
        self._followed_by = request
        self._followed_from = source
        exchange.unanswered.add(self)

    @property
    def answered(self) -> bool:
        """Whether an answer of any kind was sent."""
        return bool(self._answer)

    def repeat(self, now: float, allowance: int | None = None) -> None:
        """Take the same request once more; it is answered once more, and adds its `allowance`."""
        if self._allowance is not None:
            self._allowance += allowance or 0
        self._is_due = True
        self.process(Received.REQUEST, now)

    def prove(self) -> None:
        """Learn that our answers reach the peer: they may be repeated as often as the standard says."""
        self._allowance = None

    def acknowledge(self, ack: Request, source: Address, now: float) -> None:
        """Take an ACK that belongs to this INVITE."""
        self._followed_by = ack
        self._followed_from = source
        self.process(Received.ACK, now)

    def cancel(self, cancel: Request, now: float) -> None:
        """Take a CANCEL of this INVITE."""
        self._followed_by = cancel
        self.process(Received.CANCEL, now)

    @override
    def transport_failed(self, text: str, now: float) -> None:
        super().transport_failed(text, now)
        # Where the connection ended, answers go to where the peer listens, and where that fails back to its source.
        if self.source.transport.reliable:
            is_source = self.destination == self.source
            self.destination = listening_address(self.request, self.source) if is_source else self.source

    def respond(self, response: Response, now: float) -> None:
        """Send an answer; raises LocalProtocolError where the final one is sent already or nobody waits any more."""
        transition = self._find(_command(response))
        answer = response.to_bytes()
        self._is_due = answer != self._answer
        self._answer = answer
        self.to_tag = response.to.tag or self.to_tag
        if transition.state is State.ACCEPTED:
            self.answer_key = answer_key(self.request, self.to_tag)
        self._enter(transition, now)

    @override
    def _enter(self, transition: Transition, now: float) -> None:
        super()._enter(transition, now)
        if self.state not in _UNANSWERED:
            self._exchange.unanswered.discard(self)
            # It is remembered for half a minute: what is left of it is to be small.
            self.request.forget_parsed()

    @override
    def _perform(self, action: Action, now: float) -> None:
        match action:
            case Action.SEND:
                if self._answer and self._is_affordable():
                    self._send(self._answer)
            case Action.SEND_TRYING:
                self._answer = self.request.create_response(100).to_bytes()
                if self._is_affordable():
                    self._send(self._answer)
            case Action.REPORT_ACK:
                self._report(AckReceived(self._followed_by, self, self._followed_from))
            case Action.REPORT_ACK_MISSING:
                self._report(AckMissing(self))
            case Action.REPORT_CANCEL:
                self._report(CancelReceived(self, self._followed_by))
            case Action.REPORT_FAILED:
                self._report(TransportFailed(self, self._failure))
            case _:
                raise LocalProtocolError(f"a server transaction cannot {action!r}")

    def _is_affordable(self) -> bool:
        """Whether to send the answer: once in any case, again as far as the allowance goes.

        A 2xx, and a voice before it, is what somebody decided on, and few calls of strangers are rung for: that is
        repeated as the standard says.
        """
        if self._allowance is None:
            return True
        is_due, self._is_due = self._is_due, False
        is_decided = self.state is State.ACCEPTED or self._answer.startswith(_SESSION_PROGRESS)
        if not (is_due or is_decided) and len(self._answer) > self._allowance:
            return False
        self._allowance -= len(self._answer)
        return True


def _command(response: Response) -> Command:
    if response.status < 200:
        reliable = response.cseq.method == "INVITE" and "RSeq" in response.headers
        return Command.RELIABLE_PROVISIONAL if reliable else Command.PROVISIONAL
    return Command.SUCCESS if response.status < 300 else Command.FAILURE
