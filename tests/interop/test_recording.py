"""Our recordings of calls with other telephones: each side on its channel, at its level, at its time."""

import array
from dataclasses import dataclass
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.net.media_clock import ClockStatistics
from custom_components.sip_ua.net.phone import RecordingFinished, RecordingStarted
from custom_components.sip_ua.net.recording_order import RecordedSides, RecordingFormat, RecordingOrder
from custom_components.sip_ua.sip.events import CallState
from tests.net.media_support import first_loud
from tests.net.recording_process import read_sound

from .agent import Agent, account_at
from .conftest import Peers
from .peers.baresip import TONE_DBFS
from .tone import Tone, measure, sine, write_wav

pytestmark = [pytest.mark.interop]

OUR_HZ, THEIR_HZ, OUR_DBFS, RATE = 1000.0, 440.0, -18.0, 8_000
SECONDS = 2.5
BURSTS, BURST_SECONDS, PAUSE_SECONDS = 5, 0.1, 0.4
FRAME = 0.02
ROUNDING = 1e-6


def order(folder: Path, file_format: RecordingFormat) -> RecordingOrder:
    """Return an order of a stereo recording in a new folder."""
    path = folder / "calls" / f"call{file_format.suffix}"
    return RecordingOrder(path=path, sides=RecordedSides.STEREO, file_format=file_format, root=folder)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Our channel, that of the far end, their rate, and for how many seconds the machine stood still meanwhile."""

    said: array.array[int]
    heard: array.array[int]
    rate: int
    stood_still: float


async def finish(ours: Agent, call_id: str, before: ClockStatistics) -> Recorded:
    """End the recording of a call; `before` is what the clock told when it began."""
    ours.phone.stop_recording(call_id)
    await ours.until(lambda: ours.told(RecordingFinished), "the recording is complete")
    (finished,) = ours.told(RecordingFinished)
    assert finished.result.error is None
    # What the clock gave up as the machine stood still is no loss of ours; anything beyond it is.
    given_up = (await ours.media.clock_statistics()).skipped - before.skipped
    assert finished.result.lost <= given_up * FRAME + ROUNDING
    channels, rate = read_sound(finished.result.path)
    assert abs(len(channels[0]) / 2 / rate - finished.result.seconds) < FRAME
    said, heard = (array.array("h", channel) for channel in channels)
    return Recorded(said, heard, rate, finished.result.lost)


def assert_heard(
    tone: Tone, frequency_hz: float, level_dbfs: float, file_format: RecordingFormat, stood_still: float
) -> None:
    """Check a tone; what Opus makes of it is not quite the same."""
    assert abs(tone.frequency_hz - frequency_hz) < 0.5, tone
    assert abs(tone.level_dbfs - level_dbfs) < (0.3 if file_format is RecordingFormat.WAV else 0.6), tone
    assert tone.snr_db > (30 if file_format is RecordingFormat.WAV else 15), tone
    assert tone.longest_gap_seconds <= stood_still, tone


@pytest.mark.peer("kamailio", "baresip")
@pytest.mark.parametrize("file_format", list(RecordingFormat))
async def test_each_tone_is_found_on_its_channel(peers: Peers, tmp_path: Path, file_format: RecordingFormat) -> None:
    kamailio = await peers.kamailio()
    await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    async with Agent(account_at(kamailio)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("bob")
        await ours.until_state(call_id, CallState.TALKING)
        tone = write_wav(tmp_path / "ours.wav", sine(OUR_HZ, 20.0, RATE, OUR_DBFS), RATE)
        ours.phone.play(call_id, FileSource(tone))
        clock = await ours.media.clock_statistics()
        ours.phone.record_as(call_id, order(tmp_path, file_format))
        await ours.until(lambda: ours.told(RecordingStarted), "the recording begins")
        await ours.until_packets(call_id, sent=round(SECONDS / FRAME), received=round(SECONDS / FRAME))
        recorded = await finish(ours, call_id, clock)

    rate = recorded.rate
    assert rate == (RATE if file_format is RecordingFormat.WAV else 48_000)
    assert_heard(measure(recorded.said, rate), OUR_HZ, OUR_DBFS, file_format, recorded.stood_still)
    assert_heard(measure(recorded.heard, rate), THEIR_HZ, TONE_DBFS, file_format, recorded.stood_still)


@pytest.mark.peer("asterisk")
@pytest.mark.parametrize("file_format", list(RecordingFormat))
async def test_an_echo_is_as_late_in_the_recording_as_our_buffer_makes_it(
    peers: Peers, tmp_path: Path, file_format: RecordingFormat
) -> None:
    asterisk = await peers.asterisk()
    silence = array.array("h", bytes(2 * round(PAUSE_SECONDS * RATE)))
    bursts = array.array("h")
    for _ in range(BURSTS):
        bursts += silence + sine(OUR_HZ, BURST_SECONDS, RATE, OUR_DBFS)
    sound = write_wav(tmp_path / "ours.wav", bursts + silence + silence, RATE)
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        call_id = await ours.phone.dial("echo")
        await ours.until_state(call_id, CallState.TALKING)
        await ours.until_packets(call_id, received=25)
        clock = await ours.media.clock_statistics()
        ours.phone.record_as(call_id, order(tmp_path, file_format))
        ours.phone.play(call_id, FileSource(sound))
        waits: list[float] = []
        for _ in range(2 * BURSTS):
            await ours.until_packets(call_id, sent=round((BURST_SECONDS + PAUSE_SECONDS) / 2 / FRAME) + 2)
            figures = await ours.phone.statistics(call_id)
            assert figures is not None
            waits.append(figures.delay_ms / 1000)
        recorded = await finish(ours, call_id, clock)

    delays = echoes(recorded)
    assert len(delays) == BURSTS
    # The buffer is longer while this machine is busy, and nothing else may make an echo later or earlier.
    assert all(min(waits) - FRAME <= delay <= max(waits) + FRAME for delay in delays), (delays, waits)


def echoes(recorded: Recorded) -> list[float]:
    """Return after how many seconds each burst came back."""
    delays: list[float] = []
    at = 0
    for _ in range(BURSTS):
        begin = first_loud(recorded.said.tobytes(), from_sample=at)
        delays.append((first_loud(recorded.heard.tobytes(), from_sample=begin) - begin) / recorded.rate)
        at = begin + round((BURST_SECONDS + PAUSE_SECONDS / 2) * recorded.rate)
    return delays
