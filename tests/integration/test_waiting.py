"""Those who wait for news: who goes on, who stays, and that nothing is left of them."""

import asyncio

import pytest

from custom_components.sip_ua.waiting import Waiting


async def test_everybody_who_waits_for_a_key_hears_its_news_and_nobody_else() -> None:
    waiting: Waiting[str, int] = Waiting()
    first, second, other = waiting.expect("a"), waiting.expect("a"), waiting.expect("b")
    waiting.tell("a", 1)
    waiting.tell("a", 2)
    assert [await first, await second] == [1, 1]
    assert not other.done()


async def test_news_that_is_not_wanted_is_waited_out() -> None:
    waiting: Waiting[str, int] = Waiting()
    large = waiting.expect("a", lambda value: value > 1)
    waiting.tell("a", 1)
    assert not large.done()
    waiting.tell("a", 2)
    assert await large == 2


async def test_nothing_is_left_of_those_who_heard_gave_up_or_were_cancelled() -> None:
    waiting: Waiting[str, int] = Waiting()
    heard, gave_up, cancelled = waiting.expect("a"), waiting.expect("b"), waiting.expect("c")
    waiting.tell("a", 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await gave_up
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert await heard == 1
    await asyncio.sleep(0)
    assert waiting.keys == ()
