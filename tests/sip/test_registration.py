"""The registration as a state machine: login, refresh, refusals, lost servers, never a storm (RFC 3261 section 10)."""

from dataclasses import replace
from itertools import pairwise

import pytest

from custom_components.sip_ua.sip.account import NatMode, NetworkSettings, ServerAddress, Timing, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationFailure, RegistrationState
from custom_components.sip_ua.sip.message import Request, parse_message

from .agents import ALICE, entropy
from .homes import Home, account
from .link import Faults
from .registrar import NAME, SERVER


def test_registers_with_a_login_and_tells_until_when() -> None:
    home = Home()
    home.start()
    assert home.states == [RegistrationState.REGISTERING, RegistrationState.REGISTERED]
    assert [request.cseq.number for _, request in home.server.registers()] == [1, 2]
    assert len({request.call_id for _, request in home.server.registers()}) == 1
    assert home.status.expires_at == pytest.approx(home.status.at + 3600, abs=1)
    assert list(home.server.bindings) == [f"sip:alice@{ALICE.host}:5060"]
    assert "198.51.100.5 port 5060 over UDP" in home.status.detail
    assert home.status.place == "198.51.100.5:5060 UDP"


def test_refreshes_before_the_granted_time_is_over() -> None:
    home = Home()
    home.server.max_expires = 60
    home.start(600)
    assert home.state is RegistrationState.REGISTERED
    times = [when for when, _ in home.server.registers()]
    assert all(later - earlier < 60 for earlier, later in pairwise(times))
    assert home.states.count(RegistrationState.REGISTERING) == 1, "a refresh is no loss"


def test_unregisters_on_demand() -> None:
    home = Home()
    home.start()
    home.alice.command("unregister")
    home.link.run_for(5)
    assert home.state is RegistrationState.UNREGISTERED
    assert not home.server.bindings
    home.link.run_until_quiet()


def test_423_is_obeyed_with_the_time_the_registrar_wants() -> None:
    home = Home(account(timing=Timing(expiration=20)))
    home.server.min_expires = 300
    home.start()
    assert home.state is RegistrationState.REGISTERED
    assert home.server.registers()[-1][1].expires == 300


def test_a_registrar_that_never_has_enough_is_not_asked_for_ever() -> None:
    home = Home()
    home.server.login = False
    home.server.script = [(423, {"Min-Expires": str(seconds)}) for seconds in range(4000, 5000)]
    home.start(20)
    assert home.state is RegistrationState.FAILED
    assert len(home.server.registers()) <= 8


def test_a_wrong_password_is_reported_once_and_not_repeated() -> None:
    home = Home(account(password="wrong"))
    home.start(7200)
    assert home.states == [RegistrationState.REGISTERING, RegistrationState.REFUSED]
    assert home.status.failure is RegistrationFailure.LOGIN_REFUSED
    assert home.status.next_attempt_at is None
    assert len(home.server.registers()) == 2


@pytest.mark.parametrize(
    ("status", "failure", "state"),
    [
        (403, RegistrationFailure.LOGIN_REFUSED, RegistrationState.REFUSED),
        (404, RegistrationFailure.NUMBER_UNKNOWN, RegistrationState.FAILED),
        (503, RegistrationFailure.SERVER_BUSY, RegistrationState.FAILED),
        (500, RegistrationFailure.SERVER_ERROR, RegistrationState.FAILED),
    ],
)
def test_refusals_are_told_apart(status: int, failure: RegistrationFailure, state: RegistrationState) -> None:
    home = Home()
    home.server.script = [(status, {})]
    home.start(1)
    assert (home.status.failure, home.status.state, home.status.code) == (failure, state, status)


