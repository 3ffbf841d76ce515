"""TLS as a person meets it: the form refuses an unknown server, says why, and takes what the person pastes."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import IPAddress
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.sip_ua.const import BIND_ANY, DOMAIN
from tests.net.certificates import CertificateAuthority, fingerprint_of

from .conftest import USERS, Peers
from .home import Home, typed_account
from .peers import LOOPBACK, Kamailio

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]


@pytest.mark.parametrize("check", ["authority", "fingerprint"])
async def test_an_exchange_with_its_own_certificate_is_set_up_and_calls(
    hass: HomeAssistant, peers: Peers, tmp_path: Path, check: str
) -> None:
    authority = CertificateAuthority(tmp_path)
    certificate = authority.file(IPAddress(ip_address(LOOPBACK)))
    kamailio = await peers.start(Kamailio(peers.own(), USERS, certificate=certificate))
    typed: dict[str, Any] = typed_account(port=kamailio.tls_port, password=USERS["ha"], transport="tls", bind=BIND_ANY)
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result["errors"] == {"security": "certificate"}
    assert result["description_placeholders"] is not None
    told = dict(result["description_placeholders"])
    assert told["fingerprint"] == fingerprint_of(certificate)
    assert (told["names"], told["place"]) == (LOOPBACK, f"{LOOPBACK}:{kamailio.tls_port} TLS")
    assert kamailio.requests() == []

    pasted = (
        {"certificate_authority": authority.pem}
        if check == "authority"
        else {"certificate_fingerprint": told["fingerprint"]}
    )
    typed["security"] = {"certificate_check": check, **pasted}
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    home = Home(hass, result["result"])
    await hass.async_block_till_done()
    await home.until_state("registration", "registered")
    bob = await peers.baresip(kamailio)
    await bob.dial(f"sip:ha@{kamailio.address}")
    await home.until_event("incoming")
    await home.call("answer")
    await bob.until_event("CALL_ESTABLISHED")
    await home.call("hangup")
    await bob.until_event("CALL_CLOSED")
