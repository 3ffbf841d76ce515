"""A menu that the other side of a call chooses from by its keys."""

import contextlib
import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import Context, ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.script import Script, async_validate_actions_config

from .action_calls import CALL_FIELDS, do_work, find_call, optional_sound, response_of
from .action_errors import fault_key, translated_errors, validation_error
from .call_book import CallBook
from .call_view import call_data, is_audible
from .const import ATTR_MENU, ATTR_RESULT, DOMAIN
from .coordinator import SipUaCoordinator
from .dtmf_input import InputResult, InputRules, collect_digits
from .keypad import Keys
from .menu_book import find_menu, menu_or_name, rendered_sound
from .menu_model import Menu, Then, build_menu, jumps_of, ways_to
from .net.audio import AudioSource
from .sip.errors import LocalProtocolError

_LOGGER = logging.getLogger(__name__)

MAX_STEPS: Final = 500
"""Menus that one action enters at most: a jump may lead in a circle."""

MENU_SCHEMA = vol.Schema({**CALL_FIELDS, vol.Required(ATTR_MENU): menu_or_name})


class MenuResult(StrEnum):
    """How a menu ended. `NO_CHOICE`: nothing was chosen as often as it was asked for."""

    COMPLETED = "completed"
    NO_CHOICE = "no_choice"
    HUNG_UP = "hung_up"
    CALL_ENDED = "call_ended"
    TOO_LONG = "too_long"


