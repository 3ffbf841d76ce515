"""What crosses or breaks inside a call: early BYE, expired INVITE, longer refresh intervals, targets of no use."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.address import Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.events import CallOutcome, CallState, Event, IncomingCall
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.offer_answer import CODECS, LocalMedia

from .agents import ALICE, BOB, direct_account, entropy, join
from .link import Link
from .responder import SDP, Responder, answer

BOB_URI = f"sip:bob@{BOB.host}"


def ok_to_all(request: Request) -> list[bytes]:
    return [] if request.method == "ACK" else [answer(request, 200, "x")]


def invite(method: str = "INVITE", *, branch: str = "a", cseq: int = 1, to_tag: str = "", **headers: str) -> bytes:
    """Return a request of Alice's."""
    fields = {
        "Via": f"SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bK{branch}",
        "Max-Forwards": "70",
        "From": "<sip:alice@alice.example>;tag=a",
        "To": f"<{BOB_URI}>" + (f";tag={to_tag}" if to_tag else ""),
        "Call-ID": "crossing",
        "CSeq": f"{cseq} {method}",
        "Contact": f"<sip:alice@{ALICE.host}:5060>",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    body = SDP.format(port=4000) if method == "INVITE" else ""
    if body:
        fields["Content-Type"] = "application/sdp"
    lines = [f"{method} {BOB_URI} SIP/2.0", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


class Called:
    """Bob's telephone, and Alice's messages one by one."""

    def __init__(self) -> None:
        self.link = Link()
        self.bob = join(self.link, direct_account("bob"), BOB)
        self.alice = Responder(self.link, ALICE, ok_to_all)

    def send(self, data: bytes) -> list[Response]:
        """Send a message to Bob, and return what Bob has answered since."""
        before = len(self.link.transcript)
        self.alice.send(BOB, data)
        self.link.run_for(0.1)
        messages = [parse_message(passage.data) for passage in self.link.transcript[before:] if passage.source == BOB]
        return [message for message in messages if isinstance(message, Response)]

    def talk(self) -> str:
        """Let Bob answer, and return Bob's tag."""
        self.send(invite())
        self.bob.command("answer", self.bob.incoming.id, self.bob.media)
        self.link.run_for(0.1)
        tag = parse_message(self.link.sent("200", BOB)[0].data).to.tag
        assert tag is not None
        self.send(invite("ACK", branch="b", to_tag=tag))
        return tag


def test_a_bye_before_the_answer_is_a_missed_call() -> None:
    called = Called()
    ringing = called.send(invite())[-1]
    codes = [
        response.status for response in called.send(invite("BYE", branch="c", cseq=2, to_tag=ringing.to.tag or ""))
    ]
    assert sorted(codes) == [200, 487]
    assert called.bob.ended.outcome is CallOutcome.MISSED


def test_an_invite_rings_no_longer_than_it_grants() -> None:
    called = Called()
    called.send(invite(Expires="3"))
    called.link.run_for(2)
    assert called.bob.agent.calls
    called.link.run_for(2)
    assert called.bob.ended.outcome is CallOutcome.MISSED
    assert called.link.sent("487", BOB)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Session_Expires": "60", "Supported": "timer"}, 422),
        ({"Require": "holography"}, 420),
        ({"Content_Encoding": "gzip"}, 415),
        ({"Contact": "<tel:123>"}, 400),
        ({"Record_Route": "<tel:123>"}, 400),
    ],
)
def test_a_refused_invite_rings_nowhere_and_its_answer_has_a_tag(headers: dict[str, str], status: int) -> None:
    called = Called()
    (response,) = called.send(invite(**headers))  # type: ignore[arg-type]
    assert response.status == status
    assert response.to.tag
    assert not called.bob.events(IncomingCall)
    assert not called.bob.agent.calls


def test_a_reinvite_after_our_bye_is_refused() -> None:
    called = Called()
    tag = called.talk()
    called.alice.script = lambda _request: []
    called.bob.command("hangup", called.bob.incoming.id)
    (response,) = called.send(invite(branch="d", cseq=5, to_tag=tag))
    assert response.status == 481
    assert called.bob.voice is None


def caller_of(script: Callable[[Request], list[bytes]]) -> tuple[Link, Responder, UserAgent, str]:
    """Return Alice in a call with a far end that plays a script."""
    link = Link()
    alice = join(link, direct_account("alice"), ALICE)
    far = Responder(link, BOB, script)
    call_id = alice.dial(BOB_URI)
    link.run_for(1)
    return link, far, alice.agent, call_id


def test_a_refresh_that_comes_too_soon_for_the_far_end_is_sent_again_with_its_interval() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        if int((request.headers.get("Session-Expires") or "0").split(";")[0]) < 3600:
            return [answer(request, 422, "x", Min_SE="3600")]
        agreed = {"Session_Expires": "3600;refresher=uac", "Require": "timer"}
        return [answer(request, 200, "x", port=4000, **agreed)]

    link, far, agent, call_id = caller_of(script)
    far.asked.clear()
    link.run_for(7000)
    assert agent.calls[call_id].state is CallState.TALKING
    refreshes = [request for request in far.asked if request.method == "INVITE"]
    assert [request.headers.get("Session-Expires") for request in refreshes] == ["3600;refresher=uac"] * len(refreshes)
    assert [request.headers.get("Min-SE") for request in refreshes] == ["3600"] * len(refreshes)
    assert len(refreshes) == 3


