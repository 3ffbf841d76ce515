"""The voice of one call: its stream, and the sounds that wait for the answer."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace

from ..sip.account import DtmfMethod
from ..sip.events import DigitMethod
from ..sip.offer_answer import Codec, LocalMedia, NegotiatedMedia
from .audio import AudioSource, PreparedAudio
from .errors import AudioError, AudioFault, MediaStoppedError
from .hearing import Hearing
from .media_stream import MAX_SOUNDS, MediaStream, new_playback_id
from .play_order import ONCE, Placement, PlayOrder
from .public_address import VoiceAddress

_LOGGER = logging.getLogger(__name__)

SAME_DIGIT = 1.0
"""Seconds within which one digit that comes in two ways is one key pressed once."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A sound that waits for the answer; it is being decoded meanwhile."""

    id: int
    sound: PreparedAudio
    volume_db: float


class Voice:
    """Joins a media stream to a call; `call_id` is known once the call is."""

    stream: MediaStream

    def __init__(self, dtmf: DtmfMethod, *, discontinuous: bool = False) -> None:
        """Start without a call; `dtmf` is how digits are to travel, `discontinuous` whether silence need not."""
        self._dtmf = dtmf
        self._discontinuous = discontinuous
        self._last_digit: tuple[str, DigitMethod, float] | None = None
        self._takes_messages = True
        self.call_id = ""
        self._pending: list[_Pending] = []
        self._hearings: list[Hearing] = []
        self.running = False
        self.early = False
        """Whether the caller hears us though nobody has answered."""
        self.early_sound: int | None = None
        """What is, or was, played to such a caller."""
        self._early_source: AudioSource | None = None
        self._answered = False
        self._media: NegotiatedMedia | None = None
        self._withheld = False
        self.closing: asyncio.Task[None] | None = None
        self.seen_at: VoiceAddress | None = None

    def local_media(self, host: str, codecs: tuple[Codec, ...]) -> LocalMedia:
        """Return our end for the peer: where a STUN server sees it, else at `host` and the port it is bound to."""
        seen = self.seen_at or VoiceAddress(host, self.stream.port, None)
        return LocalMedia(
            seen.host,
            seen.port,
            codecs,
            dtmf=self._offers_events,
            rtcp_port=seen.rtcp_port,
            discontinuous=self._discontinuous,
        )

    @property
    def _offers_events(self) -> bool:
        return self._dtmf is not DtmfMethod.INBAND

    def configure(self, media: NegotiatedMedia, *, withheld: bool = False) -> None:
        """Start or change the voice as agreed; raises LocalProtocolError for an address that cannot be sent to.

        While it is `withheld` all that is to be said waits for `release`.
        """
        no_events = self._dtmf is DtmfMethod.AUTO and media.dtmf_receive is None
        hear_tones = no_events or self._dtmf is DtmfMethod.INBAND
        self.stream.configure(media, hear_tones=hear_tones, withheld=withheld)
        self._media = media
        self._withheld = withheld
        self.running = True
        self._begin_early()

    def release(self) -> None:
        """Say from now on what there is to say."""
        if self._media is not None:
            with contextlib.suppress(MediaStoppedError):
                self.configure(self._media)

    def digit_method(self, *, takes_info: bool) -> DigitMethod:
        """Return how to press a key; `takes_info` tells that the far end understands INFO."""
        if self._dtmf is not DtmfMethod.AUTO:
            return DigitMethod(self._dtmf.value)
        if self.stream.takes_events:
            return DigitMethod.RFC4733
        return DigitMethod.INFO if takes_info and self._takes_messages else DigitMethod.INBAND

    def fall_back_to_tones(self) -> bool:
        """Note that the far end refuses digits as messages; return whether tones may take their place."""
        self._takes_messages = False
        return self._dtmf is DtmfMethod.AUTO

    def is_news(self, digit: str, method: DigitMethod, now: float) -> bool:
        """Return whether a digit was not told before: some far ends send one key as a message and as a tone."""
        last = self._last_digit
        if last is not None and last[0] == digit and last[1] is not method and now - last[2] < SAME_DIGIT:
            return False
        self._last_digit = (digit, method, now)
        return True

    def make_ready(self, source: AudioSource, rate: int, order: PlayOrder = ONCE) -> tuple[int, list[int]]:
        """Begin to decode a sound for the answer, at `rate` Hz; return its number, and those of the ones that it ousts.

        Raises `AudioError` for a sound that cannot be begun, or is one too many.
        """
        if len(self._pending) >= MAX_SOUNDS:
            raise AudioError(f"more than {MAX_SOUNDS} sounds wait in this call", AudioFault.TOO_MANY)
        pending = _Pending(new_playback_id(), self.stream.prepare(source, loop=order.loop, rate=rate), order.volume_db)
        replaced = self.discard() if order.placement is Placement.REPLACE else []
        # Nothing plays yet that the others would have to stand back for.
        self._pending.insert(len(self._pending) if order.placement is Placement.ADD else 0, pending)
        return pending.id, replaced

    def play_early(self, source: AudioSource) -> None:
        """Play a sound again and again from the beginning of the voice to the answer."""
        self.early = True
        self._early_source = source

    def _begin_early(self) -> None:
        source, self._early_source = self._early_source, None
        if source is not None:
            try:
                self.early_sound = self.stream.play(source, PlayOrder(loop=True))
            except (AudioError, MediaStoppedError) as error:
                _LOGGER.warning("What callers hear before the answer cannot be played: %s", error)

    def note_answer(self) -> None:
        """End what the caller heard before the answer, once; from now on the far end has to be heard as well."""
        if self._answered:
            return
        self._answered = True
        self.early = False
        self._early_source = None
        if self.early_sound is not None:
            self.stream.stop_playback(self.early_sound)
        if self._media is not None:
            with contextlib.suppress(MediaStoppedError):
                self.configure(self._media, withheld=self._withheld)

    def play_pending(self, codec: Codec | None = None) -> None:
        """Play what was made ready for the answer, once; `codec` is the one that the voice is about to have."""
        pending, self._pending = self._pending, []
        for one in pending:
            try:
                self.stream.play(one.sound, PlayOrder(volume_db=one.volume_db), playback_id=one.id, codec=codec)
            except MediaStoppedError:
                one.sound.discard()

    def set_volume(self, playback_id: int, volume_db: float) -> None:
        """Play a sound louder or softer, now or from the answer on."""
        for place, one in enumerate(self._pending):
            if one.id == playback_id:
                self._pending[place] = replace(one, volume_db=volume_db)
                return
        self.stream.set_volume(playback_id, volume_db)

    def discard(self, playback_id: int | None = None) -> list[int]:
        """Let go of one sound that waits for the answer, or all; return their numbers."""
        gone = [one for one in self._pending if playback_id in {None, one.id}]
        for one in gone:
            self._pending.remove(one)
            one.sound.discard()
        return [one.id for one in gone]

    def hear(self, rate: int) -> Hearing:
        """Return what the far end says from now on, at `rate` Hz; it ends with the voice."""
        hearing = Hearing(self.stream, rate)
        # Whoever has heard enough is forgotten: a call may have many conversations.
        self._hearings = [*(one for one in self._hearings if one.open), hearing]
        return hearing

    async def close(self) -> None:
        """Free the ports, and let go of sounds that nobody will hear and of those who listen."""
        self.running = False
        self.discard()
        for hearing in self._hearings:
            hearing.close()
        await self.stream.close()
