"""Watched lines: each is typed as a name and a number or SIP address."""

from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_NAME

from .const import CONF_NUMBER
from .form import TEXT
from .net.phone import check_target
from .settings import account_of, plain_target
from .sip.errors import LocalProtocolError

NAME_LENGTH_MAX = 64
LINE_SCHEMA = vol.Schema({vol.Required(CONF_NUMBER): TEXT, vol.Optional(CONF_NAME): TEXT})


class LineFlow(ConfigSubentryFlow):
    """Add a line to watch, or change one."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Take a new line."""
        errors: dict[str, str] = {}
        if user_input is not None:
            title, number = _normalize(user_input)
            if not (errors := self._mistakes(title, number)):
                return self.async_create_entry(title=title, data={CONF_NUMBER: number}, unique_id=number)
        return self._show("user", user_input, errors)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change name or number of a line."""
        subentry = self._get_reconfigure_subentry()
        shown: dict[str, Any] = {CONF_NUMBER: subentry.data[CONF_NUMBER], CONF_NAME: subentry.title}
        errors: dict[str, str] = {}
        if user_input is not None:
            shown = user_input
            title, number = _normalize(user_input)
            if not (errors := self._mistakes(title, number, besides=subentry.subentry_id)):
                return self.async_update_and_abort(
                    self._get_entry(), subentry, title=title, data={CONF_NUMBER: number}, unique_id=number
                )
        return self._show("reconfigure", shown, errors)

    def _mistakes(self, title: str, number: str, besides: str | None = None) -> dict[str, str]:
        """Return what is wrong with a line."""
        entry = self._get_entry()
        others = {other.unique_id for other in entry.subentries.values() if other.subentry_id != besides}
        if number in others:
            return {CONF_NUMBER: "line_known"}
        try:
            check_target(account_of(entry.data), number)
        except LocalProtocolError:
            return {CONF_NUMBER: "line_invalid"}
        return {CONF_NAME: "line_name_too_long"} if len(title) > NAME_LENGTH_MAX else {}

    def _show(self, step: str, shown: dict[str, Any] | None, errors: dict[str, str]) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=step, data_schema=self.add_suggested_values_to_schema(LINE_SCHEMA, shown), errors=errors
        )


def _normalize(user_input: dict[str, Any]) -> tuple[str, str]:
    """Return name and number; without a name the number stands for it."""
    number = plain_target(user_input[CONF_NUMBER])
    return user_input.get(CONF_NAME, "").strip() or number, number
