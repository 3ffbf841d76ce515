"""Where the sounds of actions come from: text-to-speech, media sources, addresses and local files.

Speech and media sources of this Home Assistant are read in the process itself; nothing is decoded here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from homeassistant.components import media_source
from homeassistant.components.media_player.browse_media import async_process_play_media_url
from homeassistant.components.media_source.const import URI_SCHEME
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from .action_errors import validation_error
from .call_tones import KINDS, call_tone, tone_source
from .net.audio import AudioSource, FileSource, StreamSource
from .net.errors import AudioError, AudioFault

if TYPE_CHECKING:
    from homeassistant.components.tts import ResultStream

TTS = "tts"
TONE_MEDIA = "tone:"
TTS_MEDIA = f"{URI_SCHEME}{TTS}/"
CHUNK_SIZE = 16384
FIND_TIMEOUT = 15.0
"""Seconds in which a media source or a disk must tell where a sound is."""

FETCH_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=10, sock_read=30)
SPEECH_FORMAT = "wav"
"""What local engines give by themselves; otherwise Home Assistant would turn it into MP3 first."""

STREAMABLE_FORMATS = frozenset({"wav", "mp3", "ogg", "flac"})
TTS_PROXY = "/api/tts_proxy/"
WEB_PATHS = ("/api/", "/local/", "/media/local/")


def speech_source(
    hass: HomeAssistant,
    message: str,
    *,
    engine: str | None = None,
    language: str | None = None,
    voice: str | None = None,
    options: Mapping[str, Any] | None = None,
    use_file_cache: bool | None = None,
) -> AudioSource:
    """Return the spoken message; the engine begins to render at once."""
    if TTS not in hass.config.components:
        raise validation_error("tts_missing")
    from homeassistant.components import tts  # noqa: PLC0415 - only where it is in use

    if (resolved := tts.async_resolve_engine(hass, engine)) is None:
        raise validation_error("tts_engine_unknown", engine=engine or "-")
    wanted = {tts.ATTR_PREFERRED_FORMAT: SPEECH_FORMAT, **(options or {})}
    if voice is not None:
        wanted[tts.ATTR_VOICE] = voice
    try:
        stream = tts.async_create_stream(hass, resolved, language, wanted)
    except HomeAssistantError as error:
        raise validation_error("tts_failed", engine=resolved, error=str(error)) from error
    if use_file_cache is not None:
        stream.use_file_cache = use_file_cache
    stream.async_set_message(message)
    return _stream_source(stream)


async def media_source_of(hass: HomeAssistant, media: str, player: str | None = None) -> AudioSource:
    """Return the sound that a media source, an address or a local path names; `player` is the entity that plays it."""
    media = media.strip()
    with _found_in_time(media):
        async with asyncio.timeout(FIND_TIMEOUT):
            return await _find_media(hass, media, player)


@contextlib.contextmanager
def _found_in_time(media: str) -> Iterator[None]:
    """Raise a translated error where a sound is looked for in vain."""
    try:
        yield
    except TimeoutError as error:
        raise validation_error("media_not_found_in_time", media=media) from error


async def _find_media(hass: HomeAssistant, media: str, player: str | None) -> AudioSource:
    """Return the sound that a media source, an address or a local path names."""
    if media.startswith(TTS_MEDIA) and (spoken := _spoken_media(hass, media)) is not None:
        return spoken
    if media.startswith(TONE_MEDIA):
        return await _tone(hass, media.removeprefix(TONE_MEDIA))
    if media_source.is_media_source_id(media):
        return await _resolved_source(hass, media, player)
    if media.startswith(("http://", "https://")):
        return StreamSource(_fetch(hass, media))
    if media.startswith(WEB_PATHS):
        return _own_source(hass, media)
    if not await hass.async_add_executor_job(_is_readable, hass, media):
        raise validation_error("path_not_allowed", path=media)
    return FileSource(Path(media))


async def _tone(hass: HomeAssistant, kind: str) -> AudioSource:
    """Return a tone of the exchange as it sounds in the country of the home."""
    if kind not in KINDS:
        raise validation_error("tone_unknown", tone=kind, tones=", ".join(KINDS))
    return await hass.async_add_executor_job(tone_source, call_tone(kind, hass.config.country))


def _spoken_media(hass: HomeAssistant, media: str) -> AudioSource | None:
    """Return the speech that an item of the media browser names, None where it names none that can be said anew.

    Said anew, it comes in the format that the engine gives by itself, while it is rendered.
    """
    if TTS not in hass.config.components:
        return None
    from homeassistant.components.tts.media_source import (  # noqa: PLC0415 - only where it is in use
        parse_media_source_id,
    )

    try:
        parsed = parse_media_source_id(media.removeprefix(TTS_MEDIA))
    except HomeAssistantError as error:
        raise validation_error("media_not_found", media=media, error=str(error)) from error
    if "stream" in parsed:
        return None
    how = parsed["options"]
    return speech_source(
        hass,
        parsed["message"],
        engine=how["engine"],
        language=how["language"],
        options=how["options"],
        use_file_cache=how["use_file_cache"],
    )


async def _resolved_source(hass: HomeAssistant, media: str, player: str | None) -> AudioSource:
    """Return what a media source plays."""
    try:
        playable = await media_source.async_resolve_media(hass, media, player)
    except HomeAssistantError as error:
        raise validation_error("media_not_found", media=media, error=str(error)) from error
    if playable.path is not None:
        return FileSource(playable.path)
    return _own_source(hass, playable.url)


def _own_source(hass: HomeAssistant, url: str) -> AudioSource:
    """Return what an address plays that may be one of Home Assistant itself."""
    if url.startswith(TTS_PROXY) and TTS in hass.config.components:
        spoken = spoken_source(hass, url.removeprefix(TTS_PROXY))
        if spoken is not None:
            return spoken
    return StreamSource(_fetch(hass, async_process_play_media_url(hass, url)))


def spoken_source(hass: HomeAssistant, token: str) -> AudioSource | None:
    """Return what is being spoken under a token of text-to-speech, None where that is forgotten."""
    from homeassistant.components import tts  # noqa: PLC0415 - only where it is in use

    stream = tts.async_get_stream(hass, token)
    return None if stream is None else _stream_source(stream)


def _stream_source(stream: ResultStream) -> AudioSource:
    """Return the sound of a text-to-speech stream while it is being rendered."""
    hint = stream.extension if stream.extension in STREAMABLE_FORMATS else ""
    return StreamSource(_spoken(stream), hint)


async def _spoken(stream: ResultStream) -> AsyncIterator[bytes]:
    """Give what an engine says; when it fails, the error names the engine."""
    try:
        async for chunk in stream.async_stream_result():
            yield chunk
    except Exception as error:
        text = f"the text-to-speech engine {stream.engine} failed: {str(error) or type(error).__name__}"
        raise AudioError(text, AudioFault.ENGINE) from error


def _is_readable(hass: HomeAssistant, path: str) -> bool:
    """Return whether a local file is there and may be read; blocks."""
    return hass.config.is_allowed_path(path) and Path(path).is_file()


async def _fetch(hass: HomeAssistant, url: str) -> AsyncIterator[bytes]:
    """Read an address piece by piece; its errors never name the address, which may hold a signature."""
    session = async_get_clientsession(hass)
    try:
        async with session.get(url, timeout=FETCH_TIMEOUT) as response:
            if response.status >= 400:
                text = f"the media server answered {response.status} {response.reason}"
                raise AudioError(text, AudioFault.UNREACHABLE)
            async for chunk in response.content.iter_chunked(CHUNK_SIZE):
                yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        text = f"the media cannot be fetched: {type(error).__name__}"
        raise AudioError(text, AudioFault.UNREACHABLE) from error
