"""Menus that are saved by name: how they are typed and changed, and what an action makes of them."""

import json
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.sip_ua import menu_book
from custom_components.sip_ua.const import SUBENTRY_MENU
from custom_components.sip_ua.diagnostics import async_get_config_entry_diagnostics
from custom_components.sip_ua.menu_book import MAX_SAVED_MENUS
from custom_components.sip_ua.sip.events import CallState, Party

from .conftest import act, make_entry, settle
from .phone import FakePhone

DOOR = {
    "message": "Hello {{ call.name }}, 1 opens the door",
    "choices": {"1": {"actions": [{"action": "test.note", "data": {"who": "{{ call.name }} in {{ menu }}"}}]}},
}
TEXTS: Final = json.loads((Path(menu_book.__file__).parent / "translations" / "en.json").read_text(encoding="utf-8"))[
    "config_subentries"
]["menu"]["error"]
TEMPLATE: Final = "TemplateSyntaxError: unexpected 'end of template'"


def saved(name: str, menu: Any) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        data={"menu": menu},
        subentry_id=name.casefold().replace(" ", "_"),
        subentry_type=SUBENTRY_MENU,
        title=name,
        unique_id=f"menu {name.casefold()}",
    )


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    return make_entry(subentries=[saved("Front door", DOOR)])


