"""Server transactions (RFC 3261 sections 9.2, 13.3.1.4 and 17.2, RFC 4320, RFC 6026 section 7.1)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.message import Request, Response
from custom_components.sip_ua.sip.transaction import (
    AckMissing,
    AckReceived,
    CancelReceived,
    RequestReceived,
    State,
    TransportFailed,
)
from custom_components.sip_ua.sip.transaction_timers import Timer

from .transactions import ALICE, ALICE_TCP, BOB, Bench, make_request


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _ack_of(response: Response, *, branch: str = "z9hG4bKone") -> Request:
    ack = make_request("ACK", branch=branch, to_tag=response.to.tag)
    assert ack.cseq.number == response.cseq.number
    return ack


# INVITE before the final answer


def test_an_invite_is_reported_once_however_often_it_comes(bench: Bench) -> None:
    for _ in range(4):
        bench.receive(make_request(), ALICE)
        bench.pass_time(0.5)
    assert [type(told) for told in bench.told] == [RequestReceived]
    assert bench.server().source == ALICE


def test_100_trying_goes_out_by_itself_after_200_ms(bench: Bench) -> None:
    bench.receive(make_request(extra=(("Timestamp", "54"),)), ALICE)
    bench.pass_time(0.19)
    assert bench.labels() == []
    bench.pass_time(10)
    assert bench.labels() == ["100"]
    assert bench.times() == [0.2]
    trying = bench.last_response()
    assert trying.to.tag is None
    assert trying.headers.get("Timestamp") == "54"


def test_no_100_trying_after_an_answer_of_the_user(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(180)
    bench.pass_time(10)
    assert bench.labels() == ["180"]


def test_another_request_than_invite_gets_no_100_trying(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS"), ALICE)
    bench.pass_time(10)
    assert bench.labels() == []


def test_a_repeated_invite_gets_the_last_provisional_answer_again(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.receive(make_request(), ALICE)
    assert bench.labels() == []
    bench.pass_time(0.3)
    bench.receive(make_request(), ALICE)
    bench.respond(180)
    bench.receive(make_request(), ALICE)
    bench.respond(183)
    bench.receive(make_request(), ALICE)
    assert bench.labels() == ["100", "100", "180", "180", "183", "183"]
    assert len(bench.told) == 1


def test_an_invite_may_ring_for_an_hour_and_says_so_each_minute(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.pass_time(10)
    bench.respond(180)
    bench.pass_time(3590)
    assert bench.labels() == ["100"] + ["180"] * 60
    assert bench.times()[:4] == [0.2, 10, 70, 130]
    bench.respond(183)
    bench.pass_time(61)
    bench.respond(486)
    bench.receive(_ack_of(bench.last_response()), ALICE)
    bench.pass_time(120)
    assert bench.labels()[61:] == ["183", "183", "486"]


@pytest.mark.parametrize("status", [200, 486])
def test_an_answered_invite_says_no_more_that_it_rings(bench: Bench, status: int) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(180)
    bench.pass_time(50)
    bench.respond(status)
    bench.pass_time(20)
    assert bench.labels().count("180") == 1


# Refusals


def test_a_refusal_is_repeated_until_its_ack(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(486)
    bench.pass_time(4)
    assert bench.times() == [0, 0.5, 1.5, 3.5]
    bench.receive(_ack_of(bench.last_response()), ALICE)
    bench.receive(_ack_of(bench.last_response()), ALICE)
    bench.pass_time(4.9)
    assert len(bench.labels()) == 4
    assert bench.layer.active == 1
    bench.pass_time(0.2)
    assert bench.layer.active == 0
    assert not bench.told_of(AckReceived)
    assert not bench.told_of(AckMissing)


def test_a_refusal_without_ack_is_repeated_at_most_each_t2_and_given_up_by_timer_h(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(486)
    bench.pass_time(33)
    assert bench.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.told_of(AckMissing) == [AckMissing(transaction)]
    assert bench.layer.active == 0


def test_a_refusal_over_tcp_is_sent_once(bench: Bench) -> None:
    bench.receive(make_request(via="SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKone"), ALICE_TCP)
    bench.respond(486)
    bench.pass_time(10)
    assert bench.labels() == ["486"]
    bench.receive(_ack_of(bench.last_response()), ALICE_TCP)
    assert bench.layer.active == 0


def test_a_repeated_invite_gets_the_refusal_again_until_its_ack_came(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(486)
    bench.receive(make_request(), ALICE)
    assert bench.labels() == ["486", "486"]
    bench.receive(_ack_of(bench.last_response()), ALICE)
    bench.receive(make_request(), ALICE)
    assert bench.labels() == ["486", "486"]
    assert len(bench.told) == 1


# 2xx


def test_a_2xx_is_repeated_until_its_ack(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(200)
    bench.pass_time(4)
    assert bench.times() == [0, 0.5, 1.5, 3.5]
    ack = _ack_of(bench.last_response(), branch="z9hG4bKanother")
    bench.receive(ack, ALICE)
    received = bench.told_of(AckReceived)
    assert [(told.transaction, told.source) for told in received] == [(transaction, ALICE)]
    bench.layer.acked(transaction, bench.now)
    bench.pass_time(60)
    assert bench.labels() == ["200"] * 4
    assert not bench.told_of(AckMissing)
    assert bench.layer.active == 0


def test_a_2xx_is_repeated_over_tcp_too(bench: Bench) -> None:
    bench.receive(make_request(via="SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKone"), ALICE_TCP)
    bench.respond(200)
    bench.pass_time(2)
    assert bench.times() == [0, 0.5, 1.5]


def test_a_2xx_without_ack_is_reported_missing_after_64_t1(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(200)
    bench.pass_time(31.9)
    assert not bench.told_of(AckMissing)
    bench.pass_time(30)
    assert bench.told_of(AckMissing) == [AckMissing(transaction)]
    assert bench.times()[-1] == 31.5
    assert bench.layer.active == 0


def test_a_repeated_invite_after_the_2xx_is_absorbed_and_rings_no_second_time(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(200)
    bench.layer.acked(transaction, bench.now)
    for _ in range(5):
        bench.receive(make_request(), ALICE)
        bench.pass_time(5)
    assert bench.labels() == ["200"]
    assert len(bench.told) == 1


def test_an_ack_in_the_branch_of_its_invite_is_passed_up_as_well(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(200)
    bench.receive(_ack_of(bench.last_response()), ALICE)
    assert [told.transaction for told in bench.told_of(AckReceived)] == [bench.server()]


def test_each_repetition_of_an_ack_is_passed_up(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(200)
    for _ in range(3):
        bench.receive(_ack_of(bench.last_response(), branch="z9hG4bKanother"), ALICE)
    assert len(bench.told_of(AckReceived)) == 3


def test_an_ack_of_nothing_is_passed_up_without_a_transaction_and_never_answered(bench: Bench) -> None:
    bench.receive(make_request("ACK", to_tag="nobody"), ALICE)
    assert [told.transaction for told in bench.told_of(AckReceived)] == [None]
    assert bench.labels() == []
    assert bench.layer.active == 0


def test_acked_may_come_late_and_more_than_once(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(200)
    bench.layer.acked(transaction, bench.now)
    bench.layer.acked(transaction, bench.now)
    bench.pass_time(60)
    bench.layer.acked(transaction, bench.now)
    assert transaction.state is State.TERMINATED
    assert not bench.told_of(AckMissing)


# Other requests


def test_a_repeated_request_gets_the_same_answer_again_for_64_t1(bench: Bench) -> None:
    bench.receive(make_request("BYE", to_tag="bob"), ALICE)
    bench.receive(make_request("BYE", to_tag="bob"), ALICE)
    assert bench.labels() == []
    bench.respond(200)
    bench.receive(make_request("BYE", to_tag="bob"), ALICE)
    bench.pass_time(31.9)
    bench.receive(make_request("BYE", to_tag="bob"), ALICE)
    assert bench.labels() == ["200", "200", "200"]
    assert len(bench.told) == 1
    bench.pass_time(0.2)
    assert bench.layer.active == 0


def test_a_provisional_answer_is_repeated_too(bench: Bench) -> None:
    bench.receive(make_request("REFER", to_tag="bob"), ALICE)
    bench.respond(100)
    bench.receive(make_request("REFER", to_tag="bob"), ALICE)
    bench.respond(202)
    assert bench.labels() == ["100", "100", "202"]


def test_timer_j_is_zero_over_tcp(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS", via="SIP/2.0/TCP 192.0.2.1;branch=z9hG4bKone"), ALICE_TCP)
    bench.respond(200)
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None


def test_an_answer_that_nobody_waits_for_any_more_is_not_sent(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS"), ALICE)
    transaction = bench.server()
    bench.pass_time(33)
    with pytest.raises(LocalProtocolError):
        bench.respond(200, transaction=transaction)
    bench.receive(make_request("OPTIONS"), ALICE)
    assert bench.labels() == []
    assert len(bench.told) == 1
    bench.pass_time(33)
    assert bench.layer.active == 0


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_second_final_answer_is_an_error_of_ours(bench: Bench, method: str) -> None:
    bench.receive(make_request(method), ALICE)
    bench.respond(486)
    with pytest.raises(LocalProtocolError):
        bench.respond(200)
    bench.receive(make_request(method), ALICE)
    assert bench.labels() == ["486", "486"]


# CANCEL


def test_a_cancel_is_answered_by_itself_and_reported(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(180, to_tag="ours")
    bench.receive(make_request("CANCEL", extra=(("Reason", "SIP;cause=200"),)), ALICE)
    assert bench.labels() == ["180", "200"]
    assert bench.last_response().cseq.method == "CANCEL"
    assert bench.last_response().to.tag == "ours"
    cancelled = bench.told_of(CancelReceived)
    assert [told.transaction for told in cancelled] == [bench.server()]
    assert cancelled[0].request.headers.get("Reason") == "SIP;cause=200"
    bench.respond(487, to_tag="ours")
    bench.receive(_ack_of(bench.last_response()), ALICE)
    bench.pass_time(60)
    assert bench.labels() == ["180", "200", "487"]
    assert bench.layer.active == 0


def test_a_repeated_cancel_is_answered_again_and_reported_once(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    for _ in range(3):
        bench.receive(make_request("CANCEL"), ALICE)
    assert bench.labels() == ["200", "200", "200"]
    assert bench.last_response().to.tag
    assert len(bench.told_of(CancelReceived)) == 1


@pytest.mark.parametrize("status", [200, 486])
def test_a_cancel_that_crosses_the_final_answer_is_answered_and_changes_nothing(bench: Bench, status: int) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(status)
    state = bench.server().state
    bench.receive(make_request("CANCEL"), ALICE)
    assert bench.labels() == [str(status), "200"]
    assert not bench.told_of(CancelReceived)
    assert bench.server().state is state


def test_a_cancel_of_nothing_is_answered_by_481(bench: Bench) -> None:
    bench.receive(make_request("CANCEL", branch="z9hG4bKnothing"), ALICE)
    assert bench.labels() == ["481"]
    assert bench.last_response().to.tag
    assert not bench.told


def test_a_cancel_of_another_request_than_invite_is_answered_by_481(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS"), ALICE)
    bench.receive(make_request("CANCEL"), ALICE)
    assert bench.labels() == ["481"]


# Transport


def test_an_invite_lives_on_when_an_answer_cannot_be_sent(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.layer.transport_failed(ALICE, "port unreachable", bench.now)
    bench.collect()
    assert bench.told_of(TransportFailed) == [TransportFailed(transaction, "port unreachable")]
    bench.respond(180)
    bench.respond(486)
    bench.layer.transport_failed(ALICE, "port unreachable", bench.now)
    bench.collect()
    assert len(bench.told_of(TransportFailed)) == 1
    bench.pass_time(1)
    assert bench.labels() == ["180", "486", "486"]


def test_a_lost_connection_forgets_answers_that_cannot_be_repeated(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS"), ALICE)
    bench.respond(200)
    bench.layer.transport_failed(ALICE, "port unreachable", bench.now)
    assert bench.layer.active == 0
    bench.receive(make_request("REFER", branch="z9hG4bKtwo", to_tag="bob"), ALICE)
    bench.layer.transport_failed(ALICE, "port unreachable", bench.now)
    bench.respond(202)
    assert bench.labels() == ["200", "202"]


@pytest.mark.parametrize("source", [ALICE, ALICE_TCP])
def test_a_2xx_that_cannot_be_sent_is_reported_and_repeated_all_the_same(bench: Bench, source: Address) -> None:
    bench.receive(make_request(), source)
    transaction = bench.server()
    bench.respond(200)
    bench.layer.transport_failed(source, "gone", bench.now)
    bench.collect()
    assert bench.told_of(TransportFailed) == [TransportFailed(transaction, "gone")]
    assert transaction.state is State.ACCEPTED
    bench.pass_time(1)
    assert bench.labels() == ["200", "200"]


def test_a_ringing_invite_lives_on_when_its_connection_is_lost(bench: Bench) -> None:
    bench.receive(make_request(), ALICE_TCP)
    bench.layer.transport_failed(ALICE_TCP, "gone", bench.now)
    bench.collect()
    assert bench.told_of(TransportFailed) == [TransportFailed(bench.server(), "gone")]
    bench.respond(486)
    bench.layer.transport_failed(ALICE_TCP, "gone", bench.now)
    bench.receive(_ack_of(bench.last_response()), ALICE_TCP)
    assert bench.layer.active == 0


def test_answers_go_to_where_the_caller_listens_when_its_connection_is_lost(bench: Bench) -> None:
    source = Address(Transport.TCP, ALICE.host, 51999)
    listens = replace(source, port=5070)
    bench.receive(make_request(via="SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKone"), source)
    bench.respond(180)
    bench.layer.transport_failed(source, "gone", bench.now)
    bench.respond(200)
    bench.pass_time(0.6)
    bench.layer.transport_failed(listens, "connection refused", bench.now)
    bench.pass_time(1)
    assert [address for _, address, _ in bench.sent] == [source, listens, listens, source]
    assert bench.labels() == ["180", "200", "200", "200"]


# Late and early


def test_an_ack_before_the_final_answer_changes_nothing(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.receive(make_request("ACK"), ALICE)
    assert bench.server().state is State.PROCEEDING
    assert not bench.told_of(AckReceived)


def test_an_acknowledged_refusal_absorbs_whatever_comes_late(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(486)
    bench.receive(_ack_of(bench.last_response()), ALICE)
    bench.receive(make_request(), ALICE)
    bench.receive(make_request("CANCEL"), ALICE)
    bench.layer.transport_failed(BOB, "gone", bench.now)
    transaction.transport_failed("gone", bench.now)
    assert transaction.state is State.CONFIRMED
    bench.pass_time(60)
    assert bench.labels() == ["486", "200"]
    assert not bench.told_of(AckMissing)


def test_the_user_may_repeat_a_2xx_itself(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    bench.respond(200)
    bench.respond(200)
    assert bench.labels() == ["200", "200"]
    bench.receive(_ack_of(bench.last_response()), ALICE)
    assert bench.server().state is State.ACCEPTED


def test_a_2xx_is_remembered_after_its_ack_is_given_up(bench: Bench) -> None:
    bench.receive(make_request(), ALICE)
    transaction = bench.server()
    bench.respond(200)
    transaction.process(Timer.WAIT_FOR_ACK, bench.now)
    bench.collect()
    assert transaction.state is State.ACCEPTED
    bench.pass_time(10)
    assert bench.labels() == ["200"]


@pytest.mark.parametrize("provisional", [False, True])
@pytest.mark.parametrize("status", [200, 486])
def test_a_final_answer_is_repeated_for_64_t1_and_then_forgotten(bench: Bench, status: int, provisional: bool) -> None:
    bench.receive(make_request("INFO", to_tag="bob"), ALICE)
    if provisional:
        bench.respond(100)
        bench.respond(183)
    bench.pass_time(20)
    bench.respond(status)
    bench.pass_time(31.9)
    bench.receive(make_request("INFO", to_tag="bob"), ALICE)
    assert bench.labels() == ["100", "183"] * provisional + [str(status)] * 2
    bench.pass_time(0.2)
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None


@pytest.mark.parametrize("source", [ALICE, ALICE_TCP])
def test_a_request_in_work_is_given_up_when_its_peer_is_gone(bench: Bench, source: Address) -> None:
    bench.receive(make_request("REFER", to_tag="bob"), source)
    transaction = bench.server()
    bench.layer.transport_failed(source, "gone", bench.now)
    assert transaction.state is State.TRYING
    bench.respond(100)
    bench.layer.transport_failed(source, "gone", bench.now)
    bench.collect()
    assert bench.told_of(TransportFailed) == [TransportFailed(transaction, "gone")]
    assert bench.layer.active == 0


def test_a_request_in_work_that_is_never_answered_is_forgotten_in_the_end(bench: Bench) -> None:
    bench.receive(make_request("REFER", to_tag="bob"), ALICE)
    bench.respond(100)
    bench.pass_time(33)
    assert bench.server().state is State.COMPLETED
    bench.pass_time(33)
    assert bench.layer.active == 0
