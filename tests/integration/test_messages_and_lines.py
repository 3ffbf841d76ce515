"""The voice mail box and the watched lines: entities, bus events, and how lines are added, changed and removed."""

from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigSubentryDataWithId, SubentryFlowResult
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, HomeAssistant, State
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua.const import DOMAIN, EVENT_LINE, EVENT_MESSAGES
from custom_components.sip_ua.diagnostics import async_get_config_entry_diagnostics
from custom_components.sip_ua.settings import identity_of, normalize, unique_id_of
from custom_components.sip_ua.sip.events import RegistrationFailure, WatchedState

from .conftest import TYPED
from .phone import FakePhone, Phones

NOW = "2026-11-22 12:00:00+00:00"
KITCHEN = "binary_sensor.kitchen"
MESSAGES = "sensor.620_fritz_box_messages_waiting"
VOICE_MAIL = "event.620_fritz_box_voice_mail"


def line(number: str, title: str, subentry_id: str) -> ConfigSubentryDataWithId:
    return ConfigSubentryDataWithId(
        data={"number": number}, subentry_id=subentry_id, subentry_type="line", title=title, unique_id=number
    )


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    """Return an account with a voice mail box and a watched line."""
    data = normalize(TYPED)
    return MockConfigEntry(
        domain=DOMAIN,
        title=identity_of(data),
        data=data,
        options={"calls": {"mwi": True}},
        unique_id=unique_id_of(data),
        entry_id="entry_620",
        subentries_data=[line("612", "Kitchen", "kitchen")],
    )


def state(hass: HomeAssistant, entity_id: str) -> State:
    found = hass.states.get(entity_id)
    assert found is not None
    return found


