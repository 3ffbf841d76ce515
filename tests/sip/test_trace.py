"""A trace keeps the last messages without anything secret, in a bounded room."""

import re
import string

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, HostPort
from custom_components.sip_ua.sip.trace import (
    CALL_MESSAGES_MAX,
    CALLS_MAX,
    MESSAGE_OCTETS_MAX,
    OCTETS_MAX,
    OTHERS_MAX,
    Trace,
    start_line,
    without_secrets,
)
from custom_components.sip_ua.sip.trace_text import ladder, render

US = HostPort("192.0.2.7", 5060)
SERVER = Address(Transport.UDP, "192.0.2.1", 5060)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 8\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\n"
)


def request(method: str = "INVITE", call_id: str = "1@us", *, more: bytes = b"", body: bytes = b"") -> bytes:
    head = f"{method} sip:612@fritz.box SIP/2.0\r\nCall-ID: {call_id}\r\nCSeq: 7 {method}\r\n".encode()
    kind = b"Content-Type: application/sdp\r\n" if body else b""
    return head + kind + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def status(code: int, reason: str, call_id: str = "1@us", method: str = "INVITE") -> bytes:
    return f"SIP/2.0 {code} {reason}\r\ni:{call_id}\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n".encode()


def keep(trace: Trace, data: bytes, *, sent: bool = True, at: float = 1_795_348_800.0) -> None:
    trace.keep(data, SERVER, US, sent=sent, at=at)


# Secrets

SECRETS = st.text(alphabet=string.ascii_letters + string.digits, min_size=12, max_size=40).map(str.encode)
NAMES = st.sampled_from(["Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info"])
CASES = st.sampled_from([str.lower, str.upper, str.title, str.swapcase])
ENDS = st.sampled_from([b"\r\n", b"\n"])
SPACES = st.sampled_from([b"", b" ", b"\t", b"  "])


@given(secret=SECRETS, name=NAMES, case=CASES, end=ENDS, space=SPACES, folds=st.integers(0, 3), last=st.booleans())
def test_no_login_is_kept_however_it_is_written(
    secret: bytes, name: str, case: object, end: bytes, space: bytes, folds: int, last: bool
) -> None:
    assert callable(case)
    value = b"Digest " + b"".join(b'username="u",' + end + b" " for _ in range(folds)) + b'response="' + secret + b'"'
    field = case(name).encode() + space + b":" + space + value + end
    message = request(more=b"" if last else field).replace(b"\r\n", end)
    if last:
        message = message.replace(b"CSeq", field + b"CSeq")
    kept, hidden = without_secrets(message)
    assert secret not in kept
    assert b"[redacted]" in kept
    assert b"Call-ID: 1@us" in kept
    assert hidden == 0


@given(key=SECRETS, second=SECRETS, end=ENDS, case=CASES)
def test_no_key_of_a_voice_is_kept_and_the_length_stays(key: bytes, second: bytes, end: bytes, case: object) -> None:
    assert callable(case)
    inline = case("inline:").encode()
    body = (
        SDP
        + b"a=crypto:2 AES_256_CM_HMAC_SHA1_80 "
        + inline
        + key
        + b"|2^31;"
        + inline
        + second
        + b"\r\nk=clear:"
        + key
        + b"\r\na=key-mgmt:mikey "
        + key
        + b"\r\na=ice-pwd:"
        + second
        + b"\r\na=sendrecv\r\n"
    ).replace(b"\r\n", end)
    message = request(body=body)
    kept, hidden = without_secrets(message)
    assert key not in kept
    assert second not in kept
    assert b"WVNfX19" not in kept
    assert (len(kept), hidden) == (len(message), 0)
    assert b"a=sendrecv" in kept
    assert b"AES_CM_128_HMAC_SHA1_80" in kept


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: application/dtmf-relay\r\n",
        b"Content-Type: multipart/mixed;boundary=x\r\n",
        b"Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n",
        b"c: application/sdp\r\ne: gzip\r\n",
        b"",
    ],
)
def test_a_body_that_is_no_plain_description_is_left_out(head: bytes) -> None:
    message = b"INFO sip:612@h SIP/2.0\r\nCall-ID: 1@us\r\nCSeq: 1 INFO\r\n" + head + b"\r\nSignal=4711"
    kept, hidden = without_secrets(message)
    assert b"4711" not in kept
    assert hidden == len(b"Signal=4711")


def test_passwords_and_logins_in_addresses_are_left_out() -> None:
    more = b"Contact: <sip:620:pass%20word@192.0.2.7:5060>\r\n"
    more += b"Refer-To: <sip:1@h?Replaces=a&Authorization=Digest%20x1y>\r\n"
    kept, _ = without_secrets(request(more=more))
    assert b"pass%20word" not in kept
    assert b"x1y" not in kept
    assert b"<sip:620:[redacted]@192.0.2.7:5060>" in kept


def test_what_is_no_whole_message_keeps_no_secret_either() -> None:
    kept, _ = without_secrets(b"v=0\r\na=crypto:1 S inline:abcdefgh\r\nAuthorization: Digest abcdefgh\r\n")
    assert b"abcdefgh" not in kept


@given(data=st.binary(max_size=600))
def test_any_octets_can_be_kept_and_shown(data: bytes) -> None:
    trace = Trace()
    keep(trace, data)
    (message,) = trace
    assert len(message.data) + message.hidden + message.cut >= len(data) or b"[redacted]" in message.data
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f]", render("", tuple(trace))) is None
    assert start_line(message).isprintable()


