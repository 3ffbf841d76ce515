"""What a FRITZ!Box that announces itself is known by, and how its accounts follow it to another address."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.service_info.ssdp import ATTR_UPNP_UDN, SsdpServiceInfo

from .const import CONF_DISCOVERED, CONF_SERVER, CONF_TEMPLATE
from .coordinator import SipUaConfigEntry
from .settings import title_of, unique_id_of
from .templates import Template, facts_of

_UDN: Final = "udn"
_HOST: Final = "host"


def unscoped_host(discovery_info: SsdpServiceInfo) -> str | None:
    """Return the numeric address that a device was found at, None where it holds for one link only."""
    try:
        address = ip_address(urlsplit(discovery_info.ssdp_location or "").hostname or "")
    except ValueError:
        return None
    return None if address.is_link_local else str(address)


def device_of(discovery_info: SsdpServiceInfo) -> str:
    """Return what tells a device from all others, wherever it is."""
    return discovery_info.upnp.get(ATTR_UPNP_UDN) or discovery_info.ssdp_usn


def place_of(udn: str, host: str) -> dict[str, str]:
    """Return what an account keeps of the device that it was found at."""
    return {_UDN: udn, _HOST: host}


def is_at(entry: SipUaConfigEntry, host: str) -> bool:
    """Return whether an account is one of the FRITZ!Box at an address, by that or by the name it has at home."""
    server = entry.data[CONF_SERVER].lower()
    return bool(server == host or server == facts_of(Template.FRITZBOX).server)


def accounts_of(entries: Iterable[SipUaConfigEntry], udn: str) -> list[SipUaConfigEntry]:
    """Return the accounts that have the address of a device: the one that was made of it, and others at that address.

    Those whose server has another address or a name by now are a person's choice.
    """
    fritzboxes = [entry for entry in entries if entry.data[CONF_TEMPLATE] == Template.FRITZBOX]
    places: list[Mapping[str, str]] = [entry.data.get(CONF_DISCOVERED, {}) for entry in fritzboxes]
    hosts = {place[_HOST] for place in places if place.get(_UDN) == udn}
    return [entry for entry in fritzboxes if entry.data[CONF_SERVER] in hosts]


def has_lost(entry: SipUaConfigEntry, host: str) -> bool:
    """Return whether an account has another address than this one, and nothing works there."""
    if entry.data[CONF_SERVER] == host:
        return False
    return entry.state is not ConfigEntryState.LOADED or not entry.runtime_data.available


@callback
def async_follow(hass: HomeAssistant, entry: SipUaConfigEntry, udn: str, host: str) -> None:
    """Give an account the new address of its device, unless it is there as another account already."""
    data: dict[str, Any] = {**entry.data, CONF_SERVER: host, CONF_DISCOVERED: place_of(udn, host)}
    unique_id = unique_id_of(data)
    if hass.config_entries.async_entry_for_domain_unique_id(entry.domain, unique_id):
        return
    hass.config_entries.async_update_entry(entry, data=data, unique_id=unique_id, title=title_of(entry, data))
    hass.config_entries.async_schedule_reload(entry.entry_id)
