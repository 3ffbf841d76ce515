"""Binary sensors of an account: whether a call is recorded, and whether a watched line or a contact is in use."""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import ATTR_NUMBER
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import MODEL_CONTACT, MODEL_LINE, SipUaStateEntity, subentry_device, unique_id_in
from .lines import WatchedLine
from .sip.events import WatchedState

PARALLEL_UPDATES = 0

RECORDING = BinarySensorEntityDescription(key="recording", translation_key="recording")
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
    """Add the lamp of recordings, and the watched lines of an account, each with a device of its own."""
    async_add_entities([SipUaRecording(entry.runtime_data, RECORDING)])
    for line in entry.runtime_data.lines.lines:
        async_add_entities([SipUaLine(entry.runtime_data, line)], config_subentry_id=line.id)


class SipUaRecording(SipUaStateEntity, BinarySensorEntity):
    """The red lamp: lit while a call of the account is recorded."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether a call is recorded."""
        return bool(self.coordinator.recordings.calls)

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any]:
        """Return which calls."""
        return {"calls": list(self.coordinator.recordings.calls)}

    @override
    def _showing(self) -> object:
        """Return the calls that are recorded."""
        return self.available, self.coordinator.recordings.calls


class SipUaLine(SipUaStateEntity, BinarySensorEntity):
    """The lamp beside the key of a line: dark while it is free."""

    _attr_name = None

    def __init__(self, coordinator: SipUaCoordinator, line: WatchedLine) -> None:
        """Name the entity after the line."""
        super().__init__(coordinator, LINE)
        self._line = line
        self._attr_unique_id = unique_id_in(coordinator.config_entry, f"{LINE.key}_{line.id}")
        self._attr_device_info = subentry_device(
            coordinator, line.id, line.name, MODEL_CONTACT if line.is_contact else MODEL_LINE
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
