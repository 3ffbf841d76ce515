"""Recordings of calls: by action and by themselves, what is told of them, their faults, and how long they stay."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_OFF, STATE_ON
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.sip_ua import recordings as recordings_module
from custom_components.sip_ua.net.errors import RecordingFault
from custom_components.sip_ua.net.recording_order import (
    RecordedSides,
    RecordingFormat,
    RecordingOrder,
    RecordingTone,
)
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError
from custom_components.sip_ua.sip.events import CallState

from .conftest import act, do, settle, until
from .phone import GRANDMA, NEIGHBOUR, FakePhone, Phones

NOW = "2026-11-22 12:00:00+00:00"
FOLDER = "620@fritz.box"
GRANDMAS = "2026-11-22_04-00-00-0800_in_+49301234_Grandma"


@pytest.fixture(name="media", autouse=True)
def media_fixture(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return the media folder of Home Assistant."""
    hass.config.media_dirs = {"local": str(tmp_path / "media"), "more": str(tmp_path / "more")}
    return tmp_path / "media"


def shown(hass: HomeAssistant, entry: MockConfigEntry, key: str) -> Any:
    entity = next(
        entity
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if entity.translation_key == key
    )
    return hass.states.get(entity.entity_id)


def told(events: list[Event], kind: str) -> list[dict[str, Any]]:
    return [dict(event.data) for event in events if event.data["type"] == kind]


async def begin(hass: HomeAssistant, phone: FakePhone, talk: str, **data: Any) -> asyncio.Task[dict[str, Any]]:
    """Perform the action that begins a recording, as far as the phone."""
    task = hass.async_create_task(act(hass, "start_recording", **data))
    await until(lambda: talk in phone.orders or task.done())
    return task


async def choose(hass: HomeAssistant, phones: Phones, entry: MockConfigEntry, **options: Any) -> FakePhone:
    """Give an account other options, and return its new telephone."""
    hass.config_entries.async_update_entry(entry, options={"recording": options})
    await hass.async_block_till_done()
    phones[-1].register()
    return phones[-1]


# By action


@pytest.mark.freeze_time(NOW)
async def test_a_recording_is_begun_and_ended_by_action(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, talk: str, call_events: list[Event], media: Path
) -> None:
    task = await begin(hass, phone, talk)
    path = media / "sip_ua" / FOLDER / f"{GRANDMAS}.wav"
    assert phone.orders[talk] == RecordingOrder(path=path, sides=RecordedSides.MIXED, root=media)
    assert shown(hass, entry, "recording").state == STATE_OFF
    phone.begin_recording(talk)
    place = {"path": str(path), "media_content_id": f"media-source://sip_ua/{FOLDER}/{path.name}"}
    answer = await task
    assert (answer["call_id"], answer["number"], answer["recording"]) == (talk, "+49301234", place)
    lamp = shown(hass, entry, "recording")
    assert (lamp.state, lamp.attributes["calls"]) == (STATE_ON, [talk])
    assert shown(hass, entry, "call_state").attributes["recording"] is True
    (started,) = told(call_events, "recording_started")
    assert place.items() <= started.items()

    answer = await act(hass, "stop_recording")

    result = place | {"duration": 2.5, "size": 1000, "lost": 0.0, "fault": None, "error": None}
    assert (answer["call_id"], answer["recording"]) == (talk, result)
    assert (shown(hass, entry, "recording").state, shown(hass, entry, "recording").attributes["calls"]) == ("off", [])
    assert shown(hass, entry, "call_state").attributes["recording"] is False
    (finished,) = told(call_events, "recording_finished")
    assert result.items() <= finished.items()
    assert (await act(hass, "stop_recording", call_id=talk))["recording"] == result


async def test_a_recording_that_ends_as_it_begins_is_told_as_it_ended(
    hass: HomeAssistant, phone: FakePhone, talk: str
) -> None:
    task = await begin(hass, phone, talk)
    phone.begin_recording(talk)
    phone.end_recording(talk, seconds=0.1)
    assert (await task)["recording"]["duration"] == 0.1


