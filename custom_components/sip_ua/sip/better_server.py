"""The way back to a better server after another one took its place (RFC 3263 section 4.3, RFC 2782)."""

from collections.abc import Callable
from typing import Final

from .address import Hop
from .alarm import Alarm
from .client import ClientRequest, Handlers
from .core import Core, Failure
from .message import Request, Response

FIRST_LOOK: Final = 30.0
LONGEST_PAUSE: Final = 600.0
JITTER: Final = 0.2
STATUS_SERVER_FAILURE: Final = 500


class BetterServer:
    """Asks the better servers whether they are back, ever less often; the registration stays where it is meanwhile.

    A server counts as better by its priority in the domain name system: servers of one priority share the load, and
    none of them is gone back to. One question at a time; whether a server that answers takes us back, a REGISTER
    shows, and where it does not the pauses go on growing.
    """

    def __init__(self, core: Core, build: Callable[[Hop], Request], on_back: Callable[[float], None]) -> None:
        """Watch nothing; `build` makes an OPTIONS, `on_back` is to register with `core.preferred`."""
        self._core = core
        self._build = build
        self._on_back = on_back
        self._current: Hop | None = None
        self._alarm: Alarm | None = None
        self._asking = False
        self._looks = 0

    def registered(self, hop: Hop, hops: tuple[Hop, ...], now: float) -> None:
        """Learn which server of several we are registered with, and watch where there is a better one."""
        self._current = hop
        if not _better(hop, hops):
            self.stop()
        elif self._alarm is None and not self._asking:
            self._wait(now)

    def stop(self) -> None:
        """Watch no more."""
        self._current = None
        self._looks = 0
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _wait(self, now: float) -> None:
        pause = min(FIRST_LOOK * (1 << min(self._looks, 16)), LONGEST_PAUSE)
        self._looks += 1
        spread = self._core.entropy(1)[0] / 255 * 2 - 1
        self._alarm = self._core.alarms.set(now + pause * (1 + JITTER * spread), self._look)

    def _look(self, _now: float) -> None:
        self._alarm = None
        server = self._core.server_hop(registrar=True)
        if server is not None:
            self._asking = True
            self._core.locate(server, self._located)

    def _located(self, outcome: tuple[Hop, ...] | Failure, now: float) -> None:
        current = self._current
        if current is None or isinstance(outcome, Failure):
            self._lost(None, now)
            return
        better = _better(current, outcome)
        if current.remote not in {hop.remote for hop in outcome} or not better:
            # The records have changed meanwhile: it is for the next REGISTER to follow them.
            self._back(now)
            return
        better = tuple(hop for hop in better if not self._core.rests(hop.remote, now))
        if not better:
            self._lost(None, now)
            return
        handlers = Handlers(final=self._answered, failed=self._lost)
        ClientRequest(self._core, self._build, handlers).start(better, now)

    def _answered(self, response: Response, hop: Hop, now: float) -> None:
        if response.status >= STATUS_SERVER_FAILURE or self._current is None:
            self._lost(None, now)
            return
        self._core.preferred = hop.remote
        self._back(now)

    def _back(self, now: float) -> None:
        self._asking = False
        self._on_back(now)

    def _lost(self, _failure: Failure | None, now: float) -> None:
        self._asking = False
        if self._current is not None:
            self._wait(now)


def _better(current: Hop, hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """Return the servers that go before the one that we are registered with, best first."""
    rank = next((hop.remote.rank for hop in hops if hop.remote == current.remote), current.remote.rank)
    return tuple(sorted((hop for hop in hops if hop.remote.rank < rank), key=lambda hop: hop.remote.rank))
