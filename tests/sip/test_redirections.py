"""Where a redirection may lead: in which order, whose rule, and with what in its URIs (RFC 3261 section 8.1.3.4)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.events import CallState, IncomingCall, TransferProgress
from custom_components.sip_ua.sip.message import Request

from .agents import ALICE, BOB, direct_account, join
from .link import Link
from .responder import Responder, Script, answer
from .test_agent_forks import BOB_URI, Caller, ok_to_all
from .trio import CAROL, Trio, answering


def redirecting(contacts: str, **answers: int) -> Script:
    """Return a script that redirects Bob's callers, and answers those who call somebody else by the user."""

    def script(request: Request) -> list[bytes]:
        if request.method != "INVITE":
            return ok_to_all(request)
        if request.uri == BOB_URI:
            return [answer(request, 302, "x", Contact=contacts)]
        uri = request.request_uri
        status = answers.get(getattr(uri, "user", ""), 200)
        return [answer(request, status, "one", port=4001 if status == 200 else 0)]

    return script


def called(caller: Caller) -> list[str]:
    caller.alice.names["alice.example"] = [BOB]
    caller.link.run_for(5)
    return [request.uri for request in caller.far.asked if request.method == "INVITE"]


def test_the_places_of_a_redirection_are_called_by_preference_until_one_answers() -> None:
    contacts = "<sip:c@alice.example>;q=0.1, <sip:a@alice.example>;q=0.9, <sip:b@alice.example>;q=0.5"
    caller = Caller(redirecting(contacts, a=486, b=200))
    assert called(caller) == [BOB_URI, "sip:a@alice.example", "sip:b@alice.example"]
    assert caller.state() is CallState.TALKING


def test_who_declines_for_all_phones_ends_the_search() -> None:
    caller = Caller(redirecting("<sip:a@alice.example>, <sip:b@alice.example>", a=603))
    assert called(caller) == [BOB_URI, "sip:a@alice.example"]
    assert caller.alice.ended.code == 603


def test_a_few_places_of_a_redirection_are_called_and_no_more() -> None:
    many = ", ".join(f"<sip:n{number}@alice.example>" for number in range(40))
    caller = Caller(redirecting(many, **{f"n{number}": 486 for number in range(40)}))
    assert len(called(caller)) == 6
    assert caller.alice.ended.code == 486


def test_header_fields_and_the_method_in_a_contact_are_left_out() -> None:
    caller = Caller(redirecting("<sip:a@alice.example;method=BYE?Route=%3Csip:evil.example%3E&Subject=x>"))
    assert called(caller) == [BOB_URI, "sip:a@alice.example"]
    last = [request for request in caller.far.asked if request.method == "INVITE"][-1]
    assert "Route" not in last.headers
    assert "Subject" not in last.headers


def test_header_fields_and_the_method_in_what_is_dialled_are_left_out() -> None:
    link = Link()
    alice = join(link, direct_account("alice"), ALICE)
    far = Responder(link, BOB, ok_to_all)
    alice.dial(f"{BOB_URI};method=BYE?Route=%3Csip:evil.example%3E")
    link.run_for(1)
    assert far.asked[0].uri == BOB_URI
    assert str(far.asked[0].to.uri) == BOB_URI


@pytest.mark.parametrize(("contact", "goes"), [(f"sip:53@{CAROL.host}", True), (f"sip:0900@{CAROL.host}", False)])
def test_a_redirection_of_a_transfer_obeys_the_owners_rule(contact: str, goes: bool) -> None:
    trio = Trio(allowed_numbers=("5?",))
    trio.bob.on_event = answering
    place = Responder(
        trio.link,
        replace(CAROL, host="192.0.2.77"),
        lambda request: [] if request.method == "ACK" else [answer(request, 302, "x", Contact=f"<{contact}>")],
    )
    call_id = trio.talk()
    trio.alice.command("transfer", call_id, "sip:52@192.0.2.77")
    trio.link.run_for(5)
    assert place.asked[0].uri == "sip:52@192.0.2.77"
    assert bool(trio.carol.events(IncomingCall)) is goes
    assert (trio.alice.events(TransferProgress)[-1].code == 302) is not goes
