"""The rules that a typed account must keep before anything is sent, each with an error text of its own."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.const import CONF_PASSWORD

from .certificates import AUTHORITY_LENGTH_MAX, holds_private_key, is_authority, is_fingerprint
from .const import (
    BIND_ANY,
    CONF_AUTH_USER,
    CONF_BIND_ADDRESS,
    CONF_CERTIFICATE_AUTHORITY,
    CONF_CERTIFICATE_CHECK,
    CONF_CERTIFICATE_FINGERPRINT,
    CONF_EXPIRATION,
    CONF_KEEP_ALIVE,
    CONF_LOCAL_PORT,
    CONF_MIN_SE,
    CONF_NAT,
    CONF_NUMBER,
    CONF_OUTBOUND_PROXY,
    CONF_OUTBOUND_PROXY_PORT,
    CONF_PUBLIC_ADDRESS,
    CONF_REGISTRAR,
    CONF_REGISTRAR_PORT,
    CONF_RESEND,
    CONF_RTP_PORT_END,
    CONF_RTP_PORT_START,
    CONF_SERVER,
    CONF_SERVER_PORT,
    CONF_SESSION_EXPIRES,
    CONF_SIP_DOMAIN,
    CONF_SRTP,
    CONF_SRTP_WITHOUT_TLS,
    CONF_STUN_SERVER,
    CONF_TEMPLATE,
    CONF_TRANSPORT,
    CONF_URL_TYPE,
    CONF_USE_SRV,
    SECTION_NETWORK,
    SECTION_SECURITY,
    SECTION_SERVERS,
    SECTION_TIMERS,
    TRANSPORT_AUTOMATIC,
)
from .hosts import is_address, is_host
from .settings import is_default, is_direct, split_host_port
from .sip.account import CertificateCheck, NatMode, Srtp, Transport, UriType
from .templates import Template, facts_of

NUMBER_LENGTH_MAX = 127
KEEP_ALIVE_MIN = 5
LOCAL_PORT_MIN = 1025

# The characters of a user part that need no escape (RFC 3261 section 25.1, user).
_NUMBER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,?#%]+")
_WITH_TLS = frozenset({Transport.TLS.value, TRANSPORT_AUTOMATIC})
# With automatic a server may turn out to have no TLS: voice that need not be encrypted is spoken all the same.
_PROTECTING = {Srtp.OPTIONAL: _WITH_TLS, Srtp.REQUIRED: frozenset({Transport.TLS.value})}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A rule that is broken: the error text's key, and the field or section that it belongs to."""

    key: str
    place: str


type Rule = tuple[str, str, Callable[[Mapping[str, Any], Mapping[str, Any]], bool]]
"""Error key, place, and whether the rule is broken; called with the section's values and the whole data."""


def has_port(text: str) -> bool:
    """Return whether a normalized address still has a port, which its own field contradicts."""
    return split_host_port(text)[1] is not None


