"""Buttons: answer, hang up and dial of an account; call and open the door of its contacts."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .action_calls import target_of
from .action_errors import translated_errors, validation_error
from .call_view import is_audible
from .const import KEY_DIAL, SERVICE_ANSWER, SERVICE_HANGUP
from .contact_entity import OPEN_DOOR, SPEED_DIAL, ContactEntity
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
        find=lambda coordinator: coordinator.calls.find_to_hang_up(),
        press=lambda coordinator, call_id: coordinator.async_hangup(call_id),
    ),
)


DIAL = ButtonEntityDescription(key=KEY_DIAL, translation_key=KEY_DIAL)
CALL_CONTACT = ButtonEntityDescription(key=SPEED_DIAL.key, translation_key=SPEED_DIAL.key)
OPEN_THE_DOOR = ButtonEntityDescription(key=OPEN_DOOR.key, translation_key=OPEN_DOOR.key)

KEY_DURATION_MS: Final = 160
KEY_GAP_MS: Final = 100


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the buttons of an account, and of its contacts."""
    coordinator = entry.runtime_data
    async_add_entities(SipUaButton(coordinator, description) for description in BUTTONS)
    async_add_entities([SipUaDialButton(coordinator, DIAL)])
    for contact in coordinator.contacts:
        buttons: list[ContactEntity] = []
        if SPEED_DIAL.is_wanted(contact):
            buttons.append(CallButton(coordinator, SPEED_DIAL, CALL_CONTACT, contact))
        if OPEN_DOOR.is_wanted(contact):
            buttons.append(DoorButton(coordinator, OPEN_DOOR, OPEN_THE_DOOR, contact))
        async_add_entities(buttons, config_subentry_id=contact.id)


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


class SipUaDialButton(SipUaStateEntity, ButtonEntity):
    """A button that dials the number of the text beside it."""

    @property
    @override
    def available(self) -> bool:
        """Return whether a call can be placed."""
        return self.coordinator.reachable

    @override
    async def async_press(self) -> None:
        """Dial."""
        target = target_of(self.coordinator, self.coordinator.number_to_dial)
        with translated_errors():
            await self.coordinator.async_dial(target)


class CallButton(ContactEntity, ButtonEntity):
    """A button that calls a contact."""

    @override
    async def async_press(self) -> None:
        """Call."""
        with translated_errors():
            await self.coordinator.async_dial(self.contact.number)


class DoorButton(ContactEntity, ButtonEntity):
    """A button that opens the door during a call of its door station."""

    @property
    @override
    def available(self) -> bool:
        """Return whether the door station would hear the code."""
        return self._find_call() is not None

    @override
    async def async_press(self) -> None:
        """Press the keys of the code."""
        if (call := self._find_call()) is None:
            raise validation_error("door_without_call", contact=self.contact.name)
        with translated_errors():
            await self.coordinator.async_send_digits(
                call.id, self.contact.door_code, duration=KEY_DURATION_MS, gap=KEY_GAP_MS
            )

    def _find_call(self) -> CallSnapshot | None:
        """Return the call with the door station that can hear us."""
        contacts = self.coordinator.contacts
        return next(
            (
                call
                for call in self.coordinator.calls.values()
                if is_audible(call) and contacts.by_call(call.remote, call.direction) is self.contact
            ),
            None,
        )
