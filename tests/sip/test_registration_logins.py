"""Logins that the network doubles or a person changes: which refusal is one (RFC 3261 section 22)."""

from dataclasses import dataclass, field

import pytest

from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.address import Address, Send
from custom_components.sip_ua.sip.digest_values import parse_auth_values
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationFailure, RegistrationState
from custom_components.sip_ua.sip.message import Request, Response, parse_message

from .agents import ALICE, AgentEnd, join
from .homes import Home, account
from .link import Faults, Link
from .registrar import NAME, SERVER


@dataclass
class Forgetful:
    """A registrar without transactions whose nonces are good for one request, and which calls nothing stale."""

    link: Link
    address: Address = SERVER
    expires: int = 20
    bindings: int = 0
    doubled: bool = False
    """Whether each login comes twice, and the answer to the second copy overtakes the one to the first."""
    _nonces: set[str] = field(default_factory=set)
    _given: int = 0
    _answers: list[Send] = field(default_factory=list)

    def handle_timer(self, now: float) -> None:
        """Do nothing: there are no timers."""

    def next_timer(self) -> float | None:
        return None

    def sends(self) -> list[Send]:
        answers, self._answers = self._answers, []
        return answers

    def deliver(self, data: bytes, source: Address, _now: float) -> None:
        request = parse_message(data)
        if not isinstance(request, Request):
            return
        answers = [self._answer(request)]
        if self.doubled and request.headers.get("Authorization"):
            answers.insert(0, self._answer(request))
        self._answers += [Send(source, answer.to_bytes()) for answer in answers]

    def _answer(self, request: Request) -> Response:
        if request.method != "REGISTER":
            return request.create_response(200, to_tag="server")
        logins = [login for value in request.headers.get_all("Authorization") for login in parse_auth_values(value)]
        used = {login.get("nonce") for login in logins} & self._nonces
        self._nonces -= used
        if not used:
            self._given += 1
            self._nonces.add(f"n{self._given}")
            response = request.create_response(401, to_tag="server")
            response.headers.add("WWW-Authenticate", f'Digest realm="{NAME}", nonce="n{self._given}", qop="auth"')
            return response
        self.bindings += 1
        response = request.create_response(200, to_tag="server")
        response.headers.add("Expires", str(self.expires))
        return response


def forgetful(seed: int, faults: Faults) -> tuple[Link, Forgetful, AgentEnd]:
    link = Link(seed=seed, faults=faults)
    server = Forgetful(link)
    link.join(server, SERVER, deliver=server.deliver)
    alice = join(link, account(), ALICE, seed=seed + 1)
    alice.names[NAME] = [SERVER]
    return link, server, alice


@pytest.mark.parametrize("seed", range(20))
def test_a_login_that_the_network_doubled_is_no_refusal(seed: int) -> None:
    link, server, alice = forgetful(seed, Faults(duplication=0.3, reordering=0.3, delay=(0.01, 0.1)))
    alice.command("register")
    link.run_for(600)
    states = {event.state for event in alice.events(RegistrationChanged)}
    assert RegistrationState.REFUSED not in states
    assert alice.agent.registration.state is RegistrationState.REGISTERED
    assert server.bindings > 20


def test_the_first_login_doubled_on_the_way_whose_refusal_comes_first_is_no_refusal() -> None:
    link, server, alice = forgetful(0, Faults(delay=(0.01, 0.01)))
    server.doubled = True
    alice.command("register")
    link.run_for(5)
    assert link.labels(SERVER)[:3] == ["401", "401", "200"]
    assert alice.agent.registration.state is RegistrationState.REGISTERED
    assert [event.state for event in alice.events(RegistrationChanged)] == [
        RegistrationState.REGISTERING,
        RegistrationState.REGISTERED,
    ]


def test_a_password_that_was_changed_is_found_out_after_one_more_login() -> None:
    home = Home(account(timing=Timing(keep_alive=0)))
    home.server.max_expires = 60
    home.start()
    home.server.password = "another"
    asked = len(home.server.registers())
    home.link.run_for(7200)
    assert home.state is RegistrationState.REFUSED
    assert home.status.failure is RegistrationFailure.LOGIN_REFUSED
    assert home.status.next_attempt_at is None
    assert len(home.server.registers()) - asked <= 4
