"""The address that others reach us at behind a NAT: typed in by hand, or asked of a STUN server (RFC 8489)."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from ..sip.account import NatMode, NetworkSettings
from ..sip.address import Address, HostPort
from ..sip.stun_message import StunError
from .errors import ResolutionError
from .ports import PortPair
from .resolver import Resolver
from .stun import DEFAULT_PORT, StunClient, mapped_address

REFRESH_INTERVAL: Final = 60.0
"""Often enough to keep the mapping of a usual NAT, which lives two minutes and more (RFC 4787 section 4.3)."""

FIRST_ANSWER_TIMEOUT: Final = 3.0
VOICE_TIMEOUT: Final = 1.0

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class VoiceAddress:
    """Where others see the two sockets of a voice; `rtcp_port` None means the port after `port`."""

    host: str
    port: int
    rtcp_port: int | None


class PublicAddress:
    """Finds the public address of one account's signalling socket and keeps it up to date."""

    def __init__(
        self,
        network: NetworkSettings,
        resolver: Resolver,
        send: Callable[[bytes, str, int], None],
        changed: Callable[[], None],
    ) -> None:
        """Ask through `send(data, host, port)`; `changed` hears of another address, not of the first one."""
        self._network = network
        self._resolver = resolver
        self._changed = changed
        self._client = StunClient(send)
        self._found: tuple[HostPort, ...] = ()
        self._servers: tuple[HostPort, ...] = ()
        self._first = asyncio.Event()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ipv6 = False
        self._trouble = ""

    def start(self, *, ipv6: bool = False) -> None:
        """Begin to ask, where the account wants that; `ipv6` where the socket has no IPv4."""
        self._ipv6 = ipv6
        if self._network.nat in {NatMode.MANUAL, NatMode.STUN}:
            self._task = asyncio.get_running_loop().create_task(self._keep_up())

    async def close(self) -> None:
        """Stop asking."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @property
    def is_pending(self) -> bool:
        """Whether the first answer is still awaited."""
        return self._task is not None and not self._first.is_set()

    async def ready(self) -> None:
        """Wait for the first answer, for three seconds at most."""
        if self.is_pending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_ANSWER_TIMEOUT):
                    await self._first.wait()

    def refresh(self) -> None:
        """Ask again at once."""
        self._wake.set()

    def receive(self, data: bytes, host: str, port: int) -> None:
        """Take in a STUN message that came to the socket."""
        self._client.receive(data, host, port)

    def is_server(self, host: str, port: int) -> bool:
        """Tell whether this is a STUN server of ours, whose silence is nobody else's business."""
        return HostPort(host, port) in self._servers

    def address_for(self, remote: Address, port: int) -> HostPort | None:
        """Return the public address of the peer's IP version, None where ours will do; a port by hand is `port`."""
        for address in self._found:
            if (":" in address.host) == (":" in remote.host) and self._applies(address.host, remote.host):
                return HostPort(address.host, address.port or port)
        return None

    async def voice_address(self, pair: PortPair, remote: Address) -> VoiceAddress | None:
        """Ask a STUN server where it sees the fresh sockets of a voice, for a second at most.

        None means that the peer is to use the ports they are bound to, and the host that `address_for` tells.
        """
        if not self._servers or self.address_for(remote, pair.port) is None:
            return None
        rtp, rtcp = await asyncio.gather(self._seen(pair.rtp), self._seen(pair.rtcp))
        if rtp is None:
            return None
        rtcp_port = None
        if rtcp is not None and rtcp.host == rtp.host and rtcp.port != rtp.port + 1:
            rtcp_port = rtcp.port
        return VoiceAddress(rtp.host, rtp.port, rtcp_port)

    async def _seen(self, bound: socket.socket) -> HostPort | None:
        try:
            async with asyncio.timeout(VOICE_TIMEOUT):
                mapped = await mapped_address(bound, self._servers[0])
        except (OSError, StunError) as error:
            _LOGGER.debug("The public address of a voice cannot be found: %s", error)
            return None
        return mapped if mapped.port else None

    def _applies(self, mapped: str, remote: str) -> bool:
        """Tell whether a peer is beyond the NAT: one in the home is not, unless somebody says so by hand."""
        if self._network.nat is NatMode.MANUAL:
            return True
        return _is_global(remote) or not _is_global(mapped)

    async def _keep_up(self) -> None:
        while True:
            try:
                found = await self._find()
            except (OSError, ResolutionError, StunError) as error:
                # What was found before stays: one lost answer is no other network.
                self._log(str(error))
            else:
                self._log("")
                before, self._found = self._found, found
                if before and before != found:
                    self._changed()
            self._first.set()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_INTERVAL):
                    await self._wake.wait()

    def _log(self, trouble: str) -> None:
        """Tell once that the public address cannot be found, and once that it can again."""
        if trouble and not self._trouble:
            _LOGGER.warning("The public address cannot be found: %s", trouble)
        elif self._trouble and not trouble:
            _LOGGER.info("The public address is found again")
        self._trouble = trouble

    async def _find(self) -> tuple[HostPort, ...]:
        network = self._network
        if network.nat is NatMode.MANUAL:
            # Port 0: the router forwards the same port that we are bound to. The name may be one of dynamic DNS.
            return tuple(HostPort(host, 0) for host in await self._resolver.addresses(network.public_address))
        server = network.stun_server
        if server is None:
            return ()
        hosts = await self._resolver.addresses(server.host)
        usable = [HostPort(host, server.port or DEFAULT_PORT) for host in hosts if (":" in host) == self._ipv6]
        if not usable:
            raise ResolutionError(server.host, f"the STUN server {server.host} has no address that can be used")
        self._servers = tuple(usable)
        return (await self._client.mapped_address(usable[0]),)


def _is_global(host: str) -> bool:
    return ip_address(host).is_global
