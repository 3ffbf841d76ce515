"""All subscriptions of one account: voice mail box and watched lines, and every NOTIFY that comes (RFC 6665)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from .address import Hop
from .core import Core
from .errors import LocalProtocolError, RemoteProtocolError
from .event_headers import parse_event
from .events import MessagesWaiting, WatchedState
from .message import Request
from .message_waiting import MESSAGE_SUMMARY, MessageWaiting
from .party import target_uri
from .subscription import STATUS_BAD_EVENT, Phase, Subscription, Surroundings
from .subscription_dialog import STATUS_GONE, DialogId
from .subscription_pauses import CONFIRM_PAUSE, CONFIRM_PAUSE_ELSEWHERE, FORGOTTEN_PAUSE, Pace
from .transaction import ServerTransaction
from .watch import DIALOG, PRESENCE, Watch

MAX_WATCHES: Final = 256
STATUS_FORBIDDEN: Final = 403
STATUS_UNSUPPORTED_TYPE: Final = 415


class Subscriptions:
    """Begins when the account is registered; where it has no server, when it begins to work."""

    def __init__(self, core: Core) -> None:
        """Start with nothing asked for."""
        self.dialogs: dict[DialogId, Subscription] = {}
        self._core = core
        self._pace = Pace(core.entropy)
        self._surroundings = Surroundings(core, self.dialogs, self._pace, self._forgotten)
        self._mail_box = MessageWaiting(self._surroundings) if core.account.mwi else None
        self._watches: dict[str, Watch] = {}
        self._ready = False
        self._doubted = False
        self._contact = ""
        self._confirm_at = 0.0
        self._forgotten_until = 0.0
        self._turn = 0

    # What is known

    @property
    def messages(self) -> MessagesWaiting | None:
        """Return what the voice mail box told last, None where it told nothing yet."""
        return None if self._mail_box is None else self._mail_box.latest

    @property
    def watched(self) -> Mapping[str, WatchedState]:
        """Return what every watched line does, by the id of the watch."""
        return MappingProxyType({watch.id: watch.state for watch in self._watches.values()})

    @property
    def ending(self) -> bool:
        """Whether a notifier has yet to say that a subscription is over."""
        return any(subscription.phase is Phase.ENDING for subscription in self.dialogs.values())

    # Commands

    def watch(self, target: str, now: float) -> str:
        """Watch somebody's line and return the id of the watch.

        Raises LocalProtocolError for what is no number or SIP address, and for too many.
        """
        if len(self._watches) >= MAX_WATCHES:
            raise LocalProtocolError("too many lines are watched")
        watch = Watch(self._surroundings, self._core.token(), target, target_uri(self._core.account, target))
        self._watches[watch.id] = watch
        if self._ready:
            watch.subscription.start(now)
        return watch.id

    def unwatch(self, watch_id: str, now: float) -> None:
        """Watch a line no more; raises LocalProtocolError where there is no such watch."""
        watch = self._watches.pop(watch_id, None)
        if watch is None:
            raise LocalProtocolError("there is no such watch")
        watch.subscription.stop(now)

    def begin(self, now: float) -> None:
        """Begin where there is no registration to wait for."""
        if not self._core.account.registers:
            self._start_all(now)

    def _start_all(self, now: float) -> None:
        self._ready = True
        for subscription in self._all():
            subscription.start(now)

    def stop(self, now: float) -> None:
        """Unsubscribe from everything; what is watched begins again with the next start."""
        self._ready = False
        for subscription in self._all():
            subscription.stop(now)

    # What happens to the registration

    def registered(self, hop: Hop, now: float, *, recovered: bool) -> None:
        """Begin what has not begun yet.

        After a time without registration nobody may remember us, and after a move nobody finds us: ask again. A
        registration that is merely confirmed, at the keep-alive interval, tells nothing of the subscriptions: a server
        that was restarted meanwhile took it as a new one. So one of them is confirmed with it, each in its turn.
        """
        contact = str(self._core.contact(hop))
        renew = recovered or self._doubted or contact != self._contact
        self._doubted = False
        self._contact = contact
        if renew:
            if self._ready:
                self._pace.spread(now)
            for subscription in self._all():
                subscription.renew(now)
        elif self._core.account.timing.keep_alive and now >= self._confirm_at:
            self._confirm_at = now + (CONFIRM_PAUSE if hop.remote.at_home else CONFIRM_PAUSE_ELSEWHERE)
            self._confirm_next(now)
        self._start_all(now)

    def _confirm_next(self, now: float) -> None:
        """Ask whether one of the subscriptions is still known."""
        subscriptions = list(self._all())
        for number in range(len(subscriptions)):
            turn = (self._turn + number) % len(subscriptions)
            if subscriptions[turn].confirm(now):
                self._turn = turn + 1
                return

    def _forgotten(self, now: float) -> None:
        """Renew all, one after the other, where one was forgotten; not again and again for one that always is."""
        if now < self._forgotten_until:
            return
        self._forgotten_until = now + FORGOTTEN_PAUSE
        self._pace.spread(now)
        for subscription in self._all():
            subscription.suspect(now)

    def doubt(self, now: float) -> None:
        """Ask everybody again with the next success of the registration, without a server at once."""
        self._doubted = self._core.account.registers
        if not self._doubted:
            for subscription in self._all():
                subscription.renew(now)

    def _all(self) -> Iterator[Subscription]:
        if self._mail_box is not None and self._core.account.registers:
            yield self._mail_box.subscription
        for watch in tuple(self._watches.values()):
            yield watch.subscription

    # NOTIFY

    def receive(self, transaction: ServerTransaction, request: Request, now: float) -> bool:
        """Deal with a NOTIFY; False where it is for somebody else: inside a dialog that is no subscription of ours."""
        tag = request.to.tag
        if not tag:
            self._unasked(transaction, request, now)
            return True
        subscription = self.dialogs.get((request.call_id, tag))
        if subscription is not None:
            subscription.receive(transaction, request, now)
        return subscription is not None

    def _unasked(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        core = self._core
        event = parse_event(request.headers)
        if event == MESSAGE_SUMMARY.name and self._mail_box is not None:
            status = self._take_unasked(self._mail_box, request, now)
        elif event in self._packages:
            status = STATUS_GONE
        else:
            status = STATUS_BAD_EVENT
        headers = (("Allow-Events", ", ".join(self._packages)),) if status == STATUS_BAD_EVENT else ()
        core.respond(transaction, status, now, to_tag=core.token(), headers=headers)

    def _take_unasked(self, mail_box: MessageWaiting, request: Request, now: float) -> int:
        """Take a summary that nobody asked for, from our server only, and return the status that answers it."""
        if not self._core.from_server:
            return STATUS_FORBIDDEN
        if request.content_type != MESSAGE_SUMMARY.accept:
            return STATUS_UNSUPPORTED_TYPE
        try:
            mail_box.unasked(request, now)
        except RemoteProtocolError as error:
            return error.status
        return 200

    @property
    def _packages(self) -> tuple[str, ...]:
        own = (MESSAGE_SUMMARY.name,) if self._mail_box is not None else ()
        return (*own, DIALOG.name, PRESENCE.name, "refer")
