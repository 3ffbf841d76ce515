"""What messages are made of: tokens, quotes, lists, numbers, hosts, and their limits (RFC 3261 section 25)."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from .errors import MessageError
from .header_names import HEADER_NAMES

MAX_MESSAGE: Final = 65535
"""Largest message in octets: what a UDP datagram can hold (RFC 3261 section 18.1.1)."""
MAX_HEADERS: Final = 128
"""Most header lines of a message."""
MAX_HEADER_LENGTH: Final = 8192
"""Longest header or start line, unfolded, in characters."""
MAX_HOST_LENGTH: Final = 255
"""Longest host name (RFC 1035 section 2.3.4)."""
MAX_PORT: Final = 65535
MAX_CSEQ: Final = 2**31 - 1
"""Largest sequence number (RFC 3261 section 8.1.1.5)."""
MAX_DELTA_SECONDS: Final = 2**32 - 1
"""Largest span of time in seconds (RFC 3261 section 20.19)."""

SIP_VERSION: Final = "SIP/2.0"
MAX_FORWARDS: Final = "70"
"""How many hops a request of ours may pass (RFC 3261 section 8.1.1.6)."""
BRANCH_COOKIE: Final = "z9hG4bK"
"""What a branch begins with since RFC 3261 (section 8.1.1.7)."""
METHODS: Final = frozenset(
    {
        *("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER", "SUBSCRIBE"),
        *("NOTIFY", "MESSAGE", "PUBLISH"),
    }
)
"""Methods in the IANA register."""
WHITE_SPACE: Final = " \t"

# What most hosts and ports are; the rest goes the long way, through `parse_host_port`.
PLAIN_HOST_PORT: Final = (
    r"([A-Za-z0-9._-]{1,255}+)"
    r"(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])(?![0-9]))?+"
)

# Patterns here are single classes of characters without nesting: each is linear by construction.
is_token = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+").fullmatch
is_host_name = re.compile(r"[A-Za-z0-9._-]+").fullmatch
is_digits = re.compile(r"[0-9]+").fullmatch
_is_ipv6_text = re.compile(r"[0-9A-Fa-f:.]+").fullmatch
_find_quote_mark = re.compile(r'["\\]').search
_list_marks = re.compile(r'[",<>\\]').finditer
_param_marks = re.compile(r'[";\\]').finditer
_find_line_break = re.compile(r"[\r\n]").search


def canonical_name(name: str) -> str:
    """Return the one spelling under which a header is kept, whatever the case or form it came in.

    Raises MessageError for what is no header name (RFC 3261 section 7.3.1).
    """
    if known := HEADER_NAMES.get(name):
        return known
    if known := HEADER_NAMES.get(name.lower()):
        return known
    if not is_token(name):
        raise MessageError("a header name that is no token")
    return "-".join(part.capitalize() for part in name.split("-"))


def has_line_break(text: str) -> bool:
    """Tell whether a text would end the line that it is written into."""
    return _find_line_break(text) is not None


def parse_number(text: str, largest: int) -> int:
    """Return a decimal number from 0 to `largest`; leading zeros do not count.

    Raises MessageError for anything else.
    """
    if not text.isdecimal() or not text.isascii() or len(text) > 10 < len(text := text.lstrip("0")):
        raise MessageError("no number, or one that is too large")
    number = int(text or "0")
    if number > largest:
        raise MessageError("no number, or one that is too large")
    return number


def quote(text: str) -> str:
    """Return a text as a quoted-string."""
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def unquote(text: str) -> str:
    """Return what a quoted-string says; a text without quotes is returned as it is."""
    if not text.startswith('"') or not text.endswith('"', 1):
        return text
    text = text[1:-1]
    if "\\" not in text:
        return text
    # An escaped backslash must not escape what follows it, so the pairs are taken from the left.
    return "\\".join(piece.replace("\\", "") for piece in text.split("\\\\"))


def end_of_quoted(text: str, start: int) -> int:
    """Return the index behind the quoted-string that opens at `start`.

    Raises MessageError where it is never closed.
    """
    position = text.find('"', start + 1)
    if position >= 0 and text.find("\\", start + 1, position) < 0:
        return position + 1
    position = start + 1
    while mark := _find_quote_mark(text, position):
        if mark.group() == '"':
            return mark.end()
        position = mark.end() + 1
    raise MessageError("a quoted text that is never closed")


def split_list(text: str) -> list[str]:
    """Split a header value at its commas, save those in quotes and in angle brackets (RFC 3261 section 7.3.1).

    The pieces have no white space around them; empty ones are kept. An unclosed quote or bracket reaches to the end.
    """
    if "," not in text:
        return [text.strip(WHITE_SPACE)]
    pieces = []
    begin = passed = 0
    quoted = bracketed = False
    for mark in _list_marks(text):
        position = mark.start()
        if position < passed:
            continue
        match mark.group():
            case "\\":
                passed = position + 2 if quoted else passed
            case '"':
                quoted = not quoted
            case _ if quoted:
                continue
            case ",":
                if not bracketed:
                    pieces.append(text[begin:position].strip(WHITE_SPACE))
                    begin = position + 1
            case bracket:
                bracketed = bracket == "<"
    pieces.append(text[begin:].strip(WHITE_SPACE))
    return pieces


def split_params(text: str) -> list[str]:
    """Split a text at its semicolons, save those in quotes; white space is left where it is."""
    if '"' not in text:
        return text.split(";")
    pieces = []
    begin = passed = 0
    quoted = False
    for mark in _param_marks(text):
        position = mark.start()
        if position < passed:
            continue
        match mark.group():
            case "\\":
                passed = position + 2 if quoted else passed
            case '"':
                quoted = not quoted
            case _:
                if not quoted:
                    pieces.append(text[begin:position])
                    begin = position + 1
    pieces.append(text[begin:])
    return pieces


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Split `host[:port]`; the host comes back in lower case, an IPv6 address without its brackets.

    White space around the colon is allowed, as a Via has it. Raises MessageError.
    """
    if text[:1] == "[":
        host, bracket, rest = text[1:].partition("]")
        between, colon, port = rest.partition(":")
        if not bracket or between.strip(WHITE_SPACE):
            raise MessageError("an IPv6 reference that is never closed")
        host = parse_ipv6(host)
    else:
        if ":" not in text and is_host_name(text) and len(text) <= MAX_HOST_LENGTH:
            return text.lower(), None
        host, colon, port = text.partition(":")
        if not is_host_name(host) and not is_host_name(host := host.rstrip(WHITE_SPACE)):
            raise MessageError("a host that is none")
        if len(host) > MAX_HOST_LENGTH:
            raise MessageError("a host name that is too long")
        host = host.lower()
    if not colon:
        return host, None
    number = parse_number(port.strip(WHITE_SPACE), MAX_PORT)
    if not number:
        raise MessageError("port 0")
    return host, number


def parse_ipv6(text: str) -> str:
    """Return an IPv6 address in lower case.

    RFC 3261's grammar puts a third colon before an embedded IPv4 address; RFC 5118 section 4.10 wants it
    tolerated, and it is left out here. Raises MessageError.
    """
    if not _is_ipv6_text(text) or len(text) > MAX_HOST_LENGTH:
        raise MessageError("an IPv6 reference that is none")
    if ":::" in text and "." in text:
        head, _, tail = text.rpartition(":::")
        if ":" not in tail:
            text = f"{head}::{tail}"
    try:
        IPv6Address(text)
    except AddressValueError:
        raise MessageError("an IPv6 reference that is none") from None
    return text.lower()


def format_host_port(host: str, port: int | None) -> str:
    """Write `host[:port]`, an IPv6 address in brackets."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"