@pytest.mark.parametrize("status", [300, 301, 302, 305])
@pytest.mark.parametrize(
    ("contact", "place"),
    [
        ("<sip:edge.example:5070;transport=tcp>", "edge.example:5070 TCP"),
        ("<sip:[2001:db8::1]:5070>", "[2001:db8::1]:5070"),
        ("<sip:a@far.example>;q=0.1, <sips:alice@near.example>;q=0.9", "near.example TLS"),
    ],
)
def test_a_redirected_registration_says_where_it_is_wanted_and_goes_nowhere_else(
    status: int, contact: str, place: str
) -> None:
    home = Home()
    home.server.script = [(status, {"Contact": contact})]
    home.start(1)
    assert home.status.failure is RegistrationFailure.REDIRECTED
    assert (home.status.state, home.status.code, home.status.detail) == (RegistrationState.FAILED, status, place)
    assert home.status.place == place
    home.link.run_for(60)
    assert home.state is RegistrationState.REGISTERED
    assert {passage.destination for passage in home.link.sent("REGISTER")} == {SERVER}


@pytest.mark.parametrize("headers", [{}, {"Contact": "<tel:200>"}])
def test_a_redirection_to_nowhere_is_the_servers_trouble(headers: dict[str, str]) -> None:
    home = Home()
    home.server.script = [(302, headers)]
    home.start(1)
    assert home.status.failure is RegistrationFailure.SERVER_ERROR
    assert home.status.detail.startswith(SERVER.host)


def test_retry_after_is_obeyed() -> None:
    home = Home()
    home.server.script = [(503, {"Retry-After": "120 (maintenance)"})]
    home.start(119)
    assert len(home.server.registers()) == 1
    home.link.run_for(5)
    assert home.state is RegistrationState.REGISTERED


def test_a_name_that_is_not_found_is_told_and_tried_again() -> None:
    home = Home()
    home.alice.names.clear()
    home.start(1)
    assert home.status.failure is RegistrationFailure.NAME_NOT_FOUND
    home.alice.names[NAME] = [SERVER]
    home.link.run_for(10)
    assert home.state is RegistrationState.REGISTERED
    assert home.status.failures == 0


def test_an_algorithm_that_is_unknown_is_told() -> None:
    home = Home()
    home.server.script = [(401, {"WWW-Authenticate": 'Digest realm="x", nonce="1", algorithm=FOO-1'})]
    home.start(1)
    assert home.status.failure is RegistrationFailure.NO_DIGEST_ALGORITHM
    assert home.state is RegistrationState.REFUSED


def test_a_registrar_that_is_silent_is_tried_for_ever_without_a_storm() -> None:
    home = Home()
    home.server.silent = True
    home.start(3600)
    assert home.status.failure is RegistrationFailure.NO_ANSWER
    assert len(home.link.sent("REGISTER")) < 3600 / 3
    home.server.silent = False
    home.link.run_for(40)
    assert home.state is RegistrationState.REGISTERED


def test_a_registrar_that_restarted_and_changed_its_nonce_is_logged_in_to_again() -> None:
    home = Home()
    home.server.max_expires = 60
    home.start()
    home.server.restart()
    home.link.run_for(60)
    assert home.server.bindings
    assert RegistrationState.REFUSED not in home.states


def test_a_stale_nonce_is_no_refusal() -> None:
    home = Home()
    home.server.max_expires = 700
    home.start(3600)
    assert home.states.count(RegistrationState.REGISTERED) > 4
    assert RegistrationState.REFUSED not in home.states


def challenge_of(nonce: str) -> tuple[int, dict[str, str]]:
    return 401, {"WWW-Authenticate": f'Digest realm="{NAME}", nonce="{nonce}", qop="auth"'}


def test_a_login_taken_for_a_replay_since_its_answer_was_lost_is_no_refusal() -> None:
    home = Home()
    home.server.script = [challenge_of("n1")]
    home.alice.command("register")
    home.link.run_until(lambda: bool(home.server.registers()))
    # The first login is lost on its way; the registrar, which keeps no transactions, refuses what comes then.
    home.link.lose("REGISTER")
    home.server.script = [challenge_of("n2"), (200, {})]
    home.link.run_for(5)
    assert home.state is RegistrationState.REGISTERED
    assert RegistrationState.REFUSED not in home.states
    assert 'nonce="n2"' in (home.server.registers()[-1][1].headers.get("Authorization") or "")


