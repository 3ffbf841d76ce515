"""A FRITZ!Box that announces itself and is a telephone system is offered with its template."""

from collections.abc import Generator
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from homeassistant.config_entries import SOURCE_IGNORE, SOURCE_SSDP, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.ssdp import ATTR_UPNP_FRIENDLY_NAME, ATTR_UPNP_UDN, SsdpServiceInfo
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationFailure, RegistrationState

from .conftest import make_entry
from .phone import Phones

HOST = "192.0.2.1"
NEW_HOST = "192.0.2.99"
MOVED = f"http://{NEW_HOST}:49000/fboxdesc.xml"
UDN = "uuid:75802409-bccb-40e7-8e6c-3810d5000000"
SECTIONS: dict[str, Any] = {"servers": {}, "network": {}, "security": {}, "timers": {}}


@pytest.fixture(autouse=True)
def outside() -> Generator[None]:
    """Let this machine have no addresses to choose from, and every account work."""
    registered = RegistrationChanged(at=1.0, state=RegistrationState.REGISTERED)
    with (
        patch("homeassistant.components.network.async_get_adapters", return_value=[]),
        patch("custom_components.sip_ua.config_flow.check_registration", return_value=registered),
    ):
        yield


@pytest.fixture(name="probe", autouse=True)
def probe_fixture() -> Generator[AsyncMock]:
    """Let everybody speak SIP unless told otherwise."""
    with patch("custom_components.sip_ua.config_flow.speaks_sip", return_value=True) as probe:
        yield probe


async def discover(
    hass: HomeAssistant, location: str = f"http://{HOST}:49000/fboxdesc.xml", udn: str = UDN
) -> ConfigFlowResult:
    info = SsdpServiceInfo(
        ssdp_usn=f"{udn}::urn:schemas-upnp-org:device:fritzbox:1",
        ssdp_st="urn:schemas-upnp-org:device:fritzbox:1",
        ssdp_location=location,
        upnp={ATTR_UPNP_FRIENDLY_NAME: "FRITZ!Box 7590", ATTR_UPNP_UDN: udn},
    )
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_SSDP}, data=info)


def found(number: str = "620", **more: Any) -> MockConfigEntry:
    """Return an account of the box, as its discovery made it."""
    typed = {"template": "fritzbox", "number": number, "server": HOST, "password": "x"}
    return make_entry(typed | {"discovered": {"udn": UDN, "host": HOST}} | more)


async def test_two_fields_are_left_to_type(hass: HomeAssistant, probe: AsyncMock, phones: Phones) -> None:
    result = await discover(hass)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    probe.assert_awaited_once_with(HOST)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "FRITZ!Box 7590"}
    schema = result["data_schema"]
    assert schema is not None
    filled = {str(marker): marker.description["suggested_value"] for marker in schema.schema if marker.description}
    assert filled == {"template": "fritzbox", "server": HOST}
    typed = filled | {"number": "620", "password": "correct horse"} | SECTIONS
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].unique_id == f"620@{HOST}"
    assert phones[-1].account.server is not None
    assert phones[-1].account.server.host == HOST
    assert result["data"]["discovered"] == {"udn": UDN, "host": HOST}


@pytest.mark.parametrize("server", [HOST, "", "FRITZ.box"])
async def test_a_box_that_has_an_account_is_not_offered(hass: HomeAssistant, probe: AsyncMock, server: str) -> None:
    make_entry({"template": "fritzbox", "number": "621", "server": server, "password": "x"}).add_to_hass(hass)
    result = await discover(hass)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    probe.assert_not_awaited()


async def test_a_box_that_is_found_again_where_it_was_changes_nothing(hass: HomeAssistant, probe: AsyncMock) -> None:
    entry = found()
    entry.add_to_hass(hass)
    assert (await discover(hass))["reason"] == "already_configured"
    assert entry.data["server"] == HOST
    probe.assert_not_awaited()


async def test_an_account_elsewhere_does_not_hide_it(hass: HomeAssistant) -> None:
    make_entry({"template": "generic", "number": "100", "server": "pbx.example", "password": "x"}).add_to_hass(hass)
    assert (await discover(hass))["type"] is FlowResultType.FORM


async def test_a_box_that_was_ignored_stays_so(hass: HomeAssistant) -> None:
    MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE, unique_id=UDN, data={}).add_to_hass(hass)
    assert (await discover(hass))["reason"] == "already_configured"


async def test_a_box_is_offered_once(hass: HomeAssistant) -> None:
    await discover(hass)
    assert (await discover(hass))["reason"] == "already_in_progress"


async def test_what_is_no_telephone_system_is_not_offered(hass: HomeAssistant, probe: AsyncMock) -> None:
    probe.return_value = False
    assert (await discover(hass))["reason"] == "no_telephony"


