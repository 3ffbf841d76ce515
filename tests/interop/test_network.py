"""The kernel tells of another network, and the telephone follows: in a network namespace of the test's own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.interop, pytest.mark.peer("namespaces", "ip")]

REPO = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("another_network.py")


def test_linux_tells_of_another_address_at_once_and_the_telephone_registers_from_there() -> None:
    command = ("unshare", "--user", "--map-root-user", "--net", sys.executable, str(SCRIPT))
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sip:ha@10.99.0.3:" in done.stdout
    assert "sip:ha@10.99.0.4:" in done.stdout
