"""The media clock: no drift, no unbounded burst, and an alarm that rings on time or when called."""

import threading
import time
from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.net import libc
from custom_components.sip_ua.net.media_clock import LONGEST_BURST, Alarm, Schedule, Ticks

MS = 1_000_000


def test_a_tick_is_due_at_its_moment_and_not_before() -> None:
    schedule = Schedule(20 * MS, 0, 1)

    assert schedule.next == 20 * MS
    assert schedule.take(20 * MS - 1) == Ticks(0, 0)
    assert schedule.take(20 * MS) == Ticks(1, 0)
    assert schedule.next == 40 * MS


def test_lateness_does_not_move_the_ticks_that_follow() -> None:
    schedule = Schedule(20 * MS, 0, 0)

    for n in range(1000):
        assert schedule.take(n * 20 * MS + 19 * MS) == Ticks(1, 0)

    assert schedule.next == 1000 * 20 * MS


def test_a_short_delay_is_made_up_for() -> None:
    schedule = Schedule(20 * MS, 0, 0)

    assert schedule.take(65 * MS) == Ticks(4, 0)
    assert schedule.next == 80 * MS


def test_a_machine_that_stood_still_sends_one_packet_and_skips_the_rest() -> None:
    schedule = Schedule(20 * MS, 0, 0)

    assert schedule.take(60_000 * MS) == Ticks(1, 3000)
    assert schedule.next == 60_020 * MS


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_every_tick_is_either_played_or_skipped_and_bursts_are_bounded(epoch: int, pauses: list[int]) -> None:
    period = 20 * MS
    schedule = Schedule(period, epoch, epoch)
    now, counted = epoch, 0

    for pause in pauses:
        now += pause
        ticks = schedule.take(now)
        counted += ticks.due + ticks.skipped
        assert ticks.due <= LONGEST_BURST // period + 1
        assert schedule.next > now

    assert counted == (now - epoch) // period + 1


@given(st.integers(0, 10**12), st.sampled_from([10, 20, 30, 40, 60]))
def test_packet_times_that_are_multiples_meet_in_one_tick(now: int, ptime: int) -> None:
    short, long = Schedule(10 * MS, 0, now), Schedule(ptime * MS, 0, now)

    assert (long.next - short.next) % (10 * MS) == 0
    assert 0 <= long.next - now < ptime * MS


@pytest.fixture(params=[True, False], ids=["libc", "plain"])
def alarm(request: pytest.FixtureRequest) -> Iterator[Alarm]:
    with patch.object(libc, "AVAILABLE", request.param):
        made = Alarm()
    yield made
    made.close()


def test_the_alarm_does_not_ring_early(alarm: Alarm) -> None:
    for _ in range(20):
        moment = time.monotonic_ns() + 2 * MS
        alarm.wait(moment)
        assert time.monotonic_ns() >= moment - MS // 20


def test_the_alarm_rings_at_once_for_a_moment_that_is_past(alarm: Alarm) -> None:
    begun = time.monotonic()

    alarm.wait(0)

    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("far", [True, False])
def test_another_thread_ends_the_waiting(alarm: Alarm, far: bool) -> None:
    begun = time.monotonic()
    timer = threading.Timer(0.02, alarm.wake)
    timer.start()

    alarm.wait(time.monotonic_ns() + 60_000 * MS if far else None)

    timer.join()
    assert time.monotonic() - begun < 30


def test_a_call_before_the_waiting_is_not_lost_and_not_kept(alarm: Alarm) -> None:
    for _ in range(100_000):
        alarm.wake()

    alarm.wait(None)
    begun = time.monotonic()
    while time.monotonic() - begun < 20:
        before = time.monotonic_ns()
        alarm.wait(before + 10 * MS)
        if time.monotonic_ns() - before >= 9 * MS:
            return
    pytest.fail("the alarm never came to rest")


def test_a_closed_alarm_can_be_called_by_one_who_does_not_know() -> None:
    alarm = Alarm()
    alarm.close()

    alarm.wake()
