"""The timers of transactions: names, base values, durations (RFC 3261 table 4, RFC 6026 section 7, RFC 4320)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Base values of all timers, in seconds (RFC 3261 section 17.1.1.1).

    `t1` is the estimated round trip, `t2` the longest interval between retransmissions, `t4` the longest life of a
    message in the network, `trying` how long the user may think before 100 (Trying) goes out by itself, `progress`
    the interval at which a provisional answer is repeated lest a proxy gives up.
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    trying: float = 0.2
    progress: float = 60.0

    @property
    def timeout(self) -> float:
        """64*T1: how long anything is tried or awaited, 32 s by default (timers B, D, F, H, J, L and M)."""
        return 64 * self.t1


class Timer(StrEnum):
    """The timers by their letters in the RFCs, and those that have none there."""

    A = "A"
    B = "B"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the letter is the RFC's
    J = "J"
    K = "K"
    L = "L"
    M = "M"
    TRYING = "100"
    """100 (Trying) is due (RFC 3261 section 17.2.1)."""
    PROGRESS = "1xx"
    """A provisional answer is to be repeated (RFC 3261 section 13.3.1.1)."""
    REPEAT_2XX = "2xx"
    """A 2xx is to be repeated (RFC 3261 section 13.3.1.4)."""
    WAIT_FOR_ACK = "ACK"
    """The ACK to a 2xx will not come any more (RFC 3261 section 13.3.1.4)."""
    GIVE_UP = "CANCEL"
    """A cancelled INVITE has no final answer and gets none (RFC 3261 section 9.1)."""
    EXPIRE = "expire"
    """The peer's timer F has fired: an answer would reach nobody (RFC 4320 section 4.2)."""


BACKING_OFF: Final = frozenset({Timer.A, Timer.E, Timer.G, Timer.REPEAT_2XX})
"""Timers whose interval doubles each time they are set again."""

_UNCAPPED: Final = frozenset({Timer.A})
_NEVER_WHEN_RELIABLE: Final = frozenset({Timer.A, Timer.E, Timer.G})
_ZERO_WHEN_RELIABLE: Final = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})

_T1 = attrgetter("t1")
_T4 = attrgetter("t4")
_TIMEOUT = attrgetter("timeout")

_DURATIONS: Final[Mapping[Timer, Callable[[Timers], float]]] = {
    Timer.A: _T1,
    Timer.B: _TIMEOUT,
    Timer.D: _TIMEOUT,
    Timer.E: _T1,
    Timer.F: _TIMEOUT,
    Timer.G: _T1,
    Timer.H: _TIMEOUT,
    Timer.I: _T4,
    Timer.J: _TIMEOUT,
    Timer.K: _T4,
    Timer.L: _TIMEOUT,
    Timer.M: _TIMEOUT,
    Timer.TRYING: attrgetter("trying"),
    Timer.PROGRESS: attrgetter("progress"),
    Timer.REPEAT_2XX: _T1,
    Timer.WAIT_FOR_ACK: _TIMEOUT,
    Timer.GIVE_UP: _TIMEOUT,
    Timer.EXPIRE: _TIMEOUT,
}


def first_duration(timer: Timer, timers: Timers, *, reliable: bool) -> float | None:
    """Return how long a timer runs at first, in seconds.

    Over a reliable transport nothing is retransmitted (None: the timer is not set at all) and no repetition is
    awaited (0.0: it fires at once). Only the 2xx to an INVITE is repeated over every transport.
    """
    if reliable and timer in _NEVER_WHEN_RELIABLE:
        return None
    if reliable and timer in _ZERO_WHEN_RELIABLE:
        return 0.0
    return _DURATIONS[timer](timers)


def next_interval(timer: Timer, interval: float, timers: Timers) -> float:
    """Return the interval that follows `interval`: twice as long, at most T2 except for timer A."""
    doubled = 2 * interval
    return doubled if timer in _UNCAPPED else min(doubled, timers.t2)
