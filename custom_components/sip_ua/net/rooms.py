"""Where the voices of joined calls meet, in the media thread: a mixer for each room, a seat in it for each stream."""

from dataclasses import dataclass

from ..rtp.codecs import SAMPLE_BYTES
from ..rtp.mixer import Mixer, mix
from .resample import Resampler


@dataclass(frozen=True, slots=True)
class Room:
    """A place for calls to be joined in; what we play to one of them is heard by all where it is `shared`."""

    number: int
    shared: bool


class Seat:
    """The place of one stream in a room."""

    __slots__ = ("_mixer", "_shared", "_stream")

    def __init__(self, mixer: Mixer, stream: int, *, shared: bool) -> None:
        """Take a place."""
        self._mixer = mixer
        self._stream = stream
        self._shared = shared
        mixer.enter(stream)

    def speak(self, pcm: bytes, rate: int) -> None:
        """Let the others hear one packet time of the far end's voice; `rate` in Hz."""
        self._mixer.speak(self._stream, pcm, rate)

    def hear(self, played: bytes | None, size: int, rate: int) -> bytes | None:
        """Return the `size` bytes that the far end hears next: the others, and what is `played` to it."""
        heard = self._mixer.hear(self._stream, size // SAMPLE_BYTES, rate)
        if played is None:
            return heard
        played = played.ljust(size, b"\0")
        if self._shared:
            self._mixer.speak_to(self._stream, played, rate)
        return played if heard is None else mix((heard, played))


class Rooms:
    """The rooms in which there is somebody; a stream is in one of them at most."""

    def __init__(self) -> None:
        """Begin with every room empty."""
        self._mixers: dict[int, Mixer] = {}
        self._places: dict[int, int] = {}

    @property
    def count(self) -> int:
        """How many rooms there is somebody in."""
        return len(self._mixers)

    def enter(self, stream: int, room: Room) -> Seat:
        """Seat a stream in a room, which takes it out of another one."""
        if self._places.get(stream) != room.number:
            self.leave(stream)
        self._places[stream] = room.number
        return Seat(self._mixers.setdefault(room.number, Mixer(Resampler)), stream, shared=room.shared)

    def leave(self, stream: int) -> None:
        """Take a stream out of its room, where it is in one."""
        number = self._places.pop(stream, None)
        if number is not None:
            mixer = self._mixers[number]
            mixer.leave(stream)
            if not mixer:
                del self._mixers[number]
