"""The telephone as tools of language models: an API of its own, which the owner chooses for an agent."""

from collections.abc import Iterable
from typing import Final, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import llm

from .action_targets import every_coordinator
from .const import DOMAIN
from .coordinator import SipUaCoordinator
from .intent import HANDLERS, TelephoneIntent
from .voice_commands import numbers_allowed

API_NAME: Final = "SIP Phone"
CONTACTS_IN_PROMPT: Final = 100

_ASKED_ONLY: Final = (
    "You can use the telephone of the home. Place a call only when the user asks for it in this conversation, "
    "and ask back where it is not clear whom to call."
)
_NO_EMERGENCY: Final = "This is no emergency telephone: emergency numbers cannot be called."

# A call disturbs somebody and may cost money, and cannot be taken back; hanging up neither.
_ANNOTATIONS: Final = {
    "SipUaCall": llm.ToolAnnotations(),
    "SipUaAnswer": llm.ToolAnnotations(destructive=False),
    "SipUaHangUp": llm.ToolAnnotations(),
    "SipUaWhoCalled": llm.ToolAnnotations(read_only=True, destructive=False, open_world=False),
    "SipUaRedial": llm.ToolAnnotations(),
}


class TelephoneAPI(llm.API):
    """The five intents as tools, with a prompt that lists who may be called."""

    @override
    async def async_get_api_instance(self, llm_context: llm.LLMContext) -> llm.APIInstance:
        """Return the tools and the prompt of this moment."""
        return llm.APIInstance(
            api=self,
            api_prompt=prompt(self.hass),
            llm_context=llm_context,
            tools=[_tool(handler) for handler in HANDLERS],
        )


@callback
def async_register_llm_api(hass: HomeAssistant) -> None:
    """Register the API; it stays, for an agent that was given it fails without it."""
    llm.async_register_api(hass, TelephoneAPI(hass=hass, id=DOMAIN, name=API_NAME))


def prompt(hass: HomeAssistant) -> str:
    """Return what a language model has to know of the telephone: whom it may call, and that it has to be asked."""
    accounts = every_coordinator(hass)
    if not accounts:
        return "The home has a telephone, but no account of it is ready: it can neither call nor be called now."
    names = dict.fromkeys(
        " or ".join(contact.names) for account in accounts for contact in account.contacts if contact.exposed
    )
    return "\n".join((_ASKED_ONLY, _contacts(list(names)), _numbers(accounts), _NO_EMERGENCY))


def _contacts(names: list[str]) -> str:
    """Return who may be called."""
    if not names:
        return "No contact may be called: the user has to expose contacts to voice assistants in the phone book first."
    more = len(names) - CONTACTS_IN_PROMPT
    rest = f"; and {more} more, which can be called by their names" if more > 0 else ""
    return f"Contacts that may be called: {'; '.join(names[:CONTACTS_IN_PROMPT])}{rest}."


def _numbers(accounts: Iterable[SipUaCoordinator]) -> str:
    """Return whether numbers may be called."""
    if any(map(numbers_allowed, accounts)):
        return "Telephone numbers that the user says may be called, too; never make one up."
    return "Telephone numbers may not be called, contacts only."


def _tool(handler: TelephoneIntent) -> llm.IntentTool:
    command = handler.command
    return llm.IntentTool(
        f"{DOMAIN}__{command.intent_type}",
        handler,
        title=command.title,
        integration=DOMAIN,
        annotations=_ANNOTATIONS[command.intent_type],
    )
