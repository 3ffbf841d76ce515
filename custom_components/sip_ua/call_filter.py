"""Which calls a trigger or a condition is about: by the other side, by the contact that it is, and by direction."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr

from .const import CONF_CALLER, CONF_CONTACT, CONF_DIRECTION
from .coordinator import SipUaConfigEntry
from .entity import subentry_identifier
from .numbering import plain_number, plan_of
from .sip.events import CallDirection, Party
from .sip.number_pattern import fits


def _account(value: Any) -> str | None:
    """Return the chosen account; what is left empty, as the inputs of blueprints are, stands for any of them."""
    return cv.string(value) if value else None


ACCOUNT_FIELDS: Final[dict[vol.Marker, Any]] = {vol.Optional(ATTR_CONFIG_ENTRY_ID): _account}
CALLER_FIELDS: Final[dict[vol.Marker, Any]] = ACCOUNT_FIELDS | {
    vol.Optional(CONF_CALLER, default=list): vol.All(cv.ensure_list, [vol.All(cv.string, vol.Length(min=1))]),
    vol.Optional(CONF_CONTACT, default=list): vol.All(cv.ensure_list, [cv.string]),
}
CALL_FIELDS: Final[dict[vol.Marker, Any]] = CALLER_FIELDS | {
    vol.Optional(CONF_DIRECTION): vol.All(cv.string, vol.In(list(CallDirection)))
}


CALL_IDENTITIES: Final[tuple[str, ...]] = ("number", "name", "uri")
"""What tells who somebody is, as far as callers do not lie about it: each writes the name that he likes."""

_is_number_pattern = re.compile(r"[*#]*\+?[0-9][-0-9*#?./() \N{NO-BREAK SPACE}]*").fullmatch
"""What means a number, with or without wildcards, and not a name or an address."""


class CallFilter:
    """What a person chose of `CALL_FIELDS`; who neither fits a pattern nor is one of the contacts is left out."""

    def __init__(self, hass: HomeAssistant, options: Mapping[str, Any], identities: tuple[str, ...]) -> None:
        """Take the choice; `identities` are the keys of a call's data that tell who somebody is."""
        self._hass = hass
        self._identities = identities
        self._patterns = [pattern.casefold() for pattern in options.get(CONF_CALLER, ())]
        self._plan = plan_of(hass.config.country)
        self._numbers = [self._plan.pattern(plain_number(text)) for text in self._patterns if _is_number_pattern(text)]
        self._contacts: list[str] = options.get(CONF_CONTACT, [])
        self._direction: str | None = options.get(CONF_DIRECTION)

    @callback
    def fits(self, entry_id: str | None, data: Mapping[str, Any]) -> bool:
        """Return whether a call of an account is one of those."""
        if self._direction not in {None, data.get("direction")}:
            return False
        if not self._patterns and not self._contacts:
            return True
        return self._is_caller(data) or self._is_contact(entry_id, data)

    def _is_caller(self, data: Mapping[str, Any]) -> bool:
        texts = [str(data.get(key, "")).casefold() for key in self._identities]
        if any(fnmatchcase(text, pattern) for pattern in self._patterns for text in texts):
            return True
        number = str(data.get("number", ""))
        return bool(self._numbers) and any(fits(self._numbers, form) for form in self._plan.forms(number))

    def _is_contact(self, entry_id: str | None, data: Mapping[str, Any]) -> bool:
        entry: SipUaConfigEntry | None = self._hass.config_entries.async_get_entry(entry_id or "")
        if not self._contacts or entry is None or entry.state is not ConfigEntryState.LOADED:
            return False
        other = Party("", str(data.get("number", "")), str(data.get("uri", "")))
        contact = entry.runtime_data.contacts.by_call(other, data.get("direction"))
        if contact is None:
            return False
        devices = dr.async_get(self._hass)
        device = devices.async_get_device_by_identifier(subentry_identifier(entry, contact.id), entry.entry_id)
        return device is not None and device.id in self._contacts
