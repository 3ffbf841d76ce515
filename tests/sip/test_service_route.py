"""The way of requests outside dialogs: outbound proxy, Service-Route (RFC 3608), Path (RFC 3327)."""

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.core import Core, NextHop
from custom_components.sip_ua.sip.events import RegistrationState
from custom_components.sip_ua.sip.headers import parse_name_addrs
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.transaction import Timers

from .agents import entropy
from .homes import Home, account
from .registrar import SERVER

EDGE = Address(Transport.UDP, "198.51.100.20", 5070)
FIRST, SECOND = f"<sip:{EDGE.host}:{EDGE.port};lr>", "<sip:orig@core.example;lr>"
PROXY = ServerAddress(SERVER.host, SERVER.port)
PROXY_ROUTE = f"<sip:{SERVER.host}:{SERVER.port};lr>"


def home(*routes: str, made: Account | None = None) -> Home:
    """Return a telephone that has registered, and been told a way."""
    found = Home(made)
    found.server.extra = [("Service-Route", route) for route in routes]
    found.start()
    assert found.state is RegistrationState.REGISTERED
    return found


def invite(found: Home) -> tuple[Request, Address]:
    """Place a call and return the INVITE and where it went."""
    found.alice.dial("200")
    found.link.run_for(0.1)
    passage = found.link.sent("INVITE")[-1]
    request = parse_message(passage.data)
    assert isinstance(request, Request)
    return request, passage.destination


def routes(request: Request) -> list[str]:
    return [str(route) for route in request.route]


@pytest.mark.parametrize("told", [(FIRST, SECOND), (f"{FIRST}, {SECOND}",)])
def test_a_call_takes_the_way_that_the_registrar_told(told: tuple[str, ...]) -> None:
    request, destination = invite(home(*told))
    assert routes(request) == [FIRST, SECOND]
    assert destination == EDGE
    assert request.uri == "sip:200@sip.example"


def test_a_subscription_takes_the_way_that_the_registrar_told() -> None:
    found = home(FIRST, made=account(mwi=True))
    found.link.run_until(lambda: bool(found.link.sent("SUBSCRIBE")))
    passage = found.link.sent("SUBSCRIBE")[0]
    assert f"Route: {FIRST}" in passage.data.decode()
    assert passage.destination == EDGE


def test_register_and_keep_alive_go_straight_to_the_registrar() -> None:
    found = home(FIRST)
    found.link.run_for(4000)
    asked = found.link.sent("REGISTER") + found.link.sent("OPTIONS")
    assert all("Route:" not in passage.data.decode() for passage in asked)
    assert {passage.destination for passage in asked} == {SERVER}


def test_the_outbound_proxy_comes_before_the_service_route() -> None:
    request, destination = invite(home(FIRST, SECOND, made=account(outbound_proxy=PROXY)))
    assert routes(request) == [PROXY_ROUTE, FIRST, SECOND]
    assert destination == SERVER


@pytest.mark.parametrize("first", [f"<sip:{SERVER.host};lr>", f"<sip:{SERVER.host}:5060;lr>"])
def test_a_service_route_that_begins_at_the_outbound_proxy_leads_there_once(first: str) -> None:
    request, destination = invite(home(first, SECOND, made=account(outbound_proxy=PROXY)))
    assert routes(request) == [first, SECOND]
    assert destination == SERVER


@pytest.mark.parametrize(
    "told",
    [
        ("<sip:strict.example>",),
        (FIRST, "<sip:strict.example>"),
        ("<tel:+4912345>",),
        ("no address at all <",),
        (FIRST,) * 9,
    ],
)
def test_a_way_that_cannot_be_followed_is_none(told: tuple[str, ...]) -> None:
    request, destination = invite(home(*told))
    assert not request.route
    assert destination == SERVER


def test_the_way_is_that_of_the_latest_answer() -> None:
    found = home(FIRST)
    found.server.extra = [("Service-Route", f"<sip:{SERVER.host}:5060;lr>")]
    found.alice.command("network_changed")
    found.link.run_for(2)
    assert routes(invite(found)[0]) == [f"<sip:{SERVER.host}:5060;lr>"]


@pytest.mark.parametrize("status", [200, 403, 503])
def test_the_way_is_forgotten_where_the_registrar_tells_none_or_refuses(status: int) -> None:
    found = home(FIRST)
    found.server.extra = []
    if status != 200:
        found.server.script = [(status, {})]
    found.alice.command("network_changed")
    found.link.run_for(1)
    assert not invite(found)[0].route


@pytest.mark.parametrize(
    ("way", "transport"),
    [("sip:edge.example;lr", Transport.TCP), ("sip:edge.example;transport=udp;lr", Transport.UDP)],
)
def test_a_way_without_a_transport_means_the_one_that_we_registered_over(way: str, transport: Transport) -> None:
    core = Core(account(transport=Transport.TCP), entropy(1), Timers())
    core.service_route = tuple(parse_name_addrs([f"<{way}>"]))
    assert core.server_hop() == NextHop("edge.example", None, transport)


def test_the_first_proxy_of_the_way_may_call_us_before_we_call_anybody() -> None:
    found = home(FIRST)
    assert found.alice.agent.is_server(EDGE.host)
    found.server.extra = []
    found.alice.command("network_changed")
    found.link.run_for(2)
    found.alice.dial("200")
    found.link.run_for(0.1)
    assert not found.alice.agent.is_server(EDGE.host), "it is no server of ours any more"


def test_a_server_for_calls_beside_the_registrar_may_call_us_before_we_call_anybody() -> None:
    found = home(made=account(server=ServerAddress(EDGE.host), registrar=ServerAddress(SERVER.host)))
    assert found.alice.agent.is_server(EDGE.host)


def test_register_allows_proxies_to_add_themselves_to_the_path() -> None:
    found = home()
    asked = [request for _, request in found.server.registers()]
    assert all("path" in request.headers.split("Supported") for request in asked)
    assert "path" not in invite(found)[0].headers.split("Supported"), "only a REGISTER has one"


@pytest.mark.parametrize("path", ["<sip:edge.example;lr>, <sip:core.example;lr>", "what is this <"])
def test_the_path_in_the_answer_changes_nothing(path: str) -> None:
    found = Home()
    found.server.extra = [("Path", path)]
    found.start()
    assert found.state is RegistrationState.REGISTERED
    assert not invite(found)[0].route
