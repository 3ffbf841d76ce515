"""The blueprints: each is a right one, and does what its description says."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components.automation.config import AUTOMATION_BLUEPRINT_SCHEMA
from homeassistant.components.blueprint.models import Blueprint, DomainBlueprints
from homeassistant.components.light.const import LightEntityFeature
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.sip_ua.sip.events import CallOutcome, CallState, Party, RegistrationFailure

from .conftest import settle
from .phone import NEIGHBOUR, FakePhone

FOLDER = Path(__file__).parents[2] / "blueprints" / "automation" / "sip_ua"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))

FLASHES = {"supported_features": LightEntityFeature.FLASH}

type Use = Callable[..., Awaitable[None]]


@pytest.fixture(name="blueprints", autouse=True)
def blueprints_fixture() -> Generator[None]:
    """Let Home Assistant find the blueprints of this repository."""

    def load(self: DomainBlueprints, path: str) -> Blueprint:
        data = load_yaml_dict(str(FOLDER / path))
        return Blueprint(data, path=path, expected_domain=self.domain, schema=AUTOMATION_BLUEPRINT_SCHEMA)

    with patch.object(DomainBlueprints, "_load_blueprint", load):
        yield


@pytest.fixture(name="use")
def use_fixture(hass: HomeAssistant) -> Use:
    """Make an automation of a blueprint."""

    async def use(name: str, **inputs: Any) -> None:
        config = {"use_blueprint": {"path": f"{name}.yaml", "input": inputs}}
        assert await async_setup_component(hass, "automation", {"automation": config})
        await hass.async_block_till_done()
        (automation,) = hass.states.async_all("automation")
        assert automation.state == "on", "its configuration is right"

    return use


async def wait(hass: HomeAssistant, seconds: float) -> None:
    """Let the time pass that an automation waits for."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await settle()


@pytest.mark.parametrize("name", NAMES)
def test_a_blueprint_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    blueprint = Blueprint(
        load_yaml_dict(str(FOLDER / f"{name}.yaml")), expected_domain="automation", schema=AUTOMATION_BLUEPRINT_SCHEMA
    )
    assert blueprint.name.startswith("SIP Phone: ")
    assert blueprint.metadata["source_url"].endswith(f"/blueprints/automation/sip_ua/{name}.yaml")
    assert blueprint.metadata["description"]
    assert all(given.get("name") for given in blueprint.inputs.values())


async def test_lights_flash_and_media_pause_while_it_rings(hass: HomeAssistant, phone: FakePhone, use: Use) -> None:
    flashes = async_mock_service(hass, "light", "turn_on")
    pauses = async_mock_service(hass, "media_player", "media_pause")
    plays = async_mock_service(hass, "media_player", "media_play")
    hass.states.async_set("media_player.radio", "playing")
    hass.states.async_set("media_player.tv", "off")
    hass.states.async_set("light.hall", "off", FLASHES)
    await use("ringing_lights_and_media", lights=["light.hall"], players=["media_player.radio", "media_player.tv"])
    call_id = phone.ring()
    await settle()
    assert [call.data["entity_id"] for call in pauses] == [["media_player.radio"]]
    assert len(flashes) == 1
    await wait(hass, 3.1)
    assert len(flashes) == 2, "it flashes until somebody answers"
    phone.enter(call_id, CallState.TALKING)
    await settle()
    await wait(hass, 3.1)
    assert len(flashes) == 2
    assert plays == []
    other = phone.ring(NEIGHBOUR)
    await settle()
    phone.end(other, CallOutcome.MISSED)
    await settle()
    phone.end(call_id)
    await settle()
    assert [call.data["entity_id"] for call in plays][-1] == ["media_player.radio"]


@pytest.fixture(name="switched")
def switched_fixture(hass: HomeAssistant) -> list[tuple[str, list[str]]]:
    """Return what is done to lights, which change their states as real ones do."""
    done: list[tuple[str, list[str]]] = []

    async def switch(call: ServiceCall) -> None:
        done.append((call.service, call.data["entity_id"]))
        for light in call.data["entity_id"]:
            hass.states.async_set(light, call.service.removeprefix("turn_"))

    for service in ("turn_on", "turn_off"):
        hass.services.async_register("light", service, switch)
    return done


def lights(hass: HomeAssistant, *names: str) -> list[str]:
    """Return the states of lights."""
    states = [hass.states.get(f"light.{name}") for name in names]
    return [state.state for state in states if state is not None]