def _asked_servers(data: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """Return host and port of each server that requests go to first; none where calls are direct."""
    servers = data[SECTION_SERVERS]
    if servers[CONF_OUTBOUND_PROXY]:
        return [(servers[CONF_OUTBOUND_PROXY], servers.get(CONF_OUTBOUND_PROXY_PORT))]
    if is_direct(data):
        return []
    server = (data[CONF_SERVER], servers.get(CONF_SERVER_PORT))
    port = servers.get(CONF_REGISTRAR_PORT)
    host = servers[CONF_REGISTRAR] or (data[CONF_SERVER] if port else "")
    return [server, (host, port)] if host else [server]


def _are_looked_up(data: Mapping[str, Any]) -> list[bool]:
    """Return of each server whether DNS can tell its transport and port (RFC 3263 sections 4.1 and 4.2)."""
    return [port is None and not is_address(host) for host, port in _asked_servers(data)]


FIELD_RULES: tuple[Rule, ...] = (
    ("number_required", CONF_NUMBER, lambda data, _: not data[CONF_NUMBER]),
    ("number_too_long", CONF_NUMBER, lambda data, _: len(data[CONF_NUMBER]) > NUMBER_LENGTH_MAX),
    ("domains_differ", CONF_NUMBER, lambda data, _: "@" in data[CONF_NUMBER]),
    (
        "number_invalid",
        CONF_NUMBER,
        lambda data, _: bool(data[CONF_NUMBER]) and not _NUMBER.fullmatch(data[CONF_NUMBER]),
    ),
    (
        "number_is_no_sip_id",
        CONF_NUMBER,
        lambda data, _: data[CONF_TEMPLATE] == Template.SIPGATE and data[CONF_NUMBER].startswith(("0", "+")),
    ),
    (
        "server_required_unifi_talk",
        CONF_SERVER,
        lambda data, _: data[CONF_TEMPLATE] == Template.UNIFI_TALK and not data[CONF_SERVER],
    ),
    ("server_required", CONF_SERVER, lambda data, _: not is_direct(data) and not data[CONF_SERVER]),
    ("server_not_used", CONF_SERVER, lambda data, _: is_direct(data) and bool(data[CONF_SERVER])),
    ("server_ports_differ", CONF_SERVER, lambda data, _: has_port(data[CONF_SERVER])),
    ("server_invalid", CONF_SERVER, lambda data, _: bool(data[CONF_SERVER]) and not is_host(data[CONF_SERVER])),
    ("domain_with_port", CONF_SIP_DOMAIN, lambda data, _: has_port(data[CONF_SIP_DOMAIN])),
    (
        "domain_invalid",
        CONF_SIP_DOMAIN,
        lambda data, _: bool(data[CONF_SIP_DOMAIN]) and not is_host(data[CONF_SIP_DOMAIN]),
    ),
    (
        "password_required",
        CONF_PASSWORD,
        lambda data, _: facts_of(data[CONF_TEMPLATE]).needs_password and not data[CONF_PASSWORD],
    ),
    (
        "auth_user_required",
        CONF_AUTH_USER,
        lambda data, _: facts_of(data[CONF_TEMPLATE]).needs_auth_user and not data[CONF_AUTH_USER],
    ),
)

SECTION_RULES: Mapping[str, tuple[Rule, ...]] = {
    SECTION_SERVERS: (
        (
            "server_port_not_used",
            CONF_SERVER_PORT,
            lambda section, data: is_direct(data) and section.get(CONF_SERVER_PORT) is not None,
        ),
        ("srv_needs_server", CONF_USE_SRV, lambda section, data: is_direct(data) and section[CONF_USE_SRV]),
        (
            "registrar_not_used",
            CONF_REGISTRAR,
            lambda section, data: is_direct(data) and bool(section[CONF_REGISTRAR] or section.get(CONF_REGISTRAR_PORT)),
        ),
        ("registrar_ports_differ", CONF_REGISTRAR, lambda section, _: has_port(section[CONF_REGISTRAR])),
        (
            "registrar_invalid",
            CONF_REGISTRAR,
            lambda section, _: bool(section[CONF_REGISTRAR]) and not is_host(section[CONF_REGISTRAR]),
        ),
        (
            "outbound_proxy_ports_differ",
            CONF_OUTBOUND_PROXY,
            lambda section, _: has_port(section[CONF_OUTBOUND_PROXY]),
        ),
        (
            "outbound_proxy_invalid",
            CONF_OUTBOUND_PROXY,
            lambda section, _: bool(section[CONF_OUTBOUND_PROXY]) and not is_host(section[CONF_OUTBOUND_PROXY]),
        ),
        (
            "outbound_proxy_required",
            CONF_OUTBOUND_PROXY,
            lambda section, _: bool(section.get(CONF_OUTBOUND_PROXY_PORT)) and not section[CONF_OUTBOUND_PROXY],
        ),
        (
            "srv_with_port",
            CONF_USE_SRV,
            lambda section, _: section[CONF_USE_SRV] and bool(section.get(CONF_SERVER_PORT)),
        ),
        (
            "srv_needs_name",
            CONF_USE_SRV,
            lambda section, data: section[CONF_USE_SRV] and not any(_are_looked_up(data)),
        ),
        (
            "automatic_needs_name",
            CONF_TRANSPORT,
            lambda section, data: section[CONF_TRANSPORT] == TRANSPORT_AUTOMATIC and not all(_are_looked_up(data)),
        ),
        (
            "sips_needs_tls",
            CONF_URL_TYPE,
            lambda section, _: section[CONF_URL_TYPE] == UriType.SIPS and section[CONF_TRANSPORT] != Transport.TLS,
        ),
        (
            "tel_needs_server",
            CONF_URL_TYPE,
            lambda section, data: section[CONF_URL_TYPE] == UriType.TEL and is_direct(data),
        ),
    ),
    SECTION_NETWORK: (
        (
            "local_port_range",
            CONF_LOCAL_PORT,
            lambda section, _: 0 < section[CONF_LOCAL_PORT] < LOCAL_PORT_MIN,
        ),
        ("rtp_start_odd", CONF_RTP_PORT_START, lambda section, _: section[CONF_RTP_PORT_START] % 2 == 1),
        (
            "rtp_range_empty",
            CONF_RTP_PORT_END,
            lambda section, _: section[CONF_RTP_PORT_END] <= section[CONF_RTP_PORT_START],
        ),
        (
            "ports_overlap",
            CONF_LOCAL_PORT,
            lambda section, _: section[CONF_RTP_PORT_START] <= section[CONF_LOCAL_PORT] <= section[CONF_RTP_PORT_END],
        ),
        (
            "stun_server_required",
            CONF_STUN_SERVER,
            lambda section, _: section[CONF_NAT] == NatMode.STUN and not section[CONF_STUN_SERVER],
        ),
        (
            "stun_server_invalid",
            CONF_STUN_SERVER,
            lambda section, _: (
                bool(section[CONF_STUN_SERVER]) and not is_host(split_host_port(section[CONF_STUN_SERVER])[0])
            ),
        ),
        (
            "stun_server_not_used",
            CONF_STUN_SERVER,
            lambda section, _: bool(section[CONF_STUN_SERVER]) and section[CONF_NAT] != NatMode.STUN,
        ),
        (
            "public_address_required",
            CONF_PUBLIC_ADDRESS,
            lambda section, _: section[CONF_NAT] == NatMode.MANUAL and not section[CONF_PUBLIC_ADDRESS],
        ),
        (
            "public_address_invalid",
            CONF_PUBLIC_ADDRESS,
            lambda section, _: bool(section[CONF_PUBLIC_ADDRESS]) and not is_address(section[CONF_PUBLIC_ADDRESS]),
        ),
        (
            "public_address_not_used",
            CONF_PUBLIC_ADDRESS,
            lambda section, _: bool(section[CONF_PUBLIC_ADDRESS]) and section[CONF_NAT] != NatMode.MANUAL,
        ),
        ("keep_alive_range", CONF_KEEP_ALIVE, lambda section, _: 0 < section[CONF_KEEP_ALIVE] < KEEP_ALIVE_MIN),
    ),
    SECTION_SECURITY: (
        (
            "certificate_check_needs_tls",
            CONF_CERTIFICATE_CHECK,
            lambda section, data: (
                section[CONF_CERTIFICATE_CHECK] != CertificateCheck.TRUSTED
                and data[SECTION_SERVERS][CONF_TRANSPORT] not in _WITH_TLS
            ),
        ),
        (
            "authority_with_key",
            CONF_CERTIFICATE_AUTHORITY,
            lambda section, _: holds_private_key(section[CONF_CERTIFICATE_AUTHORITY]),
        ),
        (
            "authority_required",
            CONF_CERTIFICATE_AUTHORITY,
            lambda section, _: (
                section[CONF_CERTIFICATE_CHECK] == CertificateCheck.AUTHORITY
                and not section[CONF_CERTIFICATE_AUTHORITY]
            ),
        ),
        (
            "authority_not_used",
            CONF_CERTIFICATE_AUTHORITY,
            lambda section, _: (
                section[CONF_CERTIFICATE_CHECK] != CertificateCheck.AUTHORITY
                and bool(section[CONF_CERTIFICATE_AUTHORITY])
            ),
        ),
        (
            "authority_too_long",
            CONF_CERTIFICATE_AUTHORITY,
            lambda section, _: len(section[CONF_CERTIFICATE_AUTHORITY]) > AUTHORITY_LENGTH_MAX,
        ),
        (
            "authority_invalid",
            CONF_CERTIFICATE_AUTHORITY,
            lambda section, _: (
                bool(section[CONF_CERTIFICATE_AUTHORITY]) and not is_authority(section[CONF_CERTIFICATE_AUTHORITY])
            ),
        ),
        (
            "fingerprint_required",
            CONF_CERTIFICATE_FINGERPRINT,
            lambda section, _: (
                section[CONF_CERTIFICATE_CHECK] == CertificateCheck.FINGERPRINT
                and not section[CONF_CERTIFICATE_FINGERPRINT]
            ),
        ),
        (
            "fingerprint_not_used",
            CONF_CERTIFICATE_FINGERPRINT,
            lambda section, _: (
                section[CONF_CERTIFICATE_CHECK] != CertificateCheck.FINGERPRINT
                and bool(section[CONF_CERTIFICATE_FINGERPRINT])
            ),
        ),
        (
            "fingerprint_invalid",
            CONF_CERTIFICATE_FINGERPRINT,
            lambda section, _: (
                bool(section[CONF_CERTIFICATE_FINGERPRINT])
                and not is_fingerprint(section[CONF_CERTIFICATE_FINGERPRINT])
            ),
        ),
        (
            "srtp_needs_tls",
            CONF_SRTP,
            lambda section, data: (
                section[CONF_SRTP] != Srtp.OFF
                and not section[CONF_SRTP_WITHOUT_TLS]
                and data[SECTION_SERVERS][CONF_TRANSPORT] not in _PROTECTING[section[CONF_SRTP]]
            ),
        ),
        (
            "srtp_without_tls_not_used",
            CONF_SRTP_WITHOUT_TLS,
            lambda section, _: section[CONF_SRTP_WITHOUT_TLS] and section[CONF_SRTP] == Srtp.OFF,
        ),
        (
            "srtp_without_tls_not_needed",
            CONF_SRTP_WITHOUT_TLS,
            lambda section, data: (
                section[CONF_SRTP_WITHOUT_TLS]
                and data[SECTION_SERVERS][CONF_TRANSPORT] == Transport.TLS
                and not is_direct(data)
            ),
        ),
    ),
    SECTION_TIMERS: (
        (
            "expiration_not_used",
            CONF_EXPIRATION,
            lambda section, data: is_direct(data) and not is_default(SECTION_TIMERS, CONF_EXPIRATION, section),
        ),
        (
            "resend_not_used",
            CONF_RESEND,
            lambda section, data: is_direct(data) and not is_default(SECTION_TIMERS, CONF_RESEND, section),
        ),
        (
            "session_expires_too_short",
            CONF_SESSION_EXPIRES,
            lambda section, _: section[CONF_SESSION_EXPIRES] < section[CONF_MIN_SE],
        ),
    ),
}


def find_mistakes(data: Mapping[str, Any], machine_addresses: Collection[str]) -> list[Mistake]:
    """Return the first broken rule of the first step and of each section.

    `data` is normalized entry data, `machine_addresses` what a local address may be bound to.
    """
    mistakes: dict[str, Mistake] = {}
    for key, place, broken in FIELD_RULES:
        if place not in mistakes and broken(data, data):
            mistakes[place] = Mistake(key, place)
    for section, rules in SECTION_RULES.items():
        for key, _, broken in rules:
            if section not in mistakes and broken(data[section], data):
                mistakes[section] = Mistake(key, section)
    bind_address = data[SECTION_NETWORK][CONF_BIND_ADDRESS]
    if bind_address != BIND_ANY and bind_address not in machine_addresses and SECTION_NETWORK not in mistakes:
        mistakes[SECTION_NETWORK] = Mistake("bind_address_unknown", SECTION_NETWORK)
    return list(mistakes.values())
