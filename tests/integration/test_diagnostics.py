"""Diagnostics name nobody and open no door."""

import json
from typing import Any

import pytest
from homeassistant.components.diagnostics import REDACTED
from homeassistant.components.diagnostics.util import async_redact_data
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.json import JSONEncoder
from homeassistant.helpers.selector import TextSelector
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua import form
from custom_components.sip_ua.diagnostics import TO_REDACT, async_get_config_entry_diagnostics
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
        "voice": normalize_options(
            "voice",
            {"codecs": ["g722", "pcma"], "dtmf": "info", "early_media": "http://radio:secret@media.example/"},
        ),
        "expert": normalize_options("expert", {"reliable_provisional": "required", "user_agent": "Hall/1"}),
    }
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["options"] == snapshot
    text = json.dumps(diagnostics, cls=JSONEncoder)
    assert not [word for word in ("Miller", "49301234", "secret") if word in text]


async def test_without_a_trace_there_is_none_to_tell_of(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    phone.kept = None
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert (diagnostics["trace"], diagnostics["last_call"]) == (None, None)


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


SERVERS = {"server", "sip_domain", "registrar", "outbound_proxy", "stun_server"}
"""Names and addresses of servers, which whoever helps has to know."""

HARMLESS = SERVERS | {"certificate_fingerprint", "user_agent"}


def texts_of(schema: dict[Any, Any]) -> dict[str, Any]:
    """Return every field of a form that takes free text, with a text that is told nowhere else."""
    texts: dict[str, Any] = {}
    for marker, field in schema.items():
        if isinstance(field, section):
            texts |= texts_of(field.schema.schema)
        elif isinstance(field, TextSelector):
            mark = f"mark of {marker}"
            texts[str(marker)] = [mark] if field.config["multiple"] else mark
    return texts


async def test_every_text_that_a_person_types_is_redacted_unless_it_names_nobody(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    typed = texts_of(dict(form.account_schema({}).schema))
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    steps: Any = menu["menu_options"]
    for step in steps:
        options = await hass.config_entries.options.async_init(entry.entry_id)
        shown = await hass.config_entries.options.async_configure(options["flow_id"], {"next_step_id": step})
        assert shown["data_schema"] is not None
        typed |= texts_of(dict(shown["data_schema"].schema))
    assert len(typed) > len(HARMLESS)
    told = async_redact_data(typed, TO_REDACT)
    assert {key for key, value in told.items() if value != REDACTED} == HARMLESS


@pytest.mark.parametrize("step", ["calls", "incoming", "voice", "recording", "expert"])
async def test_no_step_of_the_options_tells_what_was_typed_in_it(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, step: str
) -> None:
    numbers = {"forward_always": "5550123", "forward_busy": "5550124", "forward_no_answer": "5550125"}
    typed: dict[str, dict[str, Any]] = {
        "calls": {"display_name": "Miller", "allowed_numbers": ["5550126"], "refer_policy": "anywhere"},
        "incoming": numbers | {"blocked_numbers": ["5550127"]},
    }
    options = {step: normalize_options(step, typed.get(step, {}))}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert set(diagnostics["options"][step]) == set(options[step])
    text = json.dumps(diagnostics["options"], cls=JSONEncoder)
    assert "55501" not in text
    assert "Miller" not in text
