"""SRTP at the sockets (RFC 3711): the vectors of the standards, what is dropped and counted, every change of keys."""

import struct
from base64 import b64decode
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given, strategies as st

from custom_components.sip_ua.net.srtp import MAX_PACKET_BYTES, MAX_SOURCES, MediaCipher, Protector, Unprotector
from custom_components.sip_ua.rtp.packet import RtpPacket, parse_packet
from custom_components.sip_ua.rtp.parameters import Address
from custom_components.sip_ua.sip.sdes import SUITES, MediaSecurity, parse_crypto

CM80, CM32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"
TAGS = {CM80: 10, CM32: 4, GCM: 16}
ADDRESS: Address = ("192.0.2.1", 4000)
# RFC 3711 appendix B.3.
MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
CIPHER_KEY = bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
CIPHER_SALT = bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
AUTHENTICATION_KEY = bytes.fromhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
RTCP = bytes.fromhex("81c8000b cafebabe") + bytes(range(40))

suites = st.sampled_from(sorted(SUITES))


def counter_mode(key: bytes, block: int, data: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16))).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def derive(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    """Derive a session key (RFC 3711 section 4.3.1; RFC 7714 section 11 pads the salt)."""
    start = int.from_bytes(salt.ljust(14, b"\0")) ^ label << 48
    return counter_mode(key, start << 16, bytes(size))


def hmac(key: bytes, data: bytes, size: int) -> bytes:
    digest = HMAC(key, SHA1())  # noqa: S303 - the algorithm of the standard
    digest.update(data)
    return digest.finalize()[:size]


def rtp(sequence: int, ssrc: int = 0xCAFEBABE, payload: bytes = b"\xab" * 16) -> bytes:
    return RtpPacket(15, sequence % 65536, 0xDECAFBAD, ssrc, payload).to_bytes()


def key_of(suite: str, first: int = 0) -> bytes:
    return bytes((first + n) % 256 for n in range(SUITES[suite]))


def protect(sender: Protector, packet: bytes) -> bytes:
    ((data, _),) = sender.protect([(packet, ADDRESS)])
    return data


def protect_rtcp(sender: Protector, packet: bytes) -> bytes:
    ((data, _),) = sender.protect_rtcp([(packet, ADDRESS)])
    return data


# The vectors of the standards


def test_session_keys_are_those_of_the_standard() -> None:
    assert derive(MASTER_KEY, MASTER_SALT, 0, 16) == CIPHER_KEY
    assert derive(MASTER_KEY, MASTER_SALT, 2, 14) == CIPHER_SALT
    assert derive(MASTER_KEY, MASTER_SALT, 1, 20) == AUTHENTICATION_KEY


@pytest.mark.parametrize("suite", [CM80, CM32])
def test_a_packet_is_encrypted_and_signed_with_the_session_keys_of_the_standard(suite: str) -> None:
    plain = rtp(0x1234)
    header, ssrc = plain[:12], int.from_bytes(plain[8:12])
    block = int.from_bytes(CIPHER_SALT) << 16 ^ ssrc << 64 ^ 0x1234 << 16
    encrypted = header + counter_mode(CIPHER_KEY, block, plain[12:])
    tag = hmac(AUTHENTICATION_KEY, encrypted + bytes(4), TAGS[suite])
    assert protect(Protector(suite, MASTER_KEY + MASTER_SALT), plain) == encrypted + tag
    assert (encrypted[12:] + tag).hex().startswith("4e55dc4ce79978d88ca4d215949d2402b78d6acc")


def test_a_packet_of_aead_is_that_of_the_standard() -> None:
    # RFC 7714 section 16.1.1 begins with the session keys, which here come from a master key.
    def seal(key: bytes, salt: bytes, plain: bytes) -> bytes:
        counted = b"\0\0" + plain[8:12] + bytes(4) + plain[2:4]
        nonce = (int.from_bytes(salt) ^ int.from_bytes(counted)).to_bytes(12)
        return plain[:12] + AESGCM(key).encrypt(nonce, plain[12:], plain[:12])

    plain = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
    assert seal(bytes(range(16)), b"Quid pro quo", plain) == bytes.fromhex(
        "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
        "899d7f27beb16a9152cf765ee4390cce"
    )
    key, salt = bytes(range(16)), bytes(range(100, 112))
    ours = seal(derive(key, salt, 0, 16), derive(key, salt, 2, 12), plain)
    assert protect(Protector(GCM, key + salt), plain) == ours


def test_the_keys_of_the_example_of_security_descriptions_work() -> None:
    # RFC 4568 section 4.1 and the answer of section 9.1.
    values = (
        f"1 {CM80} inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4",
        f"1 {CM80} inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32",
    )
    for value in values:
        crypto = parse_crypto(value)
        assert crypto is not None
        assert crypto.key == b64decode(value.split("inline:")[1].split("|")[0])
        sender, receiver = Protector(crypto.suite, crypto.key), Unprotector(crypto.suite, crypto.key, crypto.mki)
        sealed = protect(sender, rtp(1))
        assert receiver.unprotect(sealed[:-10] + crypto.mki + sealed[-10:]) == rtp(1)
        assert receiver.unprotect(protect(sender, rtp(2))) is None


# Both ways


@pytest.mark.parametrize("suite", SUITES)
def test_what_was_encrypted_is_decrypted_and_hidden_on_the_way(suite: str) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite), b"")
    for plain, seal, unseal in (
        (rtp(7, payload=b"voice" * 32), protect, receiver.unprotect),
        (RTCP, protect_rtcp, receiver.unprotect_rtcp),
        (RTCP, protect_rtcp, receiver.unprotect),
    ):
        sealed = seal(sender, plain)
        assert sealed[:2] == plain[:2]
        assert plain[12:] not in sealed
        assert unseal(sealed) == plain
    assert (receiver.refused, receiver.replayed) == (0, 0)


