"""A real Home Assistant with the integration set up, its phone on the real loopback."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryState, ConfigSubentryData
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import (
    CONF_BIND_ADDRESS,
    CONF_NUMBER,
    CONF_RTP_PORT_END,
    CONF_RTP_PORT_START,
    CONF_SERVER,
    CONF_SERVER_PORT,
    CONF_SIP_DOMAIN,
    CONF_TRANSPORT,
    DOMAIN,
    EVENT_CALL,
    SECTION_NETWORK,
    SECTION_SECURITY,
    SECTION_SERVERS,
    SECTION_TIMERS,
    SUBENTRY_CONTACT,
    SUBENTRY_LINE,
)
from custom_components.sip_ua.coordinator import SipUaCoordinator
from custom_components.sip_ua.settings import identity_of, normalize, unique_id_of

from .peers import LOOPBACK, REALM, Kamailio, free_ports, until

RTP_PORTS = 8


class Home:
    """One config entry in one Home Assistant, and the bus events of its calls."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry[SipUaCoordinator]) -> None:
        """Listen for the events of calls from now on."""
        self.hass = hass
        self.entry = entry
        self.events: list[Mapping[str, Any]] = []
        hass.bus.async_listen(EVENT_CALL, self._hear)

    @callback
    def _hear(self, event: Event) -> None:
        self.events.append(event.data)

    def kinds(self) -> list[str]:
        """Return the types of the call events so far, steps of the progression left out."""
        return [event["type"] for event in self.events if event["type"] != "step"]

    async def until_event(self, kind: str) -> Mapping[str, Any]:
        """Wait for a call event of a type and return the first."""
        await until(lambda: kind in self.kinds(), f"the bus event {kind}")
        return next(event for event in self.events if event["type"] == kind)

    def states(self) -> dict[str, State]:
        """Return the states of all of the account's entities by entity id."""
        registry = er.async_get(self.hass)
        entries = er.async_entries_for_config_entry(registry, self.entry.entry_id)
        return {
            entry.entity_id: state for entry in entries if (state := self.hass.states.get(entry.entity_id)) is not None
        }

    def state(self, key: str) -> State:
        """Return the state of the entity with a translation key."""
        registry = er.async_get(self.hass)
        for entry in er.async_entries_for_config_entry(registry, self.entry.entry_id):
            if entry.translation_key == key and (state := self.hass.states.get(entry.entity_id)) is not None:
                return state
        raise KeyError(key)

    async def until_state(self, key: str, value: str) -> State:
        """Wait until an entity has a state."""
        await until(lambda: self.state(key).state == value, f"{key} is {value}")
        return self.state(key)

    async def call(self, action: str, **data: Any) -> Mapping[str, Any]:
        """Perform an action of the integration and return its response, empty where it has none."""
        wants = self.hass.services.supports_response(DOMAIN, action)
        answer = await self.hass.services.async_call(
            DOMAIN,
            action,
            {"config_entry_id": self.entry.entry_id, **data},
            blocking=True,
            return_response=wants.value != "none",
        )
        return answer or {}


def typed_account(
    *,
    port: int,
    password: str,
    number: str = "ha",
    transport: str = "udp",
    bind: str = LOOPBACK,
    timers: Mapping[str, int] | None = None,
    security: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a person types about an account at a registrar on loopback.

    The form offers the addresses of a test's make-believe network only, so there `bind` has to be any.
    """
    first = free_ports(RTP_PORTS, step=2)
    return {
        CONF_NUMBER: number,
        CONF_SERVER: LOOPBACK,
        CONF_PASSWORD: password,
        CONF_SIP_DOMAIN: REALM,
        SECTION_SERVERS: {CONF_SERVER_PORT: port, CONF_TRANSPORT: transport},
        SECTION_NETWORK: {
            CONF_BIND_ADDRESS: bind,
            CONF_RTP_PORT_START: first,
            CONF_RTP_PORT_END: first + RTP_PORTS - 1,
        },
        SECTION_SECURITY: dict(security or {}),
        SECTION_TIMERS: dict(timers or {}),
    }


async def set_up(
    hass: HomeAssistant,
    *,
    port: int,
    password: str,
    number: str = "ha",
    transport: str = "udp",
    options: Mapping[str, Any] | None = None,
    lines: Mapping[str, str] | None = None,
    contacts: Mapping[str, Mapping[str, Any]] | None = None,
    security: Mapping[str, Any] | None = None,
    **timers: int,
) -> Home:
    """Set the integration up with an account at a registrar on loopback.

    `lines` are names of numbers to watch, `contacts` what the phone book says of names.
    """
    typed = typed_account(
        port=port, password=password, number=number, transport=transport, timers=timers, security=security
    )
    data = normalize(typed)
    entry = MockConfigEntry(
        domain=DOMAIN,
        title=identity_of(data),
        data=data,
        options=options,
        unique_id=unique_id_of(data),
        subentries_data=[
            ConfigSubentryData(data={CONF_NUMBER: watched}, subentry_type=SUBENTRY_LINE, title=name, unique_id=watched)
            for watched, name in (lines or {}).items()
        ]
        + [
            ConfigSubentryData(data=data, subentry_type=SUBENTRY_CONTACT, title=name, unique_id=f"contact {name}")
            for name, data in (contacts or {}).items()
        ],
    )
    entry.add_to_hass(hass)
    home = Home(hass, entry)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    return home


async def registered(
    hass: HomeAssistant, kamailio: Kamailio, lines: Mapping[str, str] | None = None, **options: Any
) -> Home:
    """Return a Home Assistant that is registered; `options` are those of its calls."""
    home = await set_up(
        hass, port=kamailio.port, password=kamailio.users["ha"], options={"calls": options}, lines=lines
    )
    await home.until_state("registration", "registered")
    return home
