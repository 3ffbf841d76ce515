"""Whom a certificate names: identity of a SIP domain (RFC 5922 section 7) and text for people (RFC 5280)."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, Final

from ..sip.events import CertificateFacts

_SEQUENCE: Final = 0x30
_SET: Final = 0x31
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_UTC_TIME: Final = 0x17
_DNS_NAME: Final = 0x82
_URI: Final = 0x86
_IP_ADDRESS: Final = 0x87
_COMMON_NAME: Final = b"\x55\x04\x03"
_ORGANIZATION: Final = b"\x55\x04\x0a"
_ALTERNATIVE_NAMES: Final = b"\x55\x1d\x11"
_CENTURY_TURN: Final = 50
MAX_NAME: Final = 64
MAX_NAMES: Final = 4


def identities(certificate: Mapping[str, Any]) -> list[str]:
    """Return the names that a verified certificate speaks for, in lower case (RFC 5922 section 7.1).

    Only a host name may begin with a wildcard, which is left out everywhere else.
    """
    if "subjectAltName" not in certificate:
        common = (
            value.lower()
            for relative in certificate.get("subject", ())
            for name, value in relative
            if name == "commonName"
        )
        return [name for name in common if "*" not in name]
    found: list[str] = []
    for kind, value in certificate["subjectAltName"]:
        if kind == "URI" and value.lower().startswith("sip:") and not {"@", "*"} & set(value):
            found.append(value[4:].partition(";")[0].partition(":")[0].lower())
        elif kind in {"DNS", "IP Address"}:
            found.append(_canonical(value))
    return found


def is_for(certificate: Mapping[str, Any], expected: Iterable[str]) -> bool:
    """Tell whether a verified certificate speaks for one of the expected names.

    Beyond RFC 5922 section 7.2 a wildcard stands for one leftmost label (RFC 9525 section 6.3): large providers have
    no other certificates, and without this their accounts would end up with no check at all.
    """
    held = identities(certificate)
    return any(_matches(identity, _canonical(name)) for identity in held for name in expected)


def _canonical(name: str) -> str:
    """Return a name in the one form to be compared: numeric addresses have several, `ssl` writes them out in full."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")


def _matches(identity: str, name: str) -> bool:
    if identity.startswith("*."):
        label, dot, parent = name.partition(".")
        return bool(label) and dot == "." and parent == identity[2:] and "." in parent
    return identity == name


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 fingerprint of a certificate as people compare it: AB:CD:... (RFC 8122 section 5)."""
    return sha256(der).digest().hex(":").upper()


def describe(der: bytes) -> CertificateFacts:
    """Read what people want to know out of a certificate that was not accepted; what cannot be read is left empty."""
    if not der:
        return CertificateFacts()
    marks = fingerprint(der)
    try:
        certificate = next(_elements(der))[1]
        fields = [field for field in _elements(next(_elements(certificate))[1]) if field[0] != _VERSION]
        # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions
        begins, ends = list(_elements(fields[3][1]))[:2]
        return CertificateFacts(
            subject=_name(fields[4][1]),
            issuer=_name(fields[2][1]),
            names=_alternative_names(fields[6:]),
            not_before=_date(*begins),
            not_after=_date(*ends),
            fingerprint=marks,
        )
    except ValueError, IndexError, StopIteration:
        return CertificateFacts(fingerprint=marks)


def _name(data: bytes) -> str:
    """Return the common name of a distinguished name, else its organization."""
    values: dict[bytes, str] = {}
    for tag, relative in _elements(data):
        for _tag, pair in _elements(relative) if tag == _SET else ():
            (_kind, oid), (_type, value), *_rest = _elements(pair)
            values.setdefault(oid, value.decode(errors="replace"))
    return _shown(values.get(_COMMON_NAME) or values.get(_ORGANIZATION) or "")


def _shown(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:MAX_NAME]


def _date(tag: int, value: bytes) -> str:
    """Return the day of a UTCTime or GeneralizedTime (RFC 5280 section 4.1.2.5)."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_TURN else "20") + text
    day = text[:8]
    if len(day) < 8 or not day.isdecimal():
        raise ValueError("no date")
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _alternative_names(fields: Iterable[tuple[int, bytes]]) -> tuple[str, ...]:
    """Return the first names of the extension subjectAltName."""
    found: list[str] = []
    for _tag, extension in _extensions(fields):
        (_kind, oid), *_critical, (_type, value) = _elements(extension)
        for kind, name in _elements(next(_elements(value))[1]) if oid == _ALTERNATIVE_NAMES else ():
            if kind == _IP_ADDRESS:
                found.append(str(ip_address(name)))
            elif kind in {_DNS_NAME, _URI}:
                found.append(_shown(name.decode(errors="replace")))
    return tuple(found[:MAX_NAMES])


def _extensions(fields: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    for tag, content in fields:
        if tag == _EXTENSIONS:
            yield from _elements(next(_elements(content))[1])


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
