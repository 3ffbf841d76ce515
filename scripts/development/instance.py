"""A Home Assistant of the newest release, run from a folder of the checkout."""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import wave
from array import array
from collections.abc import Iterator
from math import sin, tau
from pathlib import Path

from .terminal import DevelopError

REPO = Path(__file__).parents[2]
HASS = REPO / ".venv-ha" / "bin" / "hass"
STOP_SECONDS = 30.0
RESTART_EXIT_CODE = 100
PORTS_TRIED = 50
RECORD_START = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+")
OURS = re.compile(r"custom_components[./]sip_ua|custom integration '?sip_ua")
CONFIGURATION = """\
# Written anew by every start of scripts/develop.
homeassistant:
  media_dirs:
    local: {media}
frontend:
config:
api:
history:
logbook:
media_source:
tts:
automation: !include automations.yaml
script: !include scripts.yaml
scene: !include scenes.yaml
logger:
  default: warning
  logs:
    custom_components.sip_ua: info
"""

# What Home Assistant's own editors write, and what it holds before they do.
EDITED = {"automations.yaml": "[]\n", "scripts.yaml": "{}\n", "scenes.yaml": "[]\n"}


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port or the next one that is free; raises DevelopError where none is."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise DevelopError(f"no port from {wanted} on is free at {host}")


class Instance:
    """The folder and the process of one Home Assistant."""

    def __init__(self, folder: Path, host: str, port: int) -> None:
        self.folder = folder
        self.host = host
        self.port = port
        self.log = folder / "home-assistant.log"
        self.output = folder / "output.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def prepare(self) -> None:
        """Write the folder's files; what Home Assistant keeps there itself is left alone."""
        media = self.folder / "media"
        media.mkdir(parents=True, exist_ok=True)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION.format(media=media), encoding="utf-8")
        for name, empty in EDITED.items():
            if not (self.folder / name).exists():
                (self.folder / name).write_text(empty, encoding="utf-8")
        link = self.folder / "custom_components"
        if not link.is_symlink():
            link.symlink_to(
                (REPO / "custom_components").relative_to(self.folder, walk_up=True), target_is_directory=True
            )
        write_chime(media / "chime.wav")
        self._write_address()
        self.log.unlink(missing_ok=True)

    def _write_address(self) -> None:
        """Settle address and port where Home Assistant keeps them since it stopped reading them from YAML."""
        storage = self.folder / ".storage"
        storage.mkdir(exist_ok=True)
        stable = {
            "server_host": [self.host],
            "server_port": self.port,
            "cors_allowed_origins": ["https://cast.home-assistant.io"],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": True,
            "ssl_profile": "intermediate_v6",
            "use_x_frame_options": True,
            "created_at": "2026-01-01T00:00:00+00:00",
            "error": None,
            "error_message": None,
        }
        data = {"stable": stable, "pending": None, "yaml_migration_done": True}
        content = {"version": 3, "minor_version": 1, "key": "http", "data": data}
        (storage / "http").write_text(json.dumps(content, indent=2), encoding="utf-8")

    async def start(self) -> None:
        """Start the process; its own session keeps a Ctrl-C at the terminal from reaching it twice."""
        with self.output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                HASS,
                "--config",
                self.folder,
                "--log-no-color",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def wants_restart(self) -> bool:
        """Whether somebody asked Home Assistant to restart, which it leaves to whoever started it."""
        return self._process is not None and self._process.returncode == RESTART_EXIT_CODE

    def check(self) -> None:
        """Raise DevelopError where the process has ended."""
        if self._process is None or self._process.returncode is not None:
            code = "" if self._process is None else f" with exit code {self._process.returncode}"
            last = self.output.read_text(errors="replace").strip().splitlines()[-5:]
            raise DevelopError("\n  ".join([f"Home Assistant stopped{code}, see {self.output}", *last]))

    async def stop(self) -> bool:
        """End the process and everything that it started; return whether it ended by itself in time."""
        process, self._process = self._process, None
        if process is None:
            return True
        in_time = True
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            in_time = False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        return in_time

    def complaints(self) -> list[str]:
        """Return the log's records of errors and of misuse that come from the integration."""
        found: list[str] = []
        for record in log_records(self.log) + log_records(self.output):
            level = re.search(r"\b(WARNING|ERROR|CRITICAL)\b", record)
            if level is None or not OURS.search(record) or "has not been tested" in record:
                continue
            if level[1] != "WARNING" or "Detected" in record:
                found.append(record)
        return list(dict.fromkeys(found))


def log_records(path: Path) -> list[str]:
    """Return the records of a log, each with the lines of its traceback."""
    records: list[str] = []
    if not path.exists():
        return records
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if RECORD_START.match(line) or not records:
            records.append(line)
        else:
            records[-1] += f"\n{line}"
    return records


@contextlib.contextmanager
def own_folder(folder: Path, *, fresh: bool) -> Iterator[None]:
    """Keep a folder for this process, emptied where it is to be `fresh`; raises DevelopError where another has it."""
    folder.mkdir(exist_ok=True)
    lock = folder / "develop.lock"
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DevelopError(f"another scripts/develop uses {folder}") from error
        for path in folder.iterdir() if fresh else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != lock:
                path.unlink()
        yield


def write_chime(path: Path) -> None:
    """Write two seconds of a chime, to be played into calls."""
    rate = 16000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = array("h")
        for index in range(2 * rate):
            moment = index / rate
            frequency = 880 if moment < 1 else 660
            samples.append(round(9000 * (1 - moment % 1) * sin(tau * frequency * moment)))
        file.writeframes(samples.tobytes())
