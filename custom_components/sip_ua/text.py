"""Texts of an account: the number that its button dials, and the one that Assist calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.text import RestoreText, TextEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .action_calls import TARGET_LENGTH_MAX
from .const import KEY_ASSIST_NUMBER, KEY_NUMBER_TO_DIAL
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaStateEntity
from .figures import typed_number

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SipUaTextDescription(TextEntityDescription):
    """A text of the account: how it is read and set."""

    get: Callable[[SipUaCoordinator], str]
    set: Callable[[SipUaCoordinator, str], None]


def _set_number_to_dial(coordinator: SipUaCoordinator, number: str) -> None:
    coordinator.number_to_dial = number


def _set_assist_number(coordinator: SipUaCoordinator, number: str) -> None:
    coordinator.assist_number = number


NUMBER_TO_DIAL = SipUaTextDescription(
    key=KEY_NUMBER_TO_DIAL,
    translation_key=KEY_NUMBER_TO_DIAL,
    native_max=TARGET_LENGTH_MAX,
    get=lambda coordinator: coordinator.number_to_dial,
    set=_set_number_to_dial,
)
ASSIST_NUMBER = SipUaTextDescription(
    key=KEY_ASSIST_NUMBER,
    translation_key=KEY_ASSIST_NUMBER,
    entity_category=EntityCategory.CONFIG,
    native_max=TARGET_LENGTH_MAX,
    get=lambda coordinator: coordinator.assist_number,
    set=_set_assist_number,
)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the texts of an account."""
    coordinator = entry.runtime_data
    wanted = (NUMBER_TO_DIAL, ASSIST_NUMBER) if coordinator.needs_assist else (NUMBER_TO_DIAL,)
    async_add_entities(SipUaText(coordinator, description) for description in wanted)


class SipUaText(SipUaStateEntity, RestoreText):
    """A number, contact, speed dial or SIP address that stays as it was over a restart."""

    entity_description: SipUaTextDescription

    @override
    async def async_added_to_hass(self) -> None:
        """Take what was typed before."""
        await super().async_added_to_hass()
        if (last := await self.async_get_last_text_data()) is not None:
            self.entity_description.set(self.coordinator, last.native_value or "")

    @property
    @override
    def native_value(self) -> str:
        """Return what was typed."""
        return self.entity_description.get(self.coordinator)

    @override
    async def async_set_value(self, value: str) -> None:
        """Take what is typed."""
        self.entity_description.set(self.coordinator, typed_number(value, self.coordinator))
        self.async_write_ha_state()
