"""The integration in a real Home Assistant against Kamailio and baresip, through its entities and actions."""

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.const import CONF_PASSWORD, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import CoreState, Event, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType

from custom_components.sip_ua.const import BIND_ANY, DOMAIN, EVENT_CALL
from custom_components.sip_ua.engine import DATA_ENGINE

from .conftest import Peers
from .home import Home, set_up, typed_account
from .peers import Baresip, Kamailio, assert_record_routed, free_ports, open_descriptors, until
from .peers.baresip import TONE_DBFS
from .tone import assert_tone, measure, read_wav, sine, wav_seconds, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip", "sipp")]

DIGITS = "0123456789*#ABCD"
OUR_HZ, THEIR_HZ, OUR_DBFS, RATE = 1000.0, 440.0, -15.0, 8_000
ENOUGH_SECONDS = 2.0
FEW_CALLS, MANY_CALLS = 10, 100
OUR_THREADS = "sip_ua "


def our_tone(folder: Path) -> str:
    """Write the tone that Home Assistant is to play, and return its path."""
    return str(write_wav(folder / "ours.wav", sine(OUR_HZ, 15.0, RATE, OUR_DBFS), RATE))


async def assert_voice(home: Home, call_id: str, theirs: Baresip, folder: Path) -> None:
    """Find our tone in baresip's recording, and baresip's in ours."""
    recording = folder / "heard.wav"
    home.entry.runtime_data.phone.record(call_id, recording)
    await theirs.until(lambda: wav_seconds(recording, RATE) >= ENOUGH_SECONDS, "we hear baresip's tone")
    # Read before anything is measured: that would be heard on a machine with little time.
    samples, rate = read_wav(recording)
    assert_tone(await theirs.until_heard(ENOUGH_SECONDS), OUR_HZ, OUR_DBFS)
    assert_tone(measure(samples, rate), THEIR_HZ, TONE_DBFS)


def digits_of(home: Home) -> str:
    """Return the digits that came as events of the bus."""
    return "".join(event["digit"] for event in home.events if event["type"] == "dtmf")


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
    await set_up(hass, port=control.port, password="alicepw", number="alice")
    await until(lambda: [a.code for a in control.answers("REGISTER")].count(200) >= 2, "a renewal beside it")
    assert len(kamailio.requests("REGISTER")) == seen == 2
    assert len(list(home.entry.async_get_active_flows(hass, {"reauth"}))) == 1


