"""RTCP compounds and the time between them (RFC 3550 section 6)."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.errors import PacketError
from custom_components.sip_ua.rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    compact_ntp,
    ntp_time,
    parse_compound,
    transmission_interval,
    write_compound,
)

word = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(
    ReportBlock,
    ssrc=word,
    fraction_lost=st.integers(0, 255),
    cumulative_lost=st.integers(-0x800000, 0x7FFFFF),
    highest_sequence=word,
    jitter=word,
    last_sr=word,
    delay_since_last_sr=word,
)
many_blocks = st.lists(blocks, max_size=3).map(tuple)
compounds = st.lists(
    st.builds(
        SenderReport,
        ssrc=word,
        ntp=st.integers(0, 2**64 - 1),
        rtp_timestamp=word,
        packets=word,
        octets=word,
        blocks=many_blocks,
    )
    | st.builds(ReceiverReport, ssrc=word, blocks=many_blocks)
    | st.builds(SourceDescription, ssrc=word, cname=st.text(max_size=60))
    | st.builds(Goodbye, sources=st.lists(word, max_size=4).map(tuple), reason=st.text(max_size=60)),
    max_size=6,
    min_size=1,
)


@given(packets=compounds)
def test_a_compound_survives_writing_and_reading(packets: list[RtcpPacket]) -> None:
    data = write_compound(packets)
    assert len(data) % 4 == 0
    assert parse_compound(data) == packets


@given(data=st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"\x81\xc8" + tail))
def test_any_bytes_are_a_compound_or_the_one_error(data: bytes) -> None:
    try:
        packets = parse_compound(data)
    except PacketError:
        return
    assert len(packets) <= 16 * 31


@given(packets=compounds, flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 255)), min_size=1, max_size=6))
def test_a_damaged_compound_is_a_compound_or_the_one_error(
    packets: list[RtcpPacket], flips: list[tuple[int, int]]
) -> None:
    data = bytearray(write_compound(packets))
    for at, bits in flips:
        data[at % len(data)] ^= bits
    try:
        damaged = parse_compound(bytes(data))
    except PacketError:
        return
    assert len(damaged) <= 16 * 31


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc9\x00",
        b"\x40\xc9\x00\x01" + bytes(4),
        b"\x80\xc9\x00\x02" + bytes(4),
        b"\x81\xc9\x00\x01" + bytes(4),
        b"\x80\xc8\x00\x01" + bytes(4),
        b"\x81\xca\x00\x02" + bytes(4) + b"\x01\x08ab",
        b"\x81\xca\x00\x02" + bytes(4) + b"\x01\x02ab",
        b"\x80\xc9\x00\x01" + bytes(4) + b"\x80\xc9",
        b"\xa0\xc9\x00\x01" + b"\0\0\0\x09",
        bytes(3000),
    ],
)
def test_what_contradicts_itself_is_refused(data: bytes) -> None:
    with pytest.raises(PacketError):
        parse_compound(data)


def test_unknown_packet_types_are_passed_over() -> None:
    unknown = b"\x80\xcf\x00\x01" + bytes(4)
    report = ReceiverReport(5)
    assert parse_compound(write_compound([report]) + unknown) == [report]


def test_padding_of_the_last_packet_is_left_out() -> None:
    data = write_compound([Goodbye((5,))])
    padded = bytes((data[0] | 0x20, data[1], 0, 2)) + data[4:] + b"\0\0\0\x04"
    assert parse_compound(padded) == [Goodbye((5,))]


def test_ntp_time_counts_from_1900() -> None:
    assert ntp_time(0) >> 32 == 2_208_988_800
    assert ntp_time(0.5) & 0xFFFFFFFF == 0x80000000
    assert compact_ntp(0x1122334455667788) == 0x33445566


def interval(
    *, chance: float = 0.5, members: int = 2, senders: int = 2, initial: bool = False, size: float = 100
) -> float:
    return transmission_interval(
        members=members,
        senders=senders,
        we_sent=True,
        bandwidth=400,
        average_size=size,
        initial=initial,
        chance=chance,
    )


def test_two_in_a_call_report_about_every_five_seconds() -> None:
    assert interval() == pytest.approx(5 / 1.21828, rel=1e-4)


def test_the_first_report_comes_after_half_the_time() -> None:
    assert interval(initial=True) == pytest.approx(interval() / 2)


def test_chance_spreads_the_interval_from_half_to_one_and_a_half() -> None:
    assert interval(chance=0) == pytest.approx(interval() * 0.5)
    assert interval(chance=1) == pytest.approx(interval() * 1.5)


def test_many_members_share_the_bandwidth() -> None:
    assert interval(members=1000, senders=1000) == pytest.approx(1000 * 100 / 400 / 1.21828, rel=1e-4)


def test_few_senders_have_a_quarter_of_the_bandwidth_for_themselves() -> None:
    assert interval(members=1000, senders=100) == pytest.approx(100 * 100 / 100 / 1.21828, rel=1e-4)


def test_a_compound_of_very_many_packets_is_read_in_part() -> None:
    assert len(parse_compound(write_compound([ReceiverReport(5)] * 100))) == 16


def test_items_of_a_description_other_than_the_name_are_passed_over() -> None:
    items = b"\x06\x03abc" + b"\x01\x02me" + b"\0"
    chunk = (7).to_bytes(4) + items + bytes(-len(items) % 4)
    data = bytes((0x81, 202, 0, len(chunk) // 4)) + chunk
    assert parse_compound(data) == [SourceDescription(7, "me")]
