"""STUN messages: the vectors of RFC 5769, and one error only."""

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.sip.address import HostPort
from custom_components.sip_ua.sip.stun_message import (
    StunError,
    binding_request,
    binding_response,
    is_stun,
    parse_binding_response,
    transaction_id,
)

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RFC_5769_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RFC_5769_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def message(kind: str, attributes: str) -> bytes:
    return bytes.fromhex(f"{kind}{len(attributes) // 2:04x}2112a442{TRANSACTION.hex()}{attributes}")


@pytest.mark.parametrize(
    ("data", "mapped"),
    [
        (RFC_5769_IPV4, HostPort("192.0.2.1", 32853)),
        (RFC_5769_IPV6, HostPort("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_the_vectors_of_the_standard(data: bytes, mapped: HostPort) -> None:
    assert parse_binding_response(data, TRANSACTION) == mapped


def test_a_request_is_a_header_and_a_fingerprint() -> None:
    request = binding_request(TRANSACTION)
    assert request[:24].hex() == f"000100082112a442{TRANSACTION.hex()}80280004"
    assert len(request) == 28
    assert is_stun(request)
    assert transaction_id(request) == TRANSACTION


@pytest.mark.parametrize("mapped", [HostPort("203.0.113.9", 1), HostPort("2001:db8::1", 65535)])
def test_an_answer_reads_back_the_same(mapped: HostPort) -> None:
    assert parse_binding_response(binding_response(binding_request(TRANSACTION), mapped), TRANSACTION) == mapped


def test_a_server_of_the_first_standard_is_understood() -> None:
    attributes = "00010008000113c4c0000201" + "00040008000113c4c0000202" + "00050008000113c4c0000203"
    assert parse_binding_response(message("0101", attributes), TRANSACTION) == HostPort("192.0.2.1", 5060)


def test_the_masked_address_goes_before_the_plain_one_that_a_router_may_have_rewritten() -> None:
    attributes = "00010008000113c4c0000201" + "002000080001a147e112a643"
    assert parse_binding_response(message("0101", attributes), TRANSACTION) == HostPort("192.0.2.1", 32853)


def test_a_refusal_tells_its_code() -> None:
    with pytest.raises(StunError) as caught:
        parse_binding_response(message("0111", "0009000c00000414" + b"Nope\n\0!?".hex()), TRANSACTION)
    assert caught.value.code == 420
    assert str(caught.value) == "the STUN server refused: 420 Nope!?"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OPTIONS sip:x SIP/2.0\r\n",
        binding_request(TRANSACTION),
        RFC_5769_IPV4[:-1],
        RFC_5769_IPV4[:-4] + b"\0\0\0\0",
        RFC_5769_IPV4.replace(TRANSACTION, bytes(12)),
        message("0101", ""),
        message("0101", "00200008000301bbe112a643"),
        message("0101", "00200004000101bb"),
        message("0101", "00200010000101bb"),
        message("0101", "00330000"),
        message("0101", "80330000" * 40),
        message("0111", "00090000"),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(StunError):
        parse_binding_response(data, TRANSACTION)


@given(st.binary(max_size=80), st.integers(0, 100))
def test_any_bytes_are_an_answer_or_the_one_error(noise: bytes, cut: int) -> None:
    body = noise[: len(noise) - len(noise) % 4]
    for data in (noise, message("0101", body.hex()), RFC_5769_IPV4[:cut] + noise, message("0111", body.hex())):
        try:
            mapped = parse_binding_response(data, TRANSACTION)
        except StunError:
            continue
        assert 0 <= mapped.port <= 65535
