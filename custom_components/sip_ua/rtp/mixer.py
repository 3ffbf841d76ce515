"""The voices of joined calls: each member hears the sum of all others, in its own sample rate and packet time.

A voice waits between its own tick and the next one of whoever hears it, which is a packet time; no clock is read here.
"""

from array import array
from collections.abc import Callable, Sequence
from math import gcd
from operator import add
from typing import Final, Protocol

from .codecs import SAMPLE_BYTES

LOUDEST: Final = 0x7FFF
QUIETEST: Final = -0x8000


class Converter(Protocol):
    """Changes the sample rate of one flow of PCM."""

    def convert(self, pcm: bytes, rate: int, wanted: int) -> bytes:
        """Return the samples at the wanted rate (Hz); some may come with the next call."""


def mix(frames: Sequence[bytes]) -> bytes:
    """Return the sum of one or more equally long frames of PCM; what goes beyond full scale is cut once, at the end."""
    if len(frames) == 1:
        return frames[0]
    totals = list(_samples(frames[0]))
    for frame in frames[1:]:
        totals = list(map(add, totals, _samples(frame), strict=True))
    if totals and (max(totals) > LOUDEST or min(totals) < QUIETEST):
        totals = [min(LOUDEST, max(QUIETEST, total)) for total in totals]
    return array("h", totals).tobytes()


def _samples(pcm: bytes) -> memoryview[int]:
    return memoryview(pcm).cast("h")


class FrameQueue:
    """What of one voice waits for one listener: given in whole frames, and never longer than a frame of both."""

    __slots__ = ("_limit", "_pcm", "_size")

    def __init__(self, frame: int, spoken: int) -> None:
        """Give frames of `frame` samples of a voice that comes in `spoken` samples at a time."""
        self._size = frame * SAMPLE_BYTES
        # The ticks of both meet: more than this never has to wait for the next one.
        self._limit = (frame + spoken - gcd(frame, spoken)) * SAMPLE_BYTES
        self._pcm = bytearray()

    def put(self, pcm: bytes) -> None:
        """Let some sound wait; what waits too long is dropped, the oldest first."""
        self._pcm += pcm
        if len(self._pcm) > self._limit:
            del self._pcm[: len(self._pcm) - self._limit]

    def take(self) -> bytes:
        """Return the next frame, with silence in front of too little, and nothing where nothing waits."""
        pcm = bytes(self._pcm[: self._size])
        del self._pcm[: self._size]
        # In front, so that it goes on without a break in the next frame.
        return pcm.rjust(self._size, b"\0") if pcm else pcm


class _Voice:
    """What one member says, or we say to it, on its way to the others."""

    __slots__ = ("_converters", "_make", "_queues", "_spoken", "member")

    def __init__(self, member: int, make: Callable[[], Converter]) -> None:
        """Belong to a member, who will not hear it."""
        self.member = member
        self._make = make
        self._spoken = (0, 0)
        self._converters: dict[int, Converter] = {}
        self._queues: dict[int, FrameQueue] = {}

    def put(self, pcm: bytes, rate: int, listeners: dict[int, tuple[int, int]]) -> None:
        """Hand some sound out to all listeners, converted once for each sample rate."""
        spoken = (len(pcm) // SAMPLE_BYTES, rate)
        if spoken != self._spoken:
            self._spoken = spoken
            self._queues.clear()
        converted = {rate: pcm}
        for listener, (frame, wanted) in listeners.items():
            if listener == self.member:
                continue
            if wanted not in converted:
                converter = self._converters.get(wanted)
                if converter is None:
                    converter = self._converters[wanted] = self._make()
                converted[wanted] = converter.convert(pcm, rate, wanted)
            queue = self._queues.get(listener)
            if queue is None:
                queue = self._queues[listener] = FrameQueue(frame, spoken[0] * wanted // rate)
            queue.put(converted[wanted])

    def take(self, listener: int) -> bytes:
        queue = self._queues.get(listener)
        return b"" if queue is None else queue.take()

    def forget(self, listener: int) -> None:
        """Forget what waits for a listener who left, or who wants it otherwise from now on."""
        self._queues.pop(listener, None)


class Mixer:
    """The voices of some joined calls; members are named by numbers."""

    __slots__ = ("_listeners", "_make", "_ours", "_theirs")

    def __init__(self, converter: Callable[[], Converter]) -> None:
        """Begin without a member; `converter` makes one for each change of a voice's sample rate."""
        self._make = converter
        self._listeners: dict[int, tuple[int, int]] = {}
        self._theirs: dict[int, _Voice] = {}
        self._ours: dict[int, _Voice] = {}

    def __len__(self) -> int:
        """Return how many members there are."""
        return len(self._theirs)

    def enter(self, member: int) -> None:
        """Let a member hear the others and be heard by them; it is in already where it is."""
        if member not in self._theirs:
            self._theirs[member] = _Voice(member, self._make)
            self._ours[member] = _Voice(member, self._make)

    def leave(self, member: int) -> None:
        """Part a member from the others; one that is not in stays out."""
        self._theirs.pop(member, None)
        self._ours.pop(member, None)
        self._forget(member)

    def _forget(self, listener: int) -> None:
        self._listeners.pop(listener, None)
        for voice in (*self._theirs.values(), *self._ours.values()):
            voice.forget(listener)

    def speak(self, member: int, pcm: bytes, rate: int) -> None:
        """Take one packet time of what a member says; `rate` in Hz."""
        self._theirs[member].put(pcm, rate, self._listeners)

    def speak_to(self, member: int, pcm: bytes, rate: int) -> None:
        """Take one packet time of what we say to a member, for the others to hear it as well."""
        self._ours[member].put(pcm, rate, self._listeners)

    def hear(self, member: int, samples: int, rate: int) -> bytes | None:
        """Return what a member hears of the others in its next packet time, None where they say nothing."""
        if self._listeners.get(member) != (samples, rate):
            self._forget(member)
            self._listeners[member] = (samples, rate)
        voices = (*self._theirs.values(), *self._ours.values())
        frames = [frame for voice in voices if voice.member != member and (frame := voice.take(member))]
        return mix(frames) if frames else None
