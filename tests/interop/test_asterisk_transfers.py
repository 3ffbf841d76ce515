"""Transfers with Asterisk: of its calls by us, blind and to another call, and of ours by Asterisk."""

from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import ReferPolicy
from custom_components.sip_ua.sip.events import (
    CallDirection,
    CallOutcome,
    CallReplaced,
    CallState,
    TransferProgress,
    TransferRequested,
    TransferState,
)

from .agent import Agent, account_at
from .conftest import Peers
from .peers import LOOPBACK, REALM, Asterisk
from .peers.asterisk import TONE_DBFS, TONE_HZ
from .tone import assert_tone, measure, read_wav, wav_seconds

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]

RATE = 8_000
ENOUGH_SECONDS, SETTLING_SECONDS = 1.5, 0.5


async def talk(ours: Agent, other: Agent, number: str) -> tuple[str, str]:
    """Call another telephone through Asterisk, which answers; return the ids of the call on both sides."""
    await other.until_registered()
    await ours.until_registered()
    call_id = await ours.phone.dial(number)
    theirs = (await other.until_incoming()).call.id
    await other.phone.answer(theirs)
    await ours.until_state(call_id, CallState.TALKING)
    # Asterisk tells of the answer before it has joined the two, and until then transfers nobody.
    await ours.until_packets(call_id, received=5)
    return call_id, theirs


async def assert_hears_tone(agent: Agent, call_id: str, path: Path) -> None:
    """Find the tone of the extension `tone` in what comes."""
    agent.phone.record(call_id, path)
    await agent.until(lambda: wav_seconds(path, RATE) >= SETTLING_SECONDS + ENOUGH_SECONDS, "the tone comes")
    samples, rate = read_wav(path)
    assert_tone(measure(samples[round(rate * SETTLING_SECONDS) :], rate), TONE_HZ, TONE_DBFS)


async def until_transferred(ours: Agent, state: TransferState) -> TransferProgress:
    """Wait for the end of a transfer of ours."""
    await ours.until(lambda: any(event.state is state for event in ours.told(TransferProgress)), f"it is {state}")
    return ours.told(TransferProgress)[-1]


