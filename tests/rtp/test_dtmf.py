"""Telephone events: the sender's timing and the receiver's counting through loss (RFC 4733 section 2)."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.dtmf import (
    DIGITS,
    DigitReceiver,
    DigitSender,
    EventPacket,
    ReceivedDigit,
    TelephoneEvent,
    parse_event,
)
from custom_components.sip_ua.rtp.errors import PacketError, RtpUsageError

RATE = 8000
PTIME = 20
STEP = RATE * PTIME // 1000


def packets(sender: DigitSender, *, start: int = 0, ticks: int | None = None) -> list[EventPacket | None]:
    """Let ptimes pass until the sender is done."""
    sent: list[EventPacket | None] = []
    while sender.active if ticks is None else len(sent) < ticks:
        sent.append(sender.packet(start + STEP * len(sent) & 0xFFFFFFFF, PTIME))
    return sent


def queue(digits: str, *, duration: int = 100, gap: int = 100) -> DigitSender:
    sender = DigitSender(RATE)
    sender.queue(digits, duration, gap)
    return sender


def events(sent: list[EventPacket | None]) -> list[TelephoneEvent]:
    return [parse_event(packet.payload) for packet in sent if packet is not None]


def receive(sent: list[EventPacket | None], *, keep: set[int] | None = None, first: int = 0) -> list[ReceivedDigit]:
    """Hand what was sent to a receiver, except the lost ones, and let time pass after it."""
    receiver = DigitReceiver(RATE)
    digits: list[ReceivedDigit] = []
    for number, packet in enumerate(sent):
        now = number * PTIME / 1000
        digits += receiver.expire(now)
        if packet is not None and (keep is None or number in keep):
            sequence = first + number & 0xFFFF
            digits += receiver.receive(parse_event(packet.payload), packet.timestamp, sequence, now)
    return digits + receiver.expire(len(sent) * PTIME / 1000 + 10)


def test_a_digit_has_a_marked_begin_a_held_timestamp_a_growing_duration_and_three_ends() -> None:
    sent = [packet for packet in packets(queue("5"), start=4000) if packet is not None]
    told = events(list(sent))
    assert [packet.marker for packet in sent] == [True] + [False] * 6
    assert {packet.timestamp for packet in sent} == {4000}
    assert [event.duration for event in told] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in told] == [False] * 4 + [True] * 3
    assert {event.event for event in told} == {5}


def test_between_two_digits_is_the_pause_that_was_asked_for() -> None:
    sent = packets(queue("55", duration=60, gap=120))
    starts = [number for number, packet in enumerate(sent) if packet is not None and packet.marker]
    assert (starts[1] - starts[0]) * PTIME == 60 + 120
    assert [packet is None for packet in sent[: starts[1]]] == [False] * 5 + [True] * 4


def test_digits_are_not_sent_in_one_burst() -> None:
    sent = packets(queue("0123456789*#ABCD"))
    starts = [number for number, packet in enumerate(sent) if packet is not None and packet.marker]
    assert [later - earlier for earlier, later in pairwise(starts)] == [10] * 15


def test_a_comma_is_a_second_of_voice() -> None:
    sent = packets(queue("1,2", duration=60, gap=60))
    starts = [number for number, packet in enumerate(sent) if packet is not None and packet.marker]
    assert (starts[1] - starts[0]) * PTIME == pytest.approx(60 + 60 + 1000, abs=PTIME)


def test_the_timestamp_of_a_digit_may_be_the_last_before_the_wrap() -> None:
    sent = packets(queue("9"), start=0xFFFFFFF0)
    assert {packet.timestamp for packet in sent if packet is not None} == {0xFFFFFFF0}
    assert receive(sent) == [ReceivedDigit("9", 100)]


def test_a_digit_longer_than_a_packet_can_tell_goes_on_in_segments() -> None:
    sent = packets(queue("7", duration=20_000))
    told = events(sent)
    assert max(event.duration for event in told) == 0xFFFF
    timestamps = sorted({packet.timestamp for packet in sent if packet is not None})
    assert timestamps == [0, 0xFFFF, 2 * 0xFFFF]
    assert [packet.marker for packet in sent if packet is not None].count(True) == 1
    assert sum(event.end for event in told) == 3
    assert receive(sent) == [ReceivedDigit("7", 20_000)]


def test_a_long_digit_is_one_digit_even_when_the_ends_of_its_segments_are_lost() -> None:
    sent = packets(queue("7", duration=20_000))
    full = {number for number, event in enumerate(events(sent)) if event.duration == 0xFFFF}
    assert receive(sent, keep=set(range(len(sent))) - full) == [ReceivedDigit("7", 20_000)]


def test_cancelling_ends_the_digit_under_way_properly_and_drops_the_rest() -> None:
    sender = queue("12", duration=1000)
    sent = packets(sender, ticks=3)
    sender.cancel()
    sent += [sender.packet(STEP * (3 + number), PTIME) for number in range(20)]
    told = events(sent)
    assert [event.end for event in told] == [False] * 3 + [True] * 3
    assert {event.event for event in told} == {1}
    assert not sender.active


@pytest.mark.parametrize("digits", ["", "1x", "1 2", "\u0661", "+49"])
def test_what_is_no_digit_is_refused(digits: str) -> None:
    with pytest.raises(RtpUsageError):
        queue(digits)


@pytest.mark.parametrize(("duration", "gap"), [(0, 100), (100, 0), (100_000, 100), (100, 100_000)])
def test_times_out_of_bounds_are_refused(duration: int, gap: int) -> None:
    with pytest.raises(RtpUsageError):
        queue("1", duration=duration, gap=gap)


def test_the_queue_has_an_end() -> None:
    sender = queue("1" * 256)
    with pytest.raises(RtpUsageError):
        sender.queue("2", 100, 100)


def test_small_letters_are_digits_too() -> None:
    assert receive(packets(queue("a")))[0].digit == "A"


@given(digits=st.text(DIGITS, min_size=1, max_size=12), first=st.integers(0, 0xFFFF), start=st.integers(0, 0xFFFFFFFF))
def test_every_digit_comes_out_as_it_went_in(digits: str, first: int, start: int) -> None:
    told = receive(packets(queue(digits), start=start), first=first)
    assert told == [ReceivedDigit(digit, 100) for digit in digits]


@given(lost=st.sets(st.integers(0, 6), max_size=6))
def test_one_packet_that_comes_is_enough(lost: set[int]) -> None:
    sent = packets(queue("8"))
    told = receive(sent, keep=set(range(7)) - lost)
    assert [digit.digit for digit in told] == ["8"]
    assert told[0].duration_ms % PTIME == 0
    if {4, 5, 6} - lost:
        assert told[0].duration_ms == 100


@pytest.mark.parametrize("seed", range(5))
def test_through_5_percent_loss_no_digit_is_missed_or_doubled(seed: int) -> None:
    random = Random(seed)
    digits = "".join(random.choice(DIGITS) for _ in range(1600))
    sender = DigitSender(RATE)
    sent: list[EventPacket | None] = []
    for at in range(0, len(digits), 200):
        sender.queue(digits[at : at + 200], 100, 100)
        while sender.active:
            sent.append(sender.packet(STEP * len(sent), PTIME))
    keep = {number for number in range(len(sent)) if random.random() >= 0.05}
    assert "".join(digit.digit for digit in receive(sent, keep=keep)) == digits


@given(
    order=st.lists(st.floats(0, 3), min_size=17, max_size=17),
    doubled=st.sets(st.integers(0, 16), max_size=8),
)
def test_reordered_and_doubled_packets_make_no_second_digit(order: list[float], doubled: set[int]) -> None:
    sent = packets(queue("44"))[:17]
    arrivals = sorted(
        [(number + order[number], number) for number, packet in enumerate(sent) if packet is not None]
        + [(number + order[number] + 1.5, number) for number in doubled if sent[number] is not None]
    )
    receiver = DigitReceiver(RATE)
    told: list[ReceivedDigit] = []
    for moment, number in arrivals:
        packet = sent[number]
        assert packet is not None
        told += receiver.receive(parse_event(packet.payload), packet.timestamp, number, moment * PTIME / 1000)
    told += receiver.expire(100)
    assert [digit.digit for digit in told] == ["4", "4"]


def test_a_sender_that_does_not_hold_the_timestamp_makes_one_digit() -> None:
    receiver = DigitReceiver(RATE)
    told: list[ReceivedDigit] = []
    for number in range(8):
        event = TelephoneEvent(3, number >= 5, 10, 160 * (min(number, 5) + 1))
        told += receiver.receive(event, 1000 + 160 * number, number, number * 0.02)
    told += receiver.expire(10)
    assert told == [ReceivedDigit("3", 120)]


def test_the_same_key_twice_is_two_digits_though_the_first_end_was_lost() -> None:
    sent = packets(queue("11"))
    keep = set(range(len(sent))) - {4, 5, 6}
    assert [digit.digit for digit in receive(sent, keep=keep)] == ["1", "1"]


def test_a_digit_of_which_nothing_came_until_the_next_began_is_told_first() -> None:
    receiver = DigitReceiver(RATE)
    told = receiver.receive(TelephoneEvent(2, False, 10, 160), 2000, 9, 0.0)
    told += receiver.receive(TelephoneEvent(1, True, 10, 800), 400, 5, 0.01)
    told += receiver.receive(TelephoneEvent(2, True, 10, 800), 2000, 13, 0.1)
    assert [digit.digit for digit in told] == ["1", "2"]


def test_events_that_are_no_digits_are_passed_over() -> None:
    receiver = DigitReceiver(RATE)
    assert receiver.receive(TelephoneEvent(16, True, 10, 800), 0, 0, 0.0) == []
    assert receiver.expire(10) == []


def test_a_new_source_ends_the_digit_under_way() -> None:
    receiver = DigitReceiver(RATE)
    receiver.receive(TelephoneEvent(6, False, 10, 320), 0, 0, 0.0)
    assert receiver.reset() == [ReceivedDigit("6", 40)]
    assert receiver.receive(TelephoneEvent(6, True, 10, 320), 0, 0, 0.0) == [ReceivedDigit("6", 40)]


@given(payload=st.binary(max_size=12))
def test_any_payload_is_an_event_or_the_one_error(payload: bytes) -> None:
    try:
        event = parse_event(payload)
    except PacketError:
        assert len(payload) < 4
        return
    assert event.to_bytes()[0] == payload[0]


@given(
    flow=st.lists(
        st.tuples(st.integers(0, 255), st.booleans(), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)), max_size=40
    )
)
def test_whatever_comes_the_receiver_tells_digits_only(flow: list[tuple[int, bool, int, int]]) -> None:
    receiver = DigitReceiver(RATE)
    told: list[ReceivedDigit] = []
    for number, (code, end, duration, timestamp) in enumerate(flow):
        told += receiver.receive(TelephoneEvent(code, end, 0, duration), timestamp, number, number * 0.02)
    told += receiver.expire(1000)
    assert len(told) <= len(flow)
    assert all(digit.digit in DIGITS for digit in told)
