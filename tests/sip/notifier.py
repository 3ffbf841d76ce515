"""A server on the fake link that also tells events: subscriptions, NOTIFY in every order, and faults on demand."""

from dataclasses import dataclass, field
from typing import override

from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.dialog import Dialog
from custom_components.sip_ua.sip.digest_server import Login
from custom_components.sip_ua.sip.headers import Headers, NameAddr, Via
from custom_components.sip_ua.sip.message import Request, Response
from custom_components.sip_ua.sip.params import Params
from custom_components.sip_ua.sip.transaction import RequestReceived, ResponseReceived
from custom_components.sip_ua.sip.uri import SipUri

from .agents import ALICE
from .registrar import Registrar

TYPES = {
    "message-summary": "application/simple-message-summary",
    "dialog": "application/dialog-info+xml",
    "presence": "application/pidf+xml",
}


def dialog_info(version: int, state: str, *dialogs: tuple[str, str, str]) -> bytes:
    """Return a document; each dialog is (id, state, direction)."""
    inside = "".join(
        f'<dialog id="{name}"{f' direction="{direction}"' if direction else ""}><state>{word}</state></dialog>'
        for name, word, direction in dialogs
    )
    return (
        '<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" '
        f'version="{version}" state="{state}" entity="sip:bob@sip.example">{inside}</dialog-info>'
    ).encode()


def presence(basic: str, *, activity: str = "", note: str = "") -> bytes:
    """Return a document of one person."""
    status = f"<status><basic>{basic}</basic></status>" if basic else "<status/>"
    doing = f"<r:activities><r:{activity}/></r:activities>" if activity else ""
    said = f"<note>{note}</note>" if note else ""
    return (
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
        'xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@sip.example">'
        f'<tuple id="t1">{status}</tuple>{said}<dm:person id="p1">{doing}</dm:person></presence>'
    ).encode()


def summary(new: int, old: int = 0) -> bytes:
    """Return a message summary."""
    return f"Messages-Waiting: {'yes' if new else 'no'}\r\nVoice-Message: {new}/{old}\r\n".encode()


@dataclass
class Told:
    """One subscription as the notifier has it."""

    event: str
    dialog: Dialog
    until: float


