"""Whom an action calls that calls several: what is dialed for each that is named, and by which account."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from homeassistant.core import ServiceCall, callback
from homeassistant.exceptions import ServiceValidationError

from .action_calls import target_of
from .action_errors import validation_error
from .action_targets import require_reachable, targeted_coordinators, titles_of
from .contacts import is_address, is_dialable
from .coordinator import SipUaCoordinator

_between = re.compile(r"[,;]").split
# An address may have commas and semicolons of its own, but no space.
_between_addresses = re.compile(r"[,;]\s+").split


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody who is to be called; `error` tells why that cannot be, as where a contact is gone."""

    number: str
    coordinator: SipUaCoordinator
    error: ServiceValidationError | None = None


def split_lists(values: Iterable[Any]) -> list[Any]:
    """Return what an action names one by one, also where people write several numbers into one text.

    A template makes a tuple of figures with commas between them.
    """
    found: list[Any] = []
    for value in values:
        if isinstance(value, tuple):
            found.extend(value)
        elif isinstance(value, str):
            found.extend(_split(value, is_dialable))
        else:
            found.append(value)
    return found


def _split(text: str, is_one: Callable[[str], bool]) -> Iterator[str]:
    """Yield what stands on lines of their own, and between commas or semicolons where each part is one by itself."""
    for line in filter(str.strip, text.splitlines()) if text.strip() else (text,):
        parts = [part.strip() for part in (_between_addresses if is_address(line) else _between)(line.strip())]
        if not parts[-1]:
            del parts[-1]
        yield from parts if parts and all(map(is_one, parts)) else [line]


@callback
def find_callees(call: ServiceCall, texts: Iterable[str]) -> tuple[Callee, ...]:
    """Return who is to be called, of whom at least one can be; raises a translated error where nobody can.

    In an alarm a contact that has another name by now does not keep the others from being called.
    """
    coordinators = targeted_coordinators(call)
    texts = tuple(one for text in texts for one in _listed(coordinators, text))
    leader = _leader(coordinators, texts)
    callees = tuple(_callee(coordinators, leader, text) for text in texts)
    known = [callee.coordinator for callee in callees if callee.error is None]
    if not any(coordinator.reachable for coordinator in known):
        require_reachable((known or coordinators)[0])
    if error := next((callee.error for callee in callees if not known), None):
        raise error
    return callees


def _listed(coordinators: Sequence[SipUaCoordinator], text: str) -> Iterable[str]:
    """Return the contacts of a list in one text, which may be a name with a comma as well."""
    return (
        (text,)
        if is_dialable(text) or _knowing(coordinators, text)
        else _split(text, lambda part: is_dialable(part) or bool(_knowing(coordinators, part)))
    )


def _knowing(coordinators: Iterable[SipUaCoordinator], text: str) -> list[SipUaCoordinator]:
    """Return the accounts that have a contact or a speed dial of that name."""
    return [coordinator for coordinator in coordinators if coordinator.contacts.knows(text)]


def _leader(coordinators: Sequence[SipUaCoordinator], texts: Sequence[str]) -> SipUaCoordinator | None:
    """Return the account that calls whom none or several have in the phone book: the one that has the most of all.

    Several may have as many. The one that is registered calls then; where more are, that is for the person to decide,
    but not where a contact is gone meanwhile.
    """
    if len(coordinators) == 1:
        return coordinators[0]
    knowing = [_knowing(coordinators, text) for text in texts]
    counts = [sum(coordinator in known for known in knowing) for coordinator in coordinators]
    leaders = [one for one, count in zip(coordinators, counts, strict=True) if count and count == max(counts)]
    leaders = [one for one in leaders if one.reachable] or leaders
    is_gone = any(not known and not is_dialable(text) for text, known in zip(texts, knowing, strict=True))
    return leaders[0] if len(leaders) == 1 or (leaders and is_gone) else None


def _callee(coordinators: Sequence[SipUaCoordinator], leader: SipUaCoordinator | None, text: str) -> Callee:
    """Return what to dial for a text, by the account that has it in its phone book and is registered."""
    knowing = _knowing(coordinators, text)
    if leader is None and len(knowing) != 1:
        return Callee(text, coordinators[0], validation_error("account_required", accounts=titles_of(coordinators)))
    fitting = sorted(knowing, key=lambda one: (not one.reachable, one is not leader)) or [leader or coordinators[0]]
    try:
        return Callee(target_of(fitting[0], text), fitting[0])
    except ServiceValidationError as error:
        return Callee(text, fitting[0], error)