@pytest.mark.parametrize("suite", SUITES)
def test_the_roll_over_of_the_sequence_is_counted_on_both_sides(suite: str) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite), b"")
    sealed = []
    for number in range(32_000, 3 * 65_536, 200):
        sealed.append(protect(sender, rtp(number)))
        assert receiver.unprotect(sealed[-1]) == rtp(number)
    # The same number under another count of the roll-over has another key stream.
    assert protect(Protector(suite, key_of(suite)), rtp(32_000 + 65_536 // 200 * 200)) != sealed[65_536 // 200]
    # What is reordered across the roll-over still finds its count.
    late, early = protect(sender, rtp(4 * 65_536 - 1)), protect(sender, rtp(4 * 65_536))
    assert receiver.unprotect(early) == rtp(0)
    assert receiver.unprotect(late) == rtp(65_535)
    assert (receiver.refused, receiver.replayed) == (0, 0)


@pytest.mark.parametrize("suite", SUITES)
def test_each_source_counts_for_itself(suite: str) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite), b"")
    for number in range(5):
        for ssrc in (1, 2, 0xFFFFFFFF):
            assert receiver.unprotect(protect(sender, rtp(60_000 + number + ssrc % 7, ssrc))) is not None
    assert receiver.refused == 0


def test_sources_beyond_the_bound_are_refused_and_those_before_go_on() -> None:
    sender, receiver = Protector(CM80, key_of(CM80)), Unprotector(CM80, key_of(CM80), b"")
    for ssrc in range(MAX_SOURCES):
        assert receiver.unprotect(protect(sender, rtp(1, ssrc))) is not None
    assert receiver.unprotect(protect(sender, rtp(1, MAX_SOURCES))) is None
    assert receiver.unprotect(protect(sender, rtp(2, 0))) is not None
    assert receiver.refused == 1


# What is dropped


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("sealed_by", [protect, protect_rtcp])
def test_what_comes_twice_is_read_once(suite: str, sealed_by: Callable[[Protector, bytes], bytes]) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite), b"")
    sealed = sealed_by(sender, rtp(9) if sealed_by is protect else RTCP)
    assert receiver.unprotect(sealed) is not None
    assert receiver.unprotect(sealed) is None
    assert (receiver.refused, receiver.replayed) == (0, 1)


@given(suites, st.integers(0, 10_000), st.integers(1, 255), st.booleans())
def test_a_packet_that_was_changed_anywhere_is_refused(suite: str, place: int, change: int, control: bool) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite), b"")
    sealed = bytearray(protect_rtcp(sender, RTCP) if control else protect(sender, rtp(9)))
    sealed[place % len(sealed)] ^= change
    assert (receiver.unprotect_rtcp if control else receiver.unprotect)(bytes(sealed)) is None
    assert receiver.refused == 1