def test_a_wrong_password_is_found_out_though_a_login_had_to_be_repeated() -> None:
    home = Home(account(password="wrong"))
    home.alice.command("register")
    home.link.run_until(lambda: bool(home.server.registers()))
    home.link.lose("REGISTER")
    home.link.run_for(7200)
    assert home.state is RegistrationState.REFUSED
    assert len(home.server.registers()) == 3


def test_the_nonce_that_the_registrar_names_next_spares_a_challenge() -> None:
    home = Home(account(timing=Timing(expiration=60, keep_alive=0)))
    home.server.script = [
        (401, {"WWW-Authenticate": f'Digest realm="{NAME}", nonce="n1", qop="auth"'}),
        (200, {"Authentication-Info": 'qop=auth, nextnonce="n2"'}),
        (200, {}),
    ]
    home.start(40)
    logins = [request.headers.get("Authorization") or "" for _, request in home.server.registers()]
    assert 'nonce="n1"' in logins[1]
    assert 'nonce="n2"' in logins[2]
    assert "nc=00000001" in logins[2]


def test_a_server_that_is_gone_is_noticed_by_the_keep_alive() -> None:
    home = Home()
    home.start()
    home.server.silent = True
    home.link.run_for(120)
    home.server.restart()
    home.server.silent = False
    home.link.run_for(40)
    assert home.states[-2:] == [RegistrationState.FAILED, RegistrationState.REGISTERED]
    assert home.server.bindings


class Connected:
    """Alice's telephone over TCP, whose connections fail as the test wants."""

    server = Address(Transport.TCP, "198.51.100.5", 5060)

    def __init__(self) -> None:
        made = account(server=ServerAddress(self.server.host), transport=Transport.TCP)
        self.agent = UserAgent(made, entropy=entropy(1))
        self.sent: list[Request] = []

    def work(self, now: float) -> None:
        for lookup in self.agent.lookups():
            self.agent.looked_up(lookup.token, [Hop(self.server, HostPort(ALICE.host, 5060))], now)
        for send in self.agent.sends():
            message = parse_message(send.data)
            assert isinstance(message, Request)
            self.sent.append(message)

    def fail(self, now: float) -> None:
        failure = RegistrationFailure.CONNECTION_REFUSED
        self.agent.transport_failed(self.server, failure, "nothing listens on this port", now)
        self.work(now)

    def answer(self, now: float) -> None:
        response = self.sent[-1].create_response(200)
        response.headers.add("Contact", f"{self.sent[-1].headers.get('Contact')};expires=3600")
        self.agent.receive(response.to_bytes(), Hop(self.server, HostPort(ALICE.host, 5060)), now)
        self.work(now)


def test_a_server_that_refuses_connections_is_tried_again_only_in_time() -> None:
    alice = Connected()
    alice.agent.register(0)
    alice.work(0)
    alice.fail(0.1)
    assert len(alice.sent) == 1
    status = alice.agent.registration
    assert status.failure is RegistrationFailure.CONNECTION_REFUSED
    assert status.failures == 1
    assert status.next_attempt_at is not None
    assert status.next_attempt_at > 1


def test_a_connection_lost_while_registered_registers_anew_once() -> None:
    alice = Connected()
    alice.agent.register(0)
    alice.work(0)
    alice.answer(0.1)
    alice.fail(10)
    assert len(alice.sent) == 2
    alice.fail(10.1)
    assert len(alice.sent) == 2
    states = [event.state for event in alice.agent.events() if isinstance(event, RegistrationChanged)]
    assert states[-3:] == [RegistrationState.REGISTERING, RegistrationState.REGISTERED, RegistrationState.FAILED]


