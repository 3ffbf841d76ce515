"""Menus as people write them: what is said, what may be chosen, what is done then, and where it goes on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.helpers import config_validation as cv

from .action_calls import SOUND_FIELDS, SPEECH_FIELDS
from .action_errors import validation_error
from .const import (
    ATTR_ACTIONS,
    ATTR_CHOICES,
    ATTR_CHOICES_ARE_PIN,
    ATTR_DIGIT_TIMEOUT,
    ATTR_ID,
    ATTR_INTERRUPT,
    ATTR_INVALID,
    ATTR_JUMP_TO,
    ATTR_LEVELS,
    ATTR_MEDIA,
    ATTR_MENU,
    ATTR_MESSAGE,
    ATTR_NO_CHOICE,
    ATTR_REPEAT,
    ATTR_TERMINATOR,
    ATTR_THEN,
    ATTR_TIMEOUT,
    DTMF_KEYS,
    LAST_DIGIT,
)
from .dtmf_input import DEFAULT_DIGIT_TIMEOUT, DEFAULT_TIMEOUT, SECONDS, TERMINATOR

CHOICE: Final = rf"^[{DTMF_KEYS}]{{1,16}}$"
MAX_CHOICES: Final = 50
MAX_DEPTH: Final = 8
MAX_MENUS: Final = 100
MAX_REPEAT: Final = 20
DEFAULT_REPEAT: Final = 2
PIN_SHOWN: Final = "pin"
RENDERED: Final = (ATTR_MESSAGE, ATTR_MEDIA)
"""What may hold a template in a saved menu."""


class Then(StrEnum):
    """What follows a menu in which nothing was chosen, or nothing can be."""

    END = "end"
    HANGUP = "hangup"
    RETURN = "return"
    JUMP = "jump"


class MenuFault(StrEnum):
    """What is wrong with a menu. `NOT_TAKEN`: Home Assistant says so, of an action or a template."""

    FIELD_UNKNOWN = "field_unknown"
    FIELD_MISSING = "field_missing"
    VALUE_WRONG = "value_wrong"
    NO_EFFECT = "no_effect"
    CHOICE_TWICE = "choice_twice"
    PIN_WITHOUT_QUOTES = "pin_without_quotes"
    TOO_LARGE = "too_large"
    NOT_TAKEN = "not_taken"


class MenuInvalid(vol.Invalid):
    """A rule of menus that one does not keep; `path` leads there from the menu that is checked."""

    def __init__(self, fault: MenuFault, text: str, *path: str) -> None:
        """Keep the kind of fault beside the text."""
        super().__init__(text, list(path))
        self.fault = fault


def _menu(value: Any) -> dict[str, Any]:
    """Check one menu, and with it those in it."""
    checked: dict[str, Any] = _MENU_SCHEMA(value)
    return checked


def _sensible(menu: dict[str, Any]) -> dict[str, Any]:
    """Refuse what would have no effect, or no end."""
    if ATTR_CHOICES not in menu:
        idle = {ATTR_CHOICES_ARE_PIN, ATTR_INVALID, ATTR_NO_CHOICE, ATTR_TERMINATOR} & menu.keys()
        if idle:
            text = f"without choices this has no effect: {', '.join(sorted(idle))}"
            raise MenuInvalid(MenuFault.NO_EFFECT, text, min(idle))
    then = menu.get(ATTR_THEN)
    if (then is Then.JUMP) != (ATTR_JUMP_TO in menu):
        fault = MenuFault.NO_EFFECT if ATTR_JUMP_TO in menu else MenuFault.FIELD_MISSING
        text = f"{ATTR_JUMP_TO} names the menu for {ATTR_THEN}: jump, and is needed there only"
        raise MenuInvalid(fault, text, ATTR_JUMP_TO)
    if ATTR_LEVELS in menu and then is not Then.RETURN:
        raise MenuInvalid(MenuFault.NO_EFFECT, f"{ATTR_LEVELS} is for {ATTR_THEN}: return only", ATTR_LEVELS)
    if (speech := SPEECH_FIELDS & menu.keys()) and ATTR_MEDIA in menu:
        text = "media is not spoken, so no speech engine has an effect"
        raise MenuInvalid(MenuFault.NO_EFFECT, text, min(speech))
    return menu


def _distinct(choices: Any) -> Any:
    """Refuse two choices of the same digits: YAML tells 1 from "1", a telephone does not."""
    if isinstance(choices, dict) and len({str(digits) for digits in choices}) < len(choices):
        text = "two choices have the same digits, once in quotes and once without"
        raise MenuInvalid(MenuFault.CHOICE_TWICE, text)
    return choices


def _quoted(menu: Any) -> Any:
    """Refuse a PIN that came as a figure: YAML reads 0471 without quotes as 313."""
    if not isinstance(menu, dict) or not isinstance(choices := menu.get(ATTR_CHOICES), dict):
        return menu
    if any(type(digits) is int and digits > LAST_DIGIT for digits in choices) and _is_true(
        menu.get(ATTR_CHOICES_ARE_PIN, False)
    ):
        raise MenuInvalid(MenuFault.PIN_WITHOUT_QUOTES, "a PIN of several digits stands in quotes", ATTR_CHOICES)
    return menu


def _is_true(value: Any) -> bool:
    """Return whether a value switches something on; what is none of the two is told by the schema."""
    try:
        return bool(cv.boolean(value))
    except vol.Invalid:
        return False


MENU_FIELDS = vol.Schema(
    {
        **SOUND_FIELDS,
        vol.Optional(ATTR_ID): vol.All(cv.string, vol.Length(min=1, max=64)),
        vol.Optional(ATTR_ACTIONS): cv.SCRIPT_SCHEMA,
        vol.Optional(ATTR_CHOICES): vol.All(
            _distinct, {vol.All(cv.string, vol.Match(CHOICE)): _menu}, vol.Length(min=1, max=MAX_CHOICES)
        ),
        vol.Optional(ATTR_CHOICES_ARE_PIN): cv.boolean,
        vol.Optional(ATTR_INVALID): _menu,
        vol.Optional(ATTR_NO_CHOICE): _menu,
        vol.Optional(ATTR_TERMINATOR): TERMINATOR,
        vol.Optional(ATTR_TIMEOUT, default=DEFAULT_TIMEOUT): SECONDS,
        vol.Optional(ATTR_DIGIT_TIMEOUT, default=DEFAULT_DIGIT_TIMEOUT): SECONDS,
        vol.Optional(ATTR_INTERRUPT, default=True): cv.boolean,
        vol.Optional(ATTR_REPEAT): vol.All(vol.Coerce(int), vol.Range(min=0, max=MAX_REPEAT)),
        vol.Optional(ATTR_THEN): vol.Coerce(Then),
        vol.Optional(ATTR_LEVELS): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_DEPTH)),
        vol.Optional(ATTR_JUMP_TO): cv.string,
    }
)
_MENU_SCHEMA = vol.All(_quoted, MENU_FIELDS, _sensible)


def _children(menu: Any) -> Iterator[Any]:
    """Yield the menus in a menu that nobody has checked yet."""
    if isinstance(menu, dict):
        if isinstance(choices := menu.get(ATTR_CHOICES), dict):
            yield from choices.values()
        yield from (menu[key] for key in (ATTR_INVALID, ATTR_NO_CHOICE) if key in menu)


def menu_schema(value: Any) -> dict[str, Any]:
    """Check a menu with all that are in it; raises vol.Invalid."""
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        count += len(level)
        level = [child for menu in level for child in _children(menu)]
    if level or count > MAX_MENUS:
        raise MenuInvalid(MenuFault.TOO_LARGE, f"at most {MAX_MENUS} menus, in at most {MAX_DEPTH} levels")
    return _menu(value)


@dataclass(frozen=True, slots=True, eq=False)
class Menu:
    """One menu as it is run; `name` stands for it in answers and logs, and never is a PIN.

    `invalid` and `no_choice` are visited after a wrong choice and after none. `repeat` is how often it is said again.
    """

    name: str
    id: str | None
    sound: Mapping[str, Any]
    actions: list[dict[str, Any]]
    choices: Mapping[str, Menu]
    is_pin: bool
    invalid: Menu | None
    no_choice: Menu | None
    terminator: str
    timeout: float
    digit_timeout: float
    interrupt: bool
    repeat: int
    then: Then
    levels: int
    jump_to: str | None

    @override
    def __repr__(self) -> str:
        return f"Menu({self.name!r})"

    def is_complete(self, digits: str) -> bool:
        """Return whether more digits could not lead to another choice; a PIN is not told to be wrong before its end."""
        if self.is_pin:
            return len(digits) >= max(map(len, self.choices))
        return not any(choice.startswith(digits) and choice != digits for choice in self.choices)


def build_menu(
    data: Mapping[str, Any],
    name: str = ATTR_MENU,
    speech: Mapping[str, Any] | None = None,
    *,
    then: Then = Then.END,
) -> Menu:
    """Return the menu of checked data; those in it speak as it does where they do not say otherwise."""
    speech = {**(speech or {}), **{key: data[key] for key in SPEECH_FIELDS & data.keys()}}
    sound: dict[str, Any] = {}
    if ATTR_MESSAGE in data:
        sound = {ATTR_MESSAGE: data[ATTR_MESSAGE], **speech}
    elif ATTR_MEDIA in data:
        sound = {ATTR_MEDIA: data[ATTR_MEDIA]}
    is_pin = data.get(ATTR_CHOICES_ARE_PIN, False)
    choices = {
        digits: build_menu(chosen, PIN_SHOWN if is_pin else digits, speech)
        for digits, chosen in data.get(ATTR_CHOICES, {}).items()
    }
    return Menu(
        name=data.get(ATTR_ID, name),
        id=data.get(ATTR_ID),
        sound=sound,
        actions=data.get(ATTR_ACTIONS, []),
        choices=choices,
        is_pin=is_pin,
        invalid=_build_answer(data, ATTR_INVALID, speech),
        no_choice=_build_answer(data, ATTR_NO_CHOICE, speech),
        terminator=data.get(ATTR_TERMINATOR, "" if any("#" in digits for digits in choices) else "#"),
        timeout=data[ATTR_TIMEOUT],
        digit_timeout=data[ATTR_DIGIT_TIMEOUT],
        interrupt=data[ATTR_INTERRUPT],
        repeat=data.get(ATTR_REPEAT, DEFAULT_REPEAT if choices else 0),
        then=data.get(ATTR_THEN, then),
        levels=data.get(ATTR_LEVELS, 1),
        jump_to=data.get(ATTR_JUMP_TO),
    )


def _build_answer(data: Mapping[str, Any], key: str, speech: Mapping[str, Any]) -> Menu | None:
    """Return what is visited after a wrong choice or none; unless it says otherwise, it leads back."""
    return build_menu(data[key], key, speech, then=Then.RETURN) if key in data else None


def ways_to(menu: Menu, above: tuple[Menu, ...] = ()) -> Iterator[tuple[Menu, ...]]:
    """Yield the way from the first menu to each one in it, itself first."""
    way = (*above, menu)
    yield way
    for child in (*menu.choices.values(), menu.invalid, menu.no_choice):
        if child is not None:
            yield from ways_to(child, way)


def jumps_of(root: Menu) -> dict[str, tuple[Menu, ...]]:
    """Return the way to each menu that has an id; raises a translated error for ids and jumps that are not clear."""
    ways: dict[str, tuple[Menu, ...]] = {}
    wanted: set[str] = set()
    for way in ways_to(root):
        menu = way[-1]
        if menu.id is not None:
            if menu.id in ways:
                raise validation_error("menu_twice", menu=menu.id)
            ways[menu.id] = way
        if menu.jump_to is not None:
            wanted.add(menu.jump_to)
    if unknown := wanted - ways.keys():
        raise validation_error("menu_unknown", menu=min(unknown))
    return ways
