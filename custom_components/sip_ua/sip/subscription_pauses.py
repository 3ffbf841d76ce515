"""How long a subscription waits: for its refresh, after a refusal, after its end (RFC 6665 section 4.1)."""

from typing import Final

from .core import Entropy
from .event_headers import Retry, SubscriptionState
from .message import LONGEST_RETRY_AFTER, Response

REFRESH_MARGIN: Final = 90.0
REFRESH_JITTER: Final = 0.1
SHORTEST_REFRESH: Final = 5.0
RETRY_FIRST: Final = 4.0
RETRY_LONGEST: Final = 900.0
RETRY_JITTER: Final = 0.2
REFUSED_PAUSE: Final = 3600.0
"""Seconds until a refusal that will most likely be repeated is asked for again."""
STABLE: Final = 60.0
"""Seconds after which a subscription counts as one that lasted."""
RESYNC_PAUSE: Final = 5.0
"""Seconds between two SUBSCRIBEs that ask for the full state again, twice as long each time in a row."""
CONFIRM_PAUSE: Final = 5.0
"""Seconds between two looks whether a notifier in our own home still knows us, at least."""
CONFIRM_PAUSE_ELSEWHERE: Final = 300.0
"""Seconds between two looks at a notifier that has many customers."""
FORGOTTEN_PAUSE: Final = 300.0
"""Seconds between two times that all subscriptions are renewed as one was forgotten."""
SPREAD: Final = 1.0
_MAX_DOUBLINGS: Final = 16

# Refusals that the same question will meet again.
_REFUSED: Final = frozenset({401, 403, 404, 405, 407, 410, 416, 484, 485, 501, 603, 604, 606})


class Pace:
    """Moments at which subscriptions may begin, so that many never do so at once."""

    INTERVAL: Final = 0.05

    def __init__(self, entropy: Entropy) -> None:
        """Start with a free moment."""
        self._entropy = entropy
        self._free = 0.0

    def spread(self, now: float) -> None:
        """Leave a while free: whoever lost our subscriptions lost those of others, who notice as we do."""
        self._free = max(self._free, now + SPREAD * self._entropy(1)[0] / 255)

    def moment(self, now: float) -> float:
        """Return the next free moment, and take it."""
        moment = max(now, self._free)
        self._free = moment + self.INTERVAL
        return moment


class Pauses:
    """The pauses of one subscription, in seconds: each failure in a row doubles the next, with jitter.

    `told` is the Retry-After that came with the latest end or refusal.
    """

    def __init__(self, entropy: Entropy) -> None:
        """Start without a failure."""
        self._entropy = entropy
        self.told = 0.0
        self._failures = 0
        self._unusable = 0

    def failed(self) -> None:
        """Count a failure."""
        self._failures += 1

    def forgive(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def lasted(self, seconds: float) -> None:
        """Forget the failures before a subscription that lasted."""
        if seconds >= STABLE:
            self.forgive()

    def backoff(self, longest: float = RETRY_LONGEST) -> float:
        """Return the pause after a failure."""
        self.told = 0.0
        return self._jitter(min(RETRY_FIRST * (1 << min(self._failures, _MAX_DOUBLINGS)), longest))

    def after_refusal(self, response: Response) -> float:
        """Return the pause after a final answer of 300 or above; a Retry-After can only make it longer."""
        pause = self._jitter(REFUSED_PAUSE) if response.status in _REFUSED else self.backoff()
        return self._at_least(response.retry_after, pause)

    def after_end(self, state: SubscriptionState) -> float | None:
        """Return the pause after the notifier ended a subscription: 0 for none, None for ever."""
        self.told = 0.0
        match state.retry:
            case Retry.NEVER:
                return None
            case Retry.AT_ONCE:
                # Of a notifier that ends each subscription so, only the first is believed.
                return self.backoff() if self._failures else 0.0
            case Retry.LATER:
                return self._at_least(state.retry_after, self.backoff())

    def _at_least(self, retry_after: int | None, pause: float) -> float:
        self.told = float(min(retry_after or 0, LONGEST_RETRY_AFTER))
        return max(pause, self.told)

    def usable(self, *, usable: bool) -> None:
        """Learn whether a NOTIFY could be used."""
        self._unusable = 0 if usable else self._unusable + 1

    def before_resync(self) -> float:
        """Return the pause between a SUBSCRIBE and the next that asks for the full state again."""
        return min(RESYNC_PAUSE * (1 << min(max(self._unusable - 1, 0), _MAX_DOUBLINGS)), RETRY_LONGEST)

    def before_refresh(self, seconds: float) -> float:
        """Return when to refresh what lasts so many seconds."""
        ahead = max(seconds - min(REFRESH_MARGIN, seconds / 2), SHORTEST_REFRESH)
        return ahead * (1 - REFRESH_JITTER * self._chance())

    def _jitter(self, seconds: float) -> float:
        return seconds * (1 + RETRY_JITTER * (2 * self._chance() - 1))

    def _chance(self) -> float:
        return self._entropy(1)[0] / 255
