"""What crosses between the event loop and the media thread: frozen messages, nothing else.

A message that hands over sockets or the end of a pipe gives them away: the sender keeps no hand on them.
"""

from dataclasses import dataclass

from ..rtp.parameters import MediaParameters, RtpConfig
from ..sip.sdes import MediaSecurity
from .audio_pipe import AudioReader
from .loudness import AS_IT_IS, StreamLoudness
from .media_clock import ClockStatistics
from .play_order import Placement
from .ports import PortPair
from .recorder import RecordingPipe
from .recording_order import RecordingTone
from .rooms import Room
from .stream_events import RtpStatistics, StreamEvent, VoiceHeard


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Serve these sockets."""

    stream: int
    ports: PortPair
    config: RtpConfig
    cname: str
    loudness: StreamLoudness = AS_IT_IS


@dataclass(frozen=True, slots=True)
class ConfigureStream:
    """Start the voice or change it; without `security` it is not encrypted."""

    stream: int
    media: MediaParameters
    security: MediaSecurity | None = None


@dataclass(frozen=True, slots=True)
class StartPlayback:
    """Play a sound in its turn among those that are there; `gain` is a factor."""

    stream: int
    playback: int
    reader: AudioReader
    gain: float
    placement: Placement = Placement.ADD


@dataclass(frozen=True, slots=True)
class PausePlayback:
    """Let the sounds stand still, or go on."""

    stream: int
    paused: bool


@dataclass(frozen=True, slots=True)
class ChangeGain:
    """Play a sound louder or softer from now on."""

    stream: int
    playback: int
    gain: float


@dataclass(frozen=True, slots=True)
class StopPlayback:
    """Stop one sound, or all with None."""

    stream: int
    playback: int | None


@dataclass(frozen=True, slots=True)
class SendDigits:
    """Send digits by RFC 4733, or `inband` as tones; times in milliseconds."""

    stream: int
    digits: str
    duration_ms: int
    gap_ms: int
    inband: bool = False


@dataclass(frozen=True, slots=True)
class CancelDigits:
    """Drop the digits not yet begun."""

    stream: int


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Write what is heard and said from now on, with a tone for the far end."""

    stream: int
    pipe: RecordingPipe
    tone: RecordingTone = RecordingTone.NONE


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End the recording."""

    stream: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Tell what is heard from now on, or no more."""

    stream: int
    listening: bool


@dataclass(frozen=True, slots=True)
class EnterRoom:
    """Join the voice with those of the streams that are in the room."""

    stream: int
    room: Room


@dataclass(frozen=True, slots=True)
class LeaveRoom:
    """Part the voice from the others."""

    stream: int


@dataclass(frozen=True, slots=True)
class AskStatistics:
    """Answer with the figures so far under this token."""

    stream: int
    token: int


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Say goodbye, free the sockets, and answer with the last figures under this token."""

    stream: int
    token: int


@dataclass(frozen=True, slots=True)
class AskClock:
    """Answer with the thread's punctuality under this token."""

    token: int


@dataclass(frozen=True, slots=True)
class StopThread:
    """Close what is still open, answer under this token, and end."""

    token: int


type StreamCommand = (
    OpenStream
    | ConfigureStream
    | StartPlayback
    | PausePlayback
    | ChangeGain
    | StopPlayback
    | SendDigits
    | CancelDigits
    | StartRecording
    | StopRecording
    | Listen
    | EnterRoom
    | LeaveRoom
    | AskStatistics
    | CloseStream
)
type Command = StreamCommand | AskClock | StopThread


def discard(command: Command) -> None:
    """Free what a message hands over, where nobody takes it any more."""
    match command:
        case OpenStream():
            command.ports.close()
        case StartPlayback():
            command.reader.close()
        case StartRecording():
            command.pipe.close()


@dataclass(frozen=True, slots=True)
class Notice:
    """An event of a stream, or what was heard in it."""

    stream: int
    event: StreamEvent | VoiceHeard


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command with a token; None where there is nothing to tell."""

    token: int
    statistics: RtpStatistics | ClockStatistics | None = None


type Report = Notice | Reply
