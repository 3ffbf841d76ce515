"""From what a person types to the account of the signalling core."""

from typing import Any

import pytest
from homeassistant.const import CONF_PASSWORD
from hypothesis import given, strategies as st

from custom_components.sip_ua.certificates import is_authority, is_fingerprint, tidy_authority, tidy_fingerprint
from custom_components.sip_ua.const import (
    CONF_NUMBER,
    CONF_SERVER,
    CONF_SERVER_PORT,
    CONF_SIP_DOMAIN,
    SECTION_SECURITY,
    SECTION_SERVERS,
)
from custom_components.sip_ua.hosts import is_host, is_nobodys_address
from custom_components.sip_ua.settings import (
    account_of,
    domain_of,
    identity_of,
    normalize,
    plain_target,
    split_host_port,
    unique_id_of,
)
from custom_components.sip_ua.sip.account import (
    Account,
    CertificateCheck,
    NatMode,
    NetworkSettings,
    ServerAddress,
    Srtp,
    Timing,
    TlsSettings,
    Transport,
    UriType,
)

from .certificates import PEM


def typed(**fields: Any) -> dict[str, Any]:
    return {CONF_NUMBER: "620", CONF_SERVER: "pbx.example", **fields}


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("pbx.example", "pbx.example", None),
        (" pbx.example ", "pbx.example", None),
        ("pbx.example:5080", "pbx.example", 5080),
        ("sip:pbx.example:5080;transport=tcp", "pbx.example", 5080),
        ("SIPS:pbx.example", "pbx.example", None),
        ("https://pbx.example/admin", "pbx.example", None),
        ("192.0.2.1:5060", "192.0.2.1", 5060),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("[2001:db8::1]:5080", "2001:db8::1", 5080),
        ("2001:db8::1", "2001:db8::1", None),
        ("pbx.example:", "pbx.example", None),
        ("pbx.example.", "pbx.example", None),
        ("sip:pbx.example.:5080", "pbx.example", 5080),
        ("pbx.example.:", "pbx.example", None),
        ("pbx.example:99999", "pbx.example:99999", None),
        ("pbx.example:sip", "pbx.example:sip", None),
        ("", "", None),
    ],
)
def test_an_address_is_split_as_it_was_meant(text: str, host: str, port: int | None) -> None:
    assert split_host_port(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        "fritz.box",
        "192.168.178.1",
        "169.254.1.1",
        "127.0.0.1",
        "::1",
        "fd00::1",
        "64:ff9b::c000:201",
        "::ffff:192.0.2.1",
    ],
)
def test_an_address_that_one_machine_has_may_be_a_server(text: str) -> None:
    assert is_host(text)
    assert not is_nobodys_address(text)


@pytest.mark.parametrize(
    ("number", "expected", "domain"),
    [
        (" 620 ", "620", "pbx.example"),
        ("sip:620", "620", "pbx.example"),
        ("620@home.example", "620", "home.example"),
        ("sip:620@home.example;user=phone", "620", "home.example"),
        ("620@home.example/", "620", "home.example"),
        ("+49 30 1234", "+49301234", "pbx.example"),
        ("620@home.example.", "620", "home.example"),
        ("030/1234567", "0301234567", "pbx.example"),
        ("(030) 123-456", "030123456", "pbx.example"),
        ("+49 (0)30 1234", "+49301234", "pbx.example"),
        ("sip:+49-30-1234@home.example;user=phone", "+49301234", "home.example"),
        ("my-name", "my-name", "pbx.example"),
        ("sip.user(1)", "sip.user(1)", "pbx.example"),
        ("12345-a", "12345-a", "pbx.example"),
        ("1001-2", "1001-2", "pbx.example"),
    ],
)
def test_slips_in_the_number_are_put_right(number: str, expected: str, domain: str) -> None:
    data = normalize(typed(number=number))
    assert data[CONF_NUMBER] == expected
    assert domain_of(data) == domain


@pytest.mark.parametrize(
    ("fields", "transport"),
    [
        ({"server": "sips:pbx.example"}, "tls"),
        ({"server": "tls://pbx.example:5061"}, "tls"),
        ({"server": "sip:pbx.example; transport=TLS"}, "tls"),
        ({"server": "pbx.example:5061;transport=tls"}, "tls"),
        ({"number": "sips:620@home.example"}, "tls"),
        ({"server": "tcp:pbx.example"}, "tcp"),
        ({"servers": {"outbound_proxy": "sip:proxy.example;lr;transport=tcp"}}, "tcp"),
        ({"server": "sips:pbx.example", "servers": {"transport": "tcp"}}, "tcp"),
        ({"server": "sip:pbx.example;transport=udp"}, "udp"),
        ({"server": "tls"}, "udp"),
        ({"server": "tcp.example:5060"}, "udp"),
    ],
)
def test_a_transport_that_an_address_names_is_taken_where_none_was_chosen(
    fields: dict[str, Any], transport: str
) -> None:
    assert normalize(typed(**fields))[SECTION_SERVERS]["transport"] == transport


