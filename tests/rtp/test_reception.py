"""Counting what one source sent: loss, order, jitter (RFC 3550 appendices A.1, A.3, A.8)."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.reception import Arrival, Reception

RATE = 8000


def feed(reception: Reception, *sequences: int) -> list[Arrival]:
    return [reception.packet(sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, sequence * 0.02) for sequence in sequences]


def test_nothing_is_lost_across_the_wrap_of_the_sequence() -> None:
    reception = Reception(7, RATE)
    feed(reception, *range(65530, 65550))
    assert (reception.received, reception.expected, reception.lost) == (20, 20, 0)
    assert reception.highest & 0xFFFF == 65549 & 0xFFFF


def test_missing_packets_are_lost() -> None:
    reception = Reception(7, RATE)
    feed(reception, 1, 2, 5, 6)
    assert (reception.received, reception.expected, reception.lost) == (4, 6, 2)
    assert reception.fraction_lost() == pytest.approx(2 / 6)


def test_the_fraction_lost_is_of_the_time_since_the_last_report() -> None:
    reception = Reception(7, RATE)
    feed(reception, 1, 2, 5, 6)
    reception.fraction_lost()
    feed(reception, *range(7, 17))
    assert reception.fraction_lost() == 0
    assert reception.fraction_lost() == 0


def test_a_late_packet_takes_its_loss_back() -> None:
    reception = Reception(7, RATE)
    assert feed(reception, 1, 3, 2)[-1] is Arrival.REORDERED
    assert (reception.lost, reception.reordered) == (0, 1)


def test_a_packet_from_before_the_first_counts() -> None:
    reception = Reception(7, RATE)
    feed(reception, 65536, 65535, 65537)
    assert (reception.received, reception.expected, reception.reordered) == (3, 3, 1)


def test_a_packet_that_came_already_is_a_duplicate() -> None:
    reception = Reception(7, RATE)
    assert feed(reception, 1, 2, 3, 3, 2)[-2:] == [Arrival.DUPLICATE, Arrival.DUPLICATE]
    assert (reception.received, reception.duplicate, reception.lost) == (3, 2, 0)


def test_a_stray_number_changes_nothing() -> None:
    reception = Reception(7, RATE)
    assert feed(reception, 1, 2, 30_000, 3) == [Arrival.NEXT, Arrival.NEXT, Arrival.SUSPECT, Arrival.NEXT]
    assert (reception.received, reception.lost) == (3, 0)


def test_two_numbers_in_a_row_after_a_jump_are_a_restart_without_loss() -> None:
    reception = Reception(7, RATE)
    arrivals = feed(reception, 1, 2, 30_000, 30_001, 30_002)
    assert arrivals[2:] == [Arrival.SUSPECT, Arrival.RESTARTED, Arrival.NEXT]
    assert reception.lost == 0
    assert reception.extend(30_003) == reception.highest + 1


def test_an_even_flow_has_no_jitter_and_the_wrap_of_the_timestamp_makes_none() -> None:
    reception = Reception(7, RATE)
    for number in range(100):
        reception.packet(number, 0xFFFFFFFF - 800 + 160 * number & 0xFFFFFFFF, 5 + 0.02 * number)
    assert reception.jitter == pytest.approx(0, abs=1e-6)


def test_jitter_grows_to_the_mean_difference_of_transit() -> None:
    reception = Reception(7, RATE)
    for number in range(1000):
        reception.packet(number, 160 * number, 0.02 * number + (0.01 if number % 2 else 0))
    assert reception.jitter == pytest.approx(80, rel=0.01)


def test_events_do_not_disturb_the_jitter() -> None:
    reception = Reception(7, RATE)
    for number in range(50):
        reception.packet(number, None, 0.02 * number)
    assert reception.jitter == 0


@given(
    first=st.integers(0, 0xFFFF),
    steps=st.lists(st.integers(-90, 90), max_size=200),
)
def test_received_never_exceeds_expected(first: int, steps: list[int]) -> None:
    reception = Reception(7, RATE)
    number = first
    for step in [0, *steps]:
        number += step
        reception.packet(number & 0xFFFF, 0, 0.0)
    assert 0 < reception.received <= reception.expected
    assert reception.received + reception.duplicate <= len(steps) + 1
