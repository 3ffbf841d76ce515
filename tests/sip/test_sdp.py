"""Session descriptions: tolerant reading, strict writing, and one error only (RFC 8866)."""

from time import perf_counter

import pytest
from hypothesis import example, given, strategies as st

from custom_components.sip_ua.sip.errors import SdpError
from custom_components.sip_ua.sip.sdp import (
    MAX_FORMATS,
    MAX_MEDIA,
    MAX_SDP_LENGTH,
    Attribute,
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
    address_type,
    decimal,
    parse_sdp,
)

RFC_8866 = b"""v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372/2 RTP/AVP 99
c=IN IP6 2001:db8::2
b=AS:128
a=rtpmap:99 h263-1998/90000
a=recvonly
"""


def test_the_example_of_the_standard_is_understood() -> None:
    session = parse_sdp(RFC_8866)
    assert session.origin == Origin("jdoe", "3724394400", "3724394405", "IP4", "198.51.100.1")
    assert session.name == "Call to John Smith"
    assert session.connection == Connection("IP4", "198.51.100.1")
    assert [(line.media, line.port, line.port_count) for line in session.media] == [
        ("audio", 49170, 1),
        ("audio", 49180, 1),
        ("video", 51372, 2),
    ]
    video = session.media[2]
    assert video.connection == Connection("IP6", "2001:db8::2")
    assert video.bandwidths == ("AS:128",)
    assert video.get("rtpmap") == "99 h263-1998/90000"
    assert video.has("recvonly")
    assert not session.has("recvonly")


def test_lines_are_written_in_the_order_of_the_grammar() -> None:
    session = SessionDescription(
        origin=Origin("-", "1", "2", "IP4", "192.0.2.1"),
        connection=Connection("IP4", "192.0.2.1"),
        bandwidths=("CT:64",),
        attributes=(Attribute("sendrecv"),),
        media=(MediaDescription("audio", 5004, "RTP/AVP", ("0",), attributes=(Attribute("ptime", "20"),)),),
    )
    assert session.to_bytes() == (
        b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nb=CT:64\r\nt=0 0\r\na=sendrecv\r\n"
        b"m=audio 5004 RTP/AVP 0\r\na=ptime:20\r\n"
    )


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_any_line_ending_is_read(ending: bytes) -> None:
    assert parse_sdp(RFC_8866.replace(b"\n", ending)) == parse_sdp(RFC_8866)


@pytest.mark.parametrize(
    "body",
    [
        b"v=0\nm=audio 5004 RTP/AVP 0\n",
        b"\r\nv=0\r\nm=audio 5004 RTP/AVP 0\r\n\r\n\0\0",
        b"v=0\no=broken\nx=unknown\nm=audio 5004 RTP/AVP 0",
        b"v=0\ns=\xff\xfe\nm=audio  5004  RTP/AVP  0 ",
    ],
    ids=["nothing but media", "blank lines and zeros", "broken origin and unknown line", "not UTF-8 and double spaces"],
)
def test_slips_of_real_devices_are_forgiven(body: bytes) -> None:
    (line,) = parse_sdp(body).media
    assert (line.media, line.port, line.protocol, line.formats) == ("audio", 5004, "RTP/AVP", ("0",))


def test_a_user_name_with_spaces_does_not_shift_the_origin() -> None:
    origin = parse_sdp(b"v=0\no=My Phone 12 13 IN IP4 192.0.2.1\n").origin
    assert origin == Origin("My_Phone", "12", "13", "IP4", "192.0.2.1")


