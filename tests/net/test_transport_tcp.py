"""Messages of one account over TCP on loopback (RFC 3261 section 18, RFC 5626 section 3.5.1)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from custom_components.sip_ua.net import connections, tcp
from custom_components.sip_ua.net.tls import TlsTrust
from custom_components.sip_ua.sip.account import NetworkSettings, TlsSettings
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.events import RegistrationFailure
from tests.interop.peers import free_ports

from .transport_support import (
    ACCOUNT,
    HOME,
    MESSAGE,
    REPLY,
    TCP,
    UDP,
    Inbox,
    Open,
    Side,
    eventually,
    pool_of,
    settle,
)


async def test_a_connection_is_made_on_demand_and_used_both_ways(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    one.transports.send(other.address(TCP), REPLY)
    await other.inbox.until(lambda: len(other.inbox.messages) == 2)
    (first, hop), (second, _same) = other.inbox.messages
    assert (first, second) == (MESSAGE, REPLY)
    assert hop.remote.transport is TCP
    assert hop.remote.port != one.transports.port
    assert hop.local == HostPort(HOME, other.transports.port)
    other.transports.send(hop.remote, REPLY)
    await one.inbox.until(lambda: one.inbox.messages)
    assert one.inbox.messages == [(REPLY, Hop(other.address(TCP), HostPort(HOME, one.transports.port)))]
    assert len(pool_of(one)) == len(pool_of(other)) == 1


async def test_a_message_in_pieces_arrives_whole(open_side: Open) -> None:
    side = await open_side()
    reader, writer = await asyncio.open_connection(HOME, side.transports.port)
    for octet in (REPLY + MESSAGE)[:-1]:
        writer.write(bytes([octet]))
        await writer.drain()
    await side.inbox.until(lambda: side.inbox.messages)
    assert [data for data, _hop in side.inbox.messages] == [REPLY]
    writer.write(b"\n\r\n\r\n")
    assert await reader.readexactly(2) == b"\r\n"
    assert [data for data, _hop in side.inbox.messages] == [REPLY, MESSAGE]
    writer.close()
    await writer.wait_closed()


async def test_a_refused_connection_is_told_with_its_cause(open_side: Open) -> None:
    side = await open_side()
    nobody = Address(TCP, HOME, free_ports())
    side.transports.send(nobody, MESSAGE)
    side.transports.send(nobody, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    await settle()
    assert side.inbox.failures == [(nobody, RegistrationFailure.CONNECTION_REFUSED, "nothing listens on this port")]


async def test_a_peer_that_does_not_answer_is_given_up(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    side = await open_side()
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.05)

    async def never(*_args: object, **_kwargs: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    distant = Address(TCP, "192.0.2.1", 5060)
    side.transports.send(distant, MESSAGE)
    await side.inbox.until(lambda: side.inbox.failures)
    assert side.inbox.failures == [(distant, RegistrationFailure.NO_ANSWER, "no answer within 0 s")]


async def test_a_lost_connection_is_told_and_made_anew(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    port = other.transports.port
    await other.transports.close()
    await one.inbox.until(lambda: one.inbox.failures)
    expected = (Address(TCP, HOME, port), RegistrationFailure.CONNECTION_REFUSED)
    assert one.inbox.failures[0][:2] == expected
    account = replace(ACCOUNT, network=NetworkSettings(bind_address=HOME, local_port=port))
    again = await open_side(account)
    one.transports.send(again.address(TCP), MESSAGE)
    await again.inbox.until(lambda: again.inbox.messages)


async def test_a_stream_that_is_no_sip_is_closed(open_side: Open) -> None:
    side = await open_side()
    reader, writer = await asyncio.open_connection(HOME, side.transports.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert side.inbox.messages == []
    writer.close()


async def test_connections_from_one_host_are_bounded(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS_FROM_HOST", 2)
    side = await open_side()
    streams = [await asyncio.open_connection(HOME, side.transports.port) for _ in range(3)]
    assert await asyncio.wait_for(streams[2][0].read(), 5) == b""
    streams[0][1].write(MESSAGE)
    await side.inbox.until(lambda: side.inbox.messages)
    assert len(pool_of(side)) == 2
    assert side.inbox.failures == []
    for _reader, writer in streams:
        writer.close()


async def test_connections_of_hosts_that_nobody_expects_are_refused(open_side: Open) -> None:
    side = await open_side()
    side.inbox.expected = {HOME}
    refused, stranger = await asyncio.open_connection(HOME, side.transports.port, local_addr=("127.0.0.2", 0))
    assert await asyncio.wait_for(refused.read(), 5) == b""
    assert len(pool_of(side)) == 0
    _, guest = await asyncio.open_connection(HOME, side.transports.port)
    guest.write(MESSAGE)
    await side.inbox.until(lambda: side.inbox.messages)
    for writer in (stranger, guest):
        writer.close()


async def test_strangers_take_the_place_of_neither_the_server_nor_ourselves(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    side, other = await open_side(), await open_side()
    side.inbox.servers = {"127.0.0.2"}
    streams = {}
    for number, host in enumerate(("127.0.0.2", HOME, "127.0.0.3"), start=1):
        streams[host] = await asyncio.open_connection(HOME, side.transports.port, local_addr=(host, 0))
        streams[host][1].write(MESSAGE)
        await side.inbox.until(partial(heard, side, number))
    assert await asyncio.wait_for(streams[HOME][0].read(), 5) == b""
    side.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    assert await asyncio.wait_for(streams["127.0.0.3"][0].read(), 5) == b""
    assert side.inbox.failures == []
    assert {address.host for address in pool_of(side)._open} == {"127.0.0.2", HOME}  # noqa: SLF001
    for _reader, writer in streams.values():
        writer.close()


def heard(side: Side, messages: int) -> bool:
    return len(side.inbox.messages) == messages


async def test_connections_that_we_make_are_bounded(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    one.transports.send(Address(TCP, HOME, 1), MESSAGE)
    await one.inbox.until(lambda: one.inbox.failures)
    assert one.inbox.failures[0][2] == "too many connections are open"


async def test_a_peer_that_takes_nothing_off_our_hands_is_given_up(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "MAX_WRITE_BUFFER", 100_000)
    side = await open_side()
    async with deaf_server() as port:
        peer = Address(TCP, HOME, port)
        for _ in range(20):
            side.transports.send(peer, bytes(10_000))
        await side.inbox.until(lambda: side.inbox.failures)
        assert side.inbox.failures == [(peer, RegistrationFailure.NO_ANSWER, "too much waits to be sent")]
        side.inbox.failures.clear()
        side.transports.send(peer, b"x")
        await settle()
        await asyncio.sleep(0.05)
        for _ in range(2000):
            side.transports.send(peer, bytes(10_000))
            if side.inbox.failures:
                break
            await asyncio.sleep(0)
        assert side.inbox.failures == [(peer, RegistrationFailure.NO_ANSWER, "too much waits to be sent")]


@asynccontextmanager
async def deaf_server(answer: bytes = b"") -> AsyncIterator[int]:
    """Accept connections, answer the first octets of each once, and read no more."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if answer:
            await reader.read(100)
            writer.write(answer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a stream's transport can

    server = await asyncio.start_server(serve, HOME, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.transport.abort()


async def test_our_connections_are_kept_alive() -> None:
    inbox = Inbox()
    pool = connections.Connections(
        received=lambda _data, _source: None,
        failed=inbox.failed,
        names=lambda _address: (),
        admission=inbox.handlers.admission,
        tls=TlsTrust(TlsSettings()),
        keep_alive=0.03,
    )
    received = asyncio.Queue[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.put_nowait(await reader.readexactly(len(MESSAGE)))
        received.put_nowait(await reader.readexactly(4))
        received.put_nowait(await reader.readexactly(4))
        writer.close()

    async with await asyncio.start_server(serve, HOME, 0) as server:
        pool.send(Address(TCP, HOME, server.sockets[0].getsockname()[1]), MESSAGE)
        async with asyncio.timeout(5):
            assert [await received.get() for _ in range(3)] == [MESSAGE, b"\r\n\r\n", b"\r\n\r\n"]
        await pool.close()
    assert inbox.failures == []


async def test_a_peer_that_used_to_answer_keep_alives_must_go_on(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "PONG_TIMEOUT", 0.05)
    side = await open_side()
    async with deaf_server(b"\r\n") as port:
        peer = Address(TCP, HOME, port)
        side.transports.send(peer, MESSAGE)
        connection = pool_of(side)._open[peer]  # noqa: SLF001 - whose state is seen nowhere else
        await eventually(lambda: connection._answers_pings)  # noqa: SLF001
        connection.ping()
        await side.inbox.until(lambda: side.inbox.failures)
        assert side.inbox.failures == [(peer, RegistrationFailure.NO_ANSWER, "no answer to a keep-alive")]


async def test_a_peer_that_never_answered_keep_alives_need_not(
    open_side: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "PONG_TIMEOUT", 0.01)
    side = await open_side()
    async with deaf_server(REPLY) as port:
        peer = Address(TCP, HOME, port)
        side.transports.send(peer, MESSAGE)
        await side.inbox.until(lambda: side.inbox.messages)
        pool_of(side).maintain()
        await asyncio.sleep(0.05)
        assert side.inbox.failures == []


async def test_what_strangers_leave_open_is_closed(open_side: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "INCOMING_IDLE", -1.0)
    side = await open_side()
    reader, writer = await asyncio.open_connection(HOME, side.transports.port)
    await settle()
    pool_of(side).maintain()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert side.inbox.failures == []
    writer.close()


async def test_an_account_over_udp_accepts_no_connections(open_side: Open) -> None:
    side = await open_side(replace(ACCOUNT, transport=UDP))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOME, side.transports.port)


async def test_closing_still_sends_what_was_written(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    for _ in range(50):
        one.transports.send(other.address(TCP), REPLY)
    await one.transports.close()
    await other.inbox.until(lambda: len(other.inbox.messages) == 51)


async def test_closing_in_the_middle_of_connecting_leaves_nothing(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await one.transports.close()
    assert one.inbox.failures == []


async def test_nobody_is_told_anything_after_closing(open_side: Open) -> None:
    one = await open_side()
    one.transports.send(Address(UDP, HOME, free_ports()), bytes(65508))
    one.transports.send(Address(TCP, HOME, free_ports()), MESSAGE)
    await one.transports.close()
    await asyncio.sleep(0.02)
    assert one.inbox == Inbox(told=one.inbox.told)


async def test_another_network_means_other_connections(open_side: Open) -> None:
    one, other = await open_side(), await open_side()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: other.inbox.messages)
    one.transports.network_changed()
    one.transports.send(other.address(TCP), MESSAGE)
    await other.inbox.until(lambda: len(other.inbox.messages) == 2)
    first, second = (hop.remote for _data, hop in other.inbox.messages)
    assert first != second
    assert one.inbox.failures == []
