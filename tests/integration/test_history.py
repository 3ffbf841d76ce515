"""The last calls of an account: kept across restarts, bounded, and told to those who ask."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from hypothesis import given, strategies as st
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.sip_ua.call_book import ENDED_CALLS_KEPT
from custom_components.sip_ua.call_record import STEPS_MAX, TEXT_MAX, parse_record
from custom_components.sip_ua.history import CALLS_FOLLOWED, CALLS_KEPT, SAVE_DELAY, CallHistory
from custom_components.sip_ua.rtp.session import RtpStatistics
from custom_components.sip_ua.sip.events import CallOutcome, CallState, CallStep, EndedBy, LadderStep, Party
from custom_components.sip_ua.sip.offer_answer import Codec, MediaDirection, NegotiatedMedia

from .conftest import act, contact, make_entry
from .phone import GRANDMA, NEIGHBOUR, FakePhone, Phones

CODEC = Codec("PCMA", 8000, 8)
MEDIA = NegotiatedMedia(
    "192.0.2.1", 4000, ("192.0.2.1", 4001), CODEC, ((8, CODEC),), 101, 101, 8000, MediaDirection.SENDRECV
)
STATISTICS = RtpStatistics(
    packets_sent=100,
    octets_sent=16_000,
    packets_received=99,
    octets_received=15_840,
    lost=1,
    loss=0.01,
    late=0,
    duplicate=0,
    reordered=0,
    discarded=0,
    concealed_ms=20,
    malformed=0,
    strangers=0,
    jitter_ms=1.5,
    delay_ms=60.0,
    round_trip_ms=12.0,
    remote_lost=0,
    remote_loss=0.0,
    remote_jitter_ms=3.0,
    silent_ms=0.0,
    mos=4.4,
    send_codec="PCMA",
    receive_codec="PCMA",
)
QUALITY = {
    "mos": 4.4,
    "loss": 0.01,
    "jitter_ms": 1.5,
    "round_trip_ms": 12.0,
    "remote_loss": 0.0,
    "packets_sent": 100,
    "packets_received": 99,
    "send_codec": "PCMA",
    "receive_codec": "PCMA",
}


def key_of(entry: MockConfigEntry) -> str:
    return f"sip_ua.history.{entry.entry_id}"


def talk_for(phone: FakePhone, seconds: float = 2.0) -> str:
    """Let a call of ours come about, be heard, and end."""
    call_id = phone.place(NEIGHBOUR)
    phone.step(call_id, LadderStep.RINGING, sent=False, code=180, reason="Ringing")
    phone.enter(call_id, CallState.ALERTING)
    phone.now += 1.0
    phone.step(call_id, LadderStep.OK, sent=False, code=200, reason="OK")
    phone.enter(call_id, CallState.TALKING)
    phone.agree_on(call_id, MEDIA)
    phone.step(call_id, LadderStep.ACK, sent=True)
    phone.now += seconds
    phone.step(call_id, LadderStep.BYE, sent=True)
    call = phone.calls[call_id]
    phone.end(call_id, by=EndedBy.LOCAL)
    phone.calls[call_id] = call
    phone.step(call_id, LadderStep.BYE_OK, sent=False, code=200, reason="OK")
    del phone.calls[call_id]
    return call_id


async def history_of(hass: HomeAssistant, **data: Any) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = (await act(hass, "get_call_history", **data))["calls"]
    return calls


async def reload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()


async def test_the_last_number_called_is_known_after_a_restart_and_many_callers(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    talk_for(phone)
    for _ in range(ENDED_CALLS_KEPT):
        phone.end(phone.ring())
    await reload(hass, entry)
    phones[-1].register()
    await hass.async_block_till_done()
    shown = {key: hass.states.get(f"sensor.620_fritz_box_last_{key}_number") for key in ("incoming", "outgoing")}
    assert {key: state and state.state for key, state in shown.items()} == {"incoming": "+49301234", "outgoing": "612"}


async def test_a_call_is_kept_with_its_seven_steps(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = talk_for(phone)
    (call,) = await history_of(hass)
    assert [(step["step"], step["sent"], step["elapsed"]) for step in call["steps"]] == [
        ("invite", True, 0.0),
        ("ringing", False, 0.0),
        ("ok", False, 1.0),
        ("ack", True, 1.0),
        ("voice", True, 1.0),
        ("bye", True, 3.0),
        ("bye_ok", False, 3.0),
    ]
    assert {key: call[key] for key in ("call_id", "direction", "number", "outcome", "code", "ended_by")} == {
        "call_id": call_id,
        "direction": "outgoing",
        "number": "612",
        "outcome": "answered",
        "code": 200,
        "ended_by": "local",
    }
    assert (call["ring_duration"], call["talk_duration"], call["account"]) == (1.0, 2.0, "620@fritz.box")


async def test_a_call_without_voice_has_no_voice_in_its_ladder(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = phone.ring()
    phone.step(call_id, LadderStep.CANCEL, sent=False)
    phone.end(call_id, CallOutcome.MISSED)
    (call,) = await history_of(hass)
    assert [step["step"] for step in call["steps"]] == ["invite", "ringing", "cancel"]
    assert (call["outcome"], call["talk_duration"]) == ("missed", None)


async def test_how_it_sounded_is_kept_when_it_is_told(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = talk_for(phone)
    assert (await history_of(hass))[0]["quality"] is None
    phone.tell_statistics(call_id, STATISTICS)
    assert (await history_of(hass))[0]["quality"] == QUALITY


async def test_the_name_is_that_of_the_phone_book(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(subentries=[contact("Oma", "+49301234")])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    call_id = phones[-1].ring(GRANDMA)
    phones[-1].end(call_id, CallOutcome.MISSED)
    assert (await history_of(hass))[0]["name"] == "Oma"


async def test_a_call_that_may_not_ring_is_in_the_history(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(subentries=[contact("Oma", "+49301234", on_call="block")])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phones[-1].ring(GRANDMA)
    (call,) = await history_of(hass)
    assert [step["step"] for step in call["steps"]] == ["invite", "rejected"]


async def test_calls_survive_a_restart_and_the_last_one_is_shown_at_once(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    call_id = talk_for(phone)
    phone.tell_statistics(call_id, STATISTICS)
    before = await history_of(hass)
    await reload(hass, entry)
    assert phones[-1] is not phone
    assert await history_of(hass) == before
    state = hass.states.get("sensor.620_fritz_box_last_call")
    assert state is not None
    assert state.state == "answered"
    assert state.attributes["number"] == "612"
    assert (state.attributes["ring_duration"], state.attributes["talk_duration"]) == (1.0, 2.0)
    assert hass_storage[key_of(entry)]["version"] == 1


async def test_a_call_that_the_restart_ends_is_kept(
    hass: HomeAssistant, phone: FakePhone, talk: str, entry: MockConfigEntry
) -> None:
    await reload(hass, entry)
    assert [call["call_id"] for call in await history_of(hass)] == [talk]


async def test_calls_are_written_some_time_later_however_many_there_are(
    hass: HomeAssistant,
    phone: FakePhone,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    talk_for(phone)
    assert key_of(entry) not in hass_storage
    for _ in range(4):
        freezer.tick(SAVE_DELAY / 3)
        talk_for(phone)
        async_fire_time_changed(hass)
        await hass.async_block_till_done()
    assert len(hass_storage[key_of(entry)]["data"]["calls"]) >= 4


async def test_the_oldest_calls_are_forgotten(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    ids = [talk_for(phone) for _ in range(CALLS_KEPT + 5)]
    await reload(hass, entry)
    assert [call["call_id"] for call in await history_of(hass)] == ids[:4:-1]


async def test_steps_and_texts_are_bounded(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    long = "x" * 10_000
    call_id = phone.ring(Party(long, long, f"sip:{long}@fritz.box"))
    for _ in range(STEPS_MAX * 2):
        phone.step(call_id, LadderStep.PROGRESS, sent=False, code=183, reason=long)
    phone.end(call_id, CallOutcome.MISSED, reason=long)
    (call,) = await history_of(hass)
    assert len(call["steps"]) == STEPS_MAX
    assert all(len(step["reason"]) <= TEXT_MAX for step in call["steps"])
    assert len(call["name"]) == len(call["number"]) == len(call["reason"]) == TEXT_MAX
    await reload(hass, entry)
    assert await history_of(hass) == [call]


async def test_a_removed_account_leaves_no_calls_behind(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    talk_for(phone)
    await reload(hass, entry)
    assert key_of(entry) in hass_storage
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert key_of(entry) not in hass_storage


@pytest.mark.parametrize(
    "data", [[], {}, {"calls": None}, {"calls": {"a": 1}}, {"calls": ["x", 1, None, {}, {"call_id": 7}]}]
)
async def test_what_cannot_be_read_is_left_out(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry, hass_storage: dict[str, Any], data: Any
) -> None:
    hass_storage[key_of(entry)] = {"version": 1, "minor_version": 1, "key": key_of(entry), "data": data}
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert await history_of(hass) == []
    call_id = talk_for(phones[-1])
    assert [call["call_id"] for call in await history_of(hass)] == [call_id]


async def test_one_broken_call_does_not_take_the_others_with_it(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    first, second = talk_for(phone), talk_for(phone)
    await hass.config_entries.async_unload(entry.entry_id)
    stored = hass_storage[key_of(entry)]["data"]["calls"]
    stored[0]["outcome"] = "no such outcome"
    stored[1]["added_later"] = "is left out"
    hass_storage[key_of(entry)]["minor_version"] = 7
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert first not in (calls := [call["call_id"] for call in await history_of(hass)])
    assert calls == [second]


async def test_a_call_that_was_kept_before_blocked_ones_were_marked_is_none(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    talk_for(phone)
    await hass.config_entries.async_unload(entry.entry_id)
    del hass_storage[key_of(entry)]["data"]["calls"][0]["blocked"]
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert [call["blocked"] for call in await history_of(hass)] == [False]


async def test_the_file_of_a_newer_version_is_left_alone(
    hass: HomeAssistant,
    phones: Phones,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    newer = {"version": 9, "minor_version": 1, "key": key_of(entry), "data": {"calls": "otherwise"}}
    hass_storage[key_of(entry)] = dict(newer)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    call_id = talk_for(phones[-1])
    assert [call["call_id"] for call in await history_of(hass)] == [call_id]
    await hass.config_entries.async_unload(entry.entry_id)
    assert hass_storage[key_of(entry)] == newer
    assert "The call history cannot be read" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
RECORD: Mapping[str, Any] = {
    "call_id": "1",
    "sip_call_id": "1@h",
    "direction": "incoming",
    "name": "",
    "number": "612",
    "uri": "sip:612@h",
    "called": "620",
    "started_at": "2026-11-22T12:00:00.000+00:00",
    "ring_duration": None,
    "talk_duration": 2.5,
    "outcome": "answered",
    "blocked": False,
    "code": 200,
    "reason": "OK",
    "ended_by": "remote",
    "answered_by": None,
    "encrypted": False,
    "steps": [{"step": "invite", "sent": False, "elapsed": 0.0, "code": 0, "reason": ""}],
    "quality": None,
}


@given(changes=st.dictionaries(st.sampled_from(sorted(RECORD)), JSON, max_size=4))
def test_a_stored_call_is_read_and_written_as_it_was_or_left_out(changes: dict[str, Any]) -> None:
    record = parse_record(dict(RECORD) | changes)
    if not changes:
        assert record is not None
        assert record.as_dict() == RECORD
    if record is not None:
        assert parse_record(json.loads(json.dumps(record.as_dict()))) == record
        told = record.snapshot(1.0, dt_util.utcnow())
        assert told.id == record.call_id
        assert told.ended_at is not None
        assert told.ended_at >= told.started_at


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-22T12:00:00", "x", ""]
)
def test_a_moment_that_no_clock_shows_is_none(moment: str) -> None:
    assert parse_record(dict(RECORD) | {"started_at": moment, "talk_duration": 1e8}) is None


def test_a_duration_beyond_all_calls_is_none() -> None:
    assert parse_record(dict(RECORD) | {"talk_duration": 1e300}) is None


async def test_the_history_can_be_narrowed(hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone) -> None:
    first = talk_for(phone)
    missed = phone.ring()
    phone.end(missed, CallOutcome.MISSED)
    assert [call["call_id"] for call in await history_of(hass, missed=True)] == [missed]
    assert [call["call_id"] for call in await history_of(hass, limit=1)] == [missed]
    later = (dt_util.now() + timedelta(hours=1)).isoformat()
    assert await history_of(hass, since=later) == []
    earlier = (dt_util.now() - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    assert [call["call_id"] for call in await history_of(hass, since=earlier)] == [missed, first]


async def test_calls_of_several_accounts_come_in_one_order(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    talk_for(phone, 10)
    other_phone.end(other_phone.ring(), CallOutcome.MISSED)
    other_phone.end(other_phone.ring(), CallOutcome.MISSED)
    talk_for(phone, 1)
    calls = await history_of(hass)
    assert [call["started_at"] for call in calls] == sorted((call["started_at"] for call in calls), reverse=True)
    assert {call["account"] for call in calls} == {"620@fritz.box", "100@pbx.example"}
    assert len(await history_of(hass, config_entry_id=entry.entry_id)) == 2
    assert len(await history_of(hass, limit=3)) == 3


async def test_without_an_account_there_is_no_history(
    hass: HomeAssistant, entry: MockConfigEntry, phone: FakePhone
) -> None:
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(ServiceValidationError, match="No SIP account"):
        await history_of(hass)


async def test_a_dashboard_lists_the_calls(
    hass: HomeAssistant, phone: FakePhone, hass_ws_client: WebSocketGenerator
) -> None:
    call_id = talk_for(phone)
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "sip_ua/history"})
    answer = await client.receive_json()
    assert answer["success"]
    assert [call["call_id"] for call in answer["result"]["calls"]] == [call_id]
    await client.send_json_auto_id({"type": "sip_ua/history", "missed": True, "config_entry_id": "none such"})
    assert (await client.receive_json())["result"] == {"calls": []}


async def test_a_dashboard_follows_the_calls_and_outlives_a_reload(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    first = talk_for(phone)
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "sip_ua/history/subscribe", "config_entry_id": entry.entry_id})
    assert (await client.receive_json())["success"]
    assert [call["call_id"] for call in (await client.receive_json())["event"]["calls"]] == [first]
    await reload(hass, entry)
    second = phones[-1].ring()
    phones[-1].end(second, CallOutcome.MISSED)
    assert [call["call_id"] for call in (await client.receive_json())["event"]["calls"]] == [second]


async def test_a_dashboard_can_follow_missed_calls_only(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "sip_ua/history/subscribe", "config_entry_id": entry.entry_id, "missed": True}
    )
    assert (await client.receive_json())["success"]
    assert (await client.receive_json())["event"] == {"calls": []}
    talk_for(phone)
    missed = phone.ring()
    phone.end(missed, CallOutcome.MISSED)
    assert [call["call_id"] for call in (await client.receive_json())["event"]["calls"]] == [missed]


async def test_nobody_follows_an_account_that_is_not_there(
    hass: HomeAssistant, phone: FakePhone, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "sip_ua/history/subscribe", "config_entry_id": "none such"})
    assert (await client.receive_json())["error"]["code"] == "not_found"


async def test_calls_that_never_end_take_a_bounded_room(hass: HomeAssistant, phone: FakePhone) -> None:
    history = CallHistory(hass, "bounded")
    call = phone.calls[phone.place(NEIGHBOUR)]
    for number in range(600):
        step = CallStep(at=0.0, call=replace(call, id=str(number)), step=LadderStep.INVITE, sent=True)
        history.note(step, step.call)
    assert history.followed == CALLS_FOLLOWED


async def test_after_a_restart_the_last_call_can_be_repeated_and_who_called_is_known(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry
) -> None:
    for _ in range(ENDED_CALLS_KEPT + 3):
        talk_for(phone)
    missed = phone.ring()
    phone.end(missed, CallOutcome.MISSED)
    ended = [record.call_id for record in entry.runtime_data.history]
    before = {call_id: call for call_id in ended if (call := entry.runtime_data.calls.find_ended(call_id))}
    await reload(hass, entry)
    book = entry.runtime_data.calls
    after = {call_id: call for call_id in ended if (call := book.find_ended(call_id))}
    assert [(call.id, call.direction) for call in after.values()] == [
        (call.id, call.direction) for call in before.values()
    ]
    assert len(after) == ENDED_CALLS_KEPT
    assert [call.started_at for call in after.values()] == sorted(
        (call.started_at for call in after.values()), reverse=True
    )
    assert book.last is not None
    assert book.last.id == missed
    assert book.find_ended(missed) is book.last
