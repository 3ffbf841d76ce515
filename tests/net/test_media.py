"""The media engine on real sockets: voice both ways, measured, in every packet time, codec and IP version."""

import asyncio
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net.audio import SilenceSource, ToneSource
from custom_components.sip_ua.net.errors import MediaStoppedError, NoPortError
from custom_components.sip_ua.net.media import MediaEngine, PortRange
from custom_components.sip_ua.net.media_clock import Alarm
from custom_components.sip_ua.net.media_loop import MediaLoop
from custom_components.sip_ua.net.stream import CallStream
from custom_components.sip_ua.net.stream_events import (
    DigitReceived,
    DigitsSent,
    FirstPacketReceived,
    MediaTimedOut,
    PlaybackFinished,
    StreamFailed,
)
from custom_components.sip_ua.net.turns import TURN_IN_CALLS, TURN_WITH_PYAV, Turns
from custom_components.sip_ua.rtp.packet import RtpPacket
from custom_components.sip_ua.rtp.parameters import RtpConfig
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.offer_answer import CODECS, Codec

from .media_support import (
    LOOPBACK,
    PORTS,
    FarEnd,
    Listener,
    Pair,
    eventually,
    frequency_of,
    level_of,
    loud_part,
    negotiated,
    open_descriptors,
    open_stream,
    read_wav,
)

RTCP_GOODBYE = 203


@pytest.mark.parametrize(
    ("codec", "ptime", "wanted_rate"),
    [
        ("PCMA", 10, 8000),
        ("PCMA", 20, 8000),
        ("PCMU", 20, 8000),
        ("PCMU", 30, 8000),
        ("PCMA", 60, 8000),
        ("G722", 10, 16000),
        ("G722", 20, 16000),
        ("G722", 30, 16000),
        ("OPUS", 10, 48000),
        ("OPUS", 20, 48000),
        ("OPUS", 60, 48000),
    ],
)
async def test_tones_cross_in_both_directions(
    engine: MediaEngine, pair: Pair, tmp_path: Path, codec: str, ptime: int, wanted_rate: int
) -> None:
    assert await engine.usable_codecs([codec]) == (codec,)
    pair.connect(codec=CODECS[codec], ptime=ptime)
    pair.ours.record(tmp_path / "ours.wav")
    pair.theirs.record(tmp_path / "theirs.wav")

    pair.ours.play(ToneSource(1000, -10, 0.3))
    pair.theirs.play(ToneSource(440, -20, 0.3))
    await pair.heard.wait_for(PlaybackFinished)
    await pair.heard_there.wait_for(PlaybackFinished)
    await asyncio.sleep(0.2)
    await asyncio.gather(pair.ours.close(), pair.theirs.close())

    for name, frequency, level in (("theirs", 1000, -10), ("ours", 440, -20)):
        pcm, rate, _ = read_wav(tmp_path / f"{name}.wav")
        tone = loud_part(pcm)
        assert rate == wanted_rate
        assert len(tone) / rate / 2 == pytest.approx(0.3, abs=0.1)
        steady = tone[rate // 5 : -rate // 5]
        assert frequency_of(steady, rate) == pytest.approx(frequency, rel=0.005)
        assert level_of(steady) == pytest.approx(level, abs=0.5)


@pytest.mark.parametrize(
    ("codec", "turn"), [("PCMA", TURN_IN_CALLS), ("G722", TURN_WITH_PYAV), ("OPUS", TURN_WITH_PYAV)]
)
async def test_threads_take_shorter_turns_in_calls_and_shortest_only_while_pyav_codes(
    engine: MediaEngine, monkeypatch: pytest.MonkeyPatch, codec: str, turn: float
) -> None:
    usual = sys.getswitchinterval()
    make_packets, play_out, alarm = CallStream.make_packets, CallStream.play_out, Alarm.wait
    inside: list[float] = []
    between: list[float] = []

    def make(stream: CallStream, ticks: int, now: float) -> object:
        inside.append(sys.getswitchinterval())
        return make_packets(stream, ticks, now)

    def play(stream: CallStream, ticks: int, now: float) -> None:
        inside.append(sys.getswitchinterval())
        play_out(stream, ticks, now)

    def wait(one: Alarm, moment: int | None) -> None:
        between.append(sys.getswitchinterval())
        alarm(one, moment)

    monkeypatch.setattr(CallStream, "make_packets", make)
    monkeypatch.setattr(CallStream, "play_out", play)
    monkeypatch.setattr(Alarm, "wait", wait)
    await engine.usable_codecs([codec])
    stream = await open_stream(engine)
    stream.configure(negotiated(9, codec=CODECS[codec]))
    await eventually(lambda: len(inside) >= 10)
    assert (min(inside), max(inside)) == pytest.approx((turn, turn))
    assert min(between) == pytest.approx(TURN_IN_CALLS)
    await engine.stop()
    assert sys.getswitchinterval() == pytest.approx(usual)


def test_turns_are_as_short_as_the_one_who_needs_the_shortest() -> None:
    turns, usual = Turns(), sys.getswitchinterval()
    for needed, now in ((0.002, 0.002), (0.002, 0.002), (0.0005, 0.0005)):
        turns.shorten(needed)
        assert sys.getswitchinterval() == pytest.approx(now)
    for needed, now in ((0.002, 0.0005), (0.0005, 0.002), (0.002, usual)):
        turns.restore(needed)
        assert sys.getswitchinterval() == pytest.approx(now)
    turns.shorten(1.0)
    assert sys.getswitchinterval() == pytest.approx(usual)
    turns.restore(1.0)


async def test_voice_crosses_over_ipv6(engine: MediaEngine, tmp_path: Path) -> None:
    there = Listener()
    ours = await engine.open(bind_address="::1", ports=PORTS, on_event=Listener())
    theirs = await engine.open(bind_address="::1", ports=PORTS, on_event=there)
    Pair(ours, theirs, Listener(), there).connect("::1")
    theirs.record(tmp_path / "theirs.wav")

    ours.play(ToneSource(1000, -10))
    first = await there.wait_for(FirstPacketReceived)
    await asyncio.sleep(0.3)
    await theirs.close()

    pcm, rate, _ = read_wav(tmp_path / "theirs.wav")
    assert first.source == ("::1", ours.port)
    assert frequency_of(loud_part(pcm), rate) == pytest.approx(1000, rel=0.005)


async def test_silence_is_sent_while_nothing_is_played(engine: MediaEngine) -> None:
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.configure(far.media())
        await eventually(lambda: len(far.arrivals) >= 5)
        await stream.close()

        packets = [arrival.packet for arrival in far.arrivals]
        assert {packet.payload for packet in packets} == {b"\xd5" * 160}
        assert {packet.payload_type for packet in packets} == {8}
        assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)


