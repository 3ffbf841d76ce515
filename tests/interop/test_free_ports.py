"""The ports of tests: who is given some opens them later, and nobody else may have them until then."""

import itertools
import socket

import pytest

from .peers import LOOPBACK, free_ports
from .peers.ports import HIGHEST, LOWEST

pytestmark = [pytest.mark.interop]


def test_what_is_given_one_after_the_other_never_meets() -> None:
    given = [range(first, first + count) for count in (1, 2, 4, 8) * 30 for first in [free_ports(count, step=2)]]

    assert all(not set(one) & set(other) for one, other in itertools.combinations(given, 2))
    assert all(LOWEST <= ports.start < ports.stop <= HIGHEST and ports.start % 2 == 0 for ports in given)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_somebody_has_is_passed_over(kind: socket.SocketKind) -> None:
    busy_port = free_ports() + 1
    with socket.socket(socket.AF_INET, kind) as busy:
        busy.bind((LOOPBACK, busy_port))
        first = free_ports(2)

    assert busy_port not in range(first, first + 2)
