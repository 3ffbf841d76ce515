"""The voice of one call: its stream, and the sound that waits for the answer."""

import asyncio

from ..sip.account import DtmfMethod
from ..sip.events import DigitMethod
from ..sip.offer_answer import Codec, LocalMedia, NegotiatedMedia
from .audio import PreparedAudio
from .media_stream import MediaStream
from .public_address import VoiceAddress

SAME_DIGIT = 1.0
"""Seconds within which one digit that comes in two ways is one key pressed once."""


class Voice:
    """Joins a media stream to a call; `call_id` is known once the call is."""

    stream: MediaStream

    def __init__(self, dtmf: DtmfMethod) -> None:
        """Start without a call; `dtmf` is how digits are to travel."""
        self._dtmf = dtmf
        self._last_digit: tuple[str, DigitMethod, float] | None = None
        self._takes_messages = True
        self.call_id = ""
        self.prepared: PreparedAudio | None = None
        self.playback_id: int | None = None
        self.running = False
        self.closing: asyncio.Task[None] | None = None
        self.seen_at: VoiceAddress | None = None

    def local_media(self, host: str, codecs: tuple[Codec, ...]) -> LocalMedia:
        """Return our end for the peer: where a STUN server sees it, else at `host` and the port it is bound to."""
        seen = self.seen_at
        if seen is None:
            return LocalMedia(host, self.stream.port, codecs, dtmf=self._offers_events)
        return LocalMedia(seen.host, seen.port, codecs, dtmf=self._offers_events, rtcp_port=seen.rtcp_port)

    @property
    def _offers_events(self) -> bool:
        return self._dtmf is not DtmfMethod.INBAND

    def configure(self, media: NegotiatedMedia) -> None:
        """Start or change the voice as agreed; raises LocalProtocolError for an address that cannot be sent to."""
        no_events = self._dtmf is DtmfMethod.AUTO and media.dtmf_receive is None
        self.stream.configure(media, hear_tones=no_events or self._dtmf is DtmfMethod.INBAND)
        self.running = True

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

    def play_prepared(self) -> None:
        """Play what was made ready for the answer, once."""
        prepared, self.prepared = self.prepared, None
        if prepared is not None:
            self.playback_id = self.stream.play(prepared)

    async def close(self) -> None:
        """Free the ports, and let go of a sound that nobody will hear."""
        self.running = False
        if self.prepared is not None:
            self.prepared.discard()
            self.prepared = None
        await self.stream.close()
