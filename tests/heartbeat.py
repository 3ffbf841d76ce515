"""A process of its own that notes when the machine stood still: each processor wakes it every hundredth of a second.

Nothing that a test does to its own process, to a lock or to a loop of it, is noted. Run as a program it is sent lines
with a moment of the monotonic clock, answers each with the stand-stills since then in ms, and ends with its input.
"""

import os
import subprocess
import sys
import threading
import time
from collections import deque
from typing import override

BEAT_SECONDS = 0.01
STANDSTILL_MS = 60.0
"""A busy machine is late by some ms; what is later than this, a voice of a packet every 20 ms cannot make up for."""
REMEMBERED = 1_000


class Beat(threading.Thread):
    """Wakes up on one processor, and notes the times in which that was not possible."""

    def __init__(self, processor: int | None, shortest_ms: float) -> None:
        super().__init__(daemon=True)
        self.last = time.monotonic()
        self.standstills: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._processor = processor
        self._shortest_ms = shortest_ms

    @override
    def run(self) -> None:
        """Note each stand-still and when it was over."""
        if self._processor is not None:
            os.sched_setaffinity(0, {self._processor})
        while True:
            time.sleep(BEAT_SECONDS)
            now = time.monotonic()
            late_ms = round(1000 * (now - self.last - BEAT_SECONDS))
            if late_ms >= self._shortest_ms:
                self.standstills.append((now, late_ms))
            self.last = now

    def since(self, moment: float) -> list[int]:
        """Return the stand-stills that were not over at a moment."""
        asked = time.monotonic()
        # The asker can be awake before the beat that tells of it.
        while self.last < asked:
            time.sleep(BEAT_SECONDS / 10)
        return [late_ms for over, late_ms in self.standstills.copy() if over > moment]


def main(shortest_ms: float) -> None:
    """Answer until nobody asks any more."""
    # Elsewhere than on Linux a thread cannot be kept on a processor.
    processors: list[int | None] = [*os.sched_getaffinity(0)] if sys.platform == "linux" else [None]
    beats = [Beat(processor, shortest_ms) for processor in processors]
    for beat in beats:
        beat.start()
    for line in sys.stdin:
        moment = float(line)
        told = [late_ms for beat in beats for late_ms in beat.since(moment)]
        sys.stdout.write(f"{' '.join(map(str, told))}\n")
        sys.stdout.flush()


class Heartbeat:
    """The process as the tests see it."""

    def __init__(self, shortest_ms: float = STANDSTILL_MS) -> None:
        """Prepare to note what lasts at least `shortest_ms`."""
        self._shortest_ms = shortest_ms
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin to watch, unless that is done already."""
        if self._process is None:
            command = [sys.executable, "-I", "-S", __file__, str(self._shortest_ms)]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            # The first answer comes when it watches.
            self.since(time.monotonic())

    def since(self, moment: float) -> list[int]:
        """Return the stand-stills since a moment of the monotonic clock, in ms; none if nobody watches."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return []
        try:
            self._process.stdin.write(f"{moment}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return []
        return [int(late_ms) for late_ms in self._process.stdout.readline().split()]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


if __name__ == "__main__":
    main(float(sys.argv[1]))
