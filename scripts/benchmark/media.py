"""Measures what two-way calls cost and how evenly their packets leave, beside a bare thread that does the least.

    .venv/bin/python scripts/benchmark/media.py [--calls 1 10 100] [--codec PCMA] [--seconds N] [--load]
                                                [--tones] [--sound] [--join N] [--aiortp]

A peer in another process sends every call a packet each 20 ms and times what it gets by the kernel's clock. The CPU
is that of the whole measured process. `floor` is a bare thread that only sends and reads those packets. `--load`
keeps the event loop's thread of the measured process busy with Python code. `--codec` is PCMA, PCMU, G722 or OPUS,
both ways: a tone is heard, and silence is said, which all but G.711 code as if it were sound. With `--sound` a tone is
played in each call, which is made and resampled meanwhile. `--tones` has digits looked for in the voice as well. The
goal for the CPU holds for G.711.
`--join` joins the calls in conferences of so many.
`--aiortp` installs aiortp for the time of the run: it sends and plays the same G.711 in its paced and clocked ways.
Memory is what the process has grown by, for each call; for one alone it says little.
"""

import argparse
import array
import asyncio
import importlib
import json
import math
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

REPO = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
PERIOD = 0.02
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@ll")
GOAL_PERCENT = 1.0
GOAL_JITTER_MS = 5.0
GOAL_CODECS = ("PCMA", "PCMU")
AIORTP_PORT = 20000


def load_media_room() -> None:
    """Make the media runtime importable without Home Assistant, which the package above it needs."""
    sys.path.insert(0, str(REPO))
    package = types.ModuleType("custom_components.sip_ua")
    package.__path__ = [str(REPO / "custom_components/sip_ua")]
    sys.modules[package.__name__] = package


class BareCalls:
    """As many sockets as calls, each sending a packet every 20 ms and reading what came."""

    def __init__(self, number: int, payload_type: int, payload: bytes, step: int) -> None:
        self.packet = (payload_type, payload, step)
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
        payload_type, payload, step = self.packet
        start = time.monotonic()
        for tick in range(round(seconds / PERIOD)):
            time.sleep(max(0.0, start + tick * PERIOD - time.monotonic()))
            for call, (endpoint, target) in enumerate(zip(self.sockets, targets, strict=True)):
                header = struct.pack("!BBHII", 0x80, payload_type, tick & 0xFFFF, step * tick & 0xFFFFFFFF, call + 1)
                endpoint.sendto(header + payload, target)
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


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Packets:
    """What a call's packets are like; `codec` is named as in the account."""

    codec: str
    payload_type: int
    payload: bytes
    step: int

    def calls(self, number: int) -> BareCalls:
        """Return that many bare calls of such packets."""
        return BareCalls(number, self.payload_type, self.payload, self.step)


def packets_of(codec: str) -> Packets:
    """Return packets with a tone in them."""
    from custom_components.sip_ua.net.av_codecs import ALL_CODECS  # noqa: PLC0415 - not for the far end
    from custom_components.sip_ua.sip.codecs import CODECS  # noqa: PLC0415

    kind = ALL_CODECS[codec]
    size, angle = kind.samples(20), 2 * math.pi * 400 / kind.sample_rate
    tone = array.array("h", (round(8000 * math.sin(angle * at)) for at in range(size))).tobytes()
    coder = kind.create()
    payload = [coder.encode(tone) for _ in range(10)][-1]
    return Packets(codec, CODECS[codec].payload_type, payload, kind.ticks(20))


def peer(number: int, seconds: float) -> None:
    """Be the far end of that many calls; talks to the measuring process by lines of JSON."""
    payload_type, payload, step = json.loads(sys.stdin.readline())
    calls = BareCalls(number, payload_type, bytes.fromhex(payload), step)
    tell(sys.stdout, calls.ports)
    remotes = json.loads(sys.stdin.readline())
    calls.run(remotes, seconds)
    tell(sys.stdout, calls.result())


