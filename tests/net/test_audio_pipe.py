"""The reading end of a pipe never waits, never mixes rates, and says what it has used up."""

from custom_components.sip_ua.net.audio_pipe import (
    AudioChunk,
    AudioEnd,
    AudioPipe,
    AudioReader,
    ChunkPlayed,
    PipeClosed,
    RateWanted,
    ToWorker,
)
from custom_components.sip_ua.net.errors import AudioFault


def orders(pipe: AudioPipe) -> list[ToWorker]:
    return [pipe.control.get_nowait() for _ in range(pipe.control.qsize())]


def test_an_empty_pipe_gives_nothing_and_is_not_at_its_end() -> None:
    reader = AudioReader(AudioPipe(), 8000)

    assert reader.read(4) is None
    assert not reader.finished


def test_frames_run_across_chunks_and_the_last_is_what_is_left() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    for pcm in (b"aabb", b"cc", b"ddee"):
        pipe.sound.put(AudioChunk(0, pcm))
    pipe.sound.put(AudioEnd(0, None))

    assert [reader.read(6), reader.read(6), reader.read(6)] == [b"aabbcc", b"ddee", None]
    assert reader.finished
    assert reader.error is None
    assert orders(pipe) == 3 * [ChunkPlayed(0)]


def test_less_than_a_frame_waits_for_the_rest() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    pipe.sound.put(AudioChunk(0, b"aa"))

    assert reader.read(4) is None
    pipe.sound.put(AudioChunk(0, b"bb"))
    assert reader.read(4) == b"aabb"


def test_sound_of_the_old_rate_is_passed_over_after_a_change() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    pipe.sound.put(AudioChunk(0, b"aabbcc"))
    assert reader.read(2) == b"aa"

    reader.change_rate(16000)
    pipe.sound.put(AudioChunk(0, b"old!"))
    pipe.sound.put(AudioEnd(0, "old end"))
    pipe.sound.put(AudioChunk(1, b"bBcC"))

    assert reader.read(4) == b"bBcC"
    assert not reader.finished
    assert orders(pipe) == [RateWanted(1, 16000, 2), ChunkPlayed(1)]


def test_the_end_of_a_sound_without_any_is_the_end_at_every_rate() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    reader.change_rate(16000)
    pipe.sound.put(AudioEnd(0, "no sound", AudioFault.NO_SOUND))

    assert reader.read(4) is None
    assert (reader.finished, reader.error, reader.fault) == (True, "no sound", AudioFault.NO_SOUND)


def test_a_second_change_of_rate_after_all_was_given_leaves_the_end_as_it_was() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    pipe.sound.put(AudioChunk(0, b"aa"))
    reader.change_rate(16000)
    for message in (AudioEnd(0, "old end"), AudioChunk(1, b"aAaA")):
        pipe.sound.put(message)
    assert reader.read(4) == b"aAaA"
    reader.change_rate(48000)
    pipe.sound.put(AudioEnd(1, None))

    assert reader.read(4) is None
    assert (reader.finished, reader.error) == (True, None)


def test_the_same_rate_changes_nothing() -> None:
    pipe = AudioPipe()

    AudioReader(pipe, 8000).change_rate(8000)

    assert orders(pipe) == []


def test_what_was_carried_over_is_not_counted_against_the_chunk_after_it() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    pipe.sound.put(AudioChunk(0, b"aabbcc"))
    pipe.sound.put(AudioChunk(0, b"ddeeff"))
    assert [reader.read(4), reader.read(4)] == [b"aabb", b"ccdd"]
    assert orders(pipe) == [ChunkPlayed(0)]

    reader.change_rate(16000)

    assert orders(pipe) == [RateWanted(1, 16000, 2)]


def test_the_reason_of_an_end_is_kept() -> None:
    pipe = AudioPipe()
    reader = AudioReader(pipe, 8000)
    pipe.sound.put(AudioEnd(0, "broken"))

    assert reader.read(4) is None
    assert (reader.finished, reader.error) == (True, "broken")


def test_closing_tells_the_worker() -> None:
    pipe = AudioPipe()

    AudioReader(pipe, 8000).close()

    assert orders(pipe) == [PipeClosed()]