async def test_an_action_may_choose_format_channels_and_tone(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    task = await begin(hass, phone, talk, format="opus", channels="stereo", tone="repeated")

    order = phone.orders[talk]
    assert (order.path.suffix, order.file_format, order.sides, order.tone) == (
        ".ogg",
        RecordingFormat.OPUS,
        RecordedSides.STEREO,
        RecordingTone.REPEATED,
    )
    phone.begin_recording(talk)
    await task


async def test_a_held_call_can_be_recorded(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    phone.enter(talk, CallState.HELD)
    task = await begin(hass, phone, talk)
    phone.begin_recording(talk)
    assert (await task)["recording"]["path"]


@pytest.mark.parametrize(
    ("action", "state", "key"),
    [
        ("start_recording", None, "no_call_to_record"),
        ("start_recording", CallState.RINGING, "no_call_to_record"),
        ("stop_recording", CallState.TALKING, "no_recording"),
    ],
)
async def test_what_cannot_be_recorded_is_refused(
    hass: HomeAssistant, phone: FakePhone, action: str, state: CallState | None, key: str
) -> None:
    if state is not None:
        call_id = phone.ring()
        if state is not CallState.RINGING:
            phone.enter(call_id, state)
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, action)
    assert raised.value.translation_key == key


async def test_a_call_that_only_rings_cannot_be_recorded_by_its_id(hass: HomeAssistant, phone: FakePhone) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "start_recording", call_id=phone.ring())
    assert raised.value.translation_key == "call_not_connected"


async def test_a_call_is_recorded_once_at_a_time(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    task = await begin(hass, phone, talk)
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "start_recording")
    assert raised.value.translation_key == "recording_goes_on"
    phone.begin_recording(talk)
    await task


async def test_of_several_recorded_calls_one_has_to_be_named(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    other = phone.ring(NEIGHBOUR)
    phone.enter(other, CallState.TALKING)
    for call_id in (talk, other):
        task = await begin(hass, phone, call_id, call_id=call_id)
        phone.begin_recording(call_id)
        await task
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "stop_recording")
    assert raised.value.translation_key == "call_ambiguous"
    assert (await act(hass, "stop_recording", call_id=other))["call_id"] == other
    assert (await act(hass, "stop_recording"))["call_id"] == talk


async def test_an_unknown_call_has_no_recording(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "stop_recording", call_id="nobody")
    assert raised.value.translation_key == "no_recording"


# What goes wrong


@pytest.mark.parametrize("fault", list(RecordingFault))
async def test_a_recording_that_does_not_begin_says_why(
    hass: HomeAssistant, phone: FakePhone, talk: str, call_events: list[Event], fault: RecordingFault
) -> None:
    task = await begin(hass, phone, talk)
    phone.end_recording(talk, 0, fault)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == f"recording_{fault.value}"
    (failed,) = told(call_events, "recording_failed")
    assert (failed["fault"], failed["error"]) == (fault.value, f"the recording could not be written: {fault}")
    assert phone.calls[talk].state is CallState.TALKING
    again = await begin(hass, phone, talk)
    phone.begin_recording(talk)
    assert (await again)["recording"]


async def test_a_recording_that_breaks_off_is_told_with_what_there_is_of_it(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, talk: str, call_events: list[Event]
) -> None:
    task = await begin(hass, phone, talk)
    path = phone.begin_recording(talk)
    await task
    phone.end_recording(talk, 4, RecordingFault.DISK_FULL)
    (failed,) = told(call_events, "recording_failed")
    assert (failed["path"], failed["duration"], failed["fault"]) == (str(path), 4, "disk_full")
    assert not told(call_events, "recording_finished")
    assert shown(hass, entry, "recording").state == STATE_OFF
    answer = await act(hass, "stop_recording", call_id=talk)
    assert answer["recording"]["fault"] == "disk_full"


async def test_a_disk_that_does_not_answer_is_not_waited_for(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    phone.stops_recordings = False
    with patch.object(recordings_module, "START_TIMEOUT", 0.01), pytest.raises(HomeAssistantError) as raised:
        await do(hass, "start_recording")
    assert raised.value.translation_key == "recording_too_slow"
    assert phone.did[-1] == ("stop_recording", talk)
    with patch.object(recordings_module, "STOP_TIMEOUT", 0.01), pytest.raises(HomeAssistantError) as raised:
        await do(hass, "stop_recording")
    assert raised.value.translation_key == "recording_too_slow"
    phone.end_recording(talk)


async def test_without_a_media_folder_nothing_is_recorded(
    hass: HomeAssistant, phone: FakePhone, talk: str, call_events: list[Event]
) -> None:
    hass.config.media_dirs = {}
    with pytest.raises(HomeAssistantError) as raised:
        await do(hass, "start_recording")
    assert raised.value.translation_key == "recording_no_folder"


async def test_a_call_that_ends_while_its_recording_begins_is_told(
    hass: HomeAssistant, phone: FakePhone, talk: str
) -> None:
    phone.error = LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "start_recording")
    assert raised.value.translation_key == "call_without_voice"


