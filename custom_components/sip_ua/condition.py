"""Conditions: whether an account is registered, whether a call goes on, whether nothing rings."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Unpack, cast, override

import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS, CONF_STATE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType

from .action_targets import every_coordinator
from .call_filter import ACCOUNT_FIELDS, CALL_FIELDS, CALL_IDENTITIES, CallFilter
from .call_view import call_data
from .coordinator import SipUaCoordinator
from .sip.events import CallState

CALL_STATES = tuple(state for state in CallState if state is not CallState.ENDED)


class SipUaCondition(Condition):
    """Something that one account of those chosen fulfils."""

    fields: ClassVar[dict[vol.Marker, Any]] = ACCOUNT_FIELDS

    @override
    @classmethod
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check what the person chose."""
        return cast("ConfigType", vol.Schema({vol.Optional(CONF_OPTIONS, default=dict): cls.fields})(config))

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Take the choice."""
        super().__init__(hass, config)
        self.options: Mapping[str, Any] = config.options or {}

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        """Return whether the chosen account fulfils it, or any where none was chosen."""
        wanted = self.options.get(ATTR_CONFIG_ENTRY_ID)
        return any(
            self.holds(account)
            for account in every_coordinator(self._hass)
            if wanted in {None, account.config_entry.entry_id}
        )

    @abstractmethod
    def holds(self, account: SipUaCoordinator) -> bool:
        """Return whether an account fulfils it."""


class Registered(SipUaCondition):
    """An account can be called: it is registered, or needs no registration."""

    @override
    def holds(self, account: SipUaCoordinator) -> bool:
        """Return whether the account can be called."""
        return account.reachable


class CallActive(SipUaCondition):
    """There is a call of those chosen, in one of the chosen states."""

    fields = CALL_FIELDS | {
        vol.Optional(CONF_STATE, default=list): vol.All(cv.ensure_list, [vol.All(cv.string, vol.In(CALL_STATES))])
    }

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Take the choice."""
        super().__init__(hass, config)
        self._calls = CallFilter(hass, self.options, CALL_IDENTITIES)

    @override
    def holds(self, account: SipUaCoordinator) -> bool:
        """Return whether the account has such a call."""
        states = self.options[CONF_STATE]
        entry_id = account.config_entry.entry_id
        return any(
            (not states or call.state in states) and self._calls.fits(entry_id, call_data(call))
            for call in account.calls.values()
        )


class DoNotDisturb(SipUaCondition):
    """Nothing rings, since the owner does not want to be disturbed."""

    @override
    def holds(self, account: SipUaCoordinator) -> bool:
        """Return whether the switch of the account is on."""
        return account.reception.do_not_disturb


CONDITIONS: dict[str, type[Condition]] = {
    "registered": Registered,
    "call_active": CallActive,
    "do_not_disturb": DoNotDisturb,
}


async def async_get_conditions(_hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions of this integration."""
    return CONDITIONS
