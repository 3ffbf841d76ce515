"""What the entities of contacts do: call, open the door, ring the bell, speak; and the number to dial."""

import asyncio
from pathlib import Path

import pytest
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    mock_restore_cache_with_extra_data,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua import announcement
from custom_components.sip_ua.action_calls import MESSAGE_LENGTH_MAX
from custom_components.sip_ua.diagnostics import async_get_config_entry_diagnostics
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.net.errors import AudioFault
from custom_components.sip_ua.sip.events import CallOutcome, CallState, Party, RegistrationFailure

from .conftest import contact, make_entry, settle, until
from .phone import GRANDMA, NO_PORT, FakePhone, Phones

DOOR = Party("Gate", "611", "sip:611@fritz.box")
CALL_ANNA = "button.anna_call"
OPEN_DOOR = "button.front_door_open_door"
BELL = "event.front_door_doorbell"
SPEAK = "notify.anna_call_and_speak"
TEXT = "text.620_fritz_box_number_to_dial"
DIAL = "button.620_fritz_box_dial"


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    return make_entry(
        subentries=[
            contact("Anna", "0301234567", speed_dial=1),
            contact("Front door", "611", watched=True, door={"door_station": True, "door_code": "*9"}),
        ]
    )


def state(hass: HomeAssistant, entity_id: str) -> State:
    found = hass.states.get(entity_id)
    assert found is not None
    return found


async def press(hass: HomeAssistant, entity_id: str) -> None:
    await hass.services.async_call("button", "press", {"entity_id": entity_id}, blocking=True)


@pytest.mark.parametrize(
    "platform",
    [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.NOTIFY, Platform.SWITCH, Platform.TEXT],
)
@pytest.mark.freeze_time("2026-11-22 12:00:00+00:00")
async def test_entities_of_an_account_with_contacts(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, snapshot: SnapshotAssertion, platform: Platform
) -> None:
    phone.enter(phone.ring(DOOR), CallState.TALKING)
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        if entity.domain == platform:
            assert entity == snapshot(name=f"{entity.entity_id}-entry")
            assert hass.states.get(entity.entity_id) == snapshot(name=f"{entity.entity_id}-state")


async def test_each_contact_is_a_device_on_the_account(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    devices = {device.name: device for device in dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)}
    assert set(devices) == {"620@fritz.box", "Anna", "Front door"}
    account = devices["620@fritz.box"]
    assert {devices[name].via_device_id for name in ("Anna", "Front door")} == {account.id}
    assert devices["Anna"].model == "Contact"


async def test_a_speed_dial_button_calls(hass: HomeAssistant, phone: FakePhone) -> None:
    await press(hass, CALL_ANNA)
    assert phone.did == [("dial", "0301234567", None, None)]
    assert state(hass, "sensor.620_fritz_box_remote_name").state == "Anna"


