"""Two telephones that hear one another: our tone at the far end, and theirs here."""

from pathlib import Path
from typing import Protocol

from custom_components.sip_ua.net.audio import FileSource

from .agent import Agent
from .tone import Tone, assert_tone, measure, read_wav, sine, wav_seconds, write_wav

OUR_HZ, THEIR_HZ = 1000.0, 440.0
DBFS = -15.0
RATE = 8_000
ENOUGH_SECONDS = 2.5
TONE_SECONDS = 15.0


class Listener(Protocol):
    """A peer that says a tone of `THEIR_HZ` and can measure what it hears."""

    async def until_heard(self, seconds: float) -> Tone:
        """Wait until a tone came for so long, and return the measured tone."""


async def assert_voice_both_ways(ours: Agent, call_id: str, theirs: Listener, folder: Path, rate: int = RATE) -> None:
    """Send a 1 kHz tone, and find it at the peer and the peer's tone here, with sound of `rate` Hz all the way."""
    tone = write_wav(folder / "ours.wav", sine(OUR_HZ, TONE_SECONDS, rate, DBFS), rate)
    recording = ours.record(call_id, folder)
    ours.phone.play(call_id, FileSource(tone))
    await ours.until(lambda: wav_seconds(recording, rate) >= ENOUGH_SECONDS, "we hear the peer's tone")
    # Read before anything is measured: that would be heard on a machine with little time.
    samples, recorded_rate = read_wav(recording)
    assert_tone(await theirs.until_heard(ENOUGH_SECONDS), OUR_HZ, DBFS)
    assert recorded_rate == rate
    assert_tone(measure(samples, rate), THEIR_HZ, DBFS)
    ours.phone.stop_recording(call_id)
    ours.phone.stop_playback(call_id)
