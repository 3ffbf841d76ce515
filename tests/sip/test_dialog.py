"""Dialogs of both sides (RFC 3261 section 12)."""

import pytest

from custom_components.sip_ua.sip.dialog import Dialog, DialogKey, DialogState
from custom_components.sip_ua.sip.errors import LocalProtocolError, MessageError, RemoteProtocolError
from custom_components.sip_ua.sip.headers import Headers, parse_via
from custom_components.sip_ua.sip.message import Request, Response, parse_message

VIA = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKone"


def _invite(
    *,
    contact: str | None = "<sip:alice@192.0.2.1>",
    routes: tuple[str, ...] = (),
    from_: str = '"Alice" <sip:alice@example.com>;tag=a',
    uri: str = "sip:bob@example.com",
    via: str = VIA,
    cseq: int = 7,
) -> Request:
    """Return the INVITE of Alice; `routes` are its Record-Routes, the nearest to Bob first."""
    headers = Headers((("Via", via), ("From", from_), ("To", "<sip:bob@example.com>"), ("Call-ID", "call-1")))
    headers.add("CSeq", f"{cseq} INVITE")
    for route in routes:
        headers.add("Record-Route", route)
    if contact is not None:
        headers.add("Contact", contact)
    return Request("INVITE", uri, headers)


def _answer(
    invite: Request,
    status: int = 200,
    *,
    contact: str | None = "<sip:bob@192.0.2.2:5070>",
    routes: tuple[str, ...] = (),
    tag: str | None = "b",
) -> Response:
    """Return Bob's answer; `routes` are its Record-Routes, the nearest to Bob first."""
    response = invite.create_response(status, to_tag=tag)
    for route in routes:
        response.headers.add("Record-Route", route)
    if contact is not None:
        response.headers.add("Contact", contact)
    return response


def _caller(*routes: str, status: int = 200, contact: str | None = "<sip:bob@192.0.2.2:5070>") -> Dialog:
    invite = _invite()
    return Dialog.caller(invite, _answer(invite, status, routes=routes, contact=contact))


def _called(*routes: str, contact: str | None = "<sip:alice@192.0.2.1>", status: int = 200) -> Dialog:
    invite = _invite(routes=routes, contact=contact)
    return Dialog.called(invite, _answer(invite, status))


def _of_peer(method: str, cseq: int, contact: str | None = None) -> Request:
    """Return a request of Alice inside the dialog."""
    headers = Headers(
        (
            ("Via", VIA),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>;tag=b"),
            ("Call-ID", "call-1"),
            ("CSeq", f"{cseq} {method}"),
        )
    )
    if contact is not None:
        headers.add("Contact", contact)
    return Request(method, "sip:bob@192.0.2.2", headers)


# What makes a dialog


def test_a_caller_learns_its_dialog_from_the_answer() -> None:
    dialog = _caller()
    assert dialog.key == ("call-1", "a", "b")
    assert dialog.call_id == "call-1"
    assert str(dialog.local) == '"Alice" <sip:alice@example.com>;tag=a'
    assert str(dialog.remote) == "<sip:bob@example.com>;tag=b"
    assert str(dialog.remote_target) == "sip:bob@192.0.2.2:5070"
    assert dialog.local_sequence == 7
    assert dialog.remote_sequence is None
    assert dialog.state == DialogState.CONFIRMED.value
    assert not dialog.secure


def test_a_called_side_learns_its_dialog_from_the_request() -> None:
    dialog = _called(status=180)
    assert dialog.key == ("call-1", "b", "a")
    assert str(dialog.local) == "<sip:bob@example.com>;tag=b"
    assert str(dialog.remote) == '"Alice" <sip:alice@example.com>;tag=a'
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"
    assert dialog.remote_sequence == 7
    assert dialog.state == DialogState.EARLY.value
    dialog.confirm(_answer(_invite()))
    assert dialog.state == DialogState.CONFIRMED.value
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"


def test_both_sides_name_the_dialog_by_the_same_key_turned_round() -> None:
    invite = _invite()
    caller, called = Dialog.caller(invite, _answer(invite)), Dialog.called(invite, _answer(invite))
    assert DialogKey.of_request(called.create_request("BYE")) == caller.key
    assert DialogKey.of_request(caller.create_request("BYE")) == called.key
    assert DialogKey.of_response(_answer(invite)) == caller.key


