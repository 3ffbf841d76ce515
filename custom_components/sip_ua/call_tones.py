"""The tones of a telephone exchange, as they sound in the country of the home (ITU-T E.180 and its supplement 2)."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, pi, sin
from typing import Final

from .net.audio import BytesSource, RawPcm

RATE: Final = 8000
SHORTEST: Final = 4.0
"""Seconds that a tone takes at least: as many turns of its rhythm as that needs."""

_PEAK: Final = 5000
_EDGE: Final = 40
"""Samples in which a sound comes and goes, so that it does not click."""


@dataclass(frozen=True, slots=True)
class CallTone:
    """A tone: frequencies in Hz that sound at once, and seconds of sound and silence in turn."""

    frequencies: tuple[int, ...]
    rhythm: tuple[float, ...]


def _tones(
    frequencies: tuple[int, ...],
    ringback: tuple[float, ...],
    busy: tuple[float, ...],
    congestion: tuple[float, ...],
    dial: tuple[float, ...] = (1.0,),
) -> Mapping[str, CallTone]:
    """Return the tones of a country that has one pitch for all of them."""
    rhythms = {"dial": dial, "ringback": ringback, "busy": busy, "congestion": congestion}
    return {kind: CallTone(frequencies, rhythm) for kind, rhythm in rhythms.items()}


_RECOMMENDED: Final = _tones((425,), ringback=(1, 4), busy=(0.5, 0.5), congestion=(0.25, 0.25))
_NORTH_AMERICA: Final = {
    "dial": CallTone((350, 440), (1.0,)),
    "ringback": CallTone((440, 480), (2, 4)),
    "busy": CallTone((480, 620), (0.5, 0.5)),
    "congestion": CallTone((480, 620), (0.25, 0.25)),
}
_COUNTRIES: Final[Mapping[str, Mapping[str, CallTone]]] = {
    "AT": _tones((420,), ringback=(1, 5), busy=(0.4, 0.4), congestion=(0.2, 0.2)),
    "CA": _NORTH_AMERICA,
    "CH": _tones((425,), ringback=(1, 4), busy=(0.5, 0.5), congestion=(0.2, 0.2)),
    "DE": _tones((425,), ringback=(1, 4), busy=(0.48, 0.48), congestion=(0.24, 0.24)),
    "ES": _tones((425,), ringback=(1.5, 3), busy=(0.2, 0.2), congestion=(0.2, 0.2, 0.2, 0.2, 0.2, 0.6)),
    "FR": _tones((440,), ringback=(1.5, 3.5), busy=(0.5, 0.5), congestion=(0.25, 0.25)),
    "GB": {
        "dial": CallTone((350, 440), (1.0,)),
        "ringback": CallTone((400, 450), (0.4, 0.2, 0.4, 2)),
        "busy": CallTone((400,), (0.375, 0.375)),
        "congestion": CallTone((400,), (0.4, 0.35, 0.225, 0.525)),
    },
    "IT": _tones((425,), ringback=(1, 4), busy=(0.5, 0.5), congestion=(0.2, 0.2), dial=(0.2, 0.2, 0.6, 1)),
    "US": _NORTH_AMERICA,
}

KINDS: Final = tuple(_RECOMMENDED)


def call_tone(kind: str, country: str | None) -> CallTone:
    """Return a tone as it is in a country, as ITU-T recommends it where the country is not known; KeyError for none."""
    return _COUNTRIES.get((country or "").upper(), _RECOMMENDED)[kind]


@lru_cache(maxsize=len(KINDS))
def tone_source(tone: CallTone) -> BytesSource:
    """Return whole turns of a tone's rhythm, which may be repeated without a gap; it takes a moment to make."""
    turn = array("h")
    for index, seconds in enumerate(tone.rhythm):
        samples = round(seconds * RATE)
        turn.extend(_sound(tone, samples) if index % 2 == 0 else array("h", bytes(2 * samples)))
    return BytesSource((turn * ceil(SHORTEST * RATE / len(turn))).tobytes(), RawPcm(RATE))


def _sound(tone: CallTone, samples: int) -> array[int]:
    """Return the sound of a tone; one without pauses neither comes nor goes."""
    level = _PEAK / len(tone.frequencies)
    steps = [2 * pi * frequency / RATE for frequency in tone.frequencies]
    edge = _EDGE if len(tone.rhythm) > 1 else 0
    sound = array("h")
    for at in range(samples):
        gain = min(1.0, at / edge, (samples - at) / edge) if edge else 1.0
        sound.append(round(gain * level * sum(sin(step * at) for step in steps)))
    return sound
