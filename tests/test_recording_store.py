"""The names of recordings: safe wherever they lie, and read again as they were meant."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from homeassistant.util import raise_if_invalid_filename, raise_if_invalid_path
from hypothesis import given, strategies as st

from custom_components.sip_ua import recording_store
from custom_components.sip_ua.recording_store import (
    account_folders,
    account_name,
    is_account_name,
    original_name,
    prune,
    read_name,
    recording_name,
    recordings_in,
    safe_name,
)
from custom_components.sip_ua.sip.events import CallDirection, CallSnapshot, CallState, Party

WHEN = datetime(2026, 11, 22, 18, 5, 33, tzinfo=timezone(timedelta(hours=1)))


def call(name: str, number: str, direction: CallDirection = CallDirection.INCOMING, uri: str = "") -> CallSnapshot:
    return CallSnapshot(
        id="call1",
        sip_call_id="1@192.0.2.7",
        direction=direction,
        state=CallState.TALKING,
        remote=Party(name, number, uri),
        called="620",
        started_at=0.0,
    )


@pytest.mark.parametrize(
    ("name", "number", "file"),
    [
        ("Grandma", "+49301234", "in_+49301234_Grandma.wav"),
        ("Großmutter Müller", "**610", "in_\uff0a\uff0a610_Großmutter Müller.wav"),
        ("", "612", "in_612.wav"),
        ("Grandma Inc.", "6.12", "in_6.12_Grandma Inc\uff0e.wav"),
        ("", "", "in_.wav"),
        ("../../etc/passwd", "..", "in_\uff0e\uff0e_\uff0e.\uff0f.\uff0e\uff0fetc\uff0fpasswd.wav"),
        ("a_b (2)", "~", "in_\uff5e_a\uff3fb \uff082\uff09.wav"),
        ("x\0\n\u202egpj", "6\\12", "in_6\uff3c12_xgpj.wav"),
    ],
)
def test_a_name_is_made_from_the_caller_and_the_time(name: str, number: str, file: str) -> None:
    made = recording_name(call(name, number), WHEN, ".wav")

    assert made == f"2026-11-22_18-05-33+0100_{file}"
    found = read_name(Path(made))
    assert found is not None
    assert (found.when, found.direction, found.number) == (WHEN, CallDirection.INCOMING, number)


def test_without_a_number_the_address_is_in_the_name() -> None:
    made = recording_name(call("", "", CallDirection.OUTGOING, "sip:bob@[::1]"), WHEN, ".ogg")

    found = read_name(Path(made))
    assert found is not None
    assert (found.number, found.direction) == ("sip:bob@[::1]", CallDirection.OUTGOING)


@given(name=st.text(max_size=300), number=st.text(max_size=300))
def test_whatever_a_caller_is_called_the_name_is_safe_and_can_be_read(name: str, number: str) -> None:
    made = recording_name(call(name, number), WHEN, ".wav")

    assert Path(made).name == made
    assert len(made.encode()) <= 255 - len(" (99)")
    assert made.isprintable()
    assert not set(made) & set('/\\:*?"<>|#%&~')
    raise_if_invalid_filename(made)
    raise_if_invalid_path(made)
    found = read_name(Path(made.replace(".wav", " (2).wav")))
    assert found is not None
    assert found.when == WHEN
    assert safe_name(found.number) == safe_name(number)
    assert safe_name(found.name) == safe_name(name)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=25))
def test_a_short_text_is_read_as_it_was(text: str) -> None:
    assert original_name(safe_name(text)) == text.strip()


@given(st.text(max_size=300))
def test_the_folder_of_an_account_is_one_folder(identity: str) -> None:
    made = account_name(identity)

    assert not made or (Path(made).name == made and is_account_name(made))


@pytest.mark.parametrize("name", ["", ".", "..", "../sip_ua", "a/b", "~", " a", "a\0"])
def test_what_leads_elsewhere_is_the_folder_of_no_account(name: str) -> None:
    assert not is_account_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "call.wav",
        "2026-11-22_18-05-33+0100_in_612.mp3",
        "2026-13-22_18-05-33+0100_in_612.wav",
        "2026-11-22_18-05-33_in_612.wav",
        "2026-11-22_18-05-33+0100_up_612.wav",
        "2026-11-22_18-05-33+0100_in_612_a_b.wav",
    ],
)
def test_other_files_are_no_recordings(name: str) -> None:
    assert read_name(Path(name)) is None


def test_the_newest_is_the_first_whatever_the_zone(tmp_path: Path) -> None:
    times = [WHEN, WHEN.astimezone(UTC) + timedelta(minutes=1), WHEN - timedelta(days=1)]
    for when in times:
        (tmp_path / recording_name(call("", "612"), when, ".wav")).touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "2026-11-22_18-05-33+0100_in_folder.wav").mkdir()
    (tmp_path / "2026-11-22_18-05-33+0100_in_link.wav").symlink_to("/etc/passwd")

    assert [found.when for found in recordings_in(tmp_path)] == sorted(times, reverse=True)
    assert recordings_in(tmp_path / "none") == []
    assert account_folders(tmp_path) == ["2026-11-22_18-05-33+0100_in_folder.wav"]


def test_nothing_is_deleted_where_nothing_is_bounded(tmp_path: Path) -> None:
    (tmp_path / recording_name(call("Grandma", "1"), WHEN, ".wav")).write_bytes(b"")
    assert prune(tmp_path, 0, 0, WHEN + timedelta(days=4000), ()) == []
    assert len(recordings_in(tmp_path)) == 1


def test_a_folder_is_looked_through_as_far_as_is_bearable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in range(5):
        name = recording_name(call("Grandma", "1"), WHEN + timedelta(minutes=minute), ".wav")
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(recording_store, "MAX_FILES", 3)
    assert len(recordings_in(tmp_path)) == 3


def test_a_name_without_end_is_cut_where_a_file_system_ends() -> None:
    assert len(safe_name("ß" * 500).encode()) <= recording_store.NAME_BYTES
