"""Who calls a phone past the exchange that it is registered at: only with leave, and as an address."""

import asyncio
from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.events import CallState, IncomingCall

from .agent import Agent, account_at, network
from .conftest import Peers
from .peers import free_ports
from .wire import STRANGER, acknowledge, offer, request, wire

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