async def test_the_end_of_a_call_completes_its_recording(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, talk: str, call_events: list[Event]
) -> None:
    task = await begin(hass, phone, talk)
    phone.begin_recording(talk)
    await task
    phone.end(talk)
    phone.end_recording(talk, 7)
    assert [event.data["type"] for event in call_events][-2:] == ["ended", "recording_finished"]
    assert told(call_events, "recording_finished")[0]["duration"] == 7
    assert shown(hass, entry, "recording").state == STATE_OFF
    assert (await act(hass, "stop_recording", call_id=talk))["recording"]["duration"] == 7


async def test_an_account_that_is_switched_off_ends_the_wait_for_a_recording(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, talk: str
) -> None:
    task = await begin(hass, phone, talk)
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "account_stopped"


# By itself


@pytest.mark.parametrize(
    ("calls", "incoming", "outgoing"),
    [("none", False, False), ("incoming", True, False), ("outgoing", False, True), ("all", True, True)],
)
async def test_the_account_says_which_calls_are_recorded(
    hass: HomeAssistant,
    phone: FakePhone,
    phones: Phones,
    entry: MockConfigEntry,
    calls: str,
    incoming: bool,
    outgoing: bool,
) -> None:
    phone = await choose(hass, phones, entry, record_calls=calls, recording_tone="once")
    theirs, ours = phone.ring(), phone.place(NEIGHBOUR)
    assert phone.orders == {}
    for call_id in (theirs, ours):
        phone.enter(call_id, CallState.TALKING)
    assert (theirs in phone.orders, ours in phone.orders) == (incoming, outgoing)
    assert {order.tone for order in phone.orders.values()} <= {RecordingTone.ONCE}
    phone.orders.clear()
    for call_id in (theirs, ours):
        phone.enter(call_id, CallState.HELD)
        phone.enter(call_id, CallState.TALKING)
    assert phone.orders == {}


@pytest.mark.parametrize("record", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
async def test_dial_may_say_otherwise(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, record: bool, at_once: bool
) -> None:
    phone = await choose(hass, phones, entry, record_calls="none" if record else "all")
    phone.answers_at_once = at_once
    call_id = (await act(hass, "dial", number="612", record=record))["call_id"]
    if not at_once:
        assert call_id not in phone.orders
        phone.enter(call_id, CallState.TALKING)
    assert (call_id in phone.orders) is record


@pytest.mark.parametrize("record", [True, False])
async def test_answer_may_say_otherwise(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, record: bool
) -> None:
    phone = await choose(hass, phones, entry, record_calls="none" if record else "all")
    call_id = phone.ring()
    await do(hass, "answer", record=record)
    assert (call_id in phone.orders) is record


async def test_a_dialled_call_tells_its_recording_at_its_end(hass: HomeAssistant, phone: FakePhone) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", record=True, wait="ended"))
    call_id = await until(lambda: next(iter(phone.calls), None))
    await settle()
    phone.enter(call_id, CallState.TALKING)
    path = phone.begin_recording(call_id)
    phone.end(call_id)
    phone.end_recording(call_id)
    phone.tell_statistics(call_id, None)
    assert (await task)["recording"]["path"] == str(path)


async def test_a_recording_that_cannot_begin_by_itself_is_told_and_the_call_goes_on(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, call_events: list[Event]
) -> None:
    phone = await choose(hass, phones, entry, record_calls="all")
    hass.config.media_dirs = {}
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    (failed,) = told(call_events, "recording_failed")
    assert (failed["fault"], failed["call_id"]) == ("no_folder", call_id)
    assert phone.calls[call_id].state is CallState.TALKING


async def test_what_is_heard_before_the_answer_is_recorded_on_into_the_call(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    phone = await choose(hass, phones, entry, record_calls="all")
    call_id = phone.place(NEIGHBOUR)
    phone.enter(call_id, CallState.EARLY)
    assert call_id not in phone.orders, "what records by itself begins with the answer"
    task = await begin(hass, phone, call_id)
    path = phone.begin_recording(call_id)
    assert (await task)["recording"]["path"] == str(path)
    phone.enter(call_id, CallState.TALKING)
    assert phone.orders[call_id].path == path


# What may go


def lay(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"RIFF")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


OLD = [f"2026-11-{day:02}_10-00-00+0000_in_612.wav" for day in (1, 10, 20, 21)]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, OLD),
        ({"keep_days": 12, "keep_recordings": 0}, OLD[2:]),
        ({"keep_days": 0, "keep_recordings": 1}, OLD[3:]),
        ({"keep_days": 13, "keep_recordings": 10}, OLD[1:]),
    ],
)
@pytest.mark.freeze_time(NOW)
async def test_only_what_the_owner_wants_to_go_goes(
    hass: HomeAssistant,
    phone: FakePhone,
    phones: Phones,
    entry: MockConfigEntry,
    media: Path,
    options: dict[str, int],
    kept: list[str],
) -> None:
    lay(media / "sip_ua" / FOLDER, *OLD, "mine.wav", "2020-notes.txt")
    lay(media / "sip_ua" / "other", *OLD)
    lay(media, OLD[0])
    await choose(hass, phones, entry, **options)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert names_in(media / "sip_ua" / FOLDER) == sorted([*kept, "2020-notes.txt", "mine.wav"])
    assert names_in(media / "sip_ua" / "other") == OLD
    assert (media / OLD[0]).exists()


