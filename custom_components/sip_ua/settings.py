"""What a config entry holds about an account, and how it becomes the account of the signalling core.

Entry data has the shape of the form: the fields of the first step, and one mapping for each section.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PASSWORD

from .certificates import tidy_authority, tidy_fingerprint
from .const import (
    BIND_ANY,
    CONF_AUTH_USER,
    CONF_BIND_ADDRESS,
    CONF_CERTIFICATE_AUTHORITY,
    CONF_CERTIFICATE_CHECK,
    CONF_CERTIFICATE_FINGERPRINT,
    CONF_DISCOVERED,
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
    CONF_RING_TIMEOUT,
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
    SECTIONS,
    TRANSPORT_AUTOMATIC,
)
from .numbering import SUBSCRIBER_MINIMUM, is_keys, plain_number
from .sip.account import (
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
from .templates import Template, facts_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberField:
    """A number of the form: its default (None where it may stay empty), its range, and its unit."""

    default: int | None
    minimum: int
    maximum: int
    unit: str | None = None


def rules_in[Rules: DataclassInstance](kind: type[Rules], options: Mapping[str, Any]) -> Rules:
    """Return rules whose fields are named like options; what was never chosen is as at first, and lists are tuples."""
    chosen = {field.name: options[field.name] for field in fields(kind) if field.name in options}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()})


_PORT = NumberField(default=None, minimum=1, maximum=65535)

NUMBER_FIELDS: Mapping[str, Mapping[str, NumberField]] = {
    SECTION_SERVERS: {
        CONF_SERVER_PORT: _PORT,
        CONF_REGISTRAR_PORT: _PORT,
        CONF_OUTBOUND_PROXY_PORT: _PORT,
    },
    SECTION_NETWORK: {
        CONF_LOCAL_PORT: NumberField(default=0, minimum=0, maximum=65535),
        CONF_RTP_PORT_START: NumberField(default=51000, minimum=1026, maximum=65534),
        CONF_RTP_PORT_END: NumberField(default=51098, minimum=1027, maximum=65535),
        CONF_KEEP_ALIVE: NumberField(default=30, minimum=0, maximum=600, unit="s"),
    },
    SECTION_SECURITY: {},
    SECTION_TIMERS: {
        CONF_EXPIRATION: NumberField(default=3600, minimum=20, maximum=65535, unit="s"),
        CONF_RESEND: NumberField(default=180, minimum=1, maximum=65535, unit="s"),
        CONF_SESSION_EXPIRES: NumberField(default=1800, minimum=90, maximum=65535, unit="s"),
        CONF_MIN_SE: NumberField(default=90, minimum=90, maximum=65535, unit="s"),
        CONF_RING_TIMEOUT: NumberField(default=60, minimum=5, maximum=600, unit="s"),
    },
}

_is_telephone_number = re.compile(rf"\+?[0-9]{{{SUBSCRIBER_MINIMUM},}}").fullmatch
_NAMED_BY_SCHEME = {Transport.TLS: ("sips:", "tls:"), Transport.TCP: ("tcp:",)}
_SCHEMES = ("sip:", "sips:", "tel:", "stun:", "http://", "https://", "udp:", "tcp:", "tls:")


def without_scheme(text: str) -> str:
    """Return what a person meant by an address with a scheme, parameters or a trailing slash."""
    return _without_parameters(text).partition("/")[0].strip()


def _without_parameters(text: str) -> str:
    """Return an address or a number without scheme and parameters."""
    text = text.strip()
    for scheme in _SCHEMES:
        if text.lower().startswith(scheme):
            text = text[len(scheme) :]
    return text.lstrip("/").partition(";")[0]


def split_host_port(text: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; a port that is none stays part of the host.

    A name with a dot at its end is the same host, so that goes (RFC 3261 section 25.1, hostname).
    """
    text = without_scheme(text).removesuffix(".")
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        return text, None
    if not port:
        return host.removesuffix("."), None
    if port.isascii() and port.isdigit() and 1 <= int(port) <= 65535:
        return host.removesuffix("."), int(port)
    return text, None


def split_identity(text: str) -> tuple[str, str]:
    """Split a SIP number that may have been typed as a SIP URI into number and domain.

    What people write into a telephone number for the eye goes; an extension and a user name stay as they are.
    """
    number, _, domain = text.replace(" ", "").partition("@")
    number = _without_parameters(number)
    plain = plain_number(number)
    return plain if _is_telephone_number(plain) else number, without_scheme(domain)


