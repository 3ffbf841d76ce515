"""What the far end says, for somebody who listens in the event loop: at one rate, in order, bounded, with an end."""

import asyncio

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.net.errors import MediaStoppedError
from custom_components.sip_ua.net.hearing import MAX_WAITING, Hearing, load_resampler
from custom_components.sip_ua.net.stream_events import FirstPacketReceived, VoiceHeard
from custom_components.sip_ua.sip.offer_answer import CODECS

from .media_support import Pair, frequency_of, level_of

RATE = 16_000


async def gather(hearing: Hearing, seconds: float) -> bytes:
    """Return so many seconds of what is heard."""
    heard = b""
    async with asyncio.timeout(5):
        async for pcm in hearing:
            heard += pcm
            if len(heard) >= 2 * RATE * seconds:
                break
    return heard


@pytest.mark.parametrize("codec", ["PCMA", "G722"])
async def test_the_voice_comes_at_the_wanted_rate_as_loud_as_it_was(pair: Pair, codec: str) -> None:
    pair.connect(codec=CODECS[codec])
    pair.theirs.play(ToneSource(1000, -10))
    await pair.heard.wait_for(FirstPacketReceived)
    await asyncio.sleep(0.2)
    await load_resampler()
    hearing = Hearing(pair.ours, RATE)
    heard = await gather(hearing, 0.5)
    assert frequency_of(heard, RATE) == pytest.approx(1000, rel=0.005)
    assert level_of(heard[RATE // 5 :]) == pytest.approx(-10, abs=0.3)
    hearing.close()


async def test_what_waits_is_bounded_and_can_be_forgotten(pair: Pair) -> None:
    pair.connect()
    await load_resampler()
    hearing = Hearing(pair.ours, RATE)
    for number in range(MAX_WAITING + 10):
        pair.ours.receive_event(VoiceHeard(bytes((number % 256, 1)), RATE))
    assert (await anext(hearing))[0] >= 10
    hearing.forget()
    hearing.close()
    with pytest.raises(StopAsyncIteration):
        await anext(hearing)


async def test_the_reader_comes_to_an_end_with_the_listening(pair: Pair) -> None:
    pair.connect()
    await load_resampler()
    hearing = Hearing(pair.ours, RATE)
    reading = asyncio.ensure_future(gather(hearing, 60))
    await asyncio.sleep(0.1)
    hearing.close()
    hearing.close()
    assert await reading
    await pair.ours.close()
    with pytest.raises(MediaStoppedError):
        Hearing(pair.ours, RATE)
