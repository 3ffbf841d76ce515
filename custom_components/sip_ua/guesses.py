"""How often a secret code may be guessed: too many wrong guesses of one caller, or of all of them, mean a pause."""

from dataclasses import dataclass
from typing import Final

PAUSE: Final = 300.0
"""Seconds of the first pause; each further one is twice as long, up to `LONGEST_PAUSE`."""

LONGEST_PAUSE: Final = 3600.0
FORGOTTEN_AFTER: Final = 3600.0
"""Seconds without a wrong guess, and without a pause, after which a caller begins anew."""

CALLERS_TOGETHER: Final = 10
"""All callers together may guess so many times as often as one: numbers can be forged."""

MAX_CALLERS: Final = 256
_EVERYBODY: Final = None


@dataclass(slots=True)
class _Record:
    """The wrong guesses since the last pause, the pauses, the end of the last one, and when this is forgotten."""

    wrong: int = 0
    pauses: int = 0
    barred_until: float = 0.0
    forgotten_at: float = 0.0


class Guesses:
    """Counts wrong guesses of one secret; `now` is always a reading of the monotonic clock in seconds."""

    def __init__(self, limit: int) -> None:
        """Allow a caller so many wrong guesses before each pause."""
        self._limit = limit
        self._records: dict[str | None, _Record] = {}

    def is_barred(self, caller: str, now: float) -> bool:
        """Return whether a guess of this caller does not count at present."""
        return any(
            (record := self._records.get(who)) is not None and now < record.barred_until for who in (caller, _EVERYBODY)
        )

    def wrong(self, caller: str, now: float) -> bool:
        """Count a wrong guess; return whether it was one too many, so that a pause begins."""
        begins = [
            self._count(who, limit, now)
            for who, limit in ((caller, self._limit), (_EVERYBODY, self._limit * CALLERS_TOGETHER))
        ]
        return any(begins)

    def right(self, caller: str) -> None:
        """Forget the wrong guesses of a caller who knows the secret."""
        self._records.pop(caller, None)

    def _count(self, who: str | None, limit: int, now: float) -> bool:
        record = self._records.pop(who, None)
        if record is None or now >= record.forgotten_at:
            record = _Record()
        # The newest is the last, so that the oldest makes way.
        self._records[who] = record
        if len(self._records) > MAX_CALLERS:
            del self._records[next(iter(self._records))]
        record.wrong += 1
        begins = record.wrong >= limit
        if begins:
            record.wrong = 0
            record.barred_until = now + min(PAUSE * 2**record.pauses, LONGEST_PAUSE)
            record.pauses = min(record.pauses + 1, 16)
        record.forgotten_at = max(now, record.barred_until) + FORGOTTEN_AFTER
        return begins
