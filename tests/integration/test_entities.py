"""What the entities of an account show, with no call, one, and several."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.statistics import async_list_statistic_ids
from homeassistant.const import EVENT_STATE_CHANGED, STATE_UNAVAILABLE, STATE_UNKNOWN, Platform
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua.const import CALL_MEDIA, DOMAIN, EVENT_CALL, CallEventType
from custom_components.sip_ua.net.errors import RecordingFault
from custom_components.sip_ua.rtp.figures import RtpStatistics
from custom_components.sip_ua.sip.codecs import Codec
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    EndedBy,
    LadderStep,
    RegistrationFailure,
    RegistrationState,
    TransferState,
)
from custom_components.sip_ua.sip.offer_answer import MediaDirection, NegotiatedMedia

from .conftest import make_entry
from .phone import GRANDMA, NEIGHBOUR, FakePhone, Phones

SENDONLY = MediaDirection.SENDONLY
STATISTICS = RtpStatistics(
    packets_sent=1500,
    octets_sent=240_000,
    packets_received=1485,
    octets_received=237_600,
    lost=15,
    loss=0.01,
    late=0,
    duplicate=0,
    reordered=0,
    discarded=0,
    concealed_ms=300,
    malformed=0,
    strangers=0,
    jitter_ms=4.0,
    delay_ms=60.0,
    round_trip_ms=20.0,
    remote_lost=0,
    remote_loss=0.0,
    remote_jitter_ms=3.0,
    silent_ms=0.0,
    mos=4.1,
    send_codec="PCMA",
    receive_codec="PCMA",
)
UNIT_OF_MEASUREMENT = "unit_of_measurement"
NOW = "2026-11-22 12:00:00+00:00"


class Shown:
    """The states of an account's entities by their keys."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        registry = er.async_get(hass)
        self.hass = hass
        self.ids = {
            str(entity.translation_key): entity.entity_id
            for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
            if entity.disabled_by is None
        }

    def state(self, key: str) -> State:
        state = self.hass.states.get(self.ids[key])
        assert state is not None
        return state

    def __getitem__(self, key: str) -> str:
        return self.state(key).state


