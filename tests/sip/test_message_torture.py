"""The torture messages of RFC 4475 and RFC 5118: each is read or refused as the RFC has it.

One file of `torture` is one message, named as in RFC 4475; those of RFC 5118 begin with `v6-`. A message that is
well-formed but must be refused for what it asks (an unknown scheme, extension or type) is read here: that is the
agent's part, shown by `test_torture`.
"""

from pathlib import Path

import pytest

from custom_components.sip_ua.sip.errors import MessageError
from custom_components.sip_ua.sip.framing import StreamFramer
from custom_components.sip_ua.sip.headers import parse_via
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.sdp import parse_sdp
from custom_components.sip_ua.sip.uri import OtherUri, SipUri

FOLDER = Path(__file__).parent / "torture"

# Section 3.1.2 and others: requests that are answered with this status.
REFUSED = {
    "badinv01": 400,
    "badvers": 505,
    "clerr": 400,
    "insuf": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "mcl01": 400,
    "mismatch01": 400,
    "mismatch02": 400,
    "multi01": 400,
    "ncl": 400,
    "quotbal": 400,
    "regbadct": 400,
    "scalar02": 400,
    "v6-bad": 400,
}
# Responses that are dropped.
DROPPED = {"bigcode", "scalarlg"}
READ = {path.stem for path in FOLDER.glob("*.sip")} - REFUSED.keys() - DROPPED


def read(name: str) -> bytes:
    return (FOLDER / f"{name}.sip").read_bytes()


def request(name: str) -> Request:
    message = parse_message(read(name))
    assert isinstance(message, Request)
    return message


def response(name: str) -> Response:
    message = parse_message(read(name))
    assert isinstance(message, Response)
    return message


def test_the_collection_is_complete() -> None:
    assert len(READ) == 43
    assert all((FOLDER / f"{name}.sip").is_file() for name in REFUSED.keys() | DROPPED)


@pytest.mark.parametrize("name", sorted(READ))
def test_a_valid_message_is_read_and_survives_being_written(name: str) -> None:
    message = parse_message(read(name))
    again = parse_message(message.to_bytes())
    assert again.start_line == message.start_line
    assert again.body == message.body
    assert (again.via, again.from_, again.to, again.cseq) == (message.via, message.from_, message.to, message.cseq)
    assert (again.contacts, again.record_route) == (message.contacts, message.record_route)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_an_invalid_request_is_refused_and_can_be_answered(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_message(read(name))
    assert caught.value.status == REFUSED[name]
    assert caught.value.request is not None
    answer = caught.value.request.create_response(caught.value.status, to_tag="t")
    assert answer.to_bytes().startswith(f"SIP/2.0 {REFUSED[name]} ".encode())
    assert answer.headers.get("Via") == caught.value.request.headers.get("Via")


@pytest.mark.parametrize("name", sorted(DROPPED))
def test_an_invalid_response_is_dropped(name: str) -> None:
    with pytest.raises(MessageError) as caught:
        parse_message(read(name))
    assert caught.value.request is None


def test_a_tortuous_invite_says_what_it_says() -> None:
    message = request("wsinv")
    assert message.to.tag == "1918181833n"
    assert message.from_.display_name == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.max_forwards == 68
    assert str(message.cseq) == "9 INVITE"
    assert (message.via.transport, message.via.host, message.via.branch) == ("UDP", "192.0.2.2", "390skdjuw")
    assert [len(message.headers.split(name)) for name in ("Via", "Route", "Subject")] == [3, 1, 0]
    assert message.contacts[0].display_name == 'Quoted string ""'
    assert dict(message.contacts[0].params) == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert not message.route[0].params
    assert isinstance(message.route[0].uri, SipUri)
    assert message.route[0].uri.loose_router


def test_every_character_that_may_be_used_can_be_used() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert isinstance(message.request_uri, SipUri)
    assert message.request_uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.request_uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display_name == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display_name == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.call_id == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    assert message.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_escapes_are_undone_in_users_and_parameter_names() -> None:
    message = request("esc01")
    uri, contact = message.request_uri, message.contacts[0].uri
    assert isinstance(uri, SipUri)
    assert isinstance(contact, SipUri)
    assert (uri.user, uri.host) == ("sips:user@example.com", "example.net")
    assert contact.user == "caller"
    assert contact.loose_router
    assert contact.params["name"] == "v%61lue%25%34%31"
    assert str(contact) == "sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"


def test_percents_that_are_no_escapes_stay() -> None:
    message = request("esc02")
    assert message.method == "RE%47IST%45R"
    assert message.to.display_name == "%Z%45"
    assert len(message.contacts) == 2


def test_null_characters_are_characters() -> None:
    users = [contact.uri.user for contact in request("escnull").contacts if isinstance(contact.uri, SipUri)]
    assert users == ["\0", "\0\0"]


def test_a_datagram_holds_one_request() -> None:
    assert request("dblreq").method == "REGISTER"
    assert request("dblreq").body == b""


def test_a_stream_holds_both_requests_of_the_same_octets() -> None:
    frames = StreamFramer().feed(read("dblreq"))
    assert [parse_message(frame).cseq.method for frame in frames if isinstance(frame, bytes)] == ["REGISTER", "INVITE"]


def test_a_parameter_may_be_part_of_the_user() -> None:
    uri = request("semiuri").request_uri
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.host, dict(uri.params)) == ("user;par=u@example.net", "example.com", {})


