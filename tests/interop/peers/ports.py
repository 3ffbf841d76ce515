"""Free loopback ports, chosen at run time outside the range the kernel hands out by itself."""

import contextlib
import os
import random
import socket

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 12_000, 20_000
"""Below the ports from which tests without peers take those of their voice."""
ATTEMPTS = 200

_chooser = random.SystemRandom()


def _free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
        probe.bind((LOOPBACK, port))
        return True
    return False


def _lane() -> range:
    """Return the ports of this process: what is free at one moment another one that tests would take in the next."""
    lanes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    width = (HIGHEST - LOWEST) // lanes
    return range(LOWEST + lane * width, LOWEST + (lane + 1) * width)


def free_ports(count: int = 1, *, step: int = 1) -> int:
    """Return the first of `count` neighbouring ports that are free for UDP and for TCP alike.

    The first is a multiple of `step`, as RTP wants an even one (RFC 3550 section 11).
    """
    lane = _lane()
    for _ in range(ATTEMPTS):
        first = -(-_chooser.randrange(lane.start, lane.stop - count - step) // step) * step
        if all(
            _free(port, kind)
            for port in range(first, first + count)
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        ):
            return first
    raise OSError(f"no {count} neighbouring free ports on {LOOPBACK}")
