"""Requests to the far end of one dialog: the way there, the login, and the ACK of a 2xx that is kept for repetitions.

RFC 3261 sections 12.2.1 and 13.2.2.4.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .account import Transport
from .address import Address, Hop, is_nowhere
from .client import ClientRequest, Handlers
from .core import SDP_TYPE, Core, Failure
from .dialog import Dialog, wants_sips
from .errors import RemoteProtocolError
from .events import RegistrationFailure
from .key_rules import NEEDS_TLS
from .message import Request, Response
from .sdes import carries_keys
from .uri import SipUri

_TARGET_REFRESH = frozenset({"INVITE", "NOTIFY", "REFER", "UPDATE"})
_LOGIN_FIELDS = ("Authorization", "Proxy-Authorization")


@dataclass(frozen=True, slots=True)
class _Ack:
    cseq: int
    request: Request
    address: Address


class DialogPeer:
    """The far end of a dialog as the receiver of our requests.

    `told_otherwise` says that one of them went by another transport than TLS: its Contact asks for answers in kind.
    """

    def __init__(self, core: Core, dialog: Dialog, came_by: Hop | None = None) -> None:
        """Send through `core` in `dialog`; `came_by` is how what began it came, None for the message dealt with."""
        self.dialog = dialog
        self.allowed: frozenset[str] = frozenset()
        self.told_otherwise = False
        self._core = core
        self._came_by = came_by or core.arrival
        self._ack: _Ack | None = None

    def note_allowed(self, message: Request | Response) -> None:
        """Note which methods the far end understands, where a message of it says so (section 20.5)."""
        allowed = message.headers.split("Allow")
        if allowed:
            self.allowed = frozenset(allowed)

    def note_answer(self, response: Response) -> RemoteProtocolError | None:
        """Note what a 2xx to a request that refreshes the target says; return why that cannot be followed."""
        self.note_allowed(response)
        try:
            self.dialog.update_target(response)
        except RemoteProtocolError as error:
            return error
        return None

    def request(
        self,
        method: str,
        handlers: Handlers,
        now: float,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        content_type: str = SDP_TYPE,
    ) -> ClientRequest:
        """Send a request; its body is a session description where nothing else is said."""
        core = self._core

        def build(hop: Hop) -> Request:
            self._note_way(hop)
            request = self.dialog.create_request(method)
            if method in _TARGET_REFRESH:
                contact = core.contact(hop, secure=wants_sips(request), private=self.dialog.private)
                request.headers.add("Contact", str(contact))
                request.headers.add("Allow", core.allow)
                request.headers.add("Supported", core.supported)
            for name, value in headers:
                request.headers.add(name, value)
            if body:
                request.headers.add("Content-Type", content_type)
                request.body = body
            return request

        client = ClientRequest(core, build, handlers)

        def located(outcome: tuple[Hop, ...] | Failure, later: float) -> None:
            ways = outcome if isinstance(outcome, Failure) else core.ways_for(outcome, keys=carries_keys(body))
            if isinstance(ways, Failure):
                handlers.failed(ways, later)
            elif not ways:
                handlers.failed(Failure(RegistrationFailure.NO_ROUTE, NEEDS_TLS), later)
            else:
                client.start(ways, later)

        self._locate(located, now)
        return client

    def acknowledge(self, response: Response, invite: Request, now: float, body: bytes = b"") -> bool:
        """Acknowledge a 2xx, with the answer to the offer in it; False where a repeated one got its old ACK again."""
        cseq = response.cseq.number
        if self.repeat_ack(cseq):
            return False
        request = self.dialog.create_request("ACK", cseq=cseq)
        if body:
            request.headers.add("Content-Type", SDP_TYPE)
            request.body = body

        def located(outcome: tuple[Hop, ...] | Failure, _later: float) -> None:
            # Where the way cannot be found, the peer repeats its 2xx and then hangs up by itself.
            if not isinstance(outcome, Failure) and self._core.ways_for(outcome[:1], keys=carries_keys(body)):
                if self._core.may_log_in(outcome[0]):
                    for name in _LOGIN_FIELDS:
                        for value in invite.headers.get_all(name):
                            request.headers.add(name, value)
                self._note_way(outcome[0])
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

    def _note_way(self, hop: Hop) -> None:
        self.told_otherwise = self.told_otherwise or hop.remote.transport is not Transport.TLS

    def _locate(self, callback: Callable[[tuple[Hop, ...] | Failure, float], None], now: float) -> None:
        uri = self.dialog.next_hop_uri
        if not isinstance(uri, SipUri):
            callback(Failure(RegistrationFailure.NAME_NOT_FOUND, "the far end's address is no SIP address"), now)
            return
        hop = self._core.uri_hop(uri)
        if is_nowhere(hop.host) and (not uri.secure or self._came_by.remote.transport is Transport.TLS):
            # A telephone that does not know its address is where its message came from.
            callback((self._came_by,), now)
        else:
            self._core.locate(hop, callback)
