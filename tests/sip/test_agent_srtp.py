"""Encrypted voice between two user agents (RFC 4568, RFC 8643): which way keys take, and all exchanges of a call."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest

from custom_components.sip_ua.sip.account import ReliableProvisional, Srtp, Transport
from custom_components.sip_ua.sip.address import Address, Send
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    CallStateChanged,
    EndedBy,
    IncomingCall,
    MediaChanged,
)
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.sdes import SUITES, carries_keys

from .agents import AgentEnd, direct_account, entropy, join
from .link import Link
from .responder import Responder, Script, answer

HERE, THERE = (Address(Transport.TLS, f"192.0.2.{number}", 5060) for number in (1, 2))
OPEN = Address(Transport.UDP, "192.0.2.2", 5060)
CM80 = "AES_CM_128_HMAC_SHA1_80"
KEYS = ("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC")
OPTIONAL, REQUIRED = {"srtp": Srtp.OPTIONAL}, {"srtp": Srtp.REQUIRED}
WITHOUT_TLS = {"srtp_without_tls": True}


class Pair:
    """Alice and Bob, their settings, and the transport between them."""

    def __init__(self, alice: dict[str, Any], bob: dict[str, Any], transport: Transport = Transport.TLS) -> None:
        self.link = Link()
        self.at = Address(transport, "192.0.2.1", 5060)
        self.there = Address(transport, "192.0.2.2", 5060)
        fields = {"transport": transport}
        self.alice = join(self.link, direct_account("alice", **(fields | alice)), self.at, 1)
        self.bob = join(self.link, direct_account("bob", **(fields | bob)), self.there, 2)

    def call(self, *, late_offer: bool = False) -> str:
        call_id = self.alice.dial(f"sip:bob@{self.there.host}", late_offer=late_offer)
        self.link.run_for(1)
        return call_id

    def talk(self, *, late_offer: bool = False) -> tuple[str, str]:
        call_id = self.call(late_offer=late_offer)
        self.bob.command("answer", self.bob.incoming.id, self.bob.media)
        self.link.run_for(1)
        assert self.alice.agent.calls[call_id].state is CallState.TALKING
        return call_id, self.bob.incoming.id

    @property
    def encrypted(self) -> bool:
        """Whether both ends encrypt, and each decrypts with the key of the other."""
        here, there = self.alice.voice, self.bob.voice
        assert here is not None
        assert there is not None
        if here.security is None:
            assert there.security is None
            return False
        assert there.security is not None
        assert here.security.local_key == there.security.remote_key
        assert here.security.remote_key == there.security.local_key
        return True

    @property
    def keys_on_the_wire(self) -> bool:
        return any(carries_keys(passage.data) for passage in self.link.transcript)


@pytest.mark.parametrize("late_offer", [False, True])
@pytest.mark.parametrize(
    ("alice", "bob", "encrypted"),
    [
        (OPTIONAL, OPTIONAL, True),
        (REQUIRED, OPTIONAL, True),
        (OPTIONAL, REQUIRED, True),
        (REQUIRED, REQUIRED, True),
        (OPTIONAL, {}, False),
        ({}, OPTIONAL, False),
    ],
)
def test_over_tls_voice_is_encrypted_where_both_can(
    alice: dict[str, Any], bob: dict[str, Any], encrypted: bool, late_offer: bool
) -> None:
    pair = Pair(alice, bob)
    alices, bobs = pair.talk(late_offer=late_offer)
    assert pair.encrypted is encrypted
    for end, call_id in ((pair.alice, alices), (pair.bob, bobs)):
        assert end.agent.calls[call_id].encrypted is encrypted
        (talking,) = [event for event in end.events(CallStateChanged) if event.call.state is CallState.TALKING]
        # Who makes the offer in the answer learns with the ACK what became of it.
        assert talking.call.encrypted is (encrypted and not (late_offer and end is pair.bob))
    pair.alice.command("hangup", alices)
    pair.link.run_until_quiet()
    assert pair.alice.ended.encrypted is pair.bob.ended.encrypted is encrypted


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("late_offer", [False, True])
def test_without_tls_no_key_leaves_unless_the_owner_says_so(transport: Transport, late_offer: bool) -> None:
    pair = Pair(OPTIONAL, OPTIONAL, transport)
    pair.talk(late_offer=late_offer)
    assert not pair.encrypted
    assert not pair.keys_on_the_wire
    allowed = Pair(OPTIONAL | WITHOUT_TLS, OPTIONAL | WITHOUT_TLS, transport)
    allowed.talk(late_offer=late_offer)
    assert allowed.encrypted


def test_without_tls_an_offered_key_is_not_taken_and_none_is_answered() -> None:
    pair = Pair(OPTIONAL | WITHOUT_TLS, OPTIONAL, Transport.UDP)
    pair.talk()
    assert not pair.encrypted
    assert carries_keys(pair.link.sent("INVITE")[0].data)
    assert not carries_keys(pair.link.sent("200", pair.there)[0].data)


def test_without_tls_a_call_that_must_be_encrypted_is_not_placed() -> None:
    pair = Pair(REQUIRED, REQUIRED, Transport.UDP)
    pair.call()
    ended = pair.alice.ended
    assert (ended.outcome, ended.ended_by) == (CallOutcome.FAILED, EndedBy.LOCAL)
    assert (ended.code, ended.reason) == (488, "encrypted voice needs TLS")
    assert pair.link.transcript == []
    assert pair.alice.agent.idle


@pytest.mark.parametrize("late_offer", [False, True])
def test_without_tls_a_call_that_must_be_encrypted_is_refused_with_a_warning(late_offer: bool) -> None:
    pair = Pair(OPTIONAL | WITHOUT_TLS, REQUIRED, Transport.UDP)
    pair.call(late_offer=late_offer)
    assert pair.bob.events(IncomingCall) == []
    assert pair.alice.ended.code == 488
    assert b'Warning: 302 sip "encrypted voice needs TLS"' in pair.link.sent("488")[0].data
    assert not carries_keys(pair.link.sent("488")[0].data)


@pytest.mark.parametrize(
    ("alice", "bob", "warning"),
    [
        ({}, REQUIRED, b'302 sip "the voice must be encrypted"'),
        (REQUIRED, {}, b'302 sip "encrypted voice is not available"'),
        (
            REQUIRED | {"srtp_suites": (CM80,)},
            OPTIONAL | {"srtp_suites": ("AEAD_AES_128_GCM",)},
            b'306 sip "no crypto suite of the offer is available"',
        ),
    ],
)
def test_what_cannot_be_agreed_on_never_rings_and_is_refused_with_a_warning(
    alice: dict[str, Any], bob: dict[str, Any], warning: bytes
) -> None:
    pair = Pair(alice, bob)
    pair.call()
    assert pair.bob.events(IncomingCall) == []
    assert b"Warning: " + warning in pair.link.sent("488")[0].data
    assert pair.alice.ended.code == 488
    assert not pair.alice.ended.encrypted


def test_an_answer_in_the_clear_ends_a_call_that_must_be_encrypted() -> None:
    pair = Pair(REQUIRED, {})
    pair.call(late_offer=True)
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(5)
    assert pair.alice.ended.reason == "the voice must be encrypted"
    assert not pair.bob.agent.calls


@pytest.mark.parametrize("reliable", list(ReliableProvisional))
def test_early_media_is_encrypted_too_and_the_answer_keeps_its_keys(reliable: ReliableProvisional) -> None:
    settings = REQUIRED | {"reliable_provisional": reliable}
    pair = Pair(settings, settings)
    call_id = pair.call()
    pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[call_id].state is CallState.EARLY
    early = pair.alice.voice
    assert early is not None
    assert early.security is not None
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.encrypted
    assert pair.alice.voice == early


def test_hold_resume_and_refresh_keep_the_keys() -> None:
    pair = Pair(OPTIONAL, REQUIRED)
    alices, bobs = pair.talk()
    assert pair.alice.voice is not None
    before = pair.alice.voice.security
    for end, call_id in ((pair.alice, alices), (pair.bob, bobs)):
        for command in ("hold", "resume"):
            end.command(command, call_id)
            pair.link.run_for(5)
            assert pair.encrypted
            assert pair.alice.voice.security == before
    pair.link.run_for(4000)
    assert pair.alice.agent.calls[alices].state is CallState.TALKING
    assert pair.alice.voice.security == before


def fork_body(port: int, key: str, profile: str = "RTP/AVP") -> bytes:
    return (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
        f"m=audio {port} {profile} 8\r\na=crypto:1 {CM80} inline:{key}\r\n"
    ).encode()


def with_key(request: Request, status: int, tag: str, port: int, key: str, profile: str = "RTP/AVP") -> bytes:
    body = fork_body(port, key, profile)
    plain = answer(request, status, tag).replace(b"Content-Length: 0", b"Content-Length: %d" % len(body))
    return plain.replace(b"\r\n\r\n", b"\r\nContent-Type: application/sdp\r\n\r\n") + body


class Caller:
    """Alice, who wants encrypted voice, and a far end over TLS that plays a script."""

    def __init__(self, script: Script, **changes: object) -> None:
        self.link = Link()
        account = direct_account("alice", transport=Transport.TLS, **changes)
        self.alice = AgentEnd(UserAgent(account, entropy=entropy(1)), HERE, self.link)
        # There is also a way to a far end that names a transport of its own.
        ways = HERE, replace(HERE, transport=Transport.UDP)
        self.link.join(self.alice.agent, *ways, deliver=self.alice.deliver, react=self.alice.react)
        self.far = Responder(self.link, THERE, script, OPEN)
        self.call_id = self.alice.dial(f"sip:bob@{THERE.host}")

    @property
    def heard(self) -> list[tuple[int, str]]:
        """Ports and keys that voice was expected from."""
        media = [change.media for change in self.alice.events(MediaChanged) if change.media is not None]
        keys = [b"" if one.security is None else one.security.remote_key for one in media]
        return [(one.remote_port, b64encode(key).decode()) for one, key in zip(media, keys, strict=True)]


def test_each_phone_that_rings_is_heard_with_its_own_key() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [answer(request, 200, "x")]
        return [
            with_key(request, 183, "one", 4000, KEYS[0]),
            with_key(request, 183, "two", 4002, KEYS[1]),
            with_key(request, 200, "two", 4002, KEYS[1]),
        ]

    caller = Caller(script, **OPTIONAL)
    caller.link.run_for(1)
    assert caller.heard == [(4000, KEYS[0]), (4002, KEYS[1])]
    sent_with = {
        change.media.security.local_key
        for change in caller.alice.events(MediaChanged)
        if change.media is not None and change.media.security is not None
    }
    assert len(sent_with) == 1


def insisting(status: int, **headers: str) -> Script:
    """Refuse every offer but one under the secure profile."""

    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [answer(request, 200, "x")]
        if b" RTP/SAVP " not in request.body:
            return [answer(request, status, "one", port=0, **headers)]
        return [with_key(request, 200, "one", 4000, KEYS[0], "RTP/SAVP")]

    return script


def profiles(caller: Caller) -> list[bytes]:
    """Return the profile of each offer, and check that keys were in it."""
    offers = [request.body for request in caller.far.asked if request.method == "INVITE"]
    assert all(carries_keys(body) for body in offers)
    return [re.findall(rb"m=audio \d+ (\S+) ", body)[0] for body in offers]


@pytest.mark.parametrize("status", [406, 415, 488, 606])
@pytest.mark.parametrize("warning", ["", '302 x "Incompatible transport protocol"', '399 x "no, really", 306 y "z"'])
def test_whoever_insists_on_the_secure_profile_is_offered_it_once(status: int, warning: str) -> None:
    caller = Caller(insisting(status, **({"Warning": warning} if warning else {})), **OPTIONAL)
    caller.link.run_for(2)
    assert profiles(caller) == [b"RTP/AVP", b"RTP/SAVP"]
    assert caller.alice.agent.calls[caller.call_id].encrypted
    first, second = (request for request in caller.far.asked if request.method == "INVITE")
    assert (second.call_id, second.cseq.number) == (first.call_id, first.cseq.number + 1)
    caller.alice.command("hold", caller.call_id)
    caller.link.run_for(2)
    assert profiles(caller)[2:] == [b"RTP/SAVP"], "it stays what was agreed on"


@pytest.mark.parametrize(
    ("settings", "status", "warning"),
    [
        (OPTIONAL, 488, '305 x "Incompatible media format"'),
        (OPTIONAL, 488, '399 x "miscellaneous", 301 x "Incompatible network address formats"'),
        (OPTIONAL, 486, ""),
        (OPTIONAL, 603, ""),
        (REQUIRED, 488, ""),
        ({}, 488, ""),
    ],
)
def test_another_refusal_is_a_refusal_and_what_must_be_encrypted_is_never_offered_plain(
    settings: dict[str, Any], status: int, warning: str
) -> None:
    def script(request: Request) -> list[bytes]:
        headers = {"Warning": warning} if warning else {}
        return [] if request.method == "ACK" else [answer(request, status, "one", port=0, **headers)]

    caller = Caller(script, **settings)
    caller.link.run_for(2)
    assert caller.far.methods() == ["INVITE", "ACK"]
    assert (b"RTP/SAVP" in caller.far.asked[0].body) is (settings == REQUIRED)
    assert caller.alice.ended.code == status


def test_whoever_refuses_both_profiles_is_not_asked_a_third_time() -> None:
    def script(request: Request) -> list[bytes]:
        return [] if request.method == "ACK" else [answer(request, 488, "one")]

    caller = Caller(script, **OPTIONAL)
    caller.link.run_for(40)
    assert profiles(caller) == [b"RTP/AVP", b"RTP/SAVP"]
    assert (caller.alice.ended.code, caller.alice.ended.outcome) == (488, CallOutcome.FAILED)


def test_without_keys_to_offer_there_is_no_second_attempt() -> None:
    pair = Pair(OPTIONAL, REQUIRED | WITHOUT_TLS, Transport.UDP)
    pair.call()
    assert len(pair.link.sent("INVITE")) == 1
    assert pair.alice.ended.code == 488
    assert not pair.keys_on_the_wire


def test_a_call_hung_up_meanwhile_is_not_offered_again() -> None:
    script = insisting(488)
    waiting: list[Request] = []

    def slow(request: Request) -> list[bytes]:
        if request.method == "INVITE":
            waiting.append(request)
            return [answer(request, 180, "one")]
        return [] if request.method == "ACK" else [answer(request, 200, "one"), *script(waiting[0])]

    caller = Caller(slow, **OPTIONAL)
    caller.link.run_for(1)
    caller.alice.command("hangup", caller.call_id)
    caller.link.run_for(2)
    assert profiles(caller) == [b"RTP/AVP"]
    assert caller.alice.ended.outcome is CallOutcome.CANCELLED


def test_a_key_of_the_answer_that_fits_none_of_ours_ends_the_call() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [answer(request, 200, "x")]
        return [with_key(request, 200, "one", 4000, "QUFB")]

    caller = Caller(script, **OPTIONAL)
    caller.link.run_for(1)
    assert caller.heard == []
    assert caller.far.methods() == ["INVITE", "ACK", "BYE"]
    assert caller.alice.ended.code == 488


def test_keys_do_not_follow_a_far_end_that_wants_requests_without_tls() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method == "ACK":
            return []
        if request.method != "INVITE":
            return [answer(request, 200, "x")]
        contact = f"Contact: <sip:one@{OPEN.host}:{OPEN.port};transport=udp>".encode()
        return [re.sub(rb"Contact: [^\r]*", contact, with_key(request, 200, "one", 4000, KEYS[0]))]

    caller = Caller(script, **OPTIONAL)
    caller.link.run_for(1)
    assert caller.alice.agent.calls[caller.call_id].encrypted
    assert [passage.destination for passage in caller.link.sent("ACK")] == [OPEN]
    caller.alice.command("hold", caller.call_id)
    caller.link.run_for(1)
    assert len(caller.link.sent("INVITE")) == 1
    assert caller.alice.ended.reason == "encrypted voice needs TLS"
    by_udp = [passage.data for passage in caller.link.transcript if passage.destination == OPEN]
    assert not any(carries_keys(data) for data in by_udp)


def agreeable(request: Request) -> list[bytes]:
    """Answer a call under the first key."""
    if request.method == "ACK":
        return []
    if request.method != "INVITE":
        return [answer(request, 200, "one")]
    return [with_key(request, 200, "one", 4000, KEYS[0])]


def offer_within(caller: Caller, method: str, body: bytes, transport: Transport) -> bytes:
    """Return a request of the far end inside the dialog of the call."""
    invite = caller.far.asked[0]
    head = (
        f"{method} sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/{transport.via} 192.0.2.2:5060;branch=z9hG4bK1\r\n"
        f"From: {invite.to};tag=one\r\nTo: {invite.from_}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 {method}\r\n"
        "Contact: <sip:one@192.0.2.2>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_new_key_of_theirs_is_taken_over_in_a_call_and_ours_stays(method: str) -> None:
    caller = Caller(agreeable, **REQUIRED)
    caller.link.run_for(1)
    caller.far.send(HERE, offer_within(caller, method, fork_body(4000, KEYS[1]), Transport.TLS))
    caller.link.run_for(1)
    assert caller.heard == [(4000, KEYS[0]), (4000, KEYS[1])]
    sent_with = [change.media for change in caller.alice.events(MediaChanged)]
    assert len({media.security.local_key for media in sent_with if media is not None and media.security}) == 1
    answered = caller.link.sent("200", HERE)[0]
    assert answered.data.count(b"a=crypto:1 " + CM80.encode()) == 1


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_call_that_must_be_encrypted_does_not_become_plain(method: str) -> None:
    caller = Caller(agreeable, **REQUIRED)
    caller.link.run_for(1)
    plain = b"\r\n".join(line for line in fork_body(4000, KEYS[1]).split(b"\r\n") if b"crypto" not in line)
    caller.far.send(HERE, offer_within(caller, method, plain, Transport.TLS))
    caller.link.run_for(1)
    assert b'Warning: 302 sip "the voice must be encrypted"' in caller.link.sent("488")[0].data
    assert caller.heard == [(4000, KEYS[0])]
    assert caller.alice.agent.calls[caller.call_id].encrypted


@pytest.mark.parametrize("offered", [True, False])
def test_what_comes_without_tls_cannot_take_the_keys_out_of_a_call(offered: bool) -> None:
    caller = Caller(agreeable, **REQUIRED)
    caller.link.run_for(1)
    body = fork_body(4000, KEYS[1]) if offered else b""
    request = offer_within(caller, "INVITE", body, Transport.UDP)
    caller.far.send(replace(HERE, transport=Transport.UDP), request)
    caller.link.run_for(1)
    assert not [passage for passage in caller.link.transcript if passage.destination == OPEN], "it gets no answer"
    caller.alice.command("hold", caller.call_id)
    caller.link.run_for(1)
    assert caller.alice.agent.calls[caller.call_id].state is CallState.HELD
    assert caller.heard[0] == (4000, KEYS[0])


def test_no_key_is_seen_in_what_is_told_or_shown() -> None:
    pair = Pair(REQUIRED, REQUIRED)
    pair.talk()
    written = re.findall(rb"inline:(\S+)", b"".join(passage.data for passage in pair.link.transcript))
    assert len(set(written)) == len(SUITES) + 1
    told = repr([*pair.alice.told, *pair.bob.told, Send(pair.at, pair.link.transcript[0].data)])
    for text in written:
        assert text.decode() not in told
        assert repr(b64decode(text)) not in told
