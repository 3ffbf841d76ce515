"""The RTCP half of a session: reports out on time, reports in evaluated (RFC 3550 section 6)."""

from typing import Final

from .errors import PacketError
from .parameters import Entropy
from .reception import Reception
from .rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    compact_ntp,
    ntp_time,
    parse_compound,
    transmission_interval,
    write_compound,
)
from .sender import VoiceSender

BANDWIDTH: Final = 400.0
"""RTCP's share in octets per second: 5 % of a 64 kbit/s stream."""

LOWER_LAYERS_OCTETS: Final = 28
"""IPv4 and UDP header."""

MEMBERS: Final = 2
MAX_ROUND_TRIP: Final = 60.0
_FIRST_SIZE: Final = 100.0
_COMPACT_UNITS: Final = 65536


class ControlChannel:
    """Makes our reports and keeps what the far end's say. Times in seconds, `remote_jitter` in timestamp units."""

    __slots__ = (
        "_average_size",
        "_cname",
        "_entropy",
        "_last_sr",
        "_last_sr_time",
        "_minimum",
        "_packets_then",
        "_received_then",
        "_wallclock_offset",
        "malformed",
        "next_report",
        "remote_cname",
        "remote_jitter",
        "remote_loss",
        "remote_lost",
        "round_trip",
    )

    def __init__(self, *, cname: str, wallclock_offset: float, minimum: float, entropy: Entropy, now: float) -> None:
        """Schedule the first report; `minimum` seconds between reports, 0 for no RTCP."""
        self._cname = cname
        self._wallclock_offset = wallclock_offset
        self._minimum = minimum
        self._entropy = entropy
        self._average_size = _FIRST_SIZE + LOWER_LAYERS_OCTETS
        self._last_sr = 0
        self._last_sr_time = 0.0
        self._packets_then = 0
        self._received_then = 0
        self.malformed = 0
        self.remote_cname: str | None = None
        self.remote_jitter: int | None = None
        self.remote_loss: float | None = None
        self.remote_lost: int | None = None
        self.round_trip: float | None = None
        self.next_report: float | None = None
        if minimum > 0:
            self.next_report = now + self._interval(initial=True, we_sent=True)

    def report(self, sender: VoiceSender, reception: Reception, now: float) -> bytes:
        """Give the compound that is due and schedule the next."""
        sent = sender.packets != self._packets_then
        self._packets_then = sender.packets
        data = write_compound([*self._opening(sender, reception, now, sent=sent), self._description(sender)])
        self._average_size += (len(data) + LOWER_LAYERS_OCTETS - self._average_size) / 16
        self.next_report = now + self._interval(initial=False, we_sent=sent)
        return data

    def goodbye(self, sender: VoiceSender, reception: Reception, now: float, reason: str = "") -> bytes:
        """Give the compound that ends our source (section 6.6)."""
        opening = self._opening(sender, reception, now, sent=sender.packets > 0)
        return write_compound([*opening, self._description(sender), Goodbye((sender.ssrc,), reason)])

    def receive(self, data: bytes, our_ssrc: int, remote_ssrc: int | None, now: float) -> list[RtcpPacket]:
        """Take one datagram; gives its packets, none when it cannot be read."""
        try:
            packets = parse_compound(data)
        except PacketError:
            self.malformed += 1
            return []
        for packet in packets:
            match packet:
                case SenderReport(ssrc=ssrc) if remote_ssrc in (None, ssrc):
                    self._last_sr = compact_ntp(packet.ntp)
                    self._last_sr_time = now
                    self._evaluate(packet.blocks, our_ssrc, now)
                case SenderReport() | ReceiverReport():
                    self._evaluate(packet.blocks, our_ssrc, now)
                case SourceDescription(ssrc=ssrc) if remote_ssrc in (None, ssrc):
                    self.remote_cname = packet.cname
                case _:
                    pass
        return packets

    def forget_source(self) -> None:
        """Note that the far end has another source, of which no report has come."""
        self._last_sr = 0
        self._received_then = 0

    def _interval(self, *, initial: bool, we_sent: bool) -> float:
        return transmission_interval(
            members=MEMBERS,
            senders=1 + we_sent,
            we_sent=we_sent,
            bandwidth=BANDWIDTH,
            average_size=self._average_size,
            initial=initial,
            chance=int.from_bytes(self._entropy(4)) / 0x1_0000_0000,
            minimum=self._minimum,
        )

    def _opening(self, sender: VoiceSender, reception: Reception, now: float, *, sent: bool) -> list[RtcpPacket]:
        blocks = self._blocks(reception, now)
        if not sent:
            return [ReceiverReport(sender.ssrc, blocks)]
        ntp = ntp_time(now + self._wallclock_offset)
        packets, octets = sender.sent_as_source
        return [SenderReport(sender.ssrc, ntp, sender.timestamp_at(now), packets, octets, blocks)]

    def _description(self, sender: VoiceSender) -> SourceDescription:
        return SourceDescription(sender.ssrc, self._cname)

    def _blocks(self, reception: Reception, now: float) -> tuple[ReportBlock, ...]:
        if reception.received == self._received_then:
            return ()
        self._received_then = reception.received
        delay = round((now - self._last_sr_time) * _COMPACT_UNITS) & 0xFFFF_FFFF if self._last_sr else 0
        return (
            ReportBlock(
                ssrc=reception.ssrc,
                fraction_lost=min(255, int(reception.fraction_lost() * 256)),
                cumulative_lost=min(reception.lost, 0x7F_FFFF),
                highest_sequence=reception.highest & 0xFFFF_FFFF,
                jitter=int(reception.jitter),
                last_sr=self._last_sr,
                delay_since_last_sr=delay,
            ),
        )

    def _evaluate(self, blocks: tuple[ReportBlock, ...], our_ssrc: int, now: float) -> None:
        for block in blocks:
            if block.ssrc != our_ssrc:
                continue
            self.remote_loss = block.fraction_lost / 256
            self.remote_lost = block.cumulative_lost
            self.remote_jitter = block.jitter
            if block.last_sr:
                here = compact_ntp(ntp_time(now + self._wallclock_offset))
                units = here - block.last_sr - block.delay_since_last_sr & 0xFFFF_FFFF
                # A clock that ticks in coarser steps than the way is long gives slightly less than nothing.
                trip = max(0, (units ^ 0x8000_0000) - 0x8000_0000) / _COMPACT_UNITS
                if trip < MAX_ROUND_TRIP:
                    self.round_trip = trip
