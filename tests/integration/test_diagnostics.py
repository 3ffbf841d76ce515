"""Diagnostics name nobody and open no door."""

import json
from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import JSONEncoder
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua.diagnostics import async_get_config_entry_diagnostics
from custom_components.sip_ua.sip.events import CallState

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
    phone.end(finished)
    phone.ring()
    diagnostics: dict[str, Any] = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics == snapshot
    text = json.dumps(diagnostics, cls=JSONEncoder)
    for secret in ("correct horse", "login4711", "4930998877", "203.0.113.7", "+49301234", "Grandma", PEM[28:60]):
        assert secret not in text
