"""Every kind of entity has a snapshot of what it is and of what it shows."""

import re
from pathlib import Path

from tests.test_translations import ENTITIES, read

SNAPSHOTS = Path(__file__).parent / "integration" / "snapshots"
_BLOCK = re.compile(r"^# name: (?P<name>[^\n]+)\n(?P<text>.*?)^# ---$", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"^      '(\w+)':", re.MULTILINE)
"""An attribute of ours: those of Home Assistant itself stand there as members of its enumerations."""

_FIELD = re.compile(r"^    '(domain|entity_id|translation_key)': '(.+)',$", re.MULTILINE)


def blocks() -> dict[str, str]:
    """Return every snapshot by its name."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(SNAPSHOTS.glob("*.ambr")))
    return {found["name"]: found["text"] for text in texts for found in _BLOCK.finditer(text)}


def test_every_kind_of_entity_has_a_snapshot_with_its_state() -> None:
    kept = blocks()
    seen = set[tuple[str, str]]()
    for name, text in kept.items():
        if not name.endswith("-entry]"):
            continue
        fields = dict(_FIELD.findall(text))
        state = kept[f"{name.removesuffix('-entry]')}-state]"]
        assert fields["entity_id"] in state or "'disabled_by': None" not in text, name
        seen.add((fields["domain"], fields["translation_key"]))
    wanted = {(domain, str(kind.translation_key)) for domain, kinds in ENTITIES.items() for kind in kinds}
    assert wanted - seen == set()


def test_every_attribute_that_is_shown_has_a_name() -> None:
    kept, texts = blocks(), read("translations/en.json")["entity"]
    for name, text in kept.items():
        if not name.endswith("-entry]"):
            continue
        fields = dict(_FIELD.findall(text))
        state = kept[f"{name.removesuffix('-entry]')}-state]"]
        shown = set(_ATTRIBUTE.findall(state)) if "StateSnapshot" in state else set()
        named = texts[fields["domain"]][fields["translation_key"]].get("state_attributes", {})
        assert shown <= set(named), name
