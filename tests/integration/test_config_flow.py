"""Setting an account up by the form, changing it, and logging in again."""

from collections.abc import Generator
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
import voluptuous as vol
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigFlowResult, ConfigSubentryDataWithId
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua import form
from custom_components.sip_ua.config_flow import BASE
from custom_components.sip_ua.const import (
    CONF_AUTH_USER,
    CONF_NUMBER,
    CONF_SERVER,
    CONF_SIP_DOMAIN,
    CONF_TEMPLATE,
    DOMAIN,
    SECTION_NETWORK,
    SECTION_SECURITY,
    SECTION_SERVERS,
    SECTION_TIMERS,
    SECTIONS,
)
from custom_components.sip_ua.net.errors import LocalAddressError
from custom_components.sip_ua.settings import account_of, normalize
from custom_components.sip_ua.sip.events import (
    CertificateFacts,
    RegistrationChanged,
    RegistrationFailure,
    RegistrationState,
)
from custom_components.sip_ua.templates import FACTS, Template

from .certificates import PEM
from .conftest import OTHER_TYPED, TYPED, contact, make_entry
from .phone import FakePhone, Phones

ADAPTERS = [
    {
        "name": "eth0",
        "index": 1,
        "enabled": True,
        "auto": True,
        "default": True,
        "ipv4": [{"address": "192.0.2.7", "network_prefix": 24}],
        "ipv6": [
            {"address": "2001:db8::7", "network_prefix": 64, "flowinfo": 0, "scope_id": 0},
            {"address": "fe80::7", "network_prefix": 64, "flowinfo": 0, "scope_id": 2},
        ],
    }
]
REGISTERED = RegistrationChanged(at=1.0, state=RegistrationState.REGISTERED, code=200, reason="OK")
FULL = {
    CONF_TEMPLATE: "generic",
    CONF_NUMBER: "100",
    CONF_SERVER: "pbx.example",
    CONF_PASSWORD: "staple",
    SECTION_SERVERS: {},
    SECTION_NETWORK: {},
    SECTION_SECURITY: {},
    SECTION_TIMERS: {},
}


def over_tls(*, transport: str = "tls", **security: str) -> dict[str, Any]:
    """Return the typed fields of an account over TLS with a check of certificates."""
    return {"servers": {"transport": transport}, "security": security}


def failed(failure: RegistrationFailure | None, code: int = 0, reason: str = "") -> RegistrationChanged:
    return RegistrationChanged(
        at=1.0,
        state=RegistrationState.FAILED,
        failure=failure,
        code=code,
        reason=reason,
        detail="192.0.2.1 port 5060 over UDP",
        place="192.0.2.1:5060 UDP",
        certificate=CertificateFacts(names=("pbx.example", "pbx"), issuer="Home Root", not_after="2030-12-31"),
    )


@pytest.fixture(autouse=True)
def adapters() -> Generator[None]:
    with patch("homeassistant.components.network.async_get_adapters", return_value=ADAPTERS):
        yield


@pytest.fixture(name="check", autouse=True)
def check_fixture(phones: Phones) -> Generator[AsyncMock]:
    """Let the trial registration succeed unless told otherwise."""
    with patch("custom_components.sip_ua.config_flow.check_registration", return_value=REGISTERED) as check:
        yield check


async def submit(hass: HomeAssistant, **fields: Any) -> ConfigFlowResult:
    """Open the form and submit it."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] is FlowResultType.FORM
    return await hass.config_entries.flow.async_configure(result["flow_id"], FULL | fields)


def opened(result: ConfigFlowResult) -> set[str]:
    """Return the sections that are shown open."""
    schema = result["data_schema"]
    assert schema is not None
    return {
        str(marker)
        for marker, field in schema.schema.items()
        if str(marker) in SECTIONS and not field.options["collapsed"]
    }


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return the values that the form is filled with."""
    schema = result["data_schema"]
    assert schema is not None
    return filled(schema)


def filled(schema: vol.Schema) -> dict[str, Any]:
    """Return the values that a form or a section is filled with."""
    values: dict[str, Any] = {}
    for marker, field in schema.schema.items():
        if str(marker) in SECTIONS:
            values[str(marker)] = filled(field.schema)
        elif marker.description:
            values[str(marker)] = marker.description["suggested_value"]
    return values


