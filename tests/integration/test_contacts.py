"""The phone book: its form, who is meant by a name or number, and the names of callers."""

from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.core import Event, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.contact_flow import ALIASES_MAX, MORE_NUMBERS_MAX
from custom_components.sip_ua.contacts import MAX_CONTACTS, Contact, ContactBook, OnCall
from custom_components.sip_ua.numbering import plan_of
from custom_components.sip_ua.settings import account_of, normalize
from custom_components.sip_ua.sip.events import CallState, Party, WatchedState

from .conftest import TYPED, contact, make_entry
from .phone import FakePhone, Phones

ANNA = Contact(id="anna", name="Anna Schmidt", number="+49301234567", speed_dial=1, aliases=("Mum",), exposed=True)
ANNE = Contact(id="anne", name="Anna Meyer", number="**611", more_numbers=("0170 7654321", "sip:anne@office.example"))
DOOR = Contact(id="door", name="Front door", number="sip:door@192.168.1.20:5060", speed_dial=9, is_door_station=True)


@pytest.fixture(name="book")
def book_fixture() -> ContactBook:
    return ContactBook((ANNA, ANNE, DOOR), account_of(normalize(TYPED)), plan_of("DE"))


# Who is meant


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("anna  SCHMIDT", "+49301234567"),
        ("mum", "+49301234567"),
        ("Schmidt", "+49301234567"),
        ("Meyer", "**611"),
        ("#01", "+49301234567"),
        ("#09", "sip:door@192.168.1.20:5060"),
        ("#1", "#1"),
        ("#02", "#02"),
        ("#31#0301", "#31#0301"),
        ("*21#", "*21#"),
        ("#31#030 123 45", "#31#03012345"),
        ("*21* 030 123-45 #", "*21*03012345#"),
        ("112", "112"),
        ("0170 765 43 21", "01707654321"),
        ("+49 (0)30 1", "+49301"),
        ("sip:mum@example.org", "sip:mum@example.org"),
        ("mum@example.org", "mum@example.org"),
        ("reception", "reception"),
        (" ", ""),
    ],
)
def test_a_name_a_speed_dial_or_a_number_leads_to_what_is_dialed(book: ContactBook, text: str, target: str) -> None:
    assert book.target(text) == target


def test_a_name_of_several_contacts_is_refused_with_their_names(book: ContactBook) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        book.target("anna")
    assert raised.value.translation_key == "contact_ambiguous"
    assert raised.value.translation_placeholders == {
        "name": "anna",
        "contacts": "Anna Schmidt (+49301234567), Anna Meyer (**611)",
    }


@pytest.mark.parametrize("name", ["Uncle Bob", "Jürgen"])
def test_a_name_that_nobody_has_is_refused(book: ContactBook, name: str) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        book.target(name)
    assert raised.value.translation_key == "contact_unknown"


def test_only_exposed_contacts_are_found_for_voice_assistants(book: ContactBook) -> None:
    assert book.find("Anna", exposed_only=True) == (ANNA,)
    assert book.find("Front door", exposed_only=True) == ()
    assert book.find("", exposed_only=True) == book.find("?") == ()


@pytest.mark.parametrize(
    ("number", "uri", "contact"),
    [
        ("0301234567", "sip:0301234567@fritz.box", ANNA),
        ("+49301234567", "sip:+49301234567@198.51.100.7;user=phone", ANNA),
        ("0049301234567", "", ANNA),
        ("", "tel:+49-30-1234567", None),
        ("+49-30-1234567", "tel:+49-30-1234567", ANNA),
        ("**611", "sip:**611@fritz.box", ANNE),
        ("611", "sip:611@fritz.box", None),
        ("+491707654321", "", ANNE),
        ("anne", "sip:anne@OFFICE.example:5062;transport=tcp", ANNE),
        ("anne", "sip:anne@fritz.box", None),
        ("door", "sips:door@192.168.1.20", DOOR),
        ("door", "sip:door@192.168.1.21", None),
        ("", "sip:anonymous@anonymous.invalid", None),
        ("sip:door@192.168.1.20", "", DOOR),
        ("door@192.168.1.20:5062", "", DOOR),
        ("", "", None),
    ],
)
def test_a_caller_is_found_by_number_or_address(
    book: ContactBook, number: str, uri: str, contact: Contact | None
) -> None:
    assert book.by_number(number, uri) == contact


