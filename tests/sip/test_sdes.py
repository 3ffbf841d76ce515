"""The crypto attribute (RFC 4568, RFC 7714 section 14.2): what of it is used, and where its key may be seen."""

from base64 import b64encode

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.sdes import (
    MAX_LENGTH,
    MAX_LINES,
    SUITES,
    Crypto,
    MediaSecurity,
    carries_keys,
    parse_crypto,
    read_crypto,
)
from custom_components.sip_ua.sip.sdp import Attribute, parse_sdp

# Those of RFC 4568 sections 4.1, 6.1 and 9.1.
FIRST = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
SECOND = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"
F8 = "MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm"
CM80, CM32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"
KEY28 = b64encode(bytes(range(28))).decode()

suites = st.sampled_from(sorted(SUITES))


@st.composite
def cryptos(draw: st.DrawFn) -> Crypto:
    suite = draw(suites)
    key = draw(st.binary(min_size=SUITES[suite], max_size=SUITES[suite]))
    return Crypto(draw(st.integers(0, 999_999_999)), suite, key)


def test_the_example_of_the_standard_is_understood() -> None:
    crypto = parse_crypto(f"1 {CM80} inline:{FIRST}|2^20|1:4")
    assert crypto is not None
    assert (crypto.tag, crypto.suite, crypto.mki) == (1, CM80, b"\0\0\0\1")
    assert crypto.key == b"YS___semctl () {\t220;}\n}\nunles"


@pytest.mark.parametrize(
    ("value", "mki"),
    [
        (f"1 {CM80} inline:{SECOND}|2^20|1:32", bytes(31) + b"\1"),
        (f"1 {CM32} inline:{SECOND}", b""),
        (f"2\t{CM32}  inline:{SECOND}|1:4", b"\0\0\0\1"),
        (f"3 {CM80} INLINE:{SECOND}|2^48", b""),
        (f"4 {CM80} inline:{SECOND}|1048576|65535:2", b"\xff\xff"),
        (f"5 {CM80} inline:{SECOND} WSH=128", b""),
        (f"6 {CM80} inline:{SECOND} -some-extension=1 WSH=64", b""),
        (f"7 {GCM} inline:{KEY28}", b""),
        (f"8 {GCM} inline:{KEY28.rstrip('=')}|2^31", b""),
        (f"9 {CM80.lower()} inline:{SECOND}", b""),
    ],
)
def test_what_changes_nothing_that_we_do_is_taken(value: str, mki: bytes) -> None:
    crypto = parse_crypto(value)
    assert crypto is not None
    assert crypto.tag == int(value[0])
    assert crypto.mki == mki


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"1 {CM80}",
        f"x {CM80} inline:{FIRST}",
        f"1000000000 {CM80} inline:{FIRST}",
        f"1 F8_128_HMAC_SHA1_80 inline:{F8}",
        f"1 {CM80} inline:{F8}|2^20|1:4; inline:{FIRST}|2^20|2:4",
        f"1 {CM80} inline:{F8}|2^20|1:4;inline:{FIRST}|2^20|2:4",
        f"1 {CM80} inline:{F8};inline:{FIRST}",
        f"1 {CM80} uri:https://keys.example/1",
        f"1 {CM80} {FIRST}",
        f"1 {CM80} inline:",
        f"1 {CM80} inline:{FIRST[:-4]}",
        f"1 {CM80} inline:{FIRST}AAAA",
        f"1 {CM80} inline:{FIRST[:-1]}*",
        f"1 {CM80} inline:{FIRST[:-1]}\N{LATIN SMALL LETTER E WITH ACUTE}",
        f"1 {GCM} inline:{FIRST}",
        f"1 {CM80} inline:{KEY28}",
        f"1 {CM80} inline:{FIRST}|2^49",
        f"1 {CM80} inline:{FIRST}|0",
        f"1 {CM80} inline:{FIRST}|many",
        f"1 {CM80} inline:{FIRST}|1:0",
        f"1 {CM80} inline:{FIRST}|1:129",
        f"1 {CM80} inline:{FIRST}|256:1",
        f"1 {CM80} inline:{FIRST}|x:1",
        f"1 {CM80} inline:{FIRST}|2^20|2^20|1:4",
        f"1 {CM80} inline:{FIRST} KDR=1",
        f"1 {CM80} inline:{FIRST} UNENCRYPTED_SRTP",
        f"1 {CM80} inline:{FIRST} UNENCRYPTED_SRTCP",
        f"1 {CM80} inline:{FIRST} UNAUTHENTICATED_SRTP",
        f"1 {CM80} inline:{FIRST}|2^20|1:4 FEC_ORDER=FEC_SRTP",
        f"1 {CM80} inline:{FIRST} FEC_KEY=inline:{SECOND}",
        f"1 {CM80} inline:{FIRST} WSH=some",
        f"1 {CM80} inline:{FIRST} UNHEARD_OF",
        f"1 {CM80} inline:{FIRST} " + "-x" * MAX_LENGTH,
    ],
)
def test_what_is_broken_or_asks_for_what_we_do_not_do_is_passed_over(value: str) -> None:
    assert parse_crypto(value) is None


@given(cryptos())
def test_what_was_written_reads_back_the_same(crypto: Crypto) -> None:
    assert parse_crypto(crypto.value) == crypto


@given(st.text(max_size=MAX_LENGTH + 8) | st.builds("1 {} inline:{}".format, suites, st.text(max_size=60)))
def test_any_text_is_a_key_of_its_length_or_passed_over(text: str) -> None:
    crypto = parse_crypto(text)
    assert crypto is None or (len(crypto.key) == SUITES[crypto.suite] and len(crypto.mki) <= 128)


def test_the_first_of_each_tag_counts_and_lines_are_bounded() -> None:
    values = [f"1 F8 inline:{F8}", f"1 {CM32} inline:{FIRST}", f"1 {CM80} inline:{FIRST}", f"2 {GCM} inline:{KEY28}"]
    assert [(crypto.tag, crypto.suite) for crypto in read_crypto(values)] == [(1, CM32), (2, GCM)]
    many = [f"{tag} {CM80} inline:{FIRST}" for tag in range(1000)]
    assert len(read_crypto(many)) == MAX_LINES


@given(cryptos())
def test_no_key_is_seen_where_people_look(crypto: Crypto) -> None:
    secret = b64encode(crypto.key).decode()
    security = MediaSecurity(crypto.suite, local_key=crypto.key, remote_key=crypto.key)
    body = b"v=0\r\nm=audio 4 RTP/SAVP 8\r\na=crypto:" + crypto.value.encode() + b"\r\na=sendrecv\r\n"
    shown = (repr(crypto), str(crypto), repr(security), repr(Attribute("crypto", crypto.value)), repr(parse_sdp(body)))
    assert not any(secret in text or repr(crypto.key) in text for text in shown)
    assert f"a=crypto:{crypto.value}".encode() in parse_sdp(body).to_bytes()
    assert carries_keys(body)
    assert not carries_keys(body.replace(b"crypto", b"crypt"))
