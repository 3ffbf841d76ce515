"""Whole messages: parsed, checked, answered and written."""

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.sip_ua.sip.errors import LocalProtocolError, MessageError
from custom_components.sip_ua.sip.grammar import MAX_HEADER_LENGTH, MAX_HEADERS, MAX_MESSAGE
from custom_components.sip_ua.sip.headers import CSeq, Headers, NameAddr, Via
from custom_components.sip_ua.sip.message import (
    REASON_PHRASES,
    Request,
    Response,
    check_request,
    check_response,
    parse_message,
)
from custom_components.sip_ua.sip.uri import OtherUri, SipUri, TelUri

from .wire import LINEAR, OPTIONS, cseqs, growth, name_addrs, options, raw, texts, tokens, uris, vias


def request(data: bytes) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def response(data: bytes) -> Response:
    message = parse_message(data)
    assert isinstance(message, Response)
    return message


def refused(data: bytes) -> MessageError:
    with pytest.raises(MessageError) as caught:
        parse_message(data)
    return caught.value


OK = raw("SIP/2.0 200 OK", *OPTIONS[1:])


def test_a_broken_request_can_be_shown_and_compared() -> None:
    broken = Request("A B", "sip:a b\r\n", Headers())
    assert repr(broken) == r"<Request 'A B sip:a b\r\n SIP/2.0'>"
    assert broken == broken.copy()
    assert broken != Response(200, "OK", Headers())


# Reading


def test_a_request_is_read_with_its_typed_fields() -> None:
    message = request(
        options(
            'm: "Bob" <sip:b@192.0.2.2>;expires=60, <sip:c@192.0.2.3>',
            "Max-Forwards: 69",
            "Expires: 300",
            "Content-Type: Application/SDP ;charset=x",
            "Route: <sip:p1;lr>, <sip:p2;lr>",
            "Record-Route: <sip:p3;lr>",
            without="Content-Length",
            body=b"v=0\r\n",
        )
    )
    assert (message.method, message.uri) == ("OPTIONS", "sip:bob@pbx.example")
    assert message.request_uri == SipUri("sip", "bob", None, "pbx.example")
    assert message.via.branch == "z9hG4bK1"
    assert message.from_.tag == "a1"
    assert message.to == NameAddr("", SipUri("sip", "bob", None, "pbx.example"))
    assert message.cseq == CSeq(1, "OPTIONS")
    assert message.call_id == "c1@192.0.2.1"
    assert [(contact.display_name, contact.expires) for contact in message.contacts] == [("Bob", 60), ("", None)]
    assert not message.contact_star
    assert [str(route.uri) for route in message.route] == ["sip:p1;lr", "sip:p2;lr"]
    assert [str(route.uri) for route in message.record_route] == ["sip:p3;lr"]
    assert (message.max_forwards, message.expires) == (69, 300)
    assert message.content_type == "application/sdp"
    assert message.body == b"v=0\r\n"


def test_what_is_missing_and_may_be_is_none() -> None:
    message = request(options())
    assert (message.max_forwards, message.expires, message.content_type) == (None, None, None)
    assert (message.contacts, message.route, message.record_route, message.contact_star) == ([], [], [], False)


def test_times_and_hops_that_cannot_be_read_count_as_missing() -> None:
    message = request(options("Expires: 1" + "0" * 99, "Max-Forwards: x"))
    assert (message.max_forwards, message.expires) == (None, None)


def test_a_response_is_read() -> None:
    message = response(OK)
    assert (message.status, message.reason) == (200, "OK")
    assert message.cseq.method == "OPTIONS"
    assert response(OK.replace(b"200 OK", b"183 Session  Progress ")).reason == "Session  Progress "
    assert response(OK.replace(b"200 OK", b"200")).reason == ""
    assert response(OK.replace(b"SIP/2.0 200", b"sip/2.0 200")).status == 200


def test_contact_may_be_a_star() -> None:
    message = request(options("Contact: *"))
    assert message.contact_star
    assert message.contacts == []


