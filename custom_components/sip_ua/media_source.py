"""The recordings of calls in the media browser: who, when and how long, the newest first."""

import mimetypes
from pathlib import Path
from typing import Final, override

from homeassistant.components.media_player.browse_media import SearchMedia, SearchMediaQuery
from homeassistant.components.media_player.const import MediaClass
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .recording_store import RecordedCall, account_folders, is_account_name, read_name, recordings_in, seconds_of
from .recordings import account_folder, recordings_root
from .sip.events import CallDirection

PAGE: Final = 100
"""Recordings in one list; the older ones are behind its last line."""

OLDER: Final = "older"
ARROWS: Final = {CallDirection.INCOMING: "\N{SOUTH WEST ARROW}", CallDirection.OUTGOING: "\N{NORTH EAST ARROW}"}


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """Return the recordings of all accounts."""
    return RecordingsSource(hass)


class RecordingsSource(MediaSource):
    """Identifiers are `account/file`, `account`, and `account/older/number` for the recordings after so many."""

    name = "SIP Phone"

    def __init__(self, hass: HomeAssistant) -> None:
        """Look into the folder of the recordings, whenever somebody asks."""
        super().__init__(DOMAIN)
        self._hass = hass

    @override
    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Return the address and the path of a recording."""
        account, _, file = (item.identifier or "").partition("/")
        root = recordings_root(self._hass)
        if root is None or not is_account_name(account) or read_name(Path(file)) is None:
            raise Unresolvable(
                translation_domain=DOMAIN,
                translation_key="no_such_recording",
                translation_placeholders={"recording": item.identifier or ""},
            )
        path = root / account / file
        if not await self._hass.async_add_executor_job(_is_within, path, root):
            raise Unresolvable(
                translation_domain=DOMAIN,
                translation_key="recording_gone",
                translation_placeholders={"recording": file},
            )
        source = next(iter(self._hass.config.media_dirs))
        mime_type = mimetypes.guess_type(file)[0] or "audio/wav"
        return PlayMedia(f"/media/{source}/{root.name}/{account}/{file}", mime_type, path=path)

    @override
    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """Return the accounts, or the recordings of one."""
        account, _, rest = (item.identifier or "").partition("/")
        word, _, number = rest.partition("/")
        skipped = int(number) if word == OLDER and number.isascii() and number.isdecimal() and len(number) < 8 else 0
        root = recordings_root(self._hass)
        if root is None or (account and not is_account_name(account)) or (rest and not skipped):
            raise _no_folder(item)
        if not account:
            accounts = await self._hass.async_add_executor_job(account_folders, root)
            if len(accounts) != 1:
                return self._folder("", str(self.name), [self._folder(name, self._title(name)) for name in accounts])
            account = accounts[0]
        texts = await async_get_translations(self._hass, self._hass.config.language, "common", {DOMAIN})
        older = texts.get(f"component.{DOMAIN}.common.older_recordings", OLDER)
        found, titles = await self._hass.async_add_executor_job(_page, root / account, skipped)
        children = [self._recording(account, call, title) for call, title in titles]
        if found > skipped + PAGE:
            children.append(self._folder(f"{account}/{OLDER}/{skipped + PAGE}", older))
        return self._folder(item.identifier or "", older if skipped else self._title(account), children)

    @override
    async def async_search_media(self, item: MediaSourceItem, query: SearchMediaQuery) -> SearchMedia:
        """Return the newest recordings whose number or name has the words in it."""
        root = recordings_root(self._hass)
        account = (item.identifier or "").partition("/")[0]
        if root is None or (account and not is_account_name(account)):
            raise _no_folder(item)
        found = await self._hass.async_add_executor_job(_search, root, account, query.search_query.casefold())
        return SearchMedia(result=[self._recording(folder, call, title) for folder, call, title in found])

    def _title(self, account: str) -> str:
        """Return what people call an account; one that is gone has only its folder."""
        entries = self._hass.config_entries.async_entries(DOMAIN)
        return next((entry.title for entry in entries if account_folder(entry) == account), account)

    def _folder(
        self, identifier: str, title: str, children: list[BrowseMediaSource] | None = None
    ) -> BrowseMediaSource:
        folder = BrowseMediaSource(
            domain=DOMAIN,
            identifier=identifier,
            media_class=MediaClass.DIRECTORY,
            media_content_type="",
            title=title,
            can_play=False,
            can_expand=True,
            can_search=True,
            children_media_class=MediaClass.MUSIC,
        )
        folder.children = children
        return folder

    def _recording(self, account: str, call: RecordedCall, title: str) -> BrowseMediaSource:
        return BrowseMediaSource(
            domain=DOMAIN,
            identifier=f"{account}/{call.path.name}",
            media_class=MediaClass.MUSIC,
            media_content_type=mimetypes.guess_type(call.path.name)[0] or "audio/wav",
            title=title,
            can_play=True,
            can_expand=False,
        )


def _no_folder(item: MediaSourceItem) -> BrowseError:
    return BrowseError(
        translation_domain=DOMAIN,
        translation_key="no_recordings_folder",
        translation_placeholders={"folder": item.identifier or ""},
    )


def _is_within(path: Path, root: Path) -> bool:
    """Return whether a file is there, and really inside the folder; blocks."""
    return path.is_file() and path.resolve().is_relative_to(root.resolve())


def _page(folder: Path, skipped: int) -> tuple[int, list[tuple[RecordedCall, str]]]:
    """Return how many recordings there are, and one list of them with their titles; blocks."""
    calls = recordings_in(folder)
    return len(calls), [(call, _describe(call)) for call in calls[skipped : skipped + PAGE]]


def _search(root: Path, account: str, words: str) -> list[tuple[str, RecordedCall, str]]:
    """Return the newest recordings that fit, with their folders and titles; blocks."""
    folders = [account] if account else account_folders(root)
    found = [
        (folder, call)
        for folder in folders
        for call in recordings_in(root / folder)
        if words in f"{call.name} {call.number}".casefold()
    ]
    found.sort(key=lambda pair: pair[1].when, reverse=True)
    return [(folder, call, _describe(call)) for folder, call in found[:PAGE]]


def _describe(call: RecordedCall) -> str:
    """Return what people read of a recording; its length is read from the file."""
    when = dt_util.as_local(call.when).strftime("%Y-%m-%d %H:%M")
    number = f"({call.number})" if call.name and call.number else call.number
    who = " ".join(part for part in (ARROWS[call.direction], call.name, number) if part)
    seconds = seconds_of(call)
    parts = [when, who]
    if seconds is not None:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        parts.append(f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}")
    return " \N{MIDDLE DOT} ".join(parts)
