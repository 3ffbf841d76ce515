"""Encrypted voice with baresip through Kamailio: optional, required, refused, held (RFC 4568, RFC 3711, RFC 8643)."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant

from custom_components.sip_ua.const import CONF_SRTP, CONF_SRTP_WITHOUT_TLS
from custom_components.sip_ua.diagnostics import async_get_config_entry_diagnostics
from custom_components.sip_ua.net.phone import CallStatistics
from custom_components.sip_ua.rtp.session import RtpStatistics
from custom_components.sip_ua.sip.account import Account, Srtp
from custom_components.sip_ua.sip.events import CallOutcome, CallState, IncomingCall
from custom_components.sip_ua.sip.sdes import SUITES

from .agent import Agent, account_at, direct_account
from .conftest import Peers
from .home import set_up
from .peers import Kamailio
from .peers.baresip import TONE_DBFS
from .test_calls import ALL_DIGITS
from .tone import assert_tone, measure, read_wav, wav_seconds
from .voices import ENOUGH_SECONDS, RATE, THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip", "sipp")]

FEW_REPORTS = 4
CM80 = "AES_CM_128_HMAC_SHA1_80"


def encrypting(kamailio: Kamailio, srtp: Srtp, *suites: str) -> Account:
    """Return our account at a registrar on loopback, where nobody reads the keys on their way."""
    return replace(account_at(kamailio), srtp=srtp, srtp_without_tls=True, srtp_suites=suites or tuple(SUITES))


async def figures(ours: Agent) -> RtpStatistics:
    """Return the figures of the voice of the call that has ended."""
    await ours.until(lambda: bool(ours.told(CallStatistics)), "the figures of the voice are told")
    found = ours.told(CallStatistics)[-1].statistics
    assert found is not None
    return found


async def assert_genuine(ours: Agent) -> None:
    """Check that the voice of the call that has ended was encrypted, and nothing of it was dropped."""
    found = await figures(ours)
    assert found.encrypted
    assert (found.replayed, found.malformed, found.lost) == (0, 0, 0)
    # To open a way through NAT baresip sends a report in the clear before its voice, and it says goodbye so.
    assert found.unauthenticated <= FEW_REPORTS


@pytest.mark.parametrize(
    ("srtp", "theirs", "suite"),
    [
        (Srtp.OPTIONAL, "srtp", CM80),
        (Srtp.OPTIONAL, "srtp-mand", CM80),
        (Srtp.REQUIRED, "srtp", "AES_CM_128_HMAC_SHA1_32"),
        (Srtp.REQUIRED, "srtp-mand", "AEAD_AES_128_GCM"),
        (Srtp.REQUIRED, "srtp-mand", CM80),
    ],
)
async def test_we_call_baresip_and_both_hear_the_other_encrypted(
    peers: Peers, tmp_path: Path, srtp: Srtp, theirs: str, suite: str
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, encryption=theirs)
    async with Agent(encrypting(kamailio, srtp, suite)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        call = await ours.until_state(call_id, CallState.TALKING)
        assert call.encrypted
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        assert bob.suite == suite
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).encrypted
        await assert_genuine(ours)


@pytest.mark.parametrize(
    ("srtp", "theirs"), [(Srtp.OPTIONAL, "srtp"), (Srtp.OPTIONAL, "srtp-mand"), (Srtp.REQUIRED, "srtp-mand")]
)
async def test_baresip_calls_us_and_both_hear_the_other_encrypted(
    peers: Peers, tmp_path: Path, srtp: Srtp, theirs: str
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, encryption=theirs)
    async with Agent(encrypting(kamailio, srtp)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        assert (await ours.until_state(call.id, CallState.TALKING)).encrypted
        await assert_voice_both_ways(ours, call.id, bob, tmp_path)
        assert bob.suite in SUITES
        await bob.hangup()
        await ours.until_ended(call.id)
        await assert_genuine(ours)


@pytest.mark.parametrize("caller_is_baresip", [False, True])
@pytest.mark.parametrize(("srtp", "theirs"), [(Srtp.OPTIONAL, ""), (Srtp.OFF, "srtp")])
async def test_where_one_side_does_not_encrypt_an_optional_call_is_plain(
    peers: Peers, tmp_path: Path, srtp: Srtp, theirs: str, caller_is_baresip: bool
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, encryption=theirs)
    async with Agent(replace(encrypting(kamailio, srtp), srtp_without_tls=srtp is not Srtp.OFF)) as ours:
        await ours.until_registered()
        if caller_is_baresip:
            await bob.dial(f"sip:ha@{kamailio.address}")
            call_id = (await ours.until_incoming()).call.id
            await ours.phone.answer(call_id)
        else:
            call_id = await ours.phone.dial("bob")
        assert not (await ours.until_state(call_id, CallState.TALKING)).encrypted
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        assert bob.suite == ""
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)
        assert not (await figures(ours)).encrypted


async def test_a_plain_call_is_refused_by_whoever_requires_encryption(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    async with Agent(encrypting(kamailio, Srtp.REQUIRED)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        assert "488" in (await bob.until_event("CALL_CLOSED")).parameter
        assert ours.told(IncomingCall) == []
        call_id = await ours.phone.dial("bob")
        ended = await ours.until_ended(call_id)
        assert ended.outcome is CallOutcome.FAILED
        assert ended.code == 488


async def test_digits_hold_and_resume_work_encrypted(peers: Peers, tmp_path: Path) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, encryption="srtp-mand")
    async with Agent(encrypting(kamailio, Srtp.REQUIRED)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        ours.phone.send_digits(call_id, ALL_DIGITS)
        await bob.until(lambda: len(bob.digits) >= len(ALL_DIGITS), "baresip hears every digit")
        assert bob.digits == ALL_DIGITS
        await bob.send_digits("59#")
        await ours.until(lambda: len(ours.digits) >= 3, "we hear every digit")
        assert ours.digits == "59#"
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await ours.phone.resume(call_id)
        await ours.until_state(call_id, CallState.TALKING)
        await bob.hold()
        await ours.until_state(call_id, CallState.REMOTE_HELD)
        await bob.resume()
        assert (await ours.until_state(call_id, CallState.TALKING)).encrypted
        # After a hold baresip writes down no more of what it hears, but it would tell what it cannot decrypt.
        recording = ours.record(call_id, tmp_path)
        await ours.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS, "we hear baresip's tone again")
        assert_tone(measure(*read_wav(recording)), THEIR_HZ, TONE_DBFS)
        assert "failed to decrypt" not in bob.log
        await bob.hangup()
        await ours.until_ended(call_id)
        await assert_genuine(ours)


async def test_suites_that_we_do_not_speak_are_refused_with_a_warning(peers: Peers) -> None:
    account = replace(direct_account(), srtp=Srtp.OPTIONAL, srtp_without_tls=True)
    async with Agent(account) as ours:
        caller = await peers.sipp("uac_offers_unknown_suite", ours.address)
        await caller.require_success()
        assert ours.told(IncomingCall) == []


async def test_home_assistant_calls_encrypted_and_says_so(hass: HomeAssistant, peers: Peers, tmp_path: Path) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, encryption="srtp-mand")
    security = {CONF_SRTP: Srtp.REQUIRED.value, CONF_SRTP_WITHOUT_TLS: True}
    home = await set_up(hass, port=kamailio.port, password="hapw", security=security)
    await home.until_state("registration", "registered")
    response = await home.call("dial", number="bob", wait="answered")
    assert home.state("call_state").attributes["encrypted"] is True
    await bob.until(lambda: bob.heard_seconds() >= 1, "voice flows")
    await home.call("hangup", call_id=response["call_id"])
    assert (await home.until_event("answered"))["encrypted"] is True
    assert (await home.until_event("ended"))["encrypted"] is True
    figures = (await home.until_event("statistics"))["statistics"]
    assert figures["encrypted"] is True
    assert figures["packets_received"] > 0
    written = re.findall(r"inline:([A-Za-z0-9+/]{30,})", bob.log)
    assert written
    shown = repr(home.events) + repr(home.states()) + repr(await async_get_config_entry_diagnostics(hass, home.entry))
    assert not [key for key in written if key in shown]
