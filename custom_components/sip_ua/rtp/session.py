"""One call's voice: RTP, RTCP, jitter buffer and DTMF joined, sans-IO (RFC 3550, 3551, 4733, 4961)."""

from collections import deque
from typing import Final

from .codecs import CodecType
from .control import ControlChannel
from .dtmf import DEFAULT_DURATION_MS, DEFAULT_GAP_MS, ReceivedDigit
from .errors import PacketError, RtpUsageError
from .events import (
    DigitReceived,
    DigitsSent,
    FirstPacketReceived,
    MediaResumed,
    MediaTimedOut,
    ReceiveFormatChanged,
    RemoteEnded,
    RemoteMoved,
    RtpEvent,
    SsrcChanged,
    SsrcCollision,
)
from .figures import RtpStatistics, SessionCounts, gather
from .noise import DEFAULT_LEVEL
from .packet import RtpPacket, is_rtcp, parse_packet
from .parameters import Address, Direction, Entropy, MediaParameters, Outgoing, RtpConfig
from .receiver import VoiceReceiver
from .rtcp import Goodbye
from .sender import VoiceSender, first_sequence
from .source import SourceLock, Verdict
from .tone_detector import ToneDetector

__all__ = ["Direction", "MediaParameters", "RtpConfig", "RtpEvent", "RtpSession", "RtpStatistics"]

MAX_EVENTS: Final = 256
MAX_MIRRORS: Final = 8
PTIMES: Final = range(10, 201, 10)

PATIENCE_AT_REST: Final = 4
"""How many times longer than another one a far end may send nothing that said that it is silent (RFC 3389)."""


