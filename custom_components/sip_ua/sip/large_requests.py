"""Requests too large for a datagram go by TCP, to whoever speaks it (RFC 3261 section 18.1.1)."""

from dataclasses import replace

from .account import Transport
from .address import Address, Hop
from .message import Request

MAX_DATAGRAM_REQUEST = 1300
"""Octets that a path carries in one piece, as long as nobody knows its MTU."""
WITHOUT_TCP_SECONDS = 3600.0
MAX_WITHOUT_TCP = 64
_MAY_CHANGE = frozenset({None, Transport.UDP})


class LargeRequests:
    """Chooses the way by the size, and remembers for an hour who does not speak TCP."""

    def __init__(self, transport: Transport | None) -> None:
        """Serve an account with this transport, None being automatic."""
        self._may_change = transport in _MAY_CHANGE
        self._without_tcp: dict[Address, float] = {}

    def way(self, request: Request, hop: Hop, now: float) -> Hop:
        """Return the hop by which a complete request leaves, and let its topmost Via name that transport."""
        remote = hop.remote
        if not self._may_change or remote.transport is not Transport.UDP:
            return hop
        remote = replace(remote, transport=Transport.TCP)
        if len(request.to_bytes()) <= MAX_DATAGRAM_REQUEST or now < self._without_tcp.get(remote, now):
            return hop
        request.via = replace(request.via, transport=Transport.TCP.via)
        return replace(hop, remote=remote)

    def failed(self, remote: Address, now: float) -> None:
        """Remember that nobody takes connections at an address."""
        self._without_tcp.pop(remote, None)
        self._without_tcp[remote] = now + WITHOUT_TCP_SECONDS
        if len(self._without_tcp) > MAX_WITHOUT_TCP:
            del self._without_tcp[next(iter(self._without_tcp))]
