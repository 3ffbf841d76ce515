"""What every test has: this repository's integration, sockets that reach loopback only, and the peers it needs."""

import os
import shutil
import subprocess
from functools import cache

import pytest
import pytest_socket
from hypothesis import settings
from xdist.workermanage import WorkerController

# Imported before Home Assistant looks for custom integrations, or it finds the test package's own folder.
import custom_components.sip_ua  # noqa: F401
from scripts.development.instance import HASS
from tests.interop.bad_line import namespaces_refused

from .programs import find_program
from .repetition import Repetition

pytest_plugins = ["pytester"]

LOOPBACK = ["127.0.0.1", "127.0.0.2", "::1", "localhost"]
NAMESPACES, TUNNELS = "namespaces", "tunnels"
HOME_ASSISTANT = "home-assistant"
NOT_RUN = pytest.StashKey[dict[str, int]]()

# How long one example takes says more about the machine than about the code.
settings.register_profile("sip_ua", deadline=None)
settings.load_profile("sip_ua")


def missing_peers(item: pytest.Item) -> list[str]:
    """Return the peers of a test that this machine lacks; a peer goes by the name of its program.

    "namespaces" and "tunnels" (between them) stand for the right to make some, "home-assistant" for the newest one with
    its frontend in an environment of its own (scripts/setup develop). `SIP_UA_PEERS`, a list with commas,
    stands in for what is installed.
    """
    names = [name for marker in item.iter_markers("peer") for name in marker.args]
    listed = os.environ.get("SIP_UA_PEERS")
    if listed is not None:
        return [name for name in names if name not in listed.split(",")]
    return [name for name in names if not is_there(name)]


@cache
def is_there(peer: str) -> bool:
    """Whether this machine has a program, or lets us make network namespaces."""
    if peer == HOME_ASSISTANT:
        return HASS.exists()
    if peer == TUNNELS:
        return not namespaces_refused()
    if peer == NAMESPACES:
        alone = ("unshare", "--user", "--map-root-user", "--net", "true")
        return (
            shutil.which("unshare") is not None
            and not subprocess.run(alone, capture_output=True, check=False).returncode
        )
    return find_program(peer) is not None


def pytest_configure(config: pytest.Config) -> None:
    """Let the tests that depend on real time be taken again where the machine stood still."""
    config.pluginmanager.register(Repetition())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests whose peers are missing, except in CI, and remember to say so."""
    not_run = config.stash.setdefault(NOT_RUN, {})
    if os.environ.get("CI"):
        return
    for item in list(items):
        if missing := missing_peers(item):
            items.remove(item)
            config.hook.pytest_deselected(items=[item])
            for name in missing:
                not_run[name] = not_run.get(name, 0) + 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that began the tests, where they run in several, what was left out in this one."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["not_run"] = session.config.stash.get(NOT_RUN, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Take over what one of the processes left out: each collects all tests, so that they all say the same."""
    if output := getattr(node, "workeroutput", None):
        node.config.stash.setdefault(NOT_RUN, {}).update(output["not_run"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name loudly what was not run."""
    if not_run := config.stash.get(NOT_RUN, {}):
        terminalreporter.section("NOT RUN: something is missing on this machine", sep="!", red=True, bold=True)
        for name, count in sorted(not_run.items()):
            terminalreporter.line(f"{name}: {count} test(s) NOT RUN", red=True, bold=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test of CI whose peer is missing, rather than leave it out."""
    if missing := missing_peers(item):
        pytest.fail(f"peers missing on this machine: {', '.join(missing)}", pytrace=False)


@pytest.fixture(autouse=True)
def loopback_sockets() -> None:
    """Allow sockets again, which Home Assistant's test package forbids, but connect them to loopback only.

    A fixture, and the first one, because the package forbids them just before the fixtures of a test are made.
    """
    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(autouse=True)
def load_custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load this repository's integration in every test that starts one."""
    if "hass" not in request.fixturenames:
        return
    if "recorder_mock" in request.fixturenames:
        # The recorder must be prepared before Home Assistant is.
        request.getfixturevalue("recorder_mock")
    request.getfixturevalue("enable_custom_integrations")
