"""Encrypted voice through the media engine, on real sockets: tones, digits, reports, strangers and wrong keys."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.net import stream as stream_module
from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.net.media import MediaEngine, MediaStream
from custom_components.sip_ua.net.srtp import Unprotector
from custom_components.sip_ua.net.stream_events import (
    DigitReceived,
    FirstPacketReceived,
    MediaTimedOut,
    PlaybackFinished,
    RtpStatistics,
    SsrcChanged,
)
from custom_components.sip_ua.rtp.packet import RtpPacket, parse_packet
from custom_components.sip_ua.rtp.parameters import RtpConfig
from custom_components.sip_ua.sip.sdes import SUITES, MediaSecurity

from .media_support import (
    LOOPBACK,
    PORTS,
    Listener,
    Pair,
    frequency_of,
    level_of,
    loud_part,
    negotiated,
    open_stream,
    read_wav,
)

CM80 = "AES_CM_128_HMAC_SHA1_80"
QUICK = RtpConfig(media_timeout=0.4, rtcp_interval=0.2)


def keys(suite: str, ours: int, theirs: int) -> MediaSecurity:
    """Return keys that are told apart by a number."""
    size = SUITES[suite]
    return MediaSecurity(suite, local_key=bytes([ours]) * size, remote_key=bytes([theirs]) * size)


def connect(ours: MediaStream, port: int, security: MediaSecurity | None) -> None:
    """Let a stream talk to a port."""
    ours.configure(replace(negotiated(port), security=security))


def encrypt(pair: Pair, suite: str = CM80) -> None:
    """Let both streams talk to each other."""
    connect(pair.ours, pair.theirs.port, keys(suite, 1, 2))
    connect(pair.theirs, pair.ours.port, keys(suite, 2, 1))


async def figures(stream: MediaStream) -> RtpStatistics:
    """Return the figures so far."""
    found = await stream.statistics()
    assert found is not None
    return found


async def until(stream: MediaStream, condition: Callable[[RtpStatistics], bool]) -> RtpStatistics:
    """Return the figures as soon as they are such."""
    async with asyncio.timeout(5):
        while not condition(found := await figures(stream)):  # noqa: ASYNC110 - it happens in another thread
            await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("suite", SUITES)
async def test_encrypted_tones_and_digits_cross_in_both_directions(pair: Pair, tmp_path: Path, suite: str) -> None:
    encrypt(pair, suite)
    pair.ours.record(tmp_path / "ours.wav")
    pair.theirs.record(tmp_path / "theirs.wav")

    pair.ours.play(ToneSource(1000, -10, 0.3))
    pair.theirs.play(ToneSource(440, -20, 0.3))
    await pair.heard.wait_for(PlaybackFinished)
    await pair.heard_there.wait_for(PlaybackFinished)
    pair.ours.send_digits("1#", duration_ms=60, gap_ms=60)
    pair.theirs.send_digits("9*", duration_ms=60, gap_ms=60)
    await pair.heard_there.wait_for(DigitReceived, 2)
    await pair.heard.wait_for(DigitReceived, 2)
    await asyncio.gather(pair.ours.close(), pair.theirs.close())

    assert "".join(event.digit for event in pair.heard_there.of(DigitReceived)) == "1#"
    assert "".join(event.digit for event in pair.heard.of(DigitReceived)) == "9*"
    for name, frequency, level in (("theirs", 1000, -10), ("ours", 440, -20)):
        pcm, rate, _ = read_wav(tmp_path / f"{name}.wav")
        tone = loud_part(pcm)
        assert frequency_of(tone, rate) == pytest.approx(frequency, rel=0.005)
        assert level_of(tone[1600:-1600]) == pytest.approx(level, abs=0.5)
    for stream in (pair.ours, pair.theirs):
        at_end = await figures(stream)
        assert at_end.encrypted
        assert (at_end.unauthenticated, at_end.replayed, at_end.lost) == (0, 0, 0)


async def test_reports_cross_encrypted(engine: MediaEngine) -> None:
    ours, theirs = [
        await engine.open(bind_address=LOOPBACK, ports=PORTS, on_event=Listener(), config=QUICK) for _ in range(2)
    ]
    encrypt(Pair(ours, theirs, Listener(), Listener()))

    found = await until(ours, lambda figures: figures.remote_loss is not None)

    assert found.unauthenticated == 0


@pytest.mark.parametrize("suite", SUITES)
async def test_a_new_key_in_a_call_makes_a_new_source_and_the_voice_goes_on(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, suite: str
) -> None:
    monkeypatch.setattr(stream_module, "first_sequence", lambda _entropy: 65_530)
    encrypt(pair, suite)
    before = await until(pair.theirs, lambda figures: figures.packets_received >= 20)
    connect(pair.theirs, pair.ours.port, keys(suite, 2, 3))
    connect(pair.ours, pair.theirs.port, keys(suite, 3, 2))
    found = await until(pair.theirs, lambda figures: figures.packets_received >= before.packets_received + 20)
    changed = await pair.heard_there.wait_for(SsrcChanged)
    assert changed.old != changed.new
    assert found.replayed == 0
    other = await figures(pair.ours)
    assert (other.unauthenticated, other.replayed) == (0, 0)
    assert not pair.heard.of(SsrcChanged), "their key has stayed"


async def test_nothing_plain_is_sent_and_numbers_begin_in_the_lower_half(engine: MediaEngine) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp,
    ):
        for endpoint in (rtp, rtcp):
            endpoint.bind((LOOPBACK, 0))
            endpoint.settimeout(2)
        streams = [await open_stream(engine) for _ in range(8)]
        for number, stream in enumerate(streams):
            media = replace(negotiated(rtp.getsockname()[1]), remote_rtcp=rtcp.getsockname())
            stream.configure(replace(media, security=keys(CM80, number + 1, 100)))
        packets: dict[int, bytes] = {}
        while len(packets) < len(streams):
            data, (_, port) = rtp.recvfrom(2048)
            packets.setdefault(port, data)
        goodbyes = set()
        for number, stream in enumerate(streams):
            receiver = Unprotector(CM80, keys(CM80, number + 1, 100).local_key, b"")
            plain = receiver.unprotect(packets[stream.port])
            assert plain is not None
            assert parse_packet(plain).payload == b"\xd5" * 160
            assert parse_packet(plain).sequence < 1 << 15
            assert b"\xd5" * 8 not in packets[stream.port]
            await stream.close()
            goodbye = rtcp.recv(2048)
            assert receiver.unprotect_rtcp(goodbye) is not None
            goodbyes.add(goodbye)
        assert len(goodbyes) == len(streams)


async def test_a_wrong_key_is_silence_and_ends_as_such(engine: MediaEngine) -> None:
    heard = Listener()
    ours = await engine.open(bind_address=LOOPBACK, ports=PORTS, on_event=heard, config=QUICK)
    theirs = await open_stream(engine)
    connect(ours, theirs.port, keys(CM80, 1, 3))
    connect(theirs, ours.port, keys(CM80, 2, 1))
    theirs.play(ToneSource(440, -10))

    await heard.wait_for(MediaTimedOut)

    assert heard.of(FirstPacketReceived) == []
    assert (await figures(ours)).unauthenticated > 5
    assert (await figures(ours)).packets_received == 0
    assert (await figures(theirs)).packets_received > 5


async def test_plain_and_repeated_packets_are_counted_and_not_heard(pair: Pair) -> None:
    encrypt(pair)
    await pair.heard.wait_for(FirstPacketReceived)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(20):
            packet = RtpPacket(8, number, 160 * number, 7, b"\x2a" * 160)
            stranger.sendto(packet.to_bytes(), (LOOPBACK, pair.ours.port))
            stranger.sendto(b"\x81\xc8\x00\x06" + bytes(24), (LOOPBACK, pair.ours.port + 1))
            stranger.sendto(bytes(number), (LOOPBACK, pair.ours.port))

    found = await until(pair.ours, lambda figures: figures.unauthenticated >= 60)

    assert (found.strangers, found.malformed) == (0, 0)
    assert len(pair.heard.of(FirstPacketReceived)) == 1


async def test_new_keys_in_a_call_are_taken_over_on_both_sides(pair: Pair) -> None:
    encrypt(pair)
    await pair.heard.wait_for(FirstPacketReceived)
    connect(pair.ours, pair.theirs.port, keys("AEAD_AES_128_GCM", 5, 6))
    connect(pair.theirs, pair.ours.port, keys("AEAD_AES_128_GCM", 6, 5))
    before = (await figures(pair.ours)).packets_received

    found = await until(pair.ours, lambda figures: figures.packets_received >= before + 20)

    # What was on its way at the moment of the change.
    assert found.unauthenticated <= 10
    connect(pair.ours, pair.theirs.port, None)
    connect(pair.theirs, pair.ours.port, None)
    assert not (await figures(pair.ours)).encrypted
