"""The actions: dial, answer, hang up, hold, resume, transfer, send DTMF digits, and play a sound or speak."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, service

from .action_errors import translated_errors, validation_error
from .call_book import CallBook
from .call_view import call_data, is_connected, transfer_data
from .const import (
    ATTR_CALL_ID,
    ATTR_CODE,
    ATTR_DIGITS,
    ATTR_DURATION,
    ATTR_GAP,
    ATTR_HANGUP_AFTER,
    ATTR_LOOP,
    ATTR_MEDIA,
    ATTR_MESSAGE,
    ATTR_NUMBER,
    ATTR_RING_TIMEOUT,
    ATTR_TO_CALL_ID,
    ATTR_TRANSFER,
    ATTR_TTS_ENGINE,
    ATTR_TTS_LANGUAGE,
    ATTR_TTS_OPTIONS,
    ATTR_VOLUME,
    ATTR_WAIT,
    CALL_STATISTICS,
    DOMAIN,
    SERVICE_ANSWER,
    SERVICE_DIAL,
    SERVICE_HANGUP,
    SERVICE_HOLD,
    SERVICE_PLAY,
    SERVICE_RESUME,
    SERVICE_SEND_DTMF,
    SERVICE_TRANSFER,
    WaitFor,
)
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .net.audio import AudioSource
from .settings import plain_target
from .sip.events import CallSnapshot, CallState
from .sound import media_source_of, speech_source

DIGITS = r"^[0-9A-Da-d*#,]{1,64}$"
TARGET_LENGTH_MAX = 255
MESSAGE_LENGTH_MAX = 5000
HANGUP_TIMEOUT = 2.0
HOLD_TIMEOUT = 5.0


def _media(value: Any) -> str:
    """Take a media-content id, or what the media selector gives."""
    if isinstance(value, dict):
        value = value.get("media_content_id")
    return cv.string(value)


def _device(value: Any) -> str:
    """Take one device, also as the list that a target gives."""
    devices = cv.ensure_list(value)
    if len(devices) != 1:
        raise vol.Invalid("one device is wanted")
    return cv.string(devices[0])


ACCOUNT_FIELDS = {
    vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
    vol.Optional(ATTR_DEVICE_ID): _device,
}
CALL_FIELDS = {**ACCOUNT_FIELDS, vol.Optional(ATTR_CALL_ID): cv.string}
SOUND_FIELDS = {
    vol.Exclusive(ATTR_MESSAGE, "sound"): vol.All(cv.string, vol.Length(min=1, max=MESSAGE_LENGTH_MAX)),
    vol.Exclusive(ATTR_MEDIA, "sound"): vol.All(_media, vol.Length(min=1)),
    vol.Optional(ATTR_TTS_ENGINE): cv.string,
    vol.Optional(ATTR_TTS_LANGUAGE): cv.string,
    vol.Optional(ATTR_TTS_OPTIONS): dict,
}
SPEECH_FIELDS = frozenset({ATTR_TTS_ENGINE, ATTR_TTS_LANGUAGE, ATTR_TTS_OPTIONS})

TARGET = vol.All(cv.string, vol.Length(max=TARGET_LENGTH_MAX))

DIAL_SCHEMA = vol.Schema(
    {
        **ACCOUNT_FIELDS,
        **SOUND_FIELDS,
        vol.Required(ATTR_NUMBER): TARGET,
        vol.Optional(ATTR_RING_TIMEOUT): vol.All(vol.Coerce(int), vol.Range(min=5, max=600)),
        vol.Optional(ATTR_HANGUP_AFTER, default=False): cv.boolean,
        vol.Optional(ATTR_WAIT, default=WaitFor.NO.value): vol.Coerce(WaitFor),
    }
)
ANSWER_SCHEMA = vol.Schema({**CALL_FIELDS, **SOUND_FIELDS})
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
        vol.Required(ATTR_DIGITS): vol.All(cv.string, vol.Match(DIGITS)),
        vol.Optional(ATTR_DURATION, default=100): vol.All(vol.Coerce(int), vol.Range(min=40, max=5000)),
        vol.Optional(ATTR_GAP, default=100): vol.All(vol.Coerce(int), vol.Range(min=40, max=5000)),
    }
)
PLAY_SCHEMA = vol.All(
    vol.Schema(
        {
            **CALL_FIELDS,
            **SOUND_FIELDS,
            vol.Optional(ATTR_LOOP, default=False): cv.boolean,
            vol.Optional(ATTR_VOLUME, default=0.0): vol.All(vol.Coerce(float), vol.Range(min=-40, max=12)),
            vol.Optional(ATTR_WAIT, default=False): cv.boolean,
        }
    ),
    cv.has_at_least_one_key(ATTR_MESSAGE, ATTR_MEDIA),
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for name, handler, schema, response in (
        (SERVICE_DIAL, _dial, DIAL_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_ANSWER, _answer, ANSWER_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_HANGUP, _hangup, HANGUP_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_HOLD, _hold, HOLD_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_RESUME, _resume, HOLD_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_TRANSFER, _transfer, TRANSFER_SCHEMA, SupportsResponse.OPTIONAL),
        (SERVICE_SEND_DTMF, _send_dtmf, SEND_DTMF_SCHEMA, SupportsResponse.NONE),
        (SERVICE_PLAY, _play, PLAY_SCHEMA, SupportsResponse.NONE),
    ):
        hass.services.async_register(DOMAIN, name, handler, schema=schema, supports_response=response)


# Which account, which call


@callback
def _coordinators(call: ServiceCall) -> list[SipUaCoordinator]:
    """Return the account that an action names, or all that are loaded where it names none."""
    entry: SipUaConfigEntry
    if ATTR_CONFIG_ENTRY_ID in call.data:
        entry = service.async_get_config_entry(call.hass, DOMAIN, call.data[ATTR_CONFIG_ENTRY_ID])
        return [entry.runtime_data]
    if ATTR_DEVICE_ID in call.data:
        _, entry = service.async_get_device_and_config_entry(call.hass, DOMAIN, call.data[ATTR_DEVICE_ID])
        return [entry.runtime_data]
    entries: list[SipUaConfigEntry] = call.hass.config_entries.async_entries(DOMAIN)
    loaded = [entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED]
    if not loaded:
        raise validation_error("no_account")
    return loaded


@callback
def _find_call(
    call: ServiceCall, find: Callable[[CallBook], CallSnapshot | None], missing: str
) -> tuple[SipUaCoordinator, CallSnapshot]:
    """Return the call that an action names, or the one that fits where it names none.

    Within an account the newest or most relevant call fits; with calls of several accounts it has to be named.
    """
    coordinators = _coordinators(call)
    if (call_id := call.data.get(ATTR_CALL_ID)) is not None:
        for coordinator in coordinators:
            if (snapshot := coordinator.calls.get(call_id)) is not None:
                return coordinator, snapshot
        raise validation_error("call_not_found", call_id=call_id)
    fitting = [(coordinator, found) for coordinator in coordinators if (found := find(coordinator.calls)) is not None]
    if not fitting:
        raise validation_error(missing)
    if len(fitting) > 1:
        raise validation_error("call_ambiguous", calls=", ".join(snapshot.id for _, snapshot in fitting))
    return fitting[0]


async def _optional_sound(call: ServiceCall) -> AudioSource | None:
    """Return what an action wants to be heard, None where it wants nothing."""
    if ATTR_MESSAGE in call.data or ATTR_MEDIA in call.data:
        return await _sound(call)
    _refuse_speech_fields(call)
    return None


@callback
def _refuse_speech_fields(call: ServiceCall) -> None:
    """Refuse what says how to speak where nothing is spoken."""
    if fields := SPEECH_FIELDS & call.data.keys():
        raise validation_error("speech_without_message", fields=", ".join(sorted(fields)))


async def _sound(call: ServiceCall) -> AudioSource:
    """Return the message or media of an action."""
    data = call.data
    if ATTR_MESSAGE in data:
        return speech_source(
            call.hass,
            data[ATTR_MESSAGE],
            engine=data.get(ATTR_TTS_ENGINE),
            language=data.get(ATTR_TTS_LANGUAGE),
            options=data.get(ATTR_TTS_OPTIONS),
        )
    _refuse_speech_fields(call)
    return await media_source_of(call.hass, data[ATTR_MEDIA])


@callback
def _target(call: ServiceCall) -> str:
    """Return the number or SIP address of an action."""
    if not (target := plain_target(call.data[ATTR_NUMBER])):
        raise validation_error("number_missing")
    return target


# The actions


async def _dial(call: ServiceCall) -> ServiceResponse:
    """Place a call, and say how it went as far as was waited for."""
    coordinators = _coordinators(call)
    if len(coordinators) > 1:
        raise validation_error("account_required")
    coordinator = coordinators[0]
    target = _target(call)
    if not coordinator.reachable:
        status = coordinator.registration
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="not_registered",
            translation_placeholders={
                "account": coordinator.identity,
                "answer": f"{status.code} {status.reason}".strip() if status.code else status.state.value,
            },
        )
    source = await _optional_sound(call)
    if source is None and call.data[ATTR_HANGUP_AFTER]:
        raise validation_error("hangup_after_without_sound")
    with translated_errors():
        call_id = await coordinator.async_dial(
            target,
            source=source,
            ring_timeout=call.data.get(ATTR_RING_TIMEOUT),
            hangup_after=call.data[ATTR_HANGUP_AFTER],
        )
    until: WaitFor = call.data[ATTR_WAIT]
    if until is WaitFor.NO:
        return _response(call, coordinator, call_id, coordinator.calls.find(call_id))
    snapshot = await coordinator.async_wait(call_id, until)
    response = _response(call, coordinator, call_id, snapshot)
    if response is not None and until is WaitFor.ENDED:
        response[CALL_STATISTICS] = await coordinator.async_statistics(snapshot)
    return response


async def _answer(call: ServiceCall) -> ServiceResponse:
    """Answer a call that rings here, and play or speak to the caller."""
    coordinator, snapshot = _find_call(call, CallBook.find_ringing, "no_ringing_call")
    source = await _optional_sound(call)
    with translated_errors():
        await coordinator.async_answer(snapshot.id, source)
    return _response(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))


async def _hangup(call: ServiceCall) -> ServiceResponse:
    """End a call, or refuse one that rings here; the other side has a moment to confirm it."""
    coordinator, snapshot = _find_call(call, lambda calls: calls.shown, "no_call")
    if ATTR_CODE in call.data and snapshot.state is not CallState.RINGING:
        raise validation_error("code_without_ringing", call_id=snapshot.id)
    with translated_errors():
        await coordinator.async_hangup(snapshot.id, call.data.get(ATTR_CODE))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HANGUP_TIMEOUT):
            await coordinator.async_wait(snapshot.id, WaitFor.ENDED)
    return _response(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))


async def _hold(call: ServiceCall) -> ServiceResponse:
    """Put the other side on hold."""
    coordinator, snapshot = _find_call(call, CallBook.find_unheld, "no_call_to_hold")
    return await _change_hold(call, coordinator, snapshot, SipUaCoordinator.async_hold)


async def _resume(call: ServiceCall) -> ServiceResponse:
    """Talk again to a side that is on hold."""
    coordinator, snapshot = _find_call(call, CallBook.find_held, "no_held_call")
    return await _change_hold(call, coordinator, snapshot, SipUaCoordinator.async_resume)


async def _change_hold(
    call: ServiceCall,
    coordinator: SipUaCoordinator,
    snapshot: CallSnapshot,
    change: Callable[[SipUaCoordinator, str], Coroutine[Any, Any, CallSnapshot]],
) -> ServiceResponse:
    """Hold or resume a call; the other side has a moment to agree, and may refuse."""
    if not is_connected(snapshot):
        raise validation_error("call_not_connected", call_id=snapshot.id)
    try:
        async with asyncio.timeout(HOLD_TIMEOUT):
            with translated_errors():
                changed = await change(coordinator, snapshot.id)
    except TimeoutError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="hold_not_agreed",
            translation_placeholders={"call_id": snapshot.id},
        ) from error
    return _response(call, coordinator, snapshot.id, changed)


async def _transfer(call: ServiceCall) -> ServiceResponse:
    """Connect the other side with a number or with the other side of another call, and say how that went."""
    data = call.data
    other: str | None = data.get(ATTR_TO_CALL_ID)
    target = _target(call) if other is None else other
    coordinator, snapshot = _find_call(call, lambda calls: calls.find_connected(besides=other), "no_call_to_transfer")
    if not is_connected(snapshot):
        raise validation_error("call_not_connected", call_id=snapshot.id)
    if other is not None and (
        other == snapshot.id or other not in coordinator.calls or not is_connected(coordinator.calls[other])
    ):
        raise validation_error("call_not_joinable", call_id=other)
    with translated_errors():
        result = await coordinator.async_transfer(snapshot.id, target, join=other is not None, wait=data[ATTR_WAIT])
    response = _response(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))
    if response is not None and result is not None:
        response[ATTR_TRANSFER] = {"state": result.state.value} | transfer_data(result)
    return response


async def _send_dtmf(call: ServiceCall) -> None:
    """Press keys."""
    coordinator, snapshot = _find_call(call, CallBook.find_audible, "no_audible_call")
    with translated_errors():
        await coordinator.async_send_digits(
            snapshot.id, call.data[ATTR_DIGITS].upper(), duration=call.data[ATTR_DURATION], gap=call.data[ATTR_GAP]
        )


async def _play(call: ServiceCall) -> None:
    """Play a sound or speak into a call, and wait for its end where asked to."""
    if call.data[ATTR_WAIT] and call.data[ATTR_LOOP]:
        raise validation_error("wait_with_loop")
    coordinator, snapshot = _find_call(call, CallBook.find_audible, "no_audible_call")
    source = await _sound(call)
    with translated_errors():
        error = await coordinator.async_play(
            snapshot.id,
            source,
            loop=call.data[ATTR_LOOP],
            volume=call.data[ATTR_VOLUME],
            wait=call.data[ATTR_WAIT],
        )
    if error is not None:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="playback_failed", translation_placeholders={"error": error}
        )


def _response(
    call: ServiceCall, coordinator: SipUaCoordinator, call_id: str, snapshot: CallSnapshot | None
) -> dict[str, Any] | None:
    """Return what is known of a call to those who ask for it."""
    if not call.return_response:
        return None
    head: dict[str, Any] = {ATTR_CONFIG_ENTRY_ID: coordinator.config_entry.entry_id, ATTR_CALL_ID: call_id}
    return head if snapshot is None else head | call_data(snapshot) | coordinator.calls.outcome(snapshot)
