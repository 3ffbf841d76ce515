"""Requests too large for a datagram, towards Kamailio and baresip (RFC 3261 section 18.1.1)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.events import CallOutcome, CallState

from .agent import Agent, account_at, direct_account
from .conftest import Peers

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]


def wordy(account: Account) -> Account:
    """Return an account whose every request is too large for a datagram."""
    return replace(account, user_agent=" ".join(["A telephone that likes to hear itself talk."] * 30))


async def test_an_account_over_udp_sends_what_is_too_large_by_tcp(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(wordy(account_at(kamailio))) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        await bob.hangup()
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        await bob.until_event("CALL_ESTABLISHED", since=len(bob.events) - 1)
        await ours.phone.hangup(call.id)
        await ours.until_ended(call.id)
    sent = [request for request in kamailio.requests() if request.caller == "ha"]
    assert {request.method for request in sent} >= {"REGISTER", "INVITE", "ACK", "BYE"}
    assert {request.source.partition(":")[0] for request in sent} == {"tcp"}


async def test_a_direct_call_that_is_too_large_goes_by_tcp(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(wordy(direct_account())) as ours:
        call_id = await ours.phone.dial(f"sip:bob@127.0.0.1:{bob.sip_port}")
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
    assert "TCP 127.0.0.1" in bob.log