def test_without_a_server_a_caller_is_its_address() -> None:
    account = account_of(normalize({"template": "direct", "number": "house"}))
    gate = Contact(id="gate", name="Gate", number="sip:192.168.1.30")
    lamp = Contact(id="lamp", name="Lamp", number="sip:lamp@[2001:db8::7]:5070")
    book = ContactBook((gate, lamp), account, plan_of(None))
    assert book.by_party(Party("", "anybody", "sip:anybody@192.168.1.30:5060")) is gate
    assert book.by_party(Party("", "lamp", "sip:lamp@[2001:DB8::7]")) is lamp
    assert book.by_party(Party("", "lamp", "sip:lamp@192.168.1.31")) is None
    assert book.by_number("sip:lamp@[2001:db8::7]") is lamp
    assert ContactBook((), account, plan_of(None)).by_number("lamp") is None


def test_the_phone_book_names_the_other_side(book: ContactBook) -> None:
    party = Party("A. Schmidt", "0301234567", "sip:0301234567@fritz.box")
    assert book.name_party(party) == Party("Anna Schmidt", "0301234567", "sip:0301234567@fritz.box")
    stranger = Party("Stranger", "0401", "sip:0401@fritz.box")
    assert book.name_party(stranger) is stranger
    assert (len(book), list(book)) == (3, [ANNA, ANNE, DOOR])


def test_a_door_code_is_not_written_out() -> None:
    assert "4711" not in repr(Contact(id="d", name="Door", number="1", is_door_station=True, door_code="4711"))


# In Home Assistant


@pytest.fixture(name="entry")
def entry_fixture(hass: HomeAssistant) -> MockConfigEntry:
    hass.config.country = "DE"
    return make_entry(
        subentries=[
            contact("Grandma", "0301234567", speed_dial=1, aliases=["Granny"], watched=False),
            contact("Office", "611", watched=True, more_numbers=["+4940999888"]),
        ]
    )


async def test_callers_have_the_name_of_the_phone_book(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event]
) -> None:
    call_id = phone.ring(Party("0301234567", "+49301234567", "sip:+49301234567@fritz.box"))
    state = hass.states.get("sensor.620_fritz_box_remote_name")
    assert state is not None
    assert state.state == "Grandma"
    phone.enter(call_id, CallState.TALKING)
    phone.replace(call_id, Party("", "040999888", "sip:040999888@fritz.box"))
    phone.end(call_id)
    await hass.async_block_till_done()
    told = {event.data["type"]: event.data for event in call_events}
    assert told["incoming"]["name"] == told["answered"]["name"] == told["replaced"]["previous_name"] == "Grandma"
    assert told["replaced"]["name"] == told["ended"]["name"] == "Office"


@pytest.mark.parametrize("number", ["grandma", "GRANNY", "#01", "030/1234567"])
async def test_actions_take_names_and_speed_dials(hass: HomeAssistant, phone: FakePhone, number: str) -> None:
    response = await hass.services.async_call(DOMAIN, "dial", {"number": number}, blocking=True, return_response=True)
    assert phone.did[-1][:2] == ("dial", "0301234567")
    assert response is not None
    assert response["name"] == "Grandma"


