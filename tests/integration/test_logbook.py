"""What happens to an account stands in the logbook as sentences."""

from typing import Any

import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events, mock_component
from pytest_homeassistant_custom_component.components.recorder.common import async_wait_recording_done
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.logbook_lines import END_LINES, EVENT_LOGBOOK, ICONS, LINES
from custom_components.sip_ua.sip.events import (
    CallDirection,
    CallOutcome,
    CallState,
    EndedBy,
    Party,
    RegistrationFailure,
    RegistrationState,
)

from .conftest import make_entry
from .phone import NEIGHBOUR, FakePhone, Phones


@pytest.fixture(name="entries")
def entries_fixture(hass: HomeAssistant) -> list[Event]:
    return async_capture_events(hass, EVENT_LOGBOOK)


def device_of(hass: HomeAssistant, entry: MockConfigEntry) -> dr.DeviceEntry:
    """Return the device of an account."""
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    assert device is not None
    return device


def told(entries: list[Event]) -> list[str]:
    """Return the sentences."""
    return [event.data["message"] for event in entries]


async def test_a_call_that_comes_in_is_told_from_its_ringing_to_its_end(
    hass: HomeAssistant, entries: list[Event], phone: FakePhone, entry: MockConfigEntry
) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.press(call_id, "1")
    phone.enter(call_id, CallState.HELD)
    phone.enter(call_id, CallState.TALKING)
    phone.now += 3725
    phone.end(call_id)
    await hass.async_block_till_done()
    assert told(entries) == [
        "is called by Grandma (+49301234)",
        "talks to Grandma (+49301234)",
        "talked to Grandma (+49301234) for 1:02:05",
    ]
    assert {event.data["name"] for event in entries} == {"620@fritz.box"}
    assert {event.data["device_id"] for event in entries} == {device_of(hass, entry).id}
    assert {event.data["entity_id"] for event in entries} == {"sensor.620_fritz_box_call_state"}
    assert [event.data["icon"] for event in entries] == ["mdi:phone-incoming", "mdi:phone-in-talk", "mdi:phone-hangup"]


async def test_a_line_begins_with_the_name_that_the_owner_gave_the_device(
    hass: HomeAssistant, entries: list[Event], phone: FakePhone, entry: MockConfigEntry
) -> None:
    dr.async_get(hass).async_update_device(device_of(hass, entry).id, name_by_user="The telephone")
    phone.ring()
    await hass.async_block_till_done()
    assert [event.data["name"] for event in entries] == ["The telephone"]


async def test_the_logbook_of_the_account_has_the_lines(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    phone: FakePhone,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
) -> None:
    mock_component(hass, "frontend")
    assert await async_setup_component(hass, "logbook", {})
    begin = dt_util.utcnow()
    phone.ring()
    await async_wait_recording_done(hass)
    client = await hass_ws_client(hass)
    of_state, of_device = ["sensor.620_fritz_box_call_state"], [device_of(hass, entry).id]
    # The page of the logbook, that of the device, one target of it, and what an entity tells of itself.
    for wanted in (
        {},
        {"entity_ids": of_state, "device_ids": of_device},
        {"device_ids": of_device},
        {"entity_ids": of_state},
    ):
        await client.send_json_auto_id({"type": "logbook/get_events", "start_time": begin.isoformat()} | wanted)
        answer = await client.receive_json()
        (line,) = (line for line in answer["result"] if line.get("message"))
        assert (line["name"], line["message"]) == ("620@fritz.box", "is called by Grandma (+49301234)")
        assert (line["domain"], line["icon"]) == (DOMAIN, "mdi:phone-incoming")
        assert "entity_id" not in line, "its name would stand before the sentence"


