"""A bad network of real sockets: a relay of datagrams that loses, doubles, reorders and delays them by a seed.

It works as a mirror. Each telephone is bound to 127.0.0.1 and tells others that it is at 127.0.0.2 on the same port.
There the relay listens: a datagram to 127.0.0.2:5062 goes on to 127.0.0.1:5062, and comes from the sender's own
port at 127.0.0.2. So everything passes through it both ways, and nothing has to be rewritten.
"""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Self, override

from custom_components.sip_ua.sip.account import Account, NatMode, NetworkSettings, Timing
from tests.interop.peers.ports import free_ports
from tests.sip.link import Faults

HOME = "127.0.0.1"
MIRROR = "127.0.0.2"


@dataclass(slots=True)
class Figures:
    """What became of the datagrams."""

    sent: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0


class Fate:
    """Draws by a seed what becomes of each datagram."""

    def __init__(self, faults: Faults, seed: int) -> None:
        """Draw as badly as `faults` say."""
        self.figures = Figures()
        self._faults = faults
        self._random = Random(seed)

    def draw(self) -> tuple[float, ...]:
        """Return after how many seconds the next one arrives: never, once or twice."""
        faults, chance, figures = self._faults, self._random.random, self.figures
        figures.sent += 1
        if chance() < faults.loss:
            figures.lost += 1
            return ()
        low, high = faults.delay
        delay = low + (high - low) * chance()
        if chance() < faults.reordering:
            figures.reordered += 1
            delay += faults.detour * chance()
        if chance() >= faults.duplication:
            return (delay,)
        figures.doubled += 1
        return (delay, delay + faults.detour * chance())


class LossyRelay:
    """Relays between ports of this machine, as badly as `faults` say; use it as a context."""

    def __init__(self, faults: Faults, *ports: int, seed: int = 0) -> None:
        """Prepare to relay between `ports`."""
        self._fate = Fate(faults, seed)
        self.figures = self._fate.figures
        self._ports = ports
        self._mirrors: dict[int, asyncio.DatagramTransport] = {}
        self._flying: set[asyncio.TimerHandle] = set()

    async def __aenter__(self) -> Self:
        """Open the mirror of each port."""
        loop = asyncio.get_running_loop()
        for port in self._ports:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Mirror(self), local_addr=(MIRROR, port))
            self._mirrors[port] = transport
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them; what is still under way is lost."""
        for handle in self._flying:
            handle.cancel()
        for transport in self._mirrors.values():
            transport.close()
        self._mirrors.clear()
        await asyncio.sleep(0)

    def carry(self, data: bytes, source: int, destination: int) -> None:
        """Do with a datagram what this network does."""
        for delay in self._fate.draw():
            self._forward(delay, data, source, destination)

    def _forward(self, delay: float, data: bytes, source: int, destination: int) -> None:
        def leave() -> None:
            self._flying.discard(handle)
            self._mirrors[source].sendto(data, (HOME, destination))

        # A stranger's datagram has no mirror to come from.
        if source in self._mirrors:
            handle = asyncio.get_running_loop().call_later(delay, leave)
            self._flying.add(handle)


class _Mirror(asyncio.DatagramProtocol):
    """The socket at which one telephone seems to be."""

    def __init__(self, relay: LossyRelay) -> None:
        self._relay = relay
        self._port = 0

    @override
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._port = transport.get_extra_info("sockname")[1]

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._relay.carry(data, addr[1], self._port)


def mirrored_account(number: str, port: int, calls: int = 1) -> Account:
    """Return the settings of a telephone without a server that others find in the mirror."""
    first = free_ports(2 * calls, step=2)
    network = NetworkSettings(
        local_port=port,
        bind_address=HOME,
        nat=NatMode.MANUAL,
        public_address=MIRROR,
        rtp_port_min=first,
        rtp_port_max=first + 2 * calls - 1,
    )
    return Account(number=number, domain=f"{number}.example", network=network, timing=Timing(keep_alive=0))
