"""Provisional answers that are acknowledged, as caller and as called party (RFC 3262; RFC 5407 section 3 for races)."""

from typing import Any

import pytest

from custom_components.sip_ua.sip.account import ReliableProvisional
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, IncomingCall, MediaChanged
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.reliable import RAck, parse_rack

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Faults, Link
from .responder import SDP, Responder, Script, answer

BOB_URI = f"sip:bob@{BOB.host}"
REQUIRED = {"reliable_provisional": ReliableProvisional.REQUIRED}
OFF = {"reliable_provisional": ReliableProvisional.OFF}


class Pair:
    """Alice and Bob with their settings."""

    def __init__(
        self, alice: dict[str, Any] | None = None, bob: dict[str, Any] | None = None, *, seed: int = 0, **faults: Any
    ) -> None:
        self.link = Link(seed=seed, faults=Faults(**faults))
        self.alice = join(self.link, direct_account("alice", **(alice or {})), ALICE, seed=2 * seed + 1)
        self.bob = join(self.link, direct_account("bob", **(bob or {})), BOB, seed=2 * seed + 2)

    def ring(self) -> str:
        call_id = self.alice.dial(BOB_URI)
        self.link.run_until(lambda: "<ringing" in self.alice.ladder, within=60)
        return call_id

    def settle(self) -> None:
        self.link.run_until_quiet()
        for end in (self.alice, self.bob):
            assert not end.agent.calls
            assert end.agent.idle


class Caller:
    """Alice, and a far end that plays a script."""

    def __init__(self, script: Script, *, late_offer: bool = False, **changes: object) -> None:
        self.link = Link()
        self.alice: AgentEnd = join(self.link, direct_account("alice", **changes), ALICE)
        self.far = Responder(self.link, BOB, script)
        self.call_id = self.alice.dial(BOB_URI, late_offer=late_offer)

    def pracks(self) -> list[str]:
        return [request.headers.get("RAck") or "" for request in self.far.asked if request.method == "PRACK"]


def reliable(request: Request, status: int, rseq: int, tag: str = "one", *, port: int = 0) -> bytes:
    return answer(request, status, tag, port=port, Require="100rel", RSeq=str(rseq))


def ok_to_all(request: Request) -> list[bytes]:
    return [] if request.method in {"ACK", "INVITE"} else [answer(request, 200, "one")]


# As caller


def test_each_reliable_answer_is_acknowledged_once_and_in_order() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    first, second, third = (reliable(invite, 180, number) for number in (7, 8, 9))
    caller.far.send(ALICE, first, first)
    caller.link.run_for(0.1)
    caller.far.send(ALICE, third)
    caller.link.run_for(0.1)
    assert caller.pracks() == ["7 1 INVITE"], "what overtook its forerunner waits for its repetition"
    caller.far.send(ALICE, second)
    caller.link.run_for(0.1)
    caller.far.send(ALICE, third, second)
    caller.link.run_for(0.1)
    assert caller.pracks() == ["7 1 INVITE", "8 1 INVITE", "9 1 INVITE"]


def test_a_prack_goes_to_the_contact_along_the_recorded_route() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    route = f"<sip:{BOB.host}:5060;lr>"
    caller.far.send(ALICE, answer(caller.far.asked[0], 180, "one", Require="100rel", RSeq="1", Record_Route=route))
    caller.link.run_for(0.1)
    prack = caller.far.asked[-1]
    assert (prack.method, prack.uri, prack.cseq.number) == ("PRACK", "sip:one@192.0.2.2:5060", 2)
    assert prack.headers.get_all("Route") == [route]
    assert prack.to.tag == "one"


def test_every_fork_counts_its_own_reliable_answers() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, reliable(invite, 180, 5, "one"), reliable(invite, 180, 900, "two"))
    caller.link.run_for(0.1)
    assert sorted(caller.pracks()) == ["5 1 INVITE", "900 1 INVITE"]


