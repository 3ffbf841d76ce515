"""Many calls between our telephone and SIPp over a bad line between two network namespaces, one way and the other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, override

from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.sip.account import Account, NatMode, NetworkSettings, Timing, Transport
from custom_components.sip_ua.sip.transaction import Timers
from tests.net.faulty_calls import Report, Side
from tests.sip.link import Faults

from .bad_line import FAR, NEAR, BadLine
from .peers import Sipp, free_ports

RATE = 10
"""Calls that SIPp begins in a second."""
SIPP_PATIENCE_SECONDS = 120


class FarSipp(Sipp):
    """SIPp in the far namespace."""

    def __init__(self, line: BadLine, folder: Path, scenario: str, **options: Any) -> None:
        """Prepare it; `options` are those of SIPp."""
        super().__init__(
            folder,
            scenario,
            host=FAR,
            rate=RATE,
            seconds=SIPP_PATIENCE_SECONDS,
            timed=True,
            tolerant=True,
            **options,
        )
        self._line = line

    @override
    def launch(self, *arguments: str) -> None:
        """Start it over there."""
        with self._line.at_the_far_end():
            super().launch(*arguments)


def near_account(at_once: int) -> Account:
    """Return the settings of a telephone without a server at our end of the line."""
    first = free_ports(4 * at_once, step=2)
    network = NetworkSettings(
        local_port=free_ports(),
        bind_address=NEAR,
        nat=NatMode.NONE,
        rtp_port_min=first,
        rtp_port_max=first + 4 * at_once - 1,
    )
    return Account(
        number="ha",
        domain=NEAR,
        transport=Transport.UDP,
        allow_direct_calls=True,
        network=network,
        timing=Timing(keep_alive=0),
    )


@asynccontextmanager
async def telephone(at_once: int, timers: Timers) -> AsyncIterator[tuple[Side, str]]:
    """Have a telephone at the near end; gives its `host:port` too."""
    account = near_account(at_once)
    media = MediaEngine()
    side = Side(account, media, timers)
    await media.start()
    await side.phone.start()
    try:
        yield side, f"{NEAR}:{account.network.local_port}"
    finally:
        await side.phone.stop()
        await media.stop()


async def sipp_calls_us(
    folder: Path, faults: Faults, *, calls: int, timers: Timers, at_once: int = 20, seed: int = 0
) -> Report:
    """Let SIPp place calls, which are answered at once, and hang up."""
    async with BadLine(faults, seed) as line, telephone(at_once, timers) as (ours, address):
        report = Report(calls, line.figures)
        caller = FarSipp(line, folder, "uac_bad_line", target=address, calls=calls, simultaneous=at_once, service="ha")
        async with caller:
            result = await caller.result()
            async with asyncio.timeout(timers.timeout * 2):
                for name in ours.name_of.values():
                    await ours.until_ended(name)
        times = caller.response_times()
        report.set_up = [time / 1000 for time in times.get("answer", [])]
        report.torn_down = [time / 1000 for time in times.get("hangup", [])]
        report.rang, report.called, report.left = ours.rang, list(ours.ended.values()), len(ours.phone.calls)
        # What SIPp thinks of a call is told by number only.
        report.callers = [*report.called[: result.successful]]
    return report


async def we_call_sipp(
    folder: Path, faults: Faults, *, calls: int, timers: Timers, at_once: int = 20, seed: int = 0
) -> Report:
    """Place calls to SIPp, which answers at once, and hang up."""
    async with BadLine(faults, seed) as line, telephone(at_once, timers) as (ours, _):
        report = Report(calls, line.figures)
        room = asyncio.Semaphore(at_once)
        async with FarSipp(line, folder, "uas_bad_line", calls=calls, simultaneous=calls) as called:

            async def one() -> None:
                async with room, asyncio.timeout(timers.timeout * 4):
                    begin = time.monotonic()
                    call_id = await ours.phone.dial(f"sip:service@{called.address}")
                    await ours.until_talking(call_id)
                    answered = time.monotonic()
                    report.set_up.append(answered - begin)
                    if call_id not in ours.ended:
                        await ours.phone.hangup(call_id)
                    await ours.until_ended(call_id)
                    report.torn_down.append(time.monotonic() - answered)

            await asyncio.gather(*(one() for _ in range(calls)))
            counts = called.counts()
        report.callers, report.left = list(ours.ended.values()), len(ours.phone.calls)
        report.rang = calls
        report.called = report.callers[: calls - counts.failed]
    return report
