"""A trace as a capture file: octet by octet what the standards have, as a reader of its own finds."""

import struct
from ipaddress import ip_address

import pytest

from custom_components.sip_ua.sip.account import Transport
from custom_components.sip_ua.sip.address import Address, HostPort
from custom_components.sip_ua.sip.pcap import to_pcap
from custom_components.sip_ua.sip.trace import Traced

PAYLOAD = b"OPTIONS sip:h SIP/2.0\r\n\r\n"
AT = 1_795_348_800.25


def message(
    transport: Transport = Transport.UDP,
    *,
    sent: bool = True,
    ipv6: bool = False,
    data: bytes = PAYLOAD,
    hidden: int = 0,
) -> Traced:
    us, them = ("2001:db8::7", "2001:db8::1") if ipv6 else ("192.0.2.7", "192.0.2.1")
    port = transport.default_port
    return Traced(AT, sent, HostPort(us, 40_000), Address(transport, them, port), data, hidden)


def packets(pcap: bytes) -> list[tuple[float, bytes]]:
    magic, major, minor, zone, accuracy, snaplen, linktype = struct.unpack_from("<IHHiIII", pcap)
    assert (magic, major, minor, zone, accuracy, snaplen, linktype) == (0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
    found, place = [], 24
    while place < len(pcap):
        seconds, fraction, kept, length = struct.unpack_from("<IIII", pcap, place)
        assert kept == length
        found.append((seconds + fraction / 1e6, pcap[place + 16 : place + 16 + kept]))
        place += 16 + kept
    assert place == len(pcap)
    return found


def folded(data: bytes) -> int:
    """Return the sum that is 0xFFFF over whatever has a right checksum in it."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[place : place + 2]) for place in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total


def read(packet: bytes) -> tuple[str, str, int, bytes]:
    """Return source, target, protocol and segment, all checksums checked."""
    if packet[0] >> 4 == 4:
        assert packet[0] == 0x45
        assert int.from_bytes(packet[2:4]) == len(packet)
        assert folded(packet[:20]) == 0xFFFF
        hosts, protocol, segment = packet[12:20], packet[9], packet[20:]
        pseudo = hosts + struct.pack("!BBH", 0, protocol, len(segment))
    else:
        assert int.from_bytes(packet[4:6]) == len(packet) - 40
        hosts, protocol, segment = packet[8:40], packet[6], packet[40:]
        pseudo = hosts + struct.pack("!IHBB", len(segment), 0, 0, protocol)
    assert folded(pseudo + segment) == 0xFFFF
    half = len(hosts) // 2
    return str(ip_address(hosts[:half])), str(ip_address(hosts[half:])), protocol, segment


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("data", [PAYLOAD, PAYLOAD + b"x"])
def test_a_datagram_is_whole(data: bytes, *, ipv6: bool) -> None:
    ((at, packet),) = packets(to_pcap([message(ipv6=ipv6, data=data)]))
    source, target, protocol, segment = read(packet)
    assert at == AT
    assert (source, target) == (("2001:db8::7", "2001:db8::1") if ipv6 else ("192.0.2.7", "192.0.2.1"))
    assert protocol == 17
    assert struct.unpack("!HHH", segment[:6]) == (40_000, 5060, 8 + len(data))
    assert segment[8:] == data


def test_what_came_in_goes_the_other_way() -> None:
    ((_, packet),) = packets(to_pcap([message(sent=False)]))
    source, target, _, segment = read(packet)
    assert (source, target) == ("192.0.2.1", "192.0.2.7")
    assert struct.unpack("!HH", segment[:4]) == (5060, 40_000)


@pytest.mark.parametrize("ipv6", [False, True])
def test_messages_of_a_connection_follow_one_another(*, ipv6: bool) -> None:
    tcp = [message(Transport.TCP, sent=sent, ipv6=ipv6) for sent in (True, False, True)]
    segments = [read(packet)[3] for _, packet in packets(to_pcap(tcp))]
    size = len(PAYLOAD)
    numbers = [struct.unpack("!II", segment[4:12]) for segment in segments]
    assert numbers == [(1, 1), (1, 1 + size), (1 + size, 1 + size)]
    assert all(segment[12:14] == b"\x50\x18" and segment[20:] == PAYLOAD for segment in segments)


def test_tls_is_shown_as_plain_tcp_to_the_usual_port() -> None:
    ((_, packet),) = packets(to_pcap([message(Transport.TLS)]))
    _, _, protocol, segment = read(packet)
    assert protocol == 6
    assert struct.unpack("!HH", segment[:4]) == (40_000, 5060)


def test_a_body_that_was_left_out_keeps_its_length() -> None:
    ((_, packet),) = packets(to_pcap([message(hidden=7)]))
    assert read(packet)[3][8:] == PAYLOAD + b"xxxxxxx"


def test_no_packet_is_too_long_and_no_address_stops_it() -> None:
    long = message(data=b"y" * 80_000, hidden=100)
    odd = Traced(AT, True, HostPort("192.0.2.7", 1), Address(Transport.UDP, "fe80::1%eth0", 5060), PAYLOAD)
    back = Traced(AT, True, HostPort("fe80::1", 1), Address(Transport.UDP, "192.0.2.1", 5060), PAYLOAD)
    found = [read(packet) for _, packet in packets(to_pcap([long, odd, back]))]
    assert len(found[0][3]) < 65_536 - 20
    assert found[1][:2] == ("::", "fe80::1")
    assert found[2][:2] == ("0.0.0.0", "192.0.2.1")


def test_an_empty_trace_is_a_capture_file_too() -> None:
    assert packets(to_pcap([])) == []
