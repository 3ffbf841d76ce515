"""Deadlines of everything above the transactions: one queue, no clock of its own."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count

type AlarmCallback = Callable[[float], None]

_COMPACT_FLOOR = 64


class Alarm:
    """One deadline; `cancel` may be called at any time and any number of times."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: AlarmCallback) -> None:
        """Ring at `when`, in seconds of the monotonic clock."""
        self.when = when
        self.callback: AlarmCallback | None = callback

    def cancel(self) -> None:
        """Never ring."""
        self.callback = None


class AlarmQueue:
    """All pending alarms in the order of their deadlines; cancelled ones never pile up."""

    def __init__(self) -> None:
        """Start with no alarm."""
        self._heap: list[tuple[float, int, Alarm]] = []
        self._numbers = count()
        self._compact_above = _COMPACT_FLOOR

    def set(self, when: float, callback: AlarmCallback) -> Alarm:
        """Call `callback(now)` once when the clock has reached `when`."""
        alarm = Alarm(when, callback)
        heappush(self._heap, (when, next(self._numbers), alarm))
        if len(self._heap) > self._compact_above:
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self._compact_above = max(_COMPACT_FLOOR, 2 * len(self._heap))
        return alarm

    def next(self) -> float | None:
        """When the next alarm rings, or None."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def run(self, now: float) -> None:
        """Ring all that are due, also those set meanwhile."""
        while (when := self.next()) is not None and when <= now:
            alarm = heappop(self._heap)[2]
            callback = alarm.callback
            alarm.cancel()
            if callback is not None:
                callback(now)
