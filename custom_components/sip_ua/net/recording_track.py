"""One side of a recording: whatever rates its sound comes in, it goes on at one rate and keeps its time."""

from .audio_pipe import SAMPLE_BYTES
from .resample import Resampler


class RecordingTrack:
    """Turns sound of changing sample rates into one flow at `rate` Hz, in which nothing shifts.

    What a resampler holds back, and what it gives too much or too little where the rate changes, is put right there.
    """

    def __init__(self, rate: int) -> None:
        """Begin at no time."""
        self._rate = rate
        self._resampler = Resampler()
        self._ready = bytearray()
        self._taken = 0
        self._begun = 0
        """Samples that were due when the present rate began."""
        self._source_rate = rate
        self._source_samples = 0

    @property
    def due(self) -> int:
        """How many samples there should be by now, taken or not."""
        return self._begun + self._source_samples * self._rate // self._source_rate

    @property
    def ready(self) -> int:
        """How many samples can be taken."""
        return min(len(self._ready) // SAMPLE_BYTES, self.due - self._taken)

    def add(self, pcm: bytes, rate: int) -> None:
        """Append sound of `rate` Hz."""
        if rate != self._source_rate:
            self.settle()
            self._source_rate = rate
        self._source_samples += len(pcm) // SAMPLE_BYTES
        self._ready += self._resampler.convert(pcm, rate, self._rate)

    def skip(self, seconds: float) -> None:
        """Append silence."""
        self.settle()
        self._begun += round(seconds * self._rate)
        self.settle()

    def settle(self) -> None:
        """Take what the resampler holds back, and have exactly as many samples as are due."""
        self._ready += self._resampler.finish()
        self._begun, self._source_samples = self.due, 0
        length = (self._begun - self._taken) * SAMPLE_BYTES
        del self._ready[length:]
        self._ready += bytes(length - len(self._ready))

    def take(self, samples: int) -> bytes:
        """Give the next samples, as many as are ready at most."""
        size = samples * SAMPLE_BYTES
        pcm = bytes(self._ready[:size])
        del self._ready[:size]
        self._taken += samples
        return pcm
