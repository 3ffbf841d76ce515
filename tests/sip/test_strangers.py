"""What strangers can make us do, and who may speak in a call (RFC 3261 sections 26.1 and 26.2)."""

from collections import Counter
from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.admission import (
    FAR_END_BURST,
    STRANGER_BURST,
    STRANGER_CALL_BURST,
    STRANGER_CALL_RATE,
)
from custom_components.sip_ua.sip.calls import MAX_STRANGERS
from custom_components.sip_ua.sip.dialog import Dialog
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, CallState, Event, IncomingCall
from custom_components.sip_ua.sip.message import Request, Response, parse_message

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link
from .registrar import NAME, SERVER, Registrar
from .responder import SDP, Responder

FORGED = Address(Transport.UDP, "203.0.113.66", 5060)
"""An address that never sent anything, whatever the datagrams say."""
TLS_SERVER = replace(SERVER, transport=Transport.TLS, port=5061)
AMPLIFICATION = 4
"""How many times as much as came may go there at most."""
FLOOD = 17_000
"""Requests that would fill the memory for those that may be repeated."""
SETTLED = 80.0
"""Seconds after which nothing is repeated any more."""


def message(method: str, number: int, *extra: str, source: Address = FORGED, tag: str = "", body: str = "") -> bytes:
    """Return the request of a stranger; with a `tag` one in a dialog."""
    lines = [
        f"{method} sip:bob@{BOB.host} SIP/2.0",
        f"Via: SIP/2.0/{source.transport.via} {source.host}:{source.port};branch=z9hG4bK{method}{number}{tag}",
        "Max-Forwards: 70",
        "From: <sip:stranger@stranger.example>;tag=s",
        f"To: <sip:bob@{BOB.host}>{tag}",
        f"Call-ID: {number}",
        f"CSeq: {2 if tag else 1} {method}",
        f"Contact: <sip:stranger@{source.host}:{source.port}>",
        *extra,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def offering(number: int, *extra: str, source: Address = FORGED) -> bytes:
    """Return an INVITE with an offer."""
    kind = "Content-Type: application/sdp"
    return message("INVITE", number, kind, *extra, source=source, body=SDP.format(port=4000))


class Victim:
    """Bob, whom anybody may call, and all that he sends to an address that never asked for it."""

    def __init__(self, **account: object) -> None:
        self.link = Link()
        self.bob = join(self.link, direct_account("bob", **account), BOB)
        self.received = 0

    def get(self, data: bytes, source: Address = FORGED) -> None:
        self.received += len(data)
        self.bob.deliver(data, source, self.link.now)
        self.bob.react(self.link.now)

    def settle(self) -> None:
        self.link.run_for(SETTLED)

    @property
    def sent(self) -> int:
        return sum(len(passage.data) for passage in self.link.transcript)

    @property
    def labels(self) -> Counter[str]:
        self.link.run_for(0)
        return Counter(self.link.labels(BOB))


def hang_up(end: AgentEnd, event: Event, now: float) -> None:
    """Refuse every call."""
    if isinstance(event, IncomingCall):
        end.agent.reject(event.call.id, 486, now)


@pytest.mark.parametrize(
    "data",
    [
        offering(1, "Require: unheard-of"),
        offering(1, "Accept: text/plain"),
        message("INVITE", 1),
        offering(1),
        offering(1, "Supported: 100rel", "Require: 100rel"),
    ],
    ids=["refused", "refused for what it reads", "rung, without an offer", "rung", "rung, to be acknowledged"],
)
@pytest.mark.parametrize("decision", [None, hang_up], ids=["nobody answers", "refused by hand"])
def test_what_is_sent_to_an_address_that_proved_nothing_is_a_small_multiple_of_what_it_sent(
    data: bytes, decision: object
) -> None:
    victim = Victim()
    victim.bob.on_event = decision  # type: ignore[assignment]
    victim.get(data)
    victim.settle()
    finals = [label for label in victim.labels if label[0] not in "12"]
    assert len(finals) == 1
    assert victim.sent <= AMPLIFICATION * victim.received


def test_a_refusal_is_repeated_as_far_as_it_may_be_and_once_for_each_repetition_of_the_request() -> None:
    victim = Victim()
    data = offering(1, "Require: unheard-of")
    victim.get(data)
    victim.settle()
    before = victim.labels["420"]
    assert 1 < before < 11
    victim = Victim()
    for _ in range(20):
        victim.get(data)
    assert victim.labels["420"] == 20
    assert victim.sent <= AMPLIFICATION * victim.received


def test_a_caller_that_acknowledges_a_provisional_answer_has_proved_itself() -> None:
    victim = Victim()
    caller = Responder(victim.link, ALICE, lambda _request: [])
    caller.send(BOB, offering(1, "Require: 100rel", source=ALICE))
    victim.link.run_for(0.2)
    ringing = parse_message(victim.link.sent("180", BOB)[0].data)
    assert isinstance(ringing, Response)
    rack = f"RAck: {ringing.headers.get('RSeq')} 1 INVITE"
    caller.send(BOB, message("PRACK", 1, rack, source=ALICE, tag=f";tag={ringing.to.tag}"))
    victim.link.run_for(0.2)
    victim.bob.command("reject", victim.bob.incoming.id, 486)
    victim.settle()
    assert victim.labels["486"] == 11, "timer G, until timer H"


def test_the_2xx_to_a_stranger_is_repeated_until_its_ack() -> None:
    victim = Victim()
    victim.get(offering(1))
    victim.bob.command("answer", victim.bob.incoming.id, victim.bob.media)
    victim.settle()
    assert victim.labels["200"] == 11


def test_over_a_connection_nothing_is_repeated_and_nothing_held_back() -> None:
    link = Link()
    here, there = replace(ALICE, transport=Transport.TCP), replace(BOB, transport=Transport.TCP)
    bob = join(link, direct_account("bob", transport=Transport.TCP), there)
    caller = Responder(link, here, lambda _request: [])
    for _ in range(3):
        caller.send(there, message("INVITE", 1, "Require: unheard-of", source=here))
    link.run_for(SETTLED)
    assert link.labels(there) == ["420"] * 3
    assert not bob.events(IncomingCall)


def test_few_calls_of_strangers_ring_at_once_and_more_are_told_that_we_are_busy() -> None:
    victim = Victim()
    for number in range(MAX_STRANGERS + 5):
        victim.get(offering(number))
    assert len(victim.bob.agent.calls) == MAX_STRANGERS
    assert (victim.labels["180"], victim.labels["486"]) == (MAX_STRANGERS, 5)
    first = next(iter(victim.bob.agent.calls))
    victim.bob.command("answer", first, victim.bob.media)
    victim.get(offering(1000))
    assert len(victim.bob.events(IncomingCall)) == MAX_STRANGERS + 1, "who talks does not ring any more"


def test_strangers_that_ring_do_not_keep_our_server_out() -> None:
    link = Link()
    Registrar(link)
    account = Account(number="bob", domain=NAME, password="secret", server=ServerAddress(NAME), allow_direct_calls=True)
    bob = join(link, account, BOB)
    bob.names[NAME] = [SERVER]
    bob.command("register")
    link.run_for(1)
    for number in range(MAX_STRANGERS):
        bob.deliver(offering(number), FORGED, link.now)
    bob.deliver(offering(1000, source=SERVER), SERVER, link.now)
    bob.react(link.now)
    assert len(bob.agent.calls) == MAX_STRANGERS + 1
    assert bob.agent.counters.limited == 0


def test_what_strangers_cancel_without_having_called_is_limited_and_a_call_of_theirs_is_cancelled() -> None:
    victim = Victim()
    for number in range(1000):
        victim.get(message("CANCEL", number))
    assert victim.bob.agent.counters.limited == 1000 - STRANGER_BURST
    victim.get(offering(2000))
    victim.get(message("CANCEL", 2000).replace(b"z9hG4bKCANCEL", b"z9hG4bKINVITE"))
    assert victim.bob.ended.outcome is CallOutcome.MISSED


def test_a_far_end_that_asks_without_end_in_a_call_is_not_dealt_with_and_does_not_keep_our_server_out() -> None:
    link = Link()
    Registrar(link)
    account = Account(number="bob", domain=NAME, password="secret", server=ServerAddress(NAME), allow_direct_calls=True)
    bob = join(link, account, BOB)
    bob.names[NAME] = [SERVER]
    bob.command("register")
    link.run_for(1)
    bob.deliver(offering(1), FORGED, link.now)
    bob.react(link.now)
    bob.command("answer", bob.incoming.id, bob.media)
    link.run_for(0)
    tag = link.sent("200", BOB)[-1].data.decode().partition("To: ")[2].partition(";tag=")[2].partition("\r\n")[0]
    question = message("OPTIONS", 1, tag=f";tag={tag}").replace(b"CSeq: 2", b"CSeq: %d")
    question = question.replace(b"branch=z9hG4bK", b"branch=z9hG4bK%d")
    for number in range(FLOOD):
        bob.deliver(question % (number, number + 2), FORGED, link.now)
    assert bob.agent.counters.limited == FLOOD - FAR_END_BURST
    bob.deliver(offering(1000, source=SERVER), SERVER, link.now)
    bob.react(link.now)
    assert len(bob.agent.calls) == 2
    link.run_for(1)
    bob.deliver(message("BYE", 1, tag=f";tag={tag}").replace(b"CSeq: 2", b"CSeq: %d" % (FLOOD + 2)), FORGED, link.now)
    assert len(bob.agent.calls) == 1


def test_calls_of_strangers_have_a_rate_of_their_own() -> None:
    victim = Victim()
    for number in range(200):
        victim.get(message("INVITE", number, "Require: unheard-of"))
    assert victim.labels["420"] == STRANGER_CALL_BURST
    for number in range(1000, 1000 + STRANGER_BURST):
        victim.get(message("OPTIONS", number))
    assert victim.labels["200"] == STRANGER_BURST, "questions are another matter"
    assert victim.bob.agent.counters.limited == 200 - STRANGER_CALL_BURST
    victim.link.run_for(1)
    for number in range(2000, 2200):
        victim.get(message("INVITE", number, "Require: unheard-of"))
    assert STRANGER_CALL_BURST < len(bodies(victim, "420")) <= STRANGER_CALL_BURST + STRANGER_CALL_RATE + 1


def bodies(victim: Victim, label: str) -> set[bytes]:
    """Return the different messages with a status, repetitions left aside."""
    victim.link.run_for(0)
    return {passage.data for passage in victim.link.sent(label, BOB)}


# Who may speak in a call


class SecureHome:
    """Bob at a server that is spoken to by TLS, in a call that came or went through it."""

    def __init__(self, *, direct: bool = False, transport: Transport | None = Transport.TLS) -> None:
        self.link = Link()
        self.here = replace(BOB, transport=Transport.TLS)
        account = Account(
            number="bob", domain=NAME, server=ServerAddress(NAME), transport=transport, allow_direct_calls=direct
        )
        self.bob = join(self.link, account, self.here)
        self.bob.names[NAME] = [TLS_SERVER]
        self.server = Responder(self.link, TLS_SERVER, lambda _request: [])
        self.bob.command("register")
        self.link.run_for(0.5)

    def called(self) -> Request:
        """Let a call come in and be answered, and return the BYE that would end it."""
        contact = f"Record-Route: <sip:{TLS_SERVER.host}:{TLS_SERVER.port};transport=tls;lr>"
        invite = parse_message(offering(7, contact, source=TLS_SERVER))
        assert isinstance(invite, Request)
        self.server.send(self.here, invite.to_bytes())
        self.link.run_for(0.5)
        self.bob.command("answer", self.bob.incoming.id, self.bob.media)
        self.link.run_for(0.5)
        accepted = parse_message(self.link.sent("200", self.here)[-1].data)
        assert isinstance(accepted, Response)
        self.dialog = Dialog.caller(invite, accepted)
        self.server.send(self.here, self.within("ACK"))
        self.link.run_for(0.5)
        return self.dialog.create_request("BYE")

    def within(self, method: str, source: Address = TLS_SERVER) -> bytes:
        request = self.dialog.create_request(method, cseq=1 if method == "ACK" else None)
        via = f"SIP/2.0/{source.transport.via} {source.host}:{source.port};branch=z9hG4bK{method}{source.transport}"
        request.headers.insert_first("Via", via)
        return request.to_bytes()

    def tell(self, data: bytes, source: Address) -> None:
        self.bob.agent.receive(data, Hop(source, HostPort(BOB.host, 5060)), self.link.now)
        self.bob.react(self.link.now)

    @property
    def over(self) -> bool:
        self.link.run_for(0.5)
        return bool(self.bob.events(CallEnded))


@pytest.mark.parametrize("direct", [False, True], ids=["the server only", "direct calls too"])
@pytest.mark.parametrize("automatic", [False, True], ids=["TLS", "automatic"])
@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("host", [SERVER.host, ALICE.host], ids=["the server's address", "a stranger's"])
def test_a_call_that_came_by_tls_is_not_ended_by_what_comes_without(
    host: str, transport: Transport, *, automatic: bool, direct: bool
) -> None:
    home = SecureHome(direct=direct, transport=None if automatic else Transport.TLS)
    home.bob.names[NAME] = [TLS_SERVER]
    home.called()
    before, dropped = len(home.link.transcript), home.bob.agent.counters.strangers
    home.tell(home.within("BYE", Address(transport, host, 5060)), Address(transport, host, 5060))
    assert not home.over
    assert home.bob.agent.counters.strangers == dropped + 1
    assert len(home.link.transcript) == before, "it gets no answer"
    home.tell(home.within("BYE"), TLS_SERVER)
    assert home.over


def test_another_server_of_the_same_provider_may_go_on_with_a_call_by_tls() -> None:
    """Nobody can connect to us by TLS: whoever speaks it, we have asked for a certificate."""
    home = SecureHome()
    home.called()
    other = replace(TLS_SERVER, host="198.51.100.77")
    home.tell(home.within("BYE", other), other)
    assert home.over


def test_a_call_that_came_by_tls_is_not_cancelled_by_a_datagram() -> None:
    home = SecureHome(direct=True)
    home.server.send(home.here, offering(7, source=TLS_SERVER))
    home.link.run_for(0.5)
    cancel = offering(7, source=TLS_SERVER).replace(b"INVITE sip", b"CANCEL sip").replace(b"1 INVITE", b"1 CANCEL")
    home.tell(cancel, ALICE)
    (refused,) = home.bob.agent.sends()
    assert refused.data.startswith(b"SIP/2.0 481 ")
    assert not home.over
    home.tell(cancel, TLS_SERVER)
    assert home.over


@pytest.mark.parametrize("secure", [True, False], ids=["by TLS", "as everything else"])
def test_a_far_end_that_is_reached_without_tls_may_speak_so(secure: bool) -> None:
    """Behind a server that does not stay on the way our requests go straight to it, and bring it our address."""
    home = SecureHome()
    contact = f"sip:stranger@{ALICE.host}"
    invite = parse_message(offering(7, source=TLS_SERVER))
    assert isinstance(invite, Request)
    invite.headers.set("Contact", f"<{contact};transport=tls>" if secure else f"<{contact}>")
    Responder(home.link, ALICE, lambda request: [request.create_response(488).to_bytes()])
    home.server.send(home.here, invite.to_bytes())
    home.link.run_for(0.5)
    home.bob.command("answer", home.bob.incoming.id, home.bob.media)
    home.link.run_for(0.5)
    accepted = parse_message(home.link.sent("200", home.here)[-1].data)
    assert isinstance(accepted, Response)
    home.dialog = Dialog.caller(invite, accepted)
    home.server.send(home.here, home.within("ACK"))
    home.link.run_for(0.5)
    home.tell(home.within("INFO", ALICE), ALICE)
    home.bob.agent.hold(home.bob.incoming.id, home.link.now)
    home.bob.react(home.link.now)
    home.bob.agent.sends()
    home.tell(home.within("BYE", ALICE), ALICE)
    assert bool(home.bob.events(CallEnded)) is not secure


def test_a_call_without_tls_may_be_ended_from_another_address() -> None:
    """A far end that moved, or whose server does not stay on the way: its tags are what it is known by."""
    victim = Victim()
    victim.get(offering(1))
    victim.bob.command("answer", victim.bob.incoming.id, victim.bob.media)
    victim.link.run_for(0)
    accepted = parse_message(victim.link.sent("200", BOB)[-1].data)
    assert isinstance(accepted, Response)
    victim.get(message("BYE", 1, tag=f";tag={accepted.to.tag}"), replace(FORGED, host="203.0.113.67"))
    assert victim.bob.ended.outcome is CallOutcome.ANSWERED
    assert victim.bob.ended.state is CallState.ENDED


def test_what_was_asked_for_by_tls_is_told_by_tls() -> None:
    link = Link()
    here = replace(BOB, transport=Transport.TLS)
    bob = join(link, direct_account("bob", transport=Transport.TLS), here)
    notifier = Responder(link, TLS_SERVER, lambda request: [request.create_response(200, to_tag="n").to_bytes()])
    bob.command("watch", f"sip:line@{TLS_SERVER.host}:{TLS_SERVER.port};transport=tls")
    bob.command("register")
    link.run_for(1)
    asked = next(request for request in notifier.asked if request.method == "SUBSCRIBE")
    told = message("NOTIFY", 1, "Event: dialog", "Subscription-State: active", source=TLS_SERVER, tag=";tag=x")
    for old, new in (
        (b"Call-ID: 1", f"Call-ID: {asked.call_id}".encode()),
        (b";tag=x", f";tag={asked.from_.tag}".encode()),
        (b";tag=s", b";tag=n"),
    ):
        told = told.replace(old, new)
    before = len(link.transcript)
    bob.deliver(told, replace(TLS_SERVER, transport=Transport.UDP), link.now)
    link.run_for(1)
    assert len(link.transcript) == before
    assert bob.agent.counters.strangers == 1
    bob.deliver(told, TLS_SERVER, link.now)
    link.run_for(1)
    assert link.labels(here)[-1] == "200"
