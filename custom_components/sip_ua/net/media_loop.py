"""What the media thread does: the voice of all calls in ticks, on a clock of its own.

It sleeps from tick to tick. In a tick it first sends the packets of all streams, one after the other without
a pause, then reads what has arrived since the last tick (the kernel noted when), and plays that out.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .media_clock import Alarm, ClockStatistics, Schedule, Ticks
from .media_messages import (
    AskClock,
    AskStatistics,
    CloseStream,
    Command,
    EnterRoom,
    LeaveRoom,
    Notice,
    OpenStream,
    Reply,
    Report,
    StartPlayback,
    StopThread,
    StreamCommand,
    discard,
)
from .media_socket import MediaSocket, create_reader
from .rooms import Rooms
from .stream import CallStream
from .stream_events import PlaybackFinished, StreamFailed
from .turns import TURN_WITH_PYAV, TURNS

_LOGGER = logging.getLogger(__name__)
_ENDED = "the media thread ended"

type Due = tuple[CallStream, Ticks]


@dataclass(slots=True)
class _Group:
    """The streams of one ptime: they are served in the same tick."""

    schedule: Schedule
    streams: dict[int, CallStream] = field(default_factory=dict)


class MediaLoop:
    """All that the media thread owns; `run` is the whole life of the thread."""

    def __init__(self, commands: deque[Command], alarm: Alarm, report: Callable[[Report], None]) -> None:
        """Obey `commands` when `alarm` is rung, and tell what happens to `report`."""
        self._commands = commands
        self._alarm = alarm
        self._deliver = report
        self._reports: list[Report] = []
        self._reader = create_reader()
        self._streams: dict[int, CallStream] = {}
        self._rooms = Rooms()
        self._groups: dict[int, _Group] = {}
        self._epoch = time.monotonic_ns()
        self._stop: StopThread | None = None
        self._ticks = 0
        self._skipped = 0
        self._latest = 0

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            while self._stop is None:
                self._alarm.wait(min([group.schedule.next for group in self._groups.values()], default=None))
                self._tick(time.monotonic_ns())
                while self._commands:
                    self._obey(self._commands.popleft())
                if self._reports:
                    self._flush()
        except Exception:
            _LOGGER.exception("The media thread failed")
        finally:
            self._end()

    def _end(self) -> None:
        """Free everything and say so."""
        for stream in tuple(self._streams.values()):
            self._drop(stream)
            self._reports.append(Notice(stream.id, StreamFailed(_ENDED)))
        while self._commands:
            command = self._commands.popleft()
            discard(command)
            match command:
                case OpenStream():
                    self._reports.append(Notice(command.stream, StreamFailed(_ENDED)))
                case AskStatistics() | CloseStream() | AskClock() | StopThread():
                    self._reports.append(Reply(command.token))
        if self._stop is not None:
            self._reports.append(Reply(self._stop.token))
        self._flush()

    def _flush(self) -> None:
        """Hand the reports over at the end of a turn: waking the event loop may cost the interpreter's lock."""
        for report in self._reports:
            self._deliver(report)
        self._reports.clear()

    # Commands

    def _obey(self, command: Command) -> None:
        """Do what a message from the event loop says."""
        match command:
            case StopThread():
                self._stop = command
            case AskClock():
                self._reports.append(
                    Reply(command.token, ClockStatistics(self._ticks, self._skipped, self._latest / 1e6))
                )
            case OpenStream():
                number = command.stream
                self._streams[number] = CallStream(command, lambda event: self._reports.append(Notice(number, event)))
            case _:
                self._obey_for_stream(command)

    def _obey_for_stream(self, command: StreamCommand) -> None:
        """Do what concerns one stream."""
        stream = self._streams.get(command.stream)
        now = time.monotonic()
        try:
            match command:
                case AskStatistics():
                    self._reports.append(Reply(command.token, stream.statistics(now) if stream is not None else None))
                case CloseStream():
                    statistics = stream.statistics(now) if stream is not None else None
                    if stream is not None:
                        self._drop(stream)
                    self._reports.append(Reply(command.token, statistics))
                case EnterRoom() if stream is not None:
                    stream.seat = self._rooms.enter(stream.id, command.room)
                case LeaveRoom() if stream is not None:
                    self._leave_room(stream)
                case _ if stream is not None:
                    stream.obey(command, now)
                    self._regroup(stream)
                case _:
                    discard(command)
                    if isinstance(command, StartPlayback):
                        finished = PlaybackFinished(command.playback, "the media stream failed")
                        self._reports.append(Notice(command.stream, finished))
        except Exception as error:
            if stream is None:
                raise
            self._fail(stream, error)

    def _regroup(self, stream: CallStream) -> None:
        """Serve a stream in the ticks of its ptime."""
        period = stream.period
        if period is None or stream.id in self._group(period).streams:
            return
        self._leave_group(stream)
        self._group(period).streams[stream.id] = stream

    def _group(self, period: int) -> _Group:
        """Return the group of a ptime (ns); all count from one epoch, so that their ticks meet."""
        group = self._groups.get(period)
        if group is None:
            group = self._groups[period] = _Group(Schedule(period, self._epoch, time.monotonic_ns()))
        return group

    def _leave_group(self, stream: CallStream) -> None:
        """Take a stream out of the group in which it is."""
        for period, group in tuple(self._groups.items()):
            if group.streams.pop(stream.id, None) is not None and not group.streams:
                del self._groups[period]

    def _leave_room(self, stream: CallStream) -> None:
        """Part a stream from those that it is joined with."""
        stream.seat = None
        self._rooms.leave(stream.id)

    def _fail(self, stream: CallStream, error: Exception) -> None:
        """Close a stream that met an error of ours, so that it harms no other call."""
        _LOGGER.error("A media stream failed", exc_info=error)
        self._drop(stream)
        self._reports.append(Notice(stream.id, StreamFailed(f"{type(error).__name__}: {error}")))

    def _drop(self, stream: CallStream) -> None:
        """Close a stream and forget it."""
        self._leave_group(stream)
        self._leave_room(stream)
        del self._streams[stream.id]
        try:
            stream.close(time.monotonic())
        except Exception:
            _LOGGER.exception("A media stream could not be closed properly")

    # Voice

    def _tick(self, now: int) -> None:
        """Serve the streams whose tick has come."""
        due: list[Due] = []
        for group in tuple(self._groups.values()):
            late = now - group.schedule.next
            if late < 0:
                continue
            ticks = group.schedule.take(now)
            self._ticks += ticks.due
            self._skipped += ticks.skipped
            self._latest = max(self._latest, late)
            due += [(stream, ticks) for stream in group.streams.values()]
        if not due:
            return
        with_pyav = any([stream.uses_pyav for stream, _ in due])  # noqa: C419 - a generator is a call for each
        if with_pyav:
            TURNS.shorten(TURN_WITH_PYAV)
        try:
            for part in in_turns(due):
                self._send(part, now / 1e9)
                self._hear(part)
        finally:
            if with_pyav:
                TURNS.restore(TURN_WITH_PYAV)

    def _send(self, due: list[Due], now: float) -> None:
        """Make the packets of all streams, then send them in one go."""
        batch: list[tuple[MediaSocket, bytes, tuple[str, int]]] = []
        for stream, ticks in due:
            try:
                if ticks.skipped:
                    stream.skip(ticks.skipped)
                batch += [(stream.rtp, data, address) for data, address in stream.make_packets(ticks.due, now)]
            except Exception as error:  # noqa: BLE001 - one call's failure must not be heard in the others
                self._fail(stream, error)
        for endpoint, data, address in batch:
            endpoint.send(data, address)

    def _hear(self, due: list[Due]) -> None:
        """Read what has arrived for each stream, play it out, and let it report."""
        now, wall = time.monotonic(), time.time_ns()
        for stream, ticks in due:
            if stream.id not in self._streams:
                continue
            try:
                stream.receive(self._reader, now, wall)
                stream.play_out(ticks.due, now)
            except Exception as error:  # noqa: BLE001 - as in _send
                self._fail(stream, error)


def in_turns(due: list[Due]) -> list[list[Due]]:
    """Return what is to be served one after the other: a tick that is late, tick by tick where voices are joined.

    What one of them says in a tick is what another one is sent in the next.
    """
    most = max([ticks.due for _, ticks in due], default=0)
    if most <= 1 or all(stream.seat is None for stream, _ in due):
        return [due] if due else []
    return [
        [(stream, Ticks(1, 0 if turn else ticks.skipped)) for stream, ticks in due if turn < ticks.due]
        for turn in range(most)
    ]
