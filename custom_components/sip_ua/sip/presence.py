"""Somebody's presence, read as the state of a line: application/pidf+xml (RFC 3863, activities of RFC 4480)."""

from dataclasses import dataclass
from itertools import product
from typing import Final

from .errors import EventBodyError
from .events import WatchedState
from .safe_xml import Element, parse_xml
from .text import clean_text

PIDF_TYPE: Final = "application/pidf+xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:pidf"
ENTITY_LIMIT: Final = 256
_ACTIVITY_LIMIT: Final = 64
# The second of each is that of the drafts, which Asterisk and others still write.
_PERSON_NAMESPACES: Final = ("urn:ietf:params:xml:ns:pidf:data-model", "urn:ietf:params:xml:ns:pidf:person")
_RPID_NAMESPACES: Final = ("urn:ietf:params:xml:ns:pidf:rpid", "urn:ietf:params:xml:ns:pidf:rpid:rpid-person")
_IS_OPEN: Final = {"open": True, "closed": False}
# PIDF has no word for a line that rings: exchanges say it in a note for people.
_RINGING_NOTES: Final = frozenset({"ringing"})
_TALKING_NOTES: Final = frozenset({"on the phone", "on hold", "in use"})
_TALKING_ACTIVITIES: Final = frozenset({"on-the-phone", "busy"})


@dataclass(frozen=True, slots=True)
class Presence:
    """One document: whether anybody can be reached (None where not said), what they do, and notes for people."""

    entity: str
    open: bool | None
    activities: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> WatchedState:
        """What it says about the line."""
        notes = {note.casefold() for note in self.notes}
        if notes & _RINGING_NOTES:
            return WatchedState.RINGING
        if self.activities & _TALKING_ACTIVITIES or notes & _TALKING_NOTES:
            return WatchedState.TALKING
        return WatchedState.IDLE if self.open else WatchedState.UNKNOWN


def parse_presence(body: bytes) -> Presence:
    """Read a document; raises EventBodyError where it is none."""
    root = parse_xml(body)
    if (root.namespace, root.name) != (NAMESPACE, "presence"):
        raise EventBodyError("no presence document")
    tuples = list(root.find_all(NAMESPACE, "tuple"))
    basics = [basic for basic in map(_parse_basic, tuples) if basic is not None]
    activities: set[str] = set()
    notes = list(root.find_all(NAMESPACE, "note"))
    persons = [person for namespace in _PERSON_NAMESPACES for person in root.find_all(namespace, "person")]
    for element in (*tuples, *persons):
        activities |= _activities(element)
        notes += element.find_all(NAMESPACE, "note")
    return Presence(
        clean_text(root.attributes.get("entity", ""), ENTITY_LIMIT),
        any(basics) if basics else None,
        frozenset(activities),
        tuple(clean_text(note.text) for note in notes[:_ACTIVITY_LIMIT]),
    )


def _parse_basic(element: Element) -> bool | None:
    """Return whether a tuple is open (section 4.1.4); None where it does not say."""
    status = element.find(NAMESPACE, "status")
    basic = None if status is None else status.find(NAMESPACE, "basic")
    return None if basic is None else _IS_OPEN.get(basic.text)


def _activities(element: Element) -> set[str]:
    """Return the activities of a person; some exchanges put them into a status."""
    places = [element, *(child for child in element.children if child.name == "status")]
    found: set[str] = set()
    for place, namespace in product(places, _RPID_NAMESPACES):
        for activities in place.find_all(namespace, "activities"):
            found.update(activity.name for activity in activities.children[:_ACTIVITY_LIMIT])
    return found
