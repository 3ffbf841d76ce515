"""Requests to the far end of one dialog: the way there, the login, and the ACK of a 2xx that is kept for repetitions.

RFC 3261 sections 12.2.1 and 13.2.2.4.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .address import Address, Hop
from .client import ClientRequest, Handlers
from .core import SDP_TYPE, Core, Failure
from .dialog import Dialog
from .events import RegistrationFailure
from .message import Request, Response
from .uri import SipUri

_TARGET_REFRESH = frozenset({"INVITE", "UPDATE"})
_LOGIN_FIELDS = ("Authorization", "Proxy-Authorization")


@dataclass(frozen=True, slots=True)
class _Ack:
    cseq: int
    request: Request
    address: Address


class DialogPeer:
    """The far end of a dialog as the receiver of our requests."""

    def __init__(self, core: Core, dialog: Dialog) -> None:
        """Send through `core` in `dialog`."""
        self.dialog = dialog
        self._core = core
        self._ack: _Ack | None = None

    def request(
        self,
        method: str,
        handlers: Handlers,
        now: float,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> ClientRequest:
        """Send a request with an optional session description."""
        core = self._core

        def build(hop: Hop) -> Request:
            request = self.dialog.create_request(method)
            if method in _TARGET_REFRESH:
                request.headers.add("Contact", str(core.contact(hop)))
                request.headers.add("Allow", core.allow)
                request.headers.add("Supported", core.supported)
            for name, value in headers:
                request.headers.add(name, value)
            if body:
                request.headers.add("Content-Type", SDP_TYPE)
                request.body = body
            return request

        client = ClientRequest(core, build, handlers)

        def located(outcome: tuple[Hop, ...] | Failure, later: float) -> None:
            if isinstance(outcome, Failure):
                handlers.failed(outcome, later)
            else:
                client.start(outcome, later)

        self._locate(located, now)
        return client

    def acknowledge(self, response: Response, invite: Request, now: float) -> bool:
        """Acknowledge a 2xx; False where it was only repeated and got its old ACK again."""
        cseq = response.cseq.number
        if self.repeat_ack(cseq):
            return False
        request = self.dialog.create_request("ACK", cseq=cseq)
        for name in _LOGIN_FIELDS:
            for value in invite.headers.get_all(name):
                request.headers.add(name, value)

        def located(outcome: tuple[Hop, ...] | Failure, _later: float) -> None:
            # Where the way cannot be found, the peer repeats its 2xx and then hangs up by itself.
            if not isinstance(outcome, Failure):
                self._core.complete(request, outcome[0])
                self._ack = _Ack(cseq, request, outcome[0].remote)
                self._core.layer.send_ack(request, outcome[0].remote)

        self._locate(located, now)
        return True

    def repeat_ack(self, cseq: int) -> bool:
        """Send the ACK for a repeated 2xx again; False where there is none."""
        ack = self._ack
        if ack is None or ack.cseq != cseq:
            return False
        self._core.layer.send_ack(ack.request, ack.address)
        return True

    def _locate(self, callback: Callable[[tuple[Hop, ...] | Failure, float], None], now: float) -> None:
        uri = self.dialog.next_hop_uri
        if isinstance(uri, SipUri):
            self._core.locate(self._core.uri_hop(uri), callback)
        else:
            callback(Failure(RegistrationFailure.NAME_NOT_FOUND, "the far end's address is no SIP address"), now)
