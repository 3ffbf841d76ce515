"""Many calls at once between two telephones over a bad network, and what became of each of them."""

import asyncio
import time
from dataclasses import dataclass, field

from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import Phone, PhoneEvent
from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, CallStateChanged, IncomingCall
from custom_components.sip_ua.sip.transaction import Timers
from tests.interop.peers.ports import free_ports
from tests.sip.link import Faults

from .lossy_relay import MIRROR, Figures, LossyRelay, mirrored_account


@dataclass
class Report:
    """How `calls` calls went; times in seconds, one for each call."""

    calls: int
    figures: Figures
    rang: int = 0
    set_up: list[float] = field(default_factory=list)
    torn_down: list[float] = field(default_factory=list)
    callers: list[CallOutcome | None] = field(default_factory=list)
    called: list[CallOutcome | None] = field(default_factory=list)
    left: int = 0

    @property
    def good(self) -> int:
        """The number of calls that were set up and torn down on both sides."""
        both = zip(self.callers, self.called, strict=False)
        return sum(pair == (CallOutcome.ANSWERED, CallOutcome.ANSWERED) for pair in both)


class Side:
    """One telephone that takes every call, and the calls that it told of."""

    def __init__(self, account: Account, media: MediaEngine, timers: Timers) -> None:
        """Make the telephone; nothing runs before its `start`."""
        self.phone = Phone(account, media, self.hear, timers=timers)
        self.talking: set[str] = set()
        self.ended: dict[str, CallOutcome | None] = {}
        self.rang = 0
        self.name_of: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    def hear(self, event: PhoneEvent) -> None:
        """Keep what was told, and take every call."""
        match event:
            case IncomingCall(call=call):
                self.rang += 1
                self.name_of[call.sip_call_id] = call.id
                task = asyncio.get_running_loop().create_task(self.phone.answer(call.id))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case CallStateChanged(call=call) if call.state is CallState.TALKING:
                self.talking.add(call.id)
            case CallEnded(call=call):
                self.ended[call.id] = call.outcome
        self._changed.set()

    async def until_talking(self, call_id: str) -> None:
        """Wait until a call talks or has ended."""
        while call_id not in self.talking and call_id not in self.ended:
            self._changed.clear()
            await self._changed.wait()

    async def until_ended(self, call_id: str) -> None:
        """Wait until a call has ended."""
        while call_id not in self.ended:
            self._changed.clear()
            await self._changed.wait()


async def faulty_calls(faults: Faults, *, calls: int, timers: Timers, seed: int = 0, at_once: int = 20) -> Report:
    """Place calls, let each be answered at once, and hang up by turns on either side."""
    port = free_ports(2)
    report = Report(calls, Figures())
    media = MediaEngine()
    await media.start()
    room = asyncio.Semaphore(at_once)
    alice = Side(mirrored_account("alice", port, at_once * 2), media, timers)
    bob = Side(mirrored_account("bob", port + 1, at_once * 2), media, timers)
    patience = timers.timeout * 2

    async def one(number: int) -> None:
        async with room:
            begin = time.monotonic()
            call_id = await alice.phone.dial(f"sip:bob@{MIRROR}:{port + 1}")
            async with asyncio.timeout(patience):
                await alice.until_talking(call_id)
            answered = time.monotonic()
            report.set_up.append(answered - begin)
            call = alice.phone.calls.get(call_id)
            if call is not None:
                side, name = (bob, bob.name_of[call.sip_call_id]) if number % 2 else (alice, call_id)
                await side.phone.hangup(name)
            async with asyncio.timeout(patience):
                await alice.until_ended(call_id)
            report.torn_down.append(time.monotonic() - answered)

    async with LossyRelay(faults, port, port + 1, seed=seed) as relay:
        report.figures = relay.figures
        await alice.phone.start()
        await bob.phone.start()
        try:
            await asyncio.gather(*(one(number) for number in range(calls)))
            async with asyncio.timeout(patience):
                for name in bob.name_of.values():
                    await bob.until_ended(name)
        finally:
            report.left = len(alice.phone.calls) + len(bob.phone.calls)
            await alice.phone.stop()
            await bob.phone.stop()
            await media.stop()
    report.rang = bob.rang
    report.callers, report.called = list(alice.ended.values()), list(bob.ended.values())
    return report
