"""What is voice and what is silence in what we send, and what of that is on the wire (RFC 3389)."""

import array
import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from av.codec import CodecContext
from av.packet import Packet

from custom_components.sip_ua.net.audio import BytesSource, RawPcm, ToneSource
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.resample import frame_pcm, load_pyav
from custom_components.sip_ua.net.stream_events import DigitsSent, PlaybackFinished
from custom_components.sip_ua.net.voice_activity import HANGOVER, VoiceActivity
from custom_components.sip_ua.rtp.codecs import PCMA
from custom_components.sip_ua.rtp.packet import RtpPacket
from custom_components.sip_ua.sip.offer_answer import CODECS, Codec

from .media_support import FarEnd, Listener, eventually, level_of, open_stream, sine

FRAME_MS = 20
NOISE = 13


def hiss(seconds: float, level: float, *, rate: int = 8000) -> bytes:
    """Return noise as of a room with a microphone; its level is in dB of full scale, as a microphone's."""
    random = Random(7)
    deviation = 32767 * 10 ** (level / 20)
    return array.array("h", (round(random.gauss(0, deviation)) for _ in range(round(rate * seconds)))).tobytes()


def frames(pcm: bytes) -> list[bytes]:
    return [pcm[start : start + 320] for start in range(0, len(pcm), 320)]


def heard(activity: VoiceActivity, pcm: bytes, *, microphones: bool) -> list[bool]:
    return [activity.gate(frame, FRAME_MS, microphones=microphones) is not None for frame in frames(pcm)]


@pytest.fixture
def activity() -> VoiceActivity:
    """Give one whose first moment, in which all is voice, is over."""
    made = VoiceActivity()
    while made.gate(None, FRAME_MS, microphones=False) is not None:
        pass
    return made


