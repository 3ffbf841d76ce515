"""The codecs of PyAV as the media engine uses them: what they cost of the sound, and what broken packets do."""

import array
import contextlib
import itertools
import math

import pytest
from hypothesis import given, strategies as st

from custom_components.sip_ua.net.av_codecs import ALL_CODECS, AV_CODECS, working_codecs
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.opus_format import encoder_options
from custom_components.sip_ua.rtp.codecs import Codec
from custom_components.sip_ua.rtp.dtmf import DIGITS
from custom_components.sip_ua.rtp.errors import PacketError, RtpUsageError
from custom_components.sip_ua.rtp.events import DigitReceived
from custom_components.sip_ua.rtp.parameters import RtpConfig

from ..rtp.wire import Faults, Wire, session
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
        ("", {"b": "32000", "vbr": "constrained", "packet_loss": "10"}),
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


def over_a_bad_line(codec: str, payload_type: int, **changes: object) -> Wire:
    """Join two sessions whose voice is of this codec by a line that loses every twentieth packet."""
    config = RtpConfig(codecs=ALL_CODECS)
    return Wire(
        seed=2,
        faults=Faults(loss=0.05, jitter=0.01),
        alice=session(1, config=config),
        bob=session(2, config=config),
        codec=codec,
        payload_type=payload_type,
        receive=((payload_type, codec),),
        **changes,
    )


@pytest.mark.parametrize(("codec", "payload_type", "rate"), [("G722", 9, 16_000), ("OPUS", 111, 48_000)])
def test_lost_wide_band_voice_is_concealed(codec: str, payload_type: int, rate: int) -> None:
    wire = over_a_bad_line(codec, payload_type)
    tone = sine(400, rate)
    frames = itertools.cycle(tone[at : at + rate // 25] for at in range(0, len(tone), rate // 25))
    wire.alice.source = lambda: next(frames)
    wire.run(6)
    statistics = wire.bob.rtp.statistics(wire.now)
    assert statistics.lost > 5
    assert statistics.concealed_ms >= 20 * statistics.lost - 40
    heard = bytes(wire.bob.played[-8 * rate :])
    assert level_of(heard) == pytest.approx(level_of(tone), abs=1.0)
    assert frequency_of(heard, rate) == pytest.approx(400, rel=0.02)
    assert statistics.mos is not None
    assert 2.0 < statistics.mos < 4.2


@pytest.mark.parametrize("clock_rate", [8_000, 48_000])
def test_keys_in_an_opus_call_last_as_long_as_they_were_pressed(clock_rate: int) -> None:
    wire = over_a_bad_line("OPUS", 111, dtmf_clock_rate=clock_rate)
    wire.run(0.2)
    wire.alice.rtp.send_digits("159#", duration_ms=120, gap_ms=80)
    wire.run(1.5)
    told = [event for event in wire.bob.told if isinstance(event, DigitReceived)]
    assert "".join(event.digit for event in told) == "159#"
    assert {event.duration_ms for event in told} == {120}


@pytest.mark.parametrize(("codec", "payload_type"), [("G722", 9), ("OPUS", 111)])
def test_tones_are_heard_through_wide_band_codecs_and_loss(codec: str, payload_type: int) -> None:
    wire = over_a_bad_line(codec, payload_type, dtmf_send=None, dtmf_receive=None, hear_tones=True)
    wire.run(0.2)
    for _ in range(3):
        wire.alice.rtp.send_digits(DIGITS, duration_ms=160, gap_ms=100, inband=True)
        wire.run(16 * 0.26)
    wire.run(0.5)
    told = [event for event in wire.bob.told if isinstance(event, DigitReceived)]
    assert "".join(event.digit for event in told) == 3 * DIGITS
