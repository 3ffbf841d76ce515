"""Client transactions (RFC 3261 sections 9.1 and 17.1, RFC 6026 section 7.2)."""

import pytest

from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.transaction import (
    ClientTransaction,
    ResponseReceived,
    State,
    StrayResponse,
    TransactionTimedOut,
    TransportFailed,
)

from .transactions import ALICE, BOB, BOB_TCP, Bench, make_request, make_response


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _send(bench: Bench, request: Request, *, tcp: bool = False) -> ClientTransaction:
    transaction = bench.layer.request(request, BOB_TCP if tcp else BOB, bench.now)
    bench.collect()
    return transaction


def _statuses(bench: Bench) -> list[int]:
    return [told.response.status for told in bench.told_of(ResponseReceived)]


# INVITE


def test_an_invite_is_repeated_at_doubling_intervals_until_timer_b(bench: Bench) -> None:
    transaction = _send(bench, make_request())
    bench.pass_time(33)
    assert bench.times() == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.told == [TransactionTimedOut(transaction)]
    assert bench.layer.active == 0


def test_an_invite_over_tcp_is_sent_once_and_still_times_out(bench: Bench) -> None:
    transaction = _send(bench, make_request(), tcp=True)
    bench.pass_time(31.9)
    assert bench.labels() == ["INVITE"]
    assert not bench.told
    bench.pass_time(0.2)
    assert bench.told == [TransactionTimedOut(transaction)]


def test_a_provisional_answer_stops_the_repetition_of_the_invite(bench: Bench) -> None:
    invite = make_request()
    _send(bench, invite)
    bench.pass_time(0.6)
    bench.receive(make_response(invite, 100))
    bench.pass_time(60)
    assert bench.times() == [0, 0.5]


def test_a_phone_that_rings_longer_than_64_t1_does_not_time_out(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 180))
    bench.pass_time(600)
    assert not bench.told_of(TransactionTimedOut)
    assert transaction.state is State.PROCEEDING
    bench.receive(make_response(invite, 200))
    assert _statuses(bench) == [180, 200]


def test_every_provisional_answer_is_passed_up(bench: Bench) -> None:
    invite = make_request()
    _send(bench, invite)
    for status in (100, 180, 183, 180):
        bench.receive(make_response(invite, status))
    assert _statuses(bench) == [100, 180, 183, 180]


@pytest.mark.parametrize("status", [301, 401, 407, 486, 503, 603])
def test_a_refusal_is_acknowledged_inside_the_transaction(bench: Bench, status: int) -> None:
    routes = (("Route", "<sip:p1.example.com;lr>"), ("Route", "<sip:p2.example.com;lr>, <sip:p3.example.com>"))
    invite = make_request(extra=(*routes, ("Proxy-Authorization", "Digest secret"), ("Require", "100rel")))
    _send(bench, invite)
    bench.receive(make_response(invite, status, to_tag="refusing"))
    ack = bench.last_request()
    assert ack.method == "ACK"
    assert bench.sent[-1][1] == BOB
    assert ack.uri == invite.uri
    assert ack.headers.get_all("Via") == invite.headers.get_all("Via")
    assert ack.headers.split("Route") == [
        "<sip:p1.example.com;lr>",
        "<sip:p2.example.com;lr>",
        "<sip:p3.example.com>",
    ]
    assert ack.headers.get("From") == invite.headers.get("From")
    assert ack.to.tag == "refusing"
    assert ack.call_id == invite.call_id
    assert str(ack.cseq) == "1 ACK"
    assert ack.max_forwards == 70
    assert "Require" not in ack.headers
    assert _statuses(bench) == [status]


def test_the_ack_to_a_refusal_has_only_our_via(bench: Bench) -> None:
    invite = make_request()
    invite.headers.add("Via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKbelow")
    _send(bench, invite)
    only_ours = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone"
    bench.receive(make_response(invite, 486, via=only_ours))
    assert bench.last_request().headers.get_all("Via") == [only_ours]


@pytest.mark.parametrize("ringing", [False, True])
def test_a_repeated_refusal_is_acknowledged_again_and_not_reported_again(bench: Bench, ringing: bool) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    if ringing:
        bench.receive(make_response(invite, 180))
        bench.layer.cancel(transaction, bench.now)
        bench.collect()
    for status in (401, 100, 401, 180, 401):
        bench.receive(make_response(invite, status))
        bench.pass_time(1)
    assert [label for label in bench.labels() if label != "CANCEL"] == ["INVITE", "ACK", "ACK", "ACK"]
    assert [status for status in _statuses(bench) if status != 180] == [401]
    bench.pass_time(26.9)
    assert transaction.state is State.COMPLETED
    bench.receive(make_response(invite, 401))
    assert bench.labels()[-1] == "ACK"
    bench.pass_time(0.2)
    assert bench.layer.active == 0
    assert [told.transaction for told in bench.told_of(TransactionTimedOut)] == [transaction.cancellation] * ringing


