"""The incoming half of a session: packets become an unbroken flow of PCM and digits (RFC 3550, 3551, 3389, 4733)."""

from dataclasses import dataclass
from typing import Final

from .codecs import SAMPLE_BYTES, Codec, CodecType
from .dtmf import DigitReceiver, ReceivedDigit, parse_event
from .errors import PacketError
from .jitter import JitterBuffer, Kind, Waiting
from .noise import QUIETEST_LEVEL, ComfortNoise
from .packet import RtpPacket
from .parameters import MediaParameters, RtpConfig
from .plc import Concealer
from .reception import Arrival, Reception
from .stretch import lengthen, shorten

TOLERATED_SURPLUS: Final = 0.03
"""Seconds of needless delay above which sound is shortened."""

TOLERATED_WANT: Final = 0.005
"""Seconds of missing delay above which sound is lengthened."""

FRAMES_BETWEEN_STRETCHES: Final = 5

STATIC_PAYLOAD_TYPES: Final = ((0, "PCMU"), (8, "PCMA"))
"""Understood even where the answer does not list them, as their meaning is fixed (RFC 3551 section 6)."""


@dataclass(slots=True)
class Totals:
    """Packets over all sources heard so far."""

    expected: int = 0
    received: int = 0
    duplicate: int = 0
    reordered: int = 0

    def add(self, reception: Reception) -> None:
        """Add the counts of one source."""
        self.expected += reception.expected
        self.received += reception.received
        self.duplicate += reception.duplicate
        self.reordered += reception.reordered


