"""Calls to baresip by way of Kamailio, both behind a network that loses, reorders and delays what we say to them."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import NatMode, ServerAddress
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, EndedBy
from custom_components.sip_ua.sip.transaction import Timers
from tests.net.lossy_relay import MIRROR, LossyRelay
from tests.sip.link import Faults

from .agent import Agent, account_at
from .conftest import Peers
from .peers import free_ports, until

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

CALLS = 4
# Nothing is doubled: to a Kamailio that counts nonces, a doubled login is the replay of one.
BAD_NETWORK = Faults(loss=0.2, reordering=0.2, delay=(0.005, 0.02), detour=0.05)
QUICK = Timers(t1=0.05, t2=0.4, t4=0.5, trying=0.02)


async def test_calls_to_baresip_come_and_go_over_a_bad_network(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    baresip = await peers.baresip(kamailio)
    account = account_at(kamailio)
    port = free_ports()
    mirrored = replace(account.network, local_port=port, nat=NatMode.MANUAL, public_address=MIRROR)
    server = ServerAddress(MIRROR, kamailio.port)
    ours = Agent(replace(account, server=server, network=mirrored), timers=QUICK)
    async with LossyRelay(BAD_NETWORK, port, kamailio.port, seed=5) as relay, ours:
        await ours.until_registered()
        for number in range(CALLS):
            call_id = await ours.phone.dial("bob")
            await ours.until_state(call_id, CallState.TALKING)
            if number % 2:
                await baresip.hangup()
            else:
                await ours.phone.hangup(call_id)
            ended = await ours.until_ended(call_id)
            assert ended.outcome is CallOutcome.ANSWERED
            assert ended.ended_by is (EndedBy.REMOTE if number % 2 else EndedBy.LOCAL)
        await until(lambda: not ours.phone.calls, "no call is left")
    assert relay.figures.lost
    assert len(ours.told(CallEnded)) == CALLS