@given(suites, st.binary(max_size=MAX_PACKET_BYTES + 100), st.sampled_from([b"", b"\0\1"]))
def test_any_bytes_are_refused_and_nothing_is_raised(suite: str, data: bytes, mki: bytes) -> None:
    receiver = Unprotector(suite, key_of(suite), mki)
    for packet in (data, b"\x80\x08" + data, b"\xbf\xff" + data, b"\x81\xc8" + data, data + mki):
        assert receiver.unprotect(packet) is None
        assert receiver.unprotect_rtcp(packet) is None
    assert receiver.refused == 10


@pytest.mark.parametrize("suite", SUITES)
def test_another_key_opens_nothing(suite: str) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite, 1), b"")
    assert receiver.unprotect(protect(sender, rtp(1))) is None
    assert receiver.unprotect_rtcp(protect_rtcp(sender, RTCP)) is None
    assert receiver.refused == 2


@pytest.mark.parametrize("suite", SUITES)
def test_a_master_key_identifier_is_taken_out_and_must_be_the_one_agreed_on(suite: str) -> None:
    sender, receiver = Protector(suite, key_of(suite)), Unprotector(suite, key_of(suite), b"\0\0\0\1")

    def named(sealed: bytes, tag: int, mki: bytes) -> bytes:
        behind = 0 if suite == GCM else tag
        return sealed[: len(sealed) - behind] + mki + sealed[len(sealed) - behind :]

    control_tag = 16 if suite == GCM else 10
    assert receiver.unprotect(named(protect(sender, rtp(1)), TAGS[suite], b"\0\0\0\1")) == rtp(1)
    assert receiver.unprotect_rtcp(named(protect_rtcp(sender, RTCP), control_tag, b"\0\0\0\1")) == RTCP
    assert receiver.unprotect(named(protect(sender, rtp(2)), TAGS[suite], b"\0\0\0\2")) is None
    assert receiver.unprotect(protect(sender, rtp(3))) is None


# Keys that change


def security(ours: int, theirs: int, suite: str = CM80) -> MediaSecurity:
    return MediaSecurity(suite, local_key=key_of(suite, ours), remote_key=key_of(suite, theirs))


def sent(cipher: MediaCipher, packet: bytes) -> bytes:
    ((data, _),) = cipher.protect([(packet, ADDRESS)])
    return data


def test_without_keys_everything_passes_as_it_is() -> None:
    cipher = MediaCipher()
    assert sent(cipher, rtp(1)) == cipher.unprotect(rtp(1)) == rtp(1)
    assert cipher.protect_rtcp([(RTCP, ADDRESS)]) == [(RTCP, ADDRESS)]
    assert cipher.unprotect_rtcp(RTCP) == RTCP
    assert not cipher.active


def test_with_keys_nothing_plain_is_sent_or_read() -> None:
    here, there = MediaCipher(), MediaCipher()
    here.configure(security(1, 2))
    there.configure(security(2, 1))
    assert there.unprotect(sent(here, rtp(1))) == rtp(1)
    assert here.unprotect(sent(there, rtp(1))) == rtp(1)
    assert here.unprotect(rtp(2)) is None
    assert here.unprotect_rtcp(RTCP) is None
    assert here.refused == 2


def seal(key: bytes, index: int, ssrc: int = 0xCAFEBABE) -> bytes:
    """Encrypt a packet as RFC 3711 says, without any library for it: CM80, the whole index known."""
    plain = rtp(index, ssrc)
    session_key, session_salt, tag_key = (
        derive(key[:16], key[16:], label, size) for label, size in ((0, 16), (2, 14), (1, 20))
    )
    block = int.from_bytes(session_salt) << 16 ^ ssrc << 64 ^ index << 16
    encrypted = plain[:12] + counter_mode(session_key, block, plain[12:])
    return encrypted + hmac(tag_key, encrypted + (index >> 16).to_bytes(4), TAGS[CM80])


def test_the_packets_of_the_standard_are_read_at_every_roll_over() -> None:
    key = MASTER_KEY + MASTER_SALT
    assert seal(key, 0x1234) == protect(Protector(CM80, key), rtp(0x1234))
    receiver = Unprotector(CM80, key, b"")
    for index in range(65_000, 5 * 65_536, 15_000):
        assert receiver.unprotect(seal(key, index)) == rtp(index)