def test_each_fork_makes_a_dialog_of_its_own() -> None:
    invite = _invite()
    desk = Dialog.caller(invite, _answer(invite, 180, tag="desk", contact="<sip:bob@192.0.2.3>"))
    kitchen = Dialog.caller(invite, _answer(invite, 200, tag="kitchen", contact="<sip:bob@192.0.2.4>"))
    assert desk.key != kitchen.key
    assert (desk.state, kitchen.state) == (DialogState.EARLY, DialogState.CONFIRMED)
    assert str(desk.next_hop_uri) == "sip:bob@192.0.2.3"
    assert str(kitchen.next_hop_uri) == "sip:bob@192.0.2.4"


# Requests and their route


def test_ack_and_bye_go_to_the_contact_of_the_2xx() -> None:
    dialog = _caller()
    for request in (dialog.create_request("ACK", cseq=7), dialog.create_request("BYE")):
        assert request.uri == "sip:bob@192.0.2.2:5070"
        assert "Route" not in request.headers
    assert str(dialog.next_hop_uri) == "sip:bob@192.0.2.2:5070"


def test_a_caller_follows_the_record_route_from_the_last_to_the_first() -> None:
    dialog = _caller("<sip:near-bob.example.com;lr>", "<sip:middle.example.com;lr>, <sip:near-alice.example.com;lr>")
    bye = dialog.create_request("BYE")
    assert bye.uri == "sip:bob@192.0.2.2:5070"
    assert bye.headers.split("Route") == [
        "<sip:near-alice.example.com;lr>",
        "<sip:middle.example.com;lr>",
        "<sip:near-bob.example.com;lr>",
    ]
    assert str(dialog.next_hop_uri) == "sip:near-alice.example.com;lr"


def test_a_called_side_follows_the_record_route_from_the_first_to_the_last() -> None:
    dialog = _called("<sip:near-bob.example.com;lr>", "<sip:middle.example.com;lr>, <sip:near-alice.example.com;lr>")
    bye = dialog.create_request("BYE")
    assert bye.uri == "sip:alice@192.0.2.1"
    assert bye.headers.split("Route") == [
        "<sip:near-bob.example.com;lr>",
        "<sip:middle.example.com;lr>",
        "<sip:near-alice.example.com;lr>",
    ]
    assert str(dialog.next_hop_uri) == "sip:near-bob.example.com;lr"


def test_parameters_of_a_route_come_back_unchanged() -> None:
    route = "<sip:p1.example.com:5062;transport=tcp;lr=on;ftag=a;did=f.1>;x=y"
    assert _caller(route).create_request("BYE").headers.get("Route") == route


def test_a_strict_router_gets_the_request_uri_and_the_target_comes_last() -> None:
    dialog = _caller("<sip:loose.example.com;lr>", "<sip:strict.example.com;method=INVITE;x=1?Subject=hello>")
    bye = dialog.create_request("BYE")
    assert bye.uri == "sip:strict.example.com;x=1"
    assert bye.headers.split("Route") == ["<sip:loose.example.com;lr>", "<sip:bob@192.0.2.2:5070>"]
    assert str(dialog.next_hop_uri).startswith("sip:strict.example.com")


def test_a_loose_router_first_makes_a_strict_one_behind_it_its_own_business() -> None:
    dialog = _caller("<sip:strict.example.com>", "<sip:loose.example.com;lr>")
    bye = dialog.create_request("BYE")
    assert bye.uri == "sip:bob@192.0.2.2:5070"
    assert bye.headers.split("Route") == ["<sip:loose.example.com;lr>", "<sip:strict.example.com>"]


def test_a_request_uri_has_no_method_and_no_header_fields_of_the_contact() -> None:
    dialog = _caller(contact="<sip:bob@192.0.2.2;method=INVITE;transport=tcp?Subject=hello>")
    assert dialog.create_request("BYE").uri == "sip:bob@192.0.2.2;transport=tcp"