def tell(stream: IO[str], value: Any) -> None:
    """Write one line of JSON."""
    stream.write(json.dumps(value) + "\n")
    stream.flush()


@contextmanager
def far_end(number: int, seconds: float, packets: Packets) -> Iterator[subprocess.Popen[str]]:
    """Start the other process."""
    command = [sys.executable, __file__, "--role", "peer", "--calls", str(number), "--seconds", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None:
            raise RuntimeError("the far end has no pipes")
        tell(process.stdin, [packets.payload_type, packets.payload.hex(), packets.step])
        yield process


def exchange(process: subprocess.Popen[str], ports: list[int] | None = None) -> Any:
    """Give our ports where there are any, and read a line."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the far end has no pipes")
    if ports is not None:
        tell(process.stdin, ports)
    return json.loads(process.stdout.readline())


def measure_floor(number: int, seconds: float, packets: Packets) -> dict[str, float]:
    """Measure the bare thread."""
    with far_end(number, seconds, packets) as process:
        remotes = exchange(process)
        calls = packets.calls(number)
        thread = threading.Thread(target=calls.run, args=(remotes, seconds))
        before = time.process_time()
        thread.start()
        result: dict[str, float] = exchange(process, calls.ports)
        thread.join()
        return result | {"cpu": time.process_time() - before}


async def measure_engine(
    number: int, seconds: float, packets: Packets, *, load: bool, tones: bool, sound: bool, join: int
) -> dict[str, float]:
    """Measure the media engine, with the calls joined in conferences of so many."""
    from custom_components.sip_ua.net.audio import ToneSource  # noqa: PLC0415 - not for the far end
    from custom_components.sip_ua.net.media import MediaEngine, PortRange  # noqa: PLC0415
    from custom_components.sip_ua.sip.offer_answer import (  # noqa: PLC0415
        CODECS,
        MediaDirection,
        NegotiatedMedia,
    )

    codec = CODECS[packets.codec]
    engine = MediaEngine()
    await engine.usable_codecs([packets.codec])
    with far_end(number, seconds, packets) as process:
        remotes = await asyncio.to_thread(exchange, process)
        memory = resident_bytes()
        streams = [
            await engine.open(bind_address=LOOPBACK, ports=PortRange(20000, 32000), on_event=lambda _: None)
            for _ in remotes
        ]
        tell_far_end = asyncio.create_task(asyncio.to_thread(exchange, process, [stream.port for stream in streams]))
        before = time.process_time()
        for stream, port in zip(streams, remotes, strict=True):
            stream.configure(
                NegotiatedMedia(
                    LOOPBACK,
                    port,
                    (LOOPBACK, port + 1),
                    codec,
                    ((codec.payload_type, codec),),
                    101,
                    101,
                    8000,
                    MediaDirection.SENDRECV,
                ),
                hear_tones=tones,
            )
            if sound:
                stream.play(ToneSource(400.0, -15.0, seconds))
        for first in range(0, len(streams), join) if join > 1 else ():
            room = engine.open_room(shared=False)
            for stream in streams[first : first + join]:
                stream.enter(room)
        while load and not tell_far_end.done():
            sum(n * n for n in range(200_000))
            await asyncio.sleep(0)
        result: dict[str, float] = await tell_far_end
        cpu = time.process_time() - before
        memory = resident_bytes() - memory
        clock = await engine.clock_statistics()
        statistics = await streams[0].statistics()
        await engine.stop()
    if statistics is None:
        raise RuntimeError("no voice")
    return result | {
        "cpu": cpu,
        "memory": memory / number,
        "latest": clock.latest_ms,
        "skipped": clock.skipped,
        "received": statistics.packets_received,
        "late": statistics.late,
        "lost": statistics.lost,
    }


async def measure_aiortp(number: int, seconds: float, packets: Packets) -> dict[str, float]:
    """Measure aiortp: it sends the same packets on its clock, and decodes and plays on another."""
    aiortp: Any = importlib.import_module("aiortp")
    with far_end(number, seconds, packets) as process:
        remotes = await asyncio.to_thread(exchange, process)
        memory = resident_bytes()
        own = range(AIORTP_PORT, AIORTP_PORT + 2 * number, 2)
        sessions = [
            await aiortp.RTPSession.create(
                (LOOPBACK, port),
                (LOOPBACK, remote),
                payload_type=packets.payload_type,
                playout=True,
                paced=True,
            )
            for port, remote in zip(own, remotes, strict=True)
        ]
        for session in sessions:
            session.on_audio = lambda *_: None
        tell_far_end = asyncio.create_task(asyncio.to_thread(exchange, process, list(own)))
        before = time.process_time()
        for session in sessions:
            for _ in range(round(seconds / PERIOD)):
                session.send_audio_auto(packets.payload)
        result: dict[str, float] = await tell_far_end
        cpu = time.process_time() - before
        memory = resident_bytes() - memory
        for session in sessions:
            await session.close()
    return result | {"cpu": cpu, "memory": memory / number}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--codec", choices=("PCMA", "PCMU", "G722", "OPUS"), default="PCMA")
    parser.add_argument("--tones", action="store_true", help="look for digits in the voice")
    parser.add_argument("--sound", action="store_true", help="play a tone in each call")
    parser.add_argument("--join", type=int, default=1, help="join the calls in conferences of so many")
    parser.add_argument("--load", action="store_true", help="keep the event loop busy")
    parser.add_argument("--aiortp", action="store_true", help="measure aiortp as well")
    parser.add_argument("--role", choices=("peer",), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "peer":
        peer(options.calls[0], options.seconds)
        return 0
    load_media_room()
    from scripts.benchmark.quiet import ahead_of_others  # noqa: PLC0415 - the far end is started by us

    ahead_of_others()
    with tempfile.TemporaryDirectory() as folder:
        return measure_all(options, Path(folder))


def measure_all(options: argparse.Namespace, folder: Path) -> int:
    """Measure each number of calls."""
    peer_codecs: tuple[str, ...] = ()
    if options.aiortp:
        from scripts.benchmark.parse import install_peers  # noqa: PLC0415 - not for the far end

        install_peers(folder, ["aiortp"])
        sys.path.append(str(folder))
        peer_codecs = GOAL_CODECS
    packets = packets_of(options.codec)
    print(f"two-way {options.codec} calls on loopback, {options.seconds:g} s each, {os.cpu_count()} CPUs")
    print(
        f"{'calls':>5}  {'':6} {'CPU a call':>10} {'memory':>9} {'packets':>8} {'jitter p50':>10} {'p99':>8} {'max':>8}"
    )
    met = True
    for number in options.calls:
        results = {
            "floor": measure_floor(number, options.seconds, packets),
            "ours": asyncio.run(
                measure_engine(
                    number,
                    options.seconds,
                    packets,
                    load=options.load,
                    tones=options.tones,
                    sound=options.sound,
                    join=options.join,
                )
            ),
        }
        if options.codec in peer_codecs:
            results["aiortp"] = asyncio.run(measure_aiortp(number, options.seconds, packets))
        for name, result in results.items():
            percent = 100 * result["cpu"] / options.seconds / number
            memory = f"{result['memory'] / 1000:.0f} kB" if "memory" in result else "-"
            notes = ""
            if name == "ours":
                notes = f"latest tick {result['latest']:.1f} ms, skipped {result['skipped']}, late {result['late']}"
                cheap = options.load or options.join > 1 or options.codec not in GOAL_CODECS or percent <= GOAL_PERCENT
                met = met and cheap and result["p99"] < GOAL_JITTER_MS
            print(
                f"{number:>5}  {name:6} {percent:>9.2f}% {memory:>9} {result['packets']:>8.0f} {result['p50']:>7.2f} ms"
                f" {result['p99']:>5.2f} ms {result['max']:>5.2f} ms  {notes}",
                flush=True,
            )
    verdict = "met" if met else "missed"
    print(f"goal: at most {GOAL_PERCENT:g} % of a core a call, p99 below {GOAL_JITTER_MS:g} ms: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
