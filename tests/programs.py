"""Where the programs of the peers are: on the path, where Debian puts servers, or built into the cache folder."""

import os
import shutil
from pathlib import Path

SERVER_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sip_ua"
BUILT_FOLDERS = (CACHE / "asterisk/bin", CACHE / "pjsua/bin")


def find_program(name: str) -> str | None:
    """Return the path of a program, None where this machine lacks it."""
    folders = [os.environ.get("PATH", ""), *SERVER_FOLDERS, *map(str, BUILT_FOLDERS)]
    return shutil.which(name, path=os.pathsep.join(folders))
