"""What a click in Repairs mends: another port, a pinned certificate, a STUN server, voice without encryption."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import voluptuous as vol
from homeassistant.components.repairs import RepairsFlow
from homeassistant.components.repairs.models import RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant

from .const import (
    CONF_CERTIFICATE_AUTHORITY,
    CONF_CERTIFICATE_CHECK,
    CONF_CERTIFICATE_FINGERPRINT,
    CONF_LOCAL_PORT,
    CONF_NAT,
    CONF_SRTP,
    CONF_STUN_SERVER,
    DOMAIN,
    SECTION_NETWORK,
    SECTION_SECURITY,
)
from .form import TEXT
from .issues import CERTIFICATE_NOT_TRUSTED, LOCAL_PORT_IN_USE, ONE_WAY_AUDIO, SRTP_REFUSED
from .local_port import choose_port, needs_fixed_port
from .settings import normalize
from .sip.account import CertificateCheck, NatMode, Srtp
from .validation import find_mistakes

type Remedy = Callable[[Mapping[str, Any], Mapping[str, Any]], tuple[str, dict[str, Any]]]
"""Returns the section that is mended and its values, from what the issue knows and what was typed."""

STEP: Final = "confirm"
STEP_FIXED_PORT: Final = "fixed_port"

REMEDIES: Final[Mapping[str, Remedy]] = {
    CERTIFICATE_NOT_TRUSTED: lambda issue, _typed: (
        SECTION_SECURITY,
        {
            CONF_CERTIFICATE_CHECK: CertificateCheck.FINGERPRINT.value,
            CONF_CERTIFICATE_FINGERPRINT: issue["fingerprint"],
            CONF_CERTIFICATE_AUTHORITY: "",
        },
    ),
    LOCAL_PORT_IN_USE: lambda issue, _typed: (SECTION_NETWORK, {CONF_LOCAL_PORT: issue.get("free_port", 0)}),
    ONE_WAY_AUDIO: lambda _issue, typed: (
        SECTION_NETWORK,
        {CONF_NAT: NatMode.STUN.value, CONF_STUN_SERVER: typed[CONF_STUN_SERVER]},
    ),
    SRTP_REFUSED: lambda _issue, _typed: (SECTION_SECURITY, {CONF_SRTP: Srtp.OPTIONAL.value}),
}

STUN_SCHEMA: Final = vol.Schema({vol.Required(CONF_STUN_SERVER): TEXT})
_CONFIRM: Final = vol.Schema({})


async def async_create_fix_flow(
    _hass: HomeAssistant, _issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Return the flow that mends an issue."""
    return AccountRepairFlow(data or {})


class AccountRepairFlow(RepairsFlow):
    """Asks once more, changes the account and takes it up again when its last call has ended."""

    def __init__(self, issue: Mapping[str, Any]) -> None:
        """Take what the issue knows."""
        self._known = issue

    async def async_step_init(self, _user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Ask at once; an account that others have to find gets another port, at which it stays."""
        entry = self._entry
        if entry is not None and self._known.get("kind") == LOCAL_PORT_IN_USE and needs_fixed_port(entry):
            free_port = choose_port(entry, self.hass.config_entries.async_entries(DOMAIN))
            self._known = {**self._known, "free_port": free_port}
            return await self.async_step_fixed_port()
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say what will be changed, and change it."""
        return self._mend(STEP, user_input)

    async def async_step_fixed_port(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Say which port the account will have, and give it that."""
        return self._mend(STEP_FIXED_PORT, user_input)

    @property
    def _entry(self) -> ConfigEntry | None:
        return self.hass.config_entries.async_get_entry(str(self._known.get("entry_id")))

    def _mend(self, step_id: str, user_input: dict[str, str] | None) -> RepairsFlowResult:
        kind = str(self._known.get("kind"))
        entry = self._entry
        if entry is None or kind not in REMEDIES:
            return self.async_abort(reason="account_gone")
        errors: dict[str, str] = {}
        if user_input is not None:
            section, values = REMEDIES[kind](self._known, user_input)
            changed = normalize({**entry.data, section: {**entry.data[section], **values}})
            if not (errors := _mistakes(changed)):
                self._keep(entry, changed)
                return self.async_create_entry(data={})
        schema = STUN_SCHEMA if kind == ONE_WAY_AUDIO else _CONFIRM
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, user_input or {}),
            errors=errors,
            description_placeholders={
                "account": entry.title,
                **{key: str(value) for key, value in self._known.items() if key not in {"entry_id", "kind"}},
            },
        )

    def _keep(self, entry: ConfigEntry, data: Mapping[str, Any]) -> None:
        """Keep changed settings; they apply when the last call has ended."""
        self.hass.config_entries.async_update_entry(entry, data=dict(data))
        if entry.state is ConfigEntryState.LOADED and entry.runtime_data.async_reload_when_idle():
            return
        self.hass.config_entries.async_schedule_reload(entry.entry_id)


def _mistakes(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with what was typed; what was wrong before is not this flow's matter."""
    broken = {mistake.key for mistake in find_mistakes(data, {})}
    found = next((key for key in ("stun_server_required", "stun_server_invalid") if key in broken), None)
    return {CONF_STUN_SERVER: found} if found else {}
