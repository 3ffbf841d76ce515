"""Requests that are answered without ringing: what we cannot do, and what is asked of us (RFC 3261 section 8.2)."""

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.calls import MAX_STRANGERS
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallEnded, IncomingCall, Party
from custom_components.sip_ua.sip.headers import Headers, parse_name_addr
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.party import ANONYMOUS, caller_of, party_of

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link
from .registrar import NAME, SERVER, Registrar
from .responder import SDP, Responder

BOB_URI = f"sip:bob@{BOB.host}"


def ask(
    method: str, *extra: str, uri: str = BOB_URI, to_tag: str = "", body: str = "", hops: int = 70
) -> tuple[Response, int]:
    """Let a caller send one request to Bob, and return his final answer and how many calls rang."""
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    caller = Responder(link, ALICE, lambda _request: [])
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bKask",
        f"Max-Forwards: {hops}",
        "From: <sip:alice@alice.example>;tag=a",
        f"To: <{BOB_URI}>{to_tag}",
        "Call-ID: ask",
        f"CSeq: 1 {method}",
        f"Contact: <sip:alice@{ALICE.host}>",
        *extra,
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    caller.send(BOB, "\r\n".join(lines).encode())
    link.run_for(0.1)
    answer = parse_message(link.sent(link.labels(BOB)[0], BOB)[0].data)
    assert isinstance(answer, Response)
    return answer, len(bob.events(IncomingCall))


@pytest.mark.parametrize(("extra", "to_tag"), [((), ""), (("Require: nothing-of-ours",), ""), ((), ";tag=gone")])
def test_a_method_that_we_do_not_know_is_refused_with_those_that_we_do(extra: tuple[str, ...], to_tag: str) -> None:
    answer, rang = ask("MESSAGE", *extra, to_tag=to_tag)
    assert (answer.status, rang) == (405, 0)
    assert {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"} <= set(answer.headers.split("Allow"))


def test_an_extension_that_is_required_and_unknown_is_refused_by_its_name() -> None:
    answer, rang = ask("INVITE", "Require: timer, path-to-nowhere, and-more")
    assert (answer.status, rang) == (420, 0)
    assert answer.headers.split("Unsupported") == ["path-to-nowhere", "and-more"]


@pytest.mark.parametrize(
    ("extra", "body", "field"),
    [
        ("Content-Type: text/plain", "hello", "Accept"),
        ("Content-Encoding: gzip", "hello", "Accept-Encoding"),
    ],
)
def test_a_body_that_we_cannot_read_is_refused_with_what_we_can(extra: str, body: str, field: str) -> None:
    answer, rang = ask("INVITE", extra, body=body)
    assert (answer.status, rang) == (415, 0)
    assert answer.headers.get(field)


@pytest.mark.parametrize("accepted", ["text/nobodyKnowsThis", "", "text/plain;q=0.7, image/*"])
def test_a_caller_that_reads_no_session_descriptions_cannot_be_answered(accepted: str) -> None:
    answer, rang = ask("INVITE", f"Accept: {accepted}", "Content-Type: application/sdp", body=SDP.format(port=4000))
    assert (answer.status, rang) == (406, 0)


@pytest.mark.parametrize("accepted", ["text/plain, Application/SDP;q=0.5", "application / *", "*/*;level=1"])
def test_a_caller_that_reads_session_descriptions_too_is_rung_for(accepted: str) -> None:
    answer, rang = ask("INVITE", f"Accept: {accepted}", "Content-Type: application/sdp", body=SDP.format(port=4000))
    assert (answer.status, rang) == (180, 1)


def test_a_scheme_that_we_do_not_know_is_refused() -> None:
    answer, rang = ask("INVITE", uri="nobodyKnowsThisScheme:totallyopaquecontent")
    assert (answer.status, rang) == (416, 0)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE"])
def test_a_request_in_a_dialog_that_is_not_there_is_refused(method: str) -> None:
    answer, rang = ask(method, to_tag=";tag=gone")
    assert (answer.status, rang) == (481, 0)


def test_options_is_answered_with_what_we_can_do() -> None:
    answer, rang = ask("OPTIONS")
    assert (answer.status, rang) == (200, 0)
    assert answer.to.tag
    assert "INVITE" in answer.headers.split("Allow")
    assert answer.headers.split("Accept") == ["application/sdp"]
    assert "timer" in answer.headers.split("Supported")


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
@pytest.mark.parametrize(("full", "status"), [(False, 480), (True, 486)], ids=["switched off", "as many as may be"])
def test_who_asks_hears_what_a_caller_would(method: str, full: bool, status: int) -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    asker = Responder(link, ALICE, lambda _request: [])
    bob.agent.refuses_calls = not full
    before = [("INVITE", number) for number in range(MAX_STRANGERS)] if full else []
    for kind, number in (*before, (method, 100)):
        request = Request(kind, BOB_URI, Headers())
        for name, value in (
            ("Via", f"SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bK{kind}{number}"),
            ("From", "<sip:alice@alice.example>;tag=a"),
            ("To", f"<{BOB_URI}>"),
            ("Call-ID", f"{kind}{number}"),
            ("CSeq", f"1 {kind}"),
            ("Contact", f"<sip:{ALICE.host}>"),
        ):
            request.headers.add(name, value)
        asker.send(BOB, request.to_bytes())
        link.run_for(0.1)
    (answer,) = [parse_message(passage.data) for passage in link.sent(str(status), BOB)]
    assert isinstance(answer, Response)
    assert answer.cseq.method == method
    assert method == "INVITE" or "INVITE" in answer.headers.split("Allow"), "what we can do is told all the same"


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("INVITE", 180)])
def test_a_request_that_may_go_no_further_has_come_to_its_end_here(method: str, status: int) -> None:
    answer, rang = ask(method, hops=0)
    assert (answer.status, rang) == (status, method == "INVITE")


