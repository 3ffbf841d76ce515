"""Codecs of the session: ITU-T G.711 by table, and the shape in which other codecs are added (RFC 3551 section 4.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Protocol

from .errors import RtpUsageError

USUAL_PTIME: Final = 20
"""Packet time in ms that every far end takes."""

SAMPLE_BYTES: Final = 2
"""All sound between the rooms is PCM of 16 bits, signed, little-endian as this machine's, mono."""


class Codec(Protocol):
    """Encoder and decoder of one session; it may keep state from frame to frame."""

    def encode(self, pcm: bytes) -> bytes:
        """Turn PCM into the payload of one packet."""

    def decode(self, payload: bytes) -> bytes:
        """Turn the payload of one packet into PCM; raises `PacketError` when it cannot be read."""


class CodecFactory(Protocol):
    """Makes a codec."""

    def __call__(self, ptime: int = USUAL_PTIME, fmtp: str = "") -> Codec:
        """Make one for packets of `ptime` ms; `fmtp` are the format parameters of who receives them (RFC 8866)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecType:
    """A codec that can be negotiated.

    `sample_rate` is that of its PCM and `clock_rate` that of its RTP timestamps, both in Hz; they differ for G.722
    (16000 and 8000). `stateful` codecs must see every frame, so their silence is not cached. `impairment` (Ie) and
    `loss_robustness` (Bpl) are the codec's figures for the E-model (ITU-T G.113 appendix I).
    """

    name: str
    sample_rate: int
    clock_rate: int
    create: CodecFactory
    stateful: bool = False
    impairment: float = 0.0
    loss_robustness: float = 10.0

    def samples(self, milliseconds: int) -> int:
        """Give the number of PCM samples in that many ms."""
        return self.sample_rate * milliseconds // 1000

    def ticks(self, milliseconds: int) -> int:
        """Give the number of timestamp units in that many ms."""
        return self.clock_rate * milliseconds // 1000


def _alaw_value(code: int) -> int:
    """Give the 16-bit value of an A-law character signal (G.711 tables 1a and 1b, scaled by 8)."""
    inverted = code ^ 0x55
    exponent, mantissa = inverted >> 4 & 7, inverted & 15
    magnitude = (mantissa << 4) + 8 if exponent == 0 else (mantissa << 4) + 0x108 << exponent - 1
    return magnitude if inverted & 0x80 else -magnitude


def _ulaw_value(code: int) -> int:
    """Give the 16-bit value of a u-law character signal (G.711 tables 2a and 2b, scaled by 4)."""
    inverted = ~code & 0xFF
    exponent, mantissa = inverted >> 4 & 7, inverted & 15
    magnitude = ((mantissa << 3) + 0x84 << exponent) - 0x84
    return -magnitude if inverted & 0x80 else magnitude


def _positive_half(widths: tuple[int, ...], codes: tuple[int, ...]) -> bytes:
    """Spread the codes over the 32768 values from 0 up; one width per segment of 16 codes, in 16-bit steps."""
    intervals = (bytes((code,)) * widths[number >> 4] for number, code in enumerate(codes))
    return b"".join(intervals)


def _encoder_table(positive: bytes, sign: int) -> bytes:
    """Give the code of every 16-bit sample, by its unsigned value.

    A negative sample is coded as its one's complement, as ITU-T G.191 does.
    """
    negative = bytes(code ^ sign for code in reversed(positive))
    return positive + negative


def _alaw_encoder() -> bytes:
    widths = (16, 16, 32, 64, 128, 256, 512, 1024)
    return _encoder_table(_positive_half(widths, tuple(number ^ 0xD5 for number in range(128))), 0x80)


def _ulaw_encoder() -> bytes:
    widths = (8, 16, 32, 64, 128, 256, 512, 1024)
    codes = tuple(0xFF - number for number in range(128))
    spread = _positive_half(widths, codes)
    # The first interval is half as wide as its neighbours; above the last decision value all is clipped.
    positive = spread[4:] + bytes((codes[-1],)) * (0x8000 - len(spread) + 4)
    return _encoder_table(positive, 0x80)


class G711Codec:
    """G.711 in either law; keeps no state."""

    __slots__ = ("_encoder", "_high", "_low")

    def __init__(self, encoder: bytes, values: tuple[int, ...]) -> None:
        """Take the code of each sample and the sample of each code."""
        # A list's items are found faster than those of bytes.
        self._encoder = list(encoder).__getitem__
        self._low = bytes(value & 0xFF for value in values)
        self._high = bytes(value >> 8 & 0xFF for value in values)

    def encode(self, pcm: bytes) -> bytes:
        """Code two bytes of PCM into one."""
        if len(pcm) % SAMPLE_BYTES:
            raise RtpUsageError("PCM of an odd number of bytes")
        return bytes(map(self._encoder, memoryview(pcm).cast("H")))

    def decode(self, payload: bytes) -> bytes:
        """Decode each byte into two of PCM."""
        pcm = bytearray(len(payload) * SAMPLE_BYTES)
        pcm[0::2] = payload.translate(self._low)
        pcm[1::2] = payload.translate(self._high)
        return bytes(pcm)


@cache
def _alaw() -> G711Codec:
    return G711Codec(_alaw_encoder(), tuple(map(_alaw_value, range(256))))


@cache
def _ulaw() -> G711Codec:
    return G711Codec(_ulaw_encoder(), tuple(map(_ulaw_value, range(256))))


def _pcma(ptime: int = USUAL_PTIME, fmtp: str = "") -> G711Codec:
    del ptime, fmtp
    return _alaw()


def _pcmu(ptime: int = USUAL_PTIME, fmtp: str = "") -> G711Codec:
    del ptime, fmtp
    return _ulaw()


PCMA: Final = CodecType(
    name="PCMA", sample_rate=8000, clock_rate=8000, create=_pcma, impairment=0.0, loss_robustness=25.1
)
PCMU: Final = CodecType(
    name="PCMU", sample_rate=8000, clock_rate=8000, create=_pcmu, impairment=0.0, loss_robustness=25.1
)

G711: Final[Mapping[str, CodecType]] = MappingProxyType({codec.name: codec for codec in (PCMA, PCMU)})
"""The codecs that this room carries itself."""
