"""Pairs of ports: even and odd, out of the range, in turn, and none lost."""

import contextlib
import socket
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net import ports as ports_module
from custom_components.sip_ua.net.errors import NoPortError
from custom_components.sip_ua.net.ports import PortPair, PortPool, PortRange
from custom_components.sip_ua.sip.errors import SipError

from .media_support import open_descriptors

LOOPBACK = "127.0.0.1"


def bound(port: int) -> socket.socket:
    busy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        busy.bind((LOOPBACK, port))
    except OSError:
        busy.close()
        raise
    return busy


@pytest.fixture
def free_range() -> PortRange:
    """Find a range of eight ports of which every one is free at this moment."""
    for first in range(33000, 60000, 8):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 8):
                stack.enter_context(bound(port))
            return PortRange(first, first + 7)
    pytest.fail("no eight free ports in a row")


@pytest.fixture
def pool() -> PortPool:
    return PortPool()


@pytest.fixture
def opened() -> Iterator[list[PortPair]]:
    pairs: list[PortPair] = []
    yield pairs
    for pair in pairs:
        pair.close()


def test_rtp_is_even_and_rtcp_is_the_next_port(pool: PortPool, free_range: PortRange, opened: list[PortPair]) -> None:
    opened.append(pool.open(LOOPBACK, free_range))

    assert opened[0].port % 2 == 0
    assert opened[0].rtcp.getsockname()[1] == opened[0].port + 1
    assert free_range.first <= opened[0].port < free_range.last


def test_a_range_gives_all_its_pairs_and_then_names_itself(
    pool: PortPool, free_range: PortRange, opened: list[PortPair]
) -> None:
    opened += [pool.open(LOOPBACK, free_range) for _ in range(4)]
    before = open_descriptors()

    with pytest.raises(NoPortError, match=f"{free_range.first} and {free_range.last}") as raised:
        pool.open(LOOPBACK, free_range)

    assert {pair.port for pair in opened} == set(range(free_range.first, free_range.last, 2))
    assert isinstance(raised.value, SipError)
    assert open_descriptors() == before


def test_a_pair_of_which_another_program_has_one_port_is_left_alone(
    pool: PortPool, free_range: PortRange, opened: list[PortPair]
) -> None:
    with bound(free_range.first), bound(free_range.first + 3):
        before = open_descriptors()
        opened += [pool.open(LOOPBACK, free_range) for _ in range(2)]
        with pytest.raises(NoPortError):
            pool.open(LOOPBACK, free_range)
        assert open_descriptors() == before + 4

    assert {pair.port for pair in opened} == {free_range.first + 4, free_range.first + 6}


def test_a_port_just_freed_rests_the_longest(pool: PortPool, free_range: PortRange) -> None:
    seen = []
    for _ in range(8):
        pair = pool.open(LOOPBACK, free_range)
        seen.append(pair.port)
        pair.close()

    assert len(set(seen[:4])) == 4
    assert seen[4:] == seen[:4]


@pytest.mark.parametrize(
    ("first", "last", "lowest", "pairs"),
    [(51000, 51098, 51000, 49), (51001, 51004, 51002, 1), (51001, 51002, 51002, 0), (40000, 40001, 40000, 1)],
)
def test_both_ports_of_a_pair_lie_within_the_range(first: int, last: int, lowest: int, pairs: int) -> None:
    ports = PortRange(first, last)

    assert (ports.lowest, ports.pairs) == (lowest, pairs)


def test_a_range_without_room_for_a_pair_is_told_as_such(pool: PortPool) -> None:
    with pytest.raises(NoPortError):
        pool.open(LOOPBACK, PortRange(51001, 51002))


def test_an_address_of_another_machine_is_an_error_and_leaves_no_socket(pool: PortPool, free_range: PortRange) -> None:
    before = open_descriptors()

    with pytest.raises(OSError, match="assign"):
        pool.open("192.0.2.1", free_range)

    assert open_descriptors() == before


def test_nothing_is_left_when_the_second_port_fails_in_another_way(pool: PortPool, free_range: PortRange) -> None:
    before = open_descriptors()
    bind = ports_module.bind_socket

    def fail_on_odd(address: str, port: int, dscp: int) -> socket.socket | None:
        if port % 2:
            raise OSError("out of buffers")
        return bind(address, port, dscp)

    with patch.object(ports_module, "bind_socket", fail_on_odd), pytest.raises(OSError, match="out of buffers"):
        pool.open(LOOPBACK, free_range)

    assert open_descriptors() == before


def test_ipv6_is_served_as_well(pool: PortPool, opened: list[PortPair]) -> None:
    opened.append(pool.open("::1", PortRange(33000, 60000)))

    assert opened[0].rtp.family == socket.AF_INET6
    assert opened[0].rtp.getsockname()[:2] == ("::1", opened[0].port)


def test_an_empty_address_means_every_ipv4_address(
    pool: PortPool, free_range: PortRange, opened: list[PortPair]
) -> None:
    opened.append(pool.open("", free_range))

    assert opened[0].rtp.getsockname()[0] == "0.0.0.0"


def test_a_zone_may_be_a_name_or_a_number() -> None:
    assert ports_module.scope_index("lo") == socket.if_nametoindex("lo")
    assert ports_module.scope_index("7") == 7
    assert ports_module.scope_index("") == 0
