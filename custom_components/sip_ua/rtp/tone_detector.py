"""DTMF digits heard in the voice itself, by Goertzel's filters in slices of 5 ms (ITU-T Q.24).

A digit is believed after six slices in which two tones, one of each group, hold nearly all of the power, keep their
level, differ little in it, and advance in phase as a frequency near the nominal one does. So a tone of 40 ms is heard
wherever it lies between the slices, and one of 23 ms never. It is over after six slices without it: a shorter
interruption does not make two digits of one. Sound that was made up for lost packets says neither yes nor no, and the
slices on both sides of it are looked at together.
"""

from cmath import phase, rect
from collections import deque
from functools import cache
from itertools import pairwise
from math import cos, pi, sin, sumprod
from typing import Final, NamedTuple

from .dtmf import ReceivedDigit
from .plc import samples_of
from .tones import HIGH_GROUP, KEYS, LOW_GROUP, peak_of

SLICE_MS: Final = 5
SLICES: Final = 6
"""What a digit needs at least, and what ends it."""

FREQUENCY_TOLERANCE: Final = 0.025
"""Between the 1.5 % that must be heard and the 3.5 % that must not (Q.24 table A-1)."""

SOFTEST_DBM0: Final = -32.0
MOST_FORWARD_TWIST: Final = 10 ** (6.5 / 10)
"""By how much the higher tone may be stronger than the lower one, as a ratio of powers."""
MOST_REVERSE_TWIST: Final = 10 ** (10.5 / 10)

PURITY: Final = 0.85
"""The part of the power that the two tones must hold: noise may be 12 dB below them, the harmonics of a voice not."""
STEADINESS: Final = 0.9
"""How much of what the slices hold must add up over all of them: 1 for a tone that neither changes nor breaks off."""
_GOES_ON_PURITY: Final = 0.5
_GOES_ON_POWER: Final = 0.2
_MOST_UNEVEN: Final = 3.0
_ROUGH_PURITY: Final = 0.3
_HALF: Final = SLICES // 2
_ENOUGH_MISSING: Final = 3
"""Slices without the digit that end it where others were lost beside them."""

_LONGEST_HOLE: Final = 12
_LEAST_NEIGHBOURS: Final = 2
_FREQUENCIES: Final = (*LOW_GROUP, *HIGH_GROUP)


class _Pair(NamedTuple):
    """What one low and one high tone make of a slice: `solve` turns four correlations into four amplitudes."""

    key: str
    low: int
    high: int
    solve: tuple[tuple[float, ...], ...]


class _Tables(NamedTuple):
    """What belongs to one sample rate: waves of one slice, and the turn of each tone's phase in a slice."""

    size: int
    waves: tuple[tuple[list[float], list[float]], ...]
    turns: tuple[tuple[complex, ...], ...]
    pairs: tuple[tuple[_Pair, ...], ...]


@cache
def _tables(rate: int) -> _Tables:
    size = rate * SLICE_MS // 1000
    steps = [2 * pi * frequency / rate for frequency in _FREQUENCIES]
    waves = tuple(([cos(step * n) for n in range(size)], [sin(step * n) for n in range(size)]) for step in steps)
    turns = tuple(tuple(rect(1.0, -step * size * number) for number in range(SLICES + _LONGEST_HOLE)) for step in steps)
    pairs = tuple(
        tuple(_Pair(KEYS[row][column], row, 4 + column, _inverse(waves, row, 4 + column)) for column in range(4))
        for row in range(4)
    )
    return _Tables(size, waves, turns, pairs)


def _inverse(waves: tuple[tuple[list[float], list[float]], ...], low: int, high: int) -> tuple[tuple[float, ...], ...]:
    """Give the inverse of the four waves' products with each other (Gauss and Jordan; it is positive definite)."""
    basis = (*waves[low], *waves[high])
    rows = [
        [sumprod(one, other) for other in basis] + [float(number == at) for at in range(4)]
        for number, one in enumerate(basis)
    ]
    for pivot in range(4):
        head = [value / rows[pivot][pivot] for value in rows[pivot]]
        rows = [
            head if number == pivot else [value - row[pivot] * lead for value, lead in zip(row, head, strict=True)]
            for number, row in enumerate(rows)
        ]
    return tuple(tuple(row[4:]) for row in rows)


