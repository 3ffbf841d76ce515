"""Config flow: a SIP account is typed as on a router's page, tried against the server, and only then kept."""

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, override

import voluptuous as vol
from homeassistant.components import network
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
)
from homeassistant.const import CONF_PASSWORD
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.service_info.ssdp import ATTR_UPNP_FRIENDLY_NAME, SsdpServiceInfo

from .conflicts import find_conflicts
from .const import (
    BIND_ANY,
    CONF_AUTH_USER,
    CONF_BIND_ADDRESS,
    CONF_DISCOVERED,
    CONF_LOCAL_PORT,
    CONF_NUMBER,
    CONF_OUTBOUND_PROXY,
    CONF_REGISTRAR,
    CONF_SERVER,
    CONF_SIP_DOMAIN,
    CONF_TEMPLATE,
    DOMAIN,
    SECTION_NETWORK,
    SECTION_SECURITY,
    SECTION_SERVERS,
    SECTION_TIMERS,
    SECTIONS,
    SUBENTRY_CONTACT,
    SUBENTRY_LINE,
    SUBENTRY_MENU,
)
from .contact_flow import ContactFlow
from .contacts import contacts_of
from .coordinator import SipUaConfigEntry
from .discovery import accounts_of, async_follow, device_of, has_lost, is_at, place_of, unscoped_host
from .failure_words import NOTHING, answer_of, certificate_words, tried_at
from .form import REAUTH_SCHEMA, account_schema, reconfigure_schema
from .line_flow import LineFlow
from .local_port import loses_its_port
from .menu_flow import MenuFlow
from .net.errors import LocalAddressError
from .net.registration_check import check_registration
from .net.sip_probe import speaks_sip
from .options import with_options
from .options_flow import SipUaOptionsFlow
from .settings import account_of, identity_of, is_direct, normalize, title_of, unique_id_of
from .sip.events import RegistrationChanged, RegistrationFailure, RegistrationState
from .templates import Template, facts_of
from .validation import Mistake, find_mistakes

_LOGGER = logging.getLogger(__name__)

BASE = "base"
UNKNOWN = "unknown"

KEPT = (CONF_TEMPLATE, CONF_NUMBER, CONF_DISCOVERED)
"""What an account stays, whatever else of it is changed."""

# Where a failure of the test REGISTER is to be put right; a section opens by itself.
_FAILURE_PLACES: Mapping[RegistrationFailure, str] = {
    RegistrationFailure.NAME_NOT_FOUND: CONF_SERVER,
    RegistrationFailure.NO_ROUTE: CONF_SERVER,
    RegistrationFailure.NO_ANSWER: SECTION_SERVERS,
    RegistrationFailure.CONNECTION_REFUSED: SECTION_SERVERS,
    RegistrationFailure.LOGIN_REFUSED: CONF_PASSWORD,
    RegistrationFailure.NUMBER_UNKNOWN: CONF_NUMBER,
    RegistrationFailure.WRONG_DOMAIN: CONF_SIP_DOMAIN,
    RegistrationFailure.REDIRECTED: SECTION_SERVERS,
    RegistrationFailure.CERTIFICATE: SECTION_SECURITY,
    RegistrationFailure.CERTIFICATE_NAME: SECTION_SECURITY,
    RegistrationFailure.CERTIFICATE_EXPIRED: SECTION_SECURITY,
    RegistrationFailure.CERTIFICATE_CHANGED: SECTION_SECURITY,
    RegistrationFailure.LOCAL_PORT_IN_USE: SECTION_NETWORK,
}


async def _machine_addresses(hass: HomeAssistant) -> dict[str, str]:
    """Return the addresses of this machine that a phone can be reached at, with the interface of each."""
    return {
        ip["address"]: adapter["name"]
        for adapter in await network.async_get_adapters(hass)
        for ip in (*adapter["ipv4"], *adapter["ipv6"])
        if not ip_address(ip["address"]).is_link_local
    }


def _mistake_of(result: RegistrationChanged, data: Mapping[str, Any]) -> Mistake:
    """Return the error text of a failed test REGISTER, and the place where it is to be put right."""
    if (failure := result.failure) is None:
        return Mistake(UNKNOWN, BASE)
    place = _FAILURE_PLACES.get(failure, BASE)
    servers = data[SECTION_SERVERS]
    if place == CONF_SERVER and (servers[CONF_OUTBOUND_PROXY] or servers[CONF_REGISTRAR]):
        place = SECTION_SERVERS
    return Mistake(facts_of(data[CONF_TEMPLATE]).texts.get(failure, failure.value), place)


