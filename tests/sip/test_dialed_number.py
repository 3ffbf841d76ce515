"""What goes out for what people dial: numbers and feature codes without what they write for the eye."""

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress
from custom_components.sip_ua.sip.party import dial_number, target_uri

ACCOUNT = Account(number="620", domain="pbx.example", server=ServerAddress("pbx.example"))


@pytest.mark.parametrize(
    ("typed", "dialed", "uri"),
    [
        ("030 123-45", "03012345", "sip:03012345@pbx.example"),
        ("+49 (30) 12/34", "+49301234", "sip:+49301234@pbx.example"),
        ("* 21 * 030 123 45 #", "*21*03012345#", "sip:*21*03012345%23@pbx.example"),
        ("#31# 030 123 45", "#31#03012345", "sip:%2331%2303012345@pbx.example"),
        ("**610", "**610", "sip:**610@pbx.example"),
        ("john.doe", "john.doe", "sip:john.doe@pbx.example"),
        ("...", "...", "sip:...@pbx.example"),
    ],
)
def test_separators_go_from_numbers_and_codes_and_stay_in_names(typed: str, dialed: str, uri: str) -> None:
    assert dial_number(typed) == dialed
    assert str(target_uri(ACCOUNT, typed)) == uri
