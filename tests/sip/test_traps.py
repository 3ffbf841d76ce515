"""Traps that other telephones fell into, as far as no other test names them; docs/conformance.md lists them all."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport, UriType
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import CallState
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.uri import SipUri, TelUri

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link, Passage
from .registrar import NAME, SERVER, Registrar
from .responder import SDP, Responder, answer

TRANSPORTS = (Transport.UDP, Transport.TCP)


def server_account(**changes: object) -> Account:
    """Return Alice's account at the server of the test."""
    account = Account(number="alice", domain=NAME, password="secret", server=ServerAddress(NAME))
    return replace(account, **changes)  # type: ignore[arg-type]


def talk(link: Link, alice: AgentEnd, bob: AgentEnd, target: str) -> str:
    """Let Alice call and Bob answer."""
    call_id = alice.dial(target)
    link.run_for(1)
    bob.command("answer", bob.incoming.id, bob.media)
    link.run_for(1)
    assert alice.agent.calls[call_id].state is CallState.TALKING
    return call_id


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_message_names_our_address_and_the_transport_that_it_goes_over(transport: Transport) -> None:
    link = Link()
    ends = [replace(address, transport=transport) for address in (ALICE, BOB)]
    alice, bob = (
        join(link, direct_account(name, transport=transport), address, seed=seed)
        for seed, (name, address) in enumerate(zip(("alice", "bob"), ends, strict=True))
    )
    parameter = "" if transport is Transport.UDP else f";transport={transport}"
    call_id = talk(link, alice, bob, f"sip:bob@{BOB.host}{parameter}")
    alice.command("hold", call_id)
    link.run_for(1)
    bob.command("hangup", bob.incoming.id)
    link.run_until_quiet()
    assert [passage for passage in link.transcript if passage.label == "BYE"]
    for passage in link.transcript:
        message = parse_message(passage.data)
        assert message.via.transport == transport.via
        if isinstance(message, Request):
            assert (message.via.host, message.via.port) == (passage.source.host, passage.source.port)
            assert message.max_forwards == 70
        for contact in message.contacts:
            assert isinstance(contact.uri, SipUri)
            assert contact.uri.host == passage.source.host
            assert (contact.uri.params.get("transport") or "udp") == transport


@pytest.mark.parametrize("digits", ["**610", "110", "*98#", "0800 123", "#31#0301234"])
def test_digits_that_are_no_telephone_number_go_out_as_they_were_dialled(digits: str) -> None:
    wanted = digits.replace(" ", "")
    for uri_type in (UriType.SIP, UriType.TEL):
        link = Link()
        registrar = Registrar(link)
        alice = join(link, server_account(uri_type=uri_type), ALICE)
        alice.names[NAME] = [SERVER]
        alice.dial(digits)
        link.run_for(0.1)
        uri = registrar.asked[0][1].request_uri
        assert isinstance(uri, SipUri | TelUri)
        assert (uri.user if isinstance(uri, SipUri) else uri.number) == wanted


def test_a_challenged_invite_is_acknowledged_so_that_the_call_is_not_taken_for_rejected() -> None:
    link = Link()
    asked: list[Request] = []

    def script(request: Request) -> list[bytes]:
        asked.append(request)
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [answer(request, 200)]
        if request.headers.get("Proxy-Authorization") is None:
            return [answer(request, 407, "c", Proxy_Authenticate='Digest realm="x", nonce="1", qop="auth"')]
        return [answer(request, 200, "b", port=4001)]

    far = Responder(link, BOB, script)
    alice = join(link, direct_account("alice", password="secret"), ALICE)
    call_id = alice.dial(f"sip:bob@{BOB.host}")
    link.run_for(1)
    challenged = asked[0]
    (ack,) = [request for request in asked if request.method == "ACK" and request.cseq.number == 1]
    assert (ack.via.branch, ack.to.tag) == (challenged.via.branch, "c")
    # A challenge that was on its way twice is acknowledged again, and nothing else.
    far.send(ALICE, answer(challenged, 407, "c", Proxy_Authenticate='Digest realm="x", nonce="1", qop="auth"'))
    link.run_for(5)
    assert sorted(far.methods()) == ["ACK", "ACK", "ACK", "INVITE", "INVITE"]
    assert alice.agent.calls[call_id].state is CallState.TALKING


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_request_that_was_lost_is_sent_again(method: str) -> None:
    link = Link()
    Registrar(link)
    alice = join(link, server_account(), ALICE)
    alice.names[NAME] = [SERVER]
    link.lose(method, times=3)
    if method == "REGISTER":
        alice.command("register")
    else:
        alice.dial("bob")
    link.run_for(10)
    times = [passage.sent_at for passage in link.sent(method, ALICE)[:4]]
    assert [when - times[0] for when in times] == pytest.approx([0, 0.5, 1.5, 3.5])
    assert link.labels(SERVER), "the fourth one was answered"


