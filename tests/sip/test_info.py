"""DTMF digits in INFO requests, both ways (RFC 6086, application/dtmf-relay and application/dtmf)."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.address import Hop
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import DigitMethod, DigitReceived, DigitsRefused
from custom_components.sip_ua.sip.info import DIGITS, DTMF, DTMF_RELAY, check_digits, parse_dtmf, write_dtmf
from custom_components.sip_ua.sip.message import Request, parse_message

from .agents import ALICE, BOB
from .link import Faults
from .test_agent_calls import Pair


def received(pair: Pair) -> str:
    return "".join(event.digit for event in pair.bob.events(DigitReceived))


def info_requests(pair: Pair) -> list[Request]:
    requests = [parse_message(passage.data) for passage in pair.link.sent("INFO", ALICE)]
    return [request for request in requests if isinstance(request, Request)]


def test_digits_are_sent_one_after_the_other_with_their_time_and_pause() -> None:
    pair = Pair()
    call_id, bobs = pair.talk()
    began = pair.link.now
    pair.alice.command("send_digits", call_id, "1a,#", 160, 100)
    pair.link.run_for(0.2)
    assert received(pair) == "1"
    pair.link.run_for(5)
    assert received(pair) == "1A#"
    told = pair.bob.events(DigitReceived)
    assert {(event.duration, event.method, event.call.id) for event in told} == {(160, DigitMethod.INFO, bobs)}
    moments = [passage.sent_at - began for passage in pair.link.sent("INFO", ALICE)]
    assert moments == pytest.approx([0.0, 0.26, 1.52], abs=0.03)
    assert info_requests(pair)[0].content_type == DTMF_RELAY
    assert info_requests(pair)[0].body == b"Signal=1\r\nDuration=160\r\n"


def test_through_5_percent_loss_no_digit_is_missed_or_doubled() -> None:
    pair = Pair(seed=3, faults=Faults(loss=0.05, duplication=0.02, reordering=0.05))
    call_id, _ = pair.talk()
    for _ in range(100):
        pair.alice.command("send_digits", call_id, DIGITS, 100, 60)
        pair.link.run_for(10)
    pair.link.run_for(60)
    assert received(pair) == 100 * DIGITS
    assert not pair.alice.events(DigitsRefused)


def answer_info_by(pair: Pair, status: int, *, only: str | None = None) -> None:
    """Have Bob refuse INFO, or those of one content type only."""
    deliver = pair.bob.agent.receive

    def receive(data: bytes, hop: Hop, now: float, *, late: float | None = None) -> None:
        message = parse_message(data)
        if isinstance(message, Request) and message.method == "INFO" and only in (None, message.content_type):
            answer = message.create_response(status, "No").to_bytes()
            pair.link.after(0.001, lambda later: pair.alice.deliver(answer, BOB, later))
            return
        deliver(data, hop, now, late=late)

    pair.bob.agent.receive = receive  # type: ignore[method-assign]


def test_a_far_end_that_knows_only_the_other_format_gets_that() -> None:
    pair = Pair()
    call_id, _ = pair.talk()
    answer_info_by(pair, 415, only=DTMF_RELAY)
    pair.alice.command("send_digits", call_id, "42", 100, 60)
    pair.link.run_for(3)
    assert received(pair) == "42"
    assert [request.content_type for request in info_requests(pair)] == [DTMF_RELAY, DTMF, DTMF]


@pytest.mark.parametrize("status", [405, 415, 501, 603])
def test_what_the_far_end_does_not_take_is_told_with_all_that_waits(status: int) -> None:
    pair = Pair()
    call_id, _ = pair.talk()
    answer_info_by(pair, status)
    pair.alice.command("send_digits", call_id, "123", 100, 60)
    pair.link.run_for(3)
    (refused,) = pair.alice.events(DigitsRefused)
    assert (refused.digits, refused.code, refused.call.id) == ("123", status, call_id)
    pair.alice.command("send_digits", call_id, "4", 100, 60)
    pair.link.run_for(3)
    assert [event.digits for event in pair.alice.events(DigitsRefused)] == ["123", "4"]


def test_no_answer_at_all_is_told_as_well() -> None:
    pair = Pair()
    call_id, _ = pair.talk()
    pair.link.lose(lambda passage: passage.label == "INFO", times=100)
    pair.alice.command("send_digits", call_id, "12", 100, 60)
    pair.link.run_for(40)
    (refused,) = pair.alice.events(DigitsRefused)
    assert (refused.digits, refused.code) == ("12", 0)


def test_nothing_is_pressed_after_the_end_of_the_call() -> None:
    pair = Pair()
    call_id, _ = pair.talk()
    pair.alice.command("send_digits", call_id, "123456", 100, 60)
    pair.link.run_for(0.2)
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert received(pair) == "12"
    with pytest.raises(LocalProtocolError):
        pair.alice.command("send_digits", call_id, "1", 100, 60)


def test_a_call_that_is_not_answered_has_no_keys() -> None:
    pair = Pair()
    call_id = pair.ring()
    with pytest.raises(LocalProtocolError):
        pair.alice.command("send_digits", call_id, "1", 100, 60)


def test_whether_the_far_end_understands_messages_is_known_from_its_allow() -> None:
    pair = Pair()
    call_id, _ = pair.talk()
    assert pair.alice.agent.takes_info(call_id)


def test_too_many_digits_are_refused() -> None:
    pair = Pair()
    call_id, _ = pair.talk()
    for _ in range(4):
        pair.alice.command("send_digits", call_id, "1" * 64, 100, 60)
    with pytest.raises(LocalProtocolError):
        pair.alice.command("send_digits", call_id, "1" * 64, 100, 60)


@pytest.mark.parametrize("digits", ["", "x", "1 2", "1" * 65])
def test_what_is_no_digit_is_refused(digits: str) -> None:
    with pytest.raises(LocalProtocolError):
        check_digits(digits)


@given(st.sampled_from(DIGITS), st.integers(40, 9_999), st.sampled_from([DTMF, DTMF_RELAY]))
def test_what_is_written_is_read_as_it_was_meant(digit: str, duration: int, kind: str) -> None:
    found = parse_dtmf(request_with(kind, write_dtmf(kind, digit, duration)))
    assert found is not None
    assert found[0] == digit
    assert kind == DTMF or found[1] == duration


@given(st.binary(max_size=300), st.sampled_from([DTMF, DTMF_RELAY]))
def test_any_body_is_a_digit_or_none(body: bytes, kind: str) -> None:
    found = parse_dtmf(request_with(kind, body))
    assert found is None or (found[0] in DIGITS and 0 <= found[1] <= 10_000)


def request_with(kind: str, body: bytes) -> Request:
    head = (
        "INFO sip:bob@192.0.2.2 SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa",
        "From: <sip:alice@192.0.2.1>;tag=1",
        "To: <sip:bob@192.0.2.2>;tag=2",
        "Call-ID: a",
        "CSeq: 2 INFO",
        "Max-Forwards: 70",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "\r\n",
    )
    request = parse_message("\r\n".join(head).encode() + body)
    assert isinstance(request, Request)
    return request
