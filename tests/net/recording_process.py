"""Recordings whose disk or process comes to an end, made in a process of their own, and how tests read recordings."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import av

from custom_components.sip_ua.net.recorder import Recorder, RecordingPipe, RecordingTap
from custom_components.sip_ua.net.recording_order import RecordedSides, RecordingFormat, RecordingOrder
from custom_components.sip_ua.net.stream_events import RecordingFinished, RecordingStarted

from .media_support import power_at, sine, split

BLOCK_SECONDS = 0.2
ROOM = {RecordingFormat.WAV: 96 * 1024, RecordingFormat.OPUS: 48 * 1024}
"""Bytes for some seconds of stereo."""


def read_sound(path: Path) -> tuple[list[bytes], int]:
    """Return the PCM of each channel and the sample rate of any file of sound, as a player would hear it."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        layout, rate = stream.layout.name, stream.rate
        resampler = av.AudioResampler(format="s16", layout=layout, rate=rate)
        frames = [piece for frame in container.decode(stream) for piece in resampler.resample(frame)]
        frames += resampler.resample(None)
        size = 2 * stream.layout.nb_channels
    pcm = b"".join(bytes(frame.planes[0])[: size * frame.samples] for frame in frames)
    return (list(split(pcm)) if size == 4 else [pcm]), rate


class Endless:
    """A recording of two tones that is fed as fast as it is written."""

    def __init__(self, path: Path, file_format: RecordingFormat) -> None:
        self.events: list[RecordingStarted | RecordingFinished] = []
        self._pipe = RecordingPipe()
        self._tap = RecordingTap(self._pipe)
        order = RecordingOrder(path=path, sides=RecordedSides.STEREO, file_format=file_format, root=path.parent)
        self.thread = threading.Thread(target=Recorder(order, self._pipe, self.events.append).run, daemon=True)
        self.thread.start()
        self._heard, self._said = sine(440, BLOCK_SECONDS), sine(1000, BLOCK_SECONDS)

    def feed(self, seconds: float) -> None:
        """Write so much, or up to the end."""
        for _ in range(round(seconds / BLOCK_SECONDS)):
            for at in range(0, len(self._heard), 320):
                self._tap.write(self._heard[at : at + 320], 8000, self._said[at : at + 320], 8000)
            # The block is on the disk, or nothing more will be.
            if not self._pipe.written.get(timeout=30).more:
                return

    def finish(self) -> RecordingFinished:
        """Wait for the end."""
        self._pipe.close()
        self.thread.join(30)
        finished = self.events[-1]
        assert isinstance(finished, RecordingFinished)
        return finished


def main(task: str, place: str, kind: str) -> None:
    """Record until what the task names, and print how that went."""
    folder, file_format = Path(place), RecordingFormat(kind)
    room = ROOM[file_format]
    if task in {"full", "no_room"}:
        size = f"size={room // 4096 * 4096}" if task == "full" else "nr_inodes=4,size=4096"
        subprocess.run(("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)), check=True)
    if task == "no_room":
        (folder / "fill").write_bytes(bytes(4096))
    if task == "limited":
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    path = folder / f"call{file_format.suffix}"
    recording = Endless(path, file_format)
    if task == "killed":
        recording.feed(5)
        os.kill(os.getpid(), signal.SIGKILL)
    recording.feed(60)
    finished = recording.finish()
    told: dict[str, object] = {
        "fault": finished.fault,
        "error": finished.error,
        "seconds": finished.seconds,
        "size": finished.size,
        "files": [found.name for found in folder.iterdir() if found.name != "fill"],
    }
    if finished.seconds:
        (left, _), rate = read_sound(path)
        told |= {
            "played": len(left) / 2 / rate,
            "power": power_at(left[rate:-rate], 1000, rate),
            "size_there": path.stat().st_size,
        }
    sys.stdout.write(json.dumps(told))
