"""Voice through two sessions and a faulty wire: levels, losses, delays, clocks and wraps."""

from array import array
from dataclasses import replace
from itertools import count, islice
from random import Random

import pytest

from custom_components.sip_ua.rtp.codecs import G711, CodecType
from custom_components.sip_ua.rtp.errors import PacketError, RtpUsageError
from custom_components.sip_ua.rtp.events import FirstPacketReceived, ReceiveFormatChanged
from custom_components.sip_ua.rtp.packet import RtpPacket, parse_packet
from custom_components.sip_ua.rtp.parameters import Direction, RtpConfig
from custom_components.sip_ua.rtp.session import RtpSession

from .wire import (
    ALICE,
    BOB,
    PTIME,
    Faults,
    Tone,
    Wire,
    dominant_frequency,
    largest_step,
    level,
    parameters,
    part_at,
    session,
)

TONE_LEVEL = 8000 / 2**0.5


def headers(data: list[bytes]) -> list[RtpPacket]:
    return [parse_packet(one) for one in data]


def test_a_tone_arrives_with_its_level_and_frequency_both_ways() -> None:
    wire = Wire()
    wire.alice.source = Tone(1000)
    wire.bob.source = Tone(440)
    wire.run(3)
    heard_by_bob, heard_by_alice = wire.bob.played[-16000:], wire.alice.played[-16000:]
    assert dominant_frequency(heard_by_bob) == pytest.approx(1000, abs=2)
    assert dominant_frequency(heard_by_alice) == pytest.approx(440, abs=2)
    assert level(heard_by_bob) == pytest.approx(TONE_LEVEL, rel=0.02)
    statistics = wire.bob.rtp.statistics(wire.now)
    assert (statistics.lost, statistics.late, statistics.duplicate, statistics.concealed_ms) == (0, 0, 0, 0)
    assert statistics.packets_received >= 148
    assert statistics.octets_received == 160 * statistics.packets_received
    assert wire.bob.told == [FirstPacketReceived(ALICE, "PCMA", 8000)]


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_either_law_carries_voice(codec: str) -> None:
    wire = Wire(codec=codec, payload_type={"PCMU": 0, "PCMA": 8}[codec])
    wire.alice.source = Tone()
    wire.run(1)
    assert part_at(wire.bob.played[-8000:], 1000) == pytest.approx(8000, rel=0.02)
    assert wire.bob.rtp.statistics(wire.now).receive_codec == codec


@pytest.mark.parametrize("seed", range(3))
def test_a_tone_through_3_percent_loss_keeps_its_level(seed: int) -> None:
    wire = Wire(seed=seed, faults=Faults(loss=0.03))
    tone = Tone(440)
    wire.alice.source = tone
    wire.run(10)
    heard = wire.bob.played[8000:]
    windows = [level(heard[at : at + 640]) for at in range(0, len(heard) - 640, 640)]
    assert level(heard) == pytest.approx(TONE_LEVEL, rel=0.03)
    assert min(windows) > 0.6 * TONE_LEVEL
    assert max(windows) < 1.3 * TONE_LEVEL
    assert largest_step(heard) < 1.6 * largest_step(Tone(440, samples=8000)())
    statistics = wire.bob.rtp.statistics(wire.now)
    assert statistics.lost > 0
    assert statistics.concealed_ms == pytest.approx(20 * statistics.lost, abs=80)


def test_jitter_duplicates_and_reordering_are_unheard_and_counted() -> None:
    wire = Wire(seed=4, faults=Faults(duplication=0.05, jitter=0.06))
    wire.alice.source = Tone(440)
    wire.run(20)
    statistics = wire.bob.rtp.statistics(wire.now)
    assert statistics.duplicate > 20
    assert statistics.reordered > 20
    assert statistics.lost <= 2
    assert 10 < statistics.jitter_ms < 30
    assert statistics.late < 40
    assert level(wire.bob.played[32000:]) == pytest.approx(TONE_LEVEL, rel=0.03)
    assert 40 < statistics.delay_ms < 130


@pytest.mark.parametrize(("sequence", "timestamp"), [(65500, 2**32 - 3000), (65535, 2**32 - 160), (0, 0)])
def test_the_wraps_of_sequence_and_timestamp_are_unheard(sequence: int, timestamp: int) -> None:
    wire = Wire(alice=session(1, sequence=sequence, timestamp=timestamp))
    wire.alice.source = Tone()
    wire.run(4)
    sent = headers(wire.alice.sent)
    assert [packet.sequence for packet in sent[:60]] == [(sequence + number) % 65536 for number in range(60)]
    assert [packet.timestamp for packet in sent[:60]] == [(timestamp + 160 * number) % 2**32 for number in range(60)]
    statistics = wire.bob.rtp.statistics(wire.now)
    assert (statistics.lost, statistics.concealed_ms, statistics.reordered) == (0, 0, 0)
    assert level(wire.bob.played[-48000:]) == pytest.approx(TONE_LEVEL, rel=0.02)


