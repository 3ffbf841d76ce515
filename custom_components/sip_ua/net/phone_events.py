"""What a telephone tells beside the events of signalling: what became of the voice of a call."""

from dataclasses import dataclass
from pathlib import Path

from ..rtp.session import RtpStatistics
from ..sip.events import Event
from .errors import AudioFault
from .stream_events import RecordingFinished as Finished


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first packet of a sound is on its way."""

    call_id: str
    playback_id: int


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """A sound was heard to its end, was `stopped` before it, or failed with an `error` for people and its `fault`."""

    call_id: str
    playback_id: int
    error: str | None = None
    stopped: bool = False
    fault: AudioFault | None = None


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """The first sound of a recording is in its file."""

    call_id: str
    path: Path


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """A recording has ended; it may be told shortly after the end of its call."""

    call_id: str
    result: Finished


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """No voice arrives any more; the telephone hangs up."""

    call_id: str


@dataclass(frozen=True, slots=True)
class CallStatistics:
    """The figures of a call's voice, soon after its end; None where no voice began."""

    call_id: str
    statistics: RtpStatistics | None


type PhoneEvent = (
    Event | PlaybackStarted | PlaybackFinished | RecordingStarted | RecordingFinished | MediaTimedOut | CallStatistics
)
