"""Codecs that PyAV carries: G.722 (RFC 3551 section 4.5.2) and Opus (RFC 6716, RFC 7587).

PyAV takes long to load, so that nothing here loads it before a codec is tried or used. The media thread uses a codec
only after `working_codecs` has been asked for it in a worker thread.
"""

import logging
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from ..rtp.codecs import G711, SAMPLE_BYTES, USUAL_PTIME, CodecType
from ..rtp.errors import PacketError, RtpError, RtpUsageError
from .opus_format import encoder_options
from .resample import fill_frame, frame_pcm, load_pyav, pcm_frame

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame

type AvName = Literal["g722", "libopus"]

_LOGGER = logging.getLogger(__name__)

G722_RATE: Final = 16000
OPUS_RATE: Final = 48000
OPUS_BIT_RATE: Final = 64000
"""Bits a second, as many as G.711 and G.722 have: speech is heard better than with half of them. The far end may ask
for less."""


class AvCodec:
    """One codec of PyAV: the encoder and the decoder are opened when they are first needed."""

    __slots__ = ("_decoder", "_encoder", "_format", "_frame", "_made", "_options", "_rate")

    def __init__(self, av_name: AvName, rate: int, options: Mapping[str, str]) -> None:
        """Code PCM of `rate` Hz; `options` are the encoder's."""
        self._format = av_name
        self._rate = rate
        self._options = dict(options)
        self._encoder: AudioCodecContext | None = None
        self._decoder: AudioCodecContext | None = None
        self._frame: AudioFrame | None = None
        self._made = 0

    def encode(self, pcm: bytes) -> bytes:
        """Give the payload of one packet; raises `RtpUsageError` for PCM of an odd number of bytes."""
        if len(pcm) % SAMPLE_BYTES:
            raise RtpUsageError("PCM of an odd number of bytes")
        encoder = self._encoder
        if encoder is None:
            encoder = self._encoder = self._open("w")
            encoder.options = self._options
        frame = self._frame
        if frame is None or SAMPLE_BYTES * frame.samples != len(pcm):
            frame = self._frame = pcm_frame(pcm, self._rate)
        else:
            fill_frame(frame, pcm)
        frame.pts = self._made
        self._made += frame.samples
        return b"".join(map(bytes, encoder.encode(frame)))

    def decode(self, payload: bytes) -> bytes:
        """Give the PCM of one packet; raises `PacketError`."""
        from av.error import FFmpegError  # noqa: PLC0415 - loaded by now, as the head of this file says
        from av.packet import Packet  # noqa: PLC0415

        if not payload:
            raise PacketError("nothing to decode")
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = self._open("r")
        try:
            pcm = b"".join(map(frame_pcm, decoder.decode(Packet(payload))))
        except FFmpegError as error:
            raise PacketError(f"not {self._format}: {error}") from None
        if not pcm:
            raise PacketError(f"no sound in {self._format}")
        return pcm

    def _open(self, mode: Literal["r", "w"]) -> AudioCodecContext:
        from av.codec import CodecContext  # noqa: PLC0415 - as above

        context = CodecContext.create(self._format, mode)
        context.sample_rate = self._rate
        context.layout = "mono"
        context.format = "s16"
        return context


def _g722(ptime: int = USUAL_PTIME, fmtp: str = "") -> AvCodec:
    del fmtp  # RFC 4856 defines none that matters here
    return AvCodec("g722", G722_RATE, {"frame_size": str(G722_RATE * ptime // 1000)})


def _opus(ptime: int = USUAL_PTIME, fmtp: str = "") -> AvCodec:
    return AvCodec("libopus", OPUS_RATE, encoder_options(ptime, fmtp, OPUS_BIT_RATE))


AV_CODECS: Final[Mapping[str, CodecType]] = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            CodecType(name="G722", sample_rate=G722_RATE, clock_rate=8000, create=_g722, stateful=True),
            CodecType(name="OPUS", sample_rate=OPUS_RATE, clock_rate=OPUS_RATE, create=_opus, stateful=True),
        )
    }
)

ALL_CODECS: Final[Mapping[str, CodecType]] = MappingProxyType({**G711, **AV_CODECS})
"""Every codec that we know; `working_codecs` tells which of them this machine has."""


@cache
def working_codecs() -> frozenset[str]:
    """Return the names of the codecs that work on this machine; loads PyAV, so it is for worker threads."""
    return frozenset(name for name in ALL_CODECS if name in G711 or _works(name))


def _works(name: str) -> bool:
    """Tell whether a codec can be opened and gives back what it is given."""
    codec_type = AV_CODECS[name]
    size = SAMPLE_BYTES * codec_type.samples(USUAL_PTIME)
    try:
        load_pyav()
        codec = codec_type.create()
        return len(codec.decode(codec.encode(bytes(size)))) == size
    except (ImportError, OSError, ValueError, RtpError) as error:
        # What PyAV raises for a codec that its FFmpeg lacks is a ValueError or an OSError.
        _LOGGER.debug("%s does not work here: %s", name, error)
        return False
