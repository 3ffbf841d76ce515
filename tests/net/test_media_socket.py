"""Datagrams by the C library and by the socket module: the same bytes, the true source and time of arrival."""

import socket
import time
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net import libc
from custom_components.sip_ua.net.media_socket import MAX_BATCHES, MediaSocket, Reader, create_reader, is_numeric
from custom_components.sip_ua.net.ports import PortPair, PortPool, PortRange

type Heard = list[tuple[bytes, tuple[str, int], float]]


@pytest.fixture(params=[True, False], ids=["libc", "plain"])
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    with patch.object(libc, "AVAILABLE", request.param):
        yield create_reader()


@pytest.fixture(params=["127.0.0.1", "::1"], ids=["ipv4", "ipv6"])
def host(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def heard() -> Heard:
    return []


@pytest.fixture
def pair(host: str) -> Iterator[PortPair]:
    made = PortPool().open(host, PortRange(33000, 60000))
    yield made
    made.close()


@pytest.fixture
def endpoint(pair: PortPair, heard: Heard) -> MediaSocket:
    return MediaSocket(pair.rtp, lambda data, source, now: heard.append((data, source, now)))


@pytest.fixture
def address(pair: PortPair, host: str) -> tuple[str, int]:
    return host, pair.port


@pytest.fixture
def other(host: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((host, 0))
        made.settimeout(5)
        yield made


def take(endpoint: MediaSocket, reader: Reader, elapsed: float = 10.0) -> None:
    endpoint.receive(reader, time.monotonic(), time.time_ns(), elapsed)


def test_datagrams_come_whole_in_order_and_with_their_source(
    endpoint: MediaSocket, address: tuple[str, int], other: socket.socket, reader: Reader, heard: Heard
) -> None:
    sent = [bytes([number]) * size for number, size in enumerate((1, 172, 1500, 0, 2048))]
    for data in sent:
        other.sendto(data, address)

    take(endpoint, reader)

    assert [data for data, _, _ in heard] == sent
    assert {source for _, source, _ in heard} == {other.getsockname()[:2]}


def test_nothing_there_is_no_error(endpoint: MediaSocket, reader: Reader, heard: Heard) -> None:
    take(endpoint, reader)

    assert heard == []


def test_a_closed_socket_is_no_error(endpoint: MediaSocket, reader: Reader, heard: Heard) -> None:
    endpoint.close()

    take(endpoint, reader)

    assert heard == []


def test_a_flood_does_not_hold_up_the_tick(
    endpoint: MediaSocket, address: tuple[str, int], other: socket.socket, reader: Reader, heard: Heard
) -> None:
    for _ in range(MAX_BATCHES * libc.BATCH + 10):
        other.sendto(b"x", address)

    take(endpoint, reader)
    first = len(heard)
    take(endpoint, reader)

    assert (first, len(heard)) == (MAX_BATCHES * libc.BATCH, MAX_BATCHES * libc.BATCH + 10)


def test_the_sent_datagram_arrives_from_the_right_port(
    endpoint: MediaSocket, address: tuple[str, int], other: socket.socket, reader: Reader
) -> None:
    host, port, *_ = other.getsockname()

    endpoint.send(b"one", (host, port))
    endpoint.send(b"two", (host, port))

    assert [other.recvfrom(100)[0] for _ in range(2)] == [b"one", b"two"]
    endpoint.send(b"three", (host, port))
    assert other.recvfrom(100)[1][:2] == address


@pytest.mark.parametrize("nowhere", ["0.0.0.0", "::"])
def test_nothing_is_sent_to_an_address_that_is_none(
    endpoint: MediaSocket, other: socket.socket, reader: Reader, nowhere: str
) -> None:
    with socket.socket(other.family, socket.SOCK_DGRAM) as everywhere:
        everywhere.bind(("", 0))
        everywhere.settimeout(0.05)
        endpoint.send(b"lost", (nowhere, everywhere.getsockname()[1]))
        with pytest.raises(TimeoutError):
            everywhere.recv(100)

    assert endpoint.send_errors == 0


def test_a_closed_socket_sends_nothing(endpoint: MediaSocket, other: socket.socket, reader: Reader) -> None:
    host, port, *_ = other.getsockname()
    endpoint.send(b"one", (host, port))
    endpoint.close()

    endpoint.send(b"two", (host, port))

    assert other.recv(100) == b"one"
    assert endpoint.send_errors == 1


@pytest.mark.parametrize("wrong", [("not an address", 5000), ("203.0.113.300", 5000)])
def test_what_cannot_be_sent_is_counted(endpoint: MediaSocket, wrong: tuple[str, int]) -> None:
    endpoint.send(b"lost", wrong)

    assert endpoint.send_errors == 1


def test_the_other_ip_version_cannot_be_reached_and_is_counted(endpoint: MediaSocket, host: str) -> None:
    endpoint.send(b"lost", ("127.0.0.1" if ":" in host else "::1", 5000))

    assert endpoint.send_errors == 1


@pytest.mark.skipif(not libc.AVAILABLE, reason="the kernel's times are Linux's")
def test_the_time_of_arrival_is_the_kernels(
    endpoint: MediaSocket, address: tuple[str, int], other: socket.socket, heard: Heard
) -> None:
    # The kernel begins to stamp a moment after the first socket asks for it.
    time.sleep(0.1)
    sent_at = time.monotonic()
    other.sendto(b"x", address)
    after = time.monotonic()
    time.sleep(0.1)

    take(endpoint, libc.BatchReader())

    assert sent_at - 0.005 <= heard[0][2] <= after + 0.05
    assert time.monotonic() - heard[0][2] > 0.04


@pytest.mark.parametrize("shift", [-3600, 3600])
def test_a_clock_that_was_set_does_not_move_arrivals_out_of_the_last_tick(
    endpoint: MediaSocket, address: tuple[str, int], other: socket.socket, heard: Heard, shift: int
) -> None:
    other.sendto(b"x", address)
    now = time.monotonic()

    endpoint.receive(libc.BatchReader(), now, time.time_ns() + shift * 10**9, 0.02)

    assert now - 0.02 - 1e-6 <= heard[0][2] <= now


@pytest.mark.skipif(not libc.AVAILABLE, reason="the reader is Linux's")
def test_a_datagram_longer_than_any_of_ours_is_as_good_as_empty(
    endpoint: MediaSocket, address: tuple[str, int], other: socket.socket, heard: Heard
) -> None:
    other.sendto(bytes(libc.MAX_DATAGRAM + 1), address)
    other.sendto(b"after", address)

    take(endpoint, libc.BatchReader())

    assert [data for data, _, _ in heard] == [b"", b"after"]


def test_only_numeric_hosts_are_numeric() -> None:
    assert is_numeric("192.0.2.1")
    assert is_numeric("2001:db8::1")
    assert not is_numeric("pbx.example")
    assert not is_numeric("")
