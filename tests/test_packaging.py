"""What Home Assistant's hassfest and HACS ask of a custom integration's repository."""

import json
import re
import struct
import tomllib
from pathlib import Path
from typing import Any

import pytest
from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
from homeassistant import const

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / "sip_ua"
MANIFEST_KEYS = {
    "after_dependencies",
    "bluetooth",
    "codeowners",
    "config_flow",
    "dependencies",
    "dhcp",
    "disabled",
    "documentation",
    "domain",
    "homekit",
    "import_executor",
    "integration_type",
    "iot_class",
    "issue_tracker",
    "loggers",
    "mqtt",
    "name",
    "preview_features",
    "quality_scale",
    "requirements",
    "single_config_entry",
    "ssdp",
    "usb",
    "version",
    "zeroconf",
}
HACS_KEYS = {
    "content_in_root",
    "country",
    "filename",
    "hacs",
    "hide_default_branch",
    "homeassistant",
    "name",
    "persistent_directory",
    "render_readme",
    "zip_release",
}
BRAND_HEIGHTS = {
    f"{theme}{kind}{scale}.png": height
    for theme in ("", "dark_")
    for kind in ("icon", "logo")
    for scale, height in (("", 256), ("@2x", 512))
}


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.fixture(name="manifest")
def manifest_fixture() -> dict[str, Any]:
    return read_json(INTEGRATION / "manifest.json")


def test_manifest_keys_are_known_and_in_order(manifest: dict[str, Any]) -> None:
    assert set(manifest) <= MANIFEST_KEYS
    assert list(manifest) == ["domain", "name", *sorted(set(manifest) - {"domain", "name"})]


def test_manifest_has_what_a_custom_integration_needs(manifest: dict[str, Any]) -> None:
    assert manifest["domain"] == INTEGRATION.name
    assert manifest["name"] == "SIP Phone"
    assert manifest["config_flow"] is True
    assert manifest["iot_class"] == "local_push"
    assert manifest["integration_type"] in {"device", "hub", "service"}
    assert all(owner.startswith("@") for owner in manifest["codeowners"])


@pytest.mark.parametrize("key", ["documentation", "issue_tracker"])
def test_addresses_in_the_manifest_are_secure_and_our_own(key: str, manifest: dict[str, Any]) -> None:
    assert manifest[key].startswith("https://")
    assert "home-assistant.io" not in manifest[key]


def test_version_is_semantic(manifest: dict[str, Any]) -> None:
    version = AwesomeVersion(manifest["version"], ensure_strategy=AwesomeVersionStrategy.SEMVER)
    assert version.valid


def test_nothing_is_pinned_that_home_assistant_constrains(manifest: dict[str, Any]) -> None:
    constraints = (Path(const.__file__).parent / "package_constraints.txt").read_text(encoding="utf-8")
    constrained = {re.split(r"[=<>~!@]", line)[0].strip().lower() for line in constraints.splitlines()}
    bound = [re.split(r"[=<>~!@]", line) for line in manifest["requirements"] if re.search(r"[=<>~!@]", line)]
    assert [name for name, *_ in bound if name in constrained] == []
    assert all("==" not in requirement for requirement in manifest["requirements"])


def test_tests_have_every_requirement_of_the_integration(manifest: dict[str, Any]) -> None:
    lines = (ROOT / "requirements_test.txt").read_text(encoding="utf-8").splitlines()
    assert set(manifest["requirements"]) <= set(lines)


def test_hacs_file_is_one_that_hacs_accepts() -> None:
    hacs = read_json(ROOT / "hacs.json")
    assert set(hacs) <= HACS_KEYS
    assert hacs["name"] == "SIP Phone"
    assert AwesomeVersion(hacs["homeassistant"]) <= AwesomeVersion(const.__version__)


def test_repository_has_the_one_integration_and_the_files_hacs_looks_for() -> None:
    integrations = [path.parent.name for path in (ROOT / "custom_components").glob("*/manifest.json")]
    assert integrations == [INTEGRATION.name]
    assert (ROOT / "README.md").stat().st_size > 0
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "height"), BRAND_HEIGHTS.items())
def test_brand_image_has_its_size(name: str, height: int) -> None:
    width, actual = png_size(INTEGRATION / "brand" / name)
    assert actual == height
    assert width == height if "icon" in name else width > height


def test_brand_folder_has_nothing_else() -> None:
    assert {path.name for path in (INTEGRATION / "brand").iterdir()} == set(BRAND_HEIGHTS)


def test_translations_have_no_reference_address_or_markup() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in (INTEGRATION / "translations").glob("*.json")}
    assert "en.json" in texts
    assert all(isinstance(json.loads(text), dict) for text in texts.values())
    assert {
        name: found for name, text in texts.items() if (found := re.findall(r"\[%key:|https?://|<[a-z/]", text))
    } == {}


def test_tools_check_for_the_python_that_home_assistant_requires() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    major, minor, _ = const.REQUIRED_PYTHON_VER
    assert config["mypy"]["python_version"] == f"{major}.{minor}"
    assert config["ruff"]["target-version"] == f"py{major}{minor}"
    assert config["mypy"]["strict"] is True
