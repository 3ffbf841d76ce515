"""Binary sensors of an account: whether a watched line is in use."""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_NUMBER, DOMAIN
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import MANUFACTURER, SipUaStateEntity, unique_id_in
from .lines import WatchedLine
from .sip.events import WatchedState

PARALLEL_UPDATES = 0

LINE = BinarySensorEntityDescription(key="line", translation_key="line")

IN_USE: Final[Mapping[WatchedState, bool | None]] = {
    WatchedState.IDLE: False,
    WatchedState.RINGING: True,
    WatchedState.TALKING: True,
    WatchedState.UNKNOWN: None,
}


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the watched lines of an account, each with a device of its own."""
    for line in entry.runtime_data.lines.lines:
        async_add_entities([SipUaLine(entry.runtime_data, line)], config_subentry_id=line.id)


class SipUaLine(SipUaStateEntity, BinarySensorEntity):
    """The lamp beside the key of a line: dark while it is free."""

    _attr_name = None

    def __init__(self, coordinator: SipUaCoordinator, line: WatchedLine) -> None:
        """Name the entity after the line."""
        super().__init__(coordinator, LINE)
        entry = coordinator.config_entry
        self._line = line
        self._attr_unique_id = unique_id_in(entry, f"{LINE.key}_{line.id}")
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, f"{entry.entry_id}_{line.id}")},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer=MANUFACTURER,
            model="Watched line",
            name=line.name,
            via_device_id=dr.async_get_device_id_by_identifier(
                coordinator.hass, (DOMAIN, entry.entry_id), config_entry_id=entry.entry_id
            ),
        )

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether somebody rings there or talks."""
        return IN_USE[self._state]

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        """Return what the line does, and its number."""
        return {"line_state": self._state.value, ATTR_NUMBER: self._line.number}

    @property
    def _state(self) -> WatchedState:
        return self.coordinator.lines.state(self._line)

    @override
    def _showing(self) -> object:
        """Return what the line does."""
        return self.available, self._state
