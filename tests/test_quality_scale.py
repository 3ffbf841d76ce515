"""The quality scale: every rule has its word, and what is said to be done is there."""

import ast
from pathlib import Path
from typing import Any

import pytest
from homeassistant.const import Platform
from homeassistant.util.yaml import load_yaml_dict

from custom_components.sip_ua import ASSIST_PLATFORMS, PLATFORMS
from tests.documents import DOCS, REPO, text_of
from tests.test_packaging import read_json

EVERY_PLATFORM = (*PLATFORMS, *ASSIST_PLATFORMS)
INTEGRATION = REPO / "custom_components" / "sip_ua"
BRONZE = {
    "action-setup",
    "appropriate-polling",
    "brands",
    "common-modules",
    "config-flow",
    "config-flow-test-coverage",
    "dependency-transparency",
    "docs-actions",
    "docs-conditions",
    "docs-high-level-description",
    "docs-installation-instructions",
    "docs-removal-instructions",
    "docs-triggers",
    "entity-event-setup",
    "entity-unique-id",
    "has-entity-name",
    "runtime-data",
    "test-before-configure",
    "test-before-setup",
    "unique-config-entry",
}
SILVER = {
    "action-exceptions",
    "config-entry-unloading",
    "docs-configuration-parameters",
    "docs-installation-parameters",
    "entity-unavailable",
    "integration-owner",
    "log-when-unavailable",
    "parallel-updates",
    "reauthentication-flow",
    "test-coverage",
}
GOLD = {
    "devices",
    "diagnostics",
    "discovery",
    "discovery-update-info",
    "docs-data-update",
    "docs-examples",
    "docs-known-limitations",
    "docs-supported-devices",
    "docs-supported-functions",
    "docs-troubleshooting",
    "docs-use-cases",
    "dynamic-devices",
    "entity-category",
    "entity-device-class",
    "entity-disabled-by-default",
    "entity-translations",
    "exception-translations",
    "icon-translations",
    "reconfiguration-flow",
    "repair-issues",
    "stale-devices",
}
PLATINUM = {"async-dependency", "inject-websession", "strict-typing"}
DISCOVERIES = {"bluetooth", "dhcp", "homekit", "mqtt", "ssdp", "usb", "zeroconf"}
FUNCTIONS = {
    "action-setup": ("__init__.py", "async_setup"),
    "config-entry-unloading": ("__init__.py", "async_unload_entry"),
    "config-flow": ("config_flow.py", "async_step_user"),
    "diagnostics": ("diagnostics.py", "async_get_config_entry_diagnostics"),
    "reauthentication-flow": ("config_flow.py", "async_step_reauth"),
    "reconfiguration-flow": ("config_flow.py", "async_step_reconfigure"),
}
CALLS = {
    "discovery-update-info": ("config_flow.py", "async_follow"),
    "entity-event-setup": ("entity.py", "async_on_remove"),
    "inject-websession": ("sound.py", "async_get_clientsession"),
    "unique-config-entry": ("config_flow.py", "_abort_if_unique_id_configured"),
}
HEADINGS = {
    "docs-actions": ("actions.md", "# Actions"),
    "docs-conditions": ("triggers-and-conditions.md", "## Conditions"),
    "docs-configuration-parameters": ("configuration.md", "## Options"),
    "docs-data-update": ("entities.md", "## How they are kept up to date"),
    "docs-examples": ("blueprints.md", "# Blueprints"),
    "docs-installation-instructions": ("installation.md", "## By hand"),
    "docs-installation-parameters": ("configuration.md", "## The account"),
    "docs-known-limitations": ("limits.md", "## Bounds"),
    "docs-removal-instructions": ("installation.md", "## Removal"),
    "docs-supported-devices": ("providers.md", "# Provider guides"),
    "docs-supported-functions": ("entities.md", "# Entities"),
    "docs-triggers": ("triggers-and-conditions.md", "## Triggers"),
    "docs-troubleshooting": ("troubleshooting.md", "# Troubleshooting"),
    "docs-high-level-description": ("../README.md", "# SIP Phone for Home Assistant"),
    "docs-use-cases": ("../README.md", "## What for"),
}


def statuses() -> dict[str, tuple[str, str]]:
    """Return status and comment of every rule."""
    rules: dict[str, Any] = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
    return {
        name: (rule, "") if isinstance(rule, str) else (rule["status"], rule.get("comment", ""))
        for name, rule in rules.items()
    }


def nodes(name: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse((INTEGRATION / name).read_text(encoding="utf-8"))))


def test_every_rule_has_its_word_and_every_exemption_a_reason() -> None:
    rules = statuses()
    assert set(rules) == BRONZE | SILVER | GOLD | PLATINUM
    assert {status for status, _ in rules.values()} <= {"done", "exempt", "todo"}
    assert [name for name, (status, comment) in rules.items() if status == "exempt" and len(comment) < 40] == []


@pytest.mark.parametrize("rule", FUNCTIONS)
def test_a_rule_about_a_function_is_done_where_it_is_there(rule: str) -> None:
    file, function = FUNCTIONS[rule]
    there = any(isinstance(node, ast.AsyncFunctionDef) and node.name == function for node in nodes(file))
    assert there is (statuses()[rule][0] == "done")


@pytest.mark.parametrize("rule", CALLS)
def test_a_rule_about_a_call_is_done_where_it_is_made(rule: str) -> None:
    file, wanted = CALLS[rule]
    called = {
        getattr(node.func, "attr", getattr(node.func, "id", "")) for node in nodes(file) if isinstance(node, ast.Call)
    }
    assert (wanted in called) is (statuses()[rule][0] == "done")


@pytest.mark.parametrize("rule", HEADINGS)
def test_a_rule_about_the_pages_is_done_where_they_have_it(rule: str) -> None:
    page, heading = HEADINGS[rule]
    there = (DOCS / page).exists() and heading in text_of(page).splitlines()
    assert there is (statuses()[rule][0] == "done")


def test_every_rule_about_the_pages_is_looked_at() -> None:
    assert {rule for rule in statuses() if rule.startswith("docs-")} == set(HEADINGS)


def test_every_platform_says_how_many_updates_it_makes_at_once() -> None:
    missing = [
        name for name in EVERY_PLATFORM if "PARALLEL_UPDATES = 0" not in platform_file(name).read_text(encoding="utf-8")
    ]
    assert missing == []
    there = {path.stem for path in INTEGRATION.glob("*.py")} & {*Platform}
    assert there - set(EVERY_PLATFORM) <= {"tts"}


def platform_file(platform: Platform) -> Path:
    return INTEGRATION / f"{platform}.py"


def test_discovery_is_done_where_the_manifest_has_it() -> None:
    found = DISCOVERIES & set(read_json(INTEGRATION / "manifest.json"))
    assert bool(found) is (statuses()["discovery"][0] == "done")


def test_the_highest_tier_that_is_reached_is_claimed() -> None:
    claimed = read_json(INTEGRATION / "manifest.json").get("quality_scale")
    open_rules = {name for name, (status, _) in statuses().items() if status == "todo"}
    tiers = {None: set[str](), "bronze": BRONZE, "silver": BRONZE | SILVER, "gold": BRONZE | SILVER | GOLD}
    tiers["platinum"] = tiers["gold"] | PLATINUM
    assert claimed == [tier for tier, rules in tiers.items() if not rules & open_rules][-1]
