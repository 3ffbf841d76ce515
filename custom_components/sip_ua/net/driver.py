"""Drives the user agent of one account in the event loop: datagrams and clock in, messages, lookups and events out.

Whatever happens, the user agent is told first; then everything it wants is done (`pump`): messages leave, servers are
looked up, events are dealt with, the next timer is set. All of that is synchronous: an INVITE has reached the listener
before the datagram's callback returns.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine

from ..sip.account import Account, Transport
from ..sip.address import Address, Hop, Lookup, Send
from ..sip.agent import UserAgent
from ..sip.core import Failure
from ..sip.errors import LocalFault, LocalProtocolError
from ..sip.events import Event
from ..sip.trace import Trace
from .connections import Admission
from .errors import ResolutionError
from .network_watch import NetworkWatch
from .resolver import Resolver
from .routes import outgoing_address
from .transport import TransportHandlers, Transports

_LOGGER = logging.getLogger(__name__)

GOODBYE_TIMEOUT = 2.0
OVERLOAD_QUIET = 60.0
"""Seconds without a refused call after which the next one is told anew."""


class Driver:
    """Joins a user agent to transports, server location and clock; used in the event loop of `start` only."""

    def __init__(
        self, account: Account, agent: UserAgent, deal_with: Callable[[Event], None], resolver: Resolver | None
    ) -> None:
        """Make it; nothing is bound or sent before `start`. A resolver that is handed in stays the caller's."""
        self._account = account
        self._agent = agent
        self._deal_with = deal_with
        self._own_resolver = resolver is None
        self._resolver = resolver
        self._transports: Transports | None = None
        self.trace = Trace(agent.expects) if account.trace else None
        self._untraced: tuple[bytes, Hop, float] | None = None
        self._watch = NetworkWatch(lambda: agent.servers, self.network_changed, route=self._route)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._overloads = 0
        self._quiet_at = 0.0
        self._idle = asyncio.Event()

    @property
    def now(self) -> float:
        """Return the reading of the event loop's clock."""
        return asyncio.get_running_loop().time()

    @property
    def transports(self) -> Transports:
        """Return the ways in and out; raises LocalProtocolError where there are none."""
        if self._transports is None:
            raise LocalProtocolError("the telephone is switched off", LocalFault.SWITCHED_OFF)
        return self._transports

    @property
    def behind_nat(self) -> bool:
        """Whether a server of ours is beyond the home's network, and we name it an address inside."""
        servers = [Address(Transport.UDP, host, Transport.UDP.default_port) for host in self._agent.servers]
        ways = [(server, self.transports.local_for(server)) for server in servers if not server.at_home]
        return any(local and Address(Transport.UDP, local.host, local.port).at_home for _, local in ways)

    async def start(self) -> None:
        """Bind the port; raises LocalPortInUseError or LocalAddressError."""
        self._resolver = self._resolver or Resolver()
        admission = Admission(self._agent.expects, self._agent.is_server)
        handlers = TransportHandlers(self._receive, self._transport_failed, self._address_changed, admission)
        transports = Transports(self._account, self._resolver, handlers)
        try:
            await transports.start()
        except BaseException:
            await self._close_network(transports)
            raise
        self._transports = transports
        self._watch.start()

    async def close(self) -> None:
        """Free every socket, port and task."""
        self._watch.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        transports, self._transports = self._transports, None
        if transports is not None:
            await self._close_network(transports)

    async def _close_network(self, transports: Transports) -> None:
        await transports.close()
        if self._own_resolver and self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    async def settled(self) -> None:
        """Wait until nobody owes us an answer, for a bounded time."""
        self._idle.clear()
        if self._agent.idle:
            return
        try:
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await self._idle.wait()
        except TimeoutError:
            _LOGGER.debug("%s: no answer to the goodbye in time", self._account.domain)

    async def locate(self, target: str) -> list[Hop] | Failure:
        """Return the first hops towards `target`, best first, with our address as it is reached from there."""
        hop = self._agent.first_hop(target)
        lookup = Lookup(0, hop.host, hop.port, hop.transport, hop.srv, hop.ours)
        try:
            hops = self.transports.locate_numeric(lookup)
            return await self.transports.locate(lookup) if hops is None else hops
        except ResolutionError as error:
            return Failure(error.failure, str(error), error.place)

    # What happens

    def _receive(self, data: bytes, hop: Hop, now: float, late: float | None) -> None:
        if self.trace is not None:
            self._untraced = data, hop, time.time()
        self._agent.receive(data, hop, now, late=late)
        self.pump(people_first=True)
        self._trace_received()
        self._tell_overload(now)

    def _tell_overload(self, now: float) -> None:
        """Say once that calls are refused since there is too much to do, and again after some quiet."""
        overloads = self._agent.overloads
        if overloads == self._overloads:
            return
        self._overloads = overloads
        if now >= self._quiet_at:
            _LOGGER.warning("%s: too much to do, new calls are refused for the moment", self._account.domain)
        self._quiet_at = now + OVERLOAD_QUIET

    def _transport_failed(self, address: Address, failure: Failure) -> None:
        self._agent.transport_failed(address, failure.kind, failure.text, self.now, failure.certificate)
        self.pump()

    def _route(self, host: str) -> str | None:
        """Return our address towards a host, which is always the one that the account is bound to."""
        return self._account.network.bind_address or outgoing_address(host)

    def network_changed(self) -> None:
        """Register again at once: our addresses are others, or all that stood while we slept has gone."""
        if self._transports is not None:
            _LOGGER.debug("%s: another network, or the same after a sleep", self._account.domain)
            self._transports.network_changed()
            self._address_changed()

    def _address_changed(self) -> None:
        self._agent.network_changed(self.now)
        self.pump()

    def _timer_fired(self) -> None:
        self._timer = None
        self._agent.handle_timer(self.now)
        self.pump()

    # The pump

    def pump(self, *, people_first: bool = False) -> None:
        """Do what the agent wants until it wants nothing more; commands of the listener are part of it.

        What goes out is on the wire before people are told, unless they come first, as where something has come in.
        """
        agent = self._agent
        if self._pumping or self._transports is None:
            return
        self._pumping = True
        try:
            if people_first:
                for event in agent.events():
                    self._deal_with(event)
            busy = True
            while busy:
                lookups = agent.lookups()
                for lookup in lookups:
                    self._look_up(lookup)
                sent = self.send_now()
                events = agent.events()
                for event in events:
                    self._deal_with(event)
                busy = bool(sent or lookups or events)
        finally:
            self._pumping = False
        self._arm()
        if agent.idle:
            self._idle.set()

    def _trace_received(self) -> None:
        """Keep what came in: before what goes out because of it, but not before somebody is told that it rings."""
        if self.trace is not None and self._untraced is not None:
            (data, hop, at), self._untraced = self._untraced, None
            self.trace.keep(data, hop.remote, hop.local, sent=False, at=at)

    def _trace_sent(self, send: Send) -> None:
        """Keep what has gone out, for whoever looks for a fault."""
        self._trace_received()
        if self.trace is not None and (local := self.transports.local_for(send.address)) is not None:
            self.trace.keep(send.data, send.address, local, sent=True, at=time.time())

    def send_now(self) -> bool:
        """Send the messages that are due, also while a listener is still being told; return whether there were any."""
        if self._transports is None:
            return False
        sends = self._agent.sends()
        for send in sends:
            self._transports.send(send.address, send.data)
            self._trace_sent(send)
        return bool(sends)

    def _arm(self) -> None:
        """Set the one timer to the agent's next deadline."""
        when = self._agent.next_timer()
        if self._timer is not None:
            if when == self._timer.when():
                return
            self._timer.cancel()
        self._timer = None if when is None else asyncio.get_running_loop().call_at(when, self._timer_fired)

    def _look_up(self, lookup: Lookup) -> None:
        try:
            hops = self.transports.locate_numeric(lookup)
        except ResolutionError as error:
            self._agent.lookup_failed(lookup.token, error.failure, str(error), self.now, place=error.place)
            return
        if hops is None:
            self.spawn(self._locate(lookup), f"sip_ua look up {lookup.host}")
        else:
            self._looked_up(lookup, hops)

    def _looked_up(self, lookup: Lookup, hops: list[Hop]) -> None:
        self._agent.looked_up(lookup.token, hops, self.now)
        self._watch.notice()

    async def _locate(self, lookup: Lookup) -> None:
        try:
            hops = await self.transports.locate(lookup)
        except ResolutionError as error:
            self._agent.lookup_failed(lookup.token, error.failure, str(error), self.now, place=error.place)
        else:
            self._looked_up(lookup, hops)
        self.pump()

    def spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        """Do something that takes time; it is given up when the port is closed."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
