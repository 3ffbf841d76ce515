"""Makes the rooms `sip` and `rtp` importable where Home Assistant is not installed: they need nothing of it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

REPO = Path(__file__).resolve().parents[2]
PACKAGE = "custom_components.sip_ua"
ROOMS = tuple(str(REPO / "custom_components" / "sip_ua" / room) for room in ("sip", "rtp"))


def open_rooms() -> None:
    """Put an empty package in place of the integration's own, unless Home Assistant is there."""
    if importlib.util.find_spec("homeassistant") is not None:
        return
    for name in (PACKAGE.partition(".")[0], PACKAGE):
        module = ModuleType(name)
        module.__path__ = [str(REPO.joinpath(*name.split(".")))]
        sys.modules[name] = module
