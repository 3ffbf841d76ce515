"""What is fuzzed: each reader of the network's octets, with seeds, worst cases, and the errors that it may raise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from custom_components.sip_ua.rtp.dtmf import parse_event
from custom_components.sip_ua.rtp.errors import PacketError
from custom_components.sip_ua.rtp.packet import parse_packet, write_packet
from custom_components.sip_ua.rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    SourceDescription,
    parse_compound,
    write_compound,
)
from custom_components.sip_ua.sip.account import Account, Srtp, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.dialog_info import parse_dialog_info
from custom_components.sip_ua.sip.digest import Credentials, DigestClient
from custom_components.sip_ua.sip.digest_server import DigestServer
from custom_components.sip_ua.sip.errors import (
    AuthenticationError,
    EventBodyError,
    MessageError,
    RemoteProtocolError,
    SdpError,
)
from custom_components.sip_ua.sip.framing import StreamFramer
from custom_components.sip_ua.sip.grammar import MAX_MESSAGE
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.key_rules import KeyRules
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.message_summary import parse_message_summary
from custom_components.sip_ua.sip.offer_answer import LocalMedia, OfferAnswer, codecs_named
from custom_components.sip_ua.sip.presence import parse_presence
from custom_components.sip_ua.sip.sdp import MAX_SDP_LENGTH, parse_sdp
from custom_components.sip_ua.sip.stun_message import StunError, binding_response, parse_binding_response

from . import conversation, hostile
from .rooms import REPO

TORTURE = REPO / "tests" / "sip" / "torture"
TRANSACTION = bytes(range(12))
HERE, PEER = HostPort("192.0.2.2", 5060), Address(Transport.UDP, "192.0.2.1", 5060)
CHALLENGE = b'Digest realm="home", nonce="n1", qop="auth,auth-int", algorithm=SHA-256, opaque="a\\"b,c", stale=TRUE'
LOGIN = (
    b'Digest username="user", realm="home", nonce="00", uri="sip:home", response="0123", algorithm=SHA-256, '
    b'cnonce="c", qop=auth, nc=00000001'
)
RTP = write_packet(8, 1, 160, 7, bytes(160), marker=True)
CRYPTO = b"a=crypto:1 AEAD_AES_128_GCM inline:" + b"A" * 38 + b"==|2^31|1:4 WSH=64\r\n"
STUN = binding_response(b"\0\1\0\0\x21\x12\xa4\x42" + TRANSACTION, HERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader; `run` swallows the documented errors, so that whatever it raises is a finding."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    hostile: Callable[[int], Iterator[bytes]]


def read_message(data: bytes) -> None:
    """Parse a message, look at everything, write it, and parse that."""
    try:
        message = parse_message(data)
    except MessageError as error:
        if error.request is not None:
            error.request.create_response(error.status, to_tag="t").to_bytes()
        return
    _ = (message.via, message.from_, message.to, message.cseq, message.call_id, message.contacts, message.contact_star)
    _ = (message.route, message.record_route, message.content_type, message.expires, repr(message))
    written = message.to_bytes()
    # A Content-Length that was missing may make the largest message too large.
    if len(written) <= MAX_MESSAGE and parse_message(written).body != message.body:
        raise AssertionError("a message that was written reads differently")
    if isinstance(message, Request):
        _ = (message.request_uri, message.max_forwards)
        answer = message.create_response(200, to_tag="t").to_bytes()
        if len(answer) <= MAX_MESSAGE:
            parse_message(answer)


def read_stream(data: bytes) -> None:
    """Cut a stream into messages, in pieces of many lengths, and read each."""
    framer, at, length = StreamFramer(), 0, 1
    while at < len(data):
        try:
            frames = framer.feed(data[at : at + length])
        except MessageError:
            return
        for frame in frames:
            if isinstance(frame, bytes):
                read_message(frame)
        at += length
        length = min(length * 2, 4096)


def read_description(data: bytes) -> None:
    """Parse a session description, and answer it as an offer."""
    try:
        session = parse_sdp(data)
    except SdpError:
        return
    written = session.to_bytes()
    if len(written) <= MAX_SDP_LENGTH and parse_sdp(written) != session:
        raise AssertionError("a description that was written reads differently")
    local = LocalMedia(HERE.host, 4000, codecs_named(("G722", "PCMA", "PCMU")))
    try:
        OfferAnswer(local, 1, KeyRules(Srtp.OPTIONAL, keys_allowed=True, entropy=bytes)).receive_offer(data)
    except RemoteProtocolError:
        return


def _register(data: bytes) -> tuple[Request, str]:
    """Return a REGISTER, and the octets as a header field could hold them."""
    request = Request("REGISTER", "sip:home", Headers())
    for name, value in (("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:a@b>")):
        request.headers.add(name, value)
    request.headers.add("Call-ID", "c")
    request.headers.add("CSeq", "1 REGISTER")
    return request, data.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")


def read_challenge(data: bytes) -> None:
    """Answer a challenge, where that can be done."""
    request, text = _register(data)
    response = request.create_response(401)
    response.headers.add("WWW-Authenticate", text)
    client = DigestClient(Credentials("user", "secret"), bytes)
    try:
        client.challenged(response)
    except AuthenticationError:
        return
    client.authorize(request)


def read_login(data: bytes) -> None:
    """Check a login, and read what a server tells of the next one."""
    request, text = _register(data)
    request.headers.set("Authorization", text)
    DigestServer("home", "SHA-256", bytes).verify(request, lambda _user: "secret", 0.0)
    response = request.create_response(200)
    response.headers.add("Authentication-Info", text)
    DigestClient(Credentials("user", "secret"), bytes).succeeded(request, response)


def read_event(data: bytes) -> None:
    """Read the body of a notification, as every kind that there is."""
    for parse in (parse_message_summary, parse_dialog_info, parse_presence):
        try:
            parse(data)
        except EventBodyError:
            continue


def read_stun(data: bytes) -> None:
    """Read an answer to a binding request."""
    try:
        parse_binding_response(data, TRANSACTION)
    except StunError:
        return


def read_rtp(data: bytes) -> None:
    """Read a packet of voice, and its payload as a digit."""
    try:
        parse_event(parse_packet(data).payload)
    except PacketError:
        return


def read_rtcp(data: bytes) -> None:
    """Read a compound of reports, write it, and read that."""
    try:
        packets = parse_compound(data)
    except PacketError:
        return
    if packets:
        parse_compound(write_compound(packets))


def tell_agent(data: bytes) -> None:
    """Give a user agent a datagram of a peer that it listens to; nothing may be raised."""
    agent = UserAgent(Account(number="bob", domain="pbx.example"), entropy=bytes)
    agent.receive(data, Hop(PEER, HERE), 0.0)
    agent.sends()
    for event in agent.events():
        repr(event)
    agent.handle_timer(100.0)


def torture() -> list[bytes]:
    """Return the messages of RFC 4475 and RFC 5118."""
    return [path.read_bytes() for path in sorted(TORTURE.glob("*.sip"))]


def _reports() -> list[bytes]:
    return [write_compound([ReceiverReport(1, ()), SourceDescription(1, "cname"), Goodbye((1,), "bye")])]


TARGETS = {
    target.name: target
    for target in (
        Target(name="message", run=read_message, seeds=torture, hostile=hostile.messages),
        Target(name="stream", run=read_stream, seeds=torture, hostile=hostile.messages),
        Target(
            name="sdp",
            run=read_description,
            seeds=lambda: [
                hostile.SDP_HEAD + b"a=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendonly\r\na=rtcp:6001\r\n",
                hostile.SDP_HEAD.replace(b"AVP", b"SAVP") + CRYPTO,
            ],
            hostile=hostile.descriptions,
        ),
        Target(name="challenge", run=read_challenge, seeds=lambda: [CHALLENGE, b"Basic a"], hostile=hostile.challenges),
        Target(name="login", run=read_login, seeds=lambda: [LOGIN], hostile=hostile.challenges),
        Target(name="event", run=read_event, seeds=lambda: list(hostile.EVENT_BODIES), hostile=hostile.documents),
        Target(name="stun", run=read_stun, seeds=lambda: [STUN], hostile=lambda size: hostile.binaries(size, STUN)),
        Target(
            name="rtp",
            run=read_rtp,
            seeds=lambda: [RTP, b"\xb0" + RTP[1:]],
            hostile=lambda size: hostile.binaries(size, RTP[:12], b"\xbf" + RTP[1:12]),
        ),
        Target(
            name="rtcp", run=read_rtcp, seeds=_reports, hostile=lambda size: hostile.binaries(size, b"", *_reports())
        ),
        Target(name="agent", run=tell_agent, seeds=torture, hostile=hostile.messages),
        Target(
            name="calls",
            run=conversation.converse,
            seeds=conversation.seeds,
            hostile=lambda size: hostile.binaries(size, *conversation.seeds()),
        ),
    )
}