async def test_first_form_is_empty_and_its_sections_are_collapsed(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["step_id"] == "user"
    assert result["errors"] == {}
    assert opened(result) == set()
    schema = result["data_schema"]
    assert schema is not None
    assert [str(marker) for marker in schema.schema] == [
        CONF_TEMPLATE,
        CONF_NUMBER,
        CONF_SERVER,
        CONF_PASSWORD,
        CONF_SIP_DOMAIN,
        CONF_AUTH_USER,
        *SECTIONS,
    ]


async def test_addresses_of_this_machine_can_be_chosen_to_bind_to(hass: HomeAssistant) -> None:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    schema = result["data_schema"]
    assert schema is not None
    choice = schema.schema[SECTION_NETWORK].schema.schema["bind_address"]
    assert [option["value"] for option in choice.config["options"]] == ["any", "192.0.2.7", "2001:db8::7"]


async def test_an_account_that_registers_is_kept(hass: HomeAssistant, check: AsyncMock, phones: Phones) -> None:
    result = await submit(hass)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "100@pbx.example"
    assert result["data"] == normalize(FULL)
    entry = result["result"]
    assert entry.unique_id == "100@pbx.example"
    check.assert_awaited_once_with(account_of(normalize(FULL)))
    assert entry.state is ConfigEntryState.LOADED
    assert phones[-1].account == account_of(normalize(FULL))


async def test_fritzbox_needs_three_fields(hass: HomeAssistant, check: AsyncMock) -> None:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], TYPED | {section: {} for section in SECTIONS}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "620@fritz.box"


async def test_direct_calls_need_a_number_only(hass: HomeAssistant, check: AsyncMock) -> None:
    check.return_value = RegistrationChanged(at=1.0, state=RegistrationState.UNREGISTERED)
    result = await submit(hass, template="direct", number="home", server="", password="")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "home"
    assert account_of(result["data"]).allow_direct_calls


async def test_the_same_account_is_not_set_up_twice(hass: HomeAssistant, check: AsyncMock) -> None:
    make_entry(OTHER_TYPED).add_to_hass(hass)
    result = await submit(hass, number="sip:100@PBX.example", server="")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    check.assert_not_awaited()


async def test_an_account_is_not_set_up_in_two_forms_at_once(hass: HomeAssistant, check: AsyncMock) -> None:
    check.return_value = failed(RegistrationFailure.NO_ANSWER)
    first = await submit(hass)
    assert first["type"] is FlowResultType.FORM
    second = await submit(hass, number="sip:100@PBX.example", server="")
    assert (second["type"], second["reason"]) == (FlowResultType.ABORT, "already_in_progress")


@pytest.mark.parametrize(
    ("failure", "place", "code"),
    [
        (RegistrationFailure.NAME_NOT_FOUND, CONF_SERVER, 0),
        (RegistrationFailure.NO_ROUTE, CONF_SERVER, 0),
        (RegistrationFailure.NO_ANSWER, SECTION_SERVERS, 0),
        (RegistrationFailure.CONNECTION_REFUSED, SECTION_SERVERS, 0),
        (RegistrationFailure.LOGIN_REFUSED, CONF_PASSWORD, 403),
        (RegistrationFailure.NUMBER_UNKNOWN, CONF_NUMBER, 404),
        (RegistrationFailure.WRONG_DOMAIN, CONF_SIP_DOMAIN, 416),
        (RegistrationFailure.REDIRECTED, SECTION_SERVERS, 302),
        (RegistrationFailure.CERTIFICATE, SECTION_SECURITY, 0),
        (RegistrationFailure.CERTIFICATE_NAME, SECTION_SECURITY, 0),
        (RegistrationFailure.CERTIFICATE_EXPIRED, SECTION_SECURITY, 0),
        (RegistrationFailure.CERTIFICATE_CHANGED, SECTION_SECURITY, 0),
        (RegistrationFailure.TLS_VERSION, BASE, 0),
        (RegistrationFailure.LOCAL_PORT_IN_USE, SECTION_NETWORK, 0),
        (RegistrationFailure.NO_DIGEST_ALGORITHM, BASE, 401),
        (RegistrationFailure.SERVER_BUSY, BASE, 503),
        (RegistrationFailure.SERVER_ERROR, BASE, 500),
    ],
)
async def test_a_failed_registration_says_why_where_it_is_put_right_and_goes_on(
    hass: HomeAssistant, check: AsyncMock, failure: RegistrationFailure, place: str, code: int
) -> None:
    check.return_value = failed(failure, code, "Because" if code else "")
    result = await submit(hass, auth_user="login")
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {place: failure.value}
    assert opened(result) == {place}.intersection(SECTIONS)
    placeholders = result["description_placeholders"]
    assert placeholders == {
        "identity": "100@pbx.example",
        "number": "100",
        "server": "pbx.example",
        "local_port": "0",
        "answer": f"{code} Because" if code else "-",
        "place": "192.0.2.1:5060 UDP",
        "names": "pbx.example, pbx",
        "issuer": "Home Root",
        "until": "2030-12-31",
        "fingerprint": "-",
    }
    values = suggested(result)
    assert (values[CONF_NUMBER], values[CONF_SERVER], values[CONF_AUTH_USER]) == ("100", "pbx.example", "login")
    assert CONF_PASSWORD not in values, "a password is never sent back"

    check.return_value = REGISTERED
    result = await hass.config_entries.flow.async_configure(result["flow_id"], FULL)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("template", "failure", "place", "key"),
    [
        ("fritzbox", RegistrationFailure.NAME_NOT_FOUND, CONF_SERVER, "name_not_found_fritzbox"),
        ("fritzbox", RegistrationFailure.LOGIN_REFUSED, CONF_PASSWORD, "login_refused_fritzbox"),
        ("asterisk", RegistrationFailure.LOGIN_REFUSED, CONF_PASSWORD, "login_refused_asterisk"),
        ("asterisk", RegistrationFailure.NO_ANSWER, SECTION_SERVERS, "no_answer_asterisk"),
        ("asterisk", RegistrationFailure.CONNECTION_REFUSED, SECTION_SERVERS, "no_answer_asterisk"),
        ("3cx", RegistrationFailure.LOGIN_REFUSED, CONF_PASSWORD, "login_refused_3cx"),
        ("unifi_talk", RegistrationFailure.LOGIN_REFUSED, CONF_PASSWORD, "login_refused_unifi_talk"),
        ("sipgate", RegistrationFailure.LOGIN_REFUSED, CONF_PASSWORD, "login_refused_sipgate"),
        ("sipgate", RegistrationFailure.NUMBER_UNKNOWN, CONF_NUMBER, "number_unknown"),
    ],
)
async def test_a_template_knows_better_what_to_do_after_a_failure(
    hass: HomeAssistant, check: AsyncMock, template: str, failure: RegistrationFailure, place: str, key: str
) -> None:
    check.return_value = failed(failure)
    result = await submit(hass, template=template, auth_user="login")
    assert result["errors"] == {place: key}


