"""A test that depends on real time is taken again where the machine itself stood still while it failed.

Voice is sent every 20 ms, and on a virtual machine there are moments in which nothing runs for 200 ms: a peer that
gives up then, or a tone with a gap, is no fault of ours. A failure without such a moment counts at once; with
one there are at most `ATTEMPTS`. The summary names each repetition, so that nobody overlooks it.
"""

import time
from collections.abc import Iterable

import pytest
from _pytest.runner import runtestprotocol

from .heartbeat import STANDSTILL_MS, Heartbeat

ATTEMPTS = 3
WITHIN_SECONDS = 100.0
"""No attempt begins later than this after the first: nothing fails after minutes because of a tenth of a second."""
FOLDERS = ("browser", "exchange", "interop", "net")
"""The folders whose tests meet real time, beside those that have the marker `real_time`."""
REPEATED = "repeated"
STOOD_STILL = "the machine stood still"

type Status = tuple[str, str, tuple[str, dict[str, bool]]]
"""A name, a letter, and a word with its colour."""


class Repetition:
    """The plugin of pytest: each process of tests has its own, the summary is that of the first process."""

    def __init__(self, shortest_ms: float = STANDSTILL_MS) -> None:
        """Take a time of at least `shortest_ms` for a stand-still."""
        self.heartbeat = Heartbeat(shortest_ms)

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Take a test that depends on real time, more than once if need be."""
        if not depends_on_real_time(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self.heartbeat.start()
        first = time.monotonic()
        for attempt in range(1, ATTEMPTS + 1):
            begun = time.monotonic()
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            failed = next((report for report in reports if report.failed), None)
            last = attempt == ATTEMPTS or time.monotonic() - first > WITHIN_SECONDS
            if failed is None or last or not (standstills := self.heartbeat.since(begun)):
                tell(item, reports)
                break
            failed.outcome = REPEATED  # type: ignore[assignment] # the name under which it is counted
            told = f"{max(standstills)} ms at the longest, {len(standstills)} stand-still(s) of its processors"
            failed.user_properties.append((STOOD_STILL, told))
            tell(item, [failed])
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Status | None:
        """Count a failed attempt that another one followed under a name of its own."""
        return (REPEATED, "R", ("REPEATED", {"yellow": True})) if report.outcome == REPEATED else None

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name each repetition, why it was allowed, and what had failed."""
        repeated: list[pytest.TestReport] = terminalreporter.getreports(REPEATED)
        if not repeated:
            return
        terminalreporter.section(
            "TAKEN AGAIN: the machine stood still while a test failed", sep="!", yellow=True, bold=True
        )
        for report in repeated:
            told = dict(report.user_properties)[STOOD_STILL]
            terminalreporter.line(f"{report.nodeid}: {told}", yellow=True, bold=True)
            terminalreporter.line(report.longreprtext)

    @pytest.hookimpl
    def pytest_unconfigure(self) -> None:
        """End the watching."""
        self.heartbeat.close()


def depends_on_real_time(item: pytest.Item) -> bool:
    """Whether a test meets the clock: by its folder, or by the marker."""
    tests = item.config.rootpath / "tests"
    return item.get_closest_marker("real_time") is not None or any(
        item.path.is_relative_to(tests / folder) for folder in FOLDERS
    )


def tell(item: pytest.Item, reports: Iterable[pytest.TestReport]) -> None:
    """Let the reports count."""
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
