"""Diagnostics of an account, without anything that names a person or opens a door."""

from collections import Counter
from dataclasses import asdict
from typing import Any, Final

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant

from .call_view import messages_data, outcome_data
from .const import (
    CONF_ALLOWED_CALLERS,
    CONF_ALLOWED_NUMBERS,
    CONF_ANSWER_MESSAGE,
    CONF_AUTH_USER,
    CONF_BLOCKED_NUMBERS,
    CONF_CERTIFICATE_AUTHORITY,
    CONF_DIAL_PLAN,
    CONF_DISPLAY_NAME,
    CONF_EARLY_MEDIA,
    CONF_FORWARD_ALWAYS,
    CONF_FORWARD_BUSY,
    CONF_FORWARD_NO_ANSWER,
    CONF_NUMBER,
    CONF_PUBLIC_ADDRESS,
)
from .coordinator import SipUaConfigEntry, SipUaCoordinator

TO_REDACT = {
    CONF_ALLOWED_CALLERS,
    CONF_ANSWER_MESSAGE,
    CONF_ALLOWED_NUMBERS,
    CONF_AUTH_USER,
    CONF_BLOCKED_NUMBERS,
    CONF_CERTIFICATE_AUTHORITY,
    CONF_DIAL_PLAN,
    CONF_DISPLAY_NAME,
    CONF_EARLY_MEDIA,
    CONF_FORWARD_ALWAYS,
    CONF_FORWARD_BUSY,
    CONF_FORWARD_NO_ANSWER,
    CONF_NUMBER,
    CONF_PASSWORD,
    CONF_PUBLIC_ADDRESS,
    "mail_box",
    "udn",
}


LAST_CALL_TO_REDACT = {"answered_by", "reason"}
"""The reason is free text of the far end; the code says what is standard of it."""


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: SipUaConfigEntry) -> dict[str, Any]:
    """Return settings, registration, calls and their messages, contacts and watched lines, and name nobody."""
    coordinator = entry.runtime_data
    status = coordinator.registration
    last_call = coordinator.calls.last
    return {
        "settings": async_redact_data(dict(entry.data), TO_REDACT),
        "options": async_redact_data(dict(entry.options), TO_REDACT),
        "registration": {
            "state": status.state.value,
            "code": status.code,
            "reason": _unless_it_names(status.reason, entry),
            "failure": status.failure.value if status.failure else None,
            "failures": status.failures,
            "detail": status.detail,
            "expires_at": coordinator.registered_until,
            "next_attempt_at": coordinator.next_attempt,
        },
        "refused": asdict(coordinator.phone.counters),
        "calls": [
            {"direction": call.direction.value, "state": call.state.value} for call in coordinator.calls.values()
        ],
        "messages": (
            async_redact_data(messages_data(coordinator.messages), TO_REDACT) if coordinator.messages else None
        ),
        "contacts": [
            {
                "numbers": len(contact.numbers),
                "speed_dial": contact.speed_dial,
                "on_call": contact.on_call.value,
                "answered_by": contact.answered_by.value,
                "watched": contact.watched,
                "exposed": contact.exposed,
                "is_door_station": contact.is_door_station,
            }
            for contact in coordinator.contacts
        ],
        "do_not_disturb": coordinator.reception.do_not_disturb,
        "auto_answer": coordinator.reception.auto_answer,
        "lines": [coordinator.lines.state(line).value for line in coordinator.lines.lines],
        "history": _history_summary(coordinator),
        "trace": _trace_summary(coordinator),
        "last_call": async_redact_data(outcome_data(last_call), LAST_CALL_TO_REDACT) if last_call else None,
        "last_call_statistics": coordinator.last_statistics[1] if coordinator.last_statistics else None,
    }


def _unless_it_names(text: str, entry: SipUaConfigEntry) -> str:
    """Return what the server wrote, redacted where it repeats who the account is."""
    names = (entry.data[key] for key in (CONF_NUMBER, CONF_AUTH_USER, CONF_PASSWORD))
    return REDACTED if any(name and name in text for name in names) else text


TRACED_MAX: Final = 100


def _history_summary(coordinator: SipUaCoordinator) -> dict[str, Any]:
    """Return how many calls ended how, and the ladders of the last ones, without anybody's words."""
    records = list(coordinator.history)
    return {
        "calls": len(records),
        "outcomes": dict(sorted(Counter(f"{record.direction} {record.outcome}" for record in records).items())),
        "last": [
            {
                "direction": record.direction,
                "outcome": record.outcome,
                "code": record.code,
                "ended_by": record.ended_by,
                "steps": [[step.elapsed, step.step, step.sent, step.code] for step in record.steps],
                "quality": dict(record.quality) if record.quality is not None else None,
            }
            for record in records[:5]
        ],
    }


def _trace_summary(coordinator: SipUaCoordinator) -> list[list[Any]] | None:
    """Return of the last messages the seconds, the direction, and method or code; None where none are kept."""
    if (kept := coordinator.phone.trace()) is None:
        return None
    steps = list(kept.steps())[-TRACED_MAX:]
    return [[round(at - steps[0][0], 3), "sent" if sent else "received", what] for at, sent, what in steps]
