"""The voices of one telephone's calls: opened before a call is told of, following offer and answer, closed at its end.

RFC 3264 decides when voice flows; RFC 3261 section 15.1.1 when it ends.
"""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

from ..sip.account import Account
from ..sip.address import Hop
from ..sip.agent import UserAgent
from ..sip.errors import LocalFault, LocalProtocolError
from ..sip.events import (
    CallEnded,
    CallSnapshot,
    CallState,
    CallStateChanged,
    DigitMethod,
    DigitReceived as CallDigitReceived,
    DigitsRefused,
    Event,
    MediaChanged,
    VoiceReleased,
)
from ..sip.offer_answer import LocalMedia, NegotiatedMedia
from .audio import AudioSource
from .errors import LocalAddressError, MediaStoppedError
from .loudness import StreamLoudness
from .media import MediaEngine
from .phone_events import (
    CallStatistics,
    MediaTimedOut,
    PhoneEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    RecordingStarted,
)
from .play_order import PlayOrder
from .ports import PortPair, PortRange
from .stream_events import (
    DigitReceived,
    MediaTimedOut as StreamTimedOut,
    PlaybackFinished as StreamPlaybackFinished,
    PlaybackStarted as StreamPlaybackStarted,
    RecordingFinished as StreamRecordingFinished,
    RecordingStarted as StreamRecordingStarted,
    StreamEvent,
    StreamFailed,
)
from .transport import ANY_IPV4
from .voice import Voice

_LOGGER = logging.getLogger(__name__)

STATUS_TIMEOUT = 408
STATUS_OUR_FAULT = 500
CODECS_OF_LAST_RESORT = ("PCMA", "PCMU")
CLOSING_TIMEOUT = 8.0
"""Seconds; a stream gives up its figures and its recording before that."""

type AskOutside = Callable[[Voice, Hop, PortPair], Awaitable[None]]


