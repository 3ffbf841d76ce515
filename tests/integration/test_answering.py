"""What answers calls that nobody takes: a message, with or without a recording, or a saved menu; for whom, and when."""

import asyncio
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.sip_ua import answering
from custom_components.sip_ua.answering import TONE
from custom_components.sip_ua.answering_rules import AnsweredBy, AnsweringRules
from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.net.recording_order import RecordedSides
from custom_components.sip_ua.sip.events import CallState, Party

from .conftest import contact, make_entry, settle, until
from .phone import GRANDMA, NEIGHBOUR, NO_PORT, FakePhone, Phones
from .test_contacts import submit as submit_contact
from .test_incoming_rules import later
from .test_options import submit
from .test_saved_menus import saved

MENU = {
    "message": "1 opens the gate",
    "timeout": 0.1,
    "repeat": 0,
    "choices": {"1": {"actions": [{"action": "test.open"}]}},
}


def account(*contacts: Any, options: dict[str, Any] | None = None, **rules: Any) -> MockConfigEntry:
    """Return an account that is answered at once, with Grandma in its phone book."""
    return make_entry(
        subentries=[contact("Grandma", "+49301234"), saved("Gate", MENU), *contacts],
        options={"answering": {"answered_by": "message", "answer_after": 0, "answer_message": "Hello", **rules}}
        | (options or {}),
    )


async def start(hass: HomeAssistant, phones: Phones, entry: MockConfigEntry) -> FakePhone:
    """Return the telephone of an account, whose sounds are heard at once."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    phones[-1].plays_at_once = True
    return phones[-1]


@pytest.fixture(name="said", autouse=True)
def said_fixture(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Hear what is spoken, and by which engine."""
    said: list[tuple[str, str | None]] = []

    def speech(_hass: HomeAssistant, message: str, *, engine: str | None = None, **_how: Any) -> str:
        said.append((message, engine))
        return message

    monkeypatch.setattr("custom_components.sip_ua.answering.speech_source", speech)
    monkeypatch.setattr("custom_components.sip_ua.action_calls.speech_source", speech)
    return said


def let(hass: HomeAssistant, **rules: Any) -> None:
    """Let other rules apply at once."""
    hass.config_entries.async_entries(DOMAIN)[0].runtime_data.answering = AnsweringRules(**rules)


def deeds(phone: FakePhone) -> list[str]:
    return [what[0] for what in phone.did]


def issues(hass: HomeAssistant) -> dict[str, dict[str, Any]]:
    return {
        str(issue.translation_key): dict(issue.data or {})
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN and issue.active
    }


# For whom, and when


async def test_a_contact_hears_the_message_and_the_call_ends(
    hass: HomeAssistant, phones: Phones, said: list[tuple[str, str | None]]
) -> None:
    phone = await start(hass, phones, account(answer_tts="tts.parrot"))
    call_id = phone.ring(GRANDMA)
    await until(lambda: not phone.calls)
    assert phone.did == [("answer", call_id, "Hello"), ("hangup", call_id)]
    assert said == [("Hello", "tts.parrot")]
    assert issues(hass) == {}


async def test_a_stranger_rings_on_unless_everybody_is_answered(hass: HomeAssistant, phones: Phones) -> None:
    phone = await start(hass, phones, account())
    phone.ring(NEIGHBOUR)
    await settle()
    assert phone.did == []
    let(hass, answered_by="message", answer_message="Hello", answer_whom="everybody", answer_after=0)
    call_id = phone.ring(NEIGHBOUR)
    await until(lambda: call_id not in phone.calls)
    assert deeds(phone) == ["answer", "hangup"]


@pytest.mark.parametrize("answered_by", ["message", "menu"])
async def test_who_comes_past_the_server_only_rings_where_everybody_is_answered(
    hass: HomeAssistant, phones: Phones, answered_by: str
) -> None:
    phone = await start(hass, phones, account())
    let(hass, answered_by=answered_by, answer_message="Hi", answer_menu="Gate", answer_whom="everybody", answer_after=0)
    phone.ring(NEIGHBOUR, past_server=True)
    await settle()
    assert phone.did == []
    phone.ring(NEIGHBOUR)
    await until(lambda: "answer" in deeds(phone))