@pytest.fixture(name="said")
def said_fixture(phone: FakePhone, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hear what is spoken; each message stays until a key is pressed."""
    said: list[str] = []

    def speech(_hass: HomeAssistant, message: str, **_how: Any) -> str:
        said.append(message)
        return message

    monkeypatch.setattr("custom_components.sip_ua.action_calls.speech_source", speech)
    return said


async def save(hass: HomeAssistant, entry: MockConfigEntry, **typed: Any) -> Any:
    form = await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_MENU), context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    return await hass.config_entries.subentries.async_configure(form["flow_id"], typed)


async def test_an_action_names_a_saved_menu(hass: HomeAssistant, phone: FakePhone, talk: str, said: list[str]) -> None:
    notes = async_mock_service(hass, "test", "note")
    task = hass.async_create_task(act(hass, "menu", menu="front DOOR"))
    await settle()
    phone.press(talk, "1")
    answer = await task
    assert said == ["Hello Grandma, 1 opens the door"]
    assert (answer["result"], answer["path"]) == ("completed", ["menu", "1"])
    assert [note.data["who"] for note in notes] == ["Grandma in 1"]


async def test_what_a_caller_is_called_is_no_template(hass: HomeAssistant, phone: FakePhone, said: list[str]) -> None:
    call_id = phone.ring(Party("{{ 6 * 7 }}", "612", "sip:612@fritz.box"))
    phone.enter(call_id, CallState.TALKING)
    task = hass.async_create_task(act(hass, "menu", menu="Front door"))
    await settle()
    phone.end(call_id)
    await task
    assert said == ["Hello {{ 6 * 7 }}, 1 opens the door"]


async def test_a_menu_of_another_account_will_do(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, said: list[str]
) -> None:
    call_id = other_phone.ring()
    other_phone.enter(call_id, CallState.TALKING)
    task = hass.async_create_task(act(hass, "menu", menu="Front door", call_id=call_id))
    await settle()
    other_phone.press(call_id, "1")
    assert (await task)["path"] == ["menu", "1"]


async def test_an_action_that_names_no_saved_menu_is_told_which_there_are(
    hass: HomeAssistant, phone: FakePhone, talk: str
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "menu", menu="Back door")
    assert raised.value.translation_key == "menu_not_saved"
    assert raised.value.translation_placeholders == {"menu": "Back door", "menus": "Front door"}


async def test_a_saved_menu_of_former_rules_is_an_error_that_names_the_place_and_no_pin(
    hass: HomeAssistant, phone: FakePhone, talk: str, entry: MockConfigEntry
) -> None:
    menu = {"choices_are_pin": True, "choices": {"4711": {"choices": {"1": {"say": "Hi"}}}}}
    data = MappingProxyType({"menu": menu})
    old = ConfigSubentry(data=data, subentry_type=SUBENTRY_MENU, title="Old", unique_id="menu old")
    hass.config_entries.async_add_subentry(entry, old)
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "menu", menu="Old")
    assert raised.value.translation_key == "menu_invalid"
    assert raised.value.translation_placeholders == {"menu": "Old", "path": "choices → pin → choices → 1 → say"}


async def test_a_menu_is_saved_and_used(
    hass: HomeAssistant, phone: FakePhone, talk: str, said: list[str], entry: MockConfigEntry
) -> None:
    result = await save(hass, entry, name="  Garden   gate ", menu={"message": "{{ 1 + 1 }} gates", "then": "hangup"})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Garden gate")
    await hass.async_block_till_done()
    assert ("stop",) not in phone.did, "nothing else changes"
    task = hass.async_create_task(act(hass, "menu", menu="Garden gate"))
    await settle()
    phone.finish(talk, phone.playback_id)
    assert (await task)["result"] == "hung_up"
    assert said == ["2 gates"]


async def test_a_browser_gets_the_form_and_sends_what_was_typed(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    assert await async_setup_component(hass, "config", {})
    client = await hass_client()
    flows = "/api/config/config_entries/subentries/flow"
    form = await (await client.post(flows, json={"handler": [entry.entry_id, SUBENTRY_MENU]})).json()
    assert [(field["name"], [*field["selector"]]) for field in form["data_schema"]] == [
        ("name", ["text"]),
        ("menu", ["object"]),
    ]
    done = await client.post(f"{flows}/{form['flow_id']}", json={"name": "Typed", "menu": DOOR})
    assert (await done.json())["type"] == FlowResultType.CREATE_ENTRY
    assert [saved.data["menu"] for saved in entry.subentries.values()] == [DOOR, DOOR]


async def test_a_changed_menu_is_used_from_the_next_call_on(
    hass: HomeAssistant, phone: FakePhone, talk: str, said: list[str], entry: MockConfigEntry
) -> None:
    form = await entry.start_subentry_reconfigure_flow(hass, "front_door")
    assert form["data_schema"] is not None
    shown = {str(key): key.description["suggested_value"] for key in form["data_schema"].schema}
    assert shown == {"name": "Front door", "menu": DOOR}
    done = await hass.config_entries.subentries.async_configure(form["flow_id"], {"name": "Front door", "menu": {}})
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert (await act(hass, "menu", menu="Front door"))["path"] == ["menu"]
    assert said == []


@pytest.mark.parametrize(
    ("typed", "errors", "told"),
    [
        ({"name": " "}, {"name": "menu_name_invalid"}, {}),
        ({"name": "x" * 65}, {"name": "menu_name_invalid"}, {}),
        ({"name": "FRONT door"}, {"name": "menu_name_known"}, {}),
        ({"menu": "Front door"}, {"menu": "menu_value_wrong"}, {"path": "menu"}),
        ({"menu": {"choices": {"x": {}}}}, {"menu": "menu_value_wrong"}, {"path": "choices → x"}),
        ({"menu": {"timeout": "soon"}}, {"menu": "menu_value_wrong"}, {"path": "timeout"}),
        (
            {"menu": {"choices": {1: {"choices": {2: {"mesage": "Hi"}}}}}},
            {"menu": "menu_field_unknown"},
            {"path": "choices → 1 → choices → 2 → mesage"},
        ),
        (
            {"menu": {"choices_are_pin": True, "choices": {"4711": {"mesage": "Hi"}}}},
            {"menu": "menu_field_unknown"},
            {"path": "choices → pin → mesage"},
        ),
        ({"menu": {"no_choice": {"invalid": {}}}}, {"menu": "menu_no_effect"}, {"path": "no_choice → invalid"}),
        ({"menu": {"then": "jump"}}, {"menu": "menu_field_missing"}, {"path": "jump_to"}),
        ({"menu": {"jump_to": "a"}}, {"menu": "menu_no_effect"}, {"path": "jump_to"}),
        ({"menu": {"levels": 2}}, {"menu": "menu_no_effect"}, {"path": "levels"}),
        ({"menu": {"media": "gong.wav", "tts_language": "de"}}, {"menu": "menu_no_effect"}, {"path": "tts_language"}),
        ({"menu": {"choices": {1: {}, "1": {}}}}, {"menu": "menu_choice_twice"}, {"path": "choices"}),
        (
            {"menu": {"choices_are_pin": True, "choices": {313: {}}}},
            {"menu": "menu_pin_without_quotes"},
            {"path": "choices"},
        ),
        (
            {"menu": {"choices": {str(digits): {} for digits in range(100)}}},
            {"menu": "menu_too_large"},
            {"menus": "100", "levels": "8"},
        ),
        ({"menu": {"then": "jump", "jump_to": "a"}}, {"menu": "menu_unknown"}, {"menu": "a"}),
        ({"menu": {"id": "a", "choices": {1: {"id": "a"}}}}, {"menu": "menu_twice"}, {"menu": "a"}),
        ({"menu": {"message": "{{ 1 +"}}, {"menu": "menu_not_taken"}, {"path": "message", "error": TEMPLATE}),
        (
            {"menu": {"choices": {1: {}}, "no_choice": {"choices": {2: {}}, "invalid": {"message": "{{ 1 +"}}}},
            {"menu": "menu_not_taken"},
            {"path": "no_choice → invalid → message", "error": TEMPLATE},
        ),
        (
            {"menu": {"choices": {1: {"actions": [{"action": 1}]}}}},
            {"menu": "menu_not_taken"},
            {"path": "choices → 1 → actions → 0 → action", "error": "Service 1 does not match format <domain>.<name>"},
        ),
        (
            {"menu": {"choices": {1: {"actions": {"device_id": "none", "domain": "light", "type": "turn_on"}}}}},
            {"menu": "menu_not_taken"},
            {"path": "choices → 1 → actions", "error": "Unknown device 'none'"},
        ),
    ],
)
async def test_what_is_wrong_with_a_menu_is_told_before_it_is_saved(
    hass: HomeAssistant,
    phone: FakePhone,
    entry: MockConfigEntry,
    typed: dict[str, Any],
    errors: dict[str, str],
    told: dict[str, str],
) -> None:
    result = await save(hass, entry, **({"name": "New", "menu": {}} | typed))
    assert result["errors"] == errors
    assert result["description_placeholders"] == told
    text = TEXTS[next(iter(errors.values()))]
    assert set(re.findall(r"\{(\w+)\}", text)) == told.keys()
    assert len(entry.subentries) == 1


async def test_a_changed_menu_that_is_wrong_stays_as_it_was_and_what_was_typed_stays_in_the_form(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    await save(hass, entry, name="Garden gate", menu={})
    form = await entry.start_subentry_reconfigure_flow(hass, "front_door")
    typed = {"name": "Garden gate", "menu": {"then": "hangup"}}
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], typed)
    assert (result["step_id"], result["errors"]) == ("reconfigure", {"name": "menu_name_known"})
    assert result["data_schema"] is not None
    assert {str(key): key.description["suggested_value"] for key in result["data_schema"].schema} == typed
    assert entry.subentries["front_door"].data["menu"] == DOOR
    # Its own name is not somebody else's.
    done = await hass.config_entries.subentries.async_configure(form["flow_id"], typed | {"name": "FRONT door"})
    assert done["reason"] == "reconfigure_successful"
    assert (entry.subentries["front_door"].title, entry.subentries["front_door"].data["menu"]) == (
        "FRONT door",
        {"then": "hangup"},
    )


async def test_there_is_a_limit_to_saved_menus(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    for number in range(MAX_SAVED_MENUS - 1):
        await save(hass, entry, name=f"Menu {number}", menu={})
    result = await hass.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_MENU), context={"source": SOURCE_USER}
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "too_many_menus")


async def test_a_template_that_fails_in_a_call_is_told_and_the_menu_goes_on(
    hass: HomeAssistant, phone: FakePhone, talk: str, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    await save(hass, entry, name="Broken", menu={"message": "{{ 1 / 0 }}", "then": "hangup"})
    answer = await act(hass, "menu", menu="Broken")
    assert answer["result"] == "hung_up"
    assert "division" in answer["playback_error"]
    assert "The menu menu cannot be heard" in caplog.text
    assert phone.calls == {}


async def test_a_message_that_is_empty_after_all_is_not_said(
    hass: HomeAssistant, phone: FakePhone, talk: str, entry: MockConfigEntry, said: list[str]
) -> None:
    await save(hass, entry, name="Quiet", menu={"message": "{{ '' }}", "tts_language": "de"})
    assert (await act(hass, "menu", menu="Quiet"))["result"] == "completed"
    assert said == []


async def test_a_pin_of_a_saved_menu_is_in_no_diagnostics(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    await save(hass, entry, name="Secret", menu={"choices": {"4711": {}}, "choices_are_pin": True})
    assert "4711" not in str(await async_get_config_entry_diagnostics(hass, entry))
