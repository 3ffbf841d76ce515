"""What a recording is to be: whose voice, in what file, and whether a tone tells the other side of it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class RecordedSides(StrEnum):
    """Whose voice is recorded; in stereo we are on the left and the far end is on the right."""

    RECEIVED = "received"
    SENT = "sent"
    MIXED = "mixed"
    STEREO = "stereo"

    @property
    def channels(self) -> int:
        """How many channels the file has."""
        return 2 if self is RecordedSides.STEREO else 1


class RecordingFormat(StrEnum):
    """The kind of file: plain PCM, or Opus in Ogg (RFC 7845), which takes much less room."""

    WAV = "wav"
    OPUS = "opus"

    @property
    def suffix(self) -> str:
        """The ending of a file's name."""
        return ".ogg" if self is RecordingFormat.OPUS else ".wav"


class RecordingTone(StrEnum):
    """Whether the far end hears a tone: never, when the recording begins, or every few seconds of it too."""

    NONE = "none"
    ONCE = "once"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingOrder:
    """One recording.

    With a `root` a new file is made, under another name where there is one of that name already, and never outside of
    the root; missing folders are made. Without one the path is taken as it is, and overwritten.
    """

    path: Path
    sides: RecordedSides = RecordedSides.RECEIVED
    file_format: RecordingFormat = RecordingFormat.WAV
    tone: RecordingTone = RecordingTone.NONE
    root: Path | None = None
