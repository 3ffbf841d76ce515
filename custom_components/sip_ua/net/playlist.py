"""The sounds of one stream, one after the other or one in between, frame by frame, in the media thread."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .audio_pipe import AudioReader
from .errors import AudioFault
from .loudness import Loudness
from .play_order import Placement
from .stream_events import PlaybackFinished, PlaybackStarted

SOUND_TIMEOUT: Final = 35.0
"""Seconds in which a sound must go on; longer than a stream of bytes may pause, which has the better text."""


@dataclass(slots=True)
class _Playback:
    """One sound: begun when its first frame was sent, `waiting_since` when it gave nothing."""

    id: int
    reader: AudioReader
    loudness: Loudness
    interrupts: bool = False
    begun: bool = False
    waiting_since: float | None = None


class Playlist:
    """Plays sounds in turn; what becomes of each is told once. While it is paused, only interruptions are heard."""

    def __init__(self, tell: Callable[[PlaybackStarted | PlaybackFinished], None]) -> None:
        """Begin with no sound."""
        self._tell = tell
        self._queue: deque[_Playback] = deque()
        self._paused = False

    def __bool__(self) -> bool:
        """Tell whether something is played or waits."""
        return bool(self._queue)

    def add(self, playback_id: int, reader: AudioReader, gain: float, placement: Placement = Placement.ADD) -> None:
        """Play a sound when its turn comes."""
        playback = _Playback(playback_id, reader, Loudness(gain), interrupts=placement is Placement.INTERRUPT)
        match placement:
            case Placement.REPLACE:
                self.stop()
            case Placement.PLAY if self._queue:
                self._paused = False
                self._finish(self._queue.popleft(), stopped=True)
        if placement in {Placement.PLAY, Placement.INTERRUPT}:
            self._restart_patience()
            self._queue.appendleft(playback)
        elif placement is Placement.NEXT:
            self._queue.insert(1, playback)
        else:
            self._queue.append(playback)

    def pause(self, *, paused: bool) -> None:
        """Let the sounds stand still, or go on."""
        self._paused = paused
        self._restart_patience()

    def _restart_patience(self) -> None:
        """Count anew how long each sound gives nothing, for nobody asked it meanwhile."""
        for playback in self._queue:
            playback.waiting_since = None

    def change_gain(self, playback_id: int, gain: float) -> None:
        """Play a sound louder or softer from now on."""
        for playback in self._queue:
            if playback.id == playback_id:
                playback.loudness.gain = gain

    def stop(self, playback_id: int | None = None) -> None:
        """End one sound before its time, or all."""
        for playback in tuple(self._queue):
            if playback_id in (None, playback.id):
                self._queue.remove(playback)
                self._finish(playback, stopped=True)

    def frame(self, size: int, rate: int, now: float) -> bytes | None:
        """Return the next `size` bytes of PCM at `rate` Hz, less at the end of a sound, None for silence."""
        place = 0
        while place < len(self._queue):
            playback = self._queue[place]
            if self._paused and not playback.interrupts:
                return None
            playback.reader.change_rate(rate)
            pcm = playback.reader.read(size)
            if pcm is not None:
                playback.waiting_since = None
                if not playback.begun:
                    playback.begun = True
                    self._tell(PlaybackStarted(playback.id))
                return playback.loudness.apply(pcm)
            if not playback.reader.finished:
                if not self._is_overdue(playback, now):
                    if playback.begun or not playback.interrupts:
                        return None
                    place += 1
                    continue
                playback.reader.error = f"no sound came for {SOUND_TIMEOUT:g} seconds"
                playback.reader.fault = AudioFault.TIMED_OUT
            del self._queue[place]
            self._finish(playback, stopped=False)
        return None

    def _is_overdue(self, playback: _Playback, now: float) -> bool:
        """Tell whether a sound has given nothing for too long."""
        if playback.waiting_since is None:
            playback.waiting_since = now
        return now - playback.waiting_since >= SOUND_TIMEOUT

    def _finish(self, playback: _Playback, *, stopped: bool) -> None:
        """Let the worker go and tell the end; where nothing is left, nothing is paused."""
        self._paused = self._paused and bool(self._queue)
        playback.reader.close()
        self._tell(PlaybackFinished(playback.id, playback.reader.error, stopped, playback.reader.fault))
