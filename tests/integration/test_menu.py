"""The menus that the other side of a call chooses from."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.coordinator import MAX_WRONG_PINS
from custom_components.sip_ua.guesses import PAUSE
from custom_components.sip_ua.menu import MAX_STEPS
from custom_components.sip_ua.menu_model import MAX_DEPTH, build_menu, menu_schema
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.net.play_order import ONCE, PlayOrder

from .conftest import act, settle, until
from .phone import FakePhone

type Opens = Callable[..., asyncio.Task[dict[str, Any]]]
SHORT = 0.1


class Voice:
    """Hears what is said in calls, each to its end unless it is `slow`."""

    def __init__(self, phone: FakePhone) -> None:
        self.phone = phone
        self.said: list[str] = []
        self.how: list[dict[str, Any]] = []
        self.slow = False
        self._play = phone.play

    def speech(self, _hass: HomeAssistant, message: str, **how: Any) -> str:
        self.how.append(how)
        return message

    def play(self, call_id: str, source: Any, order: PlayOrder = ONCE) -> int:
        number = self._play(call_id, source, order)
        self.said.append(source)
        if not self.slow:
            asyncio.get_running_loop().call_soon(self.phone.finish, call_id, number)
        return number


@pytest.fixture(name="voice")
def voice_fixture(phone: FakePhone, monkeypatch: pytest.MonkeyPatch) -> Voice:
    voice = Voice(phone)
    monkeypatch.setattr("custom_components.sip_ua.action_calls.speech_source", voice.speech)
    monkeypatch.setattr(phone, "play", voice.play)
    return voice


@pytest.fixture(name="open_menu")
def open_menu_fixture(hass: HomeAssistant) -> Opens:
    """Begin a menu in the background."""

    def open_menu(**menu: Any) -> asyncio.Task[dict[str, Any]]:
        return hass.async_create_task(act(hass, "menu", menu=menu))

    return open_menu


async def press(phone: FakePhone, call_id: str, keys: str) -> None:
    await settle()
    for key in keys:
        phone.press(call_id, key)
    await settle()


async def test_a_choice_does_its_actions_and_says_its_message(
    hass: HomeAssistant, phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    locks = async_mock_service(hass, "lock", "open")
    opening = [{"action": "lock.open", "target": {"entity_id": "lock.door"}}]
    task = open_menu(
        message="1 opens the door",
        choices={1: {"actions": opening, "message": "It is open", "then": "hangup"}, "2": {"message": "Bye"}},
    )
    await press(phone, talk, "1")
    answer = await task
    assert voice.said == ["1 opens the door", "It is open"]
    assert [lock.data["entity_id"] for lock in locks] == [["lock.door"]]
    assert (answer["result"], answer["path"]) == ("hung_up", ["menu", "1"])
    assert answer["state"] == "ended"
    assert phone.calls == {}


async def test_the_call_goes_on_after_a_menu_that_ends(
    phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    task = open_menu(message="1?", choices={"1": {"id": "yes"}})
    await press(phone, talk, "1")
    answer = await task
    assert (answer["result"], answer["path"], answer["call_id"]) == ("completed", ["menu", "yes"], talk)
    assert talk in phone.calls


async def test_a_menu_in_a_menu_leads_back(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    lamp = {"message": "Lamp is on", "then": "return", "levels": 2}
    lights = {"message": "lights", "choices": {"1": lamp, "*": {"then": "return"}}}
    task = open_menu(message="top", choices={"1": lights, "0": {}})
    for key in "1*10":
        await press(phone, talk, key)
    answer = await task
    assert voice.said == ["top", "lights", "lights", "Lamp is on", "top"]
    assert (answer["result"], answer["path"]) == ("completed", ["menu", "1", "*", "1", "0"])


async def test_keys_may_be_pressed_ahead(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    voice.slow = True
    task = open_menu(message="top", choices={"1": {"message": "next", "choices": {"2": {"id": "there"}}}})
    await press(phone, talk, "12")
    assert (await task)["path"] == ["menu", "1", "there"]
    assert voice.said == ["top"], "who knows the way need not listen"


async def test_a_longer_choice_is_waited_for(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    choices: dict[str, Any] = {"1": {}, "12": {}, "3": {}}
    task = open_menu(choices=choices, digit_timeout=SHORT)
    await press(phone, talk, "1")
    assert (await task)["path"] == ["menu", "1"]
    task = open_menu(choices=choices)
    await press(phone, talk, "12")
    assert (await task)["path"] == ["menu", "12"]
    task = open_menu(choices=choices)
    await press(phone, talk, "1#")
    assert (await task)["path"] == ["menu", "1"]


async def test_the_terminator_may_be_a_choice(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    task = open_menu(choices={"#": {"id": "hash"}})
    await press(phone, talk, "#")
    assert (await task)["path"] == ["menu", "hash"]


async def test_a_wrong_choice_is_answered_and_asked_again_as_often_as_wanted(
    phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    task = open_menu(
        message="1 or 2",
        choices={"1": {}, "2": {}},
        invalid={"message": "Wrong"},
        repeat=1,
        then="hangup",
    )
    await press(phone, talk, "5")
    assert voice.said == ["1 or 2", "Wrong", "1 or 2"]
    await press(phone, talk, "6")
    answer = await task
    assert voice.said == ["1 or 2", "Wrong", "1 or 2", "Wrong"]
    assert answer["result"] == "hung_up"
    assert phone.calls == {}


async def test_silence_is_answered_and_asked_again(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    answer = await open_menu(
        message="1?", choices={"1": {}}, no_choice={"message": "Nothing?"}, timeout=SHORT, repeat=1
    )
    assert voice.said == ["1?", "Nothing?", "1?", "Nothing?"]
    assert (answer["result"], answer["path"]) == ("no_choice", ["menu", "no_choice", "no_choice"])
    assert talk in phone.calls
    answer = await open_menu(choices={"1": {}}, timeout=SHORT, no_choice={"message": "Bye", "then": "hangup"})
    assert (answer["result"], voice.said[-1]) == ("hung_up", "Bye")


async def test_a_pin_is_told_to_be_wrong_at_its_end_only_and_never_named(
    phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    task = open_menu(
        choices={"4711": {"message": "Welcome"}}, choices_are_pin=True, invalid={"message": "Wrong"}, repeat=1
    )
    await press(phone, talk, "911")
    assert voice.said == []
    await press(phone, talk, "1")
    assert voice.said == ["Wrong"]
    await press(phone, talk, "4711")
    answer = await task
    assert voice.said == ["Wrong", "Welcome"]
    assert answer["path"] == ["menu", "invalid", "pin"]
    assert "4711" not in str(answer)


async def test_only_so_many_pins_may_be_tried(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    task = open_menu(choices={"47": {}}, choices_are_pin=True, repeat=2, then="hangup")
    for _ in range(3):
        assert not task.done()
        await press(phone, talk, "11")
    assert (await task)["result"] == "hung_up"


async def test_pins_cannot_be_found_by_calling_again_and_again(
    phone: FakePhone,
    talk: str,
    voice: Voice,
    open_menu: Opens,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    menu = {"choices": {"47": {"id": "in"}}, "choices_are_pin": True, "repeat": MAX_WRONG_PINS}
    task = open_menu(**menu)
    for _ in range(MAX_WRONG_PINS):
        await press(phone, talk, "11")
    await press(phone, talk, "47")
    assert (await task)["path"] == ["menu"]
    assert "Too many wrong PINs were typed by +49301234" in caplog.text
    task = open_menu(**(menu | {"repeat": 0}))
    await press(phone, talk, "47")
    assert (await task)["result"] == "no_choice"
    freezer.tick(PAUSE)
    task = open_menu(**menu)
    await press(phone, talk, "47")
    assert (await task)["path"] == ["menu", "in"]


async def test_a_sound_that_cannot_be_found_does_not_keep_the_call_from_its_end(
    hass: HomeAssistant, phone: FakePhone, talk: str, open_menu: Opens, caplog: pytest.LogCaptureFixture
) -> None:
    locks = async_mock_service(hass, "lock", "open")
    opening = [{"action": "lock.open", "target": {"entity_id": "lock.door"}}]
    gone = {"media": "/nowhere/open.wav"}
    task = open_menu(**gone, choices={"1": {**gone, "actions": opening, "then": "hangup"}})
    await press(phone, talk, "1")
    answer = await task
    assert (answer["result"], answer["path"]) == ("hung_up", ["menu", "1"])
    assert answer["playback_error"]
    assert "The menu 1 cannot be heard" in caplog.text
    assert len(locks) == 1


async def test_a_jump_leads_to_a_menu_by_its_id_and_back_from_there(
    phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    doors = {
        "id": "doors",
        "message": "doors",
        "choices": {"1": {"then": "return"}, "9": {"then": "return", "levels": 2}},
    }
    task = open_menu(
        message="top", choices={"1": doors, "2": {"then": "jump", "jump_to": "doors"}, "0": {"then": "hangup"}}
    )
    for key in "2190":
        await press(phone, talk, key)
    answer = await task
    assert voice.said == ["top", "doors", "doors", "top"]
    assert answer["path"] == ["menu", "2", "doors", "1", "9", "0"]


async def test_a_circle_of_jumps_has_an_end(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    answer = await open_menu(id="me", then="jump", jump_to="me")
    assert answer["result"] == "too_long"
    assert len(answer["path"]) == MAX_STEPS


async def test_a_message_without_choices_is_said_as_often_as_wanted(
    phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    assert (await open_menu(message="Hello", repeat=2))["result"] == "completed"
    assert voice.said == ["Hello"] * 3


async def test_keys_do_not_interrupt_where_the_message_is_to_be_heard(
    phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    voice.slow = True
    task = open_menu(message="Listen", choices={"1": {}, "2": {}}, interrupt=False)
    await press(phone, talk, "1")
    assert not task.done()
    assert "stop_playback" not in [what[0] for what in phone.did]
    phone.finish(talk, 2)
    await press(phone, talk, "2")
    assert (await task)["path"] == ["menu", "2"]


async def test_those_in_a_menu_speak_as_it_does(phone: FakePhone, talk: str, voice: Voice, open_menu: Opens) -> None:
    other = {"message": "b", "tts_language": "fr"}
    task = open_menu(message="a", tts_language="de", tts_engine="tts.x", choices={"1": other})
    await press(phone, talk, "1")
    await task
    assert [(how["language"], how["engine"]) for how in voice.how] == [("de", "tts.x"), ("fr", "tts.x")]


@pytest.mark.parametrize("slow", [True, False])
async def test_a_call_that_ends_ends_the_menu(
    slow: bool, phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    voice.slow = slow
    task = open_menu(message="1?", choices={"1": {}})
    await settle()
    phone.end(talk)
    answer = await task
    assert (answer["result"], answer["path"], answer["state"]) == ("call_ended", ["menu"], "ended")


async def test_a_call_that_ends_lets_the_actions_go_on(
    hass: HomeAssistant, phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    notes = async_mock_service(hass, "test", "note")
    steps = [{"wait_for_trigger": [{"trigger": "event", "event_type": "go"}]}, {"action": "test.note"}]
    task = open_menu(choices={"1": {"actions": steps, "message": "Done"}})
    await press(phone, talk, "1")
    await until(lambda: "go" in hass.bus.async_listeners())
    phone.end(talk)
    await settle()
    assert notes == []
    hass.bus.async_fire("go")
    assert (await task)["result"] == "call_ended"
    assert len(notes) == 1
    assert voice.said == []


async def test_changed_options_wait_for_the_actions_of_a_call_that_is_over(
    hass: HomeAssistant,
    phone: FakePhone,
    talk: str,
    voice: Voice,
    open_menu: Opens,
    entry: MockConfigEntry,
) -> None:
    notes = async_mock_service(hass, "test", "note")
    steps = [{"wait_for_trigger": [{"trigger": "event", "event_type": "go"}]}, {"action": "test.note"}]
    task = open_menu(choices={"1": {"actions": steps}})
    await press(phone, talk, "1")
    await until(lambda: "go" in hass.bus.async_listeners())
    hass.config_entries.async_update_entry(entry, options={"calls": {"display_name": "Hall"}})
    phone.end(talk)
    await settle()
    assert ("stop",) not in phone.did
    hass.bus.async_fire("go")
    assert (await task)["result"] == "completed"
    assert len(notes) == 1
    await hass.async_block_till_done()
    assert ("stop",) in phone.did
    assert entry.runtime_data.account.display_name == "Hall"


async def test_actions_that_fail_do_not_end_the_menu(
    hass: HomeAssistant,
    phone: FakePhone,
    talk: str,
    voice: Voice,
    open_menu: Opens,
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = open_menu(choices={"1": {"actions": [{"action": "nobody.knows"}], "message": "Sorry"}})
    await press(phone, talk, "1")
    assert (await task)["result"] == "completed"
    assert voice.said == ["Sorry"]
    assert "The actions of the menu 1 failed" in caplog.text


async def test_actions_know_the_call(
    hass: HomeAssistant, phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    notes = async_mock_service(hass, "test", "note")
    steps = [{"action": "test.note", "data": {"who": "{{ call.name }} in {{ menu }}"}}]
    await open_menu(id="main", actions=steps)
    assert [note.data["who"] for note in notes] == ["Grandma in main"]


async def test_templates_in_a_script_are_kept_for_the_menu_where_wanted(
    hass: HomeAssistant, phone: FakePhone, talk: str, voice: Voice
) -> None:
    notes = async_mock_service(hass, "test", "note")
    kept = "{% raw %}{{ call.name }} in {{ menu }}{% endraw %}"
    menu = {"message": "Hello {{ 1 + 1 }}", "actions": [{"action": "test.note", "data": {"who": kept}}]}
    steps = [{"action": "sip_ua.menu", "data": {"call_id": talk, "menu": menu}}]
    assert await async_setup_component(hass, "script", {"script": {"ask": {"sequence": steps}}})
    await hass.services.async_call("script", "ask", blocking=True)
    assert [note.data["who"] for note in notes] == ["Grandma in menu"]
    assert voice.said == ["Hello 2"]


async def test_a_menu_that_is_cancelled_stops_its_prompt_and_its_actions(
    hass: HomeAssistant, phone: FakePhone, talk: str, voice: Voice, open_menu: Opens
) -> None:
    voice.slow = True
    notes = async_mock_service(hass, "test", "note")
    task = open_menu(message="1?", choices={"1": {}})
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert phone.did[-1][0] == "stop_playback"
    task = open_menu(actions=[{"delay": 30}, {"action": "test.note"}])
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes == []
    assert [work for work in asyncio.all_tasks() if "menu" in work.get_name()] == []


async def test_an_account_that_is_unloaded_ends_the_menu(
    hass: HomeAssistant, phone: FakePhone, talk: str, voice: Voice, open_menu: Opens, entry: MockConfigEntry
) -> None:
    task = open_menu(choices={"1": {}})
    await settle()
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "account_stopped"


async def test_ids_and_jumps_have_to_be_clear(phone: FakePhone, talk: str, open_menu: Opens) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await open_menu(choices={"1": {"then": "jump", "jump_to": "nowhere"}})
    assert (raised.value.translation_key, raised.value.translation_placeholders) == (
        "menu_unknown",
        {"menu": "nowhere"},
    )
    with pytest.raises(ServiceValidationError) as raised:
        await open_menu(id="a", choices={"1": {"id": "a"}})
    assert raised.value.translation_key == "menu_twice"


async def test_a_call_that_is_over_or_not_answered_has_no_menu(
    hass: HomeAssistant, phone: FakePhone, talk: str
) -> None:
    async def answer(call_id: str) -> dict[str, Any]:
        data = {"call_id": call_id, "menu": {}}
        return dict(await hass.services.async_call(DOMAIN, "menu", data, blocking=True, return_response=True) or {})

    phone.end(talk)
    assert (await answer(talk))["result"] == "call_ended"
    with pytest.raises(ServiceValidationError) as raised:
        await answer(phone.ring())
    assert raised.value.translation_key == "call_not_connected"


def nested(levels: int) -> dict[str, Any]:
    return {"choices": {"1": nested(levels - 1)}} if levels > 1 else {}


@pytest.mark.parametrize(
    "menu",
    [
        None,
        "menu",
        {"choices": {}},
        {"choices": {"x": {}}},
        {"choices": {"1": None}},
        {"choices": {1: {}, "1": {}}},
        {"choices": {str(number): {} for number in range(51)}},
        nested(MAX_DEPTH + 1),
        {"choices": {str(a): {"choices": {str(b): {} for b in range(40)}} for a in range(3)}},
        {"choices_are_pin": True},
        {"choices_are_pin": "yes", "choices": {313: {}}},
        {"choices_are_pin": "perhaps", "choices": {313: {}}},
        {"invalid": {}},
        {"then": "jump"},
        {"jump_to": "a"},
        {"levels": 2},
        {"media": "a.wav", "tts_language": "de"},
        {"message": "a", "media": "b"},
        {"repeat": 21},
        {"unknown": 1},
    ],
)
def test_what_is_no_menu_is_refused(menu: Any) -> None:
    with pytest.raises(vol.Invalid):
        menu_schema(menu)


@pytest.mark.parametrize(
    ("menu", "key", "told"),
    [
        (
            {"choices": {1: {"choices_are_pin": True, "choices": {313: {}}}}},
            "menu_pin_without_quotes",
            {"path": "choices → 1 → choices"},
        ),
        ({"mesage": "Hello"}, "menu_field_unknown", {"path": "mesage"}),
        ({"timeout": "soon"}, "menu_value_wrong", {"path": "timeout"}),
        (7, "menu_value_wrong", {"path": "menu"}),
    ],
)
async def test_an_action_says_what_is_wrong_with_its_menu(
    hass: HomeAssistant, phone: FakePhone, talk: str, menu: Any, key: str, told: dict[str, str]
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "menu", menu=menu)
    assert raised.value.translation_key == key
    assert raised.value.translation_placeholders == told


def test_digits_that_are_no_pin_of_several_need_no_quotes() -> None:
    assert set(menu_schema({"choices": {12: {}}})["choices"]) == {"12"}
    assert set(menu_schema({"choices_are_pin": True, "choices": {7: {}, "0471": {}}})["choices"]) == {"7", "0471"}
    assert set(menu_schema({"choices_are_pin": False, "choices": {12: {}}})["choices"]) == {"12"}


def test_a_menu_never_shows_its_pin() -> None:
    menu = build_menu(menu_schema({"choices": {"4711": {}}, "choices_are_pin": True}))
    assert "4711" not in f"{menu!r} {menu.choices['4711']!r}"
    assert menu_schema(nested(MAX_DEPTH))


async def test_a_menu_may_play_a_file(
    hass: HomeAssistant, phone: FakePhone, talk: str, open_menu: Opens, sound: FileSource
) -> None:
    task = open_menu(media=str(sound.path))
    await until(lambda: [what for what in phone.did if what[0] == "play"])
    phone.finish(talk, phone.playback_id)
    assert (await task)["result"] == "completed"
    assert [what[2] for what in phone.did if what[0] == "play"] == [sound]
