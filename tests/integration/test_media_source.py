"""Recordings in the media browser: listed as people read them, played, searched, and nothing else let out."""

from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

import pytest
from homeassistant.components.media_player.browse_media import SearchMediaQuery
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import (
    BrowseMediaSource,
    Unresolvable,
    async_browse_media,
    async_resolve_media,
    async_search_media,
)
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.sip_ua import media_source
from tests.net.media_support import sine, wav

from .phone import FakePhone

pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")

ROOT = "media-source://sip_ua"
ACCOUNT = "620@fritz.box"
OLD = "2026-11-21_10-00-00+0000_out_\uff0a\uff0a611.wav"
NEW = "2026-11-22_10-00-00+0000_in_+49301234_Großmutter.wav"


@pytest.fixture(name="folder")
async def folder_fixture(hass: HomeAssistant, tmp_path: Path, phone: FakePhone) -> Path:
    """Return the folder of an account with two recordings, in a Home Assistant with a media browser."""
    hass.config.config_dir = str(tmp_path)
    hass.config.media_dirs = {"local": str(tmp_path / "media"), "more": str(tmp_path / "more")}
    await hass.config.async_set_time_zone("Europe/Berlin")
    assert await async_setup_component(hass, "media_source", {})
    folder = tmp_path / "media" / "sip_ua" / ACCOUNT
    folder.mkdir(parents=True)
    (folder / OLD).write_bytes(wav(sine(440, 3.2)))
    (folder / NEW).write_bytes(wav(sine(440, 65)))
    (folder / "notes.txt").touch()
    return folder


async def browse(hass: HomeAssistant, identifier: str = "") -> BrowseMediaSource:
    found = await async_browse_media(hass, f"{ROOT}/{identifier}" if identifier else ROOT)
    assert isinstance(found, BrowseMediaSource)
    return found


def titles(found: BrowseMediaSource) -> list[str]:
    return [child.title for child in found.children or ()]


async def test_the_media_browser_shows_recordings_beside_other_media(hass: HomeAssistant, folder: Path) -> None:
    root = await async_browse_media(hass, "")
    assert "SIP Phone" in [child.title for child in root.children or ()]


async def test_recordings_are_listed_as_people_read_them_and_the_newest_first(
    hass: HomeAssistant, folder: Path
) -> None:
    found = await browse(hass)
    assert found.title == ACCOUNT
    assert titles(found) == [
        "2026-11-22 11:00 \u00b7 \u2199 Großmutter (+49301234) \u00b7 1:05",
        "2026-11-21 11:00 \u00b7 \u2197 **611 \u00b7 0:03",
    ]
    assert all(child.can_play and not child.can_expand for child in found.children or ())


async def test_each_account_has_its_folder(hass: HomeAssistant, folder: Path, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, title="Home")
    gone = folder.parent / "100@pbx.example"
    gone.mkdir()
    (gone / OLD).touch()
    found = await browse(hass)
    assert (found.title, titles(found)) == ("SIP Phone", ["100@pbx.example", "Home"])
    children = found.children or []
    assert all(child.can_expand and not child.can_play for child in children)
    assert len(titles(await browse(hass, ACCOUNT))) == 2
    assert titles(await browse(hass, "100@pbx.example")) == ["2026-11-21 11:00 \u00b7 \u2197 **611"]


async def test_a_list_is_bounded_and_older_ones_are_behind_its_end(
    hass: HomeAssistant, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_source, "PAGE", 2)
    for minute in range(3):
        (folder / f"2026-11-20_10-{minute:02}-00+0000_in_612.wav").touch()
    seen: list[str] = []
    found = await browse(hass, ACCOUNT)
    while (found.children or [])[-1].can_expand:
        seen += titles(found)[:-1]
        assert titles(found)[-1] == "Older recordings"
        assert len(titles(found)) == 3
        identifier = (found.children or [])[-1].media_content_id.removeprefix(f"{ROOT}/")
        found = await browse(hass, identifier)
        assert found.title == "Older recordings"
    seen += titles(found)
    assert [title[:16] for title in seen] == [
        "2026-11-22 11:00",
        "2026-11-21 11:00",
        "2026-11-20 11:02",
        "2026-11-20 11:01",
        "2026-11-20 11:00",
    ]


async def test_without_any_recording_the_list_is_empty(hass: HomeAssistant, folder: Path) -> None:
    hass.config.media_dirs = {"local": str(folder / "none")}
    assert titles(await browse(hass)) == []
    hass.config.media_dirs = {}
    with pytest.raises(BrowseError):
        await browse(hass)


async def test_a_recording_is_played_by_its_id(
    hass: HomeAssistant, folder: Path, hass_client: ClientSessionGenerator, hass_ws_client: WebSocketGenerator
) -> None:
    for child in (await browse(hass)).children or ():
        playable = await async_resolve_media(hass, child.media_content_id, None)
        assert playable.path is not None
        assert playable.path.parent == folder
        assert playable.mime_type in {"audio/x-wav", "audio/wav", "audio/vnd.wave"}
        socket = await hass_ws_client(hass)
        await socket.send_json_auto_id(
            {"type": "media_source/resolve_media", "media_content_id": child.media_content_id}
        )
        answer = await socket.receive_json()
        client = await hass_client()
        response = await client.get(answer["result"]["url"])
        assert response.status == HTTPStatus.OK, unquote(answer["result"]["url"])
        assert await response.read() == playable.path.read_bytes()


async def test_recordings_are_searched_by_name_and_number(hass: HomeAssistant, folder: Path) -> None:
    for words, number in (("großm", 1), ("GROSSMUTTER", 1), ("611", 1), ("**6", 1), ("301234", 1), ("nobody", 0)):
        found = await async_search_media(hass, ROOT, SearchMediaQuery(search_query=words))
        assert len(found.result) == number, words
    found = await async_search_media(hass, f"{ROOT}/{ACCOUNT}", SearchMediaQuery(search_query="611"))
    assert found.result[0].title.startswith("2026-11-21 11:00")


@pytest.mark.parametrize(
    "identifier",
    [
        f"{ACCOUNT}/notes.txt",
        f"{ACCOUNT}/../../secret.wav",
        f"../{OLD}",
        f"{ACCOUNT}/{OLD}/x",
        OLD,
        f"{ACCOUNT}/2026-11-21_10-00-00+0000_in_none.wav",
        f"{ACCOUNT}/2026-11-21_10-00-00+0000_in_link.wav",
        ACCOUNT,
    ],
)
async def test_nothing_else_is_let_out(hass: HomeAssistant, folder: Path, identifier: str) -> None:
    (folder.parents[1] / OLD).touch()
    secret = folder.parents[2] / "secret.wav"
    secret.touch()
    (folder / "2026-11-21_10-00-00+0000_in_link.wav").symlink_to(secret)
    with pytest.raises(Unresolvable):
        await async_resolve_media(hass, f"{ROOT}/{identifier}", None)


@pytest.mark.parametrize(
    "identifier", ["..", f"{ACCOUNT}/x", f"{ACCOUNT}/older", f"{ACCOUNT}/older/-1", f"{ACCOUNT}/older/99999999"]
)
async def test_what_is_no_list_is_refused(hass: HomeAssistant, folder: Path, identifier: str) -> None:
    with pytest.raises(BrowseError):
        await browse(hass, identifier)


async def test_a_folder_that_leads_elsewhere_is_not_searched(hass: HomeAssistant, folder: Path) -> None:
    with pytest.raises(BrowseError):
        await async_search_media(hass, f"{ROOT}/..", SearchMediaQuery(search_query="x"))
