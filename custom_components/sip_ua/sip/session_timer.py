"""Session timers: a call whose far end has vanished ends by itself (RFC 4028)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from .alarm import Alarm, AlarmQueue
from .headers import Headers

SHORTEST_MIN_SE = 90
LONGEST_SESSION = 86400
_EXPIRY_MARGIN = 32.0


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A Session-Expires header field: seconds, and who refreshes ("uac", "uas" or "" where not said)."""

    seconds: int
    refresher: str = ""

    @override
    def __str__(self) -> str:
        """Return the header field value."""
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


def parse_session_expires(headers: Headers) -> SessionExpires | None:
    """Return the Session-Expires header field, None where there is none that can be read."""
    value = headers.get("Session-Expires")
    if value is None:
        return None
    seconds, *params = (part.strip() for part in value.split(";"))
    if not seconds.isdecimal() or len(seconds) > 9:
        return None
    refresher = ""
    for param in params[:8]:
        name, _, text = param.partition("=")
        if name.strip().lower() == "refresher" and text.strip().lower() in {"uac", "uas"}:
            refresher = text.strip().lower()
    return SessionExpires(int(seconds), refresher)


def parse_min_se(headers: Headers) -> int:
    """Return the Min-SE header field in seconds, the standard's 90 where there is none."""
    value = (headers.get("Min-SE") or "").split(";")[0].strip()
    return max(int(value), SHORTEST_MIN_SE) if value.isdecimal() and len(value) < 10 else SHORTEST_MIN_SE


def knows_timer(headers: Headers) -> bool:
    """Whether the sender of a message supports session timers."""
    return "timer" in (tag.lower() for tag in headers.split("Supported"))


class SessionTimer:
    """The running timer of one call: `refresh(now)` is due, or `expired(now)` when the peer did not refresh."""

    def __init__(self, alarms: AlarmQueue, refresh: Callable[[float], None], expired: Callable[[float], None]) -> None:
        """Start without a timer."""
        self._alarms = alarms
        self._refresh = refresh
        self._expired = expired
        self._alarm: Alarm | None = None
        self._backstop: Alarm | None = None
        self._ours = False

    @property
    def is_theirs(self) -> bool:
        """Whether it runs and the far end refreshes the session."""
        return self._backstop is not None and not self._ours

    def restart(self, seconds: int, now: float, *, ours: bool) -> None:
        """Run for `seconds` from `now`; `ours` tells whether we are the refresher."""
        self.stop()
        self._ours = ours
        length = min(max(seconds, SHORTEST_MIN_SE), LONGEST_SESSION)
        if ours:
            self._alarm = self._alarms.set(now + length / 2, self._refresh)
        self._backstop = self._alarms.set(now + length - min(_EXPIRY_MARGIN, length / 3), self._expired)

    def stop(self) -> None:
        """Forget the timer."""
        for alarm in (self._alarm, self._backstop):
            if alarm is not None:
                alarm.cancel()
        self._alarm = self._backstop = None
