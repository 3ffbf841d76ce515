"""TLS as the signalling core sees it: where a server finds us, SIPS addresses (RFC 3261 sections 12.1.1 and 26.2.2)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account, NatMode, NetworkSettings, ServerAddress, Transport, UriType
from custom_components.sip_ua.sip.address import Address, Hop, HostPort, Lookup
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import IncomingCall, RegistrationFailure, RegistrationState
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.offer_answer import CODECS, LocalMedia

from .agents import entropy

HOME = HostPort("192.0.2.1", 5070)
SERVER = Address(Transport.TLS, "198.51.100.5", 5061)
MEDIA = LocalMedia(HOME.host, 40000, (CODECS["PCMA"],))
ACCOUNT = Account(number="alice", domain="sip.example", server=ServerAddress("sip.example"), transport=Transport.TLS)
INVITE = """INVITE {uri} SIP/2.0
Via: SIP/2.0/TLS 198.51.100.5:5061;branch=z9hG4bKone
Max-Forwards: 70
{route}From: <sip:bob@sip.example>;tag=b
To: <sip:alice@sip.example>
Call-ID: one
CSeq: 1 INVITE
Contact: <{contact}>
Content-Length: 0

"""
OFTEN = frozenset({"REGISTER", "UPDATE"})
ANSWER = """v=0\r
o=bob 1 1 IN IP4 198.51.100.9\r
s=-\r
c=IN IP4 198.51.100.9\r
t=0 0\r
m=audio 30000 RTP/AVP 8\r
"""


class Telephone:
    """Alice's telephone, and a server that sees her connection come from a port that nobody knew before."""

    def __init__(self, account: Account = ACCOUNT, server: Address = SERVER) -> None:
        self.agent = UserAgent(account, entropy=entropy(1))
        self.server = server
        self.seen: HostPort | None = HostPort("192.0.2.1", 40001)
        self.sent: list[Request | Response] = []
        self.looked_up: list[Lookup] = []

    @property
    def hop(self) -> Hop:
        return Hop(self.server, HOME)

    def work(self, now: float) -> None:
        for lookup in self.agent.lookups():
            self.looked_up.append(lookup)
            self.agent.looked_up(lookup.token, [self.hop], now)
        self.sent += [parse_message(send.data) for send in self.agent.sends()]

    def register(self, now: float = 0) -> None:
        self.agent.register(now)
        self.work(now)

    @property
    def request(self) -> Request:
        request = self.sent[-1]
        assert isinstance(request, Request)
        return request

    @property
    def contacts(self) -> list[str]:
        return self.request.headers.get_all("Contact")

    def answer(self, now: float, status: int = 200) -> None:
        """Answer the latest request as a server does that was asked for rport (RFC 3581)."""
        response = self.request.create_response(status, to_tag="server")
        if status == 200:
            response.headers.add("Contact", f"{self.contacts[0].partition(';expires')[0]};expires=3600")
        self.receive(self.as_seen(response), now)

    def receive(self, data: bytes, now: float) -> None:
        self.agent.receive(data, self.hop, now)
        self.agent.handle_timer(now)
        self.work(now)

    def reply(self, request: Request, now: float, status: int, *, body: str = "") -> None:
        """Answer an INVITE of hers."""
        response = request.create_response(status, to_tag="bob")
        response.headers.add("Contact", "<sip:bob@198.51.100.5;transport=tls>")
        response.headers.add("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")
        if body:
            response.headers.add("Content-Type", "application/sdp")
            response.body = body.encode()
        self.receive(self.as_seen(response), now)

    def as_seen(self, response: Response) -> bytes:
        text = response.to_bytes().decode()
        if self.seen is not None:
            text = text.replace(";rport;", f";received={self.seen.host};rport={self.seen.port};", 1)
        return text.encode()

    def lose_connection(self, now: float) -> None:
        self.agent.transport_failed(self.server, RegistrationFailure.CONNECTION_REFUSED, "closed", now)
        self.work(now)


def invite(uri: str, *, contact: str = "sip:bob@198.51.100.9", route: str = "") -> bytes:
    text = INVITE.format(uri=uri, contact=contact, route=f"Record-Route: {route}\n" if route else "")
    return text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize("nat", list(NatMode))
def test_the_connection_that_we_made_is_what_a_server_finds_us_by(nat: NatMode) -> None:
    alice = Telephone(replace(ACCOUNT, network=NetworkSettings(nat=nat)))
    alice.register()
    assert alice.contacts == ["<sip:alice@192.0.2.1:5070;transport=tls>;expires=3600"]
    alice.answer(0.1)
    assert alice.contacts == [
        "<sip:alice@192.0.2.1:40001;transport=tls>;expires=3600",
        "<sip:alice@192.0.2.1:5070;transport=tls>;expires=0",
    ]
    alice.answer(0.2)
    assert len(alice.sent) == 2
    assert alice.agent.registration.state is RegistrationState.REGISTERED


