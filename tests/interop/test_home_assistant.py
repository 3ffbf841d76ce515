"""The integration in a real Home Assistant against Kamailio and baresip, through its entities and actions."""

import asyncio
from pathlib import Path

import pytest
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .conftest import Peers
from .home import set_up
from .peers import open_descriptors, until
from .tone import sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

DIGITS = "159#"
OUR_HZ, OUR_DBFS, RATE = 1000.0, -15.0, 8_000


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_entry_registers_shows_it_and_unregisters_when_unloaded(
    hass: HomeAssistant, peers: Peers, transport: str
) -> None:
    kamailio = await peers.kamailio()
    home = await set_up(hass, port=kamailio.port, password="hapw", transport=transport)
    await home.until_state("registration", "registered")
    assert len(kamailio.contacts("ha")) == 1
    descriptors = open_descriptors()
    for _ in range(3):
        assert await hass.config_entries.async_reload(home.entry.entry_id)
        await home.until_state("registration", "registered")
        assert len(kamailio.contacts("ha")) == 1
    await until(lambda: open_descriptors() <= descriptors, "no descriptor is left over")
    assert await hass.config_entries.async_unload(home.entry.entry_id)
    assert home.entry.state is ConfigEntryState.NOT_LOADED
    await until(lambda: kamailio.contacts("ha") == [], "the registration has ended", peers=(kamailio,))


async def test_a_wrong_password_asks_for_a_new_one_and_makes_no_storm(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    home = await set_up(hass, port=kamailio.port, password="wrong", resend=1)
    await until(lambda: list(home.entry.async_get_active_flows(hass, {"reauth"})), "a new login is asked for")
    assert home.state("registration").state == "refused"
    seen = len(kamailio.requests("REGISTER"))
    control = await peers.kamailio(max_expires=4)
    await set_up(hass, port=control.port, password="hapw", number="ha")
    await until(lambda: [a.code for a in control.answers("REGISTER")].count(200) >= 2, "a renewal beside it")
    assert len(kamailio.requests("REGISTER")) == seen == 2
    assert len(list(home.entry.async_get_active_flows(hass, {"reauth"}))) == 1


async def test_dialling_by_action_plays_a_tone_and_returns_the_outcome(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    response = await home.call("dial", number="bob", wait="answered")
    assert response["outcome"] == "answered"
    assert response["code"] == 200
    await home.until_state("call_state", "talking")
    write_wav(tmp_path / "tone.wav", sine(OUR_HZ, 4.0, RATE, OUR_DBFS), RATE)
    hass.config.media_dirs = {"local": str(tmp_path)}
    await home.call("send_dtmf", digits=DIGITS)
    await bob.until(lambda: bob.digits == DIGITS, "baresip hears the digits")
    await bob.send_digits(DIGITS)
    await until(
        lambda: "".join(event["digit"] for event in home.events if event["type"] == "dtmf") == DIGITS,
        "the digits are events",
        peers=(bob,),
    )
    await home.call("hangup")
    ended = await home.until_event("ended")
    assert (ended["outcome"], ended["ended_by"]) == ("answered", "local")
    await home.until_state("call_state", "idle")
    await bob.until_event("CALL_CLOSED")


async def test_an_incoming_call_rings_is_answered_by_action_and_ends(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    await bob.dial(f"sip:ha@{kamailio.address}")
    ringing = await home.until_event("incoming")
    assert ringing["number"] == "bob"
    assert home.state("call_state").state == "ringing"
    await home.call("answer")
    await home.until_state("call_state", "talking")
    await bob.until_event("CALL_ESTABLISHED")
    await bob.until(lambda: bob.heard_seconds() > 0.5, "baresip is sent comfort silence")
    await bob.hangup()
    ended = await home.until_event("ended")
    assert (ended["outcome"], ended["ended_by"]) == ("answered", "remote")
    await home.until_state("call_state", "idle")


async def test_the_steps_of_the_call_are_told_in_their_order(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    await home.call("dial", number="bob", wait="answered")
    await asyncio.sleep(0.2)
    await home.call("hangup")
    await home.until_event("ended")
    await until(lambda: any(event.get("step") == "bye_ok" for event in home.events), "the last step")
    steps = [event["step"] for event in home.events if event["type"] == "step"]
    wanted = ["invite", "ok", "ack", "bye", "bye_ok"]
    assert [step for step in steps if step in wanted][-len(wanted) :] == wanted
