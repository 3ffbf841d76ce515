"""Who may ring: what "do not disturb", automatic answering and the phone book say of a call that comes in.

RFC 3261 sections 21.4.18 (480 for "do not disturb") and 21.4.24 (486, with which other telephones go on ringing).
"""

from dataclasses import dataclass
from typing import Final

from .contacts import ContactBook, OnCall
from .sip.events import CallSnapshot


@dataclass(frozen=True, slots=True)
class Refusal:
    """The final answer to a caller for whom nothing rings; a call that the owner might have wanted is missed."""

    code: int
    missed: bool


NOT_NOW: Final = Refusal(480, missed=True)
BLOCKED: Final = Refusal(486, missed=False)


class Reception:
    """Decides about calls that come in; the switches are as their entities have restored them."""

    def __init__(self, contacts: ContactBook) -> None:
        """Let everybody ring whom the phone book does not block."""
        self.do_not_disturb = False
        self.auto_answer = False
        self._contacts = contacts

    def refusal(self, call: CallSnapshot) -> Refusal | None:
        """Return how to refuse a call, None where it may ring."""
        on_call = self._on_call(call)
        if on_call is OnCall.BLOCK:
            return BLOCKED
        return NOT_NOW if self.do_not_disturb and on_call is not OnCall.ALWAYS_RING else None

    def answers(self, call: CallSnapshot) -> bool:
        """Return whether a call is answered by itself."""
        return self.auto_answer and self._on_call(call) is OnCall.AUTO_ANSWER

    def _on_call(self, call: CallSnapshot) -> OnCall:
        contact = self._contacts.by_party(call.remote)
        return OnCall.RING if contact is None else contact.on_call
