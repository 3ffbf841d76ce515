"""Holds one long call and compares the sender's clock with wall time, with its numbers begun near their ends.

    .venv/bin/python scripts/benchmark/clock.py [--minutes N]

The far end is a bare process. It notes by the kernel's stamps when each packet comes, and sends voice whose numbers
wrap too; what our side makes of that is in its own figures. `floor` is the far end's own bare loop, measured in the
same way. The line of each part tells how far the packets have moved against the monotonic clock since the first part
(the median of each, so that a busy machine does not matter), and how far single ones strayed.
"""

import argparse
import array
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from scripts.benchmark.media import LOOPBACK, PERIOD, SO_TIMESTAMPNS, TIMESPEC, percentile, tell  # noqa: E402
from scripts.exchange import lift_rooms  # noqa: E402

lift_rooms()

from custom_components.sip_ua.net import stream as stream_module  # noqa: E402
from custom_components.sip_ua.net.audio import ToneSource  # noqa: E402
from custom_components.sip_ua.net.media import MediaEngine  # noqa: E402
from custom_components.sip_ua.rtp.packet import (  # noqa: E402
    SEQUENCE_MODULUS,
    TIMESTAMP_MODULUS,
    parse_packet,
    timestamp_distance,
    write_packet,
)
from custom_components.sip_ua.rtp.session import RtpSession  # noqa: E402
from custom_components.sip_ua.sip.offer_answer import CODECS  # noqa: E402
from tests.net.media_support import PORTS, negotiated  # noqa: E402

GOAL_DRIFT_MS = 20.0
PARTS = 10
CLOCK_RATE = 8000
STEP = 160
FIRST_SEQUENCE = SEQUENCE_MODULUS - 500
FIRST_TIMESTAMP = TIMESTAMP_MODULUS - 1000 * STEP
"""Ten and twenty seconds before their ends; the sequence comes to its end once more every 22 minutes."""