@pytest.mark.parametrize(
    ("outcome", "more", "sentence"),
    [
        (CallOutcome.BUSY, {}, "called 612, where the line was busy"),
        (CallOutcome.NO_ANSWER, {}, "called 612, and nobody answered"),
        (CallOutcome.DECLINED, {}, "called 612, where the call was declined"),
        (CallOutcome.CANCELLED, {}, "hung up before 612 answered"),
        (
            CallOutcome.UNREACHABLE,
            {"code": 404, "reason": "Not Found", "by": EndedBy.REMOTE},
            "could not reach 612: 404 Not Found",
        ),
        (CallOutcome.FAILED, {"code": 500, "by": EndedBy.REMOTE}, "could not call 612: 500"),
        (CallOutcome.FAILED, {"by": EndedBy.REMOTE}, "could not call 612: -"),
        (
            CallOutcome.UNREACHABLE,
            {"code": 408, "reason": "192.0.2.1 port 5060 over UDP: no answer", "by": EndedBy.NETWORK},
            "could not reach 612: no answer came",
        ),
        (
            CallOutcome.FAILED,
            {"code": 488, "reason": "nothing fits", "by": EndedBy.NETWORK},
            "could not call 612: both sides have no kind of voice in common",
        ),
        (
            CallOutcome.FAILED,
            {"reason": "it broke", "by": EndedBy.LOCAL},
            "could not call 612: something went wrong on this side; Home Assistant's log says more",
        ),
    ],
)
async def test_a_call_of_ours_is_told_with_how_it_ended(
    hass: HomeAssistant,
    entries: list[Event],
    phone: FakePhone,
    outcome: CallOutcome,
    more: dict[str, Any],
    sentence: str,
) -> None:
    phone.end(phone.place(NEIGHBOUR), outcome, **more)
    await hass.async_block_till_done()
    assert told(entries) == ["calls 612", sentence]


async def test_a_missed_call_is_one_sentence_and_a_declined_one_another(
    hass: HomeAssistant, entries: list[Event], phone: FakePhone
) -> None:
    phone.end(phone.ring(NEIGHBOUR), CallOutcome.MISSED)
    phone.end(phone.ring(Party("", "", "sip:door.local")), CallOutcome.DECLINED)
    await hass.async_block_till_done()
    assert told(entries) == [
        "is called by 612",
        "missed a call from 612",
        "is called by sip:door.local",
        "declined a call from sip:door.local",
    ]


async def test_loss_and_return_of_the_registration_are_told_once_each(
    hass: HomeAssistant, entries: list[Event], phone: FakePhone
) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    phone.fail(RegistrationFailure.NO_ANSWER)
    phone.register()
    phone.register()
    await hass.async_block_till_done()
    assert len(entries) == 2
    assert told(entries) == [
        "lost its registration: The server does not answer (192.0.2.1:5060 UDP)",
        "is registered again",
    ]


async def test_a_loss_is_told_in_the_servers_words_or_in_ours(
    hass: HomeAssistant, entries: list[Event], phone: FakePhone
) -> None:
    phone.fail(RegistrationFailure.SERVER_BUSY, 503, "Busy")
    phone.register()
    phone.change(state=RegistrationState.FAILED, failure=RegistrationFailure.LOCAL_PORT_IN_USE, detail="in use")
    phone.register()
    phone.change(state=RegistrationState.FAILED)
    await hass.async_block_till_done()
    assert told(entries)[::2] == [
        "lost its registration: 503 Busy",
        "lost its registration: The local port is taken",
        "lost its registration: -",
    ]


async def test_an_account_that_is_unloaded_tells_nothing_more(
    hass: HomeAssistant, entries: list[Event], phone: FakePhone, entry: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_unload(entry.entry_id)
    phone.ring()
    await hass.async_block_till_done()
    assert entries == []


async def test_sentences_are_in_the_language_of_home_assistant(
    hass: HomeAssistant, entries: list[Event], phones: Phones
) -> None:
    hass.config.language = "de"
    entry = make_entry()
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].ring()
    await hass.async_block_till_done()
    assert told(entries)[-1] == "wird von Grandma (+49301234) angerufen"


def test_every_end_has_a_sentence() -> None:
    told_before = {(CallDirection.INCOMING, CallOutcome.MISSED)}
    never = {
        (CallDirection.OUTGOING, CallOutcome.MISSED),
        (CallDirection.INCOMING, CallOutcome.NO_ANSWER),
        (CallDirection.INCOMING, CallOutcome.CANCELLED),
        (CallDirection.INCOMING, CallOutcome.UNREACHABLE),
    }
    every = {(direction, outcome) for direction in CallDirection for outcome in CallOutcome}
    assert set(END_LINES) == every - told_before - never


def test_every_line_has_an_icon() -> None:
    assert set(ICONS) == LINES
