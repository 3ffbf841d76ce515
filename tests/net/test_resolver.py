"""Where a server is (RFC 3263, RFC 2782), asked of a name server on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator
from random import Random

import pytest

from custom_components.sip_ua.net import dns
from custom_components.sip_ua.net.errors import ResolutionError
from custom_components.sip_ua.net.resolver import Resolver, numeric_address, numeric_host
from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, Lookup

from .name_server import AAAA, NAPTR, SRV, A, NameServer

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS


def lookup(host: str, port: int | None = None, transport: Transport | None = UDP, *, srv: bool = False) -> Lookup:
    return Lookup(1, host, port, transport, srv)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture
async def resolver(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Resolver]:
    monkeypatch.setattr(dns, "QUERY_TIMEOUT", 0.1)
    monkeypatch.setattr(dns, "QUERY_TRIES", 1)
    resolver = Resolver(nameservers=[await server.start()], randint=Random(7).randint)
    yield resolver
    await resolver.close()


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (lookup("192.0.2.7"), Address(UDP, "192.0.2.7", 5060)),
        (lookup("192.0.2.7", 5070, TCP), Address(TCP, "192.0.2.7", 5070)),
        (lookup("192.0.2.7", None, TLS, srv=True), Address(TLS, "192.0.2.7", 5061)),
        (lookup("2001:DB8::1", None, None), Address(UDP, "2001:db8::1", 5060)),
        (lookup("[2001:db8::1]", 5062), Address(UDP, "2001:db8::1", 5062)),
    ],
)
async def test_a_numeric_host_needs_no_question(
    resolver: Resolver, server: NameServer, asked: Lookup, address: Address
) -> None:
    assert await resolver.resolve(asked) == [address]
    assert numeric_address(asked) == address
    assert server.questions == []


async def test_ipv4_addresses_come_before_ipv6_ones(resolver: Resolver, server: NameServer) -> None:
    server.host("pbx.example", "2001:db8::1", "192.0.2.1", "192.0.2.2")
    found = await resolver.resolve(lookup("pbx.example"))
    assert {item.host for item in found[:2]} == {"192.0.2.1", "192.0.2.2"}
    assert found[2] == Address(UDP, "2001:db8::1", 5060)


async def test_aliases_of_hosts_and_services_are_followed(resolver: Resolver, server: NameServer) -> None:
    server.aliases = {"sip.example": "pbx.example", "_sip._udp.sip.example": "service.example"}
    server.host("pbx.example", "192.0.2.1")
    assert await resolver.resolve(lookup("sip.example")) == [Address(UDP, "192.0.2.1", 5060)]
    server.srv("service.example", 0, 0, 5080, "sip.example")
    assert await resolver.resolve(lookup("sip.example", srv=True)) == [Address(UDP, "192.0.2.1", 5080)]


async def test_a_port_that_was_typed_in_asks_for_no_services(resolver: Resolver, server: NameServer) -> None:
    server.host("example.com", "192.0.2.1")
    server.srv("_sip._udp.example.com", 0, 0, 5080, "other.example.com")
    assert await resolver.resolve(lookup("example.com", 5060, None, srv=True)) == [Address(UDP, "192.0.2.1", 5060)]
    assert {kind for _name, kind in server.questions} == {A, AAAA}


async def test_services_are_not_asked_for_unless_the_account_wants_it(resolver: Resolver, server: NameServer) -> None:
    server.host("example.com", "192.0.2.1")
    await resolver.resolve(lookup("example.com", None, TCP))
    assert {kind for _name, kind in server.questions} == {A, AAAA}


@pytest.mark.parametrize(("transport", "service"), [(UDP, "_sip._udp"), (TCP, "_sip._tcp"), (TLS, "_sips._tcp")])
async def test_a_transport_that_is_chosen_asks_for_its_service(
    resolver: Resolver, server: NameServer, transport: Transport, service: str
) -> None:
    server.srv(f"{service}.example.com", 0, 0, 5099, "pbx.example.com")
    server.host("pbx.example.com", "192.0.2.1")
    found = await resolver.resolve(lookup("example.com", None, transport, srv=True))
    assert found == [Address(transport, "192.0.2.1", 5099)]


async def test_naptr_decides_on_the_transports_and_their_order(resolver: Resolver, server: NameServer) -> None:
    server.naptr("example.com", 50, 10, "s", "SIP+D2U", "udp.example.com")
    server.naptr("example.com", 20, 60, "S", "sip+d2t", "tcp.example.com")
    server.naptr("example.com", 20, 50, "s", "SIPS+D2T", "tls.example.com")
    server.naptr("example.com", 1, 1, "s", "SIP+D2S", "sctp.example.com")
    server.naptr("example.com", 1, 1, "u", "E2U+sip", "")
    for number, service in enumerate(("udp", "tcp", "tls", "sctp")):
        server.srv(f"{service}.example.com", 0, 0, 5000 + number, "pbx.example.com")
    server.host("pbx.example.com", "192.0.2.1")
    assert await resolver.resolve(lookup("example.com", None, None)) == [
        Address(TLS, "192.0.2.1", 5002),
        Address(TCP, "192.0.2.1", 5001),
        Address(UDP, "192.0.2.1", 5000),
    ]


async def test_without_naptr_each_transport_is_asked_for(resolver: Resolver, server: NameServer) -> None:
    server.srv("_sip._tcp.example.com", 0, 0, 5001, "pbx.example.com")
    server.srv("_sip._udp.example.com", 0, 0, 5000, "pbx.example.com")
    server.host("pbx.example.com", "192.0.2.1")
    assert await resolver.resolve(lookup("example.com", None, None)) == [
        Address(UDP, "192.0.2.1", 5000),
        Address(TCP, "192.0.2.1", 5001),
    ]


async def test_without_any_service_the_host_itself_is_asked_for(resolver: Resolver, server: NameServer) -> None:
    server.host("example.com", "192.0.2.1")
    assert await resolver.resolve(lookup("example.com", None, None)) == [Address(UDP, "192.0.2.1", 5060)]
    assert await resolver.resolve(lookup("example.com", None, TLS, srv=True)) == [Address(TLS, "192.0.2.1", 5061)]


async def test_a_router_that_fails_on_services_does_not_hide_the_host(resolver: Resolver, server: NameServer) -> None:
    server.host("fritz.box", "192.0.2.1")
    services = ("_sip._udp", "_sip._tcp", "_sips._tcp")
    server.broken = {("fritz.box", NAPTR), *((f"{service}.fritz.box", SRV) for service in services)}
    assert await resolver.resolve(lookup("fritz.box", None, None)) == [Address(UDP, "192.0.2.1", 5060)]


async def test_a_service_that_is_decidedly_not_there_is_not_used(resolver: Resolver, server: NameServer) -> None:
    server.srv("_sip._udp.example.com", 0, 0, 0, ".")
    server.srv("_sip._tcp.example.com", 0, 0, 5061, "pbx.example.com")
    server.host("pbx.example.com", "192.0.2.1")
    assert await resolver.resolve(lookup("example.com", None, None)) == [Address(TCP, "192.0.2.1", 5061)]


async def test_servers_come_by_priority_and_all_of_them_for_failover(resolver: Resolver, server: NameServer) -> None:
    for number in range(4):
        server.srv("_sip._udp.example.com", 40 - 10 * number, 5, 5060, f"pbx{number}.example.com")
        server.host(f"pbx{number}.example.com", f"192.0.2.{number}")
    found = await resolver.resolve(lookup("example.com", srv=True))
    assert [address.host for address in found] == ["192.0.2.3", "192.0.2.2", "192.0.2.1", "192.0.2.0"]


async def test_servers_of_one_priority_and_transport_share_a_rank(resolver: Resolver, server: NameServer) -> None:
    for number, priority in enumerate((20, 10, 10)):
        server.srv("_sip._udp.example.com", priority, 1, 5060, f"{number}.example.com")
    server.srv("_sip._tcp.example.com", 5, 1, 5060, "1.example.com")
    server.host("0.example.com", "192.0.2.10")
    server.host("1.example.com", "192.0.2.11", "2001:db8::11")
    server.host("2.example.com", "192.0.2.12")
    found = await resolver.resolve(Lookup(1, "example.com", None, None))
    ranks = {(address.transport, address.host): address.rank for address in found}
    assert ranks == {
        (UDP, "192.0.2.11"): 0,
        (UDP, "2001:db8::11"): 0,
        (UDP, "192.0.2.12"): 0,
        (UDP, "192.0.2.10"): 1,
        (TCP, "192.0.2.11"): 2,
        (TCP, "2001:db8::11"): 2,
    }


async def test_a_server_without_an_address_is_left_out(resolver: Resolver, server: NameServer) -> None:
    server.srv("_sip._udp.example.com", 1, 0, 5060, "gone.example.com")
    server.srv("_sip._udp.example.com", 2, 0, 5060, "pbx.example.com")
    server.host("pbx.example.com", "192.0.2.1")
    assert await resolver.resolve(lookup("example.com", srv=True)) == [Address(UDP, "192.0.2.1", 5060)]


async def test_load_is_shared_by_weight(resolver: Resolver, server: NameServer) -> None:
    for weight in (0, 25, 75):
        server.srv("_sip._udp.example.com", 0, weight, 5060, f"pbx{weight}.example.com")
        server.host(f"pbx{weight}.example.com", f"192.0.2.{weight}")
    firsts = {"192.0.2.0": 0, "192.0.2.25": 0, "192.0.2.75": 0}
    for _ in range(300):
        found = await resolver.resolve(lookup("example.com", srv=True))
        assert len(found) == 3
        firsts[found[0].host] += 1
    assert 190 < firsts["192.0.2.75"] < 260
    assert 50 < firsts["192.0.2.25"] < 105
    assert 0 < firsts["192.0.2.0"] < 20


async def test_an_answer_is_kept_for_its_time_to_live_but_not_less_than_five_seconds(
    resolver: Resolver, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ttl = 0
    server.host("pbx.example", "192.0.2.1")
    server.srv("_sip._udp.pbx.example", 0, 0, 5060, "pbx.example")
    await resolver.resolve(lookup("pbx.example", srv=True))
    asked = len(server.questions)
    server.records.clear()
    server.host("pbx.example", "192.0.2.2")
    assert await resolver.resolve(lookup("pbx.example", srv=True)) == [Address(UDP, "192.0.2.1", 5060)]
    assert len(server.questions) == asked
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + 6)
    assert await resolver.resolve(lookup("pbx.example", srv=True)) == [Address(UDP, "192.0.2.2", 5060)]


async def test_an_old_answer_serves_while_no_name_server_can_be_reached(
    resolver: Resolver, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ttl = 0
    server.host("pbx.example", "192.0.2.1")
    await resolver.resolve(lookup("pbx.example"))
    server.silent = True
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + 60)
    assert await resolver.resolve(lookup("pbx.example")) == [Address(UDP, "192.0.2.1", 5060)]
    monkeypatch.setattr(loop, "time", lambda: time() + 2 * 86400)
    with pytest.raises(ResolutionError, match=r"no answer from the name server about pbx\.example"):
        await resolver.resolve(lookup("pbx.example"))


async def test_the_cache_is_bounded(resolver: Resolver, server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "MAX_CACHED", 3)
    for number in range(6):
        server.host(f"pbx{number}.example", "192.0.2.1")
        await resolver.resolve(lookup(f"pbx{number}.example"))
    assert [name for _question, name in resolver._dns._cache] == [  # noqa: SLF001 - its size is seen nowhere else
        "pbx3.example",
        "pbx4.example",
        "pbx5.example",
    ]


async def test_a_name_that_does_not_exist_is_told_by_its_name(resolver: Resolver) -> None:
    with pytest.raises(ResolutionError, match=r"the name nobody\.example has no address") as caught:
        await resolver.resolve(lookup("nobody.example"))
    assert caught.value.name == "nobody.example"


async def test_a_silent_name_server_is_given_up(resolver: Resolver, server: NameServer) -> None:
    server.silent = True
    with pytest.raises(ResolutionError, match="no answer from the name server"):
        await asyncio.wait_for(resolver.resolve(lookup("pbx.example", None, None)), 5)


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "x" * 64 + ".example", "a b.example", "\u00a1" + "x" * 70, "y." * 130]
)
async def test_what_can_be_no_name_is_refused_without_a_question(
    resolver: Resolver, server: NameServer, host: str
) -> None:
    with pytest.raises(ResolutionError):
        await resolver.resolve(lookup(host, None, None))
    assert server.questions == []


async def test_a_name_in_letters_of_other_languages_is_asked_for_as_the_wire_has_it(
    resolver: Resolver, server: NameServer
) -> None:
    server.host("xn--mller-kva.example", "192.0.2.1")
    assert await resolver.resolve(lookup("M\u00fcller.example")) == [Address(UDP, "192.0.2.1", 5060)]


async def test_names_in_the_hosts_file_are_found(resolver: Resolver) -> None:
    found = await resolver.resolve(lookup("localhost"))
    assert Address(UDP, "127.0.0.1", 5060) in found


async def test_a_local_name_is_asked_of_the_system_where_no_name_server_knows_it(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def getaddrinfo(host: str, port: object, *, type: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:  # noqa: A002
        assert (host, type) == ("doorbell.local", socket.SOCK_DGRAM)
        return [
            (socket.AF_INET6, type, 0, "", ("2001:db8::5", 0)),
            (socket.AF_INET, type, 0, "", ("192.0.2.5", 0)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    found = await resolver.resolve(lookup("doorbell.local"))
    assert [address.host for address in found] == ["192.0.2.5", "2001:db8::5"]


async def test_a_local_name_that_nobody_knows_is_not_found(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    with pytest.raises(ResolutionError):
        await resolver.resolve(lookup("nobody.local"))


async def test_closing_ends_questions_under_way(resolver: Resolver, server: NameServer) -> None:
    server.silent = True
    question = asyncio.ensure_future(resolver.addresses("pbx.example"))
    await asyncio.sleep(0)
    await resolver.close()
    with pytest.raises(ResolutionError):
        await asyncio.wait_for(question, 2)


def test_only_numbers_are_numeric() -> None:
    assert [numeric_host(host) for host in ("192.0.2.1", "[::1]", "fe80::1%eth0", "pbx", "1.2.3", "")] == [
        "192.0.2.1",
        "::1",
        "fe80::1%eth0",
        None,
        None,
        None,
    ]
