"""The voice of one call: its stream, and the sound that waits for the answer."""

from ..sip.offer_answer import NegotiatedMedia
from .audio import PreparedAudio
from .media_stream import MediaStream


class Voice:
    """Joins a media stream to a call; `call_id` is known once the call is."""

    stream: MediaStream

    def __init__(self) -> None:
        """Start without a call."""
        self.call_id = ""
        self.prepared: PreparedAudio | None = None
        self.playback_id: int | None = None
        self.running = False

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
