"""RTCP compound packets and the time between them (RFC 3550 section 6, appendix A.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import e
from struct import Struct
from typing import Final

from .errors import PacketError

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203

MAX_COMPOUND_BYTES: Final = 2048
MAX_PACKETS: Final = 16
MAX_TEXT_BYTES: Final = 255
CNAME: Final = 1

NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""

MINIMUM_INTERVAL: Final = 5.0
SENDER_SHARE: Final = 0.25
_COMPENSATION: Final = e - 1.5

_HEADER: Final = Struct("!BBH")
_SENDER_INFO: Final = Struct("!IIIII")
_REPORT_BLOCK: Final = Struct("!IIIIII")
_VERSION_BITS: Final = 0x80


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What one receiver says about one source.

    `fraction_lost` is in 1/256, `jitter` in timestamp units, the delay in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR (section 6.4.1); `ntp` is a 64-bit NTP timestamp."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packets: int
    octets: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR (section 6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """One chunk of SDES (section 6.5) with its CNAME, the one item kept."""

    ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE (section 6.6)."""

    sources: tuple[int, ...]
    reason: str = ""


type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye


def ntp_time(unix: float) -> int:
    """Give the 64-bit NTP timestamp of a Unix time in seconds (section 4)."""
    return int((unix + NTP_EPOCH) * 0x1_0000_0000) & 0xFFFF_FFFF_FFFF_FFFF


def compact_ntp(ntp: int) -> int:
    """Give the middle 32 bits of an NTP timestamp, in 1/65536 s."""
    return ntp >> 16 & 0xFFFF_FFFF


def write_compound(packets: Sequence[RtcpPacket]) -> bytes:
    """Serialise packets behind one another; a compound begins with a report (section 6.1)."""
    return b"".join(map(_write, packets))