@pytest.mark.parametrize("contact", ["*, <sip:a@b>", "<sip:a@b>, *", "<sip:a@b>,", "", "sip:a@b?x=y"])
def test_a_request_with_a_broken_contact_is_refused(contact: str) -> None:
    assert refused(options(f"Contact: {contact}")).status == 400


def test_a_broken_contact_in_a_response_does_not_hide_the_others() -> None:
    message = response(OK.replace(b"CSeq", b"Contact: nonsense, <sip:me@192.0.2.2>;expires=60\r\nm: x,\r\nCSeq"))
    assert [str(contact.uri) for contact in message.contacts] == ["sip:me@192.0.2.2"]


@pytest.mark.parametrize(
    ("uri", "kind"), [("sip:a@b", SipUri), ("sips:b", SipUri), ("tel:110", TelUri), ("soap.beep://192.0.2.1", OtherUri)]
)
def test_a_request_may_be_for_a_uri_of_any_scheme(uri: str, kind: type) -> None:
    assert isinstance(request(options().replace(b"sip:bob@pbx.example", uri.encode(), 1)).request_uri, kind)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_lines_may_end_without_cr(end: str) -> None:
    message = request(raw(*OPTIONS[:-1], "l: 3", body=b"a\nb", end=end))
    assert message.via.host == "192.0.2.1"
    assert message.body == b"a\nb"


@settings(deadline=None)
@given(st.lists(st.tuples(tokens, texts.map(lambda text: text.strip(" \t"))), max_size=8))
def test_ordinary_and_unusual_heads_are_read_alike(fields: list[tuple[str, str]]) -> None:
    extra = [f"Subject: {value}" for _, value in fields] + [f"X-{name}: {value}" for name, value in fields]
    ordinary, unusual = options(*extra[: len(fields)]), options(*extra)
    assert list(request(unusual).headers)[: len(request(ordinary).headers)] == list(request(ordinary).headers)
    assert request(ordinary.replace(b"\r\n", b"\n")) == request(ordinary)


@pytest.mark.parametrize("end", [b"\r\n\n", b"\n\r\n", b"\n\n"])
def test_the_head_ends_at_the_first_empty_line_whatever_ends_it(end: bytes) -> None:
    head = "\r\n".join(OPTIONS[:-1]).encode()
    assert request(head + end + b"body\r\n\r\nmore\n\n").body == b"body\r\n\r\nmore\n\n"


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\n", b"\r\n" * 50])
def test_empty_lines_before_a_message_are_skipped(before: bytes) -> None:
    assert request(before + options()) == request(options())


def test_folded_lines_are_one_line() -> None:
    message = request(options("Subject: a\r\n b\r\n\tc\r\n  d", "Supported:\r\n timer"))
    assert message.headers.get("Subject") == "a b c  d"
    assert message.headers.get("Supported") == "timer"


def test_a_memoryview_is_read_too() -> None:
    assert parse_message(memoryview(bytearray(options()))) == parse_message(options())


def test_text_that_is_no_utf_8_comes_out_as_it_came_in() -> None:
    data = options().replace(b"<sip:alice@", b'"Gr\xf6\xdfe \xc3\xa4" <sip:alice@')
    message = request(data)
    assert message.from_.display_name == "Gr\udcf6\udcdfe ä"
    assert b'"Gr\xf6\xdfe \xc3\xa4" <sip:alice@' in message.to_bytes()
    assert b'"Gr\xf6\xdfe \xc3\xa4" <sip:alice@' in message.create_response(200).to_bytes()


# Content-Length


def test_octets_behind_the_body_are_left_out() -> None:
    assert request(options("l: 3", without="Content-Length", body=b"abcdef")).body == b"abc"


def test_without_a_length_the_body_is_what_is_left_of_the_datagram() -> None:
    assert request(options(without="Content-Length", body=b"abcdef")).body == b"abcdef"


@pytest.mark.parametrize("length", ["4", "9999", "-1", "", "three", "3 3", "3, 3", "99999999999999999999", "0x3"])
def test_a_wrong_length_is_refused_and_can_be_answered(length: str) -> None:
    error = refused(options(f"Content-Length: {length}", without="Content-Length", body=b"abc"))
    assert error.status == 400
    assert error.request is not None
    assert error.request.create_response(error.status).status == 400