class Arrivals:
    """When packets came and how far that is from when their timestamps say."""

    def __init__(self) -> None:
        self.offsets = array.array("d")
        self.out_of_order = self.wrong_steps = self.wraps = self.sources = 0
        self._before: tuple[int, int, int] | None = None
        self._ticks = 0

    def note(self, data: bytes, moment: float) -> None:
        """Take one packet and its monotonic time of arrival in seconds."""
        packet = parse_packet(data)
        if self._before is not None:
            sequence, timestamp, ssrc = self._before
            passed = timestamp_distance(packet.timestamp, timestamp)
            self._ticks += passed
            self.wraps += packet.sequence < sequence
            self.out_of_order += packet.sequence != (sequence + 1) % SEQUENCE_MODULUS
            self.wrong_steps += passed != STEP
            self.sources += packet.ssrc != ssrc
        self._before = packet.sequence, packet.timestamp, packet.ssrc
        self.offsets.append(moment - self._ticks / CLOCK_RATE)

    def result(self) -> dict[str, Any]:
        """Return the figures of each part, in ms, and the counts."""
        size = max(1, len(self.offsets) // PARTS)
        parts = [self.offsets[at * size : (at + 1) * size] for at in range(PARTS)]
        medians = [statistics.median(part) for part in parts]
        strays = [
            sorted(1000 * abs(offset - median) for offset in part) for part, median in zip(parts, medians, strict=True)
        ]
        return {
            "packets": len(self.offsets),
            "drift": [1000 * (median - medians[0]) for median in medians],
            "p99": [percentile(stray, 0.99) for stray in strays],
            "max": [stray[-1] for stray in strays],
            "out_of_order": self.out_of_order,
            "wrong_steps": self.wrong_steps,
            "wraps": self.wraps,
            "sources": self.sources,
        }


def drain(endpoint: socket.socket, arrivals: Arrivals) -> None:
    """Read all that waits; the kernel's stamps are of the time of day, which may be set meanwhile."""
    while True:
        try:
            data, ancillary, _, _ = endpoint.recvmsg(2048, 64)
        except BlockingIOError:
            return
        now, wall = time.monotonic(), time.time_ns()
        for _, kind, value in ancillary:
            if kind == SO_TIMESTAMPNS:
                stamp, nanoseconds = TIMESPEC.unpack(value)
                arrivals.note(data, now - (wall - stamp * 1_000_000_000 - nanoseconds) / 1e9)


def far_end(seconds: float) -> None:
    """Be the far end; talks to the measuring process by lines of JSON."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for endpoint in sockets:
        endpoint.bind((LOOPBACK, 0))
        endpoint.settimeout(0.0)
        endpoint.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    voice, floor, bare = sockets
    ours, floors = Arrivals(), Arrivals()
    tell(sys.stdout, voice.getsockname()[1])
    target = (LOOPBACK, json.loads(sys.stdin.readline()))
    start = time.monotonic()
    for tick in range(round(seconds / PERIOD)):
        time.sleep(max(0.0, start + tick * PERIOD - time.monotonic()))
        packet = write_packet(
            8,
            (FIRST_SEQUENCE + tick) % SEQUENCE_MODULUS,
            (FIRST_TIMESTAMP + tick * STEP) % TIMESTAMP_MODULUS,
            1,
            b"\x55" * STEP,
            marker=not tick,
        )
        voice.sendto(packet, target)
        bare.sendto(packet, floor.getsockname())
        drain(voice, ours)
        drain(floor, floors)
    tell(sys.stdout, {"ours": ours.result(), "floor": floors.result()})


async def call(seconds: float) -> tuple[dict[str, Any], Any, Any]:
    """Hold the call; returns the far end's figures, ours, and those of our clock."""
    numbers = {"first_sequence": FIRST_SEQUENCE, "first_timestamp": FIRST_TIMESTAMP}

    def near_the_end(*arguments: Any, **values: Any) -> RtpSession:
        return RtpSession(*arguments, **(values | numbers))

    setattr(stream_module, "RtpSession", near_the_end)  # noqa: B010 - it is no part of what that module offers
    command = [sys.executable, __file__, "--far-end", "--minutes", str(seconds / 60)]
    engine = MediaEngine()
    codec = CODECS["PCMA"]
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the far end has no pipes")
        port = json.loads(await asyncio.to_thread(process.stdout.readline))
        stream = await engine.open(bind_address=LOOPBACK, ports=PORTS, on_event=lambda _: None)
        stream.configure(negotiated(port, codec=codec))
        stream.play(ToneSource(400.0, -15.0, seconds + 60))
        tell(process.stdin, stream.port)
        result = json.loads(await asyncio.to_thread(process.stdout.readline))
        figures = await stream.statistics()
        clock = await engine.clock_statistics()
    await engine.stop()
    return result, figures, clock


def show(name: str, values: Sequence[float]) -> None:
    """Print one line of the table."""
    print(f"{name:22}" + "".join(f"{value:>8.2f}" for value in values))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long the call lasts (default: 30)")
    parser.add_argument("--far-end", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.far_end:
        far_end(60 * options.minutes)
        return 0
    result, figures, clock = asyncio.run(call(60 * options.minutes))
    ours, floor = result["ours"], result["floor"]
    print(f"a G.711 call of {options.minutes:g} minutes, in {PARTS} parts, in ms")
    for name, found in (("ours", ours), ("floor", floor)):
        show(f"{name}: moved by", found["drift"])
        show(f"{name}: strayed, p99", found["p99"])
        show(f"{name}: strayed, max", found["max"])
    print(
        f"sent: {ours['packets']} packets came, {ours['wraps']} wraps of the sequence, {ours['out_of_order']} out of"
        f" sequence, {ours['wrong_steps']} wrong steps of the timestamp, {ours['sources']} changes of the source"
    )
    print(f"our clock: {clock.ticks} ticks, {clock.skipped} given up, the latest {clock.latest_ms:.1f} ms late")
    print(
        f"heard: {figures.packets_received} packets, {figures.lost} lost, {figures.late} late, {figures.discarded}"
        f" discarded, {figures.duplicate} doubled, {figures.concealed_ms} ms made up, jitter {figures.jitter_ms:.2f} ms"
    )
    moved = max(map(abs, ours["drift"]))
    met = (
        moved < GOAL_DRIFT_MS
        and not (ours["out_of_order"] or ours["sources"] or figures.lost)
        and ours["wrong_steps"] <= clock.skipped
    )
    print(f"goal: moved by less than {GOAL_DRIFT_MS:g} ms and nothing lost at a wrap: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
