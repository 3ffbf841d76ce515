"""Menus that are saved by name with an account, and used by its actions and those of the others."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.template import Template

from .action_calls import MESSAGE_LENGTH_MAX
from .action_errors import validation_error
from .const import ATTR_MENU, DOMAIN, SUBENTRY_MENU
from .contacts import fold
from .menu_mistakes import mistake_of, path_of
from .menu_model import RENDERED, Menu, build_menu, menu_schema

MENU_NAME_LENGTH_MAX: Final = 64
MAX_SAVED_MENUS: Final = 50


def saved_menus(entry: ConfigEntry) -> tuple[ConfigSubentry, ...]:
    """Return the menus that are saved with an account."""
    return tuple(saved for saved in entry.subentries.values() if saved.subentry_type == SUBENTRY_MENU)


def menu_names(hass: HomeAssistant, entry: ConfigEntry) -> list[str]:
    """Return the names of the menus that `find_menu` finds, those of this account first."""
    return list(dict.fromkeys(menu.title for menu in _known_menus(hass, entry)))


def _known_menus(hass: HomeAssistant, entry: ConfigEntry) -> list[ConfigSubentry]:
    others = (other for other in hass.config_entries.async_entries(DOMAIN) if other is not entry)
    return [menu for account in (entry, *others) for menu in saved_menus(account)]


def menu_or_name(value: Any) -> str | dict[str, Any]:
    """Take a menu, or the name of a saved one; raises a translated error for a mistake in a menu, else vol.Invalid."""
    if isinstance(value, str):
        name: str = vol.All(cv.string, vol.Length(min=1, max=MENU_NAME_LENGTH_MAX))(value)
        return name
    try:
        return menu_schema(value)
    except vol.Invalid as error:
        mistake = mistake_of(error, value)
        raise validation_error(mistake.key, **mistake.placeholders) from error


def find_menu(hass: HomeAssistant, entry: ConfigEntry, name: str) -> Menu:
    """Return a saved menu: the one of this account, else one of another; raises a translated error."""
    saved = _known_menus(hass, entry)
    found = next((menu for menu in saved if fold(menu.title) == fold(name)), None)
    if found is None:
        raise validation_error("menu_not_saved", menu=name, menus=_listed(menu.title for menu in saved))
    try:
        return build_menu(menu_schema(found.data[ATTR_MENU]))
    except vol.Invalid as error:
        path = path_of(error, found.data[ATTR_MENU])
        raise validation_error("menu_invalid", menu=found.title, path=path) from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "-"


def rendered_sound(hass: HomeAssistant, menu: Menu, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a saved menu says: its templates know what its actions know. Nothing is said where nothing is left.

    What a call tells of its other side is put in as it is, and never taken for a template itself.
    """
    texts: dict[str, str] = {}
    for key in RENDERED & menu.sound.keys():
        try:
            text = Template(menu.sound[key], hass).async_render(known, parse_result=False)
        except HomeAssistantError as error:
            raise validation_error("menu_template_failed", menu=menu.name, field=key, error=str(error)) from error
        if not (text := text.strip()[:MESSAGE_LENGTH_MAX]):
            return MappingProxyType({})
        texts[key] = text
    return {**menu.sound, **texts}
