"""Header fields: the ordered list of them, and the values that have a structure (RFC 3261 sections 7.3 and 20)."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, override

from .account import Transport
from .errors import LocalProtocolError, MessageError
from .grammar import (
    MAX_CSEQ,
    MAX_DELTA_SECONDS,
    MAX_PORT,
    METHODS,
    PLAIN_HOST_PORT,
    SIP_VERSION,
    WHITE_SPACE,
    canonical_name,
    end_of_quoted,
    format_host_port,
    has_line_break,
    is_token,
    parse_host_port,
    parse_number,
    quote,
    split_list,
    unquote,
)
from .header_names import HEADER_NAMES
from .params import NO_PARAMS, Params
from .uri import Uri, parse_uri, plain_sip_uri

# As in `uri`: what most messages have, in one pattern.
_is_plain_via = re.compile(
    rf"{re.escape(SIP_VERSION)}/(UDP|TCP|TLS) {PLAIN_HOST_PORT}(?:;([A-Za-z0-9.!%*_+`'~=;:-]++))?+"
).fullmatch
_VIA_START: Final = f"{SIP_VERSION}/"
_VIA_TRANSPORTS: Final = frozenset(transport.via for transport in Transport)


class Headers:
    """Header fields in the order of the message, every occurrence kept.

    Names are case-insensitive and may be given in their compact form; LocalProtocolError is raised for what is no
    name. Values are one line each. What is parsed from a value (`typed`) is kept until that header changes.
    """

    __slots__ = ("_first", "_items", "_typed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        """Take (name, value) pairs; raises LocalProtocolError as `add` does."""
        self._items: list[tuple[str, str]] = []
        self._first: dict[str, str] | None = None
        self._typed: dict[str, Any] = {}
        for name, value in items:
            self._items.append((_checked_name(name, value), value))

    @classmethod
    def from_wire(
        cls, items: list[tuple[str, str]], first: dict[str, str] | None = None, typed: dict[str, Any] | None = None
    ) -> Headers:
        """Take over what a parser made: canonical names, values without line breaks.

        Where it knows them, also the first value of every header, and what it has parsed.
        """
        headers = object.__new__(cls)
        headers._items, headers._first, headers._typed = items, first, typed or {}
        return headers

    def _changed(self, name: str) -> None:
        self._first = None
        self._typed.pop(name, None)

    def first_values(self) -> dict[str, str]:
        """Return the first value of every header by its canonical name, to be read only; made anew after a change."""
        if self._first is None:
            self._first = dict(reversed(self._items))
        return self._first

    def add(self, name: str, value: str) -> None:
        """Append a field; raises LocalProtocolError where name or value cannot stand in a message."""
        name = _checked_name(name, value)
        self._items.append((name, value))
        self._changed(name)

    def insert_first(self, name: str, value: str) -> None:
        """Put a field before all others, as a Via is put on top; errors as of `add`."""
        name = _checked_name(name, value)
        self._items.insert(0, (name, value))
        self._changed(name)

    def set(self, name: str, value: str) -> None:
        """Make a header have this one value, at its old place or at the end; errors as of `add`."""
        name = _checked_name(name, value)
        place = self._place(name)
        before, behind = self._items[:place], self._items[place:]
        self._items = [*before, (name, value), *(item for item in behind if item[0] != name)]
        self._changed(name)

    def replace_first(self, name: str, value: str) -> None:
        """Replace the first value of a list header and leave the others, also those in the same line.

        A header that is missing is added. Errors as of `add`.
        """
        name = _checked_name(name, value)
        place = self._place(name)
        others = split_list(self._items[place][1])[1:] if place < len(self._items) else []
        self._items[place : place + 1] = [(name, ", ".join([value, *others]))]
        self._changed(name)

    def remove(self, name: str) -> None:
        """Remove every occurrence of a header, if there is one."""
        name = _known_name(name)
        self._items = [item for item in self._items if item[0] != name]
        self._changed(name)

    def _place(self, name: str) -> int:
        """Return the index of the first field of a name; behind the last where there is none."""
        return next((index for index, item in enumerate(self._items) if item[0] == name), len(self._items))

    def get(self, name: str) -> str | None:
        """Return the first value of a header."""
        return self.first_values().get(HEADER_NAMES.get(name) or _known_name(name))

    def get_all(self, name: str) -> list[str]:
        """Return the value of every occurrence, each as its line has it."""
        return self._all(HEADER_NAMES.get(name) or _known_name(name))

    def _all(self, name: str) -> list[str]:
        first = self._first or self.first_values()
        if name not in first:
            return []
        if len(first) == len(self._items):
            return [first[name]]
        return [value for kept, value in self._items if kept == name]

    def repeated(self, names: Iterable[str]) -> str | None:
        """Return the first of the names, in their canonical spelling, that more than one field has."""
        if len(self.first_values()) == len(self._items):
            return None
        return next((name for name in names if len(self._all(name)) > 1), None)

    def split(self, name: str) -> list[str]:
        """Return the elements of a list header over all its lines; empty elements are left out.

        Not for headers whose commas mean something else: authentication, Date, User-Agent, Subject.
        """
        return [piece for line in self.get_all(name) for piece in split_list(line) if piece]

    def typed_only[T](self, name: str, parse: Callable[[str], T]) -> T:
        """Return what `parse` makes of a header that is there exactly once; otherwise as `typed`."""
        if name in self._typed:
            value: T = self._typed[name]
            return value
        first = self._first or self.first_values()
        try:
            if name not in first:
                raise MessageError("missing")  # noqa: TRY301
            if len(first) != len(self._items) and len(self._all(name)) > 1:
                raise MessageError("given more than once")  # noqa: TRY301
            value = self._typed[name] = parse(first[name])
        except MessageError as err:
            raise MessageError(f"{name}: {err}", err.status) from None
        return value

    def typed[T](self, name: str, parse: Callable[[list[str]], T]) -> T:
        """Return what `parse` makes of all values of a header, parsed once for each change of them.

        `name` is in its canonical spelling and always goes with the same `parse`. Raises MessageError as `parse`
        does, with the name of the header.
        """
        if name in self._typed:
            value: T = self._typed[name]
            return value
        try:
            value = self._typed[name] = parse(self._all(name))
        except MessageError as err:
            raise MessageError(f"{name}: {err}", err.status) from None
        return value

    def forget_parsed(self) -> None:
        """Let go of what was parsed; it is parsed again for whoever asks."""
        self._first = None
        self._typed = {}

    def copy(self) -> Headers:
        """Return headers that change apart from these."""
        headers = Headers.from_wire(self._items.copy())
        headers._typed = self._typed.copy()  # noqa: SLF001
        return headers

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Iterate over (name, value) in the order of the message."""
        return iter(self._items)

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        """Tell whether a header is there."""
        return (HEADER_NAMES.get(name) or _known_name(name)) in self.first_values()

    @override
    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @override
    def __repr__(self) -> str:
        """Name the headers, not their values: some are secrets."""
        return f"Headers({', '.join(name for name, _ in self._items)})"


