"""What is done with calls that come in, as reception decides: turned away, given up later, or answered by itself."""

import asyncio
import contextlib
import logging

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

_LOGGER = logging.getLogger(__name__)


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
        """Let a caller hear what is to be heard while it rings, and be refused or answered when the time has come."""
        self._early_media.begin(call)
        if patience := self._reception.patience(call, busy=len(self._calls) > 1):
            _ = self._entry.async_create_background_task(
                self._hass, self._async_refuse_later(call.id, *patience), f"sip_ua refuse {self._identity}"
            )
        if self._reception.answers(call):
            _ = self._entry.async_create_background_task(
                self._hass, self._async_answer_later(call.id), f"sip_ua answer {self._identity}"
            )

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

    async def _async_refuse_later(self, call_id: str, seconds: int, refusal: Refusal) -> None:
        """Let a call ring no longer than its time."""
        await asyncio.sleep(seconds)
        if self._calls.get_ringing(call_id) is not None:
            self._refuse(call_id, refusal)

    async def _async_answer_later(self, call_id: str) -> None:
        """Answer a call by itself, unless somebody else was quicker, or talks on this account meanwhile."""
        await asyncio.sleep(self._answer_delay)
        if (call := self._calls.get_ringing(call_id)) is None:
            return
        if not self._reception.answers(call) or self._calls.find_connected() is not None:
            return
        try:
            await self._phone.answer(call_id)
        except SipError as error:
            _LOGGER.warning("A call of %s could not be answered by itself: %s", self._identity, error)
