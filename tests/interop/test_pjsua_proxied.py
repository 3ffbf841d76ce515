"""Calls with pjsua through a record-routing Kamailio that both are registered at."""

from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy

from .agent import Agent, account_at
from .conftest import Peers
from .peers import assert_record_routed
from .voices import THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "pjsua")]

TRANSPORTS = [Transport.UDP, Transport.TCP]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_we_call_pjsua_and_it_hangs_up(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.pjsua(kamailio=kamailio, tone_hz=THEIR_HZ)
    async with Agent(account_at(kamailio, transport=transport)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        await bob.until_state("CONFIRMED")
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await bob.hold()
        await ours.until_state(call_id, CallState.REMOTE_HELD)
        await bob.reinvite()
        await ours.until_state(call_id, CallState.TALKING)
        await bob.hangup()
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
    assert_record_routed(kamailio)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_pjsua_calls_us_and_we_hang_up(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.pjsua(kamailio=kamailio, tone_hz=THEIR_HZ)
    async with Agent(account_at(kamailio, transport=transport)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        assert call.remote.number == "bob"
        await bob.until_state("EARLY")
        await ours.phone.answer(call.id)
        await bob.until_state("CONFIRMED")
        await ours.until_state(call.id, CallState.TALKING)
        await bob.speak()
        await assert_voice_both_ways(ours, call.id, bob, tmp_path)
        await ours.phone.hold(call.id)
        await ours.until_state(call.id, CallState.HELD)
        await ours.phone.resume(call.id)
        await ours.until_state(call.id, CallState.TALKING)
        await ours.phone.hangup(call.id)
        assert (await ours.until_ended(call.id)).ended_by is EndedBy.LOCAL
        await bob.until_state("DISCONNECTED")
    assert_record_routed(kamailio)


async def test_reliable_answers_go_through_the_proxy(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.pjsua(kamailio=kamailio, options=("--use-100rel",))
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call_id = (await ours.until_incoming()).call.id
        await bob.until_message(lambda: bob.answers("PRACK", 200), "the PRACK is answered")
        await ours.phone.answer(call_id)
        await bob.until_state("CONFIRMED")
        await bob.hangup()
        await ours.until_ended(call_id)