def test_a_request_has_everything_but_contact_and_body() -> None:
    dialog = _caller()
    via = parse_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtwo")
    request = dialog.create_request("INVITE", via=via)
    assert parse_message(request.to_bytes()).headers.get("CSeq") == "8 INVITE"
    assert [name for name, _ in request.headers] == ["Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq"]
    assert request.via == via
    assert dialog.create_request("BYE", via=lambda: via).via == via
    assert request.max_forwards == 70
    assert request.from_ == dialog.local
    assert request.to == dialog.remote
    assert request.call_id == "call-1"


def test_the_local_sequence_counts_up_save_for_ack() -> None:
    dialog = _caller()
    numbers = [str(dialog.create_request(method).cseq) for method in ("INVITE", "INFO")]
    assert numbers == ["8 INVITE", "9 INFO"]
    assert str(dialog.create_request("ACK", cseq=8).cseq) == "8 ACK"
    assert str(dialog.create_request("BYE").cseq) == "10 BYE"


def test_a_called_side_begins_its_own_sequence() -> None:
    dialog = _called()
    assert dialog.create_request("BYE").cseq.number == 1
    assert dialog.create_request("BYE").cseq.number == 2


def test_used_up_sequence_numbers_are_an_error_of_ours() -> None:
    dialog = _caller()
    dialog.local_sequence = 2**31 - 1
    with pytest.raises(LocalProtocolError):
        dialog.create_request("BYE")


# Requests of the peer


def test_a_request_with_a_lower_or_equal_cseq_is_answered_by_500() -> None:
    dialog = _called()
    dialog.receive_request(_of_peer("INFO", 9))
    for number in (8, 9):
        with pytest.raises(RemoteProtocolError) as raised:
            dialog.receive_request(_of_peer("BYE", number))
        assert raised.value.status == 500
    assert dialog.remote_sequence == 9


def test_numbers_may_be_left_out() -> None:
    dialog = _called()
    dialog.receive_request(_of_peer("INFO", 1000))
    dialog.receive_request(_of_peer("BYE", 2000))
    assert dialog.remote_sequence == 2000


def test_the_first_request_of_the_called_side_may_have_any_number() -> None:
    dialog = _caller()
    dialog.receive_request(_of_peer("BYE", 1))
    assert dialog.remote_sequence == 1


def test_an_ack_is_always_in_order_and_sets_no_number() -> None:
    dialog = _called()
    dialog.receive_request(_of_peer("INFO", 9))
    dialog.receive_request(_of_peer("ACK", 7, "<sip:alice@192.0.2.66>"))
    assert dialog.remote_sequence == 9
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"


def test_a_request_that_is_out_of_order_moves_no_target() -> None:
    dialog = _called()
    with pytest.raises(RemoteProtocolError):
        dialog.receive_request(_of_peer("INVITE", 6, "<sip:alice@192.0.2.66>"))
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"


# The remote target


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"])
def test_a_refreshing_request_moves_the_target(method: str) -> None:
    dialog = _called()
    dialog.receive_request(_of_peer(method, 8, "<sip:alice@192.0.2.66;transport=tcp>"))
    assert dialog.create_request("BYE").uri == "sip:alice@192.0.2.66;transport=tcp"


@pytest.mark.parametrize("method", ["BYE", "INFO", "OPTIONS", "PRACK", "MESSAGE"])
def test_other_requests_do_not_move_it(method: str) -> None:
    dialog = _called()
    dialog.receive_request(_of_peer(method, 8, "<sip:alice@192.0.2.66>"))
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"


def test_a_refreshing_request_without_contact_leaves_the_target() -> None:
    dialog = _called()
    dialog.receive_request(_of_peer("INVITE", 8))
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"


@pytest.mark.parametrize(("method", "moved"), [("INVITE", True), ("UPDATE", True), ("INFO", False), ("BYE", False)])
def test_the_2xx_to_a_refreshing_request_of_ours_moves_the_target_but_never_the_route(method: str, moved: bool) -> None:
    dialog = _caller("<sip:p1.example.com;lr>")
    response = _answer(dialog.create_request(method, via=parse_via(VIA)), contact="<sip:bob@192.0.2.99>")
    response.headers.add("Record-Route", "<sip:other.example.com;lr>")
    dialog.update_target(response)
    bye = dialog.create_request("BYE")
    assert bye.uri == ("sip:bob@192.0.2.99" if moved else "sip:bob@192.0.2.2:5070")
    assert bye.headers.split("Route") == ["<sip:p1.example.com;lr>"]


