"""One subscription as a state machine of its own (RFC 6665 sections 4.1 and 4.4, RFC 5057).

Theory of operation: there is never more than one SUBSCRIBE in flight. Its answer, and every NOTIFY, set one alarm: the
next refresh, or the next attempt anew. The dialog is that of the first NOTIFY, which may overtake the 2xx; until one
comes, timer N runs. What ends a subscription also says when the next one may begin, and only a subscription that
lasted takes the pause between attempts back to its start.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Final, Protocol

from .account import Transport
from .address import Address, Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import Core, Failure
from .errors import RemoteProtocolError
from .event_headers import EventPackage, Notified, SubscriptionState, parse_event, parse_subscription_state
from .events import RegistrationFailure
from .headers import parse_seconds
from .message import Request, Response
from .subscription_dialog import STATUS_GONE, DialogId, SubscriptionDialog
from .subscription_pauses import Pace, Pauses
from .transaction import ServerTransaction
from .uri import Uri

LONGEST_EXPIRES: Final = 2**31
TOO_BRIEF_LIMIT: Final = 2
REFUSED_LIMIT: Final = 2
"""Refusals of a refresh in a row after which the subscription is begun anew."""
STATUS_NO_NOTIFICATION: Final = 204
STATUS_TOO_BRIEF: Final = 423
STATUS_BAD_EVENT: Final = 489

# What ends the dialog of a refresh; after any other failure it lives on until it expires (RFC 6665 section 4.1.2.2).
_ENDS_DIALOG: Final = frozenset({404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604})

# A refresh that meets 481: the notifier has forgotten us, as it would have told by this reason.
_FORGOTTEN: Final = SubscriptionState(Notified.TERMINATED, "deactivated")


class Subscriber(Protocol):
    """Who wants to know."""

    def began(self) -> None:
        """Learn that a new subscription has begun, in which what is told begins anew."""

    def notified(self, body: bytes, now: float) -> bool:
        """Take a body.

        Return whether it could be used; otherwise the whole state is asked for again. Raises RemoteProtocolError
        for a body that cannot be read.
        """

    def lost(self, now: float) -> None:
        """Learn that what was told is not known to be true any more."""

    def unsupported(self, now: float) -> None:
        """Learn that the notifier does not know the event package; nothing more is tried."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all subscriptions of an account share; `dialogs` finds them by Call-ID and our tag.

    `forgotten` hears of a notifier that does not know a subscription of ours any more.
    """

    core: Core
    dialogs: dict[DialogId, Subscription]
    pace: Pace
    forgotten: Callable[[float], None]


class Phase(Enum):
    """Where a subscription is."""

    IDLE = auto()
    """Nothing is wanted."""
    GIVEN_UP = auto()
    """The notifier said that asking again is of no use."""
    WAITING = auto()
    """The next attempt has its time."""
    SUBSCRIBING = auto()
    """No NOTIFY came yet."""
    SUBSCRIBED = auto()
    ENDING = auto()
    """Not wanted any more, and the notifier has yet to say that it is over."""


class Subscription:
    """Keeps us subscribed to one event of one resource."""

    def __init__(
        self, surroundings: Surroundings, package: EventPackage, target: Uri, expires: int, subscriber: Subscriber
    ) -> None:
        """Prepare; nothing is sent before `start`. `expires` is in seconds."""
        self.phase = Phase.IDLE
        self._core = surroundings.core
        self._dialogs = surroundings.dialogs
        self._pace = surroundings.pace
        self._tell_forgotten = surroundings.forgotten
        self._package = package
        self._target = target
        self._dialog = SubscriptionDialog(surroundings.core, package, target)
        self._expires = expires
        self._subscriber = subscriber
        self._client: ClientRequest | None = None
        self._alarm: Alarm | None = None
        self._heard = False
        self._sent_at = 0.0
        self._began_at: float | None = None
        self._expires_at = 0.0
        self._not_before = 0.0
        self._stale = False
        self._early = False
        self._takes_early = True
        self._pauses = Pauses(surroundings.core.entropy)
        self._too_brief = 0
        self._refused = 0
        self._again = False
        self._over_while_asking: tuple[float | None] | None = None

    def takes_from(self, source: Address) -> bool:
        """Whether a NOTIFY may come from there: what was asked for by TLS is told by TLS (RFC 3261 section 26.2)."""
        return source.transport is Transport.TLS or not self._dialog.secure

    # Commands

    def start(self, now: float) -> None:
        """Subscribe and stay subscribed; harmless where that is done already, or given up."""
        self._again = self.phase is Phase.ENDING
        if self.phase is Phase.IDLE:
            self._pauses.forgive()
            self._wait_until(self._pace.moment(now))

    def stop(self, now: float) -> None:
        """Unsubscribe, where there is something to unsubscribe from."""
        self._again = False
        if self.phase is Phase.GIVEN_UP:
            self.phase = Phase.IDLE
        if self.phase in {Phase.IDLE, Phase.ENDING}:
            return
        self._cancel_alarm()
        self.phase = Phase.ENDING
        if self._dialog.established and self._client is None:
            self._ask(now)
        elif self._client is None:
            self._finish(now)
        elif not self._dialog.established:
            self._client.stop()

    def renew(self, now: float) -> None:
        """Subscribe again soon, unless the notifier wants us to wait: it may have forgotten us, or where we are."""
        self._stale = self._client is not None
        if not self._stale and self.phase in {Phase.WAITING, Phase.SUBSCRIBED} and now >= self._not_before:
            self._wait_until(self._pace.moment(now))

    def confirm(self, now: float) -> bool:
        """Refresh ahead of time, to learn whether the notifier still knows us; False where that is of no use now."""
        if not (self._is_quiet(now) and self._heard and self._takes_early):
            return False
        self._ask(now, early=True)
        return True

    def suspect(self, now: float) -> None:
        """Refresh in our turn: the notifier has forgotten another subscription of ours."""
        if self._is_quiet(now):
            self._wait_until(self._pace.moment(now))

    def _is_quiet(self, now: float) -> bool:
        return self.phase is Phase.SUBSCRIBED and self._client is None and now >= self._not_before

    # One SUBSCRIBE

    def _due(self, now: float) -> None:
        if self._dialog.established and now >= self._expires_at:
            self._forget_dialog()
            self._subscriber.lost(now)
        self._ask(now)

    def _ask(self, now: float, *, early: bool = False) -> None:
        """Send a SUBSCRIBE: in the dialog where there is one, else the first of a new one."""
        self._cancel_alarm()
        self._early = early
        self._stale = False
        if not self._dialog.established:
            self._forget_dialog()
            self._dialogs[self._dialog.id] = self
            self.phase = Phase.SUBSCRIBING
        handlers = Handlers(final=self._final, failed=self._failed, sent=self._left)
        self._client = ClientRequest(self._core, self._build, handlers)
        hop = self._dialog.next_hop()
        if hop is None:
            self._failed(Failure(RegistrationFailure.NAME_NOT_FOUND, "no server, and no SIP address"), now)
        else:
            self._core.locate(hop, self._located)

    def _build(self, hop: Hop) -> Request:
        return self._dialog.subscribe(hop, 0 if self.phase is Phase.ENDING else self._expires)

    def _located(self, outcome: tuple[Hop, ...] | Failure, now: float) -> None:
        client = self._client
        if client is None:
            return
        if isinstance(outcome, Failure):
            self._failed(outcome, now)
            return
        if not self._dialog.established:
            if self.phase is Phase.ENDING:
                self._client = None
                self._finish(now)
                return
            if (server := self._core.server_for(self._target)) is not None:
                self._core.note_servers(server, outcome)
            else:
                self._core.note_chosen(outcome)
        client.start(outcome, now)

    def _left(self, now: float) -> None:
        self._sent_at = now
        self._heard = False

    # Its outcome

    def _final(self, response: Response, _hop: Hop, now: float) -> None:
        client, self._client = self._client, None
        status = response.status
        if self.phase is Phase.ENDING:
            self._answered_at_end(client, response, now)
        elif self._over_while_asking is not None:
            self._rest(self._over_while_asking[0], now)
        elif status < 300:
            self._accepted(client, response, now)
        elif status == STATUS_TOO_BRIEF and self._accept_longer(response):
            self._ask(now)
        elif status == STATUS_BAD_EVENT:
            self._over(None, now)
            self._subscriber.unsupported(now)
        elif self._dialog.established and status not in _ENDS_DIALOG:
            self._refresh_refused(response, now)
        elif self._dialog.established and status == STATUS_GONE:
            self._over_by(_FORGOTTEN, now)
            self._tell_forgotten(now)
        else:
            self._over(self._pauses.after_refusal(response), now)

    def _accepted(self, client: ClientRequest | None, response: Response, now: float) -> None:
        """Take a 2xx; what it grants may be less than was asked for, never more (section 4.1.2.1)."""
        self._too_brief = self._refused = 0
        self._note_age(now)
        if client is not None and client.transaction is not None:
            self._dialog.accepted(client.transaction.request, response)
        granted = self._expires if response.expires is None else min(response.expires, self._expires)
        self._set_expiry(granted, now)
        if self._stale:
            self.renew(now)
        elif not self._heard and response.status != STATUS_NO_NOTIFICATION:
            self._cancel_alarm()
            self._alarm = self._core.alarms.set(self._sent_at + self._core.timers.timeout, self._unheard)

    def _answered_at_end(self, client: ClientRequest | None, response: Response, now: float) -> None:
        """Go on to unsubscribe where that was not the question yet."""
        request = None if client is None or client.transaction is None else client.transaction.request
        over = request is None or self._over_while_asking is not None
        accepted = response.status < 300
        asked = request is not None and request.expires == 0
        if request is not None and accepted and not asked:
            self._dialog.accepted(request, response)
        if self._dialog.established and not over and not asked:
            self._ask(now)
        elif self._dialog.established and not over and accepted:
            # The last NOTIFY is on its way.
            self._alarm = self._core.alarms.set(now + self._core.timers.timeout, self._finish)
        else:
            self._finish(now)

    def _accept_longer(self, response: Response) -> bool:
        """Ask for the time that the notifier wants at least (section 4.2.1.1)."""
        wanted = parse_seconds(response.headers.get("Min-Expires"))
        self._too_brief += 1
        if wanted is None or wanted <= self._expires or self._too_brief > TOO_BRIEF_LIMIT:
            return False
        self._expires = min(wanted, LONGEST_EXPIRES)
        return True

    def _failed(self, _failure: Failure, now: float) -> None:
        self._client = None
        pause = self._pauses.backoff(float(self._core.account.timing.resend))
        if self.phase is Phase.ENDING:
            self._finish(now)
        elif self._over_while_asking is not None:
            self._rest(self._over_while_asking[0], now)
        elif self._dialog.established and now < self._expires_at:
            self._retry_in_dialog(pause, now)
        else:
            self._over(pause, now)

    def _unheard(self, now: float) -> None:
        """No NOTIFY came although the SUBSCRIBE was accepted (timer N)."""
        self._takes_early = self._takes_early and not self._early
        self._over_by(_FORGOTTEN, now)

    # NOTIFY

    def receive(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take a NOTIFY with our Call-ID and tag (section 4.1.3)."""
        core = self._core
        if parse_event(request.headers) != self._package.name:
            core.respond(transaction, STATUS_BAD_EVENT, now, headers=(("Allow-Events", self._package.name),))
            return
        try:
            if self._over_while_asking is not None:
                raise RemoteProtocolError("a NOTIFY after the last", STATUS_GONE)  # noqa: TRY301
            first = self._dialog.notified(request)
        except RemoteProtocolError as error:
            core.respond(transaction, error.status, now)
            return
        self._heard = True
        state = parse_subscription_state(request.headers)
        usable = self._take_body(transaction, request, now, first=first)
        if state.state is Notified.TERMINATED:
            self._terminated(state, now)
        elif self.phase is not Phase.ENDING:
            self._alive(state, now, usable=usable, first=first)

    def _take_body(self, transaction: ServerTransaction, request: Request, now: float, *, first: bool) -> bool:
        core = self._core
        usable = True
        if self.phase is Phase.ENDING:
            core.respond(transaction, 200, now)
            return usable
        if first:
            self._subscriber.began()
        if request.body and request.content_type != self._package.accept:
            core.respond(transaction, 415, now, headers=(("Accept", self._package.accept),))
            return usable
        try:
            if request.body:
                usable = self._subscriber.notified(request.body, now)
        except RemoteProtocolError as error:
            core.respond(transaction, error.status, now)
        else:
            core.respond(transaction, 200, now)
        return usable

    def _alive(self, state: SubscriptionState, now: float, *, usable: bool, first: bool) -> None:
        awaited = self.phase is Phase.SUBSCRIBING
        self.phase = Phase.SUBSCRIBED
        if first:
            self._began_at = now
        self._pauses.usable(usable=usable)
        if self._client is not None:
            # The answer to the SUBSCRIBE sets the time of the next; one that is lost leaves what is said here.
            self._expires_at = now + min(state.expires or self._expires, self._expires)
        elif not usable:
            self._wait_until(max(now, self._sent_at + self._pauses.before_resync()))
        elif state.expires is not None:
            self._set_expiry(state.expires, now)
        elif awaited or self._alarm is None or self._alarm.callback == self._unheard:
            self._set_expiry(self._expires_at - now, now)

    def _terminated(self, state: SubscriptionState, now: float) -> None:
        if self.phase is not Phase.ENDING:
            self._over_by(state, now)
        elif self._client is None:
            self._finish(now)
        else:
            self._over_while_asking = (None,)

    # The end of a dialog, and what comes then

    def _over_by(self, state: SubscriptionState, now: float) -> None:
        """End by the reason of the notifier."""
        self._note_age(now)
        self._over(self._pauses.after_end(state), now)

    def _note_age(self, now: float) -> None:
        if self._began_at is not None:
            self._pauses.lasted(now - self._began_at)

    def _over(self, pause: float | None, now: float) -> None:
        """Go on without a dialog: subscribe anew after `pause` seconds, with None never."""
        self._pauses.failed()
        self._not_before = now + self._pauses.told
        if pause != 0:
            self._subscriber.lost(now)
        if self._client is None:
            self._rest(pause, now)
        else:
            self._over_while_asking = (pause,)

    def _rest(self, pause: float | None, now: float) -> None:
        self._forget_dialog()
        self._cancel_alarm()
        if pause is None:
            self.phase = Phase.GIVEN_UP
            return
        self._wait_until(now + pause if pause else self._pace.moment(now))

    def _retry_in_dialog(self, pause: float, now: float) -> None:
        """Try the refresh again: the dialog lives on until it expires."""
        self._pauses.failed()
        self._not_before = now + self._pauses.told
        left = self._expires_at - now
        if pause < left:
            self._wait_until(now + pause)
            return
        self._cancel_alarm()
        self._alarm = self._core.alarms.set(self._expires_at, partial(self._over, max(pause - left, 1.0)))

    def _refresh_refused(self, response: Response, now: float) -> None:
        """Try again, and then anew: there are notifiers that keep a dialog and lose the subscription in it."""
        if self._early:
            # There was no need of it, and there will be none: it goes on as if it had not been asked for.
            self._takes_early = False
            self._set_expiry(self._expires_at - now, now)
            return
        pause = self._pauses.after_refusal(response)
        self._refused += 1
        if self._refused < REFUSED_LIMIT or self._pauses.told:
            self._retry_in_dialog(pause, now)
        else:
            self._refused = 0
            self._over_by(_FORGOTTEN, now)

    def _set_expiry(self, seconds: float, now: float) -> None:
        """Refresh ahead of the end (section 4.1.2.2)."""
        seconds = min(max(seconds, 1.0), float(LONGEST_EXPIRES))
        self._expires_at = now + seconds
        self._wait_until(now + self._pauses.before_refresh(seconds))

    def _wait_until(self, when: float) -> None:
        self._cancel_alarm()
        if not self._dialog.established and self.phase is not Phase.SUBSCRIBING:
            self.phase = Phase.WAITING
        self._alarm = self._core.alarms.set(when, self._due)

    def _forget_dialog(self) -> None:
        self._dialogs.pop(self._dialog.id, None)
        self._dialog = SubscriptionDialog(self._core, self._package, self._target)
        self._began_at = self._over_while_asking = None
        self.phase = Phase.WAITING

    def _finish(self, now: float) -> None:
        self._cancel_alarm()
        self._forget_dialog()
        self.phase = Phase.IDLE
        if self._again:
            self.start(now)

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
