"""What is done with calls that come in, as reception decides: turned away, given up later, or answered by itself."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from .bulletin import Bulletin
from .call_book import CallBook
from .call_view import call_data
from .const import CALL_TURNED_AWAY, CONF_AUTO_ANSWER_DELAY, OPTIONS_CALLS
from .early_media import EarlyMedia
from .history import CallHistory
from .net.phone import Phone
from .options import options_of
from .reception import BUSY, Reception, Refusal
from .settings import identity_of
from .sip.errors import LocalProtocolError, SipError
from .sip.events import CallSnapshot
from .waiting import Waiting

_LOGGER = logging.getLogger(__name__)


class Taker(Protocol):
    """Takes calls that nobody answers: Assist, a message, or a menu."""

    @property
    def after(self) -> float:
        """Return after how many seconds of ringing it takes a call."""

    def wants(self, call: CallSnapshot) -> bool:
        """Return whether a call is one that it takes."""

    async def take(self, call_id: str) -> None:
        """Answer a call that rings, and return when that is over; a call that still rings then is left to others."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What is done with a call that rings for so many seconds."""

    after: float
    act: Callable[[str], Awaitable[None]]


class IncomingCalls:
    """Receives the callers of one account.

    `turned_away` holds the calls that are refused at once, `blocked` those of which nobody but the history hears.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        phone: Phone,
        calls: CallBook,
        reception: Reception,
        history: CallHistory,
        bulletin: Bulletin,
    ) -> None:
        """Take the telephone that callers are refused and answered with."""
        self.turned_away: set[str] = set()
        self.blocked: set[str] = set()
        self._hass = hass
        self._entry = entry
        self._identity = identity_of(entry.data)
        self._phone = phone
        self._calls = calls
        self._reception = reception
        self._history = history
        self._bulletin = bulletin
        self._early_media = EarlyMedia(hass, entry, phone, self._identity)
        self.taker: Taker | None = None
        self._ends: Waiting[None, str] = Waiting()
        # Of several calls that are answered by themselves, the first has the line.
        self._line = asyncio.Lock()
        self._answer_delay: int = options_of(entry.options, OPTIONS_CALLS)[CONF_AUTO_ANSWER_DELAY]

    @callback
    def turn_away(self, call: CallSnapshot) -> bool:
        """Refuse a call that may not ring, and return whether it was one."""
        if (refusal := self._reception.refusal(call, busy=bool(self._calls))) is None:
            return False
        if refusal.blocked:
            self.blocked.add(call.id)
            self._history.note_blocked(call.id)
        else:
            self.turned_away.add(call.id)
            self._bulletin.announce(CALL_TURNED_AWAY, call_data(call))
        self._refuse(call.id, refusal)
        return True

    @callback
    def attend(self, call: CallSnapshot) -> None:
        """Let a caller hear what is to be heard while it rings, and plan what is done with the call meanwhile."""
        self._early_media.begin(call)
        turn = asyncio.Lock()
        if self._reception.answers(call):
            self._begin("answer", self._async_answer_when_free(call.id, turn))
        if steps := self._steps(call):
            self._begin("attend to", self._async_follow(call.id, steps, turn))

    @callback
    def note_end(self, call_id: str) -> None:
        """Let those calls be answered that wait for the end of another one."""
        self.turned_away.discard(call_id)
        self._ends.tell(None, call_id)

    def _begin(self, what: str, work: Coroutine[Any, Any, None]) -> None:
        _ = self._entry.async_create_background_task(self._hass, work, f"sip_ua {what} a call of {self._identity}")

    def _steps(self, call: CallSnapshot) -> list[_Step]:
        """Return what is done with a call that nobody takes, by its times; of two at one time an answer comes first."""
        steps: list[_Step] = []
        if self.taker is not None and self.taker.wants(call):
            answered = self._answer_delay if self._reception.answers(call) else 0
            steps.append(_Step(max(self.taker.after, answered), partial(self._async_take, self.taker)))
        if (forwarding := self._reception.forwarding(call)) is not None:
            after, refusal = forwarding
            steps.append(_Step(after, partial(self._async_refuse, refusal)))
        if self._calls.is_waiting(call.id):
            steps.append(_Step(self._reception.waiting_time, self._async_give_up))
        return sorted(steps, key=lambda step: step.after)

    @callback
    def _refuse(self, call_id: str, refusal: Refusal) -> None:
        """Refuse a call, or send its caller elsewhere; one that cannot go there is refused as busy."""
        if refusal.target:
            try:
                self._phone.redirect(call_id, refusal.target)
            except LocalProtocolError as error:
                _LOGGER.warning("A call of %s could not be forwarded to %s: %s", self._identity, refusal.target, error)
                refusal = BUSY
        with contextlib.suppress(LocalProtocolError):
            if not refusal.target:
                self._phone.turn_away(call_id, refusal.code, missed=refusal.missed)

    async def _async_follow(self, call_id: str, steps: Sequence[_Step], turn: asyncio.Lock) -> None:
        """Do one thing after the other with a call, each at its time, for as long as it rings."""
        arrived = self._hass.loop.time()
        for step in steps:
            await asyncio.sleep(arrived + step.after - self._hass.loop.time())
            async with turn:
                if self._calls.get_ringing(call_id) is None:
                    return
                await step.act(call_id)

    async def _async_refuse(self, refusal: Refusal, call_id: str) -> None:
        self._refuse(call_id, refusal)

    async def _async_give_up(self, call_id: str) -> None:
        """Tell a caller that the line is busy, if it still is."""
        if self._calls.is_waiting(call_id):
            self._refuse(call_id, BUSY)

    async def _async_take(self, taker: Taker, call_id: str) -> None:
        """Let a call be taken that nobody answered; one that could be answered by itself by now is."""
        if not await self._async_answer(call_id):
            await taker.take(call_id)

    async def _async_answer_when_free(self, call_id: str, turn: asyncio.Lock) -> None:
        """Answer a call by itself after a while, or as soon after that as nobody talks on this account any more."""
        await asyncio.sleep(self._answer_delay)
        while self._calls.get_ringing(call_id) is not None:
            ended = self._ends.expect(None)
            async with turn:
                if await self._async_answer(call_id):
                    ended.cancel()
                    return
            await ended

    async def _async_answer(self, call_id: str) -> bool:
        """Answer a call by itself, unless somebody else was quicker, or talks; return whether that was tried."""
        async with self._line:
            call = self._calls.get_ringing(call_id)
            if call is None or not self._reception.answers(call) or self._calls.find_connected() is not None:
                return False
            try:
                await self._phone.answer(call_id)
            except SipError as error:
                _LOGGER.warning("A call of %s could not be answered by itself: %s", self._identity, error)
            return True