@dataclass(slots=True)
class Visit:
    """A menu on the way to the present one, and how often it may still be said again."""

    menu: Menu
    entered: bool = False
    repeats_left: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with every repetition ahead."""
        self.repeats_left = self.menu.repeat


class MenuRun:
    """Leads the other side of one call through a menu; `path` names the menus that it entered."""

    def __init__(
        self, context: Context, coordinator: SipUaCoordinator, call_id: str, root: Menu, *, renders: bool
    ) -> None:
        """Begin at `root`; raises a translated error for a jump that leads nowhere.

        With `renders` what is said may hold templates. Whoever gives a menu in an action has had them rendered.
        """
        self.path: list[str] = []
        self._context = context
        self._hass = coordinator.hass
        self._coordinator = coordinator
        self._call_id = call_id
        self._root = root
        self._renders = renders
        self._ways = jumps_of(root)
        self._scripts: dict[Menu, Script] = {}
        self._visits = [Visit(root)]

    async def run(self) -> MenuResult:
        """Ask, do what was chosen, and return how it ended."""
        try:
            with self._coordinator.keys.listen(self._call_id) as keys:
                await self._prepare_actions()
                return await self._walk(keys)
        finally:
            for script in self._scripts.values():
                await script.async_unload()

    async def _prepare_actions(self) -> None:
        """Check what menus do before anything is said."""
        hass = self._hass
        for way in ways_to(self._root):
            if (menu := way[-1]).actions:
                actions = await async_validate_actions_config(hass, menu.actions)
                self._scripts[menu] = Script(hass, actions, menu.name, DOMAIN, logger=_LOGGER)

    async def _walk(self, keys: Keys) -> MenuResult:
        result: MenuResult | None = None
        for _ in range(MAX_STEPS):
            if result is not None:
                return result
            if self._call_id not in self._coordinator.calls:
                return MenuResult.CALL_ENDED
            visit = self._visits[-1]
            if not visit.entered:
                visit.entered = True
                self.path.append(visit.menu.name)
                await self._act(visit.menu)
            result = await (self._ask(visit, keys) if visit.menu.choices else self._say(visit))
        return MenuResult.TOO_LONG

    async def _act(self, menu: Menu) -> None:
        """Do what a menu does; a call that ends meanwhile lets it go on, for the door is to open all the same."""
        if (script := self._scripts.get(menu)) is None:
            return
        try:
            await script.async_run(self._known(menu), self._context)
        except (HomeAssistantError, vol.Invalid) as error:
            _LOGGER.warning("The actions of the menu %s failed: %s", menu.name, error)

    def _known(self, menu: Menu) -> dict[str, Any]:
        """Return what actions and templates know."""
        call = self._coordinator.calls.find(self._call_id)
        return {ATTR_MENU: menu.name, "call": call_data(call) if call is not None else None}

    async def _sound(self, menu: Menu) -> AudioSource | None:
        """Return what a menu says; what cannot be found is told, and the menu goes on, so that the call has its end."""
        hass = self._hass
        try:
            said = rendered_sound(hass, menu, self._known(menu)) if self._renders else menu.sound
            return await optional_sound(hass, said)
        except HomeAssistantError as error:
            _LOGGER.warning("The menu %s cannot be heard: %s", menu.name, error)
            self._coordinator.calls.note_playback_error(self._call_id, str(error), fault_key(error))
            return None

    async def _ask(self, visit: Visit, keys: Keys) -> MenuResult | None:
        """Say what can be chosen, and go where the keys lead."""
        menu = visit.menu
        if visit.repeats_left < 0:
            return await self._go_on(menu, MenuResult.NO_CHOICE)
        rules = InputRules(
            max_digits=max(map(len, menu.choices)),
            terminator=menu.terminator,
            timeout=menu.timeout,
            digit_timeout=menu.digit_timeout,
            interrupt=menu.interrupt,
            is_complete=menu.is_complete,
        )
        prompt = await self._sound(menu)
        entered = await collect_digits(self._coordinator, self._call_id, keys, rules, prompt)
        if entered.result is InputResult.CALL_ENDED:
            return MenuResult.CALL_ENDED
        if (chosen := self._chosen(menu, entered.digits)) is not None:
            visit.repeats_left = menu.repeat
            self._visits.append(Visit(chosen))
            return None
        keys.pending.clear()
        visit.repeats_left -= 1
        if (answer := menu.invalid if entered.digits else menu.no_choice) is not None:
            self._visits.append(Visit(answer))
        return None

    def _chosen(self, menu: Menu, digits: str) -> Menu | None:
        """Return where digits lead; a PIN is a wrong one, too, after many wrong ones from the same number."""
        chosen = menu.choices.get(digits)
        call = self._coordinator.calls.find(self._call_id)
        if not menu.is_pin or not digits or call is None:
            return chosen
        pins, caller, now = self._coordinator.pins, call.remote.number or call.remote.uri, time.monotonic()
        if pins.is_barred(caller, now):
            return None
        if chosen is not None:
            pins.right(caller)
        elif pins.wrong(caller, now):
            _LOGGER.warning("Too many wrong PINs were typed by %s; PINs do not count for a while", caller or "somebody")
        return chosen

    async def _say(self, visit: Visit) -> MenuResult | None:
        """Say something in which nothing is to be chosen, to its end."""
        if (sound := await self._sound(visit.menu)) is not None:
            if self._call_id not in self._coordinator.calls:
                return MenuResult.CALL_ENDED
            await self._coordinator.async_play(self._call_id, sound, wait=True)
        visit.repeats_left -= 1
        return None if visit.repeats_left >= 0 else await self._go_on(visit.menu, MenuResult.COMPLETED)

    async def _go_on(self, menu: Menu, result: MenuResult) -> MenuResult | None:
        """Go where a menu leads in which nothing was chosen; return `result` where that is the end."""
        match menu.then:
            case Then.HANGUP:
                with contextlib.suppress(LocalProtocolError):
                    await self._coordinator.async_end(self._call_id)
                return MenuResult.HUNG_UP
            case Then.RETURN if len(self._visits) > 1:
                del self._visits[max(len(self._visits) - menu.levels, 1) :]
            case Then.JUMP if menu.jump_to is not None:
                self._visits = [Visit(passed, entered=True) for passed in self._ways[menu.jump_to]]
                self._visits[-1].entered = False
            case _:
                return result
        return None


async def async_menu(call: ServiceCall) -> ServiceResponse:
    """Lead the other side of a call through a menu, and return how it ended and what was chosen."""
    coordinator, snapshot = find_call(call, CallBook.find_audible, "no_audible_call", ended=True)
    call_id = snapshot.id
    wanted: str | dict[str, Any] = call.data[ATTR_MENU]
    if isinstance(wanted, str):
        menu = find_menu(call.hass, coordinator.config_entry, wanted)
        run = MenuRun(call.context, coordinator, call_id, menu, renders=True)
    else:
        run = MenuRun(call.context, coordinator, call_id, build_menu(wanted), renders=False)
    result = MenuResult.CALL_ENDED
    if call_id in coordinator.calls:
        if not is_audible(snapshot):
            raise validation_error("call_not_connected", call_id=call_id)
        with translated_errors():
            result = await do_work(coordinator, call.service, run.run())
    response = response_of(call, coordinator, call_id, coordinator.calls.find(call_id))
    return None if response is None else response | {ATTR_RESULT: result.value, "path": run.path}
