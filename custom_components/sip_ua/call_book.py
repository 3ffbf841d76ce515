"""The calls of one account that go on or ended lately, and which of them a person means."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, override

from homeassistant.util import dt as dt_util

from .call_view import (
    Voice,
    can_be_played_to,
    first_to_hang_up,
    is_audible,
    is_connected,
    most_relevant,
    newest,
    outcome_data,
)
from .const import ATTR_PLAYBACK_ERROR, ATTR_PLAYBACK_FAULT
from .sip.events import CallDirection, CallSnapshot, CallState

ENDED_CALLS_KEPT: Final = 32


class CallBook(Mapping[str, CallSnapshot]):
    """The calls that go on, by their ids, oldest first.

    `shown` is the one that a person wants to see, `last` the one that ended last.
    """

    def __init__(self) -> None:
        """Begin without any call."""
        self.shown: CallSnapshot | None = None
        self.last: CallSnapshot | None = None
        self._last_of: dict[CallDirection, CallSnapshot] = {}
        self._alive: dict[str, CallSnapshot] = {}
        self._ended: dict[str, CallSnapshot] = {}
        self._playback_errors: dict[str, tuple[str, str]] = {}
        self._answered_at: dict[str, datetime] = {}
        self._joined: dict[str, tuple[str, ...]] = {}
        self._voices: dict[str, Voice] = {}

    @override
    def __getitem__(self, call_id: str) -> CallSnapshot:
        return self._alive[call_id]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._alive)

    @override
    def __len__(self) -> int:
        return len(self._alive)

    # What happens to them

    def keep(self, call: CallSnapshot) -> bool:
        """Take the new state of a call; return whether it could be news: the end of a call is so once."""
        if call.state is not CallState.ENDED:
            self._alive[call.id] = call
            if is_connected(call):
                self._answered_at.setdefault(call.id, dt_util.utcnow())
        elif call.id in self._ended:
            return False
        else:
            self._alive.pop(call.id, None)
            self._answered_at.pop(call.id, None)
            self._voices.pop(call.id, None)
            self.last = self._ended[call.id] = self._last_of[call.direction] = call
            if len(self._ended) > ENDED_CALLS_KEPT:
                oldest = next(iter(self._ended))
                del self._ended[oldest]
                self._playback_errors.pop(oldest, None)
        self.shown = most_relevant(self._alive.values()) if self._alive else None
        return True

    def show_joined(self, call_id: str, others: tuple[str, ...]) -> bool:
        """Keep the names of those with whom a call is joined, none where it is alone; return whether that is news."""
        before = self._joined.pop(call_id, ())
        if others:
            self._joined[call_id] = others
        return others != before

    def recall(self, ended: Iterable[CallSnapshot]) -> None:
        """Begin with calls of before that are over, the oldest first."""
        calls = tuple(ended)
        for call in calls:
            self.last = self._last_of[call.direction] = call
        self._ended.update((call.id, call) for call in calls[-ENDED_CALLS_KEPT:])

    def note_voice(self, call_id: str, voice: Voice | None) -> None:
        """Keep what the voice of a call is from now on, None where it stopped."""
        self._voices.pop(call_id, None)
        if voice is not None and call_id in self._alive:
            self._voices[call_id] = voice

    def note_playback_error(self, call_id: str, error: str, fault: str) -> None:
        """Remember why a sound of a call was not heard: for logs, and as the key that programs tell it by."""
        if self.find(call_id) is not None:
            self._playback_errors[call_id] = error, fault

    # What is known of them

    def find(self, call_id: str) -> CallSnapshot | None:
        """Return the newest state of a call, also of one that ended lately."""
        return self._alive.get(call_id) or self._ended.get(call_id)

    def find_ended(self, call_id: str) -> CallSnapshot | None:
        """Return a call that ended lately."""
        return self._ended.get(call_id)

    def find_ringing(self) -> CallSnapshot | None:
        """Return the newest call that rings here."""
        return newest(call for call in self._alive.values() if call.state is CallState.RINGING)

    def get_ringing(self, call_id: str) -> CallSnapshot | None:
        """Return a call if it still rings here."""
        call = self._alive.get(call_id)
        return call if call is not None and call.state is CallState.RINGING else None

    def is_waiting(self, call_id: str) -> bool:
        """Return whether a call that rings here does so beside one that came before it, or that does not just ring."""
        if call_id not in self._alive:
            return False
        first, *later = self._alive.values()
        return first.id != call_id or any(call.state is not CallState.RINGING for call in later)

    def find_to_hang_up(self) -> CallSnapshot | None:
        """Return the call that somebody means who hangs up: one that goes on, else one that rings here."""
        return max(self._alive.values(), key=first_to_hang_up, default=None)

    def find_to_refuse(self) -> CallSnapshot | None:
        """Return the call that an answer is meant for: one that rings here; where none does, the one to hang up."""
        return self.find_ringing() or self.find_to_hang_up()

    def find_audible(self) -> CallSnapshot | None:
        """Return the call that can hear us: the most relevant one that is answered or has early media."""
        return most_relevant(filter(is_audible, self._alive.values()))

    def find_talking(self) -> CallSnapshot | None:
        """Return the newest call that is talked in."""
        return newest(call for call in self._alive.values() if call.state is CallState.TALKING)

    def find_played_to(self) -> CallSnapshot | None:
        """Return the call for a sound: the one that is talked to, else one that may yet be answered there."""
        return most_relevant(filter(can_be_played_to, self._alive.values()))

    def find_connected(self, *, besides: str | None = None) -> CallSnapshot | None:
        """Return the most relevant call that is answered; `besides` another one, where that is here as well."""
        if besides is not None and besides not in self._alive:
            return None
        return most_relevant(call for call in self._alive.values() if is_connected(call) and call.id != besides)

    def find_unheld(self) -> CallSnapshot | None:
        """Return the most relevant call that is answered and not on hold by us."""
        return most_relevant(
            call for call in self._alive.values() if is_connected(call) and call.state is not CallState.HELD
        )

    def find_held(self) -> CallSnapshot | None:
        """Return the newest call that is on hold by us."""
        return newest(call for call in self._alive.values() if call.state is CallState.HELD)

    def last_of(self, direction: CallDirection) -> CallSnapshot | None:
        """Return the call of a direction that ended last."""
        return self._last_of.get(direction)

    @property
    def voice(self) -> Voice | None:
        """Return what the voice of the call is that a person wants to see."""
        return self._voices.get(self.shown.id) if self.shown is not None else None

    @property
    def talking_since(self) -> datetime | None:
        """Return the time of day since which the call that a person wants to see is answered."""
        return self._answered_at.get(self.shown.id) if self.shown is not None else None

    def joined_with(self, call_id: str) -> tuple[str, ...]:
        """Return the names, or else numbers, of those with whom a call is joined."""
        return self._joined.get(call_id, ())

    def outcome(self, call: CallSnapshot) -> dict[str, Any]:
        """Return how a call went so far, and why its last sound that failed was not heard (None: none failed)."""
        error, fault = self._playback_errors.get(call.id, (None, None))
        return outcome_data(call) | {ATTR_PLAYBACK_ERROR: error, ATTR_PLAYBACK_FAULT: fault}
