"""Sends a minute of speech through Asterisk and back over a line that loses packets, and judges what is heard by PESQ.

    .venv/bin/python scripts/benchmark/speech.py [--codecs PCMA PCMU G722 OPUS] [--losses 0 3 10] [--both-ways]

Asterisk gives back every packet that it gets (Echo). Ours and baresip call at the same time over a line that loses the
same packets of each call: on the way back, or with `--both-ways` on both. `codec` is the same speech through the codec
alone, as good as it can be. The delay is from a packet's leaving to its being heard, jitter buffer and all. What
baresip hears is written before it waits for a sound card: there is no delay to be had, and a packet that comes too late
does not harm it. Where the delay moves, the sound was stretched or cut. Brings Debian's recordings of a voice and PESQ
into the cache folder.
"""

import argparse
import array
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, override

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from scripts.benchmark.quiet import ahead_of_others  # noqa: E402
from scripts.exchange import lift_rooms  # noqa: E402

lift_rooms()

from custom_components.sip_ua.net.audio import FileSource  # noqa: E402
from custom_components.sip_ua.net.av_codecs import ALL_CODECS  # noqa: E402
from custom_components.sip_ua.net.media_clock import ClockStatistics  # noqa: E402
from custom_components.sip_ua.net.recording_order import RecordedSides  # noqa: E402
from custom_components.sip_ua.net.resample import pcm_frame, pcm_resampler, resample  # noqa: E402
from custom_components.sip_ua.rtp.figures import RtpStatistics  # noqa: E402
from custom_components.sip_ua.sip.events import CallState  # noqa: E402
from tests.interop.agent import Agent, account_at  # noqa: E402
from tests.interop.peers import Asterisk, Baresip  # noqa: E402
from tests.interop.peers.asterisk import RTP_PORTS, User  # noqa: E402
from tests.interop.tone import write_wav  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "sip_ua")
SPEECH_RATE = 16_000
MIRROR = "127.0.0.2"
PASSWORD = "spoken"  # noqa: S105 - of nobody
BARESIP_PORTS = 24
TAIL_SECONDS = 1.0
TOLERANCE = 0.1
"""What of PESQ nobody hears, and what the place of a lost packet makes."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A codec: Asterisk's name, baresip's, baresip's rate and channels, and the rate at which it is judged."""

    asterisk: str
    baresip: str
    rate: int
    channels: int
    judged_at: int


KINDS = {
    "PCMA": Kind("alaw", "pcma", 8_000, 1, 8_000),
    "PCMU": Kind("ulaw", "pcmu", 8_000, 1, 8_000),
    "G722": Kind("g722", "G722/16000/1", 16_000, 1, 16_000),
    "OPUS": Kind("opus", "opus/48000/2", 48_000, 2, 16_000),
}


@dataclass(frozen=True, slots=True)
class Call:
    """What was said, where that is known sample by sample, what was heard beside it, and our own figures."""

    sent: array.array[int] | None
    heard: array.array[int]
    rate: int
    figures: RtpStatistics | None = None
    clock: ClockStatistics | None = None


def users(here: str, there: str, kind: Kind) -> tuple[User, ...]:
    """Return accounts whose voice goes over the line."""
    settings = ("rtp_symmetric = yes", "disallow = all", f"allow = {kind.asterisk}")
    # Of Asterisk: where it tells everybody that its voice is.
    outside = ("[udp](+)", f"external_media_address = {MIRROR}")
    place = ("max_contacts = 10", *outside)
    return (User(here, PASSWORD, settings, place=place), User(there, PASSWORD, settings, place=place[:1]))


def resampled(samples: array.array[int], rate: int, to: int) -> array.array[int]:
    """Return the sound at another rate."""
    if rate == to:
        return samples
    resampler = pcm_resampler(to)
    pcm = resample(resampler, pcm_frame(samples.tobytes(), rate)) + resample(resampler, None)
    return array.array("h", pcm)