def normalize(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the form's values as entry data: trimmed, typing slips put right, numbers whole, defaults filled in.

    What contradicts itself stays as it was typed, which the rules refuse. What is known of a discovered server stays.
    """
    template = Template(user_input.get(CONF_TEMPLATE, Template.GENERIC))
    number, typed_domain = split_identity(user_input.get(CONF_NUMBER, ""))
    sections = {name: _normalize_section(name, user_input.get(name, {})) for name in SECTIONS}
    servers, security = sections[SECTION_SERVERS], sections[SECTION_SECURITY]
    security[CONF_CERTIFICATE_AUTHORITY] = tidy_authority(security[CONF_CERTIFICATE_AUTHORITY])
    security[CONF_CERTIFICATE_FINGERPRINT] = tidy_fingerprint(security[CONF_CERTIFICATE_FINGERPRINT])

    typed = (user_input.get(CONF_NUMBER, ""), user_input.get(CONF_SERVER, ""))
    _take_transport((*typed, servers[CONF_REGISTRAR], servers[CONF_OUTBOUND_PROXY]), servers)

    sip_domain = _take_domain(user_input.get(CONF_SIP_DOMAIN, ""))
    number_domain = _take_domain(typed_domain)
    server = user_input.get(CONF_SERVER, "")
    left_empty = not server.strip() and template is not Template.DIRECT
    if left_empty:
        server = facts_of(template).server
    if left_empty and not server:
        server, number_domain = typed_domain, split_host_port(typed_domain)[0]
    if sip_domain and number_domain and sip_domain.lower() != number_domain.lower():
        number = f"{number}@{number_domain}"
    server = _take_port(server, servers, CONF_SERVER_PORT)
    for host, port in ((CONF_REGISTRAR, CONF_REGISTRAR_PORT), (CONF_OUTBOUND_PROXY, CONF_OUTBOUND_PROXY_PORT)):
        servers[host] = _take_port(servers[host], servers, port)
    return {
        CONF_TEMPLATE: template.value,
        CONF_NUMBER: number,
        CONF_SERVER: server,
        CONF_PASSWORD: user_input.get(CONF_PASSWORD, ""),
        CONF_SIP_DOMAIN: sip_domain or number_domain,
        CONF_AUTH_USER: user_input.get(CONF_AUTH_USER, "").strip(),
        **sections,
        **{key: user_input[key] for key in (CONF_DISCOVERED,) if key in user_input},
    }


_TEXT_DEFAULTS: Mapping[str, dict[str, Any]] = {
    SECTION_SERVERS: {
        CONF_REGISTRAR: "",
        CONF_OUTBOUND_PROXY: "",
        CONF_TRANSPORT: Transport.UDP.value,
        CONF_USE_SRV: False,
        CONF_URL_TYPE: UriType.SIP.value,
    },
    SECTION_NETWORK: {
        CONF_NAT: NatMode.AUTOMATIC.value,
        CONF_STUN_SERVER: "",
        CONF_PUBLIC_ADDRESS: "",
        CONF_BIND_ADDRESS: BIND_ANY,
    },
    SECTION_SECURITY: {
        CONF_CERTIFICATE_CHECK: CertificateCheck.TRUSTED.value,
        CONF_CERTIFICATE_AUTHORITY: "",
        CONF_CERTIFICATE_FINGERPRINT: "",
        CONF_SRTP: Srtp.OFF.value,
        CONF_SRTP_WITHOUT_TLS: False,
    },
    SECTION_TIMERS: {},
}


def _normalize_section(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Trim the texts of a section, make its numbers whole and fill in its defaults."""
    numbers = NUMBER_FIELDS[name]
    section = dict(_TEXT_DEFAULTS[name]) | {
        key: field.default for key, field in numbers.items() if field.default is not None
    }
    for key, value in values.items():
        if key in numbers:
            if value is not None:
                section[key] = int(value)
        else:
            section[key] = value.strip() if isinstance(value, str) else value
    return section


def _take_port(address: str, section: dict[str, Any], port_key: str) -> str:
    """Return the host of a typed address, and put its port where none was typed.

    Where another one was typed, the address keeps its own, so that the rules can tell of it.
    """
    host, port = split_host_port(address)
    if port is None:
        return host
    return host if section.setdefault(port_key, port) == port else without_scheme(address)


def _take_transport(addresses: Iterable[str], section: dict[str, Any]) -> None:
    """Put the transport that an address names where none but the first one of the form was chosen.

    Who types `sips:` or `tls:` wants nothing to go out that others can read.
    """
    if section[CONF_TRANSPORT] != Transport.UDP:
        return
    for text in addresses:
        address, *parameters = "".join(text.lower().split()).split(";")
        for transport, schemes in _NAMED_BY_SCHEME.items():
            if address.startswith(schemes) or f"transport={transport}" in parameters:
                section[CONF_TRANSPORT] = transport.value
                return


def _take_domain(text: str) -> str:
    """Return a typed domain without scheme and brackets; a port stays, so that the rules can tell of it."""
    host, port = split_host_port(text)
    return host if port is None else without_scheme(text)


def is_default(name: str, key: str, section: Mapping[str, Any]) -> bool:
    """Return whether a number of a section is what it is where nobody types anything."""
    return bool(section[key] == NUMBER_FIELDS[name][key].default)


def is_direct(data: Mapping[str, Any]) -> bool:
    """Return whether the account works without any server."""
    return bool(data[CONF_TEMPLATE] == Template.DIRECT)


def domain_of(data: Mapping[str, Any]) -> str:
    """Return the SIP service domain, which is the server's address where none was typed."""
    return str(data[CONF_SIP_DOMAIN] or data[CONF_SERVER]).lower()


def identity_of(data: Mapping[str, Any]) -> str:
    """Return `number@domain`, as people write it; the number alone where there is no domain."""
    domain = domain_of(data)
    if ":" in domain:
        domain = f"[{domain}]"
    return f"{data[CONF_NUMBER]}@{domain}" if domain else str(data[CONF_NUMBER])


def title_of(entry: ConfigEntry, data: Mapping[str, Any]) -> str:
    """Return the title of an account that changes to `data`: its identity, or what a person called it."""
    return identity_of(data) if entry.title == identity_of(entry.data) else entry.title


def unique_id_of(data: Mapping[str, Any]) -> str:
    """Return what tells accounts apart: the identity, and the registrar where it is another host."""
    identity = identity_of(data).lower()
    registrar = str(data[SECTION_SERVERS].get(CONF_REGISTRAR) or data[CONF_SERVER]).lower()
    return identity if registrar in ("", domain_of(data)) else f"{identity}/{registrar}"


def account_of(data: Mapping[str, Any]) -> Account:
    """Return the account that the entry data describes."""
    servers, network, timers = data[SECTION_SERVERS], data[SECTION_NETWORK], data[SECTION_TIMERS]
    security = _security(data)
    direct = is_direct(data)
    transport = servers[CONF_TRANSPORT]
    bind_address = network[CONF_BIND_ADDRESS]
    return Account(
        number=data[CONF_NUMBER],
        domain=domain_of(data),
        password=data[CONF_PASSWORD],
        auth_user=data[CONF_AUTH_USER],
        server=None if direct else _server(data[CONF_SERVER], servers.get(CONF_SERVER_PORT)),
        registrar=None if direct else _registrar(data),
        outbound_proxy=_server(servers[CONF_OUTBOUND_PROXY], servers.get(CONF_OUTBOUND_PROXY_PORT)),
        transport=None if transport == TRANSPORT_AUTOMATIC else Transport(transport),
        use_srv=servers[CONF_USE_SRV] or transport == TRANSPORT_AUTOMATIC,
        uri_type=UriType(servers[CONF_URL_TYPE]),
        allow_direct_calls=direct,
        srtp=Srtp(security[CONF_SRTP]),
        srtp_without_tls=security[CONF_SRTP_WITHOUT_TLS],
        timing=Timing(
            expiration=timers[CONF_EXPIRATION],
            resend=timers[CONF_RESEND],
            session_expires=timers[CONF_SESSION_EXPIRES],
            min_se=timers[CONF_MIN_SE],
            ring_timeout=timers[CONF_RING_TIMEOUT],
            keep_alive=network[CONF_KEEP_ALIVE],
        ),
        network=NetworkSettings(
            local_port=network[CONF_LOCAL_PORT],
            bind_address="" if bind_address == BIND_ANY else bind_address,
            rtp_port_min=network[CONF_RTP_PORT_START],
            rtp_port_max=network[CONF_RTP_PORT_END],
            nat=NatMode(network[CONF_NAT]),
            public_address=network[CONF_PUBLIC_ADDRESS],
            stun_server=_server(*split_host_port(network[CONF_STUN_SERVER])),
        ),
        tls=_tls(data),
    )


def _security(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an account says of its security; one from before it could be chosen is as the form's defaults."""
    return {**_TEXT_DEFAULTS[SECTION_SECURITY], **data.get(SECTION_SECURITY, {})}


def _tls(data: Mapping[str, Any]) -> TlsSettings:
    """Return whom we believe to be the server."""
    security = _security(data)
    return TlsSettings(
        check=CertificateCheck(security[CONF_CERTIFICATE_CHECK]),
        authority=security[CONF_CERTIFICATE_AUTHORITY],
        fingerprint=security[CONF_CERTIFICATE_FINGERPRINT],
    )


def is_unchecked(data: Mapping[str, Any]) -> bool:
    """Return whether the account takes anybody for its server who answers at the address."""
    return _tls(data).check is CertificateCheck.OFF


def _registrar(data: Mapping[str, Any]) -> ServerAddress | None:
    """Return the REGISTER server; a port alone is another port of the SIP server."""
    servers = data[SECTION_SERVERS]
    port = servers.get(CONF_REGISTRAR_PORT)
    host = servers[CONF_REGISTRAR] or (data[CONF_SERVER] if port else "")
    return _server(host, port)


def _server(host: str, port: int | None) -> ServerAddress | None:
    """Return a server's address, None where no host was typed."""
    return ServerAddress(host, port) if host else None


def plain_target(text: str) -> str:
    """Return what to dial: visual separators go from what the keys can dial, all else stays as it is."""
    text = text.strip()
    return plain_number(text) if is_keys(text) else text
