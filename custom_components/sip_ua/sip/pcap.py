"""A trace as a capture file that Wireshark and tshark read: libpcap's format with raw IP packets, made up around SIP.

What went by TLS is shown as plain TCP to port 5060, as its encryption was taken off before. Addresses and ports are
the real ones; checksums are right; connections have neither beginning nor end.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from .account import Transport
from .trace import Traced

LINKTYPE_RAW: Final = 101
MAGIC: Final = 0xA1B2C3D4
SNAPLEN: Final = 0xFFFF
_VERSION: Final = (2, 4)
_UDP: Final = 17
_TCP: Final = 6
_HOPS: Final = 64
_PSH_ACK: Final = 0x18
_WINDOW: Final = 0xFFFF
_PAYLOAD_MAX: Final = 65_000
_PLAIN_PORT: Final = 5060
_FILLER: Final = b"x"

type Host = IPv4Address | IPv6Address
type Flow = tuple[Host, int, Host, int]


def to_pcap(messages: Iterable[Traced]) -> bytes:
    """Return the messages as one capture file."""
    sequences: dict[Flow, int] = {}
    parts = [struct.pack("<IHHiIII", MAGIC, *_VERSION, 0, 0, SNAPLEN, LINKTYPE_RAW)]
    for message in messages:
        packet = _packet(message, sequences)
        seconds, fraction = divmod(round(message.at * 1_000_000), 1_000_000)
        parts += (struct.pack("<IIII", seconds, fraction, len(packet), len(packet)), packet)
    return b"".join(parts)


def _packet(message: Traced, sequences: dict[Flow, int]) -> bytes:
    payload = (message.data + _FILLER * message.hidden)[:_PAYLOAD_MAX]
    remote = (_host(message.remote.host), _port(message, message.remote.port))
    local = (_like(_host(message.local.host), remote[0]), _port(message, message.local.port))
    source, target = (local, remote) if message.sent else (remote, local)
    flow = (*source, *target)
    if message.remote.transport is Transport.UDP:
        return _ip(flow, _UDP, _udp(flow, payload))
    return _ip(flow, _TCP, _tcp(flow, payload, sequences))


def _port(message: Traced, port: int) -> int:
    """Return a port, where what is no TLS any more must not be taken for it."""
    secure = message.remote.transport is Transport.TLS
    return _PLAIN_PORT if secure and port == Transport.TLS.default_port else port


def _host(text: str) -> Host:
    return ip_address(text.partition("%")[0])


def _like(host: Host, other: Host) -> Host:
    """Return an address of the version of another one."""
    if host.version == other.version:
        return host
    return IPv4Address(0) if other.version == 4 else IPv6Address(0)


def _udp(flow: Flow, payload: bytes) -> bytes:
    length = 8 + len(payload)
    plain = struct.pack("!HHHH", flow[1], flow[3], length, 0) + payload
    checksum = _checksum(_pseudo(flow, _UDP, length) + plain) or 0xFFFF
    return plain[:6] + struct.pack("!H", checksum) + payload


def _tcp(flow: Flow, payload: bytes, sequences: dict[Flow, int]) -> bytes:
    there = (flow[2], flow[3], flow[0], flow[1])
    sequence, acknowledged = sequences.get(flow, 1), sequences.get(there, 1)
    sequences[flow] = (sequence + len(payload)) % (1 << 32)
    head = struct.pack("!HHIIBBHHH", flow[1], flow[3], sequence, acknowledged, 5 << 4, _PSH_ACK, _WINDOW, 0, 0)
    checksum = _checksum(_pseudo(flow, _TCP, len(head) + len(payload)) + head + payload)
    return head[:16] + struct.pack("!H", checksum) + head[18:] + payload


def _ip(flow: Flow, protocol: int, payload: bytes) -> bytes:
    source, target = flow[0], flow[2]
    if source.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, _HOPS) + source.packed + target.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, _HOPS, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + payload


def _pseudo(flow: Flow, protocol: int, length: int) -> bytes:
    """Return what the checksum covers beside the segment itself (RFC 768, RFC 9293, RFC 8200 section 8.1)."""
    source, target = flow[0], flow[2]
    layout = "!IHBB" if source.version == 6 else "!BBH"
    rest = (
        struct.pack(layout, length, 0, 0, protocol) if source.version == 6 else struct.pack(layout, 0, protocol, length)
    )
    return source.packed + target.packed + rest


def _checksum(data: bytes) -> int:
    """Return the checksum of the internet protocols (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
