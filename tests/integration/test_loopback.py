"""The whole integration with its real telephone, against the development exchange on loopback."""

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components.media_source import async_browse_media, async_resolve_media
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryState, ConfigFlowResult
from homeassistant.const import EVENT_HOMEASSISTANT_STOP, MATCH_ALL
from homeassistant.core import HomeAssistant, State, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from custom_components.sip_ua.const import DOMAIN, EVENT_CALL
from scripts.exchange.exchange import HOST, Exchange
from tests.net.recording_process import read_sound

from .conftest import act, until

pytestmark = pytest.mark.real_time

PASSWORD = "correct horse"


@pytest.fixture(name="exchange")
async def exchange_fixture(socket_enabled: None) -> AsyncGenerator[Exchange]:
    exchange = Exchange({"100": PASSWORD})
    await exchange.start()
    yield exchange
    await exchange.stop()


async def add_account(
    hass: HomeAssistant, exchange: Exchange, password: str = PASSWORD, **fields: Any
) -> ConfigFlowResult:
    """Type an account at the exchange into the form."""
    typed = {
        "template": "generic",
        "number": "100",
        "server": f"{HOST}:{exchange.port}",
        "password": password,
        "servers": {},
        "network": {"bind_address": "any"},
        "security": {},
        "timers": {},
    }
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    return await hass.config_entries.flow.async_configure(result["flow_id"], typed | fields)


def state_of(hass: HomeAssistant, entry: ConfigEntry, key: str) -> State:
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        if entity.translation_key == key:
            state = hass.states.get(entity.entity_id)
            assert state is not None
            return state
    raise KeyError(key)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_account_is_registered_calls_and_is_called(
    hass: HomeAssistant, exchange: Exchange, transport: str
) -> None:
    events: list[dict[str, Any]] = []
    hass.bus.async_listen(EVENT_CALL, callback(lambda event: events.append(dict(event.data))))
    result = await add_account(hass, exchange, servers={"transport": transport})
    assert result["type"] is FlowResultType.CREATE_ENTRY, result.get("errors")
    entry = result["result"]
    await until(lambda: state_of(hass, entry, "registration").state == "registered")
    assert state_of(hass, entry, "last_answer").state == "200 OK"

    answer = await hass.services.async_call(
        DOMAIN, "dial", {"number": "601", "wait": "answered"}, blocking=True, return_response=True
    )
    assert answer is not None
    assert (answer["outcome"], answer["code"]) == ("answered", 200)
    assert state_of(hass, entry, "call_state").state == "talking"
    await until(lambda: "".join(event["digit"] for event in events if event["type"] == "dtmf") == "1234")
    await hass.services.async_call(DOMAIN, "hangup", {}, blocking=True)
    assert state_of(hass, entry, "call_state").state == "idle"
    figures = await until(lambda: [event for event in events if event["type"] == "statistics"])
    assert figures[0]["statistics"]["packets_received"] > 10
    assert figures[0]["statistics"]["packets_sent"] > 10
    await until(lambda: [event for event in events if event.get("step") == "bye_ok"])
    steps = [event["step"] for event in events if event["type"] == "step"]
    # The first INVITE is challenged, so there are two.
    seen = dict.fromkeys(step for step in steps if step not in {"trying", "ringing"})
    assert list(seen) == ["invite", "challenge", "ok", "ack", "bye", "bye_ok"]

    exchange.call("100", "555610")
    await until(lambda: state_of(hass, entry, "call_state").state == "ringing")
    assert state_of(hass, entry, "remote_name").state == "Grandma"
    await hass.services.async_call(DOMAIN, "answer", {}, blocking=True)
    await until(lambda: state_of(hass, entry, "call_state").state == "talking")
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert exchange.bindings("100") == []


