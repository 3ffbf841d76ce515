"""Where the sounds of actions come from."""

from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path
from typing import Any, override

import pytest
from aiohttp import web
from homeassistant.components import tts
from homeassistant.components.media_source import PlayMedia
from homeassistant.components.tts import TextToSpeechEntity, generate_media_source_id
from homeassistant.components.tts.const import DATA_COMPONENT
from homeassistant.components.tts.entity import TTSAudioRequest, TTSAudioResponse
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_aiohttp.plugin import AiohttpServer

from custom_components.sip_ua.net.audio import AudioSource, FileSource, StreamSource
from custom_components.sip_ua.net.errors import AudioError
from custom_components.sip_ua.sound import media_source_of, speech_source

VOICE = b"RIFF" + bytes(range(256)) * 100


class Speaker(TextToSpeechEntity):
    """An engine that says every message in the same way."""

    _attr_name = "Speaker"
    _attr_default_language = "en"

    def __init__(self) -> None:
        self._attr_supported_languages = ["en", "de"]
        self._attr_supported_options = ["voice"]
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        message = "".join([piece async for piece in request.message_gen])
        self.said.append((message, request.language, request.options))
        return TTSAudioResponse("wav", _in_pieces())


async def _in_pieces() -> AsyncGenerator[bytes]:
    yield VOICE[:100]
    yield VOICE[100:]


async def heard(source: AudioSource) -> bytes:
    """Read a streamed sound to its end."""
    assert isinstance(source, StreamSource)
    chunks: AsyncIterable[bytes] = source.chunks
    return b"".join([chunk async for chunk in chunks])


@pytest.fixture(name="speaker")
async def speaker_fixture(hass: HomeAssistant, tmp_path: Path) -> Speaker:
    hass.config.config_dir = str(tmp_path)
    assert await async_setup_component(hass, "media_source", {})
    assert await async_setup_component(hass, "tts", {})
    speaker = Speaker()
    await hass.data[DATA_COMPONENT].async_add_entities([speaker])
    await hass.async_block_till_done()
    return speaker


def speak(hass: HomeAssistant, message: str = "Hello", **how: Any) -> AudioSource:
    return speech_source(hass, message, **{"engine": None, "language": None, "options": None} | how)


async def test_a_message_is_spoken_while_it_is_rendered(hass: HomeAssistant, speaker: Speaker) -> None:
    source = speak(hass, language="de", options={"voice": "deep"})
    assert isinstance(source, StreamSource)
    assert source.hint == "wav"
    assert await heard(source) == VOICE
    message, language, options = speaker.said[0]
    assert (message, language, options["voice"]) == ("Hello", "de", "deep")