def test_half_an_hour_of_sending_does_not_drift_by_a_sample() -> None:
    alice = session(1, sequence=65000, timestamp=2**32 - 1)
    alice.configure(parameters(BOB), 0.0)
    frames = 30 * 60 * 50
    first, *_, last = (parse_packet(alice.send_frame(None, number * PTIME)[0][0]) for number in range(frames))
    assert (last.timestamp - first.timestamp) % 2**32 == (frames - 1) * 160
    assert (last.sequence - first.sequence) % 65536 == (frames - 1) % 65536


def test_minutes_with_a_wrap_in_the_middle_lose_nothing() -> None:
    wire = Wire(alice=session(1, sequence=60_000))
    wire.run(3 * 60)
    statistics = wire.bob.rtp.statistics(wire.now)
    assert statistics.packets_received >= 8_999
    assert (statistics.lost, statistics.late, statistics.concealed_ms) == (0, 0, 0)


@pytest.mark.parametrize("pace", [0.9995, 1.0005])
def test_a_far_end_with_another_clock_is_followed_without_holes_or_clicks(pace: float) -> None:
    wire = Wire()
    wire.alice.source = Tone(300)
    wire.alice.pace = pace
    wire.run(120)
    heard = wire.bob.played[16000:]
    windows = [level(heard[at : at + 3200]) for at in range(0, len(heard) - 3200, 3200)]
    assert min(windows) > 0.9 * TONE_LEVEL
    assert largest_step(heard) < 1.5 * largest_step(Tone(300, samples=8000)())
    statistics = wire.bob.rtp.statistics(wire.now)
    assert statistics.delay_ms < 90
    assert statistics.discarded == 0
    assert statistics.concealed_ms <= 100


def test_the_first_packet_and_the_first_after_hold_are_marked_and_no_other() -> None:
    wire = Wire()
    wire.run(0.2)
    wire.alice.rtp.configure(parameters(BOB, direction=Direction.RECVONLY), wire.now)
    wire.run(0.2)
    wire.alice.rtp.configure(parameters(BOB), wire.now)
    wire.run(0.2)
    sent = headers(wire.alice.sent)
    marked = [number for number, packet in enumerate(sent) if packet.marker]
    assert marked == [0, 10]
    assert sent[10].sequence == (sent[9].sequence + 1) % 65536
    assert sent[10].timestamp - sent[9].timestamp == 11 * 160


def test_silence_is_sent_as_the_codecs_silence_every_ptime() -> None:
    wire = Wire()
    wire.run(1)
    assert {packet.payload for packet in headers(wire.alice.sent)} == {b"\xd5" * 160}
    assert len(wire.alice.sent) == 50


def test_a_short_frame_is_filled_up_and_a_long_one_refused() -> None:
    alice = session(1)
    alice.configure(parameters(BOB), 0.0)
    (data, target), *rest = alice.send_frame(array("h", [1000] * 10).tobytes(), 0.0)
    assert (target, rest) == (BOB, [])
    assert parse_packet(data).payload[10:] == b"\xd5" * 150
    with pytest.raises(RtpUsageError):
        alice.send_frame(bytes(322), 0.02)
    with pytest.raises(RtpUsageError):
        alice.send_frame(bytes(3), 0.02)