def test_assist_talks_with_nobody_whom_only_the_network_vouches_for() -> None:
    rules = AnsweringRules(answered_by="assist", answer_whom="everybody")
    assert rules.answer_to(None) is AnsweredBy.ASSIST
    assert rules.answer_to(None, past_server=True) is AnsweredBy.NOBODY


async def test_a_contact_that_is_called_directly_is_answered_past_the_server(
    hass: HomeAssistant, phones: Phones
) -> None:
    address = "sip:door@192.0.2.50"
    phone = await start(hass, phones, account(contact("Door", address, way="direct")))
    call_id = phone.ring(Party("", "door@192.0.2.50", address), past_server=True)
    await until(lambda: call_id not in phone.calls)
    assert deeds(phone) == ["answer", "hangup"]


async def test_several_callers_hear_the_message_at_once(hass: HomeAssistant, phones: Phones) -> None:
    phone = await start(hass, phones, account())
    phone.plays_at_once = False
    calls = [phone.ring(GRANDMA) for _ in range(3)]
    await settle()
    assert phone.did == [("answer", call_id, "Hello") for call_id in calls]
    phone.plays_at_once = True
    for call_id in reversed(calls):
        phone.finish(call_id, 1)
    await until(lambda: not phone.calls)
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("account_says", "contact_says", "deed"),
    [
        ("message", "nobody", []),
        ("nobody", "message", ["answer", "hangup"]),
        ("nobody", "account", []),
        ("message", "account", ["answer", "hangup"]),
    ],
)
async def test_a_contact_may_have_an_answer_of_its_own(
    hass: HomeAssistant, phones: Phones, account_says: str, contact_says: str, deed: list[str]
) -> None:
    boss = contact("Boss", "612", answered_by=contact_says)
    phone = await start(hass, phones, account(boss, answered_by=account_says))
    phone.ring(NEIGHBOUR)
    await settle()
    assert deeds(phone) == deed


async def test_who_is_quicker_has_the_call(hass: HomeAssistant, phones: Phones) -> None:
    phone = await start(hass, phones, account())
    let(hass, answered_by="message", answer_message="Hello", answer_after=20)
    taken, given_up = phone.ring(GRANDMA), phone.ring(GRANDMA)
    phone.enter(taken, CallState.TALKING)
    phone.end(given_up)
    waiting = phone.ring(GRANDMA)
    await later(hass, 19)
    assert phone.did == []
    await later(hass, 20)
    await until(lambda: waiting not in phone.calls)
    assert phone.did == [("answer", waiting, "Hello"), ("hangup", waiting)]
    assert list(phone.calls) == [taken]


async def test_a_contact_that_is_answered_by_itself_hears_no_message(hass: HomeAssistant, phones: Phones) -> None:
    door = contact("Door", "612", on_call="auto_answer")
    phone = await start(hass, phones, account(door, options={"calls": {"auto_answer_delay": 0}}))
    await hass.services.async_call(
        "switch", "turn_on", {"entity_id": "switch.620_fritz_box_auto_answer"}, blocking=True
    )
    call_id = phone.ring(NEIGHBOUR)
    await settle()
    assert phone.did == [("answer", call_id, None)]


@pytest.mark.parametrize(
    ("after", "waiting", "deeds_at"),
    [
        (20, 20, {19: [], 20: ["answer"]}),
        (10, 20, {9: [], 10: ["answer"], 21: ["answer"]}),
        (30, 20, {19: [], 20: ["turn_away"], 31: ["turn_away"]}),
    ],
)
async def test_a_waiting_caller_is_answered_unless_the_line_is_busy_before(
    hass: HomeAssistant, phones: Phones, after: int, waiting: int, deeds_at: dict[int, list[str]]
) -> None:
    incoming = {"call_waiting_timeout": waiting}
    phone = await start(hass, phones, account(answer_after=after, options={"incoming": incoming}))
    phone.plays_at_once = False
    phone.enter(phone.ring(NEIGHBOUR), CallState.TALKING)
    phone.ring(GRANDMA)
    for moment, expected in deeds_at.items():
        await later(hass, moment)
        assert deeds(phone) == expected


