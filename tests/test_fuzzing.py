"""What comes from the network: worst cases within 50 ms, a short fuzzing run, and a fuzzer that finds something."""

from collections.abc import Iterator

import pytest

from scripts.fuzzing.own import TIME_LIMIT, fuzz, seconds_of
from scripts.fuzzing.targets import TARGETS, Target

SIZE = 65_535
RUNS = 400

targets = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@targets
def test_64_kb_of_the_worst_take_less_than_50_ms(target: Target) -> None:
    slow = [data[:200] for data in target.hostile(SIZE) if seconds_of(target, data) >= TIME_LIMIT]
    assert not slow


@targets
def test_a_short_run_finds_nothing(target: Target) -> None:
    result = fuzz(target, seconds=60, seed=1, runs=RUNS, size=2000)
    assert not result.findings
    assert result.runs >= RUNS
    assert result.branches > 0


def test_the_fuzzer_finds_an_error_behind_two_branches() -> None:
    parse = TARGETS["rtp"].run

    def planted(data: bytes) -> None:
        parse(data)
        if len(data) > 3 and data[0] & 0x10:
            raise ZeroDivisionError("planted")

    target = Target(name="planted", run=planted, seeds=lambda: [b"\x80" + bytes(20)], hostile=lambda _size: iter(()))
    result = fuzz(target, seconds=60, seed=1, runs=20_000)
    assert result.findings
    assert "planted" in result.findings[0].text


def test_the_fuzzer_finds_work_that_grows_with_the_square() -> None:
    def squared(data: bytes) -> None:
        text = data.decode("latin-1")
        while text:
            text = text[1:]

    def long_ones(size: int) -> Iterator[bytes]:
        yield bytes(size * 2)

    target = Target(name="squared", run=squared, seeds=lambda: [b"a"], hostile=long_ones)
    result = fuzz(target, seconds=0, seed=1)
    assert "ms of CPU time" in result.findings[0].text