@pytest.mark.parametrize(
    "template", [template for template in Template if template not in {Template.GENERIC, Template.DIRECT}]
)
def test_every_template_changes_something(template: Template) -> None:
    assert FACTS[template] != FACTS[Template.GENERIC]


def test_every_failure_of_a_registration_has_a_case_above() -> None:
    cases = test_a_failed_registration_says_why_where_it_is_put_right_and_goes_on.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {failure for failure, _, _ in cases} == set(RegistrationFailure)


@pytest.mark.parametrize("field", ["registrar", "outbound_proxy"])
async def test_a_name_that_is_not_found_may_be_that_of_a_further_server(
    hass: HomeAssistant, check: AsyncMock, field: str
) -> None:
    check.return_value = failed(RegistrationFailure.NAME_NOT_FOUND)
    result = await submit(hass, servers={field: "elsewhere.example"})
    assert result["errors"] == {SECTION_SERVERS: "name_not_found"}
    assert opened(result) == {SECTION_SERVERS}


@pytest.mark.parametrize(
    ("outcome", "errors"),
    [
        ({"return_value": failed(None)}, {BASE: "unknown"}),
        ({"side_effect": RuntimeError("surprise")}, {BASE: "unknown"}),
        ({"side_effect": LocalAddressError("192.0.2.7")}, {SECTION_NETWORK: "bind_address_unknown"}),
    ],
)
async def test_what_else_can_go_wrong_is_told_too(
    hass: HomeAssistant, check: AsyncMock, outcome: dict[str, Any], errors: dict[str, str]
) -> None:
    check.configure_mock(**outcome)
    result = await submit(hass)
    assert result["errors"] == errors


