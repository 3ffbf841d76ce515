"""What peers are told about where we are: routes, an address by hand, STUN (RFC 3261 section 18.1.1, RFC 8489)."""

import asyncio
import socket
from dataclasses import replace

import pytest

from custom_components.sip_ua.net import public_address, stun, transport, udp
from custom_components.sip_ua.sip.account import NatMode, NetworkSettings, ServerAddress
from custom_components.sip_ua.sip.address import Address, Hop, HostPort, Lookup
from custom_components.sip_ua.sip.stun_message import binding_response

from .transport_support import (
    ACCOUNT,
    HOME,
    MESSAGE,
    TCP,
    UDP,
    Open,
    StunServer,
    behind_nat,
    eventually,
    settle,
)


async def test_a_hop_names_the_address_that_the_peer_is_reached_from(open_side: Open) -> None:
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    here = HostPort(HOME, side.transports.port)
    lookup = Lookup(1, HOME, 5070, UDP)
    expected = [Hop(Address(UDP, HOME, 5070), here)]
    assert await side.transports.locate(lookup) == side.transports.locate_numeric(lookup) == expected
    assert side.transports.locate_numeric(Lookup(1, "localhost", None, UDP)) is None
    found = await side.transports.locate(Lookup(1, "localhost", None, TCP))
    assert Hop(Address(TCP, HOME, 5060), here) in found


async def test_a_way_that_was_not_there_is_looked_for_again_soon(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = await open_side(replace(ACCOUNT, network=NetworkSettings()))
    found: list[str | None] = [None, HOME]
    monkeypatch.setattr(transport, "outgoing_address", lambda _host: found.pop(0))
    server = Address(UDP, "192.0.2.1", 5060)
    assert side.transports.local_for(server) is side.transports.local_for(server) is None
    loop = asyncio.get_running_loop()
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + 1.1)
    assert side.transports.local_for(server) == HostPort(HOME, side.transports.port)


async def test_an_address_typed_in_by_hand_is_what_peers_are_told(open_side: Open) -> None:
    network = NetworkSettings(bind_address=HOME, nat=NatMode.MANUAL, public_address="203.0.113.8")
    side = await open_side(replace(ACCOUNT, network=network))
    (hop,) = await side.transports.locate(Lookup(1, "192.0.2.1", None, UDP))
    assert hop.local == HostPort("203.0.113.8", side.transports.port)
    assert side.transports.locate_numeric(Lookup(1, "192.0.2.1", None, UDP)) == [hop]


async def test_a_public_name_that_is_not_found_is_told_once_and_does_without(
    open_side: Open, caplog: pytest.LogCaptureFixture
) -> None:
    network = NetworkSettings(bind_address=HOME, nat=NatMode.MANUAL, public_address="a..b")
    side = await open_side(replace(ACCOUNT, network=network))
    lookup = Lookup(1, "192.0.2.1", None, UDP)
    for _ in range(2):
        (hop,) = await side.transports.locate(lookup)
        assert hop.local == HostPort(HOME, side.transports.port)
        side.transports.network_changed()
        await settle()
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == ["The public address cannot be found: 'a..b' is no name of a host"]


async def test_a_public_address_of_another_ip_version_is_not_told(open_side: Open) -> None:
    network = NetworkSettings(nat=NatMode.MANUAL, public_address="203.0.113.8")
    side = await open_side(replace(ACCOUNT, network=network))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert side.transports.local_for(Address(UDP, "::1", 1)) == HostPort("::1", side.transports.port)


@pytest.mark.parametrize("server", [None, ServerAddress("::1")], ids=["none", "of another IP version"])
async def test_a_stun_server_that_cannot_be_asked_does_not_stop_anybody(
    open_side: Open, server: ServerAddress | None
) -> None:
    network = NetworkSettings(bind_address=HOME, nat=NatMode.STUN, stun_server=server)
    side = await open_side(replace(ACCOUNT, network=network))
    (hop,) = await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert hop.local == HostPort(HOME, side.transports.port)


