"""IPv6 towards Kamailio: every transport, and a call whose voice goes by it."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import IPAddress

from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.account import Account, CertificateCheck, ServerAddress, TlsSettings, Transport
from custom_components.sip_ua.sip.events import CallOutcome, CallState, MediaChanged
from tests.net.certificates import CertificateAuthority

from .agent import Agent, account_at
from .conftest import USERS, Peers
from .peers import Kamailio
from .tone import assert_tone, measure, read_wav, sine, wav_seconds, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio")]

HERE = "::1"
RATE = 8_000
HERTZ, DBFS = 1000.0, -15.0
ENOUGH_SECONDS = 1.5


async def serve(peers: Peers, authority: CertificateAuthority) -> Kamailio:
    """Start a registrar that has IPv6 only."""
    certificate = authority.file(IPAddress(ip_address(HERE)))
    return await peers.start(Kamailio(peers.own(), USERS, host=HERE, certificate=certificate))


def account(kamailio: Kamailio, authority: CertificateAuthority, transport: Transport, user: str = "ha") -> Account:
    """Return the settings of a user who has IPv6 only."""
    made = account_at(kamailio, user, transport=transport)
    return replace(
        made,
        server=ServerAddress(HERE, kamailio.tls_port if transport is Transport.TLS else kamailio.port),
        network=replace(made.network, bind_address=HERE),
        tls=TlsSettings(check=CertificateCheck.AUTHORITY, authority=authority.pem),
    )


@pytest.mark.parametrize("transport", list(Transport))
async def test_a_registration_is_made_renewed_and_ended(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    authority = CertificateAuthority(tmp_path)
    kamailio = await serve(peers, authority)
    async with Agent(account(kamailio, authority, transport)) as ours:
        registered = await ours.until_registered()
        assert registered.failures == 0
        first, second = kamailio.requests("REGISTER")
        assert (first.authenticated, second.authenticated) == (False, True)
        assert second.source.startswith(f"{transport}:")
        (contact,) = kamailio.contacts("ha")
        assert contact.uri.startswith(f"sip:ha@[{HERE}]:")
        ours.phone.network_changed()
        await ours.until(lambda: len(kamailio.requests("REGISTER")) > 2, "the renewal")
        await ours.until(lambda: len(kamailio.contacts("ha")) == 1, "one contact is left")
    assert kamailio.contacts("ha") == []


@pytest.mark.parametrize("transport", list(Transport))
async def test_a_call_is_made_and_heard(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    authority = CertificateAuthority(tmp_path)
    kamailio = await serve(peers, authority)
    tone = write_wav(tmp_path / "tone.wav", sine(HERTZ, 6.0, RATE, DBFS), RATE)
    async with (
        Agent(account(kamailio, authority, transport)) as ours,
        Agent(account(kamailio, authority, Transport.UDP, "bob")) as theirs,
    ):
        await ours.until_registered()
        await theirs.until_registered()
        call_id = await ours.phone.dial("bob")
        called = (await theirs.until_incoming()).call
        await theirs.phone.answer(called.id, source=FileSource(tone))
        await ours.until_state(call_id, CallState.TALKING)
        recording = ours.record(call_id, tmp_path)
        await ours.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS, "the tone is heard")
        assert_tone(measure(*read_wav(recording)), HERTZ, DBFS)
        voice = ours.told(MediaChanged)[0].media
        assert voice is not None
        assert voice.remote_address == HERE
        await theirs.phone.hangup(called.id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
