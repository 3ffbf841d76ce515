"""The flows of RFC 3665 section 3 message for message: our agent is Alice and Bob, the proxies are the test's.

A flow lists every message on the wire in its order, as the figures of the RFC do.
"""

from dataclasses import replace

from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import CallOutcome, CallSnapshot, CallState, EndedBy
from custom_components.sip_ua.sip.message import Request, Response, parse_message

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link, Passage
from .proxy import PASSWORD, Proxy
from .responder import SDP, Responder, answer

PROXY_1 = Address(Transport.UDP, "198.51.100.1", 5060)
PROXY_2 = Address(Transport.UDP, "198.51.100.2", 5060)
SS1, SS2 = "ss1.atlanta.example", "ss2.biloxi.example"
BOB_AOR = "sip:bob@biloxi.example"
BOB_CONTACT = f"sip:bob@{BOB.host}:5060"
ALICE_CONTACT = f"sip:alice@{ALICE.host}:5060"
MOVED = Address(Transport.UDP, "192.0.2.23", 5060)
ABSENT = Address(Transport.UDP, "192.0.2.99", 5060)
SHORT = {
    end.host: name
    for end, name in {ALICE: "A", BOB: "B", PROXY_1: "P1", PROXY_2: "P2", MOVED: "B'", ABSENT: "?"}.items()
}
NAMES = {SS1: PROXY_1, "atlanta.example": PROXY_1, SS2: PROXY_2, "biloxi.example": PROXY_2}


def alices_account(proxy: str = SS1) -> Account:
    """Return Alice's account behind an outbound proxy, as RFC 3665 has it."""
    return Account(
        number="alice",
        domain="atlanta.example",
        display_name="Alice",
        password=PASSWORD,
        server=ServerAddress("atlanta.example"),
        outbound_proxy=ServerAddress(proxy),
    )


class Network:
    """Alice, Bob, and what stands between them."""

    def __init__(self, alice: Account | None = None) -> None:
        self.link = Link()
        self.alice = join(self.link, alice or direct_account("alice"), ALICE, seed=1)
        self.bob = join(self.link, direct_account("bob", domain="biloxi.example"), BOB, seed=2)
        for end in (self.alice, self.bob):
            end.names = {name: [address] for name, address in NAMES.items()}

    def proxy(self, name: str, **settings: object) -> Proxy:
        """Put up a proxy; the one of Biloxi knows where Bob is."""
        locations = {BOB_AOR: BOB_CONTACT} if name == SS2 else {}
        fields = {"names": NAMES, "locations": locations} | settings
        return Proxy(self.link, name, NAMES[name], **fields)  # type: ignore[arg-type]

    def flow(self) -> list[str]:
        """Return the messages since the last call of this, each as sender, receiver and label."""
        lines = [f"{SHORT[p.source.host]}>{SHORT[p.destination.host]} {p.label}" for p in self.link.transcript]
        self.link.transcript.clear()
        return lines

    def ring(self, target: str = BOB_AOR) -> str:
        """Let Alice call until she hears that it rings."""
        call_id = self.alice.dial(target)
        self.link.run_for(1)
        assert self.alice.agent.calls[call_id].state is CallState.ALERTING
        return call_id

    def pick_up(self) -> None:
        """Let Bob answer."""
        self.bob.command("answer", self.bob.incoming.id, self.bob.media)
        self.link.run_for(1)

    def settled(self) -> tuple[CallSnapshot, CallSnapshot]:
        """Let every timer run out, and return how the call ended for both."""
        self.link.run_until_quiet()
        assert self.alice.agent.idle
        assert self.bob.agent.idle
        return self.alice.ended, self.bob.ended


def request(passage: Passage) -> Request:
    """Return a message of the transcript that is a request."""
    message = parse_message(passage.data)
    assert isinstance(message, Request)
    return message


def response(passage: Passage) -> Response:
    """Return a message of the transcript that is a response."""
    message = parse_message(passage.data)
    assert isinstance(message, Response)
    return message


def uris(end: AgentEnd, method: str, link: Link) -> tuple[str, list[str]]:
    """Return Request-URI and Route of the last request of one method that an end sent."""
    sent = request(link.sent(method, end.address)[-1])
    return sent.uri, [str(route.uri) for route in sent.route]


