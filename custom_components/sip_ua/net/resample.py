"""Change of the sample rate of PCM by PyAV (swresample), which filters what the lower rate cannot hold."""

import sys
from array import array
from typing import TYPE_CHECKING

from .audio_pipe import SAMPLE_BYTES

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler


def load_pyav() -> None:
    """Load PyAV as a whole, before any part of it.

    Threads that load different parts at the same time would wait for each other's, and one of them would fail.
    """
    import av  # noqa: F401, PLC0415 - loaded by worker threads, as `audio` says


def pcm_resampler(rate: int) -> AudioResampler:
    """Return a converter of any sound to mono PCM of 16 bits at `rate` Hz."""
    load_pyav()
    from av.audio.resampler import AudioResampler  # noqa: PLC0415 - as above

    return AudioResampler(format="s16", layout="mono", rate=rate)


def resample(resampler: AudioResampler, frame: AudioFrame | None) -> bytes:
    """Convert a frame to little-endian PCM; None gives what is still held back."""
    return b"".join(map(frame_pcm, resampler.resample(frame)))


def frame_pcm(frame: AudioFrame) -> bytes:
    """Return the samples of a frame of mono PCM."""
    return little_endian(bytes(frame.planes[0])[: SAMPLE_BYTES * frame.samples])


def pcm_frame(pcm: bytes, rate: int) -> AudioFrame:
    """Wrap mono PCM of `rate` Hz as PyAV has it."""
    from av.audio.frame import AudioFrame  # noqa: PLC0415 - as above

    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // SAMPLE_BYTES)
    frame.sample_rate = rate
    fill_frame(frame, pcm)
    return frame


def fill_frame(frame: AudioFrame, pcm: bytes) -> None:
    """Put as much other mono PCM into a frame that nobody uses any more: a new one costs far more."""
    frame.planes[0].update(little_endian(pcm))


class Resampler:
    """Converts a stream of PCM whose rate may change."""

    def __init__(self) -> None:
        """Begin with no rate."""
        self._rates = (0, 0)
        self._resampler: AudioResampler | None = None

    def convert(self, pcm: bytes, rate: int, wanted: int) -> bytes:
        """Return the samples at the wanted rate (Hz); some come with the next call."""
        if self._rates != (rate, wanted):
            self._rates = (rate, wanted)
            self._resampler = None if rate == wanted else pcm_resampler(wanted)
        if self._resampler is None or not pcm:
            return pcm
        return resample(self._resampler, pcm_frame(pcm, rate))

    def finish(self) -> bytes:
        """Return what is still held back, and begin anew."""
        resampler, self._resampler, self._rates = self._resampler, None, (0, 0)
        return b"" if resampler is None else resample(resampler, None)


def little_endian(pcm: bytes) -> bytes:
    """Swap the bytes of PCM between the machine's order and little-endian."""
    if sys.byteorder == "little":
        return pcm
    samples = array("h", pcm)
    samples.byteswap()
    return samples.tobytes()
