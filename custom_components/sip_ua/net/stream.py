"""One call's voice in the media thread: two sockets, an RTP session, the sounds being played and the recording."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..rtp.parameters import Address, MediaParameters, Outgoing
from ..rtp.sender import first_sequence
from ..rtp.session import RtpSession, RtpStatistics
from .av_codecs import AV_CODECS
from .full_collections import FULL_COLLECTIONS
from .loudness import loudness_of
from .media_messages import (
    CancelDigits,
    ChangeGain,
    ConfigureStream,
    Listen,
    OpenStream,
    PausePlayback,
    SendDigits,
    StartPlayback,
    StartRecording,
    StopPlayback,
    StopRecording,
    StreamCommand,
)
from .media_socket import MediaSocket, Reader
from .playlist import Playlist
from .recorder import RecordingTap
from .recording_tone import SignalTone, signal_tone
from .rooms import Seat
from .srtp import MediaCipher
from .stream_events import StreamEvent, VoiceHeard
from .turns import TURN_IN_CALLS, TURNS
from .voice_activity import VoiceActivity

NANOSECONDS_PER_MS: Final = 1_000_000
RTCP_EVERY: Final = 8
"""Ticks from one look at the RTCP socket to the next; the kernel keeps the times of what waits there."""

HEAD_START: Final = 100
"""Milliseconds for which the very first packet waits for a sound that is about to be ready."""


class CallStream:
    """Everything of one stream that lives in the media thread; used from there only."""

    def __init__(self, order: OpenStream, tell: Callable[[StreamEvent | VoiceHeard], None]) -> None:
        """Take over the sockets of `order`; events go to `tell`."""
        self.id = order.stream
        self._tell = tell
        self._session = RtpSession(
            order.config,
            ssrc=int.from_bytes(os.urandom(4)),
            first_sequence=first_sequence(os.urandom),
            first_timestamp=int.from_bytes(os.urandom(4)),
            cname=order.cname,
            wallclock_offset=time.time() - time.monotonic(),
            entropy=os.urandom,
        )
        self._cipher = MediaCipher()
        self.rtp = MediaSocket(order.ports.rtp, self._receive_rtp)
        self.rtcp = MediaSocket(order.ports.rtcp, self._receive_rtcp)
        self._media: MediaParameters | None = None
        self._playlist = Playlist(tell)
        self._recording: RecordingTap | None = None
        self._signal: SignalTone | None = None
        self._listening = False
        self._sent: list[bytes | None] = []
        self._read_at = time.monotonic()
        self._until_rtcp = 0
        self._in_call = False
        self.uses_pyav = False
        """Whether its voice is coded by PyAV, or may be."""
        self._speaking = loudness_of(order.loudness.speaking_db)
        self._listening_volume = loudness_of(order.loudness.listening_db)
        self._activity: VoiceActivity | None = None
        self.seat: Seat | None = None
        self._head_start = HEAD_START

    @property
    def period(self) -> int | None:
        """Time from packet to packet in ns; None before the voice begins."""
        return None if self._media is None else self._media.ptime * NANOSECONDS_PER_MS

    def obey(self, command: StreamCommand, now: float) -> None:
        """Do what a message from the event loop says."""
        match command:
            case ConfigureStream():
                self._configure(command, now)
            case StartPlayback():
                self._playlist.add(command.playback, command.reader, command.gain, command.placement)
            case PausePlayback():
                self._playlist.pause(paused=command.paused)
            case ChangeGain():
                self._playlist.change_gain(command.playback, command.gain)
            case StopPlayback():
                self._playlist.stop(command.playback)
            case SendDigits():
                self._session.send_digits(
                    command.digits,
                    duration_ms=command.duration_ms,
                    gap_ms=command.gap_ms,
                    inband=command.inband,
                )
            case CancelDigits():
                self._session.cancel_digits()
            case StartRecording():
                self._stop_recording()
                self._recording = RecordingTap(command.pipe)
                self._signal = signal_tone(command.tone)
            case StopRecording():
                self._stop_recording()
            case Listen():
                self._listening = command.listening
            case _:
                raise TypeError(f"not for a stream: {type(command).__name__}")

    def _configure(self, command: ConfigureStream, now: float) -> None:
        """Start the voice or change it."""
        self._session.configure(command.media, now)
        if self._cipher.configure(command.security):
            self._session.begin_source(now)
        self._media = command.media
        self._watch_activity(command.media)
        if not self._in_call:
            self._in_call = True
            TURNS.shorten(TURN_IN_CALLS)
            FULL_COLLECTIONS.put_off()
        names = {command.media.codec, *(name for _, name in command.media.receive)}
        self.uses_pyav = not AV_CODECS.keys().isdisjoint(names)

    def _watch_activity(self, media: MediaParameters) -> None:
        """Tell voice from silence where the far end agreed that nothing comes in silence."""
        if media.comfort_noise_send is None and not media.discontinuous:
            self._activity = None
        elif self._activity is None:
            self._activity = VoiceActivity()

    def skip(self, ticks: int) -> None:
        """Let so many ticks pass unplayed, because the machine itself stood still."""
        self._session.skip(ticks)
        if self._recording is not None and self._media is not None:
            self._recording.skip(ticks * self._media.ptime / 1000)

    def make_packets(self, ticks: int, now: float) -> list[Outgoing]:
        """Return what is to be sent at this moment."""
        session = self._session
        self._sent.clear()
        packets: list[Outgoing] = []
        for _ in range(ticks):
            pcm = self._next_frame(now)
            waits = self._waits(pcm)
            if not waits:
                self._head_start = 0
                packets += self._send_frame(pcm, now)
            if self._recording is not None:
                self._sent.append(None if waits else session.spoken)
        return self._cipher.protect(packets)

    def _waits(self, pcm: bytes | None) -> bool:
        """Return whether nothing is sent yet: while it may not be, and then until the first sound is about to come."""
        media = self._media
        if media is None or media.withheld:
            return True
        if pcm is not None or self._head_start <= 0 or not self._playlist:
            return False
        self._head_start -= media.ptime
        self._session.skip(1)
        return True

    def _send_frame(self, pcm: bytes | None, now: float) -> list[Outgoing]:
        """Return the packet of one frame, or none where it is silent and the far end does without."""
        activity = self._activity
        if activity is None or self._media is None:
            return self._session.send_frame(pcm, now)
        heard = activity.gate(pcm, self._media.ptime, microphones=self.seat is not None)
        return self._session.send_frame(heard, now, background=activity.background)

    def _next_frame(self, now: float) -> bytes | None:
        """Return our voice of the next ptime, None for silence; a sound waits while we may not be heard."""
        if self._media is None or self._media.withheld or not self._media.direction.sends:
            return None
        size, rate = self._session.frame_bytes, self._session.send_codec.sample_rate
        pcm = self._playlist.frame(size, rate, now) if self._playlist else None
        if self.seat is not None:
            pcm = self.seat.hear(pcm, size, rate)
        if self._signal is not None:
            pcm = self._signal.mix(pcm, size, rate)
        return pcm if pcm is None or self._speaking is None else self._speaking.apply(pcm)

    def receive(self, reader: Reader, now: float, wall: int) -> None:
        """Take what has arrived since the last tick; `now` and `wall` are as in `MediaSocket.receive`."""
        elapsed, self._read_at = now - self._read_at, now
        self.rtp.receive(reader, now, wall, elapsed)
        if not self._until_rtcp:
            self._until_rtcp = RTCP_EVERY
            self.rtcp.receive(reader, now, wall, RTCP_EVERY * elapsed)
        self._until_rtcp -= 1

    def _receive_rtp(self, data: bytes, source: Address, now: float) -> None:
        plain = self._cipher.unprotect(data)
        if plain is not None:
            self._session.receive_rtp(plain, source, now)

    def _receive_rtcp(self, data: bytes, source: Address, now: float) -> None:
        plain = self._cipher.unprotect_rtcp(data)
        if plain is not None:
            self._session.receive_rtcp(plain, source, now)

    def play_out(self, ticks: int, now: float) -> None:
        """Take what the far end says, send the reports that are due, and tell what happened."""
        session = self._session
        recording = self._recording
        for tick in range(ticks):
            pcm = session.play_out(now)
            if self._listening_volume is not None:
                pcm = self._listening_volume.apply(pcm)
            # One who holds us may give us music, which is not for the others.
            if self.seat is not None and self._media is not None and self._media.direction.sends:
                self.seat.speak(pcm, session.receive_rate)
            if self._listening:
                self._tell(VoiceHeard(pcm, session.receive_rate))
            if recording is not None:
                recording.write(pcm, session.receive_rate, self._sent[tick], session.send_codec.sample_rate)
                if not recording.open:
                    self._recording = recording = self._signal = None
        if reports := session.rtcp_due(now):
            for data, address in self._cipher.protect_rtcp(reports):
                self.rtcp.send(data, address)
        for event in session.events():
            self._tell(event)

    def statistics(self, now: float) -> RtpStatistics | None:
        """Return the figures so far, None where there was no voice yet."""
        if self._media is None:
            return None
        cipher = self._cipher
        return replace(
            self._session.statistics(now),
            encrypted=cipher.active,
            unauthenticated=cipher.refused,
            replayed=cipher.replayed,
        )

    def close(self, now: float) -> None:
        """Say goodbye and free everything; called once."""
        if self._in_call:
            self._in_call = False
            TURNS.restore(TURN_IN_CALLS)
            FULL_COLLECTIONS.restore()
        try:
            self._playlist.stop()
            self._stop_recording()
            if self._media is not None:
                for data, address in self._cipher.protect_rtcp(self._session.bye(now)):
                    self.rtcp.send(data, address)
        finally:
            self.rtp.close()
            self.rtcp.close()

    def _stop_recording(self) -> None:
        """Let the recording be completed."""
        if self._recording is not None:
            self._recording.close()
            self._recording = self._signal = None
