"""Calls over bad networks: of how many calls every one is set up and torn down, and how long that takes.

    .venv/bin/python scripts/benchmark/faults.py [--calls N] [--at-once N] [--seed N]

Two telephones on real sockets, all between them through a relay of ours that loses, doubles, reorders and delays.
The timers are the standard's (T1 = 500 ms). Beside the bad networks stands a perfect one as the floor. The exit code
is 1 where a single call failed.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from statistics import median

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from custom_components.sip_ua.sip.transaction import Timers  # noqa: E402
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
    "datagrams a call",
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


async def measure(calls: int, at_once: int, seed: int) -> bool:
    """Measure every network; True where no call failed."""
    print(ROW.format(*HEAD))
    good = True
    for name, faults in NETWORKS.items():
        report = await faulty_calls(faults, calls=calls, timers=Timers(), seed=seed, at_once=at_once)
        print(row(name, report), flush=True)
        good = good and report.good == report.rang == calls and not report.left
    return good


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100, help="calls over each network (default: 100)")
    parser.add_argument("--at-once", type=int, default=25, help="calls under way at once (default: 25)")
    parser.add_argument("--seed", type=int, default=0, help="what the faults are drawn from (default: 0)")
    arguments = parser.parse_args()
    good = asyncio.run(measure(arguments.calls, arguments.at_once, arguments.seed))
    print("every call was set up and torn down" if good else "CALLS FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
