"""Calls from SIPp at a steady rate to a phone of ours: how they went, and what they cost the process they ring in."""

import asyncio
import gc
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import CallStatistics, Phone, PhoneEvent
from custom_components.sip_ua.sip.account import Account, NetworkSettings, ServerAddress, Timing
from custom_components.sip_ua.sip.errors import SipError
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, IncomingCall, RegistrationState
from custom_components.sip_ua.sip.transaction import Timers

from .peers import LOOPBACK, Sipp, SippResult, free_ports, open_descriptors, until
from .wire import wire

OBJECTS_PER_PEER = 3
"""The way to each peer is remembered, and every SIPp is another one."""
BLOCKS_SLACK = 1_000
"""Pieces of memory that a later round may add: caches of Python and of libraries, and the watching itself."""
OURS = "custom_components.sip_ua"
LOOK_SECONDS = 0.05
SETTLE_SECONDS = 60
"""How long SIPp may take beyond the time of its calls: a little more than it repeats a request."""
SIMULTANEOUS_SECONDS = 10
"""Calls of so many seconds may be under way at once before SIPp holds back and the rate is not kept."""
VOICES = 500
"""Pairs of RTP ports."""
VOICE_PORTS = range(33_000, 59_000, 2)
"""Where the first of them is. So many neighbours are hardly all free, but a phone passes over those that are not."""


def voice_ports() -> tuple[int, int]:
    """Return bounds of the RTP ports for `VOICES` calls at once."""
    first = random.SystemRandom().choice(VOICE_PORTS)
    return first, first + 2 * VOICES - 1


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def waited_seconds() -> float:
    """Return how long the main thread has been kept from a core that it was ready for."""
    return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this process holds at one moment.

    `objects` are instances of the integration's classes, `blocks` pieces of memory of any object of Python; `resident`
    is the memory in RAM, which tells of the most that was ever held at once: the allocator hardly gives it back.
    """

    descriptors: int
    tasks: int
    objects: int
    blocks: int
    resident: int

    @classmethod
    def now(cls) -> Self:
        """Count."""
        gc.collect()
        objects = sum(str(type(thing).__module__).startswith(OURS) for thing in gc.get_objects())
        return cls(open_descriptors(), len(asyncio.all_tasks()), objects, sys.getallocatedblocks(), resident_bytes())


def left_of(rested: Sequence[Holdings]) -> list[str]:
    """Name what calls have left, given what was held before any round of them and each time after one was forgotten.

    Pieces of memory are compared from the second round on: the first one fills caches that stay.
    """
    before, *rounds = rested
    left = []
    for number, now in enumerate(rounds, 1):
        kept = {
            "files": now.descriptors - before.descriptors,
            "tasks": now.tasks - before.tasks,
            "objects": now.objects - before.objects - OBJECTS_PER_PEER * number,
            "pieces of memory": now.blocks - rounds[0].blocks - BLOCKS_SLACK,
        }
        left += [f"{more} {what} too many after round {number}" for what, more in kept.items() if more > 0]
    return left


def children_seconds() -> float:
    """Return the processor time of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass(slots=True)
class Watch:
    """What this process used while it was watched; times in seconds, memory in bytes."""

    seconds: float = 0.0
    cpu: float = 0.0
    waited: float = 0.0
    """For how long the thread of the event loop was ready to run and other processes had the cores."""
    late: list[float] = field(default_factory=list)
    """By how much the event loop woke somebody too late, each time."""
    resident: list[tuple[float, int]] = field(default_factory=list)
    descriptors: int = 0
    tasks: int = 0
    _began: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0), init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self._began = time.monotonic(), time.process_time(), waited_seconds()
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Watch no more."""
        ended = time.monotonic(), time.process_time(), waited_seconds()
        self.seconds, self.cpu, self.waited = (end - begin for begin, end in zip(self._began, ended, strict=True))
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        begin = time.monotonic()
        while True:
            due = time.monotonic() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            self.late.append(now - due)
            self.tasks = max(self.tasks, len(asyncio.all_tasks()))
            if not self.resident or now - begin - self.resident[-1][0] >= 1:
                self.resident.append((now - begin, resident_bytes()))
                self.descriptors = max(self.descriptors, open_descriptors())


@dataclass(frozen=True, slots=True)
class Load:
    """How the calls went: SIPp's counts, its response times in ms by name, its processor time, and ours."""

    calls: int
    result: SippResult
    times: dict[str, list[float]]
    caller_cpu: float
    watch: Watch

    @property
    def good(self) -> bool:
        """Whether every call went by the scenario."""
        return self.result.exit_code == 0 and self.result.successful == self.calls and not self.result.failed


async def load(address: str, folder: Path, *, rate: int, calls: int, talk_ms: int = 0) -> Load:
    """Let SIPp call `address`, `host:port`, so many times in all and in each second."""
    caller = Sipp(
        folder,
        "uac_load",
        target=address,
        calls=calls,
        rate=rate,
        simultaneous=rate * SIMULTANEOUS_SECONDS,
        service="ha",
        talk_ms=talk_ms,
        seconds=calls // rate + SETTLE_SECONDS,
        timed=True,
    )
    before = children_seconds()
    async with Watch() as watch, caller:
        result = await caller.result()
    return Load(calls, result, caller.response_times(), children_seconds() - before, watch)


class AnsweringPhone:
    """A phone with a server that answers every call at once, and counts."""

    def __init__(self, server_port: int, media: MediaEngine, timers: Timers | None) -> None:
        """Make the phone of an account at a registrar on loopback: what comes from there is not limited."""
        first, last = voice_ports()
        network = NetworkSettings(local_port=free_ports(), bind_address=LOOPBACK, rtp_port_min=first, rtp_port_max=last)
        # The trace keeps the last messages, and more where some were repeated: what calls leave is seen without it.
        account = Account(
            trace=False,
            number="ha",
            domain=LOOPBACK,
            server=ServerAddress(LOOPBACK, server_port),
            timing=Timing(keep_alive=0),
            network=network,
        )
        self.address = f"{LOOPBACK}:{network.local_port}"
        self.phone = Phone(account, media, self._hear, timers=timers)
        self.rang = 0
        self.outcomes: Counter[CallOutcome | None] = Counter()
        self.refusals: Counter[str] = Counter()
        """Why calls could not be answered."""
        self.heard = 0
        """Calls of whose voice there were figures at the end."""
        self._answers: set[asyncio.Task[None]] = set()

    def _hear(self, event: PhoneEvent) -> None:
        match event:
            case IncomingCall(call=call):
                self.rang += 1
                task = asyncio.get_running_loop().create_task(self._answer(call.id))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)
            case CallEnded(call=call):
                self.outcomes[call.outcome] += 1
            case CallStatistics(statistics=statistics):
                self.heard += statistics is not None

    async def _answer(self, call_id: str) -> None:
        try:
            await self.phone.answer(call_id)
        except SipError as error:
            # Where the caller has given up meanwhile, or no port is free: the count of answered calls tells.
            self.refusals[str(error)] += 1


@asynccontextmanager
async def answering_phone(timers: Timers | None = None) -> AsyncIterator[AnsweringPhone]:
    """Have a phone in this process that is registered and answers."""
    media = MediaEngine()
    async with wire(registrar=True) as registrar:
        ours = AnsweringPhone(registrar.port, media, timers)
        await media.start()
        await ours.phone.start()
        try:
            await until(lambda: ours.phone.registration.state is RegistrationState.REGISTERED, "it is registered")
            yield ours
        finally:
            await ours.phone.stop()
            await media.stop()
