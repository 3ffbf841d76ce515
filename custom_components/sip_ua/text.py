"""Text of an account: the number that its button dials."""

from typing import override

from homeassistant.components.text import RestoreText, TextEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .action_calls import TARGET_LENGTH_MAX
from .const import KEY_NUMBER_TO_DIAL
from .coordinator import SipUaConfigEntry
from .entity import SipUaStateEntity

PARALLEL_UPDATES = 0

NUMBER_TO_DIAL = TextEntityDescription(
    key=KEY_NUMBER_TO_DIAL, translation_key=KEY_NUMBER_TO_DIAL, native_max=TARGET_LENGTH_MAX
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the text of an account."""
    async_add_entities([SipUaText(entry.runtime_data, NUMBER_TO_DIAL)])


class SipUaText(SipUaStateEntity, RestoreText):
    """A number, contact, speed dial or SIP address that stays as it was over a restart."""

    @override
    async def async_added_to_hass(self) -> None:
        """Take what was typed before."""
        await super().async_added_to_hass()
        if (last := await self.async_get_last_text_data()) is not None:
            self.coordinator.number_to_dial = last.native_value or ""

    @property
    @override
    def native_value(self) -> str:
        """Return what was typed."""
        return self.coordinator.number_to_dial

    @override
    async def async_set_value(self, value: str) -> None:
        """Take what is typed."""
        self.coordinator.number_to_dial = value
        self.async_write_ha_state()
