"""Registering at Kamailio: login, refresh, too brief an interval, stale nonce, wrong password, restart."""

import itertools
from dataclasses import replace

import pytest

from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.sip import better_server
from custom_components.sip_ua.sip.account import ServerAddress, Timing, Transport
from custom_components.sip_ua.sip.events import RegistrationFailure, RegistrationState
from tests.net.name_server import NameServer

from .agent import Agent, account_at
from .conftest import Peers
from .nat import Nat
from .peers import Kamailio, until
from .peers.ports import LOOPBACK

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio")]

TRANSPORTS = [Transport.UDP, Transport.TCP]


def codes(kamailio: Kamailio) -> list[int]:
    """Return what Kamailio answered to each REGISTER; its workers log in no order of their own."""
    answers = sorted(kamailio.answers("REGISTER"), key=lambda answer: (answer.call_id, answer.cseq))
    return [answer.code for answer in answers]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_challenged_registration_succeeds_and_ends_with_the_phone(peers: Peers, transport: Transport) -> None:
    kamailio = await peers.kamailio()
    async with Agent(account_at(kamailio, transport=transport)) as ours:
        registered = await ours.until_registered()
        assert registered.code == 200
        assert registered.failures == 0
        assert registered.expires_at is not None
        assert registered.expires_at - registered.at == pytest.approx(3600, abs=1)
        (contact,) = kamailio.contacts("ha")
        assert contact.user_agent.startswith("SIP Phone")
        assert "0.0.0.0" not in contact.uri
        first, second = kamailio.requests("REGISTER")
        assert first.source.startswith(f"{transport}:127.0.0.1:")
        assert (first.authenticated, second.authenticated) == (False, True)
        assert second.cseq == first.cseq + 1
        assert second.call_id == first.call_id
        assert codes(kamailio) == [401, 200]
    assert kamailio.contacts("ha") == []
    assert kamailio.requests("REGISTER")[-1].expires in ("0", "")
    assert RegistrationState.FAILED not in {event.state for event in ours.registrations}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_registration_is_renewed_before_it_runs_out(peers: Peers, transport: Transport) -> None:
    granted = 4
    kamailio = await peers.kamailio(max_expires=granted)
    async with Agent(account_at(kamailio, transport=transport)) as ours:
        await ours.until_registered()
        missing = 0

        def renewed_twice() -> bool:
            nonlocal missing
            missing += not kamailio.contacts("ha")
            return codes(kamailio).count(200) >= 3

        await until(renewed_twice, "two renewals", peers=(kamailio,))
        assert missing == 0
        renewals = [event for event in ours.registrations if event.state is RegistrationState.REGISTERED]
        for before, after in itertools.pairwise(renewals):
            assert before.expires_at is not None
            assert after.at < before.expires_at
            assert before.expires_at - before.at == pytest.approx(granted, abs=0.5)
        requests = kamailio.requests("REGISTER")
        assert len({request.call_id for request in requests}) == 1
        assert [request.cseq for request in requests] == sorted({request.cseq for request in requests})


async def test_too_brief_an_interval_is_lengthened_as_the_registrar_asks(peers: Peers) -> None:
    kamailio = await peers.kamailio(min_expires=40)
    async with Agent(account_at(kamailio, timing=Timing(expiration=20))) as ours:
        registered = await ours.until_registered()
        assert codes(kamailio).count(423) == 1
        assert codes(kamailio)[-1] == 200
        assert registered.expires_at is not None
        assert registered.expires_at - registered.at == pytest.approx(40, abs=1)
        assert registered.failures == 0
        assert all(event.failure is None for event in ours.registrations)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_the_digest_algorithm_of_the_challenge_is_obeyed_by_register_and_invite(
    peers: Peers, algorithm: str
) -> None:
    kamailio = await peers.kamailio(algorithm=algorithm)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        assert codes(kamailio) == [401, 200]
        ended = await ours.until_ended(await ours.phone.dial("nobody"))
        assert ended.code == 404
        assert sorted(answer.code for answer in kamailio.answers("INVITE")) == [404, 407]


