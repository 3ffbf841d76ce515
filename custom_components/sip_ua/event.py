"""The event entity of an account: every event of every call, for automations without YAML."""

from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CallEventType
from .coordinator import SipUaConfigEntry
from .entity import SipUaEntity

PARALLEL_UPDATES = 0

CALL = EventEntityDescription(
    key="call", translation_key="call", event_types=[event_type.value for event_type in CallEventType]
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the call events of an account."""
    async_add_entities([SipUaCallEvents(entry.runtime_data, CALL)])


class SipUaCallEvents(SipUaEntity, EventEntity):
    """The events of all calls of an account."""

    entity_description: EventEntityDescription

    @override
    async def async_added_to_hass(self) -> None:
        """Follow calls, and whether there can be any."""
        self.async_on_remove(self.coordinator.async_subscribe_events(self._handle_event))
        self._was_available = self.available
        self.async_on_remove(self.coordinator.async_subscribe(self._handle_update))

    @callback
    def _handle_event(self, event_type: CallEventType, data: dict[str, Any]) -> None:
        """Show an event of a call."""
        self._trigger_event(event_type.value, data)
        self.async_write_ha_state()

    @callback
    def _handle_update(self) -> None:
        """Show whether there can be calls; the state itself changes with events only."""
        if self.available != self._was_available:
            self._was_available = self.available
            self.async_write_ha_state()
