"""A network in a box: sans-IO ends joined by datagrams and connections, with seeded faults and a clock that jumps.

Anything with timers and messages to send can be joined. Nothing sleeps: `run_*` sets the clock to the next delivery
or timer, whichever comes first, until the wanted moment.

    link = Link(seed=7, faults=Faults(loss=0.2))
    link.join(agent, ADDRESS, deliver=agent.receive, react=lambda now: answer_what(agent.events(), now))
    agent.dial(...)
    link.run_for(40)
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Protocol

from custom_components.sip_ua.sip.address import Address, Send

MAX_STEPS = 100_000


class End(Protocol):
    """What can be joined: the transaction layer as well as a whole user agent."""

    def handle_timer(self, now: float) -> None: ...

    def next_timer(self) -> float | None: ...

    def sends(self) -> list[Send]: ...


type Deliver = Callable[[bytes, Address, float], None]
type React = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What the network does to datagrams; probabilities from 0 to 1, times in seconds.

    A datagram that is reordered takes up to `detour` longer. Connections are delayed only, and keep their order.
    """

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    detour: float = 0.5
    delay: tuple[float, float] = (0.001, 0.01)


NO_FAULTS = Faults()


@dataclass(slots=True)
class Passage:
    """One message on its way; no arrival means that it was lost, two that it was duplicated."""

    sent_at: float
    source: Address
    destination: Address
    data: bytes
    arrivals: list[float] = field(default_factory=list)

    @property
    def start_line(self) -> str:
        return self.data.partition(b"\r\n")[0].decode(errors="replace")

    @property
    def label(self) -> str:
        """The method of a request, the status code of a response."""
        first, second = self.start_line.split(" ", 2)[:2]
        return second if first.startswith("SIP/") else first


@dataclass(slots=True)
class _Joined:
    end: End
    addresses: tuple[Address, ...]
    deliver: Deliver
    react: React | None


@dataclass(slots=True)
class _Rule:
    matches: Callable[[Passage], bool]
    left: int


class Link:
    """The network and its clock; the same seed and the same ends give the same run."""

    def __init__(self, *, seed: int = 0, faults: Faults = NO_FAULTS, now: float = 1000.0) -> None:
        self.now = now
        self.faults = faults
        self.transcript: list[Passage] = []
        self._random = Random(seed)
        self._ends: list[_Joined] = []
        self._at: dict[Address, _Joined] = {}
        self._flying: list[tuple[float, int, Passage]] = []
        self._order = count()
        self._last_arrival: dict[tuple[Address, Address], float] = {}
        self._losses: list[_Rule] = []
        self._plans: list[tuple[float, int, Callable[[float], None]]] = []

    def join(self, end: End, *addresses: Address, deliver: Deliver, react: React | None = None) -> None:
        """Join an end under its addresses, one for each transport.

        `deliver` gets (data, source, now); `react` is called after everything that happened to the end, to drain
        what it tells and to give it commands.
        """
        joined = _Joined(end, addresses, deliver, react)
        self._ends.append(joined)
        for address in addresses:
            self._at[address] = joined

    def lose(self, matches: str | Callable[[Passage], bool], times: int = 1) -> None:
        """Lose the next messages that match: by their method or status code as text, or by a predicate."""
        wanted = (lambda passage: passage.label == matches) if isinstance(matches, str) else matches
        self._losses.append(_Rule(wanted, times))

    def after(self, seconds: float, plan: Callable[[float], None]) -> None:
        """Call `plan(now)` in so many seconds, as a person would press a button then."""
        heappush(self._plans, (self.now + seconds, next(self._order), plan))

    def labels(self, source: Address | None = None) -> list[str]:
        """Return methods and status codes in the order they were sent, of one sender or of all."""
        return [passage.label for passage in self.transcript if source is None or passage.source == source]

    def sent(self, label: str, source: Address | None = None) -> list[Passage]:
        """Return the messages with a method or status code, of one sender or of all."""
        return [
            passage
            for passage in self.transcript
            if passage.label == label and (source is None or passage.source == source)
        ]

    def run_for(self, seconds: float) -> None:
        """Let time pass, and all that falls into it happen."""
        self._run(self.now + seconds, None)

    def run_until(self, condition: Callable[[], bool], *, within: float = 300.0) -> None:
        """Let time pass until the condition holds; fail where it does not within so many seconds."""
        self._run(self.now + within, condition)
        assert condition(), f"did not happen within {within} s: {self.labels()}"

    def run_until_quiet(self, *, within: float = 3600.0) -> None:
        """Let time pass until nothing flies, no timer runs and no plan is left; fail where that takes too long."""
        end = self.now + within
        self._run(end, None, stop_when_quiet=True)
        assert self._next() is None, f"still busy after {within} s"

    def _run(self, end: float, condition: Callable[[], bool] | None, *, stop_when_quiet: bool = False) -> None:
        for joined in self._ends:
            self._drain(joined)
        for _ in range(MAX_STEPS):
            if condition is not None and condition():
                return
            moment = self._next()
            if moment is None or moment > end:
                if not stop_when_quiet:
                    self.now = end
                return
            self.now = max(self.now, moment)
            self._step()
        raise AssertionError(f"no end after {MAX_STEPS} steps")

    def _next(self) -> float | None:
        moments = [moment for joined in self._ends if (moment := joined.end.next_timer()) is not None]
        if self._flying:
            moments.append(self._flying[0][0])
        if self._plans:
            moments.append(self._plans[0][0])
        return min(moments, default=None)

    def _step(self) -> None:
        if self._flying and self._flying[0][0] <= self.now:
            passage = heappop(self._flying)[2]
            joined = self._at[passage.destination]
            joined.deliver(passage.data, passage.source, self.now)
            self._drain(joined)
            return
        if self._plans and self._plans[0][0] <= self.now:
            heappop(self._plans)[2](self.now)
            for joined in self._ends:
                self._drain(joined)
            return
        for joined in self._ends:
            moment = joined.end.next_timer()
            if moment is not None and moment <= self.now:
                joined.end.handle_timer(self.now)
                self._drain(joined)

    def _drain(self, joined: _Joined) -> None:
        for _ in range(MAX_STEPS):
            if joined.react is not None:
                joined.react(self.now)
            sends = joined.end.sends()
            if not sends:
                return
            for send in sends:
                self._carry(joined, send)
        raise AssertionError("an end never stops to send")

    def _carry(self, sender: _Joined, send: Send) -> None:
        transport = send.address.transport
        source = next(address for address in sender.addresses if address.transport is transport)
        passage = Passage(self.now, source, send.address, send.data)
        self.transcript.append(passage)
        if send.address not in self._at or self._is_lost_by_rule(passage):
            return
        chance = self._random.random
        low, high = self.faults.delay
        delay = low + (high - low) * chance()
        if transport.reliable:
            path = (source, send.address)
            arrival = max(self.now + delay, self._last_arrival.get(path, 0.0))
            self._last_arrival[path] = arrival
            self._fly(passage, arrival)
            return
        if chance() < self.faults.loss:
            return
        if chance() < self.faults.reordering:
            delay += self.faults.detour * chance()
        self._fly(passage, self.now + delay)
        if chance() < self.faults.duplication:
            self._fly(passage, self.now + delay + self.faults.detour * chance())

    def _is_lost_by_rule(self, passage: Passage) -> bool:
        for rule in self._losses:
            if rule.left and rule.matches(passage):
                rule.left -= 1
                return True
        return False

    def _fly(self, passage: Passage, arrival: float) -> None:
        passage.arrivals.append(arrival)
        heappush(self._flying, (arrival, next(self._order), passage))
