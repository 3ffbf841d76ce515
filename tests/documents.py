"""The pages for people, as tests read them: sections, tables, examples, links."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from homeassistant.util.yaml import parse_yaml

REPO = Path(__file__).parents[1]
DOCS = REPO / "docs"
PAGES = (REPO / "README.md", *sorted(DOCS.glob("*.md")))


def text_of(name: str) -> str:
    """Return a page of docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def section_of(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level or above."""
    (found,) = re.finditer(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    level = len(found[1])
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of the first table in a text, without its head."""
    found = re.search(r"^\|.*\n\|[-| ]+\|\n((?:\|.*\n)*)", text, re.MULTILINE)
    lines = found[1].splitlines() if found else []
    return [cells_of(line) for line in lines]


def cells_of(line: str) -> list[str]:
    """Return the cells of one line of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def names_in(cell: str) -> list[str]:
    """Return what stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that the headings of a page make."""
    headings = re.findall(r"^#+ (.*)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings]
    return {heading.lower().replace(" ", "-") for heading in plain}


def without_code(text: str) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def examples_of(page: Path) -> list[Any]:
    """Return the YAML of a page as Home Assistant reads its configuration."""
    return [
        parse_yaml(block) for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]


def steps_of(example: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every mapping in an example, however deep it is."""
    if isinstance(example, dict):
        yield example
        for value in example.values():
            yield from steps_of(value)
    elif isinstance(example, list):
        for value in example:
            yield from steps_of(value)
