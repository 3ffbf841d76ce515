"""Somebody's line being watched: its calls (RFC 4235), or its presence where the notifier knows no other (RFC 3856)."""

from typing import Final

from .dialog_info import DIALOG_INFO_TYPE, Applied, LineCalls, parse_dialog_info
from .event_headers import EventPackage
from .events import WatchedState, WatchedStateChanged
from .presence import PIDF_TYPE, parse_presence
from .subscription import Subscription, Surroundings
from .uri import Uri

DIALOG: Final = EventPackage("dialog", DIALOG_INFO_TYPE)
PRESENCE: Final = EventPackage("presence", PIDF_TYPE)
WATCH_EXPIRATION: Final = 3600
"""Seconds that a subscription is asked for."""


class Watch:
    """One line that is watched, and what it does; every change is told once."""

    def __init__(self, surroundings: Surroundings, watch_id: str, text: str, target: Uri) -> None:
        """Prepare to watch `target`, which a person wrote as `text`."""
        self.id = watch_id
        self.uri = text
        self.state = WatchedState.UNKNOWN
        self._surroundings = surroundings
        self._target = target
        self._line = LineCalls()
        self._package = DIALOG
        self.subscription = self._subscribe_to(DIALOG)

    def _subscribe_to(self, package: EventPackage) -> Subscription:
        self._package = package
        return Subscription(self._surroundings, package, self._target, WATCH_EXPIRATION, self)

    def began(self) -> None:
        """Count versions anew; what was told is true until the first document."""
        self._line.reset()

    def notified(self, body: bytes, now: float) -> bool:
        """Tell what a document says, where that is news; False where a change was missed."""
        if self._package is PRESENCE:
            self._enter(parse_presence(body).state, now)
            return True
        applied = self._line.apply(parse_dialog_info(body))
        if applied is Applied.TAKEN:
            self._enter(self._line.state, now)
        return applied is not Applied.GAP

    def lost(self, now: float) -> None:
        """Know nothing."""
        self._line.reset()
        self._enter(WatchedState.UNKNOWN, now)

    def unsupported(self, now: float) -> None:
        """Ask for presence where dialogs are not told."""
        if self._package is DIALOG:
            self.subscription = self._subscribe_to(PRESENCE)
            self.subscription.start(now)

    def _enter(self, state: WatchedState, now: float) -> None:
        if state is not self.state:
            self.state = state
            self._surroundings.core.emit(WatchedStateChanged(at=now, id=self.id, uri=self.uri, state=state))
