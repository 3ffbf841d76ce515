"""Whatever goes wrong is told in the words of whoever asked for it: cause and remedy, and never an English message."""

import ast
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from homeassistant.exceptions import HomeAssistantError

from custom_components.sip_ua.action_errors import FAULT_KEYS, OTHER, UNEXPECTED, fault_key, key_of
from custom_components.sip_ua.net.errors import (
    AudioFault,
    LocalAddressError,
    LocalPortInUseError,
    MachineFault,
    MediaStoppedError,
    NoPortError,
    RecordingFault,
)
from custom_components.sip_ua.sip import errors as core_errors
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError, SipError

ROOT = Path(__file__).parents[1] / "custom_components" / "sip_ua"
LANGUAGES = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "translations").glob("*.json"))
}
SOURCES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")
}
FAULTS: tuple[type[StrEnum], ...] = (LocalFault, MachineFault, AudioFault, RecordingFault)

# What only a mistake of this program can meet: what it writes, its transactions, and what nobody can ask for.
INTERNAL = {
    "net/media_stream.py",
    "net/phone.py",
    "sip/call_incoming.py",
    "sip/calls.py",
    "sip/codecs.py",
    "sip/dialog.py",
    "sip/headers.py",
    "sip/message.py",
    "sip/offer_answer.py",
    "sip/subscriptions.py",
    "sip/transaction.py",
    "sip/transaction_client.py",
    "sip/transaction_machine.py",
    "sip/transaction_server.py",
}
QUOTED = {"quoted_error", "no_network", "tts_failed", "media_not_found", "menu_template_failed", "menu_not_taken"}
"""Texts that quote the operating system or Home Assistant, whose words nobody here can translate."""


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def message(language: str, key: str) -> str:
    text: str = LANGUAGES[language]["exceptions"][key]["message"]
    return text


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call of functions or classes of these names, with the file."""
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) in names:
                yield path, node


def fault_of(node: ast.Call) -> str | None:
    """Return the name of the LocalFault that a call names."""
    for value in (*node.args, *(keyword.value for keyword in node.keywords)):
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "LocalFault":
            return value.attr
    return None


def core_names() -> set[str]:
    """Return the names of all errors of the core, known by their classes in its files."""
    names = {"SipError"}
    classes = [node for tree in SOURCES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while found := {
        node.name
        for node in classes
        if node.name not in names and {base.id for base in node.bases if isinstance(base, ast.Name)} & names
    }:
        names |= found
    return names


def test_every_fault_has_a_text_in_every_language() -> None:
    assert set(FAULT_KEYS) == set(FAULTS)
    for faults in FAULTS:
        assert set(FAULT_KEYS[faults]) == set(faults)
        for key in FAULT_KEYS[faults].values():
            assert all(message(language, key) for language in LANGUAGES)


def test_a_fault_of_one_kind_is_not_taken_for_one_of_another() -> None:
    assert key_of(AudioFault.TOO_LONG) == "sound_too_long"
    assert key_of(RecordingFault.TOO_LONG) == "recording_too_long"
    assert key_of(None) == UNEXPECTED


def test_a_program_tells_an_error_by_one_key() -> None:
    assert fault_key(LocalProtocolError("no", LocalFault.CALL_OVER)) == "call_over"
    assert fault_key(SipError("no")) == UNEXPECTED
    assert fault_key(HomeAssistantError(translation_domain="sip_ua", translation_key="tts_missing")) == "tts_missing"
    assert fault_key(HomeAssistantError("no")) == OTHER


def test_every_error_that_somebody_can_meet_names_its_fault() -> None:
    found = {path for path, node in calls("LocalProtocolError", "_undialable") if fault_of(node) is None}
    # The one place that makes errors of a fault which it is given.
    assert found - {"sip/party.py"} == INTERNAL
    named = {fault_of(node) for _, node in calls("LocalProtocolError", "_undialable")} - {None}
    assert named == {fault.name for fault in LocalFault} - {LocalFault.INTERNAL.name}


def test_every_error_gives_what_its_text_names() -> None:
    for path, node in calls("LocalProtocolError"):
        if (name := fault_of(node)) is not None:
            given = {str(keyword.arg) for keyword in node.keywords}
            wanted = placeholders(message("en", key_of(LocalFault[name])))
            assert given == wanted, f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    "error",
    [
        NoPortError("192.0.2.1", 16384, 16389),
        LocalAddressError("192.0.2.1"),
        LocalPortInUseError(5060),
        *(MediaStoppedError("no", fault) for fault in MachineFault if fault.value.startswith("voice")),
        LocalProtocolError("no"),
    ],
)
def test_what_an_error_of_this_machine_gives_is_what_its_text_names(error: SipError) -> None:
    assert set(error.details) == placeholders(message("en", key_of(error.fault)))


def test_no_text_shows_the_english_message_of_an_error() -> None:
    for language in LANGUAGES:
        texts = LANGUAGES[language]["exceptions"]
        assert {key for key, text in texts.items() if "error" in placeholders(text["message"])} == QUOTED


def test_no_error_of_the_core_is_put_into_a_text() -> None:
    names = core_names()
    assert {name for name, value in vars(core_errors).items() if isinstance(value, type)} & names
    for path, tree in SOURCES.items():
        for handler in ast.walk(tree):
            if not isinstance(handler, ast.ExceptHandler) or handler.type is None or handler.name is None:
                continue
            if not names & {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}:
                continue
            for node in ast.walk(handler):
                if isinstance(node, ast.Call) and told(node) is not None:
                    assert not shows(node, handler.name), f"{path}:{node.lineno}"


def told(node: ast.Call) -> list[ast.expr] | None:
    """Return what a call puts into a translated text, None where it makes none."""
    if called(node) in {"validation_error", "async_show_form", "async_raise", "_raise"}:
        return [keyword.value for keyword in node.keywords]
    values = [keyword.value for keyword in node.keywords if keyword.arg == "translation_placeholders"]
    return values or None


def shows(node: ast.Call, name: str) -> bool:
    """Tell whether a call puts the text of an error into a translated one."""

    def is_it(part: ast.expr) -> bool:
        return isinstance(part, ast.Name) and part.id == name

    inner = [part for value in told(node) or () for part in ast.walk(value)]
    written = (part for part in inner if isinstance(part, ast.Call) and called(part) in {"str", "repr"})
    formatted = (part for part in inner if isinstance(part, ast.FormattedValue))
    return any(is_it(arg) for part in written for arg in part.args) or any(is_it(part.value) for part in formatted)


def literal(node: ast.Call) -> tuple[str, set[str]] | None:
    """Return the key of an error text and the placeholders that are given to it, where both are written there."""
    if called(node) == "validation_error":
        key = node.args[0]
        given = {str(keyword.arg) for keyword in node.keywords}
        known = None not in {keyword.arg for keyword in node.keywords}
        return (str(key.value), given) if isinstance(key, ast.Constant) and known else None
    arguments = {keyword.arg: keyword.value for keyword in node.keywords}
    key_node = arguments.get("translation_key")
    domain = arguments.get("translation_domain")
    if not isinstance(key_node, ast.Constant) or domain is None:
        return None
    values = arguments.get("translation_placeholders", ast.Dict([], []))
    if not isinstance(values, ast.Dict):
        return None
    return str(key_node.value), {str(name.value) for name in values.keys if isinstance(name, ast.Constant)}


def literals() -> Iterator[tuple[str, str, set[str]]]:
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (found := literal(node)) is not None:
                yield f"{path}:{node.lineno}", *found
            if isinstance(node, ast.Call) and called(node) == "find_call" and isinstance(node.args[-1], ast.Constant):
                yield f"{path}:{node.lineno}", str(node.args[-1].value), set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_code_gives_to_an_error_text_is_what_the_text_names(language: str) -> None:
    found = list(literals())
    assert len({key for _, key, _ in found}) > 50
    exceptions: dict[str, Any] = LANGUAGES[language]["exceptions"]
    wrong = {
        place: key
        for place, key, given in found
        if key not in exceptions or placeholders(exceptions[key]["message"]) != given
    }
    assert wrong == {}
