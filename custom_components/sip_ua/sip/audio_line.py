"""What one audio `m=` line of a peer means (RFC 3264, RFC 3551, RFC 3605, RFC 4733, RFC 6157)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from .codecs import LAST_PAYLOAD_TYPE, STATIC_PAYLOAD_TYPES, TELEPHONE_EVENT, Codec
from .errors import NegotiationError
from .sdp import MAX_PORT, Connection, MediaDescription, SessionDescription, decimal

# Warn-codes of RFC 3261 section 20.43.
WARNING_ADDRESS_FORMAT = 301
WARNING_TRANSPORT_PROTOCOL = 302
WARNING_MEDIA_TYPE = 304
WARNING_FORMAT = 305
WARNING_ATTRIBUTE = 306
WARNING_MULTICAST = 330

MAX_CLOCK_RATE = 192000
MAX_CHANNELS = 255
MAX_FMTP_LENGTH = 512
MAX_PTIME = 1000
_NOWHERE = {"IP4": "0.0.0.0", "IP6": "::"}  # noqa: S104 - the address of a held stream, nothing is bound to it
_BROADCAST = "255.255.255.255"


class MediaDirection(StrEnum):
    """Which way voice flows, seen from the side that says it (RFC 3264 section 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> MediaDirection:
        """Return the direction with these two halves."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @property
    def sends(self) -> bool:
        """Whether the side that says it sends."""
        return self in {MediaDirection.SENDRECV, MediaDirection.SENDONLY}

    @property
    def receives(self) -> bool:
        """Whether the side that says it receives."""
        return self in {MediaDirection.SENDRECV, MediaDirection.RECVONLY}

    @property
    def mirrored(self) -> MediaDirection:
        """The same stream seen from the other side."""
        return MediaDirection.of(sends=self.receives, receives=self.sends)

    def limited_to(self, other: MediaDirection) -> MediaDirection:
        """Return what both directions allow."""
        return MediaDirection.of(sends=self.sends and other.sends, receives=self.receives and other.receives)


@dataclass(frozen=True, slots=True)
class RemoteAudio:
    """A peer's audio line in our terms; `direction` is the peer's own, ptimes are milliseconds or None.

    `address` is numeric; 0.0.0.0 or :: mean that nothing may be sent there, be it RTP or RTCP.
    """

    address: str
    port: int
    rtcp: tuple[str, int]
    codecs: tuple[Codec, ...]
    events: tuple[Codec, ...]
    direction: MediaDirection
    ptime: int | None
    maxptime: int | None

    @property
    def holds(self) -> bool:
        """Whether the peer wants no voice from us for the time being (RFC 3264 section 8.4)."""
        return not self.direction.receives


def read_audio(session: SessionDescription, line: MediaDescription) -> RemoteAudio:
    """Read one audio line of a session; raises NegotiationError where its address is of no use."""
    connection = line.connection or session.connection
    if connection is None:
        raise NegotiationError("the audio line has no connection address", WARNING_ADDRESS_FORMAT)
    address = _unicast(connection)
    direction = _direction(session, line)
    if address in _NOWHERE.values():
        direction = direction.limited_to(MediaDirection.SENDONLY)
    formats = tuple(_formats(line))
    return RemoteAudio(
        address=address,
        port=line.port,
        rtcp=_rtcp(line, address),
        codecs=tuple(codec for codec in formats if codec.name.lower() != TELEPHONE_EVENT),
        events=tuple(codec for codec in formats if codec.name.lower() == TELEPHONE_EVENT),
        direction=direction,
        ptime=_milliseconds(line, "ptime"),
        maxptime=_milliseconds(line, "maxptime"),
    )


def _unicast(connection: Connection) -> str:
    """Return the numeric address of a connection line."""
    host = connection.address
    if host.lower().endswith(".invalid"):
        # RFC 6157 section 3.1: how a stream without an address is written where 0.0.0.0 has no meaning.
        return _NOWHERE.get(connection.address_type, "::")
    try:
        address = ip_address(host.partition("/")[0].partition("%")[0])
    except ValueError:
        raise NegotiationError("the connection address is not numeric", WARNING_ADDRESS_FORMAT) from None
    if address.is_multicast:
        raise NegotiationError("multicast is not available", WARNING_MULTICAST)
    if str(address) == _BROADCAST:
        raise NegotiationError("broadcast is not available", WARNING_MULTICAST)
    return str(address)


def _direction(session: SessionDescription, line: MediaDescription) -> MediaDirection:
    """Return the direction of a line, which the session's stands in for (RFC 8866 section 6.7)."""
    for section in (line, session):
        for attribute in section.attributes:
            if attribute.value is None and attribute.name in MediaDirection:
                return MediaDirection(attribute.name)
    return MediaDirection.SENDRECV


def _rtcp(line: MediaDescription, address: str) -> tuple[str, int]:
    """Return where RTCP goes: the rtcp attribute (RFC 3605), else the next port."""
    following = (address, min(line.port + 1, MAX_PORT))
    fields = (line.get("rtcp") or "").split()
    port = decimal(fields[0], MAX_PORT) if fields else None
    if not port:
        return following
    if len(fields) < 4:
        return address, port
    try:
        return _unicast(Connection(fields[2].upper(), fields[3])), port
    except NegotiationError:
        return following


def _formats(line: MediaDescription) -> Iterator[Codec]:
    """Yield the formats that are known by number or described by rtpmap, each number once."""
    rtpmaps = _by_payload_type(line, "rtpmap")
    fmtps = _by_payload_type(line, "fmtp")
    seen: set[int] = set()
    for text in line.formats:
        number = decimal(text, LAST_PAYLOAD_TYPE)
        if number is None or number in seen:
            continue
        seen.add(number)
        codec = _mapped(number, rtpmaps[number], fmtps.get(number, "")) if number in rtpmaps else None
        if codec is None:
            codec = STATIC_PAYLOAD_TYPES.get(number)
        if codec is not None:
            yield codec


def _by_payload_type(line: MediaDescription, name: str) -> dict[int, str]:
    """Return the values of an attribute that begins with a payload type; the first one counts."""
    found: dict[int, str] = {}
    for value in line.values(name):
        number_text, _space, rest = value.partition(" ")
        number = decimal(number_text, LAST_PAYLOAD_TYPE)
        if number is not None:
            found.setdefault(number, rest.strip())
    return found


def _mapped(number: int, rtpmap: str, fmtp: str) -> Codec | None:
    """Read `name/clock rate[/channels]`; None where it is broken."""
    name, *numbers = (part.strip() for part in rtpmap.split("/", 2))
    clock_rate = decimal(numbers[0], MAX_CLOCK_RATE) if numbers else None
    channels = decimal(numbers[1], MAX_CHANNELS) if len(numbers) > 1 else 1
    if not name or not clock_rate:
        return None
    if name.upper() == "G722":
        # Some devices write the sampling rate; RFC 3551 section 4.5.2 fixes the clock at 8000 Hz.
        clock_rate = 8000
    return Codec(name, clock_rate, number, channels or 1, fmtp if len(fmtp) <= MAX_FMTP_LENGTH else "")


def _milliseconds(line: MediaDescription, name: str) -> int | None:
    """Return a packet time; fractions, which some codecs write, are cut off."""
    whole = (line.get(name) or "").partition(".")[0]
    return decimal(whole, MAX_PTIME) or None
