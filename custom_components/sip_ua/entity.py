"""The common ground of the entities: one service device for each account, and writes only where there is news."""

from typing import override

from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription

from .const import DOMAIN
from .coordinator import SipUaCoordinator


class SipUaEntity(Entity):
    """An entity of one account."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, coordinator: SipUaCoordinator, description: EntityDescription) -> None:
        """Name the entity after its account and its purpose."""
        entry = coordinator.config_entry
        self.coordinator = coordinator
        self.entity_description = description
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer="SIP Phone",
            model="SIP account",
            name=entry.title,
        )

    @property
    @override
    def available(self) -> bool:
        """Return whether calls are possible."""
        return self.coordinator.available


class SipUaStateEntity(SipUaEntity):
    """An entity that shows the state of its account; it is written only when what it shows has changed."""

    _shown: object = None
    _first = False

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the state of the account."""
        self._shown = self._showing()
        self.async_on_remove(self.coordinator.async_subscribe(self._handle_update, first=self._first))

    @callback
    def _handle_update(self) -> None:
        """Write the state where it is another than before."""
        showing = self._showing()
        if showing != self._shown:
            self._shown = showing
            self.async_write_ha_state()

    def _showing(self) -> object:
        """Return all that the entity shows at this moment."""
        return self.available
