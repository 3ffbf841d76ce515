"""Switches of an account: do not disturb, and automatic answering of the contacts that may be answered so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.const import STATE_ON, EntityCategory, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import RestoreEntity

from .const import DOMAIN, KEY_AUTO_ANSWER, KEY_DO_NOT_DISTURB
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaEntity, unique_id_in
from .reception import Reception

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SipUaSwitchDescription(SwitchEntityDescription):
    """A switch of the reception: how it is read and set."""

    get: Callable[[Reception], bool]
    set: Callable[[Reception, bool], None]


def _set_do_not_disturb(reception: Reception, on: bool) -> None:  # noqa: FBT001 - it is what a switch is set to
    reception.do_not_disturb = on


def _set_auto_answer(reception: Reception, on: bool) -> None:  # noqa: FBT001 - it is what a switch is set to
    reception.auto_answer = on


SWITCHES: tuple[SipUaSwitchDescription, ...] = (
    SipUaSwitchDescription(
        key=KEY_DO_NOT_DISTURB,
        translation_key=KEY_DO_NOT_DISTURB,
        get=lambda reception: reception.do_not_disturb,
        set=_set_do_not_disturb,
    ),
    SipUaSwitchDescription(
        key=KEY_AUTO_ANSWER,
        translation_key=KEY_AUTO_ANSWER,
        entity_category=EntityCategory.CONFIG,
        get=lambda reception: reception.auto_answer,
        set=_set_auto_answer,
    ),
)


async def async_restore_switches(hass: HomeAssistant, entry: SipUaConfigEntry, reception: Reception) -> None:
    """Switch everything as it was, before the first call can come in; what is disabled stays off."""
    registry = er.async_get(hass)
    for description in SWITCHES:
        entity_id = registry.async_get_entity_id(Platform.SWITCH, DOMAIN, unique_id_in(entry, description.key))
        if entity_id is None or (entity := registry.async_get(entity_id)) is None or entity.disabled:
            continue
        # Only an entity may ask for what was stored, and the switches come after the phone.
        asker = RestoreEntity()
        asker.hass, asker.entity_id = hass, entity_id
        if (last := await asker.async_get_last_state()) is not None:
            description.set(reception, last.state == STATE_ON)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switches of an account."""
    async_add_entities(SipUaSwitch(entry.runtime_data, description) for description in SWITCHES)


class SipUaSwitch(SipUaEntity, SwitchEntity, RestoreEntity):
    """A switch that is stored for the next start, and can be switched without registration."""

    entity_description: SipUaSwitchDescription

    def __init__(self, coordinator: SipUaCoordinator, description: SipUaSwitchDescription) -> None:
        """Take the reception that is to be switched."""
        super().__init__(coordinator, description)
        self._reception = coordinator.reception

    @property
    @override
    def available(self) -> bool:
        """Return True: the owner's wish holds whether or not calls are possible."""
        return True

    @property
    @override
    def is_on(self) -> bool:
        """Return how it is switched."""
        return self.entity_description.get(self._reception)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Switch it on."""
        self._switch(on=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Switch it off."""
        self._switch(on=False)

    def _switch(self, *, on: bool) -> None:
        self.entity_description.set(self._reception, on)
        self.async_write_ha_state()
