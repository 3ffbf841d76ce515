"""The session around the voice: sources, strangers, digits, RTCP, time-outs, and what is never let in."""

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.codecs import PCMA, PCMU
from custom_components.sip_ua.rtp.errors import RtpUsageError
from custom_components.sip_ua.rtp.events import (
    DigitReceived,
    DigitsSent,
    FirstPacketReceived,
    MediaResumed,
    MediaTimedOut,
    RemoteEnded,
    RemoteMoved,
    RtpEvent,
    SsrcChanged,
    SsrcCollision,
)
from custom_components.sip_ua.rtp.packet import RtpPacket, parse_packet
from custom_components.sip_ua.rtp.parameters import Address, Direction, RtpConfig
from custom_components.sip_ua.rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    compact_ntp,
    parse_compound,
    write_compound,
)
from custom_components.sip_ua.rtp.session import RtpSession

from .wire import ALICE, BOB, PTIME, UNIX_EPOCH_OFFSET, Faults, Tone, Wire, level, parameters, session

STRANGER: Address = ("203.0.113.66", 666)
MOVED: Address = ("198.51.100.7", 61000)
FAR_SSRC = 0xABCD


def bob_session(**changes: object) -> RtpSession:
    bob = session(2)
    bob.configure(parameters(ALICE, **changes), 0.0)
    return bob


def voice(number: int, *, ssrc: int = FAR_SSRC, payload: bytes = b"\x55" * 160, kind: int = 8) -> bytes:
    return RtpPacket(kind, number & 0xFFFF, 160 * number & 0xFFFFFFFF, ssrc, payload).to_bytes()


def feed(
    bob: RtpSession, source: Address, first: int, count: int, *, start: float | None = None, ssrc: int = FAR_SSRC
) -> list[RtpEvent]:
    now = first * PTIME if start is None else start
    for number in range(first, first + count):
        bob.receive_rtp(voice(number, ssrc=ssrc), source, now)
        bob.play_out(now + 0.005)
        now += PTIME
    return bob.events()


def digits(events: list[RtpEvent]) -> str:
    return "".join(event.digit for event in events if isinstance(event, DigitReceived))


def test_voice_from_the_named_address_is_heard_at_once() -> None:
    bob = bob_session()
    assert feed(bob, ALICE, 0, 1) == [FirstPacketReceived(ALICE, "PCMA", 8000)]
    assert bob.remote_address == ALICE


def test_a_stranger_neither_moves_the_target_nor_is_heard() -> None:
    bob = bob_session()
    feed(bob, ALICE, 0, 50)
    for number in range(50, 250):
        bob.receive_rtp(voice(number), ALICE, number * PTIME)
        bob.receive_rtp(voice(number, payload=b"\xaa" * 160), STRANGER, number * PTIME)
        assert level(bob.play_out(number * PTIME + 0.005)) < 100
    assert bob.remote_address == ALICE
    statistics = bob.statistics(5.0)
    assert statistics.strangers == 200
    assert statistics.packets_received == 250
    assert bob.events() == []


def test_a_far_end_behind_nat_is_followed_and_answered_there() -> None:
    bob = bob_session()
    events = feed(bob, MOVED, 65530, 20, start=0.0)
    assert events == [RemoteMoved(MOVED), FirstPacketReceived(MOVED, "PCMA", 8000)]
    assert [target for _, target in bob.send_frame(None, 1.0)] == [MOVED]
    deadline = bob.next_rtcp
    assert deadline is not None
    assert [target for _, target in bob.rtcp_due(deadline)] == [(MOVED[0], MOVED[1] + 1)]


def test_without_following_a_moved_far_end_stays_a_stranger() -> None:
    bob = session(2, config=RtpConfig(follow_source=False))
    bob.configure(parameters(ALICE), 0.0)
    assert feed(bob, MOVED, 0, 100) == []
    assert bob.remote_address == ALICE
    assert bob.statistics(2.0).strangers == 100


def test_a_new_address_in_a_new_answer_is_taken_at_once() -> None:
    bob = bob_session()
    feed(bob, ALICE, 0, 10)
    bob.configure(parameters(MOVED), 0.2)
    assert bob.remote_address == MOVED
    assert feed(bob, ALICE, 10, 3) == []
    assert feed(bob, MOVED, 10, 3) == []
    assert bob.statistics(1.0).packets_received == 13


