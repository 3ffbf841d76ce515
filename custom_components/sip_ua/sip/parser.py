"""The head of a message: where it ends, its start line and its header fields (RFC 3261 sections 7.1 to 7.5)."""

from typing import Final, NamedTuple

from .errors import MessageError
from .grammar import (
    MAX_HEADER_LENGTH,
    MAX_HEADERS,
    MAX_MESSAGE,
    WHITE_SPACE,
    canonical_name,
    parse_number,
)
from .header_names import HEADER_NAMES

LINE_ENDS: Final = b"\r\n"
_CR: Final = 13


class Head(NamedTuple):
    """Start line and fields (canonical name, value), and the first thing that was wrong with them."""

    start_line: str
    fields: list[tuple[str, str]]
    problem: MessageError | None


def find_head_end(data: bytes | bytearray, start: int = 0) -> tuple[int, int] | None:
    """Return where the head ends, its last line without CRLF, and where the body begins.

    None where the empty line has not come. Lines may end in a bare LF. The search begins at `start`.
    """
    end = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, end + 1 if end >= 0 else len(data))
    if bare < 0 <= end:
        bare, body = end, end + 3
    elif bare >= 0:
        body = bare + 2
    else:
        return None
    return (bare - 1 if bare and data[bare - 1] == _CR else bare), body


def read_plain_lines(head: bytes) -> tuple[str, list[tuple[str, str]]] | None:
    """Return start line and header fields where each line is whole, ends in CRLF and has a name that we know.

    None leaves the rest to `read_head`. Bytes that are no UTF-8 become surrogates, and the same bytes again when the
    message is written.
    """
    text = head.decode("utf-8", "surrogateescape")
    start_line, *lines = text.split("\r\n")
    if len(lines) > MAX_HEADERS or len(text) > MAX_HEADER_LENGTH:
        return None
    if not text.count("\n") == text.count("\r") == len(lines):
        return None
    try:
        fields = [
            (HEADER_NAMES[name], value.strip(WHITE_SPACE))
            for line in lines
            for name, colon, value in (line.partition(":"),)
            if colon
        ]
    except KeyError:
        return None
    return (start_line, fields) if len(fields) == len(lines) else None


def read_head(data: bytes) -> Head:
    """Read start line and header fields; a broken field is left out and named, the others are there."""
    plain = read_plain_lines(data)
    if plain is not None:
        return Head(*plain, None)
    return _read_unusual_head(data.decode("utf-8", "surrogateescape"))


def _read_unusual_head(text: str) -> Head:
    """Read a head with folded lines, unknown names, bare line ends or mistakes."""
    text = text.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ")
    problem = _find_problem(text)
    # Fields of a broken request go into its answer, where no CR may stand.
    start_line, *lines = text.replace("\r", " ").split("\n")
    fields = []
    for line in lines[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        try:
            name = canonical_name(name.rstrip(WHITE_SPACE) if colon else "")
        except MessageError as err:
            problem = problem or err
        else:
            fields.append((name, value.strip(WHITE_SPACE)))
    return Head(start_line, fields, problem)


def _find_problem(text: str) -> MessageError | None:
    if "\r" in text:
        return MessageError("a CR inside a line")
    if text.count("\n") > MAX_HEADERS:
        return MessageError(f"more than {MAX_HEADERS} header fields")
    if len(text) > MAX_HEADER_LENGTH < max(map(len, text.split("\n"))):
        return MessageError(f"a line of more than {MAX_HEADER_LENGTH} characters")
    return None


def parse_content_length(values: list[str]) -> int | None:
    """Return the length of the body that the values of Content-Length give; None where there is none.

    Raises MessageError for several, or for what is no length of a message.
    """
    if not values:
        return None
    if len(values) > 1:
        raise MessageError("given more than once")
    return parse_number(values[0], MAX_MESSAGE)
