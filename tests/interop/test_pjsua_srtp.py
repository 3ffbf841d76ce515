"""Encrypted voice with pjsua, the strictest independent user agent (RFC 4568, RFC 3711, RFC 8643)."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.net.phone import CallStatistics
from custom_components.sip_ua.sip.account import Srtp
from custom_components.sip_ua.sip.events import CallOutcome, CallState
from custom_components.sip_ua.sip.sdes import SUITES

from .agent import Agent, direct_account
from .conftest import Peers
from .new_keys import begin_late, change_keys
from .peers import Pjsua
from .pjsua_calls import be_called, connect
from .voices import THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("pjsua")]

OPTIONAL = ("--use-srtp", "1", "--srtp-secure", "0", "--srtp-keying", "0")
REQUIRED = ("--use-srtp", "2", "--srtp-secure", "0", "--srtp-keying", "0")
LONG_TAG, SHORT_TAG = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
KEY = re.compile(r"^a=crypto:\d+ (\S+) inline:", re.MULTILINE)


@pytest.mark.parametrize(
    ("begin", "srtp", "theirs", "suites"),
    [
        (connect, Srtp.REQUIRED, REQUIRED, (LONG_TAG,)),
        (be_called, Srtp.REQUIRED, REQUIRED, (SHORT_TAG,)),
        (connect, Srtp.OPTIONAL, OPTIONAL, tuple(SUITES)),
        (be_called, Srtp.OPTIONAL, OPTIONAL, tuple(SUITES)),
        (connect, Srtp.OPTIONAL, REQUIRED, tuple(SUITES)),
        (be_called, Srtp.OPTIONAL, REQUIRED, tuple(SUITES)),
        (connect, Srtp.REQUIRED, OPTIONAL, tuple(SUITES)),
        (be_called, Srtp.REQUIRED, OPTIONAL, tuple(SUITES)),
    ],
    ids=[
        "we call, both require it",
        "pjsua calls, both require it, short tags",
        "we call, both prefer it",
        "pjsua calls, both prefer it",
        "we call, prefer what pjsua requires",
        "pjsua calls, requires what we prefer",
        "we call and require what pjsua prefers",
        "pjsua calls, prefers what we require",
    ],
)
async def test_voice_is_encrypted_both_ways_and_stays_so_over_a_hold(
    peers: Peers,
    tmp_path: Path,
    begin: Callable[[Agent, Pjsua], Awaitable[str]],
    srtp: Srtp,
    theirs: tuple[str, ...],
    suites: tuple[str, ...],
) -> None:
    bob = await peers.pjsua(tone_hz=THEIR_HZ, options=theirs)
    account = replace(direct_account(), srtp=srtp, srtp_without_tls=True, srtp_suites=suites)
    async with Agent(account) as ours:
        call_id = await begin(ours, bob)
        (accepted,) = bob.answers("INVITE", 200, sent=begin is connect)
        (suite,) = KEY.findall(accepted.text)
        assert suite in suites
        await bob.hold()
        await ours.until_state(call_id, CallState.REMOTE_HELD)
        await bob.reinvite()
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await bob.until_told("status is Remote hold")
        await ours.phone.resume(call_id)
        assert (await ours.until_state(call_id, CallState.TALKING)).encrypted
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await bob.hangup()
        assert (await ours.until_ended(call_id)).encrypted
        await ours.until(lambda: bool(ours.told(CallStatistics)), "the figures of the voice are told")
        found = ours.told(CallStatistics)[-1].statistics
        assert found is not None
        assert (found.encrypted, found.replayed, found.unauthenticated) == (True, 0, 0)


@pytest.mark.parametrize("suite", [LONG_TAG, SHORT_TAG])
async def test_a_new_key_of_ours_is_heard_after_the_sequence_has_wrapped(
    peers: Peers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    begin_late(monkeypatch)
    bob = await peers.pjsua(tone_hz=THEIR_HZ, options=REQUIRED)
    account = replace(direct_account(), srtp=Srtp.REQUIRED, srtp_without_tls=True, srtp_suites=(suite,))
    async with Agent(account) as ours:
        call_id = await connect(ours, bob)
        await change_keys(ours, call_id, monkeypatch)
        await bob.speak()
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        assert ours.phone.calls[call_id].encrypted
        assert len({key for message in bob.answers("INVITE", 200, sent=True) for key in KEY.findall(message.text)}) == 1


@pytest.mark.parametrize(("srtp", "theirs"), [(Srtp.REQUIRED, ()), (Srtp.OFF, REQUIRED)])
async def test_calls_that_only_one_side_wants_encrypted_are_refused(
    peers: Peers, srtp: Srtp, theirs: tuple[str, ...]
) -> None:
    bob = await peers.pjsua(options=theirs)
    account = replace(direct_account(), srtp=srtp, srtp_without_tls=srtp is not Srtp.OFF)
    async with Agent(account) as ours:
        ended = await ours.until_ended(await ours.phone.dial(bob.uri))
        assert ended.outcome is CallOutcome.FAILED
        assert ended.code in (406, 488)
        await bob.dial(f"sip:ha@{ours.address}")
        await bob.until_message(lambda: bob.answers("INVITE", 488), "we refuse the call")
        assert ours.phone.calls == {}
