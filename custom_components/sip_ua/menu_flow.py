"""The form of a saved menu: its name, and the menu as actions take it."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.selector import ObjectSelector

from .const import ATTR_MENU
from .contacts import fold
from .form import TEXT
from .menu_book import MAX_SAVED_MENUS, MENU_NAME_LENGTH_MAX, check_menu, saved_menus

MENU_FORM = vol.Schema({vol.Required(CONF_NAME): TEXT, vol.Required(ATTR_MENU): ObjectSelector()})


class MenuFlow(ConfigSubentryFlow):
    """Save a menu, or change one."""

    _error = ""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Take a new menu."""
        if len(saved_menus(self._get_entry())) >= MAX_SAVED_MENUS:
            return self.async_abort(reason="too_many_menus")
        errors: dict[str, str] = {}
        if user_input is not None:
            name, data = _normalize(user_input)
            if not (errors := await self._mistakes(name, data)):
                return self.async_create_entry(title=name, data=data, unique_id=_unique_id(name))
        return self._show("user", user_input, errors)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change a menu; the next action that uses it has the new one."""
        subentry = self._get_reconfigure_subentry()
        shown: Mapping[str, Any] = {**subentry.data, CONF_NAME: subentry.title}
        errors: dict[str, str] = {}
        if user_input is not None:
            shown = user_input
            name, data = _normalize(user_input)
            if not (errors := await self._mistakes(name, data, besides=subentry.subentry_id)):
                return self.async_update_and_abort(
                    self._get_entry(), subentry, title=name, data=data, unique_id=_unique_id(name)
                )
        return self._show("reconfigure", shown, errors)

    async def _mistakes(self, name: str, data: Mapping[str, Any], besides: str | None = None) -> dict[str, str]:
        """Return what is wrong with a menu."""
        if not name or len(name) > MENU_NAME_LENGTH_MAX or not name.isprintable():
            return {CONF_NAME: "menu_name_invalid"}
        others = (other for other in saved_menus(self._get_entry()) if other.subentry_id != besides)
        if fold(name) in {fold(other.title) for other in others}:
            return {CONF_NAME: "menu_name_known"}
        try:
            await check_menu(self.hass, data[ATTR_MENU])
        except (vol.Invalid, HomeAssistantError) as error:
            self._error = str(error)
            return {ATTR_MENU: "menu_invalid"}
        return {}

    def _show(self, step: str, shown: Mapping[str, Any] | None, errors: dict[str, str]) -> SubentryFlowResult:
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(MENU_FORM, shown),
            errors=errors,
            description_placeholders={"error": self._error},
        )


def _normalize(user_input: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and what is stored: the menu as it was typed, for it is to be changed again."""
    return " ".join(user_input[CONF_NAME].split()), {ATTR_MENU: user_input[ATTR_MENU]}


def _unique_id(name: str) -> str:
    """Return what tells a menu from every other one, from contacts and from watched lines."""
    return f"menu {fold(name)}"
