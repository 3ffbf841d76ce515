"""The triggers and conditions of the automation editor."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import voluptuous as vol
from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import CONF_OPTIONS, CONF_PLATFORM
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.condition import (
    async_from_config,
    async_get_all_descriptions as condition_descriptions,
    async_validate_condition_config,
)
from homeassistant.helpers.trigger import (
    async_get_all_descriptions as trigger_descriptions,
    async_validate_trigger_config,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.sip_ua.condition import CONDITIONS
from custom_components.sip_ua.const import DOMAIN, EVENT_CALL
from custom_components.sip_ua.guesses import PAUSE
from custom_components.sip_ua.sip.events import CallOutcome, CallState, Party, RegistrationFailure, RegistrationState
from custom_components.sip_ua.trigger import MAX_CALLS_LISTENED_TO, TRIGGERS

from .conftest import contact, make_entry
from .phone import GRANDMA, NEIGHBOUR, FakePhone, Phones

type Ran = Callable[[], Awaitable[list[dict[str, Any]]]]
type Automate = Callable[..., Awaitable[Ran]]


@pytest.fixture(name="automate")
def automate_fixture(hass: HomeAssistant) -> Automate:
    """Make an automation of one trigger, and return what tells with which trigger data it ran."""

    async def automate(trigger: str, **options: Any) -> Ran:
        ran = async_mock_service(hass, "test", "note")
        said = {"call": "{{ trigger.call_id | default }}", "description": "{{ trigger.description }}"}
        action = {"action": "test.note", "data": said}
        config = {"triggers": {"trigger": f"{DOMAIN}.{trigger}", CONF_OPTIONS: options}, "actions": action}
        assert await async_setup_component(hass, "automation", {"automation": config})
        await hass.async_block_till_done()

        async def told() -> list[dict[str, Any]]:
            await hass.async_block_till_done()
            return [call.data for call in ran]

        return told

    return automate


async def test_ringing_runs_an_automation_that_knows_who_calls(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("call_ringing")
    call_id = phone.ring()
    (data,) = await ran()
    assert data["call"] == call_id
    assert data["description"] == "call with Grandma rings"
    phone.place(NEIGHBOUR)
    assert len(await ran()) == 1, "a call of ours does not ring here"


@pytest.mark.parametrize(
    ("caller", "fits"),
    [
        (["+49301234"], True),
        ("+49*", True),
        ("grandma", True),
        ("sip:+49301234@fritz.box", True),
        (["612", "613"], False),
        ("GRAND?A", True),
        ("grand", False),
    ],
)
async def test_only_the_chosen_callers_count(
    caller: str | list[str], fits: bool, phone: FakePhone, automate: Automate
) -> None:
    ran = await automate("call_ringing", caller=caller)
    phone.ring()
    assert len(await ran()) == fits


@pytest.mark.parametrize("number", ["0301234567", "+49301234567", "0049301234567"])
@pytest.mark.parametrize(
    ("caller", "fits"),
    [
        ("030 1234567", True),
        ("+49 30 12*", True),
        ("0049301234567", True),
        ("030123456?", True),
        ("0301234", False),
        ("301234567", False),
        ("+4301234567", False),
    ],
)
async def test_a_number_means_a_caller_in_whatever_form_either_is_written(
    caller: str, fits: bool, number: str, hass: HomeAssistant, phone: FakePhone, automate: Automate
) -> None:
    hass.config.country = "DE"
    ran = await automate("call_ringing", caller=caller)
    phone.ring(Party("", number, f"sip:{number}@fritz.box"))
    assert len(await ran()) == fits


@pytest.fixture(name="contacts")
async def contacts_fixture(hass: HomeAssistant, phones: Phones) -> FakePhone:
    """Return the telephone of an account with a phone book."""
    entry = make_entry(subentries=[contact("Granny", "0301234"), contact("Neighbour", "612")])
    entry.add_to_hass(hass)
    hass.config.country = "DE"
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    return phones[-1]


def device_of(hass: HomeAssistant, name: str) -> str:
    """Return the device of a contact."""
    (device,) = (device for device in dr.async_get(hass).devices if device.name == name)
    return device.id


async def test_only_the_chosen_contacts_count_in_whatever_form_their_number_comes(
    hass: HomeAssistant, contacts: FakePhone, automate: Automate
) -> None:
    ran = await automate("call_ringing", contact=[device_of(hass, "Granny")])
    contacts.ring(NEIGHBOUR)
    contacts.ring(Party("Granny", "+49999", "sip:+49999@fritz.box"))
    assert await ran() == [], "a name that anybody can choose makes nobody a contact"
    contacts.ring(GRANDMA)
    assert len(await ran()) == 1


async def test_contacts_and_other_sides_add_up(hass: HomeAssistant, contacts: FakePhone, automate: Automate) -> None:
    ran = await automate("call_missed", contact=device_of(hass, "Granny"), caller="611")
    for party in (NEIGHBOUR, GRANDMA, Party("", "611", "sip:611@fritz.box")):
        contacts.end(contacts.ring(party), CallOutcome.MISSED)
    assert len(await ran()) == 2


async def test_a_contact_of_an_account_that_is_not_loaded_counts_no_more(
    hass: HomeAssistant, contacts: FakePhone, automate: Automate
) -> None:
    ran = await automate("call_ringing", contact=[device_of(hass, "Granny")])
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    data = {"type": "incoming", "config_entry_id": entry.entry_id, "number": GRANDMA.number}
    hass.bus.async_fire(EVENT_CALL, data)
    assert len(await ran()) == 1
    assert await hass.config_entries.async_unload(entry.entry_id)
    hass.bus.async_fire(EVENT_CALL, data)
    assert len(await ran()) == 1


async def test_only_the_chosen_account_counts(
    phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry, automate: Automate
) -> None:
    ran = await automate("call_ringing", config_entry_id=entry.entry_id)
    other_phone.ring()
    assert await ran() == []
    phone.ring()
    assert len(await ran()) == 1


async def test_an_answer_runs_it_in_the_chosen_direction(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("call_answered", direction="outgoing")
    phone.enter(phone.ring(), CallState.TALKING)
    assert await ran() == []
    phone.enter(phone.place(NEIGHBOUR), CallState.TALKING)
    (data,) = await ran()
    assert data["description"] == "call with 612 is answered"


async def test_a_missed_call_runs_it(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("call_missed")
    phone.end(phone.ring(), CallOutcome.CANCELLED)
    assert await ran() == []
    phone.end(phone.ring(), CallOutcome.MISSED)
    assert len(await ran()) == 1


async def test_an_end_runs_it_with_the_chosen_outcomes(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("call_ended", outcome=["busy", "no_answer"])
    phone.end(phone.place(NEIGHBOUR), CallOutcome.DECLINED)
    assert await ran() == []
    phone.end(phone.place(NEIGHBOUR), CallOutcome.BUSY)
    phone.end(phone.place(NEIGHBOUR), CallOutcome.NO_ANSWER)
    assert len(await ran()) == 2


async def test_a_code_runs_it_when_its_last_key_is_pressed(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("code_entered", code="12#")
    call_id, other = phone.ring(), phone.ring(NEIGHBOUR)
    for digit in "1112":
        phone.press(call_id, digit)
    phone.press(other, "#")
    assert await ran() == [], "the keys of two calls make no code"
    phone.press(call_id, "#")
    assert [data["call"] for data in await ran()] == [call_id]
    phone.press(call_id, "#")
    assert len(await ran()) == 1, "the next code begins anew"


async def test_keys_pressed_before_a_call_ended_are_forgotten(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("code_entered", code="55")
    call_id = phone.ring()
    phone.press(call_id, "5")
    phone.end(call_id)
    for _ in range(MAX_CALLS_LISTENED_TO + 1):
        phone.press(phone.ring(), "5")
    assert await ran() == []


@pytest.mark.parametrize("code", ["", "12x", "1" * 33, True, None, 1.5, 83, -1])
async def test_what_is_no_code_is_refused(hass: HomeAssistant, code: object) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    trigger = {CONF_PLATFORM: f"{DOMAIN}.code_entered", CONF_OPTIONS: {"code": code}}
    with pytest.raises(vol.Invalid, match="keys"):
        await async_validate_trigger_config(hass, [trigger])


async def test_a_code_of_one_digit_may_be_a_number(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("code_entered", code=4)
    call_id = phone.ring()
    phone.press(call_id, "4")
    assert len(await ran()) == 1


def press_all(phone: FakePhone, call_id: str, keys: str) -> None:
    for key in keys:
        phone.press(call_id, key)


async def test_a_code_cannot_be_found_by_trying_all_of_them(
    phone: FakePhone, automate: Automate, freezer: FrozenDateTimeFactory, caplog: pytest.LogCaptureFixture
) -> None:
    ran = await automate("code_entered", code="4711")
    call_id = phone.ring()
    press_all(phone, call_id, "1234" * 4 + "999")
    press_all(phone, call_id, "9")
    press_all(phone, call_id, "4711")
    assert await ran() == []
    assert "Too many wrong codes were pressed by +49301234" in caplog.text
    assert "4711" not in caplog.text
    again = phone.ring()
    press_all(phone, again, "4711")
    assert await ran() == [], "nor in the next call"
    press_all(phone, phone.ring(NEIGHBOUR), "4711")
    assert len(await ran()) == 1, "others are not concerned"
    freezer.tick(PAUSE)
    press_all(phone, call_id, "4711")
    assert len(await ran()) == 1, "a call in which it was tried too often is over for codes"
    press_all(phone, again, "4711")
    assert len(await ran()) == 2


async def test_the_last_attempt_may_be_right_and_begins_anew(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("code_entered", code="4711#", attempts=2)
    call_id = phone.ring()
    for _ in range(3):
        press_all(phone, call_id, "4712#4711#")
    assert len(await ran()) == 3


async def test_a_command_of_one_or_two_keys_may_be_pressed_as_often_as_one_likes_unless_said_otherwise(
    phone: FakePhone, automate: Automate
) -> None:
    ran = await automate("code_entered", code="*1")
    call_id = phone.ring()
    press_all(phone, call_id, "*2" * 100 + "*1")
    assert len(await ran()) == 1


async def test_attempts_may_be_limited_for_any_code(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("code_entered", code="1", attempts=3)
    press_all(phone, phone.ring(), "2221")
    assert await ran() == []


async def test_a_lost_registration_runs_it_once(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("registration_lost")
    phone.register()
    assert await ran() == []
    phone.fail(RegistrationFailure.NO_ANSWER)
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert [data["description"] for data in await ran()] == ["620@fritz.box is not registered"]
    phone.register()
    phone.fail(RegistrationFailure.LOGIN_REFUSED, 403, state=RegistrationState.REFUSED)
    assert len(await ran()) == 2


async def test_a_registration_that_is_back_runs_it(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("registration_restored")
    phone.register()
    assert await ran() == [], "it was never lost"
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert await ran() == []
    phone.register()
    phone.register()
    assert len(await ran()) == 1


async def test_the_return_of_a_registration_runs_an_automation_that_is_newer_than_its_loss(
    phone: FakePhone, automate: Automate
) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    ran = await automate("registration_restored")
    phone.register()
    assert len(await ran()) == 1


async def test_a_loss_that_is_older_than_the_automation_does_not_run_it(phone: FakePhone, automate: Automate) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    ran = await automate("registration_lost")
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert await ran() == []
    phone.register()
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert len(await ran()) == 1


async def test_a_new_message_in_the_mail_box_runs_it(
    phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry, automate: Automate
) -> None:
    ran = await automate("message_waiting", config_entry_id=entry.entry_id)
    phone.leave_messages(new=1, old=2)
    assert await ran() == [], "it was there before the phone was switched on"
    phone.leave_messages(new=2, old=2)
    assert [data["description"] for data in await ran()] == ["620@fritz.box has 2 new in the mail box"]
    phone.leave_messages(new=1, old=3)
    other_phone.leave_messages(new=0)
    other_phone.leave_messages(new=1)
    assert len(await ran()) == 1, "one was heard, and one came for another account"


async def test_a_mail_box_that_does_not_count_runs_it_too(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("message_waiting")
    phone.leave_messages(waiting=False)
    phone.leave_messages()
    assert [data["description"] for data in await ran()] == ["620@fritz.box has a new message"]


async def check(hass: HomeAssistant, condition: str, **options: Any) -> bool | None:
    config = {"condition": f"{DOMAIN}.{condition}", CONF_OPTIONS: options}
    checker = await async_from_config(hass, await async_validate_condition_config(hass, config))
    try:
        return checker.async_check()
    finally:
        checker.async_unload()


async def test_an_account_is_registered_or_not(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    assert await check(hass, "registered") is True
    assert await check(hass, "registered", config_entry_id=entry.entry_id) is True
    assert await check(hass, "registered", config_entry_id="another") is False
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert await check(hass, "registered") is False


async def test_there_is_a_call_in_the_chosen_state_or_not(hass: HomeAssistant, phone: FakePhone) -> None:
    assert await check(hass, "call_active") is False
    call_id = phone.ring()
    assert await check(hass, "call_active") is True
    assert await check(hass, "call_active", state="talking") is False
    phone.enter(call_id, CallState.TALKING)
    assert await check(hass, "call_active", state=["held", "talking"]) is True
    phone.end(call_id)
    assert await check(hass, "call_active") is False


async def test_there_is_a_call_with_the_chosen_side_or_not(hass: HomeAssistant, contacts: FakePhone) -> None:
    contacts.ring(GRANDMA)
    assert await check(hass, "call_active", contact=device_of(hass, "Granny")) is True
    assert await check(hass, "call_active", contact=device_of(hass, "Neighbour")) is False
    assert await check(hass, "call_active", caller="+49301*") is True
    assert await check(hass, "call_active", caller="612") is False
    assert await check(hass, "call_active", direction="incoming", state="ringing") is True
    assert await check(hass, "call_active", direction="outgoing") is False


async def test_a_condition_is_about_the_chosen_account_only(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    (other,) = (known for known in hass.config_entries.async_entries(DOMAIN) if known is not entry)
    phone.fail(RegistrationFailure.NO_ANSWER)
    other_phone.ring(GRANDMA)
    other.runtime_data.reception.do_not_disturb = True
    for name in CONDITIONS:
        assert await check(hass, name) is True, "any account will do"
        assert await check(hass, name, config_entry_id=other.entry_id) is True
        assert await check(hass, name, config_entry_id=entry.entry_id) is False


async def test_do_not_disturb_is_on_or_off(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    assert await check(hass, "do_not_disturb") is False
    entry.runtime_data.reception.do_not_disturb = True
    assert await check(hass, "do_not_disturb") is True
    assert await check(hass, "do_not_disturb", config_entry_id=entry.entry_id) is True


async def test_an_account_that_is_not_loaded_fulfils_nothing(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    assert phone.running
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await check(hass, "registered") is False


async def test_the_editor_finds_every_trigger_and_condition(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    triggers = await trigger_descriptions(hass)
    assert {f"{DOMAIN}.{name}" for name in TRIGGERS} <= set(triggers)
    assert all(triggers[f"{DOMAIN}.{name}"] for name in TRIGGERS), "its fields are described"
    conditions = await condition_descriptions(hass)
    assert all(conditions[f"{DOMAIN}.{name}"] for name in CONDITIONS)


async def test_a_registration_under_way_is_neither_lost_nor_restored(phone: FakePhone, automate: Automate) -> None:
    ran = await automate("registration_lost")
    phone.change(state=RegistrationState.REGISTERING)
    phone.change(state=RegistrationState.REGISTERED)
    assert await ran() == []
