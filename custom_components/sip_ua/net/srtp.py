"""Voice encrypted for sending and decrypted on arrival (RFC 3711, AES-GCM by RFC 7714), by libsrtp.

Packets that are not genuine, or come twice, are counted and dropped; a wrong key is therefore heard as silence.

A packet carries the lower half of its index only, and both ends have to agree on the upper one, the roll-over count.
Where the far end takes a new key in a call, its source may go on counting (RFC 3711 section 3.3.1) or begin anew
(RFC 4568 section 7.1.4); the tag of its first packet tells which.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pylibsrtp import Error, Policy, Session

from ..rtp.packet import HEADER_BYTES, SEQUENCE_MODULUS, is_rtcp, write_packet
from ..rtp.parameters import Outgoing
from ..sip.sdes import MediaSecurity

MAX_SOURCES: Final = 256
"""Synchronization sources of one key: each one costs memory for as long as the call lasts."""
MAX_PACKET_BYTES: Final = 1500
WINDOW: Final = 1024
"""How many packets a late one may be behind; at least 64 (RFC 3711 section 3.3.2)."""
_LONGEST_INDEX: Final = 512 * SEQUENCE_MODULUS
"""How far a source is followed from one key to the next: for a week of voice."""
_STRIDE: Final = 0x5000
"""How far the index of a source may jump for its roll-overs still to be counted: less than half of the sequence."""
_NOT_HEARD: Final = -1
_RTCP_HEADER_BYTES: Final = 8
_RTCP_INDEX_BYTES: Final = 4
_SEQUENCE: Final = slice(2, 4)
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

    def __init__(self, suite: str, key: bytes, mki: bytes, before: Mapping[bytes, int] = MappingProxyType({})) -> None:
        """Expect the first packet of a key; `mki` is what each packet carries to name it, b"" for nothing.

        `before` says how far each source came under the key that this one takes the place of.
        """
        self._traits = _SUITES[suite]
        self._key = key
        self._mki = mki
        self._session = _session(self._traits, key, Policy.SSRC_ANY_INBOUND)
        self._before = {source: index for source, index in before.items() if index < _LONGEST_INDEX}
        self._going_on: dict[bytes, Session] = {}
        self._sources: dict[bytes, int] = {}
        self.refused = 0
        self.replayed = 0

    @property
    def reached(self) -> Mapping[bytes, int]:
        """The highest index of each source of voice, as far as it is known."""
        return self._before | {source: index for source, index in self._sources.items() if index != _NOT_HEARD}

    def unprotect(self, data: bytes) -> bytes | None:
        """Decrypt what came to the RTP port; None for what is to be dropped."""
        if is_rtcp(data):
            return self.unprotect_rtcp(data)
        data = self._whole(data, HEADER_BYTES, self._traits.rtp_tag, _SSRC_OF_RTP)
        source = data[_SSRC_OF_RTP]
        if source in self._before:
            plain = self._open_first(data, source)
        else:
            plain = self._open(data, self._going_on.get(source, self._session).unprotect)
        if plain is not None:
            reached = self._sources.get(source, _NOT_HEARD)
            self._sources[source] = _reached_with(reached, int.from_bytes(data[_SEQUENCE]))
        return plain

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        """Decrypt what came to the RTCP port; None for what is to be dropped."""
        least = _RTCP_HEADER_BYTES + _RTCP_INDEX_BYTES
        data = self._whole(data, least, self._traits.rtcp_tag, _SSRC_OF_RTCP)
        plain = self._open(data, self._session.unprotect_rtcp)
        if plain is not None:
            self._sources.setdefault(data[_SSRC_OF_RTCP], _NOT_HEARD)
        return plain

    def _whole(self, data: bytes, least: int, tag: int, ssrc: slice) -> bytes:
        """Return a packet without the key's name; b"" where it is none that could be read."""
        if self._mki:
            data = self._without_mki(data, 0 if self._traits.aead else tag)
        known = data[ssrc] in self._sources or len(self._sources) < MAX_SOURCES
        return data if known and least + tag <= len(data) <= MAX_PACKET_BYTES else b""

    def _open(self, data: bytes, unprotect: Callable[[bytes], bytes]) -> bytes | None:
        replayed = False
        try:
            if data:
                return unprotect(data)
        except Error as error:
            replayed = str(error).startswith(_REPLAY)
        self.replayed += replayed
        self.refused += not replayed
        return None

    def _open_first(self, data: bytes, source: bytes) -> bytes | None:
        """Decrypt the first packet of a source whose key is new, and learn from it how the source counts."""
        with suppress(Error):
            plain = self._session.unprotect(data)
            self._going_on.pop(source, None)
            del self._before[source]
            return plain
        with suppress(Error):
            plain = self._after(source).unprotect(data)
            self._sources[source] = self._before.pop(source)
            return plain
        self.refused += 1
        return None

    def _after(self, source: bytes) -> Session:
        """Return a session in which a source has come as far as under the key before.

        The library cannot be told a roll-over count: it counts packets that we make ourselves.
        """
        session = self._going_on.get(source)
        if session is None:
            maker = _session(self._traits, self._key, Policy.SSRC_ANY_OUTBOUND)
            session = self._going_on[source] = _session(self._traits, self._key, Policy.SSRC_ANY_INBOUND)
            reached = self._before[source]
            for index in (*range(0, reached, _STRIDE), reached):
                packet = write_packet(0, index % SEQUENCE_MODULUS, 0, int.from_bytes(source), b"", marker=False)
                session.unprotect(maker.protect(packet))
        return session

    def _without_mki(self, data: bytes, behind: int) -> bytes:
        """Take the identifier out, which `behind` octets follow; b"" where it is another one."""
        end = len(data) - behind
        start = end - len(self._mki)
        return data[:start] + data[end:] if start >= 0 and data[start:end] == self._mki else b""


def _reached_with(reached: int, sequence: int) -> int:
    """Return the highest index of a source after a packet (RFC 3711 section 3.3.1 and appendix A)."""
    if reached == _NOT_HEARD:
        return sequence
    ahead = (sequence - reached) % SEQUENCE_MODULUS
    return reached + ahead if ahead < SEQUENCE_MODULUS // 2 else reached


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

    def configure(self, security: MediaSecurity | None) -> bool:
        """Use these keys from now on, and return whether our source has to begin anew.

        A key that stays goes on counting where it is (RFC 4568 section 7.1.4). Under a new one of ours some far ends
        begin to count the roll-overs anew and some do not: a source that is new begins at nothing for everybody.
        """
        self._security = security
        if security is None:
            return False
        is_new = security.local_key != self._protected_by
        if is_new:
            self._protector = Protector(security.suite, security.local_key)
            self._protected_by = security.local_key
        theirs = security.suite, security.remote_key, security.remote_mki
        if theirs != self._unprotected_by:
            self._refused, self._replayed = self.refused, self.replayed
            reached = {} if self._unprotector is None else self._unprotector.reached
            self._unprotector = Unprotector(*theirs, reached)
            self._unprotected_by = theirs
        return is_new

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
