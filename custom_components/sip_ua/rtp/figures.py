"""The figures of a session in one place, for diagnostics and sensors."""

from dataclasses import dataclass

from .codecs import CodecType
from .control import ControlChannel
from .quality import mean_opinion_score, rating
from .receiver import VoiceReceiver
from .sender import VoiceSender


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpStatistics:
    """Figures of a session so far. Times in ms, losses as counts of packets and fractions of 1.

    `late` packets came after their moment of playing, `discarded` ones were dropped to shorten an overfull
    buffer, `strangers` came from a source that is not the far end. `remote_*` is what the far end reported
    about our voice, `silent_ms` is the time since anything came from it. None means: not known.
    Whoever encrypts the packets (RFC 3711) tells of it in `encrypted`, and in `unauthenticated` and `replayed` of those
    that it dropped: not genuine, or such that came before.
    """

    packets_sent: int
    octets_sent: int
    packets_received: int
    octets_received: int
    lost: int
    loss: float
    late: int
    duplicate: int
    reordered: int
    discarded: int
    concealed_ms: int
    malformed: int
    strangers: int
    jitter_ms: float
    delay_ms: float
    round_trip_ms: float | None
    remote_lost: int | None
    remote_loss: float | None
    remote_jitter_ms: float | None
    silent_ms: float
    mos: float | None
    send_codec: str | None
    receive_codec: str | None
    encrypted: bool = False
    unauthenticated: int = 0
    replayed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCounts:
    """What the session itself knows beside its parts; times in seconds."""

    malformed: int
    strangers: int
    silent_for: float
    ptime: float


def gather(
    sender: VoiceSender, receiver: VoiceReceiver, control: ControlChannel, counts: SessionCounts
) -> RtpStatistics:
    """Put the figures of all parts together."""
    totals, buffer, reception = receiver.totals(), receiver.buffer, receiver.reception
    lost = max(0, totals.expected - totals.received)
    trip, heard = control.round_trip, totals.received > 0
    remote_jitter = None if control.remote_jitter is None else control.remote_jitter / sender.codec_type.clock_rate
    unplayed = (lost + buffer.late + buffer.discarded) / totals.expected if heard else 0.0
    delay = (trip or 0.0) / 2 + buffer.delay + counts.ptime
    return RtpStatistics(
        packets_sent=sender.packets,
        octets_sent=sender.octets,
        packets_received=totals.received,
        octets_received=receiver.octets,
        lost=lost,
        loss=lost / totals.expected if heard else 0.0,
        late=buffer.late,
        duplicate=totals.duplicate,
        reordered=totals.reordered,
        discarded=buffer.discarded,
        concealed_ms=round(receiver.concealed_ms),
        malformed=counts.malformed + receiver.malformed + control.malformed,
        strangers=counts.strangers,
        jitter_ms=1000 * reception.jitter / reception.clock_rate,
        delay_ms=1000 * buffer.delay,
        round_trip_ms=None if trip is None else 1000 * trip,
        remote_lost=control.remote_lost,
        remote_loss=control.remote_loss,
        remote_jitter_ms=None if remote_jitter is None else 1000 * remote_jitter,
        silent_ms=1000 * counts.silent_for,
        mos=estimate(receiver.codec_type, loss=min(1.0, unplayed), delay=delay) if heard else None,
        send_codec=sender.codec_type.name,
        receive_codec=receiver.codec_type.name if heard else None,
    )


def estimate(codec: CodecType, *, loss: float, delay: float) -> float:
    """Give the MOS of what we hear; `loss` a fraction, `delay` in seconds from mouth to ear."""
    return mean_opinion_score(
        rating(
            loss=loss,
            delay_ms=1000 * delay,
            impairment=codec.impairment,
            loss_robustness=codec.loss_robustness,
        )
    )
