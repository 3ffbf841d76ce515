"""The form of the phone book: a contact is added, changed, and checked against the others."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, override

import voluptuous as vol
from homeassistant.const import CONF_NAME
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import BooleanSelector, TextSelector, TextSelectorConfig

from .answering_rules import AnsweringRules, answering_rules_of
from .conflicts import find_contact_conflicts
from .const import (
    CONF_ALIASES,
    CONF_ANSWERED_BY,
    CONF_DOOR_CODE,
    CONF_DOOR_STATION,
    CONF_EXPOSED,
    CONF_MORE_NUMBERS,
    CONF_NUMBER,
    CONF_ON_CALL,
    CONF_SPEED_DIAL,
    CONF_WATCHED,
    CONF_WAY,
    DTMF_KEYS,
    SECTION_DOOR,
)
from .contacts import (
    MAX_CONTACTS,
    SPEED_DIALS,
    Contact,
    ContactAnswer,
    ContactBook,
    OnCall,
    Way,
    contacts_of,
    device_host,
    fold,
    split_address,
)
from .form import TEXT, choice, number
from .hosts import is_nobodys_address
from .net.phone import check_target
from .numbering import is_keys, plan_of
from .settings import NumberField, account_of, is_direct, plain_target
from .sip.errors import LocalProtocolError
from .subentry_flow import Listed, ListingFlow

NAME_LENGTH_MAX: Final = 64
MORE_NUMBERS_MAX: Final = 9
ALIASES_MAX: Final = 9

_is_door_code = re.compile(rf"[{DTMF_KEYS}]{{1,32}}").fullmatch
_SPEED_DIAL = NumberField(default=None, minimum=SPEED_DIALS.start, maximum=SPEED_DIALS.stop - 1)
_TEXTS = TextSelector(TextSelectorConfig(multiple=True))

CONTACT_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_NAME): TEXT,
        vol.Required(CONF_NUMBER): TEXT,
        vol.Required(CONF_WAY, default=Way.SERVER.value): choice(CONF_WAY, Way),
        vol.Optional(CONF_MORE_NUMBERS, default=[]): _TEXTS,
        vol.Optional(CONF_SPEED_DIAL): number(_SPEED_DIAL),
        vol.Optional(CONF_ALIASES, default=[]): _TEXTS,
        vol.Required(CONF_ON_CALL, default=OnCall.RING.value): choice(CONF_ON_CALL, OnCall),
        vol.Required(CONF_ANSWERED_BY, default=ContactAnswer.ACCOUNT.value): choice(
            "contact_answered_by", ContactAnswer
        ),
        vol.Required(CONF_WATCHED, default=False): BooleanSelector(),
        vol.Required(CONF_EXPOSED, default=False): BooleanSelector(),
        vol.Required(SECTION_DOOR): section(
            vol.Schema(
                {
                    vol.Required(CONF_DOOR_STATION, default=False): BooleanSelector(),
                    vol.Optional(CONF_DOOR_CODE): TEXT,
                }
            ),
            {"collapsed": True},
        ),
    }
)

_WITHOUT_SERVER: Final = vol.Schema(
    {marker: field for marker, field in CONTACT_SCHEMA.schema.items() if marker != CONF_WAY}
)


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed of a contact, tidied up, and what it must not collide with."""

    name: str
    data: Mapping[str, Any]
    others: tuple[Contact, ...]
    book: ContactBook
    answering: AnsweringRules
    is_target: Callable[[str], bool]

    @property
    def door_code(self) -> str:
        """Return the keys that open the door."""
        return str(self.data[SECTION_DOOR][CONF_DOOR_CODE])

    @property
    def aliases(self) -> Sequence[str]:
        """Return the other names."""
        aliases: Sequence[str] = self.data[CONF_ALIASES]
        return aliases

    @property
    def more_numbers(self) -> Sequence[str]:
        """Return the other numbers."""
        numbers: Sequence[str] = self.data[CONF_MORE_NUMBERS]
        return numbers

    @property
    def has_way(self) -> bool:
        """Return whether the contact can be called the way that was chosen."""
        number: str = self.data[CONF_NUMBER]
        return self.data[CONF_WAY] == Way.SERVER or bool(device_host(number) and not self.book.is_at_server(number))

    def lacks(self, way: ContactAnswer, prepared: str) -> bool:
        """Return whether something answers the contact that the account has not `prepared`."""
        return self.data[CONF_ANSWERED_BY] == way and not prepared

    def is_name(self, name: str) -> bool:
        """Return whether this can be a name: what keys or addresses are made of would hide what it says."""
        return name.isprintable() and not is_keys(name) and "@" not in name and ":" not in name

    def is_taken_name(self, name: str) -> bool:
        """Return whether another contact is called so."""
        return any(fold(name) in map(fold, other.names) for other in self.others)

    def is_taken_number(self, wanted: str) -> bool:
        """Return whether another contact has the number, in whatever form it is written."""
        taken = {self.book.key(known) for other in self.others for known in other.numbers}
        return self.book.key(wanted) in taken


