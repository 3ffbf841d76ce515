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
from custom_components.sip_ua.services import DIAL_SCHEMA, async_setup_services

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")


def parse(block: str) -> dict[str, Any]:
    """Read an example as Home Assistant reads its configuration."""
    example = parse_yaml(block)
    assert isinstance(example, dict)
    return example


EXAMPLES: list[dict[str, Any]] = [parse(block) for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]
RINGING, WATER, KEY = EXAMPLES


async def test_the_ringing_automation_says_who_calls(hass: HomeAssistant) -> None:
    notices = async_mock_service(hass, "persistent_notification", "create")
    lights = async_mock_service(hass, "light", "turn_on")
    hass.states.async_set("sensor.620_fritz_box_call_state", "idle")
    assert await async_setup_component(hass, "automation", RINGING)
    await hass.async_block_till_done()

    hass.states.async_set("sensor.620_fritz_box_call_state", "ringing", {"name": "Grandma", "number": "**610"})
    await hass.async_block_till_done()

    assert [notice.data["message"] for notice in notices] == ["Grandma is calling."]
    assert [light.data["flash"] for light in lights] == ["long"]


async def test_a_key_that_a_caller_presses_switches_the_light(hass: HomeAssistant) -> None:
    lights = async_mock_service(hass, "light", "toggle")
    assert await async_setup_component(hass, "automation", KEY)
    await hass.async_block_till_done()

    hass.bus.async_fire(EVENT_CALL, {"type": "dtmf", "digit": "4"})
    hass.bus.async_fire(EVENT_CALL, {"type": "dtmf", "digit": "5"})
    await hass.async_block_till_done()

    assert len(lights) == 1


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


def test_every_action_of_the_table_exists(hass: HomeAssistant) -> None:
    async_setup_services(hass)

    assert set(re.findall(r"^\| `sip_ua\.(\w+)`", README, re.MULTILINE)) == set(
        hass.services.async_services_for_domain(DOMAIN)
    )


def test_its_pictures_and_commands_are_there() -> None:
    pictures = re.findall(r"docs/images/[\w.-]+\.png", README)
    commands = re.findall(r"^\$ (scripts/\w+)", README, re.MULTILINE)

    assert len(pictures) == 2
    assert commands == ["scripts/develop", "scripts/test"]
    assert [path for path in (*pictures, *commands, "LICENSE") if not (REPO / path).exists()] == []
