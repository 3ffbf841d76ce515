"""Requests too large for a datagram: by TCP, and back to UDP where nobody answers there (RFC 3261 section 18.1.1)."""

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.core import Core
from custom_components.sip_ua.sip.events import CallOutcome, RegistrationFailure, RegistrationState
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.large_requests import (
    MAX_DATAGRAM_REQUEST,
    MAX_WITHOUT_TCP,
    WITHOUT_TCP_SECONDS,
    LargeRequests,
)
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.transaction import Timers

from .agents import ALICE, BOB, AgentEnd, direct_account, entropy
from .link import Link, Passage
from .registrar import NAME, SERVER, Registrar
from .responder import Responder, answer

BOB_URI = f"sip:bob@{BOB.host}"
LONG_NAME = "x" * 900
LOCAL = HostPort(ALICE.host, ALICE.port)
BOB_HOP = Hop(BOB, LOCAL)


def by_tcp(address: Address) -> Address:
    return Address(Transport.TCP, address.host, address.port)


def join(link: Link, account: Account, address: Address, seed: int, *, tcp: bool = True) -> AgentEnd:
    """Put a user agent on the link; one that does not listen for connections may still make them."""
    agent = UserAgent(account, entropy=entropy(seed))
    end = AgentEnd(agent, address, link)
    addresses = (address, by_tcp(address)) if tcp else (address,)
    link.join(agent, *addresses, deliver=end.deliver, react=end.react)
    return end


class Pair:
    """Alice, whose requests are large, and Bob, who may or may not take connections."""

    def __init__(self, *, tcp: bool = True, **changes: object) -> None:
        self.link = Link()
        alice = direct_account("alice", **({"user_agent": LONG_NAME} | changes))
        self.alice = join(self.link, alice, ALICE, 1)
        self.bob = join(self.link, direct_account("bob"), BOB, 2, tcp=tcp)

    def dial(self) -> str:
        call_id = self.alice.dial(BOB_URI)
        self.link.run_for(0.1)
        return call_id

    def refuse(self, address: Address = BOB) -> None:
        """Tell Alice that nobody takes her connection."""
        failure = RegistrationFailure.CONNECTION_REFUSED
        self.alice.agent.transport_failed(by_tcp(address), failure, "nothing listens on this port", self.link.now)
        self.link.run_for(0.1)

    @property
    def invites(self) -> list[Passage]:
        return self.link.sent("INVITE")

    def ways(self) -> list[Transport]:
        return [passage.destination.transport for passage in self.invites]


