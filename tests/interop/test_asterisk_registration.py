"""Registering at Asterisk: every transport, logins, keep-alives of its own, a restart."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509

from custom_components.sip_ua.sip.account import (
    Account,
    CertificateCheck,
    ServerAddress,
    Timing,
    TlsSettings,
    Transport,
)
from custom_components.sip_ua.sip.events import CallState, RegistrationFailure, RegistrationState
from tests.net.certificates import CertificateAuthority, fingerprint_of

from .agent import Agent, account_at
from .conftest import Peers
from .peers import LOOPBACK, Asterisk, until

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]

TRANSPORTS = [Transport.UDP, Transport.TCP]


def codes(asterisk: Asterisk) -> list[int]:
    """Return what Asterisk answered to each REGISTER."""
    return [message.status for message in asterisk.messages(sent=True) if message.answers == "REGISTER"]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("user", "algorithm"), [("ha", "MD5"), ("sha256", "SHA-256")])
async def test_a_login_at_asterisk_succeeds_and_ends_with_the_phone(
    peers: Peers, transport: Transport, user: str, algorithm: str
) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, user, transport=transport)) as ours:
        registered = await ours.until_registered()
        assert (registered.code, registered.failures) == (200, 0)
        assert registered.expires_at is not None
        assert registered.expires_at - registered.at == pytest.approx(3600, abs=2)
        assert len(await asterisk.contacts(user)) == 1
        await asterisk.settled()
        assert codes(asterisk) == [401, 200]
        login = asterisk.messages("REGISTER")[-1].header("Authorization")
        assert f"algorithm={algorithm}," in login
        assert asterisk.messages("REGISTER")[0].far.startswith(f"{transport.via}:{LOOPBACK}:")
    assert await asterisk.contacts(user) == []
    await asterisk.settled()
    assert codes(asterisk) == [401, 200, 200]


def account_over_tls(asterisk: Asterisk, tls: TlsSettings) -> Account:
    """Return the settings of `ha` at the port that Asterisk listens for TLS on."""
    account = account_at(asterisk, transport=Transport.TLS)
    return replace(account, server=ServerAddress(LOOPBACK, asterisk.tls_port), tls=tls)


@pytest.mark.parametrize("check", [CertificateCheck.AUTHORITY, CertificateCheck.FINGERPRINT])
async def test_a_phone_registers_and_calls_over_tls(peers: Peers, tmp_path: Path, check: CertificateCheck) -> None:
    authority = CertificateAuthority(tmp_path)
    certificate = authority.file(x509.IPAddress(ip_address(LOOPBACK)))
    asterisk = await peers.asterisk(certificate=certificate)
    tls = TlsSettings(check=check, authority=authority.pem, fingerprint=fingerprint_of(certificate))
    async with Agent(account_over_tls(asterisk, tls)) as ours:
        await ours.until_registered()
        (contact,) = await asterisk.contacts("ha")
        assert "transport=tls" in contact.lower()
        call_id = await ours.phone.dial("echo")
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hangup(call_id)
        await ours.until_ended(call_id)
        # Nobody can connect to us, so that it calls us over the connection that we made.
        await asterisk.originate("ha", "silent")
        incoming = (await ours.until_incoming()).call.id
        await ours.phone.answer(incoming)
        await ours.until_state(incoming, CallState.TALKING)
        await asterisk.hang_up("ha")
        await ours.until_ended(incoming)
        await asterisk.settled()
        assert {message.far.partition(":")[0] for message in asterisk.messages()} == {"TLS"}


async def test_a_certificate_of_nobody_that_we_trust_is_refused(peers: Peers, tmp_path: Path) -> None:
    certificate = CertificateAuthority(tmp_path).file(x509.IPAddress(ip_address(LOOPBACK)))
    asterisk = await peers.asterisk(certificate=certificate)
    async with Agent(account_over_tls(asterisk, TlsSettings())) as ours:
        failed = await ours.until_registration(RegistrationState.FAILED)
        assert failed.failure is RegistrationFailure.CERTIFICATE
        assert "Home Root" in failed.detail
    await asterisk.settled()
    assert asterisk.messages() == []


async def test_a_wrong_password_is_told_once(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, password="wrong")) as ours:
        refused = await ours.until_registration(RegistrationState.REFUSED)
        assert refused.failure is RegistrationFailure.LOGIN_REFUSED
        assert refused.next_attempt_at is None
    await asterisk.settled()
    assert codes(asterisk) == [401, 401]


async def test_an_interval_that_asterisk_lengthened_by_itself_is_taken_over(peers: Peers) -> None:
    asterisk = await peers.asterisk(shortest_registration=40)
    async with Agent(account_at(asterisk, timing=Timing(expiration=20))) as ours:
        registered = await ours.until_registered()
        await asterisk.settled()
        assert codes(asterisk) == [401, 200]
        assert registered.expires_at is not None
        assert registered.expires_at - registered.at == pytest.approx(40, abs=2)
        assert all(event.failure is None for event in ours.registrations)


async def test_the_registration_is_renewed_before_it_runs_out(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, timing=Timing(expiration=4))) as ours:
        await ours.until_registered()
        await until(lambda: codes(asterisk).count(200) >= 3, "two renewals", peers=(asterisk,))
        assert len(await asterisk.contacts("ha")) == 1
        assert all(event.failure is None for event in ours.registrations)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_its_questions_whether_we_are_there_are_answered(peers: Peers, transport: Transport) -> None:
    asterisk = await peers.asterisk(qualify=1)
    async with Agent(account_at(asterisk, transport=transport)) as ours:
        await ours.until_registered()
        await asterisk.until_event("ContactStatus", ContactStatus="Reachable")
        await asterisk.until(
            lambda: len([one for one in asterisk.messages("OPTIONS", status=200) if not one.sent]) >= 2,
            "two answers of ours",
        )
        assert "Avail" in await asterisk.command("pjsip show contacts")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_phone_is_back_after_asterisk_was(peers: Peers, transport: Transport) -> None:
    asterisk = await peers.asterisk()
    timing = Timing(expiration=6, resend=2, keep_alive=5)
    async with Agent(account_at(asterisk, transport=transport, timing=timing)) as ours:
        await ours.until_registered()
        asterisk.kill()
        await asterisk.stop()
        await ours.until_registration(RegistrationState.FAILED)
        await asterisk.start()
        assert await asterisk.contacts("ha") == []
        await ours.until_registered()
        assert len(await asterisk.contacts("ha")) == 1
        call_id = await ours.phone.dial("echo")
        await ours.until_state(call_id, CallState.TALKING)


async def test_a_registrar_that_lost_its_table_and_tells_nobody_is_found_out(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk, timing=Timing(keep_alive=5))) as ours:
        await ours.until_registered()
        asterisk.kill()
        await asterisk.stop()
        await asterisk.start()
        await asterisk.until(lambda: codes(asterisk).count(200) >= 2, "we are registered again")
        assert len(await asterisk.contacts("ha")) == 1
