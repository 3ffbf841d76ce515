"""A Home Assistant with one account of ours, in which every call is answered by the action."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import CoreState, Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.recorder import async_initialize_recorder
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant

import custom_components.sip_ua  # noqa: F401
from custom_components.sip_ua.const import (
    ATTR_CALL_ID,
    CONF_BIND_ADDRESS,
    CONF_KEEP_ALIVE,
    CONF_LOCAL_PORT,
    CONF_NUMBER,
    CONF_RTP_PORT_END,
    CONF_RTP_PORT_START,
    CONF_SERVER,
    CONF_SERVER_PORT,
    DOMAIN,
    EVENT_CALL,
    SECTION_NETWORK,
    SECTION_SERVERS,
    CallEventType,
)
from custom_components.sip_ua.settings import normalize
from custom_components.sip_ua.sip.events import RegistrationState
from tests.interop.load import voice_ports
from tests.interop.peers import LOOPBACK, free_ports, until
from tests.interop.wire import wire


def _account(server_port: int, port: int) -> dict[str, Any]:
    first, last = voice_ports()
    network = {
        CONF_LOCAL_PORT: port,
        CONF_BIND_ADDRESS: LOOPBACK,
        CONF_RTP_PORT_START: first,
        CONF_RTP_PORT_END: last,
        CONF_KEEP_ALIVE: 0,
    }
    servers = {CONF_SERVER_PORT: server_port}
    return normalize(
        {
            CONF_NUMBER: "ha",
            CONF_SERVER: LOOPBACK,
            CONF_PASSWORD: "benchmark",
            SECTION_SERVERS: servers,
            SECTION_NETWORK: network,
        }
    )


def _answer_all(hass: HomeAssistant, entry_id: str) -> None:
    """Do what an automation does that answers: call the action when the bus tells of a call."""

    async def answer(data: dict[str, Any]) -> None:
        # A call that has ended meanwhile cannot be answered; SIPp counts it.
        with suppress(HomeAssistantError):
            await hass.services.async_call(DOMAIN, "answer", data, blocking=True)

    @callback
    def hear(event: Event) -> None:
        if event.data.get("type") == CallEventType.INCOMING:
            data = {"config_entry_id": entry_id, ATTR_CALL_ID: event.data[ATTR_CALL_ID]}
            _ = hass.async_create_task(answer(data))

    hass.bus.async_listen(EVENT_CALL, hear)


@asynccontextmanager
async def answering_home(folder: Path | None = None) -> AsyncIterator[str]:
    """Have a Home Assistant in this process, with its database in `folder`; gives the `host:port` of its phone."""
    port = free_ports()
    hass: HomeAssistant
    async with wire(registrar=True) as registrar, async_test_home_assistant() as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
        hass.set_state(CoreState.running)
        if folder is not None:
            async_initialize_recorder(hass)
            database = {"recorder": {"db_url": f"sqlite:///{folder / 'home.db'}"}}
            if not await async_setup_component(hass, "recorder", database):
                raise RuntimeError("the database cannot be set up")
        entry = MockConfigEntry(domain=DOMAIN, data=_account(registrar.port, port), title="Benchmark")
        entry.add_to_hass(hass)
        await hass.config_entries.async_setup(entry.entry_id)
        if entry.state is not ConfigEntryState.LOADED:
            raise RuntimeError("the integration cannot be set up")
        _answer_all(hass, entry.entry_id)
        phone = entry.runtime_data.phone
        await until(lambda: phone.registration.state is RegistrationState.REGISTERED, "it is registered")
        try:
            yield f"{LOOPBACK}:{port}"
        finally:
            await hass.config_entries.async_unload(entry.entry_id)
            await hass.async_stop(force=True)
