"""The tone that tells the far end of a recording, mixed into whatever we say at that time."""

import sys
from array import array
from math import pi, sin
from typing import Final

import audioop

from .audio_pipe import SAMPLE_BYTES
from .recording_order import RecordingTone

FREQUENCY: Final = 1400.0
"""In Hz: what people know from recorded calls."""

LEVEL: Final = 0.1
"""Of full scale: -20 dB."""

LENGTH_MS: Final = 400
EDGE_MS: Final = 5
PERIOD_MS: Final = 15_000
"""From tone to tone where it is repeated."""


class SignalTone:
    """A tone of its own time, which passes only while the far end can hear us."""

    def __init__(self, *, repeated: bool) -> None:
        """Begin with the tone; `repeated`, it comes again."""
        self._repeated = repeated
        self._at_ms = 0.0

    def mix(self, pcm: bytes | None, size: int, rate: int) -> bytes | None:
        """Return the next `size` bytes at `rate` Hz of what we say (None: silence), with the tone where it is time."""
        begin = self._at_ms
        self._at_ms += size / SAMPLE_BYTES / rate * 1000
        if self._repeated and self._at_ms >= PERIOD_MS:
            self._at_ms = 0.0
        if begin >= LENGTH_MS:
            return pcm
        tone = _tone(begin, size // SAMPLE_BYTES, rate)
        return tone if pcm is None else audioop.add(pcm.ljust(size, b"\0"), tone, SAMPLE_BYTES)


def signal_tone(wanted: RecordingTone) -> SignalTone | None:
    """Return what an order wants to be heard."""
    return None if wanted is RecordingTone.NONE else SignalTone(repeated=wanted is RecordingTone.REPEATED)


def _tone(begin_ms: float, count: int, rate: int) -> bytes:
    """Return samples of the tone from a time on; it comes and goes softly."""
    samples = array("h")
    for number in range(count):
        at = begin_ms + number * 1000 / rate
        loudness = max(0.0, min(1.0, at / EDGE_MS, (LENGTH_MS - at) / EDGE_MS))
        samples.append(round(32767 * LEVEL * loudness * sin(2 * pi * FREQUENCY * at / 1000)))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
