"""Diagnostics name nobody and open no door."""

import json
from typing import Any

import pytest
from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import JSONEncoder
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua.diagnostics import async_get_config_entry_diagnostics
from custom_components.sip_ua.options import normalize_options
from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, HostPort
from custom_components.sip_ua.sip.events import CallState, RegistrationFailure

from .certificates import PEM
from .conftest import make_entry
from .phone import FakePhone


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    return make_entry(
        {
            "template": "generic",
            "number": "4930998877",
            "server": "pbx.example",
            "auth_user": "login4711",
            "password": "correct horse",
            "network": {"nat": "manual", "public_address": "203.0.113.7"},
            "servers": {"transport": "tls"},
            "security": {"certificate_check": "authority", "certificate_authority": PEM},
        }
    )


@pytest.mark.freeze_time("2026-11-22 12:00:00+00:00")
async def test_diagnostics_hold_no_secret_and_no_number(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    finished = phone.ring()
    phone.enter(finished, CallState.TALKING)
    assert phone.kept is not None
    invite = b"INVITE sip:5550123@h SIP/2.0\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
    answers = (b"SIP/2.0 180 Grandma\r\nCall-ID: 1\r\n\r\n", b"GRANDMA sip:h SIP/2.0\r\nCall-ID: 1\r\n\r\n")
    for at, data in enumerate((invite, *answers)):
        server = Address(Transport.UDP, "203.0.113.7", 5060)
        phone.kept.keep(data, server, HostPort("192.0.2.7", 5060), sent=at > 0, at=float(at))
    phone.end(finished, reason="Grandma Smith is at +49 30 5550123")
    phone.ring()
    diagnostics: dict[str, Any] = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics == snapshot
    text = json.dumps(diagnostics, cls=JSONEncoder)
    for secret in (
        "correct horse",
        "login4711",
        "4930998877",
        "203.0.113.7",
        "+49301234",
        "Grandma",
        "5550123",
        PEM[28:60],
    ):
        assert secret not in text


@pytest.mark.freeze_time("2026-11-22 12:00:00+00:00")
async def test_options_are_told_without_whom_they_name(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, snapshot: SnapshotAssertion
) -> None:
    options = {
        "calls": normalize_options(
            "calls",
            {"display_name": "The Millers", "refer_policy": "server", "allowed_numbers": ["+49301234*"], "mwi": True},
        ),
        "voice": normalize_options("voice", {"codecs": ["g722", "pcma"], "dtmf": "info"}),
        "expert": normalize_options("expert", {"reliable_provisional": "required", "user_agent": "Hall/1"}),
    }
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["options"] == snapshot
    text = json.dumps(diagnostics, cls=JSONEncoder)
    assert "Miller" not in text
    assert "49301234" not in text


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Domain not served", "Domain not served"),
        ("User 4930998877 is unknown", REDACTED),
        ("login4711 may not", REDACTED),
        ("correct horse is wrong", REDACTED),
    ],
)
async def test_what_the_server_answered_is_told_unless_it_repeats_who_the_account_is(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, reason: str, told: str
) -> None:
    phone.fail(RegistrationFailure.LOGIN_REFUSED, 403, reason)
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert (diagnostics["registration"]["code"], diagnostics["registration"]["reason"]) == (403, told)
