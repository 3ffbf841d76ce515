"""STUN binding requests and their answers as octets (RFC 8489, RFC 5389; RFC 3489 servers are understood)."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from zlib import crc32

from .address import HostPort
from .errors import RemoteProtocolError

MAGIC_COOKIE: Final = 0x2112A442
TRANSACTION_ID_LENGTH: Final = 12
MAX_STUN_MESSAGE: Final = 1280
MAX_ATTRIBUTES: Final = 32
_HEADER: Final = struct.Struct("!HHI12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_COMPREHENSION_OPTIONAL: Final = 0x8000
_FINGERPRINT_XOR: Final = 0x5354554E
_FINGERPRINT_LENGTH: Final = 8


class _Type(IntEnum):
    """Message types of the method binding (RFC 8489 section 5)."""

    REQUEST = 0x0001
    SUCCESS = 0x0101
    ERROR = 0x0111


class _Attribute(IntEnum):
    """Attributes that we understand or need not look at, for we never log in (RFC 8489 section 18.3)."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    XOR_MAPPED_ADDRESS = 0x0020
    FINGERPRINT = 0x8028
    # Of RFC 3489, where they need not be understood; servers of that age send them still.
    SOURCE_ADDRESS = 0x0004
    CHANGED_ADDRESS = 0x0005
    REFLECTED_FROM = 0x000B


class StunError(RemoteProtocolError):
    """An answer that is no answer to our binding request, or one that refuses it; `code` is the refusal's."""

    def __init__(self, message: str, code: int = 0) -> None:
        """Keep the error code of the server, 0 where there is none."""
        super().__init__(message)
        self.code = code


def is_stun(data: bytes) -> bool:
    """Tell a STUN message from a SIP message on the same port (RFC 8489 section 6.3, RFC 5626 section 8)."""
    return len(data) >= _HEADER.size and data[0] < 4 and data[4:8] == MAGIC_COOKIE.to_bytes(4)


def transaction_id(data: bytes) -> bytes:
    """Return the transaction id of a STUN message."""
    return data[8 : _HEADER.size]


def binding_request(transaction: bytes) -> bytes:
    """Return a binding request; `transaction` is twelve random octets."""
    header = _HEADER.pack(_Type.REQUEST, _FINGERPRINT_LENGTH, MAGIC_COOKIE, transaction)
    return header + _ATTRIBUTE.pack(_Attribute.FINGERPRINT, 4) + _fingerprint(header)


def binding_response(request: bytes, mapped: HostPort) -> bytes:
    """Return the answer to a binding request that came from `mapped`."""
    address = _packed(mapped.host)
    key = request[4 : _HEADER.size]
    value = struct.pack("!BBH", 0, 1 if len(address) == 4 else 2, mapped.port ^ MAGIC_COOKIE >> 16)
    value += bytes(octet ^ mask for octet, mask in zip(address, key, strict=False))
    attribute = _ATTRIBUTE.pack(_Attribute.XOR_MAPPED_ADDRESS, len(value)) + value
    length = len(attribute) + _FINGERPRINT_LENGTH
    head = _HEADER.pack(_Type.SUCCESS, length, MAGIC_COOKIE, transaction_id(request)) + attribute
    return head + _ATTRIBUTE.pack(_Attribute.FINGERPRINT, 4) + _fingerprint(head)


@dataclass(slots=True)
class _Answer:
    """What the attributes of an answer say."""

    xor_mapped: HostPort | None = None
    mapped: HostPort | None = None
    code: int = 0
    reason: str = ""


def parse_binding_response(data: bytes, transaction: bytes) -> HostPort:
    """Return the address that the server saw our request come from; raises StunError, and nothing else."""
    if not is_stun(data) or len(data) > MAX_STUN_MESSAGE:
        raise StunError("no STUN message")
    kind, length, _cookie, answered = _HEADER.unpack_from(data)
    if answered != transaction or kind not in {_Type.SUCCESS, _Type.ERROR}:
        raise StunError("no answer to this request")
    if length % 4 or length + _HEADER.size != len(data):
        raise StunError("a STUN message of another length than it says")
    answer = _read(data)
    if kind == _Type.ERROR:
        raise StunError(f"the STUN server refused: {answer.code} {answer.reason}".rstrip(), answer.code)
    mapped = answer.xor_mapped or answer.mapped
    if mapped is None:
        raise StunError("a STUN answer without an address")
    return mapped


def _read(data: bytes) -> _Answer:
    answer = _Answer()
    position = _HEADER.size
    for _ in range(MAX_ATTRIBUTES):
        if position == len(data):
            return answer
        if position + _ATTRIBUTE.size > len(data):
            raise StunError("an attribute that is cut off")
        kind, length = _ATTRIBUTE.unpack_from(data, position)
        start = position + _ATTRIBUTE.size
        value = data[start : start + length]
        if len(value) < length:
            raise StunError("an attribute that is cut off")
        _take(answer, kind, value, data, position)
        # Clamped, for an old server may leave out the padding of the last one.
        position = min(start + length + -length % 4, len(data))
    raise StunError("too many attributes")


def _take(answer: _Answer, kind: int, value: bytes, data: bytes, position: int) -> None:
    match kind:
        case _Attribute.XOR_MAPPED_ADDRESS:
            answer.xor_mapped = answer.xor_mapped or _address(value, data[4 : _HEADER.size])
        case _Attribute.MAPPED_ADDRESS:
            answer.mapped = answer.mapped or _address(value, bytes(16))
        case _Attribute.ERROR_CODE:
            if len(value) < 4:
                raise StunError("an error code that is cut off")
            answer.code = (value[2] & 7) * 100 + value[3]
            text = value[4:132].decode(errors="replace")
            answer.reason = "".join(char for char in text if char.isprintable())
        case _Attribute.FINGERPRINT:
            if value != _fingerprint(data[:position]):
                raise StunError("a STUN message that was damaged on the way")
        case _ if kind < _COMPREHENSION_OPTIONAL and kind not in _Attribute:
            raise StunError("an attribute that must be understood and is not")


def _address(value: bytes, mask: bytes) -> HostPort:
    """Read an address attribute; `mask` is zero where it is plain."""
    family, length = (value[1], {1: 4, 2: 16}.get(value[1], 0)) if len(value) >= 4 else (0, 0)
    if len(value) != 4 + length or not length:
        raise StunError("an address that is cut off")
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(mask[:2])
    octets = bytes(octet ^ key for octet, key in zip(value[4:], mask, strict=False))
    host = IPv4Address(octets) if family == 1 else IPv6Address(octets)
    return HostPort(str(host), port)


def _packed(host: str) -> bytes:
    return (IPv6Address(host) if ":" in host else IPv4Address(host)).packed


def _fingerprint(head: bytes) -> bytes:
    return (crc32(head) ^ _FINGERPRINT_XOR).to_bytes(4)
