"""The mixer of joined calls: sums, who hears whom, packet times and sample rates that differ."""

from array import array
from collections.abc import Sequence
from math import gcd

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.mixer import FrameQueue, Mixer, mix

from .wire import Tone, part_at, samples

SAMPLE = st.integers(-0x8000, 0x7FFF)
FRAMES = st.integers(1, 40).flatmap(
    lambda length: st.lists(st.lists(SAMPLE, min_size=length, max_size=length), min_size=1, max_size=6)
)
PTIME = st.sampled_from([10, 20, 30, 40, 60])


def pcm(values: Sequence[int]) -> bytes:
    return array("h", values).tobytes()


class Repeated:
    """Changes the rate in the plainest way, and keeps account of what it is used for."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1

    def convert(self, pcm: bytes, rate: int, wanted: int) -> bytes:
        values = samples(pcm)
        if wanted < rate:
            return array("h", values[:: rate // wanted]).tobytes()
        return array("h", [value for value in values for _ in range(wanted // rate)]).tobytes()


class Member:
    """Speaks and listens in ticks of its own packet time; says its number, counted up, or a tone."""

    def __init__(self, mixer: Mixer, number: int, *, ptime: int = 20, rate: int = 8000, hertz: float = 0.0) -> None:
        self.mixer, self.number, self.ptime, self.rate = mixer, number, ptime, rate
        self.size = rate * ptime // 1000
        self.hertz = hertz
        self.tone = Tone(hertz, 8000.0, rate, self.size)
        self.heard = bytearray()
        mixer.enter(number)

    def listen(self) -> None:
        self.heard += self.mixer.hear(self.number, self.size, self.rate) or bytes(2 * self.size)

    def speak(self) -> None:
        self.mixer.speak(self.number, self.tone(), self.rate)


def run(members: Sequence[Member], milliseconds: int, start: int = 0) -> None:
    """Let time pass: in every tick all that is due is sent before anything is played out."""
    for now in range(start, start + milliseconds, 10):
        due = [member for member in members if now % member.ptime == 0]
        for member in due:
            member.listen()
        for member in due:
            member.speak()


# Sums


@given(FRAMES)
def test_a_sum_is_exact_and_cut_only_beyond_full_scale(frames: list[list[int]]) -> None:
    wanted = [min(0x7FFF, max(-0x8000, sum(column))) for column in zip(*frames, strict=True)]
    assert samples(mix([pcm(frame) for frame in frames])) == wanted


@given(FRAMES, st.randoms())
def test_the_order_of_the_voices_makes_no_difference(frames: list[list[int]], random: object) -> None:
    voices = [pcm(frame) for frame in frames]
    shuffled = voices[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mix(shuffled) == mix(voices)


def test_a_loud_voice_that_another_one_takes_back_is_not_cut_before() -> None:
    assert samples(mix([pcm([30000]), pcm([30000]), pcm([-30000])])) == [30000]


# What waits


@given(PTIME, PTIME, st.integers(0, 5))
def test_a_voice_arrives_whole_whatever_the_packet_times(spoken: int, frame: int, phase: int) -> None:
    queue = FrameQueue(frame, spoken)
    said, given_out = 0, list[int]()
    for now in range(phase * 10, 1200, 10):
        if now % frame == 0:
            given_out += samples(queue.take()) or [0] * frame
        if now % spoken == 0:
            queue.put(pcm(range(said + 1, said + spoken + 1)))
            said += spoken
    first = next(at for at, value in enumerate(given_out) if value)
    settled = given_out[first + 2 * (frame + spoken) :]
    assert settled == list(range(settled[0], settled[0] + len(settled)))
    assert said - given_out[-1] <= frame + spoken - gcd(frame, spoken)


@given(st.integers(1, 50), st.integers(1, 50), st.lists(st.integers(0, 500), max_size=30))
def test_never_more_waits_than_a_frame_of_both(frame: int, spoken: int, sizes: list[int]) -> None:
    queue = FrameQueue(frame, spoken)
    for size in sizes:
        queue.put(bytes(2 * size))
    waiting = 0
    while queue.take():
        waiting += frame
    assert waiting < spoken + 2 * frame


def test_the_newest_sound_is_kept_where_too_much_waits() -> None:
    queue = FrameQueue(2, 2)
    queue.put(pcm([1, 2, 3, 4, 5]))
    assert (samples(queue.take()), queue.take()) == ([4, 5], b"")


def test_too_little_sound_has_its_silence_in_front() -> None:
    queue = FrameQueue(3, 3)
    queue.put(pcm([7]))
    assert samples(queue.take()) == [0, 0, 7]


# Who hears whom


def test_each_of_three_hears_the_two_others_and_not_itself() -> None:
    mixer = Mixer(Repeated)
    members = [Member(mixer, number, hertz=hertz) for number, hertz in ((1, 500.0), (2, 900.0), (3, 1500.0))]
    run(members, 400)
    for member in members:
        heard = member.heard[2 * member.size :]
        for other in members:
            wanted = 0.0 if other is member else 8000.0
            assert part_at(heard, other.hertz) == pytest.approx(wanted, abs=20)


@given(PTIME, PTIME)
def test_a_voice_is_heard_one_packet_time_after_it_was_said(one: int, other: int) -> None:
    mixer = Mixer(Repeated)
    speaker, listener = Member(mixer, 1, ptime=one), Member(mixer, 2, ptime=other)
    run([speaker, listener], 120)
    speaker.mixer.speak(1, pcm([1000] * speaker.size), 8000)
    run([speaker, listener], 240, 120)
    silent = next(at for at, value in enumerate(samples(listener.heard)) if value) * 1000 // 8000
    assert silent <= 120 + max(one, other)


def test_what_we_play_to_one_is_heard_by_the_others() -> None:
    mixer = Mixer(Repeated)
    for number in (1, 2, 3):
        mixer.enter(number)
        mixer.hear(number, 2, 8000)
    mixer.speak(3, pcm([1, 1]), 8000)
    mixer.speak_to(1, pcm([20, 30]), 8000)
    assert mixer.hear(1, 2, 8000) == pcm([1, 1])
    assert mixer.hear(2, 2, 8000) == pcm([21, 31])
    assert mixer.hear(3, 2, 8000) == pcm([20, 30])
    assert mixer.hear(3, 2, 8000) is None


def test_each_hears_in_its_own_sample_rate_converted_once_for_each_rate() -> None:
    Repeated.made = 0
    mixer = Mixer(Repeated)
    members = [
        Member(mixer, number, rate=rate) for number, rate in ((1, 8000), (2, 8000), (3, 16000), (4, 48000), (5, 48000))
    ]
    run(members, 200)
    for member in members:
        assert len(member.heard) == 2 * member.rate // 5
    assert Repeated.made == 2 + 2 + 2 + 2 + 2


def test_a_listener_may_change_its_sample_rate_and_packet_time() -> None:
    mixer = Mixer(Repeated)
    speaker, listener = Member(mixer, 1), Member(mixer, 2)
    run([speaker, listener], 100)
    listener.rate, listener.ptime, listener.size = 16000, 40, 640
    mixer.speak(1, pcm([5] * 160), 8000)
    listener.listen()
    mixer.speak(1, pcm([5] * 160), 8000)
    mixer.speak(1, pcm([5] * 160), 8000)
    assert mixer.hear(2, 640, 16000) == pcm([5] * 640)


def test_who_leaves_is_heard_no_more_and_hears_nothing_of_the_past_when_he_is_back() -> None:
    mixer = Mixer(Repeated)
    for number in (1, 2):
        mixer.enter(number)
        mixer.hear(number, 1, 8000)
    mixer.speak(1, pcm([5]), 8000)
    mixer.speak(2, pcm([6]), 8000)
    mixer.leave(2)
    assert mixer.hear(1, 1, 8000) is None
    mixer.enter(2)
    assert mixer.hear(2, 1, 8000) is None
    mixer.leave(2)
    mixer.leave(2)
    assert len(mixer) == 1