def test_a_changed_ssrc_is_followed_and_both_are_counted() -> None:
    bob = bob_session()
    feed(bob, ALICE, 0, 20)
    events = feed(bob, ALICE, 40_000, 20, start=0.4, ssrc=77)
    assert events == [SsrcChanged(FAR_SSRC, 77)]
    statistics = bob.statistics(1.0)
    assert statistics.packets_received == 20 + 19
    assert statistics.lost == 0


def test_a_far_end_with_our_ssrc_makes_us_take_another_and_say_goodbye_for_the_old() -> None:
    bob = bob_session()
    bob.send_frame(None, 0.0)
    events = feed(bob, ALICE, 0, 5, ssrc=2)
    collision = next(event for event in events if isinstance(event, SsrcCollision))
    assert collision.old == 2
    assert collision.new != 2
    (farewell, target), *_ = bob.rtcp_due(0.1)
    assert target == (ALICE[0], ALICE[1] + 1)
    assert any(isinstance(packet, Goodbye) and packet.sources == (2,) for packet in parse_compound(farewell))
    assert parse_packet(bob.send_frame(None, 0.1)[0][0]).ssrc == collision.new
    report = parse_compound(bob.rtcp_due(60.0)[0][0])[0]
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets) == (collision.new, 1, 160)


def test_a_new_source_says_goodbye_for_the_old_and_counts_from_the_lower_half() -> None:
    bob = session(2, sequence=65_530)
    bob.configure(parameters(ALICE), 0.0)
    bob.begin_source(0.0)
    assert parse_packet(bob.send_frame(None, 0.0)[0][0]).ssrc == 2, "nothing was sent before: it is new as it is"
    for number in range(1, 20):
        bob.send_frame(None, number * PTIME)
    before = parse_packet(bob.send_frame(None, 0.4)[0][0])
    bob.begin_source(0.41)
    after = parse_packet(bob.send_frame(None, 0.42)[0][0])
    assert after.ssrc != 2
    assert after.sequence < 1 << 15
    assert (after.timestamp - before.timestamp, after.marker) == (160, True)
    (farewell, _), *_ = bob.rtcp_due(0.42)
    assert any(isinstance(packet, Goodbye) and packet.sources == (2,) for packet in parse_compound(farewell))
    assert bob.events() == []


def test_a_far_end_that_mirrors_our_packets_is_heard_and_changes_our_ssrc_only_once() -> None:
    bob = bob_session()
    tone, heard = Tone(), b""
    for number in range(100):
        now = number * PTIME
        for data, _ in bob.send_frame(tone(), now):
            bob.receive_rtp(data, ALICE, now + 0.001)
        heard += bob.play_out(now + 0.005)
    assert sum(isinstance(event, SsrcCollision) for event in bob.events()) == 1
    assert level(heard[-8000:]) == pytest.approx(8000 / 2**0.5, rel=0.05)


def test_digits_are_sent_in_place_of_voice_and_told_once_each() -> None:
    wire = Wire()
    wire.alice.source = Tone()
    wire.run(1)
    wire.alice.rtp.send_digits("0123456789*#ABCD", duration_ms=80, gap_ms=80)
    wire.run(5)
    assert [event for event in wire.bob.told if isinstance(event, DigitReceived)] == [
        DigitReceived(digit, 80) for digit in "0123456789*#ABCD"
    ]
    assert wire.alice.told.count(DigitsSent()) == 1
    statistics = wire.bob.rtp.statistics(wire.now)
    assert (statistics.lost, statistics.concealed_ms) == (0, 0)
    events = [packet for packet in map(parse_packet, wire.alice.sent) if packet.payload_type == 101]
    assert len(events) == 16 * (4 + 2)
    assert [packet.marker for packet in events].count(True) == 16


@pytest.mark.parametrize("seed", range(4))
def test_all_digits_a_hundred_times_through_5_percent_loss_are_neither_missed_nor_doubled(seed: int) -> None:
    wire = Wire(seed=seed, faults=Faults(loss=0.05, duplication=0.02, jitter=0.03))
    entered = ""
    for _ in range(25):
        block = "0123456789*#ABCD"
        wire.alice.rtp.send_digits(block)
        wire.run(3.4)
        entered += block
    wire.run(1)
    assert digits(wire.bob.told) == entered


