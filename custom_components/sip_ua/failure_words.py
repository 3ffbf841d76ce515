"""What people read of a failure, in the language of Home Assistant; the English of errors and answers is for logs."""

from collections.abc import Mapping
from typing import Final

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_cached_translations, async_translate_state

from .const import DOMAIN, KEY_REGISTRATION_PROBLEM
from .sip.events import RegistrationChanged

QUOTED: Final = "quoted_error"
"""The text of an error that has none of its own."""

NOTHING: Final = "-"
"""Stands in a text where nothing is known."""


def answer_of(status: RegistrationChanged) -> str:
    """Return the server's last answer in its own words, "-" where none came."""
    return f"{status.code} {status.reason}".strip() if status.code else NOTHING


@callback
def cause_of(hass: HomeAssistant, status: RegistrationChanged) -> str:
    """Return why a registration is not there, in the words of its sensor, "-" where nothing is known."""
    if status.failure is None:
        return NOTHING
    return async_translate_state(hass, status.failure.value, Platform.SENSOR, DOMAIN, KEY_REGISTRATION_PROBLEM, None)


def tried_at(status: RegistrationChanged) -> str:
    """Return where a registration was tried, "-" where that was nowhere."""
    return status.place or NOTHING


def certificate_words(status: RegistrationChanged) -> Mapping[str, str]:
    """Return what people compare of a certificate that was not accepted; "-" is what it does not say."""
    facts = status.certificate
    known = {
        "names": (", ".join(facts.names) or facts.subject) if facts else "",
        "issuer": facts.issuer if facts else "",
        "until": facts.not_after if facts else "",
        "fingerprint": facts.fingerprint if facts else "",
    }
    return {key: value or NOTHING for key, value in known.items()}


@callback
def error_text(hass: HomeAssistant, error: HomeAssistantError) -> str:
    """Return the text of an error; of one that has none in this language, what whoever raised it wrote is quoted."""
    domain, key, words = error.translation_domain, error.translation_key, error.translation_placeholders or {}
    if domain is None or key is None or (text := _error_texts(hass, domain).get(_key(domain, key))) is None:
        text, words = _error_texts(hass, DOMAIN)[_key(DOMAIN, QUOTED)], {"error": str(error).rstrip(".")}
    return text.format_map(words)


def _error_texts(hass: HomeAssistant, domain: str) -> Mapping[str, str]:
    return async_get_cached_translations(hass, hass.config.language, "exceptions", domain)


def _key(domain: str, key: str) -> str:
    return f"component.{domain}.exceptions.{key}.message"
