"""Who calls a phone past the exchange that it is registered at: only with leave, and as an address."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.rtp.packet import parse_packet
from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.events import CallState, IncomingCall
from custom_components.sip_ua.sip.transaction import Timers

from .agent import Agent, account_at, direct_account, network
from .conftest import Peers
from .peers import free_ports
from .wire import STRANGER, Wire, acknowledge, offer, request, wire

VICTIM = "127.0.0.3"
"""Somebody who has nothing to do with the call, but is named in it as the place for voice."""
SILENCE = b"\xd5" * 160
IMPATIENT = Timers(t1=0.03, t2=0.2)

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio")]


@pytest.mark.parametrize("leave", [{"allow_direct_calls": True}, {"direct_hosts": frozenset({STRANGER})}])
async def test_with_leave_a_call_past_kamailio_rings_as_an_address(peers: Peers, leave: dict[str, object]) -> None:
    kamailio = await peers.kamailio()
    account = replace(account_at(kamailio), network=network(free_ports()), **leave)  # type: ignore[arg-type]
    async with Agent(account) as ours, wire(STRANGER) as stranger:
        await ours.until_registered()
        host, port = ours.address.rsplit(":", 1)
        there = (host, int(port))
        body = offer(STRANGER, 40_000)
        invite = request("INVITE", there, stranger.address, extra="Content-Type: application/sdp\r\n", body=body)
        claimed = invite.replace(b"From: <sip:wire@" + stranger.address.encode(), b"From: <sip:112@fritz.box")
        stranger.send(claimed, there)
        call = (await ours.until_incoming()).call
        assert (call.remote.number, call.past_server) == (f"112@{STRANGER}", True)
        await ours.phone.answer(call.id)
        call_id = call.sip_call_id
        stranger.send(acknowledge(await stranger.until_answer(call_id, "INVITE", code=200), there), there)
        await ours.until_state(call.id, CallState.TALKING)
        await ours.phone.hangup(call.id)
        await stranger.until_request("BYE")


async def test_without_leave_nobody_hears_of_it(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    account = replace(account_at(kamailio), network=network(free_ports()), direct_hosts=frozenset({"127.0.0.3"}))
    async with Agent(account) as ours, wire(STRANGER) as stranger:
        await ours.until_registered()
        host, port = ours.address.rsplit(":", 1)
        body = offer(STRANGER, 40_000)
        invite = request(
            "INVITE", (host, int(port)), stranger.address, extra="Content-Type: application/sdp\r\n", body=body
        )
        stranger.send(invite, (host, int(port)))
        await ours.until(lambda: ours.phone.counters.strangers == 1, "a stranger is counted")
        await asyncio.sleep(0)
        assert (ours.told(IncomingCall), stranger.received) == ([], [])


async def account_of_kind(peers: Peers, *, server: bool) -> Account:
    """Return an account with a server past which anybody may call, or one without any server."""
    if not server:
        return direct_account()
    account = account_at(await peers.kamailio())
    return replace(account, network=network(free_ports()), allow_direct_calls=True)


def call_for(victim: Wire, reports: Wire, stranger: Wire, there: tuple[str, int]) -> bytes:
    """Return an INVITE that wants the voice to be sent to somebody else."""
    body = f"{offer(VICTIM, victim.port)}a=rtcp:{reports.port}\r\n"
    return request("INVITE", there, stranger.address, extra="Content-Type: application/sdp\r\n", body=body)


@pytest.mark.parametrize("server", [True, False])
async def test_who_never_acknowledges_makes_us_send_voice_to_nobody(peers: Peers, *, server: bool) -> None:
    account = await account_of_kind(peers, server=server)
    async with (
        Agent(account, timers=IMPATIENT) as ours,
        wire(STRANGER) as stranger,
        wire(VICTIM) as victim,
        wire(VICTIM) as reports,
    ):
        host, port = ours.address.rsplit(":", 1)
        there = (host, int(port))
        stranger.send(call_for(victim, reports, stranger, there), there)
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id, source=ToneSource(440.0))
        await ours.until_state(call.id, CallState.TALKING)
        await ours.until_ended(call.id)
        await stranger.until_alive(there)
        assert (victim.received, reports.received) == ([], [])


@pytest.mark.parametrize("server", [True, False])
async def test_what_is_said_before_the_acknowledgement_comes_after_it(peers: Peers, *, server: bool) -> None:
    account = await account_of_kind(peers, server=server)
    async with Agent(account) as ours, wire(STRANGER) as stranger, wire(VICTIM) as far, wire(VICTIM) as reports:
        host, port = ours.address.rsplit(":", 1)
        there = (host, int(port))
        stranger.send(call_for(far, reports, stranger, there), there)
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id, source=ToneSource(440.0, -20.0, 0.4))
        accepted = await stranger.until_answer(call.sip_call_id, "INVITE", code=200)
        await asyncio.sleep(0.6)
        assert far.received == []
        stranger.send(acknowledge(accepted, there), there)
        await ours.until(lambda: len(far.received) > 30, "our voice comes")
        payloads = [parse_packet(data).payload for data in far.received]
        assert payloads[0] != SILENCE
        assert sum(payload != SILENCE for payload in payloads) == pytest.approx(20, abs=1)
        await ours.phone.hangup(call.id)
