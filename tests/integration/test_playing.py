"""Speaking and playing into calls, in which order, and how it is stopped."""

import asyncio
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.action_errors import key_of
from custom_components.sip_ua.const import Enqueue
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.net.errors import AudioError, AudioFault
from custom_components.sip_ua.net.play_order import Placement
from custom_components.sip_ua.sip.events import CallState

from .conftest import act, do, settle, until
from .phone import NEIGHBOUR, FakePhone
from .test_sound import Speaker, heard, speaker_fixture

__all__ = ["speaker_fixture"]


def answered(phone: FakePhone) -> str:
    call_id = phone.place(NEIGHBOUR)
    phone.enter(call_id, CallState.TALKING)
    return call_id


async def test_play_plays_without_waiting(hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource) -> None:
    answer = await act(hass, "play", media=str(sound.path), loop=True, volume=-6)
    assert phone.did == [("play", talk, sound, True, -6.0)]
    assert (answer["call_id"], answer["playback_id"], answer["result"]) == (talk, 2, "started")


async def test_speak_says_a_message_in_the_wanted_voice(
    hass: HomeAssistant, phone: FakePhone, talk: str, speaker: Speaker
) -> None:
    await do(
        hass,
        "speak",
        message="Hello",
        tts_engine=speaker.entity_id,
        tts_language="de",
        tts_voice="deep",
        volume=3,
    )
    ((_, call_id, source, loop, volume),) = phone.did
    assert (call_id, loop, volume) == (talk, False, 3.0)
    assert await heard(source)
    message, language, options = speaker.said[0]
    assert (message, language, options["voice"]) == ("Hello", "de", "deep")


@pytest.mark.parametrize("enqueue", list(Enqueue))
async def test_a_sound_goes_where_it_is_wanted(
    hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource, enqueue: Enqueue
) -> None:
    await do(hass, "play", media=str(sound.path), enqueue=enqueue.value)
    elsewhere = () if enqueue is Enqueue.ADD else (Placement(enqueue),)
    assert phone.did == [("play", talk, sound, False, 0.0, *elsewhere)]


@pytest.mark.parametrize(
    ("error", "stopped", "result"), [(None, False, "played"), (None, True, "stopped"), ("broken", False, "")]
)
async def test_who_waits_is_told_what_became_of_it(
    hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource, error: str | None, stopped: bool, result: str
) -> None:
    task = hass.async_create_task(act(hass, "play", media=str(sound.path), wait=True))
    await until(lambda: phone.did)
    phone.begin(talk, 2)
    phone.finish(talk, 99)
    await settle()
    assert not task.done()
    phone.finish(talk, 2, error, stopped=stopped)
    if error is None:
        answer = await task
        assert (answer["result"], answer["playback_id"]) == (result, 2)
        return
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "playback_failed"
    assert raised.value.translation_placeholders is None


@pytest.mark.parametrize("fault", list(AudioFault))
async def test_each_fault_of_a_sound_has_its_own_error(
    hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource, fault: AudioFault
) -> None:
    task = hass.async_create_task(act(hass, "play", media=str(sound.path), wait=True))
    await until(lambda: phone.did)
    phone.finish(talk, 2, "why", fault=fault)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    phone.error = AudioError("why", fault)
    with pytest.raises(HomeAssistantError) as raised_at_once:
        await act(hass, "play", media=str(sound.path))
    assert raised.value.translation_key == raised_at_once.value.translation_key == key_of(fault)
    assert raised.value.translation_placeholders is None


async def test_waiting_ends_with_the_call(hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource) -> None:
    task = hass.async_create_task(act(hass, "play", media=str(sound.path), wait=True))
    await until(lambda: phone.did)
    phone.end(talk)
    assert (await task)["result"] == "call_ended"


async def test_waiting_ends_with_the_script(
    hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource
) -> None:
    task = hass.async_create_task(act(hass, "play", media=str(sound.path), wait=True))
    await until(lambda: phone.did)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    phone.finish(talk, 2)


@pytest.mark.parametrize("state", [CallState.DIALING, CallState.ALERTING, CallState.EARLY])
async def test_what_is_said_while_the_other_side_rings_waits_for_the_answer(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource, state: CallState
) -> None:
    call_id = phone.place(NEIGHBOUR)
    if state is not CallState.DIALING:
        phone.enter(call_id, state)
    answer = await act(hass, "play", media=str(sound.path))
    assert (answer["call_id"], answer["result"]) == (call_id, "waiting")


