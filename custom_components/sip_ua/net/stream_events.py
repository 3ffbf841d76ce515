"""What a media stream tells the one who opened it: what `rtp` tells, and what became of sounds and recordings."""

from dataclasses import dataclass, field
from pathlib import Path

from ..rtp.events import (
    DigitReceived,
    DigitsSent,
    FirstPacketReceived,
    MediaResumed,
    MediaTimedOut,
    ReceiveFormatChanged,
    RemoteEnded,
    RemoteMoved,
    RtpEvent,
    SsrcChanged,
    SsrcCollision,
)
from ..rtp.session import RtpStatistics
from .errors import AudioFault, RecordingFault

__all__ = [
    "DigitReceived",
    "DigitsSent",
    "FirstPacketReceived",
    "MediaResumed",
    "MediaTimedOut",
    "PlaybackFinished",
    "PlaybackStarted",
    "ReceiveFormatChanged",
    "RecordingFinished",
    "RecordingStarted",
    "RemoteEnded",
    "RemoteMoved",
    "RtpEvent",
    "RtpStatistics",
    "SsrcChanged",
    "SsrcCollision",
    "StreamEvent",
    "StreamFailed",
    "VoiceHeard",
]


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first packet of a sound is on its way."""

    playback_id: int


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """A sound was heard to its end, was `stopped` before it, or failed with an `error` for people and its `fault`."""

    playback_id: int
    error: str | None = None
    stopped: bool = False
    fault: AudioFault | None = None


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """The first sound of a recording is in its file."""

    path: Path


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """A recording is complete on the disk: `seconds` long and `size` bytes large, `lost` seconds of it silent.

    One that broke off, and can be played as far as it goes, has a `fault`, and an `error` for people. Without a file
    its size is 0.
    """

    path: Path
    seconds: float
    error: str | None = None
    fault: RecordingFault | None = None
    size: int = 0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class VoiceHeard:
    """One packet time of the far end's voice: PCM of 16 bits, little-endian, mono, `sample_rate` in Hz."""

    pcm: bytes = field(repr=False)
    sample_rate: int


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """The stream met an error of ours and was closed; the other calls go on."""

    error: str


type StreamEvent = RtpEvent | PlaybackStarted | PlaybackFinished | RecordingStarted | RecordingFinished | StreamFailed
