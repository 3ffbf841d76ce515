"""Client transactions: a request of ours and what comes back (RFC 3261 sections 9.1, 17.1; RFC 6026 section 7.2)."""

from typing import override

from .address import Address
from .errors import LocalProtocolError
from .headers import Headers
from .indications import ResponseReceived, StrayResponse, TransactionTimedOut, TransportFailed
from .message import Request, Response
from .transaction_machine import Exchange, Transaction
from .transaction_matching import client_key
from .transaction_requests import create_ack
from .transaction_tables import CLIENT_INVITE, CLIENT_NON_INVITE, Action, Received, State


class ClientTransaction(Transaction):
    """A request on its way to a final answer.

    `cancel_headers` is set once the user has asked to cancel, `cancellation` once the CANCEL is on its way; `sent`
    counts how often the request went out.
    """

    __slots__ = ("_data", "_response", "_source", "cancel_headers", "cancellation", "sent")

    def __init__(self, request: Request, destination: Address, exchange: Exchange) -> None:
        """Prepare; `start` sends the request as it is now."""
        table = CLIENT_INVITE if request.method == "INVITE" else CLIENT_NON_INVITE
        super().__init__(table, client_key(request), request, destination, exchange)
        self.cancel_headers: Headers | None = None
        self.cancellation: ClientTransaction | None = None
        self._data = request.to_bytes()
        self._response: Response | None = None
        self._source = destination
        self.sent = 0

    @property
    def awaits_cancel(self) -> bool:
        """Whether a CANCEL that the user asked for may go out now: a provisional answer came (RFC 3261 section 9.1)."""
        return self.state is State.PROCEEDING and self.cancel_headers is not None and self.cancellation is None

    def receive(self, response: Response, source: Address, now: float) -> None:
        """Take an answer that belongs to this request."""
        self._response = response
        self._source = source
        status = response.status
        if status < 200:
            self.process(Received.PROVISIONAL, now)
        elif status < 300:
            self.process(Received.SUCCESS, now)
        else:
            self.process(Received.FAILURE, now)

    @override
    def _perform(self, action: Action, now: float) -> None:
        match action:
            case Action.SEND:
                self.sent += 1
                self._send(self._data)
            case Action.SEND_ACK:
                self._send(create_ack(self.request, self._last_response()).to_bytes())
            case Action.SLOW_DOWN:
                self._interval = self._exchange.timers.t2
            case Action.REPORT_RESPONSE:
                self._report(ResponseReceived(self, self._last_response()))
            case Action.REPORT_STRAY:
                self._report(StrayResponse(self._last_response(), self._source))
            case Action.REPORT_TIMEOUT:
                self._report(TransactionTimedOut(self))
            case Action.REPORT_FAILED:
                self._report(TransportFailed(self, self._failure))
            case _:
                raise LocalProtocolError(f"a client transaction cannot {action!r}")

    def _last_response(self) -> Response:
        if self._response is None:
            raise LocalProtocolError("no response has been received")
        return self._response
