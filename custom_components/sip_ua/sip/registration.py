"""The registration with the registrar as a state machine of its own (RFC 3261 section 10).

Theory of operation: there is never more than one REGISTER in flight. Its answer sets one alarm: the next refresh,
or the next attempt after a failure. Where a registrar may forget us without our noticing, the refresh comes earlier
than the granted time asks for (`confirm_pause`), and less often again where the registrar refuses that. A refused
login stops until somebody calls `start` with new credentials.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from functools import partial

from .address import Address, Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import PATH_TAG, Core, Failure
from .errors import AuthenticationFailure
from .events import RegistrationChanged, RegistrationFailure, RegistrationState
from .headers import CSeq, NameAddr
from .message import Request, Response
from .registration_answers import (
    CONFIRM_FORGIVEN,
    EXPIRES_MAX,
    FAILURE_BY_STATUS,
    LONGEST_PAUSE,
    confirm_pause,
    granted_seconds,
    place_named,
    refresh_pause,
)
from .service_route import service_route_of
from .text import clean_text

LASTING_CONNECTION = 5.0
RETRY_FIRST = 2.0
RETRY_JITTER = 0.2
REFUSALS_AFTER_SUCCESS = 3
TOO_BRIEF_LIMIT = 2
LATE_SUCCESS = 1.0
"""Seconds in which the answer to the other copy of a doubled login may still come."""
STATUS_TOO_BRIEF = 423

# A refresh is no loss, and a failure stays one until an attempt succeeds.
_CHALLENGES = frozenset({401, 407})
_SHOWN_WHILE_TRYING = frozenset({RegistrationState.REGISTERED, RegistrationState.FAILED})


class _Purpose(Enum):
    """What the REGISTER in flight is for."""

    NONE = auto()
    REGISTER = auto()
    UNREGISTER = auto()


class Registration:
    """Keeps one address of record registered, and says how that goes."""

    def __init__(self, core: Core, on_registered: Callable[[Hop, float], None]) -> None:
        """Start unregistered; `on_registered` hears of every success, `recovered` tells it of one after a failure.

        `hops` are the servers that the latest REGISTER might have gone to.
        """
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
        self._attempts = 0
        self._not_before = 0.0
        self._refresh_due = 0.0
        self._confirm_refusals = 0
        self._confirm_refused_at = 0.0
        self._held: Response | None = None
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

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Every server that the latest REGISTER might have gone to."""
        return () if self._request is None else self._request.hops

    def start(self, now: float) -> None:
        """Register now and keep registered; harmless where a REGISTER is already under way."""
        self._wanted = True
        self._refusals = 0
        self._not_before = 0.0
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
        """Register again at once, unless the registrar wants us to wait: it seems to have forgotten us."""
        patient = now < self._not_before or self.status.state is RegistrationState.REFUSED
        if self._wanted and not self.in_flight and not patient:
            self._attempt(_Purpose.REGISTER, now)

    def network_changed(self, now: float) -> None:
        """Register again at once; a REGISTER on its way left from an address that may not be ours any more."""
        if self._wanted and self._purpose is _Purpose.REGISTER and self._held is None:
            if self._request is not None:
                self._request.abandon(now)
            self._purpose = _Purpose.NONE
        self.refresh(now)

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
        self._held = None
        self._again = False
        self._sent_at = now
        if purpose is _Purpose.UNREGISTER:
            self._change(RegistrationChanged(at=now, state=RegistrationState.UNREGISTERING))
        elif self.status.state not in _SHOWN_WHILE_TRYING:
            self._change(replace(self.status, at=now, state=RegistrationState.REGISTERING, next_attempt_at=None))
        self._attempts += 1
        self._core.locate(hop, partial(self._located, self._attempts))

    def _located(self, attempt: int, outcome: tuple[Hop, ...] | Failure, now: float) -> None:
        if attempt != self._attempts:
            return
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
        request = core.create_request(
            CSeq(self._cseq, "REGISTER"),
            str(core.domain_uri()),
            from_=identity.with_tag(self._tag),
            to=identity,
            call_id=self._call_id,
            route=core.proxy_route,
        )
        headers = request.headers
        headers.add("Contact", f"{self._contact};expires={expires}")
        if self._bound_contact is not None and self._bound_contact != self._contact:
            # Nobody reaches us there any more: a server would try as long as it was told to, or has one place for us.
            headers.add("Contact", f"{self._bound_contact};expires=0")
        headers.add("Expires", str(expires))
        headers.add("Allow", core.allow)
        headers.add("Supported", f"{core.supported}, {PATH_TAG}" if core.supported else PATH_TAG)
        return request

    # Its outcome

    def late_success(self, response: Response, now: float) -> None:
        """Take a 2xx that comes after the refusal of the same REGISTER: the network doubled it on the way."""
        request = self._request
        if self._held is not None and request is not None and request.is_answered_by(response):
            self._held = None
            self._final(response, request.hop, now)

    def _refuses_login(self, response: Response, hop: Hop) -> bool:
        error = None if self._request is None else self._request.login_error
        refused = error is not None and error.failure is AuthenticationFailure.REFUSED
        return refused and response.status in _CHALLENGES and not hop.remote.transport.reliable

    def _final(self, response: Response, hop: Hop, now: float) -> None:
        if self._held is None and self._purpose is _Purpose.REGISTER and self._refuses_login(response, hop):
            self._held = response
            self._alarm = self._core.alarms.set(now + LATE_SUCCESS, partial(self._final, response, hop))
            return
        self._cancel_alarm()
        self._held = None
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
        self._core.service_route = service_route_of(response)
        self._core.preferred = hop.remote
        # Who takes a registration is there again, whatever was said of a call, maybe by its far end alone.
        self._core.let_rest(hop.remote, now)
        self._bound_contact = self._contact
        granted = granted_seconds(response, self._contact, self._expires)
        self._refresh_due = refresh_at = now + refresh_pause(granted)
        confirm = confirm_pause(self._core.account, hop.remote)
        if self._moved(hop):
            refresh_at = now
        elif confirm is not None:
            seldom = max(self._confirm_refusals - 1, 0)
            refresh_at = min(refresh_at, now + confirm * (1 << min(seldom, 16)))
        status = RegistrationChanged(
            at=now,
            state=RegistrationState.REGISTERED,
            code=response.status,
            reason=clean_text(response.reason),
            expires_at=now + granted,
            next_attempt_at=self._refresh_due,
            detail=str(hop.remote),
            place=hop.remote.place,
        )
        if not self._is_known(status):
            self._change(status)
        if not self._continue(now):
            self._alarm = self._core.alarms.set(refresh_at, self.refresh)
            self._core.learn_servers()
            self._on_registered(hop, now)

    def _confirmation_refused(self, now: float) -> None:
        """Confirm less often where that is refused again and again within a day: once may be any trouble."""
        if now - self._confirm_refused_at > CONFIRM_FORGIVEN:
            self._confirm_refusals = 0
        self._confirm_refusals += 1
        self._confirm_refused_at = now

    def _is_known(self, status: RegistrationChanged) -> bool:
        """Whether a confirmation changes so little that what was told last is still true for long enough."""
        told = self.status
        if told.expires_at is None or told.next_attempt_at is None:
            return False
        same = replace(status, at=told.at, expires_at=told.expires_at, next_attempt_at=told.next_attempt_at) == told
        lasts = (status.expires_at or 0.0) >= told.expires_at
        return same and lasts and status.at < (told.at + told.next_attempt_at) / 2

    def _moved(self, hop: Hop) -> bool:
        """Return whether the server sees us elsewhere than we registered; only the first time in a row counts."""
        self._moves = self._moves + 1 if self._core.contact(hop) != self._contact else 0
        return self._moves == 1

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
        self._core.service_route = ()
        if self.status.state is RegistrationState.REGISTERED and self._sent_at < self._refresh_due:
            self._confirmation_refused(now)
        request = self._request
        failure = FAILURE_BY_STATUS.get(status, RegistrationFailure.SERVER_ERROR)
        place = place_named(response) if failure is RegistrationFailure.REDIRECTED else ""
        if failure is RegistrationFailure.REDIRECTED and not place:
            failure = RegistrationFailure.SERVER_ERROR
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
            detail=place or str(hop.remote),
            place=place or hop.remote.place,
        )
        told = float(response.retry_after)
        self._not_before = now + told
        self._retry(answer, None if stop else max(told, self._backoff(failure)))

    def _failed(self, failure: Failure, now: float) -> None:
        purpose, self._purpose = self._purpose, _Purpose.NONE
        if purpose is _Purpose.UNREGISTER:
            self._unregistered(now, 0, "")
            return
        answer = RegistrationChanged(
            at=now,
            state=RegistrationState.FAILED,
            failure=failure.kind,
            detail=failure.text,
            place=failure.place,
            certificate=failure.certificate,
        )
        self._retry(answer, self._backoff(failure.kind))

    def _unregistered(self, now: float, code: int, reason: str) -> None:
        self._forget()
        reason = clean_text(reason)
        self._change(RegistrationChanged(at=now, state=RegistrationState.UNREGISTERED, code=code, reason=reason))
        self._continue(now)

    def _forget(self) -> None:
        """Take note that the registrar knows nothing of us; the way that it wanted goes with that (RFC 3608)."""
        self._bound = False
        self._bound_contact = None
        self._core.service_route = ()

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
        if at is None:
            self._forget()
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
