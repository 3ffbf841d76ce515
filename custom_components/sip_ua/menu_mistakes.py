"""What is wrong with a menu and where in it, in words for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.script import async_validate_actions_config
from homeassistant.helpers.template import Template

from .const import ATTR_ACTIONS, ATTR_CHOICES, ATTR_CHOICES_ARE_PIN, ATTR_INVALID, ATTR_MENU, ATTR_NO_CHOICE
from .menu_model import (
    MAX_DEPTH,
    MAX_MENUS,
    MENU_FIELDS,
    PIN_SHOWN,
    RENDERED,
    Menu,
    MenuFault,
    MenuInvalid,
    build_menu,
    jumps_of,
    menu_schema,
    ways_to,
)

MENU_FAULT_KEYS: Final[Mapping[MenuFault, str]] = {fault: f"menu_{fault.value}" for fault in MenuFault}
"""The error texts of a menu, as actions and the form show them; so are those of ids and jumps."""

STEP: Final = " → "
_FIELDS: Final = frozenset(map(str, MENU_FIELDS.schema))


@dataclass(frozen=True, slots=True)
class MenuMistake:
    """The key of an error text, and what it names."""

    key: str
    placeholders: Mapping[str, str] = field(default_factory=dict)


async def find_mistake(hass: HomeAssistant, value: Any) -> MenuMistake | None:
    """Check a menu that is to be saved, with jumps, actions and templates, and return the first mistake in it."""
    try:
        menu = build_menu(menu_schema(value))
        jumps_of(menu)
        for way in ways_to(menu):
            await _check_part(hass, way)
    except vol.Invalid as error:
        return mistake_of(error, value)
    except ServiceValidationError as error:
        return MenuMistake(error.translation_key or "", error.translation_placeholders or {})
    return None


async def _check_part(hass: HomeAssistant, way: tuple[Menu, ...]) -> None:
    """Check what one menu says and does; raises MenuInvalid."""
    place, menu = _steps(way), way[-1]
    for key in RENDERED & menu.sound.keys():
        try:
            Template(menu.sound[key], hass).ensure_valid()
        except HomeAssistantError as error:
            raise MenuInvalid(MenuFault.NOT_TAKEN, str(error), *place, key) from error
    try:
        await async_validate_actions_config(hass, menu.actions)
    except (vol.Invalid, HomeAssistantError) as error:
        raise MenuInvalid(MenuFault.NOT_TAKEN, str(error), *place, ATTR_ACTIONS) from error


def _steps(way: tuple[Menu, ...]) -> list[str]:
    """Return the fields that lead to the last menu of a way."""
    steps: list[str] = []
    for above, menu in pairwise(way):
        digits = next((digits for digits, choice in above.choices.items() if choice is menu), None)
        if digits is not None:
            steps += (ATTR_CHOICES, digits)
        else:
            steps.append(ATTR_INVALID if menu is above.invalid else ATTR_NO_CHOICE)
    return steps


def mistake_of(error: vol.Invalid, value: Any) -> MenuMistake:
    """Return what is wrong with a menu where a check failed."""
    first = error.errors[0] if isinstance(error, vol.MultipleInvalid) else error
    fault = _fault_of(first)
    told = {"path": path_of(first, value)}
    if fault is MenuFault.TOO_LARGE:
        told = {"menus": str(MAX_MENUS), "levels": str(MAX_DEPTH)}
    elif fault is MenuFault.NOT_TAKEN:
        told["error"] = first.msg
    return MenuMistake(MENU_FAULT_KEYS[fault], told)


def _fault_of(error: vol.Invalid) -> MenuFault:
    if isinstance(error, MenuInvalid):
        return error.fault
    if ATTR_ACTIONS in map(str, error.path):
        return MenuFault.NOT_TAKEN
    return MenuFault.FIELD_UNKNOWN if _is_unknown([str(step) for step in error.path]) else MenuFault.VALUE_WRONG


def _is_unknown(path: Sequence[str]) -> bool:
    """Return whether a path ends at a field that no menu has, whatever words the schema has for that."""
    return bool(path) and path[-1] not in _FIELDS and path[-2:-1] != [ATTR_CHOICES]


def path_of(error: vol.Invalid, value: Any) -> str:
    """Return where in a menu an error is, for people; a PIN is not shown."""
    first = error.errors[0] if isinstance(error, vol.MultipleInvalid) else error
    return STEP.join(_shown(first.path, value)) or ATTR_MENU


def _shown(path: Sequence[Any], value: Any) -> list[str]:
    shown: list[str] = []
    hidden = False
    for step in map(str, path):
        shown.append(PIN_SHOWN if hidden else step)
        hidden = False
        if isinstance(value, dict):
            hidden = step == ATTR_CHOICES and bool(value.get(ATTR_CHOICES_ARE_PIN))
            value = next((inner for key, inner in value.items() if str(key) == step), None)
    return shown
