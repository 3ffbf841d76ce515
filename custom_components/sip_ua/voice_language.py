"""The languages in which Assist understands and answers about the telephone."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util.hass_dict import HassKey

from .action_errors import UNEXPECTED
from .const import DOMAIN

FALLBACK: Final = "en"
NAMES_SPOKEN: Final = 5

_words = re.compile(r"\w+").findall
_number_behind_a_word = re.compile(r"\s*([^\W\d_]+)\s*((?:[0-9][^0-9]*){6,})").fullmatch
_FOLDER: Final = Path(__file__).parent / "sentences"
_MINUTE: Final = timedelta(minutes=1)
# The longest span that fits applies; each has a text for one and a text for several.
_SPANS: Final = (
    (timedelta(days=1), "day", "days"),
    (timedelta(hours=1), "hour", "hours"),
    (_MINUTE, "minute", "minutes"),
)


@dataclass(frozen=True, slots=True)
class Language:
    """Sentences by the intent that they mean, and the texts that answer them."""

    code: str
    sentences: Mapping[str, tuple[str, ...]]
    responses: Mapping[str, str]
    goodbyes: frozenset[str]
    pluses: frozenset[str]

    def say(self, key: str, **placeholders: str | tuple[str, ...]) -> str:
        """Return a text that is spoken; several names are joined to one phrase."""
        filled = {
            name: value if isinstance(value, str) else self._either(value) for name, value in placeholders.items()
        }
        text = self.responses[key].format_map(filled)
        return f"{text[0].upper()}{text[1:]}"

    def word(self, key: str) -> str:
        """Return a part of a text as it stands inside one."""
        return self.responses[key]

    def ago(self, span: timedelta) -> str:
        """Return how long ago something was."""
        for unit, one, several in _SPANS:
            if (count := span // unit) == 1:
                return self.responses[one]
            if count > 1:
                return self.responses[several].format(count=count)
        return self.responses["just_now"]

    def _either(self, names: tuple[str, ...]) -> str:
        """Return names of which one is meant; more than can be kept in mind are left out."""
        *first, last = names[:NAMES_SPOKEN]
        if not first:
            return last
        return f"{self.responses['separator'].join(first)}{self.responses['last_separator']}{last}"


DATA_LANGUAGES: HassKey[Mapping[str, Language]] = HassKey(f"{DOMAIN}_languages")


def load_languages() -> Mapping[str, Language]:
    """Read the languages, by their code."""
    return {path.stem: _language(path) for path in sorted(_FOLDER.glob("*.json"))}


def _language(path: Path) -> Language:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    sentences = {name: tuple(templates) for name, templates in content["sentences"].items()}
    goodbyes = frozenset(map(_plain, content["goodbyes"]))
    return Language(path.stem, sentences, content["responses"], goodbyes, frozenset(content["pluses"]))


async def async_load_languages(hass: HomeAssistant) -> Mapping[str, Language]:
    """Read the languages and keep them."""
    hass.data[DATA_LANGUAGES] = await hass.async_add_executor_job(load_languages)
    return hass.data[DATA_LANGUAGES]


def _plain(text: str) -> str:
    """Return the words of a text, by which two can be compared."""
    return " ".join(_words(text.casefold()))


def is_goodbye(hass: HomeAssistant, text: str) -> bool:
    """Return whether somebody who says this has nothing more to say, in any of the languages."""
    plain = _plain(text)
    return any(plain in language.goodbyes for language in hass.data[DATA_LANGUAGES].values())


def with_plus(hass: HomeAssistant, text: str) -> str:
    """Return a number with the + that stands before it as a word, in any of the languages, as it was heard."""
    pluses = {plus for language in hass.data[DATA_LANGUAGES].values() for plus in language.pluses}
    begun = _number_behind_a_word(text)
    return f"+{begun[2]}" if begun and begun[1].casefold() in pluses else text


def base_of(tag: str | None) -> str:
    """Return a language without its country: `de` of `de-CH`."""
    return (tag or "").replace("_", "-").partition("-")[0].lower()


def language_of(hass: HomeAssistant, tag: str | None) -> Language:
    """Return the language that a person speaks, English where it is none of ours."""
    languages = hass.data[DATA_LANGUAGES]
    return languages.get(base_of(tag)) or languages[FALLBACK]


async def async_error_text(hass: HomeAssistant, language: Language, error: HomeAssistantError) -> str:
    """Return what is said of an error: its own text, as actions show it, where it is one that somebody can mend."""
    if error.translation_domain == DOMAIN and error.translation_key not in {None, UNEXPECTED}:
        texts = await async_get_translations(hass, language.code, "exceptions", {DOMAIN})
        text = texts[f"component.{DOMAIN}.exceptions.{error.translation_key}.message"]
        return text.format_map(error.translation_placeholders or {})
    return language.say("failed")
