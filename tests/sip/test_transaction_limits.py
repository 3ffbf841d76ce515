"""What a flood, a long life and many timers cost the transaction layer."""

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from custom_components.sip_ua.sip import transaction as module
from custom_components.sip_ua.sip.message import parse_message
from custom_components.sip_ua.sip.transaction import CancelReceived, RequestReceived, Timers, TransactionLayer

from .transactions import ALICE, BOB, Bench, make_request, make_response


def _limited(*, unanswered: int = 1024, total: int = 16384) -> Bench:
    return Bench(TransactionLayer(Timers(), max_unanswered=unanswered, max_server_transactions=total))


def _flood(bench: Bench, count: int, method: str = "INVITE", *, start: int = 0) -> None:
    for number in range(start, start + count):
        bench.receive(make_request(method, branch=f"z9hG4bK{number}", call_id=f"call-{number}"), ALICE)


def test_beyond_the_limit_of_unanswered_requests_a_few_are_refused_and_the_rest_gets_nothing() -> None:
    bench = _limited(unanswered=10)
    _flood(bench, 10 + module.MAX_OVERLOAD_ANSWERS + 50)
    assert len(bench.told_of(RequestReceived)) == 10
    assert bench.layer.active == 10
    assert bench.labels() == ["503"] * module.MAX_OVERLOAD_ANSWERS
    refusal = bench.last_response()
    assert refusal.headers.get("Retry-After") == str(module.OVERLOAD_RETRY_AFTER)
    assert refusal.to.tag
    assert bench.layer.overloads == module.MAX_OVERLOAD_ANSWERS + 50
    bench.pass_time(1.1)
    _flood(bench, 1, start=1000)
    assert bench.labels()[-1] == "503"


def test_a_refusal_that_is_not_remembered_is_the_same_each_time() -> None:
    bench = _limited(unanswered=1)
    _flood(bench, 1)
    for _ in range(2):
        bench.receive(make_request(branch="z9hG4bKtwo", call_id="call-2"), ALICE)
    first, second = (message for _, _, message in bench.sent)
    assert first.to_bytes() == second.to_bytes()
    bench.receive(make_request("ACK", branch="z9hG4bKtwo", call_id="call-2", to_tag=second.to.tag), ALICE)
    assert bench.layer.active == 1


def test_room_comes_back_with_every_answer() -> None:
    bench = _limited(unanswered=2)
    _flood(bench, 2)
    bench.respond(486)
    _flood(bench, 1, start=2)
    assert len(bench.told_of(RequestReceived)) == 3
    assert bench.layer.overloads == 0


def test_room_comes_back_from_requests_that_were_never_answered() -> None:
    bench = _limited(unanswered=2)
    _flood(bench, 2, "OPTIONS")
    bench.pass_time(33)
    _flood(bench, 2, "OPTIONS", start=2)
    assert len(bench.told_of(RequestReceived)) == 4
    assert bench.layer.overloads == 0


def test_what_is_remembered_is_limited_too() -> None:
    bench = _limited(total=5)
    for number in range(8):
        bench.receive(make_request("OPTIONS", branch=f"z9hG4bK{number}", call_id=f"call-{number}"), ALICE)
        if number < 5:
            bench.respond(200)
    assert bench.layer.active == 5
    assert bench.layer.overloads == 3
    bench.pass_time(33)
    assert bench.layer.active == 0


def test_a_call_can_be_cancelled_when_there_is_no_room_for_another() -> None:
    bench = _limited(unanswered=1)
    bench.receive(make_request(), ALICE)
    bench.receive(make_request("CANCEL"), ALICE)
    assert bench.labels() == ["200"]
    assert len(bench.told_of(CancelReceived)) == 1


def _incoming_call(bench: Bench, number: int) -> None:
    bench.receive(make_request(branch=f"z9hG4bKi{number}", call_id=f"call-{number}"), ALICE)
    bench.respond(180)
    bench.respond(200)
    bench.layer.acked(bench.server(), bench.now)
    bench.receive(make_request("BYE", branch=f"z9hG4bKb{number}", call_id=f"call-{number}", to_tag="bob"), ALICE)
    bench.respond(200)


def _outgoing_call(bench: Bench, number: int) -> None:
    for method, status in (("INVITE", 200), ("BYE", 200), ("REGISTER", 401)):
        request = make_request(method, branch=f"z9hG4bK{method}{number}", call_id=f"call-{number}")
        bench.layer.request(request, BOB, bench.now)
        bench.receive(make_response(request, status))


@pytest.mark.parametrize("call", [_incoming_call, _outgoing_call], ids=["incoming", "outgoing"])
def test_memory_is_flat_over_many_calls(call: Callable[[Bench, int], None]) -> None:
    bench = Bench()

    def calls(count: int, start: int) -> int:
        for number in range(start, start + count):
            call(bench, number)
            bench.sent.clear()
            bench.told.clear()
            bench.pass_time(1)
        bench.pass_time(70)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        calls(100, 0)
        before = calls(10, 1000)
        after = calls(500, 2000)
    finally:
        tracemalloc.stop()
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None
    assert after - before < 20_000


def test_the_next_timer_is_found_without_looking_at_every_transaction() -> None:
    bench = Bench()
    for number in range(500):
        request = make_request("OPTIONS", branch=f"z9hG4bK{number}", call_id=f"call-{number}")
        bench.layer.request(request, BOB, bench.now + number)
    assert bench.layer.next_timer() == bench.now + 0.5
    bench.layer.receive(
        parse_message(make_response(make_request("OPTIONS", branch="z9hG4bK0"), 200).to_bytes()), BOB, bench.now
    )
    assert bench.layer.next_timer() == bench.now + 1.5
