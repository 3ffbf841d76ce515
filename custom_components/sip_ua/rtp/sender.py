"""The outgoing half of a session: frames of PCM become packets (RFC 3550 section 5.1, RFC 3551, RFC 4733, RFC 3389)."""

from typing import Final

from .codecs import SAMPLE_BYTES, Codec, CodecType
from .dtmf import DigitSender
from .errors import RtpUsageError
from .noise import DEFAULT_LEVEL
from .packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, write_packet
from .parameters import Entropy, MediaParameters
from .tones import ToneSender

COMFORT_NOISE_EVERY: Final = 10
"""Silent frames from one comfort-noise packet to the next."""

SILENCE_EVERY: Final = 20
"""Silent frames from one that is sent to the next, where no comfort noise tells of them."""


def first_sequence(entropy: Entropy) -> int:
    """Return where a source begins to count.

    The upper half of the numbers would make it doubtful, to whom the first packets are lost, how often the number has
    wrapped (RFC 4568 section 6.4).
    """
    return int.from_bytes(entropy(2)) % (SEQUENCE_MODULUS // 2)


class VoiceSender:
    """Numbers, stamps and encodes; one call of `frame` is one ptime."""

    __slots__ = (
        "_before_source",
        "_codec",
        "_digits",
        "_gap",
        "_last_time",
        "_last_timestamp",
        "_media",
        "_sequence",
        "_silence",
        "_silent_frames",
        "_ticks",
        "_timestamp",
        "_tones",
        "codec_type",
        "frame_bytes",
        "octets",
        "packets",
        "pressing",
        "spoken",
        "ssrc",
    )

    def __init__(self, ssrc: int, sequence: int, timestamp: int, media: MediaParameters, codec: CodecType) -> None:
        """Begin with these numbers."""
        self.ssrc = ssrc
        self.packets = 0
        self.octets = 0
        self._before_source = (0, 0)
        self._sequence = sequence
        self._timestamp = timestamp
        self._last_timestamp = timestamp
        self._last_time: float | None = None
        self._gap = True
        self._silent_frames = 0
        self._digits = DigitSender(media.dtmf_clock_rate)
        self._tones = ToneSender()
        self.pressing = False
        """Whether digits are under way or wait."""
        self.spoken: bytes | None = None
        """The PCM in the packet of `frame`; None where it is silence, an event, or not sent."""
        self._media = media
        self._take_codec(media, codec)

    def configure(self, media: MediaParameters, codec: CodecType) -> None:
        """Go on with other parameters; numbers and timestamps run on."""
        if media.dtmf_clock_rate != self._media.dtmf_clock_rate:
            self._digits = DigitSender(media.dtmf_clock_rate)
            self._look_at_keys()
        before = self._media
        if (codec.name, media.ptime, media.fmtp) != (self.codec_type.name, before.ptime, before.fmtp):
            self._take_codec(media, codec)
        self._media = media

    def _take_codec(self, media: MediaParameters, codec: CodecType) -> None:
        self.codec_type = codec
        self.frame_bytes = codec.samples(media.ptime) * SAMPLE_BYTES
        self._ticks = codec.ticks(media.ptime)
        self._codec: Codec = codec.create(media.ptime, media.fmtp)
        self._silence = None if codec.stateful else self._codec.encode(bytes(self.frame_bytes))

    def _look_at_keys(self) -> None:
        """Note whether digits are under way or wait."""
        self.pressing = self._digits.active or self._tones.active

    def queue_digits(self, digits: str, duration_ms: int, gap_ms: int, *, inband: bool = False) -> None:
        """Queue digits; raises `RtpUsageError`."""
        if inband:
            self._tones.queue(digits, duration_ms, gap_ms)
            self._look_at_keys()
            return
        if self._media.dtmf_send is None:
            raise RtpUsageError("telephone events were not negotiated")
        self._digits.queue(digits, duration_ms, gap_ms)
        self._look_at_keys()

    def cancel_digits(self) -> None:
        """Drop the digits not yet begun."""
        self._digits.cancel()
        self._tones.cancel()
        self._look_at_keys()

    def timestamp_at(self, now: float) -> int:
        """Give the RTP timestamp of this very moment, as a sender report wants it (section 6.4.1)."""
        if self._last_time is None:
            return self._last_timestamp
        passed = round((now - self._last_time) * self.codec_type.clock_rate)
        return (self._last_timestamp + passed) % TIMESTAMP_MODULUS

    def frame(self, pcm: bytes | None, now: float, background: int = DEFAULT_LEVEL) -> bytes | None:
        """Give the packet of this ptime, if one is sent; silence is as loud as `background`, in -dBov.

        Raises `RtpUsageError` for PCM of a wrong length.
        """
        timestamp = self._last_timestamp = self._timestamp
        self._last_time = now
        self._timestamp = (timestamp + self._ticks) % TIMESTAMP_MODULUS
        self.spoken = None
        media = self._media
        if not media.direction.sends:
            self._gap = True
            return None
        if self.pressing:
            if media.dtmf_send is not None and self._digits.active:
                event = self._digits.packet(timestamp, media.ptime)
                self._look_at_keys()
                if event is not None:
                    return self._packet(media.dtmf_send, event.timestamp, event.payload, marker=event.marker)
            if self._tones.active:
                pcm = self._tones.frame(self.frame_bytes // SAMPLE_BYTES, self.codec_type.sample_rate)
                self._look_at_keys()
        if pcm is None:
            return self._silent(timestamp, background)
        if len(pcm) != self.frame_bytes:
            pcm = self._whole(pcm)
        self._silent_frames = 0
        self.spoken = pcm
        return self._voice(timestamp, self._codec.encode(pcm))

    @property
    def sent_as_source(self) -> tuple[int, int]:
        """Packets and octets sent under the present SSRC, as 32-bit counters (section 6.4.1)."""
        packets, octets = self._before_source
        return self.packets - packets & 0xFFFF_FFFF, self.octets - octets & 0xFFFF_FFFF

    def change_source(self, ssrc: int, sequence: int) -> None:
        """Go on under another SSRC, whose counts begin at nothing and its numbers at `sequence`."""
        self.ssrc = ssrc
        self._sequence = sequence
        self._gap = True
        self._before_source = (self.packets, self.octets)

    def skip(self, frames: int) -> None:
        """Let that many ptimes pass without a packet."""
        self._timestamp = (self._timestamp + frames * self._ticks) % TIMESTAMP_MODULUS
        self._gap = True

    def _silent(self, timestamp: int, background: int) -> bytes | None:
        """Give what tells of silence: a frame of it, or from time to time what has the far end fill it by itself.

        That comes often enough to keep open a way through routers, and for a far end to know that we are there.
        """
        noise_type = self._media.comfort_noise_send
        if noise_type is None and not self._media.discontinuous:
            return self._voice(timestamp, self._encode_silence())
        every = SILENCE_EVERY if noise_type is None else COMFORT_NOISE_EVERY
        due = self._silent_frames % every == 0
        self._silent_frames += 1
        self._gap = True
        if not due:
            return None
        if noise_type is None:
            return self._packet(self._media.payload_type, timestamp, self._encode_silence())
        return self._packet(noise_type, timestamp, bytes((background,)))

    def _encode_silence(self) -> bytes:
        return self._silence or self._codec.encode(bytes(self.frame_bytes))

    def _voice(self, timestamp: int, payload: bytes) -> bytes:
        """Give a packet of voice; the first after a gap is marked (RFC 3551 section 4.1)."""
        marker, self._gap = self._gap, False
        return self._packet(self._media.payload_type, timestamp, payload, marker=marker)

    def _packet(self, payload_type: int, timestamp: int, payload: bytes, *, marker: bool = False) -> bytes:
        sequence = self._sequence
        self._sequence = (sequence + 1) % SEQUENCE_MODULUS
        self.packets += 1
        self.octets += len(payload)
        return write_packet(payload_type, sequence, timestamp, self.ssrc, payload, marker=marker)

    def _whole(self, pcm: bytes) -> bytes:
        if len(pcm) > self.frame_bytes or len(pcm) % SAMPLE_BYTES:
            raise RtpUsageError(f"a frame is at most {self.frame_bytes} bytes of PCM, not {len(pcm)}")
        return pcm + bytes(self.frame_bytes - len(pcm))
