"""The jitter buffer on a virtual clock: order, delay, loss, pauses, jumps and wraps."""

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.jitter import MAX_PACKETS, JitterBuffer, Kind, Taken

RATE = 8000
FRAME = 160
PTIME = 0.02


class Player:
    """Feeds a buffer with packets of given arrival times and plays a frame every ptime."""

    def __init__(self, *, minimum: float = 0.02, maximum: float = 0.3, first: int = 0, pace: float = 1.0) -> None:
        self.buffer = JitterBuffer(RATE, minimum=minimum, maximum=maximum)
        self.first = first
        self.pace = pace
        self.now = 0.011
        self.taken: list[Taken] = []
        self.delays: list[float] = []

    def arrive(self, number: int, now: float, *, timestamp: int | None = None) -> None:
        stamp = self.first + number * FRAME if timestamp is None else timestamp
        self.buffer.insert(number, stamp & 0xFFFFFFFF, 8, bytes((number & 0xFF,)), now)

    def play(self, arrivals: Iterable[tuple[float, int]], until: float) -> None:
        """Let the packets `(time, number)` arrive and play until a time."""
        waiting = sorted(arrivals)
        while self.now < until:
            while waiting and waiting[0][0] <= self.now:
                moment, number = waiting.pop(0)
                self.arrive(number, moment)
            self.step()

    def step(self) -> Taken:
        taken = self.buffer.take(self.now, 0.0)
        if taken.packet is not None:
            self.buffer.played(FRAME)
            self.delays.append(self.buffer.delay)
        self.taken.append(taken)
        self.now += PTIME * self.pace
        return taken

    @property
    def kinds(self) -> Counter[Kind]:
        return Counter(taken.kind for taken in self.taken)

    @property
    def numbers(self) -> list[int]:
        return [taken.packet.sequence for taken in self.taken if taken.packet is not None]


def even(count: int, *, first: int = 0, start: float = 0.0) -> list[tuple[float, int]]:
    return [(start + number * PTIME, number) for number in range(first, first + count)]


def test_an_even_flow_is_played_in_order_without_a_gap() -> None:
    player = Player()
    player.play(even(200), 4.0)
    assert player.numbers == list(range(len(player.numbers)))
    assert len(player.numbers) > 195
    assert player.kinds[Kind.LOST] == 0


@pytest.mark.parametrize("first", [0xFFFFFFFF - 10 * FRAME, 0xFFFFFFFF, 0x7FFFFFFF])
def test_the_wrap_of_the_timestamp_is_not_heard(first: int) -> None:
    player = Player(first=first)
    player.play(even(100), 2.0)
    assert player.numbers == list(range(len(player.numbers)))
    assert player.kinds[Kind.LOST] == 0


def test_reordered_packets_are_played_in_order() -> None:
    player = Player()
    arrivals = [(time + (0.025 if number % 10 == 5 else 0), number) for time, number in even(200)]
    player.play(arrivals, 4.0)
    assert player.numbers == sorted(player.numbers)
    assert len(player.numbers) > 190
    assert player.buffer.late <= 1


def test_a_lost_packet_is_told_as_one_loss() -> None:
    player = Player()
    player.play([arrival for arrival in even(200) if arrival[1] % 20 != 10], 4.0)
    assert player.kinds[Kind.LOST] == 10
    assert [number % 20 == 10 for number in player.numbers] == [False] * len(player.numbers)


def test_the_delay_grows_with_jitter_and_then_few_packets_are_late() -> None:
    random = Random(1)
    player = Player()
    player.play([(time + random.random() * 0.08, number) for time, number in even(2000)], 40.0)
    assert 0.06 < player.buffer.target < 0.12
    settled = player.taken[500:]
    missing = sum(taken.kind is not Kind.PACKET for taken in settled)
    assert missing < 0.05 * len(settled)


def test_the_delay_falls_again_when_the_network_calms_down() -> None:
    random = Random(1)
    player = Player()
    rough = [(time + random.random() * 0.08, number) for time, number in even(500)]
    calm = even(1500, first=500)
    player.play(rough + calm, 40.0)
    assert player.buffer.target == pytest.approx(0.02)
    assert player.buffer.surplus > 0


def test_the_delay_keeps_within_its_bounds() -> None:
    random = Random(1)
    player = Player(minimum=0.03, maximum=0.1)
    player.play([(time + random.random() * 0.4, number) for time, number in even(1000)], 20.0)
    assert player.buffer.target == 0.1
    player = Player(minimum=0.06)
    player.play(even(300), 6.0)
    assert player.buffer.target == 0.06


@pytest.mark.parametrize("pace", [0.999, 1.001])
def test_the_difference_of_two_clocks_shows_in_the_surplus(pace: float) -> None:
    player = Player(pace=pace)
    player.play(even(2000), 40.0)
    if pace > 1:
        assert player.buffer.surplus > 0.01
    else:
        assert player.buffer.surplus < -0.005
    assert len(player.numbers) > 1900


def test_packets_too_late_are_counted_and_not_played() -> None:
    player = Player()
    arrivals = [(time + (0.5 if number == 50 else 0), number) for time, number in even(200)]
    player.play(arrivals, 4.0)
    assert 50 not in player.numbers
    assert player.buffer.late == 1


