"""The form about what answers calls: who does, then what that one needs and nothing else, also for single contacts."""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from .conftest import contact
from .phone import Phones
from .test_answering import account, start
from .test_contacts import submit as submit_contact
from .test_options import choose, submit, suggested

MESSAGE = {"answer_after", "answer_message", "answer_tts", "take_message"}
ASSIST = {"answer_after", "answer_message", "answer_tts"}
MENU = {"answer_after", "answer_menu"}


async def go_on(hass: HomeAssistant, entry: MockConfigEntry, **first: Any) -> ConfigFlowResult:
    """Submit the first page, and return the second one."""
    form = await choose(hass, entry, "answering")
    return await hass.config_entries.options.async_configure(form["flow_id"], first)


def asked(form: ConfigFlowResult) -> set[str]:
    """Return the fields of a page."""
    assert form["data_schema"] is not None
    return {str(marker) for marker in form["data_schema"].schema}


@pytest.mark.parametrize(
    ("by", "prepared", "of_contact", "fields"),
    [
        ("nobody", [], "account", {"assist_device"}),
        ("nobody", [], "nobody", {"assist_device"}),
        ("nobody", [], "assist", ASSIST),
        ("nobody", [], "message", MESSAGE | {"assist_device"}),
        ("nobody", ["message"], "account", MESSAGE | {"assist_device"}),
        ("nobody", ["message", "menu"], "account", MESSAGE | MENU | {"assist_device"}),
        ("assist", [], "account", ASSIST | {"answer_whom"}),
        ("assist", ["message"], "menu", MESSAGE | MENU | {"answer_whom"}),
        ("message", [], "account", MESSAGE | {"answer_whom", "assist_device"}),
        ("message", ["message"], "assist", MESSAGE | {"answer_whom"}),
        ("menu", [], "account", MENU | {"answer_whom", "assist_device"}),
        ("menu", [], "message", MENU | MESSAGE | {"answer_whom", "assist_device"}),
    ],
)
async def test_only_what_has_an_effect_is_asked_for(
    hass: HomeAssistant, phones: Phones, by: str, prepared: list[str], of_contact: str, fields: set[str]
) -> None:
    entry = account(contact("Anna", "611", answered_by=of_contact))
    await start(hass, phones, entry)
    form = await go_on(hass, entry, answered_by=by, contact_answers=prepared)
    assert (form["type"], form["step_id"], form["errors"]) == (FlowResultType.FORM, "answering_how", {})
    assert asked(form) == fields


@pytest.mark.parametrize(
    ("first", "second", "errors"),
    [
        ({"answered_by": "message"}, {}, {"answer_message": "answer_message_required"}),
        ({"answered_by": "message"}, {"answer_message": " "}, {"answer_message": "answer_message_required"}),
        ({"answered_by": "assist"}, {"answer_message": "x" * 1001}, {"answer_message": "answer_message_too_long"}),
        ({"answered_by": "menu"}, {}, {"answer_menu": "answer_menu_required"}),
        (
            {"answered_by": "assist", "contact_answers": ["message", "menu"]},
            {},
            {"answer_message": "answer_message_required", "answer_menu": "answer_menu_required"},
        ),
    ],
)
async def test_what_is_missing_is_told_at_its_field_and_can_be_put_right(
    hass: HomeAssistant, phones: Phones, first: dict[str, Any], second: dict[str, Any], errors: dict[str, str]
) -> None:
    entry = account()
    await start(hass, phones, entry)
    before = entry.options
    fields = {"answer_whom": "contacts", "answer_after": 20}
    result = await submit(hass, entry, "answering", **first, **fields, **second)
    assert (result["type"], result["step_id"], result["errors"]) == (FlowResultType.FORM, "answering_how", errors)
    assert entry.options == before
    right = {"answer_message": "Hello", "answer_menu": "Gate"}
    right = {key: value for key, value in right.items() if key in asked(result)}
    result = await hass.config_entries.options.async_configure(result["flow_id"], fields | right)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    stored = {key: entry.options["answering"][key] for key in (*first, *right)}
    assert stored == first | right
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("of_contact", "stored", "key"),
    [
        ("message", {"answer_message": "Hello"}, "answer_message"),
        ("menu", {"answer_menu": "Gate"}, "answer_menu"),
    ],
)
async def test_what_a_contact_needs_cannot_be_emptied(
    hass: HomeAssistant, phones: Phones, of_contact: str, stored: dict[str, Any], key: str
) -> None:
    """Neither where the account itself had the same answer, nor where it was chosen before it had to be prepared."""
    entry = account(contact("Anna", "611", answered_by=of_contact), answered_by=of_contact, **stored)
    await start(hass, phones, entry)
    result = await submit(hass, entry, "answering", answered_by="nobody", contact_answers=[], answer_after=20)
    assert result["errors"] == {key: f"{key}_required"}
    fields = {"answer_after": 20, **stored}
    result = await hass.config_entries.options.async_configure(result["flow_id"], fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["answering"]["contact_answers"] == [of_contact]
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("of_contact", "stored", "errors"),
    [
        ("message", {"answer_message": ""}, {"answered_by": "contact_message_missing"}),
        ("message", {"answer_message": "Hello"}, None),
        ("menu", {}, {"answered_by": "contact_menu_missing"}),
        ("menu", {"answer_menu": "Gate"}, None),
        ("assist", {"answer_message": ""}, None),
        ("account", {"answer_message": ""}, None),
    ],
)
async def test_a_contact_is_answered_only_by_what_is_there(
    hass: HomeAssistant,
    phones: Phones,
    of_contact: str,
    stored: dict[str, Any],
    errors: dict[str, str] | None,
) -> None:
    entry = account(**{"answered_by": "nobody", "answer_after": 20, **stored})
    await start(hass, phones, entry)
    result = await submit_contact(hass, entry, name="Anna", number="611", answered_by=of_contact)
    assert result.get("errors") == errors
    assert (result["type"] is FlowResultType.CREATE_ENTRY) is (errors is None)
    await hass.async_block_till_done()


async def test_the_pages_offer_saved_menus_and_suggest_nothing_empty(hass: HomeAssistant, phones: Phones) -> None:
    entry = account(answered_by="nobody", answer_message="", take_message=True)
    await start(hass, phones, entry)
    form = await choose(hass, entry, "answering")
    assert form["last_step"] is False
    assert suggested(form) == {"answered_by": "nobody", "contact_answers": []}
    form = await hass.config_entries.options.async_configure(form["flow_id"], {"answered_by": "menu"})
    shown = suggested(form)
    assert shown == {"answer_whom": "contacts", "answer_after": 0, "assist_device": False}
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], shown | {"answer_menu": "Gate", "answer_after": 7.0}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    # What was not asked for is what it was.
    assert entry.options["answering"] == {
        "answered_by": "menu",
        "contact_answers": [],
        "answer_whom": "contacts",
        "answer_after": 7,
        "answer_message": "",
        "answer_tts": "",
        "take_message": True,
        "answer_menu": "Gate",
        "assist_device": False,
    }
    await hass.async_block_till_done()


async def test_an_older_account_shows_what_its_contacts_have_already(hass: HomeAssistant, phones: Phones) -> None:
    contacts = [contact("Anna", "611", answered_by="menu"), contact("Bob", "612", answered_by="message")]
    entry = account(*contacts, answer_menu="Gate")
    await start(hass, phones, entry)
    form = await choose(hass, entry, "answering")
    # The message is that of the account itself.
    assert suggested(form) == {"answered_by": "message", "contact_answers": ["menu"]}
