"""Joined calls on real sockets: who hears whom, at which level, in whatever codec, and what is left at an end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import cast

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.net.media import MediaEngine, MediaStream, RecordedSides, Room
from custom_components.sip_ua.net.media_clock import Ticks
from custom_components.sip_ua.net.media_loop import Due, in_turns
from custom_components.sip_ua.net.rooms import Rooms
from custom_components.sip_ua.net.stream import CallStream
from custom_components.sip_ua.net.stream_events import (
    DigitReceived,
    FirstPacketReceived,
    RecordingFinished,
    StreamFailed,
)
from custom_components.sip_ua.sip.offer_answer import CODECS, MediaDirection
from tests.interop.tone import read_wav as read_growing

from .media_support import Listener, Pair, eventually, negotiated, open_stream, power_at, read_wav

LEVEL = -20.0
TONE_POWER = 10 ** (LEVEL / 10)
NOTHING = TONE_POWER / 1000
SECONDS, PART_SECONDS = 0.8, 0.1
HERTZ = (500.0, 900.0, 1500.0)
OURS = 2000.0


class Parties:
    """Several calls; `hear` returns how strong each frequency is at each far end."""

    def __init__(self, engine: MediaEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.pairs: list[Pair] = []

    async def call(self, hertz: float, codec: str = "PCMA", ptime: int = 20) -> Pair:
        """Begin a call whose far end says a tone, and return it once both hear each other."""
        heard, there = Listener(), Listener()
        pair = Pair(await open_stream(self.engine, heard), await open_stream(self.engine, there), heard, there)
        assert await self.engine.usable_codecs([codec]) == (codec,)
        pair.connect(codec=CODECS[codec], ptime=ptime)
        pair.theirs.play(ToneSource(hertz, LEVEL, 60))
        await heard.wait_for(FirstPacketReceived)
        self.pairs.append(pair)
        return pair

    async def three(self) -> None:
        """Begin three calls, each in another codec and packet time."""
        await self.call(HERTZ[0], "PCMA", 20)
        await self.call(HERTZ[1], "G722", 30)
        await self.call(HERTZ[2], "OPUS", 20)

    def join(self, *, shared: bool = True) -> Room:
        """Join all calls."""
        room = self.engine.open_room(shared=shared)
        for pair in self.pairs:
            pair.ours.enter(room)
        return room

    async def hear(self, number: int, at: float = 0.3) -> Mapping[float, float]:
        """Return the power of each frequency at a far end, of 1 for a full-scale sine."""
        pair = self.pairs[number]
        await asyncio.sleep(at)
        before = len(pair.heard_there.of(RecordingFinished))
        path = self.folder / f"{number}-{before}.wav"
        return await recorded(pair.theirs, pair.heard_there, path, RecordedSides.RECEIVED)


async def recorded(stream: MediaStream, heard: Listener, path: Path, sides: RecordedSides) -> Mapping[float, float]:
    """Record long enough into a new file, and return the power of each frequency that is in most parts of it.

    While a machine stands still for a moment nothing is heard, and a tone begins anew.
    """
    before = len(heard.of(RecordingFinished))
    stream.record(path, sides)
    await eventually(lambda: path.exists() and seconds_of(path) >= SECONDS)
    stream.stop_recording()
    await heard.wait_for(RecordingFinished, before + 1)
    pcm, rate, channels = read_wav(path)
    assert channels == 1
    size = 2 * round(PART_SECONDS * rate)
    parts = [pcm[start : start + size] for start in range(0, len(pcm) - size + 1, size)]
    return {hertz: median(power_at(part, hertz, rate) for part in parts) for hertz in (*HERTZ, OURS)}


def seconds_of(path: Path) -> float:
    """Return how long a file is that still grows."""
    samples, rate = read_growing(path)
    return len(samples) / rate if rate else 0.0


def assert_heard(heard: Mapping[float, float], *wanted: float) -> None:
    """Assert that these tones are heard, within 1 dB, and no other one."""
    for hertz, power in heard.items():
        if hertz in wanted:
            assert power == pytest.approx(TONE_POWER, rel=0.25), hertz
        else:
            assert power < NOTHING, hertz


@pytest.fixture
async def parties(engine: MediaEngine, tmp_path: Path) -> AsyncIterator[Parties]:
    """Give no call yet; none must have failed in the end."""
    parties = Parties(engine, tmp_path)
    yield parties
    assert not [event for pair in parties.pairs for event in pair.heard.of(StreamFailed)]


async def test_each_of_three_hears_the_others_and_what_we_play_in_its_own_codec(parties: Parties) -> None:
    await parties.three()
    parties.join()
    parties.pairs[1].ours.play(ToneSource(OURS, LEVEL, 60))
    heard = await asyncio.gather(*(parties.hear(number) for number in range(3)))
    for number, one in enumerate(heard):
        assert_heard(one, OURS, *(hertz for hertz in HERTZ if hertz != HERTZ[number]))


async def test_in_a_room_that_is_not_shared_a_sound_is_for_one_alone(parties: Parties) -> None:
    for hertz in HERTZ[:2]:
        await parties.call(hertz)
    parties.join(shared=False)
    parties.pairs[0].ours.play(ToneSource(OURS, LEVEL, 60))
    first, second = await asyncio.gather(parties.hear(0), parties.hear(1))
    assert_heard(first, HERTZ[1], OURS)
    assert_heard(second, HERTZ[0])


async def test_who_leaves_the_room_or_ends_is_heard_no_more(parties: Parties) -> None:
    await parties.three()
    parties.join()
    parties.pairs[0].ours.leave_room()
    left, still = await asyncio.gather(parties.hear(0), parties.hear(1))
    assert_heard(left)
    assert_heard(still, HERTZ[2])
    await parties.pairs[2].ours.close()
    assert_heard(await parties.hear(1))
    parties.pairs[2].ours.leave_room()


async def test_another_room_takes_a_call_out_of_the_one_where_it_is(parties: Parties) -> None:
    for hertz in HERTZ:
        await parties.call(hertz)
    parties.join()
    elsewhere = parties.engine.open_room(shared=True)
    parties.pairs[0].ours.enter(elsewhere)
    first, second = await asyncio.gather(parties.hear(0), parties.hear(1))
    assert_heard(first)
    assert_heard(second, HERTZ[2])


async def test_what_is_said_and_heard_in_a_joined_call_is_recorded_and_its_keys_are_known(parties: Parties) -> None:
    for hertz in HERTZ[:2]:
        await parties.call(hertz)
    parties.join()
    await asyncio.sleep(0.3)
    pair = parties.pairs[0]
    mixed = await recorded(pair.ours, pair.heard, parties.folder / "mixed.wav", RecordedSides.MIXED)
    pair.theirs.send_digits("5")
    assert (await pair.heard.wait_for(DigitReceived)).digit == "5"
    assert not parties.pairs[1].heard.of(DigitReceived)
    assert_heard(mixed, *HERTZ[:2])


async def test_the_music_of_one_who_holds_us_is_not_for_the_others(parties: Parties) -> None:
    for hertz in HERTZ[:2]:
        await parties.call(hertz)
    parties.join()
    pair = parties.pairs[0]
    pair.ours.configure(negotiated(pair.theirs.port, direction=MediaDirection.RECVONLY))
    assert_heard(await parties.hear(1))
    pair.ours.configure(negotiated(pair.theirs.port))
    assert_heard(await parties.hear(1), HERTZ[0])


async def test_a_room_is_forgotten_with_its_last_call(engine: MediaEngine) -> None:
    rooms = Rooms()
    room = engine.open_room(shared=True)
    assert engine.open_room(shared=True) != room
    rooms.enter(1, room)
    rooms.enter(2, room)
    for stream in (1, 2, 2):
        rooms.leave(stream)
    assert rooms.count == 0


def test_a_late_tick_is_served_tick_by_tick_where_calls_are_joined() -> None:
    joined = cast("CallStream", SimpleNamespace(seat=object()))
    alone = cast("CallStream", SimpleNamespace(seat=None))
    late: list[Due] = [(joined, Ticks(3, 2)), (alone, Ticks(1, 0))]
    assert in_turns(late) == [
        [(joined, Ticks(1, 2)), (alone, Ticks(1, 0))],
        [(joined, Ticks(1, 0))],
        [(joined, Ticks(1, 0))],
    ]
    in_time: list[Due] = [(joined, Ticks(1, 0)), (alone, Ticks(1, 0))]
    assert in_turns(in_time) == [in_time]
    assert in_turns([(alone, Ticks(3, 0))]) == [[(alone, Ticks(3, 0))]]
    assert in_turns([]) == []


async def test_calls_that_are_joined_leave_nothing_behind(parties: Parties) -> None:
    for hertz in HERTZ:
        await parties.call(hertz)
    parties.join()
    await asyncio.gather(*(pair.ours.close() for pair in parties.pairs))
    await eventually(lambda: parties.engine.streams == len(parties.pairs))