async def test_the_packets_of_all_streams_leave_in_one_tick_and_on_one_pace(engine: MediaEngine) -> None:
    with FarEnd() as one, FarEnd() as other:
        for far, ptime in ((one, 20), (other, 40)):
            (await open_stream(engine)).configure(far.media(ptime=ptime))
        await eventually(lambda: len(other.arrivals) >= 8)

        for far, ticks in ((one, 160), (other, 320)):
            packets = [arrival.packet for arrival in far.arrivals]
            steps = {b.timestamp - a.timestamp for a, b in pairwise(packets)}
            assert all(step % ticks == 0 for step in steps)
            assert [b.sequence - a.sequence & 0xFFFF for a, b in pairwise(packets)] == [1] * (len(packets) - 1)
        assert len(one.arrivals) == pytest.approx(2 * len(other.arrivals), abs=3)


async def test_a_codec_of_which_nobody_knows_is_refused_at_once(engine: MediaEngine) -> None:
    stream = await open_stream(engine)

    with pytest.raises(LocalProtocolError, match="X-CODEC"):
        stream.configure(negotiated(4000, codec=Codec("X-CODEC", 8000, 99)))
    with pytest.raises(LocalProtocolError, match="numeric"):
        stream.configure(negotiated(4000, host="pbx.example"))


async def test_digits_cross_once_each_and_in_order(pair: Pair) -> None:
    pair.connect()

    pair.ours.send_digits("12#a", duration_ms=60, gap_ms=60)
    await pair.heard.wait_for(DigitsSent)
    await pair.heard_there.wait_for(DigitReceived, 4)

    assert "".join(event.digit for event in pair.heard_there.of(DigitReceived)) == "12#A"


@pytest.mark.parametrize("digits", ["", "12x", "1" * 65, "1 2"])
async def test_what_is_no_digit_is_refused_at_once(pair: Pair, digits: str) -> None:
    pair.connect()

    with pytest.raises(LocalProtocolError, match="digits"):
        pair.ours.send_digits(digits)


async def test_digits_need_a_far_end_that_takes_them(engine: MediaEngine) -> None:
    stream = await open_stream(engine)
    with pytest.raises(LocalProtocolError, match="far end"):
        stream.send_digits("1")

    stream.configure(negotiated(4000, dtmf=False))

    with pytest.raises(LocalProtocolError, match="far end"):
        stream.send_digits("1")


