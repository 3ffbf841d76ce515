"""What answers calls that nobody takes: Assist, a message, or a saved menu, as the account's options say."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from homeassistant.core import CALLBACK_TYPE, Context, callback
from homeassistant.exceptions import HomeAssistantError

from .action_errors import translated_errors, validation_error
from .announcement import BREATH, async_answer_and_say, async_leave
from .answering_rules import AnsweredBy
from .coordinator import SipUaCoordinator
from .failure_words import error_text
from .issues import ANSWERING_FAILED, async_heal, async_raise
from .menu import MenuRun
from .menu_book import find_menu
from .net.audio import ToneSource
from .net.recording_order import RecordedSides, RecordingTone
from .sip.events import CallSnapshot
from .sound import speech_source

_LOGGER = logging.getLogger(__name__)

LONGEST_CALL: Final = 3600.0
"""Seconds after which a call ends that was answered so, whatever goes on in it."""

LONGEST_MESSAGE: Final = 180.0
"""Seconds that a caller may speak after the tone."""

TONE: Final = ToneSource(1000.0, -18.0, 0.4)
END_KEY: Final = "#"


class Answering:
    """Answers the calls of one account that ring for long enough."""

    def __init__(self, coordinator: SipUaCoordinator) -> None:
        """Take the account; `async_start` begins to listen."""
        self._coordinator = coordinator
        self._ways: Mapping[AnsweredBy, Callable[[str], Awaitable[None]]] = {
            AnsweredBy.MESSAGE: self._speak,
            AnsweredBy.MENU: self._lead,
        }

    @callback
    def async_start(self) -> CALLBACK_TYPE:
        """Take calls from now on; the function returned ends that."""
        incoming = self._coordinator.incoming
        incoming.taker = self

        def stop() -> None:
            incoming.taker = None

        return stop

    @property
    def after(self) -> float:
        """Return after how many seconds of ringing a call is answered."""
        return self._coordinator.answering.answer_after

    def wants(self, call: CallSnapshot) -> bool:
        """Return whether something answers a call."""
        return self._way(call) is not AnsweredBy.NOBODY

    def _way(self, call: CallSnapshot) -> AnsweredBy:
        """Return what answers a call that rings, nobody where that is not to be."""
        coordinator = self._coordinator
        return coordinator.answering.answer_to(coordinator.contacts.by_party(call.remote), past_server=call.past_server)

    async def take(self, call_id: str) -> None:
        """Answer a call that rings, and lead it to its end; Assist talks with one caller at a time."""
        coordinator = self._coordinator
        call = coordinator.calls.get_ringing(call_id)
        way = AnsweredBy.NOBODY if call is None else self._way(call)
        if way is AnsweredBy.NOBODY:
            return
        if way is AnsweredBy.ASSIST:
            if coordinator.satellite is not None and coordinator.satellite.is_free:
                await coordinator.satellite.async_take_call(call_id)
            return
        entry = coordinator.config_entry
        try:
            with translated_errors():
                async with asyncio.timeout(LONGEST_CALL):
                    await self._ways[way](call_id)
        except (HomeAssistantError, TimeoutError) as error:
            told = error if isinstance(error, HomeAssistantError) else validation_error("took_too_long")
            _LOGGER.warning("A call of %s was not answered as it should be: %s", coordinator.identity, told)
            async_raise(coordinator.hass, entry, ANSWERING_FAILED, error=error_text(coordinator.hass, told))
        else:
            async_heal(coordinator.hass, entry, ANSWERING_FAILED)
        finally:
            await async_leave(coordinator, call_id)

    async def _speak(self, call_id: str) -> None:
        """Say the message, and take one where that is wanted."""
        coordinator, rules = self._coordinator, self._coordinator.answering
        if not rules.answer_message:
            raise validation_error("answer_without_message")
        source = speech_source(coordinator.hass, rules.answer_message, engine=rules.answer_tts or None)
        await async_answer_and_say(coordinator, call_id, source)
        if rules.take_message:
            await self._take_message(call_id)

    async def _take_message(self, call_id: str) -> None:
        """Record what the caller says after the tone, up to a key, the end of the call, or of the time."""
        coordinator = self._coordinator
        recordings = coordinator.recordings
        with coordinator.keys.listen(call_id) as keys, contextlib.suppress(TimeoutError):
            if call_id in coordinator.calls:
                await coordinator.async_play(call_id, TONE, wait=True)
            if (call := coordinator.calls.get(call_id)) is None:
                return
            if not recordings.is_begun(call_id):
                style = replace(recordings.settings.style, sides=RecordedSides.RECEIVED, tone=RecordingTone.NONE)
                await recordings.async_record(call, style)
            async with asyncio.timeout(LONGEST_MESSAGE):
                while await keys.next() not in {END_KEY, None}:
                    pass

    async def _lead(self, call_id: str) -> None:
        """Lead the caller through the saved menu."""
        coordinator = self._coordinator
        menu = find_menu(coordinator.hass, coordinator.config_entry, coordinator.answering.answer_menu)
        await async_answer_and_say(coordinator, call_id, BREATH)
        await MenuRun(Context(), coordinator, call_id, menu, renders=True).run()
