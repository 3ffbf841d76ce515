"""What the owner said of calls that nobody takes: what answers them, after how long, and for whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from .const import CONF_ANSWERED_BY, CONF_CONTACT_ANSWERS, OPTIONS_ANSWERING
from .contacts import Contact, ContactAnswer
from .settings import NumberField, rules_in

ANSWER_AFTER: Final = NumberField(default=20, minimum=0, maximum=60, unit="s")
ANSWER_MESSAGE_LENGTH_MAX: Final = 1000


class AnsweredBy(StrEnum):
    """What answers a call that nobody takes."""

    NOBODY = "nobody"
    ASSIST = "assist"
    MESSAGE = "message"
    MENU = "menu"


class AnswerWhom(StrEnum):
    """Whose calls are answered so: those of the phone book, or everybody's."""

    CONTACTS = "contacts"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringRules:
    """The rules of one account; their names are those of the options.

    `contact_answers` is what is prepared for single contacts beside what answers the others. `answer_after` is in
    seconds. `answer_message` is the message, and what Assist says first; `answer_tts` is the engine that speaks it, ""
    the usual one. `answer_menu` names a saved menu. With `assist_device` Assist can call.
    """

    answered_by: str = AnsweredBy.NOBODY.value
    contact_answers: Sequence[str] = ()
    answer_whom: str = AnswerWhom.CONTACTS.value
    answer_after: int = ANSWER_AFTER.default or 0
    answer_message: str = ""
    answer_tts: str = ""
    take_message: bool = False
    answer_menu: str = ""
    assist_device: bool = False

    def answer_to(self, contact: Contact | None, *, past_server: bool = False) -> AnsweredBy:
        """Return what answers a caller, None being somebody whom the phone book does not know.

        Such a one who came past the server of the account only rings: nobody but the network says who that is.
        """
        if contact is None:
            everybody = self.answer_whom == AnswerWhom.EVERYBODY and not past_server
            return AnsweredBy(self.answered_by) if everybody else AnsweredBy.NOBODY
        if contact.answered_by is not ContactAnswer.ACCOUNT:
            return AnsweredBy(contact.answered_by.value)
        return AnsweredBy(self.answered_by)

    def need_assist(self, contacts: Iterable[Contact]) -> bool:
        """Return whether Assist has something to do with this account."""
        return (
            self.assist_device
            or self.answered_by == AnsweredBy.ASSIST
            or any(contact.answered_by is ContactAnswer.ASSIST for contact in contacts)
        )


def ways_of(answering: Mapping[str, Any], contacts: Iterable[Contact] = ()) -> set[AnsweredBy]:
    """Return all that answers callers of an account, be it all of them or single contacts, or is there for that."""
    ways = {AnsweredBy(way) for way in (answering[CONF_ANSWERED_BY], *answering[CONF_CONTACT_ANSWERS])}
    ways |= {
        AnsweredBy(contact.answered_by.value)
        for contact in contacts
        if contact.answered_by is not ContactAnswer.ACCOUNT
    }
    return ways - {AnsweredBy.NOBODY}


def answering_rules_of(stored: Mapping[str, Any]) -> AnsweringRules:
    """Return the rules that the options of an account hold."""
    return rules_in(AnsweringRules, stored.get(OPTIONS_ANSWERING, {}))
