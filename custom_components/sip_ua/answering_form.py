"""The two pages about what answers a call: the first asks who does, the second only for what that one needs."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import voluptuous as vol
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from .answering_rules import ANSWER_AFTER, AnsweredBy, AnswerWhom, ways_of
from .const import (
    CONF_ANSWER_AFTER,
    CONF_ANSWER_MENU,
    CONF_ANSWER_MESSAGE,
    CONF_ANSWER_TTS,
    CONF_ANSWER_WHOM,
    CONF_ANSWERED_BY,
    CONF_ASSIST_DEVICE,
    CONF_CONTACT_ANSWERS,
    CONF_TAKE_MESSAGE,
)
from .contacts import Contact
from .form import LONG_TEXT, choice, number

PREPARED: Final = (AnsweredBy.MESSAGE, AnsweredBy.MENU)
"""What has to be written or chosen before it can answer a contact."""

WHO_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_ANSWERED_BY): choice(CONF_ANSWERED_BY, AnsweredBy),
        vol.Optional(CONF_CONTACT_ANSWERS, default=[]): SelectSelector(
            SelectSelectorConfig(
                options=[way.value for way in PREPARED],
                multiple=True,
                translation_key=CONF_CONTACT_ANSWERS,
                mode=SelectSelectorMode.LIST,
            )
        ),
    }
)

_ANYTHING: Final = frozenset({AnsweredBy.ASSIST, AnsweredBy.MESSAGE, AnsweredBy.MENU})
_SPEAKS: Final = frozenset({AnsweredBy.ASSIST, AnsweredBy.MESSAGE})
_NEEDED_FOR: Final[Mapping[str, Collection[AnsweredBy]]] = {
    CONF_ANSWER_AFTER: _ANYTHING,
    CONF_ANSWER_MESSAGE: _SPEAKS,
    CONF_ANSWER_TTS: _SPEAKS,
    CONF_TAKE_MESSAGE: {AnsweredBy.MESSAGE},
    CONF_ANSWER_MENU: {AnsweredBy.MENU},
}
"""What makes a field necessary: one of these answers callers, be it all or single contacts."""


def how_schema(menus: Iterable[str]) -> vol.Schema:
    """Return all that there is to be asked about answers; `menus` are the names of the saved ones."""
    return vol.Schema(
        {
            vol.Required(CONF_ANSWER_WHOM): choice(CONF_ANSWER_WHOM, AnswerWhom),
            vol.Required(CONF_ANSWER_AFTER): number(ANSWER_AFTER),
            vol.Optional(CONF_ANSWER_MESSAGE): LONG_TEXT,
            vol.Optional(CONF_ANSWER_TTS): EntitySelector(EntitySelectorConfig(domain="tts")),
            vol.Required(CONF_TAKE_MESSAGE, default=False): BooleanSelector(),
            vol.Optional(CONF_ANSWER_MENU): SelectSelector(
                SelectSelectorConfig(options=list(menus), mode=SelectSelectorMode.DROPDOWN)
            ),
            vol.Required(CONF_ASSIST_DEVICE, default=False): BooleanSelector(),
        }
    )


def needed_schema(answering: Mapping[str, Any], contacts: Iterable[Contact], menus: Iterable[str]) -> vol.Schema:
    """Return the fields that have an effect with what was chosen on the first page."""
    ways = ways_of(answering, contacts)
    fields = {field for field, needed_by in _NEEDED_FOR.items() if not ways.isdisjoint(needed_by)}
    if answering[CONF_ANSWERED_BY] != AnsweredBy.NOBODY:
        fields.add(CONF_ANSWER_WHOM)
    if AnsweredBy.ASSIST not in ways:
        fields.add(CONF_ASSIST_DEVICE)
    return vol.Schema({marker: field for marker, field in how_schema(menus).schema.items() if marker in fields})


def with_used_answers(answering: Mapping[str, Any], contacts: Iterable[Contact]) -> dict[str, Any]:
    """Return the first page with the answers that contacts have already, and without the one of the account itself."""
    ways = ways_of(answering, contacts) - {answering[CONF_ANSWERED_BY]}
    return {**answering, CONF_CONTACT_ANSWERS: [way.value for way in PREPARED if way in ways]}
