"""Who may ring: do not disturb, blocked contacts, automatic answering, and what stays over a restart."""

import asyncio

import pytest
from homeassistant.core import Event, HomeAssistant, State
from homeassistant.helpers import condition, entity_registry as er
from homeassistant.helpers.condition import async_validate_condition_config
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events, mock_restore_cache

from custom_components.sip_ua.logbook_lines import EVENT_LOGBOOK
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallOutcome, CallState, Party, RegistrationFailure

from .conftest import act, contact, make_entry, settle
from .phone import GRANDMA, NEIGHBOUR, FakePhone, Phones

DO_NOT_DISTURB = "switch.620_fritz_box_do_not_disturb"
AUTO_ANSWER = "switch.620_fritz_box_auto_answer"
CALL_STATE = "sensor.620_fritz_box_call_state"
LAST_CALL = "sensor.620_fritz_box_last_call"

DOCTOR = Party("", "701", "sip:701@fritz.box")
DOOR = Party("", "611", "sip:611@fritz.box")
SALES = Party("Grandma", "0900123456", "sip:0900123456@fritz.box")


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    return make_entry(
        subentries=[
            contact("Doctor", "701", on_call="always_ring"),
            contact("Door", "611", on_call="auto_answer"),
            contact("Sales", "0900123456", on_call="block"),
        ],
        options={"calls": {"auto_answer_delay": 0}},
    )


def state(hass: HomeAssistant, entity_id: str) -> str:
    found = hass.states.get(entity_id)
    assert found is not None
    return found.state


async def switch(hass: HomeAssistant, entity_id: str, *, on: bool = True) -> None:
    await hass.services.async_call("switch", f"turn_{'on' if on else 'off'}", {"entity_id": entity_id}, blocking=True)


def kinds(events: list[Event]) -> list[str]:
    return [event.data["type"] for event in events if event.data["type"] != "step"]


async def test_at_first_everybody_rings_and_nothing_is_answered(hass: HomeAssistant, phone: FakePhone) -> None:
    assert (state(hass, DO_NOT_DISTURB), state(hass, AUTO_ANSWER)) == ("off", "off")
    for party in (GRANDMA, DOOR, DOCTOR):
        phone.ring(party)
    await settle()
    assert len(phone.calls) == 3
    assert phone.did == []


# Do not disturb


async def test_with_do_not_disturb_nothing_rings_and_the_call_is_missed(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event]
) -> None:
    await switch(hass, DO_NOT_DISTURB)
    states: list[str] = []
    hass.bus.async_listen("state_changed", lambda event: states.append(event.data["entity_id"]))
    call_id = phone.ring(GRANDMA)
    assert phone.did == [("turn_away", call_id, 480)]
    assert (state(hass, CALL_STATE), state(hass, LAST_CALL)) == ("idle", "missed")
    await hass.async_block_till_done()
    assert CALL_STATE not in states
    assert kinds(call_events) == ["missed", "ended"]
    assert [event.data["step"] for event in call_events if event.data["type"] == "step"] == ["invite", "rejected"]
    ended = call_events[-1].data
    assert (ended["code"], ended["outcome"], ended["name"]) == (480, "missed", "Grandma")

    await switch(hass, DO_NOT_DISTURB, on=False)
    phone.ring(GRANDMA)
    assert state(hass, CALL_STATE) == "ringing"


async def test_do_not_disturb_cuts_no_call_and_lets_some_ring(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.enter(phone.ring(NEIGHBOUR), CallState.TALKING)
    await switch(hass, DO_NOT_DISTURB)
    phone.ring(GRANDMA)
    assert state(hass, CALL_STATE) == "talking"
    phone.ring(DOCTOR)
    assert state(hass, CALL_STATE) == "ringing"


def known_before(hass: HomeAssistant, entry: MockConfigEntry, **disabled: er.RegistryEntryDisabler) -> None:
    """Let the switches be known from an earlier run, in which they were on."""
    entry.add_to_hass(hass)
    for key in ("do_not_disturb", "auto_answer"):
        er.async_get(hass).async_get_or_create(
            "switch",
            "sip_ua",
            f"{entry.unique_id}-{key}",
            config_entry=entry,
            suggested_object_id=f"620_fritz_box_{key}",
            disabled_by=disabled.get(key),
        )
    mock_restore_cache(hass, [State(DO_NOT_DISTURB, "on"), State(AUTO_ANSWER, "on")])


async def test_the_switches_stay_over_a_restart_without_registration(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry
) -> None:
    known_before(hass, entry)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].fail(RegistrationFailure.NO_ANSWER)
    assert (state(hass, DO_NOT_DISTURB), state(hass, AUTO_ANSWER)) == ("on", "on")
    phones[-1].register()
    call_id = phones[-1].ring(GRANDMA)
    assert phones[-1].did == [("turn_away", call_id, 480)]


