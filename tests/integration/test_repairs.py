"""What stands in Repairs: raised once, with a remedy, healed by itself, and mended by a click where one is enough."""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from unittest.mock import patch

import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.issues import KINDS, UNREACHABLE_AFTER
from custom_components.sip_ua.net.errors import LocalPortInUseError
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    CertificateFacts,
    EndedBy,
    RegistrationFailure,
    RegistrationState,
)

from .conftest import TYPED, contact, make_entry
from .phone import FakePhone, Phones
from .test_history import STATISTICS

PROBLEMS = {
    RegistrationFailure.CERTIFICATE_NAME: "The server's certificate is for somebody else",
    RegistrationFailure.CERTIFICATE_EXPIRED: "The server's certificate is not valid today",
    RegistrationFailure.CERTIFICATE: "The server's certificate is not trusted",
}
FINGERPRINT = ":".join(["AB"] * 32)
SELF_MADE = CertificateFacts(subject="pbx", issuer="pbx", not_after="2030-12-31", fingerprint=FINGERPRINT)


def shown(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return the issues that are shown, by their kind."""
    issues = ir.async_get(hass).issues.values()
    return {str(issue.translation_key): issue for issue in issues if issue.domain == DOMAIN and issue.active}


async def set_up(hass: HomeAssistant, phones: Phones, **typed: Any) -> tuple[MockConfigEntry, FakePhone]:
    entry = make_entry(TYPED | typed)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry, phones[-1]


async def mend(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, kind: str, **typed: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Open the flow of an issue, submit it, and return what it showed and how it ended."""
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()
    issue = shown(hass)[kind]
    answer = await client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id})
    assert answer.status == HTTPStatus.OK
    form = await answer.json()
    answer = await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json=typed)
    assert answer.status == HTTPStatus.OK
    ended = await answer.json()
    await hass.async_block_till_done()
    return form, ended


def wait(hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float) -> None:
    freezer.tick(timedelta(seconds=seconds))
    async_fire_time_changed(hass)


async def test_all_is_well(hass: HomeAssistant, phone: FakePhone) -> None:
    assert shown(hass) == {}


# The server


