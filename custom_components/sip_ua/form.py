"""The forms of the config flow: which fields, in which section, open where a person has to look."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import voluptuous as vol
from homeassistant.const import CONF_PASSWORD
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

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
    TRANSPORT_AUTOMATIC,
)
from .settings import NUMBER_FIELDS, NumberField
from .sip.account import CertificateCheck, NatMode, Srtp, Transport, UriType
from .templates import Template

TEXT = TextSelector()
LONG_TEXT = TextSelector(TextSelectorConfig(multiline=True))
PASSWORD = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password"))


def choice(key: str, options: Iterable[str]) -> SelectSelector:
    """Return a list to choose from, whose texts are in the translations."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[str(option) for option in options], translation_key=key, mode=SelectSelectorMode.DROPDOWN
        )
    )


def _bind_choice(addresses: Mapping[str, str]) -> SelectSelector:
    """Return the choice between any address and those of this machine (address: interface)."""
    options = [SelectOptionDict(value=BIND_ANY, label=BIND_ANY)]
    options.extend(
        SelectOptionDict(value=address, label=f"{address} ({interface})" if interface else address)
        for address, interface in addresses.items()
    )
    return SelectSelector(
        SelectSelectorConfig(options=options, translation_key=CONF_BIND_ADDRESS, mode=SelectSelectorMode.DROPDOWN)
    )


def number(field: NumberField) -> NumberSelector:
    """Return a box for a number in its range."""
    config = NumberSelectorConfig(min=field.minimum, max=field.maximum, step=1, mode=NumberSelectorMode.BOX)
    if field.unit:
        config["unit_of_measurement"] = field.unit
    return NumberSelector(config)


def _numbers(name: str, *keys: str) -> dict[vol.Marker, Any]:
    """Return number fields of a section with their ranges and defaults."""
    fields: dict[vol.Marker, Any] = {}
    for key in keys:
        field = NUMBER_FIELDS[name][key]
        marker = vol.Optional(key) if field.default is None else vol.Required(key, default=field.default)
        fields[marker] = number(field)
    return fields


_SERVERS: dict[vol.Marker, Any] = {
    **_numbers(SECTION_SERVERS, CONF_SERVER_PORT),
    vol.Optional(CONF_REGISTRAR): TEXT,
    **_numbers(SECTION_SERVERS, CONF_REGISTRAR_PORT),
    vol.Optional(CONF_OUTBOUND_PROXY): TEXT,
    **_numbers(SECTION_SERVERS, CONF_OUTBOUND_PROXY_PORT),
    vol.Required(CONF_TRANSPORT, default=Transport.UDP.value): choice(
        CONF_TRANSPORT, [*Transport, TRANSPORT_AUTOMATIC]
    ),
    vol.Required(CONF_USE_SRV, default=False): BooleanSelector(),
    vol.Required(CONF_URL_TYPE, default=UriType.SIP.value): choice(CONF_URL_TYPE, UriType),
}

_NETWORK: dict[vol.Marker, Any] = {
    **_numbers(SECTION_NETWORK, CONF_LOCAL_PORT, CONF_RTP_PORT_START, CONF_RTP_PORT_END),
    vol.Required(CONF_NAT, default=NatMode.AUTOMATIC.value): choice(CONF_NAT, NatMode),
    vol.Optional(CONF_STUN_SERVER): TEXT,
    vol.Optional(CONF_PUBLIC_ADDRESS): TEXT,
    **_numbers(SECTION_NETWORK, CONF_KEEP_ALIVE),
}

_SECURITY: dict[vol.Marker, Any] = {
    vol.Required(CONF_SRTP, default=Srtp.OFF.value): choice(CONF_SRTP, Srtp),
    vol.Required(CONF_SRTP_WITHOUT_TLS, default=False): BooleanSelector(),
    vol.Required(CONF_CERTIFICATE_CHECK, default=CertificateCheck.TRUSTED.value): choice(
        CONF_CERTIFICATE_CHECK, CertificateCheck
    ),
    vol.Optional(CONF_CERTIFICATE_AUTHORITY): LONG_TEXT,
    vol.Optional(CONF_CERTIFICATE_FINGERPRINT): TEXT,
}

SERVER_FIELDS = frozenset(
    {CONF_SERVER_PORT, CONF_REGISTRAR, CONF_REGISTRAR_PORT, CONF_USE_SRV, CONF_EXPIRATION, CONF_RESEND}
)
"""Fields of sections that do nothing where there is no server to register with."""

_TIMERS = _numbers(SECTION_TIMERS, CONF_EXPIRATION, CONF_RESEND, CONF_SESSION_EXPIRES, CONF_MIN_SE, CONF_RING_TIMEOUT)


def account_schema(addresses: Mapping[str, str], opened: Collection[str] = ()) -> vol.Schema:
    """Return the form of a new account; `addresses` are this machine's, `opened` the sections to show open."""
    return vol.Schema(
        {
            vol.Required(CONF_TEMPLATE, default=Template.GENERIC.value): choice(CONF_TEMPLATE, Template),
            vol.Required(CONF_NUMBER): TEXT,
            vol.Optional(CONF_SERVER): TEXT,
            vol.Optional(CONF_PASSWORD): PASSWORD,
            vol.Optional(CONF_SIP_DOMAIN): TEXT,
            vol.Optional(CONF_AUTH_USER): TEXT,
            **_sections(addresses, opened),
        }
    )


def reconfigure_schema(
    addresses: Mapping[str, str], opened: Collection[str] = (), *, direct: bool = False
) -> vol.Schema:
    """Return the form that changes server and network of an account; its number stays.

    An account without a server is asked only for what serves direct calls.
    """
    server: dict[vol.Marker, Any] = {} if direct else {vol.Required(CONF_SERVER): TEXT}
    identity: dict[vol.Marker, Any] = {
        vol.Optional(CONF_PASSWORD): PASSWORD,
        vol.Optional(CONF_SIP_DOMAIN): TEXT,
        vol.Optional(CONF_AUTH_USER): TEXT,
    }
    hidden = SERVER_FIELDS if direct else frozenset[str]()
    return vol.Schema({**server, **identity, **_sections(addresses, opened, hidden)})


REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_PASSWORD): PASSWORD, vol.Optional(CONF_AUTH_USER): TEXT})


def _sections(
    addresses: Mapping[str, str], opened: Collection[str], hidden: Collection[str] = ()
) -> dict[vol.Marker, Any]:
    """Return the sections without the fields that are `hidden`, collapsed where nothing is to be put right."""
    network = _NETWORK | {vol.Required(CONF_BIND_ADDRESS, default=BIND_ANY): _bind_choice(addresses)}
    fields = {
        SECTION_SERVERS: _SERVERS,
        SECTION_NETWORK: network,
        SECTION_SECURITY: _SECURITY,
        SECTION_TIMERS: _TIMERS,
    }
    return {
        vol.Required(name): section(
            vol.Schema({marker: field for marker, field in content.items() if marker.schema not in hidden}),
            {"collapsed": name not in opened},
        )
        for name, content in fields.items()
    }
