"""The registration with the registrar as a state machine of its own (RFC 3261 section 10).

Theory of operation: there is never more than one REGISTER in flight. Its answer sets one alarm: the next refresh,
or the next attempt after a failure. A refused login stops until somebody calls `start` with new credentials.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

from .address import Address, Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import Core, Failure
from .errors import AuthenticationFailure
from .events import RegistrationChanged, RegistrationFailure, RegistrationState
from .grammar import MAX_FORWARDS
from .headers import CSeq, Headers, NameAddr
from .message import Request, Response
from .text import clean_text
from .uri import uri_equal

REFRESH_MARGIN = 90.0
SHORTEST_REFRESH = 2.0
LASTING_CONNECTION = 5.0
RETRY_FIRST = 2.0
RETRY_JITTER = 0.2
REFUSALS_AFTER_SUCCESS = 3
EXPIRES_MIN_GRANTED = 1
EXPIRES_MAX = 2**31
TOO_BRIEF_LIMIT = 2
STATUS_TOO_BRIEF = 423

# What a final answer other than 2xx means; any other code is the server's own trouble.
FAILURE_BY_STATUS: dict[int, RegistrationFailure] = {
    401: RegistrationFailure.LOGIN_REFUSED,
    403: RegistrationFailure.LOGIN_REFUSED,
    404: RegistrationFailure.NUMBER_UNKNOWN,
    407: RegistrationFailure.LOGIN_REFUSED,
    410: RegistrationFailure.NUMBER_UNKNOWN,
    408: RegistrationFailure.SERVER_BUSY,
    416: RegistrationFailure.WRONG_DOMAIN,
    429: RegistrationFailure.SERVER_BUSY,
    476: RegistrationFailure.WRONG_DOMAIN,
    478: RegistrationFailure.WRONG_DOMAIN,
    480: RegistrationFailure.SERVER_BUSY,
    484: RegistrationFailure.NUMBER_UNKNOWN,
    485: RegistrationFailure.NUMBER_UNKNOWN,
    486: RegistrationFailure.SERVER_BUSY,
    491: RegistrationFailure.SERVER_BUSY,
    503: RegistrationFailure.SERVER_BUSY,
    504: RegistrationFailure.SERVER_BUSY,
    604: RegistrationFailure.NUMBER_UNKNOWN,
}
# A server that comes back is to be found within five seconds; what reaches nobody burdens nobody.
LONGEST_PAUSE: dict[RegistrationFailure, float] = {
    RegistrationFailure.NO_ROUTE: 4.0,
    RegistrationFailure.NO_ANSWER: 4.0,
    RegistrationFailure.CONNECTION_REFUSED: 4.0,
    RegistrationFailure.NAME_NOT_FOUND: 15.0,
    # A handshake costs the server something, and somebody has to put its certificate right.
    RegistrationFailure.CERTIFICATE: 45.0,
    RegistrationFailure.CERTIFICATE_NAME: 45.0,
    RegistrationFailure.CERTIFICATE_EXPIRED: 45.0,
    RegistrationFailure.CERTIFICATE_CHANGED: 45.0,
    RegistrationFailure.TLS_VERSION: 45.0,
}

# A refresh is no loss, and a failure stays one until an attempt succeeds.
_SHOWN_WHILE_TRYING = frozenset({RegistrationState.REGISTERED, RegistrationState.FAILED})


class _Purpose(Enum):
    """What the REGISTER in flight is for."""

    NONE = auto()
    REGISTER = auto()
    UNREGISTER = auto()


class Registration:
    """Keeps one address of record registered, and says how that goes."""

    def __init__(self, core: Core, on_registered: Callable[[Hop, float], None]) -> None:
        """Start unregistered; `on_registered` hears of every success, `recovered` tells it of one after a failure."""
        self._core = core
        self._on_registered = on_registered
        self._call_id = core.token(16)
        self._tag = core.token()
        self._cseq = 0
        self._expires = core.account.timing.expiration
        self._purpose = _Purpose.NONE
        self._wanted = False
        self._again = False
        self._bound = False
        self._moves = 0
        self._losses = 0
        self._sent_at = 0.0
        self._request: ClientRequest | None = None
        self._alarm: Alarm | None = None
        self._too_brief = 0
        self._refusals = 0
        self._ever_registered = False
        self._contact: NameAddr | None = None
        self._bound_contact: NameAddr | None = None
        self.recovered = False
        self.status = RegistrationChanged(at=0.0, state=RegistrationState.UNREGISTERED)

    @property
    def in_flight(self) -> bool:
        """Whether a REGISTER waits for its answer."""
        return self._purpose is not _Purpose.NONE

    @property
    def server(self) -> Address | None:
        """The server that the latest REGISTER went to."""
        return None if self._request is None else self._request.hop.remote

    def start(self, now: float) -> None:
        """Register now and keep registered; harmless where a REGISTER is already under way."""
        self._wanted = True
        self._refusals = 0
        if self.in_flight:
            self._again = self._purpose is _Purpose.UNREGISTER
            return
        self._attempt(_Purpose.REGISTER, now)

    def stop(self, now: float) -> None:
        """Unregister where there is something to unregister."""
        self._wanted = False
        if self._purpose is _Purpose.UNREGISTER:
            self._again = False
        elif self.in_flight:
            self._again = True
        elif self._bound:
            self._attempt(_Purpose.UNREGISTER, now)
        else:
            self._cancel_alarm()
            self._change(RegistrationChanged(at=now, state=RegistrationState.UNREGISTERED))

    def refresh(self, now: float) -> None:
        """Register again at once: the network changed, or the server seems to have forgotten us."""
        if self._wanted and not self.in_flight and self.status.state is not RegistrationState.REFUSED:
            self._attempt(_Purpose.REGISTER, now)

    def connection_lost(self, now: float) -> None:
        """Register over a new connection: at once, and with growing pauses where connections do not last."""
        if not self._wanted or self.in_flight or self.status.state is not RegistrationState.REGISTERED:
            return
        if now - self._sent_at > LASTING_CONNECTION:
            self._losses = 0
            self.refresh(now)
            return
        self._losses += 1
        pause = min(RETRY_FIRST * (1 << min(self._losses, 16)), float(self._core.account.timing.resend))
        self._cancel_alarm()
        self._alarm = self._core.alarms.set(now + pause, self.refresh)
        self._change(replace(self.status, at=now, next_attempt_at=now + pause))

    # One REGISTER

    def _attempt(self, purpose: _Purpose, now: float) -> None:
        hop = self._core.server_hop(registrar=True)
        if hop is None:
            return
        self._cancel_alarm()
        self._purpose = purpose
        self._again = False
        self._sent_at = now
        if purpose is _Purpose.UNREGISTER:
            self._change(RegistrationChanged(at=now, state=RegistrationState.UNREGISTERING))
        elif self.status.state not in _SHOWN_WHILE_TRYING:
            self._change(replace(self.status, at=now, state=RegistrationState.REGISTERING, next_attempt_at=None))
        self._core.locate(hop, self._located)

    def _located(self, outcome: tuple[Hop, ...] | Failure, now: float) -> None:
        if isinstance(outcome, Failure):
            self._failed(outcome, now)
            return
        server = self._core.server_hop(registrar=True)
        if server is not None:
            self._core.note_servers(server, outcome)
        handlers = Handlers(final=self._final, failed=self._failed)
        self._request = ClientRequest(self._core, self._build, handlers)
        self._request.start(outcome, now)

    def _build(self, hop: Hop) -> Request:
        core = self._core
        self._cseq += 1
        unregister = self._purpose is _Purpose.UNREGISTER
        expires = 0 if unregister else self._expires
        if self._contact is None or not unregister:
            self._contact = core.contact(hop)
        identity = core.identity()
        headers = Headers()
        core.add_route(headers)
        headers.add("Max-Forwards", MAX_FORWARDS)
        headers.add("From", f"{identity};tag={self._tag}")
        headers.add("To", str(identity))
        headers.add("Call-ID", self._call_id)
        headers.add("CSeq", str(CSeq(self._cseq, "REGISTER")))
        headers.add("Contact", f"{self._contact};expires={expires}")
        if self._bound_contact is not None and self._bound_contact != self._contact:
            # Nobody reaches us there any more, and a server would try for as long as it was told to.
            headers.add("Contact", f"{self._bound_contact};expires=0")
        headers.add("Expires", str(expires))
        headers.add("Allow", core.allow)
        headers.add("Supported", core.supported)
        return Request("REGISTER", str(core.domain_uri()), headers)

    # Its outcome

    def _final(self, response: Response, hop: Hop, now: float) -> None:
        purpose, self._purpose = self._purpose, _Purpose.NONE
        status = response.status
        if purpose is _Purpose.UNREGISTER:
            self._unregistered(now, response.status, response.reason)
        elif 200 <= status < 300:
            self._succeeded(response, hop, now)
        elif status == STATUS_TOO_BRIEF and self._accept_longer(response):
            self._attempt(_Purpose.REGISTER, now)
        else:
            self._refused(response, hop, now)

    def _succeeded(self, response: Response, hop: Hop, now: float) -> None:
        self._bound = self._ever_registered = True
        self.recovered = self.status.state is not RegistrationState.REGISTERED
        self._too_brief = self._refusals = 0
        self._bound_contact = self._contact
        granted = self._granted(response)
        refresh_at = now + max(granted - min(REFRESH_MARGIN, granted / 2), SHORTEST_REFRESH)
        if self._moved(hop):
            refresh_at = now
        self._change(
            RegistrationChanged(
                at=now,
                state=RegistrationState.REGISTERED,
                code=response.status,
                reason=clean_text(response.reason),
                expires_at=now + granted,
                next_attempt_at=refresh_at,
                detail=str(hop.remote),
            )
        )
        if not self._continue(now):
            self._on_registered(hop, now)
            self._alarm = self._core.alarms.set(refresh_at, self.refresh)

    def _moved(self, hop: Hop) -> bool:
        """Return whether the server sees us elsewhere than we registered; only the first time in a row counts."""
        self._moves = self._moves + 1 if self._core.contact(hop) != self._contact else 0
        return self._moves == 1

    def _granted(self, response: Response) -> float:
        """Return the granted seconds: of our Contact, else of the Expires header field, else what we asked for."""
        granted: int | None = None
        ours = self._contact
        for contact in response.contacts:
            expires = contact.params.get("expires")
            if ours is not None and uri_equal(contact.uri, ours.uri) and expires is not None and expires.isdecimal():
                granted = int(expires[:10])
        if granted is None:
            granted = response.expires
        if granted is None:
            granted = self._expires
        return float(min(max(granted, EXPIRES_MIN_GRANTED), EXPIRES_MAX))

    def _accept_longer(self, response: Response) -> bool:
        """Ask for the lifetime that the registrar wants at least (section 10.3, step 7)."""
        wanted = response.headers.get("Min-Expires") or ""
        self._too_brief += 1
        if not wanted.isdecimal() or self._too_brief > TOO_BRIEF_LIMIT or len(wanted) > 10:
            return False
        self._expires = max(self._expires, min(int(wanted), EXPIRES_MAX))
        return True

    def _refused(self, response: Response, hop: Hop, now: float) -> None:
        status = response.status
        request = self._request
        failure = FAILURE_BY_STATUS.get(status, RegistrationFailure.SERVER_ERROR)
        error = request.login_error if request is not None else None
        if error is not None and error.failure is AuthenticationFailure.UNSUPPORTED_ALGORITHM:
            failure = RegistrationFailure.NO_DIGEST_ALGORITHM
        stop = failure in {RegistrationFailure.LOGIN_REFUSED, RegistrationFailure.NO_DIGEST_ALGORITHM}
        if stop and status == 403 and self._ever_registered:
            self._refusals += 1
            stop = self._refusals >= REFUSALS_AFTER_SUCCESS
        answer = RegistrationChanged(
            at=now,
            state=RegistrationState.FAILED,
            failure=failure,
            code=status,
            reason=clean_text(response.reason),
            detail=str(hop.remote),
        )
        self._retry(answer, None if stop else max(_retry_after(response), self._backoff(failure)))

    def _failed(self, failure: Failure, now: float) -> None:
        purpose, self._purpose = self._purpose, _Purpose.NONE
        if purpose is _Purpose.UNREGISTER:
            self._unregistered(now, 0, "")
            return
        answer = RegistrationChanged(at=now, state=RegistrationState.FAILED, failure=failure.kind, detail=failure.text)
        self._retry(answer, self._backoff(failure.kind))

    def _unregistered(self, now: float, code: int, reason: str) -> None:
        self._bound = False
        self._bound_contact = None
        reason = clean_text(reason)
        self._change(RegistrationChanged(at=now, state=RegistrationState.UNREGISTERED, code=code, reason=reason))
        self._continue(now)

    def _continue(self, now: float) -> bool:
        """Do what was asked while the REGISTER was in flight."""
        if not self._again:
            return False
        self._again = False
        if self._wanted:
            self._attempt(_Purpose.REGISTER, now)
        else:
            self.stop(now)
        return True

    def _retry(self, answer: RegistrationChanged, delay: float | None) -> None:
        """Say that it failed, and try again after `delay` seconds (None: only when told to)."""
        now = answer.at
        at = None if delay is None else now + delay
        state = RegistrationState.REFUSED if at is None else RegistrationState.FAILED
        self._bound = self._bound and at is not None
        self._change(replace(answer, state=state, failures=self.status.failures + 1, next_attempt_at=at))
        if not self._continue(now) and at is not None:
            self._alarm = self._core.alarms.set(at, self.refresh)

    def _backoff(self, failure: RegistrationFailure) -> float:
        """Return the seconds until the next attempt: doubling, capped, with jitter against synchronised clients."""
        longest = float(self._core.account.timing.resend)
        longest = min(longest, LONGEST_PAUSE.get(failure, longest))
        delay = min(RETRY_FIRST * (1 << min(self.status.failures, 16)), longest)
        if failure in {RegistrationFailure.NUMBER_UNKNOWN, RegistrationFailure.LOGIN_REFUSED}:
            delay = longest
        spread = self._core.entropy(1)[0] / 255 * 2 - 1
        return delay * (1 + RETRY_JITTER * spread)

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _change(self, status: RegistrationChanged) -> None:
        self.status = status
        self._core.emit(status)


def _retry_after(response: Response) -> float:
    """Return the seconds of a Retry-After header field, capped at a day (RFC 3261 section 20.33)."""
    text = (response.headers.get("Retry-After") or "").split(";")[0].split("(")[0].strip()
    return float(min(int(text), 86400)) if text.isdecimal() and len(text) < 10 else 0.0
