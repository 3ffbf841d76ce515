"""The codecs of PyAV as the media engine uses them: what they cost of the sound, and what broken packets do."""

import array
import contextlib
import math

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.net.av_codecs import ALL_CODECS, AV_CODECS, working_codecs
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.opus_format import encoder_options
from custom_components.sip_ua.rtp.codecs import Codec
from custom_components.sip_ua.rtp.errors import PacketError, RtpUsageError

from .media_support import frequency_of, level_of

SECONDS = 1.0
HIGH = 6000
"""A tone that no telephone of 8 kHz can carry."""


def sine(frequency: float, rate: int, amplitude: int = 8000) -> bytes:
    step = 2 * math.pi * frequency / rate
    return array.array("h", (round(amplitude * math.sin(step * n)) for n in range(int(SECONDS * rate)))).tobytes()


def through(codec: Codec, far: Codec, pcm: bytes, size: int) -> tuple[bytes, list[int]]:
    """Return what arrives, and the length of every payload."""
    payloads = [codec.encode(pcm[start : start + size]) for start in range(0, len(pcm), size)]
    return b"".join(map(far.decode, payloads)), [len(payload) for payload in payloads]


def test_every_codec_that_we_know_works_here() -> None:
    assert working_codecs() == {"PCMA", "PCMU", "G722", "OPUS"} == set(ALL_CODECS)


@pytest.mark.parametrize("name", AV_CODECS)
@pytest.mark.parametrize("frequency", [300.0, 1000.0, HIGH])
def test_a_tone_keeps_its_pitch_and_level(name: str, frequency: float) -> None:
    kind = AV_CODECS[name]
    size = 2 * kind.samples(20)
    heard, _ = through(kind.create(), kind.create(), sine(frequency, kind.sample_rate), size)
    assert len(heard) == len(sine(frequency, kind.sample_rate))
    steady = heard[kind.sample_rate // 2 :]
    assert frequency_of(steady, kind.sample_rate) == pytest.approx(frequency, rel=0.002)
    assert level_of(steady) == pytest.approx(level_of(sine(frequency, kind.sample_rate)), abs=1.0)


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_g722_has_eight_bytes_for_each_millisecond_as_its_clock_says(ptime: int) -> None:
    kind = AV_CODECS["G722"]
    size = 2 * kind.samples(ptime)
    heard, lengths = through(kind.create(ptime), kind.create(), sine(440, 16000)[: 10 * size], size)
    assert lengths == [kind.ticks(ptime)] * 10
    assert len(heard) == 10 * size


@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_one_packet_of_opus_holds_one_packet_time(ptime: int) -> None:
    kind = AV_CODECS["OPUS"]
    size = 2 * kind.samples(ptime)
    codec, far = kind.create(ptime), kind.create()
    pcm = sine(440, 48000)
    for start in range(0, 8 * size, size):
        assert len(far.decode(codec.encode(pcm[start : start + size]))) == size


def test_opus_keeps_to_the_bit_rate_that_the_far_end_asks_for() -> None:
    kind = AV_CODECS["OPUS"]
    pcm, size = sine(440, 48000), 2 * kind.samples(20)
    _, free = through(kind.create(), kind.create(), pcm, size)
    _, slow = through(kind.create(20, "maxaveragebitrate=8000;cbr=1"), kind.create(), pcm, size)
    assert set(slow) == {20}
    assert sum(free) > 2 * sum(slow)


@pytest.mark.parametrize(
    ("fmtp", "wanted"),
    [
        ("", {"b": "32000", "vbr": "constrained"}),
        ("useinbandfec=1; stereo=1", {"fec": "1"}),
        ("maxplaybackrate=16000", {"cutoff": "8000"}),
        ("maxplaybackrate=48000", {}),
        ("maxaveragebitrate=20000", {"b": "20000"}),
        ("maxaveragebitrate=1;cbr=1", {"b": "6000", "vbr": "off"}),
        ("maxaveragebitrate=99999999999999999999", {"b": "32000"}),
    ],
)
def test_format_parameters_of_opus_become_options_of_the_encoder(fmtp: str, wanted: dict[str, str]) -> None:
    options = encoder_options(20, fmtp, 32000)
    assert wanted.items() <= options.items()
    assert ("cutoff" in options) == ("cutoff" in wanted)
    assert ("fec" in options) == ("fec" in wanted)


@given(st.text(max_size=60))
def test_no_format_parameters_upset_the_encoder(fmtp: str) -> None:
    options = encoder_options(20, fmtp, 32000)
    assert 6000 <= int(options["b"]) <= 32000


@pytest.mark.parametrize("name", AV_CODECS)
def test_a_decoder_goes_on_after_packets_that_are_none(name: str) -> None:
    kind = AV_CODECS[name]
    size = 2 * kind.samples(20)
    codec, far = kind.create(), kind.create()
    pcm = sine(440, kind.sample_rate)
    heard = b""
    for number, start in enumerate(range(0, len(pcm), size)):
        payload = codec.encode(pcm[start : start + size])
        if number % 10 == 5:
            with pytest.raises(PacketError):
                far.decode(b"")
            continue
        heard += far.decode(payload)
    assert level_of(heard[len(heard) // 2 :]) == pytest.approx(level_of(pcm), abs=2.0)


@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_are_sound_or_the_one_error(payload: bytes) -> None:
    for kind in AV_CODECS.values():
        with contextlib.suppress(PacketError):
            assert kind.create().decode(payload)


@pytest.mark.parametrize("name", AV_CODECS)
def test_half_a_sample_is_refused(name: str) -> None:
    with pytest.raises(RtpUsageError):
        AV_CODECS[name].create().encode(b"\0")


async def test_the_engine_leaves_out_what_does_not_work_here(
    engine: MediaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = frozenset({"PCMA", "PCMU", "G722"})
    monkeypatch.setattr("custom_components.sip_ua.net.media.working_codecs", lambda: working)
    assert await engine.usable_codecs(("opus", "G722", "PCMA")) == ("G722", "PCMA")
