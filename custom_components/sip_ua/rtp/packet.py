"""RTP packets read and written (RFC 3550 section 5; telling RTCP from RTP on one port by RFC 5761 section 4)."""

from struct import Struct
from typing import Final, NamedTuple

from .errors import PacketError

VERSION: Final = 2
HEADER_BYTES: Final = 12
MAX_PACKET_BYTES: Final = 2048
"""Longer datagrams are no voice."""

SEQUENCE_MODULUS: Final = 1 << 16
TIMESTAMP_MODULUS: Final = 1 << 32

_HEADER: Final = Struct("!BBHII")
_EXTENSION: Final = Struct("!HH")
_MARKER: Final = 0x80
_PADDING: Final = 0x20
_EXTENDED: Final = 0x10
_FIRST_OCTET: Final = VERSION << 6


class RtpPacket(NamedTuple):
    """One RTP packet; a tuple because fifty a second and call are made.

    `extension` is the header extension as (profile, data), with its data a multiple of four bytes.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None

    def to_bytes(self, padding: int = 0) -> bytes:
        """Serialise, followed by that many padding bytes (0 to 255)."""
        first = _FIRST_OCTET | len(self.csrc)
        parts = [b"".join(source.to_bytes(4) for source in self.csrc)]
        if self.extension is not None:
            first |= _EXTENDED
            profile, data = self.extension
            parts += [_EXTENSION.pack(profile, len(data) // 4), data]
        parts.append(self.payload)
        if padding:
            first |= _PADDING
            parts += [bytes(padding - 1), bytes((padding,))]
        second = self.payload_type | (_MARKER if self.marker else 0)
        return _HEADER.pack(first, second, self.sequence, self.timestamp, self.ssrc) + b"".join(parts)


def write_packet(payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool) -> bytes:
    """Serialise a packet without CSRC, extension and padding, as every packet of ours is."""
    second = payload_type | _MARKER if marker else payload_type
    return _HEADER.pack(_FIRST_OCTET, second, sequence, timestamp, ssrc) + payload


def parse_packet(data: bytes) -> RtpPacket:
    """Read one datagram; raises `PacketError` when it is no RTP packet."""
    size = len(data)
    if not HEADER_BYTES <= size <= MAX_PACKET_BYTES:
        raise PacketError(f"{size} bytes cannot be an RTP packet")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first == _FIRST_OCTET:
        return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[HEADER_BYTES:], second > 0x7F)
    if first >> 6 != VERSION:
        raise PacketError(f"RTP version {first >> 6}")
    start = HEADER_BYTES + 4 * (first & 0x0F)
    csrc = tuple(int.from_bytes(data[at : at + 4]) for at in range(HEADER_BYTES, start, 4))
    extension = None
    if first & _EXTENDED:
        if start + 4 > size:
            raise PacketError("header extension cut off")
        profile, words = _EXTENSION.unpack_from(data, start)
        extension = (profile, data[start + 4 : start + 4 + 4 * words])
        start += 4 + 4 * words
    end = size
    if first & _PADDING:
        end -= data[-1]
        if end == size:
            raise PacketError("padding of length 0")
    if start > end:
        raise PacketError("header and padding longer than the packet")
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end], second > 0x7F, csrc, extension)


def is_rtcp(data: bytes) -> bool:
    """Tell whether a datagram that came to an RTP port is RTCP."""
    return len(data) > 1 and 192 <= data[1] <= 223


def sequence_distance(later: int, earlier: int) -> int:
    """Give `later` - `earlier` in 16-bit serial arithmetic, from -32768 to 32767."""
    return (later - earlier + 0x8000 & 0xFFFF) - 0x8000


def timestamp_distance(later: int, earlier: int) -> int:
    """Give `later` - `earlier` in 32-bit serial arithmetic, from -2**31 to 2**31 - 1."""
    return (later - earlier + 0x80000000 & 0xFFFFFFFF) - 0x80000000
