"""Print what each language of the integration lacks, has too much, or has with other placeholders than English."""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "custom_components" / "sip_ua" / "translations"


def leaves(tree: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def texts_of(path: Path) -> dict[str, str]:
    return dict(leaves(json.loads(path.read_text(encoding="utf-8"))))


def placeholders(text: str) -> list[str]:
    return sorted(set(re.findall(r"\{(\w+)\}", text)))


def faults(english: dict[str, str], texts: dict[str, str], *, same: bool) -> Iterator[str]:
    """Yield what is wrong with one language."""
    yield from (f"lacks {key}: {text}" for key, text in english.items() if key not in texts)
    yield from (f"has {key}, which English has not" for key in texts if key not in english)
    for key in english.keys() & texts.keys():
        if placeholders(english[key]) != placeholders(texts[key]):
            yield f"has other placeholders in {key}: {texts[key]}"
        elif same and english[key] == texts[key]:
            yield f"is as in English in {key}: {texts[key]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--same", action="store_true", help="list texts that are as in English, too")
    same = parser.parse_args().same
    english = texts_of(FOLDER / "en.json")
    bad = False
    for path in sorted(FOLDER.glob("*.json")):
        if path.stem == "en":
            continue
        found = sorted(faults(english, texts_of(path), same=same))
        bad = bad or bool(found)
        print(f"{path.stem}: {len(found) or 'nothing'} to do")
        for fault in found:
            print(f"  {path.stem} {fault}")
    return int(bad and not same)


if __name__ == "__main__":
    sys.exit(main())
