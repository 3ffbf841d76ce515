"""Asking for keys, menus and calling several numbers, in a real Home Assistant against Kamailio and baresip."""

import asyncio
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import async_mock_service

from .conftest import Peers
from .home import registered
from .tone import sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

MESSAGE_SECONDS, RATE = 1.0, 8_000
MORE_THAN_ONCE = 1.5


def message(hass: HomeAssistant, folder: Path) -> str:
    """Write a short tone that Home Assistant may play, and return its path."""
    hass.config.allowlist_external_dirs = {str(folder)}
    return str(write_wav(folder / "message.wav", sine(1000.0, MESSAGE_SECONDS, RATE, -15.0), RATE))


async def test_the_first_who_presses_the_key_is_told_and_the_others_are_cancelled(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    alice = await peers.baresip(kamailio, "alice", answer=False)
    home = await registered(hass, kamailio)

    task = hass.async_create_task(
        home.call(
            "call_out",
            numbers=["alice", "bob"],
            mode="at_once",
            confirm="1",
            media=message(hass, tmp_path),
            confirm_timeout=40,
        )
    )
    await bob.until_event("CALL_ESTABLISHED")
    await bob.until_heard(MORE_THAN_ONCE)
    await alice.until_event("CALL_INCOMING")
    await bob.send_digits("5")
    assert not task.done()
    await bob.send_digits("1")
    answer = await task

    assert (answer["accepted"], answer["number"]) == (True, "bob")
    told = {attempt["number"]: (attempt["result"], attempt["outcome"]) for attempt in answer["attempts"]}
    assert told == {"alice": ("cancelled", "cancelled"), "bob": ("accepted", "answered")}
    assert len(kamailio.requests("CANCEL")) == 1
    await bob.until_event("CALL_CLOSED")
    await alice.until_event("CALL_CLOSED")
    await home.until_state("call_state", "idle")
    assert home.state("calls_active").state == "0"


async def test_a_cancelled_action_leaves_no_call_at_anybody(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    alice = await peers.baresip(kamailio, "alice", answer=False)
    home = await registered(hass, kamailio)

    task = hass.async_create_task(home.call("call_out", numbers=["alice", "bob"], mode="at_once"))
    await bob.until_event("CALL_ESTABLISHED")
    await alice.until_event("CALL_INCOMING")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await bob.until_event("CALL_CLOSED")
    await alice.until_event("CALL_CLOSED")
    assert home.kinds().count("ended") == 2
    await home.until_state("call_state", "idle")


async def test_digits_are_asked_for_and_the_first_key_stops_the_prompt(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio)
    prompt = write_wav(tmp_path / "prompt.wav", sine(1000.0, 20.0, RATE, -15.0), RATE)
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    await home.call("dial", number="bob", wait="answered")

    task = hass.async_create_task(home.call("wait_for_dtmf", media=str(prompt), max_digits=8))
    await bob.until_heard(MORE_THAN_ONCE)
    await bob.send_digits("47#")
    answer = await task

    assert (answer["digits"], answer["result"]) == ("47", "complete")
    played = await home.until_event("playback_finished")
    assert played["stopped"] is True
    await home.call("hangup")
    await home.until_event("ended")


async def test_a_menu_is_walked_through_by_the_keys_of_the_other_side(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio)
    opened = async_mock_service(hass, "lock", "open")
    tone = message(hass, tmp_path)
    await home.call("dial", number="bob", wait="answered")

    door = {"id": "door", "actions": [{"action": "lock.open"}], "media": tone, "then": "hangup"}
    pin = {"choices": {"47": door}, "choices_are_pin": True, "media": tone, "invalid": {"media": tone}}
    task = hass.async_create_task(home.call("menu", menu=pin))
    await bob.until_heard(MESSAGE_SECONDS / 2)
    await bob.send_digits("11")
    await home.until_event("playback_finished")
    await bob.send_digits("47")
    answer = await task

    assert (answer["result"], answer["path"]) == ("hung_up", ["menu", "invalid", "door"])
    assert len(opened) == 1
    await bob.until_event("CALL_CLOSED")
