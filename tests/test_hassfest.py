"""What hassfest checks of a custom integration, beside its manifest: files that describe, and what they may hold."""

import ast
import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant import components
from homeassistant.const import Platform
from homeassistant.helpers.selector import validate_selector
from homeassistant.util.yaml import load_yaml_dict

from tests.test_packaging import INTEGRATION, read_json

COMPONENTS = Path(components.__path__[0])
ALLOWED_WITHOUT_DEPENDENCY = {
    *Platform,
    *("alert", "automation", "conversation", "default_config", "device_automation", "frontend", "group"),
    *("homeassistant", "input_boolean", "input_button", "input_datetime", "input_number", "input_select"),
    *("input_text", "media_source", "onboarding", "panel_custom", "persistent_notification", "person", "script"),
    *("shopping_list", "sun", "system_health", "system_log", "timer", "webhook", "websocket_api", "zone"),
}
"""What every integration may import from."""

IOT_CLASSES = {"assumed_state", "calculated", "cloud_polling", "cloud_push", "local_polling", "local_push"}
ICON_PARTS = {"conditions", "entity", "issues", "services", "triggers"}
TRANSLATION_PARTS = {
    *("common", "conditions", "config", "config_subentries", "conversation", "device", "device_automation", "entity"),
    *("entity_component", "exceptions", "issues", "options", "selector", "services", "system_health", "title"),
    *("triggers",),
}
FIELD_KEYS = {"advanced", "context", "default", "example", "filter", "required", "selector"}
SECTION_KEYS = {"collapsed", "fields"}


def described(name: str) -> dict[str, Any]:
    """Return a file that describes, without what only begins with a dot."""
    found = load_yaml_dict(str(INTEGRATION / name))
    return {key: value for key, value in found.items() if not key.startswith(".")}


def fields_of(fields: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every field with its name, those of sections too."""
    for name, field in fields.items():
        if "fields" in field:
            assert set(field) <= SECTION_KEYS
            yield from fields_of(field["fields"])
        else:
            yield name, field


def imported_components() -> set[str]:
    """Return the integrations of Home Assistant that ours imports from."""
    found = set[str]()
    for path in INTEGRATION.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "homeassistant.components":
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("homeassistant.components."):
                found.add(str(node.module).split(".")[2])
    return found


def test_what_is_imported_from_other_integrations_is_a_dependency() -> None:
    manifest = read_json(INTEGRATION / "manifest.json")
    allowed = ALLOWED_WITHOUT_DEPENDENCY | {*manifest["dependencies"], *manifest["after_dependencies"]}
    own = {path.stem for path in INTEGRATION.glob("*.py")}
    assert imported_components() - allowed - own == set()


def test_dependencies_exist_and_are_named_once() -> None:
    manifest = read_json(INTEGRATION / "manifest.json")
    first, later = manifest["dependencies"], manifest["after_dependencies"]
    assert set(first) & set(later) == set()
    assert {name for name in (*first, *later) if not (COMPONENTS / name / "manifest.json").exists()} == set()
    assert not (COMPONENTS / manifest["domain"]).exists(), "a core integration would be shadowed"
    assert manifest["iot_class"] in IOT_CLASSES


def test_requirements_are_packages_that_can_be_had() -> None:
    for requirement in read_json(INTEGRATION / "manifest.json")["requirements"]:
        name = re.split(r"[=<>~!@]", requirement)[0]
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name)
        assert importlib.metadata.version(name)


@pytest.mark.parametrize("file", ["services.yaml", "triggers.yaml", "conditions.yaml"])
def test_descriptions_of_actions_triggers_and_conditions_are_closed_and_their_selectors_right(file: str) -> None:
    for name, what in described(file).items():
        assert re.fullmatch(r"[a-z0-9_]+", name)
        assert set(what or {}) <= {"fields", "target"}, name
        if "target" in (what or {}):
            validate_selector({"target": what["target"]})
        fields = list(fields_of((what or {}).get("fields", {})))
        assert len({key for key, _ in fields}) == len(fields), f"{name} has a field twice"
        for key, field in fields:
            assert set(field) <= FIELD_KEYS, (name, key)
            assert field.get("default", 0) is not None
            validate_selector(field["selector"])


def test_icons_are_those_of_material_design_and_in_their_places() -> None:
    icons = read_json(INTEGRATION / "icons.json")
    assert set(icons) <= ICON_PARTS
    texts = re.findall(r'": "([^"]*)"', (INTEGRATION / "icons.json").read_text(encoding="utf-8"))
    assert [text for text in texts if not re.fullmatch(r"mdi:[a-z0-9-]+", text)] == []
    assert set(icons["services"]) == set(described("services.yaml"))
    assert set(icons["triggers"]) == set(described("triggers.yaml"))
    assert set(icons["conditions"]) == set(described("conditions.yaml"))


@pytest.mark.parametrize("path", sorted((INTEGRATION / "translations").glob("*.json")), ids=lambda path: path.stem)
def test_translations_have_only_the_parts_that_home_assistant_knows(path: Path) -> None:
    texts = json.loads(path.read_text(encoding="utf-8"))
    assert set(texts) <= TRANSLATION_PARTS
    for step in texts["config"]["step"].values():
        assert set(step) <= {"title", "description", "data", "data_description", "sections", "submit", "menu_options"}
    keys = {key for part in ("selector", "exceptions", "issues", "services") for key in texts[part]}
    assert [key for key in keys if not re.fullmatch(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", key)] == []


def test_there_is_no_text_file_that_only_core_integrations_have() -> None:
    assert not (INTEGRATION / "strings.json").exists()