RINGS_THROUGH_TWO = [
    "P1>P2 INVITE",
    "P1>A 100",
    "P2>B INVITE",
    "P2>P1 100",
    "B>P2 180",
    "P2>P1 180",
    "P1>A 180",
]
ANSWERED_THROUGH_TWO = ["B>P2 200", "P2>P1 200", "P1>A 200", "A>P1 ACK", "P1>P2 ACK", "P2>B ACK"]
BYE_OF_BOB = ["B>P2 BYE", "P2>P1 BYE", "P1>A BYE", "A>P1 200", "P1>P2 200", "P2>B 200"]
CHALLENGED = ["A>P1 INVITE", "P1>A 407", "A>P1 ACK"]


def test_3_1_successful_session_establishment() -> None:
    net = Network()
    net.ring(BOB_CONTACT)
    invite, ringing = net.link.transcript
    assert request(invite).uri == BOB_CONTACT
    assert [str(contact.uri) for contact in request(invite).contacts] == [ALICE_CONTACT]
    assert request(invite).to.tag is None
    assert [str(contact.uri) for contact in response(ringing).contacts] == [BOB_CONTACT]
    assert net.flow() == ["A>B INVITE", "B>A 180"]
    net.pick_up()
    accepted, ack = net.link.transcript
    assert response(accepted).to.tag == response(ringing).to.tag
    assert response(accepted).body
    assert request(ack).uri == BOB_CONTACT
    assert str(request(ack).cseq) == f"{request(invite).cseq.number} ACK"
    assert request(ack).via.branch != request(invite).via.branch
    net.bob.command("hangup", net.bob.incoming.id)
    alice, bob = net.settled()
    bye = request(net.link.sent("BYE")[0])
    assert bye.uri == ALICE_CONTACT
    assert (bye.from_.tag, bye.to.tag) == (response(ringing).to.tag, request(invite).from_.tag)
    assert net.flow() == ["B>A 200", "A>B ACK", "B>A BYE", "A>B 200"]
    assert net.alice.ladder == [">invite", "<ringing", "<ok", ">ack", "<bye", ">bye_ok"]
    assert net.bob.ladder == ["<invite", ">ringing", ">ok", "<ack", ">bye", "<bye_ok"]
    assert (alice.outcome, alice.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
    assert (bob.outcome, bob.ended_by) == (CallOutcome.ANSWERED, EndedBy.LOCAL)
    assert (bob.remote.name, bob.remote.number) == ("", "alice")


def test_3_2_session_establishment_through_two_proxies() -> None:
    net = Network(alices_account())
    net.proxy(SS1, realm="atlanta.example")
    net.proxy(SS2)
    call_id = net.ring()
    first, second = (request(passage) for passage in net.link.sent("INVITE", ALICE))
    assert [str(route.uri) for route in first.route] == [f"sip:{SS1};lr"]
    assert second.cseq.number == first.cseq.number + 1
    assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
    assert second.via.branch != first.via.branch
    refused_ack = request(net.link.sent("ACK", ALICE)[0])
    assert refused_ack.via.branch == first.via.branch
    assert refused_ack.uri == BOB_AOR
    assert [str(route.uri) for route in refused_ack.route] == [f"sip:{SS1};lr"]
    assert net.flow() == [*CHALLENGED, "A>P1 INVITE", *RINGS_THROUGH_TWO]
    net.pick_up()
    assert uris(net.alice, "ACK", net.link) == (BOB_CONTACT, [f"sip:{SS1};lr", f"sip:{SS2};lr"])
    ringing = response(net.link.sent("200", BOB)[0])
    assert [str(route.uri) for route in ringing.record_route] == [f"sip:{SS2};lr", f"sip:{SS1};lr"]
    assert net.flow() == ANSWERED_THROUGH_TWO
    assert net.alice.agent.calls[call_id].state is CallState.TALKING
    net.bob.command("hangup", net.bob.incoming.id)
    alice, bob = net.settled()
    assert uris(net.bob, "BYE", net.link) == (ALICE_CONTACT, [f"sip:{SS2};lr", f"sip:{SS1};lr"])
    assert net.flow() == BYE_OF_BOB
    assert net.alice.ladder == [
        ">invite",
        "<challenge",
        ">invite",
        "<trying",
        "<ringing",
        "<ok",
        ">ack",
        "<bye",
        ">bye_ok",
    ]
    assert (alice.outcome, alice.ended_by) == (CallOutcome.ANSWERED, EndedBy.REMOTE)
    assert bob.remote.name == "Alice"


def test_3_3_session_with_multiple_proxy_authentication() -> None:
    net = Network(alices_account())
    net.proxy(SS1, realm="atlanta.example")
    biloxi = net.proxy(SS2, realm="biloxi.example")
    # With two logins an INVITE may be too large for a datagram, and goes by TCP.
    by_tcp = replace(ALICE, transport=Transport.TCP)
    net.link.join(net.alice.agent, ALICE, by_tcp, deliver=net.alice.deliver, react=net.alice.react)
    net.ring()
    assert net.flow() == [
        *CHALLENGED,
        *("A>P1 INVITE", "P1>P2 INVITE", "P1>A 100"),
        *("P2>P1 407", "P1>P2 ACK", "P1>A 407", "A>P1 ACK"),
        "A>P1 INVITE",
        *RINGS_THROUGH_TWO,
    ]
    asked = [message for message in biloxi.asked if message.method == "INVITE"]
    assert [message.cseq.number for message in asked] == [2, 3]
    logins = asked[-1].headers.get_all("Proxy-Authorization")
    assert ["atlanta.example" in login for login in logins].count(True) >= 1
    assert ["biloxi.example" in login for login in logins].count(True) >= 1
    net.pick_up()
    net.bob.command("hangup", net.bob.incoming.id)
    alice, _ = net.settled()
    assert net.flow() == [*ANSWERED_THROUGH_TWO, *BYE_OF_BOB]
    assert alice.outcome is CallOutcome.ANSWERED


def test_3_4_successful_session_with_proxy_failure() -> None:
    net = Network(alices_account("atlanta.example"))
    net.alice.names["atlanta.example"] = [PROXY_1, PROXY_2]
    net.proxy(SS1, silent=True)
    names = NAMES | {"atlanta.example": PROXY_2}
    net.proxy(SS2, realm="biloxi.example", names=names)
    net.alice.dial(BOB_AOR)
    net.link.run_until(lambda: "<ringing" in net.alice.ladder)
    sent = [request(passage) for passage in net.link.sent("INVITE", ALICE)]
    assert len({message.via.branch for message in sent}) == 3, "another branch for another server"
    assert [message.cseq.number for message in sent] == [1] * 7 + [2, 3]
    assert net.flow() == [
        *["A>P1 INVITE"] * 7,
        *("A>P2 INVITE", "P2>A 407", "A>P2 ACK", "A>P2 INVITE", "P2>B INVITE", "P2>A 100", "B>P2 180", "P2>A 180"),
    ]
    net.pick_up()
    assert net.flow() == ["B>P2 200", "P2>A 200", "A>P2 ACK", "P2>B ACK"]
    net.bob.command("hangup", net.bob.incoming.id)
    alice, _ = net.settled()
    assert net.flow() == ["B>P2 BYE", "P2>A BYE", "A>P2 200", "P2>B 200"]
    assert alice.outcome is CallOutcome.ANSWERED


def test_3_5_session_through_a_sip_alg() -> None:
    net = Network(alices_account())
    # The gateway puts its own address in place of every voice address that passes.
    relay = PROXY_1.host.encode()
    rewrite = lambda body: body.replace(ALICE.host.encode(), relay).replace(BOB.host.encode(), relay)  # noqa: E731
    net.proxy(SS1, rewrite=rewrite)
    net.proxy(SS2)
    call_id = net.ring()
    assert net.flow() == ["A>P1 INVITE", *RINGS_THROUGH_TWO]
    net.pick_up()
    assert net.flow() == ANSWERED_THROUGH_TWO
    assert net.alice.voice is not None
    assert net.bob.voice is not None
    assert net.alice.voice.remote_address == net.bob.voice.remote_address == PROXY_1.host
    net.alice.command("hangup", call_id)
    alice, bob = net.settled()
    assert net.flow() == ["A>P1 BYE", "P1>P2 BYE", "P2>B BYE", "B>P2 200", "P2>P1 200", "P1>A 200"]
    assert (alice.ended_by, bob.ended_by) == (EndedBy.LOCAL, EndedBy.REMOTE)


def test_3_6_session_via_redirect_and_proxy_as_alice() -> None:
    net = Network(alices_account())
    server = net.proxy(SS1, redirect_to="sip:robert@atlanta.example")
    server.locations["sip:robert@atlanta.example"] = BOB_CONTACT
    call_id = net.alice.dial("bob")
    net.link.run_until(lambda: bool(net.link.sent("302")))
    server.redirect_to = ""
    net.link.run_for(1)
    first, second = (request(passage) for passage in net.link.sent("INVITE", ALICE))
    assert (first.uri, second.uri) == ("sip:bob@atlanta.example", "sip:robert@atlanta.example")
    assert str(first.to.uri) == str(second.to.uri)
    assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
    assert second.cseq.number == first.cseq.number + 1
    assert net.flow() == [
        *("A>P1 INVITE", "P1>A 302", "A>P1 ACK"),
        *("A>P1 INVITE", "P1>B INVITE", "P1>A 100", "B>P1 180", "P1>A 180"),
    ]
    net.pick_up()
    assert net.flow() == ["B>P1 200", "P1>A 200", "A>P1 ACK", "P1>B ACK"]
    assert net.alice.agent.calls[call_id].state is CallState.TALKING
    net.bob.command("hangup", net.bob.incoming.id)
    net.settled()


def test_3_6_session_with_sdp_in_the_ack_as_bob() -> None:
    link = Link()
    bob = join(link, direct_account("bob", domain="biloxi.example"), BOB)
    alice = Responder(link, ALICE, lambda bye: [answer(bye, 200)])
    head = (
        f"{{method}} {BOB_CONTACT} SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bK{{method}}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:alice@atlanta.example>;tag=a\r\nTo: <{BOB_AOR}>{{tag}}\r\nCall-ID: 36\r\n"
        f"CSeq: 1 {{method}}\r\nContact: <{ALICE_CONTACT}>\r\n"
    )
    alice.send(BOB, (head.format(method="INVITE", tag="") + "Content-Length: 0\r\n\r\n").encode())
    link.run_for(1)
    bob.command("answer", bob.incoming.id, bob.media)
    link.run_for(0.3)
    accepted = response(link.sent("200", BOB)[0])
    assert b"m=audio" in accepted.body, "the 2xx holds the offer"
    body = SDP.format(port=4001)
    ack = head.format(method="ACK", tag=f";tag={accepted.to.tag}")
    alice.send(BOB, f"{ack}Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    link.run_for(1)
    assert bob.agent.calls[bob.incoming.id].state is CallState.TALKING
    assert bob.voice is not None
    assert bob.voice.remote_port == 4001
    bob.command("hangup", bob.incoming.id)
    link.run_until_quiet()
    assert link.labels() == ["INVITE", "180", "200", "ACK", "BYE", "200"]
    assert bob.ended.outcome is CallOutcome.ANSWERED


def test_3_7_session_with_re_invite_after_a_change_of_address() -> None:
    net = Network(alices_account())
    net.proxy(SS1, record_route=False, locations={BOB_AOR: BOB_CONTACT})
    asked: list[Request] = []

    def script(message: Request) -> list[bytes]:
        asked.append(message)
        if message.method == "INVITE":
            return [answer(message, 180, "b"), answer(message, 200, "b", port=4001)]
        return [] if message.method == "ACK" else [answer(message, 200)]

    bob = Responder(net.link, BOB, script)
    call_id = net.alice.dial(BOB_AOR)
    net.link.run_for(1)
    invite, ack = asked
    assert ack.uri == "sip:b@192.0.2.2:5060"
    assert not ack.route, "a proxy that did not record itself is left out"
    assert net.flow() == [
        *("A>P1 INVITE", "P1>B INVITE", "P1>A 100", "B>P1 180", "B>P1 200", "P1>A 180", "P1>A 200", "A>B ACK"),
    ]
    new_home = Responder(net.link, MOVED, script)
    body = SDP.format(port=5001).replace("192.0.2.2", MOVED.host).replace("o=- 1 1", "o=- 1 2")
    head = (
        f"{{method}} {ALICE_CONTACT} SIP/2.0\r\nVia: SIP/2.0/UDP {MOVED.host}:5060;branch=z9hG4bKm{{method}}\r\n"
        f"Max-Forwards: 70\r\nFrom: <{BOB_AOR}>;tag=b\r\nTo: <sip:alice@atlanta.example>;tag={invite.from_.tag}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: 14 {{method}}\r\nContact: <sip:bob@{MOVED.host}:5060>\r\n"
    )
    offer = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    new_home.send(ALICE, (head.format(method="INVITE") + offer).encode())
    net.link.run_for(0.1)
    new_home.send(ALICE, (head.format(method="ACK") + "Content-Length: 0\r\n\r\n").encode())
    net.link.run_for(1)
    assert net.flow() == ["B'>A INVITE", "A>B' 200", "B'>A ACK"]
    assert net.alice.voice is not None
    assert (net.alice.voice.remote_address, net.alice.voice.remote_port) == (MOVED.host, 5001)
    net.alice.command("hangup", call_id)
    net.link.run_until_quiet()
    assert net.flow() == ["A>B' BYE", "B'>A 200"]
    assert asked[-1].uri == f"sip:bob@{MOVED.host}:5060"
    assert bob.methods() == ["INVITE", "ACK"]
    assert net.alice.ended.outcome is CallOutcome.ANSWERED


def refused_through_two(code: int) -> list[str]:
    """Return how a refusal comes back, acknowledged hop by hop."""
    return [f"B>P2 {code}", "P2>B ACK", f"P2>P1 {code}", "P1>P2 ACK", f"P1>A {code}", "A>P1 ACK"]


def test_3_8_unsuccessful_no_answer() -> None:
    net = Network(alices_account())
    net.proxy(SS1)
    net.proxy(SS2)
    call_id = net.ring()
    invite = request(net.link.sent("INVITE", ALICE)[0])
    assert net.flow() == ["A>P1 INVITE", *RINGS_THROUGH_TWO]
    net.alice.command("hangup", call_id)
    alice, bob = net.settled()
    cancel = request(net.link.sent("CANCEL", ALICE)[0])
    assert (cancel.uri, cancel.via.branch, cancel.cseq.number) == (invite.uri, invite.via.branch, invite.cseq.number)
    assert cancel.to.tag is None
    assert net.flow() == [
        *("A>P1 CANCEL", "P1>A 200", "P1>P2 CANCEL", "P2>P1 200", "P2>B CANCEL", "B>P2 200"),
        *refused_through_two(487),
    ]
    assert (alice.outcome, alice.ended_by, alice.code) == (CallOutcome.CANCELLED, EndedBy.LOCAL, 487)
    assert (bob.outcome, bob.ended_by) == (CallOutcome.MISSED, EndedBy.REMOTE)


def test_3_9_unsuccessful_busy() -> None:
    net = Network(alices_account())
    net.proxy(SS1)
    net.proxy(SS2)
    bob = Responder(net.link, BOB, lambda message: [answer(message, 486, "b")] if message.method == "INVITE" else [])
    net.alice.dial(BOB_AOR)
    net.link.run_until_quiet()
    invite, ack = request(net.link.sent("INVITE", ALICE)[0]), request(net.link.sent("ACK", ALICE)[0])
    assert (ack.to.tag, ack.via.branch, ack.uri) == ("b", invite.via.branch, invite.uri)
    assert net.flow() == [
        *("A>P1 INVITE", "P1>P2 INVITE", "P1>A 100", "P2>B INVITE", "P2>P1 100"),
        *refused_through_two(486),
    ]
    assert bob.methods() == ["INVITE", "ACK"]
    assert net.alice.ladder == [">invite", "<trying", "<rejected"]
    ended = net.alice.ended
    assert (ended.outcome, ended.code, ended.ended_by) == (CallOutcome.BUSY, 486, EndedBy.REMOTE)


def test_3_9_busy_as_bob() -> None:
    net = Network()
    net.ring(BOB_CONTACT)
    net.bob.command("reject", net.bob.incoming.id, 486)
    alice, bob = net.settled()
    assert net.flow() == ["A>B INVITE", "B>A 180", "B>A 486", "A>B ACK"]
    assert alice.outcome is CallOutcome.BUSY
    assert (bob.ended_by, bob.code) == (EndedBy.LOCAL, 486)


def test_3_10_unsuccessful_no_response_from_the_user_agent() -> None:
    net = Network(alices_account())
    net.proxy(SS1)
    net.proxy(SS2, locations={BOB_AOR: f"sip:bob@{ABSENT.host}"})
    net.alice.dial(BOB_AOR)
    net.link.run_until_quiet()
    assert net.flow() == [
        *("A>P1 INVITE", "P1>P2 INVITE", "P1>A 100", "P2>? INVITE", "P2>P1 100"),
        *["P2>? INVITE"] * 6,
        *("P2>P1 480", "P1>P2 ACK", "P1>A 480", "A>P1 ACK"),
    ]
    assert net.alice.ladder == [">invite", "<trying", "<rejected"]
    assert (net.alice.ended.outcome, net.alice.ended.code) == (CallOutcome.NO_ANSWER, 480)
    assert net.alice.ended.reason == "No Response"


def test_3_11_unsuccessful_temporarily_unavailable() -> None:
    net = Network(alices_account())
    net.proxy(SS1)
    net.proxy(SS2)
    net.ring()
    assert net.flow() == ["A>P1 INVITE", *RINGS_THROUGH_TWO]
    net.bob.command("reject", net.bob.incoming.id, 480)
    alice, _ = net.settled()
    assert net.flow() == refused_through_two(480)
    assert net.alice.ladder == [">invite", "<trying", "<ringing", "<rejected"]
    assert (alice.outcome, alice.code, alice.ended_by) == (CallOutcome.NO_ANSWER, 480, EndedBy.REMOTE)