async def test_digits_not_yet_begun_can_be_taken_back(pair: Pair) -> None:
    pair.connect()
    pair.ours.send_digits("123456789", duration_ms=100, gap_ms=100)
    await pair.heard_there.wait_for(DigitReceived)

    pair.ours.cancel_digits()
    await pair.heard.wait_for(DigitsSent)
    await asyncio.sleep(0.3)

    assert len(pair.heard_there.of(DigitReceived)) < 5


async def test_a_far_end_that_says_nothing_is_told(engine: MediaEngine) -> None:
    heard = Listener()
    config = RtpConfig(media_timeout=0.2)
    stream = await engine.open(bind_address=LOOPBACK, ports=PORTS, on_event=heard, config=config)
    with FarEnd() as far:
        stream.configure(far.media())

        assert (await heard.wait_for(MediaTimedOut)).silent_for >= 0.2


async def test_the_figures_are_there_during_the_call_and_after_it(pair: Pair) -> None:
    assert await pair.ours.statistics() is None
    pair.connect()
    await pair.heard.wait_for(FirstPacketReceived)
    during = await pair.ours.statistics()
    await pair.ours.close()
    after = await pair.ours.statistics()

    assert during is not None
    assert after is not None
    assert after == pair.ours.statistics_at_end
    assert 0 < during.packets_received <= after.packets_received
    assert 0 < during.packets_sent <= after.packets_sent


async def test_the_end_of_a_stream_is_said_in_rtcp(engine: MediaEngine) -> None:
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.configure(far.media())
        await eventually(lambda: bool(far.arrivals))
        await stream.close()
        await eventually(
            lambda: any(bytes([RTCP_GOODBYE]) == data[at : at + 1] for data in far.reports for at in kinds(data))
        )


def kinds(report: bytes) -> list[int]:
    """Return where the packet types of a compound RTCP packet stand."""
    places, at = [], 0
    while at + 4 <= len(report):
        places.append(at + 1)
        at += 4 + 4 * int.from_bytes(report[at + 2 : at + 4])
    return places


async def test_a_voice_that_is_withheld_says_nothing_and_then_all_from_the_beginning(engine: MediaEngine) -> None:
    with FarEnd() as far:
        heard = Listener()
        stream = await open_stream(engine, heard)
        stream.configure(far.media(), withheld=True)
        stream.play(ToneSource(440.0, -20.0, 0.4))
        far.rtp.sendto(RtpPacket(8, 1, 160, 7, b"\xd5" * 160).to_bytes(), (LOOPBACK, stream.port))
        await heard.wait_for(FirstPacketReceived)
        await asyncio.sleep(0.5)
        assert (far.arrivals, heard.of(PlaybackFinished)) == ([], [])
        stream.configure(far.media())
        await heard.wait_for(PlaybackFinished)
        await stream.close()
        packets = [arrival.packet for arrival in far.arrivals]
        loud = [packet for packet in packets if packet.payload != b"\xd5" * 160]
        assert packets[0] == loud[0]
        assert packets[0].marker
        assert len(loud) == pytest.approx(20, abs=1)


async def test_a_voice_that_was_withheld_to_its_end_does_not_even_say_goodbye(engine: MediaEngine) -> None:
    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.configure(far.media(), withheld=True)
        stream.play(ToneSource(440.0))
        await asyncio.sleep(0.2)
        await stream.close()
        await asyncio.sleep(0.2)
        assert (far.arrivals, far.reports) == ([], [])


async def test_a_closed_stream_frees_its_ports_and_refuses_more(engine: MediaEngine) -> None:
    stream = await open_stream(engine)
    ports = PortRange(stream.port, stream.port + 1)
    with pytest.raises(NoPortError):
        await engine.open(bind_address=LOOPBACK, ports=ports, on_event=Listener())

    await stream.close()
    await stream.close()

    again = await engine.open(bind_address=LOOPBACK, ports=ports, on_event=Listener())
    assert again.port == stream.port
    stream.stop_playback()
    stream.stop_recording()
    for refused in (lambda: stream.play(ToneSource(440)), lambda: stream.configure(negotiated(4000))):
        with pytest.raises(MediaStoppedError):
            refused()