def test_timer_d_is_zero_over_tcp(bench: Bench) -> None:
    invite = make_request()
    _send(bench, invite, tcp=True)
    bench.receive(make_response(invite, 486), BOB_TCP)
    assert bench.labels() == ["INVITE", "ACK"]
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None


def test_every_2xx_of_every_fork_is_passed_up_and_none_is_acknowledged_by_the_layer(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    for tag in ("desk", "desk", "kitchen", "desk"):
        bench.receive(make_response(invite, 200, to_tag=tag))
        bench.pass_time(1)
    told = bench.told_of(ResponseReceived)
    assert [indication.response.to.tag for indication in told] == ["desk", "desk", "kitchen", "desk"]
    assert all(indication.transaction is transaction for indication in told)
    assert bench.labels() == ["INVITE"]
    assert transaction.state is State.ACCEPTED


def test_a_refusal_by_another_fork_after_a_2xx_changes_nothing(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 200, to_tag="desk"))
    bench.receive(make_response(invite, 180, to_tag="kitchen"))
    bench.receive(make_response(invite, 486, to_tag="kitchen"))
    assert _statuses(bench) == [200]
    assert transaction.state is State.ACCEPTED


@pytest.mark.parametrize("ringing", [False, True])
def test_timer_m_ends_an_accepted_invite_after_64_t1(bench: Bench, ringing: bool) -> None:
    invite = make_request()
    transaction = _send(bench, invite, tcp=True)
    if ringing:
        bench.receive(make_response(invite, 180), BOB_TCP)
        bench.pass_time(100)
    bench.receive(make_response(invite, 200), BOB_TCP)
    assert transaction.state is State.ACCEPTED
    bench.layer.transport_failed(BOB_TCP, "connection reset", bench.now)
    bench.pass_time(31.9)
    assert bench.layer.active == 1
    bench.pass_time(0.2)
    assert bench.layer.active == 0


def test_a_2xx_that_comes_after_timer_b_is_passed_up_to_be_acknowledged_and_hung_up(bench: Bench) -> None:
    invite = make_request()
    _send(bench, invite)
    bench.pass_time(40)
    bench.receive(make_response(invite, 200))
    strays = bench.told_of(StrayResponse)
    assert [(stray.response.status, stray.response.call_id, stray.source) for stray in strays] == [(200, "call-1", BOB)]


def test_a_2xx_that_comes_after_timer_m_is_passed_up_as_well(bench: Bench) -> None:
    invite = make_request()
    _send(bench, invite)
    bench.receive(make_response(invite, 200))
    bench.pass_time(40)
    bench.receive(make_response(invite, 200))
    assert len(bench.told_of(StrayResponse)) == 1


def test_a_2xx_that_comes_after_a_refusal_is_passed_up_as_a_stray(bench: Bench) -> None:
    invite = make_request()
    _send(bench, invite)
    bench.receive(make_response(invite, 486, to_tag="desk"))
    bench.receive(make_response(invite, 200, to_tag="kitchen"))
    assert _statuses(bench) == [486]
    assert [stray.response.to.tag for stray in bench.told_of(StrayResponse)] == ["kitchen"]
    bench.receive(make_response(invite, 486, to_tag="desk"))
    assert bench.labels() == ["INVITE", "ACK", "ACK"]


# Other requests


def test_a_register_is_repeated_until_timer_f(bench: Bench) -> None:
    transaction = _send(bench, make_request("REGISTER"))
    bench.pass_time(33)
    assert bench.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.told == [TransactionTimedOut(transaction)]
    assert bench.layer.active == 0


