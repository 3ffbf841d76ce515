"""Calls to real peers over bad networks: a relay of ours, and a line between two network namespaces."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import NatMode, ServerAddress
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, EndedBy
from custom_components.sip_ua.sip.transaction import Timers
from tests.net.faulty_calls import Report
from tests.net.lossy_relay import MIRROR, LossyRelay
from tests.sip.link import Faults

from .agent import Agent, account_at
from .bad_line_calls import sipp_calls_us, we_call_sipp
from .conftest import Peers
from .peers import free_ports, until

pytestmark = pytest.mark.interop

CALLS = 4
# Nothing is doubled: to a Kamailio that counts nonces, a doubled login is the replay of one.
BAD_NETWORK = Faults(loss=0.2, reordering=0.2, delay=(0.005, 0.02), detour=0.05)
BAD_LINE = Faults(loss=0.2, duplication=0.2, reordering=0.3, delay=(0.03, 0.03), detour=0.05)
CALLS_OVER_THE_LINE = 10
QUICK = Timers(t1=0.05, t2=0.4, t4=0.5, trying=0.02)


@pytest.mark.peer("kamailio", "baresip")
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


@pytest.mark.peer("tunnels")
@pytest.mark.peer("sipp")
@pytest.mark.parametrize("place_calls", [sipp_calls_us, we_call_sipp])
async def test_calls_over_a_bad_line_between_two_networks_come_and_go(
    tmp_path: Path, place_calls: Callable[..., Awaitable[Report]]
) -> None:
    # SIPp has the standard's timers, so ours must remember what it may repeat for as long as that.
    report = await place_calls(tmp_path, BAD_LINE, calls=CALLS_OVER_THE_LINE, timers=Timers())
    assert report.good == report.rang == CALLS_OVER_THE_LINE
    assert report.left == 0
    assert report.figures.lost
    assert report.figures.doubled
    assert report.figures.reordered