async def test_lights_that_cannot_flash_are_switched_and_stay_as_they_were(
    hass: HomeAssistant, phone: FakePhone, use: Use
) -> None:
    switched: list[tuple[str, list[str]]] = []

    async def switch(call: ServiceCall) -> None:
        switched.append((call.service, call.data["entity_id"]))

    for service in ("turn_on", "turn_off"):
        hass.services.async_register("light", service, switch)
    hass.states.async_set("light.hall", "off")
    hass.states.async_set("light.stairs", "on", {"supported_features": LightEntityFeature.TRANSITION})
    hass.states.async_set("light.desk", "off", FLASHES)
    await use("ringing_lights_and_media", lights=["light.hall", "light.stairs", "light.desk"])
    call_id = phone.ring()
    await settle()
    flash = ("turn_on", ["light.desk"])
    assert switched == [flash, ("turn_on", ["light.hall"]), ("turn_off", ["light.stairs"])]
    await wait(hass, 3.1)
    as_before = [("turn_on", ["light.stairs"]), ("turn_off", ["light.hall"])]
    assert switched[3:] == [flash, *as_before], "a light that is slow is switched back all the same"
    phone.end(call_id, CallOutcome.MISSED)
    await settle()
    assert switched[6:] == as_before


async def test_lights_are_as_before_after_two_calls_that_rang_at_once(
    hass: HomeAssistant, phone: FakePhone, use: Use, switched: list[tuple[str, list[str]]]
) -> None:
    hass.states.async_set("light.hall", "off")
    hass.states.async_set("light.stairs", "on")
    await use("ringing_lights_and_media", lights=["light.hall", "light.stairs"])
    first = phone.ring()
    await settle()
    assert lights(hass, "hall", "stairs") == ["on", "off"]
    second = phone.ring(NEIGHBOUR)
    await settle()
    assert len(switched) == 2, "only one call makes them blink"
    phone.end(first, CallOutcome.MISSED)
    await settle()
    assert lights(hass, "hall", "stairs") == ["off", "on"], "the other call still rings"
    await wait(hass, 3.1)
    assert lights(hass, "hall", "stairs") == ["on", "off"]
    phone.end(second, CallOutcome.MISSED)
    await settle()
    assert lights(hass, "hall", "stairs") == ["off", "on"]


async def test_a_call_that_rings_during_another_is_shown_too(
    hass: HomeAssistant, phone: FakePhone, use: Use, switched: list[tuple[str, list[str]]]
) -> None:
    hass.states.async_set("light.hall", "off")
    await use("ringing_lights_and_media", lights=["light.hall"])
    first = phone.ring()
    await settle()
    phone.enter(first, CallState.TALKING)
    await settle()
    assert lights(hass, "hall") == ["off"]
    await wait(hass, 3.1)
    assert lights(hass, "hall") == ["off"]
    phone.ring(NEIGHBOUR)
    await settle()
    assert lights(hass, "hall") == ["on"]
    assert len(switched) == 3


async def test_a_call_of_somebody_else_does_not_go_on_with_the_blinking(
    hass: HomeAssistant, phone: FakePhone, use: Use, switched: list[tuple[str, list[str]]]
) -> None:
    hass.states.async_set("light.hall", "off")
    await use("ringing_lights_and_media", caller=["612"], lights=["light.hall"])
    wanted = phone.ring(NEIGHBOUR)
    phone.ring()
    await settle()
    assert lights(hass, "hall") == ["on"]
    phone.end(wanted, CallOutcome.MISSED)
    await settle()
    await wait(hass, 3.1)
    assert lights(hass, "hall") == ["off"]
    assert len(switched) == 2


async def test_what_somebody_switches_while_it_rings_stays_so(
    hass: HomeAssistant, phone: FakePhone, use: Use, switched: list[tuple[str, list[str]]]
) -> None:
    for light in ("hall", "stairs", "desk"):
        hass.states.async_set(f"light.{light}", "off")
    await use("ringing_lights_and_media", lights=["light.hall", "light.stairs", "light.desk"])
    call_id = phone.ring()
    await settle()
    hass.states.async_set("light.desk", "unavailable")
    await wait(hass, 3.1)
    assert lights(hass, "hall", "stairs") == ["off", "off"]
    hass.states.async_set("light.hall", "on")
    await wait(hass, 3.1)
    assert switched[-1] == ("turn_on", ["light.stairs", "light.desk"])
    phone.end(call_id, CallOutcome.MISSED)
    await settle()
    assert lights(hass, "hall", "stairs", "desk") == ["on", "off", "off"]