def test_a_typed_port_of_the_server_becomes_the_server_port() -> None:
    data = normalize(typed(server="pbx.example:5080"))
    assert (data[CONF_SERVER], data[SECTION_SERVERS][CONF_SERVER_PORT]) == ("pbx.example", 5080)


def test_a_port_may_be_typed_in_both_places() -> None:
    data = normalize(typed(server="pbx.example:5080", servers={"server_port": 5080.0}))
    assert (data[CONF_SERVER], data[SECTION_SERVERS][CONF_SERVER_PORT]) == ("pbx.example", 5080)


def test_two_ports_that_differ_are_left_for_the_rules() -> None:
    data = normalize(typed(server="sip:[2001:db8::1]:5080", servers={"server_port": 5070.0}))
    assert (data[CONF_SERVER], data[SECTION_SERVERS][CONF_SERVER_PORT]) == ("[2001:db8::1]:5080", 5070)


def test_a_domain_may_be_typed_with_the_number_too() -> None:
    data = normalize(typed(number="620@Home.example", sip_domain="home.example"))
    assert (data[CONF_NUMBER], data[CONF_SIP_DOMAIN]) == ("620", "home.example")


def test_number_with_domain_alone_names_the_server_too() -> None:
    data = normalize({CONF_NUMBER: "620@home.example:5080"})
    assert (data[CONF_SERVER], data[SECTION_SERVERS][CONF_SERVER_PORT]) == ("home.example", 5080)
    assert identity_of(data) == "620@home.example"


@pytest.mark.parametrize(("template", "server"), [("fritzbox", "fritz.box"), ("sipgate", "sipgate.de"), ("3cx", "")])
def test_a_template_fills_in_only_what_is_known_and_left_empty(template: str, server: str) -> None:
    assert normalize({"template": template, CONF_NUMBER: "620"})[CONF_SERVER] == server
    own = normalize({"template": template, CONF_NUMBER: "620", CONF_SERVER: "192.0.2.1"})
    assert own[CONF_SERVER] == "192.0.2.1"


def test_the_direct_template_fills_in_no_server() -> None:
    account = account_of(normalize({"template": "direct", CONF_NUMBER: "home"}))
    assert account.server is account.registrar is None
    assert account.allow_direct_calls
    assert not account.registers
    assert account.domain == ""


def test_defaults_are_those_of_the_account() -> None:
    account = account_of(normalize(typed(password="secret")))
    assert account == Account(
        number="620", domain="pbx.example", password="secret", server=ServerAddress("pbx.example")
    )


def test_every_field_reaches_the_account() -> None:
    data = normalize(
        {
            "template": "asterisk",
            CONF_NUMBER: "620",
            CONF_SERVER: "pbx.example",
            CONF_PASSWORD: "secret",
            CONF_SIP_DOMAIN: "Home.Example",
            "auth_user": " login ",
            "servers": {
                "server_port": 5061.0,
                "registrar": "reg.example",
                "registrar_port": 5063.0,
                "outbound_proxy": "proxy.example",
                "outbound_proxy_port": 5064.0,
                "transport": "tls",
                "use_srv": False,
                "url_type": "sips",
            },
            "network": {
                "local_port": 5070.0,
                "rtp_port_start": 40000.0,
                "rtp_port_end": 40099.0,
                "nat": "stun",
                "stun_server": "stun.example:3479",
                "public_address": "203.0.113.7",
                "keep_alive": 15.0,
                "bind_address": "192.0.2.7",
            },
            "security": {
                "certificate_check": "fingerprint",
                "certificate_authority": f" {PEM} ",
                "certificate_fingerprint": "ab" * 32,
                "srtp": "required",
                "srtp_without_tls": True,
            },
            "timers": {
                "expiration": 600.0,
                "resend": 60.0,
                "session_expires": 900.0,
                "min_se": 120.0,
                "ring_timeout": 30.0,
            },
        }
    )
    assert account_of(data) == Account(
        number="620",
        domain="home.example",
        password="secret",
        auth_user="login",
        server=ServerAddress("pbx.example", 5061),
        registrar=ServerAddress("reg.example", 5063),
        outbound_proxy=ServerAddress("proxy.example", 5064),
        transport=Transport.TLS,
        use_srv=False,
        uri_type=UriType.SIPS,
        srtp=Srtp.REQUIRED,
        srtp_without_tls=True,
        timing=Timing(expiration=600, resend=60, session_expires=900, min_se=120, ring_timeout=30, keep_alive=15),
        network=NetworkSettings(
            local_port=5070,
            bind_address="192.0.2.7",
            rtp_port_min=40000,
            rtp_port_max=40099,
            nat=NatMode.STUN,
            stun_server=ServerAddress("stun.example", 3479),
            public_address="203.0.113.7",
        ),
        tls=TlsSettings(check=CertificateCheck.FINGERPRINT, authority=PEM, fingerprint=":".join(["AB"] * 32)),
    )


