"""Rules between times of different forms: how long a call rings, and what is to happen before that is over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .answering_rules import AnsweredBy
from .const import (
    CONF_ANSWER_AFTER,
    CONF_ANSWERED_BY,
    CONF_AUTO_ANSWER_DELAY,
    CONF_CALL_WAITING,
    CONF_CALL_WAITING_TIMEOUT,
    CONF_FORWARD_AFTER,
    CONF_FORWARD_NO_ANSWER,
    CONF_RING_TIMEOUT,
    OPTIONS_ANSWERING,
    OPTIONS_CALLS,
    OPTIONS_INCOMING,
    SECTION_TIMERS,
    SUBENTRY_CONTACT,
)
from .contacts import ContactAnswer
from .incoming_rules import CALL_WAITING_TIMEOUT
from .options import options_of
from .validation import Mistake


@dataclass(frozen=True, slots=True)
class _Times:
    """After how many seconds of ringing what happens; None where it never does, or where nobody chose when."""

    over: int
    answered: int
    taken: int | None
    forwarded: int | None
    waited: int | None


@dataclass(frozen=True, slots=True)
class _Conflict:
    """Times that cannot hold together, and the mistake in each form that has one of them."""

    broken: Callable[[_Times], bool]
    mistakes: Mapping[str, Mistake]


_OWN_ANSWERS: Final = frozenset(ContactAnswer) - {ContactAnswer.ACCOUNT, ContactAnswer.NOBODY}

_RINGS_TOO_SHORT: Final = Mistake("ring_timeout_too_short", SECTION_TIMERS)
_TAKES_TOO_LATE: Final = Mistake("answer_after_too_long", CONF_ANSWER_AFTER)
_CONTACT_TAKEN_TOO_LATE: Final = Mistake("contact_answered_too_late", CONF_ANSWERED_BY)
_ANSWERS_TOO_LATE: Final = Mistake("auto_answer_delay_too_long", CONF_AUTO_ANSWER_DELAY)

_CONFLICTS: Final = (
    _Conflict(
        lambda times: times.forwarded is not None and times.forwarded >= times.over,
        {
            OPTIONS_INCOMING: Mistake("forward_after_too_long", CONF_FORWARD_AFTER),
            SECTION_TIMERS: _RINGS_TOO_SHORT,
        },
    ),
    _Conflict(
        lambda times: times.waited is not None and times.waited >= times.over,
        {
            OPTIONS_INCOMING: Mistake("call_waiting_timeout_too_long", CONF_CALL_WAITING_TIMEOUT),
            SECTION_TIMERS: _RINGS_TOO_SHORT,
        },
    ),
    _Conflict(
        lambda times: times.answered >= times.over,
        {OPTIONS_CALLS: _ANSWERS_TOO_LATE, SECTION_TIMERS: _RINGS_TOO_SHORT},
    ),
    _Conflict(
        lambda times: times.forwarded is not None and times.answered >= times.forwarded,
        {
            OPTIONS_CALLS: _ANSWERS_TOO_LATE,
            OPTIONS_INCOMING: Mistake("forward_after_too_short", CONF_FORWARD_AFTER),
        },
    ),
    _Conflict(
        lambda times: times.taken is not None and times.taken >= times.over,
        {
            OPTIONS_ANSWERING: _TAKES_TOO_LATE,
            SECTION_TIMERS: _RINGS_TOO_SHORT,
            SUBENTRY_CONTACT: _CONTACT_TAKEN_TOO_LATE,
        },
    ),
    _Conflict(
        lambda times: times.taken is not None and times.forwarded is not None and times.taken >= times.forwarded,
        {
            OPTIONS_ANSWERING: _TAKES_TOO_LATE,
            OPTIONS_INCOMING: Mistake("forward_after_before_answer", CONF_FORWARD_AFTER),
            SUBENTRY_CONTACT: _CONTACT_TAKEN_TOO_LATE,
        },
    ),
    _Conflict(
        lambda times: times.taken is not None and times.waited is not None and times.taken > times.waited,
        {
            OPTIONS_ANSWERING: Mistake("answer_after_waiting", CONF_ANSWER_AFTER),
            OPTIONS_INCOMING: Mistake("waiting_before_answer", CONF_CALL_WAITING_TIMEOUT),
            SUBENTRY_CONTACT: _CONTACT_TAKEN_TOO_LATE,
        },
    ),
)

CONFLICT_KEYS: Final[Mapping[str, frozenset[str]]] = {
    form: frozenset(conflict.mistakes[form].key for conflict in _CONFLICTS if form in conflict.mistakes)
    for form in (OPTIONS_CALLS, OPTIONS_INCOMING, OPTIONS_ANSWERING, SECTION_TIMERS, SUBENTRY_CONTACT)
}
"""The keys of the error texts that each form may need."""


def find_conflicts(
    data: Mapping[str, Any], options: Mapping[str, Any], form: str, answers: Iterable[str] = ()
) -> list[Mistake]:
    """Return what one form has wrong because of the others.

    `data` is entry data, `options` are those of the entry, `answers` is what its contacts say of who answers them;
    `form` is a step of the options, a section of the account, or that of a contact.
    """
    times = _times(data, options, answers)
    return [conflict.mistakes[form] for conflict in _CONFLICTS if form in conflict.mistakes and conflict.broken(times)]


def find_contact_conflicts(data: Mapping[str, Any], options: Mapping[str, Any], answer: str) -> list[Mistake]:
    """Return why a contact would never be answered as it says, where it has an answer of its own."""
    return find_conflicts(data, options, SUBENTRY_CONTACT, (answer,)) if answer in _OWN_ANSWERS else []


def _times(data: Mapping[str, Any], stored: Mapping[str, Any], answers: Iterable[str]) -> _Times:
    """Return the times of an account; a waiting call that rings for the usual time rings to its end at most."""
    calls, incoming = options_of(stored, OPTIONS_CALLS), options_of(stored, OPTIONS_INCOMING)
    answering = options_of(stored, OPTIONS_ANSWERING)
    taken = answering[CONF_ANSWERED_BY] != AnsweredBy.NOBODY or not _OWN_ANSWERS.isdisjoint(answers)
    waited: int = incoming[CONF_CALL_WAITING_TIMEOUT]
    waits = incoming[CONF_CALL_WAITING] and waited != CALL_WAITING_TIMEOUT.default
    return _Times(
        over=data[SECTION_TIMERS][CONF_RING_TIMEOUT],
        answered=calls[CONF_AUTO_ANSWER_DELAY],
        taken=answering[CONF_ANSWER_AFTER] if taken else None,
        forwarded=incoming[CONF_FORWARD_AFTER] if incoming[CONF_FORWARD_NO_ANSWER] else None,
        waited=waited if waits else None,
    )
