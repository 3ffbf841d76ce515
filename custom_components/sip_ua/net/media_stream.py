"""One call's voice as the event loop sees it: every method leaves a message for the media thread."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final, override

from ..rtp.parameters import Direction, MediaParameters, RtpConfig
from ..sip.errors import LocalFault, LocalProtocolError
from ..sip.info import check_digits
from ..sip.offer_answer import Codec, NegotiatedMedia
from .audio import USUAL_RATE, AudioSource, PreparedAudio, prepare
from .errors import AudioError, AudioFault, MachineFault, MediaStoppedError, RecordingFault
from .loudness import gain_factor
from .media_link import MediaLink
from .media_messages import (
    AskStatistics,
    CancelDigits,
    ChangeGain,
    CloseStream,
    Command,
    ConfigureStream,
    EnterRoom,
    LeaveRoom,
    Listen,
    Notice,
    PausePlayback,
    SendDigits,
    StartPlayback,
    StartRecording,
    StopPlayback,
    StopRecording,
)
from .media_socket import is_numeric
from .play_order import ONCE, PlayOrder
from .recorder import Recorder, RecordingPipe
from .recording_order import RecordedSides, RecordingOrder
from .rooms import Room
from .stream_events import (
    PlaybackFinished,
    RecordingFinished,
    RecordingStarted,
    RtpStatistics,
    StreamEvent,
    StreamFailed,
    VoiceHeard,
)
from .worker_threads import WorkerThreads

_LOGGER = logging.getLogger(__name__)

RECORDING_TIMEOUT: Final = 5.0
MAX_SOUNDS: Final = 32
"""Sounds that one stream keeps, the present one among them: each occupies a thread that decodes ahead."""

_playbacks = count(1)


def new_playback_id() -> int:
    """Return the number of a sound that is going to be played."""
    return next(_playbacks)


class MediaStream:
    """An open stream: `port` is its RTP port, RTCP has the next one.

    After `close`, and after `StreamFailed`, what is asked of it raises `MediaStoppedError`.
    """

    def __init__(
        self,
        link: MediaLink,
        workers: WorkerThreads,
        number: int,
        port: int,
        config: RtpConfig,
        on_event: Callable[[StreamEvent], None],
        on_closed: Callable[[int], None],
    ) -> None:
        """Stand for the stream of that number in the media thread; `on_closed` gets the number."""
        self.port = port
        self.statistics_at_end: RtpStatistics | None = None
        self._link = link
        self._workers = workers
        self._number = number
        self._config = config
        self._on_event = on_event
        self._on_closed = on_closed
        self._listeners: list[Callable[[VoiceHeard], None]] = []
        self._media: NegotiatedMedia | None = None
        self._recordings = 0
        self._recording_path = Path()
        self._recorded = asyncio.Event()
        self._recorded.set()
        self._playing: set[int] = set()
        self._closed = False
        self._failed = False

    def configure(self, media: NegotiatedMedia, *, hear_tones: bool = False, withheld: bool = False) -> None:
        """Start the voice or change it, as offer and answer agreed (RFC 3264).

        With `hear_tones`, digits are also looked for in the voice itself. While it is `withheld` nothing is sent, and
        what is to be said waits. Raises `LocalProtocolError` for a host name
        or a codec that we have not.
        """
        if not is_numeric(media.remote_address) or not is_numeric(media.remote_rtcp[0]):
            raise LocalProtocolError(f"not a numeric address: {media.remote_address}")
        names = {media.codec.name.upper(), *(codec.name.upper() for _, codec in media.receive)}
        if missing := names - self._config.codecs.keys():
            raise LocalProtocolError(f"no such codec: {' '.join(sorted(missing))}")
        parameters = media_parameters(media, hear_tones=hear_tones, withheld=withheld)
        self._post(ConfigureStream(self._number, parameters, media.security))
        self._media = media

    def play(
        self,
        source: AudioSource | PreparedAudio,
        order: PlayOrder = ONCE,
        *,
        playback_id: int | None = None,
        codec: Codec | None = None,
    ) -> int:
        """Play a sound in its turn, and return the number under which events tell of it: `playback_id` where given.

        What is wrong with the sound comes in `PlaybackFinished`, while the stream goes on with silence. A prepared
        sound has been told at `prepare` whether to `loop`. `codec` is the one that the voice is about to have.
        Raises `AudioError` for a sound that cannot be begun, was played before, or is one too many.
        """
        self._check()
        if len(self._playing) >= MAX_SOUNDS:
            raise AudioError(f"more than {MAX_SOUNDS} sounds wait in this call", AudioFault.TOO_MANY)
        prepared = source if isinstance(source, PreparedAudio) else prepare(source, self._workers, loop=order.loop)
        playback = new_playback_id() if playback_id is None else playback_id
        reader = prepared.take()
        if codec is None and self._media is not None:
            codec = self._media.codec
        if codec is not None and codec.name.upper() in self._config.codecs:
            # Told now, the worker is done before the media thread asks for the first frame.
            reader.change_rate(self._config.codecs[codec.name.upper()].sample_rate)
        try:
            self._post(StartPlayback(self._number, playback, reader, gain_factor(order.volume_db), order.placement))
        except BaseException:
            reader.close()
            raise
        self._playing.add(playback)
        return playback

    def prepare(self, source: AudioSource, *, loop: bool = False, rate: int = USUAL_RATE) -> PreparedAudio:
        """Begin to decode a sound before it is needed, as `MediaEngine.prepare` does."""
        self._check()
        return prepare(source, self._workers, loop=loop, rate=rate)

    def pause(self, *, paused: bool) -> None:
        """Let the sounds stand still, or go on; on a closed stream there is none."""
        with contextlib.suppress(MediaStoppedError):
            self._post(PausePlayback(self._number, paused))

    def set_volume(self, playback_id: int, volume_db: float) -> None:
        """Play a sound louder or softer from now on."""
        self._post(ChangeGain(self._number, playback_id, gain_factor(volume_db)))

    def stop_playback(self, playback_id: int | None = None) -> None:
        """End one sound, or all, before the time; on a closed stream there is none."""
        with contextlib.suppress(MediaStoppedError):
            self._post(StopPlayback(self._number, playback_id))

    @property
    def takes_events(self) -> bool:
        """Whether the far end takes digits as telephone events (RFC 4733)."""
        return self._media is not None and self._media.dtmf_send is not None

    def send_digits(self, digits: str, *, duration_ms: int = 160, gap_ms: int = 100, inband: bool = False) -> None:
        """Send digits 0-9 * # A-D by RFC 4733, or `inband` as tones; a comma is a pause. `DigitsSent` tells the end.

        Raises `LocalProtocolError` for other characters, too many, or where the far end takes no such events.
        """
        digits = check_digits(digits)
        if not inband and not self.takes_events:
            raise LocalProtocolError("the far end takes no digits as telephone events", LocalFault.NO_DIGITS)
        self._post(SendDigits(self._number, digits, duration_ms, gap_ms, inband))

    def cancel_digits(self) -> None:
        """Drop the digits not yet begun."""
        self._post(CancelDigits(self._number))

    def record(self, path: Path, sides: RecordedSides = RecordedSides.RECEIVED) -> None:
        """Write the voice into a WAV file from now on; the path is taken as it is."""
        self.record_as(RecordingOrder(path=path, sides=sides))

    def record_as(self, order: RecordingOrder) -> None:
        """Write the voice into a file from now on, in place of an earlier recording.

        `RecordingStarted` tells that there is sound in the file, `RecordingFinished` the end and whether it went well.
        """
        self._check()
        pipe = RecordingPipe()
        recorder = Recorder(order, pipe, self._report_recording)
        self._workers.start(recorder.run, pipe.close, f"recording {self._number}")
        self._recordings += 1
        self._recording_path = order.path
        self._recorded.clear()
        try:
            self._post(StartRecording(self._number, pipe, order.tone))
        except BaseException:
            pipe.close()
            raise

    def _report_recording(self, event: RecordingStarted | RecordingFinished) -> None:
        """Take over the news of a recording from its thread."""
        self._link.report(Notice(self._number, event), vital=True)

    def listen(self, listener: Callable[[VoiceHeard], None]) -> Callable[[], None]:
        """Hand what the far end says to `listener`, packet by packet; the function returned ends that."""
        self._post(Listen(self._number, listening=True))
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
            if not self._listeners:
                with contextlib.suppress(MediaStoppedError):
                    self._post(Listen(self._number, listening=False))

        return leave

    def enter(self, room: Room) -> None:
        """Join the voice with those of the other streams in a room; it leaves the one where it is."""
        self._post(EnterRoom(self._number, room))

    def leave_room(self) -> None:
        """Part the voice from the others; a closed stream is out already."""
        with contextlib.suppress(MediaStoppedError):
            self._post(LeaveRoom(self._number))

    def stop_recording(self) -> None:
        """End the recording; on a closed stream there is none."""
        with contextlib.suppress(MediaStoppedError):
            self._post(StopRecording(self._number))

    async def statistics(self) -> RtpStatistics | None:
        """Return the figures so far, None before the voice began; those at the end once it is closed."""
        if self._closed:
            return self.statistics_at_end
        reply = await self._link.ask(lambda token: AskStatistics(self._number, token))
        return reply if isinstance(reply, RtpStatistics) else None

    async def close(self) -> None:
        """Say goodbye (RFC 3550 section 6.6), free the ports and complete the recording; can be called again."""
        if self._closed:
            return
        self._closed = True
        try:
            with contextlib.suppress(MediaStoppedError):
                reply = await self._link.ask(lambda token: CloseStream(self._number, token))
                if isinstance(reply, RtpStatistics):
                    self.statistics_at_end = reply
            try:
                async with asyncio.timeout(RECORDING_TIMEOUT):
                    await self._recorded.wait()
            except TimeoutError:
                self.receive_event(
                    RecordingFinished(self._recording_path, 0.0, "the disk does not answer", RecordingFault.TOO_SLOW)
                )
        finally:
            self._on_closed(self._number)

    def receive_event(self, event: StreamEvent | VoiceHeard) -> None:
        """Pass on what the media thread tells; an error of the listener is logged and harms nobody else."""
        if isinstance(event, RecordingStarted):
            self._recording_path = event.path
        if isinstance(event, RecordingFinished):
            self._recordings -= 1
            if not self._recordings:
                self._recorded.set()
        if isinstance(event, PlaybackFinished):
            self._playing.discard(event.playback_id)
        self._failed = self._failed or isinstance(event, StreamFailed)
        try:
            if isinstance(event, VoiceHeard):
                for listener in tuple(self._listeners):
                    listener(event)
            else:
                self._on_event(event)
        except Exception:
            _LOGGER.exception("The listener of a media stream failed")

    def _check(self) -> None:
        """Raise `MediaStoppedError` when the stream is closed or failed."""
        if self._closed:
            raise MediaStoppedError("the media stream is closed", MachineFault.VOICE_ENDED)
        if self._failed:
            raise MediaStoppedError("the media stream failed", MachineFault.VOICE_FAILED)

    def _post(self, command: Command) -> None:
        """Leave a message for the media thread."""
        self._check()
        self._link.post(command)

    @override
    def __repr__(self) -> str:
        """Name the port."""
        return f"<MediaStream {self._number} port={self.port}{' closed' if self._closed else ''}>"


def media_parameters(media: NegotiatedMedia, *, hear_tones: bool = False, withheld: bool = False) -> MediaParameters:
    """Say in terms of RTP what offer and answer agreed; the rest is as in `MediaStream.configure`."""
    return MediaParameters(
        remote_rtp=(media.remote_address, media.remote_port),
        remote_rtcp=media.remote_rtcp,
        codec=media.codec.name.upper(),
        payload_type=media.codec.payload_type,
        fmtp=media.codec.fmtp,
        receive=tuple((payload_type, codec.name.upper()) for payload_type, codec in media.receive),
        dtmf_send=media.dtmf_send,
        dtmf_receive=media.dtmf_receive,
        dtmf_clock_rate=media.dtmf_clock_rate,
        hear_tones=hear_tones,
        comfort_noise_send=media.comfort_noise_send,
        comfort_noise_receive=media.comfort_noise_receive,
        discontinuous=media.discontinuous,
        ptime=media.ptime,
        direction=Direction(media.direction.value),
        withheld=withheld,
    )