@pytest.mark.parametrize(
    "location",
    ["", "http://fritz.box:49000/fboxdesc.xml", "http://[fe80::1]:49000/fboxdesc.xml", "http://169.254.1.1/"],
)
async def test_an_address_of_one_link_only_is_none(hass: HomeAssistant, location: str) -> None:
    assert (await discover(hass, location))["reason"] == "no_address"


# A box that moves to another address


@pytest.mark.parametrize(("title", "new_title"), [("620@192.0.2.1", "620@192.0.2.99"), ("Landline", "Landline")])
async def test_accounts_follow_a_box_to_its_new_address(
    hass: HomeAssistant, phones: Phones, probe: AsyncMock, title: str, new_title: str
) -> None:
    probe.side_effect = NEW_HOST.__eq__
    entry, sibling = found(), make_entry({"template": "fritzbox", "number": "621", "server": HOST, "password": "x"})
    for account in (entry, sibling):
        account.add_to_hass(hass)
        assert await hass.config_entries.async_setup(account.entry_id)
        phones[-1].fail(RegistrationFailure.NO_ANSWER)
    hass.config_entries.async_update_entry(entry, title=title)
    result = await discover(hass, MOVED)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    await hass.async_block_till_done()
    assert [(account.data["server"], account.unique_id) for account in (entry, sibling)] == [
        (NEW_HOST, f"620@{NEW_HOST}"),
        (NEW_HOST, f"621@{NEW_HOST}"),
    ]
    assert entry.title == new_title
    assert entry.data["discovered"] == {"udn": UDN, "host": NEW_HOST}
    assert entry.data["password"] == "x"
    servers = [phone.account.server for phone in phones if phone.running]
    assert [server.host for server in servers if server] == [NEW_HOST, NEW_HOST]
    assert [call.args for call in probe.await_args_list] == [(NEW_HOST,), (HOST,)]


async def test_an_account_that_could_not_be_loaded_follows_too(
    hass: HomeAssistant, phones: Phones, probe: AsyncMock
) -> None:
    probe.side_effect = NEW_HOST.__eq__
    entry = found()
    entry.add_to_hass(hass)
    await discover(hass, MOVED)
    await hass.async_block_till_done()
    assert entry.data["server"] == NEW_HOST
    assert entry.state is ConfigEntryState.LOADED


async def test_an_account_that_works_stays_where_it_is(hass: HomeAssistant, phones: Phones, probe: AsyncMock) -> None:
    entry = found()
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phones[-1].register()
    result = await discover(hass, MOVED)
    assert result["reason"] == "already_configured"
    assert entry.data["server"] == HOST
    probe.assert_not_awaited()


async def test_nobody_follows_to_what_is_no_telephone_system(
    hass: HomeAssistant, phones: Phones, probe: AsyncMock
) -> None:
    entry = found()
    entry.add_to_hass(hass)
    probe.return_value = False
    assert (await discover(hass, MOVED))["reason"] == "already_configured"
    assert entry.data["server"] == HOST


async def test_nobody_follows_a_box_that_still_answers_where_it_was(hass: HomeAssistant, phones: Phones) -> None:
    entry = found()
    entry.add_to_hass(hass)
    assert (await discover(hass, MOVED))["reason"] == "already_configured"
    assert entry.data["server"] == HOST


@pytest.mark.parametrize("server", ["fritz.box", "192.0.2.50"])
async def test_a_server_that_a_person_chose_stays(hass: HomeAssistant, phones: Phones, server: str) -> None:
    entry = found(server=server)
    entry.add_to_hass(hass)
    await discover(hass, MOVED)
    assert entry.data["server"] == server


async def test_another_box_at_another_address_is_offered(hass: HomeAssistant, phones: Phones) -> None:
    entry = found()
    entry.add_to_hass(hass)
    result = await discover(hass, MOVED, udn="uuid:another")
    assert result["type"] is FlowResultType.FORM
    assert entry.data["server"] == HOST


async def test_an_account_that_is_at_the_new_address_already_stays_alone(
    hass: HomeAssistant, phones: Phones, probe: AsyncMock
) -> None:
    probe.side_effect = NEW_HOST.__eq__
    entry, other = found(), make_entry({"template": "fritzbox", "number": "620", "server": NEW_HOST, "password": "x"})
    entry.add_to_hass(hass)
    other.add_to_hass(hass)
    assert (await discover(hass, MOVED))["reason"] == "already_configured"
    assert [account.data["server"] for account in (entry, other)] == [HOST, NEW_HOST]


async def test_what_is_known_of_the_box_outlives_a_change_of_the_account(hass: HomeAssistant, phones: Phones) -> None:
    entry = found()
    entry.add_to_hass(hass)
    form = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {"server": HOST} | SECTIONS)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data["discovered"] == {"udn": UDN, "host": HOST}
    await hass.async_block_till_done()
