"""What the pages for people say is what the code does: fields, defaults, actions, triggers, events, examples."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.components.automation.config import async_validate_config_item as validate_automation
from homeassistant.components.script.config import async_validate_config_item as validate_script
from homeassistant.core import Event, HomeAssistant, SupportsResponse
from homeassistant.data_entry_flow import section
from homeassistant.helpers.condition import async_validate_condition_config
from homeassistant.helpers.selector import BooleanSelector, NumberSelector, SelectSelector
from homeassistant.setup import async_setup_component
from homeassistant.util.json import JsonObjectType
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.sip_ua.condition import CONDITIONS
from custom_components.sip_ua.const import (
    CALL_MEDIA,
    CALL_STATISTICS,
    CALL_STEP,
    DOMAIN,
    EVENT_CALL,
    EVENT_LINE,
    EVENT_MESSAGES,
    EVENT_REGISTRATION,
    SECTIONS,
    CallEventType,
)
from custom_components.sip_ua.contact_flow import CONTACT_SCHEMA
from custom_components.sip_ua.escalation import CALL_OUT_SCHEMA
from custom_components.sip_ua.form import account_schema
from custom_components.sip_ua.intent import COMMANDS
from custom_components.sip_ua.line_flow import LINE_SCHEMA
from custom_components.sip_ua.menu import MENU_SCHEMA
from custom_components.sip_ua.menu_flow import MENU_FORM
from custom_components.sip_ua.menu_model import MENU_FIELDS
from custom_components.sip_ua.options import options_of
from custom_components.sip_ua.rtp.figures import RtpStatistics
from custom_components.sip_ua.sentences import parse, understand
from custom_components.sip_ua.services import DIAL_SCHEMA
from custom_components.sip_ua.sip.events import CallState, LadderStep, RegistrationFailure
from custom_components.sip_ua.trigger import TRIGGERS
from custom_components.sip_ua.voice_language import load_languages
from tests.documents import PAGES, REPO, examples_of, names_in, rows_of, section_of, steps_of, text_of
from tests.test_translations import OPTION_FORMS, read, texts_of_options

from .phone import FakePhone

INTEGRATION = REPO / "custom_components" / "sip_ua"
COMMON_FIELDS = {"config_entry_id"}
NO_TEXTS = {"since"}
EXAMPLES = [(page, example) for page in PAGES for example in examples_of(page)]
ALL_STEPS = [step for _, example in EXAMPLES for step in steps_of(example)]


def example_named(name: str) -> dict[str, Any]:
    """Return the example that has an automation of this alias, or a script of this name."""
    found = [
        example
        for _, example in EXAMPLES
        if isinstance(example, dict)
        if name in example.get("script", ()) or name in [item["alias"] for item in example.get("automation", ())]
    ]
    assert found, f"there is no example {name}"
    return found[0]


def is_template(key: str, value: Any) -> bool:
    """Return whether a value becomes what its field wants only when it is rendered."""
    return isinstance(value, str) and "{{" in value and key in NO_TEXTS


# The forms


def shown_default(marker: vol.Marker, field: Any, selector_texts: Mapping[str, Any], stored: Any = None) -> str:
    """Return how the page names what a field is at first."""
    given = getattr(marker, "default", vol.UNDEFINED)
    default = None if isinstance(given, vol.Undefined) else given()
    default = default if stored is None else stored
    if isinstance(field, SelectSelector) and default:
        texts = selector_texts[field.config["translation_key"]]["options"]
        return ", ".join(texts[choice] for choice in ([default] if isinstance(default, str) else default))
    if isinstance(field, BooleanSelector):
        return "on" if default else "off"
    if isinstance(default, list):
        return ", ".join(f"`{item}`" for item in default) or "empty"
    return "empty" if default in {None, ""} else f"{int(default) if isinstance(default, float) else default}"


def check_form(
    text: str, schema: vol.Schema, texts: Mapping[str, Any], stored: Mapping[str, Any] | None = None
) -> None:
    """Check that a table lists the fields of a form in its order, with defaults and ranges."""
    fields = {marker: field for marker, field in schema.schema.items() if not isinstance(field, section)}
    rows = rows_of(text)
    assert [row[0] for row in rows] == [texts["data"][str(marker)] for marker in fields]
    selectors = read("translations/en.json")["selector"]
    for (marker, field), row in zip(fields.items(), rows, strict=True):
        wanted = shown_default(marker, field, selectors, (stored or {}).get(str(marker)))
        assert row[2].startswith(wanted), row[0]
        if isinstance(field, NumberSelector):
            assert f"{field.config['max']:g}" in row[3], row[0]


def in_the_order_of(schema: vol.Schema, texts: Mapping[str, Any]) -> list[str]:
    names = []
    for marker, field in schema.schema.items():
        if isinstance(field, section):
            names += in_the_order_of(field.schema, texts["sections"][str(marker)])
        else:
            names.append(texts["data"][str(marker)])
    return names


def test_the_page_lists_every_field_of_the_account() -> None:
    page = section_of(text_of("configuration.md"), "The account")
    schema, texts = account_schema({}), read("translations/en.json")["config"]["step"]["user"]
    check_form(page, schema, texts)
    forms = {str(marker): field.schema for marker, field in schema.schema.items() if isinstance(field, section)}
    assert tuple(forms) == SECTIONS
    for name, form in forms.items():
        check_form(section_of(page, texts["sections"][name]["name"]), form, texts["sections"][name])


def test_the_page_lists_every_option() -> None:
    page = section_of(text_of("configuration.md"), "Options")
    texts = read("translations/en.json")["options"]["step"]
    headings = [line.removeprefix("### ") for line in page.splitlines() if line.startswith("### ")]
    assert headings == [texts[step]["title"] for step in OPTION_FORMS]
    for step, schema in OPTION_FORMS.items():
        check_form(section_of(page, texts[step]["title"]), schema, texts_of_options(step), options_of({}, step))


def test_the_pages_list_every_field_of_a_contact_a_watched_line_and_a_saved_menu() -> None:
    texts = read("translations/en.json")["config_subentries"]
    lines = section_of(text_of("configuration.md"), "Contacts and watched lines")
    assert [row[0] for row in rows_of(lines)] == in_the_order_of(LINE_SCHEMA, texts["line"]["step"]["user"])
    menus = section_of(text_of("configuration.md"), "Saved menus")
    assert [row[0] for row in rows_of(menus)] == in_the_order_of(MENU_FORM, texts["menu"]["step"]["user"])
    contacts = rows_of(text_of("phone-book.md"))
    assert [row[0] for row in contacts] == in_the_order_of(CONTACT_SCHEMA, texts["contact"]["step"]["user"])


# Actions, triggers and conditions


def fields_in(text: str) -> list[str]:
    return [name for row in rows_of(text) for name in names_in(row[0])]


def headings_of(text: str) -> set[str]:
    return {line.split("`")[1] for line in text.splitlines() if line.startswith("### `")}


def described_fields(fields: Mapping[str, Any]) -> set[str]:
    """Return the fields of an action with those in its sections."""
    names = set[str]()
    for name, field in fields.items():
        names |= described_fields(field["fields"]) if field and "fields" in field else {name}
    return names


async def test_every_action_has_its_fields_its_response_and_an_example(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    page = text_of("actions.md")
    actions = hass.services.async_services_for_domain(DOMAIN)
    described = load_yaml_dict(str(INTEGRATION / "services.yaml"))
    assert headings_of(page) == {f"{DOMAIN}.{name}" for name in actions}
    for name, action in actions.items():
        text = section_of(page, f"`{DOMAIN}.{name}`").split("\n#### ", maxsplit=1)[0]
        named = fields_in(text)
        wanted = described_fields(described[name].get("fields") or {}) - COMMON_FIELDS
        assert set(named) == wanted, name
        assert len(named) == len(set(named)), name
        assert ("Returns nothing" in text) == (action.supports_response is SupportsResponse.NONE), name
        assert any(step.get("action") == f"{DOMAIN}.{name}" for step in ALL_STEPS), name


def test_every_field_of_a_menu_is_explained() -> None:
    table = section_of(text_of("actions.md"), "The fields of a menu")
    assert set(fields_in(table)) == {str(marker) for marker in MENU_FIELDS.schema}


@pytest.mark.parametrize(
    ("part", "file", "names"), [("Triggers", "triggers.yaml", TRIGGERS), ("Conditions", "conditions.yaml", CONDITIONS)]
)
def test_every_trigger_and_condition_has_its_fields_and_an_example(part: str, file: str, names: Iterable[str]) -> None:
    page = section_of(text_of("triggers-and-conditions.md"), part)
    described = load_yaml_dict(str(INTEGRATION / file))
    assert headings_of(page) == {f"{DOMAIN}.{name}" for name in names}
    used = {step.get(part.lower().removesuffix("s")) for step in ALL_STEPS}
    for name in names:
        wanted = set(described[name]["fields"])
        assert set(fields_in(section_of(page, f"`{DOMAIN}.{name}`"))) == wanted, name
        assert f"{DOMAIN}.{name}" in used


# Examples


async def test_every_automation_script_and_action_of_the_pages_is_a_right_one(hass: HomeAssistant) -> None:
    for domain in (DOMAIN, "homeassistant", "script", "automation"):
        assert await async_setup_component(hass, domain, {})
    actions = hass.services.async_services_for_domain(DOMAIN)
    schemas = {f"{DOMAIN}.{name}": action.schema for name, action in actions.items() if action.schema is not None}
    assert len(schemas) == len(actions)
    for page, example in EXAMPLES:
        if isinstance(example, dict):
            for number, config in enumerate(example.get("automation", ())):
                checked = await validate_automation(hass, f"{page.stem} {number}", config)
                assert checked is not None
                assert checked.validation_error is None, (page, config)
            for name, config in example.get("script", {}).items():
                script = await validate_script(hass, name, config)
                assert script is not None
                assert script.validation_error is None, (page, name)
    for step in ALL_STEPS:
        if (name := step.get("action")) in schemas:
            given = {key: value for key, value in step.get("data", {}).items() if not is_template(key, value)}
            schemas[name](given | step.get("target", {}))
        else:
            assert not str(name).startswith(f"{DOMAIN}."), name
        if str(step.get("condition")).startswith(f"{DOMAIN}."):
            await async_validate_condition_config(hass, dict(step))


async def test_the_ringing_automation_says_who_calls(hass: HomeAssistant) -> None:
    notices = async_mock_service(hass, "persistent_notification", "create")
    lights = async_mock_service(hass, "light", "turn_on")
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(hass, "automation", example_named("The telephone rings"))
    await hass.async_block_till_done()

    hass.bus.async_fire(EVENT_CALL, {"type": "incoming", "name": "Grandma", "number": "**610"})
    await hass.async_block_till_done()

    assert [notice.data["message"] for notice in notices] == ["Grandma is calling."]
    assert [light.data["flash"] for light in lights] == ["long"]


async def test_the_code_at_the_door_opens_it(hass: HomeAssistant) -> None:
    locks = async_mock_service(hass, "lock", "open")
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(hass, "automation", example_named("The code at the door"))
    await hass.async_block_till_done()

    for number in ("611", "612"):
        for digit in "4711#":
            hass.bus.async_fire(EVENT_CALL, {"type": "dtmf", "call_id": number, "number": number, "digit": digit})
    await hass.async_block_till_done()

    assert len(locks) == 1


@pytest.mark.parametrize("name", ["Somebody is at the door", "Show who is at the door"])
async def test_only_the_bell_of_the_door_switches_the_light_on(hass: HomeAssistant, name: str) -> None:
    lights = async_mock_service(hass, "light", "turn_on")
    async_mock_service(hass, "notify", "send_message")
    for domain in (DOMAIN, "homeassistant", "button"):
        assert await async_setup_component(hass, domain, {})
    bell = "event.front_door_doorbell"
    hass.states.async_set(bell, "unknown")
    assert await async_setup_component(hass, "automation", example_named(name))
    await hass.async_block_till_done()

    async def show(state: str) -> int:
        hass.states.async_set(bell, state)
        await hass.async_block_till_done()
        return len(lights)

    assert await show("unavailable") == 0, "the registration is lost"
    assert await show("unknown") == 0, "it is registered again"
    assert await show("2026-11-23T08:00:00.000+00:00") == 1, "the first one rings"
    assert await show("unavailable") == 1, "the registration is lost"
    assert await show("2026-11-23T08:00:00.000+00:00") == 1, "it is registered again"
    assert await show("2026-11-23T08:05:00.000+00:00") == 2, "another one rings"


@pytest.mark.parametrize(
    ("outcome", "code", "reason", "playback_error", "wanted"),
    [
        ("answered", 200, "OK", None, []),
        ("no_answer", 480, "Temporarily Unavailable", None, ["no_answer (480 Temporarily Unavailable)"]),
        ("answered", 200, "OK", "the speech engine failed", ["the speech engine failed (200 OK)"]),
    ],
)
async def test_the_water_alarm_tells_when_nobody_heard_it(
    hass: HomeAssistant, outcome: str, code: int, reason: str, playback_error: str | None, wanted: list[str]
) -> None:
    response: JsonObjectType = {"outcome": outcome, "code": code, "reason": reason, "playback_error": playback_error}
    dials = async_mock_service(
        hass, DOMAIN, "dial", schema=DIAL_SCHEMA, response=response, supports_response=SupportsResponse.OPTIONAL
    )
    notices = async_mock_service(hass, "persistent_notification", "create")
    assert await async_setup_component(hass, "script", example_named("water_alarm"))

    await hass.services.async_call("script", "water_alarm", blocking=True)

    assert [dial.data["number"] for dial in dials] == ["**611"]
    assert [notice.data["message"] for notice in notices] == [f"Nobody was told of the water: {why}" for why in wanted]


@pytest.mark.parametrize(
    ("number", "wanted"), [("**611", "**611 looks after it."), (None, "Nobody could be told of the smoke.")]
)
async def test_the_fire_alarm_tells_who_looks_after_it(hass: HomeAssistant, number: str | None, wanted: str) -> None:
    response: JsonObjectType = {"accepted": number is not None, "number": number}
    calls = async_mock_service(
        hass, DOMAIN, "call_out", schema=CALL_OUT_SCHEMA, response=response, supports_response=SupportsResponse.OPTIONAL
    )
    notices = async_mock_service(hass, "persistent_notification", "create")
    assert await async_setup_component(hass, "script", example_named("fire_alarm"))

    await hass.services.async_call("script", "fire_alarm", blocking=True)

    assert [call.data["numbers"] for call in calls] == [["**611", "+491701234567"]]
    assert [notice.data["message"] for notice in notices] == [wanted]


async def test_the_house_answers_with_a_menu(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    answers = async_mock_service(hass, DOMAIN, "answer")
    menus = async_mock_service(hass, DOMAIN, "menu", schema=MENU_SCHEMA)
    assert await async_setup_component(hass, "automation", example_named("The house answers"))
    await hass.async_block_till_done()

    hass.bus.async_fire(EVENT_CALL, {"type": "incoming", "call_id": "c1", "name": "Grandma"})
    await hass.async_block_till_done()

    assert [call.data["call_id"] for call in (*answers, *menus)] == ["c1", "c1"]
    main = menus[0].data["menu"]["choices"]["4711"]
    assert [step["action"] for step in main["choices"]["1"]["actions"]] == ["cover.open_cover"]


# Events


async def test_the_page_of_events_names_every_type_and_everything_that_is_told(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event], registration_events: list[Event]
) -> None:
    page = text_of("events.md")
    types = section_of(page, "Types")
    on_the_bus = types[types.index("These are on the bus only") :]
    assert [row[0].strip("`") for row in rows_of(types)] == [kind.value for kind in CallEventType]
    assert [row[0].strip("`") for row in rows_of(on_the_bus)] == [CALL_STEP, CALL_MEDIA, CALL_STATISTICS]
    assert [row[0].strip("`") for row in rows_of(page)] == [EVENT_CALL, EVENT_REGISTRATION, EVENT_MESSAGES, EVENT_LINE]
    assert set(names_in(on_the_bus)) >= {step.value for step in LadderStep}

    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    phone.fail(RegistrationFailure.NO_ANSWER)
    await hass.async_block_till_done()

    told = {event.data["type"]: set(event.data) for event in call_events}
    common = {"config_entry_id", "account", "type"}
    of_a_call = set(fields_in(section_of(page, "What is told of a call")))
    how_it_went = set(fields_in(section_of(page, "How a call went")))
    assert told["answered"] == common | of_a_call
    assert told["ended"] == common | of_a_call | how_it_went
    of_registrations = set(fields_in(section_of(page, "The registration")))
    assert set(registration_events[-1].data) == {"config_entry_id", "account"} | of_registrations
    figures = set(names_in(section_of(page, "The figures of the voice")))
    assert figures == set(RtpStatistics.__dataclass_fields__) | {"null"}


def test_every_entity_has_its_line() -> None:
    page = text_of("entities.md")
    entities = read("translations/en.json")["entity"]
    named = {text["name"] for of_domain in entities.values() for text in of_domain.values() if "name" in text}
    assert {name for name in named if f"*{name}*" not in page} == set()
    states = read("translations/en.json")["entity"]["sensor"]["registration_problem"]["state"]
    assert set(fields_in(section_of(text_of("troubleshooting.md"), "The account is not registered"))) == {
        *(set(states) - {"none"})
    }


def test_every_blueprint_has_its_place_on_the_page() -> None:
    folder = REPO / "blueprints" / "automation" / "sip_ua"
    linked = re.findall(r"\]\(\.\./blueprints/automation/sip_ua/(\w+\.yaml)\)", text_of("blueprints.md"))
    assert sorted(linked) == sorted(path.name for path in folder.glob("*.yaml"))


def test_the_sentences_of_the_page_mean_what_it_says() -> None:
    recognizers = parse(load_languages())
    wanted = ["SipUaCall", "SipUaCall", "SipUaAnswer", "SipUaHangUp", "SipUaWhoCalled", "SipUaRedial"]
    rows = rows_of(section_of(text_of("voice.md"), "What can be said"))
    assert len(rows) == len(wanted)
    assert set(wanted) == {command.intent_type for command in COMMANDS}
    for (_, *sentences), intent_type in zip(rows, wanted, strict=True):
        for language, sentence in zip(("en", "de", "fr", "es", "nl", "it"), sentences, strict=True):
            meaning = understand(recognizers, sentence, language)
            assert meaning is not None, sentence
            assert meaning[:2] == (language, intent_type), sentence
