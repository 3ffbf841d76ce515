"""The actions: dial, answer, hang up, hold, resume, transfer, send DTMF digits, play or speak, and more."""

from typing import Any

import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.helpers import config_validation as cv

from .action_calls import (
    CALL_FIELDS,
    RING_TIMEOUT,
    SOUND_FIELDS,
    TARGET,
    find_call,
    optional_sound,
    response_of,
    target_of,
    unless_stopped,
)
from .action_errors import translated_errors, validation_error
from .action_targets import ACCOUNT_FIELDS, calling_coordinator
from .call_book import CallBook
from .call_view import is_connected, transfer_data
from .conference_actions import (
    BRIDGE_SCHEMA,
    CONFERENCE_SCHEMA,
    SPLIT_SCHEMA,
    SWAP_SCHEMA,
    async_bridge,
    async_conference,
    async_split,
    async_swap,
)
from .const import (
    ATTR_CODE,
    ATTR_DIAL_RULE,
    ATTR_DIGITS,
    ATTR_DURATION,
    ATTR_GAP,
    ATTR_HANGUP_AFTER,
    ATTR_NUMBER,
    ATTR_RECORD,
    ATTR_RECORDING,
    ATTR_RING_TIMEOUT,
    ATTR_SEND_CALLER_ID,
    ATTR_TO_CALL_ID,
    ATTR_TRANSFER,
    ATTR_USE_DIAL_PLAN,
    ATTR_WAIT,
    CALL_STATISTICS,
    DOMAIN,
    SERVICE_ANSWER,
    SERVICE_BRIDGE,
    SERVICE_CALL_OUT,
    SERVICE_CONFERENCE,
    SERVICE_DIAL,
    SERVICE_GET_CALL_HISTORY,
    SERVICE_HANGUP,
    SERVICE_HOLD,
    SERVICE_MENU,
    SERVICE_PLAY,
    SERVICE_REDIRECT,
    SERVICE_RESUME,
    SERVICE_SEND_DTMF,
    SERVICE_SPEAK,
    SERVICE_SPLIT,
    SERVICE_START_RECORDING,
    SERVICE_STOP,
    SERVICE_STOP_RECORDING,
    SERVICE_SWAP,
    SERVICE_TRANSFER,
    SERVICE_WAIT_FOR_DTMF,
    WaitFor,
)
from .coordinator import SipUaCoordinator
from .dtmf_input import WAIT_FOR_DTMF_SCHEMA, async_wait_for_dtmf
from .escalation import CALL_OUT_SCHEMA, async_call_out
from .history_access import CALL_HISTORY_SCHEMA, async_get_call_history
from .holding import async_change_hold
from .menu import MENU_SCHEMA, async_menu
from .numbering import plain_number
from .playing import PLAY_SCHEMA, SPEAK_SCHEMA, STOP_SCHEMA, async_play, async_stop
from .recording_actions import (
    START_RECORDING_SCHEMA,
    STOP_RECORDING_SCHEMA,
    async_start_recording,
    async_stop_recording,
)
from .redirecting import REDIRECT_SCHEMA, async_redirect
from .sip.events import CallSnapshot, CallState


def _wait_for(value: Any) -> WaitFor:
    """Take what is waited for; YAML reads `no` as false where nothing is in quotes."""
    wanted: WaitFor = vol.Coerce(WaitFor)(WaitFor.NO if value is False else value)
    return wanted


