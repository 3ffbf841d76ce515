"""Makes sound shorter or longer by one pitch period, unheard, to follow the far end's clock and the network's delay."""

from math import sqrt, sumprod
from typing import Final

from .plc import pcm_of, samples_of

QUIET: Final = 100.0
"""Root mean square of 16-bit samples below which it does not matter what is cut."""

LIKENESS: Final = 0.6
"""How alike two neighbouring periods must be for one of them to be left out or doubled."""

_SHORTEST_MS: Final = 2.5
_ANALYSIS_RATE: Final = 8000


def shorten(pcm: bytes, sample_rate: int) -> bytes | None:
    """Give the sound less one period; None when it is too short or would suffer."""
    samples = list(samples_of(pcm))
    period = _period(samples, sample_rate)
    if period is None:
        return None
    blended = _blend(samples[:period], samples[period : 2 * period])
    return pcm_of(blended) + pcm[4 * period :]


def lengthen(pcm: bytes, sample_rate: int) -> bytes | None:
    """Give the sound with one period more; None when it is too short or would suffer."""
    samples = list(samples_of(pcm))
    period = _period(samples, sample_rate)
    if period is None:
        return None
    blended = _blend(samples[period : 2 * period], samples[:period])
    return pcm[: 2 * period] + pcm_of(blended) + pcm[2 * period :]


def _blend(old: list[int], new: list[int]) -> list[int]:
    """Go over from one piece to another of the same length."""
    size = len(old) + 1
    return [
        round(before + (after - before) * (at + 1) / size)
        for at, (before, after) in enumerate(zip(old, new, strict=True))
    ]


def _period(samples: list[int], sample_rate: int) -> int | None:
    """Give the distance in samples by which the begin of the sound may be moved."""
    coarse = max(1, sample_rate // _ANALYSIS_RATE)
    longest = len(samples) // 2
    shortest = int(sample_rate * _SHORTEST_MS / 1000)
    if longest < shortest:
        return None
    if sqrt(sumprod(samples, samples) / len(samples)) < QUIET:
        return longest
    best, best_lag = LIKENESS, 0
    for lag in range(shortest, longest + 1, coarse):
        first, second = samples[:lag:coarse], samples[lag : 2 * lag : coarse]
        energy = sumprod(first, first) * sumprod(second, second)
        if energy and (likeness := sumprod(first, second) / sqrt(energy)) > best:
            best, best_lag = likeness, lag
    return best_lag or None
