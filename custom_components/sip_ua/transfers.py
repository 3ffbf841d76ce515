"""The transfers of one account: asked for by actions, wanted by the far end, and told of until nothing more comes."""

import logging
from collections.abc import Awaitable

from homeassistant.core import callback

from .bulletin import Bulletin
from .call_book import CallBook
from .call_view import transfer_data
from .const import CallEventType
from .net.phone import Phone
from .sip.events import TransferProgress, TransferRefused, TransferRequested, TransferState
from .waiting import Waiting

_LOGGER = logging.getLogger(__name__)

_RUNS = frozenset({TransferState.ACCEPTED, TransferState.PROGRESS})

type TransferEvent = TransferProgress | TransferRefused | TransferRequested


class Transfers:
    """Connects far ends with others, and tells how that goes; a transfer may outlast its call."""

    def __init__(self, phone: Phone, calls: CallBook, bulletin: Bulletin, account: str) -> None:
        """Take the telephone that transfers; `account` is the account's name in the log."""
        self._phone = phone
        self._calls = calls
        self._bulletin = bulletin
        self._account = account
        self._waiting: Waiting[str, TransferProgress] = Waiting()
        self._refused_for: str | None = None

    @callback
    def handle(self, event: TransferEvent) -> None:
        """Tell of a transfer; one that the rules forbid is logged once for each call."""
        call = self._calls.find(event.call.id) or event.call
        match event:
            case TransferRequested():
                self._bulletin.tell(CallEventType.TRANSFER_REQUESTED, call, target=event.target)
            case TransferRefused():
                if call.id != self._refused_for:
                    self._refused_for = call.id
                    cause = event.reason or "the account's rules for transfers do not allow it"
                    _LOGGER.warning("%s was not transferred to %s: %s", self._account, event.target, cause)
                self._bulletin.tell(CallEventType.TRANSFER_REFUSED, call, target=event.target, reason=event.reason)
            case TransferProgress():
                self._bulletin.tell(CallEventType(f"transfer_{event.state.value}"), call, **transfer_data(event))
                if event.state not in _RUNS:
                    self._waiting.tell(call.id, event)

    async def async_to_number(self, call_id: str, number: str, *, wait: bool) -> TransferProgress | None:
        """Let the far end call a number or an address, and `wait` for the last news of it."""
        return await self._async_transfer(call_id, self._phone.transfer(call_id, number), wait=wait)

    async def async_to_call(self, call_id: str, other: str, *, wait: bool) -> TransferProgress | None:
        """Let the far end talk to that of another call, and `wait` for the last news of it."""
        return await self._async_transfer(call_id, self._phone.transfer_to(call_id, other), wait=wait)

    async def _async_transfer(self, call_id: str, asking: Awaitable[None], *, wait: bool) -> TransferProgress | None:
        result = self._waiting.expect(call_id)
        try:
            await asking
            return await result if wait else None
        finally:
            result.cancel()

    @callback
    def cancel(self) -> None:
        """Let nobody wait any more."""
        self._waiting.cancel()