def test_a_stall_of_the_network_is_caught_up_without_the_delay_staying() -> None:
    player = Player()
    arrivals = [(2.6 if 100 <= number < 130 else time, number) for time, number in even(1000)]
    player.play(arrivals, 20.0)
    assert player.buffer.delay < 0.35
    assert player.numbers[-1] > 980


def test_a_pause_of_the_far_end_is_silence_and_no_loss() -> None:
    player = Player()
    player.play(even(50), 1.0)
    lost_at_most = 10
    player.play([], 5.0)
    assert player.kinds[Kind.LOST] <= lost_at_most
    assert player.step().kind is Kind.SILENCE
    player.taken.clear()
    for number in range(50, 100):
        player.arrive(number, player.now, timestamp=(number + 200) * FRAME)
        player.step()
    assert player.kinds[Kind.LOST] == 0
    assert player.numbers == list(range(50, 50 + len(player.numbers)))
    assert len(player.numbers) >= 46


def test_packets_without_voice_are_no_loss_and_leave_silence() -> None:
    player = Player()
    player.play(even(50), 1.0)
    for number in range(50, 60):
        player.buffer.skip(number)
        player.step()
    player.play(even(50, first=60), 2.2)
    assert player.kinds[Kind.LOST] == 0
    assert set(range(60, 100)) <= set(player.numbers)


@pytest.mark.parametrize("jump", [5_000_000, -5_000_000, 4000, -4000, 0x7FFFFFFF, -159])
def test_timestamps_that_jump_while_the_sequence_goes_on_are_unheard(jump: int) -> None:
    player = Player()
    for number in range(200):
        player.arrive(number, player.now - 0.005, timestamp=number * FRAME + (jump if number >= 50 else 0))
        player.step()
    assert player.numbers == list(range(len(player.numbers)))
    assert len(player.numbers) >= 197
    assert player.kinds[Kind.LOST] == 0
    assert player.buffer.delay < 0.07


def test_one_packet_with_a_strange_timestamp_is_played_in_its_place() -> None:
    player = Player()
    for number in range(100):
        player.arrive(number, player.now - 0.005, timestamp=number * FRAME + (77_000_000 if number == 50 else 0))
        player.step()
    assert player.numbers == list(range(len(player.numbers)))
    assert player.kinds[Kind.LOST] == 0


@pytest.mark.parametrize("voiceless", [True, False])
def test_timestamps_that_stood_still_during_a_pause_go_on_without_loss(voiceless: bool) -> None:
    player = Player()
    player.play(even(50), 1.0)
    if voiceless:
        player.buffer.skip(50)
    player.play([], 31.0)
    player.taken.clear()
    for number in range(51 if voiceless else 50, 100):
        player.arrive(number, player.now - 0.005, timestamp=number * FRAME)
        player.step()
    assert player.kinds[Kind.LOST] == 0
    assert len(player.numbers) >= 45
    assert player.buffer.delay < 0.08


def test_after_the_machine_stood_still_old_voice_is_skipped() -> None:
    player = Player()
    player.play(even(50), 1.0)
    for time, number in even(10, first=50):
        player.arrive(number, time)
    player.now += 0.2
    player.buffer.hurry()
    taken = player.step()
    assert taken.jumped
    assert player.buffer.delay < 0.06
    assert player.buffer.discarded >= 5


def test_a_flood_is_bounded() -> None:
    player = Player()
    for number in range(5000):
        player.arrive(number, 0.001)
    assert len(player.buffer) <= MAX_PACKETS
    for _ in range(20):
        player.step()
    assert player.numbers[-1] >= 4980


def test_packets_of_30_ms_are_played_one_after_the_other() -> None:
    buffer = JitterBuffer(RATE, minimum=0.02, maximum=0.3)
    played, ahead, now = [], 0.0, 0.0
    arrivals = [(0.03 * number, number) for number in range(100)]
    while now < 3.0:
        while arrivals and arrivals[0][0] <= now:
            moment, number = arrivals.pop(0)
            buffer.insert(number, number * 240, 8, b"", moment)
        while ahead < PTIME - 1e-9:
            taken = buffer.take(now, ahead)
            assert taken.kind is not Kind.LOST
            if taken.packet is None:
                ahead = PTIME
            else:
                buffer.played(240)
                played.append(taken.packet.sequence)
                ahead += 0.03
        ahead -= PTIME
        now += PTIME
    assert played == list(range(len(played)))
    assert len(played) > 95


@given(
    flow=st.lists(
        st.tuples(
            st.integers(0, 300),
            st.integers(0, 0xFFFFFFFF) | st.integers(0, 300).map(lambda number: number * FRAME),
            st.floats(0, 0.2),
            st.booleans(),
        ),
        max_size=120,
    )
)
def test_whatever_comes_playing_goes_on_in_order_and_within_bounds(flow: list[tuple[int, int, float, bool]]) -> None:
    buffer = JitterBuffer(RATE, minimum=0.02, maximum=0.3)
    now = 0.0
    for number, timestamp, step, voice in flow:
        now += step
        if voice:
            buffer.insert(number, timestamp, 8, b"", now)
        else:
            buffer.skip(number)
        taken = buffer.take(now, 0.0)
        if taken.packet is not None:
            buffer.played(FRAME)
        assert len(buffer) <= MAX_PACKETS
        assert 0.02 <= buffer.target <= 0.3
    for _ in range(400):
        now += PTIME
        if buffer.take(now, 0.0).packet is not None:
            buffer.played(FRAME)
    assert len(buffer) == 0
