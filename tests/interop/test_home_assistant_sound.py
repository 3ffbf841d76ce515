"""What Home Assistant says and plays, as baresip hears it: by frequency, level, order and moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, override

import pytest
from homeassistant.components.tts import TextToSpeechEntity
from homeassistant.components.tts.const import DATA_COMPONENT
from homeassistant.components.tts.entity import TTSAudioRequest, TTSAudioResponse
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .conftest import Peers
from .home import Home, registered
from .peers import Baresip
from .tone import parts, sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

RATE, DBFS = 8_000, -15.0
LOW, MIDDLE, HIGH = 500.0, 1000.0, 1750.0
CANDIDATES = (LOW, MIDDLE, HIGH)
ENGINE = "tts.whistler"


class Whistler(TextToSpeechEntity):
    """A text-to-speech engine that whistles the frequency, for the seconds, that its message tells."""

    _attr_name = "Whistler"
    _attr_default_language = "en"
    _attr_supported_languages = ("en",)  # type: ignore[assignment]

    def __init__(self, folder: Path) -> None:
        """Write into `folder`."""
        self.entity_id = ENGINE
        self._folder = folder

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        frequency, seconds = "".join([piece async for piece in request.message_gen]).split()
        file = whistle(self._folder, float(frequency), float(seconds))
        content = await asyncio.to_thread(file.read_bytes)

        async def pieces() -> Any:
            for start in range(0, len(content), 1000):
                yield content[start : start + 1000]

        return TTSAudioResponse("wav", pieces())


def whistle(folder: Path, frequency: float, seconds: float) -> Path:
    return write_wav(folder / f"{frequency:g}-{seconds:g}.wav", sine(frequency, seconds, RATE, DBFS), RATE)


@dataclass
class Talk:
    """Home Assistant and the baresip that it talks to."""

    hass: HomeAssistant
    home: Home
    bob: Baresip
    folder: Path

    async def media_player(self, action: str, **data: Any) -> None:
        await self.hass.services.async_call(
            "media_player", action, {"entity_id": self.home.state("player").entity_id, **data}, blocking=True
        )

    async def play_media(self, frequency: float, seconds: float, **how: Any) -> None:
        path = str(whistle(self.folder, frequency, seconds))
        await self.media_player("play_media", media_content_type="music", media_content_id=path, **how)

    async def play(self, frequency: float, seconds: float, **how: Any) -> Any:
        return await self.home.call("play", media=str(whistle(self.folder, frequency, seconds)), **how)

    async def heard(self, seconds: float) -> list[tuple[float, float, float]]:
        """Return frequency, length in seconds and level of what baresip heard, once that is so many seconds of tone."""

        def enough() -> bool:
            return sum(length for _, length, _ in parts(*self.bob.heard(), CANDIDATES)) >= seconds - 0.1

        await self.bob.until(enough, f"{seconds:g} s of tones are heard")
        return parts(*self.bob.heard(), CANDIDATES)


@pytest.fixture(name="talk")
async def talk_fixture(hass: HomeAssistant, peers: Peers, tmp_path: Path) -> Talk:
    """Return a Home Assistant that speaks, and somebody whom it can call."""
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, answer=False)
    hass.config.config_dir = str(tmp_path)
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    assert await async_setup_component(hass, "media_source", {})
    assert await async_setup_component(hass, "tts", {})
    await hass.data[DATA_COMPONENT].async_add_entities([Whistler(tmp_path)])
    return Talk(hass, await registered(hass, kamailio), bob, tmp_path)


async def call(talk: Talk, **how: Any) -> None:
    """Let Home Assistant call, and baresip answer after a moment."""
    await talk.home.call("dial", number="bob", **how)
    await talk.bob.until_event("CALL_INCOMING")
    await asyncio.sleep(0.3)
    await talk.bob.accept()
    await talk.home.until_state("call_state", "talking")


def level_of(found: list[tuple[float, float, float]], frequency: float) -> float:
    return next(level for one, _, level in found if one == frequency)


def order_of(found: list[tuple[float, float, float]]) -> list[float]:
    return [frequency for frequency, _, _ in found]


async def test_every_way_to_be_heard_is_heard_at_its_level(talk: Talk) -> None:
    await call(talk)
    await talk.play_media(LOW, 0.6)
    await talk.heard(0.6)
    await talk.hass.services.async_call(
        "tts",
        "speak",
        {
            "entity_id": ENGINE,
            "media_player_entity_id": talk.home.state("player").entity_id,
            "message": f"{MIDDLE} 0.6",
        },
        blocking=True,
    )
    await talk.heard(1.2)
    await talk.home.call("speak", message=f"{HIGH} 0.6", wait=True)
    await talk.play(LOW, 0.6, wait=True)
    found = await talk.heard(2.4)
    assert order_of(found) == [LOW, MIDDLE, HIGH, LOW]
    for _, seconds, level in found:
        assert seconds == pytest.approx(0.6, abs=0.06)
        assert level == pytest.approx(DBFS, abs=0.3)


async def test_the_volume_changes_the_level_by_so_many_decibels(talk: Talk) -> None:
    await call(talk)
    await talk.play(LOW, 0.6, volume=6, wait=True)
    await talk.play(MIDDLE, 0.6, volume=-12, wait=True)
    await talk.media_player("volume_set", volume_level=0.75)
    await talk.play_media(HIGH, 0.6)
    found = await talk.heard(1.8)
    assert level_of(found, LOW) == pytest.approx(DBFS + 6, abs=0.3)
    assert level_of(found, MIDDLE) == pytest.approx(DBFS - 12, abs=0.3)
    assert level_of(found, HIGH) == pytest.approx(DBFS - 10, abs=0.3)


async def test_the_volume_is_changed_and_muted_while_it_plays(talk: Talk) -> None:
    await call(talk)
    await talk.play_media(MIDDLE, 3.0)
    await talk.home.until_state("player", "playing")
    await asyncio.sleep(0.4)
    await talk.media_player("volume_mute", is_volume_muted=True)
    await asyncio.sleep(0.4)
    await talk.media_player("volume_set", volume_level=0.75)
    await talk.media_player("volume_mute", is_volume_muted=False)
    found = await talk.heard(2.0)
    levels = [level for frequency, _, level in found if frequency == MIDDLE]
    assert levels == [pytest.approx(DBFS, abs=0.5), pytest.approx(DBFS - 10, abs=0.5)]


async def test_sounds_are_heard_in_the_order_that_is_wanted(talk: Talk) -> None:
    await call(talk)
    await talk.play_media(LOW, 1.5)
    await talk.home.until_state("player", "playing")
    await talk.play(MIDDLE, 0.4)
    await talk.play(HIGH, 0.4, enqueue="next")
    await asyncio.sleep(0.4)
    await talk.home.call("speak", message=f"{HIGH} 0.4", enqueue="interrupt")
    found = await talk.heard(2.7)
    assert order_of(found) == [LOW, HIGH, LOW, HIGH, MIDDLE]
    assert sum(seconds for frequency, seconds, _ in found if frequency == LOW) == pytest.approx(1.5, abs=0.1)
    await talk.play(LOW, 5.0)
    await asyncio.sleep(0.4)
    await talk.play(MIDDLE, 0.4, enqueue="replace", wait=True)
    assert order_of((await talk.heard(3.2))[5:]) == [LOW, MIDDLE]


async def stop_after(talk: Talk, stop: Callable[[], Awaitable[Any]]) -> float:
    """Play, stop, and return for how many seconds longer than until the stop baresip heard the sound."""
    before = sum(seconds for _, seconds, _ in parts(*talk.bob.heard(), CANDIDATES))
    await talk.play_media(MIDDLE, 10.0)
    await talk.home.until_state("player", "playing")
    begun = time.monotonic()
    await asyncio.sleep(0.5)
    played = time.monotonic() - begun
    await stop()
    await talk.home.until_state("player", "idle")
    await asyncio.sleep(0.6)
    return sum(seconds for _, seconds, _ in parts(*talk.bob.heard(), CANDIDATES)) - before - played


@pytest.mark.parametrize("action", ["stop", "media_stop"])
async def test_a_stop_is_heard_within_a_tenth_of_a_second(talk: Talk, action: str) -> None:
    await call(talk)

    async def stop() -> None:
        await (talk.home.call("stop") if action == "stop" else talk.media_player(action))

    # A busy machine may tell late that the sound has begun.
    assert min([await stop_after(talk, stop) for _ in range(3)]) < 0.1


@pytest.mark.parametrize("said", ["at dial", "while it rings"])
async def test_what_is_known_before_the_answer_is_the_first_that_is_heard(talk: Talk, said: str) -> None:
    message = f"{MIDDLE} 0.6"
    if said == "at dial":
        await call(talk, message=message)
    else:
        await talk.home.call("dial", number="bob")
        answer = await talk.home.call("speak", message=message)
        assert answer["result"] == "waiting"
        await talk.bob.until_event("CALL_INCOMING")
        await asyncio.sleep(0.3)
        await talk.bob.accept()
    assert order_of(await talk.heard(0.6)) == [MIDDLE]
    samples, rate = talk.bob.heard()
    silent = next(n for n, sample in enumerate(samples) if abs(sample) > 500) / rate
    assert silent < 0.02


async def test_a_tone_of_the_exchange_has_pitch_and_rhythm_of_the_country(talk: Talk) -> None:
    talk.hass.config.country = "DE"
    await call(talk)
    await talk.home.call("play", media="tone:busy", wait=True)
    await talk.bob.until(lambda: len(parts(*talk.bob.heard(), (425.0, HIGH))) >= 5, "five sounds of the tone")
    found = parts(*talk.bob.heard(), (425.0, HIGH))
    assert {frequency for frequency, _, _ in found} == {425.0}
    for _, seconds, _ in found[:5]:
        assert seconds == pytest.approx(0.48, abs=0.06)