# Refusing


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_message_without_a_mandatory_header_is_refused(name: str) -> None:
    error = refused(options(without=name))
    assert str(error) == f"{name}: missing"
    assert (error.request is None) == (name == "Via")
    refused(raw("SIP/2.0 200 OK", *[line for line in OPTIONS[1:] if not line.startswith(name)]))


@pytest.mark.parametrize(
    "line",
    [
        "f: <sip:x@y>;tag=2",
        "t: <sip:x@y>",
        "i: 2",
        "CSeq: 1 OPTIONS",
        "l: 0",
        "Max-Forwards: 1\r\nMax-Forwards: 1",
        "c: a/b\r\nContent-Type: a/b",
        "Expires: 1\r\nExpires: 2",
    ],
)
def test_a_header_that_is_given_twice_is_refused(line: str) -> None:
    error = refused(options(line))
    assert error.status == 400
    assert "more than once" in str(error)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
        ("CSeq: 1 OPTIONS", "CSeq: 36893488147419103232 OPTIONS"),
        ("Via: SIP/2.0/UDP", "Via: HTTP/2.0/TCP"),
        ("<sip:bob@pbx.example>", '"Bob <sip:bob@pbx.example>'),
        ("<sip:bob@pbx.example>", "<sip:bob@pbx.example>, <sip:x@y>"),
        ("Call-ID: c1@192.0.2.1", "Call-ID:"),
        ("Call-ID: c1@192.0.2.1", "Call-ID: a b"),
        ("sip:bob@pbx.example SIP", "sip:bob@pbx.example; lr SIP"),
        ("sip:bob@pbx.example SIP", "<sip:bob@pbx.example> SIP"),
        ("sip:bob@pbx.example SIP", " sip:bob@pbx.example SIP"),
        ("sip:bob@pbx.example SIP", "bob SIP"),
        ("sip:bob@pbx.example SIP", "SIP"),
        ("Content-Length: 0", "Content-Length: 0\r\nRoute: x"),
        ("Content-Length: 0", "Content-Length: 0\r\nRecord-Route: <sip:a"),
        ("Content-Length: 0", "Content-Length: 0\r\nno colon"),
        ("Content-Length: 0", "Content-Length: 0\r\nSubject"),
        ("Content-Length: 0", "Content-Length: 0\r\n: no name"),
        ("Content-Length: 0", "Content-Length: 0\r\nna me: x"),
        ("Content-Length: 0", "Content-Length: 0\r\nSubject: a\rb"),
        ("Content-Length: 0", "Content-Length: 0\r\nSubject: a\r"),
    ],
)
def test_a_broken_request_is_refused_and_can_be_answered(old: str, new: str) -> None:
    error = refused(options().replace(old.encode(), new.encode(), 1))
    assert error.status == 400
    assert error.request is not None
    answer = error.request.create_response(error.status, to_tag="t")
    assert answer.headers.get_all("Via") == error.request.headers.get_all("Via")
    assert b"\r\n\r\n" in answer.to_bytes()


def test_another_version_is_answered_by_505() -> None:
    error = refused(options().replace(b"SIP/2.0", b"SIP/7.0"))
    assert error.status == 505
    assert error.request is not None


def test_a_broken_ack_is_never_answered() -> None:
    assert refused(options(without="To").replace(b"OPTIONS", b"ACK")).request is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\x00" * 20,
        b"hello",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
        options()[:-2],
        options()[:40],
        b"SIP/2.0\r\n\r\n",
        b" SIP/2.0 \r\n\r\n",
        OK.replace(b" 200 ", b" 4294967301 "),
        OK.replace(b" 200 ", b" 099 "),
        OK.replace(b" 200 ", b" 700 "),
        OK.replace(b" 200 ", b" -20 "),
        OK.replace(b" 200 ", b"  200 "),
        OK.replace(b"200", "\u0662\u0660\u0660".encode()),
        OK.replace(b"CSeq: 1", b"CSeq: 9292394834772304023312"),
        OK.replace(b"Content-Length: 0", b"Content-Length: 1"),
        OK.replace(b"Content-Length: 0", b"Record-Route: x"),
    ],
)
def test_what_is_no_message_is_refused_without_an_answer(data: bytes) -> None:
    assert refused(data).request is None


