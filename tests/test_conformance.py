"""The conformance table: every test that it names exists, every standard that we must meet has a line."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "conformance.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", TABLE)))
NOT_YET = "not yet"
STANDARDS = frozenset(
    {
        *(2474, 2617, 2782, 3261, 3262, 3263, 3264, 3311, 3323, 3325, 3326, 3327, 3389, 3515, 3550, 3551, 3581, 3608),
        3665,
        *(
            3711,
            3842,
            3856,
            3863,
            3891,
            4028,
            4235,
            4475,
            4568,
            4733,
            4961,
            5079,
            5118,
            5246,
            5389,
            5626,
            5922,
            6026,
            6086,
            6665,
        ),
        *(5806, 7044, 7587, 7616, 7714, 8446, 8489, 8643, 8760, 8866),
    }
)
FLOWS = {f"2.{number}" for number in range(1, 6)} | {f"3.{number}" for number in range(1, 12)}


def rows() -> list[list[str]]:
    """Return the cells of every line that is about a standard."""
    lines = [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in TABLE.splitlines()]
    return [cells for cells in lines if cells[0].isdecimal()]


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_is_named_exists(file: str) -> None:
    missing = {name for named_in, name in NAMED if named_in == file} - names_in(TESTS / file)
    assert not missing


def test_every_standard_has_a_line() -> None:
    assert {int(cells[0]) for cells in rows()} == STANDARDS


def test_every_line_names_a_test_or_says_that_it_is_not_there_yet() -> None:
    for cells in rows():
        assert len(cells) == 4, cells
        assert cells[3] == NOT_YET or "::test_" in cells[3], cells


def test_no_line_is_there_twice() -> None:
    counts = Counter(tuple(cells[:3]) for cells in rows())
    assert max(counts.values()) == 1


def test_every_flow_of_rfc_3665_has_a_line() -> None:
    assert {cells[1] for cells in rows() if cells[0] == "3665"} == FLOWS
