"""What can be played into a call; all of it is turned into PCM by a worker thread."""

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RawPcm:
    """Sound without a container: PCM of 16 bits, signed, little-endian. `sample_rate` is in Hz."""

    sample_rate: int
    channels: int = 1


@dataclass(frozen=True, slots=True)
class FileSource:
    """A local file in any format that PyAV knows."""

    path: Path


@dataclass(frozen=True, slots=True)
class BytesSource:
    """A whole file in memory; `hint` names its format ("mp3", "wav") where it should not be guessed."""

    data: bytes = field(repr=False)
    hint: str | RawPcm = ""


@dataclass(frozen=True, slots=True)
class StreamSource:
    """A file that is still coming, for instance from a text-to-speech engine; it can be played once.

    It is read in the event loop, no further ahead than needed.
    """

    chunks: AsyncIterable[bytes] = field(repr=False)
    hint: str | RawPcm = ""


@dataclass(frozen=True, slots=True)
class ToneSource:
    """A sine; `frequency` in Hz, `level` of its peaks in dB of full scale, `duration` in seconds (None: endless)."""

    frequency: float
    level: float = -20.0
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class SilenceSource:
    """Nothing to be heard for `duration` seconds, as a pause between other sounds."""

    duration: float


type AudioSource = FileSource | BytesSource | StreamSource | ToneSource | SilenceSource
