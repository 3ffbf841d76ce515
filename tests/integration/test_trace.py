"""The trace of a call: as text by an action, as a file for administrators, never with a secret, off where unwanted."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import pytest
from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from pytest_homeassistant_custom_component.common import CLIENT_ID, MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, HostPort
from custom_components.sip_ua.sip.events import CallOutcome

from .conftest import act, make_entry
from .phone import FakePhone, Phones

SERVER = Address(Transport.UDP, "192.0.2.1", 5060)
US = HostPort("192.0.2.7", 5060)
SECRET = "0123456789abcdef"


def exchange(phone: FakePhone, sip_call_id: str) -> None:
    """Let the messages of a call be kept."""
    assert phone.kept is not None
    invite = (
        f"INVITE sip:612@fritz.box SIP/2.0\r\nCall-ID: {sip_call_id}\r\nCSeq: 2 INVITE\r\n"
        f'Authorization: Digest username="620", response="{SECRET}"\r\n\r\n'
    )
    ok = f"SIP/2.0 200 OK\r\nCall-ID: {sip_call_id}\r\nCSeq: 2 INVITE\r\n\r\n"
    phone.kept.keep(invite.encode(), SERVER, US, sent=True, at=1_795_348_800.0)
    phone.kept.keep(ok.encode(), SERVER, US, sent=False, at=1_795_348_800.5)
    register = b"REGISTER sip:fritz.box SIP/2.0\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n\r\n"
    phone.kept.keep(register, SERVER, US, sent=True, at=1_795_348_799.0)


@pytest.fixture(name="traced")
def traced_fixture(phone: FakePhone) -> str:
    """Return a call that is over and was traced."""
    call_id = phone.ring()
    exchange(phone, phone.calls[call_id].sip_call_id)
    phone.end(call_id, CallOutcome.MISSED)
    return call_id


async def test_the_newest_call_is_returned_as_text(hass: HomeAssistant, traced: str, entry: MockConfigEntry) -> None:
    answer = await act(hass, "get_sip_trace")
    assert (answer["call_id"], answer["messages"]) == (traced, 2)
    assert answer["config_entry_id"] == entry.entry_id
    assert "|----------------- INVITE ------------------>|" in answer["text"]
    assert "|<----------------- 200 OK ------------------|" in answer["text"]
    assert SECRET not in answer["text"]
    assert answer["links"] == {}


async def test_a_call_that_goes_on_can_be_looked_at(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    exchange(phone, phone.calls[talk].sip_call_id)
    assert (await act(hass, "get_sip_trace"))["call_id"] == talk
    assert (await act(hass, "get_sip_trace", call_id=talk))["messages"] == 2


async def test_of_several_accounts_the_newest_call_is_returned(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, traced: str
) -> None:
    other_phone.now = hass.loop.time()
    newer = other_phone.ring()
    exchange(other_phone, other_phone.calls[newer].sip_call_id)
    assert (await act(hass, "get_sip_trace"))["call_id"] == newer
    other_phone.end(newer, CallOutcome.MISSED)
    assert (await act(hass, "get_sip_trace"))["call_id"] == newer
    newest = phone.ring()
    exchange(phone, phone.calls[newest].sip_call_id)
    phone.end(newest, CallOutcome.MISSED)
    assert (await act(hass, "get_sip_trace"))["call_id"] == newest


async def test_everything_that_is_kept_can_be_had(hass: HomeAssistant, traced: str) -> None:
    answer = await act(hass, "get_sip_trace", call_id="all")
    assert answer["messages"] == 3
    assert answer["text"].startswith("620@fritz.box\n")
    assert answer["text"].index(" REGISTER ") < answer["text"].index(" INVITE ")


async def test_of_a_call_that_is_not_known_there_is_none(hass: HomeAssistant, traced: str) -> None:
    with pytest.raises(ServiceValidationError, match="Nothing is kept of this call"):
        await act(hass, "get_sip_trace", call_id="none such")


async def test_before_the_first_call_there_is_none(hass: HomeAssistant, phone: FakePhone) -> None:
    with pytest.raises(ServiceValidationError, match="Nothing is kept of this call"):
        await act(hass, "get_sip_trace")


async def test_the_trace_can_be_switched_off(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(options={"expert": {"trace": False}})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phone = phones[-1]
    assert phone.kept is None
    phone.end(phone.ring(), CallOutcome.MISSED)
    with pytest.raises(ServiceValidationError, match="No trace is kept"):
        await act(hass, "get_sip_trace")


async def test_only_administrators_may_ask(hass: HomeAssistant, traced: str, hass_read_only_user: MockUser) -> None:
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            "sip_ua",
            "get_sip_trace",
            {},
            blocking=True,
            return_response=True,
            context=Context(user_id=hass_read_only_user.id),
        )


async def links_of(hass: HomeAssistant, hass_ws_client: WebSocketGenerator) -> Mapping[str, str]:
    """Return the links that an administrator gets."""
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "call_service", "domain": "sip_ua", "service": "get_sip_trace", "return_response": True}
    )
    answer = await client.receive_json()
    links: dict[str, str] = answer["result"]["response"]["links"]
    return links


async def test_an_administrator_gets_links_that_need_no_login(
    hass: HomeAssistant,
    traced: str,
    hass_ws_client: WebSocketGenerator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    links = await links_of(hass, hass_ws_client)
    client = await hass_client_no_auth()
    text = await client.get(links["txt"])
    assert (text.status, text.content_type) == (HTTPStatus.OK, "text/plain")
    assert text.headers["Content-Disposition"] == 'attachment; filename="sip-trace.txt"'
    assert SECRET not in (await text.text())
    pcap = await client.get(links["pcap"])
    assert (pcap.status, pcap.content_type) == (HTTPStatus.OK, "application/vnd.tcpdump.pcap")
    body = await pcap.read()
    assert body.startswith(b"\xd4\xc3\xb2\xa1")
    assert b"INVITE" in body
    assert SECRET.encode() not in body
    other = await client.get(links["pcap"].replace(traced, "all"))
    assert other.status == HTTPStatus.UNAUTHORIZED


async def test_nobody_else_gets_a_file(
    hass: HomeAssistant,
    traced: str,
    entry: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    path = f"/api/sip_ua/trace/{entry.entry_id}/{traced}.txt"
    assert (await (await hass_client_no_auth()).get(path)).status == HTTPStatus.UNAUTHORIZED
    reader = await hass_client(hass_read_only_access_token)
    assert (await reader.get(path)).status == HTTPStatus.UNAUTHORIZED


async def test_a_user_who_is_no_administrator_cannot_sign_a_link(
    hass: HomeAssistant, traced: str, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    group = await hass.auth.async_get_group(GROUP_ID_USER)
    assert group is not None
    user = MockUser(groups=[group]).add_to_hass(hass)
    token = await hass.auth.async_create_refresh_token(user, CLIENT_ID)
    client = await hass_client(hass.auth.async_create_access_token(token))
    assert (await client.get(f"/api/sip_ua/trace/{entry.entry_id}/all.pcap")).status == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("entry_id", "call_id"), [("none such", "all"), ("entry_620@fritz.box", "none such"), ("entry_other", "all")]
)
async def test_what_is_not_there_is_not_found(
    hass: HomeAssistant, traced: str, hass_client: ClientSessionGenerator, entry_id: str, call_id: str
) -> None:
    MockConfigEntry(domain="other", entry_id="entry_other").add_to_hass(hass)
    client: Any = await hass_client()
    for kind in ("txt", "pcap"):
        answer = await client.get(f"/api/sip_ua/trace/{entry_id}/{call_id}.{kind}")
        assert answer.status == HTTPStatus.NOT_FOUND
    assert (await client.get(f"/api/sip_ua/trace/{entry_id}/{call_id}.exe")).status == HTTPStatus.NOT_FOUND
