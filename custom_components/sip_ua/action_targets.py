"""Which accounts an action is aimed at: by device, entity, area, floor or label, by account, or not at all."""

from collections.abc import Iterable
from typing import Any, Final

import voluptuous as vol
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_ENTITY_ID, ENTITY_MATCH_ALL
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, device_registry as dr, entity_registry as er, service
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids

from .action_errors import validation_error
from .const import DOMAIN
from .coordinator import SipUaConfigEntry, SipUaCoordinator

ACCOUNT_FIELDS: Final[dict[str | vol.Marker, Any]] = {
    vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
    **cv.ENTITY_SERVICE_FIELDS,
}
_NAMES: Final = frozenset(map(str, ACCOUNT_FIELDS))


@callback
def every_coordinator(hass: HomeAssistant) -> list[SipUaCoordinator]:
    """Return all accounts that are loaded."""
    entries: list[SipUaConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    return [entry.runtime_data for entry in entries]


@callback
def targeted_coordinators(call: ServiceCall) -> list[SipUaCoordinator]:
    """Return the accounts that an action is aimed at, or all that are loaded where it is aimed at nothing."""
    if call.data.keys() & _NAMES and call.data.get(ATTR_ENTITY_ID) != ENTITY_MATCH_ALL:
        return _loaded(call, _aimed_at(call))
    if not (every := every_coordinator(call.hass)):
        raise validation_error("no_account")
    return every


@callback
def _aimed_at(call: ServiceCall) -> set[str]:
    """Return the config entries that a target holds, of whatever integration.

    An account or a device that is named by itself has to be right; an area may hold what it likes.
    """
    hass, selection = call.hass, TargetSelection(dict(call.data))
    found = set[str]()
    if (entry_id := call.data.get(ATTR_CONFIG_ENTRY_ID)) is not None:
        found.add(service.async_get_config_entry(hass, DOMAIN, entry_id).entry_id)
    for device_id in selection.device_ids:
        _, entry = service.async_get_device_and_config_entry(hass, DOMAIN, device_id)
        found.add(entry.entry_id)
    held = async_extract_referenced_entity_ids(hass, selection, primary_entities_only=False)
    devices, entities = dr.async_get(hass), er.async_get(hass)
    known = [
        *(devices.async_get(device_id) for device_id in held.referenced_devices),
        *(entities.async_get(entity_id) for entity_id in held.referenced | held.indirectly_referenced),
    ]
    return found | {one.config_entry_id for one in known if one is not None and one.config_entry_id is not None}


@callback
def _loaded(call: ServiceCall, entry_ids: set[str]) -> list[SipUaCoordinator]:
    """Return the loaded ones of some accounts, of which there has to be one."""
    every: list[SipUaConfigEntry] = call.hass.config_entries.async_entries(DOMAIN)
    entries = [entry for entry in every if entry.entry_id in entry_ids]
    if not entries:
        raise validation_error("target_without_account", accounts=", ".join(entry.title for entry in every) or "-")
    if not (loaded := [entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED]):
        raise validation_error("accounts_not_loaded", accounts=", ".join(entry.title for entry in entries))
    return loaded


@callback
def calling_coordinator(call: ServiceCall, texts: Iterable[str]) -> SipUaCoordinator:
    """Return the account that is to call what `texts` name; it has to be registered.

    Of several it is the one in whose phone book all of them are.
    """
    coordinators = targeted_coordinators(call)
    if len(coordinators) > 1:
        texts = tuple(texts)
        knowing = [coordinator for coordinator in coordinators if all(map(coordinator.contacts.knows, texts))]
        if len(knowing) != 1:
            raise validation_error("account_required", accounts=titles_of(knowing or coordinators))
        coordinators = knowing
    require_reachable(coordinators[0])
    return coordinators[0]


@callback
def require_reachable(coordinator: SipUaCoordinator) -> None:
    """Raise an error where an account is not registered, and so cannot place a call."""
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


@callback
def titles_of(coordinators: Iterable[SipUaCoordinator]) -> str:
    """Return how people know some accounts, each once."""
    return ", ".join(dict.fromkeys(coordinator.config_entry.title for coordinator in coordinators))
