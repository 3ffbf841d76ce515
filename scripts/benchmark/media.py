"""Measures what two-way G.711 calls cost and how evenly their packets leave, beside a bare thread that does the least.

    .venv/bin/python scripts/benchmark/media.py [--calls 1 10 100] [--seconds N] [--load]

A peer in another process sends every call a packet each 20 ms and times what it gets by the kernel's clock. The CPU
is that of the whole measured process. `floor` is a bare thread that only sends and reads those packets. `--load`
keeps the event loop's thread of the measured process busy with Python code.
"""

import argparse
import array
import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

REPO = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
PERIOD = 0.02
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@ll")
GOAL_PERCENT = 1.0
GOAL_JITTER_MS = 5.0


def load_media_room() -> None:
    """Make the media runtime importable without Home Assistant, which the package above it needs."""
    sys.path.insert(0, str(REPO))
    package = types.ModuleType("custom_components.sip_ua")
    package.__path__ = [str(REPO / "custom_components/sip_ua")]
    sys.modules[package.__name__] = package


class BareCalls:
    """As many sockets as calls, each sending a packet every 20 ms and reading what came."""

    def __init__(self, number: int) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(number)]
        for endpoint in self.sockets:
            endpoint.bind((LOOPBACK, 0))
            endpoint.settimeout(0.0)
            endpoint.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.ports = [endpoint.getsockname()[1] for endpoint in self.sockets]
        self.arrivals = [array.array("d") for _ in range(number)]

    def run(self, remotes: list[int], seconds: float) -> None:
        """Send and read on an absolute schedule for that long."""
        targets = [(LOOPBACK, port) for port in remotes]
        voice = bytes([0xD5]) * 160
        start = time.monotonic()
        for tick in range(round(seconds / PERIOD)):
            time.sleep(max(0.0, start + tick * PERIOD - time.monotonic()))
            for call, (endpoint, target) in enumerate(zip(self.sockets, targets, strict=True)):
                header = struct.pack("!BBHII", 0x80, 8, tick & 0xFFFF, 160 * tick & 0xFFFFFFFF, call + 1)
                endpoint.sendto(header + voice, target)
            for arrivals, endpoint in zip(self.arrivals, self.sockets, strict=True):
                self.drain(endpoint, arrivals)

    @staticmethod
    def drain(endpoint: socket.socket, arrivals: array.array[float]) -> None:
        """Read all that waits, and note when it came."""
        while True:
            try:
                _, ancillary, _, _ = endpoint.recvmsg(2048, 64)
            except BlockingIOError:
                return
            for _, kind, value in ancillary:
                if kind == SO_TIMESTAMPNS:
                    stamp, nanoseconds = TIMESPEC.unpack(value)
                    arrivals.append(stamp + nanoseconds / 1e9)

    def result(self) -> dict[str, float]:
        """Return how far the packets strayed from an even pace of 20 ms, in ms, and how many came."""
        deviations: list[float] = []
        for arrivals in self.arrivals:
            stamps = list(arrivals)[10:]
            # The best even pace is the one that the median packet keeps.
            offsets = sorted(stamp - n * PERIOD for n, stamp in enumerate(stamps))
            middle = offsets[len(offsets) // 2] if offsets else 0.0
            deviations += [1000 * abs(offset - middle) for offset in offsets]
        deviations.sort()
        return {
            "packets": sum(len(arrivals) for arrivals in self.arrivals),
            "p50": percentile(deviations, 0.5),
            "p99": percentile(deviations, 0.99),
            "max": deviations[-1] if deviations else float("nan"),
        }


def percentile(ordered: list[float], part: float) -> float:
    """Return a percentile of an ordered list."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def peer(number: int, seconds: float) -> None:
    """Be the far end of that many calls; talks to the measuring process by lines of JSON."""
    calls = BareCalls(number)
    tell(sys.stdout, calls.ports)
    remotes = json.loads(sys.stdin.readline())
    calls.run(remotes, seconds)
    tell(sys.stdout, calls.result())


def tell(stream: IO[str], value: Any) -> None:
    """Write one line of JSON."""
    stream.write(json.dumps(value) + "\n")
    stream.flush()


@contextmanager
def far_end(number: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Start the other process."""
    command = [sys.executable, __file__, "--role", "peer", "--calls", str(number), "--seconds", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def exchange(process: subprocess.Popen[str], ports: list[int] | None = None) -> Any:
    """Give our ports where there are any, and read a line."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the far end has no pipes")
    if ports is not None:
        tell(process.stdin, ports)
    return json.loads(process.stdout.readline())


def measure_floor(number: int, seconds: float) -> dict[str, float]:
    """Measure the bare thread."""
    with far_end(number, seconds) as process:
        remotes = exchange(process)
        calls = BareCalls(number)
        thread = threading.Thread(target=calls.run, args=(remotes, seconds))
        before = time.process_time()
        thread.start()
        result: dict[str, float] = exchange(process, calls.ports)
        thread.join()
        return result | {"cpu": time.process_time() - before}


async def measure_engine(number: int, seconds: float, *, load: bool) -> dict[str, float]:
    """Measure the media engine."""
    from custom_components.sip_ua.net.media import MediaEngine, PortRange  # noqa: PLC0415 - not for the far end
    from custom_components.sip_ua.sip.offer_answer import (  # noqa: PLC0415
        CODECS,
        MediaDirection,
        NegotiatedMedia,
    )

    codec = CODECS["PCMA"]
    engine = MediaEngine()
    with far_end(number, seconds) as process:
        remotes = await asyncio.to_thread(exchange, process)
        streams = [
            await engine.open(bind_address=LOOPBACK, ports=PortRange(20000, 32000), on_event=lambda _: None)
            for _ in remotes
        ]
        tell_far_end = asyncio.create_task(asyncio.to_thread(exchange, process, [stream.port for stream in streams]))
        before = time.process_time()
        for stream, port in zip(streams, remotes, strict=True):
            stream.configure(
                NegotiatedMedia(
                    LOOPBACK, port, (LOOPBACK, port + 1), codec, ((8, codec),), 101, 101, 8000, MediaDirection.SENDRECV
                )
            )
        while load and not tell_far_end.done():
            sum(n * n for n in range(200_000))
            await asyncio.sleep(0)
        result: dict[str, float] = await tell_far_end
        cpu = time.process_time() - before
        clock = await engine.clock_statistics()
        statistics = await streams[0].statistics()
        await engine.stop()
    if statistics is None:
        raise RuntimeError("no voice")
    return result | {
        "cpu": cpu,
        "latest": clock.latest_ms,
        "skipped": clock.skipped,
        "received": statistics.packets_received,
        "late": statistics.late,
        "lost": statistics.lost,
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--load", action="store_true", help="keep the event loop busy")
    parser.add_argument("--role", choices=("peer",), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "peer":
        peer(options.calls[0], options.seconds)
        return 0
    load_media_room()
    print(f"two-way G.711 calls on loopback, {options.seconds:g} s each, {os.cpu_count()} CPUs")
    print(f"{'calls':>5}  {'':6} {'CPU a call':>10} {'packets':>8} {'jitter p50':>10} {'p99':>8} {'max':>8}  notes")
    met = True
    for number in options.calls:
        floor = measure_floor(number, options.seconds)
        engine = asyncio.run(measure_engine(number, options.seconds, load=options.load))
        for name, result in (("floor", floor), ("engine", engine)):
            percent = 100 * result["cpu"] / options.seconds / number
            notes = ""
            if name == "engine":
                notes = f"latest tick {result['latest']:.1f} ms, skipped {result['skipped']}, late {result['late']}"
                met = met and (options.load or percent <= GOAL_PERCENT) and result["p99"] < GOAL_JITTER_MS
            print(
                f"{number:>5}  {name:6} {percent:>9.2f}% {result['packets']:>8.0f} {result['p50']:>7.2f} ms"
                f" {result['p99']:>5.2f} ms {result['max']:>5.2f} ms  {notes}"
            )
    verdict = "met" if met else "missed"
    print(f"goal: at most {GOAL_PERCENT:g} % of a core a call, p99 below {GOAL_JITTER_MS:g} ms: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
