"""Calls over bad networks: of how many calls every one is set up and torn down, and how long that takes.

    .venv/bin/python scripts/benchmark/faults.py [--calls N] [--at-once N] [--seed N]

First two telephones on real sockets, all between them through a relay of ours that loses, doubles, reorders and
delays. Then, where this process may make network namespaces (as root), one telephone and SIPp in a namespace each and
a line between those that does the same to every packet, voice too: SIPp as caller, then SIPp as called party. The
timers are the standard's (T1 = 500 ms). Beside the bad networks stands a perfect one as the floor. "good" are the calls
that both sides saw set up and torn down. The exit code is 1 where a single call failed or is left.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from custom_components.sip_ua.sip.transaction import Timers  # noqa: E402
from tests.interop.bad_line import namespaces_refused  # noqa: E402
from tests.interop.bad_line_calls import sipp_calls_us, we_call_sipp  # noqa: E402
from tests.net.faulty_calls import Report, faulty_calls  # noqa: E402
from tests.sip.link import Faults  # noqa: E402

SHORT = (0.0, 0.002)
NETWORKS = {
    "perfect": Faults(delay=(0.0, 0.0)),
    "5 % lost": Faults(loss=0.05, delay=SHORT),
    "10 % lost": Faults(loss=0.1, delay=SHORT),
    "20 % lost": Faults(loss=0.2, delay=SHORT),
    "half doubled": Faults(duplication=0.5, detour=0.3, delay=SHORT),
    "half reordered": Faults(reordering=0.5, detour=0.3, delay=SHORT),
    "300 ms delay": Faults(delay=(0.3, 0.3)),
    "20 % lost, doubled, reordered, 300 ms": Faults(
        loss=0.2, duplication=0.2, reordering=0.3, detour=0.3, delay=(0.3, 0.3)
    ),
}


HEAD = (
    "network",
    "good",
    "set up s",
    "worst",
    "torn down s",
    "worst",
    "packets a call",
    "lost",
    "doubled",
    "reordered",
)
ROW = "{:38} {:>8} {:>9} {:>6} {:>12} {:>6} {:>17} {:>6} {:>8} {:>10}"


def row(name: str, report: Report) -> str:
    """Return one network's figures; the times are a median and the worst."""
    figures = report.figures
    times = [
        f"{figure:.2f}" for values in (report.set_up, report.torn_down) for figure in (median(values), max(values))
    ]
    counts = (f"{figures.sent / report.calls:.1f}", figures.lost, figures.doubled, figures.reordered)
    return ROW.format(name, f"{report.good}/{report.calls}", *times, *counts)


type PlaceCalls = Callable[[Faults], Awaitable[Report]]


async def measure(title: str, place_calls: PlaceCalls, calls: int) -> bool:
    """Measure every network; True where no call failed."""
    print(f"\n{title}")
    print(ROW.format(*HEAD))
    good = True
    for name, faults in NETWORKS.items():
        report = await place_calls(faults)
        print(row(name, report), flush=True)
        good = good and report.good == report.rang == calls and not report.left
    return good


async def measure_all(calls: int, at_once: int, seed: int) -> bool:
    """Measure every way that this machine allows; True where no call failed."""
    good = await measure(
        "two telephones of ours, a relay of ours between their sockets",
        lambda faults: faulty_calls(faults, calls=calls, timers=Timers(), seed=seed, at_once=at_once),
        calls,
    )
    if refusal := namespaces_refused() or ("" if shutil.which("sipp") else "SIPp is not installed"):
        print(f"\n!!! NOT MEASURED: calls from and to SIPp over a line between two network namespaces: {refusal}")
        return good
    for title, place_calls in (("SIPp calls us", sipp_calls_us), ("we call SIPp", we_call_sipp)):
        with tempfile.TemporaryDirectory() as folder:
            folders = (Path(folder, str(number)) for number in count())
            place = partial(_place, place_calls, folders, calls=calls, timers=Timers(), at_once=at_once, seed=seed)
            good = await measure(f"{title} over a line between two network namespaces", place, calls) and good
    return good


async def _place(
    place_calls: Callable[..., Awaitable[Report]], folders: Iterator[Path], faults: Faults, **options: Any
) -> Report:
    return await place_calls(next(folders), faults, **options)


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100, help="calls over each network (default: 100)")
    parser.add_argument("--at-once", type=int, default=25, help="calls under way at once (default: 25)")
    parser.add_argument("--seed", type=int, default=0, help="what the faults are drawn from (default: 0)")
    arguments = parser.parse_args()
    good = asyncio.run(measure_all(arguments.calls, arguments.at_once, arguments.seed))
    print("every call was set up and torn down" if good else "CALLS FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