def _write(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            info = (packet.ntp >> 32, packet.ntp & 0xFFFF_FFFF, packet.rtp_timestamp, packet.packets, packet.octets)
            body = packet.ssrc.to_bytes(4) + _SENDER_INFO.pack(*info) + _write_blocks(packet.blocks)
            return _frame(SENDER_REPORT, len(packet.blocks), body)
        case ReceiverReport():
            return _frame(RECEIVER_REPORT, len(packet.blocks), packet.ssrc.to_bytes(4) + _write_blocks(packet.blocks))
        case SourceDescription():
            text = packet.cname.encode()[:MAX_TEXT_BYTES]
            item = packet.ssrc.to_bytes(4) + bytes((CNAME, len(text))) + text
            return _frame(SOURCE_DESCRIPTION, 1, item + bytes(4 - len(item) % 4))
        case Goodbye():
            body = b"".join(source.to_bytes(4) for source in packet.sources)
            if reason := packet.reason.encode()[:MAX_TEXT_BYTES]:
                body += bytes((len(reason),)) + reason
            return _frame(GOODBYE, len(packet.sources), body + bytes(-len(body) % 4))


def _frame(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(_VERSION_BITS | count, kind, len(body) // 4) + body


def _write_blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(
        _REPORT_BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | block.cumulative_lost & 0xFF_FFFF,
            block.highest_sequence & 0xFFFF_FFFF,
            min(block.jitter, 0xFFFF_FFFF),
            block.last_sr,
            block.delay_since_last_sr,
        )
        for block in blocks
    )


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Read one datagram; unknown packet types are passed over. Raises `PacketError` for anything that is no RTCP."""
    size = len(data)
    if not _HEADER.size <= size <= MAX_COMPOUND_BYTES:
        raise PacketError(f"{size} bytes cannot be an RTCP packet")
    packets: list[RtcpPacket] = []
    at = count = 0
    while at < size:
        if at + _HEADER.size > size:
            raise PacketError("RTCP header cut off")
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + _HEADER.size + 4 * words
        if first >> 6 != 2:
            raise PacketError(f"RTCP version {first >> 6}")
        if end > size:
            raise PacketError("RTCP packet cut off")
        body = data[at + _HEADER.size : end]
        if first & 0x20:
            body = _without_padding(body)
        reader = _READERS.get(kind)
        if reader is not None:
            packets.extend(reader(body, first & 0x1F))
        at = end
        count += 1
        if count == MAX_PACKETS:
            break
    return packets


def _without_padding(body: bytes) -> bytes:
    if not body or not 0 < body[-1] <= len(body):
        raise PacketError("padding of RTCP packet is wrong")
    return body[: -body[-1]]


def _source(body: bytes, at: int = 0) -> int:
    if at + 4 > len(body):
        raise PacketError("RTCP packet cut off")
    return int.from_bytes(body[at : at + 4])


def _read_blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    if at + count * _REPORT_BLOCK.size > len(body):
        raise PacketError("report block cut off")
    blocks = []
    for number in range(count):
        ssrc, losses, *rest = _REPORT_BLOCK.unpack_from(body, at + number * _REPORT_BLOCK.size)
        cumulative = (losses & 0xFF_FFFF ^ 0x80_0000) - 0x80_0000
        blocks.append(ReportBlock(ssrc, losses >> 24, cumulative, *rest))
    return tuple(blocks)


def _read_sender_report(body: bytes, count: int) -> list[RtcpPacket]:
    ssrc = _source(body)
    if len(body) < 4 + _SENDER_INFO.size:
        raise PacketError("sender report cut off")
    seconds, fraction, rtp_timestamp, packets, octets = _SENDER_INFO.unpack_from(body, 4)
    blocks = _read_blocks(body, 4 + _SENDER_INFO.size, count)
    return [SenderReport(ssrc, seconds << 32 | fraction, rtp_timestamp, packets, octets, blocks)]


def _read_receiver_report(body: bytes, count: int) -> list[RtcpPacket]:
    return [ReceiverReport(_source(body), _read_blocks(body, 4, count))]


def _read_source_description(body: bytes, count: int) -> list[RtcpPacket]:
    chunks: list[RtcpPacket] = []
    at = 0
    for _ in range(count):
        ssrc, cname = _source(body, at), None
        start = at
        at += 4
        while True:
            if at >= len(body):
                raise PacketError("source description cut off")
            kind = body[at]
            if kind == 0:
                break
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                raise PacketError("source description cut off")
            if kind == CNAME:
                cname = body[at + 2 : at + 2 + body[at + 1]].decode(errors="replace")
            at += 2 + body[at + 1]
        at = start + ((at - start) // 4 + 1) * 4
        if cname is not None:
            chunks.append(SourceDescription(ssrc, cname))
    return chunks


def _read_goodbye(body: bytes, count: int) -> list[RtcpPacket]:
    sources = tuple(_source(body, 4 * number) for number in range(count))
    rest = body[4 * count :]
    reason = rest[1 : 1 + rest[0]].decode(errors="replace") if rest else ""
    return [Goodbye(sources, reason)]


_READERS: Final = {
    SENDER_REPORT: _read_sender_report,
    RECEIVER_REPORT: _read_receiver_report,
    SOURCE_DESCRIPTION: _read_source_description,
    GOODBYE: _read_goodbye,
}


def transmission_interval(
    *,
    members: int,
    senders: int,
    we_sent: bool,
    bandwidth: float,
    average_size: float,
    initial: bool,
    chance: float,
    minimum: float = MINIMUM_INTERVAL,
) -> float:
    """Give the seconds until the next report (section 6.3.1).

    `bandwidth` is RTCP's share in octets per second, `average_size` that of a compound with its UDP and IP headers in
    octets, `chance` a random number from 0 up to 1.
    """
    if initial:
        minimum /= 2
    sharing = members
    if 0 < senders <= members * SENDER_SHARE:
        bandwidth *= SENDER_SHARE if we_sent else 1 - SENDER_SHARE
        sharing = senders if we_sent else members - senders
    deterministic = max(minimum, average_size * sharing / bandwidth if bandwidth > 0 else minimum)
    return deterministic * (chance + 0.5) / _COMPENSATION
