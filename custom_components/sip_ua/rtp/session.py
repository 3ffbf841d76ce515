"""One call's voice: RTP, RTCP, jitter buffer and DTMF joined, sans-IO (RFC 3550, 3551, 4733)."""

from .codecs import CodecType
from .events import RtpEvent, RtpStatistics
from .parameters import Entropy, MediaParameters, Outgoing, RtpConfig


class RtpSession:
    """One call's voice; no socket, no clock, no randomness of its own.

    The owner calls `configure` with the outcome of offer and answer, hands in what its sockets receive, and then
    once every `ptime` calls `send_frame` and `play_out`. `now` is a monotonic clock reading in seconds.
    """

    def __init__(
        self,
        config: RtpConfig,
        *,
        ssrc: int,
        first_sequence: int,
        first_timestamp: int,
        cname: str,
        wallclock_offset: float,
        entropy: Entropy,
    ) -> None:
        """Begin with these identifiers; `wallclock_offset` added to `now` gives Unix time in seconds."""

    def configure(self, media: MediaParameters, now: float) -> None:
        """Start the voice or change it; raises `RtpUsageError` for a codec that the configuration lacks."""

    @property
    def send_codec(self) -> CodecType:
        """The codec of `send_frame`; its sample rate is that of the PCM to hand in."""

    @property
    def receive_rate(self) -> int:
        """Sample rate in Hz of what `play_out` gives; `ReceiveFormatChanged` tells a change."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of PCM that `send_frame` wants: one ptime at the rate of `send_codec`."""

    def receive_rtp(self, data: bytes, source: tuple[str, int], now: float) -> None:
        """Take one datagram from the RTP socket; never raises for what is in it."""

    def receive_rtcp(self, data: bytes, source: tuple[str, int], now: float) -> None:
        """Take one datagram from the RTCP socket; never raises for what is in it."""

    def send_frame(self, pcm: bytes | None, now: float) -> list[Outgoing]:
        """Give the datagrams of this ptime; None is silence, and digits being sent take the place of the voice.

        A frame is at most `frame_bytes` long; a shorter one is filled up with silence.
        """

    def play_out(self, now: float) -> bytes:
        """Give one ptime of received PCM at `receive_rate`, concealed where packets are missing."""

    def send_digits(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 100) -> None:
        """Queue digits 0-9 * # A-D and pauses (`,`); raises `RtpUsageError` for others or when not negotiated."""

    def cancel_digits(self) -> None:
        """Drop the digits not yet begun; the one being sent ends properly."""

    @property
    def next_rtcp(self) -> float | None:
        """When `rtcp_due` next has something to send."""

    def rtcp_due(self, now: float) -> list[Outgoing]:
        """Give the report that is due, if any; cheap to call every ptime."""

    def bye(self, now: float) -> list[Outgoing]:
        """Give the RTCP goodbye, to be sent as the stream is closed."""

    def events(self) -> list[RtpEvent]:
        """Drain what happened since the last call."""

    def statistics(self, now: float) -> RtpStatistics:
        """Give the figures so far."""
