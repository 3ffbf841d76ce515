"""Calls that do not show who calls, through Kamailio and Asterisk, and byte for byte as they leave this machine."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.incoming_rules import is_anonymous
from custom_components.sip_ua.sip.account import Account, ServerAddress
from custom_components.sip_ua.sip.events import CallOutcome, CallState

from .agent import Agent, account_at, network
from .conftest import Peers
from .peers import LOOPBACK, REALM, Asterisk, until
from .peers.asterisk import User
from .wire import answer, offer, wire

pytestmark = [pytest.mark.interop]

NAME = "Millers4930"
MILLER = User("miller4930", "secret4930", settings=("identify_by = username,auth_username",))
ONLY_FOR_THE_SERVER = (b"P-Preferred-Identity:", b"Authorization:", b"Proxy-Authorization:")


@pytest.mark.peer("kamailio", "baresip")
async def test_baresip_sees_an_anonymous_call_and_kamailio_knows_whose_it_is(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, answer=False)
    account = replace(account_at(kamailio), display_name=NAME, send_caller_id=False)
    async with Agent(account) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        ringing = await bob.until_event("CALL_INCOMING")
        assert ringing.peer == "sip:anonymous@anonymous.invalid"
        await bob.accept()
        await ours.until_state(call_id, CallState.TALKING)
        await ours.phone.hold(call_id)
        await ours.until_state(call_id, CallState.HELD)
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
        await bob.until_event("CALL_CLOSED")
        since = len(bob.events)
        shown = await ours.phone.dial("bob", caller_id=True)
        assert (await bob.until_event("CALL_INCOMING", since=since)).peer.startswith("sip:ha@")
        await ours.phone.hangup(shown)
        await ours.until_ended(shown)
    assert next(answered.code for answered in kamailio.answers("INVITE") if answered.local) == 407
    assert f"TAP|hidden|ha|sip:ha@{REALM}|id|" in kamailio.log


@pytest.mark.peer("kamailio")
async def test_what_kamailio_passes_on_says_nothing_of_who_calls(peers: Peers) -> None:
    kamailio = await peers.kamailio()
    account = replace(account_at(kamailio), display_name=NAME, send_caller_id=False)
    async with wire() as bob, Agent(account) as ours:
        kamailio.add_contact("bob", f"sip:bob@{bob.address}")
        await ours.until_registered()
        await ours.phone.dial("bob")
        invite = await bob.until_request("INVITE")
    assert b'From: "Anonymous" <sip:anonymous@anonymous.invalid>' in invite
    assert b"Privacy: id" in invite
    assert not [word for word in (b"sip:ha@", b'"ha"', NAME.encode(), b"Preferred", b"Authorization") if word in invite]


@pytest.mark.peer("asterisk")
async def test_asterisk_bills_the_caller_and_shows_the_called_nobody(peers: Peers) -> None:
    asterisk = await peers.start(Asterisk(peers.own(), further=(MILLER,)))
    account = replace(account_at(asterisk, MILLER.name), display_name=NAME, send_caller_id=False)
    async with Agent(account) as ours, Agent(account_at(asterisk, "bob")) as bob:
        await ours.until_registered()
        await bob.until_registered()
        call_id = await ours.phone.dial("bob")
        call = (await bob.until_incoming()).call
        assert is_anonymous(call.remote)
        await bob.phone.answer(call.id)
        await ours.until_state(call_id, CallState.TALKING)
        assert MILLER.name in await asterisk.channel_of(MILLER.name)
        await ours.phone.hangup(call_id)
        assert (await ours.until_ended(call_id)).outcome is CallOutcome.ANSWERED
        (invite,) = asterisk.messages("INVITE", sent=True)
        assert not [word for word in (MILLER.name, NAME) if word in invite.text]


async def test_the_number_leaves_this_machine_for_the_server_alone() -> None:
    async with wire(registrar=True) as server:
        account = Account(
            number="4930777",
            domain="home.example",
            password="secret",
            display_name=NAME,
            server=ServerAddress(LOOPBACK, server.port),
            send_caller_id=False,
            network=network(),
        )
        async with Agent(account) as ours:
            await ours.until_registered()
            registered = len(server.received)
            call_id = await ours.phone.dial("bob")
            invite = await server.until_request("INVITE")
            assert server.phone is not None
            contact = f"Contact: <sip:bob@{server.address}>\r\n"
            accepted = answer(invite, "200 OK", to_tag="b", extra=f"{contact}Content-Type: application/sdp\r\n")
            body = offer(LOOPBACK, 40_000).encode()
            server.send(accepted.replace(b"Length: 0\r\n\r\n", b"Length: %d\r\n\r\n" % len(body)) + body, server.phone)
            await ours.until_state(call_id, CallState.TALKING)
            await ours.phone.hold(call_id)
            await until(lambda: len(server.requests("INVITE")) > 1, "a re-INVITE")
            server.send(answer(server.requests("INVITE")[-1], "488 Not Acceptable Here", to_tag="b"), server.phone)
            await ours.phone.hangup(call_id)
            bye = await server.until_request("BYE")
            server.send(answer(bye, "200 OK", to_tag="b"), server.phone)
            await ours.until_ended(call_id)
            sent = server.received[registered:]
    lines = [line for data in sent for line in data.split(b"\r\n") if not line.startswith(ONLY_FOR_THE_SERVER)]
    assert [line for line in lines if b"4930777" in line or NAME.encode() in line if b"REGISTER" not in line] == []
    assert b"P-Preferred-Identity: <sip:4930777@home.example>" in invite
