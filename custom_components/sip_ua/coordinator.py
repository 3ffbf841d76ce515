"""The coordinator of one account: its phone's events become state, entity updates and bus events at once.

Nothing is polled and nothing is queued. An event of the phone reaches every listener in the loop iteration
in which its datagram arrived, the entity that shows the call's state first.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .call_view import (
    call_data,
    digit_data,
    is_connected,
    most_relevant,
    newest,
    outcome_data,
    registration_data,
    step_data,
    transition,
    wall_clock,
)
from .const import (
    ATTR_PLAYBACK_ERROR,
    CALL_STATISTICS,
    CALL_STEP,
    EVENT_CALL,
    EVENT_REGISTRATION,
    CallEventType,
    WaitFor,
)
from .engine import async_acquire_engine, async_release_engine
from .net.audio import AudioSource
from .net.phone import CallStatistics, MediaTimedOut, Phone, PhoneEvent, PlaybackFinished
from .settings import account_of, identity_of
from .sip.errors import LocalProtocolError
from .sip.events import (
    CallEnded,
    CallEvent,
    CallOutcome,
    CallSnapshot,
    CallState,
    CallStep,
    DigitReceived,
    IncomingCall,
    RegistrationChanged,
    RegistrationFailure,
    RegistrationState,
)

_LOGGER = logging.getLogger(__name__)

ENDED_CALLS_KEPT = 32
STATISTICS_TIMEOUT = 1.0

type SipUaConfigEntry = ConfigEntry[SipUaCoordinator]
type CallListener = Callable[[CallEventType, dict[str, Any]], None]


class SipUaCoordinator:
    """Holds the phone of one account and what is known of its registration and calls."""

    def __init__(self, hass: HomeAssistant, entry: SipUaConfigEntry) -> None:
        """Make the phone; `async_start` switches it on, and `async_stop` must follow in any case."""
        self.hass = hass
        self.config_entry = entry
        self.account = account_of(entry.data)
        self.identity = identity_of(entry.data)
        self.phone = Phone(self.account, async_acquire_engine(hass), self._handle_event)
        self.registration: RegistrationChanged = self.phone.registration
        self.registered_until: datetime | None = None
        self.next_attempt: datetime | None = None
        self.calls: dict[str, CallSnapshot] = {}
        self.shown: CallSnapshot | None = None
        self.last_call: CallSnapshot | None = None
        self.last_statistics: tuple[str, dict[str, Any]] | None = None
        self._figures: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._ended: dict[str, CallSnapshot] = {}
        self._state_listeners: list[CALLBACK_TYPE] = []
        self._event_listeners: list[CallListener] = []
        self._waiting: dict[str, list[tuple[WaitFor, asyncio.Future[CallSnapshot]]]] = {}
        self._playing: dict[tuple[str, int], asyncio.Future[str | None]] = {}
        self._hangup_after: set[str] = set()
        self._playback_errors: dict[str, str] = {}
        self.available = self.reachable
        """Whether calls are possible, or go on although the registration is lost."""
        self._lost = False
        self._stopped = False
        self._reload_when_idle = False

    # Its life

    async def async_start(self) -> None:
        """Switch the phone on; registering goes on in the background, and repeats itself after a failure."""
        await self.phone.start()

    async def async_stop(self) -> None:
        """Hang up, unregister, and free every port and task, once."""
        if self._stopped:
            return
        self._stopped = True
        await self.phone.stop()
        for _, future in [waiter for waiters in self._waiting.values() for waiter in waiters]:
            future.cancel()
        for playing in self._playing.values():
            playing.cancel()
        await async_release_engine(self.hass)

    @callback
    def async_reload_when_idle(self) -> bool:
        """Reload the entry when the last call has ended; return whether there is a call to wait for."""
        self._reload_when_idle = bool(self.calls)
        return self._reload_when_idle

    # What entities know of it

    @property
    def reachable(self) -> bool:
        """Whether the account is registered, or needs no registration."""
        return not self.account.registers or self.registration.state is RegistrationState.REGISTERED

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE, *, first: bool = False) -> CALLBACK_TYPE:
        """Call `listener` after every change of state, before the others where it is `first`."""
        self._state_listeners.insert(0 if first else len(self._state_listeners), listener)
        return lambda: self._state_listeners.remove(listener)

    @callback
    def async_subscribe_events(self, listener: CallListener) -> CALLBACK_TYPE:
        """Call `listener` with type and data of every call event."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    # What the phone tells

    @callback
    def _handle_event(self, event: PhoneEvent) -> None:
        """Take one event of the phone to everybody it concerns."""
        match event:
            case RegistrationChanged():
                self._handle_registration(event)
            case PlaybackFinished():
                self._handle_playback_finished(event)
            case MediaTimedOut():
                if call := self.calls.get(event.call_id):
                    self._tell(CallEventType.MEDIA_TIMEOUT, call)
            case CallStatistics():
                self._handle_statistics(event)
            case CallEvent():
                self._handle_call_event(event)

    @callback
    def _handle_call_event(self, event: CallEvent) -> None:
        """Keep the call's new state, then say what happened."""
        call = event.call
        before = self.calls.get(call.id)
        if before is not call:
            self._keep(before, call)
        match event:
            case CallStep():
                self._fire(EVENT_CALL, CALL_STEP, call_data(call) | step_data(event))
            case IncomingCall():
                self._tell(CallEventType.INCOMING, call, headers=dict(event.headers))
            case DigitReceived():
                self._tell(CallEventType.DTMF, call, **digit_data(event))
            case CallEnded():
                self._handle_ended(call)

    @callback
    def _keep(self, before: CallSnapshot | None, call: CallSnapshot) -> None:
        """Store the state of a call and tell the entities where it is news."""
        if call.state is CallState.ENDED:
            if call.id in self._ended:
                return
            self.calls.pop(call.id, None)
            self.last_call = self._ended[call.id] = call
            if len(self._ended) > ENDED_CALLS_KEPT:
                oldest = next(iter(self._ended))
                del self._ended[oldest]
                self._playback_errors.pop(oldest, None)
        else:
            self.calls[call.id] = call
        self.shown = most_relevant(self.calls.values()) if self.calls else None
        self.available = bool(self.calls) or self.reachable
        if before is not None and before.state is call.state and before.remote == call.remote:
            return
        self._update_entities()
        if (event_type := transition(before, call)) is not None:
            self._tell(event_type, call)
            if event_type is CallEventType.ANSWERED:
                self._resolve(call, WaitFor.ANSWERED)

    @callback
    def _handle_ended(self, call: CallSnapshot) -> None:
        """Tell how a call ended."""
        self._hangup_after.discard(call.id)
        outcome = self.outcome(call)
        if call.outcome is CallOutcome.MISSED:
            self._tell(CallEventType.MISSED, call, **outcome)
        self._tell(CallEventType.ENDED, call, **outcome)
        self._resolve(call, WaitFor.ENDED)
        for key in [key for key in self._playing if key[0] == call.id]:
            self._finish_playback(key, None)
        if self._reload_when_idle and not self.calls:
            self._reload_when_idle = False
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)

    @callback
    def _handle_playback_finished(self, event: PlaybackFinished) -> None:
        """Tell that a sound has been played or could not be, and hang up where that was asked for."""
        self._finish_playback((event.call_id, event.playback_id), event.error)
        if event.error and self.find(event.call_id) is not None:
            self._playback_errors[event.call_id] = event.error
        if (call := self.calls.get(event.call_id)) is None:
            return
        if event.error:
            _LOGGER.warning("A sound could not be played into a call of %s: %s", self.identity, event.error)
        self._tell(
            CallEventType.PLAYBACK_FINISHED,
            call,
            playback_id=event.playback_id,
            error=event.error,
            stopped=event.stopped,
        )
        if event.call_id in self._hangup_after and not event.stopped:
            self._hangup_after.discard(event.call_id)
            _ = self.config_entry.async_create_task(
                self.hass, self._async_hangup_played(event.call_id), f"sip_ua hang up {self.identity}"
            )

    async def _async_hangup_played(self, call_id: str) -> None:
        """End a call whose sound has been heard, unless the other side was quicker."""
        with contextlib.suppress(LocalProtocolError):
            await self.phone.hangup(call_id)

    @callback
    def _handle_statistics(self, event: CallStatistics) -> None:
        """Tell the figures of an ended call's voice."""
        figures = asdict(event.statistics) if event.statistics is not None else None
        if (future := self._figures.pop(event.call_id, None)) is not None and not future.done():
            future.set_result(figures)
        if figures is None or (call := self._ended.get(event.call_id)) is None:
            return
        self.last_statistics = (event.call_id, figures)
        self._fire(EVENT_CALL, CALL_STATISTICS, call_data(call) | {CALL_STATISTICS: figures})

    @callback
    def _handle_registration(self, status: RegistrationChanged) -> None:
        """Keep the registration's state; log its loss and its return once each."""
        self.registration = status
        self.available = bool(self.calls) or self.reachable
        self.registered_until = wall_clock(status.expires_at, status.at)
        self.next_attempt = wall_clock(status.next_attempt_at, status.at)
        self._update_entities()
        self._fire(EVENT_REGISTRATION, None, registration_data(status, self.registered_until, self.next_attempt))
        if status.state is RegistrationState.REGISTERED:
            if self._lost:
                self._lost = False
                _LOGGER.info("%s is registered again", self.identity)
        elif status.failure is not None and not self._lost:
            self._lost = True
            answer = f"{status.code} {status.reason}".strip() if status.code else "no answer"
            _LOGGER.warning("%s is not registered: %s (%s; %s)", self.identity, status.failure, answer, status.detail)
        if (
            status.state is RegistrationState.REFUSED
            and status.failure is RegistrationFailure.LOGIN_REFUSED
            and not self.hass.is_stopping
        ):
            self.config_entry.async_start_reauth(self.hass)

    @callback
    def _update_entities(self) -> None:
        """Let every entity look at the new state."""
        for listener in tuple(self._state_listeners):
            listener()

    @callback
    def _tell(self, event_type: CallEventType, call: CallSnapshot, **more: Any) -> None:
        """Tell a call event to the event entity and on the bus."""
        data = call_data(call) | more
        for listener in tuple(self._event_listeners):
            listener(event_type, data)
        self._fire(EVENT_CALL, event_type, data)

    @callback
    def _fire(self, name: str, event_type: str | None, data: dict[str, Any]) -> None:
        """Fire a bus event that names the account."""
        head = {ATTR_CONFIG_ENTRY_ID: self.config_entry.entry_id, "account": self.identity}
        if event_type is not None:
            head["type"] = str(event_type)
        self.hass.bus.async_fire_internal(name, head | data)

    # What is asked of the phone

    async def async_dial(
        self,
        target: str,
        *,
        source: AudioSource | None = None,
        ring_timeout: int | None = None,
        hangup_after: bool = False,
    ) -> str:
        """Place a call and return its id; `source` plays at the answer, and ends the call with `hangup_after`."""
        call_id = await self.phone.dial(target, source=source, ring_timeout=ring_timeout)
        if hangup_after and source is not None and call_id in self.calls:
            self._hangup_after.add(call_id)
        return call_id

    async def async_answer(self, call_id: str, source: AudioSource | None = None) -> None:
        """Answer a call that rings here; `source` plays at once."""
        await self.phone.answer(call_id, source=source)

    async def async_hangup(self, call_id: str, code: int | None = None) -> None:
        """End a call in any state; one that rings here is refused with `code` where that is given."""
        call = self.calls.get(call_id)
        if code is not None and call is not None and call.state is CallState.RINGING:
            await self.phone.reject(call_id, code)
        else:
            await self.phone.hangup(call_id)

    async def async_wait(self, call_id: str, until: WaitFor) -> CallSnapshot:
        """Return a call's state when it has been answered or has ended."""
        if (ended := self._ended.get(call_id)) is not None:
            return ended
        call = self.calls.get(call_id)
        if call is not None and until is WaitFor.ANSWERED and is_connected(call):
            return call
        future: asyncio.Future[CallSnapshot] = self.hass.loop.create_future()
        self._waiting.setdefault(call_id, []).append((until, future))
        return await future

    async def async_statistics(self, call: CallSnapshot) -> dict[str, Any] | None:
        """Return the figures of a call's voice, which come shortly after its end; None where no voice began."""
        if call.answered_at is None:
            return None
        if self.last_statistics is not None and self.last_statistics[0] == call.id:
            return self.last_statistics[1]
        future = self._figures.setdefault(call.id, self.hass.loop.create_future())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATISTICS_TIMEOUT):
                return await asyncio.shield(future)
        self._figures.pop(call.id, None)
        return None

    async def async_send_digits(self, call_id: str, digits: str, *, duration: int, gap: int) -> None:
        """Press keys; duration and gap in milliseconds."""
        self.phone.send_digits(call_id, digits, duration_ms=duration, gap_ms=gap)

    async def async_play(
        self, call_id: str, source: AudioSource, *, loop: bool = False, volume: float = 0.0, wait: bool = False
    ) -> str | None:
        """Play a sound into a call; volume in dB. With `wait` return its error, None where it was heard."""
        playback_id = self.phone.play(call_id, source, loop=loop, volume_db=volume)
        if not wait:
            return None
        future: asyncio.Future[str | None] = self.hass.loop.create_future()
        self._playing[call_id, playback_id] = future
        return await future

    @callback
    def outcome(self, call: CallSnapshot) -> dict[str, Any]:
        """Return how a call went so far, and why its last sound that failed was not heard (None: none failed)."""
        return outcome_data(call) | {ATTR_PLAYBACK_ERROR: self._playback_errors.get(call.id)}

    @callback
    def find(self, call_id: str) -> CallSnapshot | None:
        """Return the newest state of a call, also of one that ended lately."""
        return self.calls.get(call_id) or self._ended.get(call_id)

    @callback
    def find_ringing(self) -> CallSnapshot | None:
        """Return the newest call that rings here."""
        return newest(call for call in self.calls.values() if call.state is CallState.RINGING)

    @callback
    def find_audible(self) -> CallSnapshot | None:
        """Return the call that can hear us: the most relevant one that is answered or has early media."""
        return most_relevant(
            call for call in self.calls.values() if is_connected(call) or call.state is CallState.EARLY
        )

    @callback
    def _resolve(self, call: CallSnapshot, reached: WaitFor) -> None:
        """Let those go on who waited for a call to be answered or to end."""
        waiters = self._waiting.pop(call.id, [])
        staying = []
        for until, future in waiters:
            if reached is WaitFor.ENDED or until is reached:
                if not future.done():
                    future.set_result(call)
            else:
                staying.append((until, future))
        if staying:
            self._waiting[call.id] = staying

    @callback
    def _finish_playback(self, key: tuple[str, int], error: str | None) -> None:
        """Let those go on who waited for a sound to end."""
        if (future := self._playing.pop(key, None)) is not None and not future.done():
            future.set_result(error)
