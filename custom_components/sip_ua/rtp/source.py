"""Decides whose packets are the far end's: address and SSRC lock of symmetric RTP (RFC 3550 section 8, RFC 4961)."""

from enum import Enum, auto
from typing import Final

from .packet import RtpPacket, sequence_distance
from .parameters import Address

RUN_OF_STRANGER: Final = 4
"""Packets in a row from another address before it is believed."""

RUN_OF_SSRC: Final = 2
"""Packets in a row with another SSRC from the address in use before it is believed."""

NEAR: Final = 4
"""How far a sequence number may be ahead of the one before to be in the same row."""

SILENCE_BEFORE_SWITCH: Final = 0.5
"""Seconds for which the address in use must have been silent before another is believed."""


class Verdict(Enum):
    """What becomes of a packet."""

    ACCEPTED = auto()
    NEW_SSRC = auto()
    NEW_ADDRESS = auto()
    REFUSED = auto()


class SourceLock:
    """Holds to the address that signalling named and to the SSRC heard from it.

    The named address is believed at once. Another is believed only after `RUN_OF_STRANGER` packets of one SSRC in
    sequence, and only while the one in use is silent; and the named one takes over again as soon as it speaks.
    """

    __slots__ = ("_follow", "_heard", "_row", "address", "named", "ssrc")

    def __init__(self, named: Address, *, follow: bool) -> None:
        """Wait for the named address."""
        self.named = named
        self._follow = follow
        self._heard: float | None = None
        self._row: tuple[Address, int, int, int] | None = None
        self.address = named
        self.ssrc: int | None = None

    def receive(self, packet: RtpPacket, source: Address, now: float) -> Verdict:
        """Judge one packet, which is RTP and whose payload type is known."""
        if source == self.address and packet.ssrc == self.ssrc:
            self._heard = now
            self._row = None
            return Verdict.ACCEPTED
        if source == self.address:
            return self._other_ssrc(packet, source, now)
        if source == self.named:
            return self._take(packet, source, now, Verdict.NEW_ADDRESS)
        if not self._follow or (self._heard is not None and now - self._heard < SILENCE_BEFORE_SWITCH):
            return Verdict.REFUSED
        if self._in_row(packet, source) < RUN_OF_STRANGER:
            return Verdict.REFUSED
        return self._take(packet, source, now, Verdict.NEW_ADDRESS)

    def _other_ssrc(self, packet: RtpPacket, source: Address, now: float) -> Verdict:
        if self.ssrc is None or self._in_row(packet, source) >= RUN_OF_SSRC:
            return self._take(packet, source, now, Verdict.NEW_SSRC)
        return Verdict.REFUSED

    def _take(self, packet: RtpPacket, source: Address, now: float, verdict: Verdict) -> Verdict:
        self.address = source
        self.ssrc = packet.ssrc
        self._heard = now
        self._row = None
        return verdict

    def _in_row(self, packet: RtpPacket, source: Address) -> int:
        """Count how many packets of this source have now come in sequence."""
        length = 1
        if self._row is not None:
            address, ssrc, sequence, before = self._row
            if (address, ssrc) == (source, packet.ssrc) and 0 < sequence_distance(packet.sequence, sequence) <= NEAR:
                length = before + 1
        self._row = (source, packet.ssrc, packet.sequence, length)
        return length
