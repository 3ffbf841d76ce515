"""Too much to do: new calls are refused early and cheaply, all else goes on (RFC 3261 section 21.5.4, RFC 7339)."""

import pytest

from custom_components.sip_ua.sip.address import Hop, HostPort
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, IncomingCall, RegistrationState
from custom_components.sip_ua.sip.message import Response, parse_message
from custom_components.sip_ua.sip.overload import LATE, MEMORY, MOST, PATIENCE, Overload
from custom_components.sip_ua.sip.transaction import MAX_UNANSWERED, OVERLOAD_RETRY_AFTER

from .agents import ALICE
from .homes import Home
from .registrar import SERVER
from .test_strangers import message, offering

VERY_LATE = 4.0


class LateHome(Home):
    """Alice's telephone, registered, in a machine that is late."""

    def __init__(self) -> None:
        super().__init__()
        self.start(5)
        assert self.state is RegistrationState.REGISTERED

    def get(self, data: bytes, late: float | None = None) -> None:
        """Let Alice read what waited for so long."""
        self.alice.agent.receive(data, Hop(SERVER, HostPort(ALICE.host, ALICE.port)), self.link.now, late=late)
        self.alice.react(self.link.now)

    def call(self, count: int, late: float | None = None, *, start: int = 0) -> int:
        """Let so many calls come in at one moment, and return how many of them ring."""
        before = len(self.alice.events(IncomingCall))
        for number in range(start, start + count):
            self.get(offering(number, source=SERVER), late)
        return len(self.alice.events(IncomingCall)) - before

    def be_late(self, seconds: float = 20, late: float = VERY_LATE) -> None:
        """Let so much time pass in which whatever comes has waited for long."""
        end = self.link.now + seconds
        while self.link.now < end:
            self.link.run_for(0.25)
            self.get(message("OPTIONS", int(self.link.now * 100), source=SERVER), late)

    def answers(self, label: str) -> list[Response]:
        """Return the answers with a status that left so far."""
        self.link.run_for(0)
        answers = [parse_message(passage.data) for passage in self.link.sent(label, ALICE)]
        return [answer for answer in answers if isinstance(answer, Response)]


def test_the_longer_we_are_late_the_more_calls_are_refused_but_never_all() -> None:
    home = LateHome()
    home.be_late(PATIENCE)
    few = home.call(100, VERY_LATE)
    home.be_late(1)
    fewer = home.call(100, VERY_LATE, start=1000)
    home.be_late(20)
    least = home.call(200, VERY_LATE, start=2000)
    assert 80 < few <= 100
    assert 30 < fewer < few
    assert 1 <= least < 0.2 * 200


def test_once_we_are_on_time_again_calls_are_taken_again() -> None:
    home = LateHome()
    home.be_late()
    home.call(1, VERY_LATE)
    home.be_late(4, late=0)
    some = home.call(50, 0, start=1000)
    home.be_late(4, late=0)
    assert 5 < some < 45
    assert home.call(50, 0, start=2000) == 50


def test_what_is_refused_has_the_time_to_try_again_and_is_not_remembered() -> None:
    home = LateHome()
    home.be_late()
    before = home.alice.agent._core.layer.active  # noqa: SLF001 - seen nowhere else
    rung = home.call(100, VERY_LATE)
    refused = home.answers("503")
    assert len(refused) == 100 - rung > 80
    assert {answer.headers.get("Retry-After") for answer in refused} == {str(OVERLOAD_RETRY_AFTER)}
    assert home.alice.agent.counters.overloads == 100 - rung
    assert home.alice.agent._core.layer.active - before == rung  # noqa: SLF001 - seen nowhere else
    home.link.run_for(40)
    assert len(home.answers("503")) == 100 - rung, "it is not repeated by itself"


