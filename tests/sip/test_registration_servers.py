"""Several servers: the next one on failure, the better one later, changed addresses followed (RFC 3263 section 4.3)."""

from dataclasses import replace

from custom_components.sip_ua.sip.events import RegistrationState

from .homes import SECOND, Cluster, Home
from .registrar import NAME, SERVER, Registrar


def test_the_better_server_has_us_back_once_it_is_there() -> None:
    home = Cluster()
    home.fail_over()
    home.link.run_for(1200)
    assert not home.server.bindings
    assert home.states.count(RegistrationState.FAILED) == 0, "the other one serves meanwhile"
    home.server.silent = False
    assert home.seconds_until_bound() < 800
    home.link.run_for(1)
    assert home.status.detail.startswith(SERVER.host)
    since = home.link.now + 1
    home.link.run_for(7200)
    assert SECOND not in home.register_sends(since)


def test_nothing_but_a_question_goes_to_the_better_server_while_it_is_away() -> None:
    home = Cluster()
    home.fail_over()
    since = home.link.now
    home.link.run_for(3600)
    assert SERVER not in home.register_sends(since)
    questions = {passage.data for passage in home.link.sent("OPTIONS") if passage.destination == SERVER}
    assert 3 <= len(questions) <= 15


def test_a_call_goes_to_the_server_that_we_are_registered_with() -> None:
    home = Cluster()
    home.fail_over()
    home.alice.dial("200")
    home.link.run_for(0.1)
    assert {passage.destination.host for passage in home.link.sent("INVITE")} == {SECOND.host}


def test_a_better_server_that_is_there_but_takes_nobody_makes_no_storm() -> None:
    home = Cluster()
    home.fail_over()
    home.server.silent = False
    home.server.script = [(503, {})] * 10_000
    since = home.link.now
    home.link.run_for(7200)
    assert home.state is RegistrationState.REGISTERED
    assert home.register_sends(since).count(SERVER) < 25


def test_a_better_server_that_wants_to_rest_is_left_alone() -> None:
    home = Cluster()
    home.server.script = [(503, {"Retry-After": "1800"})]
    home.start(5)
    assert home.second.bindings
    since = home.link.now
    home.link.run_for(1700)
    assert not [
        passage for passage in home.link.transcript if passage.destination == SERVER and passage.sent_at > since
    ]
    home.link.run_for(1400)
    assert home.server.bindings


def test_among_servers_that_share_the_load_nobody_goes_back() -> None:
    home = Cluster(replace(SECOND, rank=0))
    home.fail_over()
    home.server.silent = False
    home.link.run_for(7200)
    assert not home.server.bindings


def test_a_server_whose_address_changed_is_followed() -> None:
    home = Cluster()
    home.start()
    home.alice.names[NAME] = [SECOND]
    home.link.run_for(60)
    assert home.second.bindings
    assert home.status.detail.startswith(SECOND.host)


def test_a_server_that_went_to_another_address_without_a_word_is_followed() -> None:
    home = Cluster()
    home.start()
    home.server.silent = True
    home.alice.names[NAME] = [SECOND]
    home.link.run_for(70)
    assert home.second.bindings


def test_a_new_server_that_is_better_is_gone_to() -> None:
    home = Home()
    home.start()
    better = Registrar(home.link, address=replace(SECOND, rank=0))
    home.alice.names[NAME] = [better.address, replace(SERVER, rank=1)]
    home.link.run_for(200)
    assert better.bindings
