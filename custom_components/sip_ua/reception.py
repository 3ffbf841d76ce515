"""Who may ring: what "do not disturb", automatic answering, the phone book and the rules say of a call that comes in.

RFC 3261 sections 21.3.3 (302 sends a caller elsewhere), 21.4.18 (480 for "do not disturb") and 21.4.24 (486, with which
other telephones go on ringing), RFC 5079 (433 for callers who hide their number).
"""

import logging
from dataclasses import dataclass, replace
from typing import Any, Final

from homeassistant.exceptions import ServiceValidationError

from .contacts import ContactBook, OnCall
from .dial_plan import DialPlan
from .incoming_rules import FORWARDS, IncomingRules, is_anonymous
from .numbering import NumberPlan
from .sip.events import CallSnapshot

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The final answer to a caller for whom nothing rings, or no longer.

    A call that the owner might have wanted is `missed`, and of one that is `blocked` nobody is to hear; a caller who is
    sent elsewhere learns the `target`.
    """

    code: int
    missed: bool
    target: str = ""
    blocked: bool = False


NOT_NOW: Final = Refusal(480, missed=True)
BLOCKED: Final = Refusal(486, missed=False, blocked=True)
ANONYMOUS: Final = Refusal(433, missed=False, blocked=True)
BUSY: Final = Refusal(486, missed=True)


def _elsewhere(target: str, call: CallSnapshot) -> Refusal:
    """Send a caller elsewhere; who came past the server neither learns that number nor has the server for it."""
    return BUSY if call.past_server else Refusal(302, missed=False, target=target)


def _resolved(rules: IncomingRules, contacts: ContactBook, dial_plan: DialPlan) -> IncomingRules:
    """Return the rules with what would go out if somebody dialed where calls are forwarded to.

    Nobody is sent to a contact that is gone, or to a number that nobody may dial.
    """
    targets: dict[str, Any] = {}
    for field in FORWARDS:
        text: str = getattr(rules, field)
        try:
            dialed = dial_plan.apply(contacts.target(text))
        except ServiceValidationError as error:
            targets[field] = ""
            _LOGGER.warning("An account forwards no calls to %s: %s", text, error.translation_key)
            continue
        targets[field] = "" if dialed.blocked else dialed.number
        if dialed.blocked:
            _LOGGER.warning("An account forwards no calls to %s: the rule %s of its dial plan", text, dialed.rule)
    return replace(rules, **targets)


class Reception:
    """Decides about calls that come in; the switches are as their entities have restored them."""

    def __init__(self, contacts: ContactBook, rules: IncomingRules, plan: NumberPlan, dial_plan: DialPlan) -> None:
        """Let everybody ring whom neither the phone book nor a rule turns away.

        By `plan` numbers are compared, by `dial_plan` calls are forwarded.
        """
        self.do_not_disturb = False
        self.auto_answer = False
        self._contacts = contacts
        self._plan = plan
        self._rules = _resolved(rules, contacts, dial_plan).comparable(plan)

    def refusal(self, call: CallSnapshot, *, busy: bool) -> Refusal | None:
        """Return how to refuse a call, None where it may ring; `busy` tells whether there is another call."""
        rules = self._rules
        contact = self._contacts.by_party(call.remote)
        if contact is None:
            if rules.blocks(call.remote, self._plan):
                return BLOCKED
            if rules.block_anonymous and is_anonymous(call.remote):
                return ANONYMOUS
        elif contact.on_call is OnCall.BLOCK:
            return BLOCKED
        if rules.forward_always:
            return _elsewhere(rules.forward_always, call)
        if self.do_not_disturb and (contact is None or contact.on_call is not OnCall.ALWAYS_RING):
            return NOT_NOW
        if busy and not rules.call_waiting:
            return _elsewhere(rules.forward_busy, call) if rules.forward_busy else BUSY
        return None

    @property
    def waiting_time(self) -> int:
        """Return how many seconds a call rings beside another one."""
        return self._rules.call_waiting_timeout

    def forwarding(self, call: CallSnapshot) -> tuple[int, Refusal] | None:
        """Return after how many seconds of ringing a call goes elsewhere, and how; None where it rings to its end."""
        rules = self._rules
        if not rules.forward_no_answer or call.past_server:
            return None
        return rules.forward_after, _elsewhere(rules.forward_no_answer, call)

    def answers(self, call: CallSnapshot) -> bool:
        """Return whether a call is answered by itself."""
        return self.auto_answer and self._on_call(call) is OnCall.AUTO_ANSWER

    def _on_call(self, call: CallSnapshot) -> OnCall:
        contact = self._contacts.by_party(call.remote)
        return OnCall.RING if contact is None else contact.on_call