async def test_the_first_call_after_a_restart_is_not_heard_either(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(phone: FakePhone) -> None:
        phone.register()
        phone.ring(GRANDMA)

    monkeypatch.setattr(FakePhone, "start", start)
    known_before(hass, entry)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert [what[0] for what in phones[-1].did] == ["turn_away"]
    assert state(hass, LAST_CALL) == "missed"


async def test_a_switch_that_is_disabled_is_off(hass: HomeAssistant, phones: Phones, entry: MockConfigEntry) -> None:
    known_before(hass, entry, do_not_disturb=er.RegistryEntryDisabler.USER)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    phones[-1].ring(GRANDMA)
    assert phones[-1].did == []
    assert state(hass, AUTO_ANSWER) == "on"


async def test_the_switches_stay_over_a_reload(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    await switch(hass, DO_NOT_DISTURB)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert phones[-1] is not phone
    phones[-1].register()
    phones[-1].ring(GRANDMA)
    assert phones[-1].calls == {}


async def test_a_condition_asks_for_it(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    config = {"condition": "sip_ua.do_not_disturb", "options": {"config_entry_id": entry.entry_id}}
    test = await condition.async_from_config(hass, await async_validate_condition_config(hass, config))
    assert test(hass) is False
    await switch(hass, "switch.100_pbx_example_do_not_disturb")
    assert test(hass) is False
    await switch(hass, DO_NOT_DISTURB)
    assert test(hass) is True


# Blocked


async def test_a_blocked_contact_hears_that_it_is_busy_and_nobody_misses_it(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event]
) -> None:
    call_id = phone.ring(SALES)
    assert phone.did == [("turn_away", call_id, 486)]
    assert (state(hass, CALL_STATE), state(hass, LAST_CALL)) == ("idle", "unknown")
    await hass.async_block_till_done()
    assert call_events == []
    (kept,) = (await act(hass, "get_call_history"))["calls"]
    assert (kept["name"], kept["blocked"], kept["code"]) == ("Sales", True, 486)
    assert [step["step"] for step in kept["steps"]] == ["invite", "rejected"]


async def test_of_a_blocked_contact_only_the_history_tells(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    lines = async_capture_events(hass, EVENT_LOGBOOK)
    told = async_capture_events(hass, "state_changed")
    phone.end(phone.ring(GRANDMA), CallOutcome.MISSED)
    await hass.async_block_till_done()
    known = [line.data["message"] for line in lines]
    told.clear()
    phone.ring(SALES)
    await hass.async_block_till_done()
    assert [line.data["message"] for line in lines] == known
    assert told == []
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    assert state(hass, LAST_CALL) == "missed"
    assert [call["blocked"] for call in (await act(hass, "get_call_history"))["calls"]] == [True, False]


# Automatic answering


async def test_only_chosen_contacts_are_answered_by_themselves(hass: HomeAssistant, phone: FakePhone) -> None:
    await switch(hass, AUTO_ANSWER)
    phone.ring(GRANDMA)
    phone.ring(DOCTOR)
    door = phone.ring(DOOR)
    await settle()
    assert phone.did == [("answer", door, None)]


async def test_nobody_is_answered_while_somebody_talks(hass: HomeAssistant, phone: FakePhone) -> None:
    await switch(hass, AUTO_ANSWER)
    phone.enter(phone.ring(GRANDMA), CallState.TALKING)
    phone.ring(DOOR)
    await settle()
    assert phone.did == []


@pytest.mark.parametrize("meanwhile", ["end", "answer", "switch"])
async def test_what_happens_meanwhile_counts(hass: HomeAssistant, phone: FakePhone, meanwhile: str) -> None:
    await switch(hass, AUTO_ANSWER)
    call_id = phone.ring(DOOR)
    match meanwhile:
        case "end":
            phone.end(call_id)
        case "answer":
            phone.enter(call_id, CallState.TALKING)
        case _:
            await switch(hass, AUTO_ANSWER, on=False)
    await settle()
    assert phone.did == []


async def test_an_answer_that_fails_is_logged(
    hass: HomeAssistant, phone: FakePhone, caplog: pytest.LogCaptureFixture
) -> None:
    await switch(hass, AUTO_ANSWER)
    phone.error = LocalProtocolError("no voice")
    phone.ring(DOOR)
    await settle()
    assert "could not be answered by itself: no voice" in caplog.text


async def test_it_rings_for_a_while_before_it_is_answered(
    hass: HomeAssistant, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(subentries=[contact("Door", "611", on_call="auto_answer")])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    await switch(hass, AUTO_ANSWER)
    waited: list[float] = []
    rung = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await rung.wait()

    monkeypatch.setattr("custom_components.sip_ua.coordinator.asyncio.sleep", sleep)
    call_id = phones[-1].ring(DOOR)
    assert (waited, phones[-1].did) == ([2], [])
    rung.set()
    monkeypatch.undo()
    await settle()
    assert phones[-1].did == [("answer", call_id, None)]