@pytest.mark.parametrize(
    "hostile",
    [
        b"sip:" * 16_000,
        b"Authorization:" * 4_500,
        b"Authorization: x\r\n" + b" \r\n" * 20_000,
        b"a=crypto:1 inline:" * 3_500,
        b"\r\n" * 32_000,
        b"i:" * 32_000,
        b"cseq: " + b" \n" * 32_000,
        b"\r\nAuthorization" * 4_000,
    ],
)
def test_hostile_messages_cost_little(hostile: bytes) -> None:
    trace = Trace()
    for message in (hostile, request(body=SDP + hostile)):
        keep(trace, message)
    assert all(len(message.data) <= MESSAGE_OCTETS_MAX for message in trace)


# The ring


def test_calls_keep_their_messages_and_the_rest_stands_apart() -> None:
    trace = Trace()
    keep(trace, request("REGISTER", "r@us"))
    keep(trace, request())
    keep(trace, status(180, "Ringing"), sent=False)
    keep(trace, request("BYE"))
    keep(trace, status(200, "OK", "r@us", "REGISTER"), sent=False)
    assert [start_line(message) for message in trace.calls["1@us"].messages] == ["INVITE", "180 Ringing", "BYE"]
    assert [start_line(message) for message in trace.others] == ["REGISTER", "200 OK"]


def test_registering_over_and_over_pushes_no_call_out() -> None:
    trace = Trace()
    keep(trace, request())
    for _ in range(1000):
        keep(trace, request("REGISTER", "r@us"))
    assert len(trace.others) == OTHERS_MAX
    assert list(trace.calls) == ["1@us"]


def test_the_oldest_calls_go() -> None:
    trace = Trace()
    for number in range(CALLS_MAX + 5):
        keep(trace, request(call_id=f"{number}@us"))
    assert list(trace.calls) == [f"{number}@us" for number in range(5, CALLS_MAX + 5)]


def test_one_call_takes_no_more_than_its_share() -> None:
    trace = Trace()
    for _ in range(CALL_MESSAGES_MAX + 7):
        keep(trace, request())
    call = trace.calls["1@us"]
    assert (len(call.messages), call.dropped) == (CALL_MESSAGES_MAX, 7)


@given(
    calls=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60_000), st.booleans()), max_size=60),
)
def test_the_room_is_bounded_whatever_comes(calls: list[tuple[int, int, bool]]) -> None:
    trace = Trace()
    for number, size, invites in calls:
        keep(trace, request("INVITE" if invites else "BYE", f"{number}@us", body=b"v" * size))
    kept = [message for call in trace.calls.values() for message in call.messages]
    assert sum(len(message.data) for message in kept) <= OCTETS_MAX
    assert len(trace.calls) <= CALLS_MAX
    assert len(trace.others) <= OTHERS_MAX


def test_strangers_push_no_call_out() -> None:
    trace = Trace(lambda host: host != SERVER.host)
    keep(trace, request())
    for number in range(100):
        keep(trace, request(call_id=f"{number}@stranger"), sent=False)
    assert list(trace.calls) == ["1@us"]


def test_what_is_kept_is_not_in_its_representation() -> None:
    trace = Trace()
    keep(trace, request())
    assert "INVITE" not in repr(trace.calls["1@us"].messages[0])


# The ladder


def test_a_call_is_shown_as_a_ladder() -> None:
    trace = Trace()
    steps = (
        (request(body=SDP), True, 0.0),
        (status(180, "Ringing"), False, 0.02),
        (status(200, "OK"), False, 1.5),
        (request("ACK"), True, 1.501),
        (request("BYE"), True, 4.0),
        (status(200, "OK", method="BYE"), False, 4.01),
    )
    for data, sent, after in steps:
        keep(trace, data, sent=sent, at=1_795_348_800.0 + after)
    assert ladder(trace.calls["1@us"].messages) == (
        "              us                                     far end\n"
        "              192.0.2.7:5060              192.0.2.1:5060 UDP\n"
        "12:00:00.000  |----------------- INVITE ------------------>|\n"
        "12:00:00.020  |<--------------- 180 Ringing ---------------|\n"
        "12:00:01.500  |<----------------- 200 OK ------------------|\n"
        "12:00:01.501  |------------------- ACK ------------------->|\n"
        "12:00:04.000  |------------------- BYE ------------------->|\n"
        "12:00:04.010  |<----------------- 200 OK ------------------|\n"
    )


def test_a_message_to_another_place_names_it() -> None:
    trace = Trace()
    keep(trace, request())
    trace.keep(
        request("ACK"), Address(Transport.TCP, "2001:db8::9", 5070), HostPort("2001:db8::7", 5060), sent=True, at=1.0
    )
    assert ladder(trace.calls["1@us"].messages).splitlines()[-1].endswith("|  [2001:db8::9]:5070 TCP")


def test_the_text_tells_what_was_left_out() -> None:
    trace = Trace()
    keep(trace, request(body=SDP))
    keep(trace, request("INFO", more=b"Content-Type: text/plain\r\n") + b"secret")
    keep(trace, request("INVITE", body=b"v" * 20_000))
    call = trace.calls["1@us"]
    text = render("Call-ID: 1@us", call.messages, dropped=2)
    assert text.startswith("Call-ID: 1@us\n2026-11-22 12:00:00 +0000, messages: 3, 2 more not kept\n")
    assert "[6 octets of the body were not kept]" in text
    assert "octets were cut off]" in text
    assert "secret" not in text
    assert render("Call-ID: none", ()) == "Call-ID: none\nno messages\n"