def speech(seconds: float) -> array.array[int]:
    """Return what is said, at `SPEECH_RATE`."""
    script = 'set -euo pipefail; source "$1/scripts/lib/common.sh"; source "$1/scripts/lib/speech.sh"; bring_speech'
    subprocess.run(["bash", "-c", script, "bash", str(REPO)], check=True)
    decoder = ALL_CODECS["G722"].create()
    coded = (CACHE / "speech" / "speech.g722").read_bytes()
    pcm = b"".join(decoder.decode(coded[at : at + 160]) for at in range(0, len(coded) // 160 * 160, 160))
    return array.array("h", pcm)[: round(seconds * SPEECH_RATE)]


def through_codec(name: str, sound: array.array[int]) -> array.array[int]:
    """Return the sound after the codec, without any network."""
    kind = ALL_CODECS[name]
    coder, decoder, size = kind.create(), kind.create(), kind.samples(20)
    sound = resampled(sound, SPEECH_RATE, kind.sample_rate)
    frames = [sound[at : at + size].tobytes() for at in range(0, len(sound) // size * size, size)]
    return array.array("h", b"".join(decoder.decode(coder.encode(frame)) for frame in frames))


class Speaker(Baresip):
    """A baresip that says what is in a file, conceals what is lost, and keeps what it heard after that."""

    def __init__(self, folder: Path, kind: Kind, said: Path, *, user: str, exchange: str) -> None:
        super().__init__(folder, user=user, password=PASSWORD, registrar=exchange, codecs=(kind.baresip,))
        self.said = said
        # Its codec Opus does; its module for the others is for one channel only.
        self.conceals_itself = kind.channels > 1
        self.exchange = exchange

    @override
    def _configuration(self, tone: Path) -> str:
        configuration = super()._configuration(self.said)
        if self.conceals_itself:
            return configuration
        # In this order, what is dumped has gone through the concealment.
        return configuration.replace("module sndfile.so\n", "module plc.so\nmodule sndfile.so\n")


@asynccontextmanager
async def line(asterisk: Asterisk) -> AsyncIterator[asyncio.subprocess.Process]:
    """Have the line."""
    first = asterisk.rtp_port
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(REPO / "scripts/benchmark/line.py"),
        str(first),
        str(first + RTP_PORTS),
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


def lose(process: asyncio.subprocess.Process, ports: Sequence[int], there: float, back: float) -> None:
    """Have the line lose these parts of the packets of a telephone whose RTP ports are between these two."""
    if process.stdin is not None:
        process.stdin.write(json.dumps([ports, there, back]).encode() + b"\n")


async def ours(agent: Agent, said: Path, seconds: float, folder: Path) -> Call:
    """Call with our phone."""
    async with agent:
        await agent.until_registered()
        call_id = await agent.phone.dial("echo")
        await agent.until_state(call_id, CallState.TALKING)
        path = folder / "ours.wav"
        agent.phone.record(call_id, path, RecordedSides.STEREO)
        agent.phone.play(call_id, FileSource(said))
        await asyncio.sleep(seconds)
        figures, clock = await agent.phone.statistics(call_id), await agent.media.clock_statistics()
        agent.phone.stop_recording(call_id)
        await agent.phone.hangup(call_id)
        await agent.until_ended(call_id)
    with wave.open(str(path), "rb") as file:
        both, rate = array.array("h", file.readframes(file.getnframes())), file.getframerate()
    return Call(both[0::2], both[1::2], rate, figures, clock)


async def theirs(speaker: Speaker, seconds: float) -> Call:
    """Call with baresip; when it said what is not known."""
    async with speaker:
        await speaker.dial(f"sip:echo@{speaker.exchange}")
        await speaker.until_event("CALL_ESTABLISHED")
        await asyncio.sleep(seconds)
        await speaker.hangup()
        await speaker.until_event("CALL_CLOSED")
        heard, rate = speaker.heard()
    return Call(None, heard, rate)


async def calls(
    name: str, sound: array.array[int], losses: Sequence[float], folder: Path, *, both_ways: bool
) -> tuple[list[Call], list[Call]]:
    """Let both telephones say the sound once at each loss, all at the same time."""
    kind = KINDS[name]
    said = write_wav(folder / "said.wav", resampled(sound, SPEECH_RATE, kind.rate), kind.rate)
    for_baresip = write_wav(folder / "baresip.wav", resampled(sound, SPEECH_RATE, kind.rate), kind.rate, kind.channels)
    seconds = len(sound) / SPEECH_RATE + TAIL_SECONDS
    here, there = f"ours-{name.lower()}", f"baresip-{name.lower()}"
    async with Asterisk(folder / "asterisk", further=users(here, there, kind)) as asterisk, line(asterisk) as carrier:
        by_us, by_baresip = [], []
        for loss in losses:
            place = folder / f"{loss:g}"
            place.mkdir()
            account = account_at(asterisk, here, codecs=(name,))
            speaker = Speaker(place / "baresip", kind, for_baresip, user=there, exchange=asterisk.address)
            ports = account.network.rtp_port_min, account.network.rtp_port_max
            for first, last in (ports, (speaker.rtp_port, speaker.rtp_port + BARESIP_PORTS - 1)):
                lose(carrier, (first, last), loss / 100 if both_ways else 0.0, loss / 100)
            by_us.append(ours(Agent(account), said, seconds, place))
            by_baresip.append(theirs(speaker, seconds))
        return await asyncio.gather(asyncio.gather(*by_us), asyncio.gather(*by_baresip))


def judge(name: str, sound: array.array[int], results: dict[str, Call], folder: Path) -> list[dict[str, Any]]:
    """Return the figures of these calls, and of the codec alone."""
    kind = KINDS[name]
    alone = Call(None, through_codec(name, sound), ALL_CODECS[name].sample_rate)
    tasks = []
    for number, (label, call) in enumerate({"codec": alone, **results}.items()):
        sent, rate = (sound, SPEECH_RATE) if call.sent is None else (call.sent, call.rate)
        paths = {"sent": folder / f"{number}.sent", "heard": folder / f"{number}.heard"}
        paths["sent"].write_bytes(resampled(sent, rate, kind.judged_at).tobytes())
        paths["heard"].write_bytes(resampled(call.heard, call.rate, kind.judged_at).tobytes())
        tasks.append({"name": label, "rate": kind.judged_at, **{side: str(path) for side, path in paths.items()}})
    command = [str(CACHE / "score/bin/python"), str(REPO / "scripts/benchmark/score.py")]
    done = subprocess.run(command, input=json.dumps(tasks), stdout=subprocess.PIPE, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def show(name: str, figures: dict[str, Any], call: Call | None) -> None:
    """Print one line of the table."""
    delay = "-" if call is None or call.sent is None else f"{figures['delay']:.0f} ms"
    notes = ""
    if call is not None and call.figures is not None and call.clock is not None:
        told = call.figures
        notes = (
            f"lost {told.lost}, late {told.late}, made up {told.concealed_ms} ms, our tick {call.clock.latest_ms:.0f}"
        )
    print(
        f"{name:6}{figures['name']:14}{figures['score']:>7.2f}{figures['worst']:>7.2f}{figures['level']:>8.1f} dB"
        f"{delay:>9}{figures['wander']:>7.0f} ms   {notes}",
        flush=True,
    )


async def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codecs", nargs="+", choices=tuple(KINDS), default=list(KINDS))
    parser.add_argument("--losses", type=float, nargs="+", default=[0.0, 3.0, 10.0], help="per cent")
    parser.add_argument("--seconds", type=float, default=60.0, help="how much is said (default: 60)")
    parser.add_argument("--both-ways", action="store_true", help="lose packets on the way there as well")
    options = parser.parse_args()
    ahead_of_others()
    sound = speech(options.seconds)
    silence = array.array("h", bytes(2 * SPEECH_RATE))
    print(f"{'codec':6}{'':14}{'PESQ':>7}{'worst':>7}{'level':>11}{'delay':>9}{'moved':>10}")
    worse = []
    for name in options.codecs:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            by_us, by_baresip = await calls(name, silence + sound, options.losses, folder, both_ways=options.both_ways)
            results: dict[str, Call] = {}
            for loss, mine, other in zip(options.losses, by_us, by_baresip, strict=True):
                results |= {f"ours {loss:g} %": mine, f"baresip {loss:g} %": other}
            judged = judge(name, silence + sound, results, folder)
        for figures in judged:
            show(name, figures, results.get(figures["name"]))
        scores = {figures["name"]: figures["score"] for figures in judged}
        worse += [
            f"{name} at {loss:g} %"
            for loss in options.losses
            if scores[f"ours {loss:g} %"] < scores[f"baresip {loss:g} %"] - TOLERANCE
        ]
    print(f"worse than baresip by more than {TOLERANCE:g}: {', '.join(worse) or 'nowhere'}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
