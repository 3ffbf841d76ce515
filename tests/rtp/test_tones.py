"""DTMF in the voice itself: levels sent (ITU-T Q.23), and the limits of Q.24 table A-1 for what is heard.

`speech.ulaw` holds 20 s of synthetic speech in several voices and two languages, 8 s of which were picked since a
detector with a lower demand for purity hears digits in them.
"""

from array import array
from math import cos, log10, pi, sin, sqrt
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.sip_ua.rtp.codecs import PCMA, PCMU
from custom_components.sip_ua.rtp.dtmf import DIGITS, ReceivedDigit
from custom_components.sip_ua.rtp.errors import RtpUsageError
from custom_components.sip_ua.rtp.events import DigitReceived, DigitsSent
from custom_components.sip_ua.rtp.tone_detector import ToneDetector
from custom_components.sip_ua.rtp.tones import HIGH_LEVEL, LOW_LEVEL, ToneSender, frequencies_of, peak_of

from .wire import Faults, Wire

RATE = 8000
SPEECH = Path(__file__).with_name("speech.ulaw")
OFFSETS = range(0, 40, 9)
"""Samples by which a tone is moved against the slices of the detector."""


def tone(
    digit: str,
    milliseconds: float,
    *,
    rate: int = RATE,
    levels: tuple[float, float] = (-10.0, -10.0),
    deviation: tuple[float, float] = (0.0, 0.0),
    start: float = 0.0,
) -> list[float]:
    """Give the two tones of a digit at these levels in dBm0, off their frequencies by these fractions."""
    samples = [0.0] * round(rate * milliseconds / 1000)
    for frequency, level, off in zip(frequencies_of(digit), levels, deviation, strict=True):
        step, peak = 2 * pi * frequency * (1 + off) / rate, peak_of(level)
        samples = [value + peak * sin(start + step * n) for n, value in enumerate(samples)]
    return samples