class Voices:
    """Finds the voice of a call, and lets each follow its call."""

    def __init__(
        self,
        account: Account,
        agent: UserAgent,
        media: MediaEngine,
        tell: Callable[[PhoneEvent], None],
        fail: Callable[[str, int, str], None],
    ) -> None:
        """Have no voice yet; `tell` never raises, `fail` hangs up a call with a code and a reason."""
        self._account = account
        self._agent = agent
        self._media = media
        self._tell = tell
        self._fail = fail
        self._voices: dict[str, Voice] = {}
        self._codecs_chosen = False
        self._closing: set[asyncio.Task[None]] = set()

    def find(self, call_id: str) -> Voice | None:
        """Return the voice of a call, whether or not anything is heard yet."""
        return self._voices.get(call_id)

    def connected(self, call_id: str) -> Voice:
        """Return the voice of a connected call; raises LocalProtocolError where there is none."""
        voice = self._voices.get(call_id)
        if voice is None or not voice.running:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        return voice

    async def choose_codecs(self) -> None:
        """Load what the account's codecs need, and leave out those that this machine has not; done once."""
        if self._codecs_chosen:
            return
        wanted = self._account.codecs
        usable = await self._media.usable_codecs(wanted)
        if len(usable) < len(wanted):
            _LOGGER.warning("Of the codecs %s only these work here: %s", ", ".join(wanted), ", ".join(usable) or "none")
        self._codecs_chosen = True
        self._agent.use_codecs(usable or CODECS_OF_LAST_RESORT)

    async def open(self, hop: Hop, source: AudioSource | None, ask_outside: AskOutside) -> Voice:
        """Bind the ports for a call by way of `hop` and make a sound ready; it is nobody's before `keep`.

        `ask_outside` may ask over the bound ports where the peer sees them. Raises NoPortError, LocalAddressError,
        MediaStoppedError or AudioError.
        """
        await self.choose_codecs()
        account = self._account
        network = account.network
        voice = Voice(account.dtmf, discontinuous=account.voice_activity_detection)
        bind_address = network.bind_address or ("::" if ":" in hop.local.host else "")
        try:
            voice.stream = await self._media.open(
                bind_address=bind_address,
                ports=PortRange(network.rtp_port_min, network.rtp_port_max),
                on_event=partial(self._stream_event, voice),
                on_bound=partial(ask_outside, voice, hop),
                dscp=network.rtp_dscp,
                loudness=StreamLoudness(account.speaking_volume, account.listening_volume),
            )
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise LocalAddressError(bind_address or ANY_IPV4) from error
            raise MediaStoppedError(f"no port can be bound: {error}") from error
        try:
            self.make_ready(voice, source)
        except BaseException:
            await voice.close()
            raise
        return voice

    def make_ready(self, voice: Voice, source: AudioSource | None) -> None:
        """Begin to decode a sound for the answer; raises AudioError."""
        if source is not None:
            voice.make_ready(source, self._likeliest_rate)

    @property
    def _likeliest_rate(self) -> int:
        """Return the sample rate in Hz of the best codec; with another one the rest of a sound is made once more."""
        return self._media.sample_rate(self._agent.codecs[0].name)

    def local_media(self, voice: Voice, hop: Hop) -> LocalMedia:
        """Return our end of a voice as the peer beyond `hop` is told of it."""
        return voice.local_media(hop.local.host, self._agent.codecs)

    def no_media(self) -> LocalMedia:
        """Return an end of a voice that no peer is ever told of."""
        return LocalMedia(self._account.network.bind_address or ANY_IPV4, 0, self._agent.codecs)

    def keep(self, call_id: str, voice: Voice) -> None:
        """Let a voice be the one of a call from now on."""
        voice.call_id = call_id
        self._voices[call_id] = voice

    async def close(self) -> None:
        """Free every port, in bounded time; the figures of each voice are told."""
        for call_id in tuple(self._voices):
            self._end(call_id)
        if closing := tuple(self._closing):
            _, late = await asyncio.wait(closing, timeout=CLOSING_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # What calls do

    def play(self, call_id: str, source: AudioSource, order: PlayOrder) -> int:
        """Play a sound and return its number.

        Raises LocalProtocolError without a voice, AudioError for a sound that cannot be begun.
        """
        call = self._agent.call(call_id)
        voice = self._voices.get(call_id)
        if order.at_answer and voice is not None and call is not None and call.answered_at is None:
            number, replaced = voice.make_ready(source, self._likeliest_rate, order)
            self._tell_stopped(call_id, replaced)
            return number
        return self.connected(call_id).stream.play(source, order)

    def stop_playback(self, call_id: str, playback_id: int | None) -> None:
        """End one sound before its time, or all; raises LocalProtocolError where the call has no voice."""
        voice = self._voices.get(call_id)
        if voice is None:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        self._tell_stopped(call_id, voice.discard(playback_id))
        voice.stream.stop_playback(playback_id)

    def set_volume(self, call_id: str, playback_id: int, volume_db: float) -> None:
        """Play a sound louder or softer; raises LocalProtocolError where the call has no voice."""
        voice = self._voices.get(call_id)
        if voice is None:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        voice.set_volume(playback_id, volume_db)

    def _tell_stopped(self, call_id: str, playback_ids: list[int]) -> None:
        for playback_id in playback_ids:
            self._tell(PlaybackFinished(call_id, playback_id, stopped=True))

    def send_digits(self, call_id: str, digits: str, duration_ms: int, gap_ms: int) -> None:
        """Press keys in the way that the account says, or else the one that the far end can take.

        Raises LocalProtocolError where that is none, without a connected call, and for what is no digit.
        """
        voice = self.connected(call_id)
        method = voice.digit_method(takes_info=self._agent.takes_info(call_id))
        if method is DigitMethod.INFO:
            self._agent.send_digits(call_id, digits, duration_ms, gap_ms, asyncio.get_running_loop().time())
        else:
            inband = method is DigitMethod.INBAND
            voice.stream.send_digits(digits, duration_ms=duration_ms, gap_ms=gap_ms, inband=inband)

    def is_news(self, event: Event) -> bool:
        """Return whether an event is to be told: not so a digit that came in another way already."""
        if not isinstance(event, CallDigitReceived):
            return True
        voice = self._voices.get(event.call.id)
        return voice is None or voice.is_news(event.digit, event.method, event.at)

    def before(self, event: Event) -> None:
        """Do what an event of a call means for its voice before the listener is told."""
        match event:
            case DigitsRefused():
                self._press_as_tones(event)
            case MediaChanged(media=None):
                self._hush(event.call.id)
            case MediaChanged(media=NegotiatedMedia() as media):
                # A sound that is there before the voice begins is in its first packet.
                self._greet(event.call, media)
                self._follow(event.call.id, media, withheld=event.withheld)
            case VoiceReleased():
                self._release(event.call.id)
            case CallStateChanged():
                self._greet(event.call)

    def after(self, event: Event) -> None:
        """Do what is to be done once the listener has been told."""
        if isinstance(event, CallEnded):
            self._end(event.call.id)

    def _press_as_tones(self, event: DigitsRefused) -> None:
        """Press keys that the far end did not take as messages, where the account leaves the choice to us."""
        voice = self._voices.get(event.call.id)
        if voice is not None and voice.running and voice.fall_back_to_tones():
            voice.stream.send_digits(event.digits, inband=True)
        else:
            _LOGGER.warning("The far end takes no digits as messages: %s %s", event.code, event.reason)

    def _greet(self, call: CallSnapshot, media: NegotiatedMedia | None = None) -> None:
        """Play what waits for the answer; `media` is what the voice is about to be."""
        voice = self._voices.get(call.id)
        if voice is not None and call.answered_at is not None and call.state is not CallState.ENDED:
            voice.note_answer()
            voice.play_pending(None if media is None else media.codec)

    def _release(self, call_id: str) -> None:
        voice = self._voices.get(call_id)
        if voice is not None and voice.closing is None:
            voice.release()

    def _follow(self, call_id: str, media: NegotiatedMedia, *, withheld: bool) -> None:
        voice = self._voices.get(call_id)
        if voice is None:
            return
        try:
            voice.configure(media, withheld=withheld)
        except LocalProtocolError as error:
            _LOGGER.warning("The voice of a call cannot be sent: %s", error)
            self._fail(call_id, STATUS_OUR_FAULT, str(error))

    def _hush(self, call_id: str) -> None:
        """End the voice of a call, even though it waits for the answer to our BYE or CANCEL (section 15.1.1)."""
        voice = self._voices.get(call_id)
        if voice is not None and voice.closing is None:
            voice.closing = self._begin(voice.close(), f"sip_ua close voice {call_id}")

    def _end(self, call_id: str) -> None:
        self._hush(call_id)
        voice = self._voices.pop(call_id, None)
        if voice is not None and voice.closing is not None:
            figures = self._tell_figures(call_id, voice, voice.closing)
            self._closing.add(self._begin(figures, f"sip_ua figures of {call_id}"))

    async def _tell_figures(self, call_id: str, voice: Voice, closing: asyncio.Task[None]) -> None:
        await closing
        self._tell(CallStatistics(call_id, voice.stream.statistics_at_end))

    def _begin(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        # At once, so that the media thread knows of it before anything else happens.
        task = asyncio.get_running_loop().create_task(work, name=name, eager_start=True)
        task.add_done_callback(self._closing.discard)
        return task

    # What the media thread tells

    def _stream_event(self, voice: Voice, event: StreamEvent) -> None:
        """Turn what the media thread tells into what the telephone tells."""
        if isinstance(event, StreamRecordingStarted):
            self._tell(RecordingStarted(voice.call_id, event.path))
        elif isinstance(event, StreamRecordingFinished):
            # It comes after the end of the call, as the file is completed then.
            self._tell(RecordingFinished(voice.call_id, event))
        call = self._agent.call(voice.call_id)
        if call is None:
            return
        match event:
            case DigitReceived(digit=digit, duration_ms=duration, inband=inband):
                now = asyncio.get_running_loop().time()
                method = DigitMethod.INBAND if inband else DigitMethod.RFC4733
                if voice.is_news(digit, method, now):
                    self._tell(CallDigitReceived(at=now, call=call, digit=digit, duration=duration, method=method))
            case StreamPlaybackFinished(playback_id=number, error=error) if number == voice.early_sound:
                if error is not None:
                    _LOGGER.warning("What callers hear before the answer cannot be played: %s", error)
            case StreamPlaybackStarted(playback_id=number) if number != voice.early_sound:
                self._tell(PlaybackStarted(call.id, number))
            case StreamPlaybackFinished(playback_id=number, error=error, stopped=stopped, fault=fault):
                self._tell(PlaybackFinished(call.id, number, error, stopped=stopped, fault=fault))
            case StreamTimedOut() if call.state is CallState.TALKING:
                self._tell(MediaTimedOut(call.id))
                self._fail(call.id, STATUS_TIMEOUT, "no voice arrives")
            case StreamFailed(error=error):
                self._fail(call.id, STATUS_OUR_FAULT, error)
