"""Digits that the other side of a call is asked for: a prompt, the keys, and when they are complete."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv

from .action_calls import CALL_FIELDS, SOUND_FIELDS, do_work, find_call, optional_sound, response_of
from .action_errors import translated_errors, validation_error
from .call_book import CallBook
from .call_view import is_audible
from .const import (
    ATTR_DIGIT_TIMEOUT,
    ATTR_DIGITS,
    ATTR_INCLUDE_EARLIER,
    ATTR_MAX_DIGITS,
    ATTR_RESULT,
    ATTR_TERMINATOR,
    ATTR_TIMEOUT,
    DTMF_KEYS,
)
from .coordinator import SipUaCoordinator
from .keypad import MAX_KEYS_KEPT, Keys
from .net.audio import AudioSource
from .sip.events import CallSnapshot

KEY: Final = rf"^[{DTMF_KEYS}a-d]$"
DEFAULT_MAX_DIGITS: Final = 32
DEFAULT_TIMEOUT: Final = 10.0
DEFAULT_DIGIT_TIMEOUT: Final = 5.0


def _upper(text: str) -> str:
    return text.upper()


def _no_terminator(value: Any) -> str:
    if value != "":
        raise vol.Invalid("one key, or nothing")
    return ""


SECONDS: Final = vol.All(vol.Coerce(float), vol.Range(min=0.1, max=600))
ONE_KEY: Final = vol.All(cv.string, vol.Match(KEY), _upper)
TERMINATOR: Final = vol.Any(_no_terminator, ONE_KEY)

WAIT_FOR_DTMF_SCHEMA = vol.Schema(
    {
        **CALL_FIELDS,
        **SOUND_FIELDS,
        vol.Optional(ATTR_MAX_DIGITS, default=DEFAULT_MAX_DIGITS): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=MAX_KEYS_KEPT)
        ),
        vol.Optional(ATTR_TERMINATOR, default="#"): TERMINATOR,
        vol.Optional(ATTR_TIMEOUT, default=DEFAULT_TIMEOUT): SECONDS,
        vol.Optional(ATTR_DIGIT_TIMEOUT, default=DEFAULT_DIGIT_TIMEOUT): SECONDS,
        vol.Optional(ATTR_INCLUDE_EARLIER, default=False): cv.boolean,
    }
)


class InputResult(StrEnum):
    """Why no more digits are waited for."""

    COMPLETE = "complete"
    TIMEOUT = "timeout"
    CALL_ENDED = "call_ended"


@dataclass(frozen=True, slots=True)
class Entered:
    """The digits that were pressed, without the terminator."""

    digits: str
    result: InputResult


def _never(_digits: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRules:
    """When digits are complete, and how long each is waited for, in seconds.

    `timeout` begins at the end of the prompt; without `interrupt` keys count only from there on, too. `is_complete`
    may tell that digits are so before `max_digits` or the terminator do.
    """

    max_digits: int = DEFAULT_MAX_DIGITS
    terminator: str = "#"
    timeout: float = DEFAULT_TIMEOUT
    digit_timeout: float = DEFAULT_DIGIT_TIMEOUT
    interrupt: bool = True
    is_complete: Callable[[str], bool] = _never


async def collect_digits(
    coordinator: SipUaCoordinator, call_id: str, keys: Keys, rules: InputRules, prompt: AudioSource | None = None
) -> Entered:
    """Play a prompt, which the first key stops unless the rules say otherwise, and return what is pressed."""
    digits = ""
    try:
        key = await _first_key(coordinator, call_id, keys, rules, prompt)
        while key is not None:
            if key == rules.terminator:
                return Entered(digits, InputResult.COMPLETE)
            digits += key
            if len(digits) >= rules.max_digits or rules.is_complete(digits):
                return Entered(digits, InputResult.COMPLETE)
            async with asyncio.timeout(rules.digit_timeout):
                key = await keys.next()
    except TimeoutError:
        return Entered(digits, InputResult.TIMEOUT)
    return Entered(digits, InputResult.CALL_ENDED)


async def _first_key(
    coordinator: SipUaCoordinator, call_id: str, keys: Keys, rules: InputRules, prompt: AudioSource | None
) -> str | None:
    """Return the first key, None where the call ended; who knows the prompt already need not hear it."""
    timeout = rules.timeout
    if prompt is None or (rules.interrupt and keys.pending) or call_id not in coordinator.calls:
        return await asyncio.wait_for(keys.next(), timeout)
    playback_id, played = coordinator.async_start_playing(call_id, prompt)
    key: asyncio.Future[str | None] | None = None
    try:
        if rules.interrupt:
            key = asyncio.ensure_future(keys.next())
            await asyncio.wait((key, played), return_when=asyncio.FIRST_COMPLETED)
            return await asyncio.wait_for(key, timeout)
        await played
        keys.pending.clear()
        return await asyncio.wait_for(keys.next(), timeout)
    finally:
        if key is not None:
            key.cancel()
        if not played.done():
            played.cancel()
            coordinator.async_stop_playing(call_id, playback_id)


async def async_wait_for_dtmf(call: ServiceCall) -> ServiceResponse:
    """Ask the other side of a call for digits, and return them."""
    coordinator, snapshot = find_call(call, CallBook.find_audible, "no_audible_call", ended=True)
    return await do_work(coordinator, call.service, _wait_for_dtmf(call, coordinator, snapshot))


async def _wait_for_dtmf(call: ServiceCall, coordinator: SipUaCoordinator, snapshot: CallSnapshot) -> ServiceResponse:
    data: Mapping[str, Any] = call.data
    call_id = snapshot.id
    entered = Entered("", InputResult.CALL_ENDED)
    if call_id in coordinator.calls:
        if not is_audible(snapshot):
            raise validation_error("call_not_connected", call_id=call_id)
        rules = InputRules(
            max_digits=data[ATTR_MAX_DIGITS],
            terminator=data[ATTR_TERMINATOR],
            timeout=data[ATTR_TIMEOUT],
            digit_timeout=data[ATTR_DIGIT_TIMEOUT],
        )
        with coordinator.keys.listen(call_id, earlier=data[ATTR_INCLUDE_EARLIER]) as keys, translated_errors():
            prompt = await optional_sound(call.hass, data)
            entered = await collect_digits(coordinator, call_id, keys, rules, prompt)
    response = response_of(call, coordinator, call_id, coordinator.calls.find(call_id)) or {}
    return response | {ATTR_DIGITS: entered.digits, ATTR_RESULT: entered.result.value}