async def test_an_answer_that_takes_its_time_is_not_overtaken_by_a_busy_line(
    hass: HomeAssistant, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()
    answer = FakePhone.answer

    async def slowly(phone: FakePhone, call_id: str, **how: Any) -> None:
        await answered.wait()
        await answer(phone, call_id, **how)

    monkeypatch.setattr(FakePhone, "answer", slowly)
    phone = await start(hass, phones, account(answer_after=20))
    phone.plays_at_once = False
    phone.enter(phone.ring(NEIGHBOUR), CallState.TALKING)
    call_id = phone.ring(GRANDMA)
    await later(hass, 20)
    await later(hass, 25)
    assert phone.did == []
    answered.set()
    await settle()
    assert phone.did == [("answer", call_id, "Hello")]


async def test_a_waiting_caller_whom_nothing_can_answer_hears_that_the_line_is_busy(
    hass: HomeAssistant, phones: Phones
) -> None:
    phone = await start(hass, phones, account())
    let(hass, answered_by="assist", answer_after=20)
    phone.enter(phone.ring(NEIGHBOUR), CallState.TALKING)
    waiting = phone.ring(GRANDMA)
    await later(hass, 20)
    await later(hass, 20)
    assert phone.did == [("turn_away", waiting, 486)]


async def test_a_waiting_caller_is_answered_later_when_the_line_has_become_free(
    hass: HomeAssistant, phones: Phones
) -> None:
    phone = await start(hass, phones, account(answer_after=30))
    phone.plays_at_once = False
    first = phone.ring(NEIGHBOUR)
    phone.enter(first, CallState.TALKING)
    waiting = phone.ring(GRANDMA)
    phone.end(first)
    await later(hass, 20)
    await later(hass, 29)
    assert phone.did == []
    await later(hass, 30)
    assert phone.did == [("answer", waiting, "Hello")]


async def test_nothing_answers_any_more_once_the_account_is_unloaded(hass: HomeAssistant, phones: Phones) -> None:
    entry = account(answer_after=20)
    phone = await start(hass, phones, entry)
    incoming = entry.runtime_data.incoming
    phone.ring(GRANDMA)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert incoming.taker is None
    await later(hass, 20)
    assert phone.did == [("stop",)]


async def test_what_is_over_by_then_or_is_not_to_be_answered_any_more_is_not(
    hass: HomeAssistant, phones: Phones
) -> None:
    entry = account(answer_after=20)
    phone = await start(hass, phones, entry)
    phone.ring(GRANDMA)
    let(hass, answered_by="nobody")
    await later(hass, 20)
    let(hass, answered_by="message", answer_message="Hello")
    await entry.runtime_data.incoming.taker.take("gone")
    assert phone.did == []


# Contacts that are answered by themselves

WAITING = {"call_waiting_timeout": 50}


@pytest.fixture(name="door")
async def door_fixture(hass: HomeAssistant, phones: Phones) -> FakePhone:
    """Return a telephone that answers the door by itself after two seconds, and everybody after twenty."""
    door = contact("Door", "612", on_call="auto_answer")
    phone = await start(hass, phones, account(door, answer_after=20, options={"incoming": WAITING}))
    phone.plays_at_once = False
    await hass.services.async_call(
        "switch", "turn_on", {"entity_id": "switch.620_fritz_box_auto_answer"}, blocking=True
    )
    return phone


async def test_the_door_is_answered_as_soon_as_the_line_is_free(hass: HomeAssistant, door: FakePhone) -> None:
    talk = door.ring(GRANDMA)
    door.enter(talk, CallState.TALKING)
    first, second = door.ring(NEIGHBOUR), door.ring(NEIGHBOUR)
    await later(hass, 2)
    await later(hass, 19)
    assert door.did == []
    door.end(talk)
    await settle()
    assert door.did == [("answer", first, None)]
    door.end(first)
    await settle()
    assert door.did == [("answer", first, None), ("answer", second, None)]


async def test_the_door_is_not_answered_before_its_time(hass: HomeAssistant, door: FakePhone) -> None:
    talk = door.ring(GRANDMA)
    door.enter(talk, CallState.TALKING)
    call_id = door.ring(NEIGHBOUR)
    door.end(talk)
    await later(hass, 1)
    assert door.did == []
    await later(hass, 2)
    assert door.did == [("answer", call_id, None)]


async def test_where_the_line_stays_busy_the_door_is_answered_as_everybody(
    hass: HomeAssistant, door: FakePhone
) -> None:
    talk = door.ring(GRANDMA)
    door.enter(talk, CallState.TALKING)
    call_id = door.ring(NEIGHBOUR)
    await later(hass, 2)
    await later(hass, 20)
    assert door.did == [("answer", call_id, "Hello")]
    door.end(talk)
    await settle()
    assert door.did == [("answer", call_id, "Hello")]


async def test_a_message_does_not_take_what_is_answered_by_itself_later(
    hass: HomeAssistant, phones: Phones, door: FakePhone
) -> None:
    door.end(door.ring(NEIGHBOUR))
    let(hass, answered_by="message", answer_message="Hello", answer_after=1)
    call_id = door.ring(NEIGHBOUR)
    await later(hass, 1)
    assert door.did == []
    await later(hass, 2)
    assert door.did == [("answer", call_id, None)]


async def test_the_door_rings_on_when_the_switch_is_off_again(hass: HomeAssistant, door: FakePhone) -> None:
    talk = door.ring(GRANDMA)
    door.enter(talk, CallState.TALKING)
    call_id = door.ring(NEIGHBOUR)
    await later(hass, 2)
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": "switch.620_fritz_box_auto_answer"}, blocking=True
    )
    door.end(talk)
    await settle()
    assert door.did == []
    await later(hass, 20)
    assert door.did == [("answer", call_id, "Hello")]