def test_a_server_that_answers_and_hangs_up_makes_no_storm() -> None:
    alice = Connected()
    now = 0.0
    alice.agent.register(now)
    while now < 600:
        alice.work(now)
        answered = len(alice.sent)
        alice.answer(now)
        alice.fail(now + 0.001)
        due = alice.agent.next_timer()
        assert due is not None
        while len(alice.sent) == answered and due is not None:
            now = max(now, due)
            alice.agent.handle_timer(now)
            alice.work(now)
            due = alice.agent.next_timer()
    assert len([request for request in alice.sent if request.method == "REGISTER"]) < 60


@pytest.mark.parametrize("granted", [0, 1])
def test_a_registration_granted_for_no_time_makes_no_storm(granted: int) -> None:
    home = Home()
    home.server.login = False
    home.server.script = [(200, {"Expires": str(granted)})] * 10_000
    home.start(100)
    assert 10 < len(home.server.registers()) <= 51


def test_the_address_that_the_server_sees_is_registered() -> None:
    home = Home()
    public = Address(ALICE.transport, "203.0.113.7", 61000)
    home.server.seen_from = lambda source: public if source == ALICE else source
    home.link.join(home.alice.agent, public, deliver=home.alice.deliver, react=home.alice.react)
    home.start()
    assert list(home.server.bindings) == ["sip:alice@203.0.113.7:61000"]
    assert len(home.server.registers()) == 2, "the challenge told the address already"


def test_without_nat_traversal_the_own_address_stays_in_the_contact() -> None:
    home = Home(account(network=NetworkSettings(nat=NatMode.NONE)))
    public = Address(ALICE.transport, "203.0.113.7", 61000)
    home.server.seen_from = lambda source: public if source == ALICE else source
    home.link.join(home.alice.agent, public, deliver=home.alice.deliver, react=home.alice.react)
    home.start()
    assert list(home.server.bindings) == [f"sip:alice@{ALICE.host}:5060"]


def test_the_next_server_is_tried_when_the_first_does_not_answer() -> None:
    home = Home()
    home.alice.names[NAME] = [replace(SERVER, host="198.51.100.99"), SERVER]
    home.start(40)
    assert home.state is RegistrationState.REGISTERED


def test_stopping_while_a_register_is_in_flight_still_unregisters() -> None:
    home = Home()
    home.alice.command("register")
    home.alice.command("unregister")
    home.link.run_for(10)
    assert home.state is RegistrationState.UNREGISTERED
    assert not home.server.bindings
    home.link.run_until_quiet()


@pytest.mark.parametrize("seed", range(20))
def test_registers_whatever_the_network_does_with_one_request_in_flight(seed: int) -> None:
    home = Home(faults=Faults(loss=0.2, duplication=0.2, reordering=0.3, delay=(0.01, 0.3)), seed=seed)
    home.server.max_expires = 120
    home.start(600)
    assert home.state is RegistrationState.REGISTERED
    numbers = [request.cseq.number for _, request in home.server.registers()]
    assert numbers == sorted(numbers)


def test_no_secret_is_told() -> None:
    home = Home(account(password="geheim-123", auth_user="login"))
    home.start()
    assert "geheim-123" not in repr(home.alice.agent.account)
    assert all("geheim-123" not in repr(event) for event in home.alice.told)


def test_a_stranger_gets_no_answer_at_all() -> None:
    home = Home()
    home.start()
    sent = len(home.link.transcript)
    stranger = Address(ALICE.transport, "203.0.113.66", 5060)
    for method in ("INVITE", "OPTIONS", "REGISTER", "MESSAGE"):
        request = (
            f"{method} sip:alice@{ALICE.host} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bK{method}\r\n"
            f"From: <sip:x@y>;tag=1\r\nTo: <sip:alice@{ALICE.host}>\r\nCall-ID: {method}\r\nCSeq: 1 {method}\r\n"
            "Max-Forwards: 70\r\nContact: <sip:x@203.0.113.66>\r\nContent-Length: 0\r\n\r\n"
        )
        home.alice.deliver(request.encode(), stranger, home.link.now)
    home.link.run_for(1)
    assert len(home.link.transcript) == sent
    assert home.alice.agent.counters.strangers == 4
    assert not home.alice.agent.calls