@pytest.mark.parametrize(
    ("fields", "place", "key"),
    [
        ({"number": " "}, CONF_NUMBER, "number_required"),
        ({"number": "1" * 128}, CONF_NUMBER, "number_too_long"),
        ({"number": 'a"b'}, CONF_NUMBER, "number_invalid"),
        ({"number": "home/1234567"}, CONF_NUMBER, "number_invalid"),
        ({"number": "hundert\N{LATIN SMALL LETTER U WITH DIAERESIS}"}, CONF_NUMBER, "number_invalid"),
        ({"server": ""}, CONF_SERVER, "server_required"),
        ({"server": "pbx_.-example"}, CONF_SERVER, "server_invalid"),
        ({"server": "pbx example"}, CONF_SERVER, "server_invalid"),
        ({"server": "192.168.1"}, CONF_SERVER, "server_invalid"),
        ({"server": "192.168.1.300"}, CONF_SERVER, "server_invalid"),
        ({"server": "pbx.example:99999"}, CONF_SERVER, "server_invalid"),
        ({"server": "fe80::1%eth0"}, CONF_SERVER, "server_invalid"),
        ({"server": "[fe80::1]"}, CONF_SERVER, "server_invalid"),
        ({"server": "2001:db8::1%eth0"}, CONF_SERVER, "server_invalid"),
        ({"server": "0.0.0.0"}, CONF_SERVER, "server_invalid"),
        ({"server": "::"}, CONF_SERVER, "server_invalid"),
        ({"server": "::ffff:0.0.0.0"}, CONF_SERVER, "server_invalid"),
        ({"server": "255.255.255.255"}, CONF_SERVER, "server_invalid"),
        ({"server": "224.0.0.1"}, CONF_SERVER, "server_invalid"),
        ({"server": "ff02::1"}, CONF_SERVER, "server_invalid"),
        ({"sip_domain": "0.0.0.0"}, CONF_SIP_DOMAIN, "domain_invalid"),
        ({"servers": {"registrar": "224.0.0.1"}}, SECTION_SERVERS, "registrar_invalid"),
        ({"servers": {"outbound_proxy": "0.0.0.0"}}, SECTION_SERVERS, "outbound_proxy_invalid"),
        ({"network": {"nat": "stun", "stun_server": "0.0.0.0:3478"}}, SECTION_NETWORK, "stun_server_invalid"),
        ({"network": {"nat": "manual", "public_address": "0.0.0.0"}}, SECTION_NETWORK, "public_address_invalid"),
        ({"network": {"nat": "manual", "public_address": "fe80::1%eth0"}}, SECTION_NETWORK, "public_address_invalid"),
        (
            {"server": "pbx.example:5080", "servers": {"server_port": 5060}},
            CONF_SERVER,
            "server_ports_differ",
        ),
        (
            {"servers": {"registrar": "reg.example:5080", "registrar_port": 5060}},
            SECTION_SERVERS,
            "registrar_ports_differ",
        ),
        (
            {"servers": {"outbound_proxy": "[2001:db8::1]:5080", "outbound_proxy_port": 5060}},
            SECTION_SERVERS,
            "outbound_proxy_ports_differ",
        ),
        ({"sip_domain": "home.example:5080"}, CONF_SIP_DOMAIN, "domain_with_port"),
        ({"number": "100@home.example:5080"}, CONF_SIP_DOMAIN, "domain_with_port"),
        ({"number": "100@home.example", "sip_domain": "work.example"}, CONF_NUMBER, "domains_differ"),
        ({"template": "direct"}, CONF_SERVER, "server_not_used"),
        ({"template": "unifi_talk", "server": ""}, CONF_SERVER, "server_required_unifi_talk"),
        ({"template": "sipgate", "server": "", "number": "0301234567"}, CONF_NUMBER, "number_is_no_sip_id"),
        ({"template": "sipgate", "server": "", "number": "+49301234567"}, CONF_NUMBER, "number_is_no_sip_id"),
        ({"template": "sipgate", "server": "", "password": ""}, CONF_PASSWORD, "password_required"),
        ({"template": "fritzbox", "server": "", "password": ""}, CONF_PASSWORD, "password_required"),
        ({"template": "unifi_talk", "password": ""}, CONF_PASSWORD, "password_required"),
        ({"template": "3cx", "auth_user": "aBc123", "password": ""}, CONF_PASSWORD, "password_required"),
        ({"template": "3cx"}, CONF_AUTH_USER, "auth_user_required"),
        ({"sip_domain": "ho me"}, CONF_SIP_DOMAIN, "domain_invalid"),
        (
            {"template": "direct", "server": "", "servers": {"registrar": "a.example"}},
            SECTION_SERVERS,
            "registrar_not_used",
        ),
        ({"template": "direct", "server": "", "servers": {"url_type": "tel"}}, SECTION_SERVERS, "tel_needs_server"),
        (
            {"template": "direct", "server": "", "servers": {"server_port": 5070}},
            SECTION_SERVERS,
            "server_port_not_used",
        ),
        ({"template": "direct", "server": "", "servers": {"use_srv": True}}, SECTION_SERVERS, "srv_needs_server"),
        ({"template": "direct", "server": "", "timers": {"expiration": 60}}, SECTION_TIMERS, "expiration_not_used"),
        ({"template": "direct", "server": "", "timers": {"resend": 60}}, SECTION_TIMERS, "resend_not_used"),
        ({"servers": {"registrar": "a b"}}, SECTION_SERVERS, "registrar_invalid"),
        ({"servers": {"outbound_proxy": "a b"}}, SECTION_SERVERS, "outbound_proxy_invalid"),
        ({"servers": {"outbound_proxy_port": 5060}}, SECTION_SERVERS, "outbound_proxy_required"),
        ({"servers": {"use_srv": True, "server_port": 5060}}, SECTION_SERVERS, "srv_with_port"),
        ({"servers": {"url_type": "sips"}}, SECTION_SERVERS, "sips_needs_tls"),
        ({"network": {"local_port": 1024}}, SECTION_NETWORK, "local_port_range"),
        ({"network": {"local_port": 51001}}, SECTION_NETWORK, "ports_overlap"),
        ({"network": {"rtp_port_start": 51001}}, SECTION_NETWORK, "rtp_start_odd"),
        ({"network": {"rtp_port_end": 51000}}, SECTION_NETWORK, "rtp_range_empty"),
        ({"network": {"nat": "stun"}}, SECTION_NETWORK, "stun_server_required"),
        ({"network": {"nat": "stun", "stun_server": "a b:1"}}, SECTION_NETWORK, "stun_server_invalid"),
        ({"network": {"stun_server": "stun.example"}}, SECTION_NETWORK, "stun_server_not_used"),
        ({"network": {"nat": "manual"}}, SECTION_NETWORK, "public_address_required"),
        ({"network": {"nat": "manual", "public_address": "home"}}, SECTION_NETWORK, "public_address_invalid"),
        ({"network": {"public_address": "203.0.113.7"}}, SECTION_NETWORK, "public_address_not_used"),
        ({"network": {"keep_alive": 4}}, SECTION_NETWORK, "keep_alive_range"),
        (over_tls(transport="udp", certificate_check="off"), SECTION_SECURITY, "certificate_check_needs_tls"),
        (over_tls(certificate_check="authority"), SECTION_SECURITY, "authority_required"),
        (over_tls(certificate_authority=PEM), SECTION_SECURITY, "authority_not_used"),
        (
            over_tls(certificate_check="authority", certificate_authority="MIIBQTCB6KADAgECAhRqkM"),
            SECTION_SECURITY,
            "authority_invalid",
        ),
        (
            over_tls(certificate_check="authority", certificate_authority=f"{PEM}\n-----BEGIN PRIVATE KEY-----\nAAAA"),
            SECTION_SECURITY,
            "authority_with_key",
        ),
        (
            over_tls(certificate_check="authority", certificate_authority="A" * 65537),
            SECTION_SECURITY,
            "authority_too_long",
        ),
        (
            over_tls(certificate_check="authority", certificate_authority="\n".join([PEM] * (65536 // len(PEM) + 1))),
            SECTION_SECURITY,
            "authority_too_long",
        ),
        (over_tls(certificate_check="fingerprint"), SECTION_SECURITY, "fingerprint_required"),
        (over_tls(certificate_fingerprint="AB" * 32), SECTION_SECURITY, "fingerprint_not_used"),
        (
            over_tls(certificate_check="fingerprint", certificate_fingerprint="AB" * 20),
            SECTION_SECURITY,
            "fingerprint_invalid",
        ),
        (
            {"servers": {"transport": "automatic", "server_port": 5061}},
            SECTION_SERVERS,
            "automatic_needs_name",
        ),
        ({"server": "192.0.2.1", "servers": {"transport": "automatic"}}, SECTION_SERVERS, "automatic_needs_name"),
        ({"server": "2001:db8::1", "servers": {"transport": "automatic"}}, SECTION_SERVERS, "automatic_needs_name"),
        (
            {"servers": {"transport": "automatic", "registrar": "192.0.2.1"}},
            SECTION_SERVERS,
            "automatic_needs_name",
        ),
        (
            {"servers": {"transport": "automatic", "registrar_port": 5070}},
            SECTION_SERVERS,
            "automatic_needs_name",
        ),
        (
            {"servers": {"transport": "automatic", "outbound_proxy": "proxy.example:5061"}},
            SECTION_SERVERS,
            "automatic_needs_name",
        ),
        ({"server": "192.0.2.1", "servers": {"use_srv": True}}, SECTION_SERVERS, "srv_needs_name"),
        (
            {"servers": {"use_srv": True, "outbound_proxy": "192.0.2.1"}},
            SECTION_SERVERS,
            "srv_needs_name",
        ),
        ({"security": {"srtp": "required"}}, SECTION_SECURITY, "srtp_needs_tls"),
        ({"security": {"srtp": "optional"}}, SECTION_SECURITY, "srtp_needs_tls"),
        ({"security": {"srtp": "optional"}, "servers": {"transport": "tcp"}}, SECTION_SECURITY, "srtp_needs_tls"),
        (
            {"security": {"srtp": "required"}, "servers": {"transport": "automatic"}},
            SECTION_SECURITY,
            "srtp_needs_tls",
        ),
        ({"security": {"srtp_without_tls": True}}, SECTION_SECURITY, "srtp_without_tls_not_used"),
        (
            {"security": {"srtp": "required", "srtp_without_tls": True}, "servers": {"transport": "tls"}},
            SECTION_SECURITY,
            "srtp_without_tls_not_needed",
        ),
        ({"timers": {"session_expires": 100, "min_se": 101}}, SECTION_TIMERS, "session_expires_too_short"),
    ],
)
async def test_a_broken_rule_has_its_own_text_and_opens_its_section(
    hass: HomeAssistant, check: AsyncMock, fields: dict[str, Any], place: str, key: str
) -> None:
    result = await submit(hass, **fields)
    assert result["errors"] == {place: key}
    assert opened(result) == {place}.intersection(SECTIONS)
    assert CONF_PASSWORD not in suggested(result)
    check.assert_not_awaited()


@pytest.mark.parametrize(
    ("section", "field", "low", "high"),
    [
        ("servers", "server_port", 0, 65536),
        ("servers", "registrar_port", 0, 65536),
        ("servers", "outbound_proxy_port", 0, 65536),
        ("network", "local_port", -1, 65536),
        ("network", "rtp_port_start", 1025, 65535),
        ("network", "rtp_port_end", 1026, 65536),
        ("network", "keep_alive", -1, 601),
        ("timers", "expiration", 19, 65536),
        ("timers", "resend", 0, 65536),
        ("timers", "session_expires", 89, 65536),
        ("timers", "min_se", 89, 65536),
        ("timers", "ring_timeout", 4, 601),
    ],
)
async def test_numbers_stay_in_their_range(hass: HomeAssistant, section: str, field: str, low: int, high: int) -> None:
    for value in (low, high):
        with pytest.raises(InvalidData):
            await submit(hass, **{section: {field: value}})


@pytest.mark.parametrize(
    "fields",
    [
        {"security": {"srtp": "optional"}, "servers": {"transport": "automatic"}},
        {"security": {"srtp": "optional"}, "servers": {"transport": "tls"}},
        {"security": {"srtp": "optional", "srtp_without_tls": True}},
        {"security": {"srtp": "required"}, "servers": {"transport": "tls"}},
        {"security": {"srtp": "required", "srtp_without_tls": True}},
        {"security": {"srtp": "optional", "srtp_without_tls": True}, "servers": {"transport": "automatic"}},
    ],
)
async def test_encrypted_voice_is_kept_where_its_keys_are_protected_or_need_not_be(
    hass: HomeAssistant, phones: Phones, check: AsyncMock, fields: dict[str, Any]
) -> None:
    result = await submit(hass, **fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert phones[-1].account.srtp == fields["security"]["srtp"]


@pytest.mark.parametrize(
    "fields",
    [
        {"servers": {"transport": "automatic"}},
        {"server": "192.0.2.1", "servers": {"transport": "automatic", "outbound_proxy": "proxy.example"}},
        {"server": "192.0.2.1", "servers": {"use_srv": True, "outbound_proxy": "proxy.example"}},
        {"server": "192.0.2.1", "servers": {"use_srv": True, "registrar": "reg.example"}},
        {"template": "direct", "server": "", "password": "", "servers": {"transport": "automatic"}},
        {
            "template": "direct",
            "server": "",
            "servers": {"transport": "tls"},
            "security": {"srtp": "optional", "srtp_without_tls": True},
        },
    ],
)
async def test_what_is_looked_up_by_a_name_may_be_left_to_it(
    hass: HomeAssistant, phones: Phones, fields: dict[str, Any]
) -> None:
    result = await submit(hass, **fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_several_mistakes_are_told_at_once(hass: HomeAssistant) -> None:
    result = await submit(hass, number="", network={"local_port": 80}, timers={"session_expires": 90, "min_se": 91})
    assert result["errors"] == {
        CONF_NUMBER: "number_required",
        SECTION_NETWORK: "local_port_range",
        SECTION_TIMERS: "session_expires_too_short",
    }
    assert opened(result) == {SECTION_NETWORK, SECTION_TIMERS}
    assert suggested(result)[SECTION_NETWORK]["local_port"] == 80


# Reconfigure


async def test_server_and_network_can_be_changed(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, check: AsyncMock
) -> None:
    registry = er.async_get(hass)
    entities = {entity.entity_id for entity in er.async_entries_for_config_entry(registry, entry.entry_id)}
    result = await entry.start_reconfigure_flow(hass)
    assert result["step_id"] == "reconfigure"
    assert suggested(result)[CONF_SERVER] == "fritz.box"
    assert CONF_PASSWORD not in suggested(result)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"],
        {CONF_SERVER: "192.0.2.1", "servers": {"transport": "tcp"}, "network": {}, "security": {}, "timers": {}},
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    await hass.async_block_till_done()
    assert entry.unique_id == "620@192.0.2.1"
    assert entry.title == "620@192.0.2.1"
    assert entry.data[CONF_PASSWORD] == "correct horse"
    assert entry.data[SECTION_SERVERS]["transport"] == "tcp"
    assert phone.did == [("stop",)]
    assert phones[-1] is not phone
    assert phones[-1].running
    unique_ids = {entity.unique_id for entity in er.async_entries_for_config_entry(registry, entry.entry_id)}
    assert "620@192.0.2.1-call_state" in unique_ids
    assert entities == {entity.entity_id for entity in er.async_entries_for_config_entry(registry, entry.entry_id)}, (
        "the entities stay who they are"
    )


async def test_an_account_keeps_the_name_that_its_owner_gave_it(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, title="Telephone of the house")
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_SERVER: "192.0.2.1", "servers": {}, "network": {}, "security": {}, "timers": {}}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    assert (entry.unique_id, entry.title) == ("620@192.0.2.1", "Telephone of the house")


async def test_an_account_keeps_the_number_that_it_was_made_with(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "number": "100-2000"})
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_SERVER: "192.0.2.1", "servers": {}, "network": {}, "security": {}, "timers": {}}
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.data["number"] == "100-2000"


async def test_changes_wait_for_the_end_of_the_last_call(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    call_id = phone.ring()
    result = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_SERVER: "192.0.2.1", "servers": {}, "network": {}, "security": {}, "timers": {}}
    )
    await hass.async_block_till_done()
    assert phones == [phone]
    assert phone.did == []
    phone.end(call_id)
    await hass.async_block_till_done()
    assert phone.did == [("stop",)]
    assert phones[-1].account.domain == "192.0.2.1"


async def test_a_change_that_does_not_register_is_not_kept(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, check: AsyncMock
) -> None:
    check.return_value = failed(RegistrationFailure.NUMBER_UNKNOWN, 404, "Not Found")
    before = dict(entry.data)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"],
        {CONF_SERVER: "192.0.2.1", CONF_PASSWORD: "new", "servers": {}, "network": {}, "security": {}, "timers": {}},
    )
    assert result["errors"] == {BASE: "number_unknown"}
    assert suggested(result)[CONF_SERVER] == "192.0.2.1"
    assert CONF_PASSWORD not in suggested(result)
    assert entry.data == before


