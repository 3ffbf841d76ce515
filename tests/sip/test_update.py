"""UPDATE in early and confirmed dialogs, and what it crosses (RFC 3311; RFC 5407 section 3)."""

import pytest

from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallState
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.offer_answer import MediaDirection

from .agents import ALICE, BOB
from .responder import SDP, answer
from .test_reliable import Called, Caller, Pair, ok_to_all, reliable

HOLD = SDP.format(port=4000) + "a=sendonly\r\n"


def talk(pair: Pair) -> tuple[str, str]:
    call_id = pair.ring()
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_until(lambda: "<ack" in pair.bob.ladder, within=60)
    return call_id, pair.bob.incoming.id


def answered() -> tuple[Called, str]:
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.bob.command("answer", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    tag = called.tag("200")
    called.send("ACK", 1, to_tag=tag)
    return called, tag


# Receiving


def test_an_offer_in_an_update_is_answered_and_holds_the_call() -> None:
    called, tag = answered()
    called.send("UPDATE", 2, body=HOLD, to_tag=tag)
    update = called.link.sent("200")[-1].data
    assert b"2 UPDATE" in update
    assert b"a=recvonly" in update
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.REMOTE_HELD


def test_an_update_without_an_offer_refreshes_target_and_session_only() -> None:
    called, tag = answered()
    before = called.bob.voice
    called.send("UPDATE", 2, "Session-Expires: 1800;refresher=uac", "Supported: timer", to_tag=tag)
    reply = called.link.sent("200")[-1].data
    assert b"Session-Expires: 1800;refresher=uac" in reply
    assert b"m=audio" not in reply
    assert called.bob.voice == before


def test_an_offer_in_which_nothing_fits_is_refused_and_the_call_goes_on() -> None:
    called, tag = answered()
    before = called.bob.voice
    called.send("UPDATE", 2, body=SDP.format(port=4000).replace("8", "9"), to_tag=tag)
    assert b"Warning: " in called.link.sent("488")[0].data
    assert called.bob.voice == before
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_content_that_is_no_description_is_refused_with_what_we_read_and_the_call_goes_on(method: str) -> None:
    called, tag = answered()
    before = called.bob.voice
    called.content_type = "text/plain"
    called.send(method, 2, body=SDP.format(port=4444), to_tag=tag)
    (refusal,) = called.link.sent("415", BOB)
    assert b"Accept: application/sdp" in refusal.data
    assert called.bob.voice == before
    called.content_type = "application/sdp"
    called.send(method, 3, body=SDP.format(port=4444), to_tag=tag)
    assert called.bob.voice is not None
    assert called.bob.voice.remote_port == 4444


def test_an_update_with_too_short_a_session_gets_422() -> None:
    called, tag = answered()
    called.send("UPDATE", 2, "Session-Expires: 60", "Supported: Timer", to_tag=tag)
    assert b"Min-SE: 90" in called.link.sent("422")[0].data


@pytest.mark.parametrize(("asked", "granted"), [(60, 90), (100, 100), (400, 400)])
@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_a_caller_without_session_timers_is_not_refused_for_those_of_a_proxy(
    method: str, asked: int, granted: int
) -> None:
    called = Called(timing=Timing(min_se=300))
    expires = f"Session-Expires: {asked}"
    called.send("INVITE", 1, *([expires] if method == "INVITE" else []), body=SDP.format(port=4000))
    called.bob.command("answer", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    tag = called.tag("200")
    called.send("ACK", 1, to_tag=tag)
    if method == "UPDATE":
        called.send("UPDATE", 2, expires, to_tag=tag)
    assert not called.link.sent("422", BOB)
    accepted = called.link.sent("200", BOB)[-1].data
    assert f"Session-Expires: {granted};refresher=uas".encode() in accepted
    assert b"Require:" not in accepted
    called.link.run_for(granted / 2)
    assert len(called.link.sent("INVITE", BOB)) == 1, "we refresh"


def test_our_refreshes_name_the_shortest_session_that_the_far_end_asked_for() -> None:
    called, tag = answered()
    refreshed = ("Session-Expires: 1800;refresher=uac", "Supported: timer")
    called.send("UPDATE", 2, *refreshed, "Min-SE: 600", to_tag=tag)
    called.send("UPDATE", 3, *refreshed, "Min-SE: 300", to_tag=tag)
    called.bob.command("hold", called.bob.incoming.id)
    called.link.run_for(0.1)
    assert b"\r\nMin-SE: 600\r\n" in called.link.sent("INVITE")[-1].data


@pytest.mark.parametrize(("theirs", "ours"), [("uac", "uas"), ("uas", "uac")])
def test_whoever_refreshes_the_session_goes_on_to_when_we_hold_the_call(theirs: str, ours: str) -> None:
    called, tag = answered()
    called.send("UPDATE", 2, f"Session-Expires: 1800;refresher={theirs}", "Supported: timer", to_tag=tag)
    called.bob.command("hold", called.bob.incoming.id)
    called.link.run_for(0.1)
    assert f"\r\nSession-Expires: 1800;refresher={ours}\r\n".encode() in called.link.sent("INVITE", BOB)[0].data


def test_an_offer_before_the_first_is_answered_has_to_wait() -> None:
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.send("UPDATE", 2, body=HOLD, to_tag=called.tag("180"))
    assert b"Retry-After: " in called.link.sent("500")[0].data
    called.send("UPDATE", 3, to_tag=called.tag("180"))
    assert b"3 UPDATE" in called.link.sent("200")[0].data


def test_an_offer_before_the_first_is_answered_for_certain_has_to_wait() -> None:
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.bob.command("progress", called.bob.incoming.id, called.bob.media)
    assert called.bob.voice is not None
    tag = called.tag("180")
    called.send("UPDATE", 2, body=SDP.format(port=4002), to_tag=tag)
    assert b"Retry-After: " in called.link.sent("500")[0].data
    called.bob.command("answer", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    assert called.bob.voice.remote_port == 4000
    called.send("ACK", 1, to_tag=tag)
    called.send("UPDATE", 3, body=SDP.format(port=4002), to_tag=tag)
    assert called.bob.voice.remote_port == 4002


def test_a_second_invite_before_the_first_is_answered_has_to_wait() -> None:
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.send("INVITE", 2, body=SDP.format(port=4000), to_tag=called.tag("180"))
    assert b"Retry-After: " in called.link.sent("500")[0].data
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.RINGING


def test_an_early_offer_of_the_called_party_changes_what_we_hear() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, reliable(invite, 183, 1, port=4001))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, _update(invite, "one", 1, SDP.format(port=4009)))
    caller.link.run_for(0.1)
    assert caller.alice.voice is not None
    assert caller.alice.voice.remote_port == 4009
    assert caller.alice.agent.calls[caller.call_id].state is CallState.EARLY
    caller.far.send(ALICE, answer(invite, 200, "one"))
    caller.link.run_for(0.1)
    assert caller.alice.voice.remote_port == 4009


def test_an_early_offer_of_another_fork_is_answered_in_its_own_dialog() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, reliable(invite, 183, 1, "one", port=4001))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, reliable(invite, 183, 1, "two", port=4002))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, _update(invite, "two", 1, SDP.format(port=4022)))
    caller.link.run_for(0.1)
    assert caller.alice.voice is not None
    assert caller.alice.voice.remote_port == 4022
    caller.far.send(ALICE, answer(invite, 200, "one"))
    caller.link.run_for(0.1)
    assert caller.alice.voice.remote_port == 4001


