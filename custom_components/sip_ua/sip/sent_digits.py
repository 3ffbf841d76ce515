"""Digits on their way to the far end in INFO requests, one after the other (RFC 6086 section 4.2.4 forbids overlaps).

RFC 6086 asks for a new request only when the one before was answered; the key's own time and its pause pass besides.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from .address import Hop
from .alarm import Alarm
from .client import Handlers
from .core import Core, Failure
from .dialog_peer import DialogPeer
from .errors import LocalFault, LocalProtocolError
from .info import DTMF, DTMF_RELAY, PAUSE, PAUSE_MS, check_digits, write_dtmf
from .message import Response

MAX_WAITING: Final = 256
_WRONG_FORMAT: Final = 415

type Refused = Callable[[str, int, str, float], None]
"""Hears of the digits that will not be sent, the code and reason of the answer (0 for none), and when."""


class SentDigits:
    """Sends the digits of one call; what the far end refuses goes to `refused`, with all that waits behind it."""

    def __init__(self, core: Core, peer: DialogPeer, refused: Refused) -> None:
        """Begin with none."""
        self._core = core
        self._peer = peer
        self._refused = refused
        self._queue: deque[tuple[str, int, int]] = deque()
        self._kind = DTMF_RELAY
        self._begun = 0.0
        self._under_way = False
        self._pause: Alarm | None = None

    def queue(self, digits: str, duration_ms: int, gap_ms: int, now: float) -> None:
        """Send digits behind those that wait; raises LocalProtocolError for what is none, and for too many."""
        wanted = check_digits(digits)
        if len(self._queue) + len(wanted) > MAX_WAITING:
            raise LocalProtocolError("too many digits are waiting", LocalFault.TOO_MANY_DIGITS)
        self._queue.extend((digit, duration_ms, gap_ms) for digit in wanted)
        if not self._under_way and self._pause is None:
            self._send(now)

    def stop(self) -> None:
        """Send nothing more."""
        self._queue.clear()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _send(self, now: float) -> None:
        """Send the first digit that waits; it stays in the queue until it is answered."""
        self._pause = None
        if not self._queue:
            return
        digit, duration_ms, _ = self._queue[0]
        self._begun = now
        if digit == PAUSE:
            self._next(now)
            return
        self._under_way = True
        handlers = Handlers(final=self._answered, failed=self._failed)
        body = write_dtmf(self._kind, digit, duration_ms)
        self._peer.request("INFO", handlers, now, body=body, content_type=self._kind)

    def _answered(self, response: Response, _hop: Hop, now: float) -> None:
        self._under_way = False
        if response.status < 300:
            self._next(now)
        elif response.status == _WRONG_FORMAT and self._kind == DTMF_RELAY:
            self._kind = DTMF
            self._send(now)
        else:
            self._give_up(response.status, response.reason, now)

    def _failed(self, failure: Failure, now: float) -> None:
        self._under_way = False
        self._give_up(0, failure.text, now)

    def _next(self, now: float) -> None:
        """Go on when the digit just sent and its pause are over."""
        if not self._queue:
            return
        digit, duration_ms, gap_ms = self._queue.popleft()
        lasts = PAUSE_MS if digit == PAUSE else duration_ms + gap_ms
        self._pause = self._core.alarms.set(max(now, self._begun + lasts / 1000), self._send)

    def _give_up(self, code: int, reason: str, now: float) -> None:
        left = "".join(digit for digit, _, _ in self._queue)
        self.stop()
        if left:
            self._refused(left, code, reason, now)
