"""The calls of somebody's line: application/dialog-info+xml, full and partial, in its versions (RFC 4235)."""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from .errors import EventBodyError
from .events import WatchedState
from .safe_xml import Element, parse_xml
from .text import clean_text

DIALOG_INFO_TYPE: Final = "application/dialog-info+xml"
NAMESPACE: Final = "urn:ietf:params:xml:ns:dialog-info"
MAX_DIALOGS: Final = 256
"""Most calls of one line that are kept."""
ENTITY_LIMIT: Final = 256
_ID_LIMIT: Final = 128
_IS_FULL: Final = {"full": True, "partial": False}


class LineState(StrEnum):
    """States of one call of the line (section 3.7.1)."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class LineCall:
    """One call of the line; `initiator` tells that the line placed it (None where not said)."""

    id: str
    state: LineState
    initiator: bool | None = None

    @property
    def shown(self) -> WatchedState:
        """What the call alone makes of the line."""
        match self.state:
            case LineState.TERMINATED:
                return WatchedState.IDLE
            case LineState.CONFIRMED:
                return WatchedState.TALKING
            case _:
                return WatchedState.TALKING if self.initiator else WatchedState.RINGING


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """One document: the whole state of a line where `full`, else what has changed since the version before."""

    version: int
    full: bool
    entity: str
    calls: tuple[LineCall, ...]


def parse_dialog_info(body: bytes) -> DialogInfo:
    """Read a document; raises EventBodyError where it is none."""
    root = parse_xml(body)
    if (root.namespace, root.name) != (NAMESPACE, "dialog-info"):
        raise EventBodyError("no dialog-info document")
    version = root.attributes.get("version", "").strip()
    full = _IS_FULL.get(root.attributes.get("state", ""))
    if full is None or not version.isascii() or not version.isdecimal() or len(version) > 10:
        raise EventBodyError("a dialog-info document without state or version")
    calls = tuple(_parse_call(element) for element in root.find_all(NAMESPACE, "dialog"))
    if len(calls) > MAX_DIALOGS:
        raise EventBodyError("a dialog-info document with too many dialogs", 413)
    return DialogInfo(int(version), full, clean_text(root.attributes.get("entity", ""), ENTITY_LIMIT), calls)


def _parse_call(element: Element) -> LineCall:
    identifier = element.attributes.get("id", "")
    state = element.find(NAMESPACE, "state")
    if not identifier or len(identifier) > _ID_LIMIT or state is None or state.text not in LineState:
        raise EventBodyError("a dialog without id or state")
    initiator = {"initiator": True, "recipient": False}.get(element.attributes.get("direction", ""))
    return LineCall(identifier, LineState(state.text), initiator)


class Applied(Enum):
    """What became of a document."""

    TAKEN = auto()
    STALE = auto()
    GAP = auto()
    """Something between was missed: the full state is wanted again (section 4.3)."""


class LineCalls:
    """All calls of one line, kept over full and partial documents (section 4.3)."""

    def __init__(self) -> None:
        """Start without a document."""
        self._version: int | None = None
        self._calls: dict[str, LineCall] = {}

    @property
    def state(self) -> WatchedState:
        """What the line does: ringing goes above talking, as a lamp shows it."""
        if self._version is None:
            return WatchedState.UNKNOWN
        shown = {call.shown for call in self._calls.values()}
        for state in (WatchedState.RINGING, WatchedState.TALKING):
            if state in shown:
                return state
        return WatchedState.IDLE

    def reset(self) -> None:
        """Know nothing: versions begin anew with every subscription."""
        self._version = None
        self._calls.clear()

    def apply(self, info: DialogInfo) -> Applied:
        """Take a document that came in its order (the CSeq of its NOTIFY tells).

        A full one is taken whatever its version, since there are notifiers that never count.
        """
        known = self._version
        if info.full:
            self._calls.clear()
        elif known is None or info.version > known + 1:
            return Applied.GAP
        elif info.version <= known:
            return Applied.STALE
        for call in info.calls:
            if call.state is LineState.TERMINATED:
                self._calls.pop(call.id, None)
            elif call.id in self._calls or len(self._calls) < MAX_DIALOGS:
                self._calls[call.id] = call
        self._version = info.version
        return Applied.TAKEN
