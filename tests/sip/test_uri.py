"""URIs: read, written and compared."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings, strategies as st

from custom_components.sip_ua.sip.errors import MessageError
from custom_components.sip_ua.sip.params import NO_PARAMS, Params
from custom_components.sip_ua.sip.uri import OtherUri, SipUri, TelUri, Uri, parse_uri, uri_equal

from .wire import LINEAR, growth, uris


def sip(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:pbx.example", SipUri("sip", None, None, "pbx.example")),
        ("SIPS:bob@PBX.example:5061", SipUri("sips", "bob", None, "pbx.example", 5061)),
        ("sip:alice:secret@pbx.example", SipUri("sip", "alice", "secret", "pbx.example")),
        ("sip:alice:@pbx.example", SipUri("sip", "alice", "", "pbx.example")),
        ("sip:**610@fritz.box", SipUri("sip", "**610", None, "fritz.box")),
        ("sip:%2a98%23@pbx.example", SipUri("sip", "*98#", None, "pbx.example")),
        ("sip:j%40s0n@pbx.example", SipUri("sip", "j@s0n", None, "pbx.example")),
        ("sip:%C3%A4@pbx.example", SipUri("sip", "ä", None, "pbx.example")),
        ("sip:ä@pbx.example", SipUri("sip", "ä", None, "pbx.example")),
        ("sip:%E4@pbx.example", SipUri("sip", "\udce4", None, "pbx.example")),
        ("sip:100%@pbx.example", SipUri("sip", "100%", None, "pbx.example")),
        ("sip:%00@pbx.example", SipUri("sip", "\0", None, "pbx.example")),
        ("sip:a;b=c?d@pbx.example", SipUri("sip", "a;b=c?d", None, "pbx.example")),
        ("sip:[2001:DB8::1]:5060", SipUri("sip", None, None, "2001:db8::1", 5060)),
        ("sip:[2001:db8::10:5070]", SipUri("sip", None, None, "2001:db8::10:5070")),
        (
            "sip:bob@pbx.example;transport=TCP;lr",
            SipUri("sip", "bob", None, "pbx.example", None, Params([("transport", "TCP"), ("lr", None)])),
        ),
        ("sip:a@b;%6C%72", SipUri("sip", "a", None, "b", None, Params([("lr", None)]))),
        ("sip:a@b?x=y&z=1%202", SipUri("sip", "a", None, "b", headers="x=y&z=1%202")),
        ("tel:+49-30-1234", TelUri("+49-30-1234")),
        ("tel:110;phone-context=+49", TelUri("110", Params([("phone-context", "+49")]))),
        ("tel:*98#", TelUri("*98#")),
        ("mailto:a@b", OtherUri("mailto", "mailto:a@b")),
        ("urn:service:sos", OtherUri("urn", "urn:service:sos")),
    ],
)
def test_a_uri_is_read_and_written_as_it_was(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri
    assert str(parse_uri(text)) == text
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip",
        "pbx.example",
        ":x",
        "1sip:a@b",
        "sip:@b",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@b:0",
        "sip:a@b:99999",
        "sip:a@b;",
        "sip:a@b;;lr",
        "sip:a@b;=x",
        "sip:a b@c",
        "sip:a@b\r\nVia: x",
        "sip:a@b>",
        'sip:"a"@b',
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "tel:",
        "tel:abc xyz",
        "tel:+1;=",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        parse_uri(text)


@settings(deadline=None)
@given(uris)
def test_a_uri_that_is_written_is_read_as_the_same(uri: SipUri) -> None:
    assert parse_uri(str(uri)) == uri
    assert str(parse_uri(str(uri))) == str(uri)
    assert uri_equal(parse_uri(str(uri)), uri)


def test_what_is_typed_into_a_user_cannot_leave_it() -> None:
    uri = SipUri("sip", "x@evil.example;a?b>\r\nVia: \"'%41", "a:b@c", "pbx.example")
    assert str(uri) == "sip:x%40evil.example;a?b%3E%0D%0AVia%3A%20%22'%2541:a%3Ab%40c@pbx.example"
    assert parse_uri(str(uri)) == uri


def test_a_changed_uri_is_written_anew() -> None:
    uri = sip("sip:%61lice@PBX.example;lr")
    assert str(uri) == "sip:%61lice@PBX.example;lr"
    assert str(replace(uri, port=5080)) == "sip:alice@pbx.example:5080;lr"
    assert str(replace(uri, params=NO_PARAMS)) == "sip:alice@pbx.example"


def test_a_uri_keeps_its_password_out_of_its_repr() -> None:
    assert "secret" not in repr(SipUri("sip", "alice", "secret", "pbx.example"))


def test_properties_say_where_a_uri_leads() -> None:
    uri = sip("sips:bob@[2001:db8::1]:5061;transport=TCP;lr?Replaces=1%40x%3Bto-tag%3D2&Replaces=3")
    assert uri.secure
    assert uri.loose_router
    assert uri.transport == "tcp"
    assert uri.hostport == "[2001:db8::1]:5061"
    assert uri.header("replaces") == "1@x;to-tag=2"
    assert uri.header("Subject") is None
    assert not sip("sip:a@b").loose_router
    assert sip("sip:a@b").transport is None


EQUAL = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("sip:a@[2001:db8::1]", "sip:a@[2001:0db8:0:0::0001]"),
    ("tel:+49-30-1234", "tel:+49(30)12.34"),
    ("urn:service:sos", "urn:service:sos"),
]
DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
    ("sip:bob@biloxi.com", "sip:biloxi.com"),
    ("sip:a%3Bb@biloxi.com", "sip:a;b@biloxi.com"),
    ("sip:a:x@biloxi.com", "sip:a@biloxi.com"),
    ("tel:+4930", "tel:4930"),
    ("tel:110;phone-context=a.example", "tel:110;phone-context=b.example"),
    ("tel:110", "sip:110@pbx.example"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_these_uris_are_equal(one: str, other: str) -> None:
    assert uri_equal(parse_uri(one), parse_uri(other))
    assert uri_equal(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_these_uris_differ(one: str, other: str) -> None:
    assert not uri_equal(parse_uri(one), parse_uri(other))
    assert not uri_equal(parse_uri(other), parse_uri(one))


@pytest.mark.parametrize(
    ("start", "piece", "end"),
    [("sip:", "%41", "@b"), ("sip:a@b", ";a", ""), ("sip:a@b?", "a=b&", ""), ("tel:", "1", ""), ("sip:", "a", "")],
)
def test_reading_and_comparing_takes_linear_time(start: str, piece: str, end: str) -> None:
    def work(text: str) -> None:
        try:
            uri_equal(parse_uri(text), parse_uri(text))
        except MessageError:
            assert piece == "a"

    assert growth(work, lambda size: start + piece * (size // len(piece)) + end) < LINEAR


_ADDRESS_PIECES = st.sampled_from(
    (
        *("sip:", "a", "b1", "@", ":", "0", "5060", "65535", "65536", "99999", ".", "-", ";", "lr", "=", "tag=x"),
        *("<", ">", '"', "\\", " ", "é", "?", "[::1]", "*", "#", ",", "_", "UDP", "+", "transport=tcp", "%41"),
    )
)


@given(st.lists(_ADDRESS_PIECES, max_size=12).map("".join))
@example("a@b:65535;lr")
@example("a@b:65536")
@example("a@b:05060")
@example("a@" + "b" * 256)
def test_a_plain_uri_is_read_as_the_long_way_reads_it(rest: str) -> None:
    """A scheme in capitals always goes the long way."""

    def read(scheme: str) -> Uri | None:
        try:
            return parse_uri(scheme + rest)
        except MessageError:
            return None

    assert read("sip:") == read("SIP:")