def test_an_account_from_before_certificates_could_be_chosen_trusts_as_this_machine_does() -> None:
    data = normalize(typed())
    del data[SECTION_SECURITY]
    assert account_of(data).tls == TlsSettings(check=CertificateCheck.TRUSTED)


@pytest.mark.parametrize(
    "text",
    [
        PEM,
        f"subject=CN = Home\n{PEM}\n",
        PEM.replace("\n", " "),
        PEM.replace("\n", "\r\n"),
        PEM.replace("BEGIN CERT", "BEGIN TRUSTED CERT").replace("END CERT", "END TRUSTED CERT"),
    ],
    ids=["as it is", "with text around it", "in one line", "from Windows", "as openssl writes trusted ones"],
)
def test_a_pasted_authority_is_tidied(text: str) -> None:
    assert tidy_authority(text) == PEM
    assert is_authority(tidy_authority(text))
    assert tidy_authority(f"{text}\n{text}") == f"{PEM}\n{PEM}"


@pytest.mark.parametrize("text", ["", "home.pem", PEM[:-40], f"{PEM}\n-----BEGIN EC PRIVATE KEY-----"])
def test_what_is_no_authority_stays_for_the_rules(text: str) -> None:
    assert tidy_authority(text) == text


@pytest.mark.parametrize(
    "text",
    [
        ":".join(["0A"] * 32),
        "0a" * 32,
        "sha256 Fingerprint=" + ":".join(["0A"] * 32),
        " ".join(["0a"] * 32),
        "-".join(["0A"] * 32),
    ],
)
def test_a_fingerprint_is_understood_however_it_is_written(text: str) -> None:
    assert tidy_fingerprint(text) == ":".join(["0A"] * 32)
    assert is_fingerprint(tidy_fingerprint(text))


@pytest.mark.parametrize("text", ["", "0A" * 20, "0A" * 33, "none", ":".join(["0G"] * 32)])
def test_what_is_no_fingerprint_stays_for_the_rules(text: str) -> None:
    assert tidy_fingerprint(text) == text
    assert not is_fingerprint(text)


@given(st.text(max_size=400))
def test_anything_pasted_is_tidied_once_and_for_all(text: str) -> None:
    assert tidy_authority(tidy_authority(text)) == tidy_authority(text)
    assert tidy_fingerprint(tidy_fingerprint(text)) == tidy_fingerprint(text)


def test_an_entry_from_before_there_was_encryption_stays_without() -> None:
    data = normalize(typed(password="secret"))
    wanted = account_of(data)
    del data["security"]
    assert account_of(data) == wanted
    assert wanted.srtp is Srtp.OFF


def test_automatic_transport_locates_servers_by_dns() -> None:
    account = account_of(normalize(typed(servers={"transport": "automatic"})))
    assert account.transport is None
    assert account.use_srv


def test_a_registrar_port_alone_is_another_port_of_the_server() -> None:
    account = account_of(normalize(typed(servers={"registrar_port": 5070})))
    assert account.registrar == ServerAddress("pbx.example", 5070)


@pytest.mark.parametrize(
    ("fields", "unique_id"),
    [
        ({}, "620@pbx.example"),
        ({"number": "HOME", "server": "PBX.example"}, "home@pbx.example"),
        ({"sip_domain": "home.example"}, "620@home.example/pbx.example"),
        ({"servers": {"registrar": "reg.example"}}, "620@pbx.example/reg.example"),
        ({"server": "2001:db8::1"}, "620@[2001:db8::1]"),
        ({"server": "pbx.example."}, "620@pbx.example"),
        ({"sip_domain": "pbx.example."}, "620@pbx.example"),
        ({"servers": {"registrar": "PBX.example."}}, "620@pbx.example"),
    ],
)
def test_unique_id_is_the_identity_and_the_registrar_where_it_differs(fields: dict[str, Any], unique_id: str) -> None:
    assert unique_id_of(normalize(typed(**fields))) == unique_id


@pytest.mark.parametrize(
    ("text", "dialed"),
    [
        ("+49 (30) 12-34/56", "+4930123456"),
        ("030 1234", "0301234"),
        ("110", "110"),
        ("**610", "**610"),
        ("*98#", "*98#"),
        ("*21# ", "*21#"),
        ("* 21 * 030 123-45 #", "*21*03012345#"),
        ("#31#030 123 45", "#31#03012345"),
        ("#31# +49 (0)30 123/45", "#31#+493012345"),
        ("*1 or #2", "*1 or #2"),
        (" sip:echo@pbx.example ", "sip:echo@pbx.example"),
        ("john.doe", "john.doe"),
        ("", ""),
    ],
)
def test_only_visual_separators_of_telephone_numbers_go(text: str, dialed: str) -> None:
    assert plain_target(text) == dialed