def test_digits_need_telephone_events_in_the_answer() -> None:
    alice = session(1)
    alice.configure(parameters(BOB, dtmf_send=None), 0.0)
    with pytest.raises(RtpUsageError):
        alice.send_digits("1")


def test_digits_wait_while_we_may_not_send() -> None:
    wire = Wire()
    wire.alice.rtp.configure(parameters(BOB, direction=Direction.RECVONLY), wire.now)
    wire.alice.rtp.send_digits("42")
    wire.run(1)
    assert digits(wire.bob.told) == ""
    wire.alice.rtp.configure(parameters(BOB), wire.now)
    wire.run(1)
    assert digits(wire.bob.told) == "42"


def test_cancelled_digits_are_not_sent() -> None:
    wire = Wire()
    wire.alice.rtp.send_digits("123")
    wire.run(0.05)
    wire.alice.rtp.cancel_digits()
    wire.run(1)
    assert digits(wire.bob.told) == "1"
    assert DigitsSent() in wire.alice.told


def test_reports_tell_both_sides_loss_jitter_and_round_trip() -> None:
    wire = Wire(seed=1, faults=Faults(loss=0.1, delay=0.05))
    wire.alice.source = Tone()
    wire.run(60)
    statistics = wire.alice.rtp.statistics(wire.now)
    assert statistics.round_trip_ms == pytest.approx(100, abs=20)
    assert statistics.remote_loss == pytest.approx(0.1, abs=0.08)
    assert statistics.remote_lost == pytest.approx(300, abs=60)
    assert statistics.remote_jitter_ms is not None
    assert statistics.mos is not None
    assert 1 < statistics.mos < 4.4


def test_a_sender_report_maps_wall_clock_to_timestamp() -> None:
    alice = session(1, timestamp=5000)
    alice.configure(parameters(BOB), 100.0)
    for number in range(10):
        alice.send_frame(None, 100.0 + number * PTIME)
    deadline = alice.next_rtcp
    assert deadline is not None
    (data, target), *_ = alice.rtcp_due(deadline)
    assert target == (BOB[0], BOB[1] + 1)
    report, description = parse_compound(data)
    assert isinstance(report, SenderReport)
    assert (report.packets, report.octets, report.ssrc) == (10, 1600, 1)
    assert report.ntp / 2**32 == pytest.approx(deadline + UNIX_EPOCH_OFFSET + 2_208_988_800, abs=1e-3)
    assert report.rtp_timestamp == pytest.approx(5000 + (deadline - 100.0) * 8000, abs=1)
    assert description == SourceDescription(1, "user1@example.invalid")


def test_one_who_only_listens_sends_receiver_reports() -> None:
    wire = Wire()
    wire.bob.rtp.configure(parameters(ALICE, direction=Direction.RECVONLY), wire.now)
    wire.run(3)
    deadline = wire.bob.rtp.next_rtcp
    assert deadline is not None
    (data, _), *_ = wire.bob.rtp.rtcp_due(deadline)
    report = parse_compound(data)[0]
    assert isinstance(report, ReceiverReport)
    assert report.blocks[0].ssrc == 1


def test_reports_come_at_irregular_times_of_about_the_interval() -> None:
    wire = Wire()
    moments = []
    for _ in range(3000):
        before = wire.alice.rtp.next_rtcp
        wire.run(PTIME)
        if wire.alice.rtp.next_rtcp != before:
            moments.append(wire.now)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert all(2.0 <= gap <= 6.3 for gap in gaps)
    assert len(set(gaps)) > 3