def test_requests_after_a_prack_have_a_higher_sequence_number() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, reliable(invite, 180, 1))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, answer(invite, 200, "one", port=4001))
    caller.link.run_for(0.1)
    caller.alice.command("hangup", caller.call_id)
    caller.link.run_for(0.1)
    assert [(request.method, request.cseq.number) for request in caller.far.asked] == [
        ("INVITE", 1),
        ("PRACK", 2),
        ("ACK", 1),
        ("BYE", 3),
    ]


def test_an_answer_in_a_reliable_183_is_heard_and_not_wanted_again_in_the_200() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, reliable(invite, 183, 1, port=4001))
    caller.link.run_for(0.1)
    assert caller.alice.agent.calls[caller.call_id].state is CallState.EARLY
    caller.far.send(ALICE, answer(invite, 200, "one"))
    caller.link.run_for(0.1)
    assert caller.alice.agent.calls[caller.call_id].state is CallState.TALKING
    assert len(caller.alice.events(MediaChanged)) == 1


def test_the_200_of_another_fork_brings_the_voice_of_that_fork() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, reliable(invite, 183, 1, "one", port=4001), reliable(invite, 183, 1, "two", port=4002))
    caller.link.run_for(0.1)
    heard = caller.alice.voice
    assert heard is not None
    other = "two" if heard.remote_port == 4001 else "one"
    caller.far.send(ALICE, answer(invite, 200, other))
    caller.link.run_for(0.1)
    assert caller.alice.voice is not None
    assert caller.alice.voice.remote_port == (4002 if other == "two" else 4001)


@pytest.mark.parametrize("headers", [{"Require": "100rel"}, {"Require": "100rel", "RSeq": "x"}, {"RSeq": "3"}])
def test_an_answer_without_a_readable_number_is_not_acknowledged(headers: dict[str, str]) -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    response = parse_message(answer(caller.far.asked[0], 180, "one"))
    for name, value in headers.items():
        response.headers.add(name, value)
    caller.far.send(ALICE, response.to_bytes())
    caller.link.run_for(0.1)
    assert caller.far.methods() == ["INVITE"]


def test_a_reliable_answer_that_crosses_our_cancel_is_still_acknowledged() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, answer(invite, 100))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, reliable(invite, 180, 1))
    caller.alice.command("hangup", caller.call_id)
    caller.link.run_for(0.1)
    assert sorted(caller.far.methods()) == ["CANCEL", "INVITE", "PRACK"]
    caller.far.send(ALICE, answer(invite, 487, "one"))
    caller.link.run_for(0.1)
    assert caller.alice.ended.outcome is CallOutcome.CANCELLED


@pytest.mark.parametrize(
    ("setting", "supported", "required"),
    [(OFF, False, False), ({}, True, False), (REQUIRED, True, True)],
    ids=["off", "supported", "required"],
)
def test_the_account_says_what_our_invite_asks_for(setting: dict[str, Any], supported: bool, required: bool) -> None:
    caller = Caller(ok_to_all, **setting)
    caller.link.run_for(0.1)
    headers = caller.far.asked[0].headers
    assert ("100rel" in headers.split("Supported")) is supported
    assert ("100rel" in headers.split("Require")) is required


# The offer of the far end


def late() -> tuple[Caller, Request]:
    """Return Alice, who called without an offer, and her INVITE."""
    caller = Caller(ok_to_all, late_offer=True)
    caller.link.run_for(0.1)
    assert not caller.far.asked[0].body
    return caller, caller.far.asked[0]


def test_an_offer_in_a_reliable_183_is_answered_in_the_prack() -> None:
    caller, invite = late()
    caller.far.send(ALICE, reliable(invite, 183, 1, port=4001))
    caller.link.run_for(0.1)
    assert b"m=audio 40000" in caller.far.asked[-1].body
    assert caller.far.methods() == ["INVITE", "PRACK"]
    caller.far.send(ALICE, answer(invite, 200, "one"))
    caller.link.run_for(0.1)
    assert not caller.far.asked[-1].body
    assert caller.alice.agent.calls[caller.call_id].state is CallState.TALKING
    assert caller.alice.voice is not None
    assert caller.alice.voice.remote_port == 4001


