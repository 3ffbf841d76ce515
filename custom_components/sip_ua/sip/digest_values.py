"""Digest authentication as text and arithmetic (RFC 7616, RFC 8760, RFC 2617; grammar of RFC 3261 section 25.1)."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

MAX_CHALLENGES = 16
MAX_PARAMS = 32
_TOKEN_END = frozenset(' \t,="')
_SESSION_SUFFIX = "-sess"


class Qop(StrEnum):
    """Quality of protection (RFC 7616 section 3.3)."""

    AUTH = "auth"
    AUTH_INT = "auth-int"


@dataclass(frozen=True, slots=True)
class AuthParam:
    """One value of a challenge or of credentials; `raw` as it stood, `text` without quotes and backslashes."""

    raw: str
    text: str


@dataclass(frozen=True, slots=True)
class AuthValue:
    """A scheme with its parameters, names in lower case."""

    scheme: str
    params: dict[str, AuthParam]

    def get(self, name: str) -> str:
        """Return the text of a parameter, "" where it is not there."""
        param = self.params.get(name)
        return "" if param is None else param.text


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A digest algorithm; `session` marks the -sess variants, whose key is bound to the first nonces."""

    name: str
    hash_name: str
    session: bool

    def digest(self, data: str | bytes) -> str:
        """Return H(data) in lower-case hexadecimal digits."""
        octets = data.encode(errors="surrogateescape") if isinstance(data, str) else data
        return hashlib.new(self.hash_name, octets, usedforsecurity=False).hexdigest()


def _usable(hash_name: str) -> bool:
    """Tell whether this build of Python and OpenSSL can do a hash; some lack SHA-512/256, hardened ones MD5."""
    try:
        hashlib.new(hash_name, b"", usedforsecurity=False)
    except ValueError:
        return False
    return True


# By lower-cased name, the strongest first.
ALGORITHMS: dict[str, Algorithm] = {
    name.lower(): Algorithm(name, hash_name, name.endswith(_SESSION_SUFFIX))
    for base, hash_name in (("SHA-512-256", "sha512_256"), ("SHA-256", "sha256"), ("MD5", "md5"))
    for name in (base, base + _SESSION_SUFFIX)
    if _usable(hash_name)
}
DEFAULT_ALGORITHM = "MD5"


def parse_auth_values(value: str) -> list[AuthValue]:
    """Read the schemes of one header field, in one pass; what follows an unfinished quote is left out.

    RFC 3261 writes one challenge a header field; several in one, as HTTP allows, are read too.
    """
    found: list[AuthValue] = []
    position, end, room = 0, len(value), MAX_CHALLENGES * MAX_PARAMS
    while position < end and room:
        if value[position] in " \t,":
            position += 1
            continue
        word, position = _token(value, position)
        if position >= end or value[position] != "=":
            if not word or len(found) == MAX_CHALLENGES:
                break
            found.append(AuthValue(word.lower(), {}))
            continue
        param, position = _param(value, _skip_space(value, position + 1))
        if param is None:
            break
        room -= 1
        if found and word and len(found[-1].params) < MAX_PARAMS:
            found[-1].params.setdefault(word.lower(), param)
    return found


def _skip_space(value: str, position: int) -> int:
    while position < len(value) and value[position] in " \t":
        position += 1
    return position


def _token(value: str, start: int) -> tuple[str, int]:
    """Return the token at `start` and where the next character that is no white space stands."""
    position = start
    while position < len(value) and value[position] not in _TOKEN_END:
        position += 1
    return value[start:position], _skip_space(value, position)


def _param(value: str, start: int) -> tuple[AuthParam | None, int]:
    """Return the token or quoted string at `start`; None where the closing quote lacks."""
    if value[start : start + 1] != '"':
        position = start
        while position < len(value) and value[position] not in " \t,":
            position += 1
        word = value[start:position]
        return AuthParam(word, word), position
    pieces: list[str] = []
    position = start + 1
    while position < len(value):
        char = value[position]
        if char == '"':
            return AuthParam(value[start + 1 : position], "".join(pieces)), position + 1
        if char == "\\":
            position += 1
        pieces.append(value[position : position + 1])
        position += 1
    return None, position


def quoted(text: str) -> str:
    """Return a quoted string; a control character, which none can hold, is left out."""
    plain = "".join(char for char in text if char >= " " and char != "\x7f")
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestInput:
    """All that goes into a response (RFC 7616 section 3.4.1); `qop` None is the form of RFC 2069."""

    algorithm: Algorithm
    method: str
    uri: str
    nonce: str
    qop: Qop | None = None
    cnonce: str = ""
    count: int = 0
    body: bytes = b""


def nonce_count(count: int) -> str:
    """Return a nonce count as it is written and hashed."""
    return f"{count:08x}"


def digest_key(algorithm: Algorithm, username: str, realm: str, password: str) -> str:
    """Return H(username:realm:password), which stands for the password in all that follows."""
    return algorithm.digest(f"{username}:{realm}:{password}")


def digest_response(key: str, values: DigestInput) -> str:
    """Return the response to a challenge; `key` is of `digest_key`."""
    digest: Callable[[str | bytes], str] = values.algorithm.digest
    if values.algorithm.session:
        key = digest(f"{key}:{values.nonce}:{values.cnonce}")
    a2 = f"{values.method}:{values.uri}"
    if values.qop is Qop.AUTH_INT:
        a2 = f"{a2}:{digest(values.body)}"
    if values.qop is None:
        return digest(f"{key}:{values.nonce}:{digest(a2)}")
    count = nonce_count(values.count)
    return digest(f"{key}:{values.nonce}:{count}:{values.cnonce}:{values.qop}:{digest(a2)}")


def choose_qop(offered: str) -> tuple[bool, Qop | None]:
    """Return whether one of the offered qop values can be met, and the one to use: auth before auth-int."""
    names = [name.strip().lower() for name in offered.split(",") if name.strip()]
    return _first_of(names) if names else (True, None)


def _first_of(names: Iterable[str]) -> tuple[bool, Qop | None]:
    chosen = next((qop for qop in Qop if qop in names), None)
    return chosen is not None, chosen
