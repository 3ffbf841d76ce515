"""Provisional answers that are acknowledged: numbering, repetition, RAck (RFC 3262 sections 3, 4 and 7)."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .account import ReliableProvisional
from .alarm import Alarm
from .core import RELIABLE_TAG, Core
from .grammar import is_digits
from .message import Request, Response
from .transaction import ServerTransaction, State

EXTENSION_INTERVAL = 150.0
"""Seconds after which a proxy is asked anew for time to ring, nothing being lost on the way."""
MAX_QUEUED = 4
MAX_RSEQ_DIGITS = 10


def wants_reliable(request: Request) -> bool:
    """Whether the caller demands that provisional answers are acknowledged."""
    return RELIABLE_TAG in _tags(request, "Require")


def knows_reliable(request: Request) -> bool:
    """Whether the caller can acknowledge provisional answers."""
    return wants_reliable(request) or RELIABLE_TAG in _tags(request, "Supported")


def _tags(request: Request, header: str) -> set[str]:
    return {tag.lower() for tag in request.headers.split(header)}


def rseq_of(response: Response) -> int | None:
    """Return the number of a provisional answer that is to be acknowledged, None for any other answer."""
    if not 100 < response.status < 200 or RELIABLE_TAG not in {
        tag.lower() for tag in response.headers.split("Require")
    }:
        return None
    text = response.headers.get("RSeq") or ""
    return int(text) if is_digits(text) and len(text) <= MAX_RSEQ_DIGITS and int(text) else None


@dataclass(frozen=True, slots=True)
class RAck:
    """Which answer a PRACK acknowledges: its number, and number and method of its request (section 7.2)."""

    rseq: int
    cseq: int
    method: str


def parse_rack(text: str | None) -> RAck | None:
    """Return a RAck header field, None where there is none that can be read."""
    parts = (text or "").split()
    if len(parts) != 3 or not all(is_digits(part) and len(part) <= MAX_RSEQ_DIGITS for part in parts[:2]):
        return None
    return RAck(int(parts[0]), int(parts[1]), parts[2])


@dataclass(slots=True)
class _Pending:
    """An answer that waits for its PRACK, or for its turn."""

    response: Response
    rseq: int = 0


class ReliableAnswers:
    """The provisional answers to one INVITE, one after the other, each repeated until its PRACK comes.

    `demanded` says whether all of them must be. Where the caller only can, those are that have a description.
    """

    def __init__(self, core: Core, transaction: ServerTransaction, lost: Callable[[float], None]) -> None:
        """Begin; `lost(now)` hears that an answer was not acknowledged for 64*T1."""
        policy = core.account.reliable_provisional
        request = transaction.request
        self.possible = knows_reliable(request) and policy is not ReliableProvisional.OFF
        self.demanded = self.possible and (wants_reliable(request) or policy is ReliableProvisional.REQUIRED)
        self._core = core
        self._transaction = transaction
        self._lost = lost
        # The first number is any from 1 to 2**31 - 1 (section 3); three octets leave room to count up.
        self._rseq = int.from_bytes(core.entropy(3))
        self._queue: deque[_Pending] = deque(maxlen=MAX_QUEUED)
        self._last: Response | None = None
        self._interval = 0.0
        self._deadline = 0.0
        self._alarm: Alarm | None = None

    @property
    def pending(self) -> bool:
        """Whether an answer waits for its PRACK."""
        return bool(self._queue)

    @property
    def holds_description(self) -> bool:
        """Whether one of those that wait has a session description: no 2xx may go out before its PRACK."""
        return any(item.response.body for item in self._queue)

    def send(self, response: Response, now: float) -> None:
        """Send an answer, where it is to be acknowledged as soon as the one before is."""
        if not (self.demanded or (self.possible and response.body)):
            self._core.layer.respond(self._transaction, response, now)
            return
        response.headers.add("Require", RELIABLE_TAG)
        self._queue.append(_Pending(response))
        if len(self._queue) == 1:
            self._send_first(now)

    def _send_first(self, now: float) -> None:
        item = self._queue[0]
        self._rseq += 1
        item.rseq = self._rseq
        item.response.headers.set("RSeq", str(item.rseq))
        timers = self._core.timers
        self._interval, self._deadline = timers.t1, now + timers.timeout
        self._repeat(now)

    def _repeat(self, now: float) -> None:
        if self._transaction.state is not State.PROCEEDING:
            return
        if now >= self._deadline:
            self._alarm = None
            self._lost(now)
            return
        self._core.layer.respond(self._transaction, self._queue[0].response, now)
        self._set_alarm(min(now + self._interval, self._deadline), self._repeat)
        self._interval *= 2

    def acknowledge(self, rack: RAck) -> bool:
        """Take a PRACK; False where it belongs to nothing that waits for one."""
        cseq = self._transaction.request.cseq
        if not self._queue or (rack.rseq, rack.cseq, rack.method) != (self._queue[0].rseq, cseq.number, cseq.method):
            return False
        self._last = self._queue.popleft().response
        self._cancel_alarm()
        return True

    def go_on(self, now: float) -> None:
        """Send the next answer; without one, ask for more time before a proxy gives up."""
        if self._queue:
            self._send_first(now)
        elif self._transaction.state is State.PROCEEDING:
            self._set_alarm(now + EXTENSION_INTERVAL, self._extend)

    def _extend(self, now: float) -> None:
        last = self._last
        if last is not None:
            again = last.copy()
            again.body = b""
            again.headers.remove("Content-Type")
            self._queue.append(_Pending(again))
            self._send_first(now)

    def stop(self) -> None:
        """Repeat nothing more: the final answer is out. A PRACK on its way is still known (section 3)."""
        self._cancel_alarm()
        while len(self._queue) > 1:
            self._queue.pop()

    def _set_alarm(self, when: float, callback: Callable[[float], None]) -> None:
        self._cancel_alarm()
        self._alarm = self._core.alarms.set(when, callback)

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