async def test_the_address_that_a_stun_server_sees_is_what_peers_are_told(
    open_side: Open, stun_server: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.02)
    stun_server.left_out = 2
    side = await open_side(behind_nat(stun_server))
    lookup = Lookup(1, "127.0.0.2", None, UDP)
    assert side.transports.locate_numeric(lookup) is None
    (hop,) = await side.transports.locate(lookup)
    assert hop.local == HostPort("127.0.0.9", 4444)
    assert len(stun_server.requests) == 3
    assert len(set(stun_server.requests)) == 1
    assert side.inbox.messages == []
    assert side.inbox.address_changes == 0


async def test_another_address_outside_is_told(open_side: Open, stun_server: StunServer) -> None:
    side = await open_side(behind_nat(stun_server))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    stun_server.mapped = HostPort("127.0.0.10", 5555)
    side.transports.network_changed()
    await side.inbox.until(lambda: side.inbox.address_changes)
    assert side.transports.local_for(Address(UDP, HOME, 1)) == stun_server.mapped


async def test_a_peer_at_home_is_told_our_address_at_home(open_side: Open, stun_server: StunServer) -> None:
    stun_server.mapped = HostPort("8.8.4.4", 4444)
    side = await open_side(behind_nat(stun_server))
    await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert side.transports.local_for(Address(UDP, HOME, 1)) == HostPort(HOME, side.transports.port)
    assert side.transports.local_for(Address(UDP, "1.1.1.1", 1)) == stun_server.mapped


async def test_a_silent_stun_server_does_not_stop_anybody(
    open_side: Open, stun_server: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.01)
    monkeypatch.setattr(public_address, "FIRST_ANSWER_TIMEOUT", 0.05)
    stun_server.left_out = 99
    side = await open_side(behind_nat(stun_server))
    (hop,) = await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert hop.local == HostPort(HOME, side.transports.port)
    assert stun_server.requests


async def test_a_stun_server_that_refuses_is_told(
    open_side: Open, stun_server: StunServer, caplog: pytest.LogCaptureFixture
) -> None:
    stun_server.refuses = True
    side = await open_side(behind_nat(stun_server))
    (hop,) = await side.transports.locate(Lookup(1, HOME, None, UDP))
    assert hop.local == HostPort(HOME, side.transports.port)
    assert "the STUN server refused: 500" in caplog.text
    stun_server.refuses = False
    side.transports.network_changed()
    await eventually(lambda: "found again" in caplog.text)
    assert side.transports.local_for(Address(UDP, HOME, 1)) == stun_server.mapped


async def test_a_fresh_socket_learns_where_it_is_seen(stun_server: StunServer) -> None:
    with udp.bind(socket.SOCK_DGRAM, HOME, 0) as bound:
        assert await stun.mapped_address(bound, stun_server.address) == stun_server.mapped


async def test_a_fresh_socket_that_hears_nothing_gives_up(
    stun_server: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun, "INITIAL_TIMEOUT", 0.005)
    stun_server.left_out = 99
    with udp.bind(socket.SOCK_DGRAM, HOME, 0) as bound, pytest.raises(TimeoutError, match="no answer"):
        await stun.mapped_address(bound, stun_server.address)
    assert len(stun_server.requests) == stun.ATTEMPTS


async def test_a_strangers_stun_answer_is_ignored(open_side: Open, stun_server: StunServer) -> None:
    stun_server.left_out = 99
    side = await open_side(behind_nat(stun_server))
    await eventually(lambda: stun_server.requests)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        forged = binding_response(stun_server.requests[0], HostPort("127.0.0.66", 66))
        stranger.sendto(forged, (HOME, side.transports.port))
        stranger.sendto(MESSAGE, (HOME, side.transports.port))
    await side.inbox.until(lambda: side.inbox.messages)
    assert side.transports.local_for(Address(UDP, HOME, 1)) == HostPort(HOME, side.transports.port)