def heard(samples: list[float], *, rate: int = RATE, noise: float = 0.0) -> list[ReceivedDigit]:
    """Give what is heard in these samples between silences, through A-law at 8 kHz, with noise of this amplitude."""
    random = Random(1)
    silence = [0.0] * (rate // 10)
    whole = [*silence, *samples, *silence]
    noisy = (value + (random.gauss(0, noise) if noise else 0) for value in whole)
    pcm = array("h", (max(-32768, min(32767, round(value))) for value in noisy)).tobytes()
    if rate == RATE:
        codec = PCMA.create()
        pcm = codec.decode(codec.encode(pcm))
    detector, size = ToneDetector(rate), rate // 50 * 2
    return [digit for at in range(0, len(pcm), size) for digit in detector.feed(pcm[at : at + size])]


def moved(samples: list[float], by: int) -> list[float]:
    return [0.0] * by + samples


def digits_of(found: list[ReceivedDigit]) -> str:
    return "".join(digit.digit for digit in found)


@pytest.mark.parametrize("digit", DIGITS)
def test_a_tone_of_40_ms_is_heard_wherever_it_lies(digit: str) -> None:
    for offset in OFFSETS:
        assert digits_of(heard(moved(tone(digit, 40), offset))) == digit


@pytest.mark.parametrize("digit", DIGITS)
def test_a_tone_of_23_ms_is_not_heard(digit: str) -> None:
    for offset in OFFSETS:
        assert heard(moved(tone(digit, 23), offset)) == []


@pytest.mark.parametrize("digit", "159D")
@pytest.mark.parametrize("deviation", [(0.015, 0.015), (-0.015, -0.015), (0.015, -0.015), (-0.015, 0.015)])
def test_frequencies_may_be_off_by_one_and_a_half_per_cent(digit: str, deviation: tuple[float, float]) -> None:
    for offset in OFFSETS:
        assert digits_of(heard(moved(tone(digit, 40, deviation=deviation), offset))) == digit


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("off", [0.035, -0.035, 0.04, -0.04, 0.06, -0.06])
def test_a_frequency_off_by_three_and_a_half_per_cent_is_no_digit(digit: str, off: float) -> None:
    for deviation in ((off, 0.0), (0.0, off)):
        assert heard(tone(digit, 100, deviation=deviation)) == []


@pytest.mark.parametrize(
    ("levels", "is_heard"),
    [
        ((0.0, 0.0), True),
        ((-25.0, -25.0), True),
        ((-25.0, -29.0), True),
        ((-40.0, -40.0), False),
        ((-10.0, -6.0), True),
        ((-10.0, -18.0), True),
        ((-10.0, -2.0), False),
        ((-6.0, -18.0), False),
    ],
)
def test_levels_and_twist_have_their_limits(levels: tuple[float, float], *, is_heard: bool) -> None:
    for digit in "159D":
        assert digits_of(heard(tone(digit, 50, levels=levels))) == (digit if is_heard else "")


@pytest.mark.parametrize("digit", DIGITS)
def test_noise_12_db_below_the_digit_does_not_matter(digit: str) -> None:
    noise = sqrt(2 * peak_of(-10.0) ** 2 / 2 / 10**1.2)
    assert digits_of(heard(tone(digit, 50), noise=noise)) == digit
    assert heard([0.0] * RATE, noise=noise) == []


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_wide_band_voice_has_the_same_digits(rate: int) -> None:
    for digit in DIGITS:
        assert digits_of(heard(tone(digit, 50, rate=rate), rate=rate)) == digit


def test_one_tone_alone_is_no_digit() -> None:
    for digit in "147*ABCD":
        assert heard(tone(digit, 200, levels=(-10.0, -90.0))) == []
        assert heard(tone(digit, 200, levels=(-90.0, -10.0))) == []


@pytest.mark.parametrize(("pause", "digits"), [(10, "5"), (40, "55")])
def test_an_interruption_of_10_ms_makes_no_second_digit_but_a_pause_of_40_ms_does(pause: int, digits: str) -> None:
    for offset in OFFSETS:
        key = tone("5", 60)
        assert digits_of(heard(moved([*key, *[0.0] * (RATE * pause // 1000), *key], offset))) == digits


def test_digits_may_follow_each_other_as_fast_as_allowed() -> None:
    keys = [value for digit in DIGITS for value in (*tone(digit, 45), *[0.0] * (RATE * 45 // 1000))]
    assert digits_of(heard(keys)) == DIGITS


def test_one_digit_may_follow_another_without_a_pause() -> None:
    assert digits_of(heard([*tone("1", 100), *tone("9", 100)])) == "19"


def test_the_duration_is_told() -> None:
    (digit,) = heard(tone("7", 160))
    assert digit.duration_ms == pytest.approx(160, abs=10)


def test_speech_has_no_digits() -> None:
    pcm = PCMU.create().decode(SPEECH.read_bytes())
    detector = ToneDetector(RATE)
    assert [digit for at in range(0, len(pcm), 320) for digit in detector.feed(pcm[at : at + 320])] == []


def test_digits_in_silence_between_speech_are_heard() -> None:
    pcm = PCMU.create().decode(SPEECH.read_bytes())[: 5 * 2 * RATE]
    keys = array("h", (round(value) for digit in "2580" for value in (*tone(digit, 80), *[0.0] * 800))).tobytes()
    detector = ToneDetector(RATE)
    assert digits_of(detector.feed(pcm + bytes(1600) + keys + pcm)) == "2580"


@settings(max_examples=20)
@given(st.lists(st.integers(0, 500), min_size=20, max_size=60))
def test_it_does_not_matter_how_the_sound_is_cut(cuts: list[int]) -> None:
    pcm = array("h", (round(value) for value in [*[0.0] * 800, *tone("A", 100), *[0.0] * 800])).tobytes()
    detector, found = ToneDetector(RATE), []
    for cut in cuts:
        found += detector.feed(pcm[: 2 * cut])
        pcm = pcm[2 * cut :]
    assert digits_of(found + detector.feed(pcm)) == "A"


# Sending


def sent(digits: str, duration_ms: int, gap_ms: int, rate: int = RATE, size: int = 160) -> array[int]:
    sender = ToneSender()
    sender.queue(digits, duration_ms, gap_ms)
    made = array("h")
    while sender.active:
        made.frombytes(sender.frame(size, rate))
    return made


def level_at(samples: array[int], frequency: float, rate: int = RATE) -> float:
    """Give the level of one frequency in dBm0."""
    step = 2 * pi * frequency / rate
    real = sum(value * cos(step * n) for n, value in enumerate(samples))
    imaginary = sum(value * sin(step * n) for n, value in enumerate(samples))
    return 20 * log10(2 * sqrt(real * real + imaginary * imaginary) / len(samples) / peak_of(0.0))


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("digit", DIGITS)
def test_a_digit_is_two_tones_at_their_levels_and_then_silence(digit: str, rate: int) -> None:
    made = sent(digit, 100, 60, rate, rate // 50)
    assert len(made) == rate * 160 // 1000
    steady = made[rate // 100 : rate * 9 // 100]
    for frequency, level in zip(frequencies_of(digit), (LOW_LEVEL, HIGH_LEVEL), strict=True):
        assert level_at(steady, frequency, rate) == pytest.approx(level, abs=0.3)
    assert set(made[rate // 10 :]) == {0}
    assert max(map(abs, made[:4])) < 3000
    assert max(map(abs, made)) < 32767


@pytest.mark.parametrize("size", [80, 160, 480, 130])
def test_packets_of_any_length_hold_the_same_digits(size: int) -> None:
    made = sent("1#,9", 70, 50, size=size)
    assert digits_of(ToneDetector(RATE).feed(made.tobytes())) == "1#9"
    assert made[: RATE // 4] == sent("1#,9", 70, 50)[: RATE // 4]


def test_a_change_of_the_sample_rate_does_not_stretch_a_digit() -> None:
    sender = ToneSender()
    sender.queue("5", 100, 40)
    sender.frame(480, 8000)
    ends = 0
    while sender.active:
        sender.frame(160, 16000)
        ends += 10
    assert ends == 80


def test_a_cancelled_digit_ends_properly_and_no_other_begins() -> None:
    sender = ToneSender()
    sender.queue("123", 100, 40)
    first = sender.frame(160, RATE)
    sender.cancel()
    pcm = bytearray(first)
    while sender.active:
        pcm += sender.frame(160, RATE)
    assert digits_of(ToneDetector(RATE).feed(bytes(pcm))) == "1"


@pytest.mark.parametrize(
    ("digits", "duration", "gap"), [("", 100, 100), ("X", 100, 100), ("1", 10, 100), ("1", 100, 1)]
)
def test_what_is_no_digit_is_refused(digits: str, duration: int, gap: int) -> None:
    with pytest.raises(RtpUsageError):
        ToneSender().queue(digits, duration, gap)


# Both, through a session and a lossy network


def test_through_5_percent_loss_no_tone_is_missed_or_doubled() -> None:
    wire = Wire(seed=4, faults=Faults(loss=0.05), dtmf_send=None, dtmf_receive=None, hear_tones=True)
    wire.run(0.2)
    for _ in range(100):
        wire.alice.rtp.send_digits(DIGITS, duration_ms=160, gap_ms=60, inband=True)
        wire.run(16 * 0.22)
    wire.run(1)
    told = [event for event in wire.bob.told if isinstance(event, DigitReceived)]
    assert "".join(event.digit for event in told) == 100 * DIGITS
    assert all(event.inband for event in told)
    assert DigitsSent() in wire.alice.told


def test_tones_are_not_looked_for_unless_asked() -> None:
    wire = Wire(dtmf_send=None, dtmf_receive=None)
    wire.alice.rtp.send_digits("123", duration_ms=100, gap_ms=100, inband=True)
    wire.run(1.5)
    assert not [event for event in wire.bob.told if isinstance(event, DigitReceived)]
