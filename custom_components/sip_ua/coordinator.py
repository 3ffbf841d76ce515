"""The coordinator of one account: its phone's events become state, entity updates and bus events at once.

Nothing is polled and nothing is queued. An event of the phone reaches every listener in the loop iteration
in which its datagram arrived: first the entity that shows the call's state, then the caller, who hears that it rings.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigEntryChange
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .action_errors import key_of, validation_error
from .answering_rules import answering_rules_of
from .bulletin import Bulletin
from .call_book import CallBook
from .call_view import (
    call_data,
    digit_data,
    has_new_message,
    is_connected,
    media_data,
    messages_data,
    registration_data,
    replaced_data,
    step_data,
    transition,
    voice_of,
    wall_clock,
)
from .const import (
    ATTR_NUMBER,
    CALL_MEDIA,
    CALL_STATISTICS,
    CALL_STEP,
    EVENT_CALL,
    EVENT_LINE,
    EVENT_MESSAGES,
    EVENT_REGISTRATION,
    MESSAGES_CHANGED,
    NEW_MESSAGE,
    CallEventType,
    WaitFor,
)
from .contacts import ContactBook, contacts_of, direct_hosts
from .engine import async_acquire_engine, async_release_engine
from .guesses import Guesses
from .history import CallHistory
from .incoming_calls import IncomingCalls
from .incoming_rules import rules_of
from .issues import Reminders
from .keypad import KeyPad
from .lines import LineBook, lines_of
from .net.audio import AudioSource
from .net.errors import AudioFault
from .net.hearing import Hearing
from .net.media import Room
from .net.phone import (
    CallStatistics,
    MediaTimedOut,
    Phone,
    PhoneEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    RecordingStarted,
)
from .net.play_order import PlayOrder
from .numbering import plan_of
from .options import dial_plan_of, with_options
from .reception import Reception
from .recordings import CallRecordings
from .satellite import Satellite
from .settings import account_of, identity_of
from .sip.account import Srtp, Transport
from .sip.errors import LocalProtocolError
from .sip.events import (
    CallEnded,
    CallEvent,
    CallOutcome,
    CallReplaced,
    CallSnapshot,
    CallState,
    CallStateChanged,
    CallStep,
    DigitReceived,
    IncomingCall,
    MediaChanged,
    MessagesWaiting,
    RegistrationChanged,
    RegistrationFailure,
    RegistrationState,
    TransferProgress,
    TransferRefused,
    TransferRequested,
    WatchedStateChanged,
)
from .sounds import SoundBook
from .transfers import Transfers
from .waiting import Waiting

_LOGGER = logging.getLogger(__name__)

HANGUP_TIMEOUT = 2.0
STATISTICS_TIMEOUT = 1.0
MAX_WRONG_PINS = 10

type SipUaConfigEntry = ConfigEntry[SipUaCoordinator]


class SipUaCoordinator:
    """Holds the phone of one account and what is known of its registration and calls."""

    def __init__(self, hass: HomeAssistant, entry: SipUaConfigEntry) -> None:
        """Make the phone; `async_start` switches it on, and `async_stop` must follow in any case."""
        self.hass = hass
        self.config_entry = entry
        contacts = contacts_of(entry)
        account = with_options(account_of(entry.data), entry.options)
        self.account = replace(account, direct_hosts=direct_hosts(contacts))
        self.identity = identity_of(entry.data)
        self._media = async_acquire_engine(hass)
        self.phone = Phone(self.account, self._media, self._handle_event)
        self.registration: RegistrationChanged = self.phone.registration
        self.registered_until: datetime | None = None
        self.next_attempt: datetime | None = None
        self.last_problem: tuple[RegistrationChanged, datetime] | None = None
        self.bulletin = Bulletin(hass, entry.entry_id, self.identity)
        self.calls = CallBook()
        self.history = CallHistory(hass, entry.entry_id)
        self.reminders = Reminders(hass, entry, self.account)
        self.keys = KeyPad()
        self.pins = Guesses(MAX_WRONG_PINS)
        self.recordings = CallRecordings(hass, entry, self.phone, self.calls, self.bulletin)
        self.sounds = SoundBook(self.phone, self.bulletin.update_entities)
        self.lines = LineBook(entry)
        self.transfers = Transfers(self.phone, self.calls, self.bulletin, self.identity)
        self.numbering = plan_of(hass.config.country)
        self.dial_plan = dial_plan_of(entry.options)
        self.contacts = ContactBook(contacts, self.account, self.numbering, self.dial_plan)
        self.reception = Reception(self.contacts, rules_of(entry.options), self.numbering, self.dial_plan)
        self.incoming = IncomingCalls(hass, entry, self.phone, self.calls, self.reception, self.history, self.bulletin)
        self.number_to_dial = ""
        self.answering = answering_rules_of(entry.options)
        self.assist_number = ""
        self.satellite: Satellite | None = None
        self.platforms: tuple[Platform, ...] = ()
        self.messages: MessagesWaiting | None = None
        self.last_statistics: tuple[str, dict[str, Any]] | None = None
        self._reaching: Waiting[str, CallSnapshot] = Waiting()
        self._figures: Waiting[str, dict[str, Any] | None] = Waiting()
        self._playing: Waiting[tuple[str, int | None], AudioFault | None] = Waiting()
        self._hangup_after: set[str] = set()
        self._settings = (entry.options, self.lines.lines, self.contacts.contacts)
        self._lost = False
        self._stopped = False
        self._reload_when_idle = False
        self._occupations = 0

    # Its life

    async def async_start(self) -> None:
        """Switch the phone on; registering goes on in the background, and repeats itself after a failure."""
        account = self.account
        if account.srtp is not Srtp.OFF and account.srtp_without_tls and account.transport is not Transport.TLS:
            _LOGGER.warning(
                "%s sends the keys of encrypted voice without TLS, as its settings say: whoever can read the messages "
                "on their way can listen to the calls",
                self.identity,
            )
        await self._async_recall()
        self.lines.watch(self.phone)
        await self.phone.start()
        self.recordings.async_start()

    async def _async_recall(self) -> None:
        """Bring back the calls of before, which people ask for and want to repeat."""
        await self.history.async_load()
        now, today = self.hass.loop.time(), dt_util.utcnow()
        known = self.history.heard_of
        self.calls.recall(record.snapshot(now, today) for record in known)
        if known and (quality := known[-1].quality) is not None:
            self.last_statistics = (known[-1].call_id, dict(quality))

    async def async_stop(self) -> None:
        """Hang up, unregister, and free every port and task, once."""
        if self._stopped:
            return
        self._stopped = True
        await self.phone.stop()
        self.reminders.async_close()
        self.recordings.async_close()
        await self.history.async_save()
        self._reaching.cancel()
        self._playing.cancel()
        self.sounds.cancel()
        self.transfers.cancel()
        await async_release_engine(self.hass)

    @callback
    def async_reload_when_idle(self) -> bool:
        """Reload the entry when the last call has ended; return whether there is something to wait for."""
        self._reload_when_idle = bool(self.calls) or self._occupations > 0
        return self._reload_when_idle

    @contextlib.contextmanager
    def occupied(self) -> Iterator[None]:
        """Put a reload off that waits for the last call: an action goes on."""
        self._occupations += 1
        try:
            yield
        finally:
            self._occupations -= 1
            self._reload_if_idle()

    @callback
    def _reload_if_idle(self) -> None:
        if self._reload_when_idle and not self.calls and not self._occupations and not self._stopped:
            self._reload_when_idle = False
            self.hass.config_entries.async_schedule_reload(self.config_entry.entry_id)

    @callback
    def async_follow_settings(self, change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Take over changed options, contacts and watched lines when the last call has ended."""
        if entry is not self.config_entry or change is not ConfigEntryChange.UPDATED:
            return
        settings = (entry.options, lines_of(entry), contacts_of(entry))
        if settings != self._settings:
            self._settings = settings
            if not self.async_reload_when_idle():
                self.hass.config_entries.async_schedule_reload(entry.entry_id)

    # What entities know of it

    @property
    def available(self) -> bool:
        """Whether calls are possible, or go on although the registration is lost."""
        return self.calls.shown is not None or self.reachable

    @property
    def reachable(self) -> bool:
        """Whether the account is registered, or needs no registration."""
        return not self.account.registers or self.registration.state is RegistrationState.REGISTERED

    @property
    def needs_assist(self) -> bool:
        """Whether Assist answers calls of the account, or may call somebody."""
        return self.answering.need_assist(self.contacts)

    @property
    def has_mail_box(self) -> bool:
        """Whether the account asks for the messages that wait in its voice mail box."""
        return self.account.mwi and self.account.registers

    # What the phone tells

    @callback
    def _handle_event(self, event: PhoneEvent) -> None:
        """Take one event of the phone to everybody it concerns."""
        match event:
            # First what somebody waits for.
            case IncomingCall() | CallStateChanged():
                self._handle_call_event(event)
            case RegistrationChanged():
                self._handle_registration(event)
            case PlaybackStarted() | PlaybackFinished():
                self._handle_playback(event)
            case RecordingStarted() | RecordingFinished():
                self.recordings.handle(event)
            case MediaTimedOut():
                if call := self.calls.get(event.call_id):
                    self.bulletin.tell(CallEventType.MEDIA_TIMEOUT, call)
            case CallStatistics():
                self._handle_statistics(event)
            case MessagesWaiting():
                self._handle_messages(event)
            case WatchedStateChanged():
                self._handle_line(event)
            case TransferProgress() | TransferRefused() | TransferRequested():
                self.transfers.handle(event)
            case CallEvent():
                self._handle_call_event(event)

    @callback
    def _handle_call_event(self, event: CallEvent) -> None:
        """Keep the call's new state, then say what happened; the phone book names the other side."""
        call = self.contacts.name_call(event.call)
        if isinstance(event, IncomingCall):
            if self.incoming.turn_away(call):
                return
        else:
            self.history.note(event, call)
            if call.id in self.incoming.blocked:
                if isinstance(event, CallEnded):
                    self.incoming.blocked.discard(call.id)
                return
        before = self.calls.find(call.id)
        if before is not call and (call.id not in self.incoming.turned_away or call.state is CallState.ENDED):
            self._keep(before, call)
        match event:
            case CallStep():
                self.bulletin.fire(EVENT_CALL, CALL_STEP, call_data(call) | step_data(event))
            case IncomingCall():
                self.bulletin.tell(CallEventType.INCOMING, call, headers=dict(event.headers))
                self.incoming.attend(call)
            case DigitReceived():
                self.keys.press(call.id, event.digit)
                self.bulletin.tell(CallEventType.DTMF, call, **digit_data(event))
            case MediaChanged():
                self.calls.note_voice(call.id, voice_of(event))
                self.bulletin.update_entities()
                self.bulletin.fire(EVENT_CALL, CALL_MEDIA, call_data(call) | media_data(event))
            case CallReplaced():
                previous = self.contacts.name_party(event.previous, call.direction)
                self.bulletin.tell(CallEventType.REPLACED, call, **replaced_data(previous))
            case CallEnded():
                self._handle_ended(call)

    @callback
    def _keep(self, before: CallSnapshot | None, call: CallSnapshot) -> None:
        """Store the state of a call and tell the entities where it is news."""
        if not self.calls.keep(call):
            return
        if before is not None and (before.state, before.remote, before.encrypted) == (
            call.state,
            call.remote,
            call.encrypted,
        ):
            return
        self.bulletin.update_first()
        # The caller need not wait for all the others.
        self.phone.send_now()
        self.bulletin.update_entities()
        if (event_type := transition(before, call)) is not None:
            self.bulletin.tell(event_type, call)
            self._reaching.tell(call.id, call)
        self.recordings.follow(call)

    @callback
    def _handle_ended(self, call: CallSnapshot) -> None:
        """Tell how a call ended."""
        self._hangup_after.discard(call.id)
        self.incoming.note_end(call.id)
        self.keys.end(call.id)
        self.recordings.forget(call.id)
        self.sounds.handle_call_ended(call.id)
        self.reminders.follow_call(call)
        outcome = self.calls.outcome(call)
        if call.outcome is CallOutcome.MISSED:
            self.bulletin.tell(CallEventType.MISSED, call, **outcome)
        self.bulletin.tell(CallEventType.ENDED, call, **outcome)
        self._reaching.tell(call.id, call)
        for key in self._playing.keys:
            if key[0] == call.id:
                self._playing.tell(key, None)
        self._reload_if_idle()

    @callback
    def _handle_playback(self, event: PlaybackStarted | PlaybackFinished) -> None:
        """Tell that a sound has been played or could not be, and hang up where that was asked for."""
        if isinstance(event, PlaybackStarted):
            if event.call_id in self.calls:
                self.sounds.handle_started(event)
            return
        self.sounds.handle_finished(event)
        fault = (event.fault or AudioFault.OTHER) if event.error else None
        for key in (event.playback_id, None):
            self._playing.tell((event.call_id, key), fault)
        if event.error:
            self.calls.note_playback_error(event.call_id, event.error, key_of(fault))
        if (call := self.calls.get(event.call_id)) is None:
            return
        if event.error:
            _LOGGER.warning("A sound could not be played into a call of %s: %s", self.identity, event.error)
        self.bulletin.tell(
            CallEventType.PLAYBACK_FINISHED,
            call,
            playback_id=event.playback_id,
            error=event.error,
            fault=key_of(fault) if fault else None,
            stopped=event.stopped,
        )
        if event.call_id in self._hangup_after and not event.stopped and not self.sounds.of(event.call_id):
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
        self._figures.tell(event.call_id, figures)
        if figures is None or (call := self.calls.find_ended(event.call_id)) is None:
            return
        self.last_statistics = (event.call_id, figures)
        self.history.note_quality(event.call_id, figures)
        self.reminders.follow_voice(call, figures, behind_nat=self.phone.behind_nat)
        self.bulletin.update_entities()
        self.bulletin.fire(EVENT_CALL, CALL_STATISTICS, call_data(call) | {CALL_STATISTICS: figures})

    @callback
    def _handle_messages(self, messages: MessagesWaiting) -> None:
        """Keep what waits in the voice mail box, and tell of it."""
        new = has_new_message(self.messages, messages)
        self.messages = messages
        self.bulletin.update_entities()
        data = messages_data(messages)
        if new:
            self.bulletin.announce(NEW_MESSAGE, data)
        self.bulletin.fire(EVENT_MESSAGES, NEW_MESSAGE if new else MESSAGES_CHANGED, data)

    @callback
    def _handle_line(self, event: WatchedStateChanged) -> None:
        """Keep what a watched line does, and tell of it."""
        if (line := self.lines.note(event)) is None:
            return
        self.bulletin.update_entities()
        self.bulletin.fire(EVENT_LINE, None, {"name": line.name, ATTR_NUMBER: line.number, "state": event.state.value})

    @callback
    def _handle_registration(self, status: RegistrationChanged) -> None:
        """Keep the registration's state; log its loss and its return once each."""
        self.registration = status
        if status.failure is not None:
            self.last_problem = status, dt_util.utcnow()
        self._remind(status)
        self.registered_until = wall_clock(status.expires_at, status.at)
        self.next_attempt = wall_clock(status.next_attempt_at, status.at)
        self.bulletin.update_entities()
        self.bulletin.fire(
            EVENT_REGISTRATION, None, registration_data(status, self.registered_until, self.next_attempt)
        )
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
    def _remind(self, status: RegistrationChanged) -> None:
        """Tell in Repairs what a person has to look after, and what not any more."""
        self.reminders.follow_registration(status)
        if status.state is RegistrationState.REGISTERED and (days := self.phone.certificate_dates) is not None:
            begins, ends = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in days)
            self.reminders.follow_certificate_dates((begins, ends), dt_util.utcnow())

    # What is asked of the phone

    @callback
    def dialed(self, target: str) -> str:
        """Return what goes out for a number or address; raises an error where the dial plan lets nobody dial it."""
        dialed = self.dial_plan.apply(target)
        if dialed.blocked:
            raise validation_error("number_blocked", number=target, rule=dialed.rule)
        return dialed.number

    async def async_dial(
        self,
        target: str,
        *,
        source: AudioSource | None = None,
        ring_timeout: int | None = None,
        hangup_after: bool = False,
        caller_id: bool | None = None,
        as_it_is: bool = False,
    ) -> str:
        """Place a call and return its id; `source` plays at the answer, and ends the call with `hangup_after`.

        `caller_id` says whether the other side learns who calls, None as the options do. With `as_it_is` the number is
        one that went out before, and goes out so; what the dial plan lets nobody dial does not.
        """
        dialed = self.dialed(target)
        number = target if as_it_is else dialed
        call_id = await self.phone.dial(number, source=source, ring_timeout=ring_timeout, caller_id=caller_id)
        if hangup_after and source is not None and call_id in self.calls:
            self._hangup_after.add(call_id)
        return call_id

    async def async_answer(self, call_id: str, source: AudioSource | None = None) -> None:
        """Answer a call that rings here; `source` plays at once."""
        await self.phone.answer(call_id, source=source)

    async def async_hangup(self, call_id: str, code: int | None = None) -> None:
        """End a call in any state; one that rings here is refused with `code` where that is given."""
        if code is not None and self.calls.get_ringing(call_id) is not None:
            await self.phone.reject(call_id, code)
        else:
            await self.phone.hangup(call_id)

    async def async_end(self, call_id: str, code: int | None = None) -> CallSnapshot | None:
        """Hang up, give the other side a moment to confirm it, and return what is known of the call then."""
        await self.async_hangup(call_id, code)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANGUP_TIMEOUT):
                await self.async_wait(call_id, WaitFor.ENDED)
        return self.calls.find(call_id)

    @callback
    def open_room(self, *, shared: bool) -> Room:
        """Return a room for calls of any account to be joined in; all hear what we play to one where it is `shared`."""
        return self._media.open_room(shared=shared)

    async def async_hold(self, call_id: str) -> CallSnapshot:
        """Put the far end on hold, and return the call's state once the far end agreed or the call ended."""
        await self.phone.hold(call_id)
        return await self._until(call_id, lambda call: call.state is CallState.HELD)

    async def async_resume(self, call_id: str) -> CallSnapshot:
        """Talk again to a far end that we hold, and return the call's state once it agreed or the call ended."""
        await self.phone.resume(call_id)
        return await self._until(call_id, lambda call: call.state is not CallState.HELD)

    async def async_wait(self, call_id: str, until: WaitFor) -> CallSnapshot:
        """Return a call's state when it has been answered or has ended."""
        return await self._until(call_id, lambda call: until is WaitFor.ANSWERED and is_connected(call))

    async def _until(self, call_id: str, reached: Callable[[CallSnapshot], bool]) -> CallSnapshot:
        """Return a call's state when it is what is waited for, or the call has ended."""

        def done(call: CallSnapshot) -> bool:
            return call.state is CallState.ENDED or reached(call)

        call = self.calls.find(call_id)
        return call if call is not None and done(call) else await self._reaching.expect(call_id, done)

    async def async_statistics(self, call: CallSnapshot) -> dict[str, Any] | None:
        """Return the figures of a call's voice, which come shortly after its end; None where no voice began."""
        if call.answered_at is None:
            return None
        if self.last_statistics is not None and self.last_statistics[0] == call.id:
            return self.last_statistics[1]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATISTICS_TIMEOUT):
                return await self._figures.expect(call.id)
        return None

    async def async_send_digits(self, call_id: str, digits: str, *, duration: int, gap: int) -> None:
        """Press keys; duration and gap in milliseconds."""
        self.phone.send_digits(call_id, digits, duration_ms=duration, gap_ms=gap)

    async def async_play(
        self, call_id: str, source: AudioSource, *, loop: bool = False, volume: float = 0.0, wait: bool = False
    ) -> AudioFault | None:
        """Play a sound into a call; volume in dB. With `wait` return its fault, None where it was heard."""
        playback_id = self.phone.play(call_id, source, PlayOrder(loop=loop, volume_db=volume))
        return await self._playing.expect((call_id, playback_id)) if wait else None

    async def async_hear(self, call_id: str, rate: int) -> Hearing:
        """Return what the other side of a call says from now on, at `rate` Hz."""
        return await self.phone.hear(call_id, rate)

    @callback
    def async_start_playing(self, call_id: str, source: AudioSource) -> tuple[int, asyncio.Future[AudioFault | None]]:
        """Play a sound into a call and return its number, and the future of its fault, None where it was heard."""
        playback_id = self.phone.play(call_id, source)
        return playback_id, self._playing.expect((call_id, playback_id))

    @callback
    def async_next_played(self, call_id: str) -> asyncio.Future[AudioFault | None]:
        """Return the future of the fault of the next sound of a call that ends, None where it was heard."""
        return self._playing.expect((call_id, None))

    @callback
    def async_stop_playing(self, call_id: str, playback_id: int | None = None) -> None:
        """End one sound of a call, or all; where the call is over there is none."""
        with contextlib.suppress(LocalProtocolError):
            self.phone.stop_playback(call_id, playback_id)
