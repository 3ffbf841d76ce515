"""The common ground of the entities: one service device for each account, and writes only where there is news."""

from collections.abc import Iterable
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription

from .const import DOMAIN
from .coordinator import SipUaCoordinator

MANUFACTURER: Final = "SIP Phone"
MODEL: Final = "SIP account"
MODEL_CONTACT: Final = "Contact"
MODEL_LINE: Final = "Watched line"
"""The models are no texts: the registry keeps them, and selectors of triggers and conditions filter by them."""

_SEPARATOR: Final = "-"
"""Between the account and the key of an entity; no key has it."""


def unique_id_in(entry: ConfigEntry, key: str) -> str:
    """Return an entity's unique id: an account that is removed and added again gets its entities back."""
    return f"{entry.unique_id or entry.entry_id}{_SEPARATOR}{key}"


async def async_follow_identity(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Let the entities keep their history where the account has become another number or domain.

    The first version named them after the entry.
    """

    @callback
    def follow(entity: er.RegistryEntry) -> dict[str, str] | None:
        key = entity.unique_id.removeprefix(f"{entry.entry_id}_").rpartition(_SEPARATOR)[2]
        unique_id = unique_id_in(entry, key)
        return None if unique_id == entity.unique_id else {"new_unique_id": unique_id}

    await er.async_migrate_entries(hass, entry.entry_id, follow)


@callback
def async_forget(hass: HomeAssistant, entry: ConfigEntry, domains_and_keys: Iterable[tuple[str, str]]) -> None:
    """Remove entities that the account's options do away with."""
    registry = er.async_get(hass)
    for domain, key in domains_and_keys:
        if entity_id := registry.async_get_entity_id(domain, DOMAIN, unique_id_in(entry, key)):
            registry.async_remove(entity_id)


def subentry_identifier(entry: ConfigEntry, subentry_id: str) -> tuple[str, str]:
    """Return what tells the device of somebody whom a subentry lists."""
    return DOMAIN, f"{entry.entry_id}_{subentry_id}"


@callback
def async_add_device(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Add the device of an account, on which the devices of its watched lines hang whichever platform comes first."""
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        model=MODEL,
        name=entry.title,
    )


def subentry_device(coordinator: SipUaCoordinator, subentry_id: str, name: str, model: str) -> DeviceInfo:
    """Return the device of somebody whom a subentry lists, which hangs on the device of the account."""
    entry = coordinator.config_entry
    return DeviceInfo(
        identifiers={subentry_identifier(entry, subentry_id)},
        entry_type=DeviceEntryType.SERVICE,
        manufacturer=MANUFACTURER,
        model=model,
        name=name,
        via_device_id=dr.async_get_device_id_by_identifier(
            coordinator.hass, (DOMAIN, entry.entry_id), config_entry_id=entry.entry_id
        ),
    )


class SipUaEntity(Entity):
    """An entity of one account."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, coordinator: SipUaCoordinator, description: EntityDescription) -> None:
        """Name the entity after its account and its purpose."""
        entry = coordinator.config_entry
        self.coordinator = coordinator
        self.entity_description = description
        self._attr_unique_id = unique_id_in(entry, description.key)
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, entry.entry_id)},
            entry_type=DeviceEntryType.SERVICE,
            manufacturer=MANUFACTURER,
            model=MODEL,
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
        self.async_on_remove(self.coordinator.bulletin.async_subscribe(self._handle_update, first=self._first))

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
