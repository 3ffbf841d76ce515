"""Whose transaction a message is, and where answers go (RFC 3261 sections 8.2.2.2, 17.2.3 and 18.2, RFC 3581)."""

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.transaction import AckReceived, CancelReceived, RequestReceived

from .transactions import ALICE, ALICE_TCP, Bench, make_request

NAT = Address(Transport.UDP, "203.0.113.7", 41234)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _answered(bench: Bench, request: Request, source: Address) -> tuple[str, Address]:
    """Return topmost Via and destination of the answer to a request."""
    bench.receive(request, source)
    bench.respond(200)
    return str(bench.last_response().via), bench.sent[-1][1]


# Where answers go


def test_an_answer_goes_to_the_source_and_the_port_of_the_via(bench: Bench) -> None:
    request = make_request("OPTIONS", via="SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone")
    via, destination = _answered(bench, request, Address(Transport.UDP, "192.0.2.1", 40000))
    assert via == "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone"
    assert destination == Address(Transport.UDP, "192.0.2.1", 5070)


def test_an_answer_goes_to_port_5060_where_the_via_names_none(bench: Bench) -> None:
    request = make_request("OPTIONS", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKone")
    _, destination = _answered(bench, request, Address(Transport.UDP, "192.0.2.1", 40000))
    assert destination == ALICE


def test_rport_leads_the_answer_back_through_a_nat(bench: Bench) -> None:
    request = make_request("OPTIONS", via="SIP/2.0/UDP 192.168.1.5:5060;rport;branch=z9hG4bKone")
    via, destination = _answered(bench, request, NAT)
    assert destination == NAT
    assert via == "SIP/2.0/UDP 192.168.1.5:5060;rport=41234;branch=z9hG4bKone;received=203.0.113.7"


def test_received_is_added_with_rport_even_where_the_address_is_right(bench: Bench) -> None:
    request = make_request("OPTIONS", via="SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKone")
    via, _ = _answered(bench, request, ALICE)
    assert via == "SIP/2.0/UDP 192.0.2.1:5060;rport=5060;branch=z9hG4bKone;received=192.0.2.1"


def test_a_host_name_in_the_via_gets_received_and_is_never_looked_up(bench: Bench) -> None:
    request = make_request("OPTIONS", via="SIP/2.0/UDP alice.example.com;branch=z9hG4bKone")
    via, destination = _answered(bench, request, ALICE)
    assert via == "SIP/2.0/UDP alice.example.com;branch=z9hG4bKone;received=192.0.2.1"
    assert destination == ALICE


def test_maddr_and_a_forged_received_lead_nowhere(bench: Bench) -> None:
    via = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone;maddr=198.51.100.1;received=198.51.100.2"
    answered, destination = _answered(bench, make_request("OPTIONS", via=via), ALICE)
    assert destination == ALICE
    assert answered == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone;maddr=198.51.100.1"


def test_a_forged_rport_is_overwritten(bench: Bench) -> None:
    via = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone;rport=9;received=198.51.100.2"
    answered, destination = _answered(bench, make_request("OPTIONS", via=via), ALICE)
    assert destination == ALICE
    assert answered == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKone;rport=5060;received=192.0.2.1"


def test_over_tcp_an_answer_goes_back_through_the_connection(bench: Bench) -> None:
    source = Address(Transport.TCP, "192.0.2.1", 51999)
    request = make_request("OPTIONS", via="SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKone")
    assert _answered(bench, request, source)[1] == source


def test_an_ipv6_source_is_noted_without_brackets(bench: Bench) -> None:
    source = Address(Transport.UDP, "2001:db8::9", 5062)
    request = make_request("OPTIONS", via="SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKone;rport")
    via, destination = _answered(bench, request, source)
    assert destination == source
    assert via == "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKone;rport=5062;received=2001:db8::9"


def test_only_the_topmost_via_is_touched(bench: Bench) -> None:
    request = make_request("OPTIONS", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKone, SIP/2.0/UDP 10.0.0.1;branch=b")
    request.headers.add("Via", "SIP/2.0/UDP 10.0.0.2;branch=c")
    bench.receive(request, NAT)
    bench.respond(200)
    assert bench.last_response().headers.split("Via") == [
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKone;received=203.0.113.7",
        "SIP/2.0/UDP 10.0.0.1;branch=b",
        "SIP/2.0/UDP 10.0.0.2;branch=c",
    ]


# Branch, sent-by and method


def test_another_branch_sent_by_or_method_makes_another_transaction(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS", to_tag="bob"), ALICE)
    bench.receive(make_request("OPTIONS", to_tag="bob", branch="z9hG4bKtwo"), ALICE)
    bench.receive(make_request("OPTIONS", to_tag="bob", sent_by="192.0.2.1:5070"), ALICE)
    bench.receive(make_request("OPTIONS", to_tag="bob", sent_by="192.0.2.3:5060"), ALICE)
    bench.receive(make_request("INFO", to_tag="bob"), ALICE)
    assert len(bench.told_of(RequestReceived)) == 5


def test_a_proxy_that_puts_one_branch_into_everything_mixes_up_no_calls(bench: Bench) -> None:
    for number in range(3):
        bye = make_request("BYE", branch="z9hG4bKcydzigwkX", call_id=f"call-{number}", to_tag="bob")
        for _ in range(2):
            bench.receive(bye, ALICE)
        bench.respond(200)
    bench.receive(make_request("BYE", branch="z9hG4bKcydzigwkX", call_id="call-2", to_tag="bob", cseq=2), ALICE)
    assert len(bench.told_of(RequestReceived)) == 4


def test_the_case_of_a_sent_by_host_does_not_tell_transactions_apart(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS", sent_by="alice.example.com"), ALICE)
    bench.receive(make_request("OPTIONS", sent_by="ALICE.Example.Com"), ALICE)
    assert len(bench.told_of(RequestReceived)) == 1


# Peers of RFC 2543


@pytest.mark.parametrize("branch", [None, "1", "z9hG4bK"])
def test_an_old_invite_is_matched_by_its_header_fields(bench: Bench, branch: str | None) -> None:
    bench.receive(make_request(branch=branch), ALICE)
    bench.receive(make_request(branch=branch), ALICE)
    assert len(bench.told) == 1
    bench.receive(make_request(branch=branch, cseq=2), ALICE)
    bench.receive(make_request(branch=branch, call_id="call-2"), ALICE)
    bench.receive(make_request(branch=branch, from_tag="other"), ALICE)
    bench.receive(make_request(branch=branch, call_id="call-3", uri="sip:carol@192.0.2.2"), ALICE)
    assert len(bench.told) == 5


@pytest.mark.parametrize("branch", [None, "1"])
def test_an_old_ack_to_a_refusal_is_matched_by_the_tag_of_the_refusal(bench: Bench, branch: str | None) -> None:
    bench.receive(make_request(branch=branch), ALICE)
    bench.respond(486, to_tag="ours")
    bench.receive(make_request("ACK", branch=branch, to_tag="other"), ALICE)
    assert [told.transaction for told in bench.told_of(AckReceived)] == [None]
    bench.receive(make_request("ACK", branch=branch, to_tag="ours"), ALICE)
    bench.pass_time(4)
    assert bench.labels() == ["486"]
    assert len(bench.told_of(AckReceived)) == 1


def test_an_old_ack_to_a_2xx_is_passed_up_with_its_transaction(bench: Bench) -> None:
    bench.receive(make_request(branch=None), ALICE)
    bench.respond(200, to_tag="ours")
    bench.receive(make_request("ACK", branch=None, to_tag="ours"), ALICE)
    assert [told.transaction for told in bench.told_of(AckReceived)] == [bench.server()]


def test_an_old_cancel_finds_its_invite(bench: Bench) -> None:
    bench.receive(make_request(branch=None), ALICE)
    bench.receive(make_request("CANCEL", branch=None, cseq=2), ALICE)
    assert bench.labels() == ["481"]
    bench.receive(make_request("CANCEL", branch=None), ALICE)
    assert bench.labels() == ["481", "200"]
    assert [told.transaction for told in bench.told_of(CancelReceived)] == [bench.server()]


def test_an_old_peer_without_a_from_tag_is_served(bench: Bench) -> None:
    request = make_request(branch=None)
    request.headers.set("From", "<sip:alice@192.0.2.1>")
    bench.receive(request, ALICE)
    bench.receive(request, ALICE)
    bench.respond(180)
    assert len(bench.told) == 1
    assert bench.labels() == ["180"]


# Merged requests


def test_a_request_that_comes_over_two_paths_is_answered_once_and_refused_once(bench: Bench) -> None:
    bench.receive(make_request(branch="z9hG4bKpath1"), ALICE)
    bench.receive(make_request(branch="z9hG4bKpath2"), ALICE)
    assert bench.labels() == ["482"]
    assert len(bench.told) == 1
    merged = bench.last_response()
    assert merged.via.branch == "z9hG4bKpath2"
    bench.receive(make_request("ACK", branch="z9hG4bKpath2", to_tag=merged.to.tag), ALICE)
    bench.pass_time(10)
    assert bench.labels() == ["482", "100"]
    bench.respond(200)
    assert bench.last_response().via.branch == "z9hG4bKpath1"


def test_requests_inside_a_dialog_are_never_taken_for_merged_ones(bench: Bench) -> None:
    bench.receive(make_request("INFO", branch="z9hG4bKpath1", to_tag="bob"), ALICE)
    bench.receive(make_request("INFO", branch="z9hG4bKpath2", to_tag="bob"), ALICE)
    assert len(bench.told) == 2


def test_a_request_tried_again_with_a_login_is_not_merged(bench: Bench) -> None:
    bench.receive(make_request(cseq=1), ALICE)
    bench.respond(401)
    bench.receive(make_request(cseq=2, branch="z9hG4bKtwo"), ALICE)
    assert len(bench.told) == 2


def test_once_the_first_is_over_the_same_request_counts_as_new(bench: Bench) -> None:
    bench.receive(make_request("OPTIONS", branch="z9hG4bKpath1"), ALICE_TCP)
    bench.respond(200)
    assert bench.layer.active == 0
    bench.receive(make_request("OPTIONS", branch="z9hG4bKpath2"), ALICE_TCP)
    assert len(bench.told) == 2
