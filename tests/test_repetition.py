"""A failed test is taken again where the machine stood still, and nowhere else.

The machine stands still for the heartbeat alone: its process is stopped and let go on by the test that fails.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .heartbeat import Heartbeat
from .repetition import ATTEMPTS

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ("xdist.plugin", "pytest_asyncio.plugin", "pytest_timeout")
IN_ONE_PROCESS_AND_IN_SEVERAL = pytest.mark.parametrize(
    "arguments", [(), ("--numprocesses=2", "--dist=loadfile")], ids=["one", "several"]
)
NEVER_MS, STOPPED_SECONDS = 1e9, 0.15
CONFTEST = """
import os, signal, time
import pytest
from tests.repetition import Repetition

def pytest_configure(config):
    config.addinivalue_line("markers", "real_time")
    config.repetition = Repetition({shortest_ms})
    config.pluginmanager.register(config.repetition)

@pytest.fixture
async def stand_still(request, tmp_path):
    def stand_still():
        pid = request.config.repetition.heartbeat.pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep({seconds})
        os.kill(pid, signal.SIGCONT)
    yield stand_still

@pytest.fixture
def attempts(request, tmp_path_factory):
    # What is kept of an attempt outlives what is made for each.
    kept = request.config.stash.setdefault(KEPT, [])
    kept.append(request.node.name)
    return len(kept)

KEPT = pytest.StashKey()
"""
FAILS = "assert attempts > {fails}, f'attempt {{attempts}} fails'"


@pytest.fixture(autouse=True)
def _alone(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs within these tests see this repository, and no other plugin than they need."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\nasyncio_mode = auto\naddopts = --import-mode=importlib -ra\ntimeout = 60\n")


def run(
    pytester: pytest.Pytester,
    body: str,
    *arguments: str,
    where: str = "tests/interop",
    decorator: str = "",
    shortest_ms: float = 60,
) -> pytest.RunResult:
    """Run one test with such a body."""
    pytester.makeconftest(CONFTEST.format(shortest_ms=shortest_ms, seconds=STOPPED_SECONDS))
    path = pytester.mkdir(Path(where).parts[0]) / Path(*Path(where).parts[1:]) / "test_one.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"import pytest\n{decorator}\nasync def test_one(request, stand_still, attempts):\n    {body}\n")
    plugins = [argument for plugin in PLUGINS for argument in ("-p", plugin)]
    return pytester.runpytest_subprocess(*plugins, *arguments)


@IN_ONE_PROCESS_AND_IN_SEVERAL
def test_a_test_that_failed_while_the_machine_stood_still_is_taken_again(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    result = run(pytester, f"stand_still(); {FAILS.format(fails=1)}", *arguments)

    result.assert_outcomes(passed=1)
    assert result.ret is pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*TAKEN AGAIN*",
            "tests/interop/test_one.py::test_one: * ms at the longest, * stand-still(s) *",
            "*attempt 1 fails*",
        ]
    )
    result.stdout.fnmatch_lines(["*1 passed, 1 repeated*"])


@IN_ONE_PROCESS_AND_IN_SEVERAL
def test_a_test_that_failed_while_the_machine_worked_has_failed(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    result = run(pytester, f"stand_still(); {FAILS.format(fails=1)}", *arguments, shortest_ms=NEVER_MS)

    result.assert_outcomes(failed=1)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.no_fnmatch_line("*TAKEN AGAIN*")


@IN_ONE_PROCESS_AND_IN_SEVERAL
def test_a_test_that_always_fails_has_failed_after_the_last_attempt(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    result = run(pytester, f"stand_still(); {FAILS.format(fails=100)}", *arguments)

    result.assert_outcomes(failed=1)
    assert result.ret is pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"*1 failed, {ATTEMPTS - 1} repeated*"])
    result.stdout.fnmatch_lines([f"*attempt {ATTEMPTS} fails*"])


def test_a_failure_of_a_later_attempt_without_a_stand_still_counts(pytester: pytest.Pytester) -> None:
    result = run(pytester, f"attempts > 1 or stand_still(); {FAILS.format(fails=100)}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*1 failed, 1 repeated*"])


def test_a_test_that_passes_while_the_machine_stands_still_is_taken_once(pytester: pytest.Pytester) -> None:
    result = run(pytester, "stand_still(); assert attempts == 1")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*TAKEN AGAIN*")


@pytest.mark.parametrize(
    ("where", "decorator", "passed"),
    [("tests/net", "", 1), ("tests/sip", "", 0), ("tests/integration", "@pytest.mark.real_time", 1)],
)
def test_only_what_depends_on_real_time_is_taken_again(
    pytester: pytest.Pytester, where: str, decorator: str, passed: int
) -> None:
    # Elsewhere nothing watches, so that the heartbeat has to be begun here.
    body = f"request.config.repetition.heartbeat.start(); stand_still(); {FAILS.format(fails=1)}"
    result = run(pytester, body, where=where, decorator=decorator)

    result.assert_outcomes(passed=passed, failed=1 - passed)


@pytest.fixture
def heartbeat() -> Iterator[Heartbeat]:
    """Give a heartbeat that notes everything from a tenth of a second on."""
    made = Heartbeat(100)
    made.start()
    yield made
    made.close()


def stop(heartbeat: Heartbeat) -> None:
    os.kill(heartbeat.pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    os.kill(heartbeat.pid, signal.SIGCONT)


def test_a_stand_still_is_told_as_long_as_it_was_and_after_it_no_more(heartbeat: Heartbeat) -> None:
    begun = time.monotonic()
    assert max(heartbeat.since(begun), default=0) < 1000 * STOPPED_SECONDS
    stop(heartbeat)
    lasted = time.monotonic() - begun

    assert 1000 * STOPPED_SECONDS - 15 <= max(heartbeat.since(begun)) <= 1000 * lasted
    assert heartbeat.since(time.monotonic() + 60) == []


def test_the_heartbeat_ends_with_the_tests(heartbeat: Heartbeat) -> None:
    pid = heartbeat.pid
    heartbeat.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert heartbeat.since(0.0) == []


def test_what_nobody_watched_is_no_stand_still(heartbeat: Heartbeat) -> None:
    os.kill(heartbeat.pid, signal.SIGKILL)
    os.waitid(os.P_PID, heartbeat.pid, os.WEXITED | os.WNOWAIT)

    assert heartbeat.since(0.0) == []
    assert heartbeat.since(0.0) == []
