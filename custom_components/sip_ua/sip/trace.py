"""The last messages of one telephone, for whoever looks for a fault; nothing secret is kept (RFC 3261, RFC 4568).

Logins, keys of encrypted voice, passwords in addresses and every body that is no session description are taken out
before anything is kept: what is not there cannot be shown by mistake.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from .address import Address, HostPort
from .parser import find_head_end

CALLS_MAX: Final = 20
CALL_MESSAGES_MAX: Final = 100
CALL_OCTETS_MAX: Final = 1 << 16
OCTETS_MAX: Final = 1 << 18
OTHERS_MAX: Final = 64
MESSAGE_OCTETS_MAX: Final = 8192
OTHER_OCTETS_MAX: Final = 2048
REDACTED: Final = b"[redacted]"

_CALL_ID_MAX: Final = 256
_INVITE: Final = b"INVITE"
_END: Final = rb"(?:\r\n|\r|\n)"
_LINE: Final = rb"(?:^|(?<=[\r\n]))"
_CALL_ID: Final = rb"(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)"
_CSEQ: Final = rb"cseq[ \t]*:\s*[0-9]{1,10}\s+([!-~]{1,32})"
_DESCRIBED: Final = rb"(?:content-type|c)[ \t]*:\s*application/sdp"
# The value of a header field goes on in the lines that begin with white space.
_hide_logins = re.compile(
    _LINE
    + rb"((?:proxy-)?authorization|(?:proxy-)?authentication-info)[ \t]*:[^\r\n]*(?:"
    + _END
    + rb"[ \t][^\r\n]*)*",
    re.IGNORECASE,
).sub
_hide_embedded_logins = re.compile(rb"([?&](?:proxy-)?authorization=)[^&>\s]*", re.IGNORECASE).sub
_PASSWORD: Final = rb"(sips?:[^\s@:<>;?]{0,64}:)[^\s@<>]{1,128}@"
_has_password = re.compile(_PASSWORD).search
_hide_passwords = re.compile(_PASSWORD, re.IGNORECASE).sub
_hide_keys = re.compile(
    rb"(\binline:)([^\s;]*)|("
    + _LINE
    + rb"[ \t]*(?:k|a[ \t]*=[ \t]*(?:key-mgmt|ice-pwd)[ \t]*(?=:))[ \t]*[=:])([^\r\n]*)",
    re.IGNORECASE,
).sub
_KEY_MARKS: Final = (b"inline", b"key-mgmt", b"ice-pwd", b"\nk", b"\rk", b" k", b"\tk")


class _Field:
    """Finds a header field in no time where it is written as nearly everybody does, and in any case."""

    def __init__(self, usual: bytes, pattern: bytes) -> None:
        self._usual = usual
        self._match = re.compile(pattern, re.IGNORECASE).match
        self._search = re.compile(_LINE + pattern, re.IGNORECASE).search

    def find(self, data: bytes) -> re.Match[bytes] | None:
        """Return the first field of this name."""
        place = data.find(self._usual)
        found = self._match(data, place + 1) if place >= 0 else None
        return found or self._search(data)


_call_id = _Field(b"\nCall-ID", _CALL_ID).find
_method = _Field(b"\nCSeq", _CSEQ).find
_described = _Field(b"\nContent-Type", _DESCRIBED).find
_ENCODING_MARKS: Final = (b"content-encoding", b"\ne", b"\re")
_encoded = re.compile(_LINE + rb"(?:content-encoding|e)[ \t]*:").search


@dataclass(frozen=True, slots=True)
class Traced:
    """A message as it is kept: `at` is the time of day in seconds since 1970, `local` our address.

    `hidden` octets of its body and the last `cut` ones of a long message were left out.
    """

    at: float
    sent: bool
    local: HostPort
    remote: Address
    data: bytes = field(repr=False)
    hidden: int = 0
    cut: int = 0


@dataclass(slots=True)
class TracedCall:
    """The messages of one Call-ID; `dropped` ones came after there were too many."""

    messages: list[Traced] = field(default_factory=list)
    octets: int = 0
    dropped: int = 0

    def add(self, message: Traced) -> int:
        """Take one more message and return by how many octets there are more now."""
        size = len(message.data)
        if len(self.messages) >= CALL_MESSAGES_MAX or self.octets + size > CALL_OCTETS_MAX:
            self.dropped += 1
            return 0
        self.messages.append(message)
        self.octets += size
        return size


def without_secrets(data: bytes) -> tuple[bytes, int]:
    """Return a message without anything secret, and how many octets of its body were left out."""
    end = find_head_end(data)
    head, body = (_hide_keys(_mask, data), b"") if end is None else (data[: end[1]], data[end[1] :])
    lower = head.lower()
    if b"authori" in lower or b"authentication-info" in lower:
        head = _hide_logins(rb"\1: " + REDACTED, head)
        head = _hide_embedded_logins(rb"\1" + REDACTED, head)
    if _has_password(lower) is not None:
        head = _hide_passwords(rb"\1" + REDACTED + b"@", head)
    if not body:
        return head, 0
    encoded = any(mark in lower for mark in _ENCODING_MARKS) and _encoded(lower) is not None
    if encoded or b"application/sdp" not in lower or _described(head) is None:
        return head, len(body)
    lower = body.lower()
    if lower.startswith(b"k") or any(mark in lower for mark in _KEY_MARKS):
        body = _hide_keys(_mask, body)
    return head + body, 0


def _mask(found: re.Match[bytes]) -> bytes:
    """Return what names a key, with as many stars as the key had octets, so that the length stays true."""
    name, secret = (found[1], found[2]) if found[1] else (found[3], found[4])
    return name + b"*" * len(secret)


class Trace:
    """A ring of messages: the last calls each with all of theirs, and the last of the others, such as REGISTER."""

    def __init__(self, expects: Callable[[str], bool] = lambda _host: True) -> None:
        """Begin empty; a host that nobody `expects` begins no call here, whatever it sends."""
        self._expects = expects
        self._calls: dict[str, TracedCall] = {}
        self._others: deque[Traced] = deque(maxlen=OTHERS_MAX)
        self._octets = 0

    def keep(self, data: bytes, remote: Address, local: HostPort, *, sent: bool, at: float) -> None:
        """Keep one message without its secrets; `at` is the time of day."""
        whole = len(data)
        data, hidden = without_secrets(data[: 2 * MESSAGE_OCTETS_MAX])
        call_id = self._call_of(data, remote, sent=sent)
        limit = OTHER_OCTETS_MAX if call_id is None else MESSAGE_OCTETS_MAX
        cut = max(0, len(data) - limit) + max(0, whole - 2 * MESSAGE_OCTETS_MAX)
        message = Traced(at, sent, local, remote, data[:limit], hidden, cut)
        if call_id is None:
            self._others.append(message)
            return
        self._octets += self._calls[call_id].add(message)
        while self._octets > OCTETS_MAX:
            self._drop_oldest()

    def _call_of(self, data: bytes, remote: Address, *, sent: bool) -> str | None:
        """Return the Call-ID of a message that belongs to a call, which an INVITE begins."""
        found = _call_id(data)
        if found is None or len(found[1]) > _CALL_ID_MAX:
            return None
        call_id = found[1].rstrip().decode(errors="replace")
        if call_id not in self._calls:
            method = _method(data)
            if method is None or method[1] != _INVITE or not (sent or self._expects(remote.host)):
                return None
            self._calls[call_id] = TracedCall()
            if len(self._calls) > CALLS_MAX:
                self._drop_oldest()
        return call_id

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._calls))
        self._octets -= self._calls.pop(oldest).octets

    @property
    def calls(self) -> Mapping[str, TracedCall]:
        """Return the calls by their Call-IDs, the oldest first."""
        return self._calls

    @property
    def others(self) -> tuple[Traced, ...]:
        """Return the last messages that belong to no call, the oldest first."""
        return tuple(self._others)

    def __iter__(self) -> Iterator[Traced]:
        """Go through all messages as they came and went."""
        kept = [message for call in self._calls.values() for message in call.messages]
        return iter(sorted((*kept, *self._others), key=lambda message: message.at))


def start_line(message: Traced) -> str:
    """Return method or status of a message as a ladder names it."""
    first = message.data[:512].partition(b"\n")[0].decode(errors="replace").strip()
    first = "".join(char if char.isprintable() else "?" for char in first)
    if first.upper().startswith("SIP/2.0 "):
        return first[8:].strip()
    return first.partition(" ")[0]
