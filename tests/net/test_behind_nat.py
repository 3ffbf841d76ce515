"""Whether voice would be sent to an address of a home from the internet."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from custom_components.sip_ua.net.driver import Driver
from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.address import Address, HostPort


@pytest.mark.parametrize(
    ("servers", "local", "behind"),
    [
        ({"203.0.113.1"}, "192.168.1.20", True),
        ({"203.0.113.1"}, "198.51.100.7", False),
        ({"192.168.1.1"}, "192.168.1.20", False),
        ({"192.168.1.1", "203.0.113.1"}, "192.168.1.20", True),
        ({"2001:db8::1"}, "2001:db8::7", False),
        ({"203.0.113.1"}, None, False),
        (set(), "192.168.1.20", False),
    ],
)
def test_a_server_on_the_internet_cannot_reach_a_home(
    monkeypatch: pytest.MonkeyPatch, servers: set[str], local: str | None, *, behind: bool
) -> None:
    def local_for(_remote: Address) -> HostPort | None:
        return None if local is None else HostPort(local, 5060)

    agent = cast("Any", SimpleNamespace(servers=frozenset(servers), expects=lambda _host: True))
    driver = Driver(Account(number="620", domain="fritz.box"), agent, lambda _event: None, None)
    monkeypatch.setattr(Driver, "transports", SimpleNamespace(local_for=local_for))
    assert driver.behind_nat is behind
