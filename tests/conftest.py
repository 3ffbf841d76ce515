"""What every test has: this repository's integration, and sockets that reach loopback only."""

import pytest
import pytest_socket

# Imported before Home Assistant looks for custom integrations, or it finds the test package's own folder.
import custom_components.sip_ua

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

assert custom_components.sip_ua.__file__


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """Allow sockets again, which Home Assistant's test package forbids, but connect them to loopback only."""
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
