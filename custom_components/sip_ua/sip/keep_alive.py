"""OPTIONS at intervals: keeps the way through a NAT open and notices a server that is gone (RFC 3261 section 11)."""

from collections.abc import Callable
from typing import Final

from .address import Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import SDP_TYPE, Core, Failure
from .headers import CSeq, NameAddr
from .message import Request, Response

PROMPT: Final = 2
"""Times that a question may go out before its answer; the next time is a second and a half after the first."""


class KeepAlive:
    """Asks the server that we registered with, one question at a time; any answer shows that it lives."""

    def __init__(self, core: Core, is_needed: Callable[[], bool], on_lost: Callable[[float], None]) -> None:
        """Start silent; `on_lost` is to register again.

        It hears of an OPTIONS without an answer; of an answer that came late, since a server that was away for more
        than a second may have been restarted and forgotten us; and of one that sees us at another address.

        Nothing is asked while that `is_needed` not: a REGISTER on its way asks as well.
        """
        self._core = core
        self._is_needed = is_needed
        self._on_lost = on_lost
        self._call_id = core.token(16)
        self._cseq = 0
        self._hop: Hop | None = None
        self._contact: NameAddr | None = None
        self._request: ClientRequest | None = None
        self._alarm: Alarm | None = None

    def start(self, hop: Hop, now: float) -> None:
        """Keep the way to `hop` alive, over which an answer came just now."""
        self.stop()
        self._hop = hop
        self._contact = self._core.contact(hop)
        self._wait(now)

    def stop(self) -> None:
        """Ask no more."""
        self._hop = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _wait(self, now: float) -> None:
        interval = self._core.account.timing.keep_alive
        self._alarm = self._core.alarms.set(now + interval, self._ask) if interval and self._hop else None

    def _ask(self, now: float) -> None:
        if self._hop is None:
            return
        if not self._is_needed():
            self._wait(now)
            return
        self._alarm = None
        handlers = Handlers(final=self._answered, failed=self._lost)
        self._request = ClientRequest(self._core, self.build, handlers)
        self._request.start((self._hop,), now)

    def build(self, hop: Hop) -> Request:
        """Return an OPTIONS for the server."""
        core = self._core
        self._cseq += 1
        identity = core.identity()
        request = core.create_request(
            CSeq(self._cseq, "OPTIONS"),
            str(core.domain_uri()),
            from_=identity.with_tag(core.token()),
            to=NameAddr("", core.domain_uri()),
            call_id=self._call_id,
            route=core.proxy_route,
        )
        request.headers.add("Contact", str(core.contact(hop)))
        request.headers.add("Accept", SDP_TYPE)
        return request

    def _answered(self, _response: Response, hop: Hop, now: float) -> None:
        request = self._request
        was_away = request is not None and request.transaction is not None and request.transaction.sent > PROMPT
        is_elsewhere = self._core.contact(hop) != self._contact
        if self._go_on(now) and (was_away or is_elsewhere):
            self._on_lost(now)

    def _lost(self, _failure: Failure, now: float) -> None:
        if self._go_on(now):
            self._on_lost(now)

    def _go_on(self, now: float) -> bool:
        """Wait for the next time, unless the wait has begun already or nothing is to be kept alive any more."""
        if self._hop is None or self._alarm is not None:
            return False
        self._wait(now)
        return True
