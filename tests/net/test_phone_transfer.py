"""Transfers between three telephones over real loopback sockets, voice included (RFC 3515, RFC 3891)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.sip.account import Account, ReferPolicy
from custom_components.sip_ua.sip.events import (
    CallReplaced,
    CallState,
    IncomingCall,
    TransferProgress,
    TransferRefused,
    TransferRequested,
    TransferState,
)
from tests.interop.agent import Agent, network
from tests.interop.peers import LOOPBACK, free_ports


def telephone(number: str) -> Agent:
    """Return a telephone that answers and follows transfers."""
    tasks: set[asyncio.Task[None]] = set()

    def answer(event: IncomingCall) -> None:
        task = asyncio.get_running_loop().create_task(agent.phone.answer(event.call.id, source=ToneSource(440.0)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    account = Account(
        number=number,
        domain=LOOPBACK,
        allow_direct_calls=True,
        refer_policy=ReferPolicy.ANYWHERE,
        network=network(free_ports()),
    )
    agent = Agent(account, on_incoming=answer)
    return agent


@dataclass
class Trio:
    alice: Agent
    bob: Agent
    carol: Agent

    async def talk(self, end: Agent) -> str:
        call_id = await self.alice.phone.dial(f"sip:{end.account.number}@{end.address}")
        await self.alice.until_state(call_id, CallState.TALKING)
        return call_id

    def result(self) -> TransferState | None:
        told = self.alice.told(TransferProgress)
        return told[-1].state if told else None

    async def until_joined(self) -> None:
        """Wait until Bob and Carol talk, and hear each other, and Alice is out."""
        await self.alice.until(lambda: self.result() is TransferState.SUCCEEDED, "the transfer succeeds")
        await self.alice.until(lambda: not self.alice.phone.calls, "the transferor is out")
        for end in (self.bob, self.carol):
            await _until_heard(end)


async def _until_heard(end: Agent) -> None:
    """Wait until an end has one call, in which voice arrives."""
    await end.until(lambda: len(end.phone.calls) == 1, "one call is left")
    (call_id,) = end.phone.calls
    before = await end.phone.statistics(call_id)
    assert before is not None
    async with asyncio.timeout(5):
        while True:
            after = await end.phone.statistics(call_id)
            assert after is not None
            if after.packets_received > before.packets_received:
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def trio(socket_enabled: None) -> AsyncIterator[Trio]:
    async with AsyncExitStack() as stack:
        alice, bob, carol = [await stack.enter_async_context(telephone(name)) for name in ("alice", "bob", "carol")]
        yield Trio(alice, bob, carol)


async def test_a_blind_transfer_is_followed_by_the_telephone_itself(trio: Trio) -> None:
    call_id = await trio.talk(trio.bob)
    await trio.alice.phone.transfer(call_id, f"sip:carol@{trio.carol.address}")
    await trio.until_joined()
    assert len(trio.bob.told(TransferRequested)) == 1


async def test_an_attended_transfer_moves_the_voice_of_the_target(trio: Trio) -> None:
    bobs, carols = await trio.talk(trio.bob), await trio.talk(trio.carol)
    await trio.alice.phone.transfer_to(bobs, carols)
    await trio.until_joined()
    assert len(trio.carol.told(CallReplaced)) == 1
    assert len(trio.carol.told(IncomingCall)) == 1


async def test_a_transfer_for_which_no_port_is_left_is_refused(trio: Trio) -> None:
    call_id = await trio.talk(trio.bob)
    others = [await trio.alice.phone.dial(f"sip:bob@{trio.bob.address}") for _ in range(3)]
    for other in others:
        await trio.alice.until_state(other, CallState.TALKING)
    await trio.alice.phone.transfer(call_id, f"sip:carol@{trio.carol.address}")
    await trio.alice.until(lambda: trio.result() is TransferState.FAILED, "the transfer fails")
    assert trio.alice.told(TransferProgress)[-1].code == 480
    assert call_id in trio.alice.phone.calls
    (refused,) = trio.bob.told(TransferRefused)
    assert refused.call.remote.number == "alice"
    assert "port" in refused.reason
