"""The recordings of an account's calls: begun by an action or for a whole call, told of, and kept as long as wanted."""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util

from .bulletin import Bulletin
from .call_book import CallBook
from .call_view import is_connected
from .const import DOMAIN, CallEventType
from .net.errors import RecordingError, RecordingFault
from .net.phone import Phone, RecordingFinished, RecordingStarted
from .net.recording_order import RecordingOrder
from .recording_settings import RecordingStyle, recording_settings
from .recording_store import FOLDER, account_name, prune, recording_name
from .sip.errors import SipError
from .sip.events import CallSnapshot
from .waiting import Waiting

_LOGGER = logging.getLogger(__name__)

START_TIMEOUT: Final = 5.0
STOP_TIMEOUT: Final = 10.0
RESULTS_KEPT: Final = 32
PRUNE_EVERY: Final = timedelta(hours=6)


def recordings_root(hass: HomeAssistant) -> Path | None:
    """Return the folder of all recordings: in the first media folder, None where Home Assistant has none."""
    first = next(iter(hass.config.media_dirs.values()), None)
    return None if first is None else Path(first) / FOLDER


def account_folder(entry: ConfigEntry) -> str:
    """Return the name of the folder of an account."""
    return account_name(entry.unique_id or entry.entry_id)


class CallRecordings:
    """Which calls are recorded, and what became of those that were."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, phone: Phone, calls: CallBook, news: Bulletin) -> None:
        """Record nothing yet; `news` tells of what is."""
        self.settings = recording_settings(entry.options)
        self._hass = hass
        self._entry = entry
        self._phone = phone
        self._calls = calls
        self._news = news
        self._folder = account_folder(entry)
        self._active: dict[str, Path] = {}
        self._running: set[str] = set()
        self._results: dict[str, dict[str, Any]] = {}
        self._wishes: dict[str, bool] = {}
        self._decided: set[str] = set()
        self._starting: Waiting[str, RecordingError | None] = Waiting()
        self._stopping: Waiting[str, dict[str, Any]] = Waiting()
        self._end_timer: CALLBACK_TYPE | None = None

    @callback
    def async_start(self) -> None:
        """Begin to look after what may be kept, where that is bounded."""
        if self.settings.keep_days or self.settings.keep_recordings:
            self._prune()
            self._end_timer = async_track_time_interval(self._hass, self._prune, PRUNE_EVERY)

    @callback
    def async_close(self) -> None:
        """Let nobody wait any more."""
        if self._end_timer is not None:
            self._end_timer()
            self._end_timer = None
        self._starting.cancel()
        self._stopping.cancel()

    # What is known

    @property
    def calls(self) -> tuple[str, ...]:
        """Return the ids of the calls that are being recorded."""
        return tuple([call_id for call_id in self._active if call_id in self._running])

    def is_running(self, call_id: str) -> bool:
        """Return whether a call is being recorded."""
        return call_id in self._active and call_id in self._running

    @property
    def begun(self) -> tuple[str, ...]:
        """Return the ids of the calls that are recorded, or are about to be."""
        return tuple(self._active)

    def is_begun(self, call_id: str) -> bool:
        """Return whether a call is recorded, or is about to be."""
        return call_id in self._active

    def result(self, call_id: str) -> dict[str, Any] | None:
        """Return what became of the last recording of a call, None where there is none or it goes on."""
        return self._results.get(call_id)

    def data(self, call_id: str) -> dict[str, Any]:
        """Return where a recording that goes on is written to."""
        return self._place(self._active[call_id])

    def _place(self, path: Path) -> dict[str, Any]:
        return {"path": str(path), "media_content_id": f"media-source://{DOMAIN}/{self._folder}/{path.name}"}

    # What the account wants

    @callback
    def wish(self, call_id: str, *, record: bool) -> None:
        """Record a call from its answer to its end, or do not, whatever the account's options say."""
        if call_id not in self._decided:
            self._wishes[call_id] = record
        elif record is not self.is_begun(call_id) and (call := self._calls.get(call_id)) is not None:
            if record:
                self._begin_by_itself(call)
            else:
                self._phone.stop_recording(call_id)

    @callback
    def follow(self, call: CallSnapshot) -> None:
        """Record a call that has just been answered, if that is wanted."""
        if is_connected(call) and call.id not in self._decided:
            self._decided.add(call.id)
            wanted = self._wishes.pop(call.id, self.settings.wants(call.direction))
            # What was heard before the answer may be recorded already.
            if wanted and not self.is_begun(call.id):
                self._begin_by_itself(call)

    @callback
    def forget(self, call_id: str) -> None:
        """Forget what was wanted for a call that is over; its recording is completed."""
        self._decided.discard(call_id)
        self._wishes.pop(call_id, None)

    def _begin_by_itself(self, call: CallSnapshot) -> None:
        try:
            self._begin(call, self.settings.style)
        except SipError as error:
            fault = error.fault if isinstance(error, RecordingError) else RecordingFault.FAILED
            self._tell_failure(call, {"fault": fault.value, "error": str(error)})

    def _begin(self, call: CallSnapshot, style: RecordingStyle) -> None:
        """Have a call recorded; raises SipError."""
        root = recordings_root(self._hass)
        if root is None:
            raise RecordingError(RecordingFault.NO_FOLDER, "Home Assistant has no media folder")
        path = root / self._folder / recording_name(call, dt_util.now(), style.file_format.suffix)
        self._phone.record_as(
            call.id,
            RecordingOrder(
                path=path, sides=style.sides, file_format=style.file_format, tone=style.tone, root=root.parent
            ),
        )
        self._active[call.id] = path

    # What actions want

    async def async_record(self, call: CallSnapshot, style: RecordingStyle) -> dict[str, Any]:
        """Begin to record a call and return where, once there is sound in the file; raises SipError."""
        started = self._starting.expect(call.id)
        try:
            self._begin(call, style)
            async with asyncio.timeout(START_TIMEOUT):
                error = await started
        except TimeoutError:
            self._phone.stop_recording(call.id)
            raise _too_slow() from None
        finally:
            started.cancel()
        if error is not None:
            raise error
        # One that began and ended at once is told by how it ended.
        return self.data(call.id) if call.id in self._active else self._results[call.id]

    async def async_stop_recording(self, call_id: str) -> dict[str, Any]:
        """End the recording of a call and return what it is; raises SipError."""
        stopped = self._stopping.expect(call_id)
        try:
            # Where the call ends at this moment, its recording does too.
            with contextlib.suppress(SipError):
                self._phone.stop_recording(call_id)
            async with asyncio.timeout(STOP_TIMEOUT):
                return await stopped
        except TimeoutError:
            raise _too_slow() from None
        finally:
            stopped.cancel()

    # What the phone tells

    @callback
    def handle(self, event: RecordingStarted | RecordingFinished) -> None:
        """Keep what became of a recording, and tell of it."""
        if isinstance(event, RecordingStarted):
            self._handle_started(event)
        else:
            self._handle_finished(event)

    def _handle_started(self, event: RecordingStarted) -> None:
        call_id = event.call_id
        if call_id not in self._active:
            return
        self._active[call_id] = event.path
        self._running.add(call_id)
        self._news.update_entities()
        if call := self._calls.find(call_id):
            self._news.tell(CallEventType.RECORDING_STARTED, call, **self.data(call_id))
        self._starting.tell(call_id, None)

    def _handle_finished(self, event: RecordingFinished) -> None:
        call_id, result = event.call_id, event.result
        if self._active.pop(call_id, None) is None:
            return
        self._running.discard(call_id)
        data = self._place(result.path) | {
            "duration": round(result.seconds, 3),
            "size": result.size,
            "lost": round(result.lost, 3),
            "fault": result.fault.value if result.fault else None,
            "error": result.error,
        }
        self._results[call_id] = data
        if len(self._results) > RESULTS_KEPT:
            del self._results[next(iter(self._results))]
        self._news.update_entities()
        if call := self._calls.find(call_id):
            if result.fault is None:
                self._news.tell(CallEventType.RECORDING_FINISHED, call, **data)
            else:
                self._tell_failure(call, data)
        error = RecordingError(result.fault, result.error or "") if result.fault else None
        self._starting.tell(call_id, error)
        self._stopping.tell(call_id, data)
        self._prune()

    def _tell_failure(self, call: CallSnapshot, data: dict[str, Any]) -> None:
        _LOGGER.warning("A call of %s is not recorded any more: %s", self._entry.title, data["error"])
        self._news.tell(CallEventType.RECORDING_FAILED, call, **data)

    # What may go

    @callback
    def _prune(self, _now: datetime | None = None) -> None:
        """Delete what is older or more than the owner wants to keep; nothing where nothing was asked for."""
        settings = self.settings
        root = recordings_root(self._hass)
        if root is None or self._hass.is_stopping or not (settings.keep_days or settings.keep_recordings):
            return
        work = partial(
            prune,
            root / self._folder,
            settings.keep_days,
            settings.keep_recordings,
            dt_util.now(),
            frozenset(self._active.values()),
        )
        _ = self._entry.async_create_background_task(
            self._hass, self._async_prune(work), f"sip_ua old recordings of {self._entry.title}"
        )

    async def _async_prune(self, work: partial[list[Path]]) -> None:
        if gone := await self._hass.async_add_executor_job(work):
            _LOGGER.info("%s: %s old recordings were deleted, as its options say", self._entry.title, len(gone))


def _too_slow() -> RecordingError:
    return RecordingError(RecordingFault.TOO_SLOW, "the disk does not answer")
