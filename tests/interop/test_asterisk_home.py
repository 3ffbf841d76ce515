"""The integration in a real Home Assistant at a real Asterisk, through its entities and actions."""

from collections.abc import Mapping
from typing import Any

import pytest
from homeassistant.core import HomeAssistant

from .conftest import Peers
from .home import Home, set_up
from .peers import Asterisk

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]


async def registered(hass: HomeAssistant, asterisk: Asterisk, transport: str = "udp") -> Home:
    """Set the account up and wait for its registration."""
    home = await set_up(hass, port=asterisk.port, password=asterisk.users["ha"], transport=transport)
    await home.until_state("registration", "registered")
    return home


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        ("busy", {"outcome": "busy", "code": 486}),
        ("congestion", {"outcome": "unreachable", "code": 503}),
        ("declines", {"outcome": "declined", "code": 403}),
        ("short", {"outcome": "answered", "code": 200, "ended_by": "remote"}),
    ],
)
async def test_dialling_tells_how_it_went(
    hass: HomeAssistant, peers: Peers, number: str, wanted: Mapping[str, Any]
) -> None:
    asterisk = await peers.asterisk()
    home = await registered(hass, asterisk)
    response = await home.call("dial", number=number, wait="ended")
    assert wanted.items() <= response.items()
    await home.until_state("call_state", "idle")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_asterisk_calls_home_assistant_and_keys_are_pressed(
    hass: HomeAssistant, peers: Peers, transport: str
) -> None:
    asterisk = await peers.asterisk()
    home = await registered(hass, asterisk, transport)
    await asterisk.originate("ha", "keys")
    ringing = await home.until_event("incoming")
    assert (ringing["number"], ringing["name"]) == ("700", "Exchange")
    await home.until_state("call_state", "ringing")
    await home.call("answer")
    await home.until_state("call_state", "talking")
    await home.call("send_dtmf", digits="42#")
    await asterisk.until(lambda: asterisk.digits == "42#", "Asterisk hears our keys")
    await asterisk.until(
        lambda: "".join(event["digit"] for event in home.events if event["type"] == "dtmf") == "0123456789*#ABCD",
        "Home Assistant hears the keys of Asterisk",
    )
    await asterisk.hang_up("ha")
    assert (await home.until_event("ended"))["ended_by"] == "remote"
    await home.until_state("call_state", "idle")
