"""Sounds one after the other: volume without wrap-around, reasons told once, and no sound that hangs forever."""

import array

import pytest

from custom_components.sip_ua.net.audio_pipe import AudioChunk, AudioEnd, AudioPipe, AudioReader
from custom_components.sip_ua.net.media_stream import gain_factor
from custom_components.sip_ua.net.playlist import SOUND_TIMEOUT, Playlist
from custom_components.sip_ua.net.stream_events import PlaybackFinished, PlaybackStarted

from .media_support import level_of, sine

FRAME = 320


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


def test_what_is_too_loud_is_cut_and_does_not_wrap_around(playlist: Playlist) -> None:
    source = sine(1000, 0.02, level=-3.0)
    playlist.add(1, sound(source), gain_factor(30))

    pcm = playlist.frame(FRAME, 8000, 0.0)

    assert pcm is not None
    before, after = array.array("h", source), array.array("h", pcm)
    assert max(after) == 32767
    assert min(after) == -32768
    assert all(one * other >= 0 for one, other in zip(before, after, strict=True))


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

    assert told == [PlaybackFinished(1, f"no sound came for {SOUND_TIMEOUT:g} seconds")]


def test_one_sound_or_all_can_be_stopped(playlist: Playlist, told: Told) -> None:
    for number in (1, 2, 3):
        playlist.add(number, sound(b"aa" * 1600), 1.0)
    playlist.frame(FRAME, 8000, 0.0)

    playlist.stop(2)
    assert told == [PlaybackStarted(1), PlaybackFinished(2, stopped=True)]
    playlist.stop()

    assert told[2:] == [PlaybackFinished(1, stopped=True), PlaybackFinished(3, stopped=True)]
    assert playlist.frame(FRAME, 8000, 0.0) is None
