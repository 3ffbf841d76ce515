"""Sounds of all kinds become PCM of the rate that is wanted, not further ahead than wanted."""

import io
import os
import random
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import av
import pytest
from av.audio import AudioStream
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler

from custom_components.sip_ua.net import audio_decoder
from custom_components.sip_ua.net.audio_decoder import LOOK_AHEAD, AudioDecoder
from custom_components.sip_ua.net.audio_feed import Input
from custom_components.sip_ua.net.audio_pipe import AudioChunk, AudioPipe, AudioReader
from custom_components.sip_ua.net.audio_source import BytesSource, FileSource, RawPcm, SilenceSource, ToneSource
from custom_components.sip_ua.net.resample import pcm_frame

from .media_support import frequency_of, level_of, sine, wav

FRAME = 320


class Playing:
    """A sound that is being decoded in a thread of its own."""

    def __init__(self, source: Input, rate: int, *, loop: bool) -> None:
        self.pipe = AudioPipe()
        self.thread = threading.Thread(target=AudioDecoder(source, self.pipe, rate, loop=loop).run)
        self.thread.start()
        self.reader = AudioReader(self.pipe, rate)

    def frames(self, number: int | None = None, size: int = FRAME) -> bytes:
        """Read so many frames, or all."""
        taken: list[bytes] = []
        deadline = time.monotonic() + 20
        while number is None or len(taken) < number:
            frame = self.reader.read(size)
            if frame is not None:
                taken.append(frame)
            elif self.reader.finished:
                break
            else:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        return b"".join(taken)

    def close(self) -> None:
        self.reader.close()
        self.thread.join(10)


type Play = Callable[..., Playing]


@pytest.fixture
def play() -> Iterator[Play]:
    playing: list[Playing] = []

    def start(source: Input, rate: int = 8000, *, loop: bool = False) -> Playing:
        playing.append(Playing(source, rate, loop=loop))
        return playing[-1]

    yield start
    for one in playing:
        one.close()
        assert not one.thread.is_alive()


def encoded(format_name: str, codec: str, rate: int, seconds: float = 1.0) -> bytes:
    """Encode a sine of 1 kHz in another format."""
    file = io.BytesIO()
    with av.open(file, "w", format=format_name) as output:
        stream = output.add_stream(codec, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.layout = AudioLayout("mono")
        resampler = AudioResampler(format=stream.format, layout="mono", rate=rate)
        for ready in resampler.resample(pcm_frame(sine(1000, seconds), 8000)):
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_keeps_frequency_level_and_length(play: Play, rate: int, channels: int) -> None:
    tone = sine(1000, 1.0, rate=22050)
    if channels == 2:
        tone = b"".join(2 * tone[at : at + 2] for at in range(0, len(tone), 2))

    pcm = play(BytesSource(wav(tone, rate=22050, channels=channels)), rate).frames()

    assert len(pcm) / 2 / rate == pytest.approx(1.0, abs=0.003)
    assert frequency_of(pcm, rate) == pytest.approx(1000, rel=0.001)
    assert level_of(pcm) == pytest.approx(-10, abs=0.2)


@pytest.mark.parametrize(
    ("format_name", "codec", "rate"),
    [("mp3", "libmp3lame", 22050), ("ogg", "libopus", 48000), ("flac", "flac", 44100), ("mp4", "aac", 44100)],
)
def test_other_formats_are_found_out_and_decoded(play: Play, format_name: str, codec: str, rate: int) -> None:
    pcm = play(BytesSource(encoded(format_name, codec, rate))).frames()

    quarter = len(pcm) // 8 * 2
    middle = pcm[quarter : 3 * quarter]
    assert len(pcm) / 16000 == pytest.approx(1.0, abs=0.15)
    assert frequency_of(middle, 8000) == pytest.approx(1000, rel=0.01)
    assert level_of(middle) == pytest.approx(-10, abs=1)


@pytest.mark.parametrize("bits", [8, 24, 32])
def test_wav_files_of_other_sample_sizes_are_decoded(play: Play, bits: int) -> None:
    samples = struct.unpack("<8000h", sine(1000, 1.0))
    size = bits // 8
    if bits == 8:
        data = bytes((sample >> 8) + 128 for sample in samples)
    else:
        data = b"".join((sample << bits - 16).to_bytes(size, "little", signed=True) for sample in samples)
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000 * size, size, bits)

    pcm = play(BytesSource(header + struct.pack("<4sI", b"data", len(data)) + data)).frames()

    assert level_of(pcm) == pytest.approx(-10, abs=0.2)


