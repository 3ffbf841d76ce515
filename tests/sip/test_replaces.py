"""An INVITE that takes over a call of ours (RFC 3891 section 3; RFC 5407 for races)."""

import pytest

from custom_components.sip_ua.sip.events import CallEnded, CallReplaced, CallState, IncomingCall
from custom_components.sip_ua.sip.message import Request

from .agents import ALICE, BOB
from .link import Link
from .responder import SDP, Responder, answer
from .test_reliable import Called, Caller, ok_to_all
from .trio import CAROL

NEW_SDP = SDP.format(port=4400).replace("192.0.2.2", CAROL.host)


class Taker:
    """Carol, who sends an INVITE with Replaces written by hand."""

    def __init__(self, link: Link, at: str) -> None:
        self.link = link
        self.far = Responder(link, CAROL, ok_to_all)
        self.at = at

    def send(self, method: str, *headers: str, body: str = "", to_tag: str = "", cseq: int = 1) -> None:
        destination = BOB if self.at == "bob" else ALICE
        lines = [
            f"{method} sip:{self.at}@{destination.host} SIP/2.0",
            f"Via: SIP/2.0/UDP {CAROL.host}:5060;branch=z9hG4bKtake{method}{cseq}",
            "Max-Forwards: 70",
            "From: <sip:carol@carol.example>;tag=c",
            f"To: <sip:{self.at}@{destination.host}>{f';tag={to_tag}' if to_tag else ''}",
            "Call-ID: taken",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:carol@{CAROL.host}>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.far.send(destination, ("\r\n".join([*lines, "", ""]) + body).encode())
        self.link.run_for(0.1)

    @property
    def answers(self) -> list[str]:
        """Return the status codes that Carol got, without 100."""
        sent = [passage.label for passage in self.link.transcript if passage.destination == CAROL]
        return [label for label in sent if label.isdigit() and label != "100"]

    @property
    def tag(self) -> str:
        """Return the tag of the last answer."""
        data = next(passage.data for passage in reversed(self.link.transcript) if passage.destination == CAROL)
        return data.decode().split("To: ")[1].split("tag=")[1].split("\r\n")[0]


def answered() -> tuple[Called, Taker, str]:
    """Return Bob in a call with Alice, Carol, and the Replaces that names the call."""
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.bob.command("answer", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    tag = called.tag("200")
    called.send("ACK", 1, to_tag=tag)
    return called, Taker(called.link, "bob"), f"Replaces: c;to-tag={tag};from-tag=a"


def dialling() -> tuple[Caller, Taker, str]:
    """Return Alice who calls somebody whose phone rings, Carol, and the Replaces that names the call."""
    caller = Caller(lambda request: [answer(request, 180, "one")] if request.method == "INVITE" else ok_to_all(request))
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    replaces = f"Replaces: {invite.call_id};to-tag={invite.from_.tag};from-tag=one"
    return caller, Taker(caller.link, "alice"), replaces


def test_a_call_is_taken_over_without_ringing() -> None:
    called, taker, replaces = answered()
    call_id = called.bob.incoming.id
    taker.send("INVITE", replaces, body=NEW_SDP)
    assert taker.answers == ["200"]
    taker.send("ACK", to_tag=taker.tag)
    called.link.run_for(5)
    assert called.caller.methods()[-1] == "BYE", "who was there before is hung up"
    call = called.bob.agent.calls[call_id]
    assert call.remote.uri == "sip:carol@carol.example"
    assert call.sip_call_id == "taken"
    assert call.state is CallState.TALKING
    assert called.bob.voice is not None
    assert (called.bob.voice.remote_address, called.bob.voice.remote_port) == (CAROL.host, 4400)
    assert [event.previous.uri for event in called.bob.events(CallReplaced)] == ["sip:alice@alice.example"]
    assert len(called.bob.events(IncomingCall)) == 1
    assert not called.bob.events(CallEnded)


def test_a_call_that_was_taken_over_is_hung_up_once() -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", replaces, body=NEW_SDP)
    taker.send("ACK", to_tag=taker.tag)
    called.bob.command("hangup", called.bob.incoming.id)
    called.link.run_until_quiet()
    assert taker.far.methods() == ["BYE"]
    assert called.caller.methods() == ["BYE"]
    assert called.bob.ended.remote.uri == "sip:carol@carol.example"
    assert called.bob.agent.idle


def test_a_call_that_was_held_is_talked_on() -> None:
    called, taker, replaces = answered()
    called.bob.command("hold", called.bob.incoming.id)
    called.link.run_for(0.1)
    taker.send("INVITE", replaces, body=NEW_SDP)
    taker.send("ACK", to_tag=taker.tag)
    called.link.run_for(5)
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING


def test_an_offer_may_come_with_the_ack() -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", replaces)
    taker.send("ACK", body=NEW_SDP, to_tag=taker.tag)
    called.link.run_for(1)
    assert called.bob.voice is not None
    assert called.bob.voice.remote_address == CAROL.host


def test_a_call_that_we_place_is_taken_by_who_picks_it_up() -> None:
    caller, taker, replaces = dialling()
    taker.send("INVITE", f"{replaces};early-only", body=NEW_SDP)
    taker.send("ACK", to_tag=taker.tag)
    caller.link.run_for(1)
    assert taker.answers == ["200"]
    assert "CANCEL" in caller.far.methods()
    caller.far.send(ALICE, answer(caller.far.asked[0], 487, "one"))
    caller.link.run_for(5)
    call = caller.alice.agent.calls[caller.call_id]
    assert call.state is CallState.TALKING
    assert call.answered_by is not None
    assert call.answered_by.uri == "sip:carol@carol.example"
    assert not caller.alice.events(CallEnded)
    caller.alice.command("hangup", caller.call_id)
    caller.link.run_until_quiet()
    assert caller.alice.agent.idle


def test_a_call_that_rings_here_cannot_be_taken() -> None:
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    taker = Taker(called.link, "bob")
    taker.send("INVITE", f"Replaces: c;to-tag={called.tag('180')};from-tag=a", body=NEW_SDP)
    assert taker.answers == ["481"]
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.RINGING


def test_early_only_does_not_take_a_call_that_was_answered() -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", f"{replaces};early-only", body=NEW_SDP)
    assert taker.answers == ["486"]
    assert called.bob.agent.calls[called.bob.incoming.id].remote.uri == "sip:alice@alice.example"


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [("c;", "other;", "481"), ("from-tag=a", "from-tag=b", "481"), ("to-tag=", "to-tag=x", "481"), ("c;", ";", "400")],
)
def test_what_names_no_call_of_ours_is_refused(field: str, value: str, status: str) -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", replaces.replace(f" {field}", f" {value}").replace(f";{field}", f";{value}"), body=NEW_SDP)
    assert taker.answers == [status]
    assert called.bob.agent.calls[called.bob.incoming.id].remote.uri == "sip:alice@alice.example"


def test_two_calls_at_once_cannot_be_taken() -> None:
    _, taker, replaces = answered()
    taker.send("INVITE", replaces, replaces, body=NEW_SDP)
    assert taker.answers == ["400"]


def test_an_offer_that_does_not_fit_leaves_the_call_as_it_was() -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", replaces, body=NEW_SDP.replace("8", "9"))
    assert taker.answers == ["488"]
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING
    assert "BYE" not in called.caller.methods()


def test_the_bye_of_who_was_there_may_cross_ours() -> None:
    called, taker, replaces = answered()
    tag = called.tag("200")
    taker.send("INVITE", replaces, body=NEW_SDP)
    called.send("BYE", 2, to_tag=tag)
    taker.send("ACK", to_tag=taker.tag)
    called.link.run_for(5)
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING


def test_an_invite_that_comes_after_the_bye_is_declined() -> None:
    called, taker, replaces = answered()
    called.send("BYE", 2, to_tag=called.tag("200"))
    taker.send("INVITE", replaces, body=NEW_SDP)
    assert taker.answers == ["603"]


def test_an_invite_that_crosses_our_bye_is_declined() -> None:
    called, taker, replaces = answered()
    called.caller.script = lambda _request: []
    called.bob.command("hangup", called.bob.incoming.id)
    taker.send("INVITE", replaces, body=NEW_SDP)
    assert taker.answers == ["603"]


def test_a_200_that_crosses_the_cancel_of_a_taken_call_is_acknowledged_and_hung_up() -> None:
    caller, taker, replaces = dialling()

    def late(request: Request) -> list[bytes]:
        if request.method == "CANCEL":
            return [answer(request, 200, "one"), answer(caller.far.asked[0], 200, "one", port=4001)]
        return ok_to_all(request)

    caller.far.script = late
    taker.send("INVITE", replaces, body=NEW_SDP)
    taker.send("ACK", to_tag=taker.tag)
    caller.link.run_for(5)
    assert sorted(caller.far.methods()) == ["ACK", "BYE", "CANCEL", "INVITE"]
    assert caller.alice.agent.calls[caller.call_id].remote.uri == "sip:carol@carol.example"
    assert not caller.alice.events(CallEnded)


def test_a_cancel_that_crosses_our_200_changes_nothing() -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", replaces, body=NEW_SDP)
    tag = taker.tag
    taker.send("CANCEL")
    taker.send("ACK", to_tag=tag)
    called.link.run_for(5)
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING


def test_an_invite_that_is_never_acknowledged_ends_the_call() -> None:
    called, taker, replaces = answered()
    taker.send("INVITE", replaces, body=NEW_SDP)
    called.link.run_until_quiet()
    assert called.bob.ended.code == 408
    assert taker.far.methods() == ["BYE"]
