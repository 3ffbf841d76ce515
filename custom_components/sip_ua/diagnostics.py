"""Diagnostics of an account, without anything that names a person or opens a door."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant

from .call_view import messages_data, outcome_data
from .const import (
    CONF_ALLOWED_NUMBERS,
    CONF_AUTH_USER,
    CONF_CERTIFICATE_AUTHORITY,
    CONF_DISPLAY_NAME,
    CONF_NUMBER,
    CONF_PUBLIC_ADDRESS,
)
from .coordinator import SipUaConfigEntry

TO_REDACT = {
    CONF_ALLOWED_NUMBERS,
    CONF_AUTH_USER,
    CONF_CERTIFICATE_AUTHORITY,
    CONF_DISPLAY_NAME,
    CONF_NUMBER,
    CONF_PASSWORD,
    CONF_PUBLIC_ADDRESS,
    "mail_box",
}


LAST_CALL_TO_REDACT = {"answered_by", "reason"}
"""The reason is free text of the far end; the code says what is standard of it."""


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: SipUaConfigEntry) -> dict[str, Any]:
    """Return settings, registration, what was refused, calls, messages, contacts and watched lines, and name nobody."""
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
                "watched": contact.watched,
                "exposed": contact.exposed,
                "is_door_station": contact.is_door_station,
            }
            for contact in coordinator.contacts
        ],
        "do_not_disturb": coordinator.reception.do_not_disturb,
        "auto_answer": coordinator.reception.auto_answer,
        "lines": [coordinator.lines.state(line).value for line in coordinator.lines.lines],
        "last_call": async_redact_data(outcome_data(last_call), LAST_CALL_TO_REDACT) if last_call else None,
        "last_call_statistics": coordinator.last_statistics[1] if coordinator.last_statistics else None,
    }


def _unless_it_names(text: str, entry: SipUaConfigEntry) -> str:
    """Return what the server wrote, redacted where it repeats who the account is."""
    names = (entry.data[key] for key in (CONF_NUMBER, CONF_AUTH_USER, CONF_PASSWORD))
    return REDACTED if any(name and name in text for name in names) else text
