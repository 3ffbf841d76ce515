"""The class of service that routers and access points are told of each packet (RFC 2474, RFC 4594)."""

import contextlib
import socket


def mark(target: socket.socket, dscp: int) -> None:
    """Have everything that leaves a socket bear a DSCP mark of 0 to 63; where the system forbids it, there is none."""
    with contextlib.suppress(OSError):
        if target.family == socket.AF_INET:
            target.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
        else:
            target.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
