"""Where messages come from and go to (RFC 3261 section 18, RFC 3263)."""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final, override

from .account import Transport

_BROADCAST: Final = ip_address("255.255.255.255")
_AT_HOME: Final = tuple(
    ip_network(network)
    for network in (
        *("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


def is_nowhere(host: str) -> bool:
    """Whether a host is what a telephone writes that does not know its own address: 0.0.0.0 or ::."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def place_of(host: str, port: int | None, transport: str) -> str:
    """Return where a server is in words of no language: `pbx.example:5061 TLS`; what is not known is left out."""
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    shown = host if port is None else f"{host}:{port}"
    return f"{shown} {transport}" if transport else shown


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host (name or numeric address, IPv6 without brackets) and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric transport address of a peer; IPv6 without brackets.

    `rank` orders the servers of one lookup, the best being 0; those of one rank share the load.
    """

    transport: Transport
    host: str
    port: int
    rank: int = field(default=0, compare=False, repr=False)

    @property
    def at_home(self) -> bool:
        """Whether the address is in a home's own network or on this machine (RFC 1918, RFC 3927, RFC 4193)."""
        host = ip_address(self.host)
        return any(host.version == home.version and host in home for home in _AT_HOME)

    @property
    def is_one_machine(self) -> bool:
        """Whether a message to it reaches one machine: neither none, as 0.0.0.0, nor a group or everybody."""
        host = ip_address(self.host)
        return not (host.is_unspecified or host.is_multicast or host == _BROADCAST)

    @override
    def __str__(self) -> str:
        """Return the address as people read it."""
        return f"{self.host} port {self.port} over {self.transport.via}"

    @property
    def place(self) -> str:
        """Return the address in words of no language."""
        return place_of(self.host, self.port, self.transport.via)


@dataclass(frozen=True, slots=True)
class Hop:
    """A peer's address, and the local address that a message to it names in Via and Contact."""

    remote: Address
    local: HostPort


@dataclass(frozen=True, slots=True)
class Send:
    """One message on its way out; what stands in it may be secret."""

    address: Address
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A server to be located by the network layer (RFC 3263).

    `port` None means "by SRV or the transport's default", `transport` None means "by NAPTR, then SRV, then UDP".
    `srv` asks for SRV records even where the transport is given. `host` may be numeric. `ours` tells that it is a
    server of the account, as the owner or that server itself named it; any other host may be a far end's word.
    """

    token: int
    host: str
    port: int | None
    transport: Transport | None
    srv: bool = False
    ours: bool = False