def sized(octets: int) -> Request:
    """Return a request of exactly so many octets."""
    headers = Headers([("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), ("Subject", "")])
    request = Request("MESSAGE", BOB_URI, headers)
    request.body = b"x" * 1000
    headers.set("Subject", "x" * (octets - len(request.to_bytes())))
    assert len(request.to_bytes()) == octets
    return request


@pytest.mark.parametrize(
    ("octets", "transport"),
    [(MAX_DATAGRAM_REQUEST, Transport.UDP), (MAX_DATAGRAM_REQUEST + 1, Transport.TCP)],
)
def test_the_limit_is_1300_octets(octets: int, transport: Transport) -> None:
    request = sized(octets)
    assert MAX_DATAGRAM_REQUEST == 1300
    way = LargeRequests(Transport.UDP).way(request, BOB_HOP, 0)
    assert way == Hop(Address(transport, BOB.host, BOB.port), LOCAL)
    assert request.via.transport == transport.via
    assert request.via.branch == "z9hG4bK1"
    assert len(request.to_bytes()) == octets


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])
def test_a_transport_that_somebody_chose_is_not_left(transport: Transport) -> None:
    request = sized(2000)
    assert LargeRequests(transport).way(request, BOB_HOP, 0) == BOB_HOP
    assert request.via.transport == "UDP"


def test_a_connection_stays_what_it_is() -> None:
    hop = Hop(Address(Transport.TLS, BOB.host, 5061), LOCAL)
    assert LargeRequests(None).way(sized(2000), hop, 0) == hop


def test_peers_without_tcp_are_bounded_and_asked_again_in_time() -> None:
    large = LargeRequests(None)
    for port in range(1, MAX_WITHOUT_TCP + 2):
        large.failed(Address(Transport.TCP, BOB.host, port), 0)
    first = Hop(Address(Transport.UDP, BOB.host, 1), LOCAL)
    last = Hop(Address(Transport.UDP, BOB.host, MAX_WITHOUT_TCP + 1), LOCAL)
    assert large.way(sized(2000), first, 1).remote.transport is Transport.TCP
    assert large.way(sized(2000), last, 1) == last
    assert large.way(sized(2000), last, WITHOUT_TCP_SECONDS).remote.transport is Transport.TCP


@pytest.mark.parametrize("transport", [None, Transport.UDP])
def test_a_large_invite_goes_by_tcp_and_the_call_goes_through(transport: Transport | None) -> None:
    pair = Pair(transport=transport)
    call_id = pair.dial()
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_until(lambda: "<ack" in pair.bob.ladder)
    (invite,) = pair.invites
    assert invite.destination == by_tcp(BOB)
    assert b"\r\nVia: SIP/2.0/TCP 192.0.2.1:5060;" in invite.data
    assert b"\r\nContact: <sip:alice@192.0.2.1:5060>\r\n" in invite.data, "she is still reached by UDP"
    pair.alice.command("hangup", call_id)
    pair.link.run_until_quiet()
    assert pair.alice.ladder == [">invite", "<ringing", "<ok", ">ack", ">bye", "<bye_ok"]
    assert [passage.source.transport for passage in pair.link.sent("180")] == [Transport.TCP]


def test_a_large_invite_that_is_cancelled_is_cancelled_by_tcp() -> None:
    pair = Pair()
    pair.alice.command("hangup", pair.dial())
    pair.link.run_until_quiet()
    (cancel,) = pair.link.sent("CANCEL")
    assert cancel.destination == by_tcp(BOB)
    assert b"SIP/2.0/TCP" in cancel.data
    assert pair.bob.ended.outcome is CallOutcome.MISSED


def test_a_peer_without_tcp_gets_the_large_invite_by_udp_and_the_next_one_at_once() -> None:
    pair = Pair(tcp=False)
    call_id = pair.dial()
    assert pair.ways() == [Transport.TCP]
    pair.refuse()
    assert pair.ways() == [Transport.TCP, Transport.UDP]
    first, second = (passage.data for passage in pair.invites)
    assert b"\r\nVia: SIP/2.0/UDP " in second
    assert first.split(b"branch=")[1][:30] != second.split(b"branch=")[1][:30]
    assert "<ringing" in pair.alice.ladder
    pair.alice.command("hangup", call_id)
    pair.dial()
    assert pair.ways()[2:] == [Transport.UDP]


def test_a_call_that_was_hung_up_while_connecting_is_not_tried_by_udp() -> None:
    pair = Pair(tcp=False)
    pair.alice.command("hangup", pair.dial())
    pair.refuse()
    pair.link.run_until_quiet()
    assert pair.ways() == [Transport.TCP]
    assert pair.alice.ended.outcome is CallOutcome.CANCELLED


def test_a_call_whose_connection_is_lost_while_it_rings_does_not_ring_again() -> None:
    pair = Pair()
    pair.dial()
    assert "<ringing" in pair.alice.ladder
    pair.refuse()
    assert pair.ways() == [Transport.TCP]
    assert pair.alice.ended.outcome is CallOutcome.UNREACHABLE
    assert "over TCP" in pair.alice.ended.reason
    pair.dial()
    assert pair.ways() == [Transport.TCP, Transport.TCP], "the peer does speak TCP"


def test_where_a_connection_comes_from_is_not_where_we_are_reached() -> None:
    def refuse(request: Request) -> list[bytes]:
        if request.method == "ACK":
            return []
        request.via = request.via.with_param("rport", "40000").with_param("received", "198.51.100.99")
        return [answer(request, 486, "bob")]

    link = Link()
    alice = join(link, direct_account("alice", user_agent=LONG_NAME), ALICE, 1)
    far = Responder(link, by_tcp(BOB), refuse)
    for _ in range(2):
        alice.dial(BOB_URI)
        link.run_for(1)
    assert [str(request.contacts[0].uri) for request in far.asked if request.method == "INVITE"] == [
        "sip:alice@192.0.2.1:5060"
    ] * 2


@pytest.mark.parametrize(
    ("transport", "contact"),
    [
        (Transport.UDP, "sip:alice@192.0.2.1:5060"),
        (Transport.TCP, "sip:alice@192.0.2.1:5060;transport=tcp"),
        (None, "sip:alice@192.0.2.1:5060;transport=tcp"),
    ],
)
def test_who_takes_no_connections_names_none_as_the_way_to_be_reached(
    transport: Transport | None, contact: str
) -> None:
    account = Account(number="alice", domain=NAME, server=ServerAddress(NAME), transport=transport)
    core = Core(account, entropy(1), Timers())
    assert str(core.contact(Hop(by_tcp(BOB), LOCAL)).uri) == contact
    assert str(core.contact(BOB_HOP).uri) == "sip:alice@192.0.2.1:5060"
    direct = Core(direct_account("alice"), entropy(1), Timers())
    assert str(direct.contact(Hop(by_tcp(BOB), LOCAL)).uri) == "sip:alice@192.0.2.1:5060;transport=tcp"


def test_a_failed_attempt_by_tcp_does_not_touch_a_registration_over_udp() -> None:
    link = Link()
    server = Registrar(link)
    account = Account(number="alice", domain=NAME, password="secret", server=ServerAddress(NAME))
    alice = join(link, account, ALICE, 1)
    alice.names[NAME] = [SERVER]
    alice.command("register")
    link.run_for(1)
    assert alice.agent.registration.state is RegistrationState.REGISTERED
    asked = len(server.registers())
    failure = RegistrationFailure.CONNECTION_REFUSED
    alice.agent.transport_failed(by_tcp(SERVER), failure, "nothing listens on this port", link.now)
    link.run_for(5)
    assert len(server.registers()) == asked
