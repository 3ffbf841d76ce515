"""Recordings as files: where they may lie, that they can be played whatever happens, and what each fault is called."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from unittest.mock import patch

import av
import pytest

from custom_components.sip_ua.net import recording_file
from custom_components.sip_ua.net.errors import RecordingFault
from custom_components.sip_ua.net.recorder import Recorder, RecordingPipe, RecordingTap
from custom_components.sip_ua.net.recording_order import RecordedSides, RecordingFormat, RecordingOrder
from custom_components.sip_ua.net.stream_events import RecordingFinished, RecordingStarted

from .media_support import level_of, power_at, read_wav, sine, split
from .recording_process import read_sound

REPO = Path(__file__).parents[2]
PROGRAM = """
import sys, types
# The rooms below Home Assistant's do without it, and begin in a tenth of the time.
package = types.ModuleType("custom_components.sip_ua")
package.__path__ = ["custom_components/sip_ua"]
sys.modules[package.__name__] = package
from tests.net.recording_process import main
main(*sys.argv[1:])
"""
FRAME = 320
FORMATS = list(RecordingFormat)


def record(order: RecordingOrder, received: bytes, sent: bytes) -> tuple[list[RecordingStarted], RecordingFinished]:
    """Write both sides of a call at 8000 Hz; return what was told at the beginning and at the end."""
    pipe = RecordingPipe()
    events: list[RecordingStarted | RecordingFinished] = []
    thread = threading.Thread(target=Recorder(order, pipe, events.append).run)
    thread.start()
    tap = RecordingTap(pipe)
    for at in range(0, len(received), FRAME):
        tap.write(received[at : at + FRAME], 8000, sent[at : at + FRAME], 8000)
    tap.close()
    thread.join(20)
    assert not thread.is_alive()
    finished = events[-1]
    assert isinstance(finished, RecordingFinished)
    return [event for event in events if isinstance(event, RecordingStarted)], finished


def order(
    folder: Path,
    file_format: RecordingFormat = RecordingFormat.WAV,
    sides: RecordedSides = RecordedSides.STEREO,
    name: str = "calls/call",
) -> RecordingOrder:
    """Return an order of a new file inside a folder."""
    return RecordingOrder(
        path=folder / f"{name}{file_format.suffix}", sides=sides, file_format=file_format, root=folder
    )


@pytest.mark.parametrize("file_format", FORMATS)
def test_each_side_is_on_its_channel_at_its_level_in_every_format(tmp_path: Path, file_format: RecordingFormat) -> None:
    wanted = order(tmp_path, file_format)

    started, finished = record(wanted, sine(440, 2, level=-15), sine(1000, 2, level=-20))

    assert [event.path for event in started] == [wanted.path]
    assert finished == RecordingFinished(wanted.path, 2.0, size=wanted.path.stat().st_size)
    channels, rate = read_sound(wanted.path)
    ours, theirs = (channel[rate : 3 * rate] for channel in channels)
    assert len(channels[0]) / 2 / rate == pytest.approx(2, abs=0.03)
    assert power_at(ours, 1000, rate) == pytest.approx(0.01, rel=0.1)
    assert power_at(theirs, 440, rate) == pytest.approx(0.0316, rel=0.1)
    assert power_at(ours, 440, rate) < 3e-5
    assert power_at(theirs, 1000, rate) < 3e-5


@pytest.mark.parametrize("file_format", FORMATS)
def test_both_sides_together_are_mixed_in_every_format(tmp_path: Path, file_format: RecordingFormat) -> None:
    wanted = order(tmp_path, file_format, RecordedSides.MIXED)

    record(wanted, sine(440, 1, level=-15), sine(1000, 1, level=-15))

    (mixed,), rate = read_sound(wanted.path)
    assert level_of(mixed[rate // 2 : -rate // 2]) == pytest.approx(-12, abs=0.5)


def test_opus_takes_much_less_room(tmp_path: Path) -> None:
    sizes = [record(order(tmp_path, file_format), sine(440, 5), sine(1000, 5))[1].size for file_format in (*FORMATS,)]

    assert sizes[1] < sizes[0] / 3


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_recording_of_nothing_is_a_file_all_the_same(tmp_path: Path, file_format: RecordingFormat) -> None:
    started, finished = record(order(tmp_path, file_format), b"", b"")

    assert (started, finished.error, finished.seconds) == ([], None, 0)
    assert finished.path.stat().st_size == finished.size > 0


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_name_that_is_taken_gets_a_number(tmp_path: Path, file_format: RecordingFormat) -> None:
    wanted = order(tmp_path, file_format)
    for name in ("call", "call (2)", "call (3)"):
        _, finished = record(wanted, sine(440, 0.2), sine(440, 0.2))
        assert finished.path == wanted.path.with_stem(name)
        assert finished.error is None


def test_too_many_of_one_name_are_refused(tmp_path: Path) -> None:
    with patch.object(recording_file, "SAME_NAMES", 2):
        faults = [record(order(tmp_path), b"", b"")[1].fault for _ in range(3)]

    assert faults == [None, None, RecordingFault.NAMES_TAKEN]


def test_a_link_that_stands_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "media" / "calls").mkdir(parents=True)
    (tmp_path / "media" / "calls" / "call.wav").symlink_to(tmp_path / "secret")

    _, finished = record(order(tmp_path / "media"), sine(440, 0.2), sine(440, 0.2))

    assert finished.path.name == "call (2).wav"
    assert not (tmp_path / "secret").exists()


@pytest.mark.parametrize("way", ["link", "dots"])
def test_nothing_is_written_or_made_outside_of_the_root(tmp_path: Path, way: str) -> None:
    root, outside = tmp_path / "media", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    if way == "link":
        (root / "calls").symlink_to(outside)
    name = "calls/new/call" if way == "link" else "../outside/new/call"

    _, finished = record(order(root, name=name), sine(440, 0.2), sine(440, 0.2))

    assert finished.fault is RecordingFault.OUTSIDE
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    ("obstacle", "fault"),
    [("file", RecordingFault.NOT_WRITABLE), ("name", RecordingFault.NOT_WRITABLE)],
)
def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, obstacle: str, fault: RecordingFault) -> None:
    if obstacle == "file":
        (tmp_path / "calls").write_text("in the way")
    name = "calls/new/call" if obstacle == "file" else "calls/" + 300 * "x"

    started, finished = record(order(tmp_path, name=name), sine(440, 0.2), sine(440, 0.2))

    assert (started, finished.fault, finished.size) == ([], fault, 0)


def test_a_read_only_file_system_is_no_place_to_write_to() -> None:
    _, finished = record(order(Path("/proc"), name="call"), sine(440, 0.2), sine(440, 0.2))

    assert finished.fault is RecordingFault.NOT_WRITABLE


@pytest.mark.parametrize("error", [ImportError("no av"), ValueError("no libopus")])
def test_a_machine_without_an_encoder_says_so_and_makes_no_file(tmp_path: Path, error: Exception) -> None:
    with patch("av.codec.Codec", side_effect=error):
        _, finished = record(order(tmp_path, RecordingFormat.OPUS), sine(440, 0.2), sine(440, 0.2))

    assert finished.fault is RecordingFault.NO_ENCODER
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_is_removed_ends_its_recording(tmp_path: Path, file_format: RecordingFormat) -> None:
    wanted = order(tmp_path, file_format)
    pipe = RecordingPipe()
    events: list[RecordingStarted | RecordingFinished] = []
    thread = threading.Thread(target=Recorder(wanted, pipe, events.append).run)
    thread.start()
    tap = RecordingTap(pipe)
    for _ in range(10):
        tap.write(sine(440, 0.02), 8000, None, 8000)
    assert pipe.written.get(timeout=10).more

    shutil.rmtree(tmp_path / "calls")
    for _ in range(10):
        tap.write(sine(440, 0.02), 8000, None, 8000)
    thread.join(20)

    finished = events[-1]
    assert isinstance(finished, RecordingFinished)
    assert finished.fault is RecordingFault.REMOVED
    tap.close()
    assert not tap.open


def test_a_wav_file_ends_where_its_header_can_count_no_further(tmp_path: Path) -> None:
    with patch.object(recording_file, "LARGEST_SIZE", 4 * 16000):
        _, finished = record(order(tmp_path), sine(440, 3), sine(440, 3))

    assert (finished.fault, finished.seconds) == (RecordingFault.TOO_LONG, 2.0)
    assert len(read_wav(finished.path)[0]) == 4 * 16000


def run_process(
    task: str, folder: Path, file_format: RecordingFormat, *before: str
) -> subprocess.CompletedProcess[str]:
    """Record in a process of its own."""
    command = [*before, sys.executable, "-c", PROGRAM, task, str(folder), file_format.value]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_recording_whose_process_is_killed_can_be_played(tmp_path: Path, file_format: RecordingFormat) -> None:
    killed = run_process("killed", tmp_path, file_format)

    assert killed.returncode == -signal.SIGKILL
    (left, _), rate = read_sound(next(tmp_path.glob("call.*")))
    assert 3 <= len(left) / 2 / rate <= 5
    assert power_at(left[rate:-rate], 1000, rate) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_may_not_grow_any_more_can_be_played(tmp_path: Path, file_format: RecordingFormat) -> None:
    told = json.loads(run_process("limited", tmp_path, file_format).stdout)

    assert_broke_off(told)


@pytest.mark.peer("namespaces")
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_recording_on_a_disk_that_is_full_can_be_played(tmp_path: Path, file_format: RecordingFormat) -> None:
    alone = ("unshare", "--user", "--map-root-user", "--mount")

    done = run_process("full", tmp_path, file_format, *alone)

    assert done.returncode == 0, done.stderr
    assert_broke_off(json.loads(done.stdout))


@pytest.mark.peer("namespaces")
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_disk_without_any_room_is_told_at_once_and_keeps_no_empty_file(
    tmp_path: Path, file_format: RecordingFormat
) -> None:
    done = run_process("no_room", tmp_path, file_format, "unshare", "--user", "--map-root-user", "--mount")

    told = json.loads(done.stdout)
    assert (told["fault"], told["seconds"], told["files"]) == ("disk_full", 0, [])
    assert "No space left" in told["error"]


def assert_broke_off(told: dict[str, object]) -> None:
    """Check that a recording ended for want of room, and that what there is can be played to its end."""
    assert told["fault"] == "disk_full"
    assert isinstance(told["seconds"], float)
    assert isinstance(told["played"], float)
    assert told["size"] == told["size_there"]
    assert told["played"] > 1
    assert told["played"] == pytest.approx(told["seconds"], abs=3)
    assert told["power"] == pytest.approx(0.1, rel=0.1)


def test_pyav_is_what_tells_the_channels_apart(tmp_path: Path) -> None:
    """The measuring instrument: left and right of a file that was written without any of our code."""
    path = tmp_path / "there.wav"
    with av.open(path, "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="stereo")
        frame = av.AudioFrame(format="s16", layout="stereo", samples=2)
        frame.sample_rate = 8000
        frame.planes[0].update(bytes(range(8)))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read_sound(path) == (list(split(bytes(range(8)))), 8000)
