"""What the tests of transactions and dialogs share: messages, a bench for one layer, a user that answers."""

from collections.abc import Callable

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.indications import Indication, RequestReceived
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.transaction import ServerTransaction, Timers, TransactionLayer

from .link import Link

ALICE = Address(Transport.UDP, "192.0.2.1", 5060)
BOB = Address(Transport.UDP, "192.0.2.2", 5060)
ALICE_TCP = Address(Transport.TCP, "192.0.2.1", 5060)
BOB_TCP = Address(Transport.TCP, "192.0.2.2", 5060)


def make_request(
    method: str = "INVITE",
    *,
    branch: str | None = "z9hG4bKone",
    cseq: int = 1,
    call_id: str = "call-1",
    from_tag: str = "alice",
    to_tag: str | None = None,
    sent_by: str = "192.0.2.1:5060",
    via: str | None = None,
    uri: str = "sip:bob@192.0.2.2",
    extra: tuple[tuple[str, str], ...] = (),
) -> Request:
    """Return a request of Alice to Bob."""
    if via is None:
        via = f"SIP/2.0/UDP {sent_by}" + (f";branch={branch}" if branch else "")
    headers = Headers(
        (
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", f"<sip:alice@192.0.2.1>;tag={from_tag}"),
            ("To", "<sip:bob@192.0.2.2>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            *extra,
        )
    )
    return Request(method, uri, headers)


def make_response(request: Request, status: int, *, to_tag: str | None = "bob", via: str | None = None) -> Response:
    """Return an answer of Bob, by default to the request's own Via."""
    response = request.create_response(status, to_tag=to_tag)
    if via is not None:
        response.headers.set("Via", via)
    return response


class Bench:
    """One layer alone: its clock, what it sent (with the time), and what it told."""

    def __init__(self, layer: TransactionLayer | None = None) -> None:
        self.layer = layer or TransactionLayer(Timers())
        self.now = 100.0
        self.sent: list[tuple[float, Address, Request | Response]] = []
        self.told: list[Indication] = []

    def collect(self) -> None:
        for send in self.layer.sends():
            self.sent.append((round(self.now - 100.0, 3), send.address, parse_message(send.data)))
        self.told += self.layer.indications()

    def pass_time(self, seconds: float) -> None:
        """Let each timer fire at its own moment."""
        end = self.now + seconds
        while (moment := self.layer.next_timer()) is not None and moment <= end:
            self.now = moment
            self.layer.handle_timer(moment)
            self.collect()
        self.now = end

    def receive(self, message: Request | Response, source: Address = BOB) -> None:
        """Take a message as it looks after its way over the wire."""
        self.layer.receive(parse_message(message.to_bytes()), source, self.now)
        self.collect()

    def server(self) -> ServerTransaction:
        """Return the transaction of the request that was told last."""
        received = [indication for indication in self.told if isinstance(indication, RequestReceived)]
        return received[-1].transaction

    def respond(self, status: int, *, to_tag: str = "bob", transaction: ServerTransaction | None = None) -> None:
        transaction = transaction or self.server()
        self.layer.respond(transaction, transaction.request.create_response(status, to_tag=to_tag), self.now)
        self.collect()

    def times(self) -> list[float]:
        """Return when each message was sent, in seconds since the bench was set up."""
        return [moment for moment, _, _ in self.sent]

    def labels(self) -> list[str]:
        """Return what was sent: methods and status codes."""
        return [message.method if isinstance(message, Request) else str(message.status) for _, _, message in self.sent]

    def last_request(self) -> Request:
        message = self.sent[-1][2]
        assert isinstance(message, Request)
        return message

    def last_response(self) -> Response:
        message = self.sent[-1][2]
        assert isinstance(message, Response)
        return message

    def told_of[T: Indication](self, kind: type[T]) -> list[T]:
        """Return the indications of one kind."""
        return [indication for indication in self.told if isinstance(indication, kind)]


class User:
    """A layer on a link with a user above it that keeps what it was told and hands it to `act`."""

    def __init__(self, link: Link, *addresses: Address, timers: Timers | None = None) -> None:
        self.layer = TransactionLayer(timers or Timers())
        self.told: list[Indication] = []
        self.act: Callable[[Indication, float], None] = lambda _indication, _now: None
        link.join(self.layer, *addresses, deliver=self._deliver, react=self._react)

    def _deliver(self, data: bytes, source: Address, now: float) -> None:
        self.layer.receive(parse_message(data), source, now)

    def _react(self, now: float) -> None:
        while indications := self.layer.indications():
            for indication in indications:
                self.told.append(indication)
                self.act(indication, now)

    def told_of[T: Indication](self, kind: type[T]) -> list[T]:
        """Return the indications of one kind."""
        return [indication for indication in self.told if isinstance(indication, kind)]
