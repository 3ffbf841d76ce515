"""Sounds that fail in a real call: each ends in time, with an error that says what to do, and harms nothing else."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, override

import pytest
from aiohttp import web
from homeassistant.components.media_source import PlayMedia
from homeassistant.components.tts import TextToSpeechEntity
from homeassistant.components.tts.const import DATA_COMPONENT
from homeassistant.components.tts.entity import TTSAudioRequest, TTSAudioResponse
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from pytest_aiohttp.plugin import AiohttpServer

from custom_components.sip_ua.net import audio_feed
from scripts.exchange.exchange import Exchange
from tests.net.media_support import sine, wav

from .conftest import act, do, until
from .test_loopback import add_account, exchange_fixture, state_of

__all__ = ["exchange_fixture"]

GONG = wav(sine(800, 0.2))
PATIENCE = 0.5


class Speaker(TextToSpeechEntity):
    """An engine that fails in the way that its message says."""

    _attr_name = "Speaker"
    _attr_default_language = "en"
    _attr_supported_languages = ("en",)  # type: ignore[assignment]

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        message = "".join([piece async for piece in request.message_gen])
        if message == "fail":
            raise HomeAssistantError("the cloud is gone")
        if message == "never":
            await asyncio.Event().wait()
        return TTSAudioResponse("wav", self._say(message))

    async def _say(self, message: str) -> AsyncGenerator[bytes]:
        if message == "nothing":
            return
        if message == "noise":
            yield b"this is no sound at all" * 100
            return
        yield GONG[:2000]
        if message == "stick":
            await asyncio.Event().wait()
        if message == "break":
            raise HomeAssistantError("the cloud is gone")
        yield GONG[2000:]


@pytest.fixture(name="account")
async def account_fixture(
    hass: HomeAssistant, exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConfigEntry]:
    """Return a registered account in a Home Assistant that speaks, none of whose sounds is waited for very long."""
    monkeypatch.setattr(audio_feed, "FIRST_TIMEOUT", PATIENCE)
    monkeypatch.setattr(audio_feed, "STREAM_TIMEOUT", PATIENCE)
    hass.config.config_dir = str(tmp_path)
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    assert await async_setup_component(hass, "media_source", {})
    assert await async_setup_component(hass, "tts", {})
    await hass.data[DATA_COMPONENT].async_add_entities([Speaker()])
    entry: ConfigEntry = (await add_account(hass, exchange))["result"]
    await until(lambda: state_of(hass, entry, "registration").state == "registered")
    yield entry
    await hass.config_entries.async_unload(entry.entry_id)
    await until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("sip_ua audio")])


@pytest.fixture(name="media_server")
async def media_server_fixture(socket_enabled: None, aiohttp_server: AiohttpServer) -> str:
    async def nothing(request: web.Request) -> web.Response:
        return web.Response()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>Log in first</html>")

    async def stuck(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(GONG[:2000])
        await asyncio.sleep(2 * PATIENCE)
        return response

    app = web.Application()
    for path, handler in (("nothing", nothing), ("page", page), ("stuck", stuck)):
        app.router.add_get(f"/{path}", handler)
    server = await aiohttp_server(app)
    return str(server.make_url("/")).rstrip("/")


async def assert_sound(hass: HomeAssistant, call_id: str) -> None:
    """Hear that the call goes on, and that a good sound is heard in it."""
    answer = await act(hass, "speak", message="good", call_id=call_id, wait=True)
    assert (answer["state"], answer["result"]) == ("talking", "played")


@pytest.mark.parametrize(
    ("action", "data", "key"),
    [
        ("speak", {"message": "fail"}, "tts_broke_down"),
        ("speak", {"message": "break"}, "tts_broke_down"),
        ("speak", {"message": "never"}, "sound_timed_out"),
        ("speak", {"message": "stick"}, "sound_timed_out"),
        ("speak", {"message": "nothing"}, "sound_empty"),
        ("speak", {"message": "noise"}, "sound_unknown"),
        ("play", {"media": "{server}/nothing"}, "sound_empty"),
        ("play", {"media": "{server}/page"}, "sound_unknown"),
        ("play", {"media": "{server}/missing"}, "sound_unreachable"),
        ("play", {"media": "{server}/stuck"}, "sound_timed_out"),
        ("play", {"media": "http://127.0.0.1:1/gong.wav"}, "sound_unreachable"),
        ("play", {"media": "{folder}/noise.wav"}, "sound_unknown"),
        ("play", {"media": "{folder}/empty.wav"}, "sound_empty"),
    ],
)
async def test_a_sound_that_fails_is_told_in_time_and_the_call_goes_on(
    hass: HomeAssistant,
    account: ConfigEntry,
    media_server: str,
    tmp_path: Path,
    action: str,
    data: dict[str, str],
    key: str,
) -> None:
    (tmp_path / "noise.wav").write_bytes(b"this is no sound at all" * 100)
    (tmp_path / "empty.wav").write_bytes(b"")
    call_id = (await act(hass, "dial", number="601", wait="answered"))["call_id"]
    data = {name: text.format(server=media_server, folder=tmp_path) for name, text in data.items()}
    with pytest.raises(HomeAssistantError) as raised:
        async with asyncio.timeout(8 * PATIENCE):
            await act(hass, action, wait=True, **data)
    assert raised.value.translation_key == key
    assert raised.value.translation_placeholders is None
    await assert_sound(hass, call_id)
    assert (await act(hass, "hangup"))["outcome"] == "answered"


FAULTS = {
    "fail": "tts_broke_down",
    "never": "sound_timed_out",
    "nothing": "sound_empty",
    "noise": "sound_unknown",
}


@pytest.mark.parametrize("message", FAULTS)
async def test_a_message_that_fails_before_the_answer_is_told_and_the_call_ends_as_asked(
    hass: HomeAssistant, account: ConfigEntry, message: str
) -> None:
    answer = await act(hass, "dial", number="601", message=message, hangup_after=True, wait="ended")
    assert (answer["outcome"], answer["ended_by"]) == ("answered", "local")
    assert answer["playback_error"]
    assert answer["playback_fault"] == FAULTS[message]


async def test_a_media_source_that_hangs_is_given_up(
    hass: HomeAssistant, account: ConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_args: Any) -> PlayMedia:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("custom_components.sip_ua.sound.media_source.async_resolve_media", hang)
    monkeypatch.setattr("custom_components.sip_ua.sound.FIND_TIMEOUT", 0.05)
    await do(hass, "dial", number="601", wait="answered")
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "play", media="media-source://radio/gong")
    assert raised.value.translation_key == "media_not_found_in_time"


async def test_the_loop_of_an_address_and_of_speech_goes_on_until_it_is_stopped(
    hass: HomeAssistant, account: ConfigEntry
) -> None:
    call_id = (await act(hass, "dial", number="601", wait="answered"))["call_id"]
    number = (await act(hass, "speak", message="good", loop=True))["playback_id"]
    await asyncio.sleep(3 * 0.2 + 0.2)
    assert await act(hass, "stop", call_id=call_id) == {"stopped": [number]}
    await assert_sound(hass, call_id)


async def test_an_interruption_is_heard_at_once_and_what_it_interrupts_goes_on(
    hass: HomeAssistant, account: ConfigEntry, tmp_path: Path
) -> None:
    (tmp_path / "music.wav").write_bytes(wav(sine(500, 0.6)))
    await do(hass, "dial", number="601", wait="answered")
    music = hass.async_create_task(act(hass, "play", media=str(tmp_path / "music.wav"), wait=True))
    await asyncio.sleep(0.2)
    answer = await act(hass, "speak", message="good", enqueue="interrupt", wait=True)
    assert answer["result"] == "played"
    assert not music.done()
    assert (await music)["result"] == "played"
