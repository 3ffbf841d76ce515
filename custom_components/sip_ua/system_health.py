"""What the page about Home Assistant's health shows of the accounts."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .const import DOMAIN
from .coordinator import SipUaConfigEntry
from .sip.events import RegistrationFailure

_SERVER_ANSWERS = frozenset(
    {
        RegistrationFailure.LOGIN_REFUSED,
        RegistrationFailure.NUMBER_UNKNOWN,
        RegistrationFailure.WRONG_DOMAIN,
        RegistrationFailure.NO_DIGEST_ALGORITHM,
        RegistrationFailure.REDIRECTED,
        RegistrationFailure.SERVER_BUSY,
        RegistrationFailure.SERVER_ERROR,
    }
)
"""Failures that tell that the server is there."""


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what is to be shown."""
    register.async_register_info(async_system_health_info)


async def async_system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the version, how many accounts are registered and reach their server, and the calls that go on."""
    integration = await async_get_integration(hass, DOMAIN)
    entries: list[SipUaConfigEntry] = hass.config_entries.async_entries(DOMAIN)
    loaded = [entry.runtime_data for entry in entries if entry.state is ConfigEntryState.LOADED]
    wanted = [coordinator for coordinator in loaded if coordinator.account.registers]
    registered = sum(coordinator.reachable for coordinator in wanted)
    answering = sum(
        coordinator.reachable or coordinator.registration.failure in _SERVER_ANSWERS for coordinator in wanted
    )
    return {
        "version": str(integration.version),
        "accounts_loaded": f"{len(loaded)}/{len(entries)}",
        "accounts_registered": f"{registered}/{len(wanted)}",
        "servers_reached": f"{answering}/{len(wanted)}",
        "calls_active": sum(len(coordinator.calls) for coordinator in loaded),
    }
