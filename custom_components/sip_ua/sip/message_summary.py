"""What a voice mail box tells of the messages that wait in it: application/simple-message-summary (RFC 3842)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from .errors import EventBodyError
from .text import clean_text

MESSAGE_SUMMARY_TYPE: Final = "application/simple-message-summary"
MAX_SUMMARY: Final = 8192
"""Largest summary in bytes: a dozen lines, and header fields of messages that nobody asked for."""
MESSAGE_CLASSES: Final[tuple[str, ...]] = (
    "voice-message",
    "fax-message",
    "pager-message",
    "multimedia-message",
    "text-message",
    "none",
)
ACCOUNT_LIMIT: Final = 256
_LARGEST_COUNT: Final = 2**32 - 1
_WAITING: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """How many messages of one class there are, and how many of them are urgent."""

    new: int
    old: int
    new_urgent: int = 0
    old_urgent: int = 0


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """A summary: whether anything waits, whose mail box it is ("" where not said), and counts by message class."""

    waiting: bool
    account: str = ""
    counts: Mapping[str, MessageCounts] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def voice(self) -> MessageCounts | None:
        """The counts of voice messages, None where the summary has none."""
        return self.counts.get("voice-message")


def parse_message_summary(body: bytes) -> MessageSummary:
    """Read a summary; lines it does not know, and the header fields of single messages, are skipped.

    Raises EventBodyError where it does not say whether messages wait, or counts what is no number.
    """
    if len(body) > MAX_SUMMARY:
        raise EventBodyError("a message summary that is too large", 413)
    fields: dict[str, str] = {}
    for line in body.decode("utf-8", "replace").lstrip("\r\n").split("\n"):
        if not line.strip():
            break  # header fields of single messages follow (section 3.5)
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    waiting = _WAITING.get(fields.get("messages-waiting", "").lower())
    if waiting is None:
        raise EventBodyError("a message summary that does not say whether messages wait")
    counts = {name: _parse_counts(fields[name]) for name in MESSAGE_CLASSES if name in fields}
    return MessageSummary(
        waiting, clean_text(fields.get("message-account", ""), ACCOUNT_LIMIT), MappingProxyType(counts)
    )


def _parse_counts(text: str) -> MessageCounts:
    """Read `new/old` with an optional `(new urgent/old urgent)` (section 5.2)."""
    plain, bracket, rest = text.partition("(")
    urgent, closing, tail = rest.partition(")")
    if bracket and (not closing or tail.strip()):
        raise EventBodyError("counts of messages with a bracket that is never closed")
    new, old = _parse_pair(plain)
    return MessageCounts(new, old, *(_parse_pair(urgent) if bracket else (0, 0)))


def _parse_pair(text: str) -> tuple[int, int]:
    first, slash, second = (piece.strip() for piece in text.partition("/"))
    numbers = [min(int(piece), _LARGEST_COUNT) for piece in (first, second) if _is_count(piece)]
    if not slash or len(numbers) != 2:
        raise EventBodyError("counts of messages that are no two numbers")
    return numbers[0], numbers[1]


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10
