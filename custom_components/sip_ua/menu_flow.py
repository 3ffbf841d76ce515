"""The form of a saved menu: its name, and the menu as actions take it."""

from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import ObjectSelector

from .const import ATTR_MENU
from .contacts import fold
from .form import TEXT
from .menu_book import MAX_SAVED_MENUS, MENU_NAME_LENGTH_MAX, saved_menus
from .menu_mistakes import find_mistake
from .subentry_flow import Listed, ListingFlow

MENU_FORM = vol.Schema({vol.Required(CONF_NAME): TEXT, vol.Required(ATTR_MENU): ObjectSelector()})


class MenuFlow(ListingFlow):
    """Save a menu, or change one; the next action that uses it has the new one."""

    schema = MENU_FORM

    @override
    def full(self) -> str | None:
        """Return why no more menus are saved."""
        return "too_many_menus" if len(saved_menus(self._get_entry())) >= MAX_SAVED_MENUS else None

    @override
    def listed(self, typed: Mapping[str, Any]) -> Listed:
        """Return the menu as it was typed, for it is to be changed again."""
        name = " ".join(typed[CONF_NAME].split())
        return Listed(name, {ATTR_MENU: typed[ATTR_MENU]}, _unique_id(name))

    @override
    async def mistakes(self, listed: Listed, besides: str | None) -> dict[str, str]:
        """Return what is wrong with a menu."""
        name = listed.title
        if not name or len(name) > MENU_NAME_LENGTH_MAX or not name.isprintable():
            return {CONF_NAME: "menu_name_invalid"}
        others = (other for other in saved_menus(self._get_entry()) if other.subentry_id != besides)
        if fold(name) in {fold(other.title) for other in others}:
            return {CONF_NAME: "menu_name_known"}
        if (mistake := await find_mistake(self.hass, listed.data[ATTR_MENU])) is None:
            return {}
        self.placeholders = dict(mistake.placeholders)
        return {ATTR_MENU: mistake.key}


def _unique_id(name: str) -> str:
    """Return what tells a menu from every other one, from contacts and from watched lines."""
    return f"menu {fold(name)}"