class VoiceReceiver:
    """Counts, orders, decodes and conceals the packets of one source at a time."""

    __slots__ = (
        "_codecs",
        "_concealer",
        "_config",
        "_decoders",
        "_digits",
        "_doubtful",
        "_dtmf_clock_rate",
        "_dtmf_type",
        "_frame_bytes",
        "_noise",
        "_noise_type",
        "_past",
        "_ptime",
        "_ready",
        "_since_stretch",
        "buffer",
        "codec_type",
        "concealed",
        "concealed_ms",
        "malformed",
        "octets",
        "reception",
        "resting",
    )

    def __init__(self, config: RtpConfig, media: MediaParameters) -> None:
        """Wait for the first packet; until one tells otherwise its codec is taken to be that of our sending."""
        self._config = config
        self._past = Totals()
        self._noise = ComfortNoise()
        self._ready = b""
        self._since_stretch = 0
        self._codecs: dict[int, CodecType] = {}
        self._decoders: dict[int, Codec] = {}
        self._dtmf_clock_rate = media.dtmf_clock_rate
        self._digits = DigitReceiver(media.dtmf_clock_rate)
        self.concealed = False
        """Whether there is made-up sound in what was given last."""
        self.concealed_ms = 0.0
        self._doubtful = 0
        self.malformed = 0
        self.octets = 0
        self.resting = False
        """Whether the far end said last that it is silent."""
        self.codec_type = config.codecs[media.codec]
        self.reception = Reception(0, self.codec_type.clock_rate)
        self.buffer = JitterBuffer(
            self.codec_type.clock_rate, minimum=config.minimum_delay, maximum=config.maximum_delay
        )
        self._concealer = Concealer(self.codec_type.sample_rate)
        self.configure(media)

    def configure(self, media: MediaParameters) -> None:
        """Go on with other parameters."""
        codecs = {
            number: self._config.codecs[name] for number, name in STATIC_PAYLOAD_TYPES if name in self._config.codecs
        }
        codecs |= {number: self._config.codecs[name] for number, name in media.receive}
        # What the far end goes on to send, it codes as if nothing had happened.
        self._decoders = {
            number: decoder for number, decoder in self._decoders.items() if codecs.get(number) is self._codecs[number]
        }
        self._codecs = codecs
        self._dtmf_type = media.dtmf_receive
        self._noise_type = media.comfort_noise_receive
        self._ptime = media.ptime
        self._frame_bytes = self.codec_type.samples(media.ptime) * SAMPLE_BYTES
        if media.dtmf_clock_rate != self._dtmf_clock_rate:
            self._dtmf_clock_rate = media.dtmf_clock_rate
            self._digits = DigitReceiver(media.dtmf_clock_rate)

    def understands(self, payload_type: int) -> bool:
        """Whether the payload type is one of those agreed on."""
        return payload_type in self._codecs or payload_type in (self._dtmf_type, self._noise_type)

    def codec_of(self, payload_type: int) -> CodecType | None:
        """Give the codec of a payload type; None for events and noise."""
        if payload_type in (self._dtmf_type, self._noise_type):
            return None
        return self._codecs.get(payload_type)

    def start_source(self, ssrc: int) -> list[ReceivedDigit]:
        """Begin with a new source; gives the digit that the old one left unfinished."""
        self._past.add(self.reception)
        self.reception = Reception(ssrc, self.codec_type.clock_rate)
        self.buffer.reset()
        self._decoders.clear()
        return self._digits.reset()

    def totals(self) -> Totals:
        """Give the counts over all sources."""
        totals = Totals(self._past.expected, self._past.received, self._past.duplicate, self._past.reordered)
        totals.add(self.reception)
        return totals

    def receive(self, packet: RtpPacket, now: float) -> list[ReceivedDigit]:
        """Take one packet of the current source; gives the digits that are over by it."""
        reception = self.reception
        kind = packet.payload_type
        voice = kind not in (self._dtmf_type, self._noise_type)
        arrival = reception.packet(packet.sequence, packet.timestamp if voice else None, now)
        if arrival is Arrival.DUPLICATE or arrival is Arrival.SUSPECT:
            return []
        if arrival is Arrival.RESTARTED:
            self.buffer.reset()
        self.octets += len(packet.payload)
        sequence = reception.extend(packet.sequence)
        self.resting = kind == self._noise_type
        if voice:
            self._follow_clock(kind, reception)
            self.buffer.insert(sequence, packet.timestamp, kind, packet.payload, now)
            return []
        self.buffer.skip(sequence)
        if kind == self._noise_type:
            self._noise.set_level(packet.payload[0] & 0x7F if packet.payload else QUIETEST_LEVEL)
            return []
        try:
            event = parse_event(packet.payload)
        except PacketError:
            self.malformed += 1
            return []
        return self._digits.receive(event, packet.timestamp, packet.sequence, now)

    def expire_digit(self, now: float) -> list[ReceivedDigit]:
        """Give the digit whose end was lost."""
        return self._digits.expire(now)

    def play_out(self, now: float) -> bytes:
        """Give one ptime of PCM."""
        ready = self._ready
        while len(ready) < self._frame_bytes:
            ready = self._more(ready, now)
        self._ready = ready[self._frame_bytes :]
        self.concealed = self._doubtful > 0
        if self.concealed:
            self._doubtful -= self._frame_bytes
        return ready[: self._frame_bytes]

    def hurry(self) -> None:
        """Catch up after playing had stopped for a while."""
        self._ready = b""
        self.buffer.hurry()

    def _follow_clock(self, payload_type: int, reception: Reception) -> None:
        """Begin the timeline anew when the timestamps now count in another unit."""
        codec = self._codecs.get(payload_type)
        if codec is not None and codec.clock_rate != self.buffer.clock_rate:
            self.buffer.clock_rate = reception.clock_rate = codec.clock_rate
            self.buffer.reset()

    def _more(self, ready: bytes, now: float) -> bytes:
        """Give the waiting sound with more behind it."""
        codec = self.codec_type
        taken = self.buffer.take(now, len(ready) / (SAMPLE_BYTES * codec.sample_rate))
        if taken.packet is not None:
            return self._decode(ready, taken.packet, jumped=taken.jumped)
        if taken.kind is Kind.SILENCE:
            return ready + self._concealer.good(self._noise.take(self._frame_bytes - len(ready)))
        return self._conceal(ready, self.buffer.frame * codec.sample_rate // codec.clock_rate)

    def _conceal(self, ready: bytes, samples: int) -> bytes:
        """Give the waiting sound with a substitute of that many samples behind it."""
        self.concealed_ms += samples * 1000 / self.codec_type.sample_rate
        made = ready + self._concealer.conceal(samples)
        self._doubtful = len(made)
        return made

    def _decode(self, ready: bytes, packet: Waiting, *, jumped: bool) -> bytes:
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return ready
        if codec is not self.codec_type:
            ready = self._change_codec(codec, ready)
        decoder = self._decoders.get(packet.payload_type)
        if decoder is None:
            decoder = self._decoders[packet.payload_type] = codec.create()
        try:
            pcm = decoder.decode(packet.payload)
        except PacketError:
            self.malformed += 1
            self.buffer.played(self.buffer.frame)
            return self._conceal(ready, self.buffer.frame * codec.sample_rate // codec.clock_rate)
        self.buffer.played(len(pcm) // SAMPLE_BYTES * codec.clock_rate // codec.sample_rate)
        if jumped:
            self._concealer.jump()
        return ready + self._fit(self._concealer.good(pcm))

    def _fit(self, pcm: bytes) -> bytes:
        """Shorten or lengthen the sound a little when the delay has left its bounds."""
        self._since_stretch += 1
        if self._since_stretch < FRAMES_BETWEEN_STRETCHES:
            return pcm
        surplus = self.buffer.surplus
        rate = self.codec_type.sample_rate
        if surplus > TOLERATED_SURPLUS:
            fitted = shorten(pcm, rate)
        elif surplus < -TOLERATED_WANT:
            fitted = lengthen(pcm, rate)
        else:
            return pcm
        self._since_stretch = 0
        if fitted is None:
            return pcm
        self.buffer.adjusted((len(fitted) - len(pcm)) / (SAMPLE_BYTES * rate))
        return fitted

    def _change_codec(self, codec: CodecType, ready: bytes) -> bytes:
        """Go on with another codec; what waits of the old one is dropped when its sample rate differs."""
        old, self.codec_type = self.codec_type, codec
        self._frame_bytes = codec.samples(self._ptime) * SAMPLE_BYTES
        if codec.sample_rate == old.sample_rate:
            return ready
        self._concealer = Concealer(codec.sample_rate)
        return b""
