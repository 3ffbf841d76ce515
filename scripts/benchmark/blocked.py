"""Blocks Home Assistant's event loop for 500 ms every 2 s during a call, and tells what is heard of that.

    .venv/bin/python scripts/benchmark/blocked.py [--seconds N] [--codecs PCMA G722]

The loop is blocked by waiting (as a driver or a file does), by Python code (a template), and, last, by one call into C
that keeps the interpreter's lock all the time, against which no thread can do anything. Each line tells how many ms
packets came too late at a bare far end in another process, against the pace of the median one, and what became of the
tone that it heard and of the one that we heard: missing packets, and jumps of its phase. `floor` is a bare loop of the
far end itself, at the same time on the same machine.
"""

import argparse
import array
import asyncio
import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, override

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from custom_components.sip_ua.net.audio import ToneSource  # noqa: E402
from custom_components.sip_ua.net.av_codecs import ALL_CODECS  # noqa: E402
from custom_components.sip_ua.net.media import MediaEngine  # noqa: E402
from custom_components.sip_ua.rtp.packet import parse_packet, write_packet  # noqa: E402
from custom_components.sip_ua.sip.offer_answer import CODECS  # noqa: E402
from scripts.benchmark.clock import Arrivals, drain  # noqa: E402
from scripts.benchmark.media import LOOPBACK, PERIOD, SO_TIMESTAMPNS, percentile, tell  # noqa: E402
from scripts.benchmark.quiet import ahead_of_others  # noqa: E402
from tests.interop.tone import Tone, measure, read_wav  # noqa: E402
from tests.net.media_support import PORTS, negotiated  # noqa: E402

GOAL_MS = 10.0
EVERY, BLOCKED = 2.0, 0.5
OUR_HZ, THEIR_HZ = 1000.0, 440.0
SETTLED = 25
"""Packets after which a call has begun."""


def wait(seconds: float) -> None:
    """Wait for something outside."""
    time.sleep(seconds)