async def test_whom_we_called_is_transferred_blind(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours, Agent(account_at(asterisk, "bob")) as bob:
        call_id, theirs = await talk(ours, bob, "bob")
        await ours.phone.transfer(call_id, "tone")
        told = await until_transferred(ours, TransferState.SUCCEEDED)
        assert told.target == "tone"
        ended = await ours.until_ended(call_id)
        assert ended.outcome is CallOutcome.ANSWERED
        await asterisk.until_event("BlindTransfer", Result="Success", Extension="tone")
        await assert_hears_tone(bob, theirs, tmp_path / "bob.wav")
        assert bob.phone.calls[theirs].state is CallState.TALKING


async def test_who_called_us_is_transferred_blind(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours, Agent(account_at(asterisk, "bob")) as bob:
        theirs, call_id = await talk(bob, ours, "ha")
        await ours.phone.transfer(call_id, "tone")
        await until_transferred(ours, TransferState.SUCCEEDED)
        await ours.until_ended(call_id)
        await assert_hears_tone(bob, theirs, tmp_path / "bob.wav")


async def test_a_target_that_nobody_has_leaves_the_call_as_it_was(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours, Agent(account_at(asterisk, "bob")) as bob:
        call_id, theirs = await talk(ours, bob, "bob")
        await ours.phone.transfer(call_id, "0")
        told = await until_transferred(ours, TransferState.FAILED)
        assert told.code == 404
        assert ours.phone.calls[call_id].state is CallState.TALKING
        assert bob.phone.calls[theirs].state is CallState.TALKING


async def test_two_calls_of_ours_are_joined(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with (
        Agent(account_at(asterisk)) as ours,
        Agent(account_at(asterisk, "bob")) as bob,
        Agent(account_at(asterisk, "timed")) as carol,
    ):
        first, at_bob = await talk(ours, bob, "bob")
        await ours.phone.hold(first)
        await ours.until_state(first, CallState.HELD)
        second, at_carol = await talk(ours, carol, "timed")
        await ours.phone.transfer_to(first, second)
        await until_transferred(ours, TransferState.SUCCEEDED)
        await asterisk.until_event("AttendedTransfer", Result="Success")
        await ours.until_ended(first)
        await ours.until_ended(second)
        bob.phone.send_digits(at_bob, "12")
        carol.phone.send_digits(at_carol, "34")
        await carol.until(lambda: carol.digits == "12", "carol hears bob")
        await bob.until(lambda: bob.digits == "34", "bob hears carol")
        await bob.phone.hangup(at_bob)
        await carol.until_ended(at_carol)


def transferable(asterisk: Asterisk, policy: ReferPolicy = ReferPolicy.SERVER) -> Agent:
    """Return our telephone, which Asterisk may transfer."""
    return Agent(replace(account_at(asterisk), refer_policy=policy))


@pytest.mark.parametrize("host", [REALM, LOOPBACK])
async def test_asterisk_transfers_us(peers: Peers, tmp_path: Path, host: str) -> None:
    asterisk = await peers.asterisk()
    await asterisk.set_target(f"sip:tone@{host}")
    async with transferable(asterisk) as ours:
        await ours.until_registered()
        first = await ours.phone.dial("moves")
        await ours.until(lambda: ours.told(TransferRequested), "we are to call somebody else")
        await ours.until_ended(first)
        (second,) = ours.phone.calls
        await ours.until_state(second, CallState.TALKING)
        assert ours.phone.calls[second].direction is CallDirection.OUTGOING
        await assert_hears_tone(ours, second, tmp_path / "tone.wav")
        await asterisk.until(lambda: "TRANSFER=SUCCESS" in asterisk.log, "Asterisk knows of the success")
        told = asterisk.messages("NOTIFY", sent=False)
        assert [message.text.strip().splitlines()[-1] for message in told][-1] == "SIP/2.0 200 OK"


@pytest.mark.parametrize(
    ("policy", "target"),
    [(ReferPolicy.OFF, f"sip:tone@{REALM}"), (ReferPolicy.SERVER, "sip:tone@elsewhere.test")],
)
async def test_asterisk_may_not_transfer_us_against_the_rule(peers: Peers, policy: ReferPolicy, target: str) -> None:
    asterisk = await peers.asterisk()
    await asterisk.set_target(target)
    async with transferable(asterisk, policy) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("moves")
        await asterisk.until(lambda: asterisk.messages("REFER", status=603), "we refuse")
        await asterisk.until(lambda: "TRANSFER=FAILURE" in asterisk.log, "Asterisk knows of the refusal")
        assert list(ours.phone.calls) == [call_id]


async def test_a_transfer_to_somebody_busy_is_told(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    await asterisk.set_target(f"sip:busy@{REALM}")
    async with transferable(asterisk) as ours:
        await ours.until_registered()
        await ours.phone.dial("moves")
        await asterisk.until(lambda: "TRANSFER=FAILURE" in asterisk.log, "Asterisk knows that it failed")
        told = asterisk.messages("NOTIFY", sent=False)
        assert told[-1].text.strip().splitlines()[-1].startswith("SIP/2.0 486")
        assert len(ours.phone.calls) == 1


async def test_a_call_is_taken_over_from_another_telephone(peers: Peers) -> None:
    """Asterisk tells us to take the place of bob in his call with carol (RFC 3891)."""
    asterisk = await peers.asterisk()
    async with (
        transferable(asterisk) as ours,
        Agent(account_at(asterisk, "bob")) as bob,
        Agent(account_at(asterisk, "timed")) as carol,
    ):
        at_bob, at_carol = await talk(bob, carol, "timed")
        await asterisk.settled()
        accepted = [message for message in asterisk.messages("INVITE", status=200) if message.sent][-1]
        call_id, theirs, his = accepted.header("Call-ID"), accepted.header("To"), accepted.header("From")
        to_tag, from_tag = (value.partition("tag=")[2] for value in (theirs, his))
        replaces = f"{call_id}%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{from_tag}"
        await asterisk.set_target(f"<sip:carol@{REALM}?Replaces={replaces}>")
        await ours.until_registered()
        first = await ours.phone.dial("moves")
        await ours.until_ended(first)
        await bob.until_ended(at_bob)
        (second,) = ours.phone.calls
        await ours.until_state(second, CallState.TALKING)
        ours.phone.send_digits(second, "7")
        await carol.until(lambda: carol.digits == "7", "carol hears us in bob's place")
        assert carol.phone.calls[at_carol].state is CallState.TALKING


async def test_a_redirection_to_another_extension_is_followed(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    await asterisk.set_target(f"sip:tone@{REALM}")
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("redirects")
        await ours.until_state(call_id, CallState.TALKING)
        await asterisk.settled()
        assert len(asterisk.messages("INVITE", status=302)) == 1
        await assert_hears_tone(ours, call_id, tmp_path / "tone.wav")


async def test_whom_asterisk_connects_us_to_is_shown(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with (
        Agent(account_at(asterisk, "shown")) as ours,
        Agent(account_at(asterisk, "bob")) as bob,
        Agent(account_at(asterisk, "timed")) as carol,
    ):
        first, at_us = await talk(bob, ours, "shown")
        assert ours.phone.calls[at_us].remote.number == "bob"
        second, at_carol = await talk(bob, carol, "timed")
        await bob.phone.transfer_to(first, second)
        await until_transferred(bob, TransferState.SUCCEEDED)
        await ours.until(lambda: ours.told(CallReplaced), "we are told of somebody else")
        (event,) = ours.told(CallReplaced)
        assert (event.previous.number, event.call.remote.number) == ("bob", "timed")
        assert carol.phone.calls[at_carol].state is CallState.TALKING