def test_two_contacts_in_one_line_and_utf_8_names_reach_the_user() -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    text = (
        f"INVITE sip:bob@{BOB.host} SIP/2.0\r\nv: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        'f: "Jörg, 王"\r\n <sip:joerg_m@fritz.box>;tag=a\r\nt: <sip:bob@example.com>\r\ni: u1\r\nCSeq: 1 INVITE\r\n'
        f"m: <sip:one@{ALICE.host}>, <sip:two@{ALICE.host}>\r\nX_Under_Score: kept\r\nl: 0\r\n\r\n"
    )
    bob.deliver(text.encode(), ALICE, link.now)
    bob.react(link.now)
    assert (bob.incoming.remote.name, bob.incoming.remote.number) == ("Jörg, 王", "joerg_m")


def invite(contact: str) -> bytes:
    """Return an INVITE of a telephone that does not know its own address."""
    body = SDP.format(port=4000)
    return (
        f"INVITE sip:bob@{BOB.host} SIP/2.0\r\nVia: SIP/2.0/UDP 0.0.0.0:5060;branch=z9hG4bK1;rport\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@0.0.0.0>;tag=a\r\nTo: <sip:bob@{BOB.host}>\r\nCall-ID: n\r\n"
        f"CSeq: 1 INVITE\r\nContact: <sip:alice@{contact}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def hang_up_without_ack(data: bytes) -> list[Passage]:
    """Let Bob take a call that nobody acknowledges, and return what he has sent."""
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    bob.names |= {
        "group.example": [Address(Transport.UDP, "239.1.1.1", 5060)],
        "ff02::1": [Address(Transport.UDP, "ff02::1", 5060)],
    }
    Responder(link, ALICE, lambda _request: []).send(BOB, data)
    link.run_for(0.1)
    bob.command("answer", bob.incoming.id, bob.media)
    link.run_for(40)
    return [passage for passage in link.transcript if passage.source == BOB]


@pytest.mark.parametrize("contact", ["0.0.0.0", "0.0.0.0:5062", "[::]"])
def test_a_telephone_that_names_no_address_is_spoken_to_where_it_speaks_from(contact: str) -> None:
    sent = hang_up_without_ack(invite(contact))
    assert {passage.label for passage in sent} == {"180", "200", "BYE"}
    assert {passage.destination for passage in sent} == {ALICE}


def test_the_answer_of_a_telephone_that_names_no_address_is_acknowledged_where_it_came_from() -> None:
    link = Link()

    def script(request: Request) -> list[bytes]:
        if request.method == "ACK":
            return []
        reply = answer(request, 200, "b", port=4001 if request.method == "INVITE" else 0)
        return [reply.replace(b"<sip:b@192.0.2.2:5060>", b"<sip:b@0.0.0.0>")]

    far = Responder(link, BOB, script)
    alice = join(link, direct_account("alice"), ALICE)
    call_id = alice.dial(f"sip:bob@{BOB.host}")
    link.run_for(1)
    alice.command("hangup", call_id)
    link.run_for(1)
    assert far.methods() == ["INVITE", "ACK", "BYE"]


@pytest.mark.parametrize("contact", ["224.0.0.1", "255.255.255.255", "[ff02::1]", "group.example"])
def test_nothing_is_sent_to_a_group_or_to_everybody_whatever_a_far_end_names(contact: str) -> None:
    assert {passage.destination for passage in hang_up_without_ack(invite(contact))} == {ALICE}


def test_an_answer_to_a_stranger_goes_to_the_source_and_never_to_a_name() -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    text = (
        f"OPTIONS sip:bob@{BOB.host} SIP/2.0\r\nVia: SIP/2.0/UDP phone.example;branch=z9hG4bK1;rport\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@y.example>;tag=a\r\nTo: <sip:bob@example.com>\r\nCall-ID: o\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    source = Address(Transport.UDP, ALICE.host, 40404)
    bob.deliver(text.encode(), source, link.now)
    (send,) = bob.agent.sends()
    assert send.address == source
    assert not bob.agent.lookups()
