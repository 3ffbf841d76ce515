"""Sounds one after the other: volume without wrap-around, reasons told once, and no sound that hangs forever."""

import array

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.net.audio_pipe import AudioChunk, AudioEnd, AudioPipe, AudioReader
from custom_components.sip_ua.net.errors import AudioFault
from custom_components.sip_ua.net.loudness import Loudness, gain_factor
from custom_components.sip_ua.net.play_order import Placement
from custom_components.sip_ua.net.playlist import SOUND_TIMEOUT, Playlist
from custom_components.sip_ua.net.stream_events import PlaybackFinished, PlaybackStarted

from .media_support import level_of, sine

FRAME = 320


def distortion(heard: bytes, source: bytes) -> float:
    """Return the part of the power that is not the source at some volume."""
    one, other = array.array("h", heard), array.array("h", source)
    factor = sum(a * b for a, b in zip(one, other, strict=True)) / sum(b * b for b in other)
    rest = sum((a - factor * b) ** 2 for a, b in zip(one, other, strict=True))
    return rest / sum(a * a for a in one)


class Told(list[PlaybackStarted | PlaybackFinished]):
    """What a playlist told."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def playlist(told: Told) -> Playlist:
    return Playlist(told.append)


def sound(pcm: bytes, *, end: bool = True, error: str | None = None) -> AudioReader:
    pipe = AudioPipe()
    if pcm:
        pipe.sound.put(AudioChunk(0, pcm))
    if end:
        pipe.sound.put(AudioEnd(0, error))
    return AudioReader(pipe, 8000)


@pytest.mark.parametrize("volume", [-20.0, -6.0, 0.0, 3.0])
def test_the_volume_changes_the_level_by_as_many_decibels(playlist: Playlist, volume: float) -> None:
    playlist.add(1, sound(sine(1000, 0.02)), gain_factor(volume))

    pcm = playlist.frame(FRAME, 8000, 0.0)

    assert pcm is not None
    assert level_of(pcm) == pytest.approx(-10 + volume, abs=0.1)


def test_what_would_be_too_loud_is_as_loud_as_it_can_be_and_not_distorted(playlist: Playlist) -> None:
    source = sine(1000, 1.0, level=-3.0)
    playlist.add(1, sound(source), gain_factor(12))

    heard = b"".join(playlist.frame(FRAME, 8000, 0.0) or b"" for _ in range(50))

    assert level_of(heard) == pytest.approx(0, abs=0.1)
    assert distortion(heard, source) < 0.001


def test_a_loud_word_turns_the_volume_down_without_a_cut_and_it_comes_back(playlist: Playlist) -> None:
    source = sine(1000, 0.5, level=-20.0) + sine(1000, 0.5, level=-3.0) + sine(1000, 2.0, level=-20.0)
    playlist.add(1, sound(source), gain_factor(12))

    heard = b"".join(playlist.frame(FRAME, 8000, 0.0) or b"" for _ in range(150))

    second = 16000
    assert level_of(heard[: second // 2]) == pytest.approx(-8, abs=0.1)
    assert level_of(heard[second // 2 : second]) == pytest.approx(0, abs=0.1)
    assert level_of(heard[second : second + FRAME]) == pytest.approx(-17, abs=0.3), "it comes back slowly"
    assert level_of(heard[-FRAME:]) == pytest.approx(-8, abs=0.1)
    before, after = array.array("h", source), array.array("h", heard)
    assert all(one * other >= 0 for one, other in zip(before, after, strict=True))
    assert sum(abs(sample) >= 32766 for sample in after) <= len(after) // 20, "only the crests reach full scale"


@given(st.binary(max_size=640).filter(lambda pcm: len(pcm) % 2 == 0), st.lists(st.floats(0, 32), min_size=1))
def test_no_volume_turns_a_sample_around_or_changes_the_length(pcm: bytes, gains: list[float]) -> None:
    loudness = Loudness(gains[0])
    for gain in gains:
        loudness.gain = gain
        heard = array.array("h", loudness.apply(pcm))
        assert len(heard) == len(pcm) // 2
        # Rounding is downwards, so that a faint negative sample stays negative.
        assert all(one * other >= 0 for one, other in zip(array.array("h", pcm), heard, strict=True))


def test_the_lowest_volume_is_silence_and_the_highest_is_bounded() -> None:
    assert gain_factor(-60) == 0
    assert gain_factor(0) == 1
    assert gain_factor(1000) == gain_factor(30)


def test_the_volume_can_be_changed_while_a_sound_plays(playlist: Playlist) -> None:
    playlist.add(1, sound(sine(1000, 0.04)), 1.0)
    playlist.frame(FRAME, 8000, 0.0)

    playlist.change_gain(1, 0.0)
    playlist.change_gain(99, 5.0)

    assert playlist.frame(FRAME, 8000, 0.0) == bytes(FRAME)


def test_sounds_follow_each_other_without_a_frame_between(playlist: Playlist, told: Told) -> None:
    playlist.add(1, sound(b"aa" * 160), 1.0)
    playlist.add(2, sound(b"bb" * 160), 1.0)

    assert playlist.frame(FRAME, 8000, 0.0) == b"aa" * 160
    assert playlist.frame(FRAME, 8000, 0.0) == b"bb" * 160
    assert playlist.frame(FRAME, 8000, 0.0) is None
    assert told == [PlaybackStarted(1), PlaybackFinished(1), PlaybackStarted(2), PlaybackFinished(2)]
    assert not playlist


def test_a_sound_that_cannot_be_played_makes_way_for_the_next(playlist: Playlist, told: Told) -> None:
    playlist.add(1, sound(b"", error="no sound"), 1.0)
    playlist.add(2, sound(b"bb" * 160), 1.0)

    assert playlist.frame(FRAME, 8000, 0.0) == b"bb" * 160
    assert told[0] == PlaybackFinished(1, "no sound")


def test_a_sound_that_is_slow_leaves_silence_and_goes_on(playlist: Playlist, told: Told) -> None:
    pipe = AudioPipe()
    playlist.add(1, AudioReader(pipe, 8000), 1.0)

    assert playlist.frame(FRAME, 8000, 0.0) is None
    pipe.sound.put(AudioChunk(0, b"aa" * 160))
    assert playlist.frame(FRAME, 8000, 10.0) == b"aa" * 160
    assert playlist.frame(FRAME, 8000, 20.0) is None
    assert told == [PlaybackStarted(1)]


def test_a_sound_that_hangs_is_given_up(playlist: Playlist, told: Told) -> None:
    playlist.add(1, sound(b"", end=False), 1.0)

    playlist.frame(FRAME, 8000, 100.0)
    playlist.frame(FRAME, 8000, 100.0 + SOUND_TIMEOUT - 0.1)
    assert told == []
    playlist.frame(FRAME, 8000, 100.0 + SOUND_TIMEOUT)

    text = f"no sound came for {SOUND_TIMEOUT:g} seconds"
    assert told == [PlaybackFinished(1, text, fault=AudioFault.TIMED_OUT)]


def test_one_sound_or_all_can_be_stopped(playlist: Playlist, told: Told) -> None:
    for number in (1, 2, 3):
        playlist.add(number, sound(b"aa" * 1600), 1.0)
    playlist.frame(FRAME, 8000, 0.0)

    playlist.stop(2)
    assert told == [PlaybackStarted(1), PlaybackFinished(2, stopped=True)]
    playlist.stop()

    assert told[2:] == [PlaybackFinished(1, stopped=True), PlaybackFinished(3, stopped=True)]
    assert playlist.frame(FRAME, 8000, 0.0) is None


def letters(playlist: Playlist, frames: int) -> str:
    """Return which sounds the next frames are of, "-" for none."""
    heard = [playlist.frame(FRAME, 8000, 0.0) for _ in range(frames)]
    return "".join("-" if pcm is None else chr(pcm[0]) for pcm in heard)


def add(playlist: Playlist, letter: str, placement: Placement = Placement.ADD, frames: int = 2) -> None:
    playlist.add(ord(letter), sound(letter.encode() * FRAME * frames), 1.0, placement)


@pytest.mark.parametrize(
    ("placement", "heard"),
    [
        (Placement.ADD, "aabbcc"),
        (Placement.NEXT, "aaccbb"),
        (Placement.PLAY, "accbb-"),
        (Placement.INTERRUPT, "accabb"),
        (Placement.REPLACE, "acc---"),
    ],
)
def test_a_new_sound_goes_where_it_is_wanted(playlist: Playlist, told: Told, placement: Placement, heard: str) -> None:
    add(playlist, "a")
    add(playlist, "b")
    first = letters(playlist, 1)
    add(playlist, "c", placement)

    assert first + letters(playlist, 5) == heard
    letters(playlist, 1)
    ended = {chr(event.playback_id): event.stopped for event in told if isinstance(event, PlaybackFinished)}
    assert ended == {letter: letter not in heard.rstrip("-") or heard.count(letter) < 2 for letter in "abc"}


@pytest.mark.parametrize("placement", list(Placement))
def test_where_nothing_plays_every_sound_is_heard_at_once(playlist: Playlist, placement: Placement) -> None:
    add(playlist, "a", placement)
    assert letters(playlist, 3) == "aa-"


def test_an_interruption_that_is_not_ready_leaves_the_present_sound_playing(playlist: Playlist) -> None:
    add(playlist, "a", frames=6)
    pipe = AudioPipe()
    playlist.add(1, AudioReader(pipe, 8000), 1.0, Placement.INTERRUPT)
    before = letters(playlist, 2)

    pipe.sound.put(AudioChunk(0, b"c" * FRAME))
    during = letters(playlist, 2)
    pipe.sound.put(AudioEnd(0, None))

    assert before + during + letters(playlist, 3) == "aac-aaa"


def test_an_interruption_that_hangs_is_given_up_and_harms_nothing(playlist: Playlist, told: Told) -> None:
    add(playlist, "a", frames=6)
    playlist.add(1, sound(b"", end=False), 1.0, Placement.INTERRUPT)
    letters(playlist, 2)

    assert playlist.frame(FRAME, 8000, SOUND_TIMEOUT) == b"a" * FRAME
    (finished,) = [event for event in told if isinstance(event, PlaybackFinished)]
    assert (finished.playback_id, finished.fault) == (1, AudioFault.TIMED_OUT)


def test_what_was_interrupted_while_it_waited_is_as_patient_as_before(playlist: Playlist, told: Told) -> None:
    playlist.add(1, sound(b"", end=False), 1.0)
    playlist.frame(FRAME, 8000, 0.0)
    playlist.add(2, sound(b"c" * FRAME), 1.0, Placement.INTERRUPT)
    playlist.frame(FRAME, 8000, SOUND_TIMEOUT - 1)

    assert playlist.frame(FRAME, 8000, SOUND_TIMEOUT + 1) is None
    assert told == [PlaybackStarted(2), PlaybackFinished(2)]


def test_paused_sounds_stand_still_and_an_interruption_is_heard_all_the_same(playlist: Playlist) -> None:
    add(playlist, "a", frames=4)
    heard = letters(playlist, 1)
    playlist.pause(paused=True)
    heard += letters(playlist, 2)
    add(playlist, "c", Placement.INTERRUPT)
    heard += letters(playlist, 3)
    playlist.pause(paused=False)

    assert heard + letters(playlist, 4) == "a--cc-aaa-"


@pytest.mark.parametrize("placement", [Placement.PLAY, Placement.REPLACE])
def test_what_takes_the_place_of_a_paused_sound_is_heard(playlist: Playlist, placement: Placement) -> None:
    add(playlist, "a", frames=4)
    letters(playlist, 1)
    playlist.pause(paused=True)
    add(playlist, "c", placement)

    assert letters(playlist, 3) == "cc-"


def test_after_a_stop_nothing_is_paused(playlist: Playlist) -> None:
    add(playlist, "a")
    playlist.pause(paused=True)
    playlist.stop()
    add(playlist, "b")

    assert letters(playlist, 2) == "bb"
