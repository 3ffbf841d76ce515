"""What is said and played into a call that goes on, and how it is stopped."""

from enum import StrEnum
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv

from .action_calls import (
    CALL_FIELDS,
    MESSAGE,
    SOUND_FIELDS,
    SPEAKER_FIELDS,
    find_call,
    response_of,
    sound_of,
    unless_stopped,
)
from .action_errors import sound_error, translated_errors, validation_error
from .action_targets import targeted_coordinators
from .call_book import CallBook
from .call_view import can_be_played_to
from .const import (
    ATTR_CALL_ID,
    ATTR_ENQUEUE,
    ATTR_LOOP,
    ATTR_MEDIA,
    ATTR_MESSAGE,
    ATTR_PLAYBACK_ID,
    ATTR_RESULT,
    ATTR_VOLUME,
    ATTR_WAIT,
    Enqueue,
)
from .coordinator import SipUaCoordinator
from .net.phone import PlaybackFinished

SOFTEST: Final = -40
LOUDEST: Final = 12


class PlayResult(StrEnum):
    """What became of a sound; the first two where its end was not waited for.

    `WAITING`: the call is not answered yet.
    """

    STARTED = "started"
    WAITING = "waiting"
    PLAYED = "played"
    STOPPED = "stopped"
    CALL_ENDED = "call_ended"


_HOW_FIELDS = {
    vol.Optional(ATTR_ENQUEUE, default=Enqueue.ADD.value): vol.Coerce(Enqueue),
    vol.Optional(ATTR_LOOP, default=False): cv.boolean,
    vol.Optional(ATTR_VOLUME, default=0.0): vol.All(vol.Coerce(float), vol.Range(min=SOFTEST, max=LOUDEST)),
    vol.Optional(ATTR_WAIT, default=False): cv.boolean,
}
SPEAK_SCHEMA = vol.Schema({**CALL_FIELDS, vol.Required(ATTR_MESSAGE): MESSAGE, **SPEAKER_FIELDS, **_HOW_FIELDS})
PLAY_SCHEMA = vol.All(
    vol.Schema({**CALL_FIELDS, **SOUND_FIELDS, **_HOW_FIELDS}), cv.has_at_least_one_key(ATTR_MESSAGE, ATTR_MEDIA)
)
STOP_SCHEMA = vol.Schema({**CALL_FIELDS, vol.Optional(ATTR_PLAYBACK_ID): vol.Coerce(int)})


async def async_play(call: ServiceCall) -> ServiceResponse:
    """Speak or play into a call, at its answer where that is still to come, and return what became of it."""
    data = call.data
    if data[ATTR_WAIT] and data[ATTR_LOOP]:
        raise validation_error("wait_with_loop")
    # Who talks in one account does not mean the call that another one places meanwhile.
    talks = any(coordinator.calls.find_talking() for coordinator in targeted_coordinators(call))
    find = CallBook.find_talking if talks else CallBook.find_played_to
    coordinator, snapshot = find_call(call, find, "no_audible_call")
    if not can_be_played_to(snapshot):
        raise validation_error("call_rings_here", call_id=snapshot.id)
    source = await sound_of(call.hass, data)
    with translated_errors():
        number = coordinator.sounds.play(
            snapshot.id, source, enqueue=data[ATTR_ENQUEUE], loop=data[ATTR_LOOP], volume=data[ATTR_VOLUME]
        )
    result = PlayResult.WAITING if snapshot.answered_at is None else PlayResult.STARTED
    if data[ATTR_WAIT]:
        with unless_stopped(coordinator):
            result = _result_of(await coordinator.sounds.until_end(snapshot.id, number))
    response = response_of(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))
    return None if response is None else response | {ATTR_PLAYBACK_ID: number, ATTR_RESULT: result.value}


def _result_of(end: PlaybackFinished | None) -> PlayResult:
    """Return how a sound ended; raises a translated error for one that was not heard."""
    if end is None:
        return PlayResult.CALL_ENDED
    if end.error is not None:
        raise sound_error(end.fault)
    return PlayResult.STOPPED if end.stopped else PlayResult.PLAYED


async def async_stop(call: ServiceCall) -> ServiceResponse:
    """Stop what is played into a call, or into every call where none is named, and return the numbers of it."""
    playback_id: int | None = call.data.get(ATTR_PLAYBACK_ID)
    calls: list[tuple[SipUaCoordinator, str]]
    if ATTR_CALL_ID in call.data:
        coordinator, snapshot = find_call(call, CallBook.find_played_to, "no_audible_call")
        calls = [(coordinator, snapshot.id)]
    else:
        calls = [(coordinator, call_id) for coordinator in targeted_coordinators(call) for call_id in coordinator.calls]
    stopped: list[Any] = [
        number for coordinator, call_id in calls for number in coordinator.sounds.stop(call_id, playback_id)
    ]
    return {"stopped": stopped} if call.return_response else None