def test_after_a_provisional_answer_a_register_is_repeated_each_t2_and_times_out_all_the_same(bench: Bench) -> None:
    request = make_request("REGISTER")
    transaction = _send(bench, request)
    bench.pass_time(0.7)
    bench.receive(make_response(request, 100))
    bench.receive(make_response(request, 183))
    assert transaction.state is State.PROCEEDING
    assert _statuses(bench) == [100, 183]
    bench.pass_time(33)
    assert bench.times() == [0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert bench.told_of(TransactionTimedOut) == [TransactionTimedOut(transaction)]


def test_a_register_over_tcp_is_sent_once_and_times_out(bench: Bench) -> None:
    transaction = _send(bench, make_request("REGISTER"), tcp=True)
    bench.pass_time(33)
    assert bench.labels() == ["REGISTER"]
    assert bench.told == [TransactionTimedOut(transaction)]


@pytest.mark.parametrize("trying", [False, True])
@pytest.mark.parametrize("status", [200, 302, 401, 404, 503, 603])
def test_a_final_answer_is_reported_once_however_often_it_comes(bench: Bench, status: int, trying: bool) -> None:
    request = make_request("REGISTER")
    _send(bench, request)
    if trying:
        bench.receive(make_response(request, 100))
    for number in (status, 100, status, status):
        bench.receive(make_response(request, number))
    bench.pass_time(4.9)
    assert _statuses(bench) == [100] * trying + [status]
    assert bench.labels() == ["REGISTER"]
    assert bench.layer.active == 1
    bench.receive(make_response(request, status))
    assert bench.layer.discarded == 0
    bench.pass_time(0.2)
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None


def test_a_2xx_after_the_refusal_of_the_same_register_is_passed_up_as_a_stray(bench: Bench) -> None:
    register = make_request("REGISTER")
    _send(bench, register)
    bench.receive(make_response(register, 401))
    bench.receive(make_response(register, 200))
    assert _statuses(bench) == [401]
    assert [stray.response.status for stray in bench.told_of(StrayResponse)] == [200]


def test_a_request_that_is_given_up_is_sent_no_more(bench: Bench) -> None:
    transaction = _send(bench, make_request("REGISTER"))
    bench.pass_time(1)
    sent = len(bench.labels())
    bench.layer.abandon(transaction, bench.now)
    bench.layer.abandon(transaction, bench.now)
    bench.pass_time(60)
    assert len(bench.labels()) == sent
    assert bench.layer.active == 0


def test_a_final_answer_over_tcp_ends_the_transaction_at_once(bench: Bench) -> None:
    request = make_request("REGISTER")
    _send(bench, request, tcp=True)
    bench.receive(make_response(request, 200), BOB_TCP)
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None


# Matching


def test_an_answer_with_another_branch_method_or_sent_by_is_discarded(bench: Bench) -> None:
    request = make_request("OPTIONS")
    _send(bench, request)
    bench.receive(make_response(request, 200, via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtwo"))
    bench.receive(make_response(request, 200, via="SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKone"))
    other = make_response(request, 200)
    other.headers.set("CSeq", "1 REGISTER")
    bench.receive(other)
    assert not bench.told
    assert bench.layer.discarded == 3


def test_an_answer_with_two_vias_is_discarded(bench: Bench) -> None:
    request = make_request("OPTIONS")
    _send(bench, request)
    response = make_response(request, 200)
    response.headers.add("Via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKbelow")
    bench.receive(response)
    assert not bench.told
    assert bench.layer.discarded == 1


def test_two_requests_cannot_share_a_branch(bench: Bench) -> None:
    _send(bench, make_request("OPTIONS"))
    with pytest.raises(LocalProtocolError):
        bench.layer.request(make_request("OPTIONS"), BOB, bench.now)


def test_an_ack_is_no_transaction(bench: Bench) -> None:
    with pytest.raises(LocalProtocolError):
        bench.layer.request(make_request("ACK"), BOB, bench.now)
    bench.layer.send_ack(make_request("ACK"), BOB)
    bench.collect()
    bench.pass_time(60)
    assert bench.labels() == ["ACK"]


# CANCEL


def test_a_cancel_waits_for_a_provisional_answer(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    assert bench.layer.cancel(transaction, bench.now) is None
    bench.collect()
    assert bench.labels() == ["INVITE"]
    bench.receive(make_response(invite, 100))
    assert bench.labels() == ["INVITE", "CANCEL"]
    assert transaction.cancellation is not None


def test_a_cancel_takes_the_path_of_its_invite(bench: Bench) -> None:
    invite = make_request(extra=(("Route", "<sip:p1.example.com;lr>"), ("Require", "100rel")))
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 180))
    reason = Headers((("Reason", 'SIP;cause=200;text="Call completed elsewhere"'),))
    cancellation = bench.layer.cancel(transaction, bench.now, reason)
    bench.collect()
    cancel = bench.last_request()
    assert cancellation is not None
    assert cancellation.request.method == "CANCEL"
    assert bench.sent[-1][1] == BOB
    assert cancel.uri == invite.uri
    assert cancel.headers.get_all("Via") == invite.headers.get_all("Via")
    assert cancel.headers.get("Route") == "<sip:p1.example.com;lr>"
    assert cancel.headers.get("To") == invite.headers.get("To")
    assert cancel.headers.get("From") == invite.headers.get("From")
    assert str(cancel.cseq) == "1 CANCEL"
    assert cancel.headers.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert "Require" not in cancel.headers


def test_a_cancel_is_repeated_and_sent_only_once_however_often_it_is_asked_for(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 180))
    first = bench.layer.cancel(transaction, bench.now)
    assert bench.layer.cancel(transaction, bench.now) is first
    bench.collect()
    bench.pass_time(2)
    assert bench.labels() == ["INVITE", "CANCEL", "CANCEL", "CANCEL"]


def test_an_invite_that_is_refused_before_its_cancel_could_leave_is_never_cancelled(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.layer.cancel(transaction, bench.now)
    bench.receive(make_response(invite, 486))
    bench.pass_time(60)
    assert bench.labels() == ["INVITE", "ACK"]


def test_a_2xx_that_crosses_the_cancel_is_passed_up(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 180))
    cancellation = bench.layer.cancel(transaction, bench.now)
    assert cancellation is not None
    bench.receive(make_response(invite, 200))
    bench.receive(make_response(cancellation.request, 200))
    assert [(told.transaction.request.method, told.response.status) for told in bench.told_of(ResponseReceived)] == [
        ("INVITE", 180),
        ("INVITE", 200),
        ("CANCEL", 200),
    ]
    bench.pass_time(40)
    assert not bench.told_of(TransactionTimedOut)
    assert bench.layer.active == 0


def test_a_cancelled_invite_without_final_answer_is_given_up_after_64_t1(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 180))
    bench.pass_time(100)
    cancellation = bench.layer.cancel(transaction, bench.now)
    assert cancellation is not None
    bench.receive(make_response(cancellation.request, 200))
    bench.pass_time(31.9)
    assert not bench.told_of(TransactionTimedOut)
    bench.pass_time(0.2)
    assert bench.told_of(TransactionTimedOut) == [TransactionTimedOut(transaction)]
    assert bench.layer.active == 0


