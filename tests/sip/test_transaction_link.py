"""Transactions of two users over a network that loses, repeats and reorders (RFC 3261 section 17)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.sip_ua.sip.indications import Indication
from custom_components.sip_ua.sip.transaction import (
    AckMissing,
    AckReceived,
    CancelReceived,
    ClientTransaction,
    RequestReceived,
    ResponseReceived,
    ServerTransaction,
    State,
    StrayResponse,
    TransactionTimedOut,
)

from .link import Faults, Link
from .transactions import ALICE, ALICE_TCP, BOB, BOB_TCP, User, make_request

networks = st.builds(
    Faults,
    loss=st.floats(0, 0.6),
    duplication=st.floats(0, 0.5),
    reordering=st.floats(0, 0.5),
    detour=st.floats(0, 2.0),
    delay=st.sampled_from([(0.0, 0.001), (0.01, 0.08), (0.3, 0.35)]),
)
seeds = st.integers(0, 2**32)


@dataclass(frozen=True)
class Plan:
    """How Bob deals with a request: how long he lets Alice wait, and what he says before and then."""

    final: int = 200
    patience: float = 0.0
    provisional: int | None = None


plans = st.builds(
    Plan,
    final=st.sampled_from([200, 202, 302, 401, 486, 503, 603]),
    patience=st.sampled_from([0.0, 0.1, 0.5, 3.0, 20.0, 40.0, 100.0]),
    provisional=st.sampled_from([None, 100, 180, 183]),
)


class Alice(User):
    """Sends requests, and acknowledges every 2xx to an INVITE, late ones too."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, ALICE, ALICE_TCP)
        self.act = self._act
        self._link = link

    def send(self, method: str, number: int, *, tcp: bool = False) -> ClientTransaction:
        via = f"SIP/2.0/{'TCP' if tcp else 'UDP'} 192.0.2.1:5060;branch=z9hG4bK{method}{number}"
        request = make_request(method, call_id=f"call-{number}", via=via)
        return self.layer.request(request, BOB_TCP if tcp else BOB, self._link.now)

    def cancel(self, transaction: ClientTransaction, now: float) -> None:
        if transaction.state in {State.CALLING, State.PROCEEDING}:
            self.layer.cancel(transaction, now)

    def outcomes(self, transaction: ClientTransaction) -> list[str]:
        """Return final answers and time-outs of a request; the repetitions of a 2xx count as one."""
        found: list[str] = []
        for told in self.told:
            if isinstance(told, TransactionTimedOut) and told.transaction is transaction:
                found.append("timeout")
            elif isinstance(told, ResponseReceived) and told.transaction is transaction and told.response.status >= 200:
                found.append(str(told.response.status))
        repeated = transaction.request.method == "INVITE" and found and found[0].startswith("2")
        return sorted(set(found)) if repeated else found

    def _act(self, indication: Indication, _now: float) -> None:
        match indication:
            case ResponseReceived(transaction, response):
                destination = transaction.destination
            case StrayResponse(response, source):
                destination = source
            case _:
                return
        if response.cseq.method == "INVITE" and 200 <= response.status < 300:
            branch = f"z9hG4bKack{response.call_id}"
            ack = make_request("ACK", call_id=response.call_id, branch=branch, to_tag=response.to.tag)
            self.layer.send_ack(ack, destination)


class Bob(User):
    """Answers by plan, a CANCEL by 487, and takes ACKs."""

    def __init__(self, link: Link, plan: Plan) -> None:
        super().__init__(link, BOB, BOB_TCP)
        self.act = self._act
        self.plan = plan
        self.seen: Counter[str] = Counter()
        self.acked: set[ServerTransaction] = set()
        self._link = link

    def respond(self, transaction: ServerTransaction, status: int, now: float) -> None:
        if transaction.state in {State.TRYING, State.PROCEEDING}:
            self.layer.respond(transaction, transaction.request.create_response(status, to_tag="bob"), now)

    def _act(self, indication: Indication, now: float) -> None:
        match indication:
            case RequestReceived(transaction, request):
                self.seen[f"{request.method} {request.call_id}"] += 1
                if self.plan.provisional is not None:
                    self.respond(transaction, self.plan.provisional, now)
                self._link.after(self.plan.patience, lambda later: self.respond(transaction, self.plan.final, later))
            case CancelReceived(transaction):
                self.respond(transaction, 487, now)
            case AckReceived(_, ServerTransaction() as transaction):
                self.acked.add(transaction)
                self.layer.acked(transaction, now)
            case _:
                pass


