"""What goes wrong while an action or a button talks to the phone, as an error that Home Assistant can translate."""

from collections.abc import Iterator
from contextlib import contextmanager

from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .const import DOMAIN
from .net.errors import AudioError, AudioFault, MediaStoppedError, NoPortError
from .sip.errors import LocalProtocolError, SipError

# The first kind that fits applies; the person's own faults are validation errors.
KINDS: tuple[tuple[type[SipError], type[HomeAssistantError], str], ...] = (
    (LocalProtocolError, ServiceValidationError, "not_possible"),
    (NoPortError, HomeAssistantError, "no_rtp_port"),
    (MediaStoppedError, HomeAssistantError, "media_stopped"),
    (SipError, HomeAssistantError, "phone_failed"),
)

FAULT_KEYS: dict[AudioFault | None, str] = {
    None: "playback_failed",
    AudioFault.OTHER: "playback_failed",
    AudioFault.NO_SOUND: "sound_unknown",
    AudioFault.EMPTY: "sound_empty",
    AudioFault.UNREADABLE: "sound_unreadable",
    AudioFault.UNREACHABLE: "sound_unreachable",
    AudioFault.TIMED_OUT: "sound_timed_out",
    AudioFault.ENGINE: "tts_broke_down",
    AudioFault.BROKEN: "sound_broken",
}
"""What people are told of a sound that could not be played."""


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the errors of the phone as translated errors of Home Assistant."""
    try:
        yield
    except SipError as error:
        if isinstance(error, AudioError):
            raise sound_error(str(error), error.fault) from error
        _, raised, key = next(kind for kind in KINDS if isinstance(error, kind[0]))
        raise raised(
            translation_domain=DOMAIN, translation_key=key, translation_placeholders={"error": str(error)}
        ) from error


def sound_error(error: str, fault: AudioFault | None) -> HomeAssistantError:
    """Return the error of a sound that could not be played."""
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=FAULT_KEYS[fault], translation_placeholders={"error": error}
    )


def validation_error(key: str, **placeholders: str) -> ServiceValidationError:
    """Return the error of a wrong call of an action."""
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders or None
    )