# The first rule of a field that is broken is told.
RULES: Final[tuple[tuple[str, str, Callable[[Draft], bool]], ...]] = (
    ("contact_name_required", CONF_NAME, lambda draft: not draft.name),
    ("contact_name_too_long", CONF_NAME, lambda draft: len(draft.name) > NAME_LENGTH_MAX),
    ("contact_name_invalid", CONF_NAME, lambda draft: not draft.is_name(draft.name)),
    ("contact_name_known", CONF_NAME, lambda draft: draft.is_taken_name(draft.name)),
    ("contact_number_invalid", CONF_NUMBER, lambda draft: not draft.is_target(draft.data[CONF_NUMBER])),
    ("contact_way_needs_device", CONF_WAY, lambda draft: not draft.has_way),
    ("contact_number_known", CONF_NUMBER, lambda draft: draft.is_taken_number(draft.data[CONF_NUMBER])),
    ("more_numbers_too_many", CONF_MORE_NUMBERS, lambda draft: len(draft.more_numbers) > MORE_NUMBERS_MAX),
    (
        "more_numbers_invalid",
        CONF_MORE_NUMBERS,
        lambda draft: not all(draft.is_target(other) for other in draft.more_numbers),
    ),
    (
        "more_numbers_known",
        CONF_MORE_NUMBERS,
        lambda draft: any(draft.is_taken_number(other) for other in draft.more_numbers),
    ),
    (
        "speed_dial_known",
        CONF_SPEED_DIAL,
        lambda draft: (
            draft.data[CONF_SPEED_DIAL] is not None
            and draft.data[CONF_SPEED_DIAL] in {other.speed_dial for other in draft.others}
        ),
    ),
    ("aliases_too_many", CONF_ALIASES, lambda draft: len(draft.aliases) > ALIASES_MAX),
    (
        "aliases_invalid",
        CONF_ALIASES,
        lambda draft: not all(len(alias) <= NAME_LENGTH_MAX and draft.is_name(alias) for alias in draft.aliases),
    ),
    ("aliases_known", CONF_ALIASES, lambda draft: any(draft.is_taken_name(alias) for alias in draft.aliases)),
    (
        "contact_message_missing",
        CONF_ANSWERED_BY,
        lambda draft: draft.lacks(ContactAnswer.MESSAGE, draft.answering.answer_message),
    ),
    (
        "contact_menu_missing",
        CONF_ANSWERED_BY,
        lambda draft: draft.lacks(ContactAnswer.MENU, draft.answering.answer_menu),
    ),
    (
        "door_code_invalid",
        SECTION_DOOR,
        lambda draft: bool(draft.door_code) and not _is_door_code(draft.door_code),
    ),
    (
        "door_code_not_used",
        SECTION_DOOR,
        lambda draft: bool(draft.door_code) and not draft.data[SECTION_DOOR][CONF_DOOR_STATION],
    ),
)


class ContactFlow(ListingFlow):
    """Add a contact to the phone book, or change one."""

    schema = CONTACT_SCHEMA
    _opens_door = False

    @override
    def form(self) -> vol.Schema:
        """Return the form, without a choice of ways where there is no server, open where something is wrong."""
        form = _WITHOUT_SERVER if is_direct(self._get_entry().data) else CONTACT_SCHEMA
        if not self._opens_door:
            return form
        door = section(form.schema[SECTION_DOOR].schema, {"collapsed": False})
        return form.extend({vol.Required(SECTION_DOOR): door})

    @override
    def full(self) -> str | None:
        """Return why the phone book takes no more contacts."""
        return "phone_book_full" if len(contacts_of(self._get_entry())) >= MAX_CONTACTS else None

    @override
    def listed(self, typed: Mapping[str, Any]) -> Listed:
        """Return the contact, tidied up."""
        name = " ".join(typed[CONF_NAME].split())
        return Listed(name, normalize_contact(typed), _unique_id(name))

    @override
    async def mistakes(self, listed: Listed, besides: str | None) -> dict[str, str]:
        """Return the error text's key of every field whose rules are broken, the first for each field."""
        entry = self._get_entry()
        account = account_of(entry.data)
        others = tuple(contact for contact in contacts_of(entry) if contact.id != besides)

        def is_target(target: str) -> bool:
            try:
                check_target(account, target)
            except LocalProtocolError:
                return False
            return not is_nobodys_address(split_address(target)[1])

        book = ContactBook(others, account, plan_of(self.hass.config.country))
        draft = Draft(listed.title, listed.data, others, book, answering_rules_of(entry.options), is_target)
        mistakes: dict[str, str] = {}
        for key, field, broken in RULES:
            if field not in mistakes and broken(draft):
                mistakes[field] = key
        for mistake in find_contact_conflicts(entry.data, entry.options, listed.data[CONF_ANSWERED_BY]):
            mistakes.setdefault(mistake.place, mistake.key)
        self._opens_door = SECTION_DOOR in mistakes
        return mistakes


def normalize_contact(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the form as they are stored: trimmed, nothing empty and nothing twice."""
    main = plain_target(user_input[CONF_NUMBER])
    speed_dial = user_input.get(CONF_SPEED_DIAL)
    door = user_input.get(SECTION_DOOR, {})
    return {
        CONF_NUMBER: main,
        CONF_WAY: user_input.get(CONF_WAY, Way.SERVER.value),
        CONF_MORE_NUMBERS: [
            other for other in _unique(map(plain_target, user_input.get(CONF_MORE_NUMBERS, ()))) if other != main
        ],
        CONF_SPEED_DIAL: None if speed_dial is None else int(speed_dial),
        CONF_ALIASES: _unique(" ".join(alias.split()) for alias in user_input.get(CONF_ALIASES, ())),
        CONF_ON_CALL: user_input.get(CONF_ON_CALL, OnCall.RING.value),
        CONF_ANSWERED_BY: user_input.get(CONF_ANSWERED_BY, ContactAnswer.ACCOUNT.value),
        CONF_WATCHED: user_input.get(CONF_WATCHED, False),
        CONF_EXPOSED: user_input.get(CONF_EXPOSED, False),
        SECTION_DOOR: {
            CONF_DOOR_STATION: door.get(CONF_DOOR_STATION, False),
            CONF_DOOR_CODE: door.get(CONF_DOOR_CODE, "").strip().upper(),
        },
    }


def _unique(texts: Any) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _unique_id(name: str) -> str:
    """Return what tells a contact from every other one, and from a watched line."""
    return f"contact {fold(name)}"