DIAL_SCHEMA = vol.Schema(
    {
        **ACCOUNT_FIELDS,
        **SOUND_FIELDS,
        vol.Required(ATTR_NUMBER): TARGET,
        vol.Optional(ATTR_RING_TIMEOUT): RING_TIMEOUT,
        vol.Optional(ATTR_SEND_CALLER_ID): cv.boolean,
        vol.Optional(ATTR_USE_DIAL_PLAN, default=True): cv.boolean,
        vol.Optional(ATTR_HANGUP_AFTER, default=False): cv.boolean,
        vol.Optional(ATTR_RECORD): cv.boolean,
        vol.Optional(ATTR_WAIT, default=WaitFor.NO.value): _wait_for,
    }
)
ANSWER_SCHEMA = vol.Schema({**CALL_FIELDS, **SOUND_FIELDS, vol.Optional(ATTR_RECORD): cv.boolean})
HANGUP_SCHEMA = vol.Schema(
    {**CALL_FIELDS, vol.Optional(ATTR_CODE): vol.All(vol.Coerce(int), vol.Range(min=400, max=699))}
)
HOLD_SCHEMA = vol.Schema(CALL_FIELDS)
TRANSFER_SCHEMA = vol.All(
    vol.Schema(
        {
            **CALL_FIELDS,
            vol.Exclusive(ATTR_NUMBER, "target"): TARGET,
            vol.Exclusive(ATTR_TO_CALL_ID, "target"): cv.string,
            vol.Optional(ATTR_WAIT, default=False): cv.boolean,
        }
    ),
    cv.has_at_least_one_key(ATTR_NUMBER, ATTR_TO_CALL_ID),
)
SEND_DTMF_SCHEMA = vol.Schema(
    {
        **CALL_FIELDS,
        vol.Required(ATTR_DIGITS): vol.All(cv.string, plain_number),
        vol.Optional(ATTR_DURATION, default=100): vol.All(vol.Coerce(int), vol.Range(min=40, max=5000)),
        vol.Optional(ATTR_GAP, default=100): vol.All(vol.Coerce(int), vol.Range(min=40, max=5000)),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, handler, schema, response in (
        (SERVICE_DIAL, _dial, DIAL_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_ANSWER, _answer, ANSWER_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_HANGUP, _hangup, HANGUP_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_REDIRECT, async_redirect, REDIRECT_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_HOLD, _hold, HOLD_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_RESUME, _resume, HOLD_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_TRANSFER, _transfer, TRANSFER_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_SWAP, async_swap, SWAP_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_CONFERENCE, async_conference, CONFERENCE_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_BRIDGE, async_bridge, BRIDGE_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_SPLIT, async_split, SPLIT_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_CALL_OUT, async_call_out, CALL_OUT_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_MENU, async_menu, MENU_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_WAIT_FOR_DTMF, async_wait_for_dtmf, WAIT_FOR_DTMF_SCHEMA, SupportsResponse.ONLY),
        (SERVICE_START_RECORDING, async_start_recording, START_RECORDING_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_STOP_RECORDING, async_stop_recording, STOP_RECORDING_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_GET_CALL_HISTORY, async_get_call_history, CALL_HISTORY_SCHEMA, SupportsResponse.ONLY),
        (SERVICE_SEND_DTMF, _send_dtmf, SEND_DTMF_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_SPEAK, async_play, SPEAK_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_PLAY, async_play, PLAY_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_STOP, async_stop, STOP_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        hass.services.async_register(DOMAIN, name, handler, schema=schema, supports_response=response)


# The actions


async def _dial(call: ServiceCall) -> ServiceResponse:
    """Place a call, and say how it went as far as was waited for."""
    coordinator = calling_coordinator(call, (call.data[ATTR_NUMBER],))
    target = target_of(coordinator, call.data[ATTR_NUMBER])
    source = await optional_sound(call.hass, call.data)
    if source is None and call.data[ATTR_HANGUP_AFTER]:
        raise validation_error("hangup_after_without_sound")
    with translated_errors():
        call_id = await coordinator.async_dial(
            target,
            source=source,
            ring_timeout=call.data.get(ATTR_RING_TIMEOUT),
            hangup_after=call.data[ATTR_HANGUP_AFTER],
            caller_id=call.data.get(ATTR_SEND_CALLER_ID),
            as_it_is=not call.data[ATTR_USE_DIAL_PLAN],
        )
    if ATTR_RECORD in call.data:
        coordinator.recordings.wish(call_id, record=call.data[ATTR_RECORD])
    until: WaitFor = call.data[ATTR_WAIT]
    snapshot = coordinator.calls.find(call_id)
    if until is not WaitFor.NO:
        with unless_stopped(coordinator):
            snapshot = await coordinator.async_wait(call_id, until)
    response = response_of(call, coordinator, call_id, snapshot)
    if response is None:
        return None
    rule = coordinator.dial_plan.apply(target).rule if call.data[ATTR_USE_DIAL_PLAN] else ""
    response[ATTR_DIAL_RULE] = rule or None
    if snapshot is not None and until is WaitFor.ENDED:
        response[CALL_STATISTICS] = await coordinator.async_statistics(snapshot)
        if (recording := coordinator.recordings.result(call_id)) is not None:
            response[ATTR_RECORDING] = recording
    return response


async def _answer(call: ServiceCall) -> ServiceResponse:
    """Answer a call that rings here, and play or speak to the caller."""
    coordinator, snapshot = find_call(call, CallBook.find_ringing, "no_ringing_call")
    source = await optional_sound(call.hass, call.data)
    if ATTR_RECORD in call.data:
        coordinator.recordings.wish(snapshot.id, record=call.data[ATTR_RECORD])
    with translated_errors():
        await coordinator.async_answer(snapshot.id, source)
    return response_of(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))


async def _hangup(call: ServiceCall) -> ServiceResponse:
    """End a call, or refuse one that rings here; the other side has a moment to confirm it."""
    find = CallBook.find_to_refuse if ATTR_CODE in call.data else CallBook.find_to_hang_up
    coordinator, snapshot = find_call(call, find, "no_call")
    if ATTR_CODE in call.data and snapshot.state is not CallState.RINGING:
        raise validation_error("code_without_ringing", call_id=snapshot.id)
    with unless_stopped(coordinator), translated_errors():
        ended = await coordinator.async_end(snapshot.id, call.data.get(ATTR_CODE))
    return response_of(call, coordinator, snapshot.id, ended)


async def _hold(call: ServiceCall) -> ServiceResponse:
    """Put the other side on hold."""
    coordinator, snapshot = find_call(call, CallBook.find_unheld, "no_call_to_hold")
    return await _change_hold(call, coordinator, snapshot, held=True)


async def _resume(call: ServiceCall) -> ServiceResponse:
    """Talk again to a side that is on hold."""
    coordinator, snapshot = find_call(call, CallBook.find_held, "no_held_call")
    return await _change_hold(call, coordinator, snapshot, held=False)


async def _change_hold(
    call: ServiceCall, coordinator: SipUaCoordinator, snapshot: CallSnapshot, *, held: bool
) -> ServiceResponse:
    """Hold or resume a call."""
    if not is_connected(snapshot):
        raise validation_error("call_not_connected", call_id=snapshot.id)
    changed = await async_change_hold(coordinator, snapshot.id, held=held)
    return response_of(call, coordinator, snapshot.id, changed)


async def _transfer(call: ServiceCall) -> ServiceResponse:
    """Connect the other side with a number or with the other side of another call, and say how that went."""
    data = call.data
    other: str | None = data.get(ATTR_TO_CALL_ID)
    coordinator, snapshot = find_call(call, lambda calls: calls.find_connected(besides=other), "no_call_to_transfer")
    target = target_of(coordinator, data[ATTR_NUMBER]) if other is None else other
    if not is_connected(snapshot):
        raise validation_error("call_not_connected", call_id=snapshot.id)
    if other is not None and (
        other == snapshot.id or other not in coordinator.calls or not is_connected(coordinator.calls[other])
    ):
        raise validation_error("call_not_joinable", call_id=other)
    with unless_stopped(coordinator), translated_errors():
        if other is None:
            number = coordinator.dialed(target)
            result = await coordinator.transfers.async_to_number(snapshot.id, number, wait=data[ATTR_WAIT])
        else:
            result = await coordinator.transfers.async_to_call(snapshot.id, other, wait=data[ATTR_WAIT])
    response = response_of(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))
    if response is not None and result is not None:
        response[ATTR_TRANSFER] = {"state": result.state.value} | transfer_data(result)
    return response


async def _send_dtmf(call: ServiceCall) -> ServiceResponse:
    """Press keys, and say in which call."""
    coordinator, snapshot = find_call(call, CallBook.find_audible, "no_audible_call")
    with translated_errors():
        await coordinator.async_send_digits(
            snapshot.id, call.data[ATTR_DIGITS].upper(), duration=call.data[ATTR_DURATION], gap=call.data[ATTR_GAP]
        )
    return response_of(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))