async def test_home_assistant_calls_baresip_and_both_hear_the_other(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    hass.config.allowlist_external_dirs = {str(tmp_path)}

    response = await home.call("dial", number="bob", media=our_tone(tmp_path), wait="answered")
    assert (response["outcome"], response["code"]) == ("answered", 200)
    await home.until_state("call_state", "talking")
    await assert_voice(home, response["call_id"], bob, tmp_path)
    await home.call("hangup")
    ended = await home.until_event("ended")
    assert (ended["outcome"], ended["ended_by"]) == ("answered", "local")
    await home.until_state("call_state", "idle")
    await bob.until_event("CALL_CLOSED")
    assert_record_routed(kamailio)


async def test_baresip_calls_home_assistant_and_both_hear_the_other(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=THEIR_HZ)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    hass.config.allowlist_external_dirs = {str(tmp_path)}

    await bob.dial(f"sip:ha@{kamailio.address}")
    ringing = await home.until_event("incoming")
    assert ringing["number"] == "bob"
    assert home.state("call_state").state == "ringing"
    await home.call("answer", media=our_tone(tmp_path))
    await home.until_state("call_state", "talking")
    await bob.until_event("CALL_ESTABLISHED")
    await assert_voice(home, ringing["call_id"], bob, tmp_path)
    await bob.hangup()
    ended = await home.until_event("ended")
    assert (ended["outcome"], ended["ended_by"]) == ("answered", "remote")
    await home.until_state("call_state", "idle")
    assert_record_routed(kamailio)


async def test_digits_are_sent_by_action_and_received_as_events(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    await home.call("dial", number="bob", wait="answered")
    await home.call("send_dtmf", digits=DIGITS)
    await bob.until(lambda: len(bob.digits) >= len(DIGITS), "baresip hears the digits")
    assert bob.digits == DIGITS
    await bob.send_digits(DIGITS)
    await bob.until(lambda: len(digits_of(home)) >= len(DIGITS), "the digits are events")
    assert digits_of(home) == DIGITS
    await home.call("hangup")
    await home.until_event("ended")


async def test_nobody_answering_is_the_outcome_that_dial_returns(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, answer=False)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    response = await home.call("dial", number="bob", ring_timeout=5, wait="ended")
    assert response["outcome"] == "no_answer"
    await bob.until_event("CALL_CLOSED")
    assert len(kamailio.requests("CANCEL")) == 1
    assert home.state("call_state").state == "idle"


async def test_an_unanswered_ring_is_a_missed_call(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    await bob.dial(f"sip:ha@{kamailio.address}")
    await home.until_event("incoming")
    await bob.until_event("CALL_RINGING")
    await bob.hangup()
    await home.until_event("missed")
    await home.until_state("call_state", "idle")
    assert home.state("last_call").state == "missed"


async def test_a_hundred_calls_in_a_row_leave_home_assistant_as_it_was(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")

    answers: list[asyncio.Task[Mapping[str, Any]]] = []

    @callback
    def answer(event: Event) -> None:
        if event.data["type"] == "incoming":
            answers.append(hass.async_create_task(home.call("answer", call_id=event.data["call_id"])))

    async def take_calls(calls: int) -> None:
        home.events.clear()
        caller = await peers.sipp("uac_hangs_up", kamailio.address, calls=calls, rate=50, service="ha")
        await caller.require_success(calls)
        await until(lambda: home.kinds().count("ended") == calls, "every call has ended")
        assert {event["outcome"] for event in home.events if event["type"] == "ended"} == {"answered"}
        assert (home.state("call_state").state, home.state("calls_active").state) == ("idle", "0")
        await asyncio.gather(*answers)
        answers.clear()
        await hass.async_block_till_done()

    hass.bus.async_listen(EVENT_CALL, answer)
    await take_calls(FEW_CALLS)
    descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
    await take_calls(MANY_CALLS)
    await until(lambda: open_descriptors() <= descriptors, "no descriptor is left over")
    await until(lambda: len(asyncio.all_tasks()) <= tasks, "no task is left over")


async def test_the_steps_of_the_call_are_told_in_their_order(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    await home.call("dial", number="bob", wait="answered")
    await home.call("hangup")
    await home.until_event("ended")
    await until(lambda: any(event.get("step") == "bye_ok" for event in home.events), "the last step")
    steps = [event["step"] for event in home.events if event["type"] == "step"]
    wanted = ["invite", "ok", "ack", "bye", "bye_ok"]
    assert [step for step in steps if step in wanted][-len(wanted) :] == wanted


async def test_the_form_registers_for_real_and_tells_what_is_wrong(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    typed = typed_account(port=kamailio.port, password="wrong", bind=BIND_ANY)
    form = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    refused = await hass.config_entries.flow.async_configure(form["flow_id"], typed)
    assert refused["type"] is FlowResultType.FORM
    assert list((refused["errors"] or {}).values()) == ["login_refused"]
    assert len(kamailio.requests("REGISTER")) == 2

    created = await hass.config_entries.flow.async_configure(form["flow_id"], {**typed, CONF_PASSWORD: "hapw"})
    assert created["type"] is FlowResultType.CREATE_ENTRY
    home = Home(hass, created["result"])
    await home.until_state("registration", "registered")
    assert len(kamailio.contacts("ha")) == 1


async def test_an_account_whose_server_does_not_answer_is_not_made(hass: HomeAssistant) -> None:
    typed = typed_account(port=free_ports(), password="hapw", bind=BIND_ANY)
    form = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    failed = await hass.config_entries.flow.async_configure(form["flow_id"], typed)
    assert failed["type"] is FlowResultType.FORM
    assert set((failed["errors"] or {}).values()) <= {"no_answer", "connection_refused"}
    assert failed["errors"]


async def talking(hass: HomeAssistant, peers: Peers) -> tuple[Home, Baresip, Kamailio]:
    """Return a Home Assistant that is in a call, the telephone at its other end, and their server."""
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio)
    home = await set_up(hass, port=kamailio.port, password="hapw")
    await home.until_state("registration", "registered")
    await home.call("dial", number="bob", wait="answered")
    await bob.until_event("CALL_ESTABLISHED")
    return home, bob, kamailio


@pytest.mark.parametrize("end", ["reload", "removal", "stop of Home Assistant"])
async def test_an_end_in_the_middle_of_a_call_says_bye_and_leaves_nothing_behind(
    hass: HomeAssistant, peers: Peers, end: str
) -> None:
    descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
    home, bob, kamailio = await talking(hass, peers)
    match end:
        case "reload":
            assert await hass.config_entries.async_reload(home.entry.entry_id)
        case "removal":
            await hass.config_entries.async_remove(home.entry.entry_id)
        case _:
            hass.set_state(CoreState.stopping)
            hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
            await hass.async_block_till_done()
            hass.set_state(CoreState.running)
    await bob.until_event("CALL_CLOSED")
    (bye,) = kamailio.requests("BYE")
    assert not bye.source.endswith(f":{bob.sip_port}")
    assert (await home.until_event("ended"))["ended_by"] == "local"
    if end == "reload":
        await home.until_state("registration", "registered")
        assert (home.state("call_state").state, home.state("calls_active").state) == ("idle", "0")
        assert len(kamailio.contacts("ha")) == 1
        assert await hass.config_entries.async_unload(home.entry.entry_id)
    await until(lambda: kamailio.contacts("ha") == [], "the registration has ended", peers=(kamailio,))
    await kamailio.stop()
    await bob.stop()
    await until(lambda: open_descriptors() <= descriptors, "no descriptor is left over")
    await until(lambda: len(asyncio.all_tasks()) <= tasks, "no task is left over")
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(OUR_THREADS)] == []
    assert DATA_ENGINE not in hass.data
