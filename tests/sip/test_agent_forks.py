"""A caller against far ends that fork, redirect, send early media or answer too late (RFC 3261 section 13.2)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.events import CallOutcome, CallState, MediaChanged
from custom_components.sip_ua.sip.message import Request

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link
from .responder import Responder, Script, answer

BOB_URI = f"sip:bob@{BOB.host}"


class Caller:
    """Alice, and a far end that plays a script."""

    def __init__(self, script: Script, **changes: object) -> None:
        self.link = Link()
        self.alice: AgentEnd = join(self.link, direct_account("alice", **changes), ALICE)
        self.far = Responder(self.link, BOB, script)
        self.call_id = self.alice.dial(BOB_URI)

    def state(self) -> CallState:
        return self.alice.agent.calls[self.call_id].state


def ok_to_all(request: Request) -> list[bytes]:
    return [] if request.method == "ACK" else [answer(request, 200, "x")]


def test_the_first_fork_that_answers_wins_and_the_others_get_ack_and_bye() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        rings = [answer(request, 180, "one"), answer(request, 180, "two")]
        return [*rings, answer(request, 200, "two", port=4002), answer(request, 200, "one", port=4001)]

    caller = Caller(script)
    caller.link.run_for(2)
    assert caller.state() is CallState.TALKING
    assert caller.alice.voice is not None
    assert caller.alice.voice.remote_port == 4002
    acked = {request.to.tag for request in caller.far.asked if request.method == "ACK"}
    assert acked == {"one", "two"}
    assert [request.to.tag for request in caller.far.asked if request.method == "BYE"] == ["one"]


def test_a_repeated_200_gets_the_same_ack_again() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        return [answer(request, 200, "one", port=4001)] * 3

    caller = Caller(script)
    caller.link.run_for(2)
    acks = [request.to_bytes() for request in caller.far.asked if request.method == "ACK"]
    assert len(acks) == 3
    assert len(set(acks)) == 1


def test_ack_and_bye_follow_contact_and_record_route_of_the_200() -> None:
    proxies = "<sip:192.0.2.2:5060;lr>, <sip:edge.example;lr>"

    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        return [answer(request, 200, "one", port=4001, Record_Route=proxies)]

    caller = Caller(script)
    caller.alice.names["edge.example"] = [BOB]
    caller.link.run_for(1)
    caller.alice.command("hangup", caller.call_id)
    caller.link.run_for(1)
    for request in caller.far.asked[1:]:
        assert request.uri == "sip:one@192.0.2.2:5060"
        assert [str(route.uri) for route in request.route] == ["sip:edge.example;lr", "sip:192.0.2.2:5060;lr"]


def test_early_media_is_heard_before_the_answer() -> None:
    def script(request: Request) -> list[bytes]:
        return [answer(request, 183, "one", port=4001)] if request.method == "INVITE" else ok_to_all(request)

    caller = Caller(script)
    caller.link.run_for(1)
    assert caller.state() is CallState.EARLY
    assert caller.alice.voice is not None
    caller.far.send(ALICE, answer(caller.far.asked[0], 200, "one", port=4001))
    caller.link.run_for(1)
    assert caller.state() is CallState.TALKING
    assert len(caller.alice.events(MediaChanged)) == 1, "the same voice goes on"


def test_a_200_after_everybody_gave_up_is_acknowledged_and_hung_up() -> None:
    caller = Caller(lambda request: ok_to_all(request) if request.method == "BYE" else [])
    caller.link.run_for(33)
    assert caller.alice.ended.outcome is CallOutcome.UNREACHABLE
    caller.far.send(ALICE, *[answer(caller.far.asked[0], 200, "late", port=4001)] * 2)
    caller.link.run_for(2)
    assert caller.far.methods()[-3:].count("ACK") == 2
    assert caller.far.methods().count("BYE") == 1


def missed_call() -> Caller:
    """Return a call that nobody answered in time."""
    caller = Caller(lambda request: ok_to_all(request) if request.method == "BYE" else [])
    caller.link.run_for(33)
    return caller


def hung_up(caller: Caller) -> tuple[int, int]:
    """Return how many ACK and BYE left for anywhere."""
    return len(caller.link.sent("ACK", ALICE)), len(caller.link.sent("BYE", ALICE))


def test_few_phones_that_answer_too_late_are_hung_up() -> None:
    caller = missed_call()
    late = [answer(caller.far.asked[0], 200, f"late{number}", port=4001) for number in range(2000)]
    caller.far.send(ALICE, *late)
    caller.link.run_for(20)
    assert hung_up(caller) == (16, 16)


def test_what_answers_too_late_from_elsewhere_is_ignored() -> None:
    caller = missed_call()
    elsewhere = Responder(caller.link, replace(BOB, host="192.0.2.66"), ok_to_all)
    elsewhere.send(ALICE, answer(caller.far.asked[0], 200, "late", port=4001))
    caller.link.run_for(5)
    assert hung_up(caller) == (0, 0)


def test_an_answer_long_after_the_call_is_ignored() -> None:
    caller = missed_call()
    caller.link.run_for(100)
    caller.far.send(ALICE, answer(caller.far.asked[0], 200, "late", port=4001))
    caller.link.run_for(5)
    assert hung_up(caller) == (0, 0)


def test_a_200_to_a_call_that_we_never_placed_is_ignored() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(1)
    forged = caller.far.asked[0].copy()
    forged.headers.set("Call-ID", "not-ours")
    forged.headers.set("Via", str(forged.via.with_param("branch", "z9hG4bKforged")))
    before = len(caller.far.asked)
    caller.far.send(ALICE, answer(forged, 200, "x", port=4001))
    caller.link.run_for(2)
    assert len(caller.far.asked) == before


def test_a_redirection_inside_our_domain_is_followed() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        if request.uri == BOB_URI:
            return [answer(request, 302, "x", Contact="<sip:cell@alice.example>")]
        return [answer(request, 200, "one", port=4001)]

    caller = Caller(script)
    caller.alice.names["alice.example"] = [BOB]
    caller.link.run_for(2)
    assert caller.state() is CallState.TALKING


def test_a_redirection_elsewhere_is_not_followed() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method == "INVITE":
            return [answer(request, 302, "x", Contact="<sip:900@premium.example>")]
        return ok_to_all(request)

    caller = Caller(script)
    caller.link.run_for(2)
    assert caller.alice.ended.code == 302
    assert caller.far.methods() == ["INVITE", "ACK"]


def test_a_longer_session_interval_is_granted() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        if request.headers.get("Session-Expires") == "1800":
            return [answer(request, 422, "x", Min_SE="3000")]
        return [answer(request, 200, "one", port=4001)]

    caller = Caller(script)
    caller.link.run_for(2)
    assert caller.state() is CallState.TALKING
    invites = [request for request in caller.far.asked if request.method == "INVITE"]
    assert [request.cseq.number for request in invites] == [1, 2]
    assert [request.headers.get("Session-Expires") for request in invites] == ["1800", "3000"]
    assert [request.headers.get("Min-SE") for request in invites] == ["90", "3000"]


def test_a_200_without_any_answer_is_hung_up() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(2)
    assert sorted(caller.far.methods()) == ["ACK", "BYE", "INVITE"]
    assert caller.alice.ended.code == 488


@pytest.mark.parametrize("reason", ['SIP;cause=200;text="Call completed elsewhere"', "SIP ; cause=200"])
def test_a_call_that_another_phone_took_is_not_missed(reason: str) -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    caller = Responder(link, ALICE, ok_to_all)
    text = (
        f"{{method}} {BOB_URI} SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bKa\r\nMax-Forwards: 70\r\n"
        f"From: <sip:alice@alice.example>;tag=a\r\nTo: <{BOB_URI}>\r\nCall-ID: c\r\nCSeq: 1 {{method}}\r\n{{more}}\r\n"
    )
    caller.send(BOB, text.format(method="INVITE", more=f"Contact: <sip:alice@{ALICE.host}>\r\n").encode())
    link.run_for(1)
    caller.send(BOB, text.format(method="CANCEL", more=f"Reason: {reason}\r\n").encode())
    link.run_for(1)
    assert bob.ended.outcome is CallOutcome.CANCELLED
    assert bob.ended.reason == "answered elsewhere"


@pytest.mark.parametrize("status", [407, 503])
def test_a_call_that_was_hung_up_is_not_sent_again(status: int) -> None:
    caller = Caller(lambda _request: [], password="secret")
    caller.alice.command("hangup", caller.call_id)
    caller.link.run_for(0.3)
    challenge = 'Digest realm="x", nonce="1"'
    caller.far.send(ALICE, answer(caller.far.asked[0], status, "x", Proxy_Authenticate=challenge))
    caller.link.run_for(10)
    assert len({request.cseq.number for request in caller.far.asked if request.method == "INVITE"}) == 1
    assert caller.alice.ended.outcome is CallOutcome.CANCELLED
