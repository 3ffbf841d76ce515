"""How much has to be gone through by the tests, and that too little of it fails."""

import pytest

from scripts.lib.coverage_limits import Summary, percent, shortfalls


def summary(lines: int, branches: int = 0, *, of: tuple[int, int] = (100, 0)) -> Summary:
    statements, ways = of
    return {
        "covered_lines": lines,
        "covered_branches": branches,
        "num_statements": statements,
        "num_branches": ways,
    }


def test_lines_and_branches_count_alike() -> None:
    assert percent([summary(90, 10, of=(100, 100))]) == 50
    assert percent([summary(100), summary(0, of=(300, 0))]) == 25
    assert percent([]) == 100


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"sensor.py": summary(100), "config_flow.py": summary(100)}, []),
        ({"sensor.py": summary(95), "button.py": summary(100)}, []),
        (
            {"sensor.py": summary(94), "button.py": summary(100)},
            ["sensor.py: 94.00 %, and 95 % is the least"],
        ),
        (
            {"sensor.py": summary(96), "button.py": summary(97)},
            ["all modules: 96.50 %, and 97 % is the least"],
        ),
        ({"menu_flow.py": summary(99)}, ["menu_flow.py: 99.00 %, and 100 % is the least"]),
        ({"validation.py": summary(99)}, ["validation.py: 99.00 %, and 100 % is the least"]),
    ],
)
def test_what_is_not_covered_enough_is_named(files: dict[str, Summary], told: list[str]) -> None:
    assert shortfalls(files) == told
