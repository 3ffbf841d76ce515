"""SIPp: call flows of our own, message for message, as caller or as called party."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import override

from .ports import LOOPBACK, free_ports
from .process import PeerError, PeerProcess

SCENARIOS = Path(__file__).parent.parent / "scenarios"
RUN_SECONDS = 45
SOCKETS = {"udp": "u1", "tcp": "t1"}
"""One socket, or one connection, for all calls."""


@dataclass(frozen=True, slots=True)
class SippResult:
    """What SIPp counted."""

    exit_code: int
    successful: int
    failed: int
    unexpected: int
    retransmissions: int


class Sipp(PeerProcess):
    """One run of a scenario: a file, or the name of one in `tests/interop/scenarios`.

    `target` is `host:port` of the next hop, needed by a caller. `calls` calls are made or taken, one
    after the other with `rate` a second at most, then it ends by itself.
    """

    program = "sipp"

    def __init__(
        self,
        folder: Path,
        scenario: str | Path,
        *,
        target: str | None = None,
        calls: int = 1,
        rate: int = 10,
        simultaneous: int = 1,
        service: str = "service",
        transport: str = "udp",
        seconds: int = RUN_SECONDS,
        timed: bool = False,
        host: str = LOOPBACK,
        tolerant: bool = False,
        talk_ms: int = 0,
    ) -> None:
        """Choose a port of `host`; nothing runs yet. Calls talk for `talk_ms` where the scenario leaves that open.

        `timed` keeps the response times in place of the messages. A `tolerant` one does not give up a call over a
        message that its scenario does not expect.
        """
        self._scenario = scenario if isinstance(scenario, Path) else SCENARIOS / f"{scenario}.xml"
        name = self._scenario.stem
        super().__init__(f"sipp-{name}", folder)
        self.port = free_ports()
        self._host = host
        self._seconds = seconds
        self._statistics = folder / f"{name}.csv"
        self._errors = folder / f"{name}-errors.log"
        self._messages = folder / f"{name}-messages.log"
        self._arguments = [
            *("-sf", str(self._scenario), "-i", host, "-p", str(self.port)),
            *("-m", str(calls), "-l", str(simultaneous), "-r", str(rate)),
            *(
                "-s",
                service,
                "-d",
                str(talk_ms),
                "-t",
                SOCKETS[transport],
                "-mi",
                host,
                "-mp",
                str(free_ports(4, step=2)),
            ),
            *(
                "-nostdin",
                "-default_behaviors",
                "none" if tolerant else "all,-bye",
                "-timeout",
                str(seconds),
                "-timeout_error",
            ),
            *("-trace_stat", "-stf", str(self._statistics), "-fd", "1"),
            *("-trace_err", "-error_file", str(self._errors)),
            *(("-trace_rtt", "-rtt_freq", "1") if timed else ("-trace_msg", "-message_file", str(self._messages))),
        ]
        if target is not None:
            self._arguments.append(target)

    @property
    def address(self) -> str:
        """Return `host:port` of this SIPp."""
        return f"{self._host}:{self.port}"

    @property
    def received(self) -> list[str]:
        """Return the messages that came, repetitions included."""
        return self._logged("received")

    def came(self, method: str) -> list[str]:
        """Return the requests of a method that came."""
        return [message for message in self.received if message.startswith(f"{method} ")]

    def sent(self, method: str) -> list[str]:
        """Return the requests of a method that it sent."""
        return [message for message in self._logged("sent") if message.startswith(f"{method} ")]

    def _logged(self, way: str) -> list[str]:
        log = self._messages.read_text(errors="replace") if self._messages.exists() else ""
        return re.findall(rf"message {way} [^\n]*\n\n(.*?)(?=\n-{{10}}|\Z)", log, re.DOTALL)

    @override
    async def start(self) -> None:
        """Start the scenario; a called party listens on return."""
        self.launch(*self._arguments)
        await self.until(lambda: self._statistics.exists() or not self.running, "SIPp runs its scenario")

    @override
    def require_alive(self, what: str) -> None:
        """Allow SIPp to end: a finished scenario is what it is for."""

    @override
    def log_section(self) -> str:
        """Return the end of its output, of its errors and of the messages it saw."""
        section = super().log_section()
        for path in (self._errors, self._messages):
            if path.exists():
                section += f"\n--- {path.name} ---\n{path.read_text(errors='replace')[-6000:]}"
        return section

    async def result(self) -> SippResult:
        """Wait for the end of the scenario and return the counts."""
        await self.until(lambda: not self.running, "SIPp has ended", seconds=self._seconds + 5)
        if self.exit_code is None:
            raise PeerError(f"{self.name} was not started")
        return self.counts(self.exit_code)

    def counts(self, exit_code: int = 0) -> SippResult:
        """Return what it has counted so far, to the second."""
        if not self._statistics.exists():
            raise PeerError(f"{self.name} ran no scenario{self.log_section()}")
        with self._statistics.open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return SippResult(
            exit_code=exit_code,
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            unexpected=int(last["FailedUnexpectedMessage(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
        )

    async def require_success(self, calls: int = 1) -> SippResult:
        """Wait for the end and raise unless all of `calls` calls went by the scenario."""
        result = await self.result()
        if result.exit_code != 0 or result.successful != calls or result.failed:
            raise PeerError(f"{self.name}: {result}{self.log_section()}")
        return result

    def response_times(self) -> dict[str, list[float]]:
        """Return the milliseconds that SIPp took down under each name of its scenario; only where it is `timed`."""
        times: dict[str, list[float]] = {}
        for path in self.folder.glob(f"{self._scenario.stem}_*_rtt.csv"):
            with path.open(newline="") as file:
                for row in csv.DictReader(file, delimiter=";"):
                    times.setdefault(row["rtd_no"], []).append(float(row["response_time_ms"]))
        return times