@pytest.mark.parametrize(
    ("how", "key"),
    [({"engine": "tts.nobody"}, "tts_engine_unknown"), ({"language": "xx"}, "tts_failed")],
)
async def test_a_wrong_engine_or_language_is_an_error(
    hass: HomeAssistant, speaker: Speaker, how: dict[str, str], key: str
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        speak(hass, **how)
    assert raised.value.translation_key == key


async def test_without_any_engine_speaking_is_an_error(hass: HomeAssistant) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        speak(hass)
    assert raised.value.translation_key == "tts_missing"


async def test_speech_from_the_media_browser_is_read_in_the_process(hass: HomeAssistant, speaker: Speaker) -> None:
    item = generate_media_source_id(hass, "Good morning", options={tts.ATTR_PREFERRED_FORMAT: "wav"}, cache=False)
    source = await media_source_of(hass, item)
    assert await heard(source) == VOICE
    assert speaker.said[0][0] == "Good morning"


async def test_a_local_media_file_is_played_as_a_file(hass: HomeAssistant, tmp_path: Path) -> None:
    hass.config.media_dirs = {"local": str(tmp_path)}
    (tmp_path / "gong.wav").write_bytes(VOICE)
    assert await async_setup_component(hass, "media_source", {})
    source = await media_source_of(hass, "media-source://media_source/local/gong.wav")
    assert source == FileSource(tmp_path / "gong.wav")


async def test_media_that_is_not_there_is_an_error(hass: HomeAssistant) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await media_source_of(hass, "media-source://media_source/local/gong.wav")
    assert raised.value.translation_key == "media_not_found"


async def test_a_file_is_played_from_allowed_folders_only(hass: HomeAssistant, tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    for folder in (allowed, secret):
        folder.mkdir()
        (folder / "gong.wav").write_bytes(VOICE)
    hass.config.allowlist_external_dirs = {str(allowed)}
    assert await media_source_of(hass, f" {allowed}/gong.wav ") == FileSource(allowed / "gong.wav")
    for path in (secret / "gong.wav", allowed / "nothing.wav", f"{allowed}/../secret/gong.wav", allowed):
        with pytest.raises(ServiceValidationError) as raised:
            await media_source_of(hass, str(path))
        assert raised.value.translation_key == "path_not_allowed"


@pytest.fixture(name="media_server")
async def media_server_fixture(socket_enabled: None, aiohttp_server: AiohttpServer) -> str:
    async def gong(request: web.Request) -> web.Response:
        return web.Response(body=VOICE)

    app = web.Application()
    app.router.add_get("/gong.wav", gong)
    server = await aiohttp_server(app)
    return str(server.make_url("/")).rstrip("/")


async def test_an_address_is_read_piece_by_piece(hass: HomeAssistant, media_server: str) -> None:
    assert await heard(await media_source_of(hass, f"{media_server}/gong.wav")) == VOICE


async def test_an_address_that_has_nothing_is_an_error_that_does_not_name_it(
    hass: HomeAssistant, media_server: str
) -> None:
    source = await media_source_of(hass, f"{media_server}/secret?token=4711")
    with pytest.raises(AudioError, match=r"answered 404") as raised:
        await heard(source)
    assert "4711" not in str(raised.value)


async def test_a_server_that_is_not_there_is_an_error_that_does_not_name_it(hass: HomeAssistant) -> None:
    source = await media_source_of(hass, "http://127.0.0.1:1/secret?token=4711")
    with pytest.raises(AudioError, match=r"cannot be fetched") as raised:
        await heard(source)
    assert "4711" not in str(raised.value)


async def test_a_path_of_home_assistant_itself_is_fetched_from_it(
    hass: HomeAssistant, media_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "custom_components.sip_ua.sound.async_process_play_media_url",
        lambda _hass, url: f"{media_server}/gong.wav{url[:0]}",
    )
    assert await heard(await media_source_of(hass, "/local/gong.wav")) == VOICE


async def test_media_without_a_file_is_fetched_from_its_address(
    hass: HomeAssistant, media_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(hass: HomeAssistant, media: str, target: None) -> PlayMedia:
        if "broken" in media:
            raise HomeAssistantError("broken")
        return PlayMedia(f"{media_server}/gong.wav", "audio/wav")

    monkeypatch.setattr("custom_components.sip_ua.sound.media_source.async_resolve_media", resolve)
    assert await heard(await media_source_of(hass, "media-source://radio/gong")) == VOICE
    with pytest.raises(ServiceValidationError):
        await media_source_of(hass, "media-source://radio/broken")


async def test_speech_of_the_media_browser_that_says_nothing_is_an_error(hass: HomeAssistant, speaker: Speaker) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await media_source_of(hass, "media-source://tts/tts.speaker?language=en")
    assert raised.value.translation_key == "media_not_found"


async def test_speech_that_is_being_rendered_already_is_heard_as_it_is(hass: HomeAssistant, speaker: Speaker) -> None:
    engine = str(tts.async_default_engine(hass))
    stream = tts.async_create_stream(hass, engine, options={tts.ATTR_PREFERRED_FORMAT: "wav"})
    stream.async_set_message("Hello")
    assert await heard(await media_source_of(hass, stream.url)) == VOICE
    # Home Assistant keeps it as a file once all of it is there.
    await hass.async_block_till_done(wait_background_tasks=True)
    kept = await media_source_of(hass, f"media-source://tts/-stream-/{stream.token}")
    assert isinstance(kept, FileSource)
    assert await hass.async_add_executor_job(kept.path.read_bytes) == VOICE
    assert len(speaker.said) == 1


async def test_without_text_to_speech_its_media_is_none(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, "media_source", {})
    with pytest.raises(ServiceValidationError) as raised:
        await media_source_of(hass, "media-source://tts/tts.speaker?message=Hello")
    assert raised.value.translation_key == "media_not_found"