async def test_one_thread_serves_all_streams_until_the_engine_stops(engine: MediaEngine) -> None:
    def media_threads() -> int:
        return sum(thread.name == "sip_ua media" for thread in threading.enumerate())

    assert media_threads() == 0
    one, other = await open_stream(engine), await open_stream(engine)
    assert media_threads() == 1
    await one.close()
    await other.close()
    assert media_threads() == 1
    third = await open_stream(engine)
    assert media_threads() == 1
    assert (await engine.clock_statistics()).skipped == 0
    await third.close()


async def test_the_engine_can_be_stopped_in_any_state_and_used_again() -> None:
    engine = MediaEngine()
    await engine.stop()
    stream = await open_stream(engine)
    prepared = engine.prepare(ToneSource(440))
    stream.play(ToneSource(440))

    await asyncio.gather(engine.stop(), engine.stop())
    await engine.stop()

    assert engine.streams == 0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sip_ua")]
    prepared.discard()
    await (await open_stream(engine)).close()
    await engine.stop()


async def test_opening_while_the_last_stream_closes_gets_a_thread_of_its_own(engine: MediaEngine) -> None:
    for _ in range(20):
        stream = await open_stream(engine)
        closing = asyncio.create_task(stream.close())
        await asyncio.sleep(0)
        other = await open_stream(engine)
        assert await other.statistics() is None
        await closing
        assert await other.statistics() is None
        await other.close()


async def test_a_thousand_streams_leave_nothing_behind(engine: MediaEngine) -> None:
    kept = await open_stream(engine)
    kept.configure(negotiated(4000))
    await (await open_stream(engine)).close()
    files, threads = open_descriptors(), threading.active_count()

    for number in range(1000):
        stream = await open_stream(engine)
        stream.configure(negotiated(4000))
        if number % 50 == 0:
            stream.play(ToneSource(440))
        await stream.close()

    await eventually(lambda: threading.active_count() == threads)
    assert open_descriptors() == files
    assert engine.streams == 1


async def test_threads_that_come_and_go_leave_nothing_behind(engine: MediaEngine) -> None:
    await (await open_stream(engine)).close()
    files = open_descriptors()

    for _ in range(100):
        await (await open_stream(engine)).close()

    assert open_descriptors() == files


async def test_an_error_in_one_stream_is_not_heard_in_another(engine: MediaEngine) -> None:
    heard = Listener()
    make_packets = CallStream.make_packets

    def fail(stream: CallStream, ticks: int, now: float) -> object:
        if stream.period == 40_000_000:
            raise RuntimeError("a defect")
        return make_packets(stream, ticks, now)

    with FarEnd() as far, FarEnd() as other:
        failing = await open_stream(engine, heard)
        going_on = await open_stream(engine)
        with patch.object(CallStream, "make_packets", fail):
            going_on.configure(other.media())
            failing.configure(far.media(ptime=40))
            time.sleep(0.2)  # noqa: ASYNC251 - so that the event loop does not know of it yet
            playback = failing.play(SilenceSource(0.1))
            failed = await heard.wait_for(StreamFailed)
            before = len(other.arrivals)
            await eventually(lambda: len(other.arrivals) > before + 5)

    assert "a defect" in failed.error
    assert (await heard.wait_for(PlaybackFinished)).playback_id == playback
    assert await failing.statistics() is None
    with pytest.raises(MediaStoppedError, match="failed"):
        failing.play(SilenceSource(0.1))
    await failing.close()


async def test_a_thread_that_fails_says_so_and_is_replaced(engine: MediaEngine) -> None:
    heard = Listener()
    with patch.object(MediaLoop, "_tick", side_effect=RuntimeError("a defect")):
        stream = await open_stream(engine, heard)
        await heard.wait_for(StreamFailed)
        await stream.close()

    with FarEnd() as far:
        stream = await open_stream(engine)
        stream.configure(far.media())
        await eventually(lambda: bool(far.arrivals))


async def test_an_error_of_a_listener_is_its_own(engine: MediaEngine, caplog: pytest.LogCaptureFixture) -> None:
    def listener(_: object) -> None:
        raise RuntimeError("a defect of the listener")

    with FarEnd() as far:
        stream = await open_stream(engine, listener)
        stream.configure(far.media())
        stream.play(SilenceSource(0.04))
        await eventually(lambda: "a defect of the listener" in caplog.text)
        before = len(far.arrivals)
        await eventually(lambda: len(far.arrivals) > before + 3)


async def test_no_port_is_told_with_the_range(engine: MediaEngine) -> None:
    with pytest.raises(NoPortError, match="40001 and 40002"):
        await engine.open(bind_address=LOOPBACK, ports=PortRange(40001, 40002), on_event=Listener())

    assert engine.streams == 0
