"""Actions are aimed at accounts: by device, entity, area, floor or label, by account, or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.components.automation.config import async_validate_config_item as validate_automation
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.sip.events import Party

from .conftest import OTHER_TYPED, act, contact, do, make_entry
from .phone import GRANDMA, FakePhone, Phones

FIRST, SECOND = "620@fritz.box", "100@pbx.example"


def account_device(hass: HomeAssistant, entry: MockConfigEntry) -> dr.DeviceEntry:
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    assert device is not None
    return device


def entity_of(hass: HomeAssistant, entry: MockConfigEntry, key: str = "call_state") -> er.RegistryEntry:
    found = [
        entity
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        if entity.unique_id.endswith(f"-{key}")
    ]
    return found[0]


@pytest.fixture(name="office")
def office_fixture(hass: HomeAssistant) -> ar.AreaEntry:
    """Return an area of the upper floor."""
    floor = fr.async_get(hass).async_create("Upstairs")
    return ar.async_get(hass).async_create("Office", floor_id=floor.floor_id)


@pytest.fixture(name="second")
def second_fixture(hass: HomeAssistant, other_phone: FakePhone) -> MockConfigEntry:
    """Return the second account."""
    (found,) = (entry for entry in hass.config_entries.async_entries(DOMAIN) if entry.title == SECOND)
    assert isinstance(found, MockConfigEntry)
    return found


def _by_device(hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    return {"device_id": account_device(hass, entry).id}


def _by_devices(hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    return {"device_id": [account_device(hass, entry).id]}


def _by_entity(hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    return {"entity_id": entity_of(hass, entry).entity_id}


def _by_entities_of_one(hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    keys = ("call_state", "registration", "do_not_disturb")
    return {"entity_id": [*(entity_of(hass, entry, key).entity_id for key in keys), "light.kitchen"]}


def _by_area_of_the_device(hass: HomeAssistant, entry: MockConfigEntry, office: ar.AreaEntry) -> dict[str, Any]:
    dr.async_get(hass).async_update_device(account_device(hass, entry).id, area_id=office.id)
    return {"area_id": office.id}


def _by_area_of_a_diagnostic_entity(
    hass: HomeAssistant, entry: MockConfigEntry, office: ar.AreaEntry
) -> dict[str, Any]:
    er.async_get(hass).async_update_entity(entity_of(hass, entry, "registration").entity_id, area_id=office.id)
    return {"area_id": [office.id]}


def _by_floor(hass: HomeAssistant, entry: MockConfigEntry, office: ar.AreaEntry) -> dict[str, Any]:
    dr.async_get(hass).async_update_device(account_device(hass, entry).id, area_id=office.id)
    return {"floor_id": office.floor_id}


def _by_label_of_the_device(hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    label = lr.async_get(hass).async_create("For alarms")
    dr.async_get(hass).async_update_device(account_device(hass, entry).id, labels={label.label_id})
    return {"label_id": label.label_id}


def _by_label_of_an_entity(hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    label = lr.async_get(hass).async_create("For alarms")
    er.async_get(hass).async_update_entity(entity_of(hass, entry).entity_id, labels={label.label_id})
    return {"label_id": label.label_id}


def _by_account(_hass: HomeAssistant, entry: MockConfigEntry, _office: ar.AreaEntry) -> dict[str, Any]:
    return {"config_entry_id": entry.entry_id}


@pytest.mark.parametrize(
    "aim",
    [
        _by_device,
        _by_devices,
        _by_entity,
        _by_entities_of_one,
        _by_area_of_the_device,
        _by_area_of_a_diagnostic_entity,
        _by_floor,
        _by_label_of_the_device,
        _by_label_of_an_entity,
        _by_account,
    ],
)
async def test_a_target_says_which_account_is_meant(
    hass: HomeAssistant,
    phone: FakePhone,
    other_phone: FakePhone,
    second: MockConfigEntry,
    office: ar.AreaEntry,
    aim: Callable[[HomeAssistant, MockConfigEntry, ar.AreaEntry], dict[str, Any]],
) -> None:
    target = aim(hass, second, office)
    await do(hass, "dial", number="612", **target)
    phone.ring()
    ringing = other_phone.ring(GRANDMA)
    answer = await act(hass, "answer", **target)
    assert answer["config_entry_id"] == second.entry_id
    assert [what[:2] for what in other_phone.did] == [("dial", "612"), ("answer", ringing)]
    assert phone.did == []


async def test_an_entity_of_a_contact_means_the_account_that_has_it(
    hass: HomeAssistant, phones: Phones, phone: FakePhone
) -> None:
    entry = make_entry(OTHER_TYPED, [contact("Grandma", "0301234", speed_dial=1)])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    await do(hass, "dial", number="612", entity_id=entity_of(hass, entry, "speed_dial_grandma").entity_id)
    assert [what[1] for what in phones[-1].did] == ["612"]
    assert phone.did == []


async def test_a_group_of_entities_means_the_accounts_of_its_members(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, second: MockConfigEntry
) -> None:
    members = ["light.kitchen", entity_of(hass, second).entity_id]
    assert await async_setup_component(hass, "group", {"group": {"phones": {"entities": members}}})
    await do(hass, "dial", number="612", entity_id="group.phones")
    assert [what[1] for what in other_phone.did] == ["612"]


async def test_the_target_of_an_automation_arrives(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, second: MockConfigEntry
) -> None:
    config = {
        "alias": "Alarm",
        "triggers": [{"trigger": "event", "event_type": "alarm"}],
        "actions": [
            {
                "action": "sip_ua.dial",
                "target": {"device_id": account_device(hass, second).id},
                "data": {"number": "612"},
            }
        ],
    }
    checked = await validate_automation(hass, "alarm", config)
    assert checked is not None
    assert checked.validation_error is None
    assert await async_setup_component(hass, "automation", {"automation": [config]})
    hass.bus.async_fire("alarm")
    await hass.async_block_till_done()
    assert [what[1] for what in other_phone.did] == ["612"]


async def test_actions_on_calls_take_those_of_all_accounts_that_are_aimed_at(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry, second: MockConfigEntry
) -> None:
    both = [account_device(hass, account).id for account in (entry, second)]
    ringing = other_phone.ring(GRANDMA)
    await do(hass, "answer", device_id=both)
    assert [what[:2] for what in other_phone.did] == [("answer", ringing)]


@pytest.mark.parametrize("target", [{}, {"entity_id": "all"}])
async def test_a_single_account_needs_no_target(hass: HomeAssistant, phone: FakePhone, target: dict[str, Any]) -> None:
    await do(hass, "dial", number="612", **target)
    assert [what[1] for what in phone.did] == ["612"]


# What is not clear


@pytest.mark.parametrize("target", [{}, {"entity_id": "all"}])
async def test_with_several_accounts_the_error_names_them(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, target: dict[str, Any]
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "dial", number="612", **target)
    assert raised.value.translation_key == "account_required"
    assert raised.value.translation_placeholders == {"accounts": f"{FIRST}, {SECOND}"}


async def test_an_area_with_several_accounts_is_not_clear(
    hass: HomeAssistant,
    phone: FakePhone,
    other_phone: FakePhone,
    entry: MockConfigEntry,
    second: MockConfigEntry,
    office: ar.AreaEntry,
) -> None:
    for account in (entry, second):
        dr.async_get(hass).async_update_device(account_device(hass, account).id, area_id=office.id)
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "dial", number="612", area_id=office.id)
    assert raised.value.translation_placeholders == {"accounts": f"{FIRST}, {SECOND}"}


async def test_calls_of_several_accounts_are_named_with_their_accounts(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    first, second = phone.ring(), other_phone.ring(Party("", "", "sip:anonymous@anonymous.invalid"))
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "answer")
    assert raised.value.translation_key == "call_ambiguous"
    assert raised.value.translation_placeholders == {
        "accounts": f"{FIRST}, {SECOND}",
        "calls": f"{first} (Grandma, {FIRST}), {second} ({SECOND})",
    }


# What is wrong


@pytest.mark.parametrize(
    "target",
    [
        {"entity_id": "light.kitchen"},
        {"entity_id": "sensor.gone"},
        {"entity_id": "none"},
        {"entity_id": []},
        {"device_id": []},
        {"area_id": "office"},
        {"area_id": "gone"},
        {"floor_id": "gone"},
        {"label_id": "gone"},
    ],
)
async def test_a_target_without_an_account_never_means_any_account(
    hass: HomeAssistant, phone: FakePhone, office: ar.AreaEntry, target: dict[str, Any]
) -> None:
    er.async_get(hass).async_get_or_create("light", "demo", "kitchen", suggested_object_id="kitchen")
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "dial", number="612", **target)
    assert raised.value.translation_key == "target_without_account"
    assert raised.value.translation_placeholders == {"accounts": FIRST}
    assert phone.did == []


async def test_a_device_of_something_else_is_an_error(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    other = MockConfigEntry(domain="demo")
    other.add_to_hass(hass)
    lamp = dr.async_get(hass).async_get_or_create(config_entry_id=other.entry_id, identifiers={("demo", "lamp")})
    for device_id, key in ((lamp.id, "service_device_wrong_domain"), ("gone", "service_device_not_found")):
        with pytest.raises(ServiceValidationError) as raised:
            await do(hass, "dial", number="612", device_id=[account_device(hass, entry).id, device_id])
        assert raised.value.translation_key == key


async def test_an_account_that_is_not_loaded_is_an_error_that_says_so(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    entity_id = entity_of(hass, entry).entity_id
    await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    for target, key in (
        ({}, "no_account"),
        ({"entity_id": "all"}, "no_account"),
        ({"config_entry_id": entry.entry_id}, "service_config_entry_not_loaded"),
        ({"device_id": account_device(hass, entry).id}, "service_config_entry_not_loaded"),
        ({"entity_id": entity_id}, "accounts_not_loaded"),
    ):
        with pytest.raises(ServiceValidationError) as raised:
            await do(hass, "dial", number="612", **target)
        assert raised.value.translation_key == key
        if key == "accounts_not_loaded":
            assert raised.value.translation_placeholders == {"accounts": FIRST}


async def test_without_any_account_a_target_is_an_error(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "dial", number="612", area_id="office")
    assert raised.value.translation_key == "target_without_account"
    assert raised.value.translation_placeholders == {"accounts": "-"}
