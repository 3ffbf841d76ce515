"""What a far end may do wrong with its voice: the call goes on or ends with a reason, and nothing is left of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from custom_components.sip_ua.net.av_codecs import ALL_CODECS
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import MediaTimedOut
from custom_components.sip_ua.rtp.parameters import RtpConfig
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy

from .agent import Agent, direct_account
from .bare_voice import BareVoice, source_of
from .conftest import Peers
from .peers import Sipp, open_descriptors

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp")]

SILENCE = 1.0
"""Seconds after which a far end that says nothing is given up."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A call that SIPp has answered, which says and hears nothing itself."""

    ours: Agent
    call_id: str
    far_end: Sipp
    port: int
    """Where our voice is."""

    async def assert_given_up(self) -> None:
        """Check that the call ends as one whose far end is not heard, and that the far end is told."""
        ended = await self.ours.until_ended(self.call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.NETWORK)
        assert ended.reason == "no voice arrives"
        assert self.ours.told(MediaTimedOut) == [MediaTimedOut(self.call_id)]
        await self.far_end.require_success()

    async def assert_goes_on(self) -> None:
        """Check that the call is there and is heard, and end it."""
        await self.ours.until_packets(self.call_id, sent=10, received=10)
        call = self.ours.call(self.call_id)
        assert call is not None
        assert call.state is CallState.TALKING
        assert not self.ours.told(MediaTimedOut)
        await self.ours.phone.hangup(self.call_id)
        assert (await self.ours.until_ended(self.call_id)).ended_by is EndedBy.LOCAL
        await self.far_end.require_success()


@asynccontextmanager
async def talk(peers: Peers, *, silence: float = 30.0, after: float | None = None) -> AsyncIterator[Talk]:
    """Have a call with SIPp, which answers at once, or only some seconds after it told of its voice.

    Afterwards nothing is left of it.
    """
    media = MediaEngine(RtpConfig(codecs=ALL_CODECS, media_timeout=silence))
    scenario, wait = ("uas_answers", 0) if after is None else ("uas_answers_later", round(1000 * after))
    far_end = await peers.start(Sipp(peers.own(), scenario, talk_ms=wait))
    async with Agent(direct_account(), media=media) as ours:
        before = open_descriptors()
        call_id = await ours.phone.dial(f"sip:far@{far_end.address}")
        await ours.until_state(call_id, CallState.TALKING)
        found = re.search(r"^m=audio (\d+) ", far_end.came("INVITE")[0], re.MULTILINE)
        assert found is not None
        yield Talk(ours, call_id, far_end, int(found[1]))
        assert ours.phone.calls == {}
        await ours.until(lambda: media.streams == 0, "its voice is closed")
        await ours.until(lambda: open_descriptors() <= before, "its ports are free")


async def test_a_far_end_that_sends_nothing_is_given_up_with_a_reason(peers: Peers) -> None:
    async with talk(peers, silence=SILENCE) as call:
        await call.assert_given_up()


@pytest.mark.parametrize("after", [0.7 * SILENCE, 1.5 * SILENCE])
async def test_what_was_not_heard_before_the_answer_is_not_missed_after_it(peers: Peers, after: float) -> None:
    async with talk(peers, silence=SILENCE, after=after) as call:
        await asyncio.sleep(0.5 * SILENCE)
        async with BareVoice(call.port):
            await call.assert_goes_on()


async def test_a_far_end_that_was_silent_before_the_answer_and_is_after_it_is_given_up_too(peers: Peers) -> None:
    async with talk(peers, silence=SILENCE, after=1.5 * SILENCE) as call:
        await call.assert_given_up()


async def test_a_far_end_that_sends_to_the_wrong_port_is_given_up_with_a_reason(peers: Peers) -> None:
    async with talk(peers, silence=SILENCE) as call, BareVoice(call.port + 1):
        # That is our port of RTCP: voice there is none, and no sign of life either.
        await call.assert_given_up()


async def test_a_far_end_that_falls_silent_is_given_up_with_a_reason(peers: Peers) -> None:
    async with talk(peers, silence=SILENCE) as call:
        async with BareVoice(call.port):
            await call.ours.until_packets(call.call_id, received=20)
        await call.assert_given_up()


async def test_a_far_end_that_sends_from_another_port_than_it_named_is_heard_and_answered_there(peers: Peers) -> None:
    async with talk(peers) as call, BareVoice(call.port) as voice:
        await voice.until_heard(10)
        await call.assert_goes_on()


async def test_a_far_end_that_changes_its_port_in_mid_call_is_followed(peers: Peers) -> None:
    async with talk(peers) as call:
        async with BareVoice(call.port) as voice:
            await voice.until_heard(10)
        async with BareVoice(call.port, ssrc=0x5678) as moved:
            await moved.until_heard(10)
            await call.assert_goes_on()


async def test_a_far_end_that_changes_its_source_in_mid_call_is_heard_on(peers: Peers) -> None:
    async with talk(peers) as call, BareVoice(call.port) as voice:
        await voice.until_heard(10)
        voice.ssrc = 0x9ABC
        await call.ours.until_packets(call.call_id, received=20)
        figures = await call.ours.phone.statistics(call.call_id)
        assert figures is not None
        assert figures.lost == 0
        await call.assert_goes_on()


async def test_a_far_end_with_our_source_makes_us_take_another(peers: Peers) -> None:
    async with talk(peers) as call, BareVoice(call.port) as voice:
        ours = source_of((await voice.until_heard(10))[-1])
        voice.ssrc = ours
        async with asyncio.timeout(30):
            while source_of((await voice.until_heard(1))[-1]) == ours:
                pass
        await call.assert_goes_on()
        assert len({source_of(packet) for packet in voice.heard}) == 2
