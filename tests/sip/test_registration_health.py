"""What is told about a registration, and that the way to it stays open behind a NAT."""

from itertools import pairwise

import pytest

from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationFailure, RegistrationState

from .agents import ALICE
from .homes import Home, account

# Behind a NAT


def test_another_public_address_is_registered_as_soon_as_a_keep_alive_shows_it() -> None:
    home = Home()
    first, second = (Address(ALICE.transport, "203.0.113.7", port) for port in (61000, 62000))
    for public in (first, second):
        home.link.join(home.alice.agent, public, deliver=home.alice.deliver, react=home.alice.react)
    seen = [first]
    home.server.max_contacts = 1
    home.server.seen_from = lambda source: seen[0] if source == ALICE else source
    home.start(20)
    assert list(home.server.bindings) == ["sip:alice@203.0.113.7:61000"]
    seen[0] = second
    home.link.run_for(11)
    assert list(home.server.bindings) == ["sip:alice@203.0.113.7:62000"], "the other one is taken back"
    assert len(home.link.sent("OPTIONS")) == 1


@pytest.mark.parametrize("keep_alive", [5, 20])
def test_the_way_is_kept_open_at_the_interval_of_the_account(keep_alive: int) -> None:
    home = Home(account(timing=Timing(keep_alive=keep_alive)))
    home.start(600)
    sent = sorted(passage.sent_at for passage in home.link.transcript if passage.source == ALICE)
    assert all(later - earlier < keep_alive + 0.1 for earlier, later in pairwise(sent))
    assert len(home.link.sent("OPTIONS")) > 500 / keep_alive - 20


def test_a_time_that_is_granted_shorter_than_before_is_told() -> None:
    home = Home()
    home.start(10)
    home.server.max_expires = 120
    home.link.run_for(60)
    assert home.status.expires_at is not None
    assert home.status.expires_at < home.link.now + 120


# Its health


@pytest.mark.parametrize(
    ("status", "reason", "headers", "failure", "earliest", "latest"),
    [
        (403, "Forbidden", {}, RegistrationFailure.LOGIN_REFUSED, None, None),
        (404, "Not Found", {}, RegistrationFailure.NUMBER_UNKNOWN, 140, 220),
        (500, "Server Internal Error", {}, RegistrationFailure.SERVER_ERROR, 1, 3),
        (503, "Service Unavailable", {"Retry-After": "40"}, RegistrationFailure.SERVER_BUSY, 39, 41),
    ],
)
def test_the_health_tells_code_reason_and_the_next_attempt(
    status: int,
    reason: str,
    headers: dict[str, str],
    failure: RegistrationFailure,
    earliest: float | None,
    latest: float | None,
) -> None:
    home = Home()
    home.server.script = [(status, headers)]
    home.start(0.5)
    told = home.status
    assert (told.code, told.reason, told.failure, told.failures, told.expires_at) == (status, reason, failure, 1, None)
    assert "198.51.100.5 port 5060 over UDP" in told.detail
    if earliest is None or latest is None:
        assert told.next_attempt_at is None
    else:
        assert told.next_attempt_at is not None
        assert told.at + earliest <= told.next_attempt_at <= told.at + latest
        home.link.run_for(latest + 1)
        assert home.state is RegistrationState.REGISTERED


def test_failures_in_a_row_are_counted_until_a_success() -> None:
    home = Home()
    home.server.script = [(500, {})] * 5
    home.start(120)
    counted = [event.failures for event in home.alice.events(RegistrationChanged)]
    assert [count for count in counted if count] == [1, 2, 3, 4, 5]
    assert counted[-1] == 0
    pauses = [
        event.next_attempt_at - event.at
        for event in home.alice.events(RegistrationChanged)
        if event.failures and event.next_attempt_at is not None
    ]
    assert all(earlier < later for earlier, later in pairwise(pauses))