async def test_a_change_that_breaks_a_rule_is_not_tried(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, check: AsyncMock
) -> None:
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"],
        {CONF_SERVER: "fritz.box", "servers": {}, "network": {"keep_alive": 1}, "security": {}, "timers": {}},
    )
    assert result["errors"] == {SECTION_NETWORK: "keep_alive_range"}
    check.assert_not_awaited()


DIRECTLY = [contact("Door", "sip:door@192.0.2.50", way="direct")]


@pytest.mark.parametrize(
    ("contacts", "server_only", "port", "wanted", "allowed"),
    [
        ([], False, 5070, 0, False),
        (DIRECTLY, True, 5070, 0, False),
        (DIRECTLY, True, 5070, 5072, True),
        ([], False, 5070, 5072, True),
        ([], True, 5070, 0, True),
        # Such a contact can be called from any port.
        (DIRECTLY, True, 0, 0, True),
    ],
)
async def test_an_account_that_is_called_past_its_server_keeps_a_port(
    hass: HomeAssistant,
    phones: Phones,
    check: AsyncMock,
    contacts: list[ConfigSubentryDataWithId],
    *,
    server_only: bool,
    port: int,
    wanted: int,
    allowed: bool,
) -> None:
    options = {"incoming": {"server_only": server_only}}
    entry = make_entry(TYPED | {"network": {"local_port": port}}, options=options, subentries=contacts)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"],
        {CONF_SERVER: "fritz.box", "servers": {}, "network": {"local_port": wanted}, "security": {}, "timers": {}},
    )
    if allowed:
        assert result["reason"] == "reconfigure_successful"
    else:
        assert result["errors"] == {SECTION_NETWORK: "local_port_needed"}
        assert opened(result) == {SECTION_NETWORK}
        check.assert_not_awaited()
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        ({}, None),
        ({"calls": {"auto_answer_delay": 14}}, None),
        ({"calls": {"auto_answer_delay": 15}}, {SECTION_TIMERS: "ring_timeout_too_short"}),
        ({"incoming": {"call_waiting_timeout": 15}}, {SECTION_TIMERS: "ring_timeout_too_short"}),
        ({"incoming": {"call_waiting_timeout": 14}}, None),
        ({"incoming": {"call_waiting": False, "call_waiting_timeout": 30}}, None),
        ({"incoming": {"forward_no_answer": "612"}}, {SECTION_TIMERS: "ring_timeout_too_short"}),
        ({"incoming": {"forward_no_answer": "612", "forward_after": 14}}, None),
        ({"incoming": {"forward_always": "612"}}, None),
        ({"answering": {"answered_by": "assist", "answer_after": 15}}, {SECTION_TIMERS: "ring_timeout_too_short"}),
        ({"answering": {"answered_by": "assist", "answer_after": 14}}, None),
        ({"answering": {"answer_after": 20}}, None),
    ],
)
async def test_calls_ring_long_enough_for_what_the_options_do_meanwhile(
    hass: HomeAssistant, phones: Phones, options: dict[str, Any], errors: dict[str, str] | None
) -> None:
    entry = make_entry(options=options)
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    typed = {CONF_SERVER: "fritz.box", "servers": {}, "network": {}, "security": {}, "timers": {"ring_timeout": 15}}
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result.get("errors") == errors
    assert opened(result) == {SECTION_TIMERS} if errors else result["reason"] == "reconfigure_successful"
    assert entry.data[SECTION_TIMERS]["ring_timeout"] == (60 if errors else 15)
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("answer", "after", "refused"), [("menu", 15, True), ("menu", 14, False), ("nobody", 15, False)]
)
async def test_calls_ring_long_enough_for_what_answers_a_contact(
    hass: HomeAssistant, phones: Phones, answer: str, after: int, refused: bool
) -> None:
    boss = contact("Boss", "612", answered_by=answer)
    entry = make_entry(subentries=[boss], options={"answering": {"answer_after": after}})
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    typed = {CONF_SERVER: "fritz.box", "servers": {}, "network": {}, "security": {}, "timers": {"ring_timeout": 15}}
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result.get("errors") == ({SECTION_TIMERS: "ring_timeout_too_short"} if refused else None)
    await hass.async_block_till_done()