class _Slice:
    """5 ms of sound; how much of each frequency is in it is computed only when somebody asks.

    `at` counts the slices from the beginning, also those that were made up.
    """

    __slots__ = ("_correlations", "_samples", "at", "energy")

    def __init__(self, samples: list[int], at: int) -> None:
        self._samples = samples
        self.at = at
        self._correlations: tuple[complex, ...] | None = None
        self.energy = sumprod(samples, samples)

    def correlations(self, tables: _Tables) -> tuple[complex, ...]:
        """Give the product with each frequency's cosine (real) and sine (imaginary)."""
        found = self._correlations
        if found is None:
            samples = self._samples
            found = self._correlations = tuple(
                complex(sumprod(samples, cosine), sumprod(samples, sine)) for cosine, sine in tables.waves
            )
        return found

    def fit(self, pair: _Pair, tables: _Tables) -> tuple[complex, complex, float]:
        """Give the pair's tones that fit best as phasors, and the energy that they explain."""
        found = self._correlations
        if found is not None:
            low, high = found[pair.low], found[pair.high]
        else:
            samples = self._samples
            low, high = (
                complex(sumprod(samples, tables.waves[at][0]), sumprod(samples, tables.waves[at][1]))
                for at in (pair.low, pair.high)
            )
        products = (low.real, low.imag, high.real, high.imag)
        a, b, c, d = (sumprod(row, products) for row in pair.solve)
        return complex(a, -b), complex(c, -d), sumprod((a, b, c, d), products)


