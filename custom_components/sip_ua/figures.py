"""Telephone numbers that reach an action as figures, and so without the + before them.

A template that yields `+4930` gives an action the figure 4930, as does YAML where nothing stands in quotes. A zero at
the beginning is left alone by templates.
"""

from collections.abc import Iterator
from typing import Any

from homeassistant.helpers import config_validation as cv

from .coordinator import SipUaCoordinator
from .numbering import plain_number


class Figure(str):
    """A number that came as a figure; it may have had a + before it."""

    __slots__ = ()


def number_text(value: Any) -> str:
    """Return what an action is to dial as text; raises vol.Invalid for what is none."""
    return Figure(value) if type(value) is int and value > 0 else cv.string(value)


def typed_number(text: str, coordinator: SipUaCoordinator) -> str:
    """Return what is put into a text entity, which gets the figure of a template as text; a person types the same.

    A zero at the beginning is left alone by templates.
    """
    is_figure = text.isascii() and text.isdecimal() and not text.startswith("0")
    return with_its_plus(Figure(text), coordinator) if is_figure else text


def with_its_plus(figure: Figure, coordinator: SipUaCoordinator) -> str:
    """Return a number as it was: as the calls or the phone book have it, else as only an international one can be."""
    plain, international = str(figure), f"+{figure}"
    known = set(_numbers(coordinator))
    if plain in known:
        return plain
    if international in known or coordinator.numbering.is_international(plain):
        return international
    return plain


def _numbers(coordinator: SipUaCoordinator) -> Iterator[str]:
    """Yield the numbers that an account has to do with, as they are dialed."""
    yield from (call.remote.number for call in coordinator.calls.values())
    yield from (record.number for record in coordinator.history)
    for contact in coordinator.contacts:
        yield from map(plain_number, contact.numbers)