def test_a_challenge_tells_the_connection_before_anything_is_registered() -> None:
    alice = Telephone(replace(ACCOUNT, password="secret"))
    alice.register()
    challenge = alice.request.create_response(401, to_tag="server").to_bytes().decode()
    challenge = challenge.replace(";rport;", ";received=192.0.2.1;rport=40001;", 1)
    challenge = challenge.replace("Call-ID:", 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nCall-ID:')
    alice.receive(challenge.encode(), 0.1)
    assert alice.contacts == ["<sip:alice@192.0.2.1:40001;transport=tls>;expires=3600"]


def test_a_new_connection_takes_the_place_of_the_lost_one_in_the_registration() -> None:
    alice = Telephone()
    alice.register()
    alice.answer(0.1)
    alice.answer(0.2)
    alice.seen = HostPort("192.0.2.1", 40002)
    alice.lose_connection(100)
    assert alice.contacts == ["<sip:alice@192.0.2.1:40001;transport=tls>;expires=3600"]
    alice.answer(100.1)
    assert alice.contacts == [
        "<sip:alice@192.0.2.1:40002;transport=tls>;expires=3600",
        "<sip:alice@192.0.2.1:40001;transport=tls>;expires=0",
    ]
    alice.answer(100.2)
    assert [sent.method for sent in alice.sent if isinstance(sent, Request)].count("REGISTER") == 4


def test_a_server_that_does_not_tell_what_it_sees_gets_the_address_that_we_have() -> None:
    alice = Telephone()
    alice.seen = None
    alice.register()
    alice.answer(0.1)
    assert len(alice.sent) == 1
    assert alice.contacts == ["<sip:alice@192.0.2.1:5070;transport=tls>;expires=3600"]


def test_over_tcp_we_listen_where_we_say() -> None:
    server = replace(SERVER, transport=Transport.TCP)
    alice = Telephone(replace(ACCOUNT, transport=Transport.TCP), server)
    alice.register()
    alice.answer(0.1)
    assert alice.contacts == ["<sip:alice@192.0.2.1:5070;transport=tcp>;expires=3600"]
    assert len(alice.sent) == 1


def test_the_addresses_of_few_connections_are_remembered() -> None:
    alice = Telephone()
    alice.register()
    for port in range(1, 200):
        alice.server = replace(SERVER, port=port)
        alice.agent.network_changed(port)
        alice.work(port)
        alice.answer(port)
    assert len(alice.agent._core._seen_as) <= 16  # noqa: SLF001 - seen nowhere else


@pytest.mark.parametrize(
    ("data", "scheme"),
    [
        (invite("sip:alice@192.0.2.1:5070"), "sip"),
        (invite("sips:alice@192.0.2.1:5070"), "sips"),
        (invite("sip:alice@192.0.2.1:5070", contact="sips:bob@198.51.100.9"), "sips"),
        (invite("sip:alice@192.0.2.1:5070", route="<sips:198.51.100.5;lr>"), "sips"),
        (invite("sip:alice@192.0.2.1:5070", contact="sips:bob@198.51.100.9", route="<sip:198.51.100.5;lr>"), "sip"),
    ],
    ids=["sip", "request URI", "contact", "record-route", "contact behind a record-route"],
)
def test_who_calls_by_sips_is_answered_by_sips(data: bytes, scheme: str) -> None:
    alice = Telephone(replace(ACCOUNT, domain="198.51.100.5"))
    alice.register()
    alice.receive(data, 1)
    (call,) = [event.call for event in alice.agent.events() if isinstance(event, IncomingCall)]
    alice.work(1)
    alice.agent.answer(call.id, MEDIA, 2)
    alice.work(2)
    answers = [sent for sent in alice.sent if isinstance(sent, Response) and sent.status in {180, 200}]
    assert [answer.status for answer in answers] == [180, 200]
    assert [str(answer.contacts[0].uri).partition(":")[0] for answer in answers] == [scheme, scheme]


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
@pytest.mark.parametrize("direct", [False, True])
def test_only_tls_proves_that_a_call_comes_from_a_server_spoken_to_by_tls(
    transport: Transport, *, direct: bool
) -> None:
    alice = Telephone(replace(ACCOUNT, domain="198.51.100.5", allow_direct_calls=direct))
    alice.register()
    data = invite("sip:alice@192.0.2.1:5070").replace(
        b"Call-ID", b"P-Asserted-Identity: <sip:110@sip.example>\r\nCall-ID"
    )
    alice.agent.receive(data, Hop(replace(SERVER, transport=transport), HOME), 1)
    rings = [event for event in alice.agent.events() if isinstance(event, IncomingCall)]
    assert rings == [], "who merely claims the server's address is none of the others either"
    assert alice.agent.counters.strangers == 1
    alice.receive(data.replace(b"one", b"two"), 2)
    (call,) = [event.call for event in alice.agent.events() if isinstance(event, IncomingCall)]
    assert call.remote.number == "110"


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_an_answer_comes_by_the_transport_that_the_request_went_by(transport: Transport) -> None:
    alice = Telephone()
    alice.register()
    alice.server = replace(SERVER, transport=transport)
    alice.answer(0.1, 403)
    assert alice.agent.registration.state is not RegistrationState.FAILED
    alice.server = SERVER
    alice.answer(0.2)
    alice.answer(0.3)
    assert alice.agent.registration.state is RegistrationState.REGISTERED


def test_an_account_with_sips_addresses_names_no_transport() -> None:
    alice = Telephone(replace(ACCOUNT, uri_type=UriType.SIPS, outbound_proxy=ServerAddress("proxy.example")))
    alice.register()
    assert alice.request.uri == "sips:sip.example"
    assert alice.contacts == ["<sips:alice@192.0.2.1:5070>;expires=3600"]
    assert alice.request.headers.get_all("Route") == ["<sips:proxy.example;lr>"]


@pytest.mark.parametrize("transport", [Transport.TLS, None], ids=["TLS", "automatic"])
def test_a_sips_address_is_called_over_tls(transport: Transport | None) -> None:
    alice = Telephone(replace(ACCOUNT, transport=transport))
    assert alice.agent.first_hop("sips:bob@sip.example").transport is Transport.TLS
    alice.agent.dial("sips:bob@sip.example", MEDIA, 0)
    alice.work(0)
    assert [lookup.transport for lookup in alice.looked_up] == [Transport.TLS]
    assert alice.request.uri == "sips:bob@sip.example"
    assert alice.contacts == ["<sips:alice@192.0.2.1:5070>"]


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_sips_address_is_not_called_over_anything_else(transport: Transport) -> None:
    alice = Telephone(replace(ACCOUNT, transport=transport))
    with pytest.raises(LocalProtocolError, match="goes by TLS at every hop"):
        alice.agent.dial("sips:bob@sip.example", MEDIA, 0)
    with pytest.raises(LocalProtocolError, match="goes by TLS at every hop"):
        alice.agent.first_hop("sips:bob@sip.example")


def connect(alice: Telephone, now: float) -> None:
    """Call bob, who answers."""
    alice.agent.dial("bob", MEDIA, now)
    alice.work(now)
    invite = alice.request
    alice.reply(invite, now, 180)
    alice.reply(invite, now, 200, body=ANSWER)
    assert alice.request.method == "ACK"


def test_a_connected_call_follows_us_to_another_connection() -> None:
    alice = Telephone()
    alice.register()
    alice.answer(0.1)
    alice.answer(0.2)
    connect(alice, 1)
    alice.seen = HostPort("192.0.2.1", 40002)
    alice.lose_connection(10)
    alice.answer(10.1)
    methods = [sent.method for sent in alice.sent if isinstance(sent, Request)]
    assert methods[-2:] == ["UPDATE", "REGISTER"]
    (update,) = [sent for sent in alice.sent if isinstance(sent, Request) and sent.method == "UPDATE"]
    assert update.headers.get_all("Contact") == ["<sip:alice@192.0.2.1:40002;transport=tls>"]
    assert not update.body


def test_a_direct_call_tells_after_the_answer_which_connection_it_came_by() -> None:
    alice = Telephone(replace(ACCOUNT, server=None))
    alice.agent.dial("sip:bob@198.51.100.5", MEDIA, 0)
    alice.work(0)
    invite = alice.request
    assert invite.headers.get_all("Contact") == ["<sip:alice@192.0.2.1:5070;transport=tls>"]
    alice.reply(invite, 0.1, 180)
    assert alice.request is invite, "nothing may overtake the answer"
    alice.reply(invite, 0.2, 200, body=ANSWER)
    methods = [sent.method for sent in alice.sent if isinstance(sent, Request)]
    assert methods == ["INVITE", "ACK", "UPDATE"]
    assert alice.contacts == ["<sip:alice@192.0.2.1:40001;transport=tls>"]


def test_a_server_that_sees_us_elsewhere_each_time_makes_no_storm() -> None:
    alice = Telephone()
    alice.register()
    alice.answer(0.1)
    alice.answer(0.2)
    connect(alice, 1)
    alice.seen = HostPort("192.0.2.1", 40002)
    alice.lose_connection(10)
    for port in range(50000, 50100):
        alice.seen = HostPort("192.0.2.1", port)
        for request in [sent for sent in alice.sent if isinstance(sent, Request) and sent.method in OFTEN]:
            alice.receive(alice.as_seen(request.create_response(200, to_tag="bob")), 11)
    methods = [sent.method for sent in alice.sent if isinstance(sent, Request)]
    assert 1 < methods.count("UPDATE") <= 5
    assert methods.count("REGISTER") <= 5


@pytest.mark.parametrize("failure", [kind for kind in RegistrationFailure if "certificate" in kind])
def test_a_certificate_that_was_put_right_is_found_within_a_minute(failure: RegistrationFailure) -> None:
    alice = Telephone()
    alice.register()
    pauses: list[float] = []
    now = 0.0
    while len(pauses) < 10:
        alice.agent.transport_failed(SERVER, failure, "no", now)
        alice.work(now)
        due = alice.agent.next_timer()
        assert due is not None
        pauses.append(due - now)
        now = due
        alice.agent.handle_timer(now)
        alice.work(now)
    assert len(alice.sent) == 11
    assert 30 < max(pauses) < 60
    assert alice.agent.registration.failure is failure