async def test_a_server_that_is_away_for_long_is_shown_until_it_is_back(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    wait(hass, freezer, UNREACHABLE_AFTER - 60)
    phone.fail(RegistrationFailure.SERVER_BUSY, 503, "Busy")
    await hass.async_block_till_done()
    assert shown(hass) == {}
    wait(hass, freezer, 61)
    await hass.async_block_till_done()
    issue = shown(hass)["server_unreachable"]
    assert issue.translation_placeholders == {
        "account": "620@fritz.box",
        "place": "192.0.2.1:5060 UDP",
        "cause": "The server is busy",
        "answer": "503 Busy",
    }
    assert issue.learn_more_url is not None
    assert issue.learn_more_url.endswith("/docs/repairs.md#server-unreachable")
    phone.register()
    assert shown(hass) == {}


async def test_a_cause_is_told_in_the_language_of_home_assistant(
    hass: HomeAssistant, phones: Phones, freezer: FrozenDateTimeFactory
) -> None:
    hass.config.language = "de"
    _, phone = await set_up(hass, phones)
    phone.change(state=RegistrationState.FAILED, failure=RegistrationFailure.NO_ANSWER, detail="no answer")
    wait(hass, freezer, UNREACHABLE_AFTER + 1)
    await hass.async_block_till_done()
    issue = shown(hass)["server_unreachable"]
    assert issue.translation_placeholders == {
        "account": "620@fritz.box",
        "place": "-",
        "cause": "Der Server antwortet nicht",
        "answer": "-",
    }
    phone.change(state=RegistrationState.FAILED, failure=RegistrationFailure.CERTIFICATE_NAME)
    wrong = shown(hass)["certificate_wrong"].translation_placeholders
    assert wrong is not None
    assert wrong["cause"] == "Das Zertifikat des Servers ist für jemand anderen"
    assert {wrong[key] for key in ("names", "issuer", "until", "fingerprint")} == {"-"}


async def test_a_server_that_is_back_in_time_is_not_shown(
    hass: HomeAssistant, phone: FakePhone, freezer: FrozenDateTimeFactory
) -> None:
    for _ in range(5):
        phone.fail(RegistrationFailure.NO_ANSWER)
        wait(hass, freezer, UNREACHABLE_AFTER / 2)
        phone.register()
    await hass.async_block_till_done()
    assert shown(hass) == {}


async def test_a_refused_login_is_left_to_the_login_form(
    hass: HomeAssistant, phone: FakePhone, freezer: FrozenDateTimeFactory
) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    phone.fail(RegistrationFailure.LOGIN_REFUSED, 403, "Forbidden", state=RegistrationState.REFUSED)
    wait(hass, freezer, UNREACHABLE_AFTER + 1)
    await hass.async_block_till_done()
    assert shown(hass) == {}
    assert [flow["context"]["source"] for flow in hass.config_entries.flow.async_progress()] == ["reauth"]


async def test_an_unloaded_account_waits_for_nothing(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    phone.fail(RegistrationFailure.NO_ANSWER)
    await hass.config_entries.async_unload(entry.entry_id)
    wait(hass, freezer, UNREACHABLE_AFTER + 1)
    await hass.async_block_till_done()
    assert shown(hass) == {}


# Its certificate


@pytest.mark.parametrize("failure", [RegistrationFailure.CERTIFICATE, RegistrationFailure.CERTIFICATE_CHANGED])
async def test_a_certificate_that_nobody_vouches_for_can_be_pinned(
    hass: HomeAssistant, phones: Phones, hass_client: ClientSessionGenerator, failure: RegistrationFailure
) -> None:
    entry, phone = await set_up(hass, phones, servers={"transport": "tls"})
    phone.change(state=RegistrationState.FAILED, failure=failure, certificate=SELF_MADE)
    form, ended = await mend(hass, hass_client, "certificate_not_trusted")
    assert form["description_placeholders"]["fingerprint"] == FINGERPRINT
    assert ended["type"] == "create_entry"
    assert entry.data["security"]["certificate_check"] == "fingerprint"
    assert phones[-1] is not phone
    assert phones[-1].account.tls.fingerprint == FINGERPRINT
    assert shown(hass) == {}


async def test_a_certificate_cannot_name_another_fingerprint_than_its_own(hass: HomeAssistant, phones: Phones) -> None:
    _, phone = await set_up(hass, phones, servers={"transport": "tls"})
    other = ":".join(["CD"] * 32)
    facts = replace(SELF_MADE, names=(f"SHA-256 fingerprint {other}",))
    phone.change(state=RegistrationState.FAILED, failure=RegistrationFailure.CERTIFICATE, certificate=facts)
    data = shown(hass)["certificate_not_trusted"].data
    assert data is not None
    assert data["fingerprint"] == FINGERPRINT


@pytest.mark.parametrize(
    "failure",
    [RegistrationFailure.CERTIFICATE_NAME, RegistrationFailure.CERTIFICATE_EXPIRED, RegistrationFailure.CERTIFICATE],
)
async def test_a_certificate_that_a_click_cannot_mend_is_explained_until_it_is_right(
    hass: HomeAssistant, phone: FakePhone, failure: RegistrationFailure
) -> None:
    facts = replace(SELF_MADE, fingerprint="", names=("one.example", "two.example"))
    phone.change(state=RegistrationState.FAILED, failure=failure, detail="not for pbx.example", certificate=facts)
    issue = shown(hass)["certificate_wrong"]
    assert not issue.is_fixable
    assert issue.translation_placeholders == {
        "account": "620@fritz.box",
        "cause": PROBLEMS[failure],
        "place": "-",
        "names": "one.example, two.example",
        "issuer": "pbx",
        "until": "2030-12-31",
        "fingerprint": "-",
    }
    phone.register()
    assert shown(hass) == {}


@pytest.mark.parametrize(
    ("days", "is_shown"),
    [
        (("2026-09-01", "2026-11-30"), False),
        (("2026-09-01", "2026-11-28"), True),
        (("2026-11-20", "2026-11-26"), False),
        (("2026-11-17", "2026-11-23"), True),
    ],
)
@pytest.mark.freeze_time("2026-11-22 12:00:00+00:00")
async def test_the_end_of_a_certificate_is_told_in_time(
    hass: HomeAssistant, phone: FakePhone, days: tuple[str, str], *, is_shown: bool
) -> None:
    phone.certificate_dates = days
    phone.register()
    assert ("certificate_expires" in shown(hass)) is is_shown
    phone.certificate_dates = ("2026-11-22", "2027-11-22")
    phone.register()
    assert shown(hass) == {}


# The port


async def test_a_port_that_is_taken_is_given_up_by_a_click(
    hass: HomeAssistant, phones: Phones, hass_client: ClientSessionGenerator
) -> None:
    phones.error = LocalPortInUseError(5060)
    entry = make_entry(TYPED | {"network": {"local_port": 5060}})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert shown(hass)["local_port_in_use"].translation_placeholders == {
        "account": "620@fritz.box",
        "local_port": "5060",
    }
    phones.error = None
    _, ended = await mend(hass, hass_client, "local_port_in_use")
    assert ended["type"] == "create_entry"
    assert phones[-1].account.network.local_port == 0
    assert entry.state.value == "loaded"
    assert shown(hass) == {}


@pytest.mark.parametrize("why", ["the network", "a contact", "no server"])
async def test_an_account_that_others_have_to_find_gets_another_port_at_which_it_stays(
    hass: HomeAssistant, phones: Phones, hass_client: ClientSessionGenerator, why: str
) -> None:
    asked: list[tuple[str, set[int]]] = []

    def find(bind_address: str, besides: set[int]) -> int:
        asked.append((bind_address, besides))
        return 5064

    phones.error = LocalPortInUseError(5060)
    entry = make_entry(
        TYPED
        | {"network": {"local_port": 5060}}
        | ({"template": "direct", "server": ""} if why == "no server" else {}),
        options={"incoming": {"server_only": why != "the network"}},
        subentries=[contact("Door", "sip:door@192.0.2.50", way="direct")] if why == "a contact" else [],
    )
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    phones.error = None
    make_entry(TYPED | {"number": "621", "network": {"local_port": 5062}}).add_to_hass(hass)
    with patch("custom_components.sip_ua.local_port.find_free_port", find):
        form, ended = await mend(hass, hass_client, "local_port_in_use")
    assert (form["step_id"], form["description_placeholders"]["free_port"]) == ("fixed_port", "5064")
    assert form["description_placeholders"]["local_port"] == "5060"
    assert asked[0][0] == ""
    assert {5060, 5062, 51000, 51098} <= asked[0][1]
    assert 50999 not in asked[0][1]
    assert ended["type"] == "create_entry"
    assert phones[-1].account.network.local_port == 5064
    assert entry.data["network"]["local_port"] == 5064
    assert shown(hass) == {}


async def test_a_port_that_is_free_again_is_no_issue_any_more(hass: HomeAssistant, phones: Phones) -> None:
    phones.error = LocalPortInUseError(5060)
    entry = make_entry(TYPED | {"network": {"local_port": 5060}})
    entry.add_to_hass(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    phones.error = None
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert shown(hass) == {}


# Voice that does not arrive


def talk_unheard(phone: FakePhone, *, sent: int = 100, received: int = 0) -> None:
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    heard = {field: getattr(STATISTICS, field) for field in STATISTICS.__slots__}
    phone.tell_statistics(call_id, type(STATISTICS)(**heard | {"packets_sent": sent, "packets_received": received}))


async def test_who_hears_nobody_behind_a_nat_is_told_and_gets_a_stun_server(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    phone.behind_nat = True
    talk_unheard(phone)
    _, ended = await mend(hass, hass_client, "one_way_audio", stun_server="not a host!")
    assert ended["errors"] == {"stun_server": "stun_server_invalid"}
    _, ended = await mend(hass, hass_client, "one_way_audio", stun_server="stun.example.com:3479")
    assert ended["type"] == "create_entry"
    network = phones[-1].account.network
    assert (network.nat.value, network.stun_server is not None) == ("stun", True)
    assert shown(hass) == {}


@pytest.mark.parametrize(("behind_nat", "sent", "received"), [(False, 100, 0), (True, 99, 0), (True, 100, 1)])
async def test_voice_that_is_missing_for_another_reason_is_not_blamed_on_the_nat(
    hass: HomeAssistant, phone: FakePhone, sent: int, received: int, *, behind_nat: bool
) -> None:
    phone.behind_nat = behind_nat
    talk_unheard(phone, sent=sent, received=received)
    assert shown(hass) == {}


async def test_a_call_that_is_heard_heals_it_and_a_restart_does_not(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry
) -> None:
    phone.behind_nat = True
    talk_unheard(phone)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert set(shown(hass)) == {"one_way_audio"}
    talk_unheard(phones[-1], received=50)
    assert shown(hass) == {}


# Encrypted voice


@pytest.mark.parametrize("code", [488, 606])
async def test_encryption_that_is_refused_can_be_made_optional(
    hass: HomeAssistant, phones: Phones, hass_client: ClientSessionGenerator, code: int
) -> None:
    _, phone = await set_up(hass, phones, servers={"transport": "tls"}, security={"srtp": "required"})
    phone.end(phone.ring(), CallOutcome.FAILED, code=code)
    form, ended = await mend(hass, hass_client, "srtp_refused")
    assert form["description_placeholders"]["code"] == str(code)
    assert ended["type"] == "create_entry"
    assert phones[-1].account.srtp.value == "optional"
    assert shown(hass) == {}


async def test_an_encrypted_call_heals_it(hass: HomeAssistant, phones: Phones) -> None:
    _, phone = await set_up(hass, phones, servers={"transport": "tls"}, security={"srtp": "required"})
    phone.end(phone.ring(), CallOutcome.FAILED, code=488)
    assert set(shown(hass)) == {"srtp_refused"}
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    phone.encrypt(call_id)
    phone.end(call_id)
    assert shown(hass) == {}


@pytest.mark.parametrize(
    ("srtp", "code", "by"),
    [("optional", 488, EndedBy.REMOTE), ("required", 486, EndedBy.REMOTE), ("required", 488, EndedBy.NETWORK)],
)
async def test_other_refusals_are_no_matter_of_encryption(
    hass: HomeAssistant, phones: Phones, srtp: str, code: int, by: EndedBy
) -> None:
    _, phone = await set_up(hass, phones, servers={"transport": "tls"}, security={"srtp": srtp})
    phone.end(phone.ring(), CallOutcome.FAILED, code=code, by=by)
    assert shown(hass) == {}


# Their life


async def test_a_click_waits_for_the_end_of_the_last_call(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, hass_client: ClientSessionGenerator
) -> None:
    phone.behind_nat = True
    talk_unheard(phone)
    call_id = phone.ring()
    await mend(hass, hass_client, "one_way_audio", stun_server="stun.example.com")
    assert phones[-1] is phone
    phone.end(call_id, CallOutcome.MISSED)
    await hass.async_block_till_done()
    assert phones[-1] is not phone


async def test_a_removed_account_takes_its_issues_along(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    phone.behind_nat = True
    talk_unheard(phone)
    issue = shown(hass)["one_way_audio"]
    assert await async_setup_component(hass, "repairs", {})
    client = await hass_client()
    with patch("custom_components.sip_ua.async_heal"):
        await hass.config_entries.async_remove(entry.entry_id)
    answer = await client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue.issue_id})
    form = await answer.json()
    assert (form["type"], form["reason"]) == ("abort", "account_gone")


async def test_nothing_is_left_of_a_removed_account(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    phone.behind_nat = True
    talk_unheard(phone)
    phone.change(state=RegistrationState.FAILED, failure=RegistrationFailure.CERTIFICATE, certificate=SELF_MADE)
    assert set(shown(hass)) == {"one_way_audio", "certificate_not_trusted"}
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass) == {}
    assert all(not key.startswith(tuple(KINDS)) for _, key in ir.async_get(hass).issues)
