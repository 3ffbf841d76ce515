"""Numbers that come from templates, of which Home Assistant makes figures without the + before them."""

import pytest
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import Script

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.sip.events import Party

from .conftest import contact, make_entry
from .phone import FakePhone, Phones

FOREIGN = "+33612345678"


async def run(hass: HomeAssistant, action: str, **data: object) -> None:
    """Perform an action as an automation does, with its templates."""
    steps = cv.SCRIPT_SCHEMA([{"action": f"{DOMAIN}.{action}", "data": data}])
    await Script(hass, steps, "test", "test").async_run({"foreign": FOREIGN}, Context())


def dialed(phone: FakePhone) -> list[str]:
    """Return what went out."""
    return [asked[1] for asked in phone.did if asked[0] == "dial"]


@pytest.fixture(name="in_germany")
def in_germany_fixture(hass: HomeAssistant) -> None:
    """Live in a country whose numbers are known, from before the telephone is set up."""
    hass.config.country = "DE"


@pytest.mark.usefixtures("in_germany")
@pytest.mark.parametrize(
    ("number", "sent"),
    [
        ("+49301234567", "+49301234567"),
        ("+49 30 1234567", "+49301234567"),
        ("0301234567", "0301234567"),
        ("0049301234567", "0049301234567"),
        ("611", "611"),
        ("112", "112"),
        ("*21#", "*21#"),
        (f"tel:{FOREIGN}", f"tel:{FOREIGN}"),
        (FOREIGN, "33612345678"),
    ],
)
async def test_a_number_from_a_template_goes_out_as_it_was(
    number: str, sent: str, hass: HomeAssistant, phone: FakePhone
) -> None:
    await run(hass, "dial", number=f"{{{{ '{number}' }}}}")
    assert dialed(phone) == [sent]


async def test_who_called_from_abroad_is_called_back(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.end(phone.ring(Party("", FOREIGN, f"sip:{FOREIGN}@fritz.box")))
    await run(hass, "dial", number="{{ foreign }}")
    assert dialed(phone) == [FOREIGN]


async def test_who_called_without_a_plus_is_called_back_without_it(hass: HomeAssistant, phone: FakePhone) -> None:
    plain = FOREIGN.removeprefix("+")
    for number in (plain, FOREIGN):
        phone.end(phone.ring(Party("", number, f"sip:{number}@fritz.box")))
    await run(hass, "dial", number="{{ foreign[1:] }}")
    assert dialed(phone) == [plain]


async def test_the_number_of_a_contact_is_known_with_its_plus(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(subentries=[contact("Aunt", "+33 6 12 34 56 78")])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phones[-1].register()
    phones[-1].answers_at_once = True
    await run(hass, "call_out", numbers=["{{ foreign }}"], confirm="none")
    assert dialed(phones[-1]) == [FOREIGN]


@pytest.mark.usefixtures("in_germany")
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("{{ '+49301234567' }}", "+49301234567"),
        ("{{ foreign }}", FOREIGN),
        ("+49 30 1234567", "+49 30 1234567"),
        ("33687654321", "33687654321"),
        ("0301234567", "0301234567"),
        ("0049301234567", "0049301234567"),
        ("611", "611"),
        ("112", "112"),
        ("*21#", "*21#"),
        ("Grandma", "Grandma"),
        ("", ""),
    ],
)
async def test_the_number_to_dial_is_what_was_put_into_it(
    hass: HomeAssistant, phone: FakePhone, text: str, kept: str
) -> None:
    phone.end(phone.ring(Party("", FOREIGN, f"sip:{FOREIGN}@fritz.box")))
    (entity_id,) = hass.states.async_entity_ids("text")
    steps = [{"action": "text.set_value", "target": {"entity_id": entity_id}, "data": {"value": text}}]
    await Script(hass, cv.SCRIPT_SCHEMA(steps), "test", "test").async_run({"foreign": FOREIGN}, Context())
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == kept


async def test_a_call_is_redirected_to_a_number_with_its_plus(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.end(phone.ring(Party("", FOREIGN, f"sip:{FOREIGN}@fritz.box")))
    call_id = phone.ring()
    await run(hass, "redirect", number="{{ foreign }}")
    assert ("redirect", call_id, FOREIGN) in phone.did
