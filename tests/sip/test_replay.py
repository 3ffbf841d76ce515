"""A capture is enough to see a run again: same octets at same readings of the clock, same answers and events."""

import pytest

from custom_components.sip_ua.sip.agent import UserAgent

from .agents import ALICE, BOB, AgentEnd, direct_account, entropy, join
from .link import Faults, Link, Passage
from .test_agent_calls import answer_at_once


def call(seed: int) -> tuple[Link, AgentEnd]:
    """Let Alice call Bob, hold, resume and hang up over a bad network; return what went over it, and Bob."""
    link = Link(seed=seed, faults=Faults(loss=0.1, duplication=0.1, reordering=0.1, delay=(0.01, 0.1)))
    alice = join(link, direct_account("alice"), ALICE, seed=1)
    bob = join(link, direct_account("bob"), BOB, seed=2, on_event=answer_at_once)
    call_id = alice.dial(f"sip:bob@{BOB.host}")
    for command in ("hold", "resume", "hangup"):
        link.run_for(40)
        alice.command(command, call_id)
    link.run_until_quiet()
    return link, bob


def replay(capture: list[Passage], end: AgentEnd) -> list[tuple[object, bytes]]:
    """Give an end what came in, each at its time and the timers at theirs; return what it sends."""
    sent: list[tuple[object, bytes]] = []

    def drain(now: float) -> None:
        end.react(now)
        while sends := end.agent.sends():
            sent.extend((send.address, send.data) for send in sends)
            end.react(now)

    def run_timers(until: float) -> None:
        while (due := end.agent.next_timer()) is not None and due < until:
            end.agent.handle_timer(due)
            drain(due)

    arrivals = [(when, passage) for passage in capture if passage.destination == BOB for when in passage.arrivals]
    for when, passage in sorted(arrivals, key=lambda arrival: arrival[0]):
        run_timers(when)
        end.deliver(passage.data, passage.source, when)
        drain(when)
    run_timers(float("inf"))
    return sent


@pytest.mark.parametrize("seed", range(5))
def test_a_capture_gives_the_same_run_again(seed: int) -> None:
    link, bob = call(seed)
    again = AgentEnd(UserAgent(bob.agent.account, entropy=entropy(2)), BOB, Link(), on_event=answer_at_once)
    sent = [(passage.destination, passage.data) for passage in link.transcript if passage.source == BOB]
    assert len(sent) >= 5
    assert replay(link.transcript, again) == sent
    assert again.told == bob.told
