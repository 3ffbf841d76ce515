"""What must get through as a call for help, and what nobody dials who may have been misheard."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.emergency import must_get_through, must_not_be_misheard


@pytest.mark.parametrize("number", ["112", " 911", "tel:999", "tel:112;phone-context=+49", "9911", "000", "sip:110@x"])
def test_numbers_of_emergency_services_get_through(number: str) -> None:
    assert must_get_through(number)


@pytest.mark.parametrize("number", ["", "0", "200", "1120", "0303911", "+49112", "sip:bob@112"])
def test_other_numbers_are_none_of_them(number: str) -> None:
    assert not must_get_through(number)


@pytest.mark.parametrize(
    "number", ["110", "0112", "00112", "911", "9911", "5112", "7", "15", "612", "0612", "1122", "+112", "10111"]
)
def test_what_is_near_to_one_must_not_be_misheard(number: str) -> None:
    assert must_not_be_misheard(number)


@pytest.mark.parametrize("number", ["6120", "112112", "0301234", "+49301234", "51100"])
def test_other_numbers_may_be_dialled_by_who_was_heard(number: str) -> None:
    assert not must_not_be_misheard(number)


@given(st.one_of(st.text("+0129", max_size=6), st.text(max_size=8)))
def test_what_must_get_through_is_never_dialled_by_who_was_heard(number: str) -> None:
    assert must_not_be_misheard(number) or not must_get_through(number)
