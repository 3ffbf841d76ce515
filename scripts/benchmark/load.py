"""How many calls a second a phone of ours stands: SIPp calls, is answered, and hangs up.

    .venv/bin/python scripts/benchmark/load.py [floor] [bare] [home] [recorded] [--rate N] ...

floor    SIPp calls SIPp: what the machine can do at this moment, the caller's part of the work among it
bare     SIPp calls our phone in a plain asyncio process, without Home Assistant
home     SIPp calls our phone inside Home Assistant, faster and faster until a call fails
recorded the same with Home Assistant's database, which keeps each of some 20 events and states of a call

Each part runs in a process of its own, whose figures are printed. Every call that is answered has a voice: two ports,
and a packet of it each 20 ms until the call ends; SIPp sends none. Calls end as soon as they are answered, or after
--talk milliseconds: then more voices are there at once, and their packets weigh more than the signalling. What is
asked comes from the account's server, whose requests nobody limits.

`waited` is the share of the time in which the phone's thread was kept from a core that other processes had: a row in
which that is much tells of the machine and not of the phone. `loop late` is the longest that its event loop was late
by. After each round of `bare` 32 s pass (64*T1), in which answered requests have to be remembered; then nothing may
be left of them: files, tasks and objects of ours are as many as before, pieces of memory as many as after the first
round, but for caches. The MB in RAM are not judged: the allocator keeps the most that was ever held at once. The exit
code is 1 where a call failed, or something is left.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

if TYPE_CHECKING:
    from tests.interop.load import Holdings, Load

PARTS = ("floor", "bare", "home", "recorded")
HEAD = (
    "calls a second",
    "calls",
    "failed",
    "repeated",
    "answer ms p50",
    "p99",
    "worst",
    "end ms p50",
    "p99",
    "worst",
    "CPU",
    "SIPp's",
    "waited",
    "loop late ms",
    "MB begin",
    "end",
    "files",
    "tasks",
)
MEGABYTE = 1_000_000


def show(cells: Sequence[object]) -> None:
    """Print one line of the table, each cell as wide as its heading."""
    print("  ".join(f"{cell:>{max(len(name), 6)}}" for cell, name in zip(cells, HEAD, strict=True)), flush=True)


def in_words(values: list[float]) -> list[str]:
    """Return median, 99th percentile and worst of milliseconds."""
    ranked = sorted(values) or [float("nan")]
    return [f"{value:.0f}" for value in (statistics.median(ranked), ranked[int(len(ranked) * 0.99)], ranked[-1])]


async def floor(rate: int, seconds: int, talk: int) -> bool:
    """Let SIPp call SIPp."""
    from tests.interop.load import SIMULTANEOUS_SECONDS, children_seconds, load  # noqa: PLC0415
    from tests.interop.peers import Sipp  # noqa: PLC0415

    calls = rate * seconds
    with tempfile.TemporaryDirectory() as folder:
        called = Sipp(
            Path(folder, "called"),
            "uas_answers",
            calls=calls,
            simultaneous=rate * SIMULTANEOUS_SECONDS,
            seconds=seconds + 60,
            timed=True,
        )
        async with called:
            done = await load(called.address, Path(folder, "caller"), rate=rate, calls=calls, talk_ms=talk)
            before = children_seconds()
            await called.result()
        cpu = children_seconds() - before
    print(f"\nfloor: SIPp calls SIPp, {seconds} s")
    show(HEAD)
    show(row(rate, done, cpu / done.watch.seconds)[:-6] + ["-"] * 6)
    return done.good


def row(rate: int, done: Load, cpu: float | None = None) -> list[str]:
    """Return one line of figures; `cpu` is the called party's share of a core where that is not this process."""
    result, watch = done.result, done.watch
    cpu = watch.cpu / watch.seconds if cpu is None else cpu
    resident = [size / MEGABYTE for _, size in watch.resident]
    return [
        str(rate),
        str(result.successful),
        str(done.calls - result.successful),
        str(result.retransmissions),
        *in_words(done.times.get("answer", [])),
        *in_words(done.times.get("hangup", [])),
        f"{cpu:.0%}",
        f"{done.caller_cpu / watch.seconds:.0%}",
        f"{watch.waited / watch.seconds:.0%}",
        f"{max(watch.late) * 1000:.0f}",
        *(f"{size:.0f}" for size in (resident[0], resident[-1])),
        str(watch.descriptors),
        str(watch.tasks),
    ]