async def test_no_password_and_nothing_made_of_it_is_in_a_log_an_event_or_a_state(
    hass: HomeAssistant, exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    hass.bus.async_listen(MATCH_ALL, callback(lambda event: told.append(repr(event))))
    with caplog.at_level(logging.DEBUG):
        result = await add_account(hass, exchange)
        entry = result["result"]
        await until(lambda: state_of(hass, entry, "registration").state == "registered")
        await hass.services.async_call(DOMAIN, "dial", {"number": "601", "wait": "answered"}, blocking=True)
        await hass.services.async_call(DOMAIN, "hangup", {}, blocking=True)
        await hass.config_entries.async_unload(entry.entry_id)
    told += [caplog.text, repr(hass.states.async_all())]
    assert any("challenge" in text for text in told), "there was a login"
    for secret in (PASSWORD, "nonce", "cnonce", "response=", "Authorization"):
        assert not [text for text in told if secret in text], secret


async def test_busy_and_unanswered_calls_say_so(hass: HomeAssistant, exchange: Exchange) -> None:
    result = await add_account(hass, exchange)
    entry = result["result"]
    await until(lambda: state_of(hass, entry, "registration").state == "registered")
    for number, timeout, outcome, code in (("605", 30, "busy", 486), ("606", 5, "no_answer", 0)):
        answer = await hass.services.async_call(
            DOMAIN,
            "dial",
            {"number": number, "ring_timeout": timeout, "wait": "ended"},
            blocking=True,
            return_response=True,
        )
        assert answer is not None
        assert answer["outcome"] == outcome
        if code:
            assert answer["code"] == code
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("fault", ["unreachable", "no_sound"])
async def test_an_answered_call_tells_that_its_message_was_not_heard(
    hass: HomeAssistant, exchange: Exchange, tmp_path: Path, fault: str
) -> None:
    result = await add_account(hass, exchange)
    entry = result["result"]
    await until(lambda: state_of(hass, entry, "registration").state == "registered")
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        media = f"http://{HOST}:{closed.getsockname()[1]}/gong.wav"
        if fault == "no_sound":
            (tmp_path / "gong.wav").write_bytes(b"this is no sound")
            hass.config.allowlist_external_dirs = {str(tmp_path)}
            media = str(tmp_path / "gong.wav")
        answer = await hass.services.async_call(
            DOMAIN,
            "dial",
            {"number": "601", "media": media, "hangup_after": True, "wait": "ended"},
            blocking=True,
            return_response=True,
        )
    assert answer is not None
    assert (answer["outcome"], answer["code"], answer["reason"]) == ("answered", 200, "OK")
    assert answer["ended_by"] == "local"
    assert answer["playback_error"]
    await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")
@pytest.mark.parametrize("file_format", ["wav", "opus"])
async def test_a_call_is_recorded_from_its_answer_to_its_end_and_can_be_played(
    hass: HomeAssistant, exchange: Exchange, tmp_path: Path, file_format: str
) -> None:
    hass.config.config_dir = str(tmp_path)
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    assert await async_setup_component(hass, "media_source", {})
    entry = (await add_account(hass, exchange))["result"]
    hass.config_entries.async_update_entry(
        entry, options={"recording": {"recording_format": file_format, "recording_channels": "stereo"}}
    )
    await hass.async_block_till_done()
    await until(lambda: state_of(hass, entry, "registration").state == "registered")

    async def act(action: str, **data: Any) -> dict[str, Any]:
        answer = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
        return dict(answer or {})

    ended = hass.async_create_task(act("dial", number="601", record=True, wait="ended"))
    await until(lambda: state_of(hass, entry, "recording").state == "on")
    assert state_of(hass, entry, "call_state").attributes["recording"] is True
    await asyncio.sleep(1.0)
    await act("hangup")
    recording = (await ended)["recording"]

    path = Path(recording["path"])
    assert path.parent.parent == tmp_path / "media" / "sip_ua"
    size = (await hass.async_add_executor_job(path.stat)).st_size
    assert (recording["size"], recording["error"]) == (size, None)
    assert recording["duration"] > 0.8
    assert state_of(hass, entry, "recording").state == "off"
    playable = await async_resolve_media(hass, recording["media_content_id"], None)
    assert playable.path == path
    (shown,) = (await async_browse_media(hass, "media-source://sip_ua")).children or ()
    assert shown.media_content_id == recording["media_content_id"]
    channels, rate = read_sound(path)
    assert len(channels) == 2
    assert len(channels[0]) / 2 / rate == pytest.approx(recording["duration"], abs=0.02)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_call_that_comes_in_is_recorded_from_its_answer(
    hass: HomeAssistant, exchange: Exchange, tmp_path: Path
) -> None:
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    entry = (await add_account(hass, exchange))["result"]
    await until(lambda: state_of(hass, entry, "registration").state == "registered")
    exchange.call("100", "555610")
    await until(lambda: state_of(hass, entry, "call_state").state == "ringing")

    await hass.services.async_call(DOMAIN, "answer", {"record": True}, blocking=True)
    await until(lambda: state_of(hass, entry, "recording").state == "on")
    answer = await hass.services.async_call(DOMAIN, "stop_recording", {}, blocking=True, return_response=True)

    assert answer is not None
    recording: Any = answer["recording"]
    assert recording["error"] is None
    assert Path(recording["path"]).name.endswith("_in_555610_Grandma.wav")
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_recording_is_completed_when_home_assistant_stops(
    hass: HomeAssistant, exchange: Exchange, tmp_path: Path
) -> None:
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    entry = (await add_account(hass, exchange))["result"]
    await until(lambda: state_of(hass, entry, "registration").state == "registered")
    data = {"number": "601", "wait": "answered"}
    await hass.services.async_call(DOMAIN, "dial", data, blocking=True)
    answer = await hass.services.async_call(DOMAIN, "start_recording", {}, blocking=True, return_response=True)
    assert answer is not None
    recording: Any = answer["recording"]
    await asyncio.sleep(0.5)

    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await hass.async_block_till_done()

    (channel,), rate = read_sound(Path(recording["path"]))
    assert len(channel) / 2 / rate > 0.4


@pytest.mark.parametrize("wait", ["no", "answered", "ended"])
async def test_a_call_to_which_no_network_leads_is_unreachable(
    hass: HomeAssistant, exchange: Exchange, wait: str
) -> None:
    result = await add_account(hass, exchange, template="direct", server="", password="")
    entry = result["result"]
    with patch("custom_components.sip_ua.net.transport.outgoing_address", return_value=None):
        answer = await hass.services.async_call(
            DOMAIN, "dial", {"number": "sip:bob@[2001:db8::1]", "wait": wait}, blocking=True, return_response=True
        )
    assert answer is not None
    assert (answer["state"], answer["outcome"], answer["code"]) == ("ended", "unreachable", 503)
    assert answer["reason"] == "this machine has no way to 2001:db8::1"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_wrong_password_is_told_in_the_form(hass: HomeAssistant, exchange: Exchange) -> None:
    result = await add_account(hass, exchange, password="wrong")
    assert result["errors"] == {"password": "login_refused"}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["answer"].startswith("40")


async def test_a_local_port_in_use_is_told_in_the_form(hass: HomeAssistant, exchange: Exchange) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        result = await add_account(hass, exchange, network={"local_port": port})
    assert result["errors"] == {"network": "local_port_in_use"}


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_call_is_kept_in_history_and_trace_without_the_login(
    hass: HomeAssistant, exchange: Exchange, transport: str
) -> None:
    result = await add_account(hass, exchange, servers={"transport": transport})
    await until(lambda: state_of(hass, result["result"], "registration").state == "registered")
    await act(hass, "dial", number="601", wait="answered")
    await act(hass, "hangup")
    (call,) = await until_history(hass)
    steps = [step["step"] for step in call["steps"] if step["step"] not in {"challenge", "trying", "progress"}]
    assert steps[-7:] == ["invite", "ringing", "ok", "ack", "voice", "bye", "bye_ok"]
    text = (await act(hass, "get_sip_trace", call_id="all"))["text"]
    for message in (" REGISTER ", " INVITE ", " 200 OK ", " ACK ", " BYE "):
        assert message in text
    assert "Authorization: [redacted]" in text
    assert "response=" not in text


async def until_history(hass: HomeAssistant) -> list[dict[str, Any]]:
    """Return the history once how the last call sounded is known."""
    async with asyncio.timeout(5):
        while True:
            calls: list[dict[str, Any]] = (await act(hass, "get_call_history"))["calls"]
            if calls and calls[0]["quality"] and calls[0]["steps"][-1]["step"] == "bye_ok":
                return calls
            await asyncio.sleep(0.01)
