"""Too much to do: new calls are refused early and cheaply, all else goes on (RFC 3261 section 21.5.4, RFC 7339)."""

import pytest

from custom_components.sip_ua.sip.address import Hop, HostPort
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, IncomingCall, RegistrationState
from custom_components.sip_ua.sip.message import Response, parse_message
from custom_components.sip_ua.sip.overload import LATE, MEMORY, PACES, Overload
from custom_components.sip_ua.sip.transaction import MAX_UNANSWERED, OVERLOAD_RETRY_AFTER

from .agents import ALICE
from .homes import Home
from .registrar import SERVER
from .test_strangers import message, offering

VERY_LATE, ONE = PACES[0]


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

    def answers(self, label: str) -> list[Response]:
        """Return the answers with a status that left so far."""
        self.link.run_for(0)
        answers = [parse_message(passage.data) for passage in self.link.sent(label, ALICE)]
        return [answer for answer in answers if isinstance(answer, Response)]


@pytest.mark.parametrize(("late", "most"), PACES)
def test_the_later_we_are_the_fewer_calls_begin_in_a_second(late: float, most: int) -> None:
    home = LateHome()
    assert home.call(100, late) == most
    home.link.run_for(1.1)
    assert home.call(100, late, start=1000) == most


def test_what_is_refused_has_the_time_to_try_again_and_is_not_remembered() -> None:
    home = LateHome()
    home.call(ONE, VERY_LATE)
    before = home.alice.agent._core.layer.active  # noqa: SLF001 - seen nowhere else
    assert home.call(10, VERY_LATE, start=100) == 0
    refused = home.answers("503")
    assert len(refused) == 10
    assert {answer.headers.get("Retry-After") for answer in refused} == {str(OVERLOAD_RETRY_AFTER)}
    assert home.alice.agent.counters.overloads == 10
    assert home.alice.agent._core.layer.active == before  # noqa: SLF001 - seen nowhere else
    home.link.run_for(40)
    assert len(home.answers("503")) == 10, "it is not repeated by itself"


@pytest.mark.parametrize("late", [None, 0.0, LATE - 0.01])
def test_who_is_hardly_late_takes_every_call(late: float | None) -> None:
    assert LateHome().call(MAX_UNANSWERED // 2, late) == MAX_UNANSWERED // 2


def test_a_single_call_is_taken_however_late_we_are() -> None:
    home = LateHome()
    assert home.call(1, 3600) == 1


def test_calls_in_progress_go_on() -> None:
    home = LateHome()
    home.call(1)
    call = home.alice.incoming
    home.link.run_for(0.1)
    assert home.call(5, VERY_LATE, start=100) == 0
    home.get(offering(0, source=SERVER), VERY_LATE)
    assert len(home.answers("180")) == 2, "a call that rings is told so again"
    home.alice.command("answer", call.id, home.alice.media)
    tag = f";tag={home.answers('200')[-1].to.tag}"
    home.get(message("ACK", 0, source=SERVER, tag=tag).replace(b"CSeq: 2", b"CSeq: 1"), VERY_LATE)
    hold = message("INVITE", 0, source=SERVER, tag=tag)
    home.get(hold, VERY_LATE)
    home.get(message("ACK", 0, source=SERVER, tag=tag), VERY_LATE)
    assert len(home.answers("200")) == 2
    home.get(message("BYE", 0, source=SERVER, tag=tag).replace(b"CSeq: 2", b"CSeq: 3"), VERY_LATE)
    (ended,) = home.alice.events(CallEnded)
    assert ended.call.outcome is CallOutcome.ANSWERED


def test_who_takes_the_place_of_a_call_and_who_asks_what_we_can_do_is_heard() -> None:
    home = LateHome()
    home.call(ONE, VERY_LATE)
    home.get(offering(100, "Replaces: unknown;to-tag=a;from-tag=b", source=SERVER), VERY_LATE)
    assert [answer.call_id for answer in home.answers("481")] == ["100"]
    home.get(message("OPTIONS", 101, source=SERVER), VERY_LATE)
    assert [answer.call_id for answer in home.answers("200")] == ["101"]


def test_the_registration_is_kept_up() -> None:
    home = LateHome()
    home.call(20, VERY_LATE)
    before = len(home.server.registers())
    home.alice.command("network_changed")
    home.link.run_for(1)
    assert len(home.server.registers()) > before
    assert home.state is RegistrationState.REGISTERED


def test_a_timer_that_is_overdue_tells_as_well() -> None:
    home = LateHome()
    home.call(1)
    due = home.alice.agent.next_timer()
    assert due is not None
    home.link.now = due + VERY_LATE
    home.alice.agent.handle_timer(home.link.now)
    assert home.call(10, start=100) == ONE
    home.link.run_for(MEMORY + 0.1)
    assert home.call(10, start=200) == 10, "what was late is forgotten"


def test_too_many_calls_at_once_are_refused_for_the_moment() -> None:
    home = LateHome()
    assert home.call(MAX_UNANSWERED + 10) == MAX_UNANSWERED
    assert len(home.answers("503")) == 10


def test_what_a_second_holds_is_all_that_is_remembered() -> None:
    overload = Overload()
    for number in range(10_000):
        overload.call_begins(number / 10_000)
    overload.tell(LATE, 1.0)
    assert overload.refuses_calls(1.0)
    assert not overload.refuses_calls(1.0 + MEMORY)
