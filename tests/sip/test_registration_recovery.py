"""Registered again, whatever became of the registrar or the network, and never a storm (RFC 3261 section 10)."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from custom_components.sip_ua.sip.account import Timing, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationState
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.registration_answers import confirm_pause
from custom_components.sip_ua.sip.transaction import Timers

from .agents import ALICE
from .homes import Cluster, Home, account
from .link import Faults, Link
from .registrar import NAME, SERVER, Registrar

AT_HOME = Address(Transport.UDP, "192.168.178.1", 5060)
TIMEOUT = Timers().timeout


def at_home(keep_alive: int = 5, **faults: float) -> Home:
    """Return a telephone whose registrar stands in its own home."""
    home = Home(account(timing=Timing(keep_alive=keep_alive)), Faults(**faults) if faults else None)  # type: ignore[arg-type]
    home.server = Registrar(home.link, address=AT_HOME)
    home.alice.names[NAME] = [AT_HOME]
    return home


# A registrar that forgot us


@pytest.mark.parametrize("after", [0.1, 1.0, 2.5, 4.9])
def test_a_registrar_at_home_that_forgot_us_has_us_back_within_the_keep_alive_interval(after: float) -> None:
    home = at_home()
    home.start(20 + after)
    home.server.restart()
    assert home.seconds_until_bound() < 5.1
    assert RegistrationState.FAILED not in home.states, "nobody noticed"


@pytest.mark.parametrize("after", [0.1, 20.0, 40.0, 54.9])
def test_a_provider_that_forgot_us_has_us_back_within_a_minute(after: float) -> None:
    home = Home()
    home.start(100 + after)
    home.server.restart()
    assert home.seconds_until_bound() < 56


@pytest.mark.parametrize("down", [1.0, 7.0, 60.0, 600.0])
def test_a_registrar_that_was_away_has_us_back_within_five_seconds(down: float) -> None:
    home = at_home()
    home.start(20)
    home.server.silent = True
    home.server.restart()
    home.link.run_for(down)
    home.server.silent = False
    assert home.seconds_until_bound() < 5.1


def test_a_keep_alive_that_is_answered_late_makes_us_register_at_once() -> None:
    home = Home()
    home.start(1)
    home.link.run_for(28.5)
    home.server.silent = True
    home.link.run_for(4)
    assert len(home.link.sent("OPTIONS")) == 3
    home.server.restart()
    home.server.silent = False
    assert home.seconds_until_bound() < 2


def test_confirmations_take_the_place_of_keep_alives_and_are_told_seldom() -> None:
    home = at_home(keep_alive=30)
    home.start(3600)
    assert len(home.server.registers()) == pytest.approx(130, abs=10), "some with a nonce that ran out"
    assert not home.link.sent("OPTIONS")
    told = home.alice.events(RegistrationChanged)
    assert len(told) < 6
    for before, after in pairwise(event for event in told if event.state is RegistrationState.REGISTERED):
        assert before.next_attempt_at is not None
        assert after.at < before.next_attempt_at, "what was told stays true until the next is told"


def test_a_provider_is_not_asked_for_more_than_its_registrations_allow() -> None:
    home = Home()
    home.start(3600)
    assert len(home.server.registers()) < 80


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_registrar_that_wants_to_be_asked_less_often_is(status: int) -> None:
    home = Home()
    home.start(30)
    refused = 0
    for _ in range(2000):
        before = home.server.registers()[-1][0]
        home.link.run_for(10)
        if home.link.now - before < 3000 and home.state is RegistrationState.REGISTERED and not home.server.script:
            # Whatever comes earlier than 50 minutes after the last is refused once.
            home.server.script = [(status, {})]
            refused += 1
    assert home.state is RegistrationState.REGISTERED
    recent = [when for when, _ in home.server.registers() if when > home.link.now - 9000]
    assert len(recent) < 20
    assert RegistrationState.REFUSED not in home.states


def test_without_keep_alive_the_granted_time_alone_counts() -> None:
    home = Home(account(timing=Timing(keep_alive=0)))
    home.start(3600)
    assert len(home.server.registers()) == 4


@pytest.mark.parametrize(
    ("server", "keep_alive", "seconds"),
    [
        (AT_HOME, 30, 30),
        (AT_HOME, 0, None),
        (SERVER, 5, 55),
        (SERVER, 300, 300),
        (SERVER, 0, None),
        (replace(AT_HOME, transport=Transport.TCP), 30, 55),
        (replace(SERVER, transport=Transport.TLS), 30, 55),
        (replace(SERVER, transport=Transport.TLS), 0, None),
        (Address(Transport.UDP, "fd00::1", 5060), 30, 30),
        (Address(Transport.UDP, "2001:db8::1", 5060), 30, 55),
    ],
)
def test_who_may_be_asked_how_often(server: Address, keep_alive: int, seconds: float | None) -> None:
    assert confirm_pause(account(timing=Timing(keep_alive=keep_alive)), server) == seconds


# Another network, or the same after a sleep


def test_a_register_on_its_way_is_given_up_where_the_network_changes() -> None:
    home = Home()
    home.server.silent = True
    home.start(3)
    home.server.silent = False
    home.alice.command("network_changed")
    home.link.run_for(2)
    assert [request.cseq.number for request in _first_sends(home.link)] == [1, 2, 3]
    assert home.state is RegistrationState.REGISTERED
    assert home.status.failures == 0
    first = [passage.sent_at for passage in home.link.sent("REGISTER") if b"CSeq: 1 " in passage.data]
    second = [passage.sent_at for passage in home.link.sent("REGISTER") if b"CSeq: 2 " in passage.data]
    assert max(first) <= min(second), "never two at once"


def test_a_network_that_changes_while_the_server_is_looked_for_makes_one_register() -> None:
    home = Home()
    agent = home.alice.agent
    agent.register(0)
    (old,) = agent.lookups()
    agent.network_changed(0.1)
    (new,) = agent.lookups()
    hops = [Hop(SERVER, HostPort(ALICE.host, ALICE.port))]
    agent.looked_up(old.token, hops, 0.2)
    assert not agent.sends()
    agent.looked_up(new.token, hops, 0.3)
    assert len(agent.sends()) == 1


def test_a_change_of_network_ends_the_pause_after_a_failure() -> None:
    home = Home()
    home.server.script = [(500, {})] * 6
    home.start(60)
    assert home.status.failures > 3
    home.server.script = []
    home.alice.command("network_changed")
    home.link.run_for(0.5)
    assert home.state is RegistrationState.REGISTERED


def test_a_change_of_network_does_not_outrun_retry_after() -> None:
    home = Home()
    home.server.script = [(503, {"Retry-After": "300"})]
    home.start(5)
    home.alice.command("network_changed")
    home.link.run_for(200)
    assert len(home.server.registers()) == 1
    home.link.run_for(120)
    assert home.state is RegistrationState.REGISTERED


def test_a_refused_login_is_not_tried_again_in_another_network() -> None:
    home = Home(account(password="wrong"))
    home.start()
    home.alice.command("network_changed")
    home.link.run_for(100)
    assert len(home.server.registers()) == 2


# Whatever happens


def _first_sends(link: Link) -> Iterator[Request]:
    """Return each REGISTER once, in the order of sending."""
    seen: set[bytes] = set()
    for passage in link.sent("REGISTER", ALICE):
        if passage.data not in seen:
            seen.add(passage.data)
            request = parse_message(passage.data)
            assert isinstance(request, Request)
            yield request


def check_one_in_flight(link: Link, changes: list[float]) -> None:
    """Check that no REGISTER left before the one before it was answered, timed out or given up."""
    sends: dict[int, list[float]] = {}
    for passage in link.sent("REGISTER", ALICE):
        message = parse_message(passage.data)
        sends.setdefault(message.cseq.number, []).append(passage.sent_at)
    answers: dict[int, float] = {}
    for passage in link.transcript:
        if passage.destination == ALICE and b" REGISTER\r\n" in passage.data and passage.arrivals:
            number = parse_message(passage.data).cseq.number
            answers[number] = min(answers.get(number, passage.arrivals[0]), *passage.arrivals)
    for before, after in pairwise(sorted(sends)):
        begun = sends[after][0]
        assert sends[before][-1] <= begun
        over = begun >= sends[before][0] + TIMEOUT - 1e-6 or answers.get(before, begun + 1) <= begun
        assert over or any(sends[before][0] <= change <= begun for change in changes)


@pytest.mark.parametrize("refusals", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_registered_again_after_any_troubles_with_one_register_in_flight_and_no_storm(
    seed: int,
    refusals: bool,
) -> None:
    chance = Random(seed)
    home = Cluster()
    home.link.faults = Faults(loss=0.1, duplication=0.1, reordering=0.2, delay=(0.01, 0.2))
    home.server.max_expires = home.second.max_expires = chance.choice([60, 600, 3600])
    changes: list[float] = []

    def change(now: float) -> None:
        changes.append(now)
        home.alice.agent.network_changed(now)

    def trouble(server: Registrar) -> None:
        match chance.randrange(4 if refusals else 3):
            case 0:
                server.silent = not server.silent
            case 1:
                server.restart()
            case 2:
                home.link.after(chance.uniform(0, 40), change)
            case 3:
                server.script = [(chance.choice([500, 503, 404, 480]), {}) for _ in range(3)]

    home.start(1)
    for _ in range(30):
        trouble(chance.choice([home.server, home.second]))
        home.link.run_for(chance.choice([0.5, 5, 30, 100]))
    for server in (home.server, home.second):
        server.silent, server.script = False, []
        server.bindings.clear()
    home.link.faults = Faults()
    # Two servers that are silent are each asked for half a minute; refusals make confirmations rare.
    within = 4000 if refusals else 64 + 60
    home.link.run_until(lambda: bool(home.server.bindings or home.second.bindings), within=within)
    home.link.run_for(1)
    assert home.state is RegistrationState.REGISTERED
    check_one_in_flight(home.link, changes)
    begun = [request.cseq.number for request in _first_sends(home.link)]
    assert begun == sorted(set(begun))
    passed = home.link.now - 1000
    assert len(begun) < 20 + 3 * len(changes) + passed / 3