async def bare(rate: int, seconds: int, talk: int, rounds: int) -> bool:
    """Let SIPp call our phone in this process, and see after each round what is left of the calls."""
    from scripts.exchange import lift_rooms  # noqa: PLC0415

    lift_rooms()
    from custom_components.sip_ua.sip.events import CallOutcome  # noqa: PLC0415
    from custom_components.sip_ua.sip.transaction import Timers  # noqa: PLC0415
    from tests.interop.load import Holdings, answering_phone, load  # noqa: PLC0415

    calls = rate * seconds
    good = True
    held: list[tuple[str, Holdings]] = []
    print(f"\nbare: SIPp calls our phone in a plain asyncio process, {seconds} s")
    show(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        async with answering_phone() as ours:
            await load(ours.address, Path(folder, "first"), rate=rate, calls=rate, talk_ms=talk)
            await asyncio.sleep(Timers().timeout + 2)
            held.append(("before", Holdings.now()))
            for number in range(1, rounds + 1):
                rang, answered = ours.rang, ours.outcomes[CallOutcome.ANSWERED]
                done = await load(ours.address, Path(folder, str(number)), rate=rate, calls=calls, talk_ms=talk)
                held.append((f"after {number * calls} calls", Holdings.now()))
                show(row(rate, done))
                good = good and done.good
                await asyncio.sleep(Timers().timeout + 2)
                held.append((f"{Timers().timeout:.0f} s later", Holdings.now()))
                rang, answered = ours.rang - rang, ours.outcomes[CallOutcome.ANSWERED] - answered
                if not rang == answered == calls or ours.phone.calls:
                    good = False
                    print(f"OUR COUNT IS ANOTHER: {rang} rang, {answered} answered; {dict(ours.refusals)}")
    return report_holdings(held) and good


def report_holdings(held: list[tuple[str, Holdings]]) -> bool:
    """Print what the process held at each of these moments, and the verdict; True where nothing is left."""
    from tests.interop.load import left_of  # noqa: PLC0415

    print(f"{'':20}{'files':>8}{'tasks':>8}{'objects of ours':>18}{'pieces':>10}{'MB':>8}")
    for name, now in held:
        print(f"{name:20}{now.descriptors:8}{now.tasks:8}{now.objects:18}{now.blocks:10}{now.resident / MEGABYTE:8.1f}")
    # The first moment is before any round; each round has one at its end and one when all may be forgotten.
    rested = [now for _, now in (held[0], *held[2::2])]
    left = left_of(rested)
    print(f"SOMETHING IS LEFT of the calls: {', '.join(left)}" if left else "nothing is left of the calls")
    for number, now in enumerate(rested[2:], 2):
        objects, blocks = now.objects - rested[1].objects, now.blocks - rested[1].blocks
        print(f"round {number} against the first: {objects:+} objects of ours, {blocks:+} pieces of memory in all")
    return not left


async def home(rates: Sequence[int], seconds: int, talk: int, *, recorded: bool) -> bool:
    """Let SIPp call our phone in Home Assistant at rising rates; True where it stood one of them."""
    from scripts.benchmark.load_home import answering_home  # noqa: PLC0415
    from tests.interop.load import load  # noqa: PLC0415

    stood = 0
    database = "with" if recorded else "without"
    print(f"\nhome: SIPp calls our phone inside Home Assistant {database} its database, {seconds} s at each rate")
    show(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        async with answering_home(Path(folder) if recorded else None) as address:
            for rate in rates:
                done = await load(address, Path(folder, str(rate)), rate=rate, calls=rate * seconds, talk_ms=talk)
                show(row(rate, done))
                if not done.good:
                    break
                stood = rate
    print(f"the highest rate without a failed call: {stood} a second")
    return bool(stood)


def run(part: str, options: argparse.Namespace) -> bool:
    """Run one part in this process."""
    match part:
        case "floor":
            return asyncio.run(floor(options.rate, options.seconds, options.talk))
        case "bare":
            return asyncio.run(bare(options.rate, options.seconds, options.talk, options.rounds))
        case _:
            return asyncio.run(home(options.rates, options.home_seconds, options.talk, recorded=part == "recorded"))


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="which parts (default: all)")
    parser.add_argument("--rate", type=int, default=200, help="calls a second of floor and bare (default: 200)")
    parser.add_argument("--seconds", type=int, default=60, help="how long floor and bare last (default: 60)")
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[25, 50, 100, 150, 200, 250], help="rates of home and recorded"
    )
    parser.add_argument("--home-seconds", type=int, default=20, help="how long each of those rates lasts (default: 20)")
    parser.add_argument("--rounds", type=int, default=2, help="how often bare does it (default: 2)")
    parser.add_argument("--talk", type=int, default=0, help="milliseconds that a call talks (default: 0)")
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    if len(parts) == 1:
        return 0 if run(parts[0], options) else 1
    rates = [str(rate) for rate in options.rates]
    arguments = ["--rate", str(options.rate), "--seconds", str(options.seconds), "--rates", *rates]
    arguments += [
        "--home-seconds",
        str(options.home_seconds),
        "--talk",
        str(options.talk),
        "--rounds",
        str(options.rounds),
    ]
    good = [subprocess.run([sys.executable, __file__, part, *arguments], check=False).returncode == 0 for part in parts]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
