"""Several numbers are called until somebody accepts."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.escalation import CALL_OUT_SCHEMA, MAX_NUMBERS
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError
from custom_components.sip_ua.sip.events import CallOutcome, CallState, RegistrationFailure

from .conftest import act, settle, until
from .phone import FakePhone

type CallsOut = Callable[..., asyncio.Task[dict[str, Any]]]
SHORT = 0.1
NUMBERS = ["611", "612", "613"]


@pytest.fixture(name="call_out")
def call_out_fixture(hass: HomeAssistant) -> CallsOut:
    """Call out in the background, without pauses."""

    def call_out(**data: Any) -> asyncio.Task[dict[str, Any]]:
        return hass.async_create_task(act(hass, "call_out", **{"numbers": NUMBERS, "pause": 0} | data))

    return call_out


@pytest.fixture(name="message")
def message_fixture(sound: FileSource, monkeypatch: pytest.MonkeyPatch) -> FileSource:
    """Return a message that is said again at once."""
    monkeypatch.setattr("custom_components.sip_ua.escalation.REPEAT_PAUSE", 0)
    return sound


async def calling(phone: FakePhone, number: str) -> str:
    """Wait until a number is called and return the call."""
    return str(
        await until(lambda: next((call.id for call in phone.calls.values() if call.remote.number == number), None))
    )


async def answered(phone: FakePhone, number: str) -> str:
    """Let somebody answer."""
    call_id = await calling(phone, number)
    phone.enter(call_id, CallState.TALKING)
    await settle()
    return call_id


def dialled(phone: FakePhone) -> list[str]:
    return [what[1] for what in phone.did if what[0] == "dial"]


def hung_up(phone: FakePhone) -> list[str]:
    return [what[1] for what in phone.did if what[0] == "hangup"]


def results(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one["number"], one["round"], one["result"], one["outcome"]) for one in answer["attempts"]]


async def test_one_after_the_other_is_called_until_somebody_presses_the_key(
    phone: FakePhone, call_out: CallsOut, entry: MockConfigEntry
) -> None:
    task = call_out(confirm="1", ring_timeout=20)
    phone.end(await calling(phone, "611"), CallOutcome.BUSY, code=486, reason="Busy Here")
    second = await answered(phone, "612")
    phone.press(second, "5")
    await settle()
    assert not task.done(), "it is another key"
    phone.press(second, "1")
    answer = await task
    assert results(answer) == [("611", 1, "not_answered", "busy"), ("612", 1, "accepted", "answered")]
    assert (answer["attempts"][0]["code"], answer["attempts"][0]["reason"]) == (486, "Busy Here")
    assert (answer["accepted"], answer["number"], answer["call_id"]) == (True, "612", second)
    assert answer["accepted_at"].startswith("20")
    assert answer["config_entry_id"] == entry.entry_id
    assert dialled(phone) == ["611", "612"]
    assert ("dial", "612", None, 20) in phone.did
    assert phone.calls == {}


async def test_the_called_need_not_see_who_calls(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out(confirm="none", send_caller_id=False)
    await answered(phone, "611")
    await task
    assert phone.did[0] == ("dial", "611", None, None, False)


async def test_all_are_called_at_once_and_the_first_to_accept_wins(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out(mode="at_once")
    first, second = await answered(phone, "611"), await answered(phone, "612")
    third = await calling(phone, "613")
    assert not task.done()
    phone.press(second, "7")
    phone.press(first, "7")
    answer = await task
    assert results(answer) == [
        ("611", 1, "cancelled", "answered"),
        ("612", 1, "accepted", "answered"),
        ("613", 1, "cancelled", "answered"),
    ]
    assert answer["number"] == "612"
    assert sorted(hung_up(phone)) == sorted([first, second, third])
    assert phone.calls == {}


async def test_without_confirmation_the_first_answer_is_enough(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out(mode="at_once", confirm="none")
    await calling(phone, "613")
    await answered(phone, "612")
    answer = await task
    assert answer["number"] == "612"
    assert [result for _, _, result, _ in results(answer)] == ["cancelled", "accepted", "cancelled"]
    assert phone.calls == {}


async def test_an_answer_that_is_enough_lets_the_message_be_heard_once(
    phone: FakePhone, call_out: CallsOut, message: FileSource
) -> None:
    task = call_out(confirm="none", media=str(message.path))
    call_id = await answered(phone, "611")
    assert ("dial", "611", message, None) in phone.did
    assert not task.done()
    phone.finish(call_id, playback_id=9, error="the file is no sound")
    answer = await task
    assert answer["attempts"][0]["playback_error"] == "the file is no sound"
    assert hung_up(phone) == [call_id]


async def test_who_hangs_up_during_the_message_has_accepted_where_an_answer_is_enough(
    phone: FakePhone, call_out: CallsOut, message: FileSource
) -> None:
    task = call_out(confirm="none", media=str(message.path))
    phone.end(await answered(phone, "611"))
    assert (await task)["number"] == "611"


async def test_the_message_is_repeated_until_the_key_is_pressed(
    phone: FakePhone, call_out: CallsOut, message: FileSource
) -> None:
    task = call_out(media=str(message.path))
    call_id = await answered(phone, "611")
    phone.finish(call_id, playback_id=1)
    play = ("play", call_id, message, False, 0.0)
    await until(lambda: phone.did.count(play) == 1)
    phone.finish(call_id, playback_id=2)
    await until(lambda: phone.did.count(play) == 2)
    phone.press(call_id, "1")
    assert (await task)["accepted"] is True
    assert ("stop_playback", call_id, None) in phone.did
    assert phone.did[-1] == ("hangup", call_id)


async def test_a_message_that_fails_is_not_repeated(phone: FakePhone, call_out: CallsOut, message: FileSource) -> None:
    task = call_out(media=str(message.path), numbers=["611"], confirm_timeout=1)
    call_id = await answered(phone, "611")
    phone.finish(call_id, error="the engine failed")
    answer = await task
    assert results(answer) == [("611", 1, "not_confirmed", "answered")]
    assert answer["attempts"][0]["playback_error"] == "the engine failed"
    assert "play" not in [what[0] for what in phone.did]


async def test_who_hangs_up_or_waits_too_long_has_not_accepted(
    phone: FakePhone, call_out: CallsOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = call_out(confirm_timeout=1, numbers=["611", "612"])
    phone.end(await answered(phone, "611"))
    await answered(phone, "612")
    answer = await task
    assert results(answer) == [("611", 1, "not_confirmed", "answered"), ("612", 1, "not_confirmed", "answered")]
    assert (answer["accepted"], answer["number"], answer["accepted_at"]) == (False, None, None)
    assert phone.calls == {}


async def test_a_key_counts_although_the_call_ends_at_once_after_it(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out()
    call_id = await answered(phone, "611")
    phone.press(call_id, "1")
    phone.end(call_id)
    assert (await task)["number"] == "611"


async def test_keys_from_before_the_answer_do_not_count(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out(numbers="611")
    call_id = await calling(phone, "611")
    phone.enter(call_id, CallState.EARLY)
    phone.press(call_id, "1")
    phone.enter(call_id, CallState.TALKING)
    await settle()
    assert not task.done()
    phone.end(call_id)
    assert (await task)["accepted"] is False


async def test_a_call_that_is_answered_and_over_at_once_is_no_confirmation(
    phone: FakePhone, call_out: CallsOut
) -> None:
    task = call_out(numbers="611")
    call_id = await calling(phone, "611")
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    assert results(await task) == [("611", 1, "not_confirmed", "answered")]


async def test_the_rounds_are_counted(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out(numbers=["611", "612"], rounds=3)
    for _ in range(2):
        for number in ("611", "612"):
            phone.end(await calling(phone, number), CallOutcome.NO_ANSWER)
    phone.press(await answered(phone, "611"), "1")
    answer = await task
    assert [(number, a_round) for number, a_round, _, _ in results(answer)] == [
        ("611", 1),
        ("612", 1),
        ("611", 2),
        ("612", 2),
        ("611", 3),
    ]


async def test_there_is_a_pause_between_the_rounds(phone: FakePhone, call_out: CallsOut) -> None:
    task = call_out(numbers=["611"], rounds=2, pause=0.5)
    phone.end(await calling(phone, "611"), CallOutcome.NO_ANSWER)
    await settle()
    assert phone.calls == {}
    phone.end(await calling(phone, "611"), CallOutcome.NO_ANSWER)
    assert (await task)["accepted"] is False
    assert dialled(phone) == ["611", "611"]


async def test_the_accepted_call_may_go_on(phone: FakePhone, call_out: CallsOut, message: FileSource) -> None:
    task = call_out(keep_call=True, media=str(message.path))
    call_id = await answered(phone, "611")
    phone.press(call_id, "1")
    answer = await task
    assert (answer["call_id"], answer["attempts"][0]["state"]) == (call_id, "talking")
    assert list(phone.calls) == [call_id]
    assert hung_up(phone) == []


async def test_a_number_that_cannot_be_dialled_does_not_stop_the_others(
    phone: FakePhone, call_out: CallsOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial = phone.dial

    async def refuse(target: str, **how: Any) -> str:
        if target == "611":
            raise LocalProtocolError("this is no number", LocalFault.NOT_DIALABLE, number=target)
        return await dial(target, **how)

    monkeypatch.setattr(phone, "dial", refuse)
    task = call_out()
    phone.press(await answered(phone, "612"), "1")
    answer = await task
    assert results(answer) == [("611", 1, "not_answered", "failed"), ("612", 1, "accepted", "answered")]
    failed = answer["attempts"][0]
    assert (failed["code"], failed["reason"], failed["fault"]) == (0, "", "number_not_dialable")
    assert failed["detail"] == "this is no number"


async def test_an_end_that_nobody_confirms_does_not_hold_up_the_answer(
    phone: FakePhone, call_out: CallsOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.escalation.END_TIMEOUT", 0)
    task = call_out(mode="at_once", confirm="none")
    silent = await calling(phone, "611")
    monkeypatch.setattr(phone, "hangup", AsyncMock())
    await answered(phone, "612")
    answer = await task
    assert results(answer)[:2] == [("611", 1, "cancelled", None), ("612", 1, "accepted", "answered")]
    assert answer["attempts"][0]["call_id"] == silent


async def test_media_without_an_end_that_nobody_has_to_confirm_end_all_the_same(
    phone: FakePhone, call_out: CallsOut, message: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.escalation.LONGEST_MESSAGE", 0.05)
    task = call_out(confirm="none", media=str(message.path))
    await answered(phone, "611")
    answer = await task
    assert answer["accepted"] is True
    assert phone.calls == {}


@pytest.mark.parametrize("mode", ["in_order", "at_once"])
async def test_an_action_that_is_cancelled_leaves_nothing(phone: FakePhone, call_out: CallsOut, mode: str) -> None:
    task = call_out(mode=mode)
    await answered(phone, "611")
    await settle()
    before = len(phone.calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(hung_up(phone)) == before == (1 if mode == "in_order" else 3)
    assert phone.calls == {}
    assert [work for work in asyncio.all_tasks() if "call_out" in work.get_name()] == []


@pytest.mark.parametrize("steps", range(8))
async def test_a_call_is_kept_only_where_somebody_is_told_of_it(
    phone: FakePhone, call_out: CallsOut, steps: int
) -> None:
    task = call_out(keep_call=True)
    call_id = await answered(phone, "611")
    phone.press(call_id, "1")
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        assert (await task)["call_id"] == call_id
        told = [call_id]
    except asyncio.CancelledError:
        told = []
    assert list(phone.calls) == told


async def test_a_script_that_is_stopped_hangs_up(hass: HomeAssistant, phone: FakePhone, message: FileSource) -> None:
    steps = [{"action": "sip_ua.call_out", "data": {"numbers": NUMBERS, "mode": "at_once", "media": str(message.path)}}]
    assert await async_setup_component(hass, "script", {"script": {"alarm": {"sequence": steps}}})
    await hass.services.async_call("script", "turn_on", {"entity_id": "script.alarm"}, blocking=True)
    await answered(phone, "612")
    assert len(phone.calls) == 3
    await hass.services.async_call("script", "turn_off", {"entity_id": "script.alarm"}, blocking=True)
    assert phone.calls == {}


async def test_an_accepted_call_ends_where_the_action_is_cancelled_meanwhile(
    phone: FakePhone, call_out: CallsOut, message: FileSource
) -> None:
    task = call_out(confirm="none", media=str(message.path))
    await answered(phone, "611")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert phone.calls == {}


async def test_an_account_that_is_unloaded_ends_it(
    hass: HomeAssistant, phone: FakePhone, call_out: CallsOut, entry: MockConfigEntry
) -> None:
    task = call_out(mode="at_once", rounds=5, pause=60)
    await answered(phone, "611")
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "account_stopped"
    assert phone.calls == {}


async def test_changed_options_apply_when_everybody_has_been_called(
    hass: HomeAssistant, phone: FakePhone, call_out: CallsOut, entry: MockConfigEntry, phones: list[FakePhone]
) -> None:
    task = call_out(numbers=["611", "612"])
    call_id = await calling(phone, "611")
    hass.config_entries.async_update_entry(entry, options={"calls": {"display_name": "Alarm"}})
    phone.end(call_id, CallOutcome.BUSY)
    phone.press(await answered(phone, "612"), "1")
    assert (await task)["number"] == "612"
    await until(lambda: len(phones) == 2)


async def test_a_contact_that_is_gone_does_not_keep_the_others_from_being_called(
    phone: FakePhone, call_out: CallsOut
) -> None:
    task = call_out(numbers=["Aunt Emma", "611"], confirm="none")
    await answered(phone, "611")
    answer = await task
    assert (answer["accepted"], answer["number"], answer["name"]) == (True, "611", "")
    gone, other = answer["attempts"]
    assert (gone["number"], gone["result"], gone["fault"]) == ("Aunt Emma", "not_answered", "contact_unknown")
    assert other["result"] == "accepted"
    with pytest.raises(ServiceValidationError) as raised:
        await call_out(numbers=["Aunt Emma", "Uncle Ben"])
    assert raised.value.translation_key == "contact_unknown"


async def test_what_cannot_be_said_is_told_before_anybody_is_called(phone: FakePhone, call_out: CallsOut) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await call_out(media="/nothing/here.wav")
    assert raised.value.translation_key == "path_not_allowed"
    with pytest.raises(ServiceValidationError) as raised:
        await call_out(tts_language="de")
    assert raised.value.translation_key == "speech_without_message"
    with pytest.raises(ServiceValidationError) as raised:
        await call_out(numbers=[" "])
    assert raised.value.translation_key == "number_missing"
    phone.fail(RegistrationFailure.NO_ANSWER)
    with pytest.raises(HomeAssistantError) as unregistered:
        await call_out()
    assert unregistered.value.translation_key == "not_registered"
    assert phone.did == []


@pytest.mark.parametrize(
    "data",
    [
        {"numbers": []},
        {"numbers": ["1"] * (MAX_NUMBERS + 1)},
        {"numbers": ["1"], "mode": "somehow"},
        {"numbers": ["1"], "rounds": 11},
        {"numbers": ["1"], "confirm": "12"},
        {"numbers": ["1"], "confirm_timeout": 0},
        {"numbers": ["1"], "message": "a", "media": "b"},
    ],
)
def test_what_is_no_plan_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        CALL_OUT_SCHEMA(data)
