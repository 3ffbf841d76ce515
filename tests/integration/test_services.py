"""The actions: which account, which call, what is done, and what is answered."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua.const import CALL_STATISTICS, DOMAIN, WaitFor
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.net.errors import (
    AudioError,
    AudioFault,
    LocalAddressError,
    MachineFault,
    MediaStoppedError,
    RecordingError,
    RecordingFault,
)
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError, SipError, SipTimeoutError
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy, RegistrationFailure

from .conftest import act, do, until
from .phone import GRANDMA, NEIGHBOUR, NO_PORT, FakePhone


@dataclass(frozen=True, slots=True)
class Figures:
    """A few of the figures that a voice has."""

    packets_sent: int
    packets_received: int
    mos: float


FIGURES = Figures(packets_sent=1501, packets_received=1500, mos=4.3)


# Dial


async def test_dial_without_waiting_returns_the_call(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    answer = await act(hass, "dial", number="+49 (30) 12-34")
    assert phone.did == [("dial", "+49301234", None, None)]
    assert answer["state"] == "dialing"
    assert answer["call_id"] in phone.calls
    assert answer["config_entry_id"] == entry.entry_id
    assert answer["outcome"] is None


async def test_no_may_stand_without_quotes_where_nothing_is_waited_for(hass: HomeAssistant, phone: FakePhone) -> None:
    assert (await act(hass, "dial", number="611", wait=False))["state"] == "dialing"
    for wrong in (True, "yes", 1):
        with pytest.raises(vol.Invalid):
            await act(hass, "dial", number="611", wait=wrong)


async def test_dial_needs_no_response(hass: HomeAssistant, phone: FakePhone) -> None:
    await do(hass, "dial", number=110)
    assert phone.did == [("dial", "110", None, None)]


async def test_dial_may_say_whether_the_other_side_sees_who_calls(hass: HomeAssistant, phone: FakePhone) -> None:
    await act(hass, "dial", number="612", send_caller_id=False)
    await act(hass, "dial", number="613", send_caller_id=True)
    assert phone.did == [("dial", "612", None, None, False), ("dial", "613", None, None, True)]


async def test_dial_waits_for_the_answer(hass: HomeAssistant, phone: FakePhone) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", wait="answered", ring_timeout=20))
    await asyncio.sleep(0)
    (call_id,) = phone.calls
    assert not task.done()
    phone.enter(call_id, CallState.ALERTING)
    phone.now += 3
    phone.enter(call_id, CallState.TALKING)
    answer = await task
    assert phone.did == [("dial", "612", None, 20)]
    assert (answer["outcome"], answer["code"], answer["answered_by"]) == ("answered", 200, "612")
    assert (answer["ring_duration"], answer["talk_duration"]) == (3.0, None)
    assert CALL_STATISTICS not in answer


async def test_an_answer_that_came_before_the_waiting_counts(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.answers_at_once = True
    answer = await act(hass, "dial", number="612", wait="answered")
    assert answer["outcome"] == "answered"


async def test_dial_that_waits_for_the_answer_ends_with_a_refusal(hass: HomeAssistant, phone: FakePhone) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", wait="answered"))
    await asyncio.sleep(0)
    (call_id,) = phone.calls
    phone.end(call_id, CallOutcome.BUSY, code=486, reason="Busy Here")
    answer = await task
    assert (answer["outcome"], answer["code"], answer["reason"]) == ("busy", 486, "Busy Here")


async def test_dial_waits_for_the_end_and_the_figures_of_the_voice(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event], snapshot: SnapshotAssertion
) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", wait="ended"))
    await asyncio.sleep(0)
    (call_id,) = phone.calls
    phone.now += 2
    phone.enter(call_id, CallState.TALKING)
    await asyncio.sleep(0)
    assert not task.done()
    phone.now += 30
    phone.end(call_id, by=EndedBy.REMOTE)
    await asyncio.sleep(0)
    assert not task.done()
    phone.tell_statistics(call_id, FIGURES)
    answer = await task
    assert answer[CALL_STATISTICS]["packets_received"] == 1500
    assert (answer["talk_duration"], answer["ended_by"]) == (30.0, "remote")
    assert answer | {"call_id": "", "sip_call_id": "", "config_entry_id": ""} == snapshot
    await hass.async_block_till_done()
    assert call_events[-1].data["type"] == CALL_STATISTICS
    assert call_events[-1].data[CALL_STATISTICS]["mos"] == 4.3


@pytest.mark.parametrize(
    ("ended", "code", "reason"),
    [
        ({}, 200, "OK"),
        ({"reason": "Call completed elsewhere"}, 200, "Call completed elsewhere"),
        ({"code": 408, "reason": "Request Timeout", "by": EndedBy.NETWORK}, 408, "Request Timeout"),
        ({"outcome": CallOutcome.CANCELLED}, 0, ""),
    ],
)
async def test_the_final_answer_of_an_answered_call_stays_when_it_ends(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event], ended: dict[str, Any], code: int, reason: str
) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id, **ended)
    await hass.async_block_till_done()
    data = call_events[-1].data
    assert (data["type"], data["code"], data["reason"]) == ("ended", code, reason)


async def test_figures_that_came_at_once_are_kept_for_the_answer(hass: HomeAssistant, phone: FakePhone) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", wait="ended"))
    await asyncio.sleep(0)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    phone.tell_statistics(call_id, FIGURES)
    assert (await task)[CALL_STATISTICS]["packets_sent"] == 1501


async def test_a_call_without_figures_is_answered_all_the_same(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.coordinator.STATISTICS_TIMEOUT", 0)
    task = hass.async_create_task(act(hass, "dial", number="612", wait="ended"))
    await asyncio.sleep(0)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    assert (await task)[CALL_STATISTICS] is None


async def test_unloading_ends_the_waiting(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", wait="answered"))
    await asyncio.sleep(0)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert (await task)["ended_by"] == "local"


async def test_waiting_ends_even_where_the_phone_cannot_end_its_calls(
    hass: HomeAssistant,
    phone: FakePhone,
    entry: MockConfigEntry,
    sound: FileSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(phone, "end", lambda *_args, **_more: None)
    waiting = hass.async_create_task(act(hass, "dial", number="612", wait="ended"))
    await until(lambda: phone.did)
    phone.enter(next(iter(phone.calls)), CallState.TALKING)
    playing = hass.async_create_task(do(hass, "play", media=str(sound.path), wait=True))
    await until(lambda: len(phone.did) == 2)
    await asyncio.sleep(0)
    assert await hass.config_entries.async_unload(entry.entry_id)
    for task in (waiting, playing):
        with pytest.raises(HomeAssistantError) as raised:
            await task
        assert raised.value.translation_key == "account_stopped"


async def test_a_call_of_long_ago_is_forgotten(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    ended = [phone.ring() for _ in range(40)]
    for call_id in ended:
        phone.end(call_id)
    assert entry.runtime_data.calls.find(ended[0]) is None
    assert entry.runtime_data.calls.find(ended[-1]) is not None


async def test_who_waits_for_the_end_is_not_content_with_an_answer(hass: HomeAssistant, phone: FakePhone) -> None:
    tasks = [hass.async_create_task(act(hass, "dial", number="612", wait="answered"))]
    await asyncio.sleep(0)
    (call_id,) = phone.calls
    coordinator = hass.config_entries.async_entries(DOMAIN)[0].runtime_data
    ends = hass.async_create_task(coordinator.async_wait(call_id, WaitFor.ENDED))
    await asyncio.sleep(0)
    phone.enter(call_id, CallState.TALKING)
    await asyncio.gather(*tasks)
    assert not ends.done()
    phone.finish("gone", 99)
    phone.fall_silent("gone")
    phone.end(call_id)
    assert (await ends).state is CallState.ENDED


async def test_dial_speaks_by_the_wanted_engine(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def speech(_hass: HomeAssistant, message: str, **how: Any) -> str:
        asked.append((message, how))
        return "speech"

    monkeypatch.setattr("custom_components.sip_ua.action_calls.speech_source", speech)
    spoken = {"tts_engine": "tts.a", "tts_language": "de", "tts_voice": "b", "tts_options": {"c": "d"}}
    await do(hass, "dial", number="612", message="Hello", **spoken)
    assert phone.did == [("dial", "612", "speech", None)]
    assert asked == [("Hello", {"engine": "tts.a", "language": "de", "voice": "b", "options": {"c": "d"}})]


async def test_sound_is_given_to_the_call_and_ends_it_where_wanted(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource
) -> None:
    await do(hass, "dial", number="612", media=str(sound.path), hangup_after=True)
    assert phone.did == [("dial", "612", sound, None)]
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id, stopped=True)
    await hass.async_block_till_done()
    assert phone.calls


async def test_a_call_ends_after_its_sound(hass: HomeAssistant, phone: FakePhone, sound: FileSource) -> None:
    await do(hass, "dial", number="612", media=str(sound.path), hangup_after=True)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id)
    await hass.async_block_till_done()
    assert phone.did[-1] == ("hangup", call_id)


async def test_a_call_goes_on_after_its_sound_where_nothing_else_was_said(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource
) -> None:
    await do(hass, "dial", number="612", media=str(sound.path))
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id)
    await hass.async_block_till_done()
    assert phone.calls


async def test_the_other_side_may_hang_up_before_us(hass: HomeAssistant, phone: FakePhone, sound: FileSource) -> None:
    await do(hass, "dial", number="612", media=str(sound.path), hangup_after=True)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.error = LocalProtocolError("there is no such call any more", LocalFault.CALL_OVER)
    phone.finish(call_id)
    await hass.async_block_till_done()


async def test_a_message_that_nobody_heard_is_told_with_the_outcome(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource, call_events: list[Event]
) -> None:
    dial = act(hass, "dial", number="612", media=str(sound.path), hangup_after=True, wait="ended")
    task = hass.async_create_task(dial)
    await until(lambda: phone.calls)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id, error="the file is no sound")
    await until(lambda: not phone.calls)
    phone.tell_statistics(call_id, FIGURES)
    answer = await task
    assert (answer["outcome"], answer["playback_error"]) == ("answered", "the file is no sound")
    (ended,) = [event.data for event in call_events if event.data["type"] == "ended"]
    assert (ended["outcome"], ended["playback_error"]) == ("answered", "the file is no sound")


async def test_an_error_that_comes_with_the_end_of_the_call_is_told_to_who_waits(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource
) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", media=str(sound.path), wait="ended"))
    await until(lambda: phone.calls)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    phone.finish(call_id, error="the address cannot be reached")
    phone.tell_statistics(call_id, FIGURES)
    assert (await task)["playback_error"] == "the address cannot be reached"


async def test_a_sound_that_was_heard_leaves_no_error(hass: HomeAssistant, phone: FakePhone, sound: FileSource) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", media=str(sound.path), wait="ended"))
    await until(lambda: phone.calls)
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.finish("gone", error="the sound of a call that nobody knows")
    phone.finish(call_id)
    phone.end(call_id)
    phone.tell_statistics(call_id, FIGURES)
    assert (await task)["playback_error"] is None


async def test_errors_of_sounds_are_forgotten_with_their_calls(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    calls = [phone.ring() for _ in range(40)]
    for call_id in calls:
        phone.enter(call_id, CallState.TALKING)
        phone.finish(call_id, error="the file is no sound")
    first = phone.calls[calls[0]]
    for call_id in calls:
        phone.end(call_id)
    assert entry.runtime_data.calls.outcome(first)["playback_error"] is None


async def test_dial_without_registration_says_why(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.fail(RegistrationFailure.SERVER_BUSY, 503, "Service Unavailable")
    with pytest.raises(HomeAssistantError) as raised:
        await do(hass, "dial", number="612")
    assert raised.value.translation_key == "not_registered"
    assert raised.value.translation_placeholders == {"account": "620@fritz.box", "answer": "503 Service Unavailable"}
    phone.fail(RegistrationFailure.NO_ANSWER)
    with pytest.raises(HomeAssistantError) as raised:
        await do(hass, "dial", number="612")
    assert raised.value.translation_placeholders == {"account": "620@fritz.box", "answer": "failed"}


@pytest.mark.parametrize("number", [" ", "unknown", "unavailable", "None", "Anonymous"])
async def test_dial_needs_a_number_and_no_state_of_a_sensor_that_has_none(
    hass: HomeAssistant, phone: FakePhone, number: str
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "dial", number=number)
    assert raised.value.translation_key == "number_missing"
    assert phone.did == []


NOT_DIALABLE = LocalProtocolError("no", LocalFault.NOT_DIALABLE, number="x y")


@pytest.mark.parametrize(
    ("error", "kind", "key"),
    [
        (LocalProtocolError("no", LocalFault.SWITCHED_OFF), ServiceValidationError, "phone_switched_off"),
        (NOT_DIALABLE, ServiceValidationError, "number_not_dialable"),
        (LocalProtocolError("no"), HomeAssistantError, "phone_failed"),
        (NO_PORT, HomeAssistantError, "no_rtp_port"),
        (LocalAddressError("192.0.2.7"), HomeAssistantError, "local_address_gone"),
        (AudioError("no"), HomeAssistantError, "playback_failed"),
        (AudioError("no", AudioFault.TOO_MANY), HomeAssistantError, "too_many_sounds"),
        (RecordingError(RecordingFault.DISK_FULL, "no"), HomeAssistantError, "recording_disk_full"),
        (MediaStoppedError("no"), HomeAssistantError, "media_stopped"),
        (MediaStoppedError("no", MachineFault.VOICE_ENDED), HomeAssistantError, "call_over"),
        (SipTimeoutError("no"), HomeAssistantError, "phone_failed"),
    ],
)
async def test_errors_of_the_phone_are_translated(
    hass: HomeAssistant,
    phone: FakePhone,
    error: SipError,
    kind: type[HomeAssistantError],
    key: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "custom_components.sip_ua.action_errors")
    phone.error = error
    with pytest.raises(kind) as raised:
        await do(hass, "dial", number="612")
    assert type(raised.value) is kind
    assert raised.value.translation_key == key
    assert (raised.value.translation_placeholders or {}) == error.details
    # Whoever looks into the log finds what exactly happened.
    assert f"{type(error).__name__}: {error}" in caplog.text


# Which call


async def test_answer_takes_the_newest_ringing_call(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.enter(phone.ring(), CallState.TALKING)
    phone.now += 1
    phone.ring(GRANDMA)
    phone.now += 1
    newest = phone.ring(NEIGHBOUR)
    answer = await act(hass, "answer")
    assert phone.did == [("answer", newest, None)]
    assert (answer["state"], answer["number"]) == ("talking", "612")


async def test_answer_speaks_to_the_caller(hass: HomeAssistant, phone: FakePhone, sound: FileSource) -> None:
    call_id = phone.ring()
    await do(hass, "answer", media={"media_content_id": str(sound.path), "media_content_type": "audio/wav"})
    assert phone.did == [("answer", call_id, sound)]


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("answer", {}, "no_ringing_call"),
        ("hangup", {}, "no_call"),
        ("send_dtmf", {"digits": "1"}, "no_audible_call"),
        ("play", {"media": "gong.wav"}, "no_audible_call"),
        ("hangup", {"call_id": "gone"}, "call_not_found"),
    ],
)
async def test_a_call_that_is_not_there_is_an_error(
    hass: HomeAssistant, phone: FakePhone, action: str, data: dict[str, Any], key: str
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, action, **data)
    assert raised.value.translation_key == key


async def test_calls_of_several_accounts_have_to_be_named(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    first, second = phone.ring(), other_phone.ring()
    assert (first, second) == ("call1", "call1")
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "answer")
    assert raised.value.translation_key == "call_ambiguous"
    other_phone.end(second)
    other = other_phone.ring(NEIGHBOUR)
    await do(hass, "answer", call_id=other)
    assert other_phone.did == [("answer", other, None)]
    assert phone.did == []
    await do(hass, "answer")
    assert phone.did == [("answer", first, None)]


# Hang up


async def test_hangup_ends_the_talk_and_no_other_call(hass: HomeAssistant, phone: FakePhone) -> None:
    held = phone.ring()
    phone.enter(held, CallState.HELD)
    talking = phone.ring()
    phone.enter(talking, CallState.TALKING)
    phone.ring(NEIGHBOUR)
    answer = await act(hass, "hangup")
    assert phone.did == [("hangup", talking)]
    assert (answer["outcome"], answer["ended_by"]) == ("answered", "local")


async def test_hangup_with_a_code_refuses_a_ringing_call(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.enter(phone.ring(), CallState.TALKING)
    call_id = phone.ring(NEIGHBOUR)
    answer = await act(hass, "hangup", code=603)
    assert phone.did == [("reject", call_id, 603)]
    assert answer["outcome"] == "declined"


async def test_hangup_does_not_wait_long_for_the_other_side(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.coordinator.HANGUP_TIMEOUT", 0)
    monkeypatch.setattr(phone, "end", lambda *_args, **_more: None)
    phone.enter(phone.ring(), CallState.TALKING)
    answer = await act(hass, "hangup")
    assert answer["state"] == "talking"


# Keys and sounds


async def test_digits_are_sent_to_the_call_that_hears(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = phone.place(NEIGHBOUR)
    phone.enter(call_id, CallState.EARLY)
    phone.ring()
    await do(hass, "send_dtmf", digits="12a#,*", duration=80, gap=60)
    assert phone.did == [("send_digits", call_id, "12A#,*", 80, 60)]


async def test_who_sends_digits_is_told_to_which_call(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, talk: str
) -> None:
    answer = await act(hass, "send_dtmf", digits="1")
    assert (answer["config_entry_id"], answer["call_id"], answer["state"]) == (entry.entry_id, talk, "talking")


@pytest.mark.parametrize("digits", ["", "12E", "1" * 65, "one"])
async def test_what_is_no_key_is_refused(hass: HomeAssistant, phone: FakePhone, digits: str) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "send_dtmf", digits=digits)
    assert raised.value.translation_key == "digits_wrong"
    assert phone.did == []


async def test_digits_may_be_written_in_groups(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    await do(hass, "send_dtmf", digits=" 12 34-5, #")
    assert phone.did == [("send_digits", talk, "12345,#", 100, 100)]


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("hangup", {"code": 486}, "code_without_ringing"),
        ("play", {"message": "Hello", "loop": True, "wait": True}, "wait_with_loop"),
        ("dial", {"number": "612", "hangup_after": True}, "hangup_after_without_sound"),
        ("dial", {"number": "612", "tts_language": "de"}, "speech_without_message"),
        ("play", {"media": "gong.wav", "tts_engine": "tts.a"}, "speech_without_message"),
        ("answer", {"tts_options": {"voice": "b"}}, "speech_without_message"),
    ],
)
async def test_what_would_have_no_effect_is_refused(
    hass: HomeAssistant, phone: FakePhone, action: str, data: dict[str, Any], key: str
) -> None:
    phone.enter(phone.ring(), CallState.TALKING)
    ringing = phone.ring()
    call_id = {"call_id": next(iter(phone.calls))} if action == "hangup" else {}
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, action, **data, **call_id)
    assert raised.value.translation_key == key
    assert phone.did == []
    assert ringing in phone.calls


async def test_an_error_of_a_sound_is_logged_without_waiting_for_it(
    hass: HomeAssistant, phone: FakePhone, caplog: pytest.LogCaptureFixture
) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.finish(call_id, 7, "the file is no sound")
    assert "A sound could not be played into a call of 620@fritz.box: the file is no sound" in caplog.text
