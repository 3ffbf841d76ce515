"""What the README promises: its automations load and fire, its pictures, commands and actions are there."""

import re
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.setup import async_setup_component
from homeassistant.util.json import JsonObjectType
from homeassistant.util.yaml import parse_yaml
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.sip_ua.const import DOMAIN, EVENT_CALL
from custom_components.sip_ua.escalation import CALL_OUT_SCHEMA
from custom_components.sip_ua.menu import MENU_SCHEMA
from custom_components.sip_ua.menu_model import MENU_FIELDS
from custom_components.sip_ua.services import DIAL_SCHEMA, async_setup_services
from custom_components.sip_ua.trigger import TRIGGERS

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")


def parse(block: str) -> dict[str, Any]:
    """Read an example as Home Assistant reads its configuration."""
    example = parse_yaml(block)
    assert isinstance(example, dict)
    return example


EXAMPLES: list[dict[str, Any]] = [parse(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
RINGING, WATER, DOOR, FIRE, HOUSE = EXAMPLES


async def test_the_ringing_automation_says_who_calls(hass: HomeAssistant) -> None:
    notices = async_mock_service(hass, "persistent_notification", "create")
    lights = async_mock_service(hass, "light", "turn_on")
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(hass, "automation", RINGING)
    await hass.async_block_till_done()

    hass.bus.async_fire(EVENT_CALL, {"type": "incoming", "name": "Grandma", "number": "**610"})
    await hass.async_block_till_done()

    assert [notice.data["message"] for notice in notices] == ["Grandma is calling."]
    assert [light.data["flash"] for light in lights] == ["long"]


async def test_the_code_at_the_door_opens_it(hass: HomeAssistant) -> None:
    locks = async_mock_service(hass, "lock", "open")
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(hass, "automation", DOOR)
    await hass.async_block_till_done()

    for number in ("611", "612"):
        for digit in "4711#":
            hass.bus.async_fire(EVENT_CALL, {"type": "dtmf", "call_id": number, "number": number, "digit": digit})
    await hass.async_block_till_done()

    assert len(locks) == 1


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
    assert await async_setup_component(hass, "script", WATER)

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
    assert await async_setup_component(hass, "script", FIRE)

    await hass.services.async_call("script", "fire_alarm", blocking=True)

    assert [call.data["numbers"] for call in calls] == [["**611", "+491701234567"]]
    assert [notice.data["message"] for notice in notices] == [wanted]


async def test_the_house_answers_with_a_menu(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    answers = async_mock_service(hass, DOMAIN, "answer")
    menus = async_mock_service(hass, DOMAIN, "menu", schema=MENU_SCHEMA)
    assert await async_setup_component(hass, "automation", HOUSE)
    await hass.async_block_till_done()

    hass.bus.async_fire(EVENT_CALL, {"type": "incoming", "call_id": "c1", "name": "Grandma"})
    await hass.async_block_till_done()

    assert [call.data["call_id"] for call in (*answers, *menus)] == ["c1", "c1"]
    main = menus[0].data["menu"]["choices"]["4711"]
    assert [step["action"] for step in main["choices"]["1"]["actions"]] == ["cover.open_cover"]


def test_every_field_of_a_menu_is_explained() -> None:
    row = r"^\| (`message` or `media`.*?)\n\n"
    (table,) = re.findall(row, README, re.MULTILINE | re.DOTALL)
    assert {str(marker) for marker in MENU_FIELDS.schema} <= set(re.findall(r"`(\w+)`", table))


def test_the_actions_and_triggers_of_the_tables_are_those_that_exist(hass: HomeAssistant) -> None:
    async_setup_services(hass)

    # A row may name several.
    named = set(re.findall(r"`sip_ua\.(\w+)`", "\n".join(re.findall(r"^\| (`sip_ua[^|]*)\|", README, re.MULTILINE))))
    assert named == {*hass.services.async_services_for_domain(DOMAIN), *TRIGGERS}


def test_its_pictures_and_commands_are_there() -> None:
    pictures = re.findall(r"docs/images/[\w.-]+\.png", README)
    commands = re.findall(r"^\$ (scripts/\w+)", README, re.MULTILINE)

    assert len(pictures) == 2
    assert commands == ["scripts/develop", "scripts/test"]
    assert [path for path in (*pictures, *commands, "LICENSE") if not (REPO / path).exists()] == []
