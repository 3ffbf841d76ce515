"""What people are shown of an INVITE, and what stays hidden (RFC 3323, RFC 5806, RFC 7044 section 10.1)."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.shown_headers import MAX_SHOWN_HEADERS, shown_headers

OFFICE = "<sip:office@corp.example>"
GRANDMA = '"Grandma" <sip:0301234@sip.example>'


def shown(*fields: tuple[str, str], private: bool = False) -> list[tuple[str, str]]:
    """Return what is shown of an INVITE of Alice's."""
    headers = Headers()
    headers.add("From", '"Alice" <sip:alice@sip.example>;tag=a')
    for name, value in fields:
        headers.add(name, value)
    return list(shown_headers(Request("INVITE", "sip:bob@sip.example", headers), private=private))


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Diversion", f"{OFFICE};reason=user-busy"),
        ("Diversion", f"{OFFICE};privacy=off;reason=unconditional;counter=1"),
        ("History-Info", f"{OFFICE};index=1"),
        ("History-Info", "<sip:office@corp.example?Reason=SIP%3Bcause%3D302&Privacy=none>;index=1"),
        ("History-Info", "<sip:office@corp.example>;index=1, <sip:bob@192.0.2.2>;index=1.1;rc=1"),
        ("Subject", "dinner, perhaps"),
    ],
)
def test_who_diverted_a_call_and_hides_nothing_is_shown(name: str, value: str, *, private: bool) -> None:
    assert shown((name, value), private=private) == [(name, value)]


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    ("name", "entry"),
    [
        *(("Diversion", f"{GRANDMA};privacy={kind}") for kind in ("full", "name", "uri", "Full", '"full"', "unknown")),
        ("History-Info", "<sip:0301234@sip.example?Privacy=history>;index=1"),
        ("History-Info", "<sip:0301234@sip.example?Reason=SIP%3Bcause%3D302&privacy=History>;index=1"),
        ("History-Info", "<sip:0301234@sip.example?Privacy=%68eader>;index=1"),
        ("History-Info", "<sip:0301234@sip.example?Privacy=history%3Bcritical>;index=1"),
        ("Diversion", "Grandma 0301234"),
        ("History-Info", '"Grandma <sip:0301234@sip.example>'),
    ],
)
def test_who_diverted_a_call_and_wants_to_be_hidden_is_not_shown(name: str, entry: str, *, private: bool) -> None:
    assert shown((name, entry), private=private) == []
    both = shown((name, f"{OFFICE};index=1"), (name, entry), private=private)
    assert both == [(name, f"{OFFICE};index=1")]


def test_one_of_several_in_a_line_is_left_out() -> None:
    line = f"{OFFICE};reason=unknown, {GRANDMA};privacy=full, <sip:desk@corp.example>"
    assert shown(("Diversion", line)) == [("Diversion", f"{OFFICE};reason=unknown, <sip:desk@corp.example>")]


@pytest.mark.parametrize("privacy", ["history", "header", "id; History", "header;critical"])
def test_a_call_whose_way_is_hidden_shows_nothing_of_it(privacy: str) -> None:
    fields = ("Privacy", privacy), ("Diversion", OFFICE), ("History-Info", f"{OFFICE};index=1"), ("Subject", "x")
    assert shown(*fields) == [("Subject", "x")]


@pytest.mark.parametrize(
    "identity",
    [
        ("From", '"Alice" <sip:Alice@sip.example>;tag=b'),
        ("P-Asserted-Identity", "<tel:+49301234>"),
        ("Remote-Party-ID", "<sip:+49301234@sip.example>;privacy=full"),
        ("P-Preferred-Identity", "<sip:+49301234@other.example>"),
    ],
)
def test_a_private_caller_is_not_betrayed_by_the_way_of_the_call(identity: tuple[str, str]) -> None:
    """The caller may have been called back, or have diverted the call itself."""
    entries = f"{OFFICE};index=1, <sip:alice@sip.example>;index=2, <sip:+49301234@corp.example>;index=3"
    left = shown(("Privacy", "id"), identity, ("History-Info", entries), private=True)
    texts = " ".join(value for _, value in left)
    assert "office" in texts
    assert "alice" not in texts
    assert ("49301234" in texts) is (identity[0] == "From")
    assert shown(("History-Info", entries)) == [("History-Info", entries)], "who hides nothing is shown"


def test_a_private_caller_has_no_picture_and_no_asserted_name() -> None:
    fields = (
        ("Call-Info", "<http://sip.example/alice.jpg>;purpose=icon"),
        ("P-Asserted-Identity", GRANDMA),
        ("Alert-Info", "<urn:alert:source:external>"),
    )
    assert shown(*fields) == list(fields)
    assert shown(*fields, private=True) == [fields[2]]


def test_little_is_shown_of_much() -> None:
    many = shown(*(("Subject", f"\x07{'x' * 500}") for _ in range(50)))
    assert len(many) == MAX_SHOWN_HEADERS
    assert {value for _, value in many} == {"x" * 128}


@given(
    st.text(st.characters(exclude_characters="\r\n"), max_size=80),
    st.sampled_from(["Diversion", "History-Info"]),
    st.booleans(),
)
def test_any_text_is_shown_or_left_out_and_nothing_is_raised(text: str, name: str, private: bool) -> None:
    for kept, _ in shown((name, text), ("Remote-Party-ID", text), ("Privacy", text), private=private):
        assert kept == name
