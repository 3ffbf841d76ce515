"""What goes wrong while an action or a button talks to the phone, as an error that Home Assistant can translate."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .net.errors import AudioFault, MachineFault, RecordingFault
from .sip.errors import LocalFault, SipError

_LOGGER = logging.getLogger(__name__)

UNEXPECTED: Final = "phone_failed"
"""The error text of what nobody but the author of this program can put right."""

OTHER: Final = "other"
"""The key of an error of somebody else that has no text to be translated."""

# By the kind of fault first: two kinds may have a fault of the same name.
FAULT_KEYS: Final[Mapping[type[StrEnum], Mapping[StrEnum, str]]] = {
    LocalFault: {
        LocalFault.NOT_DIALABLE: "number_not_dialable",
        LocalFault.NEEDS_SERVER: "number_needs_server",
        LocalFault.NEEDS_TLS: "number_needs_tls",
        LocalFault.SWITCHED_OFF: "phone_switched_off",
        LocalFault.TOO_MANY_CALLS: "too_many_calls",
        LocalFault.CALL_OVER: "call_over",
        LocalFault.NOT_RINGING: "call_rings_no_more",
        LocalFault.NOT_CONNECTED: "call_without_voice",
        LocalFault.TRANSFER_UNDER_WAY: "transfer_under_way",
        LocalFault.NO_TRANSFER: "transfer_not_taken",
        LocalFault.WRONG_DIGITS: "digits_wrong",
        LocalFault.TOO_MANY_DIGITS: "digits_waiting",
        LocalFault.NO_DIGITS: "digits_not_taken",
        LocalFault.INTERNAL: UNEXPECTED,
    },
    MachineFault: {
        MachineFault.NO_PORT: "no_rtp_port",
        MachineFault.NO_ADDRESS: "local_address_gone",
        MachineFault.PORT_IN_USE: "local_port_in_use",
        MachineFault.VOICE_ENDED: "call_over",
        MachineFault.VOICE_FAILED: "voice_failed",
        MachineFault.VOICES_STUCK: "media_stopped",
    },
    AudioFault: {
        AudioFault.OTHER: "playback_failed",
        AudioFault.NO_SOUND: "sound_unknown",
        AudioFault.EMPTY: "sound_empty",
        AudioFault.UNREADABLE: "sound_unreadable",
        AudioFault.UNREACHABLE: "sound_unreachable",
        AudioFault.TIMED_OUT: "sound_timed_out",
        AudioFault.ENGINE: "tts_broke_down",
        AudioFault.BROKEN: "sound_broken",
        AudioFault.TOO_MANY: "too_many_sounds",
        AudioFault.TOO_LONG: "sound_too_long",
    },
    RecordingFault: {fault: f"recording_{fault.value}" for fault in RecordingFault},
}
"""What people are told of each fault: what happened, and what they can do."""


def key_of(fault: StrEnum | None) -> str:
    """Return the error text's key of a fault."""
    return UNEXPECTED if fault is None else FAULT_KEYS[type(fault)][fault]


def fault_key(error: SipError | HomeAssistantError) -> str:
    """Return the stable key that programs tell an error by, which is that of its text."""
    if isinstance(error, SipError):
        return key_of(error.fault)
    return error.translation_key or OTHER


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the errors of the phone as translated errors of Home Assistant; their own English text is logged."""
    try:
        yield
    except SipError as error:
        raise translated(error) from error


def translated(error: SipError) -> HomeAssistantError:
    """Return an error of the phone in words for people: a validation error where they asked for what cannot be."""
    validation = isinstance(error.fault, LocalFault) and error.fault is not LocalFault.INTERNAL
    _LOGGER.log(logging.DEBUG if validation else logging.WARNING, "%s: %s", type(error).__name__, error)
    kind = ServiceValidationError if validation else HomeAssistantError
    return kind(
        translation_domain=DOMAIN,
        translation_key=key_of(error.fault),
        translation_placeholders=dict(error.details) or None,
    )


def sound_error(fault: AudioFault | None) -> HomeAssistantError:
    """Return the error of a sound that could not be played."""
    return HomeAssistantError(translation_domain=DOMAIN, translation_key=key_of(fault or AudioFault.OTHER))


def validation_error(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error of a wrong call of an action."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None
    )
