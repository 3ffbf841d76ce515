"""A line for the voice of calls through Asterisk, which loses the same packets in every call: a process of its own.

Asterisk tells telephones that its voice is at 127.0.0.2, where this listens; the telephones are at 127.0.0.1. What
comes for a port goes on to that port of 127.0.0.1 from a port of its own, and what comes back there goes to the
telephone from the port that it knows. Reports (RTCP) pass unharmed.
"""

import json
import os
import selectors
import socket
import sys
from random import Random
from typing import Final

HOME: Final = "127.0.0.1"
MIRROR: Final = "127.0.0.2"
PATTERN: Final = 1 << 16


class Way:
    """One direction of one call: which of its packets are lost is a matter of their numbers from the first on."""

    def __init__(self, loss: float, seed: int) -> None:
        chance = Random(seed)  # noqa: S311 - the same losses in every call
        self._lost = [chance.random() < loss for _ in range(PATTERN)]
        self._first: int | None = None
        self.count = self.losses = 0

    def passes(self, data: bytes) -> bool:
        """Tell whether a packet comes through."""
        number = int.from_bytes(data[2:4])
        if self._first is None:
            self._first = number
        self.count += 1
        lost = self._lost[number - self._first & 0xFFFF]
        self.losses += lost
        return not lost


class Line:
    """All ports of Asterisk; `losses` are the parts lost on the way there and back, by the port of the telephone."""

    def __init__(self, ports: range) -> None:
        self._selector = selectors.DefaultSelector()
        self._mirrors = {port: self._open(MIRROR, port) for port in ports}
        self._calls: dict[tuple[int, tuple[str, int]], socket.socket] = {}
        self._back: dict[socket.socket, tuple[int, tuple[str, int]]] = {}
        self._ways: dict[tuple[int, bool], Way] = {}
        self._losses: dict[int, tuple[float, float]] = {}

    def _open(self, host: str, port: int) -> socket.socket:
        endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        endpoint.bind((host, port))
        endpoint.settimeout(0.0)
        self._selector.register(endpoint, selectors.EVENT_READ)
        return endpoint

    def run(self) -> None:
        """Carry until standard input ends; each line there is `[[first, last], there, back]`."""
        orders = sys.stdin.fileno()
        self._selector.register(orders, selectors.EVENT_READ)
        ports = {id(mirror): port for port, mirror in self._mirrors.items()}
        while True:
            for key, _ in self._selector.select():
                if key.fd == orders:
                    text = os.read(orders, 1 << 16)
                    if not text:
                        return
                    for order in text.splitlines():
                        (first, last), there, back = json.loads(order)
                        self._losses |= dict.fromkeys(range(first, last + 1), (there, back))
                    continue
                endpoint = key.fileobj
                if not isinstance(endpoint, socket.socket):
                    continue
                try:
                    data, source = endpoint.recvfrom(2048)
                except OSError:
                    continue
                if endpoint in self._back:
                    port, phone = self._back[endpoint]
                    self._carry(data, self._mirrors[port], phone, phone[1], back=True)
                else:
                    port = ports[id(endpoint)]
                    self._carry(data, self._way_in(port, source), (HOME, port), source[1], back=False)

    def _way_in(self, port: int, phone: tuple[str, int]) -> socket.socket:
        """Return the socket that stands for a telephone at one port of Asterisk."""
        endpoint = self._calls.get((port, phone))
        if endpoint is None:
            endpoint = self._calls[port, phone] = self._open(MIRROR, 0)
            self._back[endpoint] = (port, phone)
        return endpoint

    def _carry(self, data: bytes, out: socket.socket, to: tuple[str, int], phone: int, *, back: bool) -> None:
        if phone % 2 == 0:
            way = self._ways.get((phone, back))
            if way is None:
                losses = self._losses.get(phone, (0.0, 0.0))
                way = self._ways[phone, back] = Way(losses[back], seed=1 + back)
            if not way.passes(data):
                return
        try:
            out.sendto(data, to)
        except OSError:
            return


if __name__ == "__main__":
    Line(range(int(sys.argv[1]), int(sys.argv[2]))).run()
