"""The list of header fields, parameters, and values with a structure."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings, strategies as st

from custom_components.sip_ua.sip.errors import LocalProtocolError, MessageError
from custom_components.sip_ua.sip.headers import (
    CSeq,
    Headers,
    NameAddr,
    Via,
    parse_cseq,
    parse_name_addr,
    parse_name_addrs,
    parse_seconds,
    parse_via,
)
from custom_components.sip_ua.sip.params import NO_PARAMS, Params
from custom_components.sip_ua.sip.uri import OtherUri, SipUri, parse_uri

from .wire import LINEAR, cseqs, growth, name_addrs, params, texts, tokens, vias


@pytest.fixture
def headers() -> Headers:
    return Headers([("v", "a, b"), ("To", "<sip:x@y>"), ("Via", "c"), ("Route", "<sip:p,q@r>, <sip:s>")])


def test_names_are_the_same_in_every_case_and_form(headers: Headers) -> None:
    assert headers.get("via") == headers.get("V") == headers.get("VIA") == "a, b"
    assert "t" in headers
    assert "From" not in headers
    assert headers.get("From") is None


def test_every_occurrence_is_kept_in_its_order(headers: Headers) -> None:
    assert headers.get_all("Via") == ["a, b", "c"]
    assert headers.split("Via") == ["a", "b", "c"]
    assert [name for name, _ in headers] == ["Via", "To", "Via", "Route"]
    assert len(headers) == 4


def test_a_comma_in_brackets_does_not_split(headers: Headers) -> None:
    assert headers.split("Route") == ["<sip:p,q@r>", "<sip:s>"]


def test_empty_elements_of_a_list_are_left_out() -> None:
    assert Headers([("Supported", ""), ("Supported", "timer,,replaces,")]).split("k") == ["timer", "replaces"]


def test_a_list_that_is_handed_out_is_not_the_headers_own(headers: Headers) -> None:
    headers.get_all("Via").clear()
    assert headers.get_all("Via") == ["a, b", "c"]


def test_a_field_is_put_before_all_others(headers: Headers) -> None:
    headers.insert_first("Via", "z")
    assert headers.get_all("Via") == ["z", "a, b", "c"]
    assert next(iter(headers)) == ("Via", "z")


def test_setting_leaves_one_field_at_the_first_ones_place(headers: Headers) -> None:
    headers.set("via", "only")
    assert list(headers) == [("Via", "only"), ("To", "<sip:x@y>"), ("Route", "<sip:p,q@r>, <sip:s>")]
    headers.set("Expires", "60")
    assert list(headers)[-1] == ("Expires", "60")


def test_replacing_the_first_value_leaves_those_beside_and_below_it(headers: Headers) -> None:
    headers.replace_first("Via", "z")
    assert headers.get_all("Via") == ["z, b", "c"]
    headers.replace_first("Subject", "new")
    assert headers.get("Subject") == "new"


def test_removing_takes_every_occurrence(headers: Headers) -> None:
    headers.remove("v")
    headers.remove("Subject")
    assert [name for name, _ in headers] == ["To", "Route"]
    assert headers.get_all("Via") == []


def test_a_copy_changes_by_itself(headers: Headers) -> None:
    copy = headers.copy()
    assert copy == headers
    copy.add("Via", "d")
    headers.remove("To")
    assert copy.get_all("Via") == ["a, b", "c", "d"]
    assert "To" in copy
    assert copy != headers


def _set(headers: Headers) -> None:
    headers.set("To", "<sip:new@y>")


def _insert(headers: Headers) -> None:
    headers.insert_first("t", "<sip:new@y>")


def _replace(headers: Headers) -> None:
    headers.replace_first("TO", "<sip:new@y>")


def _remove_and_add(headers: Headers) -> None:
    headers.remove("To")
    headers.add("To", "<sip:new@y>")


@pytest.mark.parametrize("change", [_set, _insert, _replace, _remove_and_add])
def test_a_typed_value_is_parsed_once_until_its_header_changes(
    headers: Headers, change: Callable[[Headers], None]
) -> None:
    parsed = headers.typed("To", parse_name_addrs)
    assert headers.typed("To", parse_name_addrs) is parsed
    headers.add("Subject", "something else")
    assert headers.typed("To", parse_name_addrs) is parsed
    change(headers)
    assert str(headers.typed("To", parse_name_addrs)[0].uri) == "sip:new@y"


def test_an_error_in_a_typed_value_names_its_header() -> None:
    with pytest.raises(MessageError, match=r"^To: "):
        Headers([("To", "nothing")]).typed("To", parse_name_addrs)


@pytest.mark.parametrize(
    ("name", "value"),
    [("To", "a\r\nVia: b"), ("To", "a\nb"), ("To", "a\rb"), ("To\r\nX", "a"), ("To:", "a"), ("", "a"), ("a b", "c")],
)
def test_nothing_can_be_smuggled_into_a_field(headers: Headers, name: str, value: str) -> None:
    before = list(headers)
    for write in (headers.add, headers.set, headers.insert_first, headers.replace_first):
        with pytest.raises(LocalProtocolError):
            write(name, value)
    with pytest.raises(LocalProtocolError):
        Headers([(name, value)])
    assert list(headers) == before


def test_asking_for_what_is_no_name_is_our_mistake(headers: Headers) -> None:
    for ask in (headers.get, headers.get_all, headers.split, headers.remove, headers.__contains__):
        with pytest.raises(LocalProtocolError):
            ask("no name")


def test_values_are_kept_out_of_the_repr() -> None:
    assert repr(Headers([("Authorization", "secret")])) == "Headers(Authorization)"


# Parameters


def test_parameters_are_found_in_any_case_and_without_their_quotes() -> None:
    found = Params.parse('Tag=x; LR ;+sip.instance = "<urn:uuid:1;2>" ;text="a \\"b\\"";tag=second;empty=')
    assert found["tag"] == "x"
    assert "lr" in found
    assert found.get("LR", "default") is None
    assert found["+sip.instance"] == "<urn:uuid:1;2>"
    assert found["text"] == 'a "b"'
    assert found["empty"] == ""
    assert found.get("other") is None
    assert str(found) == ';tag=x;lr;+sip.instance="<urn:uuid:1;2>";text="a \\"b\\"";empty='


def test_parameters_do_not_change_but_make_others() -> None:
    first = Params({"lr": None, "tag": "a"})
    second = first.with_param("TAG", "b").with_param("new")
    assert str(first) == ";lr;tag=a"
    assert str(second) == ";lr;tag=b;new"
    assert str(second.without("lr", "NEW", "unknown")) == ";tag=b"
    assert first == Params([("lr", None), ("Tag", "a")])
    assert hash(first) == hash(Params([("tag", "a"), ("lr", None)]))
    assert first != second
    assert len(second) == 3


def test_parameters_made_of_parameters_keep_their_quotes() -> None:
    quoted = Params.parse('text="a;b"')
    assert str(Params(quoted)) == str(quoted.with_param("x").without("x")) == ';text="a;b"'


def test_one_semicolon_too_many_at_the_end_is_forgiven() -> None:
    assert Params.parse("lr; ") == Params.parse("lr;") == Params({"lr": None})


@pytest.mark.parametrize(
    "text", ["", ";", "a;;b", ";a", "a;;", "=x", "a b", "a=b c", 'a=b"c"', 'a="b', 'a="b"c', "ä", "a=\tb\tc", '"a"=b']
)
def test_broken_parameters_are_refused(text: str) -> None:
    with pytest.raises(MessageError):
        Params.parse(text)


@settings(deadline=None)
@given(params)
def test_parameters_are_read_as_they_were_written(written: Params) -> None:
    assert (Params.parse(str(written)[1:]) if written else NO_PARAMS) == written


# From, To, Contact, Route


@pytest.mark.parametrize(
    ("text", "name", "uri", "tag"),
    [
        ("<sip:a@b>;tag=1", "", "sip:a@b", "1"),
        ('"Alice, \\"A\\" <b>" <sip:a@b;x=y>;tag=1', 'Alice, "A" <b>', "sip:a@b;x=y", "1"),
        ("Alice  Example <sip:a@b>", "Alice  Example", "sip:a@b", None),
        ("caller<sip:a@b>", "caller", "sip:a@b", None),
        ('""<sip:a@b>', "", "sip:a@b", None),
        ('"Größe 电话" <sip:a@b>', "Größe 电话", "sip:a@b", None),
        ("Größe <sip:a@b>", "Größe", "sip:a@b", None),
        ("Bell, Alexander <sip:a@b>", "Bell, Alexander", "sip:a@b", None),
        ("sip:a@b;tag=1", "", "sip:a@b", "1"),
        ("sip:a@b ; tag = 1", "", "sip:a@b", "1"),
        ('sip:a@b;x="<sip:c@d>";tag=1', "", "sip:a@b", "1"),
        (" < sip:a@b > ; tag=1 ", "", "sip:a@b", "1"),
        ("<sip:a@b?x=y>\t;tag=1", "", "sip:a@b?x=y", "1"),
        ("<sip:a,b@c>", "", "sip:a,b@c", None),
        ('"a" <tel:+4930;phone-context=x>;tag=1', "a", "tel:+4930;phone-context=x", "1"),
        ("<http://www.example.com/>", "", "http://www.example.com/", None),
    ],
)
def test_an_address_is_taken_apart(text: str, name: str, uri: str, tag: str | None) -> None:
    parsed = parse_name_addr(text)
    assert (parsed.display_name, str(parsed.uri), parsed.tag) == (name, uri, tag)
    assert parse_name_addr(str(parsed)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "Alice",
        '"Alice <sip:a@b>',
        '"Alice" sip:a@b',
        '"Alice"',
        "<sip:a@b",
        "<>",
        "<sip:a@b> tag=1",
        "<sip:a@b>;",
        "<sip:a@b>;;tag=1",
        "<sip:a@b>, <sip:c@d>",
        "sip:a@b?x=y",
        "sip:a,b@c",
        'a "b" <sip:a@b>',
        "<sip:a b@c>",
        "<<sip:a@b>>",
        "<sip:a@b>>",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        parse_name_addr(text)


@settings(deadline=None)
@given(name_addrs)
def test_an_address_that_is_written_is_read_as_the_same(address: NameAddr) -> None:
    assert parse_name_addr(str(address)) == address


@settings(deadline=None)
@given(st.lists(name_addrs, min_size=1, max_size=4))
def test_addresses_in_one_line_come_apart_again(addresses: list[NameAddr]) -> None:
    assert parse_name_addrs([", ".join(map(str, addresses))]) == addresses


def test_a_display_name_cannot_leave_its_quotes() -> None:
    address = NameAddr('" <sip:evil@x>, "\\', SipUri("sip", "a", None, "b"))
    assert parse_name_addrs([str(address)]) == [address]


def test_a_contact_tells_how_long_it_holds() -> None:
    assert parse_name_addr("<sip:a@b>;expires=60").expires == 60
    assert parse_name_addr('<sip:a@b>;expires="60"').expires == 60
    assert parse_name_addr("<sip:a@b>;expires=soon").expires is None
    assert parse_name_addr("<sip:a@b>").expires is None


def test_a_tag_is_added_or_replaced() -> None:
    address = parse_name_addr("<sip:a@b>;x=y")
    assert str(address.with_tag("1")) == "<sip:a@b>;x=y;tag=1"
    assert str(address.with_tag("1").with_tag("2")) == "<sip:a@b>;x=y;tag=2"
    assert address.tag is None


def test_unknown_schemes_are_addresses_too() -> None:
    assert parse_name_addr("isbn:2983792873").uri == OtherUri("isbn", "isbn:2983792873")


# Via


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("SIP/2.0/UDP 192.0.2.1", Via("UDP", "192.0.2.1")),
        (
            "SIP/2.0/TCP a.example:5061;branch=z9hG4bK1;rport",
            Via("TCP", "a.example", 5061, Params({"branch": "z9hG4bK1", "rport": None})),
        ),
        (
            "SIP  /   2.0\t/UDP \t first.EXAMPLE : 4000 ;ttl=16 ;branch = x ",
            Via("UDP", "first.example", 4000, Params({"ttl": "16", "branch": "x"})),
        ),
        ("sip/2.0/udp h", Via("UDP", "h")),
        ("SIP/2.0/ UDP h", Via("UDP", "h")),
        ("SIP/2.0/TLS\th", Via("TLS", "h")),
        ("SIP/7.0/UDP h", Via("UDP", "h")),
        ("SIP/2.0/UNKNOWN h_o_st", Via("UNKNOWN", "h_o_st")),
        ("SIP/2.0/UDP [2001:DB8::9:1]:5060;branch=x", Via("UDP", "2001:db8::9:1", 5060, Params({"branch": "x"}))),
    ],
)
def test_a_via_is_taken_apart(text: str, via: Via) -> None:
    assert parse_via(text) == via
    assert parse_via(str(via)) == via


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 UDP h",
        "SIP/2.0/ h",
        "HTTP/2.0/TCP h",
        "SIP//UDP h",
        "SIP/2.0/UDP h:0",
        "SIP/2.0/UDP h h",
        "SIP/2.0/U;P h",
        "SIP/2.0/UDP h;;branch=x",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
    ],
)
def test_what_is_no_via_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        parse_via(text)


@settings(deadline=None)
@given(vias)
def test_a_via_that_is_written_is_read_as_the_same(via: Via) -> None:
    assert parse_via(str(via)) == via


@pytest.mark.parametrize("received", ["2001:db8::9:255", "[2001:db8::9:255]"])
def test_a_via_says_where_its_request_came_from(received: str) -> None:
    via = parse_via(f"SIP/2.0/UDP h;rport=5070;received={received}")
    assert via.received == "2001:db8::9:255"
    assert via.rport == 5070
    assert via.wants_rport


@pytest.mark.parametrize("rport", ["rport", "rport=", "rport=x", "rport=0", "rport=70000"])
def test_an_rport_without_a_port_is_a_wish(rport: str) -> None:
    via = parse_via(f"SIP/2.0/UDP h;{rport}")
    assert via.rport is None
    assert via.wants_rport


def test_a_via_without_parameters_says_nothing() -> None:
    via = parse_via("SIP/2.0/UDP h")
    assert (via.branch, via.received, via.rport, via.wants_rport) == (None, None, None, False)


def test_source_address_and_port_are_filled_in() -> None:
    via = parse_via("SIP/2.0/UDP h;rport;branch=x")
    assert str(via.with_param("rport", "5070").with_param("received", "192.0.2.9")) == (
        "SIP/2.0/UDP h;rport=5070;branch=x;received=192.0.2.9"
    )


# CSeq and times


@pytest.mark.parametrize(
    ("text", "cseq"),
    [
        ("1 INVITE", CSeq(1, "INVITE")),
        ("0009 \t INVITE", CSeq(9, "INVITE")),
        ("2147483647 A-b.c", CSeq(2**31 - 1, "A-b.c")),
    ],
)
def test_a_cseq_is_number_and_method(text: str, cseq: CSeq) -> None:
    assert parse_cseq(text) == cseq


@pytest.mark.parametrize("text", ["", "1", "INVITE", "INVITE 1", "1INVITE", "-1 A", "2147483648 A", "1 A B", "1 (A)"])
def test_what_is_no_cseq_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        parse_cseq(text)


@settings(deadline=None)
@given(cseqs)
def test_a_cseq_that_is_written_is_read_as_the_same(cseq: CSeq) -> None:
    assert parse_cseq(str(cseq)) == cseq


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60", 60),
        (" 60 ", 60),
        ("60;refresher=uac", 60),
        ("0", 0),
        (None, None),
        ("", None),
        ("-1", None),
        ("9" * 40, None),
    ],
)
def test_times_that_cannot_be_read_count_as_missing(text: str | None, seconds: int | None) -> None:
    assert parse_seconds(text) == seconds


@settings(deadline=None)
@given(st.one_of(texts, st.text(' \t"\\<>,;:@=/%[]?sipSIP/2.0UDP a1', max_size=60)))
def test_values_are_parsed_or_refused_and_nothing_else(text: str) -> None:
    for parse in (parse_name_addr, parse_via, parse_cseq, parse_uri, Params.parse):
        with contextlib.suppress(MessageError):
            parse(text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "set", "insert_first", "replace_first"]), tokens, texts)))
def test_headers_agree_with_a_plain_list(changes: list[tuple[str, str, str]]) -> None:
    headers = Headers()
    for change, name, value in changes:
        getattr(headers, change)(name, value)
        assert value in headers.get_all(name)[0] or change == "add"
    items = list(headers)
    for name, _ in items:
        assert headers.get_all(name) == [value for kept, value in items if kept == name]
        assert headers.get(name) == headers.get_all(name)[0]


@pytest.mark.parametrize(
    "piece", [",", '"', "\\", "<", ";", ";a", '"\\', "<sip:a@b>,", "%41", " ", "\t", "=", "@", ":"]
)
@pytest.mark.parametrize("start", ["", '"', "<sip:", "<sip:a@b>;x=", '<sip:a@b>;x="', "SIP/2.0/UDP h;"])
def test_parsing_takes_linear_time(start: str, piece: str) -> None:
    def work(text: str) -> None:
        for parse in (lambda line: parse_name_addrs([line]), parse_via, parse_cseq):
            try:
                parse(text)
            except MessageError:
                continue

    assert growth(work, lambda size: start + piece * (size // len(piece))) < LINEAR


_NAME_PIECES = st.sampled_from(['"', "a b", "\\", "<", " ", "é"])
_BEHIND = st.sampled_from(["a@", "b", ":5060", ":0", ";lr", ">", ";tag=x", ";tag=", ";x=y", " ", "é", ",", "%41", '"'])


@given(st.lists(_NAME_PIECES, max_size=5).map("".join), st.lists(_BEHIND, max_size=8).map("".join))
@example('"a b" ', "a@b:5060;lr>;tag=x")
@example("a b ", "a@b>")
@example('"a<b" ', "b>;tag=x")
def test_a_plain_address_is_read_as_the_long_way_reads_it(name: str, behind: str) -> None:
    """A scheme in capitals always goes the long way."""
    assert _read(parse_name_addr, f"{name}<sip:{behind}") == _read(parse_name_addr, f"{name}<SIP:{behind}")


_VIA_PIECES = st.sampled_from(
    ["b", ".c", ":5060", ":65536", " ", ";rport", ";branch=z9hG4bKx", ";received=[::1]", ';x="y"', ";", "=", "é", "%"]
)


@given(st.lists(_VIA_PIECES, max_size=8).map("".join))
@example("b.c:5060;branch=z9hG4bKx;rport")
def test_a_plain_via_is_read_as_the_long_way_reads_it(rest: str) -> None:
    """A version in small letters always goes the long way."""
    assert _read(parse_via, f"SIP/2.0/UDP {rest}") == _read(parse_via, f"sip/2.0/UDP {rest}")


def _read[T](parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except MessageError:
        return None
