"""The recordings of calls on the disk: their names, what there is of them, and which may go.

A name tells when the call was recorded, which way it went, and who was at the other side, so that it says the same to
people who look into the folder and to the media browser. Everything here but the names blocks.
"""

import contextlib
import os
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from .net.recording_length import length_of
from .sip.events import CallDirection, CallSnapshot

FOLDER: Final = "sip_ua"
"""In the first of Home Assistant's media folders; each account has a folder of its own there."""

MAX_FILES: Final = 10_000
"""More of a folder is not looked at."""

MAX_ACCOUNTS: Final = 100
NAME_BYTES: Final = 80
ACCOUNT_BYTES: Final = 200
TIME_FORMAT: Final = "%Y-%m-%d_%H-%M-%S%z"

_DIRECTIONS: Final = {CallDirection.INCOMING: "in", CallDirection.OUTGOING: "out"}
_NAME: Final = re.compile(
    r"(?P<when>\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d[+-]\d{4})_(?P<way>in|out)"
    r"_(?P<number>[^_/]*?)(?:_(?P<name>[^_/]+?))?(?: \((?P<again>\d{1,2})\))?\.(?:wav|ogg)"
)
_PLAIN: Final = frozenset("+-.@ ")
_FULL_WIDTH: Final = 0xFEE0
"""From a character of ASCII to its wide form, which no file system and no address gives a meaning to."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """What the name of a recording tells: `when` has a time zone."""

    path: Path
    when: datetime
    direction: CallDirection
    number: str
    name: str


def safe_name(text: str, limit: int = NAME_BYTES) -> str:
    """Return a text as part of a file's name; `original_name` gives it back unless it was too long."""
    made = ""
    for character in unicodedata.normalize("NFC", text).strip():
        plain = character.isalnum() or (character in _PLAIN and not (character == "." and made[-1:] in ("", ".")))
        if not character.isprintable():
            continue
        safe = character if plain or ord(character) > 0x7E else chr(ord(character) + _FULL_WIDTH)
        if len((made + safe).encode(errors="replace")) > limit:
            break
        made += safe
    made = made.strip()
    # An ending follows: two points in a row are a way out of a folder for Home Assistant.
    return made[:-1] + chr(ord(".") + _FULL_WIDTH) if made.endswith(".") else made


def account_name(identity: str) -> str:
    """Return the name of the folder of an account."""
    return safe_name(identity, ACCOUNT_BYTES)


def is_account_name(name: str) -> bool:
    """Return whether a name can be that of an account's folder, and of nothing else."""
    return bool(name) and account_name(name) == name


def original_name(safe: str) -> str:
    """Return what a part of a file's name was made from."""
    return "".join(
        chr(ord(character) - _FULL_WIDTH) if 0xFF01 <= ord(character) <= 0xFF5E else character for character in safe
    )


def recording_name(call: CallSnapshot, when: datetime, suffix: str) -> str:
    """Return the name of the file of a call that is recorded from `when` on."""
    number = safe_name(call.remote.number or call.remote.uri)
    parts = [when.strftime(TIME_FORMAT), _DIRECTIONS[call.direction], number]
    if name := safe_name(call.remote.name):
        parts.append(name)
    return "_".join(parts) + suffix


def read_name(path: Path) -> RecordedCall | None:
    """Return what the name of a file tells, None where it is not that of a recording."""
    if (found := _NAME.fullmatch(path.name)) is None:
        return None
    try:
        when = datetime.strptime(found["when"], TIME_FORMAT)  # noqa: DTZ007 - the format has the zone
    except ValueError:
        return None
    direction = next(way for way, short in _DIRECTIONS.items() if short == found["way"])
    return RecordedCall(path, when, direction, original_name(found["number"]), original_name(found["name"] or ""))


def recordings_in(folder: Path) -> list[RecordedCall]:
    """Return the recordings of an account, the newest first; none where there is no such folder."""
    found = [call for entry in _scan(folder) if entry.is_file(follow_symlinks=False) and (call := _of(entry))]
    return sorted(found, key=lambda call: (call.when, call.path.name), reverse=True)


def account_folders(root: Path) -> list[str]:
    """Return the names of the folders of accounts."""
    return sorted(entry.name for entry in _scan(root) if entry.is_dir(follow_symlinks=False))[:MAX_ACCOUNTS]


def seconds_of(call: RecordedCall) -> float | None:
    """Return the length of a recording, as far as it goes by now."""
    return length_of(call.path)


def prune(folder: Path, keep_days: int, keep_recordings: int, now: datetime, busy: Collection[Path]) -> list[Path]:
    """Delete recordings of an account that are older than so many days, or beyond so many; 0 keeps all.

    Those in `busy` are being written, so they stay; nothing is deleted but recordings. Returns what is gone.
    """
    gone: list[Path] = []
    if not keep_days and not keep_recordings:
        return gone
    oldest = now - timedelta(days=keep_days) if keep_days else None
    for number, call in enumerate(recordings_in(folder)):
        too_old = oldest is not None and call.when < oldest
        too_many = 0 < keep_recordings <= number
        if (too_old or too_many) and call.path not in busy:
            with contextlib.suppress(OSError):
                call.path.unlink()
                gone.append(call.path)
    return gone


def _of(entry: os.DirEntry[str]) -> RecordedCall | None:
    return read_name(Path(entry.path))


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder, bounded; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= MAX_FILES:
                    return
                yield entry
    except OSError:
        return
