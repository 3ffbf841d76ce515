"""The event entities of an account: events of calls, new messages, and the bells of door stations."""

from typing import Any, override

from homeassistant.components.event import (
    DoorbellEventType,
    EventDeviceClass,
    EventEntity,
    EventEntityDescription,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_CALL_ID, CALL_TURNED_AWAY, KEY_VOICE_MAIL, NEW_MESSAGE, CallEventType
from .contact_entity import DOORBELL as DOORBELL_FEATURE, ContactEntity
from .coordinator import SipUaConfigEntry
from .entity import SipUaEntity

PARALLEL_UPDATES = 0

CALL = EventEntityDescription(
    key="call", translation_key="call", event_types=[event_type.value for event_type in CallEventType]
)
VOICE_MAIL = EventEntityDescription(key=KEY_VOICE_MAIL, translation_key=KEY_VOICE_MAIL, event_types=[NEW_MESSAGE])
_BELL = frozenset({CallEventType.INCOMING, CALL_TURNED_AWAY})
DOORBELL = EventEntityDescription(
    key=DOORBELL_FEATURE.key,
    translation_key=DOORBELL_FEATURE.key,
    device_class=EventDeviceClass.DOORBELL,
    event_types=[DoorbellEventType.RING],
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the events of an account, and of its door stations; the voice mail box has some where it is asked."""
    coordinator = entry.runtime_data
    descriptions = (CALL, VOICE_MAIL) if coordinator.has_mail_box else (CALL,)
    async_add_entities(SipUaEvents(coordinator, description) for description in descriptions)
    for contact in coordinator.contacts:
        if DOORBELL_FEATURE.is_wanted(contact):
            async_add_entities(
                [Doorbell(coordinator, DOORBELL_FEATURE, DOORBELL, contact)], config_subentry_id=contact.id
            )


class SipUaEvents(SipUaEntity, EventEntity):
    """The events of all calls of an account, or of its voice mail box."""

    entity_description: EventEntityDescription

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the events, and whether there can be any."""
        self.async_on_remove(self.coordinator.bulletin.async_subscribe_events(self._handle_event))
        self._was_available = self.available
        self.async_on_remove(self.coordinator.bulletin.async_subscribe(self._handle_update))

    @callback
    def _handle_event(self, event_type: str, data: dict[str, Any]) -> None:
        """Show an event that is one of this entity's."""
        if event_type in self.event_types:
            self._trigger_event(str(event_type), data)
            self.async_write_ha_state()

    @callback
    def _handle_update(self) -> None:
        """Show whether there can be events; the state itself changes with events only."""
        if self.available != self._was_available:
            self._was_available = self.available
            self.async_write_ha_state()


class Doorbell(ContactEntity, EventEntity):
    """The bell of a door station: it rings when the door station calls, also where that may not ring the telephone."""

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the calls."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.bulletin.async_subscribe_events(self._handle_event))

    @callback
    def _handle_event(self, event_type: str, data: dict[str, Any]) -> None:
        """Ring where it is this door station that calls."""
        if event_type in _BELL and self.coordinator.contacts.by_number(data["number"], data["uri"]) is self.contact:
            self._trigger_event(DoorbellEventType.RING, {ATTR_CALL_ID: data[ATTR_CALL_ID]})
            self.async_write_ha_state()