def test_the_2xx_sets_route_and_target_of_an_early_dialog_anew() -> None:
    invite = _invite()
    ringing = _answer(invite, 180, contact="<sip:bob@192.0.2.2>", routes=("<sip:p1.example.com;lr>",))
    dialog = Dialog.caller(invite, ringing)
    assert dialog.state == DialogState.EARLY.value
    dialog.confirm(_answer(invite, contact="<sip:bob@192.0.2.3>", routes=("<sip:p2.example.com;lr>",)))
    assert dialog.state == DialogState.CONFIRMED.value
    bye = dialog.create_request("BYE")
    assert bye.uri == "sip:bob@192.0.2.3"
    assert bye.headers.split("Route") == ["<sip:p2.example.com;lr>"]


def test_a_contact_without_user_or_with_a_name_is_followed() -> None:
    assert _caller(contact='"Bob, at home" <sip:192.0.2.2>').create_request("BYE").uri == "sip:192.0.2.2"


def test_of_two_contacts_the_first_counts() -> None:
    dialog = _caller(contact="<sip:bob@192.0.2.2>, <sip:bob@192.0.2.3>")
    assert dialog.create_request("BYE").uri == "sip:bob@192.0.2.2"


@pytest.mark.parametrize("contact", ["<mailto:bob@example.com>", "<tel:+4930123>"])
def test_a_contact_that_cannot_be_called_makes_no_dialog(contact: str) -> None:
    with pytest.raises(RemoteProtocolError):
        _caller(contact=contact)
    with pytest.raises(RemoteProtocolError):
        _called(contact=contact)


def test_a_malformed_contact_or_route_makes_no_dialog() -> None:
    for contact in ("<sip:bob@192.0.2.2", "*"):
        with pytest.raises(RemoteProtocolError):
            _caller(contact=contact)
    with pytest.raises(MessageError):
        _caller("<sip:p1.example.com;lr")
    with pytest.raises(RemoteProtocolError):
        _caller("<tel:+4930123>")


# Peers of RFC 2543


def test_a_peer_without_a_tag_gets_none_back() -> None:
    invite = _invite()
    dialog = Dialog.caller(invite, _answer(invite, tag=None))
    assert dialog.key == ("call-1", "a", "")
    assert str(dialog.create_request("BYE").headers.get("To")) == "<sip:bob@example.com>"
    old = _invite(from_="sip:alice@example.com")
    dialog = Dialog.called(old, _answer(old))
    assert dialog.key == ("call-1", "b", "")
    assert dialog.create_request("BYE").to.tag is None
    request = _of_peer("BYE", 8)
    request.headers.set("From", "sip:alice@example.com")
    assert DialogKey.of_request(request) == dialog.key


def test_a_peer_without_a_contact_is_reached_at_the_uri_it_was_called_by() -> None:
    assert _caller(contact=None).create_request("BYE").uri == "sip:bob@example.com"
    assert _called(contact=None).create_request("BYE").uri == "sip:alice@example.com"


# SIPS


def test_a_sips_call_over_tls_stays_secure_whatever_the_contact_says() -> None:
    invite = _invite(uri="sips:bob@example.com", via="SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKone")
    caller = Dialog.caller(invite, _answer(invite, contact="<sip:bob@192.0.2.2:5071>"))
    called = Dialog.called(invite, _answer(invite))
    assert caller.secure
    assert called.secure
    assert str(caller.next_hop_uri) == "sips:bob@192.0.2.2:5071"
    assert str(called.next_hop_uri) == "sips:alice@192.0.2.1"


def test_a_secure_dialog_passes_its_routes_securely() -> None:
    invite = _invite(uri="sips:bob@example.com", via="SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKone")
    dialog = Dialog.caller(invite, _answer(invite, contact="<sips:bob@h.example>", routes=("<sip:p1.example.com;lr>",)))
    assert str(dialog.next_hop_uri) == "sips:p1.example.com;lr"


def test_a_sip_call_over_tls_or_a_sips_uri_over_another_transport_is_not_secure() -> None:
    tls, udp = "SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKone", VIA
    for invite in (_invite(via=tls), _invite(uri="sips:bob@example.com", via=udp)):
        assert not Dialog.called(invite, _answer(invite)).secure