def test_what_follows_the_samples_in_a_wav_file_is_not_played(play: Play) -> None:
    trailer = b"LIST" + struct.pack("<I", 4000) + bytes(random.Random(1).randbytes(4000))

    pcm = play(BytesSource(wav(sine(1000, 0.5)) + trailer)).frames()

    assert len(pcm) == 8000


def test_chunks_before_the_samples_of_a_wav_file_are_passed_over(play: Play) -> None:
    plain = wav(sine(1000, 0.5))
    odd = b"LIST" + struct.pack("<I", 5) + b"hello\0"

    pcm = play(BytesSource(plain[:12] + odd + plain[12:])).frames()

    assert pcm == sine(1000, 0.5)


def test_a_wav_file_of_a_law_is_left_to_the_decoder(play: Play) -> None:
    pcm = play(BytesSource(encoded("wav", "pcm_alaw", 8000))).frames()

    assert level_of(pcm) == pytest.approx(-10, abs=0.3)


def test_raw_pcm_needs_its_rate_only(play: Play) -> None:
    pcm = play(BytesSource(sine(1000, 0.5, rate=16000), RawPcm(16000))).frames()

    assert frequency_of(pcm, 8000) == pytest.approx(1000, rel=0.001)
    assert len(pcm) / 16000 == pytest.approx(0.5, abs=0.003)


def test_a_tone_above_the_band_of_the_call_is_filtered_and_not_folded_back(play: Play) -> None:
    pcm = play(BytesSource(wav(sine(5000, 0.5, rate=16000), rate=16000))).frames()

    assert level_of(pcm[800:-800]) < -50


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (BytesSource(b""), "nothing in it"),
        (BytesSource(wav(b"")), "nothing in it"),
        (BytesSource(b"This is no sound. " * 100), "no sound that can be played"),
        (BytesSource(random.Random(7).randbytes(20000)), "no sound that can be played"),
        (BytesSource(b"RIFF\0\0\0\0WAVE"), "no sound that can be played"),
        (BytesSource(b"data", "no-such-format"), "no sound that can be played"),
        (FileSource(Path("/nowhere/voice.wav")), "voice.wav cannot be read: No such file"),
        (FileSource(Path("/proc")), "proc is no file"),
        (ToneSource(9000), "9000 Hz"),
        (SilenceSource(0), "nothing in it"),
    ],
)
def test_what_is_no_sound_ends_with_a_reason(play: Play, source: Input, text: str) -> None:
    playing = play(source)

    assert playing.frames() == b""
    assert playing.reader.error is not None
    assert text in playing.reader.error


def test_a_playlist_cannot_open_what_it_names(play: Play, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(wav(sine(1000, 0.5)))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)

    playing = play(FileSource(tmp_path / "list.m3u8"))

    assert playing.frames() == b""
    assert playing.reader.error is not None