def test_an_invite_that_came_over_two_paths_rings_once() -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    caller = Responder(link, ALICE, lambda _request: [])
    body = SDP.format(port=4001)
    for path in ("one", "two"):
        text = (
            f"INVITE {BOB_URI} SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bK{path}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:alice@alice.example>;tag=a\r\nTo: <{BOB_URI}>\r\nCall-ID: m\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:alice@{ALICE.host}>\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        caller.send(BOB, text.encode())
    link.run_for(0.1)
    assert sorted(link.labels(BOB)) == ["180", "482"]
    assert len(bob.events(IncomingCall)) == 1


@pytest.mark.parametrize(
    ("registered", "source", "name"),
    [(True, SERVER, "Grandma"), (True, ALICE, "Impostor"), (False, ALICE, "Impostor")],
    ids=["server", "stranger beside a server", "stranger"],
)
def test_an_asserted_identity_is_believed_from_our_server_only(source: Address, name: str, *, registered: bool) -> None:
    link = Link()
    registrar = Registrar(link)
    account = Account(number="bob", domain=NAME, password="secret", server=ServerAddress(NAME), allow_direct_calls=True)
    bob = join(link, account if registered else direct_account("bob"), BOB)
    bob.names[NAME] = [SERVER]
    bob.command("register")
    link.run_for(1)
    text = (
        f"INVITE {BOB_URI} SIP/2.0\r\nVia: SIP/2.0/UDP {source.host}:5060;branch=z9hG4bKp\r\nMax-Forwards: 70\r\n"
        f'From: "Impostor" <sip:anonymous@anonymous.invalid>;tag=a\r\nTo: <{BOB_URI}>\r\nCall-ID: p\r\n'
        f"CSeq: 1 INVITE\r\nContact: <sip:x@{source.host}>\r\nPrivacy: none\r\n"
        'P-Asserted-Identity: "Grandma" <sip:0301234@sip.example>\r\nContent-Length: 0\r\n\r\n'
    )
    bob.deliver(text.encode(), source, link.now)
    bob.react(link.now)
    assert bob.incoming.remote.name == name
    assert bob.incoming.remote.number == ("0301234" if source == SERVER else ""), "anonymous callers have no number"
    assert bool(registrar.registers()) is registered


@pytest.mark.parametrize("privacy", ["id", "ID;critical", "none, header", "session; user"])
def test_a_caller_that_wants_privacy_is_anonymous(privacy: str) -> None:
    request = private_request(privacy)
    assert caller_of(request, trusted=False) == ANONYMOUS
    assert caller_of(request, trusted=True).number == "0301234"
    request.headers.remove("P-Asserted-Identity")
    assert caller_of(request, trusted=True) == ANONYMOUS
    assert not ANONYMOUS.number


def test_an_anonymous_caller_is_not_betrayed_by_a_header_field() -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    request = private_request("id")
    for name, value in (
        ("Via", f"SIP/2.0/UDP {ALICE.host}:5060;branch=z9hG4bKq"),
        ("To", f"<{BOB_URI}>"),
        ("Call-ID", "q"),
        ("CSeq", "1 INVITE"),
        ("Contact", f"<sip:{ALICE.host}>"),
        ("Subject", "dinner"),
    ):
        request.headers.add(name, value)
    bob.deliver(request.to_bytes(), ALICE, link.now)
    bob.react(link.now)
    (event,) = bob.events(IncomingCall)
    assert event.call.remote == ANONYMOUS
    assert event.headers == (("Subject", "dinner"),)


@pytest.mark.parametrize("privacy", ["none", "", "session", "history;critical"])
def test_a_caller_that_wants_to_be_known_is_shown(privacy: str) -> None:
    assert caller_of(private_request(privacy), trusted=False).number == "alice"


def private_request(privacy: str) -> Request:
    """Return an INVITE with a Privacy header field."""
    request = Request("INVITE", BOB_URI, Headers())
    for name, value in (
        ("From", '"Alice" <sip:alice@alice.example>;tag=a'),
        ("Privacy", privacy),
        ("P-Asserted-Identity", '"Grandma" <sip:0301234@sip.example>'),
    ):
        request.headers.add(name, value)
    return request


def test_a_password_in_an_address_is_shown_to_nobody() -> None:
    party = party_of(parse_name_addr('"Alice" <sip:alice:secret@alice.example;transport=tcp>'))
    assert party == Party("Alice", "alice", "sip:alice@alice.example;transport=tcp")


# Calls that nobody is to hear


@pytest.mark.parametrize(("code", "missed", "outcome"), [(480, True, "missed"), (486, False, "declined")])
def test_a_call_that_is_turned_away_never_rings(code: int, missed: bool, outcome: str) -> None:
    def turn_away(end: AgentEnd, event: object, now: float) -> None:
        if isinstance(event, IncomingCall):
            end.agent.turn_away(event.call.id, code, now, missed=missed)

    link = Link()
    bob = join(link, direct_account("bob"), BOB, on_event=turn_away)
    alice = join(link, direct_account("alice"), ALICE, seed=2)
    alice.dial(BOB_URI)
    link.run_until_quiet()
    assert link.labels(BOB) == [str(code)]
    assert (bob.ended.code, bob.ended.outcome) == (code, outcome)
    assert bob.ladder == ["<invite", ">rejected"]
    assert alice.ended.code == code
    assert dict(bob.agent.calls) == dict(alice.agent.calls) == {}


def test_a_call_that_rings_may_still_be_turned_away_and_no_other() -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    alice = join(link, direct_account("alice"), ALICE, seed=2)
    alice.dial(BOB_URI)
    link.run_until(lambda: bool(link.sent("180", BOB)))
    bob.agent.turn_away(bob.incoming.id, 486, link.now, missed=False)
    link.run_until_quiet()
    assert bob.ladder == ["<invite", ">ringing", ">rejected"]
    assert alice.ended.code == 486
    with pytest.raises(LocalProtocolError):
        bob.agent.turn_away(bob.incoming.id, 486, link.now, missed=False)


@pytest.mark.parametrize("rings", [False, True])
def test_a_caller_is_sent_elsewhere_before_or_while_it_rings(*, rings: bool) -> None:
    def redirect(end: AgentEnd, event: object, now: float) -> None:
        if isinstance(event, IncomingCall) and not rings:
            end.agent.redirect(event.call.id, "sip:carol@carol.example", now)

    link = Link()
    bob = join(link, direct_account("bob"), BOB, on_event=redirect)
    alice = join(link, direct_account("alice"), ALICE, seed=2)
    alice.dial(BOB_URI)
    if rings:
        link.run_until(lambda: bool(link.sent("180", BOB)))
        bob.agent.redirect(bob.incoming.id, "sip:carol@carol.example", link.now)
    link.run_until_quiet()
    answer = parse_message(link.sent("302", BOB)[0].data)
    assert answer.headers.get_all("Contact") == ["<sip:carol@carol.example>"]
    assert (bob.ended.code, bob.ended.outcome) == (302, "declined")
    assert alice.ended.code == 302
    with pytest.raises(LocalProtocolError):
        bob.agent.redirect(bob.ended.id, "sip:carol@carol.example", link.now)


def test_nobody_is_sent_to_what_is_no_address() -> None:
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    alice = join(link, direct_account("alice"), ALICE, seed=2)
    alice.dial(BOB_URI)
    link.run_until(lambda: bool(link.sent("180", BOB)))
    with pytest.raises(LocalProtocolError):
        bob.agent.redirect(bob.incoming.id, "mailto:carol", link.now)
    assert not link.sent("302", BOB)


def test_a_caller_who_gives_up_as_the_call_is_turned_away_hears_of_it_once() -> None:
    def turn_away(end: AgentEnd, event: object, now: float) -> None:
        if isinstance(event, IncomingCall):
            end.agent.turn_away(event.call.id, 480, now, missed=True)

    link = Link()
    bob = join(link, direct_account("bob"), BOB, on_event=turn_away)
    alice = join(link, direct_account("alice"), ALICE, seed=2)
    link.lose("480", times=2)
    call_id = alice.dial(BOB_URI)
    link.after(0.1, lambda now: alice.agent.hangup(call_id, now))
    link.run_until_quiet()
    assert len(bob.events(CallEnded)) == len(alice.events(CallEnded)) == 1
    assert bob.ended.outcome == "missed"