async def test_without_registration_nobody_can_be_called(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    for entity_id in (CALL_ANNA, OPEN_DOOR, BELL, SPEAK, TEXT, DIAL):
        assert state(hass, entity_id).state == STATE_UNAVAILABLE
    phone.register()
    for entity_id in (CALL_ANNA, BELL, SPEAK, DIAL):
        assert state(hass, entity_id).state == STATE_UNKNOWN


async def test_a_call_that_cannot_be_placed_is_told(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.error = NO_PORT
    with pytest.raises(HomeAssistantError) as raised:
        await press(hass, CALL_ANNA)
    assert raised.value.translation_key == "no_rtp_port"


# The door


async def test_the_door_opens_in_the_call_of_its_station_only(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.enter(phone.ring(GRANDMA), CallState.TALKING)
    assert state(hass, OPEN_DOOR).state == STATE_UNAVAILABLE
    call_id = phone.ring(DOOR)
    assert state(hass, OPEN_DOOR).state == STATE_UNAVAILABLE, "the door station hears nothing yet"
    phone.enter(call_id, CallState.TALKING)
    assert state(hass, OPEN_DOOR).state == STATE_UNKNOWN
    await press(hass, OPEN_DOOR)
    assert phone.did[-1] == ("send_digits", call_id, "*9", 160, 100)
    phone.end(call_id)
    assert state(hass, OPEN_DOOR).state == STATE_UNAVAILABLE


async def test_a_door_whose_call_ended_meanwhile_is_not_opened(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    (button,) = (entity for entity in hass.data["button"].entities if entity.entity_id == OPEN_DOOR)
    with pytest.raises(ServiceValidationError) as raised:
        await button.async_press()
    assert raised.value.translation_key == "door_without_call"
    assert phone.did == []


async def test_the_bell_rings_when_the_door_station_calls(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.enter(phone.ring(GRANDMA), CallState.TALKING)
    assert state(hass, BELL).state == STATE_UNKNOWN
    call_id = phone.ring(DOOR)
    rung = state(hass, BELL)
    assert (rung.attributes["event_type"], rung.attributes["call_id"]) == ("ring", call_id)
    assert rung.attributes["device_class"] == "doorbell"
    phone.enter(call_id, CallState.TALKING)
    phone.place(DOOR)
    assert state(hass, BELL) == rung


@pytest.mark.parametrize("why", ["do not disturb", "busy", "forwarded"])
async def test_the_bell_rings_though_the_telephone_may_not(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, why: str
) -> None:
    rules = {"call_waiting": why != "busy", "forward_always": "612" if why == "forwarded" else ""}
    hass.config_entries.async_update_entry(entry, options={"incoming": rules})
    await hass.async_block_till_done()
    phones[-1].register()
    if why == "busy":
        phones[-1].enter(phones[-1].ring(GRANDMA), CallState.TALKING)
    if why == "do not disturb":
        switch = {"entity_id": "switch.620_fritz_box_do_not_disturb"}
        await hass.services.async_call("switch", "turn_on", switch, blocking=True)
    phones[-1].ring(Party("", "612", "sip:612@fritz.box"))
    assert state(hass, BELL).state == STATE_UNKNOWN
    call_id = phones[-1].ring(DOOR)
    assert call_id not in phones[-1].calls
    assert state(hass, BELL).attributes["call_id"] == call_id


async def test_the_bell_of_a_door_station_that_is_blocked_is_silent(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(subentries=[contact("Front door", "611", on_call="block", door={"door_station": True})])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    phones[-1].ring(DOOR)
    assert state(hass, BELL).state == STATE_UNKNOWN


async def test_the_door_code_is_in_no_state_and_no_diagnostics(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    phone.enter(phone.ring(DOOR), CallState.TALKING)
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["contacts"][1]["is_door_station"] is True
    for private in ("*9", "Anna", "0301234567", "Front door"):
        assert private not in str(diagnostics)
    assert not any("*9" in str(known.as_dict()) for known in hass.states.async_all())


async def test_entities_go_with_what_they_are_for(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    for name, entity_ids in (("front_door", (OPEN_DOOR, BELL, "binary_sensor.front_door")), ("anna", (CALL_ANNA,))):
        subentry = entry.subentries[name]
        hass.config_entries.async_update_subentry(entry, subentry, data={"number": subentry.data["number"]})
        await hass.async_block_till_done()
        registry = er.async_get(hass)
        assert all(registry.async_get(entity_id) is None for entity_id in entity_ids)
    hass.config_entries.async_remove_subentry(entry, "anna")
    await hass.async_block_till_done()
    assert er.async_get(hass).async_get(SPEAK) is None


# The number to dial


async def test_a_number_is_typed_and_dialed(hass: HomeAssistant, phone: FakePhone) -> None:
    assert state(hass, TEXT).state == ""
    with pytest.raises(ServiceValidationError) as raised:
        await press(hass, DIAL)
    assert raised.value.translation_key == "number_missing"
    await hass.services.async_call("text", "set_value", {"entity_id": TEXT, "value": "anna"}, blocking=True)
    assert state(hass, TEXT).state == "anna"
    await press(hass, DIAL)
    assert phone.did[-1] == ("dial", "0301234567", None, None)


async def test_the_number_to_dial_is_there_after_a_restart(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry
) -> None:
    data = {"native_max": 255, "native_min": 0, "native_value": "**611"}
    mock_restore_cache_with_extra_data(hass, [(State(TEXT, STATE_UNAVAILABLE), data)])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    assert state(hass, TEXT).state == "**611"
    await press(hass, DIAL)
    assert phones[-1].did[-1][:2] == ("dial", "**611")


# Speaking


@pytest.fixture(name="speech")
def speech_fixture(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return every message that is to be spoken; there is no pause before it is said again."""
    spoken: list[str] = []

    def speak(_hass: HomeAssistant, message: str, **_options: object) -> FileSource:
        spoken.append(message)
        return FileSource(Path(f"{len(spoken)}.wav"))

    monkeypatch.setattr("custom_components.sip_ua.announcement.speech_source", speak)
    monkeypatch.setattr("custom_components.sip_ua.announcement.REPEAT_PAUSE", 0)
    return spoken


def send(hass: HomeAssistant, message: str = "Dinner", title: str | None = None) -> asyncio.Task[object]:
    data = {"entity_id": SPEAK, "message": message} | ({"title": title} if title else {})
    return hass.async_create_task(hass.services.async_call("notify", "send_message", data, blocking=True))


async def calling(phone: FakePhone) -> str:
    """Wait until a contact is called, and return the call's id."""
    call_id: str = await until(lambda: next(iter(phone.calls), None))
    return call_id


def sounds(phone: FakePhone) -> list[object]:
    return [what[2] for what in phone.did if what[0] in {"dial", "play"}]


async def test_a_message_is_spoken_twice_and_the_call_ended(
    hass: HomeAssistant, phone: FakePhone, speech: list[str]
) -> None:
    sending = send(hass, "Dinner", "Kitchen")
    call_id = await calling(phone)
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id)
    await until(lambda: len(sounds(phone)) == 2)
    phone.finish(call_id, phone.playback_id)
    await sending
    assert speech == ["Kitchen. Dinner", "Kitchen. Dinner"]
    assert sounds(phone) == [FileSource(Path("1.wav")), FileSource(Path("2.wav"))]
    assert phone.did[-1] == ("hangup", call_id)
    assert phone.calls == {}


async def test_who_hangs_up_after_hearing_it_once_has_heard_it(
    hass: HomeAssistant, phone: FakePhone, speech: list[str]
) -> None:
    sending = send(hass)
    call_id = await calling(phone)
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    await sending
    assert speech == ["Dinner"]


@pytest.mark.parametrize(
    ("outcome", "key"),
    [
        (CallOutcome.BUSY, "contact_busy"),
        (CallOutcome.NO_ANSWER, "contact_no_answer"),
        (CallOutcome.DECLINED, "contact_declined"),
        (CallOutcome.UNREACHABLE, "contact_not_reached"),
    ],
)
async def test_nobody_who_answers_is_an_error(
    hass: HomeAssistant, phone: FakePhone, speech: list[str], outcome: CallOutcome, key: str
) -> None:
    sending = send(hass)
    call_id = await calling(phone)
    phone.end(call_id, outcome, code=486, reason="Busy Here")
    with pytest.raises(HomeAssistantError) as raised:
        await sending
    assert raised.value.translation_key == key
    assert raised.value.translation_placeholders == {"contact": "Anna"}


@pytest.mark.parametrize(("fault", "key"), [(None, "playback_failed"), (AudioFault.ENGINE, "tts_broke_down")])
async def test_a_message_that_cannot_be_heard_is_an_error(
    hass: HomeAssistant, phone: FakePhone, speech: list[str], fault: AudioFault | None, key: str
) -> None:
    sending = send(hass)
    call_id = await calling(phone)
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id, error="the engine is silent", fault=fault)
    with pytest.raises(HomeAssistantError) as raised:
        await sending
    assert raised.value.translation_key == key
    assert (phone.did[-1], speech) == (("hangup", call_id), ["Dinner"])


async def test_a_message_that_does_not_end_is_given_up(
    hass: HomeAssistant, phone: FakePhone, speech: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcement, "SPEAKING_TIMEOUT", 0)
    sending = send(hass, "x" * (MESSAGE_LENGTH_MAX + 1))
    call_id = await calling(phone)
    phone.enter(call_id, CallState.TALKING)
    with pytest.raises(HomeAssistantError) as raised:
        await sending
    assert raised.value.translation_key == "sound_timed_out"
    assert phone.did[-1] == ("hangup", call_id)
    assert [len(message) for message in speech] == [MESSAGE_LENGTH_MAX]


async def test_without_an_engine_nobody_is_called(hass: HomeAssistant, phone: FakePhone) -> None:
    with pytest.raises(HomeAssistantError) as raised:
        await send(hass)
    assert raised.value.translation_key == "tts_missing"
    assert phone.did == []


async def test_an_account_that_is_unloaded_ends_the_message(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, speech: list[str]
) -> None:
    sending = send(hass)
    call_id = await calling(phone)
    phone.enter(call_id, CallState.TALKING)
    await settle()
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await sending
    assert raised.value.translation_key == "account_stopped"
    assert phone.calls == {}