def test_the_size_of_a_message_is_bounded() -> None:
    head = options(without="Content-Length")
    assert len(request(head + b"x" * (MAX_MESSAGE - len(head))).body) == MAX_MESSAGE - len(head)
    assert refused(head + b"x" * (MAX_MESSAGE - len(head) + 1)).status == 513


def test_the_number_of_header_fields_is_bounded() -> None:
    room = MAX_HEADERS - len(OPTIONS[1:])
    assert len(request(options(*["A: b"] * room)).headers) == MAX_HEADERS
    assert len(request(options(*["Subject: b"] * room)).headers) == MAX_HEADERS
    for name in ("A", "Subject"):
        error = refused(options(*[f"{name}: b"] * (room + 1)))
        assert error.request is not None
        assert len(error.request.headers) == MAX_HEADERS


def test_the_length_of_a_line_is_bounded() -> None:
    longest = "Subject: " + "x" * (MAX_HEADER_LENGTH - 9)
    assert request(options(longest)).headers.get("Subject") == longest[9:]
    refused(options(longest + "x"))
    refused(options("Subject: x" + "\r\n " * MAX_HEADER_LENGTH))
    refused(options().replace(b"bob@", b"b" * MAX_HEADER_LENGTH + b"@", 1))


# Changing


def test_a_changed_header_is_read_anew() -> None:
    message = request(options("Contact: <sip:a@b>"))
    assert [message.from_.tag, message.to.tag, message.cseq.number] == ["a1", None, 1]
    message.headers.set("From", "<sip:x@y>;tag=2")
    message.headers.replace_first("To", "<sip:x@y>;tag=3")
    message.headers.set("cseq", "2 OPTIONS")
    message.headers.set("i", "new")
    message.headers.add("m", "<sip:c@d>")
    assert [message.from_.tag, message.to.tag, message.cseq.number] == ["2", "3", 2]
    assert message.call_id == "new"
    assert len(message.contacts) == 2
    message.uri = "sip:other@pbx.example"
    assert message.request_uri == SipUri("sip", "other", None, "pbx.example")
    message.headers.remove("To")
    with pytest.raises(MessageError):
        _ = message.to


def test_only_the_topmost_via_is_replaced() -> None:
    message = request(options("Via: SIP/2.0/UDP c", without="Via").replace(b"UDP c", b"UDP a;rport, SIP/2.0/UDP b"))
    message.via = message.via.with_param("rport", "5070")
    assert message.via.rport == 5070
    assert message.headers.split("Via") == ["SIP/2.0/UDP a;rport=5070", "SIP/2.0/UDP b"]


def test_copies_change_by_themselves() -> None:
    message = request(options())
    copy = message.copy()
    assert copy == message
    copy.headers.insert_first("Via", "SIP/2.0/UDP x;branch=z9hG4bK2")
    assert message.via.branch == "z9hG4bK1"
    assert copy != message
    answer = response(OK)
    assert answer.copy() == answer
    assert answer != message


# Answering


def test_an_answer_repeats_what_it_must_in_the_same_order() -> None:
    message = request(
        options("v: SIP/2.0/TCP second", "Record-Route: <sip:p;lr>", "Timestamp: 54", "Subject: x", "Route: <sip:r;lr>")
    )
    answer = message.create_response(486, to_tag="t1")
    assert list(answer.headers) == [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"),
        ("Via", "SIP/2.0/TCP second"),
        ("From", "<sip:alice@pbx.example>;tag=a1"),
        ("To", "<sip:bob@pbx.example>;tag=t1"),
        ("Call-ID", "c1@192.0.2.1"),
        ("CSeq", "1 OPTIONS"),
    ]
    assert answer.start_line == "SIP/2.0 486 Busy Here"
    assert message.to.tag is None


