"""What the owner said of calls that come in: who is turned away, when a second call rings, and where calls go instead.

RFC 5079 (433 for callers who hide their number), RFC 3261 section 21.3.3 (302 sends a caller elsewhere).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from .const import CONF_FORWARD_ALWAYS, CONF_FORWARD_BUSY, CONF_FORWARD_NO_ANSWER, OPTIONS_INCOMING
from .contacts import split_address
from .numbering import NumberPlan
from .settings import NumberField, rules_in
from .sip.events import Party
from .sip.number_pattern import fits

CALL_WAITING_TIMEOUT: Final = NumberField(default=20, minimum=10, maximum=60, unit="s")
FORWARD_AFTER: Final = NumberField(default=20, minimum=10, maximum=180, unit="s")
FORWARDS: Final = (CONF_FORWARD_ALWAYS, CONF_FORWARD_BUSY, CONF_FORWARD_NO_ANSWER)
_ANONYMOUS_DOMAIN: Final = "@anonymous.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingRules:
    """The rules of one account; their names are those of the options.

    `server_only` is for accounts that have a server. Where there are `allowed_callers`, nobody else may ring.
    `forward_*` are numbers, addresses, contacts or speed dials, "" for nowhere; times are in seconds.
    """

    call_waiting: bool = True
    call_waiting_timeout: int = CALL_WAITING_TIMEOUT.default or 0
    block_anonymous: bool = False
    server_only: bool = True
    allowed_callers: tuple[str, ...] = ()
    blocked_numbers: tuple[str, ...] = ()
    forward_always: str = ""
    forward_busy: str = ""
    forward_no_answer: str = ""
    forward_after: int = FORWARD_AFTER.default or 0

    def comparable(self, plan: NumberPlan) -> Self:
        """Return the rules with patterns that can be compared with the numbers of callers by the same plan."""
        return replace(
            self,
            blocked_numbers=tuple(map(plan.pattern, self.blocked_numbers)),
            allowed_callers=tuple(map(plan.pattern, self.allowed_callers)),
        )

    def blocks(self, caller: Party, plan: NumberPlan) -> bool:
        """Return whether a caller is blocked, or not among those who alone may ring, by rules that are comparable."""
        if not (self.blocked_numbers or self.allowed_callers):
            return False
        names = _names(caller, plan)
        if any(fits(self.blocked_numbers, name) for name in names):
            return True
        return bool(self.allowed_callers) and not any(fits(self.allowed_callers, name) for name in names)


def rules_of(stored: Mapping[str, Any]) -> IncomingRules:
    """Return the rules that the options of an account hold."""
    return rules_in(IncomingRules, stored.get(OPTIONS_INCOMING, {}))


def _names(caller: Party, plan: NumberPlan) -> frozenset[str]:
    """Return what a pattern may mean: the number in every form, and the address."""
    user, host = split_address(caller.uri)
    return plan.forms(caller.number) | {f"{user}@{host}"}


def is_anonymous(caller: Party) -> bool:
    """Return whether a caller hides who it is (RFC 3323 section 4.1.1.3)."""
    return caller.number.casefold() == "anonymous" or _ANONYMOUS_DOMAIN in caller.uri.casefold()
