"""Options of sockets, above all the class of service that routers are told of each packet (RFC 2474, RFC 4594)."""

import contextlib
import socket


def mark(target: socket.socket, dscp: int) -> None:
    """Have everything that leaves a socket bear a DSCP mark of 0 to 63; where the system forbids it, there is none."""
    if target.family == socket.AF_INET:
        set_option(target, socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
    else:
        set_option(target, socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)


def set_option(target: socket.socket, level: int, option: int, value: int) -> None:
    """Set an option that helps where the system has it and is not missed elsewhere."""
    with contextlib.suppress(OSError):
        target.setsockopt(level, option, value)
