"""Print what the components of a started Home Assistant require, as the installed one pins it.

Home Assistant installs these packages when it first starts; having them before makes that start a quick one.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import homeassistant
from homeassistant.bootstrap import DEFAULT_INTEGRATIONS

COMPONENTS = {"api", "config", "conversation", "history", "http", "intent", "logbook", "media_source", "tts"}
SIP_UA = Path(__file__).parents[2] / "custom_components" / "sip_ua"


def manifest(folder: Path) -> dict[str, list[str]]:
    """Read an integration's manifest; an unknown integration requires nothing."""
    path = folder / "manifest.json"
    if not path.exists():
        return {}
    content: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return content


def requirements(domains: Iterable[str]) -> set[str]:
    """Collect the requirements of integrations and of everything they depend on, as Home Assistant does."""
    components = Path(homeassistant.__path__[0]) / "components"
    waiting = [SIP_UA, *(components / domain for domain in domains)]
    seen: set[Path] = set()
    found: set[str] = set()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        content = manifest(folder)
        found.update(content.get("requirements", []))
        for key in ("dependencies", "after_dependencies"):
            waiting.extend(components / domain for domain in content.get(key, []))
    return found


if __name__ == "__main__":
    sys.stdout.writelines(f"{requirement}\n" for requirement in sorted(requirements(COMPONENTS | DEFAULT_INTEGRATIONS)))
