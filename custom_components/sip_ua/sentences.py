"""The sentences by which Assist understands the telephone, given to it as a trigger while there is an account.

Home Assistant takes sentences of a custom integration in no other way than as sentence triggers, which know neither
languages nor rules. So the trigger catches the sentences of all languages, and what one means is told here, in the
language of who speaks first.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED, ConfigEntry, ConfigEntryChange
from homeassistant.core import CALLBACK_TYPE, Context, HomeAssistant, callback
from homeassistant.helpers import intent
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.script import ScriptRunResult
from homeassistant.helpers.trigger import async_initialize_triggers, async_validate_trigger_config
from homeassistant.setup import async_when_setup

from .const import DOMAIN
from .voice_language import Language, base_of, language_of

if TYPE_CHECKING:
    from hassil import Intents

_LOGGER = logging.getLogger(__name__)

CONVERSATION: Final = "conversation"
_NAME: Final = "SIP Phone"

type Meaning = tuple[str, str, dict[str, Any]]


@callback
def async_setup_sentences(hass: HomeAssistant, languages: Mapping[str, Language]) -> None:
    """Let Assist understand the telephone as soon as it is there."""
    sentences = Sentences(hass, languages)
    async_when_setup(hass, CONVERSATION, sentences.async_start)


class Sentences:
    """The sentences in all languages; `async_start` offers them to Assist."""

    def __init__(self, hass: HomeAssistant, languages: Mapping[str, Language]) -> None:
        """Take the sentences; nothing is offered yet."""
        self._hass = hass
        self._languages = languages
        self._intents: dict[str, Intents] = {}
        self._trigger: list[dict[str, Any]] = []
        self._remove: CALLBACK_TYPE | None = None

    async def async_start(self, hass: HomeAssistant, _component: str) -> None:
        """Offer the sentences while an account is set up."""
        self._intents = await hass.async_add_executor_job(parse, self._languages)
        commands = [
            template
            for language in self._languages.values()
            for templates in language.sentences.values()
            for template in templates
        ]
        config = [{"platform": CONVERSATION, "command": commands}]
        self._trigger = await async_validate_trigger_config(hass, config)
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, self._handle_change)
        await self._async_update()

    @callback
    def _handle_change(self, _change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Follow the first account that comes, and the last one that goes or is disabled."""
        if entry.domain == DOMAIN and self._is_wanted != (self._remove is not None):
            _ = self._hass.async_create_task(self._async_update(), f"{DOMAIN} sentences")

    @property
    def _is_wanted(self) -> bool:
        return bool(self._hass.config_entries.async_entries(DOMAIN, include_ignore=False, include_disabled=False))

    async def _async_update(self) -> None:
        """Offer the sentences, or take them back."""
        if self._is_wanted and self._remove is None:
            self._remove = await async_initialize_triggers(
                self._hass, self._trigger, self._async_hear, DOMAIN, _NAME, _LOGGER.log
            )
        elif not self._is_wanted and self._remove is not None:
            self._remove()
            self._remove = None

    async def _async_hear(self, run_variables: dict[str, Any], _context: Context | None = None) -> ScriptRunResult:
        """Do what a sentence asks for, and return what is said to it."""
        heard = run_variables["trigger"]["user_input"]
        text, tag = heard["text"], heard["language"]
        meaning = await self._hass.async_add_executor_job(understand, self._intents, text, tag)
        if meaning is None:
            return _say(language_of(self._hass, tag).say("failed"))
        spoken, intent_type, slots = meaning
        try:
            response = await intent.async_handle(
                self._hass,
                CONVERSATION,
                intent_type,
                slots,
                text,
                Context(user_id=heard["context"]["user_id"], parent_id=heard["context"]["id"]),
                tag if base_of(tag) in self._languages else spoken,
                assistant=CONVERSATION,
                device_id=heard["device_id"],
                satellite_id=heard["satellite_id"],
                conversation_agent_id=heard["agent_id"],
            )
        except intent.IntentError:
            return _say(language_of(self._hass, tag).say("failed"))
        return _say(response.speech["plain"]["speech"])


def parse(languages: Mapping[str, Language]) -> dict[str, Intents]:
    """Return what recognizes the sentences of each language."""
    from hassil import Intents  # noqa: PLC0415 - a requirement of Assist, which is there now

    return {
        code: Intents.from_dict(
            {
                "language": code,
                "intents": {
                    name: {"data": [{"sentences": list(templates)}]} for name, templates in language.sentences.items()
                },
                "lists": {"contact": {"wildcard": True}},
            }
        )
        for code, language in languages.items()
    }


def understand(recognizers: Mapping[str, Intents], text: str, tag: str | None) -> Meaning | None:
    """Return the language of a sentence, the intent that it means, and its slots; that of the speaker first."""
    from hassil import recognize_best  # noqa: PLC0415 - a requirement of Assist, which is there now

    own = base_of(tag)
    for code in sorted(recognizers, key=lambda code: code != own):
        if (found := recognize_best(text, recognizers[code])) is not None:
            slots = {name: {"value": str(slot.value).strip()} for name, slot in found.entities.items()}
            return code, found.intent.name, slots
    return None


def _say(text: str) -> ScriptRunResult:
    return ScriptRunResult(conversation_response=text, service_response=None, variables={})