@dataclass
class Notifier(Registrar):
    """Grants subscriptions; `subscribe_script` gives answers in advance, `bodies` what NOTIFY says by its event."""

    events: tuple[str, ...] = ("message-summary", "dialog", "presence")
    bodies: dict[str, bytes] = field(default_factory=dict)
    subscribe_script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    state_script: list[str] = field(default_factory=list)
    shortest: int = 60
    longest: int = 3600
    overtake: bool = False
    mute: bool = False
    fork_tag: str = ""
    told: list[Told] = field(default_factory=list)
    answers: list[tuple[float, int]] = field(default_factory=list)
    _branches: int = 0

    @property
    def contact(self) -> NameAddr:
        """Return where requests of a subscription reach us."""
        return NameAddr("", SipUri("sip", "server", None, self.address.host, self.address.port))

    @override
    def react(self, now: float) -> None:
        """Answer every request, and tell the state after each SUBSCRIBE."""
        for indication in self.layer.indications():
            match indication:
                case RequestReceived(transaction, request):
                    self.asked.append((now, request))
                    if request.method != "SUBSCRIBE":
                        self.layer.respond(transaction, self._answer(request, now), now)
                        continue
                    response, told = self._subscribed(request, now)
                    if told is not None and self.overtake:
                        self.notify(told, now)
                    self.layer.respond(transaction, response, now)
                    if told is not None and not self.overtake:
                        self.notify(told, now)
                case ResponseReceived(_, response):
                    self.answers.append((now, response.status))

    def subscribes(self, event: str = "") -> list[tuple[float, Request]]:
        """Return the SUBSCRIBE requests, those without a login left out, and when they came."""
        return [
            (when, request)
            for when, request in self.asked
            if request.method == "SUBSCRIBE"
            and (not self.login or "Authorization" in request.headers)
            and event in {"", request.headers.get("Event")}
        ]

    def notify(self, told: Told, now: float, state: str = "", body: bytes | None = None, kind: str = "") -> None:
        """Send a NOTIFY in a subscription."""
        if self.mute:
            return
        left = int(told.until - now)
        if not state:
            state = self.state_script.pop(0) if self.state_script else ""
        if not state:
            state = f"active;expires={left}" if left > 0 else "terminated;reason=timeout"
        request = told.dialog.create_request("NOTIFY")
        if state.startswith("terminated") and told in self.told:
            self.told.remove(told)
        request.headers.add("Event", told.event)
        request.headers.add("Contact", str(self.contact))
        request.headers.add("Subscription-State", state)
        self._send(request, self.bodies.get(told.event, b"") if body is None else body, kind or TYPES[told.event], now)

    def notify_unasked(
        self, event: str, body: bytes, now: float, *, call_id: str = "u1", number: int = 1, tag: str = ""
    ) -> None:
        """Send a NOTIFY that nobody asked for, as Asterisk does."""
        headers = Headers(
            [
                ("Max-Forwards", "70"),
                ("From", "<sip:server@sip.example>;tag=server"),
                ("To", f"<sip:alice@{ALICE.host}>{f';tag={tag}' if tag else ''}"),
                ("Call-ID", call_id),
                ("CSeq", f"{number} NOTIFY"),
                ("Contact", str(self.contact)),
                ("Subscription-State", "terminated"),
            ]
        )
        if event:
            headers.add("Event", event)
        request = Request("NOTIFY", f"sip:alice@{ALICE.host}:{ALICE.port}", headers)
        self._send(request, body, TYPES.get(event, "text/plain"), now)

    def _send(self, request: Request, body: bytes, kind: str, now: float) -> None:
        self._branches += 1
        via = Via("UDP", self.address.host, self.address.port, Params({"branch": f"z9hG4bKn{self._branches}"}))
        request.headers.insert_first("Via", str(via))
        if body:
            request.headers.add("Content-Type", kind)
            request.body = body
        uri = request.request_uri
        assert isinstance(uri, SipUri)
        self.layer.request(request, Address(self.address.transport, uri.host, uri.port or 5060), now)

    def _subscribed(self, request: Request, now: float) -> tuple[Response, Told | None]:
        if self.subscribe_script:
            status, headers = self.subscribe_script.pop(0)
            response = request.create_response(status, to_tag="server")
            for name, value in headers.items():
                response.headers.add(name, value)
            return response, None
        if self.login:
            verdict = self.digest.verify(request, lambda _user: self.password, now)
            if verdict.login is not Login.ACCEPTED:
                return self.digest.challenge(request, now, stale=verdict.login is Login.STALE), None
        event = request.headers.get("Event") or ""
        expires = request.expires if request.expires is not None else 3600
        if event not in self.events:
            return request.create_response(489, to_tag="server"), None
        if 0 < expires < self.shortest:
            response = request.create_response(423, to_tag="server")
            response.headers.add("Min-Expires", str(self.shortest))
            return response, None
        expires = min(expires, self.longest)
        return self._grant(request, event, expires, now)

    def _grant(self, request: Request, event: str, expires: int, now: float) -> tuple[Response, Told | None]:
        told = self._find(request, now)
        if request.to.tag and told is None:
            return request.create_response(481), None
        response = request.create_response(200, to_tag=f"n{len(self.asked)}")
        response.headers.add("Contact", str(self.contact))
        response.headers.add("Expires", str(expires))
        if told is None:
            answered = request.create_response(200, to_tag=self.fork_tag) if self.fork_tag else response
            told = Told(event, Dialog.called(request, answered), now)
            self.told.append(told)
        told.until = now + expires
        return response, told

    def _find(self, request: Request, now: float) -> Told | None:
        for told in self.told:
            if told.dialog.key.call_id == request.call_id and told.dialog.key.local_tag == request.to.tag:
                told.dialog.receive_request(request)
                return told if told.until > now else None
        return None

    @override
    def restart(self) -> None:
        """Forget every binding, nonce and subscription."""
        super().restart()
        self.told = []
