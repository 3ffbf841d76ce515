"""The telephone of one account: joins user agent, transport, server location and voice in one event loop.

Whatever happens, the user agent is told first; then everything it wants is done (`_pump`): messages leave, servers
are looked up, events reach the listener, the next timer is set. All of that is synchronous: an INVITE has reached the
listener before the datagram's callback returns.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path

from ..sip.account import Account
from ..sip.address import Address, Hop, Lookup
from ..sip.agent import UserAgent
from ..sip.errors import LocalProtocolError
from ..sip.events import (
    CallEnded,
    CallSnapshot,
    CallState,
    CallStateChanged,
    DigitMethod,
    DigitReceived as CallDigitReceived,
    Event,
    MediaChanged,
    RegistrationChanged,
    RegistrationFailure,
)
from ..sip.offer_answer import Codec, codecs_named
from ..sip.transaction import Timers
from .audio import AudioSource
from .errors import ResolutionError
from .media import MediaEngine, RecordedSides
from .phone_events import CallStatistics, MediaTimedOut, PhoneEvent, PlaybackFinished
from .ports import PortPair, PortRange
from .resolver import Resolver
from .stream_events import (
    DigitReceived,
    MediaTimedOut as StreamTimedOut,
    PlaybackFinished as StreamPlaybackFinished,
    RtpStatistics,
    StreamEvent,
    StreamFailed,
)
from .transport import TransportHandlers, Transports
from .voice import Voice

__all__ = ["CallStatistics", "MediaTimedOut", "Phone", "PhoneEvent", "PlaybackFinished"]

_LOGGER = logging.getLogger(__name__)

GOODBYE_TIMEOUT = 2.0
STATUS_TIMEOUT = 408
STATUS_BUSY = 486
STATUS_OUR_FAULT = 500


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
        self._agent = UserAgent(account, entropy=os.urandom, timers=timers)
        self._media = media
        self._listener = listener
        self._own_resolver = resolver is None
        self._resolver = resolver
        self._transports: Transports | None = None
        self._voices: dict[str, Voice] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False
        self._idle = asyncio.Event()

    # Its life

    async def start(self) -> None:
        """Bind the port and begin to register; raises LocalPortInUseError or LocalAddressError."""
        self._resolver = self._resolver or Resolver()
        handlers = TransportHandlers(self._receive, self._transport_failed, self._address_changed)
        transports = Transports(self.account, self._resolver, handlers)
        try:
            await transports.start()
        except BaseException:
            await self._close_network(transports)
            raise
        self._transports = transports
        self._agent.register(self._now)
        self._pump()

    async def stop(self) -> None:
        """Hang up, unregister as far as the server answers in time, and free every socket, port and task."""
        transports = self._transports
        if transports is None:
            return
        for call_id in tuple(self._agent.calls):
            self._agent.hangup(call_id, self._now)
        self._pump()
        await self._settled()
        self._agent.unregister(self._now)
        self._pump()
        await self._settled()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for voice in tuple(self._voices.values()):
            await voice.close()
        self._voices.clear()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._transports = None
        await self._close_network(transports)

    async def _close_network(self, transports: Transports) -> None:
        await transports.close()
        if self._own_resolver and self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    async def _settled(self) -> None:
        """Wait until nobody owes us an answer, for a bounded time."""
        self._idle.clear()
        if self._agent.idle:
            return
        try:
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await self._idle.wait()
        except TimeoutError:
            _LOGGER.debug("%s: no answer to the goodbye in time", self.account.domain)

    # What is known

    @property
    def registration(self) -> RegistrationChanged:
        """Return the present state of the registration."""
        return self._agent.registration

    @property
    def calls(self) -> Mapping[str, CallSnapshot]:
        """Return the calls that are not over, oldest first."""
        return self._agent.calls

    async def statistics(self, call_id: str) -> RtpStatistics | None:
        """Return the figures of a call's voice so far."""
        voice = self._voices.get(call_id)
        return None if voice is None else await voice.stream.statistics()

    # Calls

    async def dial(self, target: str, *, source: AudioSource | None = None, ring_timeout: float | None = None) -> str:
        """Call a number or SIP address and return the call's id; `source` is made ready now and plays at the answer.

        Raises LocalProtocolError for what cannot be dialled, NoPortError where no port is free for the voice.
        """
        hop = await self._first_hop(target)
        voice = await self._open_voice(hop)
        try:
            if source is not None:
                voice.prepared = self._media.prepare(source)
            media = voice.local_media(hop.local.host, self._codecs)
            voice.call_id = self._agent.dial(target, media, self._now, ring_timeout=ring_timeout)
        except BaseException:
            await voice.close()
            raise
        self._voices[voice.call_id] = voice
        self._pump()
        return voice.call_id

    async def answer(self, call_id: str, *, source: AudioSource | None = None) -> None:
        """Take a call that rings here; `source` plays at once."""
        hop = self._agent.caller_hop(call_id)
        if call_id in self._voices:
            raise LocalProtocolError("the call is answered already")
        voice = await self._open_voice(hop)
        voice.call_id = call_id
        try:
            if source is not None:
                voice.prepared = self._media.prepare(source)
            self._agent.answer(call_id, voice.local_media(hop.local.host, self._codecs), self._now)
        except BaseException:
            await voice.close()
            raise
        self._voices[call_id] = voice
        self._pump()

    async def reject(self, call_id: str, code: int = STATUS_BUSY) -> None:
        """Refuse a call that rings here with a final answer of 400 to 699."""
        self._agent.reject(call_id, code, self._now)
        self._pump()

    async def hangup(self, call_id: str) -> None:
        """End a call in whatever state it is."""
        self._agent.hangup(call_id, self._now)
        self._pump()

    async def hold(self, call_id: str) -> None:
        """Put the far end on hold."""
        self._agent.hold(call_id, self._now)
        self._pump()

    async def resume(self, call_id: str) -> None:
        """Talk to a far end that we hold."""
        self._agent.resume(call_id, self._now)
        self._pump()

    def network_changed(self) -> None:
        """Register again at once: our addresses may have changed."""
        if self._transports is not None:
            self._transports.network_changed()
        self._agent.network_changed(self._now)
        self._pump()

    # Voice

    def play(self, call_id: str, source: AudioSource, *, loop: bool = False, volume_db: float = 0.0) -> int:
        """Play a sound to the far end and return its number; raises LocalProtocolError without a connected call."""
        return self._voice(call_id).stream.play(source, loop=loop, volume_db=volume_db)

    def stop_playback(self, call_id: str, playback_id: int | None = None) -> None:
        """End one sound, or all."""
        self._voice(call_id).stream.stop_playback(playback_id)

    def send_digits(self, call_id: str, digits: str, *, duration_ms: int = 160, gap_ms: int = 100) -> None:
        """Press keys; raises LocalProtocolError where the far end cannot hear them."""
        self._voice(call_id).stream.send_digits(digits, duration_ms=duration_ms, gap_ms=gap_ms)

    def record(self, call_id: str, path: Path, sides: RecordedSides = RecordedSides.RECEIVED) -> None:
        """Write the voice of a call into a WAV file."""
        self._voice(call_id).stream.record(path, sides)

    def stop_recording(self, call_id: str) -> None:
        """End the recording of a call."""
        self._voice(call_id).stream.stop_recording()

    def _voice(self, call_id: str) -> Voice:
        voice = self._voices.get(call_id)
        if voice is None or not voice.running:
            raise LocalProtocolError("the call is not connected")
        return voice

    async def _open_voice(self, hop: Hop) -> Voice:
        network = self.account.network
        bind = network.bind_address or ("::" if ":" in hop.local.host else "")
        ports = PortRange(network.rtp_port_min, network.rtp_port_max)
        voice = Voice()
        voice.stream = await self._media.open(
            bind_address=bind,
            ports=ports,
            on_event=partial(self._stream_event, voice),
            on_bound=partial(self._ask_outside, voice, hop.remote),
        )
        return voice

    async def _ask_outside(self, voice: Voice, remote: Address, pair: PortPair) -> None:
        """Learn where a peer sees the sockets of a voice; raises LocalProtocolError where we are stopped meanwhile."""
        transports = self._running
        voice.seen_at = await transports.voice_address(pair, remote)
        if transports is not self._transports:
            raise LocalProtocolError("the telephone is switched off")

    @property
    def _codecs(self) -> tuple[Codec, ...]:
        return codecs_named(self.account.codecs)

    async def _first_hop(self, target: str) -> Hop:
        """Return the first hop towards `target`, with our address as it is reached from there."""
        hop = self._agent.first_hop(target)
        lookup = Lookup(0, hop.host, hop.port, hop.transport, hop.srv)
        hops = self._running.locate_numeric(lookup)
        if hops is None:
            hops = await self._running.locate(lookup)
        return hops[0]

    @property
    def _running(self) -> Transports:
        if self._transports is None:
            raise LocalProtocolError("the telephone is switched off")
        return self._transports

    # The pump

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _receive(self, data: bytes, hop: Hop) -> None:
        self._agent.receive(data, hop, self._now)
        self._pump()

    def _transport_failed(self, address: Address, failure: RegistrationFailure, text: str) -> None:
        self._agent.transport_failed(address, failure, text, self._now)
        self._pump()

    def _address_changed(self) -> None:
        self._agent.network_changed(self._now)
        self._pump()

    def _timer_fired(self) -> None:
        self._timer = None
        self._agent.handle_timer(self._now)
        self._pump()

    def _pump(self) -> None:
        """Do what the agent wants until it wants nothing more; commands of the listener are part of it."""
        if self._pumping:
            return
        agent, transports = self._agent, self._running
        self._pumping = True
        try:
            busy = True
            while busy:
                lookups = agent.lookups()
                for lookup in lookups:
                    self._look_up(lookup)
                sends = agent.sends()
                for send in sends:
                    transports.send(send.address, send.data)
                events = agent.events()
                for event in events:
                    self._deal_with(event)
                busy = bool(lookups or sends or events)
        finally:
            self._pumping = False
        self._arm()
        if agent.idle:
            self._idle.set()

    def _arm(self) -> None:
        """Set the one timer to the agent's next deadline."""
        when = self._agent.next_timer()
        if self._timer is not None:
            if when == self._timer.when():
                return
            self._timer.cancel()
        self._timer = None if when is None else asyncio.get_running_loop().call_at(when, self._timer_fired)

    def _look_up(self, lookup: Lookup) -> None:
        hops = self._running.locate_numeric(lookup)
        if hops is None:
            self._spawn(self._locate(lookup), f"sip_ua look up {lookup.host}")
        else:
            self._agent.looked_up(lookup.token, hops, self._now)

    async def _locate(self, lookup: Lookup) -> None:
        try:
            hops = await self._running.locate(lookup)
        except ResolutionError as error:
            self._agent.lookup_failed(lookup.token, RegistrationFailure.NAME_NOT_FOUND, str(error), self._now)
        else:
            self._agent.looked_up(lookup.token, hops, self._now)
        self._pump()

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Events

    def _deal_with(self, event: Event) -> None:
        """Let the voice follow the call, then tell the listener."""
        match event:
            case MediaChanged():
                self._follow(event)
            case CallStateChanged(call=CallSnapshot(state=CallState.TALKING) as call):
                self._play_prepared(call.id)
        self._tell(event)
        if isinstance(event, CallEnded):
            self._close_voice(event.call.id)

    def _tell(self, event: PhoneEvent) -> None:
        """Tell the listener; its errors are its own."""
        try:
            self._listener(event)
        except Exception:
            _LOGGER.exception("The listener of the telephone failed at %s", type(event).__name__)

    def _follow(self, event: MediaChanged) -> None:
        voice = self._voices.get(event.call.id)
        if voice is None or event.media is None:
            return
        try:
            voice.configure(event.media)
        except LocalProtocolError as error:
            _LOGGER.warning("The voice of a call cannot be sent: %s", error)
            self._agent.fail(event.call.id, STATUS_OUR_FAULT, str(error), self._now)

    def _play_prepared(self, call_id: str) -> None:
        voice = self._voices.get(call_id)
        if voice is not None:
            voice.play_prepared()

    def _close_voice(self, call_id: str) -> None:
        voice = self._voices.pop(call_id, None)
        if voice is not None:
            self._spawn(self._end_voice(call_id, voice), f"sip_ua end voice {call_id}")

    async def _end_voice(self, call_id: str, voice: Voice) -> None:
        await voice.close()
        self._tell(CallStatistics(call_id, voice.stream.statistics_at_end))

    def _stream_event(self, voice: Voice, event: StreamEvent) -> None:
        """Turn what the media thread tells into what the telephone tells."""
        call = self._agent.call(voice.call_id)
        if call is None:
            return
        match event:
            case DigitReceived(digit=digit, duration_ms=duration):
                method = DigitMethod.RFC4733
                self._tell(CallDigitReceived(at=self._now, call=call, digit=digit, duration=duration, method=method))
            case StreamPlaybackFinished(playback_id=number, error=error, stopped=stopped):
                self._tell(PlaybackFinished(call.id, number, error, stopped=stopped))
            case StreamTimedOut() if call.state is CallState.TALKING:
                self._tell(MediaTimedOut(call.id))
                self._fail(call.id, STATUS_TIMEOUT, "no voice arrives")
            case StreamFailed(error=error):
                self._fail(call.id, STATUS_OUR_FAULT, error)

    def _fail(self, call_id: str, code: int, reason: str) -> None:
        if self._agent.call(call_id) is not None:
            self._agent.fail(call_id, code, reason, self._now)
            self._pump()
