"""The voice of all calls of all accounts: streams are opened here and served by the media thread."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from itertools import count
from typing import Final

from ..rtp.parameters import RtpConfig
from ..sip.account import RTP_DSCP
from .audio import USUAL_RATE, AudioSource, PreparedAudio, prepare
from .av_codecs import ALL_CODECS, AV_CODECS, working_codecs
from .loudness import AS_IT_IS, StreamLoudness
from .media_clock import ClockStatistics
from .media_link import MediaLink
from .media_messages import AskClock, Notice, OpenStream
from .media_stream import MediaStream
from .ports import PortPair, PortPool, PortRange
from .recording_order import RecordedSides
from .rooms import Room
from .stream_events import StreamEvent
from .worker_threads import WorkerThreads

__all__ = ["MediaEngine", "MediaStream", "PortRange", "RecordedSides", "Room"]

WORKER_TIMEOUT: Final = 2.0


class MediaEngine:
    """Lives in the event loop in which it is first used; its media thread runs from `start` to `stop`."""

    def __init__(self, config: RtpConfig | None = None) -> None:
        """Hold the settings of RTP that a stream gets by default."""
        self._config = config or RtpConfig(codecs=ALL_CODECS)
        self._ports = PortPool()
        self._numbers = count(1)
        self._rooms = count(1)
        self._streams: dict[int, MediaStream] = {}
        self._link: MediaLink | None = None
        self._workers: WorkerThreads | None = None

    async def usable_codecs(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of the codecs that work on this machine, in the same order.

        To be asked before a stream uses one: what it needs is loaded here, so that the media thread never waits for it.
        """
        wanted = tuple(name.upper() for name in names)
        if AV_CODECS.keys().isdisjoint(wanted):
            return wanted
        working = await asyncio.to_thread(working_codecs)
        return tuple(name for name in wanted if name in working or name not in AV_CODECS)

    def sample_rate(self, codec: str) -> int:
        """Return the sample rate in Hz of a codec's sound."""
        return self._config.codecs[codec.upper()].sample_rate

    async def start(self) -> None:
        """Settle in the running event loop and start the thread, which sleeps while there is no stream."""
        self._settle()[0].start()

    def _settle(self) -> tuple[MediaLink, WorkerThreads]:
        """Make what belongs to the running event loop."""
        if self._link is None or self._workers is None:
            self._link = MediaLink(self._receive_notice)
            self._workers = WorkerThreads()
        return self._link, self._workers

    async def stop(self) -> None:
        """Close every stream and end every thread, in bounded time; in any state, as often as one likes."""
        await asyncio.gather(*(stream.close() for stream in tuple(self._streams.values())))
        if self._link is not None:
            await self._link.stop()
        if self._workers is not None:
            self._workers.cancel()
            await self._workers.join(WORKER_TIMEOUT)
        self._link = self._workers = None

    async def open(
        self,
        *,
        bind_address: str,
        ports: PortRange,
        on_event: Callable[[StreamEvent], None],
        config: RtpConfig | None = None,
        on_bound: Callable[[PortPair], Awaitable[None]] | None = None,
        dscp: int = RTP_DSCP,
        loudness: StreamLoudness = AS_IT_IS,
    ) -> MediaStream:
        """Bind an even RTP port and the odd RTCP port after it; voice begins with `MediaStream.configure`.

        `bind_address` is numeric and decides between IPv4 and IPv6; "" is every IPv4 address. `on_event` is called in
        the event loop. `on_bound` has the bound sockets for itself until it returns; what it raises ends the opening.
        `dscp` is the mark of every packet, `loudness` how much louder or softer the voice of both sides is.
        Raises `NoPortError`, and OSError when the address is not one of this machine.
        """
        pair = self._ports.open(bind_address, ports, dscp)
        number, port = next(self._numbers), pair.port
        config = config or self._config
        try:
            if on_bound is not None:
                await on_bound(pair)
            link, workers = self._settle()
            link.start()
            link.post(OpenStream(number, pair, config, os.urandom(12).hex(), loudness))
        except BaseException:
            pair.close()
            raise
        stream = MediaStream(link, workers, number, port, config, on_event, self._forget)
        self._streams[number] = stream
        return stream

    def prepare(self, source: AudioSource, *, loop: bool = False, rate: int = USUAL_RATE) -> PreparedAudio:
        """Begin to decode a sound before it is needed; `rate` in Hz is that of the codec to be expected.

        Raises `AudioError` when too many sounds are being decoded.
        """
        _, workers = self._settle()
        return prepare(source, workers, rate=rate, loop=loop)

    def open_room(self, *, shared: bool) -> Room:
        """Return a room for streams to be joined in; with `shared` all hear what we play to one of them."""
        return Room(next(self._rooms), shared)

    async def clock_statistics(self) -> ClockStatistics:
        """Return how punctual the media thread is; raises `MediaStoppedError` when none runs."""
        link, _ = self._settle()
        reply = await link.ask(AskClock)
        return reply if isinstance(reply, ClockStatistics) else ClockStatistics()

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def _forget(self, number: int) -> None:
        """Forget a closed stream."""
        self._streams.pop(number, None)

    def _receive_notice(self, notice: Notice) -> None:
        """Hand an event to its stream."""
        stream = self._streams.get(notice.stream)
        if stream is not None:
            stream.receive_event(notice.event)
