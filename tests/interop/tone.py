"""Tones to send and the measurement of a received one: frequency, level, noise, gaps, jumps."""

import array
import itertools
import logging
import math
import statistics
import struct
import sys
import wave
from dataclasses import dataclass
from pathlib import Path

_LOGGER = logging.getLogger(__name__)

FULL_SCALE = 32_768.0
WINDOW_SECONDS = 0.02
SILENCE_DBFS = -50.0
JUMP_RADIANS = 0.35
SCAN_SECONDS = 0.1
SCAN_STEP_HZ = 5.0
SCAN_RATE = 8_000
SCAN_LOWEST_HZ = 100.0
SCAN_HIGHEST_HZ = 3_600.0
FLOOR = 1e-9
JUMPING_SHARE = 0.1
LEAST_POWER = 1e-3
CHUNK_HEADER = 8
WAV_HEADER = 44
SHORTEST_PART_SECONDS = 0.08
LEVEL_STEP_DB = 3.0
SAMPLE_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """What a recording of a steady tone holds, once silence at its two ends is cut off."""

    frequency_hz: float
    level_dbfs: float
    """RMS level of the tone alone; a sine from rail to rail has -3.01 dBFS."""
    snr_db: float
    """Median over windows of 20 ms of the tone's power to all the rest."""
    seconds: float
    longest_gap_seconds: float
    """The longest silence inside the tone."""
    jumps: int
    """How often its phase jumped: a packet lost, doubled or inserted."""


def decibel(power: float) -> float:
    """Return a power ratio in dB."""
    return 10.0 * math.log10(max(power, FLOOR))


def sine(frequency_hz: float, seconds: float, rate: int, level_dbfs: float) -> array.array[int]:
    """Return 16-bit samples of a sine whose RMS level is `level_dbfs`."""
    peak = FULL_SCALE * math.sqrt(2.0) * 10.0 ** (level_dbfs / 20.0)
    step = 2.0 * math.pi * frequency_hz / rate
    return array.array("h", (round(peak * math.sin(step * n)) for n in range(round(seconds * rate))))


def write_wav(path: Path, samples: array.array[int], rate: int, channels: int = 1) -> Path:
    """Write 16-bit samples as a WAV file, the same on every channel, and return its path."""
    data = array.array("h", bytes(2 * channels * len(samples)))
    for channel in range(channels):
        data[channel::channels] = samples
    if sys.byteorder == "big":
        data.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return path


