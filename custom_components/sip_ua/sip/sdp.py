"""Session descriptions as data, read tolerantly and written strictly (RFC 8866, obsoleting RFC 4566)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import override

from .errors import SdpError

MAX_SDP_LENGTH = 65535
MAX_LINES = 2048
MAX_MEDIA = 32
MAX_FORMATS = 128
MAX_PORT = 65535
CRYPTO = "crypto"
"""The attribute that holds a key (RFC 4568)."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One `a=` line: a flag where `value` is None (RFC 8866 section 5.13)."""

    name: str
    value: str | None = None

    @override
    def __str__(self) -> str:
        """Write the attribute as it stands behind `a=`."""
        return self.name if self.value is None else f"{self.name}:{self.value}"

    @override
    def __repr__(self) -> str:
        """Name the attribute; a key stays hidden."""
        value = "..." if self.name == CRYPTO and self.value is not None else self.value
        return f"Attribute(name={self.name!r}, value={value!r})"


class _Attributes:
    """Look-up of attributes by name, which are case-sensitive (RFC 8866 section 5.13)."""

    __slots__ = ()

    attributes: tuple[Attribute, ...]

    def has(self, name: str) -> bool:
        """Tell whether the attribute is there, with or without a value."""
        return any(attribute.name == name for attribute in self.attributes)

    def get(self, name: str) -> str | None:
        """Return the first value of an attribute."""
        return next(self.values(name), None)

    def values(self, name: str) -> Iterator[str]:
        """Yield every value of an attribute."""
        return (item.value for item in self.attributes if item.name == name and item.value is not None)


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line (RFC 8866 section 5.2); a peer's numbers are kept as text, for all we do is compare them."""

    username: str
    session_id: str
    version: str
    address_type: str
    address: str

    @override
    def __str__(self) -> str:
        """Write the line's value."""
        return f"{self.username} {self.session_id} {self.version} IN {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A `c=` line (RFC 8866 section 5.7); `address` as written, be it a host name or followed by a TTL."""

    address_type: str
    address: str

    @override
    def __str__(self) -> str:
        """Write the line's value."""
        return f"IN {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class MediaDescription(_Attributes):
    """One `m=` line with the lines that belong to it (RFC 8866 section 5.14)."""

    media: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int = 1
    connection: Connection | None = None
    bandwidths: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()

    @property
    def line(self) -> str:
        """The value of the `m=` line."""
        count = f"/{self.port_count}" if self.port_count > 1 else ""
        return " ".join((self.media, f"{self.port}{count}", self.protocol, *self.formats))

    def lines(self) -> Iterator[str]:
        """Yield the lines of this description in the order the grammar wants."""
        yield f"m={self.line}"
        if self.connection is not None:
            yield f"c={self.connection}"
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        yield from (f"a={attribute}" for attribute in self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription(_Attributes):
    """A whole description; lines that nobody here reads (i, u, e, p, r, z, k and unknown ones) are not kept."""

    origin: Origin | None = None
    name: str = "-"
    connection: Connection | None = None
    bandwidths: tuple[str, ...] = ()
    times: tuple[str, ...] = ("0 0",)
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield the lines in the order the grammar wants."""
        yield "v=0"
        if self.origin is not None:
            yield f"o={self.origin}"
        yield f"s={self.name}"
        if self.connection is not None:
            yield f"c={self.connection}"
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        yield from (f"t={time}" for time in self.times)
        yield from (f"a={attribute}" for attribute in self.attributes)
        for media in self.media:
            yield from media.lines()

    def to_bytes(self) -> bytes:
        """Write the description as a message body."""
        return "".join(f"{line}\r\n" for line in self.lines()).encode()


def address_type(address: str) -> str:
    """Return the address type that goes with a numeric address."""
    return "IP6" if ":" in address else "IP4"


def decimal(text: str, maximum: int) -> int | None:
    """Return an unsigned decimal number of plain ASCII digits, or None where it is no such number or too large."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(maximum)):
        return None
    number = int(text)
    return number if number <= maximum else None


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a description; raises SdpError, and nothing else, where it cannot be understood or is too large.

    Tolerated: any line ending, missing `o=`, `s=`, `t=`, lines out of order, unknown lines, bytes that are not UTF-8.
    """
    if len(body) > MAX_SDP_LENGTH:
        raise SdpError("session description is too long")
    text = body.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n").replace("\0", " ")
    lines = [line for line in (line.strip(" \t") for line in text.split("\n")) if line]
    if len(lines) > MAX_LINES:
        raise SdpError("session description has too many lines")
    if not lines or lines[0].replace(" ", "") != "v=0":
        raise SdpError("session description does not begin with v=0")
    section = session = _Section()
    sections: list[_Section] = []
    for line in lines[1:]:
        if line[1:2] != "=":
            raise SdpError("session description has a line without a type")
        value = line[2:].strip(" \t")
        if line[0] == "m":
            if len(sections) == MAX_MEDIA:
                raise SdpError("session description has too many media lines")
            section = _Section(media_line=value)
            sections.append(section)
        elif (reader := _READERS.get(line[0])) is not None:
            reader(section, value)
    return SessionDescription(
        origin=session.origin,
        name=session.name,
        connection=session.connection,
        bandwidths=tuple(session.bandwidths),
        times=tuple(session.times) or ("0 0",),
        attributes=tuple(session.attributes),
        media=tuple(_media_description(item) for item in sections),
    )


@dataclass(slots=True)
class _Section:
    """Lines gathered for the session or for one `m=` line."""

    media_line: str = ""
    origin: Origin | None = None
    name: str = "-"
    connection: Connection | None = None
    bandwidths: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)


def _read_origin(section: _Section, value: str) -> None:
    # Some phones write a user name with spaces, so the fixed fields are counted from the end.
    fields = value.split()
    if len(fields) >= 6:
        session_id, version, _network, kind, address = fields[-5:]
        section.origin = Origin("_".join(fields[:-5]), session_id, version, kind, address)


def _read_name(section: _Section, value: str) -> None:
    section.name = value or "-"


def _read_connection(section: _Section, value: str) -> None:
    fields = value.split()
    if len(fields) != 3 or fields[0].upper() != "IN":
        raise SdpError("session description has a connection line that is not of the Internet")
    # A second c= line of one section only adds layers of a multicast group.
    if section.connection is None:
        section.connection = Connection(fields[1].upper(), fields[2])


def _read_bandwidth(section: _Section, value: str) -> None:
    section.bandwidths.append(value)


def _read_time(section: _Section, value: str) -> None:
    section.times.append(value)


def _read_attribute(section: _Section, value: str) -> None:
    name, colon, content = value.partition(":")
    if name := name.strip(" \t"):
        section.attributes.append(Attribute(name, content.strip(" \t") if colon else None))


_READERS: dict[str, Callable[[_Section, str], None]] = {
    "o": _read_origin,
    "s": _read_name,
    "c": _read_connection,
    "b": _read_bandwidth,
    "t": _read_time,
    "a": _read_attribute,
}


def _media_description(section: _Section) -> MediaDescription:
    fields = section.media_line.split(maxsplit=MAX_FORMATS + 3)
    if len(fields) < 3:
        raise SdpError("session description has an incomplete media line")
    if len(fields) > MAX_FORMATS + 3:
        raise SdpError("session description has a media line with too many formats")
    media, ports, protocol, *formats = fields
    first, slash, count = ports.partition("/")
    port = decimal(first, MAX_PORT)
    port_count = decimal(count, MAX_PORT) if slash else 1
    if port is None or not port_count:
        raise SdpError("session description has a media line without a port number")
    return MediaDescription(
        media=media,
        port=port,
        protocol=protocol,
        formats=tuple(formats),
        port_count=port_count,
        connection=section.connection,
        bandwidths=tuple(section.bandwidths),
        attributes=tuple(section.attributes),
    )
