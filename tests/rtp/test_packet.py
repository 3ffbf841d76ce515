"""RTP packets: read what the standard allows, refuse the rest by the one documented error (RFC 3550 section 5)."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.rtp.errors import PacketError
from custom_components.sip_ua.rtp.packet import (
    RtpPacket,
    is_rtcp,
    parse_packet,
    sequence_distance,
    timestamp_distance,
    write_packet,
)

HEADER = bytes.fromhex("8088fffe fffffff0 deadbeef")

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=400),
    marker=st.booleans(),
    csrc=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=16).map(lambda data: data + bytes(-len(data) % 4))),
)


def test_a_plain_packet_is_read() -> None:
    packet = parse_packet(HEADER + b"voice")
    assert packet == RtpPacket(8, 0xFFFE, 0xFFFFFFF0, 0xDEADBEEF, b"voice", marker=True)


def test_a_packet_may_be_empty() -> None:
    assert parse_packet(HEADER).payload == b""


@given(packet=packets, padding=st.integers(0, 255))
def test_a_packet_survives_writing_and_reading(packet: RtpPacket, padding: int) -> None:
    assert parse_packet(packet.to_bytes(padding)) == packet


@given(packet=packets)
def test_the_quick_writer_writes_the_same(packet: RtpPacket) -> None:
    plain = packet._replace(csrc=(), extension=None)
    quick = write_packet(
        plain.payload_type, plain.sequence, plain.timestamp, plain.ssrc, plain.payload, marker=plain.marker
    )
    assert quick == plain.to_bytes()


@given(data=st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: HEADER[:1] + tail))
def test_any_bytes_are_a_packet_or_the_one_error(data: bytes) -> None:
    try:
        packet = parse_packet(data)
    except PacketError:
        return
    assert len(packet.payload) <= len(data) - 12


@given(
    packet=packets,
    padding=st.integers(0, 40),
    flips=st.lists(st.tuples(st.integers(0, 500), st.integers(1, 255)), max_size=5),
)
def test_a_damaged_packet_is_a_packet_or_the_one_error(
    packet: RtpPacket, padding: int, flips: list[tuple[int, int]]
) -> None:
    data = bytearray(packet.to_bytes(padding))
    for at, bits in flips:
        data[at % len(data)] ^= bits
    try:
        packet_read = parse_packet(bytes(data))
    except PacketError:
        return
    assert len(packet_read.payload) < len(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (HEADER[:11], "header cut off"),
        (b"\x40" + HEADER[1:], "version 1"),
        (b"\x81" + HEADER[1:], "a CSRC that is not there"),
        (b"\x90" + HEADER[1:], "an extension that is not there"),
        (b"\x90" + HEADER[1:] + b"\0\0\0\x02\0\0\0\0", "an extension longer than the packet"),
        (b"\xa0" + HEADER[1:] + b"\0", "padding of length 0"),
        (b"\xa0" + HEADER[1:] + b"\x02", "more padding than payload"),
        (b"\xb0" + HEADER[1:] + b"\0\0\0\0\x05", "padding that reaches into the extension"),
        (HEADER + bytes(4000), "longer than any voice"),
    ],
)
def test_what_contradicts_itself_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(PacketError):
        parse_packet(data)


def test_padding_alone_leaves_an_empty_payload() -> None:
    assert parse_packet(b"\xa0" + HEADER[1:] + b"\0\0\x03").payload == b""


def test_rtcp_is_told_from_rtp_by_its_second_byte() -> None:
    assert is_rtcp(b"\x80\xc8")
    assert not is_rtcp(HEADER)
    assert not is_rtcp(b"\x80")


@given(earlier=st.integers(0, 0xFFFF), step=st.integers(-0x8000, 0x7FFF))
def test_sequence_distance_knows_the_wrap(earlier: int, step: int) -> None:
    assert sequence_distance(earlier + step & 0xFFFF, earlier) == step


@given(earlier=st.integers(0, 0xFFFFFFFF), step=st.integers(-0x80000000, 0x7FFFFFFF))
def test_timestamp_distance_knows_the_wrap(earlier: int, step: int) -> None:
    assert timestamp_distance(earlier + step & 0xFFFFFFFF, earlier) == step
