"""What a developer sees: progress with times, the call progression as a ladder, and one clear line for a failure."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

WIDTH = 30
STEP_NAMES = {
    "invite": "INVITE",
    "challenge": "Login wanted",
    "trying": "Trying",
    "ringing": "Ringing",
    "progress": "Session Progress",
    "ok": "OK",
    "ack": "ACK",
    "cancel": "CANCEL",
    "bye": "BYE",
    "bye_ok": "OK",
    "rejected": "Rejected",
}


class DevelopError(Exception):
    """Something could not be had or did not work; the text is for the developer."""


class Progress:
    """Prints lines with the seconds since the start, which is given in Unix time."""

    def __init__(self, started: float) -> None:
        self._start = time.monotonic() - max(0.0, time.time() - started)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        print(f"[{self.elapsed:6.1f} s] {text}", flush=True)


def ladder(steps: Iterable[Mapping[str, Any]], far_end: str, voice: str) -> list[str]:
    """Draw a call progression; times are seconds since the INVITE, the voice stands where the call is up."""
    lines = [f"{'':10}{'Home Assistant':<{WIDTH + 6}}{far_end}"]
    start: float | None = None
    for step in steps:
        start = step["elapsed"] if start is None else start
        name = STEP_NAMES[step["step"]]
        if step["step"] == "invite" and len(lines) > 1:
            name = "INVITE with login"
        if step["code"]:
            name = f"{step['code']} {step['reason'] or name}"
        lines.append(f"{step['elapsed'] - start:8.3f}  {_arrow(name, sent=step['sent'])}")
        if step["step"] == "ack" and voice:
            lines.append(f"{'':10}|{f' {voice} ':=^{WIDTH + 10}}|")
    return lines


def _arrow(name: str, *, sent: bool) -> str:
    text = f" {name} ".center(WIDTH + 9, "-")
    return f"|{text}>|" if sent else f"|<{text}|"