@pytest.mark.parametrize("wraps_at_the_change", [False, True])
@pytest.mark.parametrize("roll_overs", [0, 1, 2, 7, 200])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_source_with_a_new_key_is_heard_whether_its_roll_overs_go_on_or_begin_anew(
    roll_overs: int, goes_on: bool, wraps_at_the_change: bool
) -> None:
    before, after = key_of(CM80, 2), key_of(CM80, 3)
    last = (roll_overs + 1) * 65_536 - (10 if wraps_at_the_change else 30_000)
    cipher = MediaCipher()
    cipher.configure(security(1, 2))
    for index in range(100, last, 20_000):
        assert cipher.unprotect(seal(before, index)) is not None
    assert cipher.unprotect(seal(before, last)) is not None
    cipher.configure(security(1, 3))
    first = last + 20
    anew = first if goes_on else first % 65_536
    for ahead in (3, 0, 1, 30_000, 60_000, 90_000, 150_000, 149_500):
        number = ahead if ahead < 100_000 else ahead - 30_000
        packet = seal(after, anew + number)
        assert cipher.unprotect(packet) == rtp(anew + number), ahead
        assert cipher.unprotect(packet) is None, "a replay"
    assert cipher.refused == 0
    assert cipher.unprotect(seal(before, first + 40)) is None
    assert cipher.refused == 1


def test_keys_that_change_again_before_anything_was_heard_go_on_too() -> None:
    cipher = MediaCipher()
    cipher.configure(security(1, 2))
    for index in range(100, 3 * 65_536, 20_000):
        assert cipher.unprotect(seal(key_of(CM80, 2), index)) is not None
    cipher.configure(security(1, 3))
    cipher.configure(security(1, 4))
    assert cipher.unprotect(seal(key_of(CM80, 4), 3 * 65_536 + 100)) is not None


def test_forgeries_after_a_change_of_key_decide_nothing() -> None:
    cipher = MediaCipher()
    cipher.configure(security(1, 2))
    for index in range(100, 3 * 65_536, 20_000):
        assert cipher.unprotect(seal(key_of(CM80, 2), index)) is not None
    cipher.configure(security(1, 3))
    for index in range(3 * 65_536, 3 * 65_536 + 50):
        assert cipher.unprotect(seal(key_of(CM80, 9), index)) is None
    assert cipher.refused == 50
    assert cipher.unprotect(seal(key_of(CM80, 3), 3 * 65_536 + 60)) is not None
    assert cipher.unprotect_rtcp(protect_rtcp(Protector(CM80, key_of(CM80, 3)), RTCP)) == RTCP


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_of_ours_that_is_new_wants_a_new_source_and_one_that_stays_does_not(suite: str) -> None:
    cipher = MediaCipher()
    assert cipher.configure(security(1, 2, suite))
    assert not cipher.configure(security(1, 3, suite))
    assert not cipher.configure(None)
    assert not cipher.configure(security(1, 3, suite))
    assert cipher.configure(security(4, 3, suite))


def test_keys_that_stay_go_on_counting_and_keys_that_change_begin_anew() -> None:
    here, there = MediaCipher(), MediaCipher()
    here.configure(security(1, 2))
    there.configure(security(2, 1))
    for number in range(65_000, 66_000):
        assert there.unprotect(sent(here, rtp(number))) is not None
    here.configure(security(1, 3))
    assert there.unprotect(sent(here, rtp(66_001))) is not None, "our key has stayed"
    there.configure(security(3, 1))
    assert there.unprotect(sent(here, rtp(66_002))) is not None, "their key has stayed"
    assert here.unprotect(sent(there, rtp(5))) is not None
    here.configure(security(4, 3))
    assert there.unprotect(sent(here, rtp(66_003))) is None
    there.configure(security(3, 4))
    assert there.unprotect(sent(here, rtp(66_004))) is not None
    assert there.refused == 1, "what was counted before stays counted"


def test_a_pause_without_encryption_never_repeats_a_key_stream() -> None:
    cipher = MediaCipher()
    cipher.configure(security(1, 2))
    for number in range(65_500, 65_560):
        sent(cipher, rtp(number))
    before = sent(cipher, rtp(65_560))
    cipher.configure(None)
    assert sent(cipher, rtp(65_561)) == rtp(65_561)
    cipher.configure(security(1, 2))
    after = sent(cipher, rtp(65_562))
    fresh = protect(Protector(CM80, key_of(CM80, 1)), rtp(65_562))
    assert after[12:] != fresh[12:]
    assert parse_packet(before).sequence == struct.unpack_from("!H", before, 2)[0] == 24
