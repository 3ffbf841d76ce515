"""Rules for calls that come in, in a real Home Assistant: Kamailio in between, and baresip hears what they say."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant

from custom_components.sip_ua import answering
from custom_components.sip_ua.net.audio import FileSource

from .conftest import USERS, Peers
from .home import Home, set_up
from .peers import Baresip, Kamailio
from .tone import assert_tone, measure, sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

PREMIUM, OUTSIDE, PASSWORD = "0900123456", "9612", "numbers"
OUR_HZ, OUR_DBFS, RATE = 1000.0, -15.0, 8_000
HERE = {"call_waiting_timeout": 2}


async def home_at(hass: HomeAssistant, kamailio: Kamailio, **options: Any) -> Home:
    """Return a registered Home Assistant whose account has these options."""
    home = await set_up(hass, port=kamailio.port, password=kamailio.users["ha"], options=options)
    await home.until_state("registration", "registered")
    return home


async def exchange(peers: Peers) -> Kamailio:
    """Return an exchange with numbers beside names."""
    return await peers.kamailio(users={**USERS, PREMIUM: PASSWORD, OUTSIDE: PASSWORD})


async def two_callers(hass: HomeAssistant, peers: Peers, **options: Any) -> tuple[Home, Baresip, Baresip]:
    """Return a Home Assistant that talks with Alice, and for which it rings from Bob."""
    kamailio = await peers.kamailio()
    alice, bob = await peers.baresip(kamailio, "alice"), await peers.baresip(kamailio)
    home = await home_at(hass, kamailio, incoming=HERE, **options)
    await alice.dial(f"sip:ha@{kamailio.address}")
    await home.until_event("incoming")
    await home.call("answer")
    await alice.until_event("CALL_ESTABLISHED")
    await bob.dial(f"sip:ha@{kamailio.address}")
    await bob.until_event("CALL_RINGING")
    return home, alice, bob


async def test_who_waits_hears_that_it_is_busy_while_somebody_talks(hass: HomeAssistant, peers: Peers) -> None:
    _, alice, bob = await two_callers(hass, peers)
    assert "486" in (await bob.until_event("CALL_CLOSED")).parameter
    assert not alice.has("CALL_CLOSED")


async def test_who_waits_rings_on_when_the_line_becomes_free(hass: HomeAssistant, peers: Peers) -> None:
    home, alice, bob = await two_callers(hass, peers)
    await alice.hangup()
    await home.until_event("ended")
    await asyncio.sleep(HERE["call_waiting_timeout"] + 0.5)
    assert not bob.has("CALL_CLOSED")
    await home.call("answer")
    await bob.until_event("CALL_ESTABLISHED")


async def test_a_door_station_is_answered_by_itself_when_the_line_becomes_free(
    hass: HomeAssistant, peers: Peers
) -> None:
    kamailio = await peers.kamailio()
    alice, bob = await peers.baresip(kamailio, "alice"), await peers.baresip(kamailio)
    home = await set_up(
        hass,
        port=kamailio.port,
        password=kamailio.users["ha"],
        options={"calls": {"auto_answer_delay": 0}},
        contacts={"Door": {"number": "bob", "on_call": "auto_answer"}},
    )
    await home.until_state("registration", "registered")
    data = {"entity_id": home.state("auto_answer").entity_id}
    await hass.services.async_call("switch", "turn_on", data, blocking=True)
    await alice.dial(f"sip:ha@{kamailio.address}")
    await home.until_event("incoming")
    await home.call("answer")
    await alice.until_event("CALL_ESTABLISHED")
    await bob.dial(f"sip:ha@{kamailio.address}")
    await bob.until_event("CALL_RINGING")
    await asyncio.sleep(0.5)
    assert not bob.has("CALL_ESTABLISHED")
    await alice.hangup()
    await bob.until_event("CALL_ESTABLISHED")


async def test_who_waits_hears_the_message_of_the_same_time(
    hass: HomeAssistant, peers: Peers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = write_wav(tmp_path / "spoken.wav", sine(OUR_HZ, 1.0, RATE, OUR_DBFS), RATE)
    monkeypatch.setattr(answering, "speech_source", lambda *_, **__: FileSource(spoken))
    rules = {"answered_by": "message", "answer_whom": "everybody", "answer_message": "Hello"}
    after = HERE["call_waiting_timeout"]
    _, alice, bob = await two_callers(hass, peers, answering={**rules, "answer_after": after})
    await bob.until_event("CALL_ESTABLISHED")
    await bob.until_event("CALL_CLOSED")
    assert_tone(measure(*bob.heard()), OUR_HZ, OUR_DBFS)
    assert not alice.has("CALL_CLOSED")


async def test_a_number_is_blocked_that_the_list_has_in_another_form(hass: HomeAssistant, peers: Peers) -> None:
    hass.config.country = "DE"
    kamailio = await exchange(peers)
    caller, bob = await peers.baresip(kamailio, PREMIUM), await peers.baresip(kamailio)
    home = await home_at(hass, kamailio, incoming={"blocked_numbers": ["+49900*"]})
    await caller.dial(f"sip:ha@{kamailio.address}")
    assert "486" in (await caller.until_event("CALL_CLOSED")).parameter
    assert home.kinds() == []
    await bob.dial(f"sip:ha@{kamailio.address}")
    await home.until_event("incoming")


async def test_a_call_is_forwarded_to_what_the_dial_plan_makes_of_the_number(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await exchange(peers)
    bob, outside = await peers.baresip(kamailio), await peers.baresip(kamailio, OUTSIDE)
    options = {"incoming": {"forward_always": "612"}, "expert": {"dial_plan": ["<:9>6xx"]}}
    home = await home_at(hass, kamailio, **options)
    await bob.dial(f"sip:ha@{kamailio.address}")
    await outside.until_event("CALL_ESTABLISHED")
    assert (await home.until_event("ended"))["code"] == 302
