"""Recordings keep time whatever is missing, and are readable whatever happens."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net import recorder as recorder_module
from custom_components.sip_ua.net.errors import RecordingFault
from custom_components.sip_ua.net.recorder import Recorder, RecordingPipe, RecordingTap
from custom_components.sip_ua.net.recording_order import RecordedSides, RecordingOrder
from custom_components.sip_ua.net.stream_events import RecordingFinished, RecordingStarted
from custom_components.sip_ua.net.wav_header import WavFormat, read_wav_header, write_wav_header

from .media_support import first_loud, frequency_of, level_of, read_wav, sine, split

FRAME = 320


class Recording:
    """A recorder in its thread and the tap that feeds it."""

    def __init__(self, path: Path, sides: RecordedSides) -> None:
        self.path = path
        self.pipe = RecordingPipe()
        self.tap = RecordingTap(self.pipe)
        self.events: list[RecordingStarted | RecordingFinished] = []
        recorder = Recorder(RecordingOrder(path=path, sides=sides), self.pipe, self.events.append)
        self.thread = threading.Thread(target=recorder.run)

    @property
    def finished(self) -> list[RecordingFinished]:
        """Return what was told at the end."""
        return [event for event in self.events if isinstance(event, RecordingFinished)]

    def feed(self, pcm: bytes, rate: int = 8000, sent: bytes | None = None) -> None:
        """Write sound frame by frame."""
        size = rate // 50 * 2
        for at in range(0, len(pcm), size):
            self.tap.write(pcm[at : at + size], rate, None if sent is None else sent[at : at + size], rate)

    def feed_both(self, received: bytes, sent: bytes, sent_rate: int, received_rate: int = 8000) -> None:
        """Write sound of both sides frame by frame."""
        size, sent_size = received_rate // 50 * 2, sent_rate // 50 * 2
        for frame in range(len(received) // size):
            heard = received[frame * size : (frame + 1) * size]
            self.tap.write(heard, received_rate, sent[frame * sent_size : (frame + 1) * sent_size], sent_rate)

    def complete(self) -> bytes:
        """End the recording and return its samples."""
        if not self.thread.ident:
            self.thread.start()
        self.tap.close()
        self.thread.join(10)
        assert [event.error for event in self.finished] == [None]
        return read_wav(self.path)[0]


@pytest.fixture
def recording(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Recording]:
    made = Recording(tmp_path / "call.wav", getattr(request, "param", RecordedSides.RECEIVED))
    yield made
    made.pipe.close()
    if made.thread.ident:
        made.thread.join(10)


def test_what_was_heard_is_written_to_the_sample(recording: Recording) -> None:
    recording.thread.start()
    recording.feed(sine(1000, 1.1))

    assert recording.complete() == sine(1000, 1.1)
    assert recording.finished[0].seconds == pytest.approx(1.1)


def test_an_empty_recording_is_a_wav_file(recording: Recording) -> None:
    assert recording.complete() == b""


@pytest.mark.parametrize("recording", [RecordedSides.MIXED], indirect=True)
def test_our_silence_is_as_long_as_their_voice(recording: Recording) -> None:
    recording.feed(sine(1000, 0.3))
    recording.feed(sine(1000, 0.3), sent=sine(1000, 0.3))

    pcm = recording.complete()

    assert pcm[:4800] == sine(1000, 0.3)
    assert level_of(pcm[4800:]) == pytest.approx(-10 + 6, abs=0.1)


@pytest.mark.parametrize("recording", [RecordedSides.MIXED], indirect=True)
def test_both_voices_together_are_cut_and_do_not_wrap_around(recording: Recording) -> None:
    loud = sine(1000, 0.2, level=-1)
    recording.feed(loud, sent=loud)

    assert level_of(recording.complete()) > 0


def test_another_rate_in_the_middle_keeps_time_and_pitch(recording: Recording) -> None:
    recording.feed(sine(1000, 0.5))
    recording.feed(sine(1000, 0.5, rate=16000), rate=16000)

    pcm = recording.complete()

    assert read_wav(recording.path)[1] == 8000
    assert len(pcm) / 16000 == pytest.approx(1.0, abs=0.02)
    assert frequency_of(pcm[8800:], 8000) == pytest.approx(1000, rel=0.002)


def test_a_slow_disk_leaves_silence_and_no_shift(recording: Recording) -> None:
    with patch.object(recorder_module, "MAX_WAITING", 2):
        recording.feed(sine(1000, 1.0))
        recording.thread.start()
        while recording.pipe.written.qsize() < 2:
            pass
        recording.feed(sine(1000, 0.4))
        pcm = recording.complete()

    assert len(pcm) == 1.4 * 16000
    assert pcm[:6400] == sine(1000, 0.4)
    assert pcm[6400:16000] == bytes(9600)
    assert pcm[16000:] == sine(1000, 0.4)


def test_a_recording_cut_off_by_a_loss_of_power_can_be_read(recording: Recording) -> None:
    recording.thread.start()
    recording.feed(sine(1000, 2.2))
    while recording.pipe.written.qsize() < 11:
        pass

    with recording.path.open("rb") as file:
        header = read_wav_header(file.read)
        pcm = file.read()

    assert header == WavFormat(8000, 1, 16, 2 * 16000)
    assert pcm == sine(1000, 2.2)
    assert read_wav(recording.path)[0] == sine(1000, 2.0)
    recording.complete()


def test_a_recording_cut_off_in_its_first_second_can_be_read(recording: Recording) -> None:
    recording.thread.start()
    recording.feed(sine(1000, 0.4))
    while recording.pipe.written.qsize() < 2:
        pass

    with recording.path.open("rb") as file:
        assert read_wav_header(file.read) == WavFormat(8000, 1, 16, None)
        assert file.read() == sine(1000, 0.4)
    recording.complete()


def test_a_time_in_which_the_machine_stood_still_is_silence(recording: Recording) -> None:
    recording.feed(sine(1000, 0.4))
    recording.tap.skip(0.5)
    recording.feed(sine(1000, 0.4))

    pcm = recording.complete()

    assert pcm == sine(1000, 0.4) + bytes(8000) + sine(1000, 0.4)
    assert recording.finished[0].lost == 0.5


@pytest.mark.parametrize("recording", [RecordedSides.STEREO], indirect=True)
@pytest.mark.parametrize("sent_rate", [8000, 16000, 48000])
def test_both_sides_stay_aligned_whatever_their_rates(recording: Recording, sent_rate: int) -> None:
    for _ in range(4):
        recording.feed_both(sine(1000, 0.5), sine(1000, 0.5, rate=sent_rate), sent_rate)
        recording.feed_both(bytes(8000), bytes(sent_rate), sent_rate)
        recording.feed_both(sine(1000, 0.5, rate=16000), sine(1000, 0.5), 8000, received_rate=16000)
        recording.feed_both(bytes(16000), bytes(8000), 8000, received_rate=16000)

    recording.complete()

    pcm, rate, channels = read_wav(recording.path)
    assert (rate, channels) == (sent_rate, 2)
    assert len(pcm) == 8 * 4 * rate
    ours, theirs = split(pcm)
    for number in range(8):
        begins = [first_loud(side, from_sample=round((number - 0.1) * rate)) / rate for side in (ours, theirs)]
        assert begins == pytest.approx([number, number], abs=0.002)


@pytest.mark.parametrize("recording", [RecordedSides.STEREO], indirect=True)
def test_in_stereo_we_are_on_the_left(recording: Recording) -> None:
    recording.feed(sine(1000, 0.4), sent=sine(440, 0.4, level=-20))

    ours, theirs = split(recording.complete())

    assert (ours, theirs) == (sine(440, 0.4, level=-20), sine(1000, 0.4))


def test_a_tap_notices_that_its_writer_gave_up(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "none" / "call.wav", RecordedSides.RECEIVED)
    recording.thread.start()
    recording.thread.join(10)

    recording.feed(sine(1000, 0.2))

    assert not recording.tap.open
    assert recording.finished[0].fault is RecordingFault.NOT_WRITABLE
    assert recording.finished[0].error is not None
    assert recording.finished[0].seconds == 0


@pytest.mark.parametrize(
    ("size", "read"), [(2, 2), (10**6, 10**6), (2**32 - 37, 2**32 - 37), (0, None), (2**40, None), (None, None)]
)
def test_a_header_is_read_as_it_was_written(size: int | None, read: int | None) -> None:
    header = write_wav_header(16000, 2, size)

    assert len(header) == 44
    assert read_wav_header(io.BytesIO(header).read) == WavFormat(16000, 2, 16, read)
