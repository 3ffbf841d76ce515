"""From which of our addresses packets to a host leave, as the system's routes have it."""

import socket
from typing import Final

_DISCARD_PORT: Final = 9


def outgoing_address(host: str) -> str | None:
    """Return our address towards a numeric host, None where there is no way; sends nothing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Connecting a UDP socket sends no packet.
            probe.connect((host, _DISCARD_PORT))
            address: str = probe.getsockname()[0]
    except OSError:
        return None
    return address.partition("%")[0]
