"""What a person asks of the telephone by voice: call, answer, hang up, who called, redial; and what is said to it.

Whoever speaks in the room, and every language model, may do only what the owner allowed: call contacts that are
exposed to voice assistants, and numbers where an account allows them. Short numbers, emergency numbers and codes of
the exchange are never dialed so, unless they belong to an exposed contact: they are heard wrongly too easily.
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.intent import IntentResponseErrorCode
from homeassistant.util import dt as dt_util

from .action_errors import translated_errors
from .action_targets import every_coordinator
from .call_book import CallBook
from .call_record import CallRecord
from .call_view import first_to_hang_up
from .const import CONF_NUMBERS_BY_VOICE, OPTIONS_CALLS
from .contacts import Contact, OnCall, fold
from .coordinator import SipUaCoordinator
from .numbering import is_keys, plain_number
from .options import options_of
from .sip.emergency import must_not_be_misheard
from .sip.events import CallDirection, CallSnapshot, CallState, Party
from .voice_language import NAMES_SPOKEN, Language, with_plus

NAME_LENGTH_MAX: Final = 64

_NEAR: Final = 0.6
_elision = re.compile(r"^[dl]['\N{RIGHT SINGLE QUOTATION MARK}]\s*", re.IGNORECASE)
_is_number = re.compile(r"\+?[0-9]{2,20}").fullmatch

type Line = tuple[SipUaCoordinator, CallSnapshot]


class RefusedError(Exception):
    """What was asked cannot be done; `key` is the text that says why."""

    def __init__(
        self,
        key: str,
        code: IntentResponseErrorCode = IntentResponseErrorCode.NO_VALID_TARGETS,
        **placeholders: str | tuple[str, ...],
    ) -> None:
        super().__init__(key)
        self.key = key
        self.code = code
        self.placeholders = placeholders


# The commands


async def async_call(hass: HomeAssistant, language: Language, spoken: str) -> str:
    """Call a contact or a number, and say who is called."""
    spoken = spoken.strip()[:NAME_LENGTH_MAX]
    if is_keys(number := with_plus(hass, spoken)):
        coordinator, contact, number = _number_target(hass, plain_number(number))
    else:
        coordinator, contact = _contact_target(hass, spoken)
        number = contact.number
    return await _dial(language, coordinator, contact, number)


async def async_redial(hass: HomeAssistant, language: Language) -> str:
    """Call again who was called last."""
    accounts = _accounts(hass)
    if active := _active(accounts, CallDirection.OUTGOING):
        coordinator, call = _newest(active)
        remote = call.remote
    elif ended := _ended(accounts, CallDirection.OUTGOING):
        coordinator, record = ended
        remote = record.remote
    else:
        raise RefusedError("nothing_to_redial")
    contact = _exposed(coordinator.contacts.by_call(remote, CallDirection.OUTGOING))
    number = contact.number if contact else remote.number
    if contact is None and not (_may_be_spoken(number) and numbers_allowed(coordinator)):
        raise RefusedError("redial_refused")
    return await _dial(language, coordinator, contact, number, as_it_is=contact is None)


async def async_answer(hass: HomeAssistant, language: Language) -> str:
    """Answer the call that rings, the newest where several do."""
    ringing = _lines(hass, CallBook.find_ringing)
    if not ringing:
        raise RefusedError("not_ringing")
    coordinator, call = _newest(ringing)
    with translated_errors():
        await coordinator.async_answer(call.id)
    return language.say("answered", name=_name(language, coordinator, call.remote))


async def async_hang_up(hass: HomeAssistant, language: Language) -> str:
    """End the call that a person is in; where there is none, refuse the one that rings."""
    if not (lines := _lines(hass, CallBook.find_to_hang_up)):
        raise RefusedError("no_call")
    coordinator, call = max(lines, key=lambda line: first_to_hang_up(line[1]))
    with translated_errors():
        await coordinator.async_hangup(call.id)
    if call.state is CallState.RINGING:
        return language.say("declined", name=_name(language, coordinator, call.remote))
    return language.say("hung_up")


async def async_who_called(hass: HomeAssistant, language: Language) -> str:
    """Say who calls, or who called last."""
    accounts = _accounts(hass)
    if incoming := _active(accounts, CallDirection.INCOMING):
        # One that rings comes before one that goes on.
        ringing = [line for line in incoming if line[1].state is CallState.RINGING]
        coordinator, call = _newest(ringing or incoming)
        return language.say("is_calling" if ringing else "on_the_line", name=_name(language, coordinator, call.remote))
    if (ended := _ended(accounts, CallDirection.INCOMING)) is None:
        return language.say("nobody_called")
    coordinator, last = ended
    return language.say(
        "missed" if last.missed else "called",
        name=_name(language, coordinator, last.remote),
        when=language.ago(dt_util.utcnow() - last.started_at),
    )


# What the owner allowed


def numbers_allowed(coordinator: SipUaCoordinator) -> bool:
    """Return whether an account lets voice assistants call numbers that no exposed contact has."""
    return bool(options_of(coordinator.config_entry.options, OPTIONS_CALLS)[CONF_NUMBERS_BY_VOICE])


def _accounts(hass: HomeAssistant) -> list[SipUaCoordinator]:
    if not (accounts := every_coordinator(hass)):
        raise RefusedError("no_account", IntentResponseErrorCode.FAILED_TO_HANDLE)
    return accounts


def _exposed(contact: Contact | None) -> Contact | None:
    return contact if contact is not None and contact.exposed else None


def _may_be_spoken(number: str) -> bool:
    """Return whether a number may be dialed by voice at all."""
    return _is_number(number) is not None and not must_not_be_misheard(number)


def _is_blocked(coordinator: SipUaCoordinator, remote: Party) -> bool:
    contact = coordinator.contacts.by_party(remote)
    return contact is not None and contact.on_call is OnCall.BLOCK


# Who is meant


def _number_target(hass: HomeAssistant, number: str) -> tuple[SipUaCoordinator, Contact | None, str]:
    """Return the account that may call a number."""
    accounts = _accounts(hass)
    known = [
        (account, contact)
        for account in accounts
        if (contact := _exposed(account.contacts.by_number(number))) is not None
    ]
    if known:
        coordinator, known_contact = _first_reachable(known)
        return coordinator, known_contact, known_contact.number
    if not _may_be_spoken(number):
        raise RefusedError("number_refused")
    if not (allowed := [(account, None) for account in accounts if numbers_allowed(account)]):
        raise RefusedError("numbers_off")
    return _first_reachable(allowed)[0], None, number


def _contact_target(hass: HomeAssistant, spoken: str) -> tuple[SipUaCoordinator, Contact]:
    """Return the exposed contact that a name means, and an account that has it."""
    accounts = _accounts(hass)
    for name in dict.fromkeys((spoken, _elision.sub("", spoken))):
        found = [
            (account, contact) for account in accounts for contact in account.contacts.find(name, exposed_only=True)
        ]
        exact = [line for line in found if fold(name) in map(fold, line[1].names)]
        meant = exact or found
        names = tuple(dict.fromkeys(contact.name for _, contact in meant))
        if len({fold(name) for name in names}) > 1:
            raise RefusedError("contact_ambiguous", name=spoken, names=names)
        if meant:
            return _first_reachable(meant)
    if near := _near(accounts, spoken):
        raise RefusedError("contact_near", name=spoken, names=near)
    raise RefusedError("contact_unknown", name=spoken)


def _near(accounts: list[SipUaCoordinator], spoken: str) -> tuple[str, ...]:
    """Return the exposed contacts whose names sound or look like what was said."""
    names = {
        fold(name): contact.name
        for account in accounts
        for contact in account.contacts
        if contact.exposed
        for name in contact.names
    }
    close = get_close_matches(fold(spoken), names, n=NAMES_SPOKEN, cutoff=_NEAR)
    return tuple(dict.fromkeys(names[name] for name in close))


def _first_reachable[Who](lines: Sequence[tuple[SipUaCoordinator, Who]]) -> tuple[SipUaCoordinator, Who]:
    """Return the first whose account can place a call; where none can, the first."""
    return next((line for line in lines if line[0].reachable), lines[0])


def _active(accounts: list[SipUaCoordinator], direction: CallDirection) -> list[Line]:
    """Return the calls of a direction that go on."""
    return [(account, call) for account in accounts for call in account.calls.values() if call.direction is direction]


def _newest(lines: list[Line]) -> Line:
    """Return the call that began last."""
    return max(lines, key=lambda line: line[1].started_at)


def _ended(accounts: list[SipUaCoordinator], direction: CallDirection) -> tuple[SipUaCoordinator, CallRecord] | None:
    """Return the call of a direction that began last and is over; whom the owner blocks has not called."""
    records = [
        (account, record)
        for account in accounts
        for record in account.history
        if record.direction == direction and not record.blocked and not _is_blocked(account, record.remote)
    ]
    return max(records, key=lambda line: line[1].started_at, default=None)


def _lines(hass: HomeAssistant, find: Callable[[CallBook], CallSnapshot | None]) -> list[Line]:
    """Return the call that is meant of each account that has one."""
    found = ((account, find(account.calls)) for account in _accounts(hass))
    return [(account, call) for account, call in found if call is not None]


# What is done and said


async def _dial(
    language: Language, coordinator: SipUaCoordinator, contact: Contact | None, number: str, *, as_it_is: bool = False
) -> str:
    """Place a call, and say to whom; `as_it_is` is a number that went out before."""
    if not coordinator.reachable:
        raise RefusedError("not_registered", IntentResponseErrorCode.FAILED_TO_HANDLE)
    with translated_errors():
        await coordinator.async_dial(number, as_it_is=as_it_is)
    return language.say("calling", name=contact.name if contact else _spelled(number))


def _name(language: Language, coordinator: SipUaCoordinator, remote: Party) -> str:
    """Return who the other side of a call is.

    Never what a caller calls himself: everybody can choose that, and a language model would read it.
    """
    contact = coordinator.contacts.by_party(remote)
    if contact is not None:
        return contact.name if contact.exposed else language.word("unnamed_contact")
    number = plain_number(remote.number)
    return _spelled(number) if _is_number(number) else language.word("unknown_caller")


def _spelled(number: str) -> str:
    """Return a number so that it is spoken digit by digit."""
    return " ".join(number)