def test_what_is_answered_cannot_be_cancelled(bench: Bench) -> None:
    invite = make_request()
    transaction = _send(bench, invite)
    bench.receive(make_response(invite, 200))
    with pytest.raises(LocalProtocolError):
        bench.layer.cancel(transaction, bench.now)
    options = _send(bench, make_request("OPTIONS"))
    with pytest.raises(LocalProtocolError):
        bench.layer.cancel(options, bench.now)


# Transport


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
@pytest.mark.parametrize("tcp", [False, True])
def test_a_request_that_cannot_be_sent_fails_at_once(bench: Bench, method: str, tcp: bool) -> None:
    transaction = _send(bench, make_request(method), tcp=tcp)
    bench.layer.transport_failed(ALICE, "someone else", bench.now)
    bench.collect()
    assert not bench.told
    bench.layer.transport_failed(BOB_TCP if tcp else BOB, "connection refused", bench.now)
    bench.collect()
    assert bench.told == [TransportFailed(transaction, "connection refused")]
    assert bench.layer.active == 0
    assert bench.layer.next_timer() is None


@pytest.mark.parametrize("tcp", [False, True])
def test_a_request_in_work_fails_when_its_server_is_gone(bench: Bench, tcp: bool) -> None:
    request = make_request("REGISTER")
    transaction = _send(bench, request, tcp=tcp)
    bench.receive(make_response(request, 100))
    bench.layer.transport_failed(BOB_TCP if tcp else BOB, "gone", bench.now)
    bench.collect()
    assert bench.told_of(TransportFailed) == [TransportFailed(transaction, "gone")]
    assert bench.layer.active == 0


def test_a_ringing_call_survives_an_icmp_error_but_not_the_loss_of_its_connection(bench: Bench) -> None:
    over_udp, over_tcp = make_request(branch="z9hG4bKu"), make_request(branch="z9hG4bKt", call_id="call-2")
    _send(bench, over_udp)
    transaction = _send(bench, over_tcp, tcp=True)
    bench.receive(make_response(over_udp, 180))
    bench.receive(make_response(over_tcp, 180), BOB_TCP)
    bench.layer.transport_failed(BOB, "port unreachable", bench.now)
    bench.layer.transport_failed(BOB_TCP, "connection reset", bench.now)
    bench.collect()
    assert bench.told_of(TransportFailed) == [TransportFailed(transaction, "connection reset")]
    assert bench.layer.active == 1


def test_after_the_final_answer_a_failure_to_send_is_no_news(bench: Bench) -> None:
    refused, accepted = make_request(branch="z9hG4bKr"), make_request(branch="z9hG4bKa", call_id="call-2")
    registered = make_request("REGISTER", branch="z9hG4bKg")
    for request, status in ((refused, 486), (accepted, 200), (registered, 200)):
        _send(bench, request)
        bench.receive(make_response(request, status))
    bench.layer.transport_failed(BOB, "port unreachable", bench.now)
    bench.collect()
    assert not bench.told_of(TransportFailed)
    assert bench.layer.active == 2
    bench.receive(make_response(registered, 200))
    assert bench.layer.discarded == 0
    bench.receive(make_response(accepted, 200))
    assert _statuses(bench) == [486, 200, 200, 200]
