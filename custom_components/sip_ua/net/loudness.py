"""A change of volume without distortion: what would go beyond full scale is turned down while it is too loud."""

from dataclasses import dataclass
from typing import Final

import audioop

SAMPLE_BYTES: Final = 2
FULL_SCALE: Final = 0x7FFF
RECOVERY: Final = 1.014
"""Factor by which the volume may come back in a frame: 6 dB in a second where frames have 20 ms."""

STEPS: Final = 8
"""Steps in which the volume changes within a frame: a change at once would click."""

SILENT_BELOW: Final = -60.0
LOUDEST: Final = 30.0


@dataclass(frozen=True, slots=True)
class StreamLoudness:
    """How much louder or softer a stream is, in dB: all that we send, and all that the far end says."""

    speaking_db: float = 0.0
    listening_db: float = 0.0


AS_IT_IS: Final = StreamLoudness()


def gain_factor(volume_db: float) -> float:
    """Return the factor of a change of volume in dB."""
    return 0.0 if volume_db <= SILENT_BELOW else 10.0 ** (min(volume_db, LOUDEST) / 20)


def loudness_of(volume_db: float) -> Loudness | None:
    """Return what changes a voice by so many dB, None where it stays as it is."""
    return Loudness(gain_factor(volume_db)) if volume_db else None


class Loudness:
    """Changes the volume of one sound frame by frame; `gain` is the wanted factor and may change."""

    __slots__ = ("_present", "gain")

    def __init__(self, gain: float) -> None:
        """Begin with the wanted volume."""
        self.gain = gain
        self._present: float | None = None

    def apply(self, pcm: bytes) -> bytes:
        """Return a frame of PCM as loud as wanted, or as loud as its peaks allow."""
        wanted = self.gain
        if not pcm:
            return pcm
        if wanted <= 1.0:
            self._present = wanted
            return pcm if wanted == 1.0 else audioop.mul(pcm, SAMPLE_BYTES, wanted)
        allowed = _allowed(pcm, wanted)
        before = allowed if self._present is None else self._present
        # Down at once, for the peak is in this very frame, and up slowly.
        after = self._present = min(allowed, max(before, 1.0) * RECOVERY)
        if before == after:
            return audioop.mul(pcm, SAMPLE_BYTES, after)
        size = -(-len(pcm) // (STEPS * SAMPLE_BYTES)) * SAMPLE_BYTES
        pieces = (pcm[start : start + size] for start in range(0, len(pcm), size))
        return b"".join(
            audioop.mul(piece, SAMPLE_BYTES, _allowed(piece, before + (after - before) * step / STEPS))
            for step, piece in enumerate(pieces, start=1)
        )


def _allowed(pcm: bytes, gain: float) -> float:
    """Return the factor, or the one that brings the loudest sample to full scale."""
    peak = audioop.max(pcm, SAMPLE_BYTES)
    return FULL_SCALE / peak if peak * gain > FULL_SCALE else gain
