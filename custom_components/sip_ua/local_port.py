"""Whether an account has to stay at one SIP port: whoever calls past its server finds it nowhere else."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry

from .const import CONF_LOCAL_PORT, SECTION_NETWORK
from .contacts import contacts_of, direct_hosts
from .net.free_port import find_free_port
from .options import with_options
from .settings import account_of, is_direct


def needs_fixed_port(entry: ConfigEntry) -> bool:
    """Return whether others call an account at its port: all of a network, or contacts that are called directly."""
    account = with_options(account_of(entry.data), entry.options)
    return account.allow_direct_calls or bool(direct_hosts(contacts_of(entry)))


def loses_its_port(entry: ConfigEntry, data: Mapping[str, Any]) -> bool:
    """Return whether whoever calls past the server could find an account no more that takes any port as in `data`."""
    had, has = (values[SECTION_NETWORK][CONF_LOCAL_PORT] for values in (entry.data, data))
    return bool(had) and not has and not is_direct(data) and needs_fixed_port(entry)


def choose_port(entry: ConfigEntry, entries: Iterable[ConfigEntry]) -> int:
    """Return another port for an account: one that is free, and that none of the `entries` is to have."""
    network = account_of(entry.data).network
    taken = {other.data[SECTION_NETWORK][CONF_LOCAL_PORT] for other in entries}
    return find_free_port(network.bind_address, taken | {*range(network.rtp_port_min, network.rtp_port_max + 1)})
