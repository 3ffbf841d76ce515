"""Every crossing, loss and refusal of the standard with SIPp in the other part, message for message."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import Account, ReferPolicy, ServerAddress, Transport
from custom_components.sip_ua.sip.events import CallEnded, CallState, IncomingCall

from .agent import Agent, direct_account, network
from .conftest import Peers
from .flows_from_us import ENDED, FLOWS as FROM_US, TAKEN
from .flows_to_registrar import FLOWS as TO_REGISTRAR
from .flows_to_us import CONNECTED, FLOWS as TO_US, Flow, over
from .peers import LOOPBACK, Sipp
from .steps import expect, inside, respond, scenario

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp")]


def over_each_transport(flows: tuple[Flow, ...]) -> pytest.MarkDecorator:
    """Run every flow over UDP, and over TCP those in which nothing is repeated: there SIPp would not expect it."""
    cases = [
        pytest.param(flow, transport, id=f"{flow.name}-{transport}")
        for flow in flows
        for transport in (Transport.UDP, Transport.TCP)
        if transport is Transport.UDP or not flow.repeats
    ]
    return pytest.mark.parametrize(("flow", "transport"), cases)


def write(folder: Path, flow: Flow) -> Path:
    """Write the scenario of a flow and return its file."""
    path = folder / f"{flow.name.replace(' ', '-')}.xml"
    path.write_text(scenario(flow.name, *flow.steps), encoding="latin-1")
    return path


async def check(flow: Flow, ours: Agent, sipp: Sipp) -> None:
    """Wait for the end on both sides, and compare."""
    await sipp.require_success()
    for line, times in flow.times.items():
        assert sum(line in message for message in sipp.received) >= times, line
    await ours.until(lambda: not ours.phone.calls, "no call is left")
    ended = [event.call.outcome for event in ours.told(CallEnded)]
    assert ended == ([] if flow.outcome is None else [flow.outcome])


@over_each_transport(TO_US)
async def test_sipp_calls(peers: Peers, tmp_path: Path, flow: Flow, transport: Transport) -> None:
    tasks: list[asyncio.Task[None]] = []

    def ring(event: IncomingCall) -> None:
        if flow.answer:
            tasks.append(asyncio.create_task(ours.phone.answer(event.call.id)))

    ours = Agent(direct_account(flow.timing), on_incoming=ring)
    async with ours:
        sipp = await peers.sipp(write(tmp_path, flow), ours.address, service="ha", transport=transport)
        await flow.act(ours, sipp)
        await check(flow, ours, sipp)
        await asyncio.gather(*tasks)
        assert len(ours.told(IncomingCall)) == (flow.outcome is not None)


@over_each_transport(FROM_US)
async def test_we_call_sipp(peers: Peers, tmp_path: Path, flow: Flow, transport: Transport) -> None:
    sipp = await peers.sipp(write(tmp_path, flow), transport=transport)
    async with Agent(replace(direct_account(flow.timing, transport=transport), password="secret")) as ours:
        await ours.phone.dial(f"sip:service@{sipp.address}")
        await flow.act(ours, sipp)
        await check(flow, ours, sipp)


@pytest.mark.parametrize("flow", TO_REGISTRAR, ids=lambda flow: flow.name)
async def test_we_register_at_sipp(peers: Peers, tmp_path: Path, flow: Flow) -> None:
    sipp = await peers.sipp(write(tmp_path, flow))
    account = Account(
        number="ha",
        domain=LOOPBACK,
        password="secret",
        server=ServerAddress(LOOPBACK, sipp.port),
        network=network(),
    )
    async with Agent(account) as ours:
        await flow.act(ours, sipp)
        await sipp.require_success()


async def test_sipp_sends_us_to_another_and_hears_how_that_goes(peers: Peers, tmp_path: Path) -> None:
    target = await peers.sipp(write(tmp_path, Flow("target", (*TAKEN, *ENDED))))
    flow = Flow(
        "transfer",
        (
            *(*CONNECTED, inside("REFER", 2, f"Refer-To: <sip:third@{target.address}>"), expect(202)),
            *(expect("NOTIFY", ("Subscription-State", "active")), respond(200, tag="")),
            *(expect("NOTIFY", ("Subscription-State", "terminated")), respond(200, tag="")),
            *over(3),
        ),
        times={"SIP/2.0 100 ": 1, "SIP/2.0 200 OK\n": 1},
    )
    tasks: list[asyncio.Task[None]] = []
    account = direct_account(refer_policy=ReferPolicy.ANYWHERE)
    ours = Agent(account, on_incoming=lambda event: tasks.append(asyncio.create_task(ours.phone.answer(event.call.id))))
    async with ours:
        sipp = await peers.sipp(write(tmp_path, flow), ours.address, service="ha")
        await sipp.require_success()
        await ours.until(lambda: len(ours.phone.calls) == 1, "only the new call is left")
        (call_id,) = ours.phone.calls
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hangup(call_id)
        await target.require_success()
        await asyncio.gather(*tasks)
