"""What the far end's format parameters of Opus mean for our encoder (RFC 7587 section 6.1)."""

from typing import Final

EXPECTED_LOSS_PERCENT: Final = 10
"""What the encoder is laid out for: after a loss its sound is whole again sooner, and forward error correction, where
the far end can use it, is worth what it costs."""

COMPLEXITY: Final = 3
"""0 to 10; beyond this the difference is hardly heard in speech, but the work doubles."""

_LOWEST_BIT_RATE: Final = 6000
_CUTOFFS: Final = ((8000, 4000), (12000, 6000), (16000, 8000), (24000, 12000))
"""Playback rates and the bandwidths that fill them, in Hz; beyond them Opus sends all it has."""


def encoder_options(ptime: int, fmtp: str, bit_rate: int) -> dict[str, str]:
    """Return the options of FFmpeg's encoder for packets of `ptime` ms and the far end's format parameters."""
    wishes = _parameters(fmtp)
    wanted = wishes.get("maxaveragebitrate", bit_rate)
    options = {
        "application": "voip",
        "frame_duration": str(ptime),
        "compression_level": str(COMPLEXITY),
        "b": str(max(_LOWEST_BIT_RATE, min(bit_rate, wanted))),
        "vbr": "off" if wishes.get("cbr") == 1 else "constrained",
        "packet_loss": str(EXPECTED_LOSS_PERCENT),
    }
    if wishes.get("useinbandfec") == 1:
        options |= {"fec": "1"}
    rate = wishes.get("maxplaybackrate")
    if rate is not None:
        cutoff = next((bandwidth for limit, bandwidth in _CUTOFFS if rate <= limit), None)
        options |= {"cutoff": str(cutoff)} if cutoff else {}
    return options


def _parameters(fmtp: str) -> dict[str, int]:
    """Read `name=number` pairs; what is none is left out."""
    pairs = (field.partition("=") for field in fmtp.split(";"))
    return {
        name.strip().lower(): int(value)
        for name, _, value in pairs
        if value.strip().isascii() and value.strip().isdecimal() and len(value.strip()) < 8
    }
