"""A peer's operating-system process: started in a folder of its own, logged, stopped by its own id."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from tests.programs import find_program

LOG_TAIL_CHARACTERS = 6_000
POLL_SECONDS = 0.02
STOP_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
"""How long a condition may take before it counts as not coming; generous, for machines are shared."""


class PeerError(AssertionError):
    """A peer did not do what the test asked of it; the message carries the end of its log."""


def require_program(name: str) -> str:
    """Return the path of a peer's program, or raise: an absent peer is a failure, never a skip."""
    path = find_program(name)
    if path is None:
        raise PeerError(f"the peer {name!r} is not installed on this machine")
    return path


def open_descriptors() -> int:
    """Return how many files and sockets this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def until[Value](
    condition: Callable[[], Value],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    peers: Sequence[PeerProcess] = (),
) -> Value:
    """Wait until `condition` gives a true value and return it; raise `PeerError` naming `what`.

    The peers named are watched too: if one of them ends first, there is no use in waiting on.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        for peer in peers:
            peer.require_alive(what)
        if time.monotonic() > deadline:
            logs = "".join(peer.log_section() for peer in peers)
            raise PeerError(f"not within {seconds:g} s: {what}{logs}")
        await asyncio.sleep(POLL_SECONDS)


class PeerProcess(ABC):
    """One program, its folder and its log."""

    program: ClassVar[str]
    """The name of the program."""
    orphan_signal: ClassVar[str] = "KILL"
    """What ends the program where the tests are killed before they could stop it."""

    def __init__(self, name: str, folder: Path) -> None:
        """Prepare `folder` (made if absent) for the peer called `name` in failure messages."""
        self.name = name
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, *arguments: str) -> None:
        """Start the program as the leader of a session of its own, its output in the log."""
        if self.running:
            raise PeerError(f"{self.name} is already running")
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                # Should the tests be killed, the program is to go with them.
                ["setpriv", "--pdeathsig", self.orphan_signal, "--", require_program(self.program), *arguments],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TERM": "xterm"},
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Say whether the program has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the process id of the running program."""
        if self._process is None:
            raise PeerError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return the exit code once the program has ended, before that None."""
        return None if self._process is None else self._process.poll()

    @property
    def log(self) -> str:
        """Return all that the program has written so far."""
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def log_section(self) -> str:
        """Return the end of the log under a heading, for a failure message."""
        return f"\n--- log of {self.name} ---\n{self.log[-LOG_TAIL_CHARACTERS:]}"

    def require_alive(self, what: str) -> None:
        """Raise if the program has ended while the test waited for `what`."""
        if self._process is not None and self._process.poll() is not None:
            code = self._process.returncode
            raise PeerError(f"{self.name} ended with {code} before: {what}{self.log_section()}")

    async def until[Value](
        self, condition: Callable[[], Value], what: str, *, seconds: float = PATIENCE_SECONDS
    ) -> Value:
        """Wait for a condition that this peer has to bring about."""
        return await until(condition, what, seconds=seconds, peers=(self,))

    def kill(self) -> None:
        """End the program at once, as a power cut would: nothing is unregistered, nothing said."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    async def stop(self) -> None:
        """End the program politely, after `STOP_SECONDS` by force; it is gone on return."""
        process = self._process
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                self._signal(number)
                with contextlib.suppress(PeerError):
                    await until(lambda: process.poll() is not None, "the end", seconds=STOP_SECONDS)
        process.wait()
        # A forked child that outlived its leader still belongs to the session that we made.
        self._signal(signal.SIGKILL)
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    async def __aenter__(self) -> Self:
        """Start the peer."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the peer."""
        await self.stop()

    @abstractmethod
    async def start(self) -> None:
        """Start the program and return when it serves."""