def test_a_call_begins_with_voice_whatever_is_said() -> None:
    activity = VoiceActivity()
    first = [activity.gate(None, FRAME_MS, microphones=False) for _ in range(HANGOVER // FRAME_MS + 1)]
    assert first == [b""] * (HANGOVER // FRAME_MS) + [None]


def test_silence_after_a_word_is_voice_for_a_moment(activity: VoiceActivity) -> None:
    word = heard(activity, sine(400, 0.2), microphones=False)
    pause = heard(activity, bytes(320 * 50), microphones=False)
    assert all(word)
    assert pause == [True] * (HANGOVER // FRAME_MS) + [False] * (50 - HANGOVER // FRAME_MS)


def test_what_is_played_softly_is_voice_for_as_long_as_it_lasts(activity: VoiceActivity) -> None:
    assert all(heard(activity, sine(400, 20, level=-55), microphones=False))


@pytest.mark.parametrize("level", [-70, -60, -52])
def test_the_hiss_of_a_room_becomes_silence_as_loud_as_it_is(activity: VoiceActivity, level: int) -> None:
    room = heard(activity, hiss(10, level), microphones=True)
    assert not any(room[-100:])
    assert activity.background == pytest.approx(min(-level, 70), abs=3)


def test_a_word_is_heard_from_its_beginning_in_a_room_with_hiss(activity: VoiceActivity) -> None:
    heard(activity, hiss(10, -55), microphones=True)
    assert all(heard(activity, sine(400, 1, level=-30), microphones=True))


def test_somebody_who_speaks_without_a_pause_is_no_room(activity: VoiceActivity) -> None:
    assert all(heard(activity, hiss(60, -35), microphones=True))


def test_a_room_that_becomes_quiet_is_known_at_once(activity: VoiceActivity) -> None:
    heard(activity, hiss(10, -52), microphones=True)
    heard(activity, hiss(0.5, -70), microphones=True)
    assert all(heard(activity, hiss(0.2, -52), microphones=True)), "a whisper in a quiet room is voice"


# On the wire


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    with FarEnd() as end:
        yield end


def packets(end: FarEnd) -> list[RtpPacket]:
    return [arrival.packet for arrival in end.arrivals]


async def test_in_silence_comfort_noise_comes_now_and_then_and_each_word_begins_with_a_mark(
    engine: MediaEngine, far_end: FarEnd
) -> None:
    told = Listener()
    stream = await open_stream(engine, told)
    stream.configure(replace(far_end.media(), comfort_noise_send=NOISE))
    await asyncio.sleep(0.8)
    word = sine(400, 0.2)
    stream.play(BytesSource(word + bytes(16000) + word, hint=RawPcm(8000)))
    await told.wait_for(PlaybackFinished)
    await asyncio.sleep(0.6)
    await stream.close()

    sent = packets(far_end)
    kinds = [packet.payload_type for packet in sent]
    spurts = [
        packet for packet, before in zip(sent, [NOISE, *kinds], strict=False) if before == NOISE != packet.payload_type
    ]
    assert kinds[0] == 8
    assert len(spurts) == 3, "one at the beginning, and one for each word"
    assert all(packet.marker for packet in spurts)
    assert not any(packet.marker for packet in sent if packet.payload_type == NOISE)
    assert all(packet.payload == bytes((70,)) for packet in sent if packet.payload_type == NOISE)
    first = sent[0]
    for number, packet in enumerate(sent):
        assert packet.sequence == (first.sequence + number) % 0x10000, "what is not sent has no number"
    quiet = [
        (after.timestamp - before.timestamp) % 0x1_0000_0000
        for before, after in pairwise(sent)
        if after.payload_type == NOISE
    ]
    assert min(quiet) == 160, "a pause begins in its first frame"
    assert quiet.count(1600) > 4, "and is told again each 200 ms"
    ticks = (sent[-1].timestamp - first.timestamp) % 0x1_0000_0000
    lasted = far_end.arrivals[-1].at - far_end.arrivals[0].at
    assert ticks / 8000 == pytest.approx(lasted, abs=0.25), "time goes on in silence"
    assert len(sent) < 80, "much less than the 150 and more of an unbroken flow"


async def test_without_agreement_every_frame_is_sent(engine: MediaEngine, far_end: FarEnd) -> None:
    stream = await open_stream(engine)
    stream.configure(far_end.media())
    await asyncio.sleep(0.5)
    await stream.close()
    assert {packet.payload_type for packet in packets(far_end)} == {8}
    assert len(packets(far_end)) > 20


async def test_keys_are_pressed_in_silence_as_events_and_as_tones(engine: MediaEngine, far_end: FarEnd) -> None:
    told = Listener()
    stream = await open_stream(engine, told)
    stream.configure(replace(far_end.media(), comfort_noise_send=NOISE))
    await eventually(lambda: NOISE in {packet.payload_type for packet in packets(far_end)})
    stream.send_digits("5")
    await told.wait_for(DigitsSent)
    stream.send_digits("5", inband=True)
    await told.wait_for(DigitsSent, 2)
    await stream.close()
    sent = packets(far_end)
    assert any(packet.payload_type == 101 for packet in sent)
    spoken = b"".join(packet.payload for packet in sent if packet.payload_type == 8)
    assert level_of(alaw(spoken)) > -40


def alaw(payload: bytes) -> bytes:
    return PCMA.create().decode(payload)


async def test_opus_sends_a_frame_of_silence_now_and_then(engine: MediaEngine, far_end: FarEnd) -> None:
    await engine.usable_codecs(["OPUS"])
    stream = await open_stream(engine)
    opus = CODECS["OPUS"]
    stream.configure(replace(far_end.media(opus), discontinuous=True))
    await asyncio.sleep(1.5)
    stream.play(ToneSource(440.0, duration=0.1))
    await asyncio.sleep(0.3)
    await stream.close()
    times = [arrival.at for arrival in far_end.arrivals]
    pauses = [after - before for before, after in pairwise(times) if after - before > 0.1]
    assert pauses
    assert max(pauses) < 0.5
    assert {packet.payload_type for packet in packets(far_end)} == {opus.payload_type}
    assert [packet.marker for packet in packets(far_end)].count(True) == 2


@pytest.mark.parametrize("codec", [CODECS["PCMA"], CODECS["G722"]])
async def test_another_decoder_of_comfort_noise_hears_the_level_that_we_tell(
    engine: MediaEngine, far_end: FarEnd, codec: Codec
) -> None:
    """FFmpeg's decoder of RFC 3389 is nobody's whom we know."""
    await engine.usable_codecs([codec.name])
    load_pyav()
    stream = await open_stream(engine)
    stream.configure(replace(far_end.media(codec), comfort_noise_send=NOISE))
    await eventually(lambda: NOISE in {packet.payload_type for packet in packets(far_end)})
    await stream.close()
    told = next(packet for packet in packets(far_end) if packet.payload_type == NOISE)
    decoder = CodecContext.create("comfortnoise", "r")
    decoder.sample_rate = 8000
    decoder.layout = "mono"
    pcm = b"".join(frame_pcm(frame) for _ in range(20) for frame in decoder.decode(Packet(told.payload)))
    assert level_of(pcm) == pytest.approx(-70, abs=6)
