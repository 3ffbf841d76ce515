"""The voice codecs we can offer and the payload types fixed for all time (RFC 3551 section 6, RFC 4733)."""

from collections.abc import Iterable
from dataclasses import dataclass

from .errors import LocalProtocolError

FIRST_DYNAMIC_PAYLOAD_TYPE = 96
LAST_PAYLOAD_TYPE = 127
TELEPHONE_EVENT = "telephone-event"
TELEPHONE_EVENT_PAYLOAD_TYPE = 101


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec under one payload type; `clock_rate` is RTP's, in Hz, which for G.722 is not its sampling rate."""

    name: str
    clock_rate: int
    payload_type: int
    channels: int = 1
    fmtp: str = ""

    @property
    def identity(self) -> CodecIdentity:
        """What tells this codec from others whatever its number."""
        return self.name.lower(), self.clock_rate, self.channels

    @property
    def rtpmap(self) -> str:
        """The value of the rtpmap attribute (RFC 8866 section 6.6)."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"


type CodecIdentity = tuple[str, int, int]

COMFORT_NOISE = Codec("CN", 8000, 13)
"""The noise that stands for silence, of codecs whose RTP clock has 8000 Hz (RFC 3389 section 4)."""

CODECS: dict[str, Codec] = {
    codec.name.upper(): codec
    for codec in (
        Codec("PCMU", 8000, 0),
        Codec("PCMA", 8000, 8),
        Codec("G722", 8000, 9),
        # Two channels whatever is sent (RFC 7587 section 7); we send one, and cannot read the error correction.
        Codec("opus", 48000, 111, 2, "stereo=0;useinbandfec=0"),
    )
}

STEPS_OF_PTIME: dict[CodecIdentity, tuple[int, ...]] = {CODECS["OPUS"].identity: (10, 20, 40, 60)}
"""The packet times of codecs that cannot be cut at every 10 ms (RFC 7587 section 7.1)."""

STATIC_PAYLOAD_TYPES: dict[int, Codec] = {
    codec.payload_type: codec
    for codec in (
        *(codec for codec in CODECS.values() if codec.payload_type < FIRST_DYNAMIC_PAYLOAD_TYPE),
        Codec("GSM", 8000, 3),
        Codec("G723", 8000, 4),
        Codec("DVI4", 8000, 5),
        Codec("DVI4", 16000, 6),
        Codec("LPC", 8000, 7),
        Codec("L16", 44100, 10, 2),
        Codec("L16", 44100, 11),
        Codec("QCELP", 8000, 12),
        COMFORT_NOISE,
        Codec("MPA", 90000, 14),
        Codec("G728", 8000, 15),
        Codec("DVI4", 11025, 16),
        Codec("DVI4", 22050, 17),
        Codec("G729", 8000, 18),
    )
}


def codecs_named(names: Iterable[str]) -> tuple[Codec, ...]:
    """Return the codecs of these names in this order, each once.

    Raises LocalProtocolError for a name that is not in `CODECS`.
    """
    chosen: dict[str, Codec] = {}
    for name in names:
        codec = CODECS.get(name.upper())
        if codec is None:
            raise LocalProtocolError(f"unknown codec {name}")
        chosen[name.upper()] = codec
    return tuple(chosen.values())


def is_sent_without_silence(codec: Codec) -> bool:
    """Whether the far end's parameters of Opus say that silence need not be sent (RFC 7587 section 6.1)."""
    parameters = (field.strip().lower() for field in codec.fmtp.split(";"))
    return codec.identity == CODECS["OPUS"].identity and "usedtx=1" in parameters


def telephone_event(clock_rate: int, payload_type: int) -> Codec:
    """Return the pseudo codec of DTMF digits 0-9, *, #, A-D for codecs of this clock rate (RFC 4733 section 2.4.1)."""
    return Codec(TELEPHONE_EVENT, clock_rate, payload_type, fmtp="0-15")
