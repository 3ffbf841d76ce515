"""Whose packets are the far end's: the lock on address and SSRC."""

from custom_components.sip_ua.rtp.packet import RtpPacket
from custom_components.sip_ua.rtp.parameters import Address
from custom_components.sip_ua.rtp.source import RUN_OF_STRANGER, SILENCE_BEFORE_SWITCH, SourceLock, Verdict

NAMED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 61234)
STRANGER = ("203.0.113.9", 9)


def packet(sequence: int, ssrc: int = 1) -> RtpPacket:
    return RtpPacket(8, sequence & 0xFFFF, 0, ssrc, b"")


def feed(
    lock: SourceLock, source: Address, *, first: int = 0, count: int = 1, ssrc: int = 1, now: float = 0.0
) -> list[Verdict]:
    return [lock.receive(packet(first + number, ssrc), source, now + 0.02 * number) for number in range(count)]


def test_the_named_address_is_believed_at_once() -> None:
    lock = SourceLock(NAMED, follow=True)
    assert feed(lock, NAMED, count=2) == [Verdict.NEW_SSRC, Verdict.ACCEPTED]
    assert lock.address == NAMED


def test_a_single_packet_of_a_stranger_never_moves_the_target() -> None:
    lock = SourceLock(NAMED, follow=True)
    assert feed(lock, STRANGER) == [Verdict.REFUSED]
    feed(lock, NAMED, count=5)
    assert feed(lock, STRANGER, now=100.0) == [Verdict.REFUSED]
    assert lock.address == NAMED


def test_a_run_of_packets_from_behind_nat_is_believed_while_the_named_address_is_silent() -> None:
    lock = SourceLock(NAMED, follow=True)
    verdicts = feed(lock, BEHIND_NAT, first=65534, count=RUN_OF_STRANGER + 1)
    assert verdicts == [Verdict.REFUSED] * (RUN_OF_STRANGER - 1) + [Verdict.NEW_ADDRESS, Verdict.ACCEPTED]
    assert lock.address == BEHIND_NAT


def test_nobody_takes_over_while_the_far_end_speaks() -> None:
    lock = SourceLock(NAMED, follow=True)
    for number in range(500):
        lock.receive(packet(number), NAMED, number * 0.02)
        assert lock.receive(packet(number, 1), STRANGER, number * 0.02 + 0.01) is Verdict.REFUSED
    assert lock.address == NAMED


def test_a_moved_far_end_is_followed_after_its_old_address_fell_silent() -> None:
    lock = SourceLock(NAMED, follow=True)
    feed(lock, NAMED, count=10)
    silent_at = 9 * 0.02
    early = feed(lock, BEHIND_NAT, first=10, count=10, now=silent_at + 0.1)
    assert set(early) == {Verdict.REFUSED}
    late = feed(lock, BEHIND_NAT, first=20, count=10, now=silent_at + SILENCE_BEFORE_SWITCH)
    assert Verdict.NEW_ADDRESS in late


def test_strangers_out_of_sequence_are_never_believed() -> None:
    lock = SourceLock(NAMED, follow=True)
    verdicts = [lock.receive(packet(number * 1000), STRANGER, number * 0.02) for number in range(50)]
    verdicts += [lock.receive(packet(7), STRANGER, number * 0.02) for number in range(50)]
    verdicts += [lock.receive(packet(number, ssrc=number), STRANGER, number * 0.02) for number in range(50)]
    assert set(verdicts) == {Verdict.REFUSED}


def test_the_named_address_takes_over_again_as_soon_as_it_speaks() -> None:
    lock = SourceLock(NAMED, follow=True)
    feed(lock, BEHIND_NAT, count=10)
    assert feed(lock, NAMED, ssrc=2, now=1.0) == [Verdict.NEW_ADDRESS]
    assert lock.address == NAMED


def test_without_following_only_the_named_address_is_believed() -> None:
    lock = SourceLock(NAMED, follow=False)
    assert set(feed(lock, BEHIND_NAT, count=100)) == {Verdict.REFUSED}


def test_a_new_ssrc_needs_two_packets_in_a_row() -> None:
    lock = SourceLock(NAMED, follow=True)
    feed(lock, NAMED, count=5)
    assert feed(lock, NAMED, ssrc=2) == [Verdict.REFUSED]
    assert feed(lock, NAMED, first=5) == [Verdict.ACCEPTED]
    assert feed(lock, NAMED, first=65535, ssrc=2, count=3) == [Verdict.REFUSED, Verdict.NEW_SSRC, Verdict.ACCEPTED]
    assert lock.ssrc == 2