def test_an_offer_in_the_200_is_answered_in_the_ack() -> None:
    caller, invite = late()
    caller.far.send(ALICE, answer(invite, 200, "one", port=4001))
    caller.link.run_for(0.1)
    assert caller.far.asked[-1].method == "ACK"
    assert b"m=audio 40000" in caller.far.asked[-1].body
    assert caller.alice.agent.calls[caller.call_id].state is CallState.TALKING


def test_an_offer_that_nobody_acknowledges_is_not_answered() -> None:
    caller, invite = late()
    caller.far.send(ALICE, answer(invite, 183, "one", port=4001))
    caller.link.run_for(0.1)
    assert not caller.alice.events(MediaChanged)
    caller.far.send(ALICE, answer(invite, 200, "one", port=4002))
    caller.link.run_for(0.1)
    assert caller.alice.voice is not None
    assert caller.alice.voice.remote_port == 4002


@pytest.mark.parametrize("port", [0, 4001])
def test_an_offer_that_cannot_be_answered_ends_the_call(port: int) -> None:
    caller, invite = late()
    offer = answer(invite, 200, "one", port=port)
    caller.far.send(ALICE, offer.replace(b"RTP/AVP 8", b"RTP/AVP 9").replace(b"rtpmap:8 PCMA", b"rtpmap:9 G722"))
    caller.link.run_for(0.1)
    assert sorted(caller.far.methods()[1:]) == ["ACK", "BYE"]
    assert caller.alice.ended.outcome is CallOutcome.ANSWERED
    assert caller.alice.ended.code == 488


def test_an_early_offer_that_cannot_be_answered_cancels_the_call() -> None:
    caller, invite = late()
    offer = reliable(invite, 183, 1, port=4001)
    caller.far.send(ALICE, offer.replace(b"RTP/AVP 8", b"RTP/AVP 9").replace(b"rtpmap:8 PCMA", b"rtpmap:9 G722"))
    caller.link.run_for(0.1)
    assert sorted(caller.far.methods()[1:]) == ["CANCEL", "PRACK"]


@pytest.mark.parametrize("seed", range(20))
def test_calls_without_an_offer_come_about_whatever_the_network_does(seed: int) -> None:
    pair = Pair(REQUIRED, seed=seed, loss=0.2, duplication=0.2, reordering=0.3, delay=(0.01, 0.3))
    call_id = pair.alice.dial(BOB_URI, late_offer=True)
    pair.link.run_until(lambda: bool(pair.bob.events(IncomingCall)), within=60)
    if seed % 2:
        pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_until(lambda: "<ack" in pair.bob.ladder, within=60)
    pair.link.run_for(3)
    assert pair.bob.voice is not None
    assert pair.bob.voice.remote_address == ALICE.host
    pair.alice.command("hangup", call_id)
    pair.settle()


# As called party


def test_ringing_is_acknowledged_where_the_caller_demands_it() -> None:
    pair = Pair(REQUIRED)
    call_id = pair.ring()
    pair.link.run_for(1)
    assert pair.link.labels() == ["INVITE", "180", "PRACK", "200"]
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert pair.link.labels()[4:] == ["200", "ACK", "BYE", "200"]


def test_ringing_is_not_acknowledged_where_the_caller_only_could() -> None:
    pair = Pair()
    pair.ring()
    pair.link.run_for(1)
    assert pair.link.labels() == ["INVITE", "180"]


def test_a_reliable_180_is_repeated_with_growing_gaps_until_its_prack() -> None:
    pair = Pair(REQUIRED)
    pair.link.lose("PRACK", times=3)
    pair.ring()
    pair.link.run_for(20)
    repeated = pair.link.sent("180")
    assert [round(passage.sent_at - repeated[0].sent_at, 1) for passage in repeated] == [0.0, 0.5, 1.5, 3.5]
    assert len({passage.data for passage in repeated}) == 1
    assert pair.alice.ladder.count("<ringing") == 1