def test_a_named_pipe_is_not_waited_for(play: Play, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    playing = play(FileSource(tmp_path / "pipe.wav"))

    assert playing.frames() == b""
    assert playing.reader.error == "pipe.wav is no file"


def test_a_defect_of_a_decoder_is_told_as_an_end(play: Play) -> None:
    with patch.object(audio_decoder, "open_frames", side_effect=RuntimeError("a defect")):
        playing = play(BytesSource(b"data"))
        playing.frames()

    assert playing.reader.error == "the sound cannot be decoded: a defect"


def test_a_file_is_played_from_the_disk(play: Play, tmp_path: Path) -> None:
    (tmp_path / "voice.wav").write_bytes(wav(sine(1000, 0.5)))

    assert play(FileSource(tmp_path / "voice.wav")).frames() == sine(1000, 0.5)


def test_a_broken_end_is_heard_as_far_as_it_goes(play: Play) -> None:
    whole = encoded("mp3", "libmp3lame", 22050)
    broken = whole[: len(whole) // 2] + random.Random(3).randbytes(200)

    assert len(play(BytesSource(broken)).frames()) > 4000


@pytest.mark.parametrize("level", [0.0, -10.0, -40.0])
def test_a_tone_has_its_frequency_level_and_length(play: Play, level: float) -> None:
    pcm = play(ToneSource(440, level, 0.5)).frames()

    assert len(pcm) / 16000 == pytest.approx(0.5, abs=0.003)
    assert frequency_of(pcm, 8000) == pytest.approx(440, rel=0.001)
    assert level_of(pcm) == pytest.approx(level, abs=0.15)


def test_silence_is_silent_for_as_long_as_wanted(play: Play) -> None:
    pcm = play(SilenceSource(0.35)).frames()

    assert set(pcm) == {0}
    assert len(pcm) / 16000 == pytest.approx(0.35, abs=0.005)


def test_a_repeated_sound_goes_on_without_a_gap(play: Play) -> None:
    pcm = play(BytesSource(wav(sine(1000, 0.1))), loop=True).frames(100)

    assert len(pcm) == 100 * FRAME
    assert pcm == (sine(1000, 0.1) * 21)[: len(pcm)]


def test_nothing_that_is_repeated_remains_nothing(play: Play) -> None:
    playing = play(BytesSource(wav(b"")), loop=True)

    assert playing.frames() == b""
    assert playing.reader.error == "there is nothing in it"


def test_the_worker_is_only_so_far_ahead(play: Play) -> None:
    playing = play(ToneSource(440))
    playing.frames(1)
    ahead = 0
    while ahead != (ahead := playing.pipe.sound.qsize()) or not ahead:
        time.sleep(0.05)

    chunks = [playing.pipe.sound.get() for _ in range(ahead)]
    held = sum(len(chunk.pcm) for chunk in chunks if isinstance(chunk, AudioChunk))
    assert held <= 2 * 8000 * (LOOK_AHEAD + 0.4)


@pytest.mark.parametrize("played", [0, 1, 7, 40])
def test_another_rate_goes_on_where_the_old_one_stopped(play: Play, played: int) -> None:
    playing = play(BytesSource(wav(sine(1000, 2.0))))

    before = playing.frames(played)
    playing.reader.change_rate(16000)
    after = playing.frames(size=640)

    assert len(before) / 16000 + len(after) / 32000 == pytest.approx(2.0, abs=0.005)
    assert frequency_of(after, 16000) == pytest.approx(1000, rel=0.002)
    assert level_of(after[640:-640]) == pytest.approx(-10, abs=0.2)


def test_the_rate_can_change_after_all_was_decoded(play: Play) -> None:
    playing = play(BytesSource(wav(sine(1000, 0.5))))
    playing.frames(2)
    time.sleep(0.1)

    playing.reader.change_rate(16000)
    playing.reader.change_rate(8000)
    rest = playing.frames()

    assert len(rest) / 16000 == pytest.approx(0.46, abs=0.005)
    assert playing.reader.error is None


def test_a_closed_pipe_ends_the_worker_in_the_middle(play: Play) -> None:
    playing = play(ToneSource(440))
    playing.frames(3)

    playing.close()

    assert not playing.thread.is_alive()


def test_frames_that_do_not_divide_the_chunks_lose_no_sample(play: Play) -> None:
    source = sine(1000, 1.0)

    assert play(BytesSource(wav(source))).frames(size=474) == source
