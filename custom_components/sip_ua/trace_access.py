"""How the trace of a call is asked for: by an action as text, and as a file to be downloaded by administrators."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import voluptuous as vol
from aiohttp import hdrs, web
from homeassistant.components.http.auth import async_sign_path
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.helpers.service import async_register_admin_service
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType

from .action_errors import validation_error
from .action_targets import ACCOUNT_FIELDS, targeted_coordinators
from .call_view import wall_clock
from .const import ATTR_CALL_ID, DOMAIN, SERVICE_GET_SIP_TRACE
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .net.phone import Excerpt

ALL: Final = "all"
"""In place of a call: everything that is kept of an account, with its registration."""

URL: Final = "/api/sip_ua/trace/{entry_id}/{call_id}.{kind:txt|pcap}"
LINK_LIFETIME: Final = timedelta(minutes=15)
_PCAP: Final = "pcap"
_TYPES: Final = {"txt": "text/plain", _PCAP: "application/vnd.tcpdump.pcap"}

SIP_TRACE_SCHEMA: Final = vol.Schema({**ACCOUNT_FIELDS, vol.Optional(ATTR_CALL_ID): cv.string})


@callback
def async_setup_trace(hass: HomeAssistant) -> None:
    """Register the action and the address of the files."""
    async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_GET_SIP_TRACE,
        _get_sip_trace,
        schema=SIP_TRACE_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    hass.http.register_view(TraceView)


@callback
def trace_of(coordinator: SipUaCoordinator, call_id: str) -> tuple[str, Excerpt] | None:
    """Return title and messages of a call, or of everything that is kept; None where it is nothing."""
    if call_id == ALL:
        kept, title = coordinator.phone.trace(), coordinator.identity
    else:
        call = coordinator.calls.find(call_id) or next(
            (record for record in coordinator.history if record.call_id == call_id), None
        )
        if call is None:
            return None
        kept, title = coordinator.phone.trace(call.sip_call_id), f"Call-ID: {call.sip_call_id}"
    return None if kept is None else (title, kept)


@callback
def _text(title: str, kept: Excerpt) -> str:
    return kept.as_text(title, dt_util.get_default_time_zone())


async def _get_sip_trace(call: ServiceCall) -> ServiceResponse:
    """Return the messages of a call as text, and where they can be downloaded for the next minutes."""
    coordinators = targeted_coordinators(call)
    if not any(coordinator.account.trace for coordinator in coordinators):
        raise validation_error("trace_off")
    for coordinator in sorted(coordinators, key=_last_began, reverse=True):
        call_id = call.data.get(ATTR_CALL_ID) or _newest(coordinator)
        if call_id is not None and (found := trace_of(coordinator, call_id)) is not None:
            return {
                ATTR_CONFIG_ENTRY_ID: coordinator.config_entry.entry_id,
                ATTR_CALL_ID: call_id,
                "messages": len(found[1]),
                "text": _text(*found),
                "links": _links(call, coordinator, call_id),
            }
    raise validation_error("trace_missing")


@callback
def _newest(coordinator: SipUaCoordinator) -> str | None:
    """Return the call that began last, or else ended last."""
    if coordinator.calls:
        return next(reversed(list(coordinator.calls)))
    return coordinator.history.last.call_id if coordinator.history.last is not None else None


@callback
def _last_began(coordinator: SipUaCoordinator) -> datetime:
    """Return when the newest call of an account began, long ago where it has none."""
    last, now = coordinator.history.last, coordinator.hass.loop.time()
    began = (wall_clock(call.started_at, now) for call in coordinator.calls.values())
    known = [moment for moment in began if moment is not None]
    return max(known, default=dt_util.utc_from_timestamp(0) if last is None else last.started_at)


@callback
def _links(call: ServiceCall, coordinator: SipUaCoordinator, call_id: str) -> dict[str, JsonValueType]:
    """Return links that open without a further login, made for the administrator who asks; automations get none."""
    if call.context.user_id is None:
        return {}
    head = f"/api/{DOMAIN}/trace/{quote(coordinator.config_entry.entry_id, safe='')}/{quote(call_id, safe='')}"
    return {kind: async_sign_path(call.hass, f"{head}.{kind}", LINK_LIFETIME) for kind in _TYPES}


class TraceView(HomeAssistantView):
    """Hands out the trace of a call as text or as a capture file."""

    url = URL
    name = f"api:{DOMAIN}:trace"

    async def get(self, request: web.Request, entry_id: str, call_id: str, kind: str) -> web.Response:
        """Return one trace to an administrator."""
        if not request[KEY_HASS_USER].is_admin:
            raise Unauthorized
        entry: SipUaConfigEntry | None = request.app[KEY_HASS].config_entries.async_get_entry(entry_id)
        if entry is None or entry.domain != DOMAIN or entry.state is not ConfigEntryState.LOADED:
            return self.json_message("There is no such account, or it is not loaded", HTTPStatus.NOT_FOUND)
        if (found := trace_of(entry.runtime_data, call_id)) is None:
            return self.json_message("Nothing is kept of this call", HTTPStatus.NOT_FOUND)
        body = found[1].as_pcap() if kind == _PCAP else _text(*found).encode()
        return web.Response(
            body=body,
            content_type=_TYPES[kind],
            charset=None if kind == _PCAP else "utf-8",
            headers={
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="sip-trace.{kind}"',
                hdrs.CACHE_CONTROL: "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )
