"""Lines of the logbook that read as sentences: who called whom, how it ended, and when the registration was lost.

They are told in the language of Home Assistant, begin with the name of the account's device, and are found with it and
with its call state. Nothing that is pressed or spoken in a call is told.
"""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID, ATTR_ICON, ATTR_NAME, Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.translation import async_get_translations

from .const import ATTR_MESSAGE, DOMAIN, KEY_CALL_STATE, NEW_MESSAGE, CallEventType
from .coordinator import SipUaConfigEntry
from .entity import unique_id_in
from .failure_words import NOTHING, answer_of, cause_of
from .sip.events import CallDirection, CallOutcome, EndedBy, RegistrationChanged, RegistrationState

EVENT_LOGBOOK: Final = f"{DOMAIN}_logbook"

_TRANSLATIONS: Final = f"component.{DOMAIN}.common."

EVENT_LINES: Final[Mapping[str, str]] = {
    CallEventType.INCOMING: "log_incoming",
    CallEventType.OUTGOING: "log_outgoing",
    CallEventType.ANSWERED: "log_answered",
    CallEventType.MISSED: "log_missed",
    CallEventType.TRANSFER_SUCCEEDED: "log_transferred",
    CallEventType.RECORDING_STARTED: "log_recording",
    NEW_MESSAGE: "log_message",
}
"""Events that have one sentence each; those that are in neither table are too small for the logbook."""

END_LINES: Final[Mapping[tuple[str, str], str]] = {
    (CallDirection.INCOMING, CallOutcome.ANSWERED): "log_ended",
    (CallDirection.INCOMING, CallOutcome.DECLINED): "log_turned_away",
    (CallDirection.INCOMING, CallOutcome.BUSY): "log_turned_away",
    (CallDirection.INCOMING, CallOutcome.FAILED): "log_broken",
    (CallDirection.OUTGOING, CallOutcome.ANSWERED): "log_ended",
    (CallDirection.OUTGOING, CallOutcome.BUSY): "log_busy",
    (CallDirection.OUTGOING, CallOutcome.NO_ANSWER): "log_no_answer",
    (CallDirection.OUTGOING, CallOutcome.DECLINED): "log_declined",
    (CallDirection.OUTGOING, CallOutcome.CANCELLED): "log_given_up",
    (CallDirection.OUTGOING, CallOutcome.UNREACHABLE): "log_unreachable",
    (CallDirection.OUTGOING, CallOutcome.FAILED): "log_failed",
}
"""How a call ended; a missed call has told so before its end."""

MOVED: Final = 302
FORWARDED: Final = "log_forwarded"
"""The answer that sends a caller elsewhere, and what it is called."""

CAUSES: Final[Mapping[int, str]] = {
    408: "cause_no_answer",
    488: "cause_no_common_voice",
    502: "cause_name_not_found",
    503: "cause_not_reached",
    504: "cause_no_answer",
}
CAUSE_OTHER: Final = "cause_other"
"""Why a call broke that the other side did not end, by the code of that, and for all other codes."""

LOST: Final = "log_lost"
RESTORED: Final = "log_restored"
LINES: Final = frozenset({*EVENT_LINES.values(), *END_LINES.values(), FORWARDED, LOST, RESTORED})
ICONS: Final[Mapping[str, str]] = {
    "log_incoming": "mdi:phone-incoming",
    "log_outgoing": "mdi:phone-outgoing",
    "log_answered": "mdi:phone-in-talk",
    "log_missed": "mdi:phone-missed",
    "log_transferred": "mdi:phone-forward",
    "log_recording": "mdi:record-circle-outline",
    "log_message": "mdi:voicemail",
    "log_ended": "mdi:phone-hangup",
    "log_turned_away": "mdi:phone-cancel",
    "log_broken": "mdi:phone-alert",
    "log_busy": "mdi:phone-lock",
    "log_no_answer": "mdi:phone-remove",
    "log_declined": "mdi:phone-cancel",
    "log_given_up": "mdi:phone-hangup",
    "log_unreachable": "mdi:phone-alert",
    "log_failed": "mdi:phone-alert",
    FORWARDED: "mdi:phone-forward",
    LOST: "mdi:lan-disconnect",
    RESTORED: "mdi:lan-connect",
}

