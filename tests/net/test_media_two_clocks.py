"""What keeps the event loop from working is not heard in the call."""

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.stream import CallStream
from custom_components.sip_ua.rtp.codecs import G711

from .media_support import FarEnd, eventually, frequency_of, level_of, open_stream

SILENCE = b"\xd5" * 160
BLOCKED = 0.5
TICKS = round(BLOCKED / 0.02)


def sleep(until: float) -> None:
    """Block without computing, as a driver or a file system does."""
    time.sleep(until - time.monotonic())


def compute(until: float) -> None:
    """Block by computing, as a template or a parser does: the interpreter's lock is never let go by itself."""
    while time.monotonic() < until:
        sum(n * n for n in range(1000))


@pytest.mark.parametrize("block", [sleep, compute])
async def test_a_blocked_event_loop_leaves_no_gap(engine: MediaEngine, block: Callable[[float], None]) -> None:
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.play(ToneSource(1000, -10))
        stream.configure(far.media())
        await eventually(lambda: sum(one.packet.payload != SILENCE for one in far.arrivals) >= 5)

        begun = time.monotonic()
        block(begun + BLOCKED)
        over = time.monotonic()
        await asyncio.sleep(0.1)
        arrivals = list(far.arrivals)

    during = [one for one in arrivals if begun < one.at < over]
    assert len(during) >= 0.8 * TICKS
    packets = [one.packet for one in arrivals]
    steps = list(pairwise(packets))
    assert {later.sequence - earlier.sequence & 0xFFFF for earlier, later in steps} == {1}
    assert {later.timestamp - earlier.timestamp & 0xFFFFFFFF for earlier, later in steps} == {160}
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    first = next(number for number, packet in enumerate(packets) if packet.payload != SILENCE)
    codec = G711["PCMA"].create()
    voice = b"".join(codec.decode(packet.payload) for packet in packets[first:])
    assert frequency_of(voice, 8000) == pytest.approx(1000, rel=0.001)
    assert level_of(voice) == pytest.approx(-10, abs=0.1)


async def test_the_pace_over_time_is_the_clocks(engine: MediaEngine) -> None:
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.configure(far.media())
        await eventually(lambda: len(far.arrivals) >= 60)
        arrivals = list(far.arrivals)

    # The least delayed packets of the beginning and of the end are compared, so that a busy machine does not matter.
    offsets = [one.at - (one.packet.timestamp - arrivals[0].packet.timestamp & 0xFFFFFFFF) / 8000 for one in arrivals]
    assert min(offsets[30:]) - min(offsets[:30]) == pytest.approx(0, abs=0.005)


async def test_a_machine_that_stood_still_does_not_burst(engine: MediaEngine) -> None:
    make_packets = CallStream.make_packets
    stalls: list[float] = []

    def stall_once(stream: CallStream, ticks: int, now: float) -> object:
        packets = make_packets(stream, ticks, now)
        if len(far.arrivals) >= 5 and not stalls:
            stalls.append(time.monotonic())
            time.sleep(0.4)
        return packets

    with FarEnd() as far, pytest.MonkeyPatch.context() as patch:
        patch.setattr(CallStream, "make_packets", stall_once)
        stream = await open_stream(engine)
        stream.configure(far.media())
        await eventually(lambda: bool(stalls))
        await asyncio.sleep(0.6)
        packets = [one.packet for one in far.arrivals]
        clock = await engine.clock_statistics()

    steps = list(pairwise(packets))
    jumps = [later.timestamp - earlier.timestamp & 0xFFFFFFFF for earlier, later in steps]
    assert {later.sequence - earlier.sequence & 0xFFFF for earlier, later in steps} == {1}
    assert all(jump % 160 == 0 for jump in jumps)
    assert max(jumps) >= 0.35 * 8000
    after = packets[jumps.index(max(jumps)) + 1]
    assert after.marker
    assert clock.skipped >= 17
    assert clock.latest_ms >= 350