def compute(seconds: float) -> None:
    """Run Python code."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum([n * n for n in range(1000)])


def hold(seconds: float) -> None:
    """Stay inside one function of C, `SPEED` steps of which take a second."""
    sum(range(round(seconds * SPEED)))


def speed() -> float:
    """Return how many steps of such a function take a second."""
    begun = time.monotonic()
    sum(range(2_000_000))
    return 2_000_000 / (time.monotonic() - begun)


SPEED = speed()
BLOCKS: dict[str, Callable[[float], None] | None] = {"idle": None, "waits": wait, "computes": compute, "holds": hold}
PROMISED = ("idle", "waits", "computes")


def lateness(arrivals: Arrivals) -> list[float]:
    """Return by how many ms packets came late, in order of size."""
    offsets = arrivals.offsets[SETTLED:]
    middle = statistics.median(offsets)
    return sorted(1000 * (offset - middle) for offset in offsets)


def heard(sound: array.array[int], rate: int) -> Tone:
    """Return the tone in the middle of what was heard."""
    return measure(sound[rate : len(sound) - rate // 2], rate)


class Kept(Arrivals):
    """Arrivals with what was in them."""

    def __init__(self) -> None:
        super().__init__()
        self.payloads: list[bytes] = []

    @override
    def note(self, data: bytes, moment: float) -> None:
        """Take one packet."""
        super().note(data, moment)
        self.payloads.append(parse_packet(data).payload)


def far_end(name: str, seconds: float) -> None:
    """Be the far end of a call; talks to the measuring process by lines of JSON."""
    kind, number = ALL_CODECS[name], CODECS[name].payload_type
    coder, size = kind.create(), kind.samples(20)
    turn = 2 * math.pi * THEIR_HZ / kind.sample_rate
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for endpoint in sockets:
        endpoint.bind((LOOPBACK, 0))
        endpoint.settimeout(0.0)
        endpoint.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    voice, floor, bare = sockets
    ours, floors = Kept(), Arrivals()
    frames = [
        coder.encode(
            array.array("h", (round(5827 * math.sin(turn * (at + tick * size))) for at in range(size))).tobytes()
        )
        for tick in range(round(seconds / PERIOD))
    ]
    tell(sys.stdout, voice.getsockname()[1])
    target = (LOOPBACK, json.loads(sys.stdin.readline()))
    start = time.monotonic()
    for tick, frame in enumerate(frames):
        time.sleep(max(0.0, start + tick * PERIOD - time.monotonic()))
        packet = write_packet(number, tick, tick * kind.ticks(20), 1, frame, marker=not tick)
        voice.sendto(packet, target)
        bare.sendto(packet, floor.getsockname())
        drain(voice, ours)
        drain(floor, floors)
    decoder = kind.create()
    tone = heard(array.array("h", b"".join(map(decoder.decode, ours.payloads))), kind.sample_rate)
    late, floor_late = lateness(ours), lateness(floors)
    tell(
        sys.stdout,
        {
            "p99": percentile(late, 0.99),
            "max": late[-1],
            "beyond": sum(value > GOAL_MS for value in late),
            "floor": [percentile(floor_late, 0.99), floor_late[-1], sum(value > GOAL_MS for value in floor_late)],
            "missing": ours.out_of_order,
            "jumps": tone.jumps,
            "gap": tone.longest_gap_seconds,
        },
    )


async def call(name: str, block: Callable[[float], None] | None, seconds: float, folder: Path) -> dict[str, Any]:
    """Hold a call of that codec while the loop is blocked."""
    command = [sys.executable, __file__, "--far-end", "--codecs", name, "--seconds", str(seconds)]
    engine, codec = MediaEngine(), CODECS[name]
    await engine.usable_codecs([name])
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the far end has no pipes")
        port = json.loads(await asyncio.to_thread(process.stdout.readline))
        stream = await engine.open(bind_address=LOOPBACK, ports=PORTS, on_event=lambda _: None)
        stream.play(ToneSource(OUR_HZ, -15.0))
        stream.configure(negotiated(port, codec=codec, dtmf=False))
        stream.record(folder / "heard.wav")
        tell(process.stdin, stream.port)
        result = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
        until = time.monotonic() + seconds
        while time.monotonic() < until - EVERY:
            await asyncio.sleep(EVERY - BLOCKED)
            if block is not None:
                block(BLOCKED)
        stream.stop_recording()
        found: dict[str, Any] = json.loads(await result)
        clock = await engine.clock_statistics()
    await engine.stop()
    tone = heard(*read_wav(folder / "heard.wav"))
    return found | {"tick": clock.latest_ms, "our_jumps": tone.jumps, "our_gap": tone.longest_gap_seconds}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each call lasts (default: 20)")
    parser.add_argument("--codecs", nargs="+", choices=tuple(ALL_CODECS), default=["PCMA", "G722"])
    parser.add_argument("--loops", nargs="+", choices=tuple(BLOCKS), default=list(BLOCKS), help="how it is blocked")
    parser.add_argument("--far-end", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    ahead_of_others()
    if options.far_end:
        far_end(options.codecs[0], options.seconds)
        return 0
    print(f"packets late, in ms: 99th percentile, worst, how many by more than {GOAL_MS:g}; then what was heard")
    print(f"{'codec':6}{'the loop':10}{'ours':>22}{'floor':>22}   there: missing, jumps, gap s   here: jumps, gap s")
    met = True
    for name in options.codecs:
        for label in options.loops:
            block = BLOCKS[label]
            with tempfile.TemporaryDirectory() as folder:
                found = asyncio.run(call(name, block, options.seconds, Path(folder)))
            floor = found["floor"]
            print(
                f"{name:6}{label:10}{found['p99']:>9.2f}{found['max']:>8.2f}{found['beyond']:>5}"
                f"{floor[0]:>9.2f}{floor[1]:>8.2f}{floor[2]:>5}"
                f"{found['missing']:>12}{found['jumps']:>7}{found['gap']:>7.2f}"
                f"{found['our_jumps']:>14}{found['our_gap']:>7.2f}",
                flush=True,
            )
            if label in PROMISED:
                # Where the machine itself is late, so are we.
                good = found["max"] <= max(GOAL_MS, floor[1] + GOAL_MS / 2)
                met = met and good and not (found["missing"] or found["gap"] or found["our_gap"])
    print(f"goal: no packet later than {GOAL_MS:g} ms and no gap, but for the last way: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
