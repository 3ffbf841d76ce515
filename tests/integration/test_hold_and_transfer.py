"""The actions hold, resume and transfer: which call, what is done, what is answered, and what is refused."""

import asyncio
from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.sip_ua.sip.events import CallState, TransferState

from .conftest import act, do, until
from .phone import GRANDMA, NEIGHBOUR, FakePhone


def talk(phone: FakePhone, state: CallState = CallState.TALKING) -> str:
    """Return a call that was answered a second after the one before."""
    phone.now += 1
    call_id = phone.ring(GRANDMA)
    phone.enter(call_id, CallState.TALKING)
    if state is not CallState.TALKING:
        phone.enter(call_id, state)
    return call_id


async def refusal(hass: HomeAssistant, action: str, **data: Any) -> str | None:
    """Perform an action that is refused and return the key of the text."""
    with pytest.raises(HomeAssistantError) as raised:
        await do(hass, action, **data)
    return raised.value.translation_key


# Hold and resume


async def test_a_call_is_held_and_resumed(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = talk(phone)
    held = await act(hass, "hold")
    assert (held["call_id"], held["state"], held["outcome"]) == (call_id, "held", "answered")
    resumed = await act(hass, "resume")
    assert (resumed["call_id"], resumed["state"]) == (call_id, "talking")
    assert phone.did == [("hold", call_id), ("resume", call_id)]


async def test_hold_takes_the_call_that_talks_and_resume_the_newest_that_is_held(
    hass: HomeAssistant, phone: FakePhone
) -> None:
    held, talking, newest = talk(phone, CallState.HELD), talk(phone), talk(phone, CallState.HELD)
    await do(hass, "hold")
    await do(hass, "hold", call_id=held)
    await do(hass, "resume")
    await do(hass, "resume", call_id=talking)
    assert phone.did == [("hold", talking), ("hold", held), ("resume", newest), ("resume", talking)]


async def test_a_call_that_the_other_side_holds_can_be_held_too(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = talk(phone, CallState.REMOTE_HELD)
    assert (await act(hass, "hold"))["state"] == "held"
    assert phone.did == [("hold", call_id)]


async def test_what_cannot_be_held_or_resumed_says_why(hass: HomeAssistant, phone: FakePhone) -> None:
    ringing = phone.ring()
    assert await refusal(hass, "hold") == "no_call_to_hold"
    assert await refusal(hass, "hold", call_id=ringing) == "call_not_connected"
    phone.end(ringing)
    talk(phone)
    assert await refusal(hass, "resume") == "no_held_call"
    assert await refusal(hass, "resume", call_id="call99") == "call_not_found"
    assert phone.did == []


@pytest.mark.parametrize(("action", "state"), [("hold", CallState.TALKING), ("resume", CallState.HELD)])
async def test_another_side_that_does_not_agree_is_told(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch, action: str, state: CallState
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.holding.HOLD_TIMEOUT", 0)
    call_id = talk(phone, state)
    phone.agrees = False
    assert await refusal(hass, action) == "hold_not_agreed"
    # Asked to be as before again, so that an answer that comes later changes nothing.
    assert phone.did == [(action, call_id), ("resume" if action == "hold" else "hold", call_id)]


async def test_a_call_that_ends_while_it_is_to_be_held_has_ended(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = talk(phone)
    phone.agrees = False
    task = hass.async_create_task(act(hass, "hold"))
    await until(lambda: phone.did)
    assert not task.done()
    phone.end(call_id)
    assert (await task)["state"] == "ended"


# Transfers


async def test_a_blind_transfer_goes_out_without_waiting(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = talk(phone)
    answer = await act(hass, "transfer", number="+49 (30) 12-34")
    assert phone.did == [("transfer", call_id, "+49301234")]
    assert (answer["call_id"], answer["state"]) == (call_id, "talking")
    assert "transfer" not in answer


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        (TransferState.SUCCEEDED, 200, "OK"),
        (TransferState.FAILED, 486, "Busy Here"),
        (TransferState.UNKNOWN, 0, ""),
    ],
)
async def test_a_transfer_that_is_waited_for_returns_how_it_went(
    hass: HomeAssistant, phone: FakePhone, state: TransferState, code: int, reason: str
) -> None:
    call_id = talk(phone)
    task = hass.async_create_task(act(hass, "transfer", number="612", wait=True))
    await until(lambda: phone.did)
    phone.progress(phone.calls[call_id], TransferState.ACCEPTED)
    phone.progress(phone.calls[call_id], TransferState.PROGRESS, 180, "Ringing")
    await asyncio.sleep(0)
    assert not task.done()
    phone.progress(phone.calls[call_id], state, code, reason)
    answer = await task
    assert answer["transfer"] == {"state": state.value, "target": "612", "code": code, "reason": reason}


async def test_an_attended_transfer_joins_another_call(hass: HomeAssistant, phone: FakePhone) -> None:
    first, second = talk(phone, CallState.HELD), talk(phone)
    await do(hass, "transfer", to_call_id=second)
    await do(hass, "transfer", to_call_id=first)
    await do(hass, "transfer", call_id=second, to_call_id=first)
    assert phone.did == [
        ("transfer_to", first, second),
        ("transfer_to", second, first),
        ("transfer_to", second, first),
    ]


async def test_calls_that_cannot_be_joined_say_so(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    call_id = talk(phone)
    elsewhere = talk(other_phone)
    other_phone.end(elsewhere)
    ringing = phone.ring(NEIGHBOUR)
    for other in (ringing, call_id, elsewhere):
        assert await refusal(hass, "transfer", call_id=call_id, to_call_id=other) == "call_not_joinable"
    assert await refusal(hass, "transfer", to_call_id=elsewhere) == "no_call_to_transfer"
    assert await refusal(hass, "transfer", call_id=ringing, number="612") == "call_not_connected"
    assert phone.did == []


async def test_the_other_call_tells_the_account(hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone) -> None:
    talk(phone)
    first, second = talk(other_phone), talk(other_phone)
    await do(hass, "transfer", to_call_id=second)
    assert other_phone.did == [("transfer_to", first, second)]


async def test_a_transfer_needs_exactly_one_target(hass: HomeAssistant, phone: FakePhone) -> None:
    talk(phone)
    with pytest.raises(vol.Invalid):
        await do(hass, "transfer")
    with pytest.raises(vol.Invalid):
        await do(hass, "transfer", number="612", to_call_id="call1")
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "transfer", number=" ")
    assert raised.value.translation_key == "number_missing"
    assert await refusal(hass, "transfer", number="612", call_id="call99") == "call_not_found"


async def test_waiting_for_a_transfer_ends_with_the_account(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    talk(phone)
    task = hass.async_create_task(do(hass, "transfer", number="612", wait=True))
    await until(lambda: phone.did)
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "account_stopped"


async def test_a_script_goes_on_after_a_transfer_that_the_end_of_the_account_cut_short(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    notes = async_mock_service(hass, "test", "note")
    transfer = {
        "action": "sip_ua.transfer",
        "data": {"number": "612", "wait": True},
        "response_variable": "went",
        "continue_on_error": True,
    }
    script = {"move": {"sequence": [transfer, {"action": "test.note"}]}}
    assert await async_setup_component(hass, "script", {"script": script})
    talk(phone)
    task = hass.async_create_task(hass.services.async_call("script", "move", blocking=True))
    await until(lambda: phone.did)
    assert await hass.config_entries.async_unload(entry.entry_id)
    await task
    assert len(notes) == 1


async def test_a_script_that_is_stopped_ends_its_wait_for_a_transfer(hass: HomeAssistant, phone: FakePhone) -> None:
    talk(phone)
    task = hass.async_create_task(do(hass, "transfer", number="612", wait=True))
    await until(lambda: phone.did)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
