"""What replaces missing sound, and what shortens or lengthens it, is not heard as a click or a hole."""

from array import array
from math import pi, sin
from random import Random

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.noise import QUIETEST_LEVEL, ComfortNoise
from custom_components.sip_ua.rtp.plc import Concealer, find_period
from custom_components.sip_ua.rtp.stretch import lengthen, shorten

from .wire import Tone, dominant_frequency, largest_step, level, samples

FRAME = 160
FRAME_BYTES = 2 * FRAME


def voiced(frames: int, *, pitch: float = 120.0, rate: int = 8000, samples_each: int = FRAME) -> list[bytes]:
    """Give something like a vowel: a pitch with falling harmonics."""
    total = frames * samples_each
    sound = [
        round(sum(6000 / order * sin(2 * pi * pitch * order * at / rate) for order in range(1, 8)))
        for at in range(total)
    ]
    pcm = array("h", sound).tobytes()
    return [pcm[at : at + 2 * samples_each] for at in range(0, len(pcm), 2 * samples_each)]


def played(frames: list[bytes], lost: set[int], rate: int = 8000) -> bytes:
    concealer = Concealer(rate)
    return b"".join(
        concealer.conceal(len(frame) // 2) if number in lost else concealer.good(frame)
        for number, frame in enumerate(frames)
    )


def test_good_sound_passes_unchanged() -> None:
    frames = voiced(20)
    assert played(frames, set()) == b"".join(frames)


@pytest.mark.parametrize("pitch", [70.0, 120.0, 190.0])
def test_the_pitch_is_found(pitch: float) -> None:
    sound = samples(b"".join(voiced(6, pitch=pitch)))
    period, likeness = find_period(sound, 40, 120, 160)
    assert likeness > 0.95
    # A multiple of the period repeats as well.
    assert min(abs(period - multiple * 8000 / pitch) for multiple in (1, 2, 3)) <= 1


@pytest.mark.parametrize("pitch", [70.0, 120.0, 190.0])
def test_one_lost_frame_of_a_vowel_keeps_level_and_has_no_click(pitch: float) -> None:
    frames = voiced(20, pitch=pitch)
    clean = b"".join(frames)
    sound = played(frames, {10})
    assert len(sound) == len(clean)
    gap = slice(10 * FRAME_BYTES, 11 * FRAME_BYTES)
    assert level(sound[gap]) == pytest.approx(level(clean[gap]), rel=0.25)
    assert largest_step(sound) < 1.3 * largest_step(clean)


@pytest.mark.parametrize("frequency", [440.0, 1000.0, 2100.0])
def test_a_lost_frame_of_a_tone_keeps_its_frequency(frequency: float) -> None:
    tone = Tone(frequency)
    frames = [tone() for _ in range(20)]
    sound = played(frames, {10})
    gap = sound[10 * FRAME_BYTES : 10 * FRAME_BYTES + FRAME]
    assert dominant_frequency(gap) == pytest.approx(frequency, rel=0.03)
    assert level(gap) == pytest.approx(8000 / 2**0.5, rel=0.1)


def test_a_long_gap_fades_to_silence_within_60_ms() -> None:
    frames = voiced(30)
    sound = played(frames, set(range(10, 16)))
    loudness = [level(sound[at : at + FRAME_BYTES]) for at in range(10 * FRAME_BYTES, 16 * FRAME_BYTES, FRAME_BYTES)]
    assert loudness[0] > loudness[1] > loudness[2] > loudness[3] == loudness[4] == 0


def test_after_a_gap_the_sound_is_exact_again() -> None:
    frames = voiced(20)
    sound = played(frames, {10, 11, 12})
    assert sound[14 * FRAME_BYTES :] == b"".join(frames[14:])


def test_a_gap_in_silence_stays_silent() -> None:
    assert played([bytes(FRAME_BYTES)] * 10, {3, 4}) == bytes(10 * FRAME_BYTES)


def test_a_gap_before_the_first_sound_is_silent() -> None:
    assert Concealer(8000).conceal(FRAME) == bytes(FRAME_BYTES)


@pytest.mark.parametrize("rate", [16000, 48000])
def test_other_sample_rates_are_concealed_too(rate: int) -> None:
    frames = voiced(12, rate=rate, samples_each=rate // 50)
    clean = b"".join(frames)
    sound = played(frames, {8}, rate)
    size = len(frames[0])
    gap = slice(8 * size, 9 * size)
    assert level(sound[gap]) == pytest.approx(level(clean[gap]), rel=0.25)
    assert largest_step(sound) < 1.5 * largest_step(clean)


def test_a_jump_is_blended() -> None:
    frames = voiced(20)
    concealer = Concealer(8000)
    before = b"".join(concealer.good(frame) for frame in frames[:10])
    concealer.jump()
    after = concealer.good(frames[13])
    assert len(after) == FRAME_BYTES
    assert after[-100:] == frames[13][-100:]
    assert largest_step(before + after) < 1.3 * largest_step(b"".join(frames))


@given(
    seed=st.integers(0, 1000),
    loudness=st.integers(0, 32767),
    lost=st.sets(st.integers(0, 19), max_size=12),
    sizes=st.lists(st.sampled_from([80, 160, 240, 1]), min_size=20, max_size=20),
)
def test_any_sound_with_any_gaps_keeps_its_length(seed: int, loudness: int, lost: set[int], sizes: list[int]) -> None:
    random = Random(seed)
    frames = [array("h", [random.randint(-loudness, loudness) for _ in range(size)]).tobytes() for size in sizes]
    assert len(played(frames, lost)) == 2 * sum(sizes)


@pytest.mark.parametrize("change", [shorten, lengthen])
@pytest.mark.parametrize("pitch", [150.0, 220.0, 300.0])
def test_a_period_of_a_vowel_is_left_out_or_doubled_without_a_click(change: object, pitch: float) -> None:
    assert callable(change)
    frames = voiced(6, pitch=pitch)
    changed = change(frames[3], 8000)
    assert changed is not None
    moved = abs(len(changed) - FRAME_BYTES) // 2
    assert min(abs(moved - multiple * 8000 / pitch) for multiple in (1, 2, 3)) <= 1
    whole = b"".join([*frames[:3], changed, *frames[4:]])
    assert largest_step(whole) < 1.3 * largest_step(b"".join(frames))
    assert level(changed) == pytest.approx(level(frames[3]), rel=0.1)


def test_shortening_and_lengthening_go_the_right_way() -> None:
    frame = voiced(1, pitch=200.0)[0]
    shorter, longer = shorten(frame, 8000), lengthen(frame, 8000)
    assert shorter is not None
    assert longer is not None
    assert len(shorter) < len(frame) < len(longer)


def test_silence_is_shortened_by_half_and_lengthened_by_half() -> None:
    shorter, longer = shorten(bytes(FRAME_BYTES), 8000), lengthen(bytes(FRAME_BYTES), 8000)
    assert shorter == bytes(FRAME_BYTES // 2)
    assert longer == bytes(FRAME_BYTES * 3 // 2)


def test_loud_sound_without_a_period_is_left_alone() -> None:
    random = Random(3)
    noise = array("h", [random.randint(-20000, 20000) for _ in range(FRAME)]).tobytes()
    assert shorten(noise, 8000) is None
    assert lengthen(noise, 8000) is None


def test_sound_too_short_to_hold_two_periods_is_left_alone() -> None:
    assert shorten(bytes(20), 8000) is None
    assert lengthen(b"", 8000) is None


@pytest.mark.parametrize("decibels", [30, 50, 70])
def test_comfort_noise_has_the_level_told(decibels: int) -> None:
    noise = ComfortNoise(decibels).take(16000)
    assert level(noise) == pytest.approx(32767 * 10 ** (-decibels / 20), rel=0.05)


def test_comfort_noise_of_the_lowest_level_is_silence() -> None:
    assert ComfortNoise(QUIETEST_LEVEL).take(320) == bytes(320)


def test_comfort_noise_goes_on_from_take_to_take() -> None:
    noise = ComfortNoise(40)
    pieces = [noise.take(320) for _ in range(60)]
    assert {len(piece) for piece in pieces} == {320}
    assert len(set(pieces)) == len(pieces)
