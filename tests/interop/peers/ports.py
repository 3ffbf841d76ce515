"""Free loopback ports, chosen at run time outside the range the kernel hands out by itself."""

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 12_000, 31_000
ATTEMPTS = 200

_chooser = random.SystemRandom()


def _free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
        probe.bind((LOOPBACK, port))
        return True
    return False


def free_ports(count: int = 1, *, step: int = 1) -> int:
    """Return the first of `count` neighbouring ports that are free for UDP and for TCP alike.

    The first is a multiple of `step`, as RTP wants an even one (RFC 3550 section 11).
    """
    for _ in range(ATTEMPTS):
        first = _chooser.randrange(LOWEST, HIGHEST - count) // step * step
        if all(
            _free(port, kind)
            for port in range(first, first + count)
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        ):
            return first
    raise OSError(f"no {count} neighbouring free ports on {LOOPBACK}")
