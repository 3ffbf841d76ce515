"""The voice of one call: its stream, and the sound that waits for the answer."""

import asyncio

from ..sip.offer_answer import Codec, LocalMedia, NegotiatedMedia
from .audio import PreparedAudio
from .media_stream import MediaStream
from .public_address import VoiceAddress


class Voice:
    """Joins a media stream to a call; `call_id` is known once the call is."""

    stream: MediaStream

    def __init__(self) -> None:
        """Start without a call."""
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
            return LocalMedia(host, self.stream.port, codecs)
        return LocalMedia(seen.host, seen.port, codecs, rtcp_port=seen.rtcp_port)

    def configure(self, media: NegotiatedMedia) -> None:
        """Start or change the voice as agreed; raises LocalProtocolError for an address that cannot be sent to."""
        self.stream.configure(media)
        self.running = True

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