def test_the_round_trip_comes_from_the_last_sender_report() -> None:
    alice = session(1)
    alice.configure(parameters(BOB), 0.0)
    alice.send_frame(None, 0.0)
    (data, _), *_ = alice.rtcp_due(3.0)
    sent = parse_compound(data)[0]
    assert isinstance(sent, SenderReport)
    block = ReportBlock(1, 64, 12, 100, 80, compact_ntp(sent.ntp), 65536 // 2)
    alice.receive_rtcp(write_compound([ReceiverReport(9, (block,))]), (BOB[0], BOB[1] + 1), 3.0 + 0.5 + 0.12)
    statistics = alice.statistics(4.0)
    assert statistics.round_trip_ms == pytest.approx(120, abs=1)
    assert (statistics.remote_loss, statistics.remote_lost, statistics.remote_jitter_ms) == (0.25, 12, 10)


def test_reports_of_strangers_are_not_believed() -> None:
    alice = session(1)
    alice.configure(parameters(BOB), 0.0)
    block = ReportBlock(1, 255, 9999, 0, 0, 0, 0)
    alice.receive_rtcp(write_compound([ReceiverReport(9, (block,))]), STRANGER, 1.0)
    assert alice.statistics(1.0).remote_lost is None
    assert alice.statistics(1.0).strangers == 1


def test_a_report_on_the_rtp_port_is_read_too() -> None:
    alice = session(1)
    alice.configure(parameters(BOB), 0.0)
    block = ReportBlock(1, 0, 7, 0, 0, 0, 0)
    alice.receive_rtp(write_compound([ReceiverReport(9, (block,))]), BOB, 1.0)
    assert alice.statistics(1.0).remote_lost == 7


def test_goodbye_is_said_and_understood() -> None:
    wire = Wire()
    wire.run(1)
    (data, target), *_ = wire.alice.rtp.bye(wire.now)
    assert target == (BOB[0], BOB[1] + 1)
    wire.bob.rtp.receive_rtcp(data, (ALICE[0], ALICE[1] + 1), wire.now)
    assert wire.bob.rtp.events() == [RemoteEnded("")]


def test_no_rtcp_is_sent_where_it_is_turned_off() -> None:
    alice = session(1, config=RtpConfig(rtcp_interval=0))
    alice.configure(parameters(BOB), 0.0)
    assert alice.next_rtcp is None
    assert alice.rtcp_due(1e6) == []
    assert alice.bye(1e6) == []


def test_a_far_end_that_falls_silent_is_told_once_and_again_when_it_speaks() -> None:
    wire = Wire(bob=session(2, config=RtpConfig(media_timeout=5.0)))
    wire.run(2)
    wire.faults = Faults(loss=1.0)
    wire.run(4.9)
    assert not any(isinstance(event, MediaTimedOut) for event in wire.bob.told)
    wire.run(20)
    timeouts = [event for event in wire.bob.told if isinstance(event, MediaTimedOut)]
    assert [round(event.silent_for) for event in timeouts] == [5]
    wire.faults = Faults()
    wire.run(1)
    assert wire.bob.told.count(MediaResumed()) == 1


def test_a_far_end_that_never_speaks_times_out_too() -> None:
    bob = session(2, config=RtpConfig(media_timeout=5.0))
    bob.configure(parameters(ALICE), 100.0)
    bob.play_out(104.9)
    assert bob.events() == []
    bob.play_out(105.0)
    assert bob.events() == [MediaTimedOut(5.0)]


def test_a_far_end_that_said_that_it_is_silent_is_waited_for_longer_but_not_for_ever() -> None:
    wire = Wire(bob=session(2, config=RtpConfig(media_timeout=5.0)), comfort_noise_send=13)
    wire.run(2)
    wire.faults = Faults(loss=1.0)
    wire.run(19.5)
    assert not any(isinstance(event, MediaTimedOut) for event in wire.bob.told)
    wire.run(10)
    timeouts = [event for event in wire.bob.told if isinstance(event, MediaTimedOut)]
    assert [round(event.silent_for) for event in timeouts] == [20]


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE])
def test_on_hold_silence_is_no_time_out(direction: Direction) -> None:
    bob = bob_session(direction=direction)
    bob.play_out(1e6)
    assert bob.events() == []


@pytest.mark.parametrize("remote", [("0.0.0.0", 4000), ("::", 4000), ("192.0.2.1", 0)])
def test_nothing_is_sent_to_no_address(remote: Address) -> None:
    alice = session(1)
    alice.configure(parameters(remote), 0.0)
    assert alice.send_frame(None, 0.0) == []
    assert alice.rtcp_due(1000.0) == []
    assert alice.bye(1000.0) == []


