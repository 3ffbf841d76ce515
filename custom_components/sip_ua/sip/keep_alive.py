"""OPTIONS at intervals: keeps the way through a NAT open and notices a server that is gone (RFC 3261 section 11)."""

from collections.abc import Callable

from .address import Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import Core, Failure
from .grammar import MAX_FORWARDS
from .headers import CSeq, Headers
from .message import Request, Response


class KeepAlive:
    """Asks the server that we registered with, one question at a time; any answer shows that it lives."""

    def __init__(self, core: Core, on_lost: Callable[[float], None]) -> None:
        """Start silent; `on_lost` hears of an OPTIONS without an answer."""
        self._core = core
        self._on_lost = on_lost
        self._call_id = core.token(16)
        self._cseq = 0
        self._hop: Hop | None = None
        self._alarm: Alarm | None = None

    def start(self, hop: Hop, now: float) -> None:
        """Keep the way to `hop` alive."""
        self._hop = hop
        if self._alarm is None:
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
        handlers = Handlers(final=self._answered, failed=self._lost)
        ClientRequest(self._core, self._build, handlers).start((self._hop,), now)

    def _build(self, hop: Hop) -> Request:
        core = self._core
        self._cseq += 1
        identity = core.identity()
        headers = Headers()
        core.add_route(headers)
        headers.add("Max-Forwards", MAX_FORWARDS)
        headers.add("From", str(identity.with_tag(core.token())))
        headers.add("To", f"<{core.domain_uri()}>")
        headers.add("Call-ID", self._call_id)
        headers.add("CSeq", str(CSeq(self._cseq, "OPTIONS")))
        headers.add("Contact", str(core.contact(hop)))
        headers.add("Accept", "application/sdp")
        return Request("OPTIONS", str(core.domain_uri()), headers)

    def _answered(self, _response: Response, _hop: Hop, now: float) -> None:
        if self._alarm is not None:
            self._wait(now)

    def _lost(self, _failure: Failure, now: float) -> None:
        if self._alarm is not None:
            self._wait(now)
            self._on_lost(now)