async def test_a_transfer_and_calling_out_take_names(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    await hass.services.async_call(DOMAIN, "transfer", {"number": "Office"}, blocking=True)
    assert phone.did[-1] == ("transfer", talk, "611")
    phone.answers_at_once = True
    response = await hass.services.async_call(
        DOMAIN, "call_out", {"numbers": ["#01"], "confirm": "none"}, blocking=True, return_response=True
    )
    assert response is not None
    assert response["number"] == "0301234567"
    attempts = response["attempts"]
    assert isinstance(attempts, list)
    assert [attempt["name"] for attempt in attempts if isinstance(attempt, dict)] == ["Grandma"]


async def test_a_watched_contact_has_a_device_with_its_state(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    phone.show_line("611", WatchedState.TALKING)
    state = hass.states.get("binary_sensor.office")
    assert state is not None
    assert state.state == "on"
    devices = {
        device.name: device.model for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    }
    assert devices["Office"] == "Contact"


async def test_a_contact_that_one_account_has_tells_which_is_to_call(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    await hass.services.async_call(DOMAIN, "dial", {"number": "Grandma"}, blocking=True)
    await hass.services.async_call(DOMAIN, "dial", {"number": "#01"}, blocking=True)
    assert [what[:2] for what in phone.did] == [("dial", "0301234567")] * 2
    for number in ("611", "#02", "nobody", "office@fritz.box"):
        with pytest.raises(ServiceValidationError) as raised:
            await hass.services.async_call(DOMAIN, "dial", {"number": number}, blocking=True)
        assert raised.value.translation_key == "account_required"
    assert other_phone.did == []


# The form


async def submit(hass: HomeAssistant, entry: MockConfigEntry, **typed: Any) -> SubentryFlowResult:
    """Open the form of a new contact and submit it."""
    form = await hass.config_entries.subentries.async_init((entry.entry_id, "contact"), context={"source": SOURCE_USER})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    return await hass.config_entries.subentries.async_configure(form["flow_id"], {"door": {}} | typed)


async def test_a_contact_is_added_and_removed(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    result = await submit(
        hass,
        entry,
        name="  Front   door ",
        number=" 6 12 ",
        more_numbers=["612", " 613", "", "613"],
        speed_dial=12.0,
        aliases=[" Bell ", "Bell"],
        on_call="auto_answer",
        exposed=True,
        door={"door_station": True, "door_code": " *a9 "},
    )
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Front door")
    assert result["data"] == {
        "number": "612",
        "way": "server",
        "more_numbers": ["613"],
        "speed_dial": 12,
        "aliases": ["Bell"],
        "on_call": "auto_answer",
        "answered_by": "account",
        "watched": False,
        "exposed": True,
        "door": {"door_station": True, "door_code": "*A9"},
    }
    await hass.async_block_till_done()
    assert phones[-1] is not phone
    book = entry.runtime_data.contacts
    (door,) = book.find("bell")
    assert (door.on_call, door.door_code, door.speed_dial) == (OnCall.AUTO_ANSWER, "*A9", 12)

    hass.config_entries.async_remove_subentry(entry, door.id)
    await hass.async_block_till_done()
    assert entry.runtime_data.contacts.find("bell") == ()


async def test_a_device_is_reached_directly_beside_a_server(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry
) -> None:
    assert phone.account.direct_hosts == frozenset()
    await submit(hass, entry, name="Gate", number="sip:611@192.168.1.30:5062", way="direct")
    await hass.async_block_till_done()
    await submit(hass, entry, name="Cellar", number="sip:[2001:db8::7]", way="direct")
    await hass.async_block_till_done()
    await submit(hass, entry, name="Attic", number="sip:611@192.168.1.31", way="server")
    await hass.async_block_till_done()
    assert phones[-1].account.direct_hosts == {"192.168.1.30", "2001:db8::7"}
    phones[-1].ring(Party("Door", "611", "sip:611@192.168.1.30:5062"))
    assert next(iter(entry.runtime_data.calls.values())).remote.name == "Gate"


@pytest.mark.parametrize(
    "number", ["612", "sip:611@gate.local", "sip:611@fritz.box", "sip:611@192.168.178.1", "sip:fritz.box"]
)
async def test_directly_only_a_device_is_reached(hass: HomeAssistant, phones: Phones, number: str) -> None:
    typed = {"template": "generic", "number": "620", "server": "192.168.178.1", "sip_domain": "fritz.box"}
    entry = make_entry(typed)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await submit(hass, entry, name="Gate", number=number, way="direct")
    assert result["errors"] == {"way": "contact_way_needs_device"}


async def test_an_account_without_a_server_has_one_way_only(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry({"template": "direct", "number": "home"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await hass.config_entries.subentries.async_init((entry.entry_id, "contact"), context={"source": SOURCE_USER})
    assert form["data_schema"] is not None
    assert "way" not in form["data_schema"].schema
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"name": "Gate", "number": "sip:611@192.168.1.30", "door": {}}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_a_feature_code_of_a_contact_is_dialed_without_its_spaces(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry
) -> None:
    result = await submit(hass, entry, name="Hidden", number=" #31# 030 123 45", more_numbers=["*21* 030 123-45 #"])
    assert (result["data"]["number"], result["data"]["more_numbers"]) == ("#31#03012345", ["*21*03012345#"])
    await hass.async_block_till_done()
    phones[-1].register()
    await hass.services.async_call(DOMAIN, "dial", {"number": "hidden"}, blocking=True)
    assert phones[-1].did == [("dial", "#31#03012345", None, None)]


async def test_a_new_contact_cuts_no_call(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    call_id = phone.ring()
    await submit(hass, entry, name="Bob", number="614")
    await hass.async_block_till_done()
    assert phones == [phone]
    phone.end(call_id)
    await hass.async_block_till_done()
    assert len(phones) == 2


async def test_a_contact_is_changed(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    form = await entry.start_subentry_reconfigure_flow(hass, "grandma")
    assert form["step_id"] == "reconfigure"
    assert form["data_schema"] is not None
    suggested = {
        str(marker): marker.description["suggested_value"]
        for marker in form["data_schema"].schema
        if marker.description
    }
    assert (suggested["name"], suggested["number"], suggested["speed_dial"]) == ("Grandma", "0301234567", 1)
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"name": "grandma", "number": "+49 30 1234567", "speed_dial": 1, "door": {}}
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert [(known.name, known.number) for known in entry.runtime_data.contacts] == [
        ("grandma", "+49301234567"),
        ("Office", "611"),
    ]


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"name": " "}, {"name": "contact_name_required"}),
        ({"name": "x" * 65}, {"name": "contact_name_too_long"}),
        ({"name": "112"}, {"name": "contact_name_invalid"}),
        ({"name": "*21#"}, {"name": "contact_name_invalid"}),
        ({"name": "bob@home"}, {"name": "contact_name_invalid"}),
        ({"name": "sip:bob"}, {"name": "contact_name_invalid"}),
        ({"name": "GRANDMA"}, {"name": "contact_name_known"}),
        ({"name": "granny"}, {"name": "contact_name_known"}),
        ({"number": "http://door"}, {"number": "contact_number_invalid"}),
        ({"number": " "}, {"number": "contact_number_invalid"}),
        ({"number": "sip:611@0.0.0.0"}, {"number": "contact_number_invalid"}),
        ({"number": "611@224.0.0.1:5060"}, {"number": "contact_number_invalid"}),
        ({"number": "+49 (0)30 1234567"}, {"number": "contact_number_known"}),
        ({"number": "040 999888"}, {"number": "contact_number_known"}),
        ({"number": "sip:611@fritz.box"}, {"number": "contact_number_known"}),
        ({"more_numbers": ["611"]}, {"more_numbers": "more_numbers_known"}),
        ({"more_numbers": ["ftp:1"]}, {"more_numbers": "more_numbers_invalid"}),
        (
            {"more_numbers": [str(700 + n) for n in range(MORE_NUMBERS_MAX + 1)]},
            {"more_numbers": "more_numbers_too_many"},
        ),
        ({"speed_dial": 1}, {"speed_dial": "speed_dial_known"}),
        ({"aliases": ["Grandma"]}, {"aliases": "aliases_known"}),
        ({"aliases": ["0301"]}, {"aliases": "aliases_invalid"}),
        ({"aliases": ["x" * 65]}, {"aliases": "aliases_invalid"}),
        ({"aliases": [f"Bob {n}" for n in range(ALIASES_MAX + 1)]}, {"aliases": "aliases_too_many"}),
        ({"door": {"door_station": True, "door_code": "open"}}, {"door": "door_code_invalid"}),
        ({"door": {"door_code": "1"}}, {"door": "door_code_not_used"}),
    ],
)
async def test_a_contact_that_would_not_work_is_not_kept(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, typed: dict[str, Any], errors: dict[str, str]
) -> None:
    result = await submit(hass, entry, **({"name": "Bob", "number": "614"} | typed))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, errors)
    assert result["data_schema"] is not None
    door = result["data_schema"].schema["door"]
    assert door.options["collapsed"] is ("door" not in errors), "what is wrong opens its section"
    assert len(entry.subentries) == 2


async def test_a_contact_cannot_take_the_name_of_another(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    form = await entry.start_subentry_reconfigure_flow(hass, "office")
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], {"name": "Granny", "number": "611", "door": {}}
    )
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"name": "contact_name_known"})


async def test_a_full_phone_book_takes_no_more(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(subentries=[contact(f"Contact {n}", str(1000 + n)) for n in range(MAX_CONTACTS)])
    entry.add_to_hass(hass)
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, "contact"), context={"source": SOURCE_USER}
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "phone_book_full")
