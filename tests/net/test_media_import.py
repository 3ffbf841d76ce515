"""What takes long to load is loaded when it is needed, by those who wait for it anyway."""

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).parents[2]
PROGRAM = """
import sys, types
package = types.ModuleType("custom_components.sip_ua")
package.__path__ = ["custom_components/sip_ua"]
sys.modules[package.__name__] = package
import custom_components.sip_ua.net.media
print("av" in sys.modules)
"""


def test_the_media_engine_does_not_load_pyav() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPO, capture_output=True, text=True, check=True, timeout=60
    )

    assert loaded.stdout.strip() == "False"
