"""The crypto attribute, by which a description names the key of encrypted voice (RFC 4568, RFC 7714 section 14.2)."""

import binascii
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .sdp import CRYPTO, decimal

MAX_LENGTH: Final = 1024
MAX_LINES: Final = 32
MAX_TAG: Final = 999_999_999
MAX_MKI_LENGTH: Final = 128
MAX_LIFETIME_BITS: Final = 48
MAX_WINDOW_DIGITS: Final = 9

SUITES: Final[Mapping[str, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""The crypto suites that we speak, best first, and the octets of master key and master salt of each."""

_INLINE = "inline:"
_LINE = f"a={CRYPTO}:".encode()


@dataclass(frozen=True, slots=True)
class Crypto:
    """One crypto attribute: the key under which its side sends; `key` is the master key followed by the master salt.

    `mki` is what every packet carries before its authentication tag, b"" for nothing (RFC 3711 section 3.1).
    """

    tag: int
    suite: str
    key: bytes = field(repr=False)
    mki: bytes = b""

    @property
    def value(self) -> str:
        """The value of the attribute, which holds the key: for the wire alone."""
        return f"{self.tag} {self.suite} {_INLINE}{b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class MediaSecurity:
    """How the voice of a call is encrypted: the suite, our key for sending and theirs for receiving."""

    suite: str
    local_key: bytes = field(repr=False)
    remote_key: bytes = field(repr=False)
    remote_mki: bytes = b""


def read_crypto(values: Iterable[str]) -> list[Crypto]:
    """Return those of a line's crypto attributes that we can use, in their order, each tag once."""
    usable: dict[int, Crypto] = {}
    for _, value in zip(range(MAX_LINES), values, strict=False):
        crypto = parse_crypto(value)
        if crypto is not None:
            usable.setdefault(crypto.tag, crypto)
    return list(usable.values())


def parse_crypto(value: str) -> Crypto | None:
    """Read a crypto attribute; None where it is broken, or asks for what we do not speak (RFC 4568 section 9.1).

    A key beside the first one, and every session parameter that changes what is sent, is of that kind.
    """
    if len(value) > MAX_LENGTH:
        return None
    fields = value.split()
    if len(fields) < 3:
        return None
    tag, suite = decimal(fields[0], MAX_TAG), fields[1].upper()
    if tag is None or suite not in SUITES or not all(_may_be_ignored(parameter) for parameter in fields[3:]):
        return None
    method, key_text = fields[2][: len(_INLINE)], fields[2][len(_INLINE) :]
    if method.lower() != _INLINE:
        return None
    key_salt, *rest = key_text.split("|")
    key = _decode(key_salt)
    mki = _read_mki(rest.pop()) if rest and ":" in rest[-1] else b""
    lifetime = rest.pop() if rest else None
    if rest or mki is None or key is None or len(key) != SUITES[suite]:
        return None
    return Crypto(tag, suite, key, mki) if lifetime is None or _is_lifetime(lifetime) else None


def carries_keys(body: bytes) -> bool:
    """Tell whether whoever reads a description of ours can listen."""
    return _LINE in body


def _may_be_ignored(parameter: str) -> bool:
    """Tell whether a session parameter changes nothing: a hint, or an extension that needs not be understood."""
    if parameter.startswith("-"):
        return True
    name, _, value = parameter.partition("=")
    return name.upper() == "WSH" and value.isascii() and value.isdigit() and len(value) <= MAX_WINDOW_DIGITS


def _decode(text: str) -> bytes | None:
    """Read base64; padding that some leave out is put back."""
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None


def _read_mki(text: str) -> bytes | None:
    """Read `value:length` of a master key identifier; None where the value is none of that length."""
    value_text, _, length_text = text.partition(":")
    length = decimal(length_text, MAX_MKI_LENGTH)
    if not length or not value_text.isascii() or not value_text.isdigit():
        return None
    value = int(value_text)
    return value.to_bytes(length) if value.bit_length() <= 8 * length else None


def _is_lifetime(text: str) -> bool:
    """Tell whether this is a number of packets that a key may live (RFC 4568 section 6.1)."""
    if text.startswith("2^"):
        return decimal(text[2:], MAX_LIFETIME_BITS) is not None
    return bool(decimal(text, 1 << MAX_LIFETIME_BITS))
