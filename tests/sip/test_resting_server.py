"""A server that wants to be asked nothing for a time (RFC 3261 section 21.5.4)."""

import pytest

from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.events import CallEnded, CallOutcome, EndedBy
from custom_components.sip_ua.sip.message import Request

from .agents import ALICE, AgentEnd, join
from .homes import SECOND, account
from .link import Link
from .registrar import NAME, SERVER
from .responder import Responder, answer
from .test_agent_forks import ok_to_all


class Rested:
    """A telephone whose server answers the first call with 503 and a time."""

    def __init__(self, seconds: int = 30, made: Account | None = None) -> None:
        self.link = Link()
        self.alice: AgentEnd = join(self.link, made or account(), ALICE)
        self.alice.names[NAME] = [SERVER]
        self.seconds = seconds
        self.server = Responder(self.link, SERVER, self.script)
        self.dial("200")

    def script(self, request: Request) -> list[bytes]:
        if request.method == "INVITE" and "200@" in request.uri:
            return [answer(request, 503, "x", Retry_After=str(self.seconds))]
        return ok_to_all(request)

    def dial(self, number: str) -> CallEnded | None:
        """Return how the call ended, if it did."""
        before = len(self.alice.events(CallEnded))
        self.alice.dial(number)
        self.link.run_for(0.5)
        ended = self.alice.events(CallEnded)[before:]
        return ended[0] if ended else None

    def asked(self, number: str) -> bool:
        return any(f"sip:{number}@" in request.uri for request in self.server.asked)


def test_the_next_call_is_refused_at_once_and_says_for_how_long() -> None:
    home = Rested(30)
    home.link.run_for(9.5)
    ended = home.dial("201")
    assert ended is not None
    assert (ended.call.outcome, ended.call.ended_by, ended.call.code) == (
        CallOutcome.UNREACHABLE,
        EndedBy.LOCAL,
        503,
    )
    assert ended.call.reason == "the server wants no calls for another 21 s"
    assert not home.asked("201")


def test_once_the_time_is_over_calls_go_out_again() -> None:
    home = Rested(30)
    home.link.run_for(30)
    home.dial("201")
    assert home.asked("201")


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_server_that_names_no_time_is_called_again_at_once(seconds: int) -> None:
    home = Rested(seconds)
    home.dial("201")
    assert home.asked("201")


def test_another_server_takes_the_call() -> None:
    home = Rested(30)
    other = Responder(home.link, SECOND, ok_to_all)
    home.alice.names[NAME] = [SERVER, SECOND]
    home.dial("201")
    assert not home.asked("201")
    assert [request.uri for request in other.asked if request.method == "INVITE"] == [f"sip:201@{NAME}"]


@pytest.mark.parametrize("number", ["112", "110", "911", "0112", "sip:112@sip.example"])
def test_a_call_for_help_goes_out_whatever_the_server_wants(number: str) -> None:
    home = Rested(30)
    home.dial(number)
    assert home.asked(number.removeprefix("sip:").partition("@")[0])


def test_a_server_that_takes_a_registration_may_be_called() -> None:
    home = Rested(3600)
    home.alice.command("register")
    home.link.run_for(1)
    home.dial("201")
    assert home.asked("201")
