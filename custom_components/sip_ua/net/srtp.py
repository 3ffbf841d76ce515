"""Voice encrypted for sending and decrypted on arrival (RFC 3711, AES-GCM by RFC 7714), by libsrtp.

Packets that are not genuine, or come twice, are counted and dropped; a wrong key is therefore heard as silence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pylibsrtp import Error, Policy, Session

from ..rtp.packet import HEADER_BYTES, is_rtcp
from ..rtp.parameters import Outgoing
from ..sip.sdes import MediaSecurity

MAX_SOURCES: Final = 256
"""Synchronization sources of one key: each one costs memory for as long as the call lasts."""
MAX_PACKET_BYTES: Final = 1500
WINDOW: Final = 1024
"""How many packets a late one may be behind; at least 64 (RFC 3711 section 3.3.2)."""

_RTCP_HEADER_BYTES: Final = 8
_RTCP_INDEX_BYTES: Final = 4
_SSRC_OF_RTP: Final = slice(8, 12)
_SSRC_OF_RTCP: Final = slice(4, 8)
_REPLAY: Final = "replay"
"""How libsrtp begins to say that a packet came before, or too late to tell."""


@dataclass(frozen=True, slots=True)
class _Suite:
    """What libsrtp calls a suite, and the octets of its tags.

    The tag of AEAD is part of what is encrypted, so that a master key identifier stands behind it, not before it.
    """

    profile: int
    rtp_tag: int
    rtcp_tag: int
    aead: bool = False


_SUITES: Final = {
    "AES_CM_128_HMAC_SHA1_80": _Suite(Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 10, 10),
    "AES_CM_128_HMAC_SHA1_32": _Suite(Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 4, 10),
    "AEAD_AES_128_GCM": _Suite(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 16, aead=True),
}


def _session(suite: _Suite, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=suite.profile)
    policy.window_size = WINDOW
    return Session(policy)


class Protector:
    """Encrypts what we send under one key; a second one under the same key would repeat its key stream."""

    def __init__(self, suite: str, key: bytes) -> None:
        """Begin with the first packet of a key."""
        self._session = _session(_SUITES[suite], key, Policy.SSRC_ANY_OUTBOUND)

    def protect(self, packets: list[Outgoing]) -> list[Outgoing]:
        """Encrypt RTP packets."""
        return [(self._session.protect(data), address) for data, address in packets]

    def protect_rtcp(self, packets: list[Outgoing]) -> list[Outgoing]:
        """Encrypt RTCP packets."""
        return [(self._session.protect_rtcp(data), address) for data, address in packets]


class Unprotector:
    """Decrypts what the far end sends under one key; `refused` and `replayed` count what was dropped."""

    def __init__(self, suite: str, key: bytes, mki: bytes) -> None:
        """Expect the first packet of a key; `mki` is what each packet carries to name it, b"" for nothing."""
        traits = _SUITES[suite]
        self._session = _session(traits, key, Policy.SSRC_ANY_INBOUND)
        self._mki = mki
        self._traits = traits
        self._sources: set[bytes] = set()
        self.refused = 0
        self.replayed = 0

    def unprotect(self, data: bytes) -> bytes | None:
        """Decrypt what came to the RTP port; None for what is to be dropped."""
        if is_rtcp(data):
            return self.unprotect_rtcp(data)
        tag = self._traits.rtp_tag
        return self._open(data, HEADER_BYTES, tag, _SSRC_OF_RTP, self._session.unprotect)

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """Decrypt what came to the RTCP port; None for what is to be dropped."""
        tag = self._traits.rtcp_tag
        least = _RTCP_HEADER_BYTES + _RTCP_INDEX_BYTES
        return self._open(data, least, tag, _SSRC_OF_RTCP, self._session.unprotect_rtcp)

    def _open(
        self, data: bytes, least: int, tag: int, ssrc: slice, unprotect: Callable[[bytes], bytes]
    ) -> bytes | None:
        if self._mki:
            data = self._without_mki(data, 0 if self._traits.aead else tag)
        source = data[ssrc]
        known = source in self._sources
        if not least + tag <= len(data) <= MAX_PACKET_BYTES or not (known or len(self._sources) < MAX_SOURCES):
            self.refused += 1
            return None
        try:
            plain = unprotect(data)
        except Error as error:
            if str(error).startswith(_REPLAY):
                self.replayed += 1
            else:
                self.refused += 1
            return None
        if not known:
            self._sources.add(source)
        return plain

    def _without_mki(self, data: bytes, behind: int) -> bytes:
        """Take the identifier out, which `behind` octets follow; b"" where it is another one."""
        end = len(data) - behind
        start = end - len(self._mki)
        return data[:start] + data[end:] if start >= 0 and data[start:end] == self._mki else b""


class MediaCipher:
    """What stands between the sockets of a stream and its RTP session; until it is told keys all passes as it is."""

    def __init__(self) -> None:
        """Begin without keys."""
        self._security: MediaSecurity | None = None
        self._protector: Protector | None = None
        self._unprotector: Unprotector | None = None
        self._protected_by = b""
        self._unprotected_by: tuple[str, bytes, bytes] | None = None
        self._refused = 0
        self._replayed = 0

    @property
    def active(self) -> bool:
        """Whether the voice is encrypted."""
        return self._security is not None

    @property
    def refused(self) -> int:
        """How many packets were dropped as not genuine."""
        return self._refused + (0 if self._unprotector is None else self._unprotector.refused)

    @property
    def replayed(self) -> int:
        """How many packets were dropped as they had come before."""
        return self._replayed + (0 if self._unprotector is None else self._unprotector.replayed)

    def configure(self, security: MediaSecurity | None) -> None:
        """Use these keys from now on; a key that stays goes on counting where it is (RFC 4568 section 7.1.4)."""
        self._security = security
        if security is None:
            return
        if security.local_key != self._protected_by:
            self._protector = Protector(security.suite, security.local_key)
            self._protected_by = security.local_key
        theirs = security.suite, security.remote_key, security.remote_mki
        if theirs != self._unprotected_by:
            self._refused, self._replayed = self.refused, self.replayed
            self._unprotector = Unprotector(*theirs)
            self._unprotected_by = theirs

    def protect(self, packets: list[Outgoing]) -> list[Outgoing]:
        """Return RTP packets as they are to be sent."""
        return packets if self._security is None or self._protector is None else self._protector.protect(packets)

    def protect_rtcp(self, packets: list[Outgoing]) -> list[Outgoing]:
        """Return RTCP packets as they are to be sent."""
        return packets if self._security is None or self._protector is None else self._protector.protect_rtcp(packets)

    def unprotect(self, data: bytes) -> bytes | None:
        """Return a packet of the RTP port as it is to be read, None for what is to be dropped."""
        return data if self._security is None or self._unprotector is None else self._unprotector.unprotect(data)

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """Return a packet of the RTCP port as it is to be read, None for what is to be dropped."""
        return data if self._security is None or self._unprotector is None else self._unprotector.unprotect_rtcp(data)
