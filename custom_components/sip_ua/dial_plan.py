"""The dial plan of an account: what goes out for a number that a person dials.

Rules have the form in which telephone adapters and desk telephones write digit maps. One rule stands for whole numbers:
digits and + for themselves, `x` for any digit, `[2-9]` or `[138]` for one of them, `<8:1650>` for 8 in whose place 1650
goes out, `<0:>` and `<:9>` for what is left out or put before, a full stop at the end for as many more of the last one
as there are, `!` behind all of it for numbers that nobody may dial. The first rule that fits a number decides.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .numbering import plain_number
from .sip.emergency import must_get_through

MAX_RULES: Final = 64
RULE_LENGTH_MAX: Final = 64

_ELEMENT: Final = re.compile(
    r"(?P<key>[0-9+])|(?P<any>[xX])|(?P<set>\[[0-9-]+\])|<(?P<dialed>[0-9+]*):(?P<sent>[0-9+*#]*)>"
)
_RANGES: Final = re.compile(r"\[([0-9]-[0-9]|[0-9])+\]")
_END: Final = re.compile(r"(?P<repeat>\.?)(?P<block>!?)")
_ANY_DIGIT: Final = "[0-9]"
_is_number = re.compile(r"\+?[0-9]+").fullmatch


class DialRuleError(ValueError):
    """A rule that cannot be read; `rest` is what of it was not expected."""

    def __init__(self, rule: str, rest: str) -> None:
        """Name the rule, and where it goes wrong."""
        super().__init__(f"{rest!r} is not expected in the rule {rule!r}")
        self.rule = rule
        self.rest = rest


@dataclass(frozen=True, slots=True)
class DialRule:
    """One rule; the groups of `pattern` are what goes out of a number, with the texts of `between` around them."""

    text: str
    pattern: re.Pattern[str]
    between: tuple[str, ...]
    blocks: bool

    def result(self, number: str) -> str | None:
        """Return what goes out for a number that the rule fits, "" where nothing may; None where it does not fit."""
        match = self.pattern.fullmatch(number)
        if match is None:
            return None
        if self.blocks:
            return ""
        first, *others = self.between
        # A rule that would leave nothing to dial does not fit.
        return first + "".join(kept + text for kept, text in zip(match.groups(), others, strict=True)) or None


def parse_rule(text: str) -> DialRule:
    """Return a rule; raises DialRuleError.

    Since only what stands last may be repeated, a number is compared in one pass.
    """
    if not text or len(text) > RULE_LENGTH_MAX:
        raise DialRuleError(text, text[RULE_LENGTH_MAX:])
    expression, between, kept = "", [""], ""
    at, repeatable = 0, ""
    while (match := _ELEMENT.match(text, at)) is not None:
        if match["dialed"] is None:
            repeatable = _expression(text, match)
            kept += repeatable
        else:
            expression, kept = _close(expression, kept, between)
            expression += re.escape(match["dialed"])
            between[-1] += match["sent"]
            repeatable = ""
        at = match.end()
    end = _END.fullmatch(text, at)
    if end is None or at == 0 or (end["repeat"] and not repeatable):
        raise DialRuleError(text, text[at:])
    if end["repeat"]:
        kept = kept[: -len(repeatable)] + repeatable + "*"
    expression, _ = _close(expression, kept, between)
    return DialRule(text, re.compile(expression), tuple(between), blocks=bool(end["block"]))


def _expression(text: str, match: re.Match[str]) -> str:
    """Return what one element that goes out as it was dialled means."""
    if match["any"]:
        return _ANY_DIGIT
    if (digits := match["set"]) is None:
        return re.escape(match["key"])
    if _RANGES.fullmatch(digits) is None or any(first > last for first, last in re.findall("([0-9])-([0-9])", digits)):
        raise DialRuleError(text, text[match.start() :])
    return digits


def _close(expression: str, kept: str, between: list[str]) -> tuple[str, str]:
    """Return the expression with what goes out as a group of its own, and begin the text behind that."""
    if not kept:
        return expression, ""
    between.append("")
    return f"{expression}({kept})", ""


def split_rules(typed: Iterable[str]) -> list[str]:
    """Return the rules that were typed, also as a whole plan such as `{ <0:>x. | xx }`; none empty, none twice."""
    parts = (part for text in typed for part in text.strip().strip("{}()").split("|"))
    return list(dict.fromkeys(rule for part in parts if (rule := "".join(part.split()))))


def faulty_rule(rules: Iterable[str]) -> DialRuleError | None:
    """Return what is wrong with the first rule that cannot be read."""
    for rule in rules:
        try:
            parse_rule(rule)
        except DialRuleError as error:
            return error
    return None


@dataclass(frozen=True, slots=True)
class Dialed:
    """What goes out, and the rule that says so; "" where none does. What is `blocked` does not go out."""

    number: str
    rule: str = ""
    blocked: bool = False


class DialPlan:
    """The rules of one account, in their order."""

    def __init__(self, rules: Iterable[str]) -> None:
        """Take rules that can be read; raises DialRuleError."""
        self._rules = tuple(parse_rule(rule) for rule in rules)

    def apply(self, target: str) -> Dialed:
        """Return what goes out for a number or address.

        Addresses, codes of the exchange (with * or #) and what calls for help go out as they are.
        """
        number = plain_number(target)
        if not self._rules or _is_number(number) is None or must_get_through(number):
            return Dialed(target)
        for rule in self._rules:
            if (result := rule.result(number)) is not None:
                return Dialed(result or target, rule.text, blocked=rule.blocks)
        return Dialed(target)