async def test_a_player_that_was_switched_off_meanwhile_stays_off(
    hass: HomeAssistant, phone: FakePhone, use: Use
) -> None:
    async_mock_service(hass, "media_player", "media_pause")
    plays = async_mock_service(hass, "media_player", "media_play")
    for player in ("radio", "tv"):
        hass.states.async_set(f"media_player.{player}", "playing")
    await use("ringing_lights_and_media", players=["media_player.radio", "media_player.tv"])
    call_id = phone.ring()
    await settle()
    hass.states.async_set("media_player.tv", "off")
    phone.end(call_id, CallOutcome.MISSED)
    await settle()
    assert [call.data["entity_id"] for call in plays] == [["media_player.radio"]]


async def test_a_call_that_nobody_answers_lets_the_media_go_on(hass: HomeAssistant, phone: FakePhone, use: Use) -> None:
    async_mock_service(hass, "media_player", "media_pause")
    plays = async_mock_service(hass, "media_player", "media_play")
    hass.states.async_set("media_player.radio", "playing")
    await use("ringing_lights_and_media", players=["media_player.radio"])
    call_id = phone.ring()
    await settle()
    phone.end(call_id, CallOutcome.MISSED)
    await settle()
    assert [call.data["entity_id"] for call in plays] == [["media_player.radio"]]


@pytest.mark.parametrize("ends", [False, True])
async def test_an_answer_and_an_end_are_noticed_while_a_light_is_being_switched(
    hass: HomeAssistant, phone: FakePhone, use: Use, *, ends: bool
) -> None:
    flashes, switched = [], asyncio.Event()

    async def switch(call: ServiceCall) -> None:
        flashes.append(call)
        await switched.wait()

    hass.services.async_register("light", "turn_on", switch)
    async_mock_service(hass, "media_player", "media_pause")
    plays = async_mock_service(hass, "media_player", "media_play")
    hass.states.async_set("media_player.radio", "playing")
    hass.states.async_set("light.hall", "off", FLASHES)
    await use("ringing_lights_and_media", lights=["light.hall"], players=["media_player.radio"])
    call_id = phone.ring()
    await settle()
    phone.enter(call_id, CallState.TALKING)
    if ends:
        phone.end(call_id)
    switched.set()
    await settle()
    await wait(hass, 3.1)
    await wait(hass, 3.1)
    assert len(flashes) == 1
    assert len(plays) == ends
    if not ends:
        phone.end(call_id)
        await settle()
        assert len(plays) == 1


async def test_the_other_account_does_not_flash(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry, use: Use
) -> None:
    flashes = async_mock_service(hass, "light", "turn_on")
    hass.states.async_set("light.hall", "off", FLASHES)
    await use("ringing_lights_and_media", account=entry.entry_id, lights=["light.hall"])
    other_phone.ring()
    await settle()
    assert flashes == []
    phone.ring()
    await settle()
    assert len(flashes) == 1


async def test_the_door_is_answered_opened_by_its_code_and_hung_up(
    hass: HomeAssistant, phone: FakePhone, use: Use
) -> None:
    locks = async_mock_service(hass, "lock", "open")
    opening = [{"action": "lock.open", "target": {"entity_id": "lock.door"}}]
    await use("door_code", caller=["612"], code="47#", answer=True, open_actions=opening)
    call_id = phone.ring(NEIGHBOUR)
    await settle()
    assert ("answer", call_id, None) in phone.did
    for digit in "47":
        phone.press(call_id, digit)
    await settle()
    assert locks == []
    phone.press(call_id, "#")
    await settle()
    assert len(locks) == 1
    assert ("hangup", call_id) in phone.did


async def test_somebody_else_cannot_try_codes_at_the_door(hass: HomeAssistant, phone: FakePhone, use: Use) -> None:
    locks = async_mock_service(hass, "lock", "open")
    await use("door_code", caller=["612"], code="4", open_actions=[{"action": "lock.open"}])
    phone.press(phone.ring(), "4")
    await settle()
    assert locks == []
    assert phone.did == []


