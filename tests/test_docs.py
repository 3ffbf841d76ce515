"""The pages for people hang together: links lead somewhere, pages can be found, pictures and commands exist."""

import itertools
import re
from pathlib import Path

import pytest

from tests.documents import DOCS, PAGES, REPO, anchors_of, cells_of, without_code

README = REPO / "README.md"
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links_of(page: Path) -> list[str]:
    return [link for link in _LINK.findall(without_code(page.read_text(encoding="utf-8"))) if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    lost = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            lost.append(link)
    assert lost == []


def test_every_page_can_be_found_from_the_front_page() -> None:
    found, left = set[Path](), [README]
    while left:
        page = left.pop()
        found.add(page)
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links_of(page)}
        left += [target for target in targets if target in PAGES and target not in found]
    assert set(PAGES) - found == set()


def test_the_front_page_shows_pictures_and_the_two_commands_that_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    pictures = re.findall(r"docs/images/[\w.-]+\.png", text)
    commands = re.findall(r"^\$ (scripts/\w+)", text, re.MULTILINE)
    assert len(pictures) >= 2
    assert commands == ["scripts/develop", "scripts/test"]
    assert [path for path in (*pictures, *commands, "LICENSE") if not (REPO / path).exists()] == []


def test_every_script_that_is_named_exists() -> None:
    text = (DOCS / "contributing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(scripts/\w+)", text))
    assert {path for path in named if not (REPO / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_has_a_blank_line_before_it_and_rows_of_one_width(page: Path) -> None:
    lines = without_code(page.read_text(encoding="utf-8")).splitlines()
    wrong = []
    for number, line in enumerate(lines):
        if line.startswith("|") and not (number and lines[number - 1].startswith("|")):
            head = len(cells_of(line))
            rows = list(itertools.takewhile(lambda row: row.startswith("|"), lines[number:]))
            wrong += [row for row in rows if len(cells_of(row)) != head]
            if number and lines[number - 1]:
                wrong.append(lines[number - 1])
    assert wrong == []