@pytest.fixture(name="shown")
def shown_fixture(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> Shown:
    return Shown(hass, entry)


@pytest.mark.parametrize(
    "platform",
    [Platform.BINARY_SENSOR, Platform.BUTTON, Platform.EVENT, Platform.MEDIA_PLAYER, Platform.SENSOR],
)
@pytest.mark.freeze_time(NOW)
async def test_entities_of_a_talking_account(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, snapshot: SnapshotAssertion, platform: Platform
) -> None:
    phone.enter(phone.ring(), CallState.TALKING)
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
        if entity.domain == platform:
            assert entity == snapshot(name=f"{entity.entity_id}-entry")
            assert hass.states.get(entity.entity_id) == snapshot(name=f"{entity.entity_id}-state")


async def test_without_a_call_an_account_is_idle(shown: Shown) -> None:
    assert shown["call_state"] == "idle"
    assert shown["calls_active"] == "0"
    for key in ("remote_name", "remote_number", "call_direction", "last_call"):
        assert shown[key] == STATE_UNKNOWN
    assert shown["answer"] == shown["hangup"] == STATE_UNAVAILABLE


async def test_an_invite_is_seen_in_the_same_iteration_of_the_loop(phone: FakePhone, shown: Shown) -> None:
    phone.ring()
    assert shown["call_state"] == "ringing"
    assert shown.state("call_state").attributes["number"] == GRANDMA.number
    assert shown["remote_name"] == "Grandma"
    assert shown["remote_number"] == "+49301234"
    assert shown["call_direction"] == "incoming"
    assert shown["calls_active"] == "1"
    assert shown["answer"] == STATE_UNKNOWN
    assert shown.state("call").attributes["event_type"] == "incoming"


async def test_call_state_is_written_before_all_else(hass: HomeAssistant, phone: FakePhone, shown: Shown) -> None:
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    phone.ring()
    assert changes[0].data["entity_id"] == shown.ids["call_state"]
    assert len(changes) == len({event.data["entity_id"] for event in changes})


async def test_nothing_is_written_that_is_no_news(hass: HomeAssistant, phone: FakePhone, shown: Shown) -> None:
    call_id = phone.ring()
    before = {key: shown.state(key).last_reported for key in shown.ids if key != "call"}
    phone.step(call_id, LadderStep.RINGING, sent=True, code=180)
    phone.press(call_id, "1")
    assert {key: shown.state(key).last_reported for key in shown.ids if key != "call"} == before


async def test_a_call_shows_whether_its_voice_is_encrypted(hass: HomeAssistant, phone: FakePhone, shown: Shown) -> None:
    events = async_capture_events(hass, EVENT_CALL)
    call_id = phone.ring()
    assert shown.state("call_state").attributes["encrypted"] is False
    phone.enter(call_id, CallState.TALKING)
    phone.encrypt(call_id)
    assert shown.state("call_state").attributes["encrypted"] is True
    phone.end(call_id)
    assert shown.state("last_call").attributes["encrypted"] is True
    assert {event.data["type"]: event.data["encrypted"] for event in events} == {
        "incoming": False,
        "step": False,
        "answered": False,
        "media": True,
        "ended": True,
    }


async def test_a_caller_is_answered_as_soon_as_the_state_of_the_call_is_written(
    hass: HomeAssistant, phone: FakePhone, shown: Shown
) -> None:
    order: list[str] = []
    hass.bus.async_listen(EVENT_CALL, callback(lambda event: order.append(event.data["type"])))
    before = shown["call"]
    phone.on_send = lambda: order.append(f"sent, {shown['call_state']}, {shown['call'] == before}")
    phone.ring()
    await hass.async_block_till_done()
    assert order[:2] == ["sent, ringing, True", "incoming"]


async def test_the_first_call_to_end_does_not_hide_the_other(phone: FakePhone, shown: Shown) -> None:
    first = phone.ring(GRANDMA)
    phone.enter(first, CallState.TALKING)
    phone.now += 5
    second = phone.ring(NEIGHBOUR)
    assert (shown["call_state"], shown["remote_number"], shown["calls_active"]) == ("ringing", "612", "2")
    assert shown["remote_name"] == STATE_UNKNOWN
    phone.end(second, CallOutcome.MISSED)
    assert (shown["call_state"], shown["remote_number"], shown["calls_active"]) == ("talking", "+49301234", "1")
    assert shown["last_call"] == "missed"
    phone.end(first)
    assert (shown["call_state"], shown["calls_active"]) == ("idle", "0")


@pytest.mark.parametrize(
    ("first", "second", "seen"),
    [
        (CallState.HELD, CallState.TALKING, "talking"),
        (CallState.TALKING, CallState.HELD, "talking"),
        (CallState.TALKING, CallState.DIALING, "talking"),
        (CallState.REMOTE_HELD, CallState.EARLY, "early"),
        (CallState.HELD, CallState.REMOTE_HELD, "remote_held"),
        (CallState.RINGING, CallState.TALKING, "ringing"),
    ],
)
async def test_the_most_relevant_call_is_shown(
    phone: FakePhone, shown: Shown, first: CallState, second: CallState, seen: str
) -> None:
    for state in (first, second):
        phone.now += 1
        phone.enter(phone.ring(), state)
    assert shown["call_state"] == seen


async def test_of_equal_calls_the_newest_is_shown(phone: FakePhone, shown: Shown) -> None:
    phone.ring(GRANDMA)
    phone.now += 1
    phone.ring(NEIGHBOUR)
    assert shown["remote_number"] == NEIGHBOUR.number


async def test_messages_after_the_end_do_not_bring_a_call_back(phone: FakePhone, shown: Shown) -> None:
    call_id = phone.ring()
    ended = phone.calls[call_id]
    phone.end(call_id)
    phone.calls[call_id] = ended.__class__(
        **{name: getattr(ended, name) for name in ended.__slots__ if name != "state"}, state=CallState.ENDED
    )
    phone.step(call_id, LadderStep.BYE_OK, sent=False, code=200)
    assert shown["call_state"] == "idle"
    assert shown["calls_active"] == "0"


async def test_the_number_of_calls_has_no_unit_and_is_kept_as_statistics(
    recorder_mock: Recorder, hass: HomeAssistant, phone: FakePhone, shown: Shown
) -> None:
    assert await async_setup_component(hass, "sensor", {})
    hour = dt_util.utcnow().replace(minute=0, second=0, microsecond=0)
    phone.ring()
    assert UNIT_OF_MEASUREMENT not in shown.state("calls_active").attributes
    await async_wait_recording_done(hass)
    do_adhoc_statistics(hass, start=hour)
    await async_wait_recording_done(hass)
    sensor = shown.ids["calls_active"]
    (kept,) = await async_list_statistic_ids(hass, {sensor})
    assert (kept["statistics_unit_of_measurement"], kept["display_unit_of_measurement"]) == (None, None)


async def test_the_last_numbers_of_each_direction_stay(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, shown: Shown
) -> None:
    assert shown["last_incoming_number"] == shown["last_outgoing_number"] == STATE_UNKNOWN
    phone.end(phone.ring(GRANDMA), CallOutcome.MISSED)
    phone.end(phone.place(NEIGHBOUR), CallOutcome.BUSY)
    for _ in range(2):
        assert (shown["last_incoming_number"], shown["last_outgoing_number"]) == ("+49301234", "612")
        attributes = shown.state("last_incoming_number").attributes
        assert (attributes["name"], attributes["outcome"]) == ("Grandma", "missed")
        assert shown.state("last_outgoing_number").attributes["outcome"] == "busy"
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done()


async def test_codec_and_other_side_of_the_voice_are_shown_while_it_goes_on(phone: FakePhone, shown: Shown) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    assert shown["codec"] == STATE_UNKNOWN
    codec = Codec("PCMA", 8000, 8)
    receive, rtcp = ((8, codec),), ("192.0.2.1", 4001)
    media = NegotiatedMedia("192.0.2.1", 4000, rtcp, codec, receive, None, None, 8000, MediaDirection.SENDRECV)
    phone.agree_on(call_id, media)
    assert shown["codec"] == "PCMA"
    attributes = shown.state("codec").attributes
    assert (attributes["clock_rate"], attributes["peer"]) == (8000, "192.0.2.1 4000")
    phone.agree_on(call_id, None)
    assert shown["codec"] == STATE_UNKNOWN
    phone.agree_on(call_id, media)
    phone.end(call_id)
    assert shown["codec"] == STATE_UNKNOWN


@pytest.mark.freeze_time("2026-11-22 12:00:00+00:00")
async def test_the_last_problem_of_the_registration_stays_after_it(phone: FakePhone, shown: Shown) -> None:
    assert shown.state("registration_problem").attributes["last_problem"] is None
    phone.fail(RegistrationFailure.SERVER_BUSY, 503, "Service Unavailable")
    phone.register()
    assert shown["registration_problem"] == "none"
    attributes = shown.state("registration_problem").attributes
    assert attributes["last_problem"] == "server_busy"
    assert attributes["last_problem_answer"] == "503 Service Unavailable"
    assert attributes["last_problem_at"].isoformat() == "2026-11-22T12:00:00+00:00"


async def test_last_call_says_how_it_went(phone: FakePhone, shown: Shown) -> None:
    call_id = phone.place(NEIGHBOUR)
    phone.now += 1
    phone.enter(call_id, CallState.ALERTING)
    phone.now += 4
    phone.enter(call_id, CallState.TALKING)
    phone.now += 60
    phone.end(call_id, by=EndedBy.REMOTE)
    assert shown["last_call"] == "answered"
    assert (
        shown.state("last_call").attributes
        | {
            "direction": "outgoing",
            "number": "612",
            "ring_duration": 4.0,
            "talk_duration": 60.0,
            "ended_by": "remote",
        }
        == shown.state("last_call").attributes
    )


@pytest.mark.freeze_time(NOW)
async def test_a_call_shows_since_when_it_is_answered_and_how_long_it_was(
    phone: FakePhone, shown: Shown, freezer: FrozenDateTimeFactory
) -> None:
    assert shown["talking_since"] == shown["last_call_duration"] == STATE_UNKNOWN
    first = phone.ring()
    assert shown["talking_since"] == STATE_UNKNOWN
    phone.enter(first, CallState.TALKING)
    freezer.tick(60)
    phone.now += 60
    phone.enter(first, CallState.HELD)
    assert shown["talking_since"] == "2026-11-22T12:00:00+00:00"
    second = phone.ring(NEIGHBOUR)
    assert shown["talking_since"] == STATE_UNKNOWN, "the call that rings is shown"
    phone.enter(second, CallState.TALKING)
    assert shown["talking_since"] == "2026-11-22T12:01:00+00:00"
    phone.end(second)
    assert (shown["talking_since"], shown["last_call_duration"]) == ("2026-11-22T12:00:00+00:00", "0.0")
    phone.end(first)
    assert (shown["talking_since"], shown["last_call_duration"]) == (STATE_UNKNOWN, "60.0")
    phone.end(phone.ring(), CallOutcome.MISSED)
    assert shown["last_call_duration"] == "0.0"


async def test_audio_quality_is_there_for_those_who_want_it(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    entity_id = "sensor.620_fritz_box_audio_quality"
    found = registry.async_get(entity_id)
    assert found is not None
    assert found.disabled_by is er.RegistryEntryDisabler.INTEGRATION
    registry.async_update_entity(entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    phone = phones[-1]
    phone.register()
    state = hass.states.get(entity_id)
    assert state is not None
    assert state.state == STATE_UNKNOWN

    def shown() -> tuple[str, Any, Any]:
        state = hass.states.get(entity_id)
        assert state is not None
        return state.state, state.attributes.get("loss"), state.attributes.get("receive_codec")

    async def listen() -> None:
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=11))
        await hass.async_block_till_done()

    phone.present_statistics = replace(STATISTICS, mos=3.2, loss=0.04)
    await listen()
    assert shown() == (STATE_UNKNOWN, None, None), "there is no call to listen to"
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    await listen()
    assert shown() == ("3.2", 0.04, "PCMA")
    phone.end(call_id)
    phone.tell_statistics(call_id, STATISTICS)
    assert shown() == ("4.1", 0.01, "PCMA")
    other = phone.ring()
    phone.enter(other, CallState.TALKING)
    assert shown() == ("4.1", 0.01, "PCMA"), "nothing is known of the new call yet"
    phone.present_statistics = None
    await listen()
    assert shown() == ("4.1", 0.01, "PCMA")
    phone.end(other)
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert shown() == ("4.1", 0.01, "PCMA")


async def test_without_registration_calls_are_unavailable_and_the_reason_is_not(phone: FakePhone, shown: Shown) -> None:
    phone.fail(RegistrationFailure.LOGIN_REFUSED, 403, "Forbidden")
    for key in ("call_state", "remote_name", "remote_number", "call_direction", "calls_active", "call", "answer"):
        assert shown[key] == STATE_UNAVAILABLE
    assert shown["registration"] == "failed"
    assert shown["registration_expires"] == STATE_UNKNOWN
    assert shown["last_answer"] == "403 Forbidden"
    assert shown["registration_problem"] == "login_refused"
    assert shown.state("registration_problem").attributes["detail"] == "192.0.2.1 port 5060 over UDP"
    phone.register()
    assert shown["call_state"] == "idle"
    assert shown["registration_problem"] == "none"


async def test_a_call_is_shown_even_when_the_registration_is_lost_during_it(phone: FakePhone, shown: Shown) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert shown["call_state"] == "talking"
    phone.end(call_id)
    assert shown["call_state"] == STATE_UNAVAILABLE


async def test_another_attempt_after_a_failure_is_still_a_failure(phone: FakePhone, shown: Shown) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    phone.change(state=RegistrationState.REGISTERING, failures=1)
    assert shown["registration"] == "failed"
    phone.change(state=RegistrationState.REGISTERING)
    assert shown["registration"] == "registering"


@pytest.mark.freeze_time(NOW)
async def test_expiry_is_a_time_of_day_and_stays_when_time_goes_by(
    phone: FakePhone, shown: Shown, freezer: FrozenDateTimeFactory
) -> None:
    phone.register(expires=600)
    assert shown["registration_expires"] == "2026-11-22T12:10:00+00:00"
    freezer.tick(300)
    phone.enter(phone.ring(), CallState.TALKING)
    assert shown["registration_expires"] == "2026-11-22T12:10:00+00:00"


async def test_an_account_without_a_server_has_no_registration_to_show(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry({"template": "direct", "number": "home"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    shown = Shown(hass, entry)
    assert "registration" not in shown.ids
    assert shown["call_state"] == "idle"


# Events


async def test_every_event_of_a_call_reaches_entity_and_bus(
    hass: HomeAssistant, phone: FakePhone, shown: Shown, call_events: list[Event], entry: MockConfigEntry
) -> None:
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    incoming = phone.ring(headers=(("Alert-Info", "door"),))
    phone.enter(incoming, CallState.TALKING)
    phone.press(incoming, "5")
    phone.enter(incoming, CallState.HELD)
    phone.enter(incoming, CallState.TALKING)
    phone.enter(incoming, CallState.REMOTE_HELD)
    phone.replace(incoming, NEIGHBOUR)
    phone.refuse_transfer(incoming)
    phone.be_transferred(incoming)
    for state in TransferState:
        phone.progress(phone.calls[incoming], state)
    phone.finish(incoming)
    recordings = entry.runtime_data.recordings
    for fault in (None, RecordingFault.DISK_FULL):
        recordings.wish(incoming, record=True)
        if fault is None:
            phone.begin_recording(incoming)
        phone.end_recording(incoming, fault=fault)
    phone.fall_silent(incoming)
    phone.end(incoming)
    outgoing = phone.place(NEIGHBOUR)
    phone.enter(outgoing, CallState.ALERTING)
    phone.enter(outgoing, CallState.EARLY)
    phone.end(outgoing, CallOutcome.BUSY, code=486, reason="Busy Here")
    phone.end(phone.ring(), CallOutcome.MISSED)
    await hass.async_block_till_done()
    expected = [
        "incoming", "answered", "dtmf", "held", "resumed", "remote_held", "replaced",
        "transfer_refused", "transfer_requested", "transfer_accepted", "transfer_progress", "transfer_succeeded",
        "transfer_failed", "transfer_unknown", "playback_finished",
        "recording_started", "recording_finished", "recording_failed", "media_timeout",
        "ended", "outgoing", "ringing", "early_media", "ended", "incoming", "missed", "ended",
    ]  # fmt: skip
    states = [event.data["new_state"] for event in changes if event.data["entity_id"] == shown.ids["call"]]
    assert [state.attributes["event_type"] for state in states if state] == expected
    # What joins calls has its own tests.
    assert set(expected) == set(CallEventType) - {CallEventType.JOINED, CallEventType.PARTED}
    fired = [event.data for event in call_events]
    assert [data["type"] for data in fired if data["type"] != "step"] == expected
    assert all(data["config_entry_id"] == entry.entry_id for data in fired)
    assert all(data["account"] == "620@fritz.box" for data in fired)
    first = fired[0]
    assert (first["type"], first["headers"], first["number"]) == ("incoming", {"Alert-Info": "door"}, GRANDMA.number)
    busy = next(data for data in fired if data.get("outcome") == "busy")
    assert (busy["code"], busy["reason"]) == (486, "Busy Here")
    digit = next(data for data in fired if data["type"] == "dtmf")
    assert (digit["digit"], digit["duration"], digit["method"]) == ("5", 120, "rfc4733")
    replaced = next(data for data in fired if data["type"] == "replaced")
    assert (replaced["number"], replaced["previous_number"]) == (NEIGHBOUR.number, GRANDMA.number)
    assert shown["remote_number"] == STATE_UNKNOWN


async def test_what_the_voice_is_comes_on_the_bus(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event]
) -> None:
    call_id = phone.ring()
    codec = Codec("PCMA", 8000, 8)
    phone.agree_on(
        call_id,
        NegotiatedMedia("192.0.2.1", 4000, ("192.0.2.1", 4001), codec, ((8, codec),), 101, 101, 8000, SENDONLY),
    )
    phone.agree_on(call_id, None)
    await hass.async_block_till_done()
    told = [event.data for event in call_events if event.data["type"] == CALL_MEDIA]
    assert [[data[key] for key in ("codec", "clock_rate", "sends", "receives")] for data in told] == [
        ["PCMA", 8000, True, False],
        [None, None, False, False],
    ]


async def test_a_transfer_that_the_rules_forbid_is_logged_once_for_each_call(
    phone: FakePhone, caplog: pytest.LogCaptureFixture
) -> None:
    call_id = phone.ring()
    for _ in range(3):
        phone.refuse_transfer(call_id)
    other = phone.ring()
    phone.refuse_transfer(other, "no port is free")
    logged = [record.message for record in caplog.records if "was not transferred" in record.message]
    assert logged == [
        "620@fritz.box was not transferred to sip:0900@fritz.box: the account's rules for transfers do not allow it",
        "620@fritz.box was not transferred to sip:0900@fritz.box: no port is free",
    ]


async def test_a_transfer_may_outlast_its_call(phone: FakePhone, shown: Shown) -> None:
    call = phone.calls[phone.ring()]
    phone.enter(call.id, CallState.TALKING)
    phone.end(call.id)
    phone.progress(call, TransferState.SUCCEEDED)
    assert (shown["call_state"], shown["calls_active"]) == ("idle", "0")
    attributes = shown.state("call").attributes
    assert (attributes["event_type"], attributes["state"]) == ("transfer_succeeded", "ended")


async def test_steps_of_the_call_progression_are_told_with_their_times(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event]
) -> None:
    call_id = phone.place(NEIGHBOUR)
    phone.now += 0.25
    phone.step(call_id, LadderStep.RINGING, sent=False, code=180, reason="Ringing")
    await hass.async_block_till_done()
    steps = [event.data for event in call_events if event.data["type"] == "step"]
    assert [(data["step"], data["sent"], data["code"], data["elapsed"]) for data in steps] == [
        ("invite", True, 0, 0.0),
        ("ringing", False, 180, 0.25),
    ]
    assert all(data["time"].endswith("+00:00") for data in steps)


@pytest.mark.freeze_time(NOW)
async def test_changes_of_the_registration_are_bus_events(
    hass: HomeAssistant, phone: FakePhone, registration_events: list[Event], snapshot: SnapshotAssertion
) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    phone.register()
    await hass.async_block_till_done()
    assert [dict(event.data) for event in registration_events] == snapshot


# Buttons


async def test_buttons_answer_and_hang_up(hass: HomeAssistant, phone: FakePhone, shown: Shown) -> None:
    call_id = phone.ring()
    await hass.services.async_call("button", "press", {"entity_id": shown.ids["answer"]}, blocking=True)
    assert phone.did == [("answer", call_id, None)]
    assert shown["answer"] == STATE_UNAVAILABLE
    await hass.services.async_call("button", "press", {"entity_id": shown.ids["hangup"]}, blocking=True)
    assert phone.did[-1] == ("hangup", call_id)
    assert shown["hangup"] == STATE_UNAVAILABLE


async def test_the_button_ends_the_talk_and_then_refuses_who_waits(
    hass: HomeAssistant, phone: FakePhone, shown: Shown
) -> None:
    talk = phone.ring()
    phone.enter(talk, CallState.TALKING)
    waiting = phone.ring(NEIGHBOUR)
    assert shown["call_state"] == "ringing"
    await hass.services.async_call("button", "press", {"entity_id": shown.ids["hangup"]}, blocking=True)
    assert phone.did == [("hangup", talk)]
    await hass.services.async_call("button", "press", {"entity_id": shown.ids["hangup"]}, blocking=True)
    assert phone.did[1:] == [("hangup", waiting)]


async def test_a_button_that_fails_says_why(hass: HomeAssistant, phone: FakePhone, shown: Shown) -> None:
    phone.ring()
    phone.error = LocalProtocolError("the call is answered already", LocalFault.NOT_RINGING)
    with pytest.raises(HomeAssistantError) as raised:
        await hass.services.async_call("button", "press", {"entity_id": shown.ids["answer"]}, blocking=True)
    assert raised.value.translation_key == "call_rings_no_more"
    assert raised.value.translation_domain == DOMAIN
