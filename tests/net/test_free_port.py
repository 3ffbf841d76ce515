"""A port for a telephone that has to stay at one: free for UDP and TCP, of nobody else, and never none."""

import socket
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net import free_port
from custom_components.sip_ua.net.errors import LocalPortInUseError
from custom_components.sip_ua.net.free_port import CANDIDATES, find_free_port
from custom_components.sip_ua.net.udp import bind

LOOPBACK = "127.0.0.1"


def test_a_port_that_is_found_can_be_bound_at_once() -> None:
    port = find_free_port(LOOPBACK)
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as bound:
            bound.bind((LOOPBACK, port))
    assert port in CANDIDATES


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
@pytest.mark.parametrize("asked", [LOOPBACK, ""])
def test_a_port_that_another_program_has_is_not_chosen(kind: socket.SocketKind, asked: str) -> None:
    first = find_free_port(asked)
    with socket.socket(socket.AF_INET, kind) as theirs:
        theirs.bind((LOOPBACK, first))
        if kind is socket.SOCK_STREAM:
            theirs.listen()
        assert find_free_port(asked) > first


def test_a_port_that_somebody_is_to_have_is_not_chosen() -> None:
    first = find_free_port(LOOPBACK)
    assert find_free_port(LOOPBACK, {first}) > first


def test_an_address_that_this_machine_lacks_is_in_nobodys_way() -> None:
    assert find_free_port("192.0.2.1", {5062}) == 5064


def test_where_every_candidate_is_taken_the_system_chooses() -> None:
    def refuse(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
        if port:
            raise LocalPortInUseError(port)
        return bind(kind, host, port)

    with patch.object(free_port, "bind", refuse):
        assert find_free_port(LOOPBACK) not in CANDIDATES