def test_a_caller_that_acknowledges_nothing_is_refused_after_64_t1() -> None:
    pair = Pair(REQUIRED)
    pair.link.lose("PRACK", times=100)
    pair.ring()
    pair.link.run_for(31)
    assert not pair.link.sent("504")
    pair.link.run_for(2)
    assert pair.link.sent("504")
    pair.settle()
    assert pair.bob.ended.outcome is CallOutcome.FAILED


def test_the_minute_repetition_spares_an_acknowledged_answer() -> None:
    pair = Pair(REQUIRED, {"timing": direct_account("x").timing.__class__(ring_timeout=400)})
    pair.alice.agent.dial(BOB_URI, pair.alice.media, pair.link.now, ring_timeout=400)
    pair.alice.react(pair.link.now)
    pair.link.run_for(140)
    assert len(pair.link.sent("180")) == 1
    pair.link.run_for(100)
    numbers = [passage.data.split(b"RSeq: ")[1].split(b"\r\n")[0] for passage in pair.link.sent("180")]
    assert len(numbers) == 2
    assert int(numbers[1]) == int(numbers[0]) + 1
    assert len(pair.link.sent("PRACK")) == 2


def test_off_refuses_a_caller_that_demands_it() -> None:
    pair = Pair(REQUIRED, OFF)
    pair.alice.dial(BOB_URI)
    pair.settle()
    assert b"Unsupported: 100rel" in pair.link.sent("420")[0].data
    assert pair.alice.ended.code == 420


def test_required_refuses_a_caller_that_cannot() -> None:
    pair = Pair(OFF, REQUIRED)
    pair.alice.dial(BOB_URI)
    pair.settle()
    assert b"Require: 100rel" in pair.link.sent("421")[0].data
    assert pair.alice.ended.code == 421


def test_required_has_ringing_acknowledged_by_a_caller_that_can() -> None:
    pair = Pair({}, REQUIRED)
    pair.ring()
    pair.link.run_for(1)
    assert pair.link.labels() == ["INVITE", "180", "PRACK", "200"]


def test_early_media_of_ours_is_acknowledged_and_the_200_says_it_no_more() -> None:
    pair = Pair()
    call_id = pair.ring()
    pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[call_id].state is CallState.EARLY
    assert pair.bob.voice is not None
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[call_id].state is CallState.TALKING
    assert b"m=audio" not in pair.link.sent("200", BOB)[-1].data
    assert len(pair.alice.events(MediaChanged)) == len(pair.bob.events(MediaChanged)) == 1


def test_early_media_to_a_caller_without_prack_is_said_again_in_the_200() -> None:
    pair = Pair(OFF)
    pair.ring()
    pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.link.sent("183")[0].data.split(b"\r\n\r\n")[1] == pair.link.sent("200")[0].data.split(b"\r\n\r\n")[1]


def test_the_200_waits_for_the_prack_of_the_description() -> None:
    pair = Pair()
    pair.ring()
    pair.link.lose("PRACK", times=2)
    pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    with pytest.raises(LocalProtocolError):
        pair.bob.agent.answer(pair.bob.incoming.id, pair.bob.media, pair.link.now)
    pair.link.run_until(lambda: "<ack" in pair.bob.ladder)
    wire = pair.link.labels(BOB)
    assert wire.index("200") > wire.index("183")
    assert [step for step in pair.bob.ladder if step == ">ok"] == [">ok"]
    acked = next(passage.sent_at for passage in pair.link.sent("200", BOB) if b"PRACK" in passage.data)
    answered = next(passage.sent_at for passage in pair.link.sent("200", BOB) if b"1 INVITE" in passage.data)
    assert acked <= answered


