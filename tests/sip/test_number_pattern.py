"""Patterns of numbers and addresses: one way to read them for every list."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.number_pattern import fits


@pytest.mark.parametrize(
    ("pattern", "number", "meant"),
    [
        ("*", "612", True),
        ("*", "", True),
        ("612", "612", True),
        ("612", "6123", False),
        ("6?2", "6x2", True),
        ("Door*", "dooR.street", True),
        ("+4930*", "+49301", True),
        ("0900*", "10900", False),
        ("[6]", "6", False),
        ("[6]", "[6]", True),
        # Codes of the exchange.
        ("**611", "**611", True),
        ("**611", "99611", False),
        ("*21*0301#", "*21*0301#", True),
        ("*21*0301#", "*2150301#", False),
        ("**61?", "**617", True),
        ("*21*", "*21*0301234#", True),
        ("#9*", "#91", True),
        ("#9*", "91", False),
        # Addresses.
        ("*@192.168.1.5", "door@192.168.1.5", True),
        ("*@192.168.1.5", "door@192.168.1.50", False),
        ("door@*", "door@[fe80::1]", True),
        ("door@[fe80::1]", "door@[fe80::1]", True),
        ("192.168.1.*", "192.168.1.77", True),
    ],
)
def test_a_pattern_means_the_numbers_that_it_names(pattern: str, number: str, meant: bool) -> None:
    assert fits((pattern,), number) is meant


def test_one_of_several_patterns_is_enough_and_none_means_nobody() -> None:
    assert fits(("1*", "2*"), "21")
    assert not fits((), "21")


@given(st.text("0123456789+*#", min_size=1, max_size=20).filter(lambda text: not text.endswith("*")))
def test_a_code_without_wildcards_means_itself_alone(code: str) -> None:
    code = "*" + code
    assert fits((code,), code)
    assert not fits((code,), "1" + code[1:])
