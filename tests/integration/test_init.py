"""The life of an entry: loading, reloading, unloading, removal, and what stands in its way."""

from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState, Event, HomeAssistant
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.engine import DATA_ENGINE
from custom_components.sip_ua.net.errors import LocalAddressError, LocalPortInUseError
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.sip.events import CallState, RegistrationFailure, RegistrationState

from .conftest import TYPED, make_entry
from .phone import FakePhone, Phones


async def test_actions_are_there_without_an_account(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    assert set(hass.services.async_services_for_domain(DOMAIN)) == {
        *(
            "answer",
            "bridge",
            "call_out",
            "conference",
            "dial",
            "get_call_history",
            "get_sip_trace",
            "hangup",
            "hold",
            "menu",
            "play",
            "redirect",
            "resume",
            "send_dtmf",
            "speak",
            "split",
            "start_recording",
            "stop",
            "stop_recording",
            "swap",
            "transfer",
            "wait_for_dtmf",
        )
    }


async def test_a_failing_registration_does_not_keep_the_entry_from_loading(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry
) -> None:
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phones[-1].fail(RegistrationFailure.NO_ANSWER)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (LocalPortInUseError(5070), "local_port_in_use"),
        (LocalAddressError("192.0.2.7"), "local_address_gone"),
        (OSError("no network"), "no_network"),
    ],
)
async def test_local_causes_make_the_entry_wait(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry, error: Exception, key: str
) -> None:
    phones.error = error
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.error_reason_translation_key == key
    assert phones[-1].did == [("stop",)]
    assert DATA_ENGINE not in hass.data


async def test_unloading_hangs_up_and_switches_everything_off(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, call_events: list[Event]
) -> None:
    phone.ring()
    with patch.object(MediaEngine, "stop", autospec=True) as stop:
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert not phone.running
    assert phone.calls == {}
    assert call_events[-1].data["type"] == "ended"
    stop.assert_awaited_once()
    assert DATA_ENGINE not in hass.data


async def test_the_engine_is_shared_and_stops_with_the_last_account(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    assert phone.media is other_phone.media
    first, second = hass.config_entries.async_entries(DOMAIN)
    await hass.config_entries.async_unload(first.entry_id)
    assert hass.data[DATA_ENGINE].users == 1
    await hass.config_entries.async_unload(second.entry_id)
    assert DATA_ENGINE not in hass.data


async def test_reloading_makes_a_new_telephone(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert not phone.running
    assert phones[-1] is not phone
    assert phones[-1].running


async def test_removing_unregisters(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_remove(entry.entry_id)
    assert phone.did == [("stop",)]
    assert hass.states.async_entity_ids() == []


async def test_the_end_of_home_assistant_ends_calls(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    phone.ring()
    hass.set_state(CoreState.stopping)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()
    assert phone.did == [("stop",)]
    assert phone.calls == {}
    assert DATA_ENGINE not in hass.data
    hass.set_state(CoreState.running)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert phone.did == [("stop",)]


async def test_no_new_login_is_asked_for_while_home_assistant_ends(hass: HomeAssistant, phone: FakePhone) -> None:
    hass.set_state(CoreState.stopping)
    phone.fail(RegistrationFailure.LOGIN_REFUSED, 403, "Forbidden", state=RegistrationState.REFUSED)
    await hass.async_block_till_done()
    assert hass.config_entries.flow.async_progress() == []


async def test_an_account_is_one_service_device(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert device.entry_type is dr.DeviceEntryType.SERVICE
    assert device.identifiers == {(DOMAIN, entry.entry_id)}
    assert device.name == "620@fritz.box"


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({}, 0),
        ({"security": {"srtp": "optional"}}, 0),
        ({"security": {"srtp": "optional", "srtp_without_tls": True}}, 1),
        ({"security": {"srtp": "required", "srtp_without_tls": True}, "servers": {"transport": "tls"}}, 0),
    ],
)
async def test_keys_without_tls_are_warned_of_once(
    hass: HomeAssistant, phones: Phones, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], warned: int
) -> None:
    entry = make_entry({**TYPED, **fields})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(2):
        phones[-1].enter(phones[-1].ring(), CallState.TALKING)
    warnings = [record for record in caplog.records if "without TLS" in record.getMessage()]
    assert len(warnings) == warned
    assert all(record.levelname == "WARNING" for record in warnings)


async def test_loss_and_return_of_the_registration_are_logged_once_each(
    hass: HomeAssistant, phone: FakePhone, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        phone.fail(RegistrationFailure.NO_ANSWER)
    phone.register()
    phone.register()
    lines = [record.getMessage() for record in caplog.records if "registered" in record.getMessage()]
    assert lines == [
        "620@fritz.box is not registered: no_answer (no answer; 192.0.2.1 port 5060 over UDP)",
        "620@fritz.box is registered again",
    ]
    assert "correct horse" not in caplog.text


@pytest.mark.parametrize("check", ["off", "trusted"])
async def test_a_missing_check_of_certificates_is_shown_in_repairs_while_the_account_is_loaded(
    hass: HomeAssistant, phones: Phones, check: str
) -> None:
    entry = make_entry(TYPED | {"servers": {"transport": "tls"}, "security": {"certificate_check": check}})
    entry.add_to_hass(hass)
    registry = ir.async_get(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    issue = registry.async_get_issue(DOMAIN, f"certificate_unchecked_{entry.entry_id}")
    if check == "trusted":
        assert issue is None
        return
    assert issue is not None
    assert (issue.severity, issue.is_fixable) == (ir.IssueSeverity.WARNING, False)
    assert issue.translation_key == "certificate_unchecked"
    assert issue.translation_placeholders == {"account": "620@fritz.box"}
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert registry.async_get_issue(DOMAIN, issue.issue_id) is None
