"""A trace as text: a ladder with us and the far end as columns, and below it the messages as they were."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from .trace import Traced, start_line

_WIDTH: Final = 44
_INDENT: Final = " " * 14
_LABEL_MAX: Final = _WIDTH - 6
_BAR: Final = "|"


def ladder(messages: Sequence[Traced], zone: tzinfo = UTC) -> str:
    """Return one line for each message: time of day, arrow, method or status; what goes elsewhere names its address."""
    if not messages:
        return ""
    first = messages[0]
    peer = _place(first)
    lines = [_columns("us", "far end"), _columns(_own(first), peer)]
    lines += [
        _rung(message, zone) + ("" if _place(message) == peer else f"  {_place(message)}") for message in messages
    ]
    return "\n".join(lines) + "\n"


def transcript(messages: Iterable[Traced], zone: tzinfo = UTC) -> str:
    """Return the messages one below the other, as they were apart from what was left out."""
    return "\n".join(_told(message, zone) for message in messages)


def render(title: str, messages: Sequence[Traced], *, dropped: int = 0, zone: tzinfo = UTC) -> str:
    """Return a title with the day, the ladder and the messages."""
    if not messages:
        return f"{title}\nno messages\n"
    day = datetime.fromtimestamp(messages[0].at, zone).strftime("%Y-%m-%d %H:%M:%S %z")
    more = f", {dropped} more not kept" if dropped else ""
    return f"{title}\n{day}, messages: {len(messages)}{more}\n\n{ladder(messages, zone)}\n{transcript(messages, zone)}"


def _columns(ours: str, theirs: str) -> str:
    return f"{_INDENT}{ours}  {theirs:>{_WIDTH - len(ours)}}"


def _rung(message: Traced, zone: tzinfo) -> str:
    label = f" {start_line(message)[:_LABEL_MAX]} "
    room = _WIDTH - 1 - len(label)
    before = room // 2
    line = "-" * before + label + "-" * (room - before)
    arrow = f"{line}>" if message.sent else f"<{line}"
    return f"{_clock(message, zone)}  {_BAR}{arrow}{_BAR}"


def _told(message: Traced, zone: tzinfo) -> str:
    direction = "to" if message.sent else "from"
    text = message.data.decode(errors="replace").replace("\r\n", "\n")
    text = "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text).rstrip("\n")
    notes = (("octets of the body were not kept", message.hidden), ("octets were cut off", message.cut))
    left_out = "".join(f"\n[{count} {what}]" for what, count in notes if count)
    return f"{_clock(message, zone)} {direction} {_place(message)}\n{text}{left_out}\n"


def _clock(message: Traced, zone: tzinfo) -> str:
    return datetime.fromtimestamp(message.at, zone).strftime("%H:%M:%S.%f")[:12]


def _own(message: Traced) -> str:
    return _host_port(message.local.host, message.local.port)


def _place(message: Traced) -> str:
    return f"{_host_port(message.remote.host, message.remote.port)} {message.remote.transport.via}"


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
