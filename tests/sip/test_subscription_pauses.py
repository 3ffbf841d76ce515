"""How long a subscription waits, and what its header fields say (RFC 6665 sections 4.1 and 8.2)."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.event_headers import (
    Notified,
    Retry,
    SubscriptionState,
    parse_event,
    parse_subscription_state,
)
from custom_components.sip_ua.sip.headers import Headers
from custom_components.sip_ua.sip.message import LONGEST_RETRY_AFTER, Response
from custom_components.sip_ua.sip.subscription_pauses import (
    RETRY_LONGEST,
    SHORTEST_REFRESH,
    Pace,
    Pauses,
)

from .agents import entropy
from .wire import texts


def headers(state: str) -> Headers:
    return Headers([("Subscription-State", state)])


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("active", SubscriptionState(Notified.ACTIVE)),
        ("ACTIVE ; expires=60", SubscriptionState(Notified.ACTIVE, expires=60)),
        ("pending;expires=5;reason=x", SubscriptionState(Notified.PENDING, "x", expires=5)),
        ("terminated;reason=Timeout", SubscriptionState(Notified.TERMINATED, "timeout")),
        ("terminated; retry-after = 7;reason=giveup", SubscriptionState(Notified.TERMINATED, "giveup", None, 7)),
        ("terminated;retry-after=-7", SubscriptionState(Notified.TERMINATED)),
        ('terminated;reason="', SubscriptionState(Notified.TERMINATED)),
        ("asleep", SubscriptionState(Notified.ACTIVE)),
        ("", SubscriptionState(Notified.ACTIVE)),
    ],
)
def test_a_subscription_state_is_read_as_it_is_meant(text: str, state: SubscriptionState) -> None:
    assert parse_subscription_state(headers(text)) == state


def test_a_notifier_that_tells_no_state_means_active() -> None:
    assert parse_subscription_state(Headers()) == SubscriptionState(Notified.ACTIVE)


@pytest.mark.parametrize(
    ("text", "package"), [("dialog", "dialog"), ("Presence ;id=1", "presence"), ("", ""), (";id=2", "")]
)
def test_an_event_is_known_by_its_package(text: str, package: str) -> None:
    assert parse_event(Headers([("Event", text)])) == package


@given(texts)
def test_header_fields_of_any_text_are_read(text: str) -> None:
    parse_event(Headers([("Event", text)]))
    state = parse_subscription_state(headers(text))
    assert state.retry in Retry


@given(st.integers(0, 2**40), st.integers(0, 100))
def test_a_refresh_comes_before_the_end_save_where_that_would_be_a_storm(seconds: int, seed: int) -> None:
    ahead = Pauses(entropy(seed)).before_refresh(seconds)
    assert ahead >= SHORTEST_REFRESH * 0.9
    assert ahead < max(seconds, SHORTEST_REFRESH + 0.1)


@given(st.integers(0, 100))
def test_pauses_double_with_jitter_up_to_a_bound(seed: int) -> None:
    pauses = Pauses(entropy(seed))
    found = []
    for _ in range(20):
        found.append(pauses.backoff())
        pauses.failed()
    assert 3.2 <= found[0] <= 4.8
    assert all(later > earlier for earlier, later in pairwise(found[:6]))
    assert max(found) <= RETRY_LONGEST * 1.2
    pauses.lasted(59)
    assert pauses.backoff() > RETRY_LONGEST * 0.7
    pauses.lasted(60)
    assert pauses.backoff() < 5


@pytest.mark.parametrize(("text", "pause"), [("120", 120), ("99999999", LONGEST_RETRY_AFTER), ("90 (soon);x=y", 90)])
def test_a_retry_after_makes_the_pause_longer(text: str, pause: float) -> None:
    pauses = Pauses(entropy(1))
    response = Response(503, "", Headers([("Retry-After", text)]))
    assert pauses.after_refusal(response) == pause
    assert pauses.told == pause
    assert pauses.after_refusal(Response(503, "", Headers())) < 5
    assert pauses.told == 0


def test_moments_are_apart_from_each_other() -> None:
    pace = Pace(lambda size: b"\xff" * size)
    assert [pace.moment(100), pace.moment(100), pace.moment(100.2)] == pytest.approx([100, 100.05, 100.2])