async def test_assist_that_is_not_there_answers_nobody(hass: HomeAssistant, phones: Phones) -> None:
    phone = await start(hass, phones, account())
    let(hass, answered_by="assist", answer_after=0)
    phone.ring(GRANDMA)
    await settle()
    assert phone.did == []


# Taking a message


async def test_after_the_tone_the_caller_is_recorded_up_to_the_key(hass: HomeAssistant, phones: Phones) -> None:
    phone = await start(hass, phones, account(take_message=True))
    call_id = phone.ring(GRANDMA)
    await until(lambda: phone.orders)
    assert phone.did[1] == ("play", call_id, TONE, False, 0.0)
    assert phone.orders[call_id].sides is RecordedSides.RECEIVED
    phone.begin_recording(call_id)
    phone.press(call_id, "5")
    await settle()
    assert phone.calls
    phone.press(call_id, "#")
    await until(lambda: not phone.calls)
    assert issues(hass) == {}


async def test_the_caller_ends_a_message_by_hanging_up_or_when_the_time_is_over(
    hass: HomeAssistant, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await start(hass, phones, account(take_message=True))
    call_id = phone.ring(GRANDMA)
    await until(lambda: phone.orders)
    phone.begin_recording(call_id)
    await settle()
    phone.end_recording(call_id)
    phone.end(call_id)
    await settle()
    assert "hangup" not in deeds(phone)
    monkeypatch.setattr(answering, "LONGEST_MESSAGE", 0.01)
    call_id = phone.ring(GRANDMA)
    await until(lambda: phone.orders)
    phone.begin_recording(call_id)
    await until(lambda: not phone.calls)
    assert phone.did[-1] == ("hangup", call_id)
    assert issues(hass) == {}


async def test_a_call_that_is_recorded_anyway_has_one_recording(hass: HomeAssistant, phones: Phones) -> None:
    recorded = {"recording": {"record_calls": "incoming"}}
    phone = await start(hass, phones, account(take_message=True, options=recorded))
    call_id = phone.ring(GRANDMA)
    await until(lambda: ("play", call_id, TONE, False, 0.0) in phone.did)
    phone.begin_recording(call_id)
    await settle()
    phone.press(call_id, "#")
    await until(lambda: not phone.calls)
    assert deeds(phone).count("record") == 1
    assert phone.orders[call_id].sides is RecordedSides.MIXED


async def test_who_hangs_up_at_the_message_or_the_tone_leaves_none(hass: HomeAssistant, phones: Phones) -> None:
    phone = await start(hass, phones, account(take_message=True))
    phone.plays_at_once = False
    call_id = phone.ring(GRANDMA)
    await until(lambda: phone.did)
    phone.end(call_id)
    await settle()
    call_id = phone.ring(GRANDMA)
    await settle()
    phone.finish(call_id, 1)
    await until(lambda: deeds(phone)[-1] == "play")
    phone.end(call_id)
    await settle()
    assert deeds(phone) == ["answer", "answer", "play"]
    assert issues(hass) == {}


# What goes wrong


async def test_what_cannot_be_said_lets_it_ring_and_stands_in_repairs_until_it_is_said(
    hass: HomeAssistant, phones: Phones, monkeypatch: pytest.MonkeyPatch, said: list[tuple[str, str | None]]
) -> None:
    phone = await start(hass, phones, account())

    def missing(*_: Any, **__: Any) -> Any:
        raise HomeAssistantError("there is no voice")

    with patch("custom_components.sip_ua.answering.speech_source", missing):
        call_id = phone.ring(GRANDMA)
        await settle()
    assert phone.did == []
    assert phone.calls[call_id].state is CallState.RINGING
    assert issues(hass)["answering_failed"]["error"] == "Home Assistant says: there is no voice."
    phone.end(call_id)
    phone.ring(GRANDMA)
    await until(lambda: not phone.calls)
    assert issues(hass) == {}


async def test_a_message_that_is_not_written_a_menu_that_is_gone_and_no_port_are_told(
    hass: HomeAssistant, phones: Phones
) -> None:
    phone = await start(hass, phones, account(answer_message="", answer_menu="Door"))
    phone.ring(GRANDMA)
    await settle()
    assert "none is written" in issues(hass)["answering_failed"]["error"]
    let(hass, answered_by="menu", answer_after=0, answer_menu="Door")
    phone.ring(GRANDMA)
    await settle()
    assert "Door" in issues(hass)["answering_failed"]["error"]
    let(hass, answered_by="message", answer_after=0, answer_message="Hello")
    phone.error = NO_PORT
    phone.ring(GRANDMA)
    await settle()
    assert "port" in issues(hass)["answering_failed"]["error"]
    assert [call.state for call in phone.calls.values()] == [CallState.RINGING] * 3


async def test_a_call_whose_message_breaks_off_or_never_ends_is_ended(
    hass: HomeAssistant, phones: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await start(hass, phones, account())
    phone.plays_at_once = False
    call_id = phone.ring(GRANDMA)
    await settle()
    phone.finish(call_id, 1, "the sound breaks off")
    await until(lambda: not phone.calls)
    assert "could not be played" in issues(hass)["answering_failed"]["error"]
    monkeypatch.setattr("custom_components.sip_ua.announcement.SPEAKING_TIMEOUT", 0.01)
    phone.ring(GRANDMA)
    await until(lambda: not phone.calls)
    assert "time" in issues(hass)["answering_failed"]["error"]
    monkeypatch.setattr("custom_components.sip_ua.announcement.SPEAKING_TIMEOUT", 600)
    monkeypatch.setattr(answering, "LONGEST_CALL", 0.01)
    phone.ring(GRANDMA)
    await until(lambda: not phone.calls)
    assert issues(hass)["answering_failed"]["error"] == "It took too long, so the call was ended."


async def test_why_nobody_was_answered_is_told_in_the_language_of_home_assistant(
    hass: HomeAssistant, phones: Phones
) -> None:
    hass.config.language = "de"
    phone = await start(hass, phones, account(answered_by="menu", answer_menu="Tür"))
    phone.ring(GRANDMA)
    await settle()
    assert issues(hass)["answering_failed"]["error"].startswith("Unter dem Namen Tür ist kein Menü gespeichert.")


# A menu


async def test_a_saved_menu_leads_the_caller_and_the_call_ends_with_it(
    hass: HomeAssistant, phones: Phones, said: list[tuple[str, str | None]]
) -> None:
    opened = async_mock_service(hass, "test", "open")
    phone = await start(hass, phones, account(answered_by="menu", answer_menu="Gate"))
    call_id = phone.ring(GRANDMA)
    await until(lambda: said)
    phone.press(call_id, "1")
    await until(lambda: not phone.calls)
    assert said == [("1 opens the gate", None)]
    assert len(opened) == 1
    assert deeds(phone)[-1] == "hangup"
    assert issues(hass) == {}


# The form


@pytest.mark.parametrize(
    ("incoming", "after", "errors"),
    [
        ({}, 60, {"answer_after": "answer_after_too_long"}),
        ({}, 59, None),
        ({"forward_no_answer": "612"}, 20, {"answer_after": "answer_after_too_long"}),
        ({"forward_no_answer": "612"}, 19, None),
        ({"call_waiting_timeout": 15}, 16, {"answer_after": "answer_after_waiting"}),
        ({"call_waiting_timeout": 15}, 15, None),
        ({"call_waiting_timeout": 15, "call_waiting": False}, 16, None),
        ({"call_waiting_timeout": 20}, 30, None),
    ],
)
async def test_a_call_rings_long_enough_to_be_answered(
    hass: HomeAssistant,
    phones: Phones,
    incoming: dict[str, Any],
    after: int,
    errors: dict[str, str] | None,
) -> None:
    entry = account(options={"incoming": incoming}, answered_by="nobody")
    await start(hass, phones, entry)
    result = await submit(
        hass, entry, "answering", answered_by="message", answer_whom="contacts", answer_after=after, answer_message="Hi"
    )
    assert result.get("errors") == errors


@pytest.mark.parametrize(
    ("by", "errors"), [("assist", {"forward_after": "forward_after_before_answer"}), ("nobody", None)]
)
async def test_calls_go_elsewhere_only_after_they_would_be_answered(
    hass: HomeAssistant, phones: Phones, by: str, errors: dict[str, str] | None
) -> None:
    entry = account(answered_by=by, answer_after=30)
    await start(hass, phones, entry)
    fields = {"call_waiting": True, "call_waiting_timeout": 20, "block_anonymous": False, "forward_after": 20}
    result = await submit(hass, entry, "incoming", forward_no_answer="612", **fields)
    assert result.get("errors") == errors


@pytest.mark.parametrize(
    ("by", "waiting", "errors"),
    [
        ("assist", 29, {"call_waiting_timeout": "waiting_before_answer"}),
        ("assist", 30, None),
        ("assist", 20, None),
        ("nobody", 29, None),
    ],
)
async def test_who_waits_is_not_refused_before_the_answer(
    hass: HomeAssistant, phones: Phones, by: str, waiting: int, errors: dict[str, str] | None
) -> None:
    entry = account(answered_by=by, answer_after=30)
    await start(hass, phones, entry)
    fields = {"call_waiting": True, "block_anonymous": False, "forward_after": 20}
    result = await submit(hass, entry, "incoming", call_waiting_timeout=waiting, **fields)
    assert result.get("errors") == errors


@pytest.mark.parametrize(("answer", "refused"), [("message", True), ("nobody", False), ("account", False)])
async def test_the_answer_of_a_contact_has_its_time_even_where_the_account_has_none(
    hass: HomeAssistant, phones: Phones, answer: str, refused: bool
) -> None:
    boss = contact("Boss", "612", answered_by=answer)
    entry = account(boss, options={"incoming": {"forward_no_answer": "613"}}, answered_by="nobody", answer_after=10)
    await start(hass, phones, entry)
    fields = {"answered_by": "nobody", "contact_answers": ["message"], "answer_message": "Hi"}
    result = await submit(hass, entry, "answering", answer_after=20, **fields)
    assert result.get("errors") == ({"answer_after": "answer_after_too_long"} if refused else None)


@pytest.mark.parametrize(
    ("incoming", "answer", "errors"),
    [
        ({"forward_no_answer": "613", "forward_after": 30}, "message", {"answered_by": "contact_answered_too_late"}),
        ({"forward_no_answer": "613", "forward_after": 31}, "message", None),
        ({"forward_no_answer": "613", "forward_after": 30}, "account", None),
        ({"call_waiting_timeout": 29}, "assist", {"answered_by": "contact_answered_too_late"}),
        ({"call_waiting_timeout": 30}, "assist", None),
    ],
)
async def test_a_contact_is_told_that_its_answer_would_come_too_late(
    hass: HomeAssistant, phones: Phones, incoming: dict[str, Any], answer: str, errors: dict[str, str] | None
) -> None:
    entry = account(options={"incoming": incoming}, answered_by="nobody", answer_after=30)
    await start(hass, phones, entry)
    result = await submit_contact(hass, entry, name="Boss", number="612", answered_by=answer)
    assert result.get("errors") == errors
    await hass.async_block_till_done()