def test_a_call_that_was_refused_is_refused_again_however_often_it_is_repeated() -> None:
    home = LateHome()
    home.be_late()
    rung = home.call(50, VERY_LATE)
    for _ in range(3):
        assert home.call(50, VERY_LATE) == 0
    assert home.alice.agent.counters.overloads == 4 * (50 - rung)


@pytest.mark.parametrize("late", [None, 0.0, LATE - 0.01])
def test_who_is_hardly_late_takes_every_call(late: float | None) -> None:
    home = LateHome()
    home.be_late(10, late or 0)
    assert home.call(MAX_UNANSWERED // 2, late) == MAX_UNANSWERED // 2


def test_a_machine_that_stood_still_for_a_moment_takes_all_that_waited() -> None:
    home = LateHome()
    assert sum(home.call(1, 1.5 - number / 200, start=number) for number in range(200)) == 200


def test_a_single_call_is_taken_however_late_we_are() -> None:
    home = LateHome()
    home.be_late()
    for number in range(20):
        assert home.call(1, VERY_LATE, start=number) == 1
        home.be_late(1)


def test_calls_in_progress_go_on() -> None:
    home = LateHome()
    home.call(1)
    call = home.alice.incoming
    home.link.run_for(0.1)
    home.be_late()
    assert home.call(50, VERY_LATE, start=100) < 10
    home.get(offering(0, source=SERVER), VERY_LATE)
    assert [answer.call_id for answer in home.answers("180")].count("0") == 2, "a call that rings is told so again"
    home.alice.command("answer", call.id, home.alice.media)
    tag = f";tag={home.answers('200')[-1].to.tag}"
    home.get(message("ACK", 0, source=SERVER, tag=tag).replace(b"CSeq: 2", b"CSeq: 1"), VERY_LATE)
    hold = message("INVITE", 0, source=SERVER, tag=tag)
    home.get(hold, VERY_LATE)
    home.get(message("ACK", 0, source=SERVER, tag=tag), VERY_LATE)
    assert [answer.call_id for answer in home.answers("200")].count("0") == 2
    home.get(message("BYE", 0, source=SERVER, tag=tag).replace(b"CSeq: 2", b"CSeq: 3"), VERY_LATE)
    (ended,) = home.alice.events(CallEnded)
    assert ended.call.outcome is CallOutcome.ANSWERED


def test_who_takes_the_place_of_a_call_is_heard() -> None:
    home = LateHome()
    home.be_late()
    home.call(1, VERY_LATE)
    for number in range(100, 120):
        home.get(offering(number, "Replaces: unknown;to-tag=a;from-tag=b", source=SERVER), VERY_LATE)
    assert len(home.answers("481")) == 20


def test_the_registration_is_kept_up() -> None:
    home = LateHome()
    home.be_late()
    home.call(20, VERY_LATE)
    before = len(home.server.registers())
    home.alice.command("network_changed")
    home.link.run_for(1)
    assert len(home.server.registers()) > before
    assert home.state is RegistrationState.REGISTERED


def test_timers_that_are_overdue_tell_as_well() -> None:
    overload = Overload()
    overload.call_begins(9.9)
    for number in range(100):
        overload.message_waited(0, number / 10)
        overload.timer_fired(VERY_LATE, number / 10)
    refused = [overload.refuses(str(number), 10) for number in range(1000)]
    assert MOST - 0.05 < refused.count(True) / 1000 < MOST + 0.05


def test_what_was_late_is_forgotten_where_nothing_is_told() -> None:
    overload = Overload()
    overload.message_waited(VERY_LATE, 0)
    overload.message_waited(VERY_LATE, PATIENCE + MEMORY)
    overload.call_begins(PATIENCE + MEMORY)
    assert not any(overload.refuses(str(number), PATIENCE + MEMORY) for number in range(100))


def test_too_many_calls_at_once_are_refused_for_the_moment() -> None:
    home = LateHome()
    assert home.call(MAX_UNANSWERED + 10) == MAX_UNANSWERED
    assert len(home.answers("503")) == 10
