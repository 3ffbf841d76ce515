"""Intents: call, answer, hang up, who called, redial; registered once, for every account."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv, intent

from .voice_commands import (
    RefusedError,
    async_answer,
    async_call,
    async_hang_up,
    async_redial,
    async_who_called,
)
from .voice_language import Language, async_error_text, language_of

SLOT_CONTACT: Final = "contact"


@dataclass(frozen=True, slots=True)
class Command:
    """An intent: what it is called, what language models are told of it, and what it does."""

    intent_type: str
    title: str
    description: str
    run: Callable[..., Awaitable[str]]
    slots: Mapping[vol.Marker, Any] = field(default_factory=dict)


COMMANDS: Final = (
    Command(
        "SipUaCall",
        "Call somebody",
        "Places a telephone call to a contact of the phone book, or to a telephone number where numbers are allowed.",
        async_call,
        {
            vol.Required(SLOT_CONTACT, description="Name of the contact, or telephone number"): vol.All(
                cv.string, vol.Length(min=1, max=255)
            )
        },
    ),
    Command("SipUaAnswer", "Answer the telephone", "Answers the telephone call that rings.", async_answer),
    Command(
        "SipUaHangUp",
        "Hang up",
        "Ends the telephone call that goes on; where there is none, refuses the one that rings.",
        async_hang_up,
    ),
    Command(
        "SipUaWhoCalled",
        "Who called",
        "Tells who is calling on the telephone now, or who called last and when.",
        async_who_called,
    ),
    Command("SipUaRedial", "Redial", "Calls the last dialed telephone number again.", async_redial),
)


class TelephoneIntent(intent.IntentHandler):
    """An intent whose answer is spoken in the language of who asked."""

    def __init__(self, command: Command) -> None:
        """Take what the intent does."""
        self.intent_type = command.intent_type
        self.description = command.description
        self.command = command

    @property
    @override
    def slot_schema(self) -> dict[Any, Any] | None:
        """Return what the intent has to be told."""
        return dict(self.command.slots) or None

    @override
    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        """Do what was asked, and say it; or say why not."""
        slots = self.async_validate_slots(intent_obj.slots)
        told = {str(name): slots[name]["value"] for name in map(str, self.command.slots)}
        language: Language = language_of(intent_obj.hass, intent_obj.language)
        response = intent_obj.create_response()
        try:
            response.async_set_speech(await self.command.run(intent_obj.hass, language, *told.values()))
        except RefusedError as refused:
            response.async_set_error(refused.code, language.say(refused.key, **refused.placeholders))
        except HomeAssistantError as error:
            text = await async_error_text(intent_obj.hass, language, error)
            response.async_set_error(intent.IntentResponseErrorCode.FAILED_TO_HANDLE, text)
        return response


HANDLERS: Final = tuple(TelephoneIntent(command) for command in COMMANDS)


async def async_setup_intents(hass: HomeAssistant) -> None:
    """Register the intents; Home Assistant asks for it once."""
    for handler in HANDLERS:
        intent.async_register(hass, handler)