async def test_nothing_is_played_to_who_calls_before_the_call_is_answered(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource
) -> None:
    call_id = phone.ring()
    for data, key in (({}, "no_audible_call"), ({"call_id": call_id}, "call_rings_here")):
        with pytest.raises(ServiceValidationError) as raised:
            await do(hass, "play", media=str(sound.path), **data)
        assert raised.value.translation_key == key
    assert phone.did == []


async def test_who_talks_in_one_account_is_meant_while_another_one_dials(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, talk: str, sound: FileSource
) -> None:
    other_phone.place(NEIGHBOUR)
    await do(hass, "play", media=str(sound.path))
    assert phone.did == [("play", talk, sound, False, 0.0)]


async def test_a_call_that_is_on_hold_is_not_meant_while_another_one_rings_there(
    hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource
) -> None:
    phone.enter(talk, CallState.HELD)
    call_id = phone.place(NEIGHBOUR)
    await do(hass, "play", media=str(sound.path))
    assert phone.did == [("play", call_id, sound, False, 0.0)]


async def test_a_call_that_ends_while_its_sound_is_looked_for_is_an_error(
    hass: HomeAssistant, phone: FakePhone, talk: str, sound: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(_hass: HomeAssistant, _data: Any) -> FileSource:
        phone.end(talk)
        return sound

    monkeypatch.setattr("custom_components.sip_ua.playing.sound_of", find)
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "play", media="gong.wav", wait=True)
    assert raised.value.translation_key == "call_without_voice"


async def test_an_interruption_does_not_end_a_call_that_is_to_end_after_its_message(
    hass: HomeAssistant, phone: FakePhone, sound: FileSource
) -> None:
    call_id = (await act(hass, "dial", number="612", media=str(sound.path), hangup_after=True))["call_id"]
    phone.enter(call_id, CallState.TALKING)
    phone.begin(call_id, 50)
    number = (await act(hass, "play", media=str(sound.path), enqueue="interrupt"))["playback_id"]
    phone.finish(call_id, number)
    await settle()
    assert call_id in phone.calls
    phone.finish(call_id, 50)
    await until(lambda: call_id not in phone.calls)


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("play", {}),
        ("play", {"message": "a", "media": "b"}),
        ("play", {"message": ""}),
        ("play", {"media": "gong.wav", "volume": 13}),
        ("play", {"media": "gong.wav", "enqueue": "never"}),
        ("speak", {}),
        ("speak", {"message": "a", "media": "b"}),
    ],
)
async def test_an_action_needs_one_sound(
    hass: HomeAssistant, phone: FakePhone, action: str, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await do(hass, action, **data)


# Stop


async def test_stop_ends_every_sound_of_every_call(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, sound: FileSource
) -> None:
    first, second, other = answered(phone), answered(phone), answered(other_phone)
    one = await act(hass, "play", media=str(sound.path), call_id=first)
    two = await act(hass, "play", media=str(sound.path), call_id=second)
    phone.begin(second, 77)
    phone.did.clear()
    assert await act(hass, "stop") == {"stopped": [one["playback_id"], two["playback_id"], 77]}
    assert phone.did == [("stop_playback", first, None), ("stop_playback", second, None)]
    assert other_phone.did == [("stop_playback", other, None)]


async def test_stop_ends_one_call_or_one_sound(hass: HomeAssistant, phone: FakePhone, sound: FileSource) -> None:
    first, second = answered(phone), answered(phone)
    number = (await act(hass, "play", media=str(sound.path), call_id=first))["playback_id"]
    phone.did.clear()
    assert await act(hass, "stop", call_id=second) == {"stopped": []}
    assert await act(hass, "stop", call_id=first, playback_id=number) == {"stopped": [number]}
    assert phone.did == [("stop_playback", second, None), ("stop_playback", first, number)]
    phone.finish(first, number, stopped=True)
    assert await act(hass, "stop", call_id=first, playback_id=number) == {"stopped": []}
    await do(hass, "stop")


async def test_stop_needs_a_call_that_is_there(hass: HomeAssistant, phone: FakePhone) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "stop", call_id="gone")
    assert raised.value.translation_key == "call_not_found"


async def test_sounds_of_calls_that_are_over_are_forgotten(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, talk: str, sound: FileSource
) -> None:
    await do(hass, "play", media=str(sound.path))
    sounds = entry.runtime_data.sounds
    assert sounds.of(talk) == [2]
    phone.end(talk)
    phone.begin(talk, 2)
    phone.finish(talk, 2, stopped=True)
    assert sounds.of(talk) == []
    assert not sounds.is_heard(talk)
