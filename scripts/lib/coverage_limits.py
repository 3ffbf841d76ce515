"""Says how much of the Home Assistant layer the last run of all tests has gone through, and whether that is enough."""

import json
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from coverage import Coverage

FLOWS: Final = ("*_flow.py", "form.py", "validation.py", "conflicts.py", "discovery.py")
LAYER_MIN: Final = 97.0
FLOWS_MIN: Final = 100.0
MODULE_MIN: Final = 95.0
"""Percent of lines and branches: of all modules, of those of the config flows, and of each one."""


type Summary = Mapping[str, Any]
"""What coverage.py counts of a module: statements and branches, and those that were gone through."""


def percent(summaries: Iterable[Summary]) -> float:
    """Return how many of the lines and branches were gone through."""
    summaries = list(summaries)
    covered = sum(summary["covered_lines"] + summary["covered_branches"] for summary in summaries)
    there = sum(summary["num_statements"] + summary["num_branches"] for summary in summaries)
    return 100.0 * covered / there if there else 100.0


def shortfalls(files: Mapping[str, Summary]) -> list[str]:
    """Return a line for each limit that is not reached; `files` are summaries by the name of their module."""
    limits = {
        name: (FLOWS_MIN if any(fnmatch(name, flow) for flow in FLOWS) else MODULE_MIN, [summary])
        for name, summary in files.items()
    }
    limits["all modules"] = LAYER_MIN, list(files.values())
    return [
        f"{name}: {percent(found):.2f} %, and {least:.0f} % is the least"
        for name, (least, found) in limits.items()
        if percent(found) < least
    ]


def summaries_of(coverage: Coverage) -> dict[str, Summary]:
    """Return what was gone through of each module."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        coverage.json_report(outfile=str(report))
        files: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {Path(name).name: found["summary"] for name, found in files.items()}


def main() -> int:
    """Print what was gone through; return 1 where that is too little."""
    coverage = Coverage()
    coverage.load()
    coverage.report(file=sys.stdout)
    found = summaries_of(coverage)
    print(f"{percent(found.values()):.2f} % of the Home Assistant layer, in {len(found)} modules")
    lines = shortfalls(found)
    print(*lines, sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
