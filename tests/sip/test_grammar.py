"""Tokens, quotes, lists, numbers and hosts."""

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.sip_ua.sip.errors import MessageError
from custom_components.sip_ua.sip.grammar import (
    canonical_name,
    end_of_quoted,
    format_host_port,
    has_line_break,
    parse_host_port,
    parse_number,
    quote,
    split_list,
    split_params,
    unquote,
)
from custom_components.sip_ua.sip.header_names import COMPACT_NAMES

from .wire import LINEAR, growth, hosts, ports, texts


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Via", "Via"),
        ("vIa", "Via"),
        ("v", "Via"),
        ("V", "Via"),
        ("CALL-ID", "Call-ID"),
        ("www-authenticate", "WWW-Authenticate"),
        ("x_under_score", "X_under_score"),
        ("X-Door-Bell", "X-Door-Bell"),
        ("x-DOOR-bell", "X-Door-Bell"),
    ],
)
def test_a_header_name_has_one_spelling(written: str, kept: str) -> None:
    assert canonical_name(written) == kept


@pytest.mark.parametrize("compact", COMPACT_NAMES)
def test_a_compact_name_stands_for_the_full_one(compact: str) -> None:
    assert canonical_name(compact) == canonical_name(COMPACT_NAMES[compact].upper())


@pytest.mark.parametrize("name", ["", " ", "a b", "Via ", "a:b", "a\r\nb", "größe", "a(b)", 'a"b', "\x00"])
def test_what_is_no_token_is_no_header_name(name: str) -> None:
    with pytest.raises(MessageError):
        canonical_name(name)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("70", 70), ("0009", 9), ("0" * 5000 + "7", 7), ("000", 0)])
def test_leading_zeros_of_a_number_do_not_count(text: str, number: int) -> None:
    assert parse_number(text, 100) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1 2", " 1", "1.0", "0x1", "101", "9" * 5000, "\u0661", "²", "1_0"])
def test_what_is_no_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        parse_number(text, 100)


@settings(deadline=None)
@given(texts)
def test_a_quoted_text_says_what_it_said(text: str) -> None:
    quoted = quote(text)
    assert unquote(quoted) == text
    assert end_of_quoted(quoted + '"x"', 0) == len(quoted)


@pytest.mark.parametrize(
    ("quoted", "plain"),
    [
        ('"a\\"b"', 'a"b'),
        (r'"a\\"', "a\\"),
        (r'"\\\"\a"', '\\"a'),
        ('""', ""),
        ("plain", "plain"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_escapes_in_quotes_are_undone_from_the_left(quoted: str, plain: str) -> None:
    assert unquote(quoted) == plain


@pytest.mark.parametrize("text", ['"', '"abc', '"abc\\"', '"abc\\', '"\\\\\\"'])
def test_a_quote_that_is_never_closed_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        end_of_quoted(text, 0)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", [""]),
        ("a", ["a"]),
        (" a , b\t,c ", ["a", "b", "c"]),
        ("a,,b,", ["a", "", "b", ""]),
        ('"a,b" <sip:c,d@e>;x="f,g", <sip:h@i>', ['"a,b" <sip:c,d@e>;x="f,g"', "<sip:h@i>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        (r'"a\\",b', [r'"a\\"', "b"]),
        ('"a,b', ['"a,b']),
        ("<a,b", ["<a,b"]),
        ('"<",a', ['"<"', "a"]),
        (r"a\,b", ["a\\", "b"]),
    ],
)
def test_a_list_is_split_at_commas_outside_quotes_and_brackets(text: str, pieces: list[str]) -> None:
    assert split_list(text) == pieces


@settings(deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=5))
def test_a_list_of_quoted_texts_comes_apart_as_it_was_put_together(pairs: list[tuple[str, str]]) -> None:
    pieces = [f"{quote(one)};x={quote(other)}" for one, other in pairs]
    assert split_list(" , ".join(pieces)) == pieces
    assert split_params(";".join(pieces)) == [part for one in pieces for part in split_params(one)]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("pbx.example", "pbx.example", None),
        ("PBX.Example:5062", "pbx.example", 5062),
        ("my_door_station", "my_door_station", None),
        ("192.0.2.1 : 5060", "192.0.2.1", 5060),
        ("[2001:DB8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:5060", "2001:db8::1", 5060),
        ("[::ffff:192.0.2.1]", "::ffff:192.0.2.1", None),
        ("[2001:db8:::192.0.2.1]", "2001:db8::192.0.2.1", None),
        ("[:::192.0.2.1]", "::192.0.2.1", None),
    ],
)
def test_host_and_port_are_told_apart(text: str, host: str, port: int | None) -> None:
    assert parse_host_port(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5060",
        "a:",
        "a:0",
        "a:65536",
        "a:-1",
        "a:5060:1",
        "a b",
        "ä.example",
        "a" * 256,
        "2001:db8::1",
        "[2001:db8::1",
        "[2001:db8::1]5060",
        "[]",
        "[192.0.2.1]",
        "[::1%eth0]",
        "[2001:db8:::1]",
        "[2001:db8::::192.0.2.1]",
        "[1::2:::192.0.2.1]",
        "[" + ":" * 300 + "]",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        parse_host_port(text)


@settings(deadline=None)
@given(hosts, ports)
def test_a_host_is_read_as_it_was_written(host: str, port: int | None) -> None:
    assert parse_host_port(format_host_port(host, port)) == (host, port)


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "\r\n", "\n"])
def test_line_breaks_are_found(text: str) -> None:
    assert has_line_break(text)
    assert not has_line_break("a\tb\x0b\x85\u2028")


def _scan(text: str) -> None:
    split_list(text)
    split_params(text)
    unquote(f'"{text}"')


@pytest.mark.parametrize("piece", [",", '"', "\\", "<", ">", '\\"', '",', "<,", '";', ";", "a", " "])
def test_splitting_takes_linear_time(piece: str) -> None:
    assert growth(_scan, lambda size: ',;"' + piece * (size // len(piece))) < LINEAR
