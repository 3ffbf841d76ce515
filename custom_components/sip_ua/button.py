"""Buttons of an account: answer and hang up."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .action_errors import translated_errors
from .const import SERVICE_ANSWER, SERVICE_HANGUP
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaStateEntity
from .sip.events import CallSnapshot

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SipUaButtonDescription(ButtonEntityDescription):
    """A button: the call that it applies to, and what it does with it."""

    find: Callable[[SipUaCoordinator], CallSnapshot | None]
    press: Callable[[SipUaCoordinator, str], Coroutine[Any, Any, None]]


BUTTONS: tuple[SipUaButtonDescription, ...] = (
    SipUaButtonDescription(
        key=SERVICE_ANSWER,
        translation_key=SERVICE_ANSWER,
        find=lambda coordinator: coordinator.calls.find_ringing(),
        press=lambda coordinator, call_id: coordinator.async_answer(call_id),
    ),
    SipUaButtonDescription(
        key=SERVICE_HANGUP,
        translation_key=SERVICE_HANGUP,
        find=lambda coordinator: coordinator.calls.shown,
        press=lambda coordinator, call_id: coordinator.async_hangup(call_id),
    ),
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the buttons of an account."""
    async_add_entities(SipUaButton(entry.runtime_data, description) for description in BUTTONS)


class SipUaButton(SipUaStateEntity, ButtonEntity):
    """A button that is there while a call is there that it applies to."""

    entity_description: SipUaButtonDescription

    @property
    @override
    def available(self) -> bool:
        """Return whether there is a call to act on."""
        return self.entity_description.find(self.coordinator) is not None

    @override
    async def async_press(self) -> None:
        """Act on the call."""
        if (call := self.entity_description.find(self.coordinator)) is not None:
            with translated_errors():
                await self.entity_description.press(self.coordinator, call.id)
