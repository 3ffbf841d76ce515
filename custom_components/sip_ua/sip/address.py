"""Where messages come from and go to (RFC 3261 section 18, RFC 3263)."""

from dataclasses import dataclass, field
from typing import override

from .account import Transport


@dataclass(frozen=True, slots=True)
class HostPort:
    """A host (name or numeric address, IPv6 without brackets) and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Address:
    """A numeric transport address of a peer; IPv6 without brackets."""

    transport: Transport
    host: str
    port: int

    @override
    def __str__(self) -> str:
        """Return the address as people read it."""
        return f"{self.host} port {self.port} over {self.transport.via}"


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
    `srv` asks for SRV records even where the transport is given. `host` may be numeric.
    """

    token: int
    host: str
    port: int | None
    transport: Transport | None
    srv: bool = False
