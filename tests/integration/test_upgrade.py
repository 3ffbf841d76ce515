"""An account that the very first version of the integration has made still loads, with its entities and settings."""

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.sip.account import CertificateCheck, Srtp, Transport

from .phone import Phones

FIRST_ENTRY = Path(__file__).with_name("first_entry.json")
FIRST_ENTITIES = {
    "button": ("answer", "hangup"),
    "event": ("call",),
    "sensor": (
        "call_state",
        "remote_name",
        "remote_number",
        "call_direction",
        "calls_active",
        "last_call",
        "registration",
        "registration_expires",
        "last_answer",
        "registration_problem",
    ),
}


@pytest.fixture(name="first_entry")
def first_entry_fixture(hass: HomeAssistant) -> MockConfigEntry:
    """Return an entry as the first version has stored it, with entities that its owner has given names."""
    stored: dict[str, Any] = json.loads(FIRST_ENTRY.read_text(encoding="utf-8"))
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id="01JD9Q4N8Z3G5V7W2X6Y0K1M4P",
        version=stored["version"],
        minor_version=stored["minor_version"],
        title=stored["title"],
        unique_id=stored["unique_id"],
        data=stored["data"],
        options=stored["options"],
        subentries_data=stored["subentries"],
    )
    entry.add_to_hass(hass)
    registry = er.async_get(hass)
    for platform, keys in FIRST_ENTITIES.items():
        for key in keys:
            registry.async_get_or_create(
                platform, DOMAIN, f"{entry.entry_id}_{key}", config_entry=entry, suggested_object_id=f"my_own_{key}"
            )
    return entry


async def test_the_first_entry_loads_with_the_defaults_of_all_that_came_later(
    hass: HomeAssistant, phones: Phones, first_entry: MockConfigEntry
) -> None:
    stored = dict(first_entry.data)
    assert await hass.config_entries.async_setup(first_entry.entry_id)
    await hass.async_block_till_done()
    assert first_entry.state is ConfigEntryState.LOADED
    account = phones[-1].account
    assert (account.number, account.domain, account.password) == ("620", "fritz.box", "correct horse")
    assert (account.transport, account.srtp, account.tls.check) == (Transport.UDP, Srtp.OFF, CertificateCheck.TRUSTED)
    assert first_entry.data == MappingProxyType(stored)


async def test_the_entities_of_the_first_entry_keep_the_names_that_automations_know(
    hass: HomeAssistant, phones: Phones, first_entry: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    before = {entity.entity_id: entity.id for entity in registry.entities.values()}
    assert await hass.config_entries.async_setup(first_entry.entry_id)
    phones[-1].register()
    await hass.async_block_till_done()
    for platform, keys in FIRST_ENTITIES.items():
        for key in keys:
            entity_id = f"{platform}.my_own_{key}"
            entity = registry.async_get(entity_id)
            assert entity is not None
            assert entity.id == before[entity_id]
            assert entity.translation_key == key
            assert entity.disabled or hass.states.get(entity_id) is not None
            twins = [other for other in registry.entities.values() if other.translation_key == key]
            assert twins == [entity]


async def test_the_forms_of_the_first_entry_open(
    hass: HomeAssistant, phones: Phones, first_entry: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_setup(first_entry.entry_id)
    reconfigure = await first_entry.start_reconfigure_flow(hass)
    assert (reconfigure["type"], reconfigure["step_id"]) == ("form", "reconfigure")
    menu = await hass.config_entries.options.async_init(first_entry.entry_id)
    assert menu["type"] == "menu"
    steps = menu["menu_options"]
    assert isinstance(steps, list | dict)
    for step in steps:
        options = await hass.config_entries.options.async_init(first_entry.entry_id)
        form = await hass.config_entries.options.async_configure(options["flow_id"], {"next_step_id": step})
        assert (form["type"], form["step_id"], form["errors"] or {}) == ("form", step, {})