async def test_a_name_that_anybody_can_choose_opens_no_door(hass: HomeAssistant, phone: FakePhone, use: Use) -> None:
    locks = async_mock_service(hass, "lock", "open")
    await use("door_code", caller=["612"], code="4", open_actions=[{"action": "lock.open"}])
    phone.press(phone.ring(Party("612", "+49999", "sip:+49999@fritz.box")), "4")
    await settle()
    assert locks == []


async def test_a_missed_call_is_told_in_a_sentence(hass: HomeAssistant, phone: FakePhone, use: Use) -> None:
    notices = async_mock_service(hass, "persistent_notification", "create")
    await use("missed_call")
    phone.end(phone.ring(), CallOutcome.MISSED)
    phone.end(phone.ring(NEIGHBOUR), CallOutcome.MISSED)
    await settle()
    first, second = (call.data["message"] for call in notices)
    assert first.startswith("Grandma (+49301234) called at ")
    assert second.startswith("612 called at ")


async def test_a_sleeper_is_called_again_until_the_call_is_answered(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, use: Use, freezer: Any
) -> None:
    assert phone.running
    outcomes = iter([{"outcome": "no_answer"}, {"outcome": "answered"}])
    dials = []

    async def dial(call: Any) -> Any:
        dials.append(call.data)
        return next(outcomes)

    hass.services.async_register("sip_ua", "dial", dial, supports_response=SupportsResponse.OPTIONAL)
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(datetime(2026, 11, 20, 6, 59, tzinfo=dt_util.UTC))
    await use(
        "wake_up_call", at="07:00:00", weekdays=["fri"], account=entry.entry_id, number="+49611", message="Good morning"
    )
    freezer.move_to(datetime(2026, 11, 20, 7, 0, 1, tzinfo=dt_util.UTC))
    async_fire_time_changed(hass)
    await settle()
    assert len(dials) == 1
    assert (dials[0]["number"], dials[0]["message"]) == ("+49611", "Good morning")
    freezer.tick(121)
    async_fire_time_changed(hass)
    await settle()
    assert len(dials) == 2
    freezer.tick(121)
    async_fire_time_changed(hass)
    await settle()
    assert len(dials) == 2
    await hass.services.async_call("automation", "turn_off", {"entity_id": "all"}, blocking=True)


ALARM = {"alarm_triggers": [{"trigger": "event", "event_type": "smoke"}], "numbers": ["611", "+49612"]}
TELL = [{"action": "test.told", "data": {"who": "called {{ calls.number }}"}}]


@pytest.fixture(name="spoken")
def spoken_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is said in calls; nothing is heard."""
    said: list[str] = []

    def speech(_hass: HomeAssistant, message: str, **_how: Any) -> str:
        said.append(message)
        return "speech"

    monkeypatch.setattr("custom_components.sip_ua.action_calls.speech_source", speech)
    return said


async def test_an_alarm_calls_until_somebody_confirms(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, use: Use, spoken: list[str]
) -> None:
    told = async_mock_service(hass, "test", "told")
    notices = async_mock_service(hass, "persistent_notification", "create")
    await use("alarm_calls", account=entry.entry_id, message="Smoke!", accepted_actions=TELL, **ALARM)
    hass.bus.async_fire("smoke")
    await settle()
    assert ("dial", "611", "speech", 30) in phone.did
    assert set(spoken) == {"Smoke!"}
    phone.end(next(iter(phone.calls)), CallOutcome.BUSY)
    await settle()
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    await settle()
    phone.press(call_id, "2")
    await settle()
    assert told == []
    phone.press(call_id, "1")
    await settle()
    assert [call.data["who"] for call in told] == ["called +49612"]
    assert notices == []
    assert phone.calls == {}


async def test_an_alarm_that_nobody_confirms_does_something_else(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, use: Use, spoken: list[str]
) -> None:
    notices = async_mock_service(hass, "persistent_notification", "create")
    await use("alarm_calls", account=entry.entry_id, mode="at_once", rounds=1, **ALARM)
    hass.bus.async_fire("smoke")
    await settle()
    assert len(phone.calls) == 2
    for call_id in tuple(phone.calls):
        phone.end(call_id, CallOutcome.NO_ANSWER)
    await settle()
    assert [notice.data["message"] for notice in notices] == ["Nobody confirmed at 611, +49612."]
    phone.fail(RegistrationFailure.NO_ANSWER)
    hass.bus.async_fire("smoke")
    await settle()
    assert len(notices) == 2, "an account that cannot call tells nobody either"
    assert spoken != []
