"""The telephone of one account: what people do with it, over a driven user agent and the voices of its calls."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ..sip.account import Account
from ..sip.address import Hop
from ..sip.admission import Counters
from ..sip.agent import UserAgent
from ..sip.core import Failure
from ..sip.errors import LocalFault, LocalProtocolError, SipError
from ..sip.events import (
    CallSnapshot,
    Event,
    MessagesWaiting,
    RegistrationChanged,
    TransferRefused,
    TransferRequested,
    WatchedState,
)
from ..sip.excerpt import Excerpt, excerpt
from ..sip.offer_answer import LocalMedia
from ..sip.party import target_uri
from ..sip.transaction import Timers
from .audio import AudioSource
from .driver import Driver
from .entropy import Entropy
from .hearing import Hearing, load_resampler
from .media import MediaEngine, RecordedSides, Room
from .phone_events import (
    CallStatistics,
    MediaTimedOut,
    PhoneEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    RecordingStarted,
)
from .play_order import ONCE, PlayOrder
from .ports import PortPair
from .recording_order import RecordingOrder
from .resolver import Resolver
from .stream_events import RtpStatistics
from .voice import Voice
from .voices import Voices

__all__ = [
    "CallStatistics",
    "Excerpt",
    "MediaTimedOut",
    "Phone",
    "PhoneEvent",
    "PlaybackFinished",
    "PlaybackStarted",
    "RecordingFinished",
    "RecordingStarted",
    "check_target",
]

_LOGGER = logging.getLogger(__name__)

STATUS_NOT_NOW = 480
STATUS_BUSY = 486


def check_target(account: Account, target: str) -> None:
    """Raise LocalProtocolError for what an account can neither call nor watch."""
    target_uri(account, target)


class Phone:
    """One account's telephone; every method is to be called in the event loop in which it was started."""

    def __init__(
        self,
        account: Account,
        media: MediaEngine,
        listener: Callable[[PhoneEvent], None],
        *,
        resolver: Resolver | None = None,
        timers: Timers | None = None,
    ) -> None:
        """Make the telephone; nothing is bound or sent before `start`."""
        self.account = account
        self._agent = UserAgent(account, entropy=Entropy(), timers=timers)
        self._listener = listener
        self._on = False
        self._switching = asyncio.Lock()
        self._answering: set[str] = set()
        self._driver = Driver(account, self._agent, self._deal_with, resolver)
        self._voices = Voices(account, self._agent, media, self._tell, self._fail)

    # Its life

    async def start(self) -> None:
        """Bind the port and begin to register; raises LocalPortInUseError or LocalAddressError."""
        async with self._switching:
            await self._driver.start()
            self._on = True
            # Registering need not wait for what only calls need.
            self._driver.spawn(self._voices.choose_codecs(), "sip_ua choose codecs")
            self._agent.refuses_calls = False
            self._agent.register(self._driver.now)
            self._driver.pump()

    async def stop(self) -> None:
        """Hang up, unregister as far as the server answers in time, and free every socket, port and task."""
        async with self._switching:
            if self._on:
                self._on = False
                self._agent.refuses_calls = True
                try:
                    await self._say_goodbye()
                finally:
                    await self._voices.close()
                    await self._driver.close()

    async def _say_goodbye(self) -> None:
        agent, driver = self._agent, self._driver
        for call_id in tuple(agent.calls):
            agent.hangup(call_id, driver.now)
        driver.pump()
        await driver.settled()
        agent.unregister(driver.now)
        driver.pump()
        await driver.settled()

    def _check_on(self) -> None:
        """Raise LocalProtocolError where the telephone is off, or about to be: no call may begin then."""
        if not self._on:
            raise LocalProtocolError("the telephone is switched off", LocalFault.SWITCHED_OFF)

    # What is known

    @property
    def registration(self) -> RegistrationChanged:
        """Return the present state of the registration."""
        return self._agent.registration

    @property
    def counters(self) -> Counters:
        """Return how many messages were dropped, or refused since there was too much to do."""
        return self._agent.counters

    def trace(self, sip_call_id: str | None = None) -> Excerpt | None:
        """Return the last messages of a Call-ID, or all, without their secrets; None where nothing is kept."""
        return excerpt(self._driver.trace, sip_call_id)

    @property
    def certificate_dates(self) -> tuple[str, str] | None:
        """Return first and last day of our server's certificate, such as 2030-12-31; None where it has none to mind."""
        return self._driver.transports.certificate_dates if self._on else None

    @property
    def behind_nat(self) -> bool:
        """Whether a server of ours is on the internet, and would send voice to an address of a home."""
        return self._on and self._driver.behind_nat

    @property
    def calls(self) -> Mapping[str, CallSnapshot]:
        """Return the calls that are not over, oldest first."""
        return self._agent.calls

    @property
    def messages(self) -> MessagesWaiting | None:
        """Return what the voice mail box told last, None where it told nothing yet or is not asked."""
        return self._agent.subscriptions.messages

    @property
    def watched(self) -> Mapping[str, WatchedState]:
        """Return what every watched line does, by the id of the watch."""
        return self._agent.subscriptions.watched

    async def statistics(self, call_id: str) -> RtpStatistics | None:
        """Return the figures of a call's voice so far."""
        voice = self._voices.find(call_id)
        return None if voice is None else await voice.stream.statistics()

    # Calls

    async def dial(
        self,
        target: str,
        *,
        source: AudioSource | None = None,
        ring_timeout: float | None = None,
        caller_id: bool | None = None,
    ) -> str:
        """Call a number or SIP address and return the call's id; `source` is made ready now and plays at the answer.

        `caller_id` says whether the far end learns who calls, None as the account does.
        A call whose server cannot be found, or to which no network leads, has ended as unreachable on return.
        Raises LocalProtocolError for what cannot be dialled, NoPortError where no port is free for the voice, and
        LocalAddressError where the bound address is not one of this machine any more.
        """
        self._check_on()
        located = await self._driver.locate(target)
        if isinstance(located, Failure):
            return self._dial_in_vain(target, located)
        return await self._place(
            located[0],
            source,
            lambda media: self._agent.dial(
                target, media, self._driver.now, ring_timeout=ring_timeout, caller_id=caller_id
            ),
        )

    async def _place(self, hop: Hop, source: AudioSource | None, dial: Callable[[LocalMedia], str]) -> str:
        voice = await self._voices.open(hop, source, self._ask_outside)
        try:
            self._check_on()
            call_id = dial(self._voices.local_media(voice, hop))
        except BaseException:
            await voice.close()
            raise
        self._voices.keep(call_id, voice)
        self._driver.pump()
        return call_id

    def _dial_in_vain(self, target: str, failure: Failure) -> str:
        """Let a call begin and end that can go nowhere, for whoever follows the calls."""
        self._check_on()
        media = self._voices.no_media()
        call_id = self._agent.dial(target, media, self._driver.now, failure=failure)
        self._driver.pump()
        return call_id

    async def answer(self, call_id: str, *, source: AudioSource | None = None) -> None:
        """Take a call that rings here; `source` plays at once."""
        self._check_on()
        hop = self._agent.caller_hop(call_id)
        early = self._voices.find(call_id)
        if call_id in self._answering or (early is not None and not early.early):
            raise LocalProtocolError("the call is answered already", LocalFault.NOT_RINGING)
        if early is not None:
            self._voices.make_ready(early, source)
            self._agent.answer(call_id, self._voices.local_media(early, hop), self._driver.now)
        else:
            self._answering.add(call_id)
            try:
                await self._begin_voice(call_id, hop, source, self._agent.answer)
            finally:
                self._answering.discard(call_id)
        self._driver.pump()

    async def play_early(self, call_id: str, source: AudioSource) -> None:
        """Let the caller of a call that rings here hear a sound, again and again until somebody answers.

        Raises LocalProtocolError where the call does not ring or the caller hears us already, and NoPortError.
        """
        self._check_on()
        hop = self._agent.caller_hop(call_id)
        if self._voices.find(call_id) is not None or call_id in self._answering:
            raise LocalProtocolError("the caller can hear us already", LocalFault.NOT_RINGING)
        voice = await self._begin_voice(call_id, hop, None, self._progress)
        voice.play_early(source)
        self._driver.pump()

    def _progress(self, call_id: str, media: LocalMedia, now: float) -> None:
        """Tell a caller where to hear us before the answer, unless somebody answers meanwhile."""
        if call_id in self._answering or self._voices.find(call_id) is not None:
            raise LocalProtocolError("the call is answered already", LocalFault.NOT_RINGING)
        self._agent.progress(call_id, media, now)

    async def _begin_voice(
        self,
        call_id: str,
        hop: Hop,
        source: AudioSource | None,
        describe: Callable[[str, LocalMedia, float], None],
    ) -> Voice:
        """Open a voice for a call that rings here, and describe it to the caller."""
        voice = await self._voices.open(hop, source, self._ask_outside)
        try:
            self._check_on()
            describe(call_id, self._voices.local_media(voice, hop), self._driver.now)
        except BaseException:
            await voice.close()
            raise
        self._voices.keep(call_id, voice)
        return voice

    async def reject(self, call_id: str, code: int = STATUS_BUSY) -> None:
        """Refuse a call that rings here with a final answer of 400 to 699."""
        self._agent.reject(call_id, code, self._driver.now)
        self._driver.pump()

    def turn_away(self, call_id: str, code: int, *, missed: bool) -> None:
        """Refuse a call as soon as `IncomingCall` tells of it: nothing rings, neither here nor at the caller."""
        self._agent.turn_away(call_id, code, self._driver.now, missed=missed)
        self._driver.pump()

    def redirect(self, call_id: str, target: str) -> None:
        """Send the caller of a call that rings here, or has just come in, to a number or SIP address."""
        self._agent.redirect(call_id, target, self._driver.now)
        self._driver.pump()

    async def hangup(self, call_id: str) -> None:
        """End a call in whatever state it is."""
        self._agent.hangup(call_id, self._driver.now)
        self._driver.pump()

    async def hold(self, call_id: str) -> None:
        """Put the far end on hold."""
        self._agent.hold(call_id, self._driver.now)
        self._driver.pump()

    async def resume(self, call_id: str) -> None:
        """Talk to a far end that we hold."""
        self._agent.resume(call_id, self._driver.now)
        self._driver.pump()

    def watch(self, target: str) -> str:
        """Watch somebody's line and return the watch's id: its changes come as WatchedStateChanged.

        May be called before `start`. Raises LocalProtocolError for what is no number or SIP address, and for too many.
        """
        watch_id = self._agent.watch(target, self._driver.now)
        self._driver.pump()
        return watch_id

    def unwatch(self, watch_id: str) -> None:
        """Watch a line no more; raises LocalProtocolError where there is no such watch."""
        self._agent.unwatch(watch_id, self._driver.now)
        self._driver.pump()

    # Transfers

    async def transfer(self, call_id: str, target: str) -> None:
        """Let the far end call a number or SIP address instead; `TransferProgress` tells how that goes.

        Raises LocalProtocolError for what cannot be dialled, and for a call that is not connected.
        """
        self._agent.transfer(call_id, target, self._driver.now)
        self._driver.pump()

    async def transfer_to(self, call_id: str, other: str) -> None:
        """Join the far ends of two connected calls; both of ours end once that is done."""
        self._agent.transfer_to_call(call_id, other, self._driver.now)
        self._driver.pump()

    async def _follow_transfer(self, event: TransferRequested) -> None:
        """Call whom the far end wants us to talk to, and let it know where that is not possible."""
        transfer_id = event.transfer_id
        try:
            self._check_on()
            located = await self._driver.locate(event.target)
            if isinstance(located, Failure):
                raise LocalProtocolError(located.text)
            await self._place(
                located[0], None, lambda media: self._agent.follow_transfer(transfer_id, media, self._driver.now)
            )
        except SipError as error:
            _LOGGER.debug("%s: a transfer cannot be followed: %s", self.account.domain, error)
            with suppress(LocalProtocolError):
                self._agent.refuse_transfer(transfer_id, STATUS_NOT_NOW, self._driver.now)
                self._driver.pump()
            now = self._driver.now
            self._tell(TransferRefused(at=now, call=event.call, target=event.target, reason=str(error)))

    def network_changed(self) -> None:
        """Register again at once, for whoever knows of another network before the telephone has noticed it."""
        self._driver.network_changed()

    # Voice

    def play(self, call_id: str, source: AudioSource, order: PlayOrder = ONCE) -> int:
        """Play a sound to the far end and return its number, under which events tell of it.

        Raises LocalProtocolError without a call that it could be played into, AudioError for what cannot be begun.
        """
        return self._voices.play(call_id, source, order)

    def stop_playback(self, call_id: str, playback_id: int | None = None) -> None:
        """End one sound, or all, those that wait for the answer among them."""
        self._voices.stop_playback(call_id, playback_id)

    def pause_playback(self, call_id: str, *, paused: bool) -> None:
        """Let the sounds of a call stand still, or go on."""
        self._voices.connected(call_id).stream.pause(paused=paused)

    def set_volume(self, call_id: str, playback_id: int, volume_db: float) -> None:
        """Play a sound louder or softer, now or from the answer on."""
        self._voices.set_volume(call_id, playback_id, volume_db)

    def send_digits(self, call_id: str, digits: str, *, duration_ms: int = 160, gap_ms: int = 100) -> None:
        """Press keys; raises LocalProtocolError where the far end cannot hear them."""
        self._voices.send_digits(call_id, digits, duration_ms, gap_ms)
        self._driver.pump()

    async def hear(self, call_id: str, rate: int) -> Hearing:
        """Return what the far end says from now on, at `rate` Hz; raises LocalProtocolError where nobody talks."""
        await load_resampler()
        return self._voices.connected(call_id).hear(rate)

    def record(self, call_id: str, path: Path, sides: RecordedSides = RecordedSides.RECEIVED) -> None:
        """Write the voice of a call into a WAV file."""
        self._voices.connected(call_id).stream.record(path, sides)

    def record_as(self, call_id: str, order: RecordingOrder) -> None:
        """Write the voice of a call into a file of any kind; `RecordingStarted` and `RecordingFinished` tell of it."""
        self._voices.connected(call_id).stream.record_as(order)

    def stop_recording(self, call_id: str) -> None:
        """End the recording of a call."""
        self._voices.connected(call_id).stream.stop_recording()

    def join(self, call_id: str, room: Room) -> None:
        """Join the voice of a call with those in a room, of this telephone or of others with the same media engine.

        Raises LocalProtocolError without a connected call. The room is left at the end of the call.
        """
        self._voices.connected(call_id).stream.enter(room)

    def part(self, call_id: str) -> None:
        """Part the voice of a call from those that it is joined with; raises LocalProtocolError as `join` does."""
        self._voices.connected(call_id).stream.leave_room()

    async def _ask_outside(self, voice: Voice, hop: Hop, pair: PortPair) -> None:
        """Learn where a peer sees the sockets of a voice; raises LocalProtocolError where we are stopped meanwhile."""
        self._check_on()
        voice.seen_at = await self._driver.transports.voice_address(pair, hop.remote)
        self._check_on()

    # Events

    def send_now(self) -> None:
        """Let messages leave in the midst of telling an event: a caller hears that it rings before all is told."""
        self._driver.send_now()

    def _deal_with(self, event: Event) -> None:
        """Let the voice follow the call, and tell the listener."""
        self._voices.before(event)
        if self._voices.is_news(event):
            self._tell(event)
        self._voices.after(event)
        if isinstance(event, TransferRequested):
            self._driver.spawn(self._follow_transfer(event), "sip_ua follow a transfer")

    def _tell(self, event: PhoneEvent) -> None:
        """Tell the listener; its errors are its own."""
        try:
            self._listener(event)
        except Exception:
            _LOGGER.exception("The listener of the telephone failed at %s", type(event).__name__)

    def _fail(self, call_id: str, code: int, reason: str) -> None:
        if self._agent.call(call_id) is not None:
            self._agent.fail(call_id, code, reason, self._driver.now)
            self._driver.pump()