def test_a_call_that_is_cancelled_while_its_answer_waits_is_missed() -> None:
    pair = Pair()
    call_id = pair.ring()
    pair.link.lose("PRACK", times=100)
    pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert pair.bob.ended.outcome is CallOutcome.MISSED
    assert pair.alice.ended.outcome is CallOutcome.CANCELLED


def test_a_prack_that_crosses_our_refusal_is_answered() -> None:
    pair = Pair(REQUIRED)
    pair.link.lose("PRACK")
    pair.ring()
    pair.bob.command("reject", pair.bob.incoming.id, 486)
    pair.settle()
    assert not pair.link.sent("481")
    assert pair.alice.ended.outcome is CallOutcome.BUSY
    assert len(pair.link.sent("180")) == 1, "a refused call is not repeated"


def test_a_200_that_crosses_the_prack_is_fine() -> None:
    pair = Pair(REQUIRED)
    pair.link.lose("PRACK")
    call_id = pair.ring()
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(5)
    assert not pair.link.sent("481")
    assert pair.alice.agent.calls[call_id].state is CallState.TALKING
    assert len(pair.link.sent("180")) == 1


def test_a_bye_while_a_prack_is_awaited_after_the_refusal_is_answered() -> None:
    called = Called()
    called.send("INVITE", 1, "Require: 100rel", body=SDP.format(port=4000))
    tag = called.tag("180")
    called.bob.command("reject", called.bob.incoming.id, 486)
    called.send("BYE", 2, to_tag=tag)
    assert called.link.labels(BOB)[-1] == "200"


