"""A port for SIP that no other program has now, for a telephone that has to be found at the same one tomorrow."""

import socket
from collections.abc import Collection
from typing import Final

from .errors import LocalAddressError, LocalPortInUseError
from .transport import ANY_IPV4, ANY_IPV6
from .udp import bind

CANDIDATES: Final = range(5062, 6000, 2)
"""Beside the usual port, and below those that the system hands out by itself."""


def find_free_port(bind_address: str, besides: Collection[int] = ()) -> int:
    """Return a port that is free for UDP and TCP at a numeric address, "" being every one, and not among `besides`."""
    hosts = (bind_address,) if bind_address else (ANY_IPV4, ANY_IPV6)
    for port in CANDIDATES:
        if port not in besides and all(_is_free(host, port) for host in hosts):
            return port
    with bind(socket.SOCK_DGRAM, hosts[0], 0) as any_port:
        return int(any_port.getsockname()[1])


def _is_free(host: str, port: int) -> bool:
    """Return whether nobody has a port; where this machine lacks the address, nobody can have it."""
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            bind(kind, host, port).close()
    except LocalPortInUseError:
        return False
    except LocalAddressError:
        return True
    return True
