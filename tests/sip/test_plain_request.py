"""The short way for plain requests: it says the very same as the full grammar, or nothing (RFC 3261 section 25)."""

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.sip_ua.sip.message import Request, parse_by_grammar, parse_message
from custom_components.sip_ua.sip.plain_request import read_plain_request

TORTURE = sorted((Path(__file__).parent / "torture").glob("*.sip"))
PLAIN = b"""\
INVITE sip:ha@192.0.2.1:5060;user=phone SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.2:5060;rport;branch=z9hG4bK1\r
Via: SIP/2.0/TCP phone.example;branch=z9hG4bK2\r
Record-Route: <sip:192.0.2.2;lr>\r
Record-Route: <sip:192.0.2.3;lr;ftag=1>\r
Max-Forwards: 70\r
From: "Grandma" <sip:grandma@example.org>;tag=1\r
To: ha <sip:ha@example.org>\r
Call-ID: 1@192.0.2.2\r
CSeq: 1 INVITE\r
Contact: <sip:grandma@192.0.2.2:5060>;+sip.instance="<urn:uuid:1>";q=0.5\r
Content-Type: application/sdp\r
Content-Length: 5\r
\r
v=0\r
"""
LINES = PLAIN.split(b"\r\n")
PIECES = (
    b' |\t|,|;|:|<|>|"|\\|\r|\n|\r\n|\r\n |\r\n\r\n|\n\n|=|*|@|%41|'
    b"\xff|\xc3\xa9|\0|0|7|sips:|tel:1|SIP/2.0|INVITE|"
    b"ACK|tag=2|;lr|[::1]|Contact: *\r\n|From: <sip:b>\r\n|l: 4\r\n|Expires: 1\r\nExpires: 2\r\n|X: y\r\n|"
    b"Route: <sip:a;lr>, <sip:b;lr>\r\n|Route: sip:a\r\n|Timestamp: 1\r\nTimestamp: 1\r\n"
).split(b"|")


def _says_the_same_or_nothing(data: bytes) -> bool:
    """Compare both ways, and return whether the short one was taken."""
    plain = read_plain_request(data)
    if plain is None:
        return False
    # What the full grammar refuses raises here.
    full = parse_by_grammar(data)
    short = Request(*plain)
    assert isinstance(full, Request)
    assert short == full
    assert (short.method, short.uri, short.body) == (full.method, full.uri, full.body)
    assert (short.request_uri, str(short.request_uri)) == (full.request_uri, str(full.request_uri))
    for name in ("via", "from_", "to", "call_id", "cseq", "contacts", "route", "record_route", "content_type"):
        assert getattr(short, name) == getattr(full, name)
        assert str(getattr(short, name)) == str(getattr(full, name))
    assert dict(short.headers) == dict(full.headers)
    assert all(short.headers.get(name) == full.headers.get(name) for name, _ in full.headers)
    return True


def test_a_request_as_telephones_write_it_is_plain() -> None:
    assert _says_the_same_or_nothing(PLAIN)


@pytest.mark.parametrize("path", TORTURE, ids=lambda path: path.stem)
def test_both_ways_agree_on_the_torture_messages(path: Path) -> None:
    data = path.read_bytes()
    if _says_the_same_or_nothing(data):
        assert isinstance(parse_message(data), Request)


@given(st.lists(st.tuples(st.integers(0, len(PLAIN)), st.integers(0, 12), st.sampled_from((b"", *PIECES))), max_size=3))
@settings(max_examples=600)
def test_both_ways_agree_on_what_is_cut_out_and_put_in(edits: list[tuple[int, int, bytes]]) -> None:
    data = PLAIN
    for place, length, piece in edits:
        data = data[:place] + piece + data[place + length :]
    _says_the_same_or_nothing(data)


@given(st.permutations(range(1, len(LINES) - 3)), st.sets(st.integers(1, len(LINES) - 4)), st.integers(0, 12))
@settings(max_examples=200)
def test_both_ways_agree_on_lines_that_change_places_are_missing_or_come_twice(
    order: list[int], left_out: set[int], doubled: int
) -> None:
    kept = [LINES[index] for index in order if index not in left_out or index == doubled]
    data = b"\r\n".join([LINES[0], *kept, *kept[:doubled][-1:], *LINES[-3:]])
    _says_the_same_or_nothing(data)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"sip:ha@", b"sip:ha:secret@"),
        (b"SIP/2.0\r\nVia", b"sip/2.0\r\nVia"),
        (b"Max-Forwards: 70", b"Max-Forwards: 70\r\nMax-Forwards: 69"),
        (b"CSeq: 1 INVITE", b"CSeq: 1 ACK"),
        (b"CSeq: 1 INVITE", b"CSeq: 4294967296 INVITE"),
        (b"Call-ID: 1@192.0.2.2", b"Call-ID: 1 2"),
        (b"Content-Length: 5", b"Content-Length: 4"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"To: ha ", b"To: ha\r\n "),
        (b"From: ", b"From : "),
        (b"Contact: ", b"Contact: *, "),
        (b"Contact: ", b"Contact: <sip:b@192.0.2.4>, "),
        (b"Via: SIP/2.0/UDP", b"Via: SIP/2.0/SCTP"),
    ],
)
def test_what_is_less_plain_is_left_to_the_full_grammar(before: bytes, after: bytes) -> None:
    assert before in PLAIN
    assert read_plain_request(PLAIN.replace(before, after, 1)) is None
