"""The last calls of an account, kept across restarts."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.storage import Store
from homeassistant.util.signal_type import SignalType

from .call_record import STEPS_MAX, CallRecord, Step, parse_record, voice_step
from .const import DOMAIN
from .sip.events import CallEnded, CallEvent, CallSnapshot, CallStep, MediaChanged

CALLS_KEPT: Final = 100
CALLS_FOLLOWED: Final = 256
"""Calls that may go on at once and have their steps remembered."""

SAVE_DELAY: Final = 10.0
STORAGE_VERSION: Final = 1
STORAGE_MINOR_VERSION: Final = 1
_CALLS: Final = "calls"

_LOGGER = logging.getLogger(__name__)


def history_signal(entry_id: str) -> SignalType[CallRecord]:
    """Return the signal of every call of an account that ends; it comes again when more is known of the call."""
    return SignalType(f"{DOMAIN}_history_{entry_id}")


class _HistoryStore(Store[dict[str, Any]]):
    """Keeps the calls of one account; within a major version fields are only added, and have a default."""

    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what another minor version has stored: fields that are not known are left out on reading."""
        return old_data


def store_of(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    """Return where the calls of an account are stored."""
    return _HistoryStore(
        hass,
        STORAGE_VERSION,
        f"{DOMAIN}.history.{entry_id}",
        private=True,
        atomic_writes=True,
        minor_version=STORAGE_MINOR_VERSION,
    )


async def async_forget_history(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the calls of an account that is removed."""
    await store_of(hass, entry_id).async_remove()


class CallHistory:
    """The calls that ended last, the newest first; `note` is to hear of every event of a call."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin empty; `async_load` brings back what was known."""
        self._hass = hass
        self._signal = history_signal(entry_id)
        self._store = store_of(hass, entry_id)
        self._records: deque[CallRecord] = deque(maxlen=CALLS_KEPT)
        self._steps: dict[str, list[Step]] = {}
        self._heard: set[str] = set()
        self._blocked: set[str] = set()
        self._unsaved = False
        self._writable = True

    def __iter__(self) -> Iterator[CallRecord]:
        """Go through the calls, the newest first."""
        return reversed(self._records)

    def __len__(self) -> int:
        """Return how many calls are kept."""
        return len(self._records)

    @property
    def followed(self) -> int:
        """Return how many calls go on whose steps are remembered."""
        return len(self._steps)

    # Its life

    async def async_load(self) -> None:
        """Bring back what was known; what cannot be read is left out, and a newer version's file left alone."""
        try:
            stored = await self._store.async_load()
        except (HomeAssistantError, NotImplementedError, OSError) as error:
            self._writable = False
            _LOGGER.warning("The call history cannot be read, and is not kept until the next start: %s", error)
            return
        calls = stored.get(_CALLS) if isinstance(stored, dict) else None
        records = [parse_record(call) for call in (calls if isinstance(calls, list) else [])[-CALLS_KEPT:]]
        self._records.extend(record for record in records if record is not None)

    async def async_save(self) -> None:
        """Write at once what is not written yet."""
        if self._unsaved and self._writable:
            await self._store.async_save(self._content())

    @callback
    def _content(self) -> dict[str, Any]:
        self._unsaved = False
        return {_CALLS: [record.as_dict() for record in self._records]}

    # What happens

    @callback
    def note(self, event: CallEvent, call: CallSnapshot) -> None:
        """Follow a call; `call` is the one of the event under the name of the phone book."""
        match event:
            case CallStep():
                self._note_step(call.id, Step.of(event))
            case MediaChanged() if event.media is not None and call.id in self._steps:
                self._heard.add(call.id)
            case CallEnded():
                self._note_end(call, event.at)

    @callback
    def note_blocked(self, call_id: str) -> None:
        """Mark a call that begins as one of which nobody is to hear."""
        self._blocked.add(call_id)

    @callback
    def _note_step(self, call_id: str, step: Step) -> None:
        if (steps := self._steps.get(call_id)) is not None:
            if len(steps) < STEPS_MAX:
                steps.append(step)
        elif (index := self._find(call_id)) is not None:
            self._change(index, self._records[index].with_step(step))
        elif len(self._steps) < CALLS_FOLLOWED:
            self._steps[call_id] = [step]

    @callback
    def _note_end(self, call: CallSnapshot, now: float) -> None:
        steps = self._steps.pop(call.id, [])
        if call.id in self._heard and call.answered_at is not None:
            steps = voice_step(steps)
        self._heard.discard(call.id)
        record = CallRecord.of(call, steps, now, blocked=call.id in self._blocked)
        self._blocked.discard(call.id)
        self._records.append(record)
        self._changed(record)

    @callback
    def note_quality(self, call_id: str, figures: Mapping[str, Any]) -> None:
        """Keep how the voice of a call sounded, which is told soon after its end."""
        if (index := self._find(call_id)) is not None:
            self._change(index, self._records[index].with_quality(figures))

    @callback
    def _find(self, call_id: str) -> int | None:
        """Return the place of a call that ended lately; what comes later is of no interest."""
        for index in range(len(self._records) - 1, -1, -1):
            if self._records[index].call_id == call_id:
                return index
        return None

    @callback
    def _change(self, index: int, record: CallRecord) -> None:
        if record is not self._records[index]:
            self._records[index] = record
            self._changed(record)

    @callback
    def _changed(self, record: CallRecord) -> None:
        if self._writable and not self._unsaved:
            # Asked for anew by every call, the write of a busy account would be put off for ever.
            self._store.async_delay_save(self._content, SAVE_DELAY)
        self._unsaved = True
        async_dispatcher_send(self._hass, self._signal, record)

    # What is known

    @property
    def last(self) -> CallRecord | None:
        """Return the call that ended last."""
        return self._records[-1] if self._records else None

    @property
    def heard_of(self) -> list[CallRecord]:
        """Return the calls that people have heard of, the oldest first."""
        return [record for record in self._records if not record.blocked]

    def select(
        self, *, missed: bool = False, since: datetime | None = None, limit: int = CALLS_KEPT
    ) -> list[CallRecord]:
        """Return the newest calls, the newest first: the missed ones, or those that began after a moment, if asked."""
        found = (
            record for record in self if (record.missed or not missed) and (since is None or record.started_at >= since)
        )
        return [record for record, _ in zip(found, range(limit), strict=False)]
