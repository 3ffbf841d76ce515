"""What the four kinds of transactions share: running a table, its timers, and the way out (RFC 3261 section 17)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import partial

from .address import Address, Send
from .alarm import Alarm, AlarmQueue
from .errors import LocalProtocolError
from .indications import Indication
from .message import Request
from .transaction_matching import Key
from .transaction_tables import Action, Event, Received, State, Table, Transition
from .transaction_timers import BACKING_OFF, Timer, Timers, first_duration, next_interval


@dataclass(slots=True)
class Exchange:
    """Where all transactions of a layer leave what they have to send and to say; the layer drains it.

    `unanswered` are the requests of peers that wait for our final answer.
    """

    timers: Timers
    alarms: AlarmQueue = field(default_factory=AlarmQueue)
    sends: list[Send] = field(default_factory=list)
    indications: list[Indication] = field(default_factory=list)
    terminated: list[Transaction] = field(default_factory=list)
    unanswered: set[Transaction] = field(default_factory=set)


class Transaction(ABC):
    """A request, the state that its table has brought it to, and the timers that run.

    `key` is what messages are matched by, `destination` where messages go. `context` is free for the transaction user.
    """

    __slots__ = (
        "_alarms",
        "_exchange",
        "_failure",
        "_interval",
        "_table",
        "context",
        "destination",
        "key",
        "request",
        "state",
    )

    def __init__(self, table: Table, key: Key, request: Request, destination: Address, exchange: Exchange) -> None:
        """Prepare; nothing happens before `start`."""
        self.key = key
        self.request = request
        self.destination = destination
        self.state = table.initial.state
        self.context: object | None = None
        self._table = table
        self._exchange = exchange
        self._alarms: dict[Timer, Alarm] = {}
        self._interval = 0.0
        self._failure = ""

    @property
    def branch(self) -> str:
        """The branch of the request's topmost Via, "" where a peer sent none."""
        return self.request.via.branch or ""

    def start(self, now: float) -> None:
        """Enter the first state."""
        self._enter(self._table.initial, now)

    def process(self, event: Event, now: float) -> None:
        """Do what the table says; raises LocalProtocolError where it says nothing."""
        self._enter(self._find(event), now)

    def transport_failed(self, text: str, now: float) -> None:
        """Learn that the destination cannot be reached."""
        self._failure = text
        reliable = self.destination.transport.reliable
        self.process(Received.CONNECTION_LOST if reliable else Received.SEND_FAILED, now)

    @abstractmethod
    def _perform(self, action: Action, now: float) -> None:
        """Do one thing that the table asks for."""

    def _find(self, event: Event) -> Transition:
        transition = self._table.transitions.get((self.state, event))
        if transition is None:
            raise LocalProtocolError(f"{event!r} has no place in state {self.state} of {self._table.name} transactions")
        return transition

    def _enter(self, transition: Transition, now: float) -> None:
        self.state = transition.state
        for timer in transition.stop:
            self._stop(timer)
        for action in transition.actions:
            self._perform(action, now)
        for timer in transition.start:
            self._set(timer, now)
        if transition.state is State.TERMINATED:
            for timer in tuple(self._alarms):
                self._stop(timer)
            self._exchange.terminated.append(self)

    def _set(self, timer: Timer, now: float) -> None:
        timers = self._exchange.timers
        if timer in BACKING_OFF and self._interval:
            seconds: float | None = next_interval(timer, self._interval, timers)
        else:
            seconds = first_duration(timer, timers, reliable=self.destination.transport.reliable)
        if seconds is None:
            return
        if timer in BACKING_OFF:
            self._interval = seconds
        if seconds:
            self._alarms[timer] = self._exchange.alarms.set(now + seconds, partial(self._fire, timer))
        else:
            self.process(timer, now)

    def _stop(self, timer: Timer) -> None:
        alarm = self._alarms.pop(timer, None)
        if alarm is not None:
            alarm.cancel()

    def _fire(self, timer: Timer, now: float) -> None:
        del self._alarms[timer]
        self.process(timer, now)

    def _send(self, data: bytes) -> None:
        self._exchange.sends.append(Send(self.destination, data))

    def _report(self, indication: Indication) -> None:
        self._exchange.indications.append(indication)