def test_a_refused_line_may_lack_formats() -> None:
    assert parse_sdp(b"v=0\nm=video 0 RTP/AVP\n").media[0].formats == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"hello",
        b"v=1\r\n",
        b"s=-\r\nv=0\r\n",
        b"v=0\r\nno type\r\n",
        b"v=0\r\nm=audio\r\n",
        b"v=0\r\nm=audio x RTP/AVP 0\r\n",
        b"v=0\r\nm=audio -1 RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 65536 RTP/AVP 0\r\n",
        "v=0\r\nm=audio \u0661\u0662 RTP/AVP 0\r\n".encode(),
        b"v=0\r\nm=audio 5004/0 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4\r\n",
        b"v=0\r\nc=ATM NSAP 47.0091\r\n",
        b"v=0\r\n" + b"a=x\r\n" * 3000,
        b"v=0\r\n" + b"m=audio 1 RTP/AVP 0\r\n" * (MAX_MEDIA + 1),
        b"v=0\r\nm=audio 1 RTP/AVP" + b" 0" * (MAX_FORMATS + 1) + b"\r\n",
        b"v=0\r\na=" + b"x" * MAX_SDP_LENGTH,
    ],
)
def test_what_is_no_description_is_refused_with_488(body: bytes) -> None:
    with pytest.raises(SdpError) as caught:
        parse_sdp(body)
    assert caught.value.status == 488


@given(st.binary(max_size=400))
@example(b"o=a 1 1 IN IP4 b\0\x0b\0")
def test_any_bytes_parse_or_raise_the_one_error(body: bytes) -> None:
    for data in (body, b"v=0\r\n" + body, RFC_8866 + body):
        try:
            session = parse_sdp(data)
        except SdpError:
            continue
        assert parse_sdp(session.to_bytes()) == session


@given(st.lists(st.sampled_from([bytes([c]) for c in RFC_8866] + [b"\r\n", b"m=", b"a=", b"c=IN IP4 "]), max_size=80))
def test_any_mixture_of_its_own_characters_parses_or_raises_the_one_error(pieces: list[bytes]) -> None:
    try:
        session = parse_sdp(b"v=0\r\n" + b"".join(pieces))
    except SdpError:
        return
    assert parse_sdp(session.to_bytes()) == session


TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-./+", min_size=1, max_size=12)
TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
CONNECTIONS = st.none() | st.builds(Connection, st.sampled_from(["IP4", "IP6"]), TOKENS)
ATTRIBUTES = st.lists(st.builds(Attribute, TOKENS, st.none() | TEXTS), max_size=5).map(tuple)
MEDIA = st.builds(
    MediaDescription,
    TOKENS,
    st.integers(0, 65535),
    TOKENS,
    st.lists(TOKENS, max_size=6).map(tuple),
    st.integers(1, 9),
    CONNECTIONS,
    st.lists(TEXTS, max_size=2).map(tuple),
    ATTRIBUTES,
)
SESSIONS = st.builds(
    SessionDescription,
    st.none() | st.builds(Origin, TOKENS, TOKENS, TOKENS, TOKENS, TOKENS),
    TEXTS,
    CONNECTIONS,
    st.lists(TEXTS, max_size=2).map(tuple),
    st.lists(TEXTS, min_size=1, max_size=2).map(tuple),
    ATTRIBUTES,
    st.lists(MEDIA, max_size=4).map(tuple),
)


@given(SESSIONS)
def test_what_was_written_reads_back_the_same(session: SessionDescription) -> None:
    assert parse_sdp(session.to_bytes()) == session


def test_reading_takes_time_in_proportion_to_size() -> None:
    def seconds(size: int) -> float:
        body = b"v=0\r\nm=audio 1 RTP/AVP 0\r\na=" + b":a=" * (size // 3)
        start = perf_counter()
        for _ in range(20):
            parse_sdp(body)
        return perf_counter() - start

    seconds(6000)
    assert min(seconds(60000) for _ in range(3)) < 40 * min(seconds(6000) for _ in range(3))


def test_numbers_are_plain_decimal_and_bounded() -> None:
    assert decimal("007", 65535) == 7
    assert [decimal(text, 100) for text in ("", "-1", "+1", "1_0", "\u00b2", "101", "0000000001")] == [None] * 7


def test_the_address_type_follows_from_the_address() -> None:
    assert [address_type("192.0.2.1"), address_type("2001:db8::1")] == ["IP4", "IP6"]