def test_addresses_are_compared_as_addresses() -> None:
    bob = session(2)
    bob.configure(parameters(("2001:DB8:0:0::1", 4000)), 0.0)
    bob.receive_rtp(voice(1), ("2001:db8::1", 4000), 0.0)
    assert bob.statistics(1.0).packets_received == 1


@pytest.mark.parametrize(
    "changes", [{"codec": "NONE"}, {"receive": ((8, "NONE"),)}, {"ptime": 0}, {"ptime": 15}, {"ptime": 1000}]
)
def test_parameters_that_cannot_be_are_refused_and_change_nothing(changes: dict[str, object]) -> None:
    bob = session(2)
    with pytest.raises(RtpUsageError):
        bob.configure(parameters(ALICE, **changes), 0.0)
    assert not bob.configured


def test_a_name_is_no_address() -> None:
    with pytest.raises(RtpUsageError):
        session(2).configure(parameters(("pbx.example", 4000)), 0.0)


def test_before_it_is_configured_a_session_sends_nothing_and_hears_nothing() -> None:
    bob = session(2)
    bob.receive_rtp(voice(1), ALICE, 0.0)
    bob.receive_rtcp(write_compound([ReceiverReport(1)]), ALICE, 0.0)
    assert bob.rtcp_due(100.0) == []
    assert bob.bye(100.0) == []
    assert bob.next_rtcp is None
    with pytest.raises(RtpUsageError):
        bob.send_frame(None, 0.0)
    with pytest.raises(RtpUsageError):
        bob.play_out(0.0)


def test_unknown_payload_types_and_garbage_are_counted() -> None:
    bob = bob_session()
    bob.receive_rtp(voice(1, kind=96), ALICE, 0.0)
    bob.receive_rtp(b"\0" * 40, ALICE, 0.0)
    bob.receive_rtp(b"", ALICE, 0.0)
    bob.receive_rtcp(b"\x80", ALICE, 0.0)
    feed(bob, ALICE, 0, 1)
    bob.receive_rtp(voice(1, kind=101, payload=b"\x01"), ALICE, 0.02)
    statistics = bob.statistics(1.0)
    assert statistics.malformed == 5
    assert statistics.packets_received == 2


