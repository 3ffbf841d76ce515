"""Free loopback ports, chosen at run time outside the range the kernel hands out by itself."""

import contextlib
import itertools
import os
import random
import socket
from functools import cache

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 12_000, 20_000
"""Below the ports from which tests without peers take those of their voice."""
ATTEMPTS = 1_000


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


class _Ports:
    """Goes round the ports of this process, so that what was given last is given again last."""

    def __init__(self) -> None:
        """Begin anywhere: another run of the tests may be under way."""
        self._lane = _lane()
        self._next = random.SystemRandom().choice(self._lane)

    def take(self, count: int, step: int) -> int | None:
        """Return the first of some neighbours that are free, None where those that are next are not."""
        first = -(-self._next // step) * step
        if first + count > self._lane.stop:
            first = -(-self._lane.start // step) * step
        self._next = first + count
        wanted = itertools.product(range(first, first + count), (socket.SOCK_DGRAM, socket.SOCK_STREAM))
        return first if all(_free(port, kind) for port, kind in wanted) else None


_ports = cache(_Ports)


def free_ports(count: int = 1, *, step: int = 1) -> int:
    """Return the first of `count` neighbouring ports that are free for UDP and for TCP alike, and not given lately.

    Who was given some opens them later: by chance they would be among those of the next one. The first is a multiple
    of `step`, as RTP wants an even one (RFC 3550 section 11).
    """
    for _ in range(ATTEMPTS):
        first = _ports().take(count, step)
        if first is not None:
            return first
    raise OSError(f"no {count} neighbouring free ports on {LOOPBACK}")
