"""How soon a telephone is registered again after its registrar was killed and came back, at a real Kamailio.

    .venv/bin/python scripts/benchmark/recovery.py [--down SECONDS ...] [--keep-alive N] [--granted N] [--transport T]

Kamailio is killed as by a power cut, stays away for each of the times, and comes back with an empty table; with 0
seconds it goes nowhere and only loses its table, which nobody can see from without. The time counts from the moment
at which it answers again until it has the telephone's contact. `noticed` is how long after the kill the telephone
said that its registration is lost; one that came back before anybody asked was not missed. Every outage is measured
at the same time, with a Kamailio of its own. The keep-alive interval is the account's setting, by default as short as
the form takes it; what is granted is Kamailio's. The goals: within 5 s with a keep-alive that short, within 60 s
whatever happened (--keep-alive 30, or 0 with a short --granted); the exit code is 1 beyond that.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from random import SystemRandom

from cryptography.x509 import IPAddress

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from custom_components.sip_ua.sip.account import (  # noqa: E402
    CertificateCheck,
    ServerAddress,
    Timing,
    TlsSettings,
    Transport,
)
from custom_components.sip_ua.sip.events import RegistrationState  # noqa: E402
from tests.interop.agent import Agent, account_at  # noqa: E402
from tests.interop.peers import LOOPBACK, Kamailio  # noqa: E402
from tests.net.certificates import CertificateAuthority  # noqa: E402

USER = "ha"
PATIENCE = 900.0
GOAL_KEPT_ALIVE, GOAL_ALWAYS = 5.0, 60.0
# What a confirmation and its login take on a busy machine is no part of the goal.
ALLOWANCE = 0.5
ROW = "{:>9} {:>6} {:>9} {:>7} {:>8} {:>9}"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came of one outage; times in seconds, `noticed` None where nobody noticed."""

    noticed: float | None
    back: float
    attempts: int

    def goal(self, keep_alive: int, transport: str, down: float) -> float:
        """Return the time within which the telephone should be back."""
        is_seen = down > 0 if transport != "udp" else 0 < keep_alive <= GOAL_KEPT_ALIVE
        return GOAL_KEPT_ALIVE if is_seen or self.noticed is not None else GOAL_ALWAYS


async def recover(folder: Path, transport: Transport, down: float, timing: Timing, granted: int) -> Recovery:
    """Kill the registrar for `down` seconds, with 0 empty its table, and wait until we are registered again."""
    authority = CertificateAuthority(folder)
    kamailio = Kamailio(
        folder / "kamailio",
        {USER: "secret"},
        max_expires=granted,
        certificate=authority.file(IPAddress(ip_address(LOOPBACK))),
    )
    account = replace(
        account_at(kamailio, USER, transport=transport, timing=timing),
        server=ServerAddress(LOOPBACK, kamailio.tls_port if transport is Transport.TLS else kamailio.port),
        tls=TlsSettings(check=CertificateCheck.AUTHORITY, authority=authority.pem),
    )
    async with kamailio, Agent(account) as ours:
        await ours.until_registered()
        told = len(ours.registrations)
        # Not in step with what the telephone does by itself.
        await asyncio.sleep(SystemRandom().uniform(0, timing.keep_alive))
        killed = time.monotonic()
        if down:
            kamailio.kill()
            await kamailio.stop()
            await asyncio.sleep(down)
            await kamailio.start()
        else:
            kamailio.remove_contacts(USER)
        returned = time.monotonic()
        await kamailio.until(lambda: kamailio.contacts(USER), "the telephone is back", seconds=PATIENCE)
        back = time.monotonic() - returned
        lost = [event for event in ours.registrations[told:] if event.state is RegistrationState.FAILED]
        # The loop's clock, which the events tell, is the monotonic one.
        return Recovery(lost[0].at - killed if lost else None, back, len(lost))


async def measure(arguments: argparse.Namespace) -> bool:
    """Measure every outage; True where all goals were reached."""
    timing = Timing(keep_alive=arguments.keep_alive)
    print(
        f"keep-alive every {timing.keep_alive} s, registrar grants {arguments.granted} s, else the settings' defaults"
    )
    print(ROW.format("transport", "down s", "noticed s", "back s", "failures", "goal s"))

    async def measure_one(transport: str, down: float) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            found = await recover(Path(folder), Transport(transport), down, timing, arguments.granted)
        noticed = "no" if found.noticed is None else f"{found.noticed:.1f}"
        seconds = found.goal(timing.keep_alive, transport, down)
        met = found.back <= seconds + ALLOWANCE
        goal = f"{seconds:.0f}{'' if met else ' MISSED'}"
        print(ROW.format(transport, f"{down:g}", noticed, f"{found.back:.1f}", found.attempts, goal), flush=True)
        return met

    cases = [measure_one(transport, down) for transport in arguments.transport for down in arguments.down]
    return all(await asyncio.gather(*cases))


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--down", type=float, nargs="+", default=[0.0, 1.0, 60.0, 600.0], help="seconds away, each measured"
    )
    parser.add_argument("--keep-alive", type=int, default=5, help="seconds between questions (default: 5)")
    parser.add_argument("--granted", type=int, default=60, help="seconds that the registrar grants (default: 60)")
    parser.add_argument("--transport", nargs="+", choices=["udp", "tcp", "tls"], default=["udp", "tcp", "tls"])
    arguments = parser.parse_args()
    if shutil.which("kamailio") is None and shutil.which("kamailio", path="/usr/sbin") is None:
        parser.error("kamailio is not installed (scripts/test installs it)")
    return 0 if asyncio.run(measure(arguments)) else 1


if __name__ == "__main__":
    sys.exit(main())