@given(
    datagrams=st.lists(
        st.tuples(
            st.binary(max_size=80)
            | st.builds(
                lambda kind, number, stamp, ssrc, payload: RtpPacket(kind, number, stamp, ssrc, payload).to_bytes(),
                st.sampled_from([0, 8, 13, 101, 77]),
                st.integers(0, 0xFFFF),
                st.integers(0, 0xFFFFFFFF),
                st.integers(0, 3),
                st.binary(max_size=400),
            ),
            st.sampled_from([ALICE, STRANGER, MOVED]),
            st.floats(0, 2),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_whatever_arrives_the_voice_goes_on(datagrams: list[tuple[bytes, Address, float, bool]]) -> None:
    bob = bob_session()
    now = 0.0
    for data, source, step, control in datagrams:
        now += step
        (bob.receive_rtcp if control else bob.receive_rtp)(data, source, now)
        assert len(bob.play_out(now)) == 320
        assert len(bob.send_frame(None, now)) == 1
        bob.rtcp_due(now)
    assert bob.statistics(now).packets_sent == len(datagrams)


def test_random_floods_leave_nothing_growing() -> None:
    random = Random(5)
    bob = bob_session()
    for number in range(3000):
        data = RtpPacket(8, random.getrandbits(16), random.getrandbits(32), FAR_SSRC, b"\x55" * 160).to_bytes()
        bob.receive_rtp(data, ALICE, number * 0.001)
    assert len(bob.play_out(3.0)) == 320
    assert bob.statistics(3.0).packets_received < 3000


def test_a_digit_whose_end_was_lost_is_told_a_moment_later() -> None:
    bob = bob_session()
    feed(bob, ALICE, 0, 5)
    for number in range(5, 8):
        event = RtpPacket(101, number, 800, FAR_SSRC, bytes((9, 10, 0, 160 * (number - 4) & 0xFF)))
        bob.receive_rtp(event.to_bytes(), ALICE, number * PTIME)
    bob.play_out(0.3)
    assert bob.events() == []
    bob.play_out(0.6)
    assert [event.digit for event in bob.events() if isinstance(event, DigitReceived)] == ["9"]


def test_a_digit_under_way_ends_when_the_source_changes() -> None:
    bob = bob_session()
    feed(bob, ALICE, 0, 5)
    bob.receive_rtp(RtpPacket(101, 5, 800, FAR_SSRC, bytes((9, 10, 0, 160))).to_bytes(), ALICE, 0.1)
    assert feed(bob, ALICE, 7000, 3, start=0.12, ssrc=78) == [DigitReceived("9", 20), SsrcChanged(FAR_SSRC, 78)]


def test_durations_of_digits_follow_the_clock_of_the_events() -> None:
    wire = Wire(dtmf_clock_rate=16000)
    wire.run(0.5)
    wire.alice.rtp.send_digits("5", duration_ms=200)
    wire.run(1)
    assert DigitReceived("5", 200) in wire.bob.told
    for end, remote in ((wire.alice, BOB), (wire.bob, ALICE)):
        end.rtp.configure(parameters(remote, dtmf_clock_rate=8000), wire.now)
    wire.alice.rtp.send_digits("6", duration_ms=200)
    wire.run(1)
    assert DigitReceived("6", 200) in wire.bob.told


def test_reports_go_where_the_answer_said_and_then_where_they_come_from() -> None:
    alice = session(1)
    alice.configure(parameters(BOB, remote_rtcp=(BOB[0], 7000)), 0.0)
    assert alice.rtcp_due(10.0)[0][1] == (BOB[0], 7000)
    alice.configure(parameters(BOB, remote_rtcp=(BOB[0], 8000)), 10.0)
    assert alice.rtcp_due(20.0)[0][1] == (BOB[0], 8000)
    alice.receive_rtcp(write_compound([ReceiverReport(9)]), (BOB[0], 9000), 21.0)
    assert alice.rtcp_due(30.0)[0][1] == (BOB[0], 9000)
    assert alice.send_codec.name == "PCMA"


def test_a_report_about_another_source_says_nothing_about_us() -> None:
    alice = session(1)
    alice.configure(parameters(BOB), 0.0)
    block = ReportBlock(4711, 255, 9999, 0, 0, 0, 0)
    alice.receive_rtcp(write_compound([ReceiverReport(9, (block,))]), BOB, 1.0)
    assert alice.statistics(1.0).remote_lost is None


def test_voice_of_a_codec_no_longer_agreed_on_is_not_played() -> None:
    bob = session(2, config=RtpConfig(codecs={"PCMA": PCMA, "OTHER": replace(PCMU, name="OTHER")}))
    bob.configure(parameters(ALICE, receive=((8, "PCMA"), (96, "OTHER"))), 0.0)
    for number in range(3):
        bob.receive_rtp(voice(number, kind=96), ALICE, number * PTIME)
    bob.configure(parameters(ALICE, receive=((8, "PCMA"),)), 0.06)
    assert level(bob.play_out(0.1)) == 0
    assert bob.statistics(1.0).receive_codec == "PCMA"


def test_a_silent_call_says_how_long_it_has_been_silent() -> None:
    bob = bob_session()
    feed(bob, ALICE, 0, 5)
    assert bob.statistics(2.08).silent_ms == pytest.approx(2000)


def test_nothing_leaves_while_it_is_withheld_and_what_comes_is_heard() -> None:
    bob = bob_session(withheld=True)
    assert FirstPacketReceived(ALICE, "PCMA", 8000) in feed(bob, ALICE, 0, 1)
    bob.send_digits("1")
    assert not any(bob.send_frame(bytes(320), number * PTIME) for number in range(50))
    assert bob.rtcp_due(60.0) == []
    assert bob.bye(60.0) == []
    assert bob.statistics(60.0).packets_sent == 0
    bob.configure(parameters(ALICE), 61.0)
    # The key that was pressed meanwhile is sent now, from its beginning.
    first, _ = bob.send_frame(None, 61.0)[0]
    assert (parse_packet(first).payload_type, parse_packet(first).marker) == (101, True)
    assert [target for _, target in bob.rtcp_due(70.0)] == [(ALICE[0], ALICE[1] + 1)]
