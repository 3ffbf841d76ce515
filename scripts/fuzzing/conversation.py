"""A user agent in the middle of calls, whose peers say whatever the input holds: several messages, one after another.

Nothing is random here: the same input makes the same conversation, and tags and branches of ours that the seeds
repeat are always the same ones.
"""

from collections.abc import Callable
from itertools import count

from custom_components.sip_ua.sip.account import Account, Srtp, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallSnapshot, Event, IncomingCall
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.offer_answer import LocalMedia, codecs_named

SEPARATOR = b"\0\0"
MAX_MESSAGES = 12
STEP = 0.3
HERE, PEER = HostPort("192.0.2.2", 5060), Address(Transport.UDP, "192.0.2.1", 5060)
ACCOUNT = Account(
    number="bob",
    domain="pbx.example",
    password="secret",  # noqa: S106 - nobody's password
    srtp=Srtp.OPTIONAL,
    srtp_without_tls=True,
)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\na={}\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n"
)


class Conversation:
    """One user agent that has placed a call, and takes every call that comes in."""

    def __init__(self) -> None:
        """Dial."""
        numbers = count(1)
        self.agent = UserAgent(ACCOUNT, entropy=lambda length: next(numbers).to_bytes(length, "big", signed=False))
        self.now = 0.0
        self.sent: list[bytes] = []
        self.agent.dial("sip:alice@192.0.2.1", self.media, self.now)
        self.settle()

    @property
    def media(self) -> LocalMedia:
        """Return where our voice is."""
        return LocalMedia(HERE.host, 4000, codecs_named(("PCMA", "PCMU")))

    def settle(self) -> None:
        """Do what the agent wants, until it wants nothing more."""
        for _ in range(50):
            lookups, events = self.agent.lookups(), self.agent.events()
            self.sent += [send.data for send in self.agent.sends()]
            if not lookups and not events:
                return
            for lookup in lookups:
                address = Address(lookup.transport or Transport.UDP, "192.0.2.1", lookup.port or 5060)
                self.agent.looked_up(lookup.token, [Hop(address, HERE)], self.now)
            for event in events:
                self._deal_with(event)
        raise AssertionError("the agent never stops to want something")

    def _deal_with(self, event: Event) -> None:
        repr(event)
        if isinstance(event, IncomingCall):
            self._try(lambda: self.agent.answer(event.call.id, self.media, self.now))

    @staticmethod
    def _try(command: Callable[[], object]) -> None:
        """Give a command that may come too late."""
        try:
            command()
        except LocalProtocolError:
            return

    def hear(self, data: bytes) -> None:
        """Take one message."""
        self.now += STEP
        self.agent.receive(data, Hop(PEER, HERE), self.now)
        self.settle()
        self.agent.handle_timer(self.now)
        self.settle()

    def press(self, command: Callable[[UserAgent, str, float], object]) -> None:
        """Give a command for each call."""
        for call_id in tuple(self.agent.calls):
            self._try(lambda call_id=call_id: command(self.agent, call_id, self.now))  # type: ignore[misc]
            self.settle()

    def end(self) -> tuple[CallSnapshot, ...]:
        """Hang up, and let every timer run out; return the calls that are left then."""
        self.press(lambda agent, call_id, now: agent.hangup(call_id, now))
        for _ in range(1000):
            when = self.agent.next_timer()
            if when is None or when > self.now + 400:
                break
            self.now = max(self.now, when)
            self.agent.handle_timer(self.now)
            self.settle()
        return tuple(self.agent.calls.values())


def converse(data: bytes) -> None:
    """Have a conversation; whatever the peer says, nothing is raised and no call outlives being hung up."""
    talk = Conversation()
    for number, message in enumerate(data.split(SEPARATOR)[:MAX_MESSAGES]):
        talk.hear(message)
        if number == 3:
            talk.press(lambda agent, call_id, now: agent.hold(call_id, now))
    left = talk.end()
    if left:
        raise AssertionError(f"calls that never end: {left}")


def _response(request: Request, status: int, body: bytes = b"") -> bytes:
    response = request.create_response(status, to_tag="far")
    response.headers.add("Contact", "<sip:alice@192.0.2.1>")
    if body:
        response.headers.add("Content-Type", "application/sdp")
        response.body = body
    return response.to_bytes()


def _request(method: str, call_id: str, ours: str, theirs: str, cseq: int, body: bytes = b"") -> bytes:
    text = (
        f"{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{method}{cseq}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@192.0.2.1>;tag={theirs}\r\nTo: <sip:bob@pbx.example>{ours}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@192.0.2.1>\r\nSession-Expires: 90\r\n"
    )
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return f"{text}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _followed(invite: bytes, body: bytes) -> list[bytes]:
    """Return the ACK and the BYE of a call that comes in and is answered."""
    talk = Conversation()
    talk.hear(invite)
    answer = parse_message(next(data for data in talk.sent if data.startswith(b"SIP/2.0 200")))
    tag = f";tag={answer.to.tag}"
    return [
        _request("ACK", answer.call_id, tag, "far", 1, body),
        _request("BYE", answer.call_id, tag, "far", 2),
    ]


def seeds() -> list[bytes]:
    """Return conversations that go as they should, for calls that we place and for calls that come in."""
    talking, held = SDP.replace(b"{}", b"sendrecv"), SDP.replace(b"{}", b"sendonly")
    invite = parse_message(Conversation().sent[0])
    if not isinstance(invite, Request):
        raise TypeError("the first message of a call is an INVITE")
    ours = f";tag={invite.from_.tag}"
    inside = [
        _request(method, invite.call_id, ours, "far", number, body)
        for number, (method, body) in enumerate(
            [("INVITE", held), ("ACK", b""), ("UPDATE", talking), ("INFO", b""), ("OPTIONS", b""), ("BYE", b"")], 7
        )
    ]
    outgoing = [_response(invite, 100), _response(invite, 180), _response(invite, 183, talking)]
    accepted = _response(invite, 200, talking)
    refused = _response(invite, 407).replace(
        b"\r\n\r\n", b'\r\nProxy-Authenticate: Digest realm="x", nonce="1"\r\n\r\n'
    )
    redirected = _response(invite, 302)
    incoming = _request("INVITE", "in", "", "far", 1, talking)
    cancelled = _request("CANCEL", "in", "", "far", 1).replace(b"z9hG4bKCANCEL1", b"z9hG4bKINVITE1")
    late = _request("INVITE", "late", "", "far", 1)
    flows = (
        [*outgoing, accepted, *inside],
        [accepted, accepted, *inside[2:]],
        [outgoing[1], refused],
        [redirected],
        [_response(invite, 486)],
        [incoming, *_followed(incoming, b""), *outgoing],
        [incoming, cancelled],
        [late, *_followed(late, talking)],
    )
    return [SEPARATOR.join(flow) for flow in flows]