LOCAL_PORT_NEEDED = Mistake("local_port_needed", SECTION_NETWORK)


class SipUaConfigFlow(ConfigFlow, domain=DOMAIN):
    """Handle the config flow of a SIP account."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Begin with nothing to put right."""
        self._mistakes: list[Mistake] = []
        self._placeholders: dict[str, str] = {}
        self._discovered: dict[str, Any] = {}
        self._place: dict[str, Any] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> SipUaOptionsFlow:
        """Return the flow of the options."""
        return SipUaOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """Return what can be added to an account: contacts of the phone book, lines to watch, menus."""
        return {SUBENTRY_CONTACT: ContactFlow, SUBENTRY_LINE: LineFlow, SUBENTRY_MENU: MenuFlow}

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Take a new account, register with it for real, and keep it."""
        addresses = await _machine_addresses(self.hass)
        if user_input is not None:
            data = normalize(user_input | self._place)
            if self._keeps_the_rules(data, addresses):
                await self.async_set_unique_id(unique_id_of(data))
                self._abort_if_unique_id_configured()
                if await self._registers(data):
                    return self.async_create_entry(title=identity_of(data), data=data)
        return self._show("user", account_schema(addresses, self._opened), user_input or self._discovered)

    @override
    async def async_step_ssdp(self, discovery_info: SsdpServiceInfo) -> ConfigFlowResult:
        """Offer an account of a FRITZ!Box that announces itself, where it is a telephone system."""
        host = unscoped_host(discovery_info)
        if host is None:
            return self.async_abort(reason="no_address")
        udn = device_of(discovery_info)
        await self.async_set_unique_id(udn)
        self._abort_if_unique_id_configured()
        entries = self._async_current_entries(include_ignore=False)
        accounts = accounts_of(entries, udn)
        moved = [entry for entry in accounts if has_lost(entry, host)]
        if moved and await speaks_sip(host) and not await speaks_sip(moved[0].data[CONF_SERVER]):
            for entry in moved:
                async_follow(self.hass, entry, udn, host)
        if accounts or any(is_at(entry, host) for entry in entries):
            return self.async_abort(reason="already_configured")
        if not await speaks_sip(host):
            return self.async_abort(reason="no_telephony")
        self._discovered = {CONF_TEMPLATE: Template.FRITZBOX.value, CONF_SERVER: host}
        self._place = {CONF_DISCOVERED: place_of(udn, host)}
        self.context["title_placeholders"] = {"name": discovery_info.upnp.get(ATTR_UPNP_FRIENDLY_NAME) or host}
        return await self.async_step_user()

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change server and network of an account; its number and template stay."""
        entry: SipUaConfigEntry = self._get_reconfigure_entry()
        addresses = await _machine_addresses(self.hass)
        if user_input is not None:
            kept = {key: entry.data[key] for key in KEPT if key in entry.data}
            data = normalize(user_input | kept) | kept
            data[CONF_PASSWORD] = data[CONF_PASSWORD] or entry.data[CONF_PASSWORD]
            if self._keeps_the_rules(data, addresses, entry):
                unique_id = unique_id_of(data)
                if unique_id != entry.unique_id:
                    await self.async_set_unique_id(unique_id)
                    self._abort_if_unique_id_configured()
                if await self._registers(data, entry):
                    return self._update(entry, data, unique_id=unique_id, title=title_of(entry, data))
        if (bound := entry.data[SECTION_NETWORK][CONF_BIND_ADDRESS]) != BIND_ANY:
            addresses = {bound: ""} | addresses
        schema = reconfigure_schema(addresses, self._opened, direct=is_direct(entry.data))
        return self._show("reconfigure", schema, user_input or entry.data)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Ask for a new login after the server has refused the stored one."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Try the new login and keep it."""
        entry: SipUaConfigEntry = self._get_reauth_entry()
        if user_input is not None:
            data = {
                **entry.data,
                CONF_PASSWORD: user_input[CONF_PASSWORD],
                CONF_AUTH_USER: user_input.get(CONF_AUTH_USER, "").strip(),
            }
            if await self._registers(data, entry):
                return self._update(entry, data)
        self._placeholders.setdefault("identity", identity_of(entry.data))
        return self._show("reauth_confirm", REAUTH_SCHEMA, user_input or {CONF_AUTH_USER: entry.data[CONF_AUTH_USER]})

    @property
    def _opened(self) -> set[str]:
        """Return the sections in which something is to be put right."""
        return {mistake.place for mistake in self._mistakes}.intersection(SECTIONS)

    def _show(self, step_id: str, schema: vol.Schema, values: Mapping[str, Any] | None) -> ConfigFlowResult:
        """Show a form with what was typed before, the password left out, and what is wrong with it."""
        places = {marker.schema for marker in schema.schema}
        values = {key: value for key, value in (values or {}).items() if key != CONF_PASSWORD}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors={mistake.place if mistake.place in places else BASE: mistake.key for mistake in self._mistakes},
            description_placeholders=self._placeholders,
        )

    def _keeps_the_rules(
        self, data: Mapping[str, Any], addresses: Mapping[str, str], entry: ConfigEntry | None = None
    ) -> bool:
        """Return whether a typed account keeps all rules, those that its options bring too, and remember what not."""
        options = entry.options if entry else {}
        self._mistakes = find_mistakes(data, addresses)
        if entry and SECTION_NETWORK not in self._opened and loses_its_port(entry, data):
            self._mistakes.append(LOCAL_PORT_NEEDED)
        if SECTION_TIMERS not in self._opened:
            answers = [contact.answered_by for contact in contacts_of(entry)] if entry else []
            self._mistakes += find_conflicts(data, options, SECTION_TIMERS, answers)[:1]
        self._placeholders = _placeholders(data)
        return not self._mistakes

    async def _registers(self, data: Mapping[str, Any], entry: ConfigEntry | None = None) -> bool:
        """Return whether the server accepts the account, and remember why not.

        A local port that the loaded entry holds itself is left out of the trial.
        """
        self._mistakes = []
        account = with_options(account_of(_with_free_port(data, entry)), entry.options if entry else {})
        self._placeholders = _placeholders(data)
        try:
            result = await check_registration(account)
        except LocalAddressError:
            self._mistakes = [Mistake("bind_address_unknown", SECTION_NETWORK)]
        except Exception:
            _LOGGER.exception("Unexpected error while registering")
            self._mistakes = [Mistake(UNKNOWN, BASE)]
        else:
            if result.state is RegistrationState.REGISTERED or not (account.registers or result.failure):
                return True
            self._mistakes = [_mistake_of(result, data)]
            self._placeholders = _placeholders(data, result)
        return False

    def _update(
        self,
        entry: SipUaConfigEntry,
        data: Mapping[str, Any],
        *,
        unique_id: str | None = None,
        title: str | None = None,
    ) -> ConfigFlowResult:
        """Keep changed settings; they apply when the last call has ended, never by cutting it."""
        unique_id, title = unique_id or entry.unique_id, title or entry.title
        if entry.state is ConfigEntryState.LOADED and entry.runtime_data.async_reload_when_idle():
            return self.async_update_and_abort(entry, unique_id=unique_id, title=title, data=data)
        return self.async_update_reload_and_abort(entry, unique_id=unique_id, title=title, data=data)


def _with_free_port(data: Mapping[str, Any], entry: ConfigEntry | None) -> Mapping[str, Any]:
    """Return the settings with any local port where the entry's own phone holds the wanted one."""
    settings = data[SECTION_NETWORK]
    if (
        entry is None
        or entry.state is not ConfigEntryState.LOADED
        or settings[CONF_LOCAL_PORT] != entry.data[SECTION_NETWORK][CONF_LOCAL_PORT]
    ):
        return data
    return {**data, SECTION_NETWORK: {**settings, CONF_LOCAL_PORT: 0}}


def _placeholders(data: Mapping[str, Any], result: RegistrationChanged | None = None) -> dict[str, str]:
    """Return what the error texts name."""
    return {
        "identity": identity_of(data),
        "number": str(data[CONF_NUMBER]),
        "server": str(data[CONF_SERVER]),
        "local_port": str(data[SECTION_NETWORK][CONF_LOCAL_PORT]),
        "answer": answer_of(result) if result else NOTHING,
        "place": tried_at(result) if result else NOTHING,
        **(certificate_words(result) if result else {}),
    }
