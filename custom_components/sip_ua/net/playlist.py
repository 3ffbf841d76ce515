"""The sounds of one stream, one after the other, frame by frame, in the media thread."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import audioop

from .audio_pipe import SAMPLE_BYTES, AudioReader
from .stream_events import PlaybackFinished, PlaybackStarted

SOUND_TIMEOUT: Final = 15.0
"""Seconds in which a sound must go on; longer than a stream of bytes may pause, which has the better text."""


@dataclass(slots=True)
class _Playback:
    """One sound: begun when its first frame was sent, `waiting_since` when it gave nothing."""

    id: int
    reader: AudioReader
    gain: float
    begun: bool = False
    waiting_since: float | None = None


class Playlist:
    """Plays sounds in turn; what becomes of each is told once."""

    def __init__(self, tell: Callable[[PlaybackStarted | PlaybackFinished], None]) -> None:
        """Begin with no sound."""
        self._tell = tell
        self._queue: deque[_Playback] = deque()

    def __bool__(self) -> bool:
        """Tell whether something is played or waits."""
        return bool(self._queue)

    def add(self, playback_id: int, reader: AudioReader, gain: float) -> None:
        """Play a sound when those before it are over."""
        self._queue.append(_Playback(playback_id, reader, gain))

    def change_gain(self, playback_id: int, gain: float) -> None:
        """Play a sound louder or softer from now on."""
        for playback in self._queue:
            if playback.id == playback_id:
                playback.gain = gain

    def stop(self, playback_id: int | None = None) -> None:
        """End one sound before its time, or all."""
        for playback in tuple(self._queue):
            if playback_id in (None, playback.id):
                self._queue.remove(playback)
                self._finish(playback, stopped=True)

    def frame(self, size: int, rate: int, now: float) -> bytes | None:
        """Return the next `size` bytes of PCM at `rate` Hz, less at the end of a sound, None for silence."""
        while self._queue:
            playback = self._queue[0]
            playback.reader.change_rate(rate)
            pcm = playback.reader.read(size)
            if pcm is not None:
                playback.waiting_since = None
                if not playback.begun:
                    playback.begun = True
                    self._tell(PlaybackStarted(playback.id))
                return pcm if playback.gain == 1.0 else audioop.mul(pcm, SAMPLE_BYTES, playback.gain)
            if not playback.reader.finished:
                if not self._is_overdue(playback, now):
                    return None
                playback.reader.error = f"no sound came for {SOUND_TIMEOUT:g} seconds"
            self._queue.popleft()
            self._finish(playback, stopped=False)
        return None

    def _is_overdue(self, playback: _Playback, now: float) -> bool:
        """Tell whether a sound has given nothing for too long."""
        if playback.waiting_since is None:
            playback.waiting_since = now
        return now - playback.waiting_since >= SOUND_TIMEOUT

    def _finish(self, playback: _Playback, *, stopped: bool) -> None:
        """Let the worker go and tell the end."""
        playback.reader.close()
        self._tell(PlaybackFinished(playback.id, playback.reader.error, stopped))
