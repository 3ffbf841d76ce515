"""The messages that wait in the account's voice mail box, asked for and told unasked (RFC 3842)."""

from dataclasses import replace
from typing import Final

from .core import Core
from .event_headers import EventPackage
from .events import MessagesWaiting
from .message import Request
from .message_summary import MESSAGE_SUMMARY_TYPE, parse_message_summary
from .subscription import Subscription, Surroundings

MESSAGE_SUMMARY: Final = EventPackage("message-summary", MESSAGE_SUMMARY_TYPE)


class MessageWaiting:
    """Subscribes to the account's own address, and tells every change once."""

    def __init__(self, surroundings: Surroundings) -> None:
        """Prepare; nothing is sent before the subscription is started."""
        core = surroundings.core
        expires = core.account.mwi_expiration
        self.latest: MessagesWaiting | None = None
        self.subscription = Subscription(surroundings, MESSAGE_SUMMARY, core.identity().uri, expires, self)
        self._core: Core = core
        self._unasked: tuple[str, int] = ("", 0)

    def unasked(self, request: Request, now: float) -> None:
        """Take a NOTIFY outside any subscription, as exchanges send it; one that was overtaken changes nothing.

        Raises RemoteProtocolError for a body that cannot be read.
        """
        call_id, number = request.call_id, request.cseq.number
        if call_id == self._unasked[0] and number <= self._unasked[1]:
            return
        self.notified(request.body, now)
        self._unasked = (call_id, number)

    def began(self) -> None:
        """Wait for the summary: what was told is true until then."""

    def notified(self, body: bytes, now: float) -> bool:
        """Tell what a summary says, where that is news."""
        summary = parse_message_summary(body)
        voice = summary.voice
        known = self.latest
        latest = MessagesWaiting(
            at=now if known is None else known.at,
            waiting=summary.waiting,
            new=voice.new if voice else None,
            old=voice.old if voice else None,
            new_urgent=voice.new_urgent if voice else None,
            old_urgent=voice.old_urgent if voice else None,
            account=summary.account,
        )
        if latest != known:
            self.latest = replace(latest, at=now)
            self._core.emit(self.latest)
        return True

    def lost(self, now: float) -> None:
        """Keep what was told: messages do not vanish with the line to their box."""

    def unsupported(self, now: float) -> None:
        """Go on without asking: the exchange may tell unasked."""
