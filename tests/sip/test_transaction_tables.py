"""The transaction tables as such: nothing that can happen is missing, and nothing lasts for ever."""

import pytest

from custom_components.sip_ua.sip.transaction_tables import (
    CLIENT_INVITE,
    CLIENT_NON_INVITE,
    SERVER_INVITE,
    SERVER_NON_INVITE,
    Event,
    Received,
    State,
    Table,
    Transition,
)
from custom_components.sip_ua.sip.transaction_timers import Timer, Timers, first_duration, next_interval

FAILURES = {Received.SEND_FAILED, Received.CONNECTION_LOST}
ANSWERS = {Received.PROVISIONAL, Received.SUCCESS, Received.FAILURE}
EXPECTED = {
    "INVITE client": ANSWERS | FAILURES,
    "non-INVITE client": ANSWERS | FAILURES,
    "INVITE server": {Received.REQUEST, Received.ACK, Received.CANCEL} | FAILURES,
    "non-INVITE server": {Received.REQUEST} | FAILURES,
}
TABLES = [CLIENT_INVITE, CLIENT_NON_INVITE, SERVER_INVITE, SERVER_NON_INVITE]
BY_NAME = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
BY_TRANSPORT = pytest.mark.parametrize("reliable", [False, True], ids=["unreliable", "reliable"])

type Situation = tuple[State, frozenset[Timer]]


def _after(table: Table, transition: Transition, running: frozenset[Timer], *, reliable: bool) -> Situation:
    """Return state and running timers after a transition, those included that fire at once."""
    now = set(running) - set(transition.stop)
    state = transition.state
    for timer in transition.start:
        seconds = first_duration(timer, Timers(), reliable=reliable)
        if seconds:
            now.add(timer)
        elif seconds is not None:
            return _after(table, table.transitions[state, timer], frozenset(now), reliable=reliable)
    return state, frozenset() if state is State.TERMINATED else frozenset(now)


def _situations(table: Table, *, reliable: bool) -> dict[Situation, set[Situation]]:
    """Return every situation that can arise, and what may follow each."""
    first = _after(table, table.initial, frozenset(), reliable=reliable)
    found: dict[Situation, set[Situation]] = {}
    waiting = [first]
    while waiting:
        situation = waiting.pop()
        if situation in found:
            continue
        state, running = situation
        followers = set()
        for (origin, event), transition in table.transitions.items():
            if origin is not state or (isinstance(event, Timer) and event not in running):
                continue
            rest = running - {event} if isinstance(event, Timer) else running
            followers.add(_after(table, transition, rest, reliable=reliable))
        found[situation] = followers
        waiting += followers
    return found


@BY_NAME
@BY_TRANSPORT
def test_whatever_can_happen_has_an_entry(table: Table, reliable: bool) -> None:
    for state, running in _situations(table, reliable=reliable):
        if state is State.TERMINATED:
            continue
        events: set[Event] = {*EXPECTED[table.name], *running}
        assert not {event for event in events if (state, event) not in table.transitions}, state


@BY_NAME
@BY_TRANSPORT
def test_no_entry_waits_for_what_cannot_happen(table: Table, reliable: bool) -> None:
    situations = _situations(table, reliable=reliable)
    reached = {state for state, _ in situations}
    possible = {(state, timer) for state, running in situations for timer in running}
    for state, event in table.transitions:
        if reliable and isinstance(event, Timer):
            continue
        assert state in reached or reliable
        assert not isinstance(event, Timer) or (state, event) in possible


@BY_NAME
@BY_TRANSPORT
def test_every_situation_can_end(table: Table, reliable: bool) -> None:
    situations = _situations(table, reliable=reliable)
    ending: set[Situation] = {situation for situation in situations if situation[0] is State.TERMINATED}
    grown = True
    while grown:
        more = {situation for situation, followers in situations.items() if followers & ending} - ending
        ending |= more
        grown = bool(more)
    assert ending == set(situations)


@BY_NAME
@BY_TRANSPORT
def test_only_a_ringing_telephone_waits_without_a_timer(table: Table, reliable: bool) -> None:
    untimed = {state for state, running in _situations(table, reliable=reliable) if not running}
    assert untimed <= {State.TERMINATED, State.PROCEEDING}
    if "non-INVITE" in table.name:
        assert untimed == {State.TERMINATED}


def test_the_timers_have_the_durations_of_the_rfc() -> None:
    timers = Timers()
    unreliable = {timer.value: first_duration(timer, timers, reliable=False) for timer in Timer}
    assert unreliable == {
        "A": 0.5,
        "B": 32.0,
        "D": 32.0,
        "E": 0.5,
        "F": 32.0,
        "G": 0.5,
        "H": 32.0,
        "I": 5.0,
        "J": 32.0,
        "K": 5.0,
        "L": 32.0,
        "M": 32.0,
        "100": 0.2,
        "1xx": 60.0,
        "2xx": 0.5,
        "ACK": 32.0,
        "CANCEL": 32.0,
        "expire": 32.0,
    }


def test_over_a_reliable_transport_only_a_2xx_is_repeated() -> None:
    timers = Timers()
    reliable = {timer.value: first_duration(timer, timers, reliable=True) for timer in Timer}
    assert {name for name, seconds in reliable.items() if seconds is None} == {"A", "E", "G"}
    assert {name for name, seconds in reliable.items() if seconds == 0} == {"D", "I", "J", "K"}
    assert reliable["2xx"] == 0.5


def test_intervals_double_up_to_t2_save_those_of_an_invite() -> None:
    timers = Timers()
    assert next_interval(Timer.E, 0.5, timers) == 1.0
    assert next_interval(Timer.E, 4.0, timers) == 4.0
    assert next_interval(Timer.G, 2.5, timers) == 4.0
    assert next_interval(Timer.A, 8.0, timers) == 16.0
