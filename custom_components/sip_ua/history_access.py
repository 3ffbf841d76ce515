"""How the call history is asked for: by an action, and by dashboards over the websocket."""

from collections.abc import Iterable
from typing import Any, Final

import voluptuous as vol
from homeassistant.components import websocket_api
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import ERR_NOT_FOUND
from homeassistant.components.websocket_api.decorators import websocket_command
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from .action_targets import ACCOUNT_FIELDS, every_coordinator, targeted_coordinators
from .call_record import CallRecord
from .const import ATTR_LIMIT, ATTR_MISSED, ATTR_SINCE, DOMAIN
from .coordinator import SipUaCoordinator
from .history import CALLS_KEPT, history_signal

_CALLS: Final = "calls"
_SELECTION: Final[dict[str | vol.Marker, Any]] = {
    vol.Optional(ATTR_MISSED, default=False): cv.boolean,
    vol.Optional(ATTR_LIMIT, default=CALLS_KEPT): vol.All(vol.Coerce(int), vol.Range(min=1, max=CALLS_KEPT)),
    vol.Optional(ATTR_SINCE): cv.datetime,
}

CALL_HISTORY_SCHEMA: Final = vol.Schema({**ACCOUNT_FIELDS, **_SELECTION})


async def async_get_call_history(call: ServiceCall) -> ServiceResponse:
    """Return the last calls of an account, or of all, the newest first."""
    return {_CALLS: _selected(targeted_coordinators(call), call.data)}


@callback
def async_setup_history_commands(hass: HomeAssistant) -> None:
    """Let dashboards ask for the history and follow it."""
    websocket_api.async_register_command(hass, _websocket_history)
    websocket_api.async_register_command(hass, _websocket_subscribe)


@websocket_command(
    {vol.Required("type"): f"{DOMAIN}/history", vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string, **_SELECTION}
)
@callback
def _websocket_history(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """Answer with the last calls of an account, or of all, the newest first."""
    coordinators = _coordinators(hass, message.get(ATTR_CONFIG_ENTRY_ID))
    connection.send_result(message["id"], {_CALLS: _selected(coordinators, message)})


@websocket_command(
    {vol.Required("type"): f"{DOMAIN}/history/subscribe", vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string, **_SELECTION}
)
@callback
def _websocket_subscribe(hass: HomeAssistant, connection: ActiveConnection, message: dict[str, Any]) -> None:
    """Send the last calls of an account, then each one that ends, and again when more is known of it.

    What comes later replaces what was told under the same `call_id`. A reload of the account does not end it.
    """
    coordinators = _coordinators(hass, message[ATTR_CONFIG_ENTRY_ID])
    if not coordinators:
        connection.send_error(message["id"], ERR_NOT_FOUND, "There is no such account, or it is not loaded")
        return
    coordinator = coordinators[0]
    signal = history_signal(coordinator.config_entry.entry_id)

    @callback
    def tell(record: CallRecord) -> None:
        if record.missed or not message[ATTR_MISSED]:
            connection.send_event(message["id"], {_CALLS: [_told(coordinator, record)]})

    connection.subscriptions[message["id"]] = async_dispatcher_connect(hass, signal, tell)
    connection.send_result(message["id"])
    connection.send_event(message["id"], {_CALLS: _selected(coordinators, message)})


@callback
def _coordinators(hass: HomeAssistant, entry_id: str | None) -> list[SipUaCoordinator]:
    """Return the account of an entry, or all of them, as far as they are loaded."""
    return [
        coordinator for coordinator in every_coordinator(hass) if entry_id in {None, coordinator.config_entry.entry_id}
    ]


@callback
def _selected(coordinators: Iterable[SipUaCoordinator], selection: dict[str, Any]) -> list[JsonValueType]:
    """Return the calls that are asked for, of several accounts in one order."""
    since, limit = selection.get(ATTR_SINCE), selection[ATTR_LIMIT]
    found = [
        (coordinator, record)
        for coordinator in coordinators
        for record in coordinator.history.select(
            missed=selection[ATTR_MISSED], since=dt_util.as_utc(since) if since else None, limit=limit
        )
    ]
    if len({coordinator.config_entry.entry_id for coordinator, _ in found}) > 1:
        found.sort(key=lambda pair: pair[1].started_at, reverse=True)
    return [_told(coordinator, record) for coordinator, record in found[:limit]]


@callback
def _told(coordinator: SipUaCoordinator, record: CallRecord) -> dict[str, Any]:
    head = {ATTR_CONFIG_ENTRY_ID: coordinator.config_entry.entry_id, "account": coordinator.identity}
    return head | record.as_dict()
