"""Notify entities of contacts: each calls its contact, speaks the message twice and hangs up."""

from typing import override

from homeassistant.components.notify import NotifyEntity, NotifyEntityDescription
from homeassistant.components.notify.const import NotifyEntityFeature
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .announcement import async_announce
from .contact_entity import SPEAK, ContactEntity
from .coordinator import SipUaConfigEntry

PARALLEL_UPDATES = 0

SPEAK_MESSAGE = NotifyEntityDescription(key=SPEAK.key, translation_key=SPEAK.key)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add an entity for each contact."""
    for contact in entry.runtime_data.contacts:
        async_add_entities(
            [ContactNotify(entry.runtime_data, SPEAK, SPEAK_MESSAGE, contact)], config_subentry_id=contact.id
        )


class ContactNotify(ContactEntity, NotifyEntity):
    """Tells a contact something by telephone; the title is spoken first."""

    _attr_supported_features = NotifyEntityFeature.TITLE

    @override
    async def async_send_message(self, message: str, title: str | None = None) -> None:
        """Call the contact and speak."""
        await async_announce(self.coordinator, self.contact, f"{title}. {message}" if title else message)