def test_a_via_may_name_any_transport() -> None:
    vias = request("transports").headers.split("Via")
    assert [via.split()[0].rpartition("/")[2] for via in vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]


def test_a_body_of_several_parts_may_hold_null_octets() -> None:
    message = request("mpart01")
    assert len(message.body) == 553
    assert message.body.count(0) == 2
    assert message.body.endswith(b"--7a9cbec02ceef655--\r\n")
    assert StreamFramer().feed(read("mpart01")) == [read("mpart01")]


def test_a_reason_phrase_may_be_in_any_language_or_missing() -> None:
    assert response("unreason").reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert response("noreason").reason == ""


def test_long_values_are_read_whole() -> None:
    message = request("longreq")
    assert len(message.headers.split("Via")) == 27
    assert len(message.from_.params) == 3
    assert len(message.call_id) > 120


def test_unknown_schemes_are_told_apart_from_broken_uris() -> None:
    assert isinstance(request("unkscm").request_uri, OtherUri)
    assert isinstance(request("novelsc").request_uri, OtherUri)
    message = request("unksm2")
    assert [type(party.uri) for party in (message.from_, message.to, *message.contacts)] == [OtherUri] * 3


def test_a_parameter_behind_the_brackets_is_the_headers_and_one_inside_is_the_uris() -> None:
    outside, inside = request("cparam01").contacts[0], request("cparam02").contacts[0]
    assert "unknownparam" in outside.params
    assert isinstance(inside.uri, SipUri)
    assert "unknownparam" in inside.uri.params
    assert not inside.params


def test_a_request_as_of_rfc_2543_is_read() -> None:
    message = request("inv2543")
    assert message.from_.tag is None
    assert message.via.branch is None
    assert message.body.startswith(b"v=0")
    assert message.record_route


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("v6-good", "2001:db8::10", None),
        ("v6-port-ambiguous", "2001:db8::10:5070", None),
        ("v6-port-unambiguous", "2001:db8::10", 5070),
        ("v6-two-colons", "2001:db8::192.0.2.1", None),
        ("v6-three-colons", "2001:db8::192.0.2.1", None),
    ],
)
def test_an_ipv6_reference_ends_at_its_bracket(name: str, host: str, port: int | None) -> None:
    uri = request(name).request_uri
    assert isinstance(uri, SipUri)
    assert (uri.host, uri.port) == (host, port)


@pytest.mark.parametrize("name", ["v6-received-delimited", "v6-received-bare"])
def test_received_may_have_brackets_or_not(name: str) -> None:
    assert request(name).via.received == "2001:db8::9:255"


def test_mapped_addresses_are_ipv6() -> None:
    via = request("v6-mapped").via
    assert (via.host, via.port) == ("::ffff:192.0.2.10", 19823)


def test_several_addresses_of_both_families_stand_in_one_message() -> None:
    message = request("v6-several")
    assert [parse_via(via).host for via in message.headers.split("Via")] == [
        "2001:db8::9:1",
        "192.0.2.1",
        "2001:db8::9:255",
    ]
    assert parse_via(message.headers.split("Via")[2]).received == "192.0.2.200"


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("v6-in-sdp", ["2001:db8::20", "2001:db8::20"]),
        ("v6-several-in-sdp", ["192.0.2.1", "2001:db8::1"]),
        ("v6-mapped", ["::ffff:192.0.2.2", "::ffff:192.0.2.2"]),
    ],
)
def test_each_line_of_a_description_has_its_own_address(name: str, addresses: list[str]) -> None:
    description = parse_sdp(request(name).body)
    lines = [line.connection or description.connection for line in description.media]
    assert [line and line.address for line in lines] == addresses
