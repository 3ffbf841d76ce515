"""Home Assistant holds and transfers calls, and is transferred, against real peers."""

import asyncio

import pytest
from homeassistant.core import HomeAssistant

from .conftest import Peers
from .home import Home, registered
from .peers import Baresip, until

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

ENOUGH_SECONDS = 1.0
QUIET_SECONDS = 0.4
PATIENCE_SECONDS = 10.0


async def received(home: Home, call_id: str) -> int:
    """Return how many voice packets of a call have come."""
    figures = await home.entry.runtime_data.phone.statistics(call_id)
    assert figures is not None
    return figures.packets_received


async def until_voice(home: Home, call_id: str, *, comes: bool) -> None:
    """Wait until voice comes in a call, or none any more."""
    before = -1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while before < 0 or (await received(home, call_id) > before) is not comes:
            before = await received(home, call_id)
            await asyncio.sleep(QUIET_SECONDS)


async def assert_transferred(home: Home, caller: Baresip, called: Baresip, call_id: str) -> None:
    """Assert that Home Assistant is out, and that the two others hear each other."""
    await home.until_state("call_state", "idle")
    ended = next(event for event in home.events if event["type"] == "ended" and event["call_id"] == call_id)
    assert (ended["outcome"], ended["code"]) == ("answered", 200)
    for end, other in ((caller, called), (called, caller)):
        tone = await end.until_heard(ENOUGH_SECONDS)
        assert abs(tone.frequency_hz - other.tone_hz) < 5


async def test_a_call_is_held_resumed_and_transferred(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=440.0)
    alice = await peers.baresip(kamailio, "alice", tone_hz=700.0)
    home = await registered(hass, kamailio)
    call_id = (await home.call("dial", number="bob", wait="answered"))["call_id"]
    await until_voice(home, call_id, comes=True)

    assert (await home.call("hold"))["state"] == "held"
    assert home.state("call_state").state == "held"
    await until_voice(home, call_id, comes=False)
    assert (await home.call("resume"))["state"] == "talking"
    await until_voice(home, call_id, comes=True)
    assert {"held", "resumed"} <= set(home.kinds())

    answer = await home.call("transfer", number="alice", wait=True)
    assert (answer["transfer"]["state"], answer["transfer"]["code"]) == ("succeeded", 200)
    await assert_transferred(home, bob, alice, call_id)
    assert {"transfer_accepted", "transfer_succeeded"} <= set(home.kinds())
    assert len(kamailio.requests("REFER")) == 1


async def test_a_transfer_to_nobody_leaves_the_call(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    await peers.baresip(kamailio)
    home = await registered(hass, kamailio)
    call_id = (await home.call("dial", number="bob", wait="answered"))["call_id"]
    answer = await home.call("transfer", number="nobody", wait=True)
    assert (answer["transfer"]["state"], answer["transfer"]["code"]) == ("failed", 404)
    assert home.state("call_state").state == "talking"
    await until_voice(home, call_id, comes=True)
    await home.call("hangup")


async def test_home_assistant_is_transferred_where_its_rules_allow_it(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=440.0)
    alice = await peers.baresip(kamailio, "alice", tone_hz=700.0)
    home = await registered(hass, kamailio, refer_policy="server", allowed_numbers=["al*"])
    await home.call("dial", number="bob", wait="answered")
    await bob.transfer(f"sip:alice@{kamailio.address}")
    assert (await home.until_event("transfer_requested"))["target"].startswith("sip:alice@")
    await alice.until_event("CALL_ESTABLISHED")
    await bob.until_event("CALL_CLOSED")
    await until(lambda: home.state("calls_active").state == "1", "one call is left")
    assert (await home.until_state("call_state", "talking")).attributes["number"] == "alice"
    await until_voice(home, home.state("call_state").attributes["call_id"], comes=True)
    await home.call("hangup")
    await alice.until_event("CALL_CLOSED")


async def test_home_assistant_is_not_transferred_where_its_rules_forbid_it(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await registered(hass, kamailio)
    call_id = (await home.call("dial", number="bob", wait="answered"))["call_id"]
    await bob.transfer(f"sip:alice@{kamailio.address}")
    refused = await home.until_event("transfer_refused")
    assert (refused["call_id"], refused["reason"]) == (call_id, "")
    # baresip hangs up by itself where its transfer is declined.
    await bob.until(lambda: "603 Decline" in bob.log, "baresip is told")
    assert (await home.until_event("ended"))["ended_by"] == "remote"
    assert all("alice" not in request.uri for request in kamailio.requests("INVITE"))
