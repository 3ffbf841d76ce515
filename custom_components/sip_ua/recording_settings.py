"""What an account's options say about recordings of its calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .const import (
    CONF_KEEP_DAYS,
    CONF_KEEP_RECORDINGS,
    CONF_RECORD_CALLS,
    CONF_RECORDING_CHANNELS,
    CONF_RECORDING_FORMAT,
    CONF_RECORDING_TONE,
    OPTIONS_RECORDING,
    RecordCalls,
)
from .net.recording_order import RecordedSides, RecordingFormat, RecordingTone
from .options import options_of
from .sip.events import CallDirection


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStyle:
    """The kind of file, its channels, and the tone for the other side."""

    file_format: RecordingFormat
    sides: RecordedSides
    tone: RecordingTone


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSettings:
    """Which calls are recorded by themselves, how, and how long recordings are kept: 0 is for ever."""

    calls: RecordCalls
    style: RecordingStyle
    keep_days: int
    keep_recordings: int

    def wants(self, direction: CallDirection) -> bool:
        """Return whether a call in this direction is recorded by itself."""
        return self.calls is RecordCalls.ALL or self.calls.value == direction.value


def recording_settings(stored: Mapping[str, Any]) -> RecordingSettings:
    """Return the settings that are stored as options."""
    options = options_of(stored, OPTIONS_RECORDING)
    return RecordingSettings(
        calls=RecordCalls(options[CONF_RECORD_CALLS]),
        style=RecordingStyle(
            file_format=RecordingFormat(options[CONF_RECORDING_FORMAT]),
            sides=RecordedSides(options[CONF_RECORDING_CHANNELS]),
            tone=RecordingTone(options[CONF_RECORDING_TONE]),
        ),
        keep_days=options[CONF_KEEP_DAYS],
        keep_recordings=options[CONF_KEEP_RECORDINGS],
    )