@pytest.mark.freeze_time(NOW)
async def test_entities_of_lines_and_messages(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    phone.show_line("612", WatchedState.RINGING)
    phone.leave_messages(waiting=False, new=0, old=1, new_urgent=0, old_urgent=0)
    phone.leave_messages(new=2, old=1, new_urgent=1, old_urgent=0)
    registry = er.async_get(hass)
    for entity_id in (KITCHEN, MESSAGES, VOICE_MAIL):
        assert registry.async_get(entity_id) == snapshot(name=f"{entity_id}-entry")
        assert state(hass, entity_id) == snapshot(name=f"{entity_id}-state")


async def test_diagnostics_tell_states_and_name_nobody(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(
        entry, options={"calls": {"mwi": True, "display_name": "Smith", "allowed_numbers": ["+4930*"]}}
    )
    await hass.async_block_till_done()
    phones[-1].show_line("612", WatchedState.TALKING)
    phones[-1].leave_messages(new=2, old=1)
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["lines"] == ["talking"]
    assert (diagnostics["messages"]["new"], diagnostics["messages"]["old"]) == (2, 1)
    assert diagnostics["options"]["calls"]["mwi"] is True
    for private in ("Smith", "+4930", "612", "Kitchen", "sip:620"):
        assert private not in str(diagnostics)


# Messages


async def test_messages_are_counted_and_new_ones_are_events(hass: HomeAssistant, phone: FakePhone) -> None:
    events = async_capture_events(hass, EVENT_MESSAGES)
    assert state(hass, MESSAGES).state == STATE_UNKNOWN
    phone.leave_messages(new=1, old=0, new_urgent=0, old_urgent=0)
    assert state(hass, MESSAGES).state == "1"
    assert state(hass, VOICE_MAIL).state == STATE_UNKNOWN, "what waited before is not new"
    phone.leave_messages(new=2, old=0, new_urgent=1, old_urgent=0)
    assert state(hass, VOICE_MAIL).attributes["event_type"] == "new_message"
    assert state(hass, MESSAGES).attributes["new_urgent"] == 1
    told = state(hass, VOICE_MAIL).state
    phone.leave_messages(waiting=False, new=0, old=2, new_urgent=0, old_urgent=0)
    assert (state(hass, MESSAGES).state, state(hass, VOICE_MAIL).state) == ("0", told)
    await hass.async_block_till_done()
    assert [event.data["type"] for event in events] == ["changed", "new_message", "changed"]
    assert events[-1].data["old"] == 2
    assert events[-1].data["account"] == "620@fritz.box"


async def test_a_mail_box_that_does_not_count_has_one_or_none(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.leave_messages(waiting=False)
    assert state(hass, MESSAGES).state == "0"
    phone.leave_messages()
    assert state(hass, MESSAGES).state == "1"
    assert state(hass, VOICE_MAIL).attributes["waiting"] is True


async def test_nobody_is_told_of_messages_that_the_server_may_know_better(
    hass: HomeAssistant, phone: FakePhone
) -> None:
    phone.leave_messages(new=3, old=0)
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert state(hass, MESSAGES).state == STATE_UNAVAILABLE
    phone.register()
    assert state(hass, MESSAGES).state == "3"


async def test_the_mail_box_goes_with_its_option(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    assert phones[-1] is not phone
    registry = er.async_get(hass)
    assert registry.async_get(MESSAGES) is registry.async_get(VOICE_MAIL) is None
    assert hass.states.get(MESSAGES) is None


# Lines


@pytest.mark.parametrize(
    ("watched", "shown"),
    [
        (WatchedState.IDLE, "off"),
        (WatchedState.RINGING, "on"),
        (WatchedState.TALKING, "on"),
        (WatchedState.UNKNOWN, STATE_UNKNOWN),
    ],
)
async def test_a_line_is_free_or_in_use(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, watched: WatchedState, shown: str
) -> None:
    events: list[Event] = async_capture_events(hass, EVENT_LINE)
    assert state(hass, KITCHEN).state == STATE_UNKNOWN
    phone.show_line("612", watched)
    assert state(hass, KITCHEN).state == shown
    assert state(hass, KITCHEN).attributes["line_state"] == watched.value
    await hass.async_block_till_done()
    assert [event.data for event in events] == [
        {
            "config_entry_id": entry.entry_id,
            "account": "620@fritz.box",
            "name": "Kitchen",
            "number": "612",
            "state": watched.value,
        }
    ]


async def test_a_line_is_a_device_of_its_account(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    account = next(device for device in devices if device.identifiers == {(DOMAIN, entry.entry_id)})
    (kitchen,) = (device for device in devices if device is not account)
    assert (kitchen.name, kitchen.via_device_id) == ("Kitchen", account.id)


async def test_without_registration_nothing_is_known_of_lines(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.show_line("612", WatchedState.IDLE)
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert state(hass, KITCHEN).state == STATE_UNAVAILABLE


async def test_a_state_of_a_line_that_nobody_listed_is_nothing(hass: HomeAssistant, phone: FakePhone) -> None:
    events = async_capture_events(hass, EVENT_LINE)
    phone.watch("613")
    phone.show_line("613", WatchedState.IDLE)
    await hass.async_block_till_done()
    assert events == []


async def test_a_line_that_the_account_cannot_reach_any_more_is_left_out(
    hass: HomeAssistant, phones: Phones, caplog: pytest.LogCaptureFixture
) -> None:
    data = normalize(TYPED)
    lines = [line("sip:!", "Cellar", "cellar"), line("613", "Attic", "attic")]
    entry = MockConfigEntry(domain=DOMAIN, data=data, unique_id=unique_id_of(data), subentries_data=lines)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert list(phones[-1].watched.values()) == ["613"]
    assert "The line Cellar cannot be watched" in caplog.text
    phones[-1].register()
    assert state(hass, "binary_sensor.cellar").state == STATE_UNKNOWN


# The form of a line


async def submit(hass: HomeAssistant, entry: MockConfigEntry, **typed: Any) -> SubentryFlowResult:
    """Open the form of a new line and submit it."""
    form = await hass.config_entries.subentries.async_init((entry.entry_id, "line"), context={"source": SOURCE_USER})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "user")
    return await hass.config_entries.subentries.async_configure(form["flow_id"], typed)


async def test_a_line_is_added_and_removed(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    result = await submit(hass, entry, number=" 6 13 ", name=" Attic ")
    assert (result["type"], result["title"], result["data"]) == (
        FlowResultType.CREATE_ENTRY,
        "Attic",
        {"number": "613"},
    )
    await hass.async_block_till_done()
    assert list(phones[-1].watched.values()) == ["612", "613"]
    phones[-1].register()
    phones[-1].show_line("613", WatchedState.TALKING)
    assert state(hass, "binary_sensor.attic").state == "on"

    hass.config_entries.async_remove_subentry(entry, "kitchen")
    await hass.async_block_till_done()
    assert list(phones[-1].watched.values()) == ["613"]
    assert hass.states.get(KITCHEN) is None
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert {device.name for device in devices} == {"620@fritz.box", "Attic"}


async def test_a_new_line_cuts_no_call(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    call_id = phone.ring()
    result = await submit(hass, entry, number="613")
    assert result["title"] == "613"
    await hass.async_block_till_done()
    assert phones == [phone]
    phone.end(call_id)
    await hass.async_block_till_done()
    assert list(phones[-1].watched.values()) == ["612", "613"]


async def test_a_line_is_changed(hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry) -> None:
    form = await entry.start_subentry_reconfigure_flow(hass, "kitchen")
    assert form["step_id"] == "reconfigure"
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], {"number": "614", "name": "Kitchen"})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert list(phones[-1].watched.values()) == ["614"]
    phones[-1].register()
    assert state(hass, KITCHEN).attributes["number"] == "614"


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"number": "6-12"}, {"number": "line_known"}),
        ({"number": "http://door"}, {"number": "line_invalid"}),
        ({"number": " "}, {"number": "line_invalid"}),
        ({"number": "613", "name": "x" * 65}, {"name": "line_name_too_long"}),
    ],
)
async def test_a_line_that_cannot_be_watched_is_not_kept(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, typed: dict[str, str], errors: dict[str, str]
) -> None:
    result = await submit(hass, entry, **typed)
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, errors)
    assert len(entry.subentries) == 1


async def test_a_line_cannot_become_one_that_is_watched_already(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    await submit(hass, entry, number="613")
    await hass.async_block_till_done()
    form = await entry.start_subentry_reconfigure_flow(hass, "kitchen")
    result = await hass.config_entries.subentries.async_configure(form["flow_id"], {"number": "613"})
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"number": "line_known"})