def _checked_name(name: str, value: str) -> str:
    if has_line_break(value):
        raise LocalProtocolError("a header value with a line break")
    return _known_name(name)


def _known_name(name: str) -> str:
    try:
        return canonical_name(name)
    except MessageError as err:
        raise LocalProtocolError(str(err)) from None


# Fields are Final for the type checker instead of frozen at run time: a message has a dozen of these objects, and
# a frozen one takes four times as long to make.
@dataclass(slots=True, unsafe_hash=True)
class NameAddr:
    """A URI with a display name (unquoted, "" for none) and header parameters, as in From, To, Contact and Route."""

    display_name: Final[str]
    uri: Final[Uri]
    params: Final[Params] = NO_PARAMS

    @property
    def tag(self) -> str | None:
        """The dialog tag of a From or To."""
        return self.params.get("tag")

    @property
    def expires(self) -> int | None:
        """The `expires` parameter of a Contact in seconds; None where it is missing or unreadable."""
        return parse_seconds(self.params.get("expires"))

    def with_tag(self, tag: str) -> NameAddr:
        """Return this with another tag."""
        return replace(self, params=self.params.with_param("tag", tag))

    @override
    def __str__(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{self.params}"


@dataclass(slots=True, unsafe_hash=True)
class Via:
    """One hop that a request passed (RFC 3261 section 20.42).

    `transport` is in upper case, `host` in lower case and without brackets.
    """

    transport: Final[str]
    host: Final[str]
    port: Final[int | None] = None
    params: Final[Params] = NO_PARAMS

    @property
    def branch(self) -> str | None:
        """The transaction's identifier."""
        return self.params.get("branch")

    @property
    def received(self) -> str | None:
        """The address the request came from; IPv6 without the brackets that some write (RFC 5118 section 4.5)."""
        received = self.params.get("received")
        return received.strip("[]") if received else None

    @property
    def rport(self) -> int | None:
        """The port the request came from (RFC 3581); None where it is missing, unreadable or only asked for."""
        try:
            return parse_number(self.params.get("rport") or "", MAX_PORT) or None
        except MessageError:
            return None

    @property
    def wants_rport(self) -> bool:
        """Whether answers are to go to the port the request came from (RFC 3581)."""
        return "rport" in self.params

    def with_param(self, name: str, value: str | None = None) -> Via:
        """Return this with one parameter set."""
        return replace(self, params=self.params.with_param(name, value))

    @override
    def __str__(self) -> str:
        return f"{_VIA_START}{self.transport} {format_host_port(self.host, self.port)}{self.params}"


@dataclass(slots=True, unsafe_hash=True)
class CSeq:
    """Sequence number and method of a transaction (RFC 3261 section 20.16)."""

    number: Final[int]
    method: Final[str]

    @override
    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def plain_name_addr(text: str) -> NameAddr | None:
    """Parse what a From, To, Contact or Route mostly is; None leaves it to `parse_name_addr`. Raises MessageError."""
    name, _, rest = text.partition("<")
    uri_text, closing, tail = rest.partition(">")
    uri = plain_sip_uri(uri_text) if closing and tail[:1] in ("", ";") else None
    name = name.rstrip(WHITE_SPACE)
    if name[:1] == '"' == name[-1:] and len(name) > 1 and "\\" not in name:
        name = name[1:-1]
    if uri is None or '"' in name:
        return None
    return NameAddr(name, uri, Params.parse(tail[1:]) if tail else NO_PARAMS)


def parse_name_addr(text: str) -> NameAddr:
    """Parse `[display-name] <URI>;params` or `URI;params` (RFC 3261 section 20.10). Raises MessageError."""
    text = text.strip(WHITE_SPACE)
    if plain := plain_name_addr(text):
        return plain
    if text.startswith('"'):
        end = end_of_quoted(text, 0)
        opening = text.find("<", end)
        if opening < 0 or text[end:opening].strip(WHITE_SPACE):
            raise MessageError("a display name without a URI in brackets")
        name = unquote(text[:end])
    else:
        opening = text.find("<")
        name = text[:opening].rstrip(WHITE_SPACE)
        if opening < 0 or '"' in name:
            return _parse_addr_spec(text)
    closing = text.find(">", opening)
    if closing < 0:
        raise MessageError("a URI in brackets that are never closed")
    uri = parse_uri(text[opening + 1 : closing].strip(WHITE_SPACE))
    tail = text[closing + 1 :]
    return NameAddr(name, uri, _parse_tail(tail) if tail else NO_PARAMS)


def _parse_addr_spec(text: str) -> NameAddr:
    """Parse a URI without brackets: what follows a semicolon is the header's, and `?` or a comma need brackets."""
    uri, semicolon, params = text.partition(";")
    if "?" in uri or "," in uri:
        raise MessageError("a URI that needs brackets")
    return NameAddr("", parse_uri(uri.rstrip(WHITE_SPACE)), Params.parse(params) if semicolon else NO_PARAMS)


def _parse_tail(text: str) -> Params:
    before, semicolon, params = text.partition(";")
    if not semicolon or before.strip(WHITE_SPACE):
        raise MessageError("text behind a URI in brackets")
    return Params.parse(params)


def parse_name_addrs(lines: Iterable[str]) -> list[NameAddr]:
    """Parse every element of the lines of a list header, as Contact, Route and Record-Route. Raises MessageError."""
    return [parse_name_addr(piece) for line in lines for piece in split_list(line)]


def plain_via(text: str) -> Via | None:
    """Parse what a Via mostly is; None leaves it to `parse_via`. Raises MessageError."""
    plain = _is_plain_via(text)
    if plain is None:
        return None
    transport, host, port, params = plain.groups()
    number = None if port is None else int(port)
    return Via(transport, host.lower(), number, NO_PARAMS if params is None else Params.parse(params))


def parse_via(text: str) -> Via:
    """Parse one Via value; white space may stand around its slashes, colon and parameters. Raises MessageError."""
    if plain := plain_via(text):
        return plain
    hop, semicolon, written = text.partition(";")
    if "\t" in hop:
        hop = hop.replace("\t", " ")
    if hop.startswith(_VIA_START):
        transport, _, sent_by = hop[len(_VIA_START) :].lstrip(" ").partition(" ")
    else:
        protocol, _, rest = hop.partition("/")
        version, _, rest = rest.partition("/")
        # The version is not looked at: a request of another version is answered too (RFC 3261 section 21.5.6).
        if protocol.strip(" ").upper() != "SIP" or not is_token(version.strip(" ")):
            raise MessageError("a Via of another protocol")
        transport, _, sent_by = rest.strip(" ").partition(" ")
    if transport not in _VIA_TRANSPORTS:
        if not is_token(transport):
            raise MessageError("a Via without a transport")
        transport = transport.upper()
    host, port = parse_host_port(sent_by.strip(" "))
    return Via(transport, host, port, Params.parse(written) if semicolon else NO_PARAMS)


def parse_cseq(text: str) -> CSeq:
    """Parse a sequence number below 2**31 and a method. Raises MessageError."""
    number, _, method = (text.replace("\t", " ") if "\t" in text else text).partition(" ")
    method = method.lstrip(" ")
    if method not in METHODS and not is_token(method):
        raise MessageError("no method")
    return CSeq(parse_number(number, MAX_CSEQ), method)


def parse_seconds(text: str | None) -> int | None:
    """Return a span of time in seconds, None where it is missing or unreadable (RFC 4475 section 3.1.2.4)."""
    try:
        return None if text is None else parse_number(text.partition(";")[0].strip(WHITE_SPACE), MAX_DELTA_SECONDS)
    except MessageError:
        return None
