"""What the entities of contacts have in common: a device for each contact, and only the entities that it wants."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, override

from homeassistant.const import Platform
from homeassistant.helpers.entity import EntityDescription

from .contacts import Contact
from .coordinator import SipUaCoordinator
from .entity import MODEL_CONTACT, SipUaStateEntity, subentry_device, unique_id_in


@dataclass(frozen=True, slots=True)
class Feature:
    """An entity that a contact has where it is wanted."""

    platform: Platform
    key: str
    is_wanted: Callable[[Contact], bool]


SPEED_DIAL: Final = Feature(Platform.BUTTON, "speed_dial", lambda contact: contact.speed_dial is not None)
OPEN_DOOR: Final = Feature(Platform.BUTTON, "open_door", lambda contact: bool(contact.door_code))
DOORBELL: Final = Feature(Platform.EVENT, "doorbell", lambda contact: contact.is_door_station)
SPEAK: Final = Feature(Platform.NOTIFY, "speak", lambda _contact: True)
LINE: Final = Feature(Platform.BINARY_SENSOR, "line", lambda contact: contact.watched)
FEATURES: Final = (SPEED_DIAL, OPEN_DOOR, DOORBELL, SPEAK, LINE)


def key_of(feature: Feature, contact_id: str) -> str:
    """Return the key of a contact's entity."""
    return f"{feature.key}_{contact_id}"


def unwanted(contacts: Iterable[Contact]) -> Iterator[tuple[str, str]]:
    """Yield platform and key of every entity that a contact does not want, or not any more."""
    for contact in contacts:
        for feature in FEATURES:
            if not feature.is_wanted(contact):
                yield feature.platform, key_of(feature, contact.id)


class ContactEntity(SipUaStateEntity):
    """An entity of one contact."""

    def __init__(
        self, coordinator: SipUaCoordinator, feature: Feature, description: EntityDescription, contact: Contact
    ) -> None:
        """Name the entity after the contact."""
        super().__init__(coordinator, description)
        self.contact = contact
        self._attr_unique_id = unique_id_in(coordinator.config_entry, key_of(feature, contact.id))
        self._attr_device_info = subentry_device(coordinator, contact.id, contact.name, MODEL_CONTACT)

    @property
    @override
    def available(self) -> bool:
        """Return whether the contact can be called."""
        return self.coordinator.reachable
