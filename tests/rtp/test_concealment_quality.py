"""Concealment of lost speech is as good as that of ITU-T G.711 appendix I, by how far its spectrum is off.

The measure is the log-spectral distance in dB between what is played and what was lost, over windows of 32 ms at the
begin and the end of every gap in speech, in bands of 100 Hz. Ours does without the delay that appendix I adds.
"""

from array import array
from collections.abc import Callable
from functools import cache
from math import cos, log10, pi, sin, sqrt, sumprod
from random import Random

import pytest

from custom_components.sip_ua.rtp.codecs import PCMU
from custom_components.sip_ua.rtp.plc import Concealer

from .appendix_i import DELAY, AppendixI
from .test_tones import SPEECH

FRAME = 160
WINDOW = 256
STARTS = (-48, 64)
"""Where windows begin, in samples from the begin of a gap."""

QUIETEST = 200.0
BANDS = range(100, 3600, 100)
FLOOR = 10.0

type Play = Callable[[set[int]], array[int]]


@cache
def speech() -> array[int]:
    return array("h", PCMU.create().decode(SPEECH.read_bytes()))


def frames() -> list[array[int]]:
    sound = speech()
    return [sound[at : at + FRAME] for at in range(0, len(sound), FRAME)]


def ours(lost: set[int]) -> array[int]:
    concealer, played = Concealer(8000), array("h")
    for number, frame in enumerate(frames()):
        played.frombytes(concealer.conceal(FRAME) if number in lost else concealer.good(frame.tobytes()))
    return played


def of_appendix_i(lost: set[int]) -> array[int]:
    concealer = AppendixI()
    played: list[float] = []
    for number, frame in enumerate(frames()):
        for half in (frame[: FRAME // 2], frame[FRAME // 2 :]):
            played += concealer.lost() if number in lost else concealer.good(half)
    return array("h", [*map(round, played[DELAY:]), *[0] * DELAY])


def repeated(lost: set[int]) -> array[int]:
    played, last = array("h"), array("h", bytes(2 * FRAME))
    for number, frame in enumerate(frames()):
        last = last if number in lost else frame
        played.extend(last)
    return played


def silent(lost: set[int]) -> array[int]:
    played = array("h")
    for number, frame in enumerate(frames()):
        played.extend(array("h", bytes(2 * FRAME)) if number in lost else frame)
    return played


@cache
def waves() -> list[tuple[list[float], list[float]]]:
    window = [(0.5 - 0.5 * cos(2 * pi * n / WINDOW)) / WINDOW for n in range(WINDOW)]
    steps = [2 * pi * band / 8000 for band in BANDS]
    return [
        (
            [weight * cos(step * n) for n, weight in enumerate(window)],
            [weight * sin(step * n) for n, weight in enumerate(window)],
        )
        for step in steps
    ]


def spectrum(sound: array[int]) -> list[float]:
    return [10 * log10(sumprod(sound, one) ** 2 + sumprod(sound, other) ** 2 + FLOOR) for one, other in waves()]


def distance(play: Play, lost: set[int]) -> float:
    """Give the mean log-spectral distance at the gaps in dB."""
    played, wanted = play(lost), speech()
    distances = []
    for at in (FRAME * number + start for number in lost for start in STARTS):
        original = wanted[at : at + WINDOW]
        if sumprod(original, original) < QUIETEST**2 * WINDOW:
            continue
        pairs = zip(spectrum(original), spectrum(played[at : at + WINDOW]), strict=True)
        distances.append(sqrt(sum((one - other) ** 2 for one, other in pairs) / len(BANDS)))
    return sum(distances) / len(distances)


@pytest.mark.parametrize("loss", [0.03, 0.05, 0.1])
def test_lost_speech_is_concealed_as_well_as_by_appendix_i_and_better_than_naively(loss: float) -> None:
    random = Random(1)
    last = len(frames()) - 3
    losses = [{number for number in range(10, last) if random.random() < loss} for _ in range(3)]

    def mean(play: Play) -> float:
        return sum(distance(play, lost) for lost in losses) / len(losses)

    concealed = mean(ours)
    assert concealed < 1.02 * mean(of_appendix_i)
    assert concealed < 0.93 * min(mean(silent), mean(repeated))