_LOST_STATES: Final = frozenset({RegistrationState.FAILED, RegistrationState.REFUSED})


async def async_tell_logbook(hass: HomeAssistant, entry: SipUaConfigEntry) -> None:
    """Write what happens to a loaded account into the logbook, until it is unloaded."""
    texts = await async_get_translations(hass, hass.config.language, "common", {DOMAIN})
    teller = _Teller(hass, entry, texts)
    bulletin = entry.runtime_data.bulletin
    entry.async_on_unload(bulletin.async_subscribe_events(teller.handle_event))
    entry.async_on_unload(bulletin.async_subscribe(teller.handle_update))


class _Teller:
    """Makes sentences of the news of one account."""

    def __init__(self, hass: HomeAssistant, entry: SipUaConfigEntry, texts: Mapping[str, str]) -> None:
        """Begin with an account of which no loss is known."""
        self._hass = hass
        self._entry = entry
        self._texts = texts
        self._lost = False

    @callback
    def handle_event(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Tell of a call, or of the voice mail box."""
        moved = data.get("direction") == CallDirection.INCOMING and data.get("code") == MOVED
        if event_type == CallEventType.ENDED and moved:
            line: str | None = FORWARDED
        elif event_type == CallEventType.ENDED:
            line = END_LINES.get((data["direction"], data["outcome"]))
        else:
            line = EVENT_LINES.get(event_type)
        if line is not None:
            self._write(
                line,
                who=self._who(data),
                target=str(data.get("target", "")),
                duration=_duration(data.get("talk_duration")),
                reason=self._reason(data),
            )

    @callback
    def handle_update(self) -> None:
        """Tell that the registration is lost, or there again: once each."""
        status = self._entry.runtime_data.registration
        if status.state in _LOST_STATES and not self._lost:
            self._lost = True
            self._write(LOST, reason=self._cause(status))
        elif status.state is RegistrationState.REGISTERED and self._lost:
            self._lost = False
            self._write(RESTORED)

    def _reason(self, data: Mapping[str, Any]) -> str:
        """Return what the other side answered in its own words, or what this phone found out in ours."""
        code = data.get("code")
        if data.get("ended_by") == EndedBy.REMOTE:
            return f"{code} {data['reason']}".strip() if code else NOTHING
        return self._text(CAUSES.get(code or 0, CAUSE_OTHER))

    def _cause(self, status: RegistrationChanged) -> str:
        """Return the server's own words, or what this phone found out and where."""
        if status.code:
            return answer_of(status)
        cause = cause_of(self._hass, status)
        return f"{cause} ({status.place})" if status.place else cause

    @staticmethod
    def _who(data: Mapping[str, Any]) -> str:
        """Return the other side as people call it."""
        name, number = data.get("name"), data.get("number")
        if name and number and name != number:
            return f"{name} ({number})"
        return str(name or number or data.get("uri") or "?")

    def _text(self, line: str) -> str:
        return self._texts[f"{_TRANSLATIONS}{line}"]

    @callback
    def _write(self, line: str, **words: str) -> None:
        """Fire the line of the account's device."""
        entry, hass = self._entry, self._hass
        device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
        entity_id = er.async_get(hass).async_get_entity_id(Platform.SENSOR, DOMAIN, unique_id_in(entry, KEY_CALL_STATE))
        data = {
            ATTR_NAME: (device and device.name_by_user) or entry.title,
            ATTR_MESSAGE: self._text(line).format_map(words),
            ATTR_ICON: ICONS[line],
            ATTR_DEVICE_ID: device and device.id,
            ATTR_ENTITY_ID: entity_id,
        }
        hass.bus.async_fire_internal(EVENT_LOGBOOK, data)


def _duration(seconds: float | None) -> str:
    """Return a duration as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds or 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
