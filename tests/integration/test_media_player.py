"""The media player of an account: what Home Assistant plays into calls, and what its state says."""

from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.media_player.const import MediaPlayerEntityFeature
from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_restore_state_shutdown_restart,
    mock_restore_cache_with_extra_data,
)

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.entity import unique_id_in
from custom_components.sip_ua.media_player import StoredVolume
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.net.play_order import Placement
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallState, RegistrationFailure

from .conftest import do
from .phone import NEIGHBOUR, FakePhone, Phones
from .test_sound import VOICE, Speaker, heard, speaker_fixture

__all__ = ["speaker_fixture"]


@pytest.fixture(name="player")
def player_fixture(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> str:
    player = er.async_get(hass).async_get_entity_id("media_player", DOMAIN, unique_id_in(entry, "player"))
    assert player is not None
    return player


def shown(hass: HomeAssistant, player: str) -> State:
    state = hass.states.get(player)
    assert state is not None
    return state


async def perform(hass: HomeAssistant, action: str, player: str, **data: Any) -> None:
    await hass.services.async_call("media_player", action, {"entity_id": player, **data}, blocking=True)


async def play(hass: HomeAssistant, player: str, sound: FileSource, **how: Any) -> None:
    await perform(hass, "play_media", player, media_content_type="music", media_content_id=str(sound.path), **how)


def test_the_player_can_what_it_says(hass: HomeAssistant, player: str) -> None:
    features = MediaPlayerEntityFeature(shown(hass, player).attributes["supported_features"])
    assert MediaPlayerEntityFeature.MEDIA_ANNOUNCE | MediaPlayerEntityFeature.MEDIA_ENQUEUE in features
    assert MediaPlayerEntityFeature.SEEK not in features


async def test_its_state_follows_the_call(
    hass: HomeAssistant, phone: FakePhone, player: str, sound: FileSource
) -> None:
    assert shown(hass, player).state == "off"
    call_id = phone.place(NEIGHBOUR)
    assert shown(hass, player).state == "on"
    phone.enter(call_id, CallState.TALKING)
    assert shown(hass, player).state == "idle"
    await play(hass, player, sound)
    assert shown(hass, player).state == "idle"
    phone.begin(call_id, 2)
    assert shown(hass, player).state == "playing"
    phone.enter(call_id, CallState.REMOTE_HELD)
    assert shown(hass, player).state == "paused"
    phone.enter(call_id, CallState.TALKING)
    assert shown(hass, player).state == "playing"
    phone.finish(call_id, 2)
    assert shown(hass, player).state == "idle"
    phone.end(call_id)
    assert shown(hass, player).state == "off"
    phone.fail(RegistrationFailure.NO_ANSWER)
    assert shown(hass, player).state == "unavailable"


async def test_what_the_action_dial_says_is_shown_as_well(hass: HomeAssistant, phone: FakePhone, player: str) -> None:
    call_id = phone.ring()
    assert shown(hass, player).state == "on"
    phone.enter(call_id, CallState.TALKING)
    phone.begin(call_id, 9)
    assert shown(hass, player).state == "playing"


async def test_with_several_calls_it_plays_while_one_does(hass: HomeAssistant, phone: FakePhone, player: str) -> None:
    first, second = phone.ring(), phone.place(NEIGHBOUR)
    phone.enter(first, CallState.TALKING)
    phone.begin(first, 8)
    phone.enter(second, CallState.TALKING)
    phone.begin(second, 9)
    phone.enter(first, CallState.HELD)
    assert shown(hass, player).state == "playing"
    phone.finish(second, 9)
    assert shown(hass, player).state == "paused"
    phone.end(first)
    assert shown(hass, player).state == "idle"
    phone.end(second)
    assert shown(hass, player).state == "off"


@pytest.mark.parametrize(
    ("how", "placement"),
    [
        ({}, Placement.REPLACE),
        ({"enqueue": "replace"}, Placement.REPLACE),
        ({"enqueue": "add"}, Placement.ADD),
        ({"enqueue": "next"}, Placement.NEXT),
        ({"enqueue": "play"}, Placement.PLAY),
        ({"announce": True}, Placement.INTERRUPT),
    ],
)
async def test_media_goes_where_it_is_wanted(
    hass: HomeAssistant,
    phone: FakePhone,
    player: str,
    talk: str,
    sound: FileSource,
    how: dict[str, Any],
    placement: Placement,
) -> None:
    await play(hass, player, sound, **how)
    elsewhere = () if placement is Placement.ADD else (placement,)
    assert phone.did == [("play", talk, sound, False, 0.0, *elsewhere)]


async def test_with_several_calls_media_goes_to_the_one_that_is_talked_in_or_named(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource
) -> None:
    held = phone.place(NEIGHBOUR)
    phone.enter(held, CallState.HELD)
    ringing = phone.ring()
    await play(hass, player, sound)
    await play(hass, player, sound, extra={"call_id": held})
    assert [did[1] for did in phone.did] == [talk, held]
    for extra, key in (({"call_id": "gone"}, "call_not_found"), ({"call_id": ringing}, "call_rings_here")):
        with pytest.raises(ServiceValidationError) as raised:
            await play(hass, player, sound, extra=extra)
        assert raised.value.translation_key == key


async def test_without_a_call_playing_is_an_error(
    hass: HomeAssistant, phone: FakePhone, player: str, sound: FileSource
) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await play(hass, player, sound)
    assert raised.value.translation_key == "no_audible_call"


async def test_tts_speak_interrupts_and_is_rendered_in_the_format_of_the_engine(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, speaker: Speaker
) -> None:
    await hass.services.async_call(
        "tts",
        "speak",
        {
            "entity_id": speaker.entity_id,
            "media_player_entity_id": player,
            "message": "Good morning",
            "language": "de",
            "options": {"voice": "deep"},
            "cache": False,
        },
        blocking=True,
    )
    ((_, call_id, source, *_how, placement),) = phone.did
    assert (call_id, placement) == (talk, Placement.INTERRUPT)
    assert await heard(source) == VOICE
    message, language, options = speaker.said[0]
    assert (message, language, options["voice"]) == ("Good morning", "de", "deep")


async def test_stop_pause_and_play_concern_every_call(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource
) -> None:
    second = phone.place(NEIGHBOUR)
    phone.enter(second, CallState.TALKING)
    phone.begin(talk, 7)
    phone.begin(second, 8)
    await perform(hass, "media_pause", player)
    assert shown(hass, player).state == "paused"
    await perform(hass, "media_play", player)
    assert shown(hass, player).state == "playing"
    await perform(hass, "media_stop", player)
    assert [did[:2] for did in phone.did] == [
        ("pause", talk),
        ("pause", second),
        ("go_on", talk),
        ("go_on", second),
        ("stop_playback", talk),
        ("stop_playback", second),
    ]


async def test_what_takes_the_place_of_a_paused_sound_plays(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource
) -> None:
    phone.begin(talk, 7)
    await perform(hass, "media_pause", player)
    await play(hass, player, sound)
    phone.finish(talk, 7, stopped=True)
    phone.begin(talk, 2)
    assert shown(hass, player).state == "playing"


async def test_nothing_to_pause_is_no_error(hass: HomeAssistant, phone: FakePhone, player: str, talk: str) -> None:
    for action in ("media_pause", "media_play", "media_stop"):
        await perform(hass, action, player)
    assert phone.did == [("stop_playback", talk, None)]
    assert shown(hass, player).state == "idle"


# Volume


@pytest.mark.parametrize(("level", "decibels"), [(1, 0.0), (0.75, -10.0), (0.5, -20.0), (0.1, -36.0), (0, -60.0)])
async def test_the_volume_is_a_scale_of_decibels(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource, level: float, decibels: float
) -> None:
    await play(hass, player, sound)
    await perform(hass, "volume_set", player, volume_level=level)
    assert phone.did[1:] == [("set_volume", talk, 2, pytest.approx(decibels))]
    assert shown(hass, player).attributes["volume_level"] == level
    await play(hass, player, sound, enqueue="add")
    assert phone.did[-1] == ("play", talk, sound, False, pytest.approx(decibels))


async def test_mute_silences_what_plays_and_what_comes(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource
) -> None:
    await perform(hass, "volume_set", player, volume_level=0.5)
    await play(hass, player, sound, enqueue="add")
    await perform(hass, "volume_mute", player, is_volume_muted=True)
    assert shown(hass, player).attributes["is_volume_muted"] is True
    await perform(hass, "volume_mute", player, is_volume_muted=False)
    assert [did[-1] for did in phone.did] == [-20.0, -60.0, -20.0]


async def test_the_volume_leaves_what_others_play_alone(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource
) -> None:
    await do(hass, "play", media=str(sound.path))
    await play(hass, player, sound, enqueue="add")
    phone.finish(talk, 3)
    await perform(hass, "volume_set", player, volume_level=0.5)
    assert not [did for did in phone.did if did[0] == "set_volume"]


async def test_the_volume_outlives_a_restart(hass: HomeAssistant, phones: Phones, entry: MockConfigEntry) -> None:
    player = "media_player.620_fritz_box_player"
    stored = StoredVolume(0.5, muted=True).as_dict()
    mock_restore_cache_with_extra_data(hass, [(State(player, "off"), stored)])
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phones[-1].register()
    phones[-1].enter(phones[-1].ring(), CallState.TALKING)
    assert shown(hass, player).attributes["volume_level"] == 0.5
    assert shown(hass, player).attributes["is_volume_muted"] is True
    await perform(hass, "volume_set", player, volume_level=0.25)
    data = await async_mock_restore_state_shutdown_restart(hass)
    kept = data.last_states[player].extra_data
    assert kept is not None
    assert kept.as_dict() == {"volume": 0.25, "muted": True}


# Browsing


async def test_the_media_sources_are_browsed_for_what_can_be_heard(
    hass: HomeAssistant, player: str, tmp_path: Path
) -> None:
    for name in ("gong.wav", "photo.jpg"):
        (tmp_path / name).write_bytes(b"")
    hass.config.media_dirs = {"local": str(tmp_path)}
    assert await async_setup_component(hass, "media_source", {})
    answer = await hass.services.async_call(
        "media_player",
        "browse_media",
        {
            "entity_id": player,
            "media_content_type": "",
            "media_content_id": "media-source://media_source/local/.",
        },
        blocking=True,
        return_response=True,
    )
    found: Any = (answer or {})[player]
    assert [child.title for child in found.children] == ["gong.wav"]


async def test_a_call_that_ends_while_it_is_paused_is_no_error(
    hass: HomeAssistant, phone: FakePhone, player: str, talk: str, sound: FileSource
) -> None:
    await play(hass, player, sound)
    phone.begin(talk, phone.playback_id)
    phone.error = LocalProtocolError("the call has ended")
    await perform(hass, "media_pause", player)
    phone.error = None
    assert shown(hass, player).state == "playing"
