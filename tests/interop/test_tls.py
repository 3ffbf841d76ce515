"""TLS towards Kamailio: whom the phone trusts, calls both ways down one connection, and connections that end."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, IPAddress

from custom_components.sip_ua.sip.account import (
    Account,
    CertificateCheck,
    ServerAddress,
    Srtp,
    Timing,
    TlsSettings,
    Transport,
    UriType,
)
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy, RegistrationFailure, RegistrationState
from custom_components.sip_ua.sip.sdes import SUITES
from tests.net.certificates import CertificateAuthority, fingerprint_of

from .agent import Agent, account_at, direct_account
from .conftest import USERS, Peers
from .peers import LOOPBACK, REALM, Baresip, Kamailio, assert_record_routed, until
from .voices import THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

HERE = IPAddress(ip_address(LOOPBACK))
UNCHECKED = TlsSettings(check=CertificateCheck.OFF)
SOON = Timing(resend=2, keep_alive=5)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """Give an authority as people make it at home."""
    return CertificateAuthority(tmp_path)


def trusting(authority: CertificateAuthority) -> TlsSettings:
    return TlsSettings(check=CertificateCheck.AUTHORITY, authority=authority.pem)


async def serve(
    peers: Peers, certificate: Path, *, tls_method: str = "TLSv1.2+", idle_seconds: int = 600, max_expires: int = 3600
) -> Kamailio:
    """Start a registrar that listens for TLS."""
    return await peers.start(
        Kamailio(
            peers.own(),
            USERS,
            certificate=certificate,
            tls_method=tls_method,
            idle_seconds=idle_seconds,
            max_expires=max_expires,
        )
    )


async def telephone(
    peers: Peers, kamailio: Kamailio, authority: CertificateAuthority, *, encryption: str = ""
) -> Baresip:
    """Start bob's baresip, which talks to the registrar by TLS and checks its certificate."""
    return await peers.start(
        Baresip(
            peers.own(),
            user="bob",
            password=USERS["bob"],
            registrar=kamailio.tls_address,
            tone_hz=THEIR_HZ,
            transport="tls",
            certificate=authority.file(HERE),
            authority=Path(authority.cafile),
            encryption=encryption,
        )
    )


def account_over_tls(kamailio: Kamailio, tls: TlsSettings, *, timing: Timing | None = None) -> Account:
    """Return the settings of `ha` at the port of a registrar that speaks TLS."""
    account = account_at(kamailio, transport=Transport.TLS, timing=timing)
    return replace(account, server=ServerAddress(LOOPBACK, kamailio.tls_port), tls=tls)


def is_found_by_its_connection(kamailio: Kamailio) -> bool:
    """Say whether the only contact is the address that the latest REGISTER came from."""
    source = kamailio.requests("REGISTER", caller="ha")[-1].source
    contacts = [contact.uri for contact in kamailio.contacts("ha")]
    return contacts == [f"sip:ha@{source.removeprefix('tls:')};transport=tls"]


@pytest.mark.parametrize("name", [HERE, DNSName(REALM)], ids=["address", "domain"])
async def test_a_server_of_the_own_authority_is_registered_with(
    peers: Peers, authority: CertificateAuthority, name: DNSName | IPAddress
) -> None:
    kamailio = await serve(peers, authority.file(name))
    async with Agent(account_over_tls(kamailio, trusting(authority))) as ours:
        registered = await ours.until_registered()
        assert registered.detail == f"{LOOPBACK} port {kamailio.tls_port} over TLS"
        assert len(kamailio.requests("REGISTER")) == 2
        assert is_found_by_its_connection(kamailio)
    assert kamailio.contacts("ha") == []


async def test_a_pinned_server_is_registered_with_whoever_it_says_that_it_is(
    peers: Peers, authority: CertificateAuthority
) -> None:
    certificate = authority.file(DNSName("elsewhere.example"), days=-1)
    kamailio = await serve(peers, certificate)
    pinned = TlsSettings(check=CertificateCheck.FINGERPRINT, fingerprint=fingerprint_of(certificate))
    async with Agent(account_over_tls(kamailio, pinned)) as ours:
        await ours.until_registered()


@pytest.mark.parametrize(
    ("name", "days", "failure", "words"),
    [
        (DNSName("pbx.example"), 10, RegistrationFailure.CERTIFICATE_NAME, f"not for {LOOPBACK} or {REALM} (for pbx."),
        (HERE, -1, RegistrationFailure.CERTIFICATE_EXPIRED, "certificate has expired (for 127.0.0.1; issued by Home"),
    ],
    ids=["wrong name", "expired"],
)
async def test_a_server_with_a_wrong_certificate_is_told_nothing(
    peers: Peers,
    authority: CertificateAuthority,
    name: DNSName | IPAddress,
    days: int,
    failure: RegistrationFailure,
    words: str,
) -> None:
    certificate = authority.file(name, days=days)
    kamailio = await serve(peers, certificate)
    async with Agent(account_over_tls(kamailio, trusting(authority))) as ours:
        failed = await ours.until_registration(RegistrationState.FAILED)
        assert failed.failure is failure
        assert words in failed.detail
        assert failed.detail.endswith(f"SHA-256 fingerprint {fingerprint_of(certificate)})")
        assert failed.place == f"{LOOPBACK}:{kamailio.tls_port} TLS"
        assert failed.certificate is not None
        assert failed.certificate.fingerprint == fingerprint_of(certificate)
    assert kamailio.requests() == []


