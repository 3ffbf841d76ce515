"""Whether voice is encrypted: what may be agreed on, and the keys that one dialog of ours has (RFC 4568, RFC 8643)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from .account import Srtp
from .audio_line import (
    WARNING_ADDRESS_FORMAT,
    WARNING_ATTRIBUTE,
    WARNING_FORMAT,
    WARNING_MULTICAST,
    WARNING_TRANSPORT_PROTOCOL,
)
from .errors import NegotiationError
from .message import Response
from .sdes import SUITES, Crypto, read_crypto
from .sdp import CRYPTO, MediaDescription

NEEDS_TLS = "encrypted voice needs TLS"
PLAIN_PROFILE = "RTP/AVP"
SECURE_PROFILE = "RTP/SAVP"
PROFILES = frozenset({PLAIN_PROFILE, SECURE_PROFILE})

_REFUSALS_OF_PROFILE = frozenset({406, 415, 488, 606})
_OTHER_WARNINGS = frozenset({str(code) for code in (WARNING_ADDRESS_FORMAT, WARNING_FORMAT, WARNING_MULTICAST)})


def _no_entropy(size: int) -> bytes:
    raise ValueError(f"{size} random bytes are wanted where nothing is to be encrypted")


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What the owner wants, and whether keys may be named on the way that the descriptions take.

    `insisted` tells of a far end that refused an offer under the plain profile, with keys as it was: it may want the
    secure one.
    """

    srtp: Srtp = Srtp.OFF
    keys_allowed: bool = False
    suites: tuple[str, ...] = tuple(SUITES)
    entropy: Callable[[int], bytes] = field(default=_no_entropy, repr=False)
    insisted: bool = False

    @property
    def names_keys(self) -> bool:
        """Whether keys are offered and taken."""
        return self.srtp is not Srtp.OFF and self.keys_allowed

    @property
    def profile(self) -> str:
        """The profile of an offer: one that is not required is made so that everybody can take it (RFC 8643)."""
        return SECURE_PROFILE if self.srtp is Srtp.REQUIRED or self.insisted else PLAIN_PROFILE

    @property
    def may_insist(self) -> bool:
        """Whether an offer by these rules may be made again under the secure profile, where it was refused."""
        return self.names_keys and self.profile == PLAIN_PROFILE

    def check(self) -> None:
        """Raise NegotiationError where voice must be encrypted and no key may be named."""
        if self.srtp is Srtp.REQUIRED and not self.keys_allowed:
            raise NegotiationError(NEEDS_TLS, WARNING_TRANSPORT_PROTOCOL)

    def usable(self, line: MediaDescription) -> list[Crypto]:
        """Return the keys of an audio line that we can use, best first in the eyes of who wrote it."""
        if not self.names_keys:
            return []
        return [crypto for crypto in read_crypto(line.values(CRYPTO)) if crypto.suite in self.suites]

    def choose(self, line: MediaDescription) -> Crypto | None:
        """Return the key of an offered line to answer, None for plain voice; NegotiationError where neither may be."""
        self.check()
        secure = line.protocol.upper() == SECURE_PROFILE
        if secure and not self.names_keys:
            raise NegotiationError("encrypted voice is not available", WARNING_TRANSPORT_PROTOCOL)
        usable = self.usable(line)
        if usable:
            return usable[0]
        if secure or (self.srtp is Srtp.REQUIRED and line.has(CRYPTO)):
            raise NegotiationError("no crypto suite of the offer is available", WARNING_ATTRIBUTE)
        if self.srtp is Srtp.REQUIRED:
            raise NegotiationError("the voice must be encrypted", WARNING_TRANSPORT_PROTOCOL)
        return None


NO_KEYS = KeyRules()


def may_want_secure_profile(response: Response) -> bool:
    """Whether a refusal of an offer can mean that its profile must be another one.

    There is no code of its own for who wants encrypted voice only; a Warning can say that it is another matter.
    """
    warned = {value.strip()[:3] for value in response.headers.split("Warning")}
    return response.status in _REFUSALS_OF_PROFILE and warned.isdisjoint(_OTHER_WARNINGS)


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """Our keys of one dialog, offered or in use, at one address and port.

    A key in use stays as long as suite, address and port do (RFC 4568 section 7.1.4). One that was given up is never
    used again, for its packets would begin to count anew and repeat its key stream.
    """

    lines: tuple[Crypto, ...] = ()
    used: Crypto | None = None
    place: tuple[str, int] | None = None

    def offer(self, rules: KeyRules, place: tuple[str, int]) -> LocalKeys:
        """Return the keys of an offer: the one in use first, then one for each other suite."""
        if not rules.names_keys:
            return replace(self, lines=(), place=place)
        kept = {crypto.suite: crypto for crypto in self.lines} if place == self.place else {}
        used = None if self.used is None else kept.get(self.used.suite)
        suites = rules.suites if used is None else (used.suite, *(name for name in rules.suites if name != used.suite))
        tags = (tag for tag in count(1) if used is None or tag != used.tag)
        lines = [
            crypto if crypto is not None and crypto is used else _numbered(crypto or _create(name, rules), next(tags))
            for name in suites
            for crypto in (kept.get(name),)
        ]
        return replace(self, lines=tuple(lines), place=place)

    def answer(self, rules: KeyRules, place: tuple[str, int], theirs: Crypto) -> tuple[LocalKeys, Crypto]:
        """Return our key for an answer, under the tag of the offered one."""
        kept = {crypto.suite: crypto for crypto in self.lines} if place == self.place else {}
        ours = _numbered(kept.get(theirs.suite) or _create(theirs.suite, rules), theirs.tag)
        kept[theirs.suite] = ours
        return replace(self, lines=tuple(kept.values()), place=place), ours

    def settled(self, ours: Crypto | None) -> LocalKeys:
        """Note which key is used from now on, None for plain voice."""
        before, lines = self.used, self.lines
        if before is not None and (ours is None or ours.key != before.key):
            lines = tuple(crypto for crypto in lines if crypto.key != before.key)
        return replace(self, lines=lines, used=ours)

    def find(self, theirs: Crypto) -> Crypto | None:
        """Return the key of ours that an answer took (RFC 4568 section 5.1.3)."""
        return next((crypto for crypto in self.lines if (crypto.tag, crypto.suite) == (theirs.tag, theirs.suite)), None)


def _create(suite: str, rules: KeyRules) -> Crypto:
    return Crypto(0, suite, rules.entropy(SUITES[suite]))


def _numbered(crypto: Crypto, tag: int) -> Crypto:
    return replace(crypto, tag=tag)
