"""The page about Home Assistant's health tells of the accounts."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.sip.events import RegistrationFailure

from .conftest import make_entry
from .phone import FakePhone, Phones


async def test_all_is_well(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    assert await get_system_health_info(hass, DOMAIN) == {
        "version": "0.1.0",
        "accounts_loaded": "1/1",
        "accounts_registered": "1/1",
        "servers_reached": "1/1",
        "calls_active": 1,
    }


@pytest.mark.parametrize(
    ("failure", "reached"), [(RegistrationFailure.NO_ANSWER, "1/2"), (RegistrationFailure.LOGIN_REFUSED, "2/2")]
)
async def test_what_is_wrong_shows(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, failure: RegistrationFailure, reached: str
) -> None:
    MockConfigEntry(domain=DOMAIN, data={}).add_to_hass(hass)
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    other_phone.fail(failure, 403)
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["accounts_loaded"], info["accounts_registered"]) == ("2/3", "1/2")
    assert (info["servers_reached"], info["calls_active"]) == (reached, 0)


async def test_an_account_without_a_server_is_not_waited_for(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry({"template": "direct", "number": "620"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    info = await get_system_health_info(hass, DOMAIN)
    assert (info["accounts_loaded"], info["accounts_registered"]) == ("1/1", "0/0")
