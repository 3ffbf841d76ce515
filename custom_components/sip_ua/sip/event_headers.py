"""Header fields of subscriptions: Event and Subscription-State (RFC 6665 sections 4.1.3, 8.2.1 and 8.2.3)."""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from .errors import MessageError
from .headers import Headers, parse_seconds
from .params import NO_PARAMS, Params


@dataclass(frozen=True, slots=True)
class EventPackage:
    """An event package: its name, and the media type of the bodies that we read."""

    name: str
    accept: str


class Notified(StrEnum):
    """States of a subscription as its notifier tells them; any word that is none of them means `ACTIVE`."""

    ACTIVE = "active"
    PENDING = "pending"
    TERMINATED = "terminated"


class Retry(Enum):
    """When to subscribe anew after the notifier ended a subscription."""

    AT_ONCE = auto()
    LATER = auto()
    NEVER = auto()


RETRY_BY_REASON: Final = {
    "deactivated": Retry.AT_ONCE,
    "timeout": Retry.AT_ONCE,
    "probation": Retry.LATER,
    "giveup": Retry.LATER,
    "rejected": Retry.NEVER,
    "noresource": Retry.NEVER,
    "invariant": Retry.NEVER,
}
"""What the reason of a termination means (section 4.1.3); a reason that is missing or unknown means later."""


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A Subscription-State header field; spans of time are in seconds, None where not said."""

    state: Notified
    reason: str = ""
    expires: int | None = None
    retry_after: int | None = None

    @property
    def retry(self) -> Retry:
        """When to subscribe anew."""
        return RETRY_BY_REASON.get(self.reason, Retry.LATER)


def parse_subscription_state(headers: Headers) -> SubscriptionState:
    """Return the Subscription-State; a notifier that sends none, or one that cannot be read, means active."""
    word, params = _split(headers.get("Subscription-State"))
    return SubscriptionState(
        Notified(word) if word in Notified else Notified.ACTIVE,
        (params.get("reason") or "").lower(),
        parse_seconds(params.get("expires")),
        parse_seconds(params.get("retry-after")),
    )


def parse_event(headers: Headers) -> str:
    """Return the name of the event package, "" where there is none."""
    return _split(headers.get("Event"))[0]


def _split(value: str | None) -> tuple[str, Params]:
    word, semicolon, written = (value or "").partition(";")
    try:
        params = Params.parse(written) if semicolon else NO_PARAMS
    except MessageError:
        params = NO_PARAMS
    return word.strip().lower(), params
