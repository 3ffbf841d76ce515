"""What people paste about certificates: an authority of their own in PEM (RFC 7468), a fingerprint as tools show it."""

import re
from typing import Final

from cryptography.x509 import load_pem_x509_certificates

FINGERPRINT_OCTETS: Final = 32
AUTHORITY_LENGTH_MAX: Final = 1 << 16
_LINE: Final = 64
_CERTIFICATE: Final = re.compile(r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END ")
_PRIVATE_KEY: Final = "PRIVATE KEY-----"


def tidy_authority(text: str) -> str:
    """Return the certificates of a text with what surrounds them left out and lines as the standard has them.

    A text without any stays as it was typed, and so does one with a private key or too long a one: the rules tell of
    all three.
    """
    stays = len(text) > AUTHORITY_LENGTH_MAX or holds_private_key(text)
    found = [] if stays else _CERTIFICATE.findall(text)
    return "\n".join(_block("".join(content.split())) for content in found) or text


def _block(content: str) -> str:
    lines = [content[start : start + _LINE] for start in range(0, len(content), _LINE)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"))


def holds_private_key(text: str) -> bool:
    """Return whether a text has a key in it, which nobody but the server may have."""
    return _PRIVATE_KEY in text


def is_authority(text: str) -> bool:
    """Return whether a tidied text is one or more certificates."""
    try:
        return bool(load_pem_x509_certificates(text.encode()))
    except ValueError:
        return False


def tidy_fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint as AB:CD:..., however it was written; what is none stays as it was typed."""
    digits = re.sub(r"[:\s-]", "", text.rpartition("=")[2])
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        return text
    return octets.hex(":").upper() if len(octets) == FINGERPRINT_OCTETS else text


def is_fingerprint(text: str) -> bool:
    """Return whether a tidied text is a SHA-256 fingerprint."""
    return re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", text) is not None
