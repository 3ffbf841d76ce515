"""IPv6 towards Kamailio and baresip: every transport, calls both ways, and voice."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import IPAddress

from custom_components.sip_ua.sip.account import Account, CertificateCheck, ServerAddress, TlsSettings, Transport
from custom_components.sip_ua.sip.events import CallOutcome, CallState, EndedBy, MediaChanged
from tests.net.certificates import CertificateAuthority

from .agent import Agent, account_at, direct_account
from .conftest import USERS, Peers
from .peers import Baresip, Kamailio, assert_record_routed
from .voices import THEIR_HZ, assert_voice_both_ways

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

HERE = "::1"


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


async def telephone(peers: Peers, kamailio: Kamailio) -> Baresip:
    """Start bob's baresip, which has IPv6 only."""
    return await peers.start(
        Baresip(
            peers.own(),
            user="bob",
            password=USERS["bob"],
            registrar=kamailio.address,
            tone_hz=THEIR_HZ,
            host=HERE,
        )
    )


@pytest.mark.parametrize("transport", list(Transport))
async def test_a_call_is_made_and_heard(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    authority = CertificateAuthority(tmp_path)
    kamailio = await serve(peers, authority)
    bob = await telephone(peers, kamailio)
    async with Agent(account(kamailio, authority, transport)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        await assert_voice_both_ways(ours, call_id, bob, tmp_path)
        voice = ours.told(MediaChanged)[0].media
        assert voice is not None
        assert voice.remote_address == HERE
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
    assert_record_routed(kamailio)


@pytest.mark.parametrize("transport", list(Transport))
async def test_a_call_comes_in(peers: Peers, tmp_path: Path, transport: Transport) -> None:
    authority = CertificateAuthority(tmp_path)
    kamailio = await serve(peers, authority)
    bob = await telephone(peers, kamailio)
    async with Agent(account(kamailio, authority, transport)) as ours:
        await ours.until_registered()
        await bob.dial(f"sip:ha@{kamailio.address}")
        call = (await ours.until_incoming()).call
        await ours.phone.answer(call.id)
        await bob.until_event("CALL_ESTABLISHED")
        await bob.hangup()
        assert (await ours.until_ended(call.id)).ended_by is EndedBy.REMOTE
    assert_record_routed(kamailio)


async def test_a_direct_call_needs_no_server(peers: Peers, tmp_path: Path) -> None:
    kamailio = await serve(peers, CertificateAuthority(tmp_path))
    bob = await telephone(peers, kamailio)
    made = direct_account()
    async with Agent(replace(made, domain="", network=replace(made.network, bind_address=HERE))) as ours:
        call_id = await ours.phone.dial(f"sip:bob@[{HERE}]:{bob.sip_port}")
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
