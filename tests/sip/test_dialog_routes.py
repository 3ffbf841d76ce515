"""Requests of a dialog find their way through any mixture of loose and strict routers (RFC 3261 section 16.12)."""

from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.dialog import Dialog
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import Request

TARGET = "sip:bob@192.0.2.2:5070"
ORIGIN = "sip:alice@192.0.2.1"
LOOSE = ";lr"

paths = st.lists(st.booleans(), max_size=6).map(
    lambda kinds: [f"sip:p{number}.example.com{LOOSE if loose else ''}" for number, loose in enumerate(kinds)]
)


def _dialogs(path: list[str]) -> tuple[Dialog, Dialog]:
    """Return the dialog as both ends of a path see it; `path` leads from the caller to the called side."""
    headers = Headers(
        (
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKone"),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "call-1"),
            ("CSeq", "1 INVITE"),
        )
    )
    for uri in reversed(path):
        headers.add("Record-Route", f"<{uri}>")
    headers.add("Contact", f"<{ORIGIN}>")
    invite = Request("INVITE", "sip:bob@example.com", headers)
    answer = invite.create_response(200, to_tag="b")
    called = Dialog.called(invite, answer)
    answer.headers.add("Contact", f"<{TARGET}>")
    return Dialog.caller(invite, answer), called


def _travel(dialog: Dialog) -> tuple[list[str], str, list[str]]:
    """Let routers forward a request; return whom it passed, and Request-URI and Route as they arrive."""
    request = dialog.create_request("BYE")
    uri = request.uri
    routes = [route.strip("<>") for route in request.headers.split("Route")]
    hop = str(dialog.next_hop_uri)
    passed = []
    while "example.com" in hop:
        passed.append(hop)
        if LOOSE in hop:
            uri, routes, hop = _forward_loosely(hop, uri, routes)
        else:
            assert uri == hop, "a strict router takes only what names it in the Request-URI"
            uri, *routes = routes
            hop = uri
    assert hop == uri
    return passed, uri, routes


def _forward_loosely(own: str, uri: str, routes: list[str]) -> tuple[str, list[str], str]:
    """Forward as RFC 3261 sections 16.4 and 16.6 have it; return Request-URI, Route and next hop."""
    if uri == own:
        *routes, uri = routes
    if routes and routes[0] == own:
        routes = routes[1:]
    if routes and LOOSE not in routes[0]:
        first, *rest = routes
        return first, [*rest, uri], first
    return uri, routes, routes[0] if routes else uri


@given(paths)
def test_a_request_passes_every_router_in_order_and_ends_at_the_target(path: list[str]) -> None:
    caller, called = _dialogs(path)
    assert _travel(caller) == (path, TARGET, [])
    assert _travel(called) == (path[::-1], ORIGIN, [])