async def test_old_recordings_go_with_time_and_with_new_ones_but_never_one_that_is_written(
    hass: HomeAssistant,
    phone: FakePhone,
    phones: Phones,
    entry: MockConfigEntry,
    media: Path,
    freezer: FrozenDateTimeFactory,
) -> None:
    freezer.move_to(NOW)
    folder = media / "sip_ua" / FOLDER
    phone = await choose(hass, phones, entry, record_calls="all", keep_days=2, keep_recordings=1)
    await hass.async_block_till_done(wait_background_tasks=True)
    first = phone.ring()
    phone.enter(first, CallState.TALKING)
    path = phone.begin_recording(first)
    lay(folder, path.name, OLD[3])
    second = phone.ring(NEIGHBOUR)
    freezer.tick(60)
    phone.enter(second, CallState.TALKING)
    other = phone.begin_recording(second)
    lay(folder, other.name)
    phone.end_recording(second)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert names_in(folder) == sorted([path.name, other.name])

    phone.end_recording(first)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert names_in(folder) == [other.name]

    freezer.tick(3 * 86400)
    async_fire_time_changed(hass, dt_util.utcnow())
    await hass.async_block_till_done(wait_background_tasks=True)
    assert names_in(folder) == []


def test_the_names_of_the_test_are_those_of_the_caller() -> None:
    assert (GRANDMA.number, GRANDMA.name) == ("+49301234", "Grandma")


@pytest.mark.parametrize("record", [True, False])
async def test_a_wish_that_comes_after_the_answer_counts_too(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, record: bool
) -> None:
    phone = await choose(hass, phones, entry, record_calls="none" if record else "all")
    call_id = phone.place(NEIGHBOUR)
    phone.enter(call_id, CallState.TALKING)
    assert (call_id in phone.orders) is not record
    entry.runtime_data.recordings.wish(call_id, record=record)
    if record:
        assert call_id in phone.orders
    else:
        assert ("stop_recording", call_id) in phone.did


async def test_only_the_newest_results_are_remembered(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings_module, "RESULTS_KEPT", 2)
    ended = []
    for _ in range(3):
        call_id = phone.ring()
        phone.enter(call_id, CallState.TALKING)
        task = await begin(hass, phone, call_id, call_id=call_id)
        phone.begin_recording(call_id)
        await task
        phone.end_recording(call_id)
        phone.end(call_id)
        ended.append(call_id)
    results = [entry.runtime_data.recordings.result(call_id) for call_id in ended]
    assert [result is not None for result in results] == [False, True, True]


async def test_news_of_a_recording_that_nobody_began_is_left_aside(
    hass: HomeAssistant, phone: FakePhone, talk: str, call_events: list[Event]
) -> None:
    phone.orders[talk] = RecordingOrder(path=Path("/nowhere.wav"), root=Path("/"))
    phone.begin_recording(talk)
    phone.end_recording(talk)
    assert [event.data["type"] for event in call_events if "recording" in event.data["type"]] == []
