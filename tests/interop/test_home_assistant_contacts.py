"""The phone book in a real Home Assistant, with Kamailio in between and baresip at the other end."""

from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant

from custom_components.sip_ua import announcement
from custom_components.sip_ua.net.audio import FileSource

from .conftest import Peers
from .home import Home, set_up
from .peers import Baresip, Kamailio
from .tone import assert_tone, sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

OUR_HZ, OUR_DBFS, RATE = 1000.0, -15.0, 8_000
BOB = {"number": "bob", "speed_dial": 1}
DOOR = {"number": "bob", "door": {"door_station": True, "door_code": "*9#"}}


async def registered(hass: HomeAssistant, kamailio: Kamailio, **contact: object) -> Home:
    """Return a registered Home Assistant that knows Bob under another name."""
    home = await set_up(hass, port=kamailio.port, password="hapw", contacts={"Uncle Robert": contact})
    await home.until_state("registration", "registered")
    return home


async def press(home: Home, key: str) -> None:
    entity_id = home.state(key).entity_id
    await home.hass.services.async_call("button", "press", {"entity_id": entity_id}, blocking=True)


async def switch_on(home: Home, key: str) -> None:
    entity_id = home.state(key).entity_id
    await home.hass.services.async_call("switch", "turn_on", {"entity_id": entity_id}, blocking=True)


def port_of(home: Home) -> int:
    """Return where the telephone of Home Assistant listens."""
    port: int = home.entry.runtime_data.phone._driver.transports.port  # noqa: SLF001 - people choose it, a test does not
    return port


async def call_us(bob: Baresip, kamailio: Kamailio) -> None:
    await bob.dial(f"sip:ha@{kamailio.address}")


async def test_a_speed_dial_button_sets_up_a_call(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio, **BOB)
    await press(home, "speed_dial")
    await bob.until_event("CALL_ESTABLISHED")
    await home.until_state("call_state", "talking")
    assert home.state("remote_name").state == "Uncle Robert"
    assert (await home.until_event("answered"))["number"] == "bob"
    await press(home, "hangup")
    await bob.until_event("CALL_CLOSED")
    await home.until_state("call_state", "idle")


async def test_a_number_that_is_typed_is_dialed(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio, **BOB)
    text = home.state("number_to_dial").entity_id
    await hass.services.async_call("text", "set_value", {"entity_id": text, "value": "uncle robert"}, blocking=True)
    await press(home, "dial")
    await bob.until_event("CALL_ESTABLISHED")
    await home.call("hangup")
    await home.until_event("ended")


async def test_a_message_is_called_spoken_and_ended(
    hass: HomeAssistant, peers: Peers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = write_wav(tmp_path / "spoken.wav", sine(OUR_HZ, 1.5, RATE, OUR_DBFS), RATE)
    monkeypatch.setattr(announcement, "speech_source", lambda *_, **__: FileSource(spoken))
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio, **BOB)
    data = {"entity_id": home.state("speak").entity_id, "message": "Dinner"}
    sending = hass.async_create_task(hass.services.async_call("notify", "send_message", data, blocking=True))
    assert_tone(await bob.until_heard(1.0), OUR_HZ, OUR_DBFS)
    await sending
    await bob.until_event("CALL_CLOSED")
    ended = await home.until_event("ended")
    assert (ended["outcome"], ended["ended_by"], ended["name"]) == ("answered", "local", "Uncle Robert")
    assert ended["talk_duration"] >= 2 * 1.5 + announcement.REPEAT_PAUSE
    assert home.kinds().count("playback_finished") == 2


async def test_the_door_station_rings_is_answered_by_itself_and_opened(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio, **DOOR, on_call="auto_answer")
    await switch_on(home, "auto_answer")
    await call_us(bob, kamailio)
    incoming = await home.until_event("incoming")
    assert incoming["name"] == "Uncle Robert"
    assert home.state("doorbell").attributes["event_type"] == "ring"
    await home.until_state("call_state", "talking")
    await bob.until_event("CALL_ESTABLISHED")
    await press(home, "open_door")
    await bob.until(lambda: bob.digits == "*9#", "the door station hears the code")
    await bob.hangup()
    await home.until_event("ended")


async def test_a_door_station_is_called_and_calls_directly_beside_the_server(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    gate = await peers.start(Baresip(tmp_path / "gate", user="gate", host="127.0.0.2"))
    home = await registered(hass, kamailio, number=gate.uri, way="direct", door={"door_station": True})
    await home.call("dial", number="Uncle Robert")
    await gate.until_event("CALL_ESTABLISHED")
    assert not any(event.kind == "CALL_INCOMING" for event in bob.events)
    await home.call("hangup")
    await gate.until_event("CALL_CLOSED")
    await gate.dial(f"sip:ha@127.0.0.1:{port_of(home)}")
    assert (await home.until_event("incoming"))["name"] == "Uncle Robert"
    assert home.state("doorbell").attributes["event_type"] == "ring"
    await home.call("answer")
    await home.until_state("call_state", "talking")
    await home.call("dial", number="bob")
    await bob.until_event("CALL_ESTABLISHED")


async def test_a_device_that_is_not_listed_may_not_call_past_the_server(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    stranger = await peers.start(Baresip(tmp_path / "stranger", user="gate", host="127.0.0.2"))
    home = await registered(hass, kamailio, number="sip:gate@127.0.0.3", way="direct")
    await stranger.dial(f"sip:ha@127.0.0.1:{port_of(home)}")
    await call_us(bob, kamailio)
    assert (await home.until_event("incoming"))["number"] == "bob"
    assert home.kinds().count("incoming") == 1


@pytest.mark.parametrize(
    ("on_call", "switched", "code", "outcome"), [("ring", True, "480", "missed"), ("block", False, "486", "declined")]
)
async def test_who_may_not_ring_is_refused(
    hass: HomeAssistant, peers: Peers, on_call: str, switched: bool, code: str, outcome: str
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio, **BOB, on_call=on_call)
    if switched:
        await switch_on(home, "do_not_disturb")
    await call_us(bob, kamailio)
    closed = await bob.until_event("CALL_CLOSED")
    assert code in closed.parameter
    assert not any(event.kind == "CALL_RINGING" for event in bob.events)
    (kept,) = (await home.call("get_call_history"))["calls"]
    assert (str(kept["code"]), kept["outcome"], kept["blocked"]) == (code, outcome, on_call == "block")
    assert home.kinds() == ([] if on_call == "block" else ["missed", "ended"])