class Called:
    """Bob, and a caller whose messages are written by hand."""

    content_type = "application/sdp"

    def __init__(self, **changes: object) -> None:
        self.link = Link()
        self.bob = join(self.link, direct_account("bob", **changes), BOB)
        self.caller = Responder(self.link, ALICE, ok_to_all)

    def send(self, method: str, cseq: int, *headers: str, body: str = "", to_tag: str = "", wait: float = 0.1) -> None:
        lines = [
            f"{method} {BOB_URI} SIP/2.0",
            f"Via: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bK{method}{cseq}",
            "Max-Forwards: 70",
            "From: <sip:alice@alice.example>;tag=a",
            f"To: <{BOB_URI}>{f';tag={to_tag}' if to_tag else ''}",
            "Call-ID: c",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:alice@{ALICE.host}>",
            *headers,
            *([f"Content-Type: {self.content_type}"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.caller.send(BOB, ("\r\n".join([*lines, "", ""]) + body).encode())
        self.link.run_for(wait)

    def tag(self, label: str) -> str:
        return self.link.sent(label, BOB)[-1].data.decode().split("To: ")[1].split("tag=")[1].split("\r\n")[0]

    def rseq(self, label: str) -> str:
        return self.link.sent(label, BOB)[-1].data.decode().split("RSeq: ")[1].split("\r\n")[0]


def test_our_offer_in_a_reliable_183_is_answered_in_the_prack() -> None:
    called = Called()
    called.send("INVITE", 1, "Require: 100rel")
    assert not called.link.sent("180"), "the first acknowledged answer has to hold the offer"
    called.bob.command("progress", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    assert b"m=audio" in called.link.sent("183")[0].data
    called.bob.command("answer", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    assert not called.link.sent("200")
    rack = f"RAck: {called.rseq('183')} 1 INVITE"
    called.send("PRACK", 2, rack, body=SDP.format(port=4004), to_tag=called.tag("183"))
    assert called.bob.voice is not None
    assert called.bob.voice.remote_port == 4004
    assert [b"m=audio" in passage.data for passage in called.link.sent("200", BOB)] == [False, False]
    called.send("ACK", 1, to_tag=called.tag("183"))
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING


def test_a_prack_without_the_answer_to_our_offer_ends_the_call() -> None:
    called = Called()
    called.send("INVITE", 1, "Require: 100rel")
    called.bob.command("progress", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    called.send("PRACK", 2, f"RAck: {called.rseq('183')} 1 INVITE", to_tag=called.tag("183"))
    assert [passage.label for passage in called.link.sent("488")] == ["488", "488"]
    assert called.bob.ended.outcome is CallOutcome.FAILED


def test_another_offer_in_the_prack_is_answered_in_its_200() -> None:
    called = Called()
    called.send("INVITE", 1, "Supported: 100rel", body=SDP.format(port=4000))
    called.bob.command("progress", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    rack = f"RAck: {called.rseq('183')} 1 INVITE"
    called.send("PRACK", 2, rack, body=SDP.format(port=4010), to_tag=called.tag("183"))
    assert b"m=audio 40000" in called.link.sent("200")[0].data
    assert called.bob.voice is not None
    assert called.bob.voice.remote_port == 4010


@pytest.mark.parametrize("demand", ["Supported: 100rel", "Require: 100rel"], ids=["of early voice", "of ringing"])
def test_a_prack_with_content_that_we_cannot_read_is_refused_with_what_we_can(demand: str) -> None:
    called = Called()
    called.send("INVITE", 1, demand, body=SDP.format(port=4000))
    if demand.startswith("Supported"):
        called.bob.command("progress", called.bob.incoming.id, called.bob.media)
        called.link.run_for(0.1)
    label = called.link.labels(BOB)[-1]
    called.content_type = "text/plain"
    called.send("PRACK", 2, f"RAck: {called.rseq(label)} 1 INVITE", to_tag=called.tag(label), body="hello")
    (refusal,) = called.link.sent("415", BOB)
    assert b"Accept: application/sdp" in refusal.data
    assert not called.bob.events(CallEnded)


def test_a_prack_for_nothing_gets_481_and_one_without_rack_400() -> None:
    called = Called()
    called.send("INVITE", 1, "Require: 100rel", body=SDP.format(port=4000))
    rseq = int(called.rseq("180"))
    called.send("PRACK", 2, f"RAck: {rseq + 1} 1 INVITE", to_tag=called.tag("180"))
    called.send("PRACK", 3, f"RAck: {rseq} 2 INVITE", to_tag=called.tag("180"))
    called.send("PRACK", 4, to_tag=called.tag("180"))
    called.send("PRACK", 5, f"RAck: {rseq} 1 INVITE", to_tag=called.tag("180"))
    called.send("PRACK", 6, f"RAck: {rseq} 1 INVITE", to_tag=called.tag("180"))
    refused = [label for label in called.link.labels(BOB) if label not in {"180", "100"}]
    assert refused == ["481", "481", "400", "200", "481"]


def test_early_media_needs_an_offer_or_a_caller_that_takes_one() -> None:
    called = Called()
    called.send("INVITE", 1)
    with pytest.raises(LocalProtocolError):
        called.bob.agent.progress(called.bob.incoming.id, called.bob.media, called.link.now)


@pytest.mark.parametrize(
    ("text", "rack"),
    [
        ("776656 1 INVITE", RAck(776656, 1, "INVITE")),
        ("1 INVITE", None),
        ("a 1 INVITE", None),
        ("99999999999 1 INVITE", None),
        (None, None),
    ],
)
def test_rack_is_read_or_refused(text: str | None, rack: RAck | None) -> None:
    assert parse_rack(text) == rack


@pytest.mark.parametrize("seed", range(40))
def test_acknowledged_calls_come_about_whatever_the_network_does(seed: int) -> None:
    pair = Pair(REQUIRED, seed=seed, loss=0.2, duplication=0.2, reordering=0.3, delay=(0.01, 0.3))
    call_id = pair.ring()
    if seed % 2:
        pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_until(lambda: ">ack" in pair.alice.ladder, within=60)
    pair.link.run_for(3)
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.ANSWERED
    assert pair.bob.ended.outcome is CallOutcome.ANSWERED
    assert pair.alice.ladder.count("<ringing") == 1
