"""What the transaction layer tells its user: frozen, one per thing that happened (RFC 3261 section 17)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .address import Address
from .message import Request, Response

if TYPE_CHECKING:
    from .transaction_client import ClientTransaction
    from .transaction_server import ServerTransaction


# Final for the type checker instead of frozen at run time: it is made while somebody waits for the telephone to ring.
@dataclass(slots=True)
class RequestReceived:
    """A request to be answered; reported once, however often it was repeated. Never ACK or CANCEL."""

    transaction: Final[ServerTransaction]
    request: Final[Request]


@dataclass(frozen=True, slots=True)
class AckReceived:
    """An ACK to a 2xx, reported each time it comes.

    `transaction` is the INVITE's as long as it lives, None for an ACK that belongs to nothing.
    """

    request: Request
    transaction: ServerTransaction | None
    source: Address


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """The peer cancels an INVITE that has no final answer yet; the CANCEL itself is answered already.

    The INVITE is to be answered by 487 (RFC 3261 section 9.2).
    """

    transaction: ServerTransaction
    request: Request


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """An answer: provisional ones as often as they come, one final one; of an INVITE every 2xx (RFC 6026)."""

    transaction: ClientTransaction
    response: Response


@dataclass(frozen=True, slots=True)
class TransactionTimedOut:
    """No final answer came in time (timers B and F), or none to a cancelled INVITE (RFC 3261 section 9.1)."""

    transaction: ClientTransaction


@dataclass(frozen=True, slots=True)
class TransportFailed:
    """A message could not be sent; a client transaction is over, the user of a server one may go on or give up."""

    transaction: ClientTransaction | ServerTransaction
    text: str


@dataclass(frozen=True, slots=True)
class StrayResponse:
    """A 2xx to an INVITE that no transaction waits for any more: somebody believes to be in a call with us."""

    response: Response
    source: Address


@dataclass(frozen=True, slots=True)
class AckMissing:
    """The final answer to an INVITE was repeated for 64*T1 and never acknowledged (timer H; section 13.3.1.4)."""

    transaction: ServerTransaction


type Indication = (
    RequestReceived
    | AckReceived
    | CancelReceived
    | ResponseReceived
    | TransactionTimedOut
    | TransportFailed
    | StrayResponse
    | AckMissing
)