@pytest.mark.parametrize(
    ("tls", "failure"),
    [
        (TlsSettings(), RegistrationFailure.CERTIFICATE),
        (
            TlsSettings(check=CertificateCheck.FINGERPRINT, fingerprint=":".join(["AB"] * 32)),
            RegistrationFailure.CERTIFICATE_CHANGED,
        ),
    ],
    ids=["unknown authority", "another fingerprint"],
)
async def test_a_server_that_is_not_trusted_is_told_nothing(
    peers: Peers, authority: CertificateAuthority, tls: TlsSettings, failure: RegistrationFailure
) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    async with Agent(account_over_tls(kamailio, tls)) as ours:
        failed = await ours.until_registration(RegistrationState.FAILED)
        assert failed.failure is failure
    assert kamailio.requests() == []


@pytest.mark.parametrize("tls", [UNCHECKED, None], ids=["unchecked", "checked"])
async def test_a_server_with_an_old_version_of_tls_is_refused(
    peers: Peers, authority: CertificateAuthority, tls: TlsSettings | None
) -> None:
    kamailio = await serve(peers, authority.file(HERE), tls_method="TLSv1.1")
    async with Agent(account_over_tls(kamailio, tls or trusting(authority))) as ours:
        failed = await ours.until_registration(RegistrationState.FAILED)
        assert failed.failure is RegistrationFailure.TLS_VERSION
        assert failed.detail.endswith("the server has no TLS 1.2 or newer")


@pytest.mark.parametrize("uri_type", [UriType.SIP, UriType.SIPS])
async def test_we_call_baresip_over_tls_and_both_hear_the_other(
    peers: Peers, authority: CertificateAuthority, tmp_path: Path, uri_type: UriType
) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    bob = await telephone(peers, kamailio, authority)
    account = replace(account_over_tls(kamailio, trusting(authority)), uri_type=uri_type)
    async with Agent(account) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await ours.phone.hangup(call_id)
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.LOCAL)
        await bob.until_event("CALL_CLOSED")
    assert_record_routed(kamailio)
    assert {request.source.partition(":")[0] for request in kamailio.requests()} == {"tls"}
    # One connection carried it all.
    assert len({request.source for request in kamailio.requests(caller="ha")}) == 1


async def test_baresip_calls_us_over_tls_down_the_connection_that_we_made(
    peers: Peers, authority: CertificateAuthority, tmp_path: Path
) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    bob = await telephone(peers, kamailio, authority)
    async with Agent(account_over_tls(kamailio, trusting(authority))) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.tls_address}")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        await ours.until_state(call.id, CallState.TALKING)
        await assert_voice_both_ways(ours, call.id, bob, tmp_path)
        await bob.hangup()
        ended = await ours.until_ended(call.id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
    assert_record_routed(kamailio)


@pytest.mark.parametrize(("srtp", "theirs"), [(Srtp.OPTIONAL, "srtp"), (Srtp.REQUIRED, "srtp-mand")])
@pytest.mark.parametrize("caller_is_baresip", [False, True])
async def test_over_tls_voice_is_encrypted_without_anything_else_to_allow(
    peers: Peers,
    authority: CertificateAuthority,
    tmp_path: Path,
    srtp: Srtp,
    theirs: str,
    caller_is_baresip: bool,
) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    bob = await telephone(peers, kamailio, authority, encryption=theirs)
    async with Agent(replace(account_over_tls(kamailio, trusting(authority)), srtp=srtp)) as ours:
        await ours.until_registered()
        if caller_is_baresip:
            await bob.dial(f"sip:ha@{kamailio.tls_address}")
            call_id = (await ours.until_incoming()).call.id
            await ours.phone.answer(call_id)
        else:
            call_id = await ours.phone.dial("bob")
        assert (await ours.until_state(call_id, CallState.TALKING)).encrypted
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        assert bob.suite in SUITES
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).encrypted


async def test_a_call_from_udp_reaches_us_over_tls(peers: Peers, authority: CertificateAuthority) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    bob = await peers.baresip(kamailio)
    async with Agent(account_over_tls(kamailio, trusting(authority))) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        await bob.until_event("CALL_ESTABLISHED")
        await ours.phone.hangup(call.id)
        await bob.until_event("CALL_CLOSED")
    assert_record_routed(kamailio)


