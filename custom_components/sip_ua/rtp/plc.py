"""Conceals missing sound by repeating the last pitch periods and fading out (in the manner of G.711 appendix I)."""

from array import array
from collections.abc import Sequence
from math import sqrt, sumprod
from typing import Final

SHORTEST_PERIOD_MS: Final = 2.5
LONGEST_PERIOD_MS: Final = 15.0
TEMPLATE_MS: Final = 20.0
STEP_MS: Final = 10
MAX_PERIODS: Final = 3
FADE_PER_STEP: Final = 0.2
"""After the first step the loudness falls by this much of its start in each, so that 60 ms end in silence."""

MERGE_MS: Final = 2
LONGEST_MERGE_MS: Final = 10
_ANALYSIS_RATE: Final = 4000


def samples_of(pcm: bytes) -> array[int]:
    """Give the samples of PCM of 16 bits."""
    return array("h", pcm)


def pcm_of(samples: Sequence[int]) -> bytes:
    """Give the PCM of samples within 16 bits."""
    return array("h", samples).tobytes()


def find_period(samples: Sequence[int], shortest: int, longest: int, template: int) -> tuple[int, float]:
    """Give the lag (in samples) at which the end of the sound is most like itself, and how alike (-1 to 1).

    `samples` must hold `template` + `longest` of them.
    """
    end = len(samples)
    recent = samples[end - template :]
    start = end - template - shortest
    energy = sumprod(before := samples[start : start + template], before)
    best, best_lag = -1.0, longest
    for lag in range(shortest, longest + 1):
        at = end - template - lag
        if lag > shortest:
            energy += samples[at] * samples[at] - samples[at + template] * samples[at + template]
        if energy <= 0:
            continue
        likeness = sumprod(recent, samples[at : at + template]) / sqrt(energy)
        if likeness > best or best == -1.0:
            best, best_lag = likeness, lag
    own = sumprod(recent, recent)
    return best_lag, best / sqrt(own) if own else 0.0


class Concealer:
    """Follows the sound that is played and supplies what is missing.

    Every frame goes through `good`; for a missing one `conceal` gives a substitute. The first good frame after a
    substitute is blended with its continuation, so neither end of the gap clicks. Nothing is delayed.
    """

    __slots__ = (
        "_faded",
        "_history",
        "_history_bytes",
        "_loop",
        "_made",
        "_offset",
        "_period",
        "_phase",
        "_rate",
        "_source",
    )

    def __init__(self, sample_rate: int) -> None:
        """Begin in silence."""
        self._rate = sample_rate
        self._history_bytes = 2 * self._samples(TEMPLATE_MS + (MAX_PERIODS - 1) * LONGEST_PERIOD_MS + LONGEST_PERIOD_MS)
        self._history = bytes(self._history_bytes)
        self._made = 0
        self._source: list[int] = []
        self._loop: list[int] = []
        self._offset: list[float] = []
        self._period = 0
        self._phase = 0
        self._faded = False

    def good(self, pcm: bytes) -> bytes:
        """Give a received frame as it is to be played."""
        if self._made:
            pcm = self._merge(pcm)
            self._made = 0
        self._history = (self._history + pcm)[-self._history_bytes :]
        return pcm

    def conceal(self, samples: int) -> bytes:
        """Give a substitute of that many samples."""
        return pcm_of(self._continue(samples))

    def jump(self) -> None:
        """Have the next good frame blended with what went before, as voice between them is left out."""
        if not self._made:
            self._begin()
            self._made = 1

    def _samples(self, milliseconds: float) -> int:
        return int(self._rate * milliseconds / 1000)

    def _begin(self) -> None:
        """Find the pitch and prepare one period to repeat."""
        self._source = list(samples_of(self._history))
        coarse = max(1, self._rate // _ANALYSIS_RATE)
        rate = self._rate // coarse
        thinned = self._source[len(self._source) % coarse :: coarse]
        shortest, longest = int(rate * SHORTEST_PERIOD_MS / 1000), int(rate * LONGEST_PERIOD_MS / 1000)
        lag, _ = find_period(thinned, shortest, longest, int(rate * TEMPLATE_MS / 1000))
        period = lag * coarse
        if coarse > 1:
            least, most = max(1, period - coarse), min(period + coarse, self._samples(LONGEST_PERIOD_MS))
            period, _ = find_period(self._source, least, most, self._samples(TEMPLATE_MS))
        self._period = period
        self._phase = 0
        self._faded = False
        self._loop = self._repeatable(1)
        eighth = max(1, period // 8)
        step = self._source[-1] - self._source[-1 - period]
        self._offset = [step * (eighth - number) / (eighth + 1) for number in range(eighth)]

    def _repeatable(self, periods: int) -> list[int]:
        """Give the last periods, their end blended into what went before their beginning."""
        length = periods * self._period
        loop = self._source[-length:]
        quarter = max(1, self._period // 4)
        before = self._source[-length - quarter : -length]
        for number, earlier in enumerate(before):
            weight = (number + 1) / (quarter + 1)
            at = length - quarter + number
            loop[at] = round(loop[at] * (1 - weight) + earlier * weight)
        return loop

    def _continue(self, samples: int) -> list[int]:
        """Go on with the substitute by that many samples."""
        if not self._made:
            self._begin()
        made: list[int] = []
        step = self._samples(STEP_MS)
        while len(made) < samples:
            number = self._made // step
            count = min(samples - len(made), step - self._made % step)
            made += self._piece(number, count)
            self._made += count
        return made

    def _piece(self, number: int, count: int) -> list[int]:
        """Give `count` samples inside the step `number` of the substitute."""
        step = self._samples(STEP_MS)
        loudest = 1 - FADE_PER_STEP * (number - 1) if number else 1.0
        if loudest <= 0:
            return [0] * count
        blend: list[int] = []
        if 0 < number < MAX_PERIODS and self._made % step == 0:
            blend = self._looped(min(count, max(1, self._period // 4)), advance=False)
            self._loop = self._repeatable(number + 1)
            self._phase %= len(self._loop)
        sound = self._looped(count)
        for at, old in enumerate(blend):
            weight = (at + 1) / (len(blend) + 1)
            sound[at] = round(old * (1 - weight) + sound[at] * weight)
        if self._offset and number == 0:
            done = self._made
            for at, offset in enumerate(self._offset[done : done + count]):
                sound[at] = max(-32768, min(32767, round(sound[at] + offset)))
        if number == 0:
            return sound
        first = self._made % step
        slope = FADE_PER_STEP / step
        return [round(value * (loudest - slope * (first + at))) for at, value in enumerate(sound)]

    def _looped(self, count: int, *, advance: bool = True) -> list[int]:
        loop, phase = self._loop, self._phase
        sound = loop[phase : phase + count]
        while len(sound) < count:
            sound += loop[: count - len(sound)]
        if advance:
            self._phase = (phase + count) % len(loop)
        return sound

    def _merge(self, pcm: bytes) -> bytes:
        """Blend the begin of a good frame with the continuation of the substitute."""
        gap_ms = self._made * 1000 / self._rate
        length = self._samples(min(LONGEST_MERGE_MS, MERGE_MS + 4 * max(0.0, gap_ms - STEP_MS) / STEP_MS))
        length = min(length, len(pcm) // 2)
        ending = self._continue(length)
        good = samples_of(pcm[: 2 * length])
        blended = [
            round(old + (new - old) * (at + 1) / (length + 1))
            for at, (old, new) in enumerate(zip(ending, good, strict=True))
        ]
        return pcm_of(blended) + pcm[2 * length :]
