"""The calls and dialogs of one account, and the transfers that wait for somebody to follow them."""

from collections import OrderedDict

from .call import Call
from .core import Core
from .dialog_call import DialogCall
from .errors import LocalFault, LocalProtocolError
from .stray import StrayAnswers
from .transfer import ReceivedTransfer

MAX_CALLS = 512
MAX_STRANGERS = 20
"""Most calls of strangers that ring at once."""


class Calls:
    """All calls that are not over, oldest first, and all dialogs of which something is still expected.

    `refused` tells that no new call may ring here.
    """

    def __init__(self, core: Core) -> None:
        """Start without any call."""
        self.alive: OrderedDict[str, DialogCall] = OrderedDict()
        self.refused = False
        self.dialogs: dict[tuple[str, str], DialogCall] = {}
        self.strays = StrayAnswers(core)
        self._transfers: dict[str, ReceivedTransfer] = {}

    @property
    def full(self) -> bool:
        """Whether there are as many calls as may be at once."""
        return len(self.alive) >= MAX_CALLS

    @property
    def full_of_strangers(self) -> bool:
        """Whether there ring as many calls of strangers as may."""
        if len(self.alive) < MAX_STRANGERS:
            return False
        return sum(call.of_stranger and not call.established for call in self.alive.values()) >= MAX_STRANGERS

    def find(self, call_id: str) -> DialogCall:
        """Return a call by our name of it; raises LocalProtocolError where it is over."""
        call = self.alive.get(call_id)
        if call is None:
            raise LocalProtocolError("there is no such call any more", LocalFault.CALL_OVER)
        return call

    def adopt(self, call: DialogCall) -> None:
        """Take in a new call."""
        self.alive[call.id] = call
        self.dialogs[call.dialog_key] = call
        call.forget = self._forget
        call.released = self._release
        call.asked = self._asked

    def take_transfer(self, transfer_id: str) -> ReceivedTransfer:
        """Return a transfer that nobody has followed yet, once; raises LocalProtocolError where there is none."""
        transfer = self._transfers.pop(transfer_id, None)
        if transfer is None or not transfer.waiting:
            raise LocalProtocolError("there is no such transfer any more")
        return transfer

    def _asked(self, transfer: ReceivedTransfer) -> None:
        self._transfers = {name: known for name, known in self._transfers.items() if known.waiting}
        self._transfers[transfer.id] = transfer

    def _forget(self, call: Call) -> None:
        self.alive.pop(call.id, None)

    def _release(self, call: DialogCall) -> None:
        self.dialogs.pop(call.dialog_key, None)
        past = call.snapshot
        self.strays.remember(past.sip_call_id, call.places, past.ended_at or past.started_at)
