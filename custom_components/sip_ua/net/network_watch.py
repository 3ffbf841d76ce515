"""Notices that this machine is in another network, or has slept, within seconds and without asking anybody.

Linux tells of each change of addresses and routes (rtnetlink); elsewhere, and where that is not to be had, a look from
time to time must do. What counts is what it changes: our address on the way to each server. Home Assistant itself
has no event for any of that.
"""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from .routes import outgoing_address

LOOK_INTERVAL: Final = 5.0
SETTLE: Final = 0.5
"""Seconds from a change until a look at it: addresses come before their routes."""
SHORTEST_PAUSE: Final = 2.0
"""Seconds between two things told, however often a network comes and goes."""
SLEEP: Final = 5.0
"""Seconds that a machine must have slept to count as one that did."""
_READ: Final = 65536
_READS: Final = 64
# RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE of linux/rtnetlink.h.
_GROUPS: Final = 0x10 | 0x40 | 0x100 | 0x400


@dataclass(frozen=True, slots=True)
class Clocks:
    """Readings in seconds: of a clock that stands still while the machine sleeps, and of one that goes on."""

    awake: float
    always: float

    @classmethod
    def read(cls) -> Clocks:
        """Read the system's clocks.

        Linux has a clock that goes on in sleep and that nobody sets. Elsewhere it is the time of day, of which a step
        forward cannot be told from a sleep: we register once more for nothing.
        """
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                return cls(time.clock_gettime(time.CLOCK_MONOTONIC), time.clock_gettime(time.CLOCK_BOOTTIME))
        return cls(time.monotonic(), time.time())

    def slept_since(self, before: Clocks) -> float:
        """Return how many seconds the machine slept between two readings."""
        return (self.always - before.always) - (self.awake - before.awake)


class NetworkWatch:
    """Looks at our addresses on the way to some hosts; belongs to the event loop of `start`."""

    def __init__(
        self,
        hosts: Callable[[], Iterable[str]],
        changed: Callable[[], None],
        *,
        route: Callable[[str], str | None] = outgoing_address,
        read_clocks: Callable[[], Clocks] = Clocks.read,
    ) -> None:
        """Prepare; `changed` hears of another address towards one of `hosts()`, of a way that is back, of a sleep.

        While there is no host yet, it hears of whatever the system tells.
        """
        self._hosts = hosts
        self._changed = changed
        self._route = route
        self._read_clocks = read_clocks
        self._ways: dict[str, str | None] = {}
        self._clocks = read_clocks()
        self._told_at = self._clocks.awake - SHORTEST_PAUSE
        self._has_stirred = False
        self._timer: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None

    def start(self) -> None:
        """Begin to look."""
        self._clocks = self._read_clocks()
        self._ways = self._look_around()
        self._socket = _listen()
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self.stirred)
        self._look_in(LOOK_INTERVAL)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        listening, self._socket = self._socket, None
        if listening is not None:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()

    def notice(self) -> None:
        """Remember the ways to hosts that are new, as they are used from now on."""
        for host in self._hosts():
            if host not in self._ways:
                self._ways[host] = self._route(host)

    def look(self) -> float:
        """Compare everything with the last time, and tell what is another network; return when to look again."""
        stirred, self._has_stirred = self._has_stirred, False
        before, self._clocks = self._clocks, self._read_clocks()
        known, ways = self._ways, self._look_around()
        # A way that is gone is not told: nothing can be done before another one is there.
        moved = any(way is not None and way != known.get(host, way) for host, way in ways.items())
        moved = moved or (stirred and not ways)
        if self._clocks.slept_since(before) <= SLEEP and not moved:
            self._ways = ways
            return LOOK_INTERVAL
        if self._clocks.awake - self._told_at >= SHORTEST_PAUSE:
            self._ways = ways
            self._told_at = self._clocks.awake
            self._changed()
            return LOOK_INTERVAL
        self._clocks, self._has_stirred = before, stirred
        return SHORTEST_PAUSE

    def _look_around(self) -> dict[str, str | None]:
        return {host: self._route(host) for host in self._hosts()}

    def stirred(self) -> None:
        """Take what the system tells, which only says that it is time to look."""
        self._has_stirred = True
        if (listening := self._socket) is not None:
            with contextlib.suppress(OSError):
                for _ in range(_READS):
                    listening.recv(_READ)
        self._look_in(SETTLE)

    def _look_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        # First, so that an error in a look is not the last of them.
        self._look_in(LOOK_INTERVAL)
        self._look_in(self.look())


def _listen() -> socket.socket | None:
    """Return a socket that hears of changes of addresses and routes, None where the system has none for us."""
    if sys.platform != "linux":
        return None
    try:
        listening = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    except OSError:
        return None
    try:
        listening.bind((0, _GROUPS))
    except OSError:
        listening.close()
        return None
    return listening