class ToneDetector:
    """Follows the received sound of one call and tells the digits in it, each when it is over."""

    __slots__ = (
        "_at",
        "_duration",
        "_energy",
        "_floor",
        "_lost",
        "_missing",
        "_pair",
        "_received",
        "_rest",
        "_slices",
        "_tables",
        "rate",
    )

    def __init__(self, rate: int) -> None:
        """Listen to PCM of `rate` Hz."""
        self.rate = rate
        self._tables = _tables(rate)
        self._floor = self._tables.size * peak_of(SOFTEST_DBM0) ** 2 / 2
        self._slices: deque[_Slice] = deque(maxlen=SLICES)
        self._received: deque[_Slice] = deque(maxlen=SLICES)
        self._rest: list[int] = []
        self._pair: _Pair | None = None
        self._energy = 0.0
        self._duration = 0
        self._at = 0
        self._missing = 0
        self._lost = 0

    def feed(self, pcm: bytes, *, concealed: bool = False) -> list[ReceivedDigit]:
        """Take the next sound, which may be `concealed` in place of what was lost; gives the digits over by it."""
        samples = self._rest + samples_of(pcm).tolist()
        size = self._tables.size
        digits: list[ReceivedDigit] = []
        end = len(samples) - len(samples) % size
        for start in range(0, end, size):
            self._at += 1
            digits += self._take(_Slice(samples[start : start + size], self._at), concealed=concealed)
        self._rest = samples[end:]
        return digits

    def _take(self, piece: _Slice, *, concealed: bool) -> list[ReceivedDigit]:
        self._slices.append(piece)
        if not concealed:
            self._received.append(piece)
        pair = self._pair
        if pair is None:
            self._begin()
            return []
        digit = ReceivedDigit(pair.key, self._duration)
        if concealed:
            self._lost += 1
            return []
        other = self._recognise(self._slices)
        if other is not None and other is not pair:
            # One slice tells neighbours badly apart; all together they do, where the pause between was lost.
            self._begin()
            return [digit]
        if self._goes_on(pair, piece):
            self._duration += SLICE_MS * (1 + self._missing + self._lost)
            self._missing = self._lost = 0
            return []
        self._missing += 1
        if self._missing < _ENOUGH_MISSING or self._missing + self._lost < SLICES:
            return []
        self._pair = None
        self._begin()
        return [digit]

    def _begin(self) -> None:
        for slices in (self._slices, self._received):
            pair = self._recognise(slices)
            if pair is not None:
                self._pair = pair
                self._energy = sum(piece.energy for piece in slices) / SLICES
                self._duration = SLICE_MS * (1 + slices[-1].at - slices[0].at)
                self._missing = self._lost = 0
                return
            if self._slices == self._received:
                return

    def _goes_on(self, pair: _Pair, piece: _Slice) -> bool:
        if piece.energy < _GOES_ON_POWER * self._energy:
            return False
        return piece.fit(pair, self._tables)[2] >= _GOES_ON_PURITY * piece.energy

    def _recognise(self, slices: deque[_Slice]) -> _Pair | None:
        """Give the digit that fills the slices."""
        if len(slices) < SLICES or slices[-1].energy < self._floor:
            return None
        if slices[-1].at - slices[0].at >= SLICES + _LONGEST_HOLE:
            return None
        energies = [piece.energy for piece in slices]
        if max(energies) > _MOST_UNEVEN * min(energies):
            return None
        pair = self._strongest(slices, sum(energies))
        if pair is None:
            return None
        fits = [piece.fit(pair, self._tables) for piece in slices]
        if sum(explained for _, _, explained in fits) < PURITY * sum(energies):
            return None
        numbers = [piece.at - slices[0].at for piece in slices]
        low = self._power([fit[0] for fit in fits], numbers, pair.low)
        high = self._power([fit[1] for fit in fits], numbers, pair.high)
        fits_together = low / MOST_REVERSE_TWIST <= high <= low * MOST_FORWARD_TWIST
        return pair if low and high and fits_together else None

    def _strongest(self, slices: deque[_Slice], energy: float) -> _Pair | None:
        """Give the strongest tone of each group, where together they are not plainly too weak."""
        tables = self._tables
        first = slices[0].at
        found = [(piece.correlations(tables), piece.at - first) for piece in slices]
        powers = []
        for at, turns in enumerate(tables.turns):
            # Conjugated, since the sine is the imaginary part here and minus that of the phasor.
            turned = [piece[at].conjugate() * turns[number] for piece, number in found]
            powers.append(abs(sum(turned[:_HALF])) ** 2 + abs(sum(turned[_HALF:])) ** 2)
        low = max(range(4), key=powers.__getitem__)
        high = max(range(4, 8), key=powers.__getitem__)
        # A tone of amplitude A gives (A N / 2)² in each half of N samples, and A² N of energy in both.
        if 2 * (powers[low] + powers[high]) < _ROUGH_PURITY * energy * _HALF * tables.size:
            return None
        return tables.pairs[low][high - 4]

    def _power(self, phasors: list[complex], numbers: list[int], at: int) -> float:
        """Give the power of a steady tone near its nominal frequency, 0 where it is none or too soft."""
        turns = self._tables.turns[at]
        turned = [phasor * turns[number] for phasor, number in zip(phasors, numbers, strict=True)]
        drifts = [
            after * before.conjugate()
            for (before, earlier), (after, later) in pairwise(zip(turned, numbers, strict=True))
            if later - earlier == 1
        ]
        if len(drifts) < _LEAST_NEIGHBOURS:
            return 0.0
        angle = phase(sum(drifts))
        if abs(angle) > 2 * pi * FREQUENCY_TOLERANCE * _FREQUENCIES[at] * SLICE_MS / 1000:
            return 0.0
        whole = sum(abs(phasor) ** 2 for phasor in turned)
        together = abs(sum(p * rect(1.0, -angle * number) for p, number in zip(turned, numbers, strict=True))) ** 2
        power = whole / SLICES / 2
        if together < STEADINESS * SLICES * whole or power < peak_of(SOFTEST_DBM0) ** 2 / 2:
            return 0.0
        return power