async def test_the_phone_is_back_and_can_be_called_after_the_server_was_restarted(
    peers: Peers, authority: CertificateAuthority
) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    async with Agent(account_over_tls(kamailio, trusting(authority), timing=SOON)) as ours:
        await ours.until_registered()
        before = kamailio.requests("REGISTER")[-1].source
        kamailio.kill()
        await kamailio.stop()
        await ours.until_registration(RegistrationState.FAILED)
        await kamailio.start()
        await ours.until_registered()
        await until(lambda: kamailio.contacts("ha"), "the phone is known again", peers=(kamailio,))
        assert kamailio.requests("REGISTER")[-1].source != before
        assert is_found_by_its_connection(kamailio)
        bob = await peers.baresip(kamailio)
        await bob.dial(f"sip:ha@{kamailio.address}")
        await ours.phone.answer((await ours.until_incoming()).call.id)
        await bob.until_event("CALL_ESTABLISHED")


async def test_a_call_outlives_a_restart_of_the_server(peers: Peers, authority: CertificateAuthority) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    bob = await peers.baresip(kamailio)
    async with Agent(account_over_tls(kamailio, trusting(authority), timing=SOON)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        kamailio.kill()
        await kamailio.stop()
        await ours.until_registration(RegistrationState.FAILED)
        await kamailio.start()
        await ours.until_registered()
        # baresip does not know UPDATE: a re-INVITE tells it our new address.
        moved = [request.source for request in kamailio.requests("REGISTER", caller="ha")][-1]
        await until(
            lambda: kamailio.requests("ACK", caller="ha")[-1].source == moved, "the move is told", peers=(kamailio,)
        )
        await bob.hangup()
        ended = await ours.until_ended(call_id)
        assert (ended.outcome, ended.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)


async def test_a_certificate_that_changes_with_a_restart_is_told_and_taken_once_it_is_right(
    peers: Peers, authority: CertificateAuthority, tmp_path: Path
) -> None:
    right = authority.file(HERE)
    kamailio = await serve(peers, right)
    async with Agent(account_over_tls(kamailio, trusting(authority), timing=SOON)) as ours:
        await ours.until_registered()
        for certificate in (CertificateAuthority(tmp_path, "Other Root").file(HERE), right):
            await kamailio.stop()
            kamailio.certificate = certificate
            await kamailio.start()
            if certificate is right:
                await ours.until_registered()
            else:
                await ours.until(
                    lambda: ours.phone.registration.failure is RegistrationFailure.CERTIFICATE, "the change is told"
                )


async def test_a_connection_that_the_server_finds_idle_is_replaced_at_once(
    peers: Peers, authority: CertificateAuthority
) -> None:
    kamailio = await serve(peers, authority.file(HERE), idle_seconds=6)
    silent = Timing(resend=2, keep_alive=0)
    async with Agent(account_over_tls(kamailio, trusting(authority), timing=silent)) as ours:
        await ours.until_registered()
        first = kamailio.requests("REGISTER")[-1].source

        def is_moved() -> bool:
            # The old binding would be called in vain.
            return kamailio.requests("REGISTER")[-1].source != first and is_found_by_its_connection(kamailio)

        await until(is_moved, "a new connection is registered in place of the old", peers=(kamailio,))
        bob = await peers.baresip(kamailio)
        await bob.dial(f"sip:ha@{kamailio.address}")
        await ours.phone.answer((await ours.until_incoming()).call.id)
        await bob.until_event("CALL_ESTABLISHED")
        assert RegistrationState.FAILED not in {event.state for event in ours.registrations}


async def test_keep_alives_hold_a_connection_that_the_server_would_find_idle(
    peers: Peers, authority: CertificateAuthority
) -> None:
    kamailio = await serve(peers, authority.file(HERE), idle_seconds=3, max_expires=12)
    async with Agent(account_over_tls(kamailio, trusting(authority), timing=Timing(keep_alive=1))) as ours:
        await ours.until_registered()
        # The renewal six seconds later is the clock of this test.
        await until(lambda: len(kamailio.requests("REGISTER")) >= 3, "the renewal", peers=(kamailio,))
        assert len({request.source for request in kamailio.requests("REGISTER")}) == 1


async def test_a_direct_call_over_tls_is_ended_by_the_far_end(
    peers: Peers, authority: CertificateAuthority, tmp_path: Path
) -> None:
    kamailio = await serve(peers, authority.file(HERE))
    bob = await telephone(peers, kamailio, authority)
    account = replace(direct_account(), transport=Transport.TLS, tls=trusting(authority))
    async with Agent(account) as ours:
        # It listens for TLS on the port after the one that it is given.
        call_id = await ours.phone.dial(f"sip:bob@{LOOPBACK}:{bob.sip_port + 1}")
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        await bob.hangup()
        assert (await ours.until_ended(call_id)).ended_by is EndedBy.REMOTE