async def test_of_two_mistakes_of_a_section_the_first_is_told(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(options={"calls": {"auto_answer_delay": 15}})
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    timers = {"ring_timeout": 15, "session_expires": 100, "min_se": 101}
    typed = {CONF_SERVER: "fritz.box", "servers": {}, "network": {}, "security": {}, "timers": timers}
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result["errors"] == {SECTION_TIMERS: "session_expires_too_short"}


async def test_an_address_that_this_machine_lost_has_to_be_replaced(
    hass: HomeAssistant, phones: Phones, check: AsyncMock
) -> None:
    entry = make_entry(TYPED | {"network": {"bind_address": "192.0.2.99"}})
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    for address, errors in (("192.0.2.99", {SECTION_NETWORK: "bind_address_unknown"}), ("192.0.2.7", None)):
        typed = {
            CONF_SERVER: "fritz.box",
            "servers": {},
            "network": {"bind_address": address},
            "security": {},
            "timers": {},
        }
        result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
        assert result.get("errors") == errors
    assert entry.data[SECTION_NETWORK]["bind_address"] == "192.0.2.7"
    await hass.async_block_till_done()


async def test_an_account_cannot_become_one_that_is_there_already(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    make_entry(TYPED | {CONF_SERVER: "192.0.2.1"}).add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_SERVER: "192.0.2.1", "servers": {}, "network": {}, "security": {}, "timers": {}}
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


@pytest.mark.parametrize(("port", "tried"), [(5070, 0), (5071, 5071)])
async def test_the_trial_leaves_out_the_local_port_that_the_phone_itself_holds(
    hass: HomeAssistant, phones: Phones, check: AsyncMock, port: int, tried: int
) -> None:
    entry = make_entry(TYPED | {"network": {"local_port": 5070}})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(
        result["flow_id"],
        {CONF_SERVER: "fritz.box", "servers": {}, "network": {"local_port": port}, "security": {}, "timers": {}},
    )
    account = check.await_args.args[0] if check.await_args else None
    assert account is not None
    assert account.network.local_port == tried
    assert entry.data[SECTION_NETWORK]["local_port"] == port
    await hass.async_block_till_done()


async def test_an_account_without_server_is_asked_only_for_what_serves_direct_calls(
    hass: HomeAssistant, check: AsyncMock
) -> None:
    check.return_value = RegistrationChanged(at=1.0, state=RegistrationState.UNREGISTERED)
    entry = make_entry({"template": "direct", CONF_NUMBER: "home"})
    entry.add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    schema = result["data_schema"]
    assert schema is not None
    assert [str(marker) for marker in schema.schema] == [CONF_PASSWORD, CONF_SIP_DOMAIN, CONF_AUTH_USER, *SECTIONS]
    shown = {str(marker) for name in SECTIONS for marker in schema.schema[name].schema.schema}
    complete = form.reconfigure_schema({}).schema
    everything = {str(marker) for name in SECTIONS for marker in complete[name].schema.schema}
    assert everything - shown == {"server_port", "registrar", "registrar_port", "use_srv", "expiration", "resend"}
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {"servers": {}, "network": {"keep_alive": 0}, "security": {}, "timers": {}}
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.data[SECTION_NETWORK]["keep_alive"] == 0
    await hass.async_block_till_done()


# Reauthentication


async def test_a_refused_login_can_be_put_right(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, check: AsyncMock
) -> None:
    phone.fail(RegistrationFailure.LOGIN_REFUSED, 403, "Forbidden", state=RegistrationState.REFUSED)
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"

    check.return_value = failed(RegistrationFailure.LOGIN_REFUSED, 403, "Forbidden")
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PASSWORD: "wrong", CONF_AUTH_USER: " login "}
    )
    assert result["errors"] == {CONF_PASSWORD: "login_refused_fritzbox"}
    assert suggested(result) == {CONF_AUTH_USER: " login "}

    check.return_value = REGISTERED
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PASSWORD: "battery", CONF_AUTH_USER: " login "}
    )
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done()
    assert (entry.data[CONF_PASSWORD], entry.data[CONF_AUTH_USER]) == ("battery", "login")
    assert phones[-1].account.password == "battery"
    assert entry.unique_id == "620@fritz.box"


async def test_a_failure_that_the_login_form_has_no_field_for_is_told_at_its_head(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, check: AsyncMock
) -> None:
    result = await entry.start_reauth_flow(hass)
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["identity"] == "620@fritz.box"
    check.return_value = failed(RegistrationFailure.NO_ANSWER)
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {CONF_PASSWORD: "battery"})
    assert result["errors"] == {BASE: "no_answer"}
    assert suggested(result) == {}
