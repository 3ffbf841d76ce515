"""Every way to write a telephone number leads to one form, and what is no telephone number stays as it is."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.numbering import PLANS, NumberPlan, is_keys, plain_number, plan_of
from custom_components.sip_ua.settings import plain_target
from custom_components.sip_ua.sip.number_pattern import fits

BERLIN = "+49301234567"


@pytest.mark.parametrize(
    "written",
    [
        "+49301234567",
        "+49 30 1234567",
        "+49 (0)30 / 123-45.67",
        "+49 ( 0 ) 30 1234567",
        "+490301234567",
        "0049301234567",
        "00490301234567",
        "49301234567",
        "0301234567",
        "030 123\N{NO-BREAK SPACE}4567",
        " (030) 1234567 ",
    ],
)
def test_a_german_number_has_one_form(written: str) -> None:
    assert plan_of("DE").canonical(written) == BERLIN


@pytest.mark.parametrize(
    ("country", "written", "form"),
    [
        ("AT", "01 5880046", "+4315880046"),
        ("AU", "0011 49 30 1234567", BERLIN),
        ("AU", "02 9876 5432", "+61298765432"),
        ("BY", "8 17 123 45 67", "+375171234567"),
        ("DK", "32 12 34 56", "+4532123456"),
        ("DK", "4532123456", "+4532123456"),
        ("ES", "912 345 678", "+34912345678"),
        ("FR", "01 23 45 67 89", "+33123456789"),
        ("GB", "020 7946 0000", "+442079460000"),
        ("HU", "06 1 234 5678", "+3612345678"),
        ("IT", "06 1234 5678", "+390612345678"),
        ("IT", "+39 06 1234 5678", "+390612345678"),
        ("JP", "03-1234-5678", "+81312345678"),
        ("NL", "020 123 4567", "+31201234567"),
        ("RU", "8 (812) 123-45-67", "+78121234567"),
        ("RU", "812 123 45 67", "+78121234567"),
        ("RU", "+7 812 123 45 67", "+78121234567"),
        ("US", "(212) 555-0100", "+12125550100"),
        ("US", "1 212 555 0100", "+12125550100"),
        ("US", "011 49 30 1234567", BERLIN),
        (None, "0049301234567", BERLIN),
        (None, "0301234567", "0301234567"),
        ("XX", "0301234567", "0301234567"),
    ],
)
def test_the_country_tells_how_its_numbers_are_written(country: str | None, written: str, form: str) -> None:
    assert plan_of(country).canonical(written) == form


@pytest.mark.parametrize(
    "number",
    ["110", "112", "911", "0", "00", "01", "620", "**610", "*21#", "#31#0301234567", "1234567", "49301", "grandma", ""],
)
def test_what_is_no_full_number_stays_as_it_is(number: str) -> None:
    assert plan_of("DE").canonical(number) == number


@given(st.sampled_from([NumberPlan(), *PLANS.values()]), st.text("0123456789+ -/()*#a", max_size=20))
def test_the_form_of_a_form_is_itself(plan: NumberPlan, text: str) -> None:
    form = plan.canonical(text)
    assert plan.canonical(form) == form


@given(
    st.sampled_from([plan for plan in PLANS.values() if plan.trunk and not plan.lengths]),
    st.text("123456789", min_size=8, max_size=11),
)
def test_national_and_international_numbers_agree(plan: NumberPlan, subscriber: str) -> None:
    international = f"+{plan.calling_code}{subscriber}"
    assert plan.canonical(plan.trunk + subscriber) == international
    assert plan.canonical(f"{plan.international}{plan.calling_code}{subscriber}") == international


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("112", True),
        ("+49 30 1", True),
        ("*21*0301#", True),
        ("#01", True),
        ("Anna", False),
        ("4a", False),
        ("", False),
    ],
)
def test_keys_are_told_from_names(text: str, keys: bool) -> None:
    assert is_keys(text) is keys


def test_the_zero_in_brackets_is_for_the_eye() -> None:
    assert plain_number("+49 (0)30 1") == "+49301"
    assert plain_number(" 0049 (0)30 1") == "0049301"
    assert plain_number("(0)30 1") == "0301"
    assert plain_target("+49 (0)30 1") == "+49301"


@pytest.mark.parametrize(
    ("country", "written", "forms"),
    [
        ("DE", "0301234567", {"0301234567", "+49301234567"}),
        ("DE", "+49 (0)30 1234567", {"0301234567", "+49301234567"}),
        ("DE", "0049301234567", {"0301234567", "+49301234567", "0049301234567"}),
        ("DE", "+33123456789", {"+33123456789", "0033123456789"}),
        ("US", "+12125551234", {"+12125551234", "12125551234", "2125551234"}),
        ("US", "+49301234567", {"+49301234567", "01149301234567"}),
        ("IT", "+390612345678", {"+390612345678", "0612345678"}),
        (None, "0033123456789", {"+33123456789", "0033123456789"}),
        ("DE", "620", {"620"}),
        ("DE", "**610", {"**610"}),
        ("DE", " anonymous ", {"anonymous"}),
    ],
)
def test_a_pattern_may_mean_every_form_of_a_number(country: str | None, written: str, forms: set[str]) -> None:
    assert plan_of(country).forms(written) == forms


@pytest.mark.parametrize(
    ("country", "typed", "pattern"),
    [
        ("DE", "0049900*", "+49900*"),
        ("DE", "00490900*", "+49900*"),
        ("DE", "+490900*", "+49900*"),
        ("DE", "+490*", "+490*"),
        ("DE", "0049*", "+49*"),
        ("DE", "0900*", "0900*"),
        ("DE", "00*", "00*"),
        ("DE", "0900123456", "+49900123456"),
        ("DE", "6??", "6??"),
        ("DE", "**610", "**610"),
        ("DE", "0049*@192.168.1.5", "0049*@192.168.1.5"),
        ("US", "0111900*", "+1900*"),
        ("IT", "0039*", "+39*"),
        ("RU", "81078*", "+78*"),
        (None, "0049900*", "0049900*"),
    ],
)
def test_a_pattern_is_compared_as_numbers_are(country: str | None, typed: str, pattern: str) -> None:
    assert plan_of(country).pattern(typed) == pattern


@given(
    st.sampled_from([NumberPlan(), *PLANS.values()]),
    st.text("0123456789", min_size=6, max_size=12),
    st.sampled_from(["", "+", "00", "0"]),
    st.data(),
)
def test_however_a_number_is_written_its_beginning_means_all_of_its_forms(
    plan: NumberPlan, digits: str, prefix: str, data: st.DataObject
) -> None:
    written = prefix + digits
    head = data.draw(st.integers(1, len(written)))
    assert any(fits((plan.pattern(f"{written[:head]}*"),), form) for form in plan.forms(written))
    assert any(fits((plan.pattern(written),), form) for form in plan.forms(written))


@pytest.mark.parametrize(
    ("country", "digits", "international"),
    [
        ("DE", "49301234567", True),
        ("DE", "0301234567", False),
        ("DE", "611", False),
        ("DE", "33612345678", False),
        ("ES", "34912345678", True),
        ("ES", "912345678", False),
        ("US", "12125551234", False),
        ("US", "2125551234", False),
        (None, "49301234567", False),
    ],
)
def test_some_digits_can_be_an_international_number_only(country: str | None, digits: str, international: bool) -> None:
    assert plan_of(country).is_international(digits) is international
