"""The lines that the owner watches: a watch and a state each, of a line or of a contact in the phone book."""

import logging
from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry

from .const import CONF_NUMBER, SUBENTRY_LINE
from .contacts import contacts_of
from .net.phone import Phone
from .sip.errors import LocalProtocolError
from .sip.events import WatchedState, WatchedStateChanged

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchedLine:
    """Somebody's line: the subentry that lists it, a name for people, and a number or SIP address."""

    id: str
    name: str
    number: str
    is_contact: bool = False


def lines_of(entry: ConfigEntry) -> tuple[WatchedLine, ...]:
    """Return the lines that an entry lists, and those of contacts that are watched."""
    lines = (
        WatchedLine(subentry.subentry_id, subentry.title, subentry.data[CONF_NUMBER])
        for subentry in entry.subentries.values()
        if subentry.subentry_type == SUBENTRY_LINE
    )
    contacts = (
        WatchedLine(contact.id, contact.name, contact.number, is_contact=True)
        for contact in contacts_of(entry)
        if contact.watched
    )
    return (*lines, *contacts)


class LineBook:
    """What every watched line does."""

    def __init__(self, entry: ConfigEntry) -> None:
        """Begin with nothing known."""
        self.lines = lines_of(entry)
        self._watched: dict[str, WatchedLine] = {}
        self._states: dict[str, WatchedState] = {}

    def watch(self, phone: Phone) -> None:
        """Have the phone watch every line; the account may have become one that cannot reach all of them."""
        for line in self.lines:
            try:
                self._watched[phone.watch(line.number)] = line
            except LocalProtocolError as error:
                _LOGGER.warning("The line %s cannot be watched: %s", line.name, error)

    def note(self, event: WatchedStateChanged) -> WatchedLine | None:
        """Keep what a line does now and return the line, None where nobody listed it."""
        line = self._watched.get(event.id)
        if line is not None:
            self._states[line.id] = event.state
        return line

    def state(self, line: WatchedLine) -> WatchedState:
        """Return what a line does."""
        return self._states.get(line.id, WatchedState.UNKNOWN)
