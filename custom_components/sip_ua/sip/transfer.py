"""Transfers: a REFER of ours and what is told of it, a REFER of theirs and what we tell (RFC 3515, RFC 4488, RFC 6665).

Each lives as long as its implicit subscription, which may outlast the call (RFC 5057 section 4).
"""

from collections.abc import Callable

from .address import Hop
from .alarm import Alarm
from .client import Handlers
from .core import Core, Failure
from .dialog_peer import DialogPeer
from .events import TransferState
from .headers import Headers, parse_seconds
from .message import Request, Response
from .refer import SIPFRAG_TYPE, ReferTarget, parse_sipfrag, sipfrag

EVENT = "refer"
QUIET_LIMIT = 180
LONGEST_QUIET = 600
STATUS_TRYING = 100
STATUS_UNAVAILABLE = 503

type Tell = Callable[[TransferState, int, str, float], None]


def event_of(headers: Headers) -> tuple[str, str]:
    """Return package and id of an Event header field (RFC 6665 section 8.2.1)."""
    package, *params = (part.strip() for part in (headers.get("Event") or "").split(";"))
    ids = [value.strip() for name, _, value in (param.partition("=") for param in params[:8]) if name.strip() == "id"]
    return package.lower(), ids[0] if ids else ""


class SentTransfer:
    """A REFER of ours, until its result is known; `tell(state, code, reason, now)` hears of each news.

    The last news is SUCCEEDED, FAILED or UNKNOWN.
    """

    def __init__(self, core: Core, peer: DialogPeer, tell: Tell) -> None:
        """Prepare; nothing is sent before `start`."""
        self.over = False
        self._core = core
        self._peer = peer
        self._tell = tell
        self._accepted = False
        self._last = (0, "")
        self._ids: set[str] = set()
        self._alarm: Alarm | None = None

    def start(self, refer_to: str, now: float, *, private: bool = False) -> None:
        """Send the REFER; with `private` it does not say by whom (RFC 3892 section 2.1)."""
        referred_by = () if private else (("Referred-By", f"<{self._peer.dialog.local.uri}>"),)
        headers = (("Refer-To", refer_to), *referred_by)
        handlers = Handlers(final=self._answered, failed=self._failed, sent=self._left)
        self._peer.request("REFER", handlers, now, headers=headers)

    def _left(self, _now: float) -> None:
        # The number of the REFER is its id; a login sends it again with another one.
        self._ids.add(str(self._peer.dialog.local_sequence))

    def _answered(self, response: Response, _hop: Hop, now: float) -> None:
        if self.over:
            return
        if response.status >= 300:
            self._finish(TransferState.FAILED, response.status, response.reason, now)
            return
        self._peer.note_answer(response)
        self._accept(now)
        if (response.headers.get("Refer-Sub") or "").lower() == "false":
            self._finish(TransferState.UNKNOWN, 0, "", now)
        elif self._alarm is None:
            self._wait(self._core.timers.timeout, now)

    def _failed(self, failure: Failure, now: float) -> None:
        if not self.over:
            self._finish(TransferState.FAILED, 408, failure.text, now)

    def _accept(self, now: float) -> None:
        """Note that the far end tries; a NOTIFY may come before the answer to the REFER (RFC 3515 section 2.4.4)."""
        if not self._accepted:
            self._accepted = True
            self._tell(TransferState.ACCEPTED, 0, "", now)

    def matches(self, request: Request) -> bool:
        """Whether a NOTIFY tells of this transfer."""
        number = event_of(request.headers)[1]
        return not self.over and (not number or number in self._ids)

    def notified(self, request: Request, now: float) -> None:
        """Take a NOTIFY that was answered."""
        self._accept(now)
        state, *params = (part.strip().lower() for part in (request.headers.get("Subscription-State") or "").split(";"))
        told = parse_sipfrag(request)
        if told is not None and told[0] >= 200:
            self._finish(TransferState.SUCCEEDED if told[0] < 300 else TransferState.FAILED, *told, now)
            return
        if told is not None and told != self._last and told[0] > STATUS_TRYING:
            self._tell(TransferState.PROGRESS, *told, now)
        self._last = told or self._last
        if state == "terminated":
            refused = "reason=rejected" in params
            self._finish(TransferState.FAILED if refused else TransferState.UNKNOWN, *self._last, now)
            return
        expires = next((parse_seconds(param[8:]) for param in params if param.startswith("expires=")), None)
        self._wait(min(QUIET_LIMIT if expires is None else expires, LONGEST_QUIET), now)

    def _wait(self, seconds: float, now: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._core.alarms.set(now + seconds, self._untold)

    def _untold(self, now: float) -> None:
        self._finish(TransferState.UNKNOWN, *self._last, now)

    def _finish(self, state: TransferState, code: int, reason: str, now: float) -> None:
        self.over = True
        if self._alarm is not None:
            self._alarm.cancel()
        self._tell(state, code, reason, now)


class ReceivedTransfer:
    """A REFER of theirs that the owner's rule allows: what becomes of it is told until the last.

    `waiting` tells that nobody has placed the call yet, and that somebody still may. `silent` is a transferor that
    wants to be told nothing (RFC 4488). `done()` is called once nothing more is owed.
    """

    def __init__(self, core: Core, peer: DialogPeer, target: ReferTarget, event: str, *, silent: bool) -> None:
        """Begin with nothing told."""
        self.id = core.token()
        self.target = target
        self.headers: tuple[tuple[str, str], ...] = ()
        self.done: Callable[[], None] = _nobody
        self.waiting = True
        self.over = silent
        self._core = core
        self._peer = peer
        self._event = event
        self._next: tuple[int, str] | None = None
        self._told: tuple[int, str] | None = None
        self._in_flight = False
        self._lifetime = core.account.timing.ring_timeout + int(core.timers.timeout)
        self._alarm: Alarm | None = None

    @property
    def private(self) -> bool:
        """Whether who transfers us does not know who we are, so that whom we call must not learn it either."""
        return self._peer.dialog.private

    def start(self, request: Request, now: float) -> None:
        """Tell that it is tried, and wait for somebody to place the call."""
        replaces = self.target.replaces
        referred_by = request.headers.get("Referred-By")
        self.headers = (
            *((("Referred-By", referred_by),) if referred_by else ()),
            *((("Replaces", str(replaces)),) if replaces is not None else ()),
        )
        self._alarm = self._core.alarms.set(now + self._core.timers.timeout, self._not_followed)
        self.report(STATUS_TRYING, "", now)

    def _not_followed(self, now: float) -> None:
        self.report(STATUS_UNAVAILABLE, "", now)

    def followed(self) -> None:
        """Note that the call is placed, or never will be."""
        self.waiting = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def report(self, status: int, reason: str, now: float) -> None:
        """Tell how the call goes; the first final status is the last that is told."""
        if status >= 200:
            self.followed()
        if self.over:
            self.done()
            return
        final = self._next is not None and self._next[0] >= 200
        if not final and (status, reason) not in {self._next, self._told}:
            self._next = (status, reason)
            self._send(now)

    def _send(self, now: float) -> None:
        """Send what is new, one NOTIFY at a time (RFC 6665 section 4.2.2)."""
        if self._in_flight or self._next is None:
            return
        status, reason = self._told = self._next
        self._next = None
        final = status >= 200
        self.over = final
        state = "terminated;reason=noresource" if final else f"active;expires={self._lifetime}"
        headers = (("Event", self._event), ("Subscription-State", state))
        self._in_flight = True
        self._peer.request(
            "NOTIFY",
            Handlers(final=self._taken, failed=self._lost),
            now,
            headers=headers,
            body=sipfrag(status, reason),
            content_type=f"{SIPFRAG_TYPE};version=2.0",
        )

    def _taken(self, response: Response, _hop: Hop, now: float) -> None:
        self._in_flight = False
        if response.status >= 300:
            self.over = True
        if self.over:
            self.done()
        else:
            self._send(now)

    def _lost(self, _failure: Failure, _now: float) -> None:
        self._in_flight = False
        self.over = True
        self.done()


def _nobody() -> None:
    """Nobody waits for the end."""