def _nothing_is_left(*users: User) -> None:
    for user in users:
        assert user.layer.active == 0
        assert user.layer.next_timer() is None
        assert not user.layer.sends()


@given(seed=seeds, faults=networks, plan=plans, tcp=st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_request_ends_once_whatever_the_network_does(seed: int, faults: Faults, plan: Plan, tcp: bool) -> None:
    link = Link(seed=seed, faults=faults)
    alice, bob = Alice(link), Bob(link, plan)
    requests = [alice.send("REGISTER", number, tcp=tcp) for number in range(5)]
    link.run_until_quiet()
    for transaction in requests:
        assert alice.outcomes(transaction) in ([str(plan.final)], ["timeout"])
    assert all(times == 1 for times in bob.seen.values())
    if plan.patience < 20 and (tcp or not faults.loss):
        assert [alice.outcomes(transaction) for transaction in requests] == [[str(plan.final)]] * 5
    _nothing_is_left(alice, bob)


@given(seed=seeds, faults=networks, plan=plans, tcp=st.booleans())
@settings(max_examples=80, deadline=None)
def test_every_invite_ends_once_whatever_the_network_does(seed: int, faults: Faults, plan: Plan, tcp: bool) -> None:
    link = Link(seed=seed, faults=faults)
    alice, bob = Alice(link), Bob(link, plan)
    invites = [alice.send("INVITE", number, tcp=tcp) for number in range(3)]
    link.run_until_quiet()
    for transaction in invites:
        outcome = alice.outcomes(transaction)
        assert len(outcome) <= 1
        # Nothing but silence after a provisional answer, when every repetition of the final one is lost, may go on.
        assert outcome in ([str(plan.final)], ["timeout"], [])
        assert outcome or transaction.state is State.PROCEEDING
    assert all(times == 1 for times in bob.seen.values())
    if tcp or not faults.loss:
        assert [alice.outcomes(transaction) for transaction in invites] == [[str(plan.final)]] * 3
        assert not bob.told_of(AckMissing)
    missing = {told.transaction for told in bob.told_of(AckMissing)}
    for told in bob.told_of(RequestReceived):
        assert told.transaction.state is State.TERMINATED
        if plan.final < 300:
            assert told.transaction in bob.acked | missing


@given(seed=seeds, faults=networks, plan=plans, moment=st.sampled_from([0.0, 0.001, 0.1, 0.49, 3.0, 3.01, 45.0]))
@settings(max_examples=80, deadline=None)
def test_every_cancelled_invite_ends_once(seed: int, faults: Faults, plan: Plan, moment: float) -> None:
    link = Link(seed=seed, faults=faults)
    alice, bob = Alice(link), Bob(link, plan)
    invite = alice.send("INVITE", 1)
    link.after(moment, lambda now: alice.cancel(invite, now))
    link.run_until_quiet()
    outcome = alice.outcomes(invite)
    assert outcome in ([str(plan.final)], ["487"], ["timeout"], [])
    if not outcome:
        # The final answer was lost for good before anybody wanted to cancel.
        assert invite.state is State.PROCEEDING
    else:
        _nothing_is_left(alice, bob)
    assert bob.seen["INVITE call-1"] <= 1
    assert len(bob.told_of(CancelReceived)) <= 1


@pytest.mark.parametrize("loss", [0.05, 0.1, 0.2])
def test_of_a_hundred_calls_over_a_bad_network_every_one_is_set_up_and_torn_down(loss: float) -> None:
    faults = Faults(loss=loss, duplication=loss, reordering=loss, detour=0.3, delay=(0.3, 0.31))
    link = Link(seed=int(loss * 100), faults=faults)
    alice, bob = Alice(link), Bob(link, Plan(provisional=180, patience=2.0))
    invites = [alice.send("INVITE", number) for number in range(100)]
    link.run_for(100)
    byes = [alice.send("BYE", number) for number in range(100)]
    link.run_until_quiet()
    assert [alice.outcomes(invite) for invite in invites] == [["200"]] * 100
    assert [alice.outcomes(bye) for bye in byes] == [["200"]] * 100
    assert set(bob.seen.values()) == {1}
    assert len(bob.acked) == 100
    _nothing_is_left(alice, bob)


def test_a_lost_ack_makes_the_200_repeat_and_the_call_live_on() -> None:
    link = Link()
    alice, bob = Alice(link), Bob(link, Plan())
    invite = alice.send("INVITE", 1)
    link.lose("ACK", times=2)
    link.run_for(40)
    assert alice.outcomes(invite) == ["200"]
    assert link.labels(BOB) == ["200", "200", "200"]
    assert link.labels(ALICE) == ["INVITE", "ACK", "ACK", "ACK"]
    assert len(bob.acked) == 1
    assert not bob.told_of(AckMissing)


def test_a_lost_ack_to_a_refusal_makes_the_refusal_repeat_and_nothing_else() -> None:
    link = Link()
    alice, bob = Alice(link), Bob(link, Plan(final=401))
    invite = alice.send("INVITE", 1)
    link.lose("ACK", times=2)
    link.run_until_quiet()
    assert link.labels() == ["INVITE", "401", "ACK", "401", "ACK", "401", "ACK"]
    assert alice.outcomes(invite) == ["401"]
    assert bob.seen == {"INVITE call-1": 1}


def test_a_200_that_comes_after_timer_b_is_acknowledged() -> None:
    link = Link()
    alice, bob = Alice(link), Bob(link, Plan(patience=33.0))
    link.lose("100", times=1000)
    invite = alice.send("INVITE", 1)
    link.run_until_quiet()
    assert alice.outcomes(invite) == ["timeout"]
    assert len(alice.told_of(StrayResponse)) == 1
    assert len(bob.acked) == 1
    _nothing_is_left(alice, bob)


def test_a_cancel_that_crosses_the_200_leaves_a_call_to_be_hung_up() -> None:
    link = Link(faults=Faults(delay=(0.1, 0.1)))
    alice, bob = Alice(link), Bob(link, Plan(provisional=180, patience=1.0))
    invite = alice.send("INVITE", 1)
    link.after(1.15, lambda now: alice.cancel(invite, now))
    link.run_until_quiet()
    assert link.labels() == ["INVITE", "180", "200", "CANCEL", "ACK", "200"]
    assert alice.outcomes(invite) == ["200"]
    assert not bob.told_of(CancelReceived)
    assert len(bob.acked) == 1


def test_bye_that_crosses_bye_is_answered_on_both_sides_even_with_one_branch() -> None:
    link = Link(faults=Faults(delay=(0.1, 0.1)))
    users = [Alice(link), Bob(link, Plan())]
    byes = [
        user.layer.request(make_request("BYE", to_tag="bob", sent_by=f"{here.host}:5060"), there, link.now)
        for user, here, there in zip(users, (ALICE, BOB), (BOB, ALICE), strict=True)
    ]

    def answer(user: User) -> Callable[[Indication, float], None]:
        def act(indication: Indication, now: float) -> None:
            if isinstance(indication, RequestReceived):
                user.layer.respond(indication.transaction, indication.request.create_response(200), now)

        return act

    for user in users:
        user.act = answer(user)
    link.run_until_quiet()
    assert link.labels() == ["BYE", "BYE", "200", "200"]
    for user, bye in zip(users, byes, strict=True):
        assert [told.transaction for told in user.told_of(ResponseReceived)] == [bye]
        assert len(user.told_of(RequestReceived)) == 1


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> list[tuple[float, str]]:
        link = Link(seed=seed, faults=Faults(loss=0.3, duplication=0.3, reordering=0.3))
        alice, _bob = Alice(link), Bob(link, Plan(provisional=180, patience=1.0))
        for number in range(5):
            alice.send("INVITE", number)
        link.run_until_quiet()
        return [(passage.sent_at, passage.label) for passage in link.transcript]

    seed = Random(1).getrandbits(32)
    assert run(seed) == run(seed)
    assert run(seed) != run(seed + 1)
