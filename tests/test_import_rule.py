"""Who may import whom: signalling and media are sans-IO, the network knows no Home Assistant, none imports upward."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from homeassistant.const import Platform

ROOT = Path(__file__).parents[1] / "custom_components" / "sip_ua"
PACKAGE = "custom_components.sip_ua"
SANS_IO = sys.stdlib_module_names - {"asyncio", "logging", "random", "secrets", "select", "selectors", "socket", "ssl"}
SANS_IO -= {"socketserver", "subprocess", "threading", "time"}
NET = sys.stdlib_module_names | {"aiodns", "audioop", "av", "pylibsrtp", f"{PACKAGE}.sip", f"{PACKAGE}.rtp"}
SIP_TYPES = {f"{PACKAGE}.sip.{module}" for module in ("account", "emergency", "errors", "events", "number_pattern")}
"""All that Home Assistant's layer knows of signalling: its types, and what numbers mean to it."""
PLATFORMS = {*Platform, "condition", "diagnostics", "entity", "intent", "logbook", "trigger"}


def imports(path: Path) -> Iterator[str]:
    """Yield the absolute name of every module that a file imports, wherever in the file."""
    package = (PACKAGE, *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            anchor = ".".join(package).split(".")
            base = ".".join(anchor[: len(anchor) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            # `from . import a` names modules, `from .a import B` names what is in one.
            yield from (module,) if node.module else (f"{module}.{name.name}" for name in node.names)


def is_within(name: str, allowed: str) -> bool:
    """Tell whether a module is an allowed one or inside it."""
    return name == allowed or name.startswith(f"{allowed}.")


def strangers(path: Path, allowed: set[str] | frozenset[str]) -> list[str]:
    """List the imports of a file that are not within any allowed module."""
    return [name for name in imports(path) if not any(is_within(name, top) for top in allowed)]


def files(room: str) -> list[Path]:
    """List the modules of a room; a room without any is a mistake of this test."""
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, room
    return found


@pytest.mark.parametrize("room", ["sip", "rtp"])
def test_signalling_and_media_use_the_standard_library_and_their_own_folder_only(room: str) -> None:
    allowed = SANS_IO | {f"{PACKAGE}.{room}"}
    assert {str(path): found for path in files(room) if (found := strangers(path, allowed))} == {}


def test_network_knows_no_home_assistant() -> None:
    allowed = NET | {f"{PACKAGE}.net"}
    assert {str(path): found for path in files("net") if (found := strangers(path, allowed))} == {}


def test_home_assistant_layer_knows_the_types_of_signalling_only() -> None:
    rooms = {f"{PACKAGE}.sip", f"{PACKAGE}.rtp"}
    found = {
        path.name: reached
        for path in ROOT.glob("*.py")
        if (reached := {name for name in imports(path) for room in rooms if is_within(name, room)} - SIP_TYPES)
    }
    assert found == {}


def test_platforms_do_not_know_the_network() -> None:
    found = {
        path.name: reached
        for path in ROOT.glob("*.py")
        if path.stem in PLATFORMS and (reached := [name for name in imports(path) if is_within(name, f"{PACKAGE}.net")])
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import asyncio", ["asyncio"]),
        ("def f():\n    from time import monotonic", ["time"]),
        ("from ..net.phone import Phone", [f"{PACKAGE}.net.phone"]),
        ("from .. import coordinator", [f"{PACKAGE}.coordinator"]),
        ("from homeassistant.core import HomeAssistant", ["homeassistant.core"]),
        ("from .message import Request\nimport hashlib\nfrom . import uri", []),
    ],
)
def test_rule_sees_every_way_to_import(source: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: source)
    assert strangers(ROOT / "sip" / "some.py", SANS_IO | {f"{PACKAGE}.sip"}) == found
