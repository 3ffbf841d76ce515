"""The measuring instrument itself, on tones whose properties are known."""

import array
from pathlib import Path

import pytest

from .tone import measure, parts, read_wav, sine, write_wav

RATE = 8_000


@pytest.mark.parametrize("frequency", [300.0, 440.0, 1000.0, 1004.0, 2712.5])
def test_frequency_and_level_of_a_sine_are_found(frequency: float) -> None:
    tone = measure(sine(frequency, 1.0, RATE, -15.0), RATE)
    assert tone.frequency_hz == pytest.approx(frequency, abs=0.05)
    assert tone.level_dbfs == pytest.approx(-15.0, abs=0.02)
    assert tone.snr_db > 60
    assert tone.jumps == 0
    assert tone.longest_gap_seconds == 0


def test_silence_around_the_tone_is_not_a_gap() -> None:
    silence = array.array("h", [0] * RATE)
    tone = measure(silence + sine(440.0, 1.0, RATE, -20.0) + silence, RATE)
    assert tone.seconds == pytest.approx(1.0, abs=0.06)
    assert tone.longest_gap_seconds == 0


def test_a_gap_inside_is_measured() -> None:
    samples = sine(440.0, 2.0, RATE, -20.0)
    samples[8000:8800] = array.array("h", [0] * 800)
    assert measure(samples, RATE).longest_gap_seconds == pytest.approx(0.1)


def test_a_lost_packet_is_a_jump_of_phase() -> None:
    samples = sine(1010.0, 2.0, RATE, -20.0)
    del samples[8000:8160]
    del samples[12000:12080]
    assert measure(samples, RATE).jumps == 2


def test_noise_lowers_the_ratio() -> None:
    samples = sine(1000.0, 1.0, RATE, -20.0)
    hum = sine(333.0, 1.0, RATE, -40.0)
    mixed = array.array("h", (a + b for a, b in zip(samples, hum, strict=True)))
    assert measure(mixed, RATE).snr_db == pytest.approx(20.0, abs=1.0)


def test_silence_is_refused() -> None:
    with pytest.raises(ValueError, match="silence"):
        measure(array.array("h", [0] * RATE), RATE)


def test_a_wav_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    samples = sine(440.0, 0.1, RATE, -10.0)
    assert read_wav(write_wav(tmp_path / "a.wav", samples, RATE)) == (samples, RATE)


def test_tones_one_after_another_are_told_apart_by_frequency_and_level() -> None:
    samples = array.array("h", [0] * 800)
    for frequency, level in ((500.0, -15.0), (1750.0, -15.0), (1750.0, -25.0)):
        samples += sine(frequency, 0.4, RATE, level)
    found = parts(samples, RATE, (500.0, 1000.0, 1750.0))
    assert [part[0] for part in found] == [500.0, 1750.0, 1750.0]
    assert [part[1] for part in found] == [pytest.approx(0.4, abs=0.03)] * 3
    assert [part[2] for part in found] == [pytest.approx(level, abs=0.1) for level in (-15.0, -15.0, -25.0)]
    assert parts(array.array("h"), 0, (500.0,)) == []