@pytest.mark.parametrize("ptime", [10, 30, 40, 60])
def test_other_packet_lengths_are_sent_and_played(ptime: int) -> None:
    alice, bob = session(1), session(2)
    alice.configure(parameters(BOB, ptime=ptime), 0.0)
    bob.configure(parameters(ALICE), 0.0)
    tone = Tone(samples=8 * ptime)
    heard = b""
    packets = [(number * ptime / 1000, tone()) for number in range(3000 // ptime)]
    for tick in range(150):
        now = 0.001 + tick * PTIME
        while packets and packets[0][0] <= now:
            sent_at, pcm = packets.pop(0)
            for data, _ in alice.send_frame(pcm, sent_at):
                bob.receive_rtp(data, ALICE, sent_at)
        heard += bob.play_out(now)
    assert len(heard) == 150 * 320
    assert level(heard[-32000:]) == pytest.approx(TONE_LEVEL, rel=0.02)
    assert bob.statistics(3.0).concealed_ms == 0


def test_extension_padding_and_csrc_make_no_difference() -> None:
    bob = session(2)
    bob.configure(parameters(ALICE), 0.0)
    tone, heard = Tone(), b""
    for number in range(50):
        payload = G711["PCMA"].create().encode(tone())
        packet = RtpPacket(8, number, 160 * number, 7, payload, csrc=(1, 2), extension=(0xBEDE, b"\x10\xff\0\0"))
        bob.receive_rtp(packet.to_bytes(padding=number), ALICE, number * PTIME)
        heard += bob.play_out(number * PTIME + 0.005)
    assert level(heard[-8000:]) == pytest.approx(TONE_LEVEL, rel=0.02)
    assert bob.statistics(1.0).malformed == 0


def test_a_far_end_that_takes_another_of_the_agreed_codecs_is_understood() -> None:
    wire = Wire()
    wire.alice.source = Tone()
    wire.run(1)
    wire.alice.rtp.configure(parameters(BOB, codec="PCMU", payload_type=0), wire.now)
    wire.run(1)
    assert wire.bob.rtp.statistics(wire.now).receive_codec == "PCMU"
    assert ReceiveFormatChanged("PCMU", 8000) in wire.bob.told
    assert level(wire.bob.played[-8000:]) == pytest.approx(TONE_LEVEL, rel=0.02)


class Doubled:
    """A stand-in for a codec whose PCM has twice the rate of its timestamps, as G.722 has."""

    def __init__(self, ptime: int = 20, fmtp: str = "") -> None:
        self.made_for = (ptime, fmtp)

    def encode(self, pcm: bytes) -> bytes:
        return pcm[1::4]

    def decode(self, payload: bytes) -> bytes:
        if not payload:
            raise PacketError("nothing to decode")
        pcm = bytearray(4 * len(payload))
        pcm[1::4] = pcm[3::4] = payload
        return bytes(pcm)


WIDE = CodecType(name="WIDE", sample_rate=16000, clock_rate=8000, create=Doubled, stateful=True)


def wide_session(seed: int) -> RtpSession:
    return session(seed, config=RtpConfig(codecs={**G711, "WIDE": WIDE}))


def test_a_codec_with_another_clock_than_its_sample_rate_can_be_added() -> None:
    wire = Wire(alice=wide_session(1), bob=wide_session(2), codec="WIDE", payload_type=9, receive=((9, "WIDE"),))
    assert wire.alice.rtp.frame_bytes == 640
    wire.alice.source = Tone(440, rate=16000, samples=320)
    wire.run(2)
    assert wire.bob.rtp.receive_rate == 16000
    assert part_at(wire.bob.played[-32000:], 440, 16000) == pytest.approx(8000, rel=0.05)
    sent = headers(wire.alice.sent)
    assert sent[1].timestamp - sent[0].timestamp == 160
    assert wire.bob.rtp.statistics(wire.now).concealed_ms == 0


def test_a_decoder_goes_on_over_a_change_that_is_none_for_it_and_begins_anew_with_a_new_source() -> None:
    made: list[Doubled] = []

    def create(ptime: int = 20, fmtp: str = "") -> Doubled:
        made.append(Doubled(ptime, fmtp))
        return made[-1]

    bob = session(2, config=RtpConfig(codecs={**G711, "WIDE": replace(WIDE, create=create)}))
    numbers = count(1)

    def hear(ssrc: int) -> int:
        """Let packets of a source be heard; return how many coders there have been."""
        for sequence in islice(numbers, 20):
            packet = RtpPacket(9, sequence, 160 * sequence, ssrc, b"\x20" * 160)
            bob.receive_rtp(packet.to_bytes(), ALICE, sequence * PTIME)
            bob.play_out(sequence * PTIME + 0.005)
        return len(made)

    usual = {"receive": ((9, "WIDE"), (8, "PCMA"))}
    bob.configure(parameters(ALICE, **usual), 0.0)
    before = hear(7)
    bob.configure(parameters(ALICE, **usual, direction=Direction.RECVONLY), 1.0)
    assert hear(7) == before
    bob.configure(parameters(ALICE, receive=((8, "PCMA"),)), 2.0)
    bob.configure(parameters(ALICE, **usual), 2.0)
    assert hear(7) == before + 1
    assert hear(8) == before + 2


def test_a_change_of_sample_rate_in_the_middle_is_told() -> None:
    wire = Wire(alice=wide_session(1), bob=wide_session(2), receive=((8, "PCMA"), (9, "WIDE")))
    wire.alice.source = Tone(440)
    wire.run(1)
    wire.alice.rtp.configure(
        replace(parameters(BOB), codec="WIDE", payload_type=9, receive=((8, "PCMA"), (9, "WIDE"))), wire.now
    )
    wire.alice.source = Tone(440, rate=16000, samples=320)
    wire.run(1)
    assert ReceiveFormatChanged("WIDE", 16000) in wire.bob.told
    assert part_at(wire.bob.played[-16000:], 440, 16000) == pytest.approx(8000, rel=0.05)


def test_a_payload_that_cannot_be_decoded_is_concealed_and_counted() -> None:
    bob = wide_session(2)
    bob.configure(parameters(ALICE, codec="WIDE", payload_type=9, receive=((9, "WIDE"),)), 0.0)
    for number in range(20):
        payload = b"" if number == 10 else b"\x20" * 160
        bob.receive_rtp(RtpPacket(9, number, 160 * number, 7, payload).to_bytes(), ALICE, number * PTIME)
        assert len(bob.play_out(number * PTIME + 0.005)) == 640
    statistics = bob.statistics(1.0)
    assert statistics.malformed == 1
    assert statistics.concealed_ms == 20


def test_comfort_noise_is_heard_while_the_far_end_is_silent() -> None:
    wire = Wire(comfort_noise_send=13)
    wire.alice.source = Tone()
    wire.run(1)
    wire.alice.source = lambda: None
    wire.run(2)
    quiet = wire.bob.played[-16000:]
    assert 5 < level(quiet) < 20
    assert wire.bob.rtp.statistics(wire.now).lost == 0
    assert wire.bob.rtp.statistics(wire.now).concealed_ms <= 20
    kinds = [packet.payload_type for packet in headers(wire.alice.sent)]
    assert kinds.count(13) == 10
    wire.alice.source = Tone()
    wire.run(1)
    assert level(wire.bob.played[-8000:]) == pytest.approx(TONE_LEVEL, rel=0.02)
    assert [packet.marker for packet in headers(wire.alice.sent)].count(True) == 2


def test_after_the_machine_stood_still_time_goes_on_as_if_it_had_not() -> None:
    wire = Wire()
    wire.run(1)
    before = headers(wire.alice.sent)[-1]
    wire.alice.rtp.skip(25)
    (data, _), *_ = wire.alice.rtp.send_frame(None, wire.now + 0.5)
    after = parse_packet(data)
    assert (after.timestamp - before.timestamp) % 2**32 == 26 * 160
    assert after.sequence == before.sequence + 1
    assert after.marker


FAST = replace(WIDE, name="FAST", sample_rate=16000, clock_rate=16000)


def test_a_codec_with_another_clock_begins_a_new_timeline() -> None:
    codecs = RtpConfig(codecs={**G711, "FAST": FAST})
    agreed = ((8, "PCMA"), (97, "FAST"))
    wire = Wire(alice=session(1, config=codecs), bob=session(2, config=codecs), receive=agreed)
    wire.alice.source = Tone(440)
    wire.run(1)
    wire.alice.rtp.configure(parameters(BOB, codec="FAST", payload_type=97, receive=agreed), wire.now)
    wire.alice.source = Tone(440, rate=16000, samples=320)
    wire.run(2)
    assert part_at(wire.bob.played[-32000:], 440, 16000) == pytest.approx(8000, rel=0.05)
    assert wire.bob.rtp.statistics(wire.now).concealed_ms <= 40


def test_unvoiced_sound_that_waits_too_long_is_played_as_it_is() -> None:
    random = Random(2)
    wire = Wire(faults=Faults(jitter=0.1))
    wire.alice.source = lambda: array("h", [random.randint(-9000, 9000) for _ in range(160)]).tobytes()
    wire.run(5)
    wire.faults = Faults()
    wire.run(5)
    loudness = level(wire.bob.played[-32000:])
    assert loudness == pytest.approx(9000 / 3**0.5, rel=0.05)


def test_a_stall_is_skipped_with_a_blend() -> None:
    wire = Wire()
    wire.alice.source = Tone(300)
    wire.run(2)
    wire.faults = Faults(delay=0.6)
    wire.run(0.5)
    wire.faults = Faults(delay=0.1)
    wire.run(4)
    statistics = wire.bob.rtp.statistics(wire.now)
    assert statistics.delay_ms < 400
    assert level(wire.bob.played[-16000:]) == pytest.approx(TONE_LEVEL, rel=0.02)
    assert largest_step(wire.bob.played) < 1.6 * largest_step(Tone(300, samples=8000)())