def test_an_early_offer_that_crosses_ours_meets_491() -> None:
    caller = Caller(ok_to_all)
    caller.link.run_for(0.1)
    invite = caller.far.asked[0]
    caller.far.send(ALICE, answer(invite, 180, "one"))
    caller.link.run_for(0.1)
    caller.far.send(ALICE, _update(invite, "one", 1, SDP.format(port=4009)))
    caller.link.run_for(0.1)
    # No answer has come to the offer of the INVITE, so there is nothing yet that could be changed.
    assert caller.link.labels(ALICE)[-1] in {"491", "500"}


def _update(invite: Request, tag: str, cseq: int, body: str) -> bytes:
    """Return an UPDATE of the called party in an early dialog."""
    lines = [
        f"UPDATE sip:alice@{ALICE.host} SIP/2.0",
        f"Via: SIP/2.0/UDP {BOB.host}:5060;branch=z9hG4bK{tag}{cseq}",
        "Max-Forwards: 70",
        f"From: {invite.to};tag={tag}",
        f"To: {invite.from_}",
        f"Call-ID: {invite.call_id}",
        f"CSeq: {cseq} UPDATE",
        f"Contact: <sip:{tag}@{BOB.host}:5060>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


# Sending


def test_a_session_is_refreshed_by_update_without_an_offer() -> None:
    pair = Pair()
    alices, _ = talk(pair)
    pair.link.run_for(4000)
    assert len(pair.link.sent("UPDATE")) == 4
    assert len(pair.link.sent("INVITE")) == 1
    assert not any(b"m=audio" in passage.data for passage in pair.link.sent("UPDATE"))
    assert pair.alice.agent.calls[alices].state is CallState.TALKING


def test_a_far_end_that_does_not_name_update_is_refreshed_by_invite() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        return [answer(request, 200, "one", port=4001, Allow="INVITE, ACK, BYE", Session_Expires="1800;refresher=uac")]

    caller = Caller(script)
    caller.link.run_for(1000)
    assert caller.far.methods() == ["INVITE", "ACK", "INVITE", "ACK"]


@pytest.mark.parametrize("status", [405, 501, 488])
def test_a_refused_update_is_followed_by_an_invite(status: int) -> None:
    def script(request: Request) -> list[bytes]:
        if request.method == "UPDATE":
            return [answer(request, status, "one")]
        if request.method != "INVITE":
            return ok_to_all(request)
        return [answer(request, 200, "one", port=4001, Allow="UPDATE", Session_Expires="1800;refresher=uac")]

    caller = Caller(script)
    caller.link.run_for(1000)
    assert caller.far.methods()[2:] == ["UPDATE", "INVITE", "ACK"]
    assert caller.alice.agent.calls[caller.call_id].state is CallState.TALKING


def test_a_longer_session_that_an_update_is_told_of_is_asked_for() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method == "INVITE":
            return [answer(request, 200, "one", port=4001, Allow="UPDATE", Session_Expires="1800;refresher=uac")]
        if request.method == "UPDATE" and request.headers.get("Session-Expires") != "3000;refresher=uac":
            return [answer(request, 422, "one", Min_SE="3000")]
        return ok_to_all(request)

    caller = Caller(script)
    caller.link.run_for(1000)
    assert caller.far.methods() == ["INVITE", "ACK", "UPDATE", "UPDATE"]


def test_a_refresh_that_finds_no_call_any_more_ends_ours() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method == "INVITE":
            return [answer(request, 200, "one", port=4001, Allow="UPDATE", Session_Expires="1800;refresher=uac")]
        return [answer(request, 481, "one")] if request.method == "UPDATE" else ok_to_all(request)

    caller = Caller(script)
    caller.link.run_for(1000)
    assert caller.alice.ended.code == 481


def test_hold_before_the_answer_goes_by_update() -> None:
    pair = Pair()
    call_id = pair.ring()
    with pytest.raises(LocalProtocolError):
        pair.alice.agent.hold(call_id, pair.link.now)
    pair.bob.command("progress", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    pair.alice.command("hold", call_id)
    pair.link.run_for(1)
    assert len(pair.link.sent("UPDATE", ALICE)) == 1
    assert pair.bob.voice is not None
    assert pair.bob.voice.direction is MediaDirection.RECVONLY
    pair.bob.command("answer", pair.bob.incoming.id, pair.bob.media)
    pair.link.run_for(1)
    assert pair.alice.agent.calls[call_id].state is CallState.HELD
    assert pair.bob.agent.calls[pair.bob.incoming.id].state is CallState.REMOTE_HELD


# Crossings


def test_update_crossing_update_in_an_early_dialog_is_resolved_by_waiting() -> None:
    pair = Pair()
    call_id = pair.ring()
    bobs = pair.bob.incoming.id
    pair.bob.command("progress", bobs, pair.bob.media)
    pair.link.run_for(1)
    pair.alice.command("hold", call_id)
    pair.bob.command("hold", bobs)
    pair.link.run_for(10)
    assert pair.link.sent("491"), "both offers must have met"
    for end in (pair.alice, pair.bob):
        assert end.voice is not None
        assert end.voice.direction is MediaDirection.INACTIVE


def test_update_crossing_the_200_of_the_invite() -> None:
    pair = Pair()
    call_id = pair.ring()
    bobs = pair.bob.incoming.id
    pair.bob.command("progress", bobs, pair.bob.media)
    pair.link.run_for(1)
    pair.alice.command("hold", call_id)
    pair.bob.command("answer", bobs, pair.bob.media)
    pair.link.run_for(5)
    assert pair.alice.agent.calls[call_id].state is CallState.HELD
    assert pair.bob.agent.calls[bobs].state is CallState.REMOTE_HELD


def test_update_crossing_bye_ends_the_call_once() -> None:
    pair = Pair({"timing": Timing(session_expires=90)})
    alices, bobs = talk(pair)
    pair.link.run_until(lambda: bool(pair.link.sent("UPDATE")), within=60)
    pair.bob.command("hangup", bobs)
    pair.settle()
    assert alices == pair.alice.ended.id


def test_a_refresh_crossing_a_reinvite_disturbs_neither() -> None:
    pair = Pair({"timing": Timing(session_expires=90)})
    alices, bobs = talk(pair)
    pair.link.run_until(lambda: bool(pair.link.sent("UPDATE")), within=60)
    pair.bob.command("hold", bobs)
    pair.link.run_for(5)
    assert pair.alice.agent.calls[alices].state is CallState.REMOTE_HELD
    assert pair.bob.agent.calls[bobs].state is CallState.HELD


def test_a_repeated_200_of_an_old_reinvite_does_not_answer_the_new_one() -> None:
    pair = Pair()
    alices, bobs = talk(pair)
    pair.alice.command("hold", alices)
    pair.link.run_for(1)
    old = next(passage for passage in pair.link.sent("200", BOB) if b"2 INVITE" in passage.data)
    pair.alice.command("resume", alices)
    pair.alice.deliver(old.data, BOB, pair.link.now)
    pair.link.run_for(5)
    assert pair.alice.agent.calls[alices].state is CallState.TALKING
    assert pair.bob.agent.calls[bobs].state is CallState.TALKING


@pytest.mark.parametrize("seed", range(30))
def test_holds_before_and_after_the_answer_come_about_whatever_the_network_does(seed: int) -> None:
    pair = Pair(seed=seed, loss=0.2, duplication=0.2, reordering=0.3, delay=(0.01, 0.3))
    call_id = pair.ring()
    bobs = pair.bob.incoming.id
    pair.bob.command("progress", bobs, pair.bob.media)
    pair.link.run_until(lambda: pair.alice.agent.calls[call_id].state is CallState.EARLY, within=60)
    pair.alice.command("hold", call_id)
    if seed % 3 == 0:
        pair.link.run_for(3)
    pair.bob.command("answer", bobs, pair.bob.media)
    if seed % 2:
        pair.link.run_until(lambda: ">ack" in pair.alice.ladder, within=60)
        pair.bob.command("hold", bobs)
    pair.link.run_for(60)
    expected = MediaDirection.INACTIVE if seed % 2 else MediaDirection.SENDONLY
    assert pair.alice.agent.calls[call_id].state is CallState.HELD
    assert pair.alice.voice is not None
    assert pair.alice.voice.direction is expected
    pair.bob.command("hangup", bobs)
    pair.settle()