def test_an_answer_to_a_reinvite_whose_target_cannot_be_followed_ends_the_call() -> None:
    def script(request: Request) -> list[bytes]:
        if request.method == "INVITE" and request.to.tag:
            return [
                answer(request, 200, "x", port=4000, Contact="<tel:1>").replace(
                    b"Contact: <sip:x@192.0.2.2:5060>\r\n", b""
                )
            ]
        return [answer(request, 200, "x", port=4000)] if request.method == "INVITE" else ok_to_all(request)

    link, far, agent, call_id = caller_of(script)
    agent.hold(call_id, link.now)
    link.run_for(5)
    assert far.methods().count("ACK") == 2
    assert far.methods()[-1] == "BYE"
    assert not agent.calls


@pytest.mark.parametrize("status", [200, 488])
@pytest.mark.parametrize("held", [True, False])
def test_a_late_answer_to_what_is_not_wanted_any_more_leaves_the_call_as_it_was(status: int, *, held: bool) -> None:
    """The far end ponders for seconds, and meanwhile we take back that it was to be held, or resumed."""
    late, wanted = ("sendonly", "sendrecv") if held else ("sendrecv", "sendonly")
    ponders = False

    def script(request: Request) -> list[bytes]:
        if request.method == "INVITE" and request.to.tag and late.encode() in request.body and ponders:
            return [answer(request, status, "x", port=4000)] if link.now > asked_at + 6 else []
        return [answer(request, 200, "x", port=4000)] if request.method == "INVITE" else ok_to_all(request)

    link, far, agent, call_id = caller_of(script)
    state = CallState.TALKING
    if not held:
        state = CallState.HELD
        agent.hold(call_id, link.now)
        link.run_for(1)
    ponders, asked_at = True, link.now
    (agent.hold if held else agent.resume)(call_id, link.now)
    link.run_for(5)
    assert agent.calls[call_id].state is state
    (agent.resume if held else agent.hold)(call_id, link.now)
    link.run_for(10)
    assert agent.calls[call_id].state is state
    offers = [request.body for request in far.asked if request.method == "INVITE" and request.to.tag]
    assert wanted.encode() in offers[-1]
    sent = len(far.asked)
    link.run_for(30)
    assert len(far.asked) == sent


def test_a_call_is_not_shown_as_held_before_the_other_side_agrees() -> None:
    called = Called()
    tag = called.talk()
    called.alice.script = lambda _request: []
    called.bob.command("hold", called.bob.incoming.id)
    (response,) = called.send(invite("UPDATE", branch="u", cseq=2, to_tag=tag))
    assert response.status == 200
    assert called.bob.agent.calls[called.bob.incoming.id].state is CallState.TALKING


URIS = st.sampled_from(
    ["<sip:a@192.0.2.1>", "<tel:1>", "<mailto:a@b>", "<sips:b>", "*", "<urn:x>", "<sip:[::1]:5060;lr>", ""]
)
FIELDS = {
    "Contact": URIS,
    "Record_Route": URIS,
    "Route": URIS,
    "Require": st.sampled_from(["", "timer", "100rel, x", ",", "replaces"]),
    "Session_Expires": st.sampled_from(["", "x", "90", "1;refresher=", "99999999999999999"]),
    "Expires": st.sampled_from(["", "0", "x", "-1", "99999999999999999999"]),
    "Reason": st.sampled_from(["", ";;=;", 'SIP;cause=200;text="', "Q.850"]),
    "Content_Type": st.sampled_from(["", "application/sdp", "multipart/mixed;boundary=x", "/"]),
    "P_Asserted_Identity": URIS,
    "CSeq": st.sampled_from(["", "0 INVITE", "2147483647 INVITE", "9 BYE"]),
}
METHODS = st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "INFO", "UPDATE", "OPTIONS", "NOTIFY", "REFER", "FOO"])


@given(st.data())
def test_whatever_well_formed_requests_say_nothing_is_raised_and_no_call_is_left(data: st.DataObject) -> None:
    agent = UserAgent(direct_account("bob"), entropy=entropy(1))
    hop = Hop(ALICE, HostPort(BOB.host, 5060))
    media = LocalMedia(BOB.host, 40000, (CODECS["PCMA"],))
    now, tag, told = 0.0, "", list[Event]()
    for number in range(data.draw(st.integers(1, 6))):
        headers = {name: data.draw(values) for name, values in FIELDS.items() if data.draw(st.booleans())}
        to_tag = tag if data.draw(st.booleans()) else ""
        method = data.draw(METHODS)
        agent.receive(invite(method, branch=str(number), cseq=number + 1, to_tag=to_tag, **headers), hop, now)
        for lookup in agent.lookups():
            agent.looked_up(lookup.token, [hop], now)
        told += agent.events()
        for send in agent.sends():
            found = re.search(rb"To: [^\r]*;tag=(\w+)", send.data)
            tag = found[1].decode() if found else tag
        ringing = [call for call in agent.calls.values() if call.state is CallState.RINGING]
        answers: bool = data.draw(st.booleans())
        if ringing and answers:
            agent.answer(ringing[0].id, media, now)
        now += 0.5
    begun = {event.call.id for event in told if isinstance(event, IncomingCall)}
    assert set(agent.calls) <= begun
    for _ in range(2000):
        due = agent.next_timer()
        if due is None or due > 500:
            break
        agent.handle_timer(due)
        for lookup in agent.lookups():
            agent.looked_up(lookup.token, [hop], due)
        agent.sends()
    assert all(call.state is not CallState.RINGING for call in agent.calls.values())
