"""G.711 against the tables of the recommendation."""

from array import array
from itertools import pairwise

import pytest

from custom_components.sip_ua.rtp.codecs import G711, PCMA, PCMU
from custom_components.sip_ua.rtp.errors import RtpUsageError

# G.711 tables 1a and 2a: the first quantized value of each segment and the step, in the tables' own units.
ALAW_SEGMENTS = ((1, 2), (33, 2), (66, 4), (132, 8), (264, 16), (528, 32), (1056, 64), (2112, 128))
ULAW_SEGMENTS = ((0, 2), (33, 4), (99, 8), (231, 16), (495, 32), (1023, 64), (2079, 128), (4191, 256))
ALAW_UNIT = 8
ULAW_UNIT = 4


def all_samples() -> array[int]:
    return array("h", range(-32768, 32768))


def alaw_values() -> dict[int, int]:
    """Give the 16-bit value of each character signal, from the table."""
    positive = [first + step * number for first, step in ALAW_SEGMENTS for number in range(16)]
    # The table counts character signals before the inversion of the even bits.
    high = {(0x80 | number) ^ 0x55: value * ALAW_UNIT for number, value in enumerate(positive)}
    return high | {code ^ 0x80: -value for code, value in high.items()}


def ulaw_values() -> dict[int, int]:
    """Give the 16-bit value of each character signal, from the table."""
    positive = [first + step * number for first, step in ULAW_SEGMENTS for number in range(16)]
    high = {0xFF - number: value * ULAW_UNIT for number, value in enumerate(positive)}
    return high | {code ^ 0x80: -value for code, value in high.items()}


@pytest.mark.parametrize(("name", "values"), [("PCMA", alaw_values()), ("PCMU", ulaw_values())])
def test_every_character_signal_decodes_to_the_value_of_the_recommendation(name: str, values: dict[int, int]) -> None:
    decoded = array("h", G711[name].create().decode(bytes(range(256))))
    assert {code: decoded[code] for code in range(256)} == values


@pytest.mark.parametrize(
    ("sample", "code"),
    [(0, 0xD5), (-1, 0x55), (8, 0xD5), (15, 0xD5), (16, 0xD4), (32767, 0xAA), (-32768, 0x2A), (-16, 0x55), (-17, 0x54)],
)
def test_alaw_codes_have_the_right_sign_and_decision_values(sample: int, code: int) -> None:
    assert PCMA.create().encode(array("h", [sample]).tobytes()) == bytes((code,))


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (0, 0xFF),
        (3, 0xFF),
        (4, 0xFE),
        (-1, 0x7F),
        (-5, 0x7E),
        (32767, 0x80),
        (-32768, 0x00),
        (32635, 0x80),
        (31611, 0x81),
    ],
)
def test_ulaw_codes_have_the_right_sign_and_decision_values(sample: int, code: int) -> None:
    assert PCMU.create().encode(array("h", [sample]).tobytes()) == bytes((code,))


def alaw_reference(sample: int) -> int:
    """Code by the arithmetic of segments instead of a table."""
    magnitude = (sample if sample >= 0 else ~sample) >> 4
    exponent = 0
    if magnitude > 15:
        exponent = magnitude.bit_length() - 4
        magnitude = (magnitude >> exponent - 1) - 16
    return (magnitude | exponent << 4 | (0x80 if sample >= 0 else 0)) ^ 0x55


def ulaw_reference(sample: int) -> int:
    """Code by the arithmetic of segments instead of a table."""
    magnitude = min(((sample if sample >= 0 else ~sample) >> 2) + 33, 0x1FFF)
    segment = magnitude.bit_length() - 6
    step = magnitude >> segment + 1 & 15
    return (7 - segment << 4 | 15 - step) | (0x80 if sample >= 0 else 0)


@pytest.mark.parametrize(("name", "reference"), [("PCMA", alaw_reference), ("PCMU", ulaw_reference)])
def test_every_sample_is_coded_as_the_arithmetic_of_segments_says(name: str, reference: object) -> None:
    samples = all_samples()
    assert callable(reference)
    assert G711[name].create().encode(samples.tobytes()) == bytes(map(reference, samples))


@pytest.mark.parametrize("name", ["PCMA", "PCMU"])
def test_coding_is_monotonic_and_never_off_by_more_than_half_a_step(name: str) -> None:
    codec = G711[name].create()
    samples = all_samples()
    decoded = array("h", codec.decode(codec.encode(samples.tobytes())))
    assert all(before <= after for before, after in pairwise(decoded))
    largest_half_step = 512
    overload = 32767 - max(decoded)
    assert all(
        abs(value - sample) <= max(largest_half_step, overload + 1)
        for value, sample in zip(decoded, samples, strict=True)
    )


@pytest.mark.parametrize("name", ["PCMA", "PCMU"])
def test_a_decoded_signal_is_coded_into_itself(name: str) -> None:
    codec = G711[name].create()
    codes = bytes(range(256))
    again = codec.encode(codec.decode(codes))
    # u-law has two zeros; the negative one comes back as the positive.
    assert again == (codes if name == "PCMA" else codes.replace(b"\x7f", b"\xff"))


def test_silence_is_the_code_of_zero() -> None:
    assert PCMA.create().encode(bytes(4)) == b"\xd5\xd5"
    assert PCMU.create().encode(bytes(4)) == b"\xff\xff"


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(RtpUsageError):
        PCMA.create().encode(b"\0")


def test_a_codec_knows_its_samples_and_ticks() -> None:
    assert (PCMA.samples(20), PCMA.ticks(30)) == (160, 240)
