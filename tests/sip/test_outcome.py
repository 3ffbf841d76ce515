"""Why a call ended, as Reason header fields say it (RFC 3326, ITU-T Q.850)."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.outcome import ANSWERED_ELSEWHERE, reason_of, sip_reason

from .agents import ALICE
from .test_agent_calls import BOB_URI, Pair

WORDS = 'the "echo", they \\ say; cause=200, SIP;cause=200'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('SIP;cause=486;text="Busy; really, \\"busy\\""', 'Busy; really, "busy"'),
        ('sip ; Cause = 480 ; TEXT = "gone"', "gone"),
        ("SIP;cause=486;text=Busy", "Busy"),
        ("SIP;cause=486", "Busy Here"),
        ("Q.850;cause=17", "user busy"),
        ("q.850 ; CAUSE=21", "call rejected"),
        ('Q.850;cause=17;text="besetzt"', "besetzt"),
        ("Q.850;cause=16", ""),
        ("Q.850;cause=16, SIP;cause=603", "Decline"),
        ("Q.850;cause=26", ANSWERED_ELSEWHERE),
        ('SIP;CAUSE=200;text="whatever"', ANSWERED_ELSEWHERE),
        ('SIP;cause=600;text="it was ;cause=200"', "it was ;cause=200"),
        ("preemption;cause=1", ""),
        ("Q.850;cause=99999999999999999999", ""),
        ("", ""),
    ],
)
def test_reasons_are_read_as_people_understand_them(value: str, text: str) -> None:
    assert reason_of(Headers((("Reason", value),))) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), min_size=1, max_size=100))
def test_what_we_say_is_read_as_we_meant_it(text: str) -> None:
    assert reason_of(Headers((("Reason", sip_reason(408, text)),))) == (text.strip() or "Request Timeout")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=200))
def test_nothing_that_a_peer_says_raises(value: str) -> None:
    assert len(reason_of(Headers((("Reason", value),)))) <= 128


def reason_header(pair: Pair, method: str) -> str | None:
    request = parse_message(pair.link.sent(method, ALICE)[0].data)
    assert isinstance(request, Request)
    return request.headers.get("Reason")


def test_a_bye_says_why_a_call_cannot_go_on() -> None:
    pair = Pair()
    call_id, _other = pair.talk()
    pair.alice.command("fail", call_id, 488, WORDS)
    pair.settle()
    assert reason_header(pair, "BYE") == 'SIP;cause=488;text="the \\"echo\\", they \\\\ say; cause=200, SIP;cause=200"'
    assert pair.bob.ended.reason == pair.alice.ended.reason == WORDS


def test_a_cancel_says_why_where_that_is_known() -> None:
    pair = Pair()
    pair.alice.command("fail", pair.ring(), 488, WORDS)
    pair.settle()
    assert pair.bob.ended.reason == WORDS


def test_a_cancel_says_that_nobody_answered() -> None:
    pair = Pair()
    pair.alice.dial(BOB_URI, ring_timeout=20)
    pair.settle()
    assert reason_header(pair, "CANCEL") == 'Q.850;cause=19;text="no answer"'
    assert pair.bob.ended.reason == "no answer"


def test_a_person_who_gives_up_needs_no_reason() -> None:
    pair = Pair()
    pair.alice.command("hangup", pair.ring())
    pair.settle()
    assert reason_header(pair, "CANCEL") is None