async def test_a_stale_nonce_is_renewed_without_a_failure(peers: Peers) -> None:
    kamailio = await peers.kamailio(max_expires=4, nonce_seconds=1)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        await until(lambda: codes(kamailio).count(200) >= 3, "two renewals", peers=(kamailio,))
        assert "stale=true" in kamailio.log or codes(kamailio).count(401) >= 2
        assert all(event.failure is None for event in ours.registrations)
        assert {event.state for event in ours.registrations} <= {
            RegistrationState.UNREGISTERED,
            RegistrationState.REGISTERING,
            RegistrationState.REGISTERED,
        }


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_wrong_password_is_told_once_and_makes_no_storm(peers: Peers, transport: Transport) -> None:
    kamailio = await peers.kamailio()
    control = await peers.kamailio(max_expires=4)
    async with (
        Agent(account_at(kamailio, password="wrong", transport=transport, timing=Timing(resend=1))) as ours,
        # Two renewals of a phone beside it are the measure of how long the refused one kept still.
        Agent(account_at(control)),
    ):
        refused = await ours.until_registration(RegistrationState.REFUSED)
        assert refused.failure is RegistrationFailure.LOGIN_REFUSED
        assert refused.next_attempt_at is None
        assert refused.code == 401
        seen = len(kamailio.requests("REGISTER"))
        assert seen == 2
        await until(lambda: codes(control).count(200) >= 3, "two renewals beside it", peers=(control,))
    assert len(kamailio.requests("REGISTER")) == seen
    assert [event.state for event in ours.registrations].count(RegistrationState.REFUSED) == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_phone_is_back_after_the_registrar_was(peers: Peers, transport: Transport) -> None:
    kamailio = await peers.kamailio(max_expires=4)
    timing = Timing(resend=2, keep_alive=5)
    async with Agent(account_at(kamailio, transport=transport, timing=timing)) as ours:
        await ours.until_registered()
        kamailio.kill()
        await kamailio.stop()
        await ours.until_registration(RegistrationState.FAILED)
        await kamailio.start()
        await ours.until_registered()
        assert len(kamailio.contacts("ha")) == 1


async def test_a_registrar_that_lost_its_table_and_stayed_has_us_back_within_the_keep_alive_interval(
    peers: Peers,
) -> None:
    kamailio = await peers.kamailio()
    async with Agent(account_at(kamailio, timing=Timing(keep_alive=5))) as ours:
        await ours.until_registered()
        kamailio.remove_contacts("ha")
        assert not kamailio.contacts("ha")
        await until(lambda: kamailio.contacts("ha"), "the registration is confirmed", peers=(kamailio,))
        assert [event.state for event in ours.registrations].count(RegistrationState.FAILED) == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_way_that_the_registrar_told_is_taken_by_calls_and_not_by_register(
    peers: Peers, transport: Transport
) -> None:
    kamailio = await peers.kamailio(service_user="orig")
    async with Agent(account_at(kamailio, transport=transport)) as ours:
        await ours.until_registered()
        ended = await ours.until_ended(await ours.phone.dial("nobody"))
        assert ended.code == 404
        assert {request.route for request in kamailio.requests("INVITE")} == {kamailio.service_route}
        assert {request.route for request in kamailio.requests("REGISTER")} == {""}


async def test_a_proxy_on_the_path_is_stored_since_we_support_that(peers: Peers) -> None:
    kamailio = await peers.kamailio(service_user="orig")
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        (contact,) = kamailio.contacts("ha")
        assert contact.path == f"<sip:edge@{kamailio.address};lr>"


async def test_behind_a_nat_the_public_address_is_registered_and_followed(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    async with Nat(kamailio.port) as nat:
        account = account_at(kamailio, timing=Timing(keep_alive=5))
        async with Agent(replace(account, server=ServerAddress(LOOPBACK, nat.port))) as ours:
            await ours.until_registered()
            assert [contact.uri for contact in kamailio.contacts("ha")] == [f"sip:ha@{nat.public}"]
            await nat.renew()
            await until(
                lambda: [contact.uri for contact in kamailio.contacts("ha")] == [f"sip:ha@{nat.public}"],
                "the new address alone is registered",
                peers=(kamailio,),
            )
            assert {event.failure for event in ours.registrations} == {None}


async def test_the_phone_goes_to_the_next_server_and_back_to_the_better_one(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(better_server, "FIRST_LOOK", 1.0)
    better, other = await peers.kamailio(max_expires=4), await peers.kamailio(max_expires=4)
    names = NameServer()
    names.host("one.example.com", LOOPBACK)
    for priority, kamailio in ((10, better), (20, other)):
        names.srv("_sip._udp.pbx.example.com", priority, 1, kamailio.port, "one.example.com")
    resolver = Resolver(nameservers=[await names.start()])
    account = replace(account_at(better), server=ServerAddress("pbx.example.com"), use_srv=True)
    async with Agent(account, resolver=resolver) as ours:
        await ours.until_registered()
        assert better.contacts("ha")
        better.kill()
        await better.stop()
        await until(lambda: other.contacts("ha"), "the phone is at the other server", peers=(other,))
        await better.start()
        await until(lambda: better.contacts("ha"), "the phone is back", peers=(better,))
        assert {event.failure for event in ours.registrations} == {None}, "there was always one to register with"
    await resolver.close()
    names.stop()
