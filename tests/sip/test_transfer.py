"""Transfers, blind and attended, as sender and as receiver (RFC 3515, RFC 4488, RFC 5589; RFC 5407 for races)."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.account import Account, ReferPolicy, ServerAddress
from custom_components.sip_ua.sip.errors import LocalProtocolError, RemoteProtocolError
from custom_components.sip_ua.sip.events import (
    CallEnded,
    CallReplaced,
    CallState,
    Event,
    IncomingCall,
    TransferProgress,
    TransferRefused,
    TransferRequested,
    TransferState,
)
from custom_components.sip_ua.sip.headers import parse_name_addr
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.refer import (
    ReferTarget,
    Replaces,
    may_be_called,
    parse_replaces,
    parse_sipfrag,
    sipfrag,
)
from custom_components.sip_ua.sip.uri import SipUri, TelUri, parse_uri

from .agents import ALICE, BOB, AgentEnd
from .responder import SDP, answer
from .test_reliable import Called, Caller, ok_to_all
from .trio import BOB_URI, CAROL, CAROL_URI, Trio, answering, answering_later, following

DONE = [TransferState.ACCEPTED, TransferState.PROGRESS, TransferState.SUCCEEDED]


# Blind


def test_a_blind_transfer_connects_the_far_end_with_the_target() -> None:
    trio = Trio()
    trio.carol.on_event = answering_later
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    assert trio.states == DONE
    assert not trio.alice.agent.calls
    assert trio.talking(trio.bob) == [CAROL_URI]
    assert trio.talking(trio.carol) == ["sip:bob@bob.example"]
    trio.settle()


def test_the_messages_of_a_blind_transfer_are_those_of_the_standard() -> None:
    trio = Trio()
    trio.carol.on_event = answering_later
    call_id = trio.talk()
    start = len(trio.link.transcript)
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    wire = trio.link.transcript[start:]
    assert [passage.label for passage in wire if passage.source == ALICE and passage.label != "200"] == ["REFER", "BYE"]
    refer, notifies = wire[0].data, [passage.data for passage in wire if passage.label == "NOTIFY"]
    assert f"Refer-To: <{CAROL_URI}>".encode() in refer
    assert b"Referred-By: <sip:alice@alice.example>" in refer
    assert [data.split(b"\r\n\r\n")[1] for data in notifies] == [
        b"SIP/2.0 100 Trying\r\n",
        b"SIP/2.0 180 Ringing\r\n",
        b"SIP/2.0 200 OK\r\n",
    ]
    assert all(b"Event: refer\r\n" in data for data in notifies)
    assert all(b"Content-Type: message/sipfrag;version=2.0" in data for data in notifies)
    assert [b"Subscription-State: active" in data for data in notifies] == [True, True, False]
    assert b"Subscription-State: terminated;reason=noresource" in notifies[-1]
    invite = next(passage.data for passage in wire if passage.label == "INVITE")
    assert b"Referred-By: <sip:alice@alice.example>" in invite


def test_a_target_that_refuses_leaves_the_call_as_it_was() -> None:
    def busy(end: AgentEnd, event: Event, now: float) -> None:
        if isinstance(event, IncomingCall):
            end.agent.reject(event.call.id, 486, now)

    trio = Trio()
    trio.carol.on_event = busy
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    result = trio.alice.events(TransferProgress)[-1]
    assert (result.state, result.code, result.target) == (TransferState.FAILED, 486, CAROL_URI)
    assert trio.alice.agent.calls[call_id].state is CallState.TALKING
    assert trio.talking(trio.bob) == ["sip:alice@alice.example"]
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    assert b"Event: refer;id=" in trio.link.sent("NOTIFY")[-1].data, "a second one needs a name of its own"
    trio.settle()


def test_a_target_that_is_not_there_is_told() -> None:
    trio = Trio()
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, "sip:dora@192.0.2.99")
    trio.link.run_for(40)
    assert trio.alice.events(TransferProgress)[-1].code == 408
    assert trio.alice.agent.calls[call_id].state is CallState.TALKING


@pytest.mark.parametrize("target", ["", "sip:", "mailto:x@y.example", "123"])
def test_what_cannot_be_dialled_cannot_be_a_target(target: str) -> None:
    trio = Trio()
    call_id = trio.talk()
    with pytest.raises(LocalProtocolError):
        trio.alice.agent.transfer(call_id, target, trio.link.now)


def test_a_call_that_is_not_connected_cannot_be_transferred() -> None:
    trio = Trio()
    trio.bob.on_event = None
    call_id = trio.alice.dial(BOB_URI)
    trio.link.run_for(1)
    with pytest.raises(LocalProtocolError):
        trio.alice.agent.transfer(call_id, CAROL_URI, trio.link.now)


def test_a_call_is_transferred_once_at_a_time() -> None:
    trio = Trio()
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    with pytest.raises(LocalProtocolError):
        trio.alice.agent.transfer(call_id, CAROL_URI, trio.link.now)


def connected(script: Any = ok_to_all) -> Caller:
    """Return Alice in a call with a scripted far end."""

    def play(request: Request) -> list[bytes]:
        return [answer(request, 200, "one", port=4001)] if request.method == "INVITE" else script(request)

    caller = Caller(play)
    caller.link.run_for(1)
    return caller


def notify(refer: Request, cseq: int, body: str, state: str = "active;expires=60", event: str = "refer") -> bytes:
    """Return a NOTIFY of the far end."""
    lines = [
        f"NOTIFY sip:alice@{ALICE.host} SIP/2.0",
        f"Via: SIP/2.0/UDP {BOB.host}:5060;branch=z9hG4bKn{cseq}",
        "Max-Forwards: 70",
        f"From: {refer.to}",
        f"To: {refer.from_}",
        f"Call-ID: {refer.call_id}",
        f"CSeq: {cseq} NOTIFY",
        f"Contact: <sip:one@{BOB.host}:5060>",
        f"Event: {event}",
        f"Subscription-State: {state}",
        "Content-Type: message/sipfrag;version=2.0",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


def states(caller: Caller) -> list[tuple[TransferState, int]]:
    return [(event.state, event.code) for event in caller.alice.events(TransferProgress)]


def refer_of(caller: Caller) -> Request:
    caller.alice.command("transfer", caller.call_id, CAROL_URI)
    caller.link.run_for(0.1)
    return next(request for request in caller.far.asked if request.method == "REFER")


def silent_to_refer(request: Request) -> list[bytes]:
    return [] if request.method == "REFER" else ok_to_all(request)


@pytest.mark.parametrize("status", [403, 405, 603])
def test_a_refused_refer_is_told(status: int) -> None:
    caller = connected(lambda request: [answer(request, status, "one")] if request.method == "REFER" else [])
    refer_of(caller)
    assert states(caller) == [(TransferState.FAILED, status)]
    assert caller.alice.agent.calls[caller.call_id].state is CallState.TALKING


def test_a_far_end_that_answers_nothing_to_refer_is_told() -> None:
    caller = connected(silent_to_refer)
    refer_of(caller)
    caller.link.run_for(33)
    assert states(caller) == [(TransferState.FAILED, 408)]


def test_a_notify_before_the_202_counts() -> None:
    caller = connected(silent_to_refer)
    refer = refer_of(caller)
    caller.far.send(ALICE, notify(refer, 1, "SIP/2.0 180 Ringing\r\n"))
    caller.link.run_for(0.1)
    assert states(caller) == [(TransferState.ACCEPTED, 0), (TransferState.PROGRESS, 180)]
    caller.far.send(ALICE, answer(refer, 202, "one"), notify(refer, 2, "SIP/2.0 200 OK\r\n", "terminated"))
    caller.link.run_for(1)
    assert states(caller)[2:] == [(TransferState.SUCCEEDED, 200)]
    assert caller.far.methods()[-1] == "BYE"


def test_a_subscription_that_ends_without_a_result_leaves_the_call() -> None:
    caller = connected()
    caller.far.send(ALICE, notify(refer_of(caller), 1, "SIP/2.0 100 Trying\r\n", "terminated;reason=noresource"))
    caller.link.run_for(1)
    assert states(caller) == [(TransferState.ACCEPTED, 0), (TransferState.UNKNOWN, 100)]
    assert caller.alice.agent.calls[caller.call_id].state is CallState.TALKING


def test_a_far_end_that_tells_nothing_any_more_is_noticed() -> None:
    caller = connected()
    caller.far.send(ALICE, notify(refer_of(caller), 1, "SIP/2.0 183 Session Progress\r\n", "active;expires=50"))
    caller.link.run_for(60)
    assert states(caller)[-1] == (TransferState.UNKNOWN, 183)


def test_a_far_end_that_wants_to_tell_nothing_is_taken_at_its_word() -> None:
    caller = connected(
        lambda request: [answer(request, 200, "one", Refer_Sub="false")] if request.method == "REFER" else []
    )
    refer_of(caller)
    assert states(caller) == [(TransferState.ACCEPTED, 0), (TransferState.UNKNOWN, 0)]


def test_a_notify_of_nothing_is_refused() -> None:
    caller = connected()
    invite = caller.far.asked[0]
    invite.headers.set("To", f"{invite.to};tag=one")
    caller.far.send(ALICE, notify(invite, 1, "SIP/2.0 200 OK\r\n"))
    caller.link.run_for(0.1)
    refer = refer_of(caller)
    caller.far.send(ALICE, notify(refer, 2, "SIP/2.0 200 OK\r\n", event="refer;id=9999"))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, notify(refer, 3, "SIP/2.0 200 OK\r\n", event="presence"))
    caller.link.run_for(0.1)
    assert [label for label in caller.link.labels(ALICE) if label.isdigit()] == ["481", "481", "489"]
    assert states(caller) == [(TransferState.ACCEPTED, 0)]


def test_the_id_of_a_notify_is_the_number_of_the_refer() -> None:
    caller = connected()
    refer = refer_of(caller)
    event = f"refer;id={refer.cseq.number}"
    caller.far.send(ALICE, notify(refer, 1, "SIP/2.0 200 OK\r\n", "terminated", event))
    caller.link.run_for(1)
    assert states(caller)[-1] == (TransferState.SUCCEEDED, 200)


def test_a_far_end_that_does_not_name_refer_is_not_asked() -> None:
    def play(request: Request) -> list[bytes]:
        return [answer(request, 200, "one", port=4001, Allow="INVITE, ACK, BYE, CANCEL")]

    caller = Caller(play)
    caller.link.run_for(1)
    with pytest.raises(LocalProtocolError):
        caller.alice.agent.transfer(caller.call_id, CAROL_URI, caller.link.now)


# Attended


def test_an_attended_transfer_joins_two_calls() -> None:
    trio = Trio()
    bobs, carols = trio.talk(), trio.talk(CAROL_URI)
    (carol_id,) = trio.carol.agent.calls
    trio.alice.command("hold", bobs)
    trio.link.run_for(1)
    trio.alice.command("transfer_to_call", bobs, carols)
    trio.link.run_for(10)
    assert trio.states[-1] is TransferState.SUCCEEDED
    assert not trio.alice.agent.calls
    assert list(trio.carol.agent.calls) == [carol_id], "the target's call goes on under its name"
    assert trio.talking(trio.carol) == ["sip:bob@bob.example"]
    assert trio.carol.events(CallReplaced)[0].previous.uri == "sip:alice@alice.example"
    assert len(trio.carol.events(IncomingCall)) == 1, "it does not ring again"
    assert not trio.carol.events(CallEnded)
    assert trio.carol.voice is not None
    assert trio.carol.voice.remote_address == BOB.host
    trio.settle()


def test_the_replaces_of_an_attended_transfer_names_the_dialog_as_its_receiver_does() -> None:
    trio = Trio()
    bobs, carols = trio.talk(), trio.talk(CAROL_URI)
    trio.alice.command("transfer_to_call", bobs, carols)
    trio.link.run_for(1)
    first, second = (passage.data for passage in trio.link.sent("INVITE")[1:])
    replaces = parse_replaces(second.split(b"Replaces: ")[1].split(b"\r\n")[0].decode())
    assert replaces.call_id.encode() in first
    assert f"From: <sip:alice@alice.example>;tag={replaces.from_tag}".encode() in first
    assert second.startswith(f"INVITE sip:carol@{CAROL.host}:5060 ".encode())


@pytest.mark.parametrize("same", [True, False])
def test_only_two_connected_calls_can_be_joined(same: bool) -> None:
    trio = Trio()
    bobs = trio.talk()
    trio.carol.on_event = None
    carols = trio.alice.dial(CAROL_URI)
    trio.link.run_for(1)
    with pytest.raises(LocalProtocolError):
        trio.alice.agent.transfer_to_call(bobs, bobs if same else carols, trio.link.now)


def test_the_other_call_is_hung_up_where_the_target_does_not() -> None:
    trio = Trio()
    bobs, carols = trio.talk(), trio.talk(CAROL_URI)
    trio.alice.command("transfer_to_call", bobs, carols)
    # The BYE of the target never comes.
    trio.link.lose(lambda passage: passage.label == "BYE" and passage.source == CAROL, times=100)
    trio.link.run_for(10)
    assert not trio.alice.agent.calls


# The owner's rule


def test_a_transfer_is_declined_as_long_as_the_owner_does_not_want_it() -> None:
    trio = Trio(policy=ReferPolicy.OFF)
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    result = trio.alice.events(TransferProgress)[-1]
    assert (result.state, result.code) == (TransferState.FAILED, 603)
    assert len(trio.link.sent("INVITE")) == 1
    assert not trio.bob.events(TransferRequested)
    (refused,) = trio.bob.events(TransferRefused)
    assert (refused.target, refused.reason, refused.call.state) == (CAROL_URI, "", CallState.TALKING)


def test_a_number_that_no_pattern_allows_is_declined() -> None:
    trio = Trio(allowed_numbers=("5?", "12*"))
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    assert trio.alice.events(TransferProgress)[-1].code == 603


HOME = {"number": "bob", "domain": "home.example", "server": ServerAddress("pbx.home.example")}


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("sip:52@home.example", True),
        ("sip:52@HOME.example", True),
        ("sip:52@pbx.home.example", True),
        ("sip:52@192.0.2.7", True),
        ("sip:52@premium.example", False),
        ("sip:0900123@home.example", False),
        ("tel:52", True),
        ("tel:0900123", False),
        ("sip:home.example", False),
    ],
)
def test_with_server_only_our_own_domain_may_be_called(target: str, allowed: bool) -> None:
    account = Account(**HOME, refer_policy=ReferPolicy.SERVER, allowed_numbers=("5*", "110"))  # type: ignore[arg-type]
    uri = parse_uri(target)
    assert isinstance(uri, SipUri | TelUri)
    assert may_be_called(account, frozenset({"192.0.2.7"}), ReferTarget(uri)) is allowed


@pytest.mark.parametrize(
    ("pattern", "number", "allowed"),
    [
        ("**610", "**610", True),
        ("**610", "0900123610", False),
        ("**610", "**6101", False),
        ("**6*", "**610", True),
        ("**6*", "0906", False),
        ("**6?", "**61", True),
        ("**6?", "0961", False),
        ("*98#", "*98#", True),
        ("*98#", "0900*98#", False),
        ("*21*0123#", "*21*0123#", True),
        ("*21*0123#", "*21*09000123#", False),
        ("#31#030*", "#31#0301", True),
        ("#31#*", "0900", False),
        ("**", "*1", True),
        ("**", "0900", False),
        ("[0-9]", "5", False),
        ("*[0-9]", "*5", False),
        ("[0-9]", "[0-9]", True),
        ("*", "0900", True),
        ("*", "**610", True),
        ("6*", "6", True),
        ("6*", "612345", True),
        ("6*", "0612", False),
        ("0*9", "0129", True),
        ("6??", "610", True),
        ("6??", "6100", False),
        ("+4930*", "+493012", True),
    ],
)
def test_a_pattern_means_the_numbers_that_it_names(pattern: str, number: str, allowed: bool) -> None:
    account = Account(**HOME, refer_policy=ReferPolicy.ANYWHERE, allowed_numbers=(pattern,))  # type: ignore[arg-type]
    target = ReferTarget(SipUri("sip", number, None, "home.example"))
    assert may_be_called(account, frozenset(), target) is allowed


def test_without_patterns_nobody_may_be_called() -> None:
    account = Account(**HOME, refer_policy=ReferPolicy.ANYWHERE, allowed_numbers=())  # type: ignore[arg-type]
    assert not may_be_called(account, frozenset(), ReferTarget(TelUri("52")))


# As receiver


def answering_only(end: AgentEnd, event: Event, now: float) -> None:
    if isinstance(event, IncomingCall):
        end.agent.answer(event.call.id, end.media, now)
    elif isinstance(event, TransferRequested):
        try:
            end.agent.follow_transfer(event.transfer_id, end.media, now)
        except LocalProtocolError:
            assert not event.target.isprintable() or len(event.target) > 256 or event.target.startswith("tel:")


def transferred(**headers: str) -> Called:
    """Return Bob in a call with a caller that sends a REFER written by hand."""
    called = Called(refer_policy=ReferPolicy.ANYWHERE)
    called.bob.on_event = answering
    called.send("INVITE", 1, body=SDP.format(port=4000))
    tag = called.tag("200")
    called.send("ACK", 1, to_tag=tag)
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    called.send("REFER", 2, *lines, to_tag=tag)
    return called


def test_a_transferor_that_wants_no_news_gets_none() -> None:
    called = transferred(Refer_To=f"<{CAROL_URI}>", Refer_Sub="false", Require="norefersub")
    reply = called.link.sent("202")[0].data
    assert b"Refer-Sub: false" in reply
    called.link.run_for(5)
    assert called.link.sent("INVITE", BOB)
    assert not called.link.sent("NOTIFY")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, "400"),
        ({"Refer_To": "<mailto:carol@example.com>"}, "416"),
        ({"Refer_To": f"<{CAROL_URI};method=BYE>"}, "403"),
        ({"Refer_To": f"<{CAROL_URI}?Replaces=x>"}, "400"),
        ({"Refer_To": f"<{CAROL_URI}?Replaces=a%0D%0AX:y%3Bto-tag%3D1%3Bfrom-tag%3D2>"}, "400"),
        ({"Refer_To": f"<{CAROL_URI};x={'y' * 1100}>"}, "414"),
    ],
)
def test_a_refer_without_a_target_that_can_be_called_is_refused(headers: dict[str, str], status: str) -> None:
    called = transferred(**headers)
    assert called.link.sent(status, BOB)
    assert not called.bob.events(TransferRequested)


def test_headers_in_the_target_are_not_followed() -> None:
    called = transferred(Refer_To=f"<{CAROL_URI};method=INVITE?Route=%3Csip:evil.example%3E&Subject=x>")
    called.link.run_for(1)
    invite = called.link.sent("INVITE", BOB)[0]
    assert invite.destination == CAROL
    assert b"evil" not in invite.data
    assert b"Subject" not in invite.data


def test_a_refer_outside_a_call_is_declined() -> None:
    called = Called(refer_policy=ReferPolicy.ANYWHERE)
    called.send("REFER", 1, f"Refer-To: <{CAROL_URI}>")
    assert called.link.labels(BOB) == ["603"]


def test_a_refer_to_a_call_that_rings_is_declined() -> None:
    called = Called(refer_policy=ReferPolicy.ANYWHERE)
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.send("REFER", 2, f"Refer-To: <{CAROL_URI}>", to_tag=called.tag("180"))
    assert called.link.labels(BOB)[-1] == "603"
    assert not called.bob.events(TransferRefused)


def test_a_second_refer_before_the_first_is_done_has_to_wait() -> None:
    called = transferred(Refer_To=f"<{CAROL_URI}>")
    called.send("REFER", 3, f"Refer-To: <{CAROL_URI}>", to_tag=called.tag("202"))
    assert called.link.sent("491")


def test_a_transfer_that_nobody_follows_is_given_up() -> None:
    trio = Trio()
    call_id = trio.talk()
    trio.bob.on_event = None
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(40)
    assert trio.alice.events(TransferProgress)[-1].code == 503
    trio.settle()


def test_a_transfer_that_was_given_up_is_not_followed_any_more() -> None:
    trio = Trio()
    call_id = trio.talk()
    trio.bob.on_event = None
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(40)
    (event,) = trio.bob.events(TransferRequested)
    with pytest.raises(LocalProtocolError):
        trio.bob.agent.follow_transfer(event.transfer_id, trio.bob.media, trio.link.now)


def test_a_transfer_that_cannot_be_followed_is_told() -> None:
    def refusing(end: AgentEnd, event: Event, now: float) -> None:
        if isinstance(event, TransferRequested):
            end.agent.refuse_transfer(event.transfer_id, 500, now)

    trio = Trio()
    call_id = trio.talk()
    trio.bob.on_event = refusing
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(2)
    assert trio.alice.events(TransferProgress)[-1].code == 500
    with pytest.raises(LocalProtocolError):
        trio.bob.agent.follow_transfer("unknown", trio.bob.media, trio.link.now)


# Crossings


def test_bye_crossing_refer_ends_the_transfer() -> None:
    trio = Trio()
    call_id = trio.talk()
    (bobs,) = trio.bob.agent.calls
    trio.bob.command("hangup", bobs)
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(40)
    assert trio.states == [TransferState.FAILED]
    assert len(trio.link.sent("INVITE")) == 1
    trio.settle()


def test_a_transferor_that_hangs_up_right_after_the_202_is_still_told() -> None:
    trio = Trio()
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_until(lambda: bool(trio.states))
    trio.alice.command("hangup", call_id)
    trio.link.run_for(5)
    assert trio.states[-1] is TransferState.SUCCEEDED
    assert trio.talking(trio.bob) == [CAROL_URI]
    trio.settle()


def test_a_transferee_that_hangs_up_before_the_result_is_still_heard() -> None:
    trio = Trio()
    call_id = trio.talk()
    (bobs,) = trio.bob.agent.calls
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_until(lambda: bool(trio.states))
    trio.bob.command("hangup", bobs)
    trio.link.run_for(5)
    assert trio.states[-1] is TransferState.SUCCEEDED
    assert call_id not in trio.alice.agent.calls
    trio.settle()


def test_refer_crossing_refer_lets_both_decide_for_themselves() -> None:
    trio = Trio()
    call_id = trio.talk()
    (bobs,) = trio.bob.agent.calls
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.bob.command("transfer", bobs, CAROL_URI)
    trio.link.run_for(10)
    # Alice allows nobody to transfer her, Bob does.
    assert [event.code for event in trio.bob.events(TransferProgress)] == [603]
    assert trio.states[-1] is TransferState.SUCCEEDED
    trio.settle()


def test_a_transfer_crossing_a_reinvite() -> None:
    trio = Trio()
    call_id = trio.talk()
    (bobs,) = trio.bob.agent.calls
    trio.bob.command("hold", bobs)
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(10)
    assert trio.states[-1] is TransferState.SUCCEEDED
    trio.settle()


# Formats


@pytest.mark.parametrize(
    ("text", "replaces"),
    [
        ("a@b;to-tag=1;from-tag=2", Replaces("a@b", "1", "2")),
        ("a@b ; from-tag=2 ; TO-TAG=1;early-only", Replaces("a@b", "1", "2", early_only=True)),
    ],
)
def test_replaces_is_read(text: str, replaces: Replaces) -> None:
    assert parse_replaces(text) == replaces
    assert parse_replaces(str(replaces)) == replaces


@pytest.mark.parametrize(
    "text", ["", "a@b", "a@b;to-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=1;to-tag=3;from-tag=2", "a;to-tag=;from-tag="]
)
def test_replaces_that_names_no_dialog_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_replaces(text)


def test_a_target_with_replaces_survives_being_written() -> None:
    uri = parse_uri("sip:carol@192.0.2.3:5060;transport=tcp")
    assert isinstance(uri, SipUri)
    replaces = Replaces("a;b=c@d", "1", "2")
    written = parse_name_addr(str(ReferTarget(uri, replaces))).uri
    assert isinstance(written, SipUri)
    assert written.header("Replaces") == "a;b=c@d;to-tag=1;from-tag=2"
    assert written.params == uri.params


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (sipfrag(180), (180, "Ringing")),
        (b"SIP/2.0 200 Fine\r\nTo: x\r\n", (200, "Fine")),
        (b"sip/2.0 486", (486, "")),
        (b"SIP/2.0 99 x", None),
        (b"HTTP/1.1 200 OK", None),
        (b"", None),
        (b"SIP/2.0 200 " + b"x" * 5000, None),
    ],
)
def test_a_sipfrag_is_read_or_left(body: bytes, told: tuple[int, str] | None) -> None:
    caller = connected()
    request = caller.far.asked[0].copy()
    request.headers.set("Content-Type", "message/sipfrag;version=2.0")
    request.body = body
    assert parse_sipfrag(request) == told


# Whatever the bytes are

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60) | st.sampled_from(
    [
        f"<{CAROL_URI}>",
        "refer",
        "refer;id=2",
        "active;expires=x",
        "terminated",
        "1 1 INVITE",
        "c;to-tag=1;from-tag=2",
        "<sip:%0d%0a@h?Replaces=%00>",
        "<tel:+49>",
        "100rel",
    ]
)


@given(
    method=st.sampled_from(["REFER", "NOTIFY", "PRACK", "UPDATE"]),
    fields=st.dictionaries(
        st.sampled_from(["Refer-To", "Event", "Subscription-State", "RAck", "Refer-Sub", "Referred-By"]), VALUES
    ),
)
def test_no_request_in_a_call_makes_us_fail(method: str, fields: dict[str, str]) -> None:
    called = Called(refer_policy=ReferPolicy.ANYWHERE)
    called.bob.on_event = answering_only
    called.send("INVITE", 1, body=SDP.format(port=4000))
    tag = called.tag("200")
    called.send("ACK", 1, to_tag=tag)
    before = len(called.link.labels(BOB))
    called.send(method, 2, *(f"{name}: {value}" for name, value in fields.items()), to_tag=tag)
    assert called.link.labels(BOB)[before:]


@given(VALUES)
def test_no_replaces_makes_us_fail(value: str) -> None:
    called = Called()
    called.send("INVITE", 1, f"Replaces: {value}", body=SDP.format(port=4000))
    assert called.link.labels(BOB)


# Faults on the way


@pytest.mark.parametrize("seed", range(30))
def test_blind_transfers_come_about_whatever_the_network_does(seed: int) -> None:
    trio = Trio(seed=seed, loss=0.15, duplication=0.2, reordering=0.3, delay=(0.01, 0.2))
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(90)
    assert trio.states[-1] is TransferState.SUCCEEDED
    assert trio.talking(trio.carol) == ["sip:bob@bob.example"]
    trio.settle()


@pytest.mark.parametrize("seed", range(30))
def test_attended_transfers_come_about_whatever_the_network_does(seed: int) -> None:
    trio = Trio(seed=seed, loss=0.15, duplication=0.2, reordering=0.3, delay=(0.01, 0.2))
    trio.bob.on_event = answering
    bobs, carols = trio.talk(), trio.talk(CAROL_URI)
    trio.alice.command("transfer_to_call", bobs, carols)
    trio.link.run_for(90)
    assert trio.states[-1] is TransferState.SUCCEEDED
    assert trio.talking(trio.carol) == ["sip:bob@bob.example"]
    assert len(trio.carol.events(IncomingCall)) == 1
    trio.settle()


def test_following_needs_no_more_than_the_event() -> None:
    trio = Trio()
    trio.talk()
    trio.bob.on_event = following
    (call_id,) = trio.alice.agent.calls
    trio.alice.command("transfer", call_id, CAROL_URI)
    trio.link.run_for(5)
    (event,) = trio.bob.events(TransferRequested)
    assert event.target == CAROL_URI
    assert event.call.remote.uri == "sip:alice@alice.example"
