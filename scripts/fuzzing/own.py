"""A fuzzer in plain Python: mutation guided by the branches of our rooms, which `sys.monitoring` tells at no cost.

Each branch is told once and then no more, so that a run is as fast as without any coverage. An input that took a new
branch is kept and changed further.
"""

import gc
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import CodeType

from .mutation import mutated
from .rooms import ROOMS
from .targets import Target

TIME_LIMIT = 0.05
"""CPU seconds that any input may take, and no input is longer than 64 kB."""
TRIES_WHEN_SLOW = 5
MAX_CORPUS = 2000
MAX_FINDINGS = 5
_TOOL = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that must not do what it did."""

    data: bytes
    text: str


@dataclass(slots=True)
class Result:
    """What became of one target."""

    runs: int = 0
    branches: int = 0
    corpus: list[bytes] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    slowest: float = 0.0


class _Branches:
    """Counts the branches that are taken for the first time."""

    def __init__(self) -> None:
        self.count = 0

    def taken(self, code: CodeType, _source: int, _destination: int) -> object:
        if code.co_filename.startswith(ROOMS):
            self.count += 1
        return sys.monitoring.DISABLE


@contextmanager
def watched() -> Iterator[_Branches]:
    """Count new branches as long as the context lasts."""
    branches, monitoring = _Branches(), sys.monitoring
    monitoring.use_tool_id(_TOOL, "fuzzing")
    events = (monitoring.events.BRANCH_LEFT, monitoring.events.BRANCH_RIGHT)
    try:
        for event in events:
            monitoring.register_callback(_TOOL, event, branches.taken)
        monitoring.restart_events()
        monitoring.set_events(_TOOL, events[0] | events[1])
        yield branches
    finally:
        monitoring.set_events(_TOOL, 0)
        monitoring.free_tool_id(_TOOL)


def seconds_of(target: Target, data: bytes, tries: int = TRIES_WHEN_SLOW) -> float:
    """Return the CPU time that an input takes: the best of some tries where the first was too slow."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(tries):
            begin = time.thread_time()
            target.run(data)
            best = min(best, time.thread_time() - begin)
            if best < TIME_LIMIT:
                break
    finally:
        gc.enable()
    return best


def tried(target: Target, data: bytes, result: Result) -> bool:
    """Run one input; False where it is a finding."""
    result.runs += 1
    text = ""
    try:
        seconds = seconds_of(target, data)
    except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
        text = traceback.format_exc()
    else:
        result.slowest = max(result.slowest, seconds)
        if seconds >= TIME_LIMIT:
            text = f"took {seconds * 1000:.1f} ms of CPU time for {len(data)} octets"
    if text:
        result.findings.append(Finding(data, text))
    return not text


def fuzz(target: Target, *, seconds: float, seed: int = 0, runs: int = sys.maxsize, size: int = 65_535) -> Result:
    """Try the seeds, the worst cases, and then changed inputs until the time or the number of runs is over."""
    result, random = Result(), Random(seed)  # noqa: S311 - the same seed is to make the same inputs
    end = time.monotonic() + seconds
    with watched() as branches:
        for data in target.seeds():
            if tried(target, data, result):
                result.corpus.append(data)
        for data in target.hostile(size):
            tried(target, data, result)
        while result.runs < runs and time.monotonic() < end and len(result.findings) < MAX_FINDINGS:
            before = branches.count
            # The youngest are the most promising.
            at = max(random.randrange(len(result.corpus)), random.randrange(len(result.corpus)))
            data = mutated(result.corpus[at], result.corpus, random)
            if tried(target, data, result) and branches.count > before and len(result.corpus) < MAX_CORPUS:
                result.corpus.append(data)
        result.branches = branches.count
    return result
