"""Encrypted voice with Asterisk: keys in the session description (RFC 4568), required and offered."""

from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.account import Account, Srtp
from custom_components.sip_ua.sip.events import CallOutcome, CallState

from .agent import Agent, account_at
from .conftest import Peers
from .peers import Asterisk
from .test_asterisk_calls import assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""Debian's Asterisk has no other one of ours."""


def account(asterisk: Asterisk, srtp: Srtp, user: str = "secret") -> Account:
    """Return the settings of a telephone that may name its keys on the way of the test."""
    return replace(account_at(asterisk, user), srtp=srtp, srtp_without_tls=True)


@pytest.mark.parametrize(("srtp", "suite"), [(Srtp.OPTIONAL, SUITES[0]), *((Srtp.REQUIRED, suite) for suite in SUITES)])
async def test_we_call_asterisk_with_keys(peers: Peers, tmp_path: Path, srtp: Srtp, suite: str) -> None:
    asterisk = await peers.asterisk()
    async with Agent(replace(account(asterisk, srtp), srtp_suites=(suite,))) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("tone")
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, asterisk, tmp_path)
        answered = asterisk.messages("INVITE", status=200)[-1].text
        # What is merely preferred is offered as plain voice with keys (RFC 8643).
        assert f" RTP/{'SAVP' if srtp is Srtp.REQUIRED else 'AVP'} " in answered
        assert f"a=crypto:1 {suite} inline:" in answered
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.TALKING)


@pytest.mark.parametrize("srtp", [Srtp.OPTIONAL, Srtp.REQUIRED])
async def test_asterisk_calls_us_with_keys(peers: Peers, tmp_path: Path, srtp: Srtp) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account(asterisk, srtp)) as ours:
        await ours.until_registered()
        await asterisk.originate("secret", "tone")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        await ours.until_state(call.id, CallState.TALKING)
        await assert_voice_both_ways(ours, call.id, asterisk, tmp_path)


async def test_who_requires_keys_does_not_talk_without(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account(asterisk, Srtp.REQUIRED, "ha")) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial("tone"))
        assert (ended.code, ended.outcome) == (488, CallOutcome.FAILED)
    async with Agent(account(asterisk, Srtp.OFF)) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial("tone"))
        assert ended.code == 488


async def test_who_merely_prefers_keys_talks_without(peers: Peers, tmp_path: Path) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account(asterisk, Srtp.OPTIONAL, "ha")) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("tone")
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, asterisk, tmp_path)
