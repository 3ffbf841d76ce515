"""What actions have in common: which call, what is to be heard, and what is answered."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv

from .action_errors import validation_error
from .action_targets import ACCOUNT_FIELDS, targeted_coordinators, titles_of
from .call_book import CallBook
from .call_view import call_data
from .const import (
    ATTR_CALL_ID,
    ATTR_MEDIA,
    ATTR_MESSAGE,
    ATTR_TTS_ENGINE,
    ATTR_TTS_LANGUAGE,
    ATTR_TTS_OPTIONS,
    ATTR_TTS_VOICE,
    DOMAIN,
)
from .coordinator import SipUaCoordinator
from .figures import Figure, number_text, with_its_plus
from .net.audio import AudioSource
from .sip.events import CallSnapshot
from .sound import media_source_of, speech_source

TARGET_LENGTH_MAX = 255
MESSAGE_LENGTH_MAX = 5000


def _media(value: Any) -> str:
    """Take a media-content id, or what the media selector gives."""
    if isinstance(value, dict):
        value = value.get("media_content_id")
    return cv.string(value)


CALL_FIELDS = {**ACCOUNT_FIELDS, vol.Optional(ATTR_CALL_ID): cv.string}
MESSAGE = vol.All(cv.string, vol.Length(min=1, max=MESSAGE_LENGTH_MAX))
SPEAKER_FIELDS = {
    vol.Optional(ATTR_TTS_ENGINE): cv.string,
    vol.Optional(ATTR_TTS_LANGUAGE): cv.string,
    vol.Optional(ATTR_TTS_VOICE): cv.string,
    vol.Optional(ATTR_TTS_OPTIONS): dict,
}
SOUND_FIELDS = {
    vol.Exclusive(ATTR_MESSAGE, "sound"): MESSAGE,
    vol.Exclusive(ATTR_MEDIA, "sound"): vol.All(_media, vol.Length(min=1)),
    **SPEAKER_FIELDS,
}
SPEECH_FIELDS = frozenset({ATTR_TTS_ENGINE, ATTR_TTS_LANGUAGE, ATTR_TTS_VOICE, ATTR_TTS_OPTIONS})

RING_TIMEOUT = vol.All(vol.Coerce(int), vol.Range(min=5, max=600))
_NOBODY = frozenset({STATE_UNKNOWN, STATE_UNAVAILABLE, "none", "anonymous"})
"""What a template yields for a number that is not known, which nobody wants to dial."""

TARGET = vol.All(number_text, vol.Length(max=TARGET_LENGTH_MAX))


@callback
def find_call(
    call: ServiceCall, find: Callable[[CallBook], CallSnapshot | None], missing: str, *, ended: bool = False
) -> tuple[SipUaCoordinator, CallSnapshot]:
    """Return the call that an action names, or the one that fits where it names none.

    Within an account the newest or most relevant call fits; with calls of several accounts it has to be named.
    With `ended` a call may be named that is over since a short time.
    """
    coordinators = targeted_coordinators(call)
    if (call_id := call.data.get(ATTR_CALL_ID)) is not None:
        for coordinator in coordinators:
            known = coordinator.calls.find if ended else coordinator.calls.get
            if (snapshot := known(call_id)) is not None:
                return coordinator, snapshot
        raise validation_error("call_not_found", call_id=call_id)
    fitting = [(coordinator, found) for coordinator in coordinators if (found := find(coordinator.calls)) is not None]
    if not fitting:
        raise validation_error(missing)
    if len(fitting) > 1:
        raise ambiguous((coordinator, snapshot.id) for coordinator, snapshot in fitting)
    return fitting[0]


@callback
def ambiguous(calls: Iterable[tuple[SipUaCoordinator, str]]) -> ServiceValidationError:
    """Return the error of an action that could mean several calls."""
    calls = tuple(calls)
    return validation_error(
        "call_ambiguous",
        accounts=titles_of(coordinator for coordinator, _ in calls),
        calls=", ".join(_told(coordinator, call_id) for coordinator, call_id in calls),
    )


def _told(coordinator: SipUaCoordinator, call_id: str) -> str:
    """Return a call as people know it; accounts have calls of the same id."""
    call = coordinator.calls.find(call_id)
    who = (call.remote.name or call.remote.number) if call is not None else ""
    return f"{call_id} ({', '.join(filter(None, (who, coordinator.config_entry.title)))})"


async def optional_sound(hass: HomeAssistant, data: Mapping[str, Any]) -> AudioSource | None:
    """Return what an action wants to be heard, None where it wants nothing."""
    if ATTR_MESSAGE in data or ATTR_MEDIA in data:
        return await sound_of(hass, data)
    _refuse_speech_fields(data)
    return None


@callback
def _refuse_speech_fields(data: Mapping[str, Any]) -> None:
    """Refuse what says how to speak where nothing is spoken."""
    if fields := SPEECH_FIELDS & data.keys():
        raise validation_error("speech_without_message", fields=", ".join(sorted(fields)))


async def sound_of(hass: HomeAssistant, data: Mapping[str, Any]) -> AudioSource:
    """Return the message or media of an action; each time a new one, for a sound is heard once."""
    if ATTR_MESSAGE in data:
        return speech_source(
            hass,
            data[ATTR_MESSAGE],
            engine=data.get(ATTR_TTS_ENGINE),
            language=data.get(ATTR_TTS_LANGUAGE),
            voice=data.get(ATTR_TTS_VOICE),
            options=data.get(ATTR_TTS_OPTIONS),
        )
    _refuse_speech_fields(data)
    return await media_source_of(hass, data[ATTR_MEDIA])


@callback
def target_of(coordinator: SipUaCoordinator, text: str) -> str:
    """Return the number or SIP address to dial for what an action names: one of these, a contact or a speed dial."""
    if isinstance(text, Figure):
        text = with_its_plus(text, coordinator)
    if not (target := coordinator.contacts.target(text)) or target.lower() in _NOBODY:
        raise validation_error("number_missing")
    return target


def response_of(
    call: ServiceCall, coordinator: SipUaCoordinator, call_id: str, snapshot: CallSnapshot | None
) -> dict[str, Any] | None:
    """Return what is known of a call to those who ask for it."""
    if not call.return_response:
        return None
    head: dict[str, Any] = {ATTR_CONFIG_ENTRY_ID: coordinator.config_entry.entry_id, ATTR_CALL_ID: call_id}
    return head if snapshot is None else head | call_data(snapshot) | coordinator.calls.outcome(snapshot)


@contextmanager
def unless_stopped(coordinator: SipUaCoordinator) -> Iterator[None]:
    """Raise an error where what is waited for will not come, as the account is switched off meanwhile.

    A wait that ends with the script that performs the action is cancelled as ever.
    """
    try:
        yield
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="account_stopped",
            translation_placeholders={"account": coordinator.identity},
        ) from None


async def do_work[Result](coordinator: SipUaCoordinator, action: str, work: Coroutine[Any, Any, Result]) -> Result:
    """Do what an action takes its time for; it ends with its account, and with the script that performs the action.

    Changed settings wait for its end, whether or not there is a call all the time.
    """
    entry = coordinator.config_entry
    task = entry.async_create_background_task(coordinator.hass, work, f"sip_ua {action} {coordinator.identity}")
    with coordinator.occupied(), unless_stopped(coordinator):
        return await task
