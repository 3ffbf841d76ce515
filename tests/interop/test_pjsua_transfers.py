"""Transfers with pjsua in every part: transferor, transferee and target, blind and attended (RFC 3515, RFC 3891)."""

import pytest

from custom_components.sip_ua.sip.account import ReferPolicy
from custom_components.sip_ua.sip.events import (
    CallDirection,
    CallReplaced,
    CallState,
    TransferProgress,
    TransferRequested,
    TransferState,
)

from .agent import Agent, direct_account
from .conftest import Peers
from .peers import Pjsua
from .pjsua_calls import be_called, connect

pytestmark = [pytest.mark.interop, pytest.mark.peer("pjsua")]


def progress(ours: Agent) -> TransferState | None:
    """Return the latest news of a transfer of ours."""
    told = ours.told(TransferProgress)
    return told[-1].state if told else None


async def until_replacing(called: Pjsua) -> None:
    """Wait for an INVITE that takes the place of another call."""
    await called.until_message(
        lambda: [invite for invite in called.requests("INVITE") if invite.header("Replaces")],
        f"{called.name} is called in the place of another",
    )


async def test_we_send_pjsua_to_another(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol")
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        await ours.phone.transfer(call_id, carol.uri)
        await carol.until_state("CONFIRMED")
        await ours.until(lambda: progress(ours) is TransferState.SUCCEEDED, "the transfer succeeds")
        await ours.until_ended(call_id)
        assert ours.phone.calls == {}
        refer = await bob.until_message(lambda: bob.requests("REFER"), "it is transferred")
        assert refer.header("Refer-To").strip("<>") == carol.uri
        assert carol.requests("INVITE")[0].header("Referred-By")


async def test_we_send_pjsua_to_somebody_who_is_busy_and_keep_it(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol", answer=False)
    async with Agent(direct_account()) as ours:
        call_id = await connect(ours, bob)
        await ours.phone.transfer(call_id, carol.uri)
        await carol.until_ringing()
        await carol.answer(486)
        await ours.until(lambda: progress(ours) is TransferState.FAILED, "the transfer fails")
        assert ours.told(TransferProgress)[-1].code == 486
        assert ours.phone.calls[call_id].state is CallState.TALKING


async def test_pjsua_sends_us_to_another(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol")
    async with Agent(direct_account(refer_policy=ReferPolicy.ANYWHERE)) as ours:
        call_id = await be_called(ours, bob)
        await bob.transfer(carol.uri)
        await carol.until_state("CONFIRMED")
        await bob.until_message(
            lambda: [told for told in bob.requests("NOTIFY") if "SIP/2.0 200" in told.text], "it is told of the success"
        )
        await ours.until_ended(call_id)
        (call,) = ours.phone.calls.values()
        assert (call.direction, call.state) == (CallDirection.OUTGOING, CallState.TALKING)
        assert len(ours.told(TransferRequested)) == 1


async def test_pjsua_may_not_send_us_anywhere_where_the_owner_forbids_it(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol")
    async with Agent(direct_account()) as ours:
        call_id = await be_called(ours, bob)
        await bob.transfer(carol.uri)
        await bob.until_message(lambda: bob.answers("REFER", 603), "it is refused")
        assert ours.phone.calls[call_id].state is CallState.TALKING
        assert carol.requests("INVITE") == []


async def test_we_join_two_pjsuas(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol")
    async with Agent(direct_account()) as ours:
        first, second = await connect(ours, bob), await connect(ours, carol)
        await ours.phone.hold(first)
        await ours.until_state(first, CallState.HELD)
        await ours.phone.transfer_to(first, second)
        await ours.until(lambda: progress(ours) is TransferState.SUCCEEDED, "the transfer succeeds")
        await ours.until(lambda: not ours.phone.calls, "we are out")
        await until_replacing(carol)
        await bob.until(lambda: bob.count_state("CONFIRMED") == 2, "the two talk")
        await carol.until(lambda: carol.count_state("CONFIRMED") == 2, "the two talk")


async def test_pjsua_joins_us_with_another(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol")
    async with Agent(direct_account(refer_policy=ReferPolicy.ANYWHERE)) as ours:
        await bob.dial(carol.uri)
        await bob.until_state("CONFIRMED")
        call_id = await be_called(ours, bob)
        await bob.transfer_to_first()
        await ours.until_ended(call_id)
        (call,) = ours.phone.calls.values()
        await ours.until_state(call.id, CallState.TALKING)
        assert call.direction is CallDirection.OUTGOING
        await until_replacing(carol)
        await carol.until(lambda: carol.count_state("CONFIRMED") == 2, "carol talks with us")


async def test_pjsua_joins_another_with_us(peers: Peers) -> None:
    bob, carol = await peers.pjsua("bob"), await peers.pjsua("carol")
    async with Agent(direct_account()) as ours:
        call_id = await be_called(ours, bob)
        await bob.dial(carol.uri)
        await carol.until_state("CONFIRMED")
        await bob.transfer_to_first()
        await ours.until(lambda: ours.told(CallReplaced), "carol takes the place of bob")
        assert ours.phone.calls[call_id].state is CallState.TALKING
        assert ours.phone.calls[call_id].remote.number == "carol"
        await carol.until(lambda: carol.count_state("CONFIRMED") == 2, "carol talks with us")