def test_a_100_has_the_timestamp_and_no_tag() -> None:
    answer = request(options("Timestamp: 54")).create_response(100, to_tag="t1")
    assert answer.headers.get("Timestamp") == "54"
    assert answer.to.tag is None


def test_a_tag_that_is_there_stays() -> None:
    message = request(options().replace(b"<sip:bob@pbx.example>", b"sip:bob@pbx.example;tag=old"))
    assert message.create_response(200, to_tag="new").headers.get("To") == "sip:bob@pbx.example;tag=old"


@pytest.mark.parametrize(
    ("method", "status", "repeated"),
    [("INVITE", 180, True), ("INVITE", 200, True), ("INVITE", 100, False), ("INVITE", 486, False), ("BYE", 200, False)],
)
def test_answers_that_make_a_dialog_repeat_the_recorded_route(method: str, status: int, repeated: bool) -> None:
    data = options("Record-Route: <sip:p1;lr>, <sip:p2;lr>", "Record-Route: <sip:p3;lr>")
    answer = request(data.replace(b"OPTIONS", method.encode())).create_response(status)
    assert len(answer.record_route) == (3 if repeated else 0)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(180, "Ringing"), (299, "OK"), (499, "Bad Request"), (699, "Busy Everywhere"), (399, "Multiple Choices")],
)
def test_every_status_has_a_phrase(status: int, phrase: str) -> None:
    assert request(options()).create_response(status).reason == phrase
    assert request(options()).create_response(status, "Because").reason == "Because"
    assert all(100 <= known <= 699 and text for known, text in REASON_PHRASES.items())


# Writing


def test_a_message_is_written_with_the_length_of_its_body() -> None:
    headers = Headers([("Via", "SIP/2.0/UDP h"), ("Content-Length", "99"), ("To", "<sip:a@b>")])
    assert Request("MESSAGE", "sip:a@b", headers, "ä".encode()).to_bytes() == (
        b"MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nTo: <sip:a@b>\r\nContent-Length: 2\r\n\r\n\xc3\xa4"
    )
    assert Response(200, "OK", Headers()).to_bytes() == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("INVITE", "sip:a@b SIP/2.0\r\nVia: x"),
        ("INVITE", "sip:a@b\n"),
        ("INVITE", "sip:a b"),
        ("INVITE", ""),
        ("INVITE x", "sip:a@b"),
        ("INVITE\r\n", "sip:a@b"),
        ("", "sip:a@b"),
    ],
)
def test_nothing_can_be_smuggled_into_a_request_line(method: str, uri: str) -> None:
    with pytest.raises(LocalProtocolError):
        Request(method, uri, Headers()).to_bytes()


@pytest.mark.parametrize(("status", "reason"), [(200, "OK\r\nVia: x"), (200, "a\nb"), (99, "x"), (700, "x"), (20, "x")])
def test_nothing_can_be_smuggled_into_a_status_line(status: int, reason: str) -> None:
    with pytest.raises(LocalProtocolError):
        Response(status, reason, Headers()).to_bytes()


def test_values_are_kept_out_of_the_repr() -> None:
    assert repr(request(options("Authorization: Digest secret"))) == "<Request 'OPTIONS sip:bob@pbx.example SIP/2.0'>"
    assert repr(response(OK)) == "<Response 'SIP/2.0 200 OK'>"


