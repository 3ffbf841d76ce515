"""Tells voice from silence in what we send, so that nothing need be sent in silence (RFC 3389, RFC 7587 section 3.1.3).

What is played is silent only where next to nothing is in it, however softly somebody wants it played. The voices of
joined calls have a room behind them: silence is what is hardly louder than that room.
"""

from math import log10
from typing import Final

import audioop

from ..rtp.noise import DEFAULT_LEVEL

SAMPLE_BYTES: Final = 2
FULL_SCALE: Final = 0x7FFF
HANGOVER: Final = 240
"""Milliseconds for which silence is sent as voice: a word ends softly, and a pause within a sentence is short."""


def _amplitude(level: int) -> float:
    """Return the amplitude of a level in dB of full scale."""
    return FULL_SCALE * float(10.0 ** (level / 20))


SILENT_BELOW: Final = _amplitude(-66)
QUIETEST_ROOM: Final = _amplitude(-75)
LOUDEST_ROOM: Final = _amplitude(-50)
"""More than this is no room but somebody who speaks, or music."""

ABOVE_ROOM: Final = 10.0 ** (9 / 20)
"""How much louder than the room a voice is, as a factor: 9 dB."""

RISE_PER_MS: Final = 10.0 ** (5 / 20 / 1000)
"""How fast the room is taken to become louder, as a factor: 5 dB in a second. Softer it becomes at once."""


class VoiceActivity:
    """Follows what one stream sends, frame by frame."""

    __slots__ = ("_left", "_room", "background")

    def __init__(self) -> None:
        """Begin with voice for a moment, so that the far end receives some whatever follows."""
        self._left = HANGOVER
        self._room = QUIETEST_ROOM
        self.background = DEFAULT_LEVEL
        """How loud the silence is in -dBov, as comfort noise tells it."""

    def gate(self, pcm: bytes | None, ptime: int, *, microphones: bool) -> bytes | None:
        """Return what is to be sent as voice for these `ptime` ms, None for silence.

        `pcm` None is nothing at all; with `microphones` there are voices of other calls in it.
        """
        amplitude = audioop.rms(pcm, SAMPLE_BYTES) if pcm else 0
        threshold = self._above_room(amplitude, ptime) if microphones else SILENT_BELOW
        if amplitude > threshold:
            self._left = HANGOVER
            return pcm
        if self._left > 0:
            self._left -= ptime
            return pcm or b""
        self.background = _level(self._room if microphones else amplitude)
        return None

    def _above_room(self, amplitude: float, ptime: int) -> float:
        """Learn how loud the room is, and return from where on there is a voice in it."""
        self._room = min(max(amplitude, QUIETEST_ROOM), self._room * RISE_PER_MS**ptime, LOUDEST_ROOM)
        return self._room * ABOVE_ROOM


def _level(amplitude: float) -> int:
    """Return an amplitude as a level in -dBov, never softer than what our silence is told to have."""
    return min(DEFAULT_LEVEL, round(-20 * log10(max(amplitude, 1) / FULL_SCALE)))
