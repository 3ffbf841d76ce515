"""Calls between two user agents without a server, as the standards' flows have them (RFC 3261, RFC 3665 section 3)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
    CallStateChanged,
    DigitReceived,
    EndedBy,
    Event,
    IncomingCall,
)
from custom_components.sip_ua.sip.offer_answer import MediaDirection

from .agents import ALICE, BOB, AgentEnd, direct_account, entropy, join
from .link import Faults, Link

BOB_URI = f"sip:bob@{BOB.host}"


class Pair:
    """Alice and Bob on one link."""

    def __init__(self, *, seed: int = 0, faults: Faults | None = None) -> None:
        self.link = Link(seed=seed) if faults is None else Link(seed=seed, faults=faults)
        self.alice = join(self.link, direct_account("alice"), ALICE, seed=seed * 2 + 1)
        self.bob = join(self.link, direct_account("bob"), BOB, seed=seed * 2 + 2)

    def ring(self) -> str:
        """Let Alice call Bob until it rings."""
        call_id = self.alice.dial(BOB_URI)
        self.link.run_until(lambda: "<ringing" in self.alice.ladder)
        return call_id

    def talk(self) -> tuple[str, str]:
        """Let Bob answer, and return both names of the call."""
        call_id = self.ring()
        self.bob.command("answer", self.bob.incoming.id, self.bob.media)
        self.link.run_until(lambda: "<ack" in self.bob.ladder)
        return call_id, self.bob.incoming.id

    def settle(self) -> None:
        """Let every timer run out, and see that nothing is left."""
        self.link.run_until_quiet()
        for end in (self.alice, self.bob):
            assert not end.agent.calls
            assert end.agent.idle


@pytest.fixture
def pair() -> Pair:
    return Pair()


def answer_at_once(end: AgentEnd, event: Event, now: float) -> None:
    if isinstance(event, IncomingCall):
        end.agent.answer(event.call.id, end.media, now)


def test_a_call_goes_through_the_seven_steps(pair: Pair) -> None:
    call_id, _ = pair.talk()
    assert pair.alice.agent.calls[call_id].state is CallState.TALKING
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert pair.alice.ladder == [">invite", "<ringing", "<ok", ">ack", ">bye", "<bye_ok"]
    assert pair.bob.ladder == ["<invite", ">ringing", ">ok", "<ack", "<bye", ">bye_ok"]
    assert pair.alice.ended.outcome is CallOutcome.ANSWERED
    assert pair.alice.ended.ended_by is EndedBy.LOCAL
    assert pair.bob.ended.ended_by is EndedBy.REMOTE
    assert pair.link.labels() == ["INVITE", "180", "200", "ACK", "BYE", "200"]


@pytest.mark.parametrize(
    ("here", "there", "alice_uri", "bob_uri"),
    [
        (ALICE, BOB, "sip:alice@192.0.2.1", "sip:bob@192.0.2.2"),
        (
            replace(ALICE, host="2001:db8::1"),
            replace(BOB, host="2001:db8::2"),
            "sip:alice@[2001:db8::1]",
            "sip:bob@[2001:db8::2]",
        ),
    ],
    ids=["IPv4", "IPv6"],
)
def test_without_a_domain_we_are_known_by_our_address(
    here: Address, there: Address, alice_uri: str, bob_uri: str
) -> None:
    link = Link()
    alice = join(link, direct_account("alice", domain=""), here, 1)
    bob = join(link, direct_account("bob", domain=""), there, 2, answer_at_once)
    alice.dial(bob_uri)
    link.run_until(lambda: "<ack" in bob.ladder)
    (call,) = bob.agent.calls.values()
    assert call.remote.uri == alice_uri
    assert call.answered_by is not None
    assert call.answered_by.uri == bob_uri


def test_who_is_called_by_an_address_has_the_number_in_it(pair: Pair) -> None:
    call_id = pair.ring()
    call = pair.alice.agent.calls[call_id]
    assert (call.remote.number, call.remote.uri, call.called) == ("bob", BOB_URI, BOB_URI)


def test_the_called_party_can_hang_up(pair: Pair) -> None:
    _, bobs = pair.talk()
    pair.bob.command("hangup", bobs)
    pair.settle()
    assert pair.alice.ended.ended_by is EndedBy.REMOTE
    assert pair.alice.ladder[-2:] == ["<bye", ">bye_ok"]


def test_both_ends_agree_on_voice_and_stop_it_at_the_end(pair: Pair) -> None:
    call_id, _ = pair.talk()
    assert pair.alice.voice is not None
    assert pair.bob.voice is not None
    assert pair.alice.voice.codec.name == pair.bob.voice.codec.name == "PCMA"
    assert pair.alice.voice.remote_address == BOB.host
    pair.alice.command("hangup", call_id)
    pair.link.run_for(1)
    assert [end.voice for end in (pair.alice, pair.bob)] == [None, None]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (486, CallOutcome.BUSY),
        (600, CallOutcome.BUSY),
        (603, CallOutcome.DECLINED),
        (480, CallOutcome.NO_ANSWER),
        (404, CallOutcome.UNREACHABLE),
        (500, CallOutcome.FAILED),
    ],
)
def test_a_rejected_call_has_an_outcome(pair: Pair, code: int, outcome: CallOutcome) -> None:
    pair.ring()
    pair.bob.command("reject", pair.bob.incoming.id, code)
    pair.settle()
    assert pair.alice.ended.outcome is outcome
    assert pair.alice.ended.code == code
    assert pair.link.sent("ACK", ALICE), "a refusal must be acknowledged"


def test_a_call_can_be_cancelled_while_it_rings(pair: Pair) -> None:
    call_id = pair.ring()
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.CANCELLED
    assert pair.alice.ended.code == 487
    assert pair.bob.ended.outcome is CallOutcome.MISSED
    assert pair.link.labels()[2:] == ["CANCEL", "200", "487", "ACK"]


def test_cancel_before_any_answer_waits_for_the_first_one(pair: Pair) -> None:
    call_id = pair.alice.dial(BOB_URI)
    pair.alice.command("hangup", call_id)
    assert not pair.link.sent("CANCEL")
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.CANCELLED
    assert pair.link.sent("CANCEL")


def test_cancel_crossing_200_is_acknowledged_and_hung_up(pair: Pair) -> None:
    call_id = pair.ring()
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.alice.command("hangup", call_id)
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.CANCELLED
    assert [label for label in pair.link.labels(ALICE) if label != "200"] == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert pair.bob.ended.ended_by is EndedBy.REMOTE


def test_bye_crossing_bye_ends_the_call_once_on_both_sides(pair: Pair) -> None:
    alices, bobs = pair.talk()
    pair.alice.command("hangup", alices)
    pair.bob.command("hangup", bobs)
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.ANSWERED
    assert pair.bob.ended.outcome is CallOutcome.ANSWERED


def test_a_call_nobody_answers_ends_after_the_ring_time_out(pair: Pair) -> None:
    pair.alice.dial(BOB_URI, ring_timeout=20)
    pair.link.run_for(19)
    assert pair.alice.agent.calls
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.NO_ANSWER
    assert pair.bob.ended.outcome is CallOutcome.MISSED


def test_a_phone_may_ring_longer_than_timer_b(pair: Pair) -> None:
    pair.alice.agent.dial(BOB_URI, pair.alice.media, pair.link.now, ring_timeout=100)
    pair.alice.react(pair.link.now)
    pair.link.run_for(50)
    assert pair.alice.agent.calls
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.alice.ladder[-1] == ">ack"


def test_a_peer_that_is_not_there_makes_the_call_unreachable(pair: Pair) -> None:
    pair.alice.dial("sip:carol@192.0.2.99")
    pair.link.run_for(40)
    assert pair.alice.ended.outcome is CallOutcome.UNREACHABLE
    assert "192.0.2.99 port 5060 over UDP" in pair.alice.ended.reason


def test_a_name_that_is_not_found_is_told(pair: Pair) -> None:
    pair.alice.dial("sip:carol@nowhere.example")
    assert pair.alice.ended.outcome is CallOutcome.UNREACHABLE
    assert "nowhere.example" in pair.alice.ended.reason


@pytest.mark.parametrize(
    "target", ["", " ", "12345", "mailto:bob@example.com", "sip:", "bob@", "x" * 300, "sip:a\r\nb@c"]
)
def test_what_cannot_be_dialled_is_refused_at_once(pair: Pair, target: str) -> None:
    with pytest.raises(LocalProtocolError):
        pair.alice.agent.dial(target, pair.alice.media, pair.link.now)
    assert not pair.alice.agent.calls


def test_hold_and_resume_change_the_direction_on_both_sides(pair: Pair) -> None:
    alices, bobs = pair.talk()
    pair.alice.command("hold", alices)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[alices].state is CallState.HELD
    assert pair.bob.agent.calls[bobs].state is CallState.REMOTE_HELD
    assert pair.alice.voice is not None
    assert pair.alice.voice.direction is MediaDirection.SENDONLY
    pair.alice.command("resume", alices)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[alices].state is CallState.TALKING
    assert pair.bob.agent.calls[bobs].state is CallState.TALKING


@pytest.mark.parametrize("first", ["alice", "bob"])
def test_both_hold_and_whoever_comes_back_first_waits_for_the_other(pair: Pair, first: str) -> None:
    alices, bobs = pair.talk()
    calls = {"alice": (pair.alice, alices), "bob": (pair.bob, bobs)}

    def do(name: str, who: str) -> list[CallState]:
        home, call_id = calls[who]
        home.command(name, call_id)
        pair.link.run_for(3)
        return [home.agent.calls[call_id].state for home, call_id in (calls[first], calls[second])]

    second = "bob" if first == "alice" else "alice"
    assert do("hold", "alice") == [CallState.HELD, CallState.REMOTE_HELD][:: 1 if first == "alice" else -1]
    assert do("hold", "bob") == [CallState.HELD, CallState.HELD]
    assert sum(b"a=inactive" in passage.data for passage in pair.link.transcript) == 2, "an offer and its answer"
    assert do("resume", first) == [CallState.REMOTE_HELD, CallState.HELD]
    assert do("resume", second) == [CallState.TALKING, CallState.TALKING]
    assert pair.alice.voice is not None
    assert pair.alice.voice.direction is MediaDirection.SENDRECV


def test_glare_is_resolved_by_waiting(pair: Pair) -> None:
    alices, bobs = pair.talk()
    pair.alice.command("hold", alices)
    pair.bob.command("hold", bobs)
    pair.link.run_for(10)
    assert pair.link.sent("491"), "both offers must have met"
    assert pair.alice.agent.calls[alices].state is CallState.HELD
    assert pair.bob.agent.calls[bobs].state is CallState.HELD
    assert pair.alice.voice is not None
    assert pair.alice.voice.direction is MediaDirection.INACTIVE


def test_a_lost_ack_makes_the_200_repeat_and_the_call_lives_on(pair: Pair) -> None:
    pair.link.lose("ACK", times=2)
    alices, bobs = pair.talk()
    pair.link.run_for(40)
    assert len(pair.link.sent("200", BOB)) == 3
    assert pair.alice.agent.calls[alices].state is CallState.TALKING
    assert pair.bob.agent.calls[bobs].state is CallState.TALKING


def test_an_answer_that_is_never_acknowledged_ends_the_call(pair: Pair) -> None:
    pair.link.lose("ACK", times=100)
    pair.ring()
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(40)
    assert pair.bob.ended.code == 408
    assert pair.link.sent("BYE", BOB)


def test_an_invite_that_is_repeated_rings_once(pair: Pair) -> None:
    pair.link.lose("180", times=2)
    pair.ring()
    assert len(pair.link.sent("INVITE")) == 3
    assert len(pair.bob.events(IncomingCall)) == 1


def test_what_people_are_shown_of_an_invite_can_also_be_read_when_the_call_is_over(pair: Pair) -> None:
    pair.ring()
    (event,) = pair.bob.events(IncomingCall)
    shown = event.headers
    pair.alice.command("hangup", next(iter(pair.alice.agent.calls)))
    pair.link.run_for(1)
    assert pair.bob.ended.ended_by is EndedBy.REMOTE
    assert dict(shown)["User-Agent"]
    assert event.headers == shown


def test_two_calls_at_once_keep_their_own_states(pair: Pair) -> None:
    first = pair.alice.dial(BOB_URI)
    pair.link.run_for(1)
    second = pair.alice.dial(BOB_URI)
    pair.link.run_for(1)
    one, two = pair.bob.events(IncomingCall)
    pair.bob.command("answer", one.call.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[first].state is CallState.TALKING
    assert pair.alice.agent.calls[second].state is CallState.ALERTING
    pair.alice.command("hangup", first)
    pair.link.run_for(1)
    assert list(pair.alice.agent.calls) == [second]
    assert list(pair.bob.agent.calls) == [two.call.id]


def test_no_common_codec_is_refused_with_488_and_a_warning() -> None:
    pair = Pair()
    pair.bob.agent._core.account = replace(pair.bob.agent.account, codecs=("PCMU",))  # noqa: SLF001
    pair.alice.codecs = ("PCMA",)
    pair.alice.dial(BOB_URI)
    pair.settle()
    assert pair.alice.ended.code == 488
    assert b"Warning: 305" in pair.link.sent("488")[0].data
    assert not pair.bob.events(IncomingCall)


def test_the_session_timer_refreshes_a_long_call(pair: Pair) -> None:
    alices, _ = pair.talk()
    pair.link.run_for(1000)
    assert len(pair.link.sent("UPDATE", ALICE)) == 1
    pair.link.run_for(1000)
    assert pair.alice.agent.calls[alices].state is CallState.TALKING


def test_a_far_end_that_vanished_is_noticed_by_the_session_timer(pair: Pair) -> None:
    pair.talk()
    pair.link.lose(lambda passage: passage.source == ALICE, times=10_000)
    pair.link.run_for(1850)
    assert pair.bob.ended.reason == "session timer expired"


def test_digits_by_info_are_told(pair: Pair) -> None:
    _, bobs = pair.talk()
    invite = pair.link.sent("INVITE")[0].data.decode()
    tag = pair.link.sent("200", BOB)[0].data.decode().split("To: ")[1].split("tag=")[1].split("\r\n")[0]
    lines = invite.split("\r\n")
    kept = [line for line in lines if line.split(":")[0] in {"From", "Call-ID", "Max-Forwards"}]
    to = next(line for line in lines if line.startswith("To:"))
    body = "Signal=5\r\nDuration=160\r\n"
    info = "\r\n".join(
        [
            f"INFO {BOB_URI} SIP/2.0",
            f"Via: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bKinfo",
            *kept,
            f"{to};tag={tag}",
            "CSeq: 77 INFO",
            "Content-Type: application/dtmf-relay",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
    )
    pair.bob.deliver(info.encode(), ALICE, pair.link.now)
    pair.bob.react(pair.link.now)
    (digit,) = pair.bob.events(DigitReceived)
    assert (digit.digit, digit.duration, digit.call.id) == ("5", 160, bobs)


@pytest.mark.parametrize("seed", range(60))
def test_calls_are_set_up_and_torn_down_whatever_the_network_does(seed: int) -> None:
    faults = Faults(loss=0.2, duplication=0.2, reordering=0.3, delay=(0.01, 0.3))
    pair = Pair(seed=seed, faults=faults)
    pair.bob.on_event = answer_at_once
    call_id = pair.alice.dial(BOB_URI)
    pair.link.run_until(lambda: ">ack" in pair.alice.ladder, within=60)
    pair.link.run_for(2)
    if seed % 2:
        pair.alice.command("hangup", call_id)
    else:
        pair.bob.command("hangup", pair.bob.incoming.id)
    pair.settle()
    assert pair.alice.ended.outcome is CallOutcome.ANSWERED
    assert pair.bob.ended.outcome is CallOutcome.ANSWERED
    assert len(pair.bob.events(IncomingCall)) == 1


def test_states_of_a_caller_come_in_order(pair: Pair) -> None:
    alices, _ = pair.talk()
    pair.alice.command("hangup", alices)
    pair.settle()
    states = [event.call.state for event in pair.alice.events(CallStateChanged)]
    assert states == [CallState.DIALING, CallState.ALERTING, CallState.TALKING]


def test_a_direct_call_goes_by_the_transport_of_the_account(pair: Pair) -> None:
    agent = UserAgent(direct_account("carol", transport=Transport.TCP), entropy=entropy(3))
    agent.dial(BOB_URI, pair.alice.media, 0.0)
    assert [lookup.transport for lookup in agent.lookups()] == [Transport.TCP]
    agent.dial(f"{BOB_URI};transport=udp", pair.alice.media, 0.0)
    assert [lookup.transport for lookup in agent.lookups()] == [Transport.UDP]
