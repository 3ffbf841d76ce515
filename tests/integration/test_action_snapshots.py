"""What every action looks like to people, and what each one returns, kept as snapshots."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from homeassistant.core import HomeAssistant, SupportsResponse
from homeassistant.util.yaml import load_yaml_dict
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua.const import DOMAIN
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.events import CallOutcome, CallState, TransferState
from tests.documents import REPO

from .conftest import act, settle, until
from .phone import GRANDMA, NEIGHBOUR, FakePhone
from .test_trace import exchange

ACTIONS: dict[str, Any] = load_yaml_dict(str(REPO / "custom_components" / DOMAIN / "services.yaml"))
TIME = re.compile(r"\d{4}-\d\d-\d\d[T_]\d\d[:-]\d\d[:-]\d\d[^ /,]*")


@dataclass(frozen=True, slots=True)
class Scene:
    """Home Assistant, its telephone, and a sound and a folder to use."""

    hass: HomeAssistant
    phone: FakePhone
    sound: FileSource
    media: Path

    async def act(self, action: str, **data: Any) -> dict[str, Any]:
        return await act(self.hass, action, **data)

    def begin(self, action: str, **data: Any) -> asyncio.Task[dict[str, Any]]:
        return self.hass.async_create_task(act(self.hass, action, **data))

    def talk(self, state: CallState = CallState.TALKING) -> str:
        """Return a call that was answered a second after the one before."""
        self.phone.now += 1
        call_id = self.phone.ring(GRANDMA)
        self.phone.enter(call_id, CallState.TALKING)
        if state is not CallState.TALKING:
            self.phone.enter(call_id, state)
        return call_id


def normal(value: Any, folder: str) -> Any:
    """Return a response without what differs from one run to the next: times, and where files lie."""
    if isinstance(value, dict):
        return {key: normal(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [normal(item, folder) for item in value]
    return TIME.sub("<time>", value.replace(folder, "<folder>")) if isinstance(value, str) else value


async def dial(scene: Scene) -> dict[str, Any]:
    task = scene.begin("dial", number="612", wait="answered")
    (call_id,) = await until(lambda: scene.phone.calls)
    scene.phone.enter(call_id, CallState.ALERTING)
    scene.phone.now += 3
    scene.phone.enter(call_id, CallState.TALKING)
    return await task


async def answer(scene: Scene) -> dict[str, Any]:
    scene.phone.ring(GRANDMA)
    return await scene.act("answer")


async def hangup(scene: Scene) -> dict[str, Any]:
    scene.talk()
    scene.phone.now += 60
    return await scene.act("hangup")


async def redirect(scene: Scene) -> dict[str, Any]:
    scene.phone.ring(GRANDMA)
    return await scene.act("redirect", number="612")


async def hold(scene: Scene) -> dict[str, Any]:
    scene.talk()
    return await scene.act("hold")


async def resume(scene: Scene) -> dict[str, Any]:
    scene.talk(CallState.HELD)
    return await scene.act("resume")


async def transfer(scene: Scene) -> dict[str, Any]:
    call_id = scene.talk()
    task = scene.begin("transfer", number="612", wait=True)
    await until(lambda: scene.phone.did)
    scene.phone.progress(scene.phone.calls[call_id], TransferState.SUCCEEDED, 200, "OK")
    return await task


async def swap(scene: Scene) -> dict[str, Any]:
    scene.talk(CallState.HELD)
    scene.talk()
    return await scene.act("swap")


async def conference(scene: Scene) -> dict[str, Any]:
    scene.talk(CallState.HELD)
    scene.talk()
    return await scene.act("conference")


async def bridge(scene: Scene) -> dict[str, Any]:
    scene.talk(CallState.HELD)
    scene.talk()
    return await scene.act("bridge")


async def split(scene: Scene) -> dict[str, Any]:
    await conference(scene)
    return await scene.act("split")


async def call_out(scene: Scene) -> dict[str, Any]:
    task = scene.begin("call_out", numbers=["611", "612"], pause=0, confirm="none")
    (first,) = await until(lambda: scene.phone.calls)
    scene.phone.end(first, CallOutcome.BUSY, code=486, reason="Busy Here")
    (second,) = await until(lambda: scene.phone.calls)
    scene.phone.enter(second, CallState.TALKING)
    return await task


async def menu(scene: Scene) -> dict[str, Any]:
    call_id = scene.talk()
    task = scene.begin("menu", menu={"choices": {"1": {"then": "hangup"}}})
    await settle()
    scene.phone.press(call_id, "1")
    return await task


async def send_dtmf(scene: Scene) -> dict[str, Any]:
    scene.talk()
    return await scene.act("send_dtmf", digits="47#")


async def wait_for_dtmf(scene: Scene) -> dict[str, Any]:
    call_id = scene.talk()
    task = scene.begin("wait_for_dtmf")
    await settle()
    for key in "47#":
        scene.phone.press(call_id, key)
    return await task


async def start_recording(scene: Scene) -> dict[str, Any]:
    call_id = scene.talk()
    task = scene.begin("start_recording")
    await until(lambda: call_id in scene.phone.orders or task.done())
    scene.phone.begin_recording(call_id)
    return await task


async def stop_recording(scene: Scene) -> dict[str, Any]:
    await start_recording(scene)
    return await scene.act("stop_recording")


async def get_call_history(scene: Scene) -> dict[str, Any]:
    scene.phone.end(scene.phone.ring(NEIGHBOUR), CallOutcome.MISSED)
    return await scene.act("get_call_history")


async def get_sip_trace(scene: Scene) -> dict[str, Any]:
    call_id = scene.phone.ring(GRANDMA)
    exchange(scene.phone, scene.phone.calls[call_id].sip_call_id)
    found = await scene.act("get_sip_trace")
    return found | {"text": found["text"].splitlines()[0]}


async def play(scene: Scene) -> dict[str, Any]:
    scene.talk()
    return await scene.act("play", media=str(scene.sound.path))


async def speak(scene: Scene) -> dict[str, Any]:
    call_id = scene.talk()
    task = scene.begin("speak", message="Hello", wait=True)
    await settle()
    scene.phone.finish(call_id, scene.phone.playback_id)
    return await task


async def stop(scene: Scene) -> dict[str, Any]:
    await play(scene)
    return await scene.act("stop")


RESPONSES: dict[str, Callable[[Scene], Awaitable[dict[str, Any]]]] = {
    scene.__name__: scene
    for scene in (
        *(dial, answer, hangup, redirect, hold, resume, transfer, swap, conference, bridge, split, call_out, menu),
        *(
            send_dtmf,
            wait_for_dtmf,
            start_recording,
            stop_recording,
            get_call_history,
            get_sip_trace,
            play,
            speak,
            stop,
        ),
    )
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_is_shown_with_its_target_its_fields_and_their_defaults(
    hass: HomeAssistant, phone: FakePhone, snapshot: SnapshotAssertion, action: str
) -> None:
    assert phone.running
    response = hass.services.async_services_for_domain(DOMAIN)[action].supports_response
    assert ACTIONS[action] | {"response": response.value} == snapshot


@pytest.mark.parametrize("action", RESPONSES)
async def test_an_action_returns_what_its_page_says(
    hass: HomeAssistant,
    phone: FakePhone,
    sound: FileSource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
    action: str,
) -> None:
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    monkeypatch.setattr("custom_components.sip_ua.action_calls.speech_source", lambda *_what, **_how: sound)
    scene = Scene(hass, phone, sound, tmp_path / "media")
    assert normal(await RESPONSES[action](scene), str(tmp_path)) == snapshot


async def test_every_action_returns_something_and_has_its_snapshot(hass: HomeAssistant, phone: FakePhone) -> None:
    assert phone.running
    actions = hass.services.async_services_for_domain(DOMAIN)
    assert set(RESPONSES) == set(ACTIONS) == set(actions)
    assert SupportsResponse.NONE not in {action.supports_response for action in actions.values()}