class RtpSession:
    """One call's voice; no socket, no clock, no randomness of its own.

    The owner calls `configure` with the outcome of offer and answer, hands in what its sockets receive, and then
    once every `ptime` calls `send_frame` and `play_out`. `now` is a monotonic clock reading in seconds. Before
    `configure` nothing is sent and what comes is dropped.
    """

    __slots__ = (
        "_cname",
        "_codec",
        "_config",
        "_control",
        "_entropy",
        "_events",
        "_farewells",
        "_first_sequence",
        "_first_timestamp",
        "_heard",
        "_lock",
        "_media",
        "_mirrors",
        "_receiver",
        "_rtcp_target",
        "_sender",
        "_ssrc",
        "_strangers",
        "_timed_out",
        "_tones",
        "_unreachable",
        "_unreadable",
        "_wallclock_offset",
    )

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
        self._config = config
        self._ssrc = ssrc
        self._first_sequence = first_sequence
        self._first_timestamp = first_timestamp
        self._cname = cname
        self._wallclock_offset = wallclock_offset
        self._entropy = entropy
        self._events: deque[RtpEvent] = deque(maxlen=MAX_EVENTS)
        self._media: MediaParameters | None = None
        self._strangers = 0
        self._unreadable = 0
        self._heard = 0.0
        self._timed_out = False
        self._mirrors: set[Address] = set()
        self._farewells: list[Outgoing] = []
        self._tones: ToneDetector | None = None

    # ---- parameters

    def configure(self, media: MediaParameters, now: float) -> None:
        """Start the voice or change it.

        Numbers, counts and what was learned about the far end go on as long as its address stays. Raises
        `RtpUsageError` for a codec that the configuration lacks or a ptime that is none.
        """
        media = media.canonical()
        codec = self._check(media)
        before = self._media
        self._media = media
        self._codec = codec
        self._timed_out = False
        self._heard = now
        self._unreachable = media.unreachable or media.withheld
        if before is None:
            self._sender = VoiceSender(self._ssrc, self._first_sequence, self._first_timestamp, media, codec)
            self._receiver = VoiceReceiver(self._config, media)
            self._control = ControlChannel(
                cname=self._cname,
                wallclock_offset=self._wallclock_offset,
                minimum=self._config.rtcp_interval,
                entropy=self._entropy,
                now=now,
            )
        else:
            self._sender.configure(media, codec)
            self._receiver.configure(media)
        if before is None or before.remote_rtp != media.remote_rtp:
            self._lock = SourceLock(media.remote_rtp, follow=self._config.follow_source)
            self._rtcp_target = media.rtcp_address
        elif before.remote_rtcp != media.remote_rtcp:
            self._rtcp_target = media.rtcp_address

    def _check(self, media: MediaParameters) -> CodecType:
        codecs = self._config.codecs
        if missing := sorted({media.codec, *(name for _, name in media.receive)} - set(codecs)):
            raise RtpUsageError(f"no such codec: {' '.join(missing)}")
        if media.ptime not in PTIMES:
            raise RtpUsageError(f"a packet cannot last {media.ptime} ms")
        return codecs[media.codec]

    @property
    def configured(self) -> bool:
        """Whether `configure` was called."""
        return self._media is not None

    @property
    def remote_address(self) -> Address:
        """Where voice is sent to now."""
        self._require()
        return self._lock.address

    @property
    def send_codec(self) -> CodecType:
        """The codec of `send_frame`; its sample rate is that of the PCM to hand in."""
        self._require()
        return self._codec

    @property
    def receive_rate(self) -> int:
        """Sample rate in Hz of what `play_out` gives; `ReceiveFormatChanged` tells a change."""
        self._require()
        return self._receiver.codec_type.sample_rate

    @property
    def frame_bytes(self) -> int:
        """Bytes of PCM that `send_frame` wants: one ptime at the rate of `send_codec`."""
        self._require()
        return self._sender.frame_bytes

    def _require(self) -> MediaParameters:
        if self._media is None:
            raise RtpUsageError("the session is not configured")
        return self._media

    # ---- from the network

    def receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the RTP socket; never raises for what is in it."""
        if self._media is None:
            self._strangers += 1
            return
        if is_rtcp(data):
            self.receive_rtcp(data, source, now)
            return
        try:
            packet = parse_packet(data)
        except PacketError:
            self._unreadable += 1
            return
        receiver = self._receiver
        if not receiver.understands(packet.payload_type):
            self._unreadable += 1
            return
        source = source[:2]
        lock = self._lock
        if packet.ssrc == self._sender.ssrc and source in (lock.address, lock.named):
            self._collide(source, now)
        moved_from = lock.address
        verdict = lock.receive(packet, source, now)
        if verdict is Verdict.REFUSED:
            self._strangers += 1
            return
        if verdict is not Verdict.ACCEPTED:
            self._new_source(packet, source, moved_from)
        self._heard = now
        if self._timed_out:
            self._resume()
        for digit in receiver.receive(packet, now):
            self._tell_digit(digit)

    def receive_rtcp(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram from the RTCP socket; never raises for what is in it."""
        if self._media is None or source[0] not in (self._lock.address[0], self._rtcp_target[0]):
            self._strangers += 1
            return
        remote = self._lock.ssrc
        packets = self._control.receive(data, self._sender.ssrc, remote, now)
        if not packets:
            return
        self._heard = now
        if self._timed_out:
            self._resume()
        if source[0] == self._lock.address[0]:
            self._rtcp_target = source[:2]
        for packet in packets:
            if isinstance(packet, Goodbye) and remote in packet.sources:
                self._events.append(RemoteEnded(packet.reason))

    def _new_source(self, packet: RtpPacket, source: Address, moved_from: Address) -> None:
        receiver = self._receiver
        before = receiver.reception
        first = before.received == 0
        if first or packet.ssrc != before.ssrc:
            for digit in receiver.start_source(packet.ssrc):
                self._tell_digit(digit)
            self._control.forget_source()
            if not first:
                self._events.append(SsrcChanged(before.ssrc, packet.ssrc))
        if source != moved_from:
            self._events.append(RemoteMoved(source))
            if source[0] != self._rtcp_target[0]:
                self._rtcp_target = (source[0], source[1] + 1)
        if first:
            codec = receiver.codec_of(packet.payload_type) or receiver.codec_type
            self._events.append(FirstPacketReceived(source, codec.name, codec.sample_rate))

    def _collide(self, source: Address, now: float) -> None:
        """Take a new SSRC when the far end uses ours; one that keeps doing it mirrors our packets (section 8.2)."""
        if source in self._mirrors or len(self._mirrors) >= MAX_MIRRORS:
            return
        self._mirrors.add(source)
        old = self._sender.ssrc
        self._change_source(now, "SSRC collision")
        self._events.append(SsrcCollision(old, self._sender.ssrc))

    def begin_source(self, now: float) -> None:
        """Be a new source from now on, where anything was sent: our voice is encrypted anew."""
        self._require()
        if self._sender.packets:
            self._change_source(now, "new key")

    def _change_source(self, now: float, reason: str) -> None:
        sender = self._sender
        farewell = self._control.goodbye(sender, self._receiver.reception, now, reason)
        self._farewells.append((farewell, self._rtcp_target))
        sender.change_source(int.from_bytes(self._entropy(4)), first_sequence(self._entropy))

    def _resume(self) -> None:
        self._timed_out = False
        self._events.append(MediaResumed())

    def _tell_digit(self, digit: ReceivedDigit) -> None:
        self._events.append(DigitReceived(digit.digit, digit.duration_ms))

    # ---- every ptime

    def send_frame(self, pcm: bytes | None, now: float, *, background: int = DEFAULT_LEVEL) -> list[Outgoing]:
        """Give the datagrams of this ptime; None is silence, and digits being sent take the place of the voice.

        A frame is at most `frame_bytes` long; a shorter one is filled up with silence. `background` is how loud the
        silence is, in -dBov, where comfort noise tells of it.
        """
        media, sender = self._require(), self._sender
        if media.withheld:
            return []
        pressing = sender.pressing
        packet = sender.frame(pcm, now, background)
        if pressing and not sender.pressing:
            self._events.append(DigitsSent())
        if packet is None or self._unreachable:
            return []
        return [(packet, self._lock.address)]

    @property
    def spoken(self) -> bytes | None:
        """The PCM of ours that was sent by the last `send_frame`; None where there was no voice in it."""
        self._require()
        return self._sender.spoken

    def play_out(self, now: float) -> bytes:
        """Give one ptime of received PCM at `receive_rate`, concealed where packets are missing."""
        media = self._require()
        receiver = self._receiver
        for digit in receiver.expire_digit(now):
            self._tell_digit(digit)
        timeout = self._config.media_timeout * (PATIENCE_AT_REST if receiver.resting else 1)
        if timeout and not self._timed_out and now - self._heard >= timeout and media.direction.receives:
            self._timed_out = True
            self._events.append(MediaTimedOut(now - self._heard))
        codec = receiver.codec_type
        pcm = receiver.play_out(now)
        if receiver.codec_type is not codec:
            self._events.append(ReceiveFormatChanged(receiver.codec_type.name, receiver.codec_type.sample_rate))
        if media.hear_tones:
            self._hear_tones(pcm, receiver.codec_type.sample_rate)
        return pcm

    def _hear_tones(self, pcm: bytes, rate: int) -> None:
        """Tell the digits that are in the voice itself."""
        tones = self._tones
        if tones is None or tones.rate != rate:
            tones = self._tones = ToneDetector(rate)
        for digit, duration_ms in tones.feed(pcm, concealed=self._receiver.concealed):
            self._events.append(DigitReceived(digit, duration_ms, inband=True))

    def skip(self, frames: int) -> None:
        """Let ptimes pass for which neither `send_frame` nor `play_out` was called, as the machine stood still."""
        self._require()
        self._sender.skip(frames)
        self._receiver.hurry()

    # ---- digits

    def send_digits(
        self,
        digits: str,
        *,
        duration_ms: int = DEFAULT_DURATION_MS,
        gap_ms: int = DEFAULT_GAP_MS,
        inband: bool = False,
    ) -> None:
        """Queue digits 0-9 * # A-D and pauses of a second (`,`): as telephone events, or `inband` as tones.

        Raises `RtpUsageError` for anything else, for times out of bounds, or when telephone events were not negotiated.
        """
        self._require()
        self._sender.queue_digits(digits, duration_ms, gap_ms, inband=inband)

    def cancel_digits(self) -> None:
        """Drop the digits not yet begun; the one being sent ends properly."""
        self._require()
        self._sender.cancel_digits()

    # ---- RTCP

    @property
    def next_rtcp(self) -> float | None:
        """When `rtcp_due` next has something to send."""
        return None if self._media is None else self._control.next_report

    def rtcp_due(self, now: float) -> list[Outgoing]:
        """Give the reports that are due; cheap to call every ptime."""
        if self._media is None:
            return []
        due, self._farewells = self._farewells, []
        deadline = self._control.next_report
        if deadline is not None and now >= deadline:
            due.append((self._control.report(self._sender, self._receiver.reception, now), self._rtcp_target))
        return [] if self._unreachable else due

    def bye(self, now: float) -> list[Outgoing]:
        """Give the RTCP goodbye, to be sent as the stream is closed."""
        if self._media is None or self._control.next_report is None or self._unreachable:
            return []
        return [(self._control.goodbye(self._sender, self._receiver.reception, now), self._rtcp_target)]

    # ---- what happened

    def events(self) -> list[RtpEvent]:
        """Drain what happened since the last call."""
        if not self._events:
            return []
        events = list(self._events)
        self._events.clear()
        return events

    def statistics(self, now: float) -> RtpStatistics:
        """Give the figures so far; raises `RtpUsageError` before `configure`."""
        media = self._require()
        counts = SessionCounts(
            malformed=self._unreadable,
            strangers=self._strangers,
            silent_for=max(0.0, now - self._heard),
            ptime=media.ptime / 1000,
        )
        return gather(self._sender, self._receiver, self._control, counts)
