"""The digits that the other side of a call is asked for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.dtmf_input import WAIT_FOR_DTMF_SCHEMA
from custom_components.sip_ua.keypad import MAX_KEYS_KEPT
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.events import CallState

from .conftest import act, settle, until
from .phone import FakePhone

type Asks = Callable[..., asyncio.Task[dict[str, Any]]]
SHORT = 0.1


@pytest.fixture(name="asks")
def asks_fixture(hass: HomeAssistant) -> Asks:
    """Ask for digits in the background."""

    def ask(**data: Any) -> asyncio.Task[dict[str, Any]]:
        return hass.async_create_task(act(hass, "wait_for_dtmf", **data))

    return ask


def entered(answer: dict[str, Any]) -> tuple[str, str]:
    return answer["digits"], answer["result"]


@pytest.mark.parametrize(
    ("data", "keys", "digits"),
    [
        ({}, "12#", "12"),
        ({"terminator": "*"}, "1#*", "1#"),
        ({"max_digits": 3, "terminator": ""}, "1#2", "1#2"),
        ({"max_digits": 1}, "d", "d"),
        ({}, "#", ""),
    ],
)
async def test_digits_are_complete_at_the_terminator_or_when_there_are_enough(
    phone: FakePhone, talk: str, asks: Asks, data: dict[str, Any], keys: str, digits: str
) -> None:
    task = asks(**data)
    await settle()
    for key in keys:
        assert not task.done()
        phone.press(talk, key)
    answer = await task
    assert entered(answer) == (digits, "complete")
    assert (answer["call_id"], answer["number"], answer["state"]) == (talk, "+49301234", "talking")


async def test_only_the_keys_of_the_named_call_count(phone: FakePhone, talk: str, asks: Asks) -> None:
    other = phone.ring()
    phone.enter(other, CallState.TALKING)
    task = asks(call_id=talk, max_digits=1)
    await settle()
    phone.press(other, "2")
    phone.press(talk, "1")
    assert entered(await task) == ("1", "complete")


async def test_nobody_presses_a_key_in_time(phone: FakePhone, talk: str, asks: Asks) -> None:
    assert entered(await asks(timeout=SHORT)) == ("", "timeout")
    assert talk in phone.calls


async def test_what_was_pressed_before_the_time_was_over_is_told(phone: FakePhone, talk: str, asks: Asks) -> None:
    task = asks(digit_timeout=SHORT)
    await settle()
    phone.press(talk, "4")
    assert entered(await task) == ("4", "timeout")


async def test_a_call_that_ends_ends_the_waiting(phone: FakePhone, talk: str, asks: Asks) -> None:
    task = asks()
    await settle()
    phone.press(talk, "4")
    phone.end(talk)
    answer = await task
    assert entered(answer) == ("4", "call_ended")
    assert (answer["state"], answer["ended_by"]) == ("ended", "remote")


async def test_a_call_that_has_just_ended_is_no_error(phone: FakePhone, talk: str, asks: Asks) -> None:
    phone.end(talk)
    assert entered(await asks(call_id=talk)) == ("", "call_ended")


async def test_keys_pressed_before_do_not_count_unless_asked_for(phone: FakePhone, talk: str, asks: Asks) -> None:
    phone.press(talk, "9")
    task = asks(max_digits=1)
    await settle()
    phone.press(talk, "1")
    assert entered(await task) == ("1", "complete")
    for key in "12#34":
        phone.press(talk, key)
    assert entered(await asks(include_earlier=True)) == ("12", "complete")
    assert entered(await asks(include_earlier=True, max_digits=2)) == ("34", "complete")
    phone.press(talk, "5")
    assert entered(await asks(timeout=SHORT)) == ("", "timeout")
    assert entered(await asks(timeout=SHORT, include_earlier=True)) == ("", "timeout"), "they were dropped before"


async def test_only_the_newest_keys_are_kept(phone: FakePhone, talk: str, asks: Asks, entry: MockConfigEntry) -> None:
    for number in range(MAX_KEYS_KEPT + 6):
        phone.press(talk, str(number % 10))
    answer = await asks(include_earlier=True, max_digits=MAX_KEYS_KEPT)
    assert answer["digits"] == "".join(str(number % 10) for number in range(6, MAX_KEYS_KEPT + 6))
    phone.press(talk, "1")
    phone.end(talk)
    assert vars(entry.runtime_data.keys) == {"_untaken": {}, "_listeners": {}}, "ended calls are forgotten"


async def test_the_first_key_stops_the_prompt(phone: FakePhone, talk: str, asks: Asks, sound: FileSource) -> None:
    task = asks(media=str(sound.path), max_digits=2, timeout=SHORT)
    await until(lambda: ("play", talk, sound, False, 0.0) in phone.did)
    await asyncio.sleep(2 * SHORT)
    assert not task.done(), "the time for the first key begins after the prompt"
    phone.press(talk, "1")
    await settle()
    assert phone.did[-1][:2] == ("stop_playback", talk)
    phone.press(talk, "2")
    assert entered(await task) == ("12", "complete")


async def test_the_time_for_the_first_key_begins_after_the_prompt(
    phone: FakePhone, talk: str, asks: Asks, sound: FileSource
) -> None:
    task = asks(media=str(sound.path), timeout=SHORT)
    await until(lambda: phone.did)
    phone.finish(talk, playback_id=2, error="the file is no sound")
    answer = await task
    assert entered(answer) == ("", "timeout")
    assert answer["playback_error"] == "the file is no sound"
    assert [what[0] for what in phone.did] == ["play"], "nothing is left to be stopped"


async def test_who_has_pressed_already_does_not_hear_the_prompt(
    phone: FakePhone, talk: str, asks: Asks, sound: FileSource
) -> None:
    phone.press(talk, "7")
    answer = await asks(media=str(sound.path), max_digits=1, include_earlier=True)
    assert entered(answer) == ("7", "complete")
    assert phone.did == []


async def test_a_call_that_ends_during_the_prompt_ends_the_waiting(
    phone: FakePhone, talk: str, asks: Asks, sound: FileSource
) -> None:
    task = asks(media=str(sound.path))
    await until(lambda: phone.did)
    phone.end(talk)
    assert entered(await task) == ("", "call_ended")


async def test_a_script_that_is_stopped_stops_the_prompt(
    phone: FakePhone, talk: str, asks: Asks, sound: FileSource
) -> None:
    task = asks(media=str(sound.path))
    await until(lambda: phone.did)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert phone.did[-1][:2] == ("stop_playback", talk)
    phone.press(talk, "1")
    assert entered(await asks(include_earlier=True, max_digits=1)) == ("1", "complete"), "nobody else took the key"
    assert [work for work in asyncio.all_tasks() if "wait_for_dtmf" in work.get_name()] == []


async def test_an_account_that_is_unloaded_ends_the_waiting(
    hass: HomeAssistant, phone: FakePhone, talk: str, asks: Asks, entry: MockConfigEntry
) -> None:
    assert talk in phone.calls
    task = asks()
    await settle()
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "account_stopped"


async def test_a_call_that_nobody_has_answered_cannot_be_asked(phone: FakePhone, asks: Asks) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await asks(call_id=phone.ring())
    assert raised.value.translation_key == "call_not_connected"
    with pytest.raises(ServiceValidationError) as raised:
        await asks()
    assert raised.value.translation_key == "no_audible_call"


@pytest.mark.parametrize(
    "data",
    [
        {"max_digits": 0},
        {"max_digits": MAX_KEYS_KEPT + 1},
        {"terminator": "##"},
        {"terminator": "x"},
        {"terminator": None},
        {"timeout": 0},
        {"digit_timeout": 601},
    ],
)
def test_what_cannot_be_waited_for_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(vol.Invalid):
        WAIT_FOR_DTMF_SCHEMA(data)
