"""The actions that begin and end the recording of a call."""

from typing import Any, Final

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse

from .action_calls import CALL_FIELDS, ambiguous, find_call, response_of, unless_stopped
from .action_errors import translated_errors, validation_error
from .action_targets import targeted_coordinators
from .call_book import CallBook
from .call_view import is_audible
from .const import ATTR_CALL_ID, ATTR_CHANNELS, ATTR_FORMAT, ATTR_RECORDING, ATTR_TONE
from .coordinator import SipUaCoordinator
from .net.recording_order import RecordedSides, RecordingFormat, RecordingTone
from .recording_settings import RecordingStyle

CHANNELS: Final = (RecordedSides.MIXED, RecordedSides.STEREO)

START_RECORDING_SCHEMA = vol.Schema(
    {
        **CALL_FIELDS,
        vol.Optional(ATTR_FORMAT): vol.Coerce(RecordingFormat),
        vol.Optional(ATTR_CHANNELS): vol.All(vol.In([sides.value for sides in CHANNELS]), vol.Coerce(RecordedSides)),
        vol.Optional(ATTR_TONE): vol.Coerce(RecordingTone),
    }
)
STOP_RECORDING_SCHEMA = vol.Schema(CALL_FIELDS)


async def async_start_recording(call: ServiceCall) -> ServiceResponse:
    """Record a call from now on, in the account's style unless the action names another."""
    coordinator, snapshot = find_call(call, CallBook.find_audible, "no_call_to_record")
    if not is_audible(snapshot):
        raise validation_error("call_not_connected", call_id=snapshot.id)
    recordings = coordinator.recordings
    if recordings.is_begun(snapshot.id):
        raise validation_error("recording_goes_on", call_id=snapshot.id)
    usual, data = recordings.settings.style, call.data
    style = RecordingStyle(
        file_format=data.get(ATTR_FORMAT, usual.file_format),
        sides=data.get(ATTR_CHANNELS, usual.sides),
        tone=data.get(ATTR_TONE, usual.tone),
    )
    with unless_stopped(coordinator), translated_errors():
        recording = await recordings.async_record(snapshot, style)
    return _response(call, coordinator, snapshot.id, recording)


async def async_stop_recording(call: ServiceCall) -> ServiceResponse:
    """End a recording and say where it is; one that has ended by itself may be asked for by its call."""
    coordinator, call_id = _recorded_call(call)
    recordings = coordinator.recordings
    if recordings.is_begun(call_id):
        with unless_stopped(coordinator), translated_errors():
            recording = await recordings.async_stop_recording(call_id)
    else:
        recording = recordings.result(call_id) or {}
    return _response(call, coordinator, call_id, recording)


def _recorded_call(call: ServiceCall) -> tuple[SipUaCoordinator, str]:
    """Return the recorded call that an action names, or the only one where it names none."""
    coordinators = targeted_coordinators(call)
    if (call_id := call.data.get(ATTR_CALL_ID)) is not None:
        for coordinator in coordinators:
            recordings = coordinator.recordings
            if recordings.is_begun(call_id) or recordings.result(call_id) is not None:
                return coordinator, call_id
        raise validation_error("no_recording")
    recorded = [(coordinator, found) for coordinator in coordinators for found in coordinator.recordings.begun]
    if not recorded:
        raise validation_error("no_recording")
    if len(recorded) > 1:
        raise ambiguous(recorded)
    return recorded[0]


def _response(
    call: ServiceCall, coordinator: SipUaCoordinator, call_id: str, recording: dict[str, Any]
) -> ServiceResponse:
    response = response_of(call, coordinator, call_id, coordinator.calls.find(call_id))
    return None if response is None else response | {ATTR_RECORDING: recording}