@settings(deadline=None)
@given(
    tokens,
    uris,
    st.lists(vias, min_size=1, max_size=3),
    st.tuples(name_addrs, name_addrs),
    st.lists(name_addrs, max_size=3),
    cseqs,
    st.lists(st.tuples(tokens.map("X-{}".format), texts.map(lambda text: text.strip(" \t"))), max_size=4),
    st.binary(max_size=50),
)
def test_a_request_that_is_written_is_read_as_the_same(
    method: str,
    uri: SipUri,
    top: list[Via],
    parties: tuple[NameAddr, NameAddr],
    contacts: list[NameAddr],
    cseq: CSeq,
    extra: list[tuple[str, str]],
    body: bytes,
) -> None:
    headers = Headers([("Via", str(via)) for via in top])
    headers.add("From", str(parties[0]))
    headers.add("To", str(parties[1]))
    headers.add("Call-ID", "1")
    headers.add("CSeq", f"{cseq.number} {method}")
    for contact in contacts:
        headers.add("Contact", str(contact))
    for name, value in extra:
        headers.add(name, value)
    written = Request(method, str(uri), headers, body)
    read = request(written.to_bytes())
    assert [item for item in read.headers if item[0] != "Content-Length"] == list(headers)
    assert (read.method, read.request_uri, read.body) == (method, uri, body)
    assert (read.via, read.from_, read.to, read.contacts) == (top[0], *parties, contacts)
    assert read.to_bytes() == written.to_bytes()
    answer = response(written.create_response(200, to_tag="t").to_bytes())
    assert (answer.via, answer.cseq, answer.to.uri) == (top[0], read.cseq, parties[1].uri)


# Whatever comes


def read_everything(data: bytes) -> None:
    """Parse, look at everything, write and parse again: only MessageError may come, and only from the first."""
    try:
        message = parse_message(data)
    except MessageError as error:
        if error.request:
            check_answer(error.request.create_response(error.status, to_tag="t").to_bytes())
        return
    _ = (message.via, message.from_, message.to, message.cseq, message.call_id, message.contacts, message.contact_star)
    _ = (message.route if isinstance(message, Request) else None, message.record_route)
    _ = (message.content_type, message.expires, repr(message))
    again = parse_message(message.to_bytes())
    assert [item for item in again.headers if item[0] != "Content-Length"] == [
        item for item in message.headers if item[0] != "Content-Length"
    ]
    assert again.body == message.body
    if isinstance(message, Request):
        check_request(message)
        _ = (message.request_uri, message.max_forwards)
        parse_message(message.create_response(200, to_tag="t").to_bytes())
    else:
        check_response(message)


def check_answer(data: bytes) -> None:
    """See that the answer to a broken request is one head, whatever of it is repeated."""
    assert data.startswith(b"SIP/2.0 ")
    assert data.index(b"\r\n\r\n") == len(data) - 4
    assert b"\n" not in data.replace(b"\r\n", b"")


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    read_everything(data)


PIECES = [
    *(line.encode() for line in OPTIONS),
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b'"',
        b"\\",
        b"<",
        b">",
        b"@",
        b"=",
        b"%",
        b"/",
        b"[",
        b"]",
    ),
    *(b"SIP/2.0 200 OK", b"m: ", b"v: ", b"Record-Route: ", b"sip:a@b", b"\xff", b"\x00", b"\xc3\xa4", b"1" * 20, b"*"),
]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
def test_any_pieces_of_messages_are_parsed_or_refused(data: bytes) -> None:
    read_everything(data)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(
        [options('Contact: "x" <sip:a@[::1]:5060;lr>;q=1, <tel:1>', "Record-Route: <sip:b;lr>", body=b"abc"), OK]
    ),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 6), st.sampled_from(PIECES)), min_size=1, max_size=4),
)
def test_a_message_with_any_damage_is_parsed_or_refused(data: bytes, damage: list[tuple[int, int, bytes]]) -> None:
    for place, length, piece in damage:
        data = data[:place] + piece + data[place + length :]
    read_everything(data)


@pytest.mark.parametrize(
    "piece",
    [
        "A: b\r\n",
        "m: <sip:a@b>\r\n",
        "\r\n ",
        "\n ",
        "\n",
        "\r",
        ":",
        "Via: SIP/2.0/UDP a\r\n",
        ";a",
        ",",
        "\xff",
        "a: b\n",
    ],
)
def test_a_large_message_takes_linear_time(piece: str) -> None:
    head = "\r\n".join(OPTIONS)

    def work(text: str) -> None:
        read_everything(text.encode("latin-1")[: MAX_MESSAGE - 8] + b"\r\n\r\n")

    assert growth(work, lambda size: head + "\r\n" + piece * (size // len(piece))) < LINEAR