def read_wav(path: Path) -> tuple[array.array[int], int]:
    """Return the first channel's samples and the rate of a 16-bit WAV file.

    A file still being written, whose header does not yet tell the length, is read as far as it is.
    """
    raw = path.read_bytes()
    form, data = raw.find(b"fmt "), raw.find(b"data")
    if form < 0 or data < 0 or len(raw) < data + CHUNK_HEADER:
        return array.array("h"), 0
    _, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", raw, form + CHUNK_HEADER)
    if bits != SAMPLE_BITS:
        raise ValueError(f"{path} does not hold 16-bit samples")
    start = data + CHUNK_HEADER
    samples = array.array("h", raw[start : start + (len(raw) - start) // frame * frame])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples[::channels], rate


def _phasor(samples: array.array[int], offset: int, step: float) -> tuple[float, float, float]:
    """Fit a*cos + b*sin by least squares; return a, b and the energy that the fit explains."""
    angles = [step * (offset + n) for n in range(len(samples))]
    cosines, sines = list(map(math.cos, angles)), list(map(math.sin, angles))
    cc, ss = math.sumprod(cosines, cosines), math.sumprod(sines, sines)
    cs = math.sumprod(cosines, sines)
    xc, xs = math.sumprod(samples, cosines), math.sumprod(samples, sines)
    determinant = cc * ss - cs * cs
    a, b = (xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant
    return a, b, a * xc + b * xs


def _power(samples: array.array[int]) -> float:
    return math.sumprod(samples, samples) / len(samples)


def _scan(samples: array.array[int], rate: int) -> float:
    """Return the frequency on a coarse raster at which the samples hold the most power."""
    # Few samples are enough, and quick: the call goes on meanwhile, in this very process.
    step = max(1, rate // SCAN_RATE)
    samples, rate = samples[::step], rate // step
    highest = min(SCAN_HIGHEST_HZ, rate * 0.45)
    steps = int((highest - SCAN_LOWEST_HZ) / SCAN_STEP_HZ)

    def energy_at(frequency: float) -> float:
        return _phasor(samples, 0, 2.0 * math.pi * frequency / rate)[2]

    return max((SCAN_LOWEST_HZ + SCAN_STEP_HZ * n for n in range(steps)), key=energy_at)


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def wav_seconds(path: Path, rate: int, channels: int = 1) -> float:
    """Return how long a file is that may still grow, without reading it."""
    return max(0, path.stat().st_size - WAV_HEADER) / 2 / channels / rate if path.exists() else 0.0


@dataclass(frozen=True, slots=True)
class _Window:
    """The tone fitted to one window, and all the rest in it."""

    tone_power: float
    rest_power: float
    phase: float


def _fit(windows: list[array.array[int] | None], size: int, frequency: float, rate: int) -> list[_Window | None]:
    """Fit one frequency to each window; None stays where there was silence."""
    step = 2.0 * math.pi * frequency / rate
    fitted: list[_Window | None] = []
    for number, window in enumerate(windows):
        if window is None:
            fitted.append(None)
            continue
        a, b, explained = _phasor(window, number * size, step)
        rest = max(_power(window) - explained / size, LEAST_POWER)
        fitted.append(_Window((a * a + b * b) / 2.0, rest, math.atan2(-b, a)))
    return fitted


def _advances(fitted: list[_Window | None]) -> list[float]:
    """Return how far the phase moved from each sounding window to the next one, in radians."""
    return [
        _wrapped(after.phase - before.phase)
        for before, after in itertools.pairwise(fitted)
        if before is not None and after is not None
    ]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def measure(samples: array.array[int], rate: int) -> Tone:
    """Measure the strongest steady tone in `samples`; `ValueError` where there is only silence.

    The frequency is nobody's guess: it is looked for on a raster and then taken from the advance of
    the phase between neighbouring windows.
    """
    size = round(rate * WINDOW_SECONDS)
    windows = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    threshold = FULL_SCALE**2 * 10.0 ** (SILENCE_DBFS / 10.0)
    loud = [_power(window) >= threshold for window in windows]
    if not any(loud):
        raise ValueError(f"nothing but silence in {len(samples) / rate:.2f} s")
    # The first and the last sounding window hold the tone only in part.
    first, last = loud.index(True) + 1, len(loud) - loud[::-1].index(True) - 1
    middle = (first + last) // 2 * size
    coarse = _scan(samples[middle : middle + round(rate * SCAN_SECONDS)], rate)
    sounding = [window if heard else None for window, heard in zip(windows, loud, strict=True)][first:last]
    advances = _advances(_fit(sounding, size, coarse, rate))
    if not advances:
        raise ValueError("the tone is too short to be measured")
    frequency = coarse + _median(advances) / (2.0 * math.pi * WINDOW_SECONDS)
    fitted = _fit(sounding, size, frequency, rate)
    heard = [window for window in fitted if window is not None]
    gaps = [len(list(run)) for silent, run in itertools.groupby(fitted, lambda window: window is None) if silent]
    return Tone(
        frequency_hz=frequency,
        level_dbfs=decibel(_median([window.tone_power for window in heard]) / FULL_SCALE**2),
        snr_db=_median([decibel(window.tone_power / window.rest_power) for window in heard]),
        seconds=len(fitted) * WINDOW_SECONDS,
        longest_gap_seconds=max(gaps, default=0) * WINDOW_SECONDS,
        jumps=sum(abs(advance) > JUMP_RADIANS for advance in _advances(fitted)),
    )


def assert_tone(tone: Tone, frequency_hz: float, level_dbfs: float) -> None:
    """Check frequency (within 0.5 Hz) and level (0.3 dB), and that neither noise nor gaps came on the way.

    Few jumps of the phase are forgiven: a busy machine may hold the sender back, and what is concealed moves.
    """
    _LOGGER.info("heard %s", tone)
    assert abs(tone.frequency_hz - frequency_hz) < 0.5, tone
    assert abs(tone.level_dbfs - level_dbfs) < 0.3, tone
    assert tone.snr_db > 30, tone
    assert tone.longest_gap_seconds == 0, tone
    assert tone.jumps * WINDOW_SECONDS < tone.seconds * JUMPING_SHARE, tone


def parts(samples: array.array[int], rate: int, frequencies: tuple[float, ...]) -> list[tuple[float, float, float]]:
    """Return the tones in a recording one after another: which of the frequencies, seconds, and median level in dBFS.

    A tone whose level changes by more than a little counts as another one; what is very short is a transition.
    """
    if not rate:
        return []
    size = round(rate * WINDOW_SECONDS)
    runs: list[tuple[float, list[float]]] = []
    for start in range(0, len(samples) - size + 1, size):
        window = samples[start : start + size]
        frequency, level = 0.0, SILENCE_DBFS
        if decibel(_power(window) / FULL_SCALE**2) > SILENCE_DBFS:
            energies = {one: _phasor(window, 0, 2.0 * math.pi * one / rate)[2] for one in frequencies}
            frequency = max(energies, key=lambda one: energies[one])
            level = decibel(energies[frequency] / size / FULL_SCALE**2)
        if runs and runs[-1][0] == frequency and abs(runs[-1][1][-1] - level) < LEVEL_STEP_DB:
            runs[-1][1].append(level)
        else:
            runs.append((frequency, [level]))
    return [
        (frequency, len(levels) * WINDOW_SECONDS, statistics.median(levels))
        for frequency, levels in runs
        if frequency and len(levels) * WINDOW_SECONDS >= SHORTEST_PART_SECONDS
    ]
