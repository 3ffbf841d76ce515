"""What can be the host of somebody: a name, or a numeric address that one machine has."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def is_host(text: str) -> bool:
    """Return whether a text is a host name, or a numeric address that one machine has for all others."""
    if (address := _address(text)) is not None:
        return _is_of_one(address)
    name = text.removesuffix(".")
    return len(name) <= 253 and not _is_number(name) and all(_LABEL.fullmatch(label) for label in name.split("."))


def is_address(text: str) -> bool:
    """Return whether a text is a numeric address that one machine has for all others."""
    address = _address(text)
    return address is not None and _is_of_one(address)


def is_nobodys_address(text: str) -> bool:
    """Return whether a text is a numeric address that no machine has, or one that holds for a single link."""
    address = _address(text)
    return address is not None and not _is_of_one(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_of_one(address: IPv4Address | IPv6Address) -> bool:
    """Return whether one machine has an address: neither any, several nor all do, and it needs no zone."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_of_one(address.ipv4_mapped)
        if address.is_link_local or address.scope_id is not None:
            return False
        return not (address.is_unspecified or address.is_multicast)
    return not (address.is_unspecified or address.is_multicast or address.is_reserved)


def _is_number(name: str) -> bool:
    """Return whether a name is a misspelt IPv4 address, like 192.168.1 or 10.0.0.300."""
    return name.replace(".", "").isdigit()
