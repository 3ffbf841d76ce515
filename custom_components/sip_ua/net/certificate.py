"""Whom a certificate names: identity of a SIP domain (RFC 5922 section 7) and text for people (RFC 5280)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_VERSION: Final = 0xA0
_COMMON_NAME: Final = b"\x55\x04\x03"
_ORGANIZATION: Final = b"\x55\x04\x0a"
MAX_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """Whom a certificate is for and who issued it, "" where it does not say."""

    subject: str
    issuer: str


def identities(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names that a verified certificate speaks for, in lower case (RFC 5922 section 7.1)."""
    found: list[str] = []
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "URI" and value.lower().startswith("sip:") and "@" not in value:
            found.append(value[4:].partition(";")[0].partition(":")[0].lower())
        elif kind in {"DNS", "IP Address"}:
            found.append(value.lower())
    if not found:
        found = [
            value.lower()
            for relative in certificate.get("subject", ())
            for name, value in relative
            if name == "commonName"
        ]
    return found


def is_for(certificate: Mapping[str, Any], expected: Iterable[str]) -> bool:
    """Tell whether a verified certificate speaks for one of the expected names.

    Beyond RFC 5922 section 7.2 a wildcard stands for one leftmost label: large providers have no other certificates.
    """
    held = identities(certificate)
    return any(_matches(identity, name.lower().rstrip(".")) for identity in held for name in expected)


def _matches(identity: str, name: str) -> bool:
    if identity.startswith("*."):
        label, dot, parent = name.partition(".")
        return bool(label) and dot == "." and parent == identity[2:] and "." in parent
    return identity == name


def describe(der: bytes) -> CertificateNames:
    """Read subject and issuer out of a certificate that was not accepted; "" where it cannot be read."""
    try:
        certificate = next(_elements(der))[1]
        fields = [field for field in _elements(next(_elements(certificate))[1]) if field[0] != _VERSION]
        # serialNumber, signature, issuer, validity, subject
        return CertificateNames(subject=_name(fields[4][1]), issuer=_name(fields[2][1]))
    except ValueError, IndexError, StopIteration:
        return CertificateNames("", "")


def _name(data: bytes) -> str:
    """Return the common name of a distinguished name, else its organization."""
    values: dict[bytes, str] = {}
    for tag, relative in _elements(data):
        for _tag, pair in _elements(relative) if tag == _SET else ():
            (_kind, oid), (_type, value), *_rest = _elements(pair)
            values.setdefault(oid, value.decode(errors="replace"))
    name = values.get(_COMMON_NAME) or values.get(_ORGANIZATION) or ""
    return "".join(char for char in name if char.isprintable())[:MAX_NAME]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of the elements that follow each other (DER); raises ValueError at a broken one."""
    position = 0
    while position < len(data):
        header = data[position : position + 2]
        if len(header) < 2:
            raise ValueError("element without a length")
        tag, length = header
        position += 2
        if length >= 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size])
            position += size
        if position + length > len(data):
            raise ValueError("element longer than its container")
        yield tag, data[position : position + length]
        position += length
