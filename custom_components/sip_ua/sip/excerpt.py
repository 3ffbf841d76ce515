"""A part of a trace that somebody asks for, as text and as a capture file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo

from .grammar import METHODS
from .pcap import to_pcap
from .trace import Trace, Traced, start_line
from .trace_text import render


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Messages of a trace; `dropped` ones came after there were too many."""

    messages: tuple[Traced, ...]
    dropped: int = 0

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self.messages)

    def as_text(self, title: str, zone: tzinfo = UTC) -> str:
        """Return a title, the ladder and the messages, with the times of a zone."""
        return render(title, self.messages, dropped=self.dropped, zone=zone)

    def as_pcap(self) -> bytes:
        """Return a capture file for Wireshark."""
        return to_pcap(self.messages)

    def steps(self) -> Iterator[tuple[float, bool, str]]:
        """Yield of each message the time of day, whether it was sent, and its method or status code: nobody's words."""
        for message in self.messages:
            what = start_line(message).partition(" ")[0]
            yield message.at, message.sent, what if what in METHODS or _is_code(what) else "other"


def excerpt(trace: Trace | None, sip_call_id: str | None = None) -> Excerpt | None:
    """Return the messages of a Call-ID, or all; None where nothing is kept."""
    if trace is None:
        return None
    if sip_call_id is None:
        return Excerpt(tuple(trace))
    call = trace.calls.get(sip_call_id)
    return None if call is None else Excerpt(tuple(call.messages), call.dropped)


def _is_code(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdecimal()
