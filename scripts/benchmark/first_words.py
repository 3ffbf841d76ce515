"""Measures how soon after the answer the far end hears what Home Assistant says, with the text known before and not.

    .venv/bin/python scripts/benchmark/first_words.py [--calls N] [--render SECONDS]

The far end is another process. It rings for half a second, notes the clock just before its 200 OK leaves, and then
the arrival of the first packet of voice, and of the first one that is not silent. The text-to-speech engine is one
of this script: it takes `--render` seconds until it gives its first bytes. Beside it: the first packet of any kind.
"""

import argparse
import array
import asyncio
import contextlib
import io
import json
import math
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, override

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

LOOPBACK = "127.0.0.1"
RINGING = 0.5
RTP_HEADER = 12
VALUES_OF_SILENCE = 10
"""A packet of speech has more different values than this, also just after silence."""

KINDS = ("known at dial", "said while it rings", "said at the answer")
ENGINE = "tts.benchmark"


# The far end, in a process of its own


def far_end(calls: int) -> None:
    """Answer so many calls, and print for each when it was answered, when voice came, and when speech did."""
    sip, rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for own in (sip, rtp):
        own.bind((LOOPBACK, 0))
    print(sip.getsockname()[1], flush=True)
    figures: list[dict[str, Any]] = []
    while len(figures) < calls:
        request, caller = sip.recvfrom(65535)
        if request.startswith(b"INVITE"):
            figures.append(_take_call(request.decode(), caller, sip, rtp))
    print(json.dumps(figures), flush=True)


def _take_call(invite: str, caller: tuple[str, int], sip: socket.socket, rtp: socket.socket) -> dict[str, Any]:
    """Ring, answer, and listen until the caller hangs up."""
    sip.sendto(_response(invite, "180 Ringing", sip), caller)
    time.sleep(RINGING)
    sdp = (
        f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
        f"m=audio {rtp.getsockname()[1]} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
    answer = _response(invite, "200 OK", sip, sdp)
    # What the call before left behind.
    while select.select([rtp], [], [], 0)[0]:
        rtp.recv(65535)
    answered = time.monotonic_ns()
    sip.sendto(answer, caller)
    voice = speech = None
    while True:
        for ready in select.select([sip, rtp], [], [], 10)[0]:
            data, source = ready.recvfrom(65535)
            now = time.monotonic_ns()
            if ready is sip:
                if data.startswith(b"BYE"):
                    sip.sendto(_response(data.decode(), "200 OK", sip), source)
                    return {"answered": answered, "voice": voice, "speech": speech}
                continue
            voice = voice or now
            if speech is None and len(set(data[RTP_HEADER:])) > VALUES_OF_SILENCE:
                speech = now


def _response(request: str, status: str, sip: socket.socket, sdp: str = "") -> bytes:
    """Return an answer; its To has the tag of the one who answers."""
    lines = [line for line in request.split("\r\n") if line.split(":")[0] in {"Via", "From", "Call-ID", "CSeq"}]
    to = next(line for line in request.split("\r\n") if line.startswith("To:"))
    lines.append(to if ";tag=" in to else f"{to};tag=far")
    lines.append(f"Contact: <sip:{LOOPBACK}:{sip.getsockname()[1]}>")
    if sdp:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(sdp)}")
    return "\r\n".join([f"SIP/2.0 {status}", *lines, "", sdp]).encode()


# Home Assistant


def _tone() -> bytes:
    """Return a second of a tone as a WAV file."""
    samples = array.array("h", (round(8000 * math.sin(0.35 * n)) for n in range(16000)))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


async def _add_engine(hass: Any, render: float) -> None:
    """Add a text-to-speech engine that is as slow as wanted."""
    from homeassistant.components.tts import TextToSpeechEntity  # noqa: PLC0415
    from homeassistant.components.tts.const import DATA_COMPONENT  # noqa: PLC0415
    from homeassistant.components.tts.entity import TTSAudioRequest, TTSAudioResponse  # noqa: PLC0415

    sound = _tone()

    class Engine(TextToSpeechEntity):
        _attr_name = "Benchmark"
        _attr_default_language = "en"
        _attr_supported_languages = ("en",)  # type: ignore[assignment]

        @override
        async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
            del request

            async def pieces() -> AsyncIterator[bytes]:
                await asyncio.sleep(render)
                for start in range(0, len(sound), 4096):
                    yield sound[start : start + 4096]

            return TTSAudioResponse("wav", pieces())  # type: ignore[arg-type]

    engine = Engine()
    engine.entity_id = ENGINE
    await hass.data[DATA_COMPONENT].async_add_entities([engine])


async def measure(calls: int, render: float) -> dict[str, list[dict[str, Any]]]:
    """Make the calls of every kind in one Home Assistant, and return the far end's clock readings."""
    from homeassistant.core import CoreState, HomeAssistant  # noqa: PLC0415
    from homeassistant.loader import DATA_CUSTOM_COMPONENTS  # noqa: PLC0415
    from homeassistant.setup import async_setup_component  # noqa: PLC0415
    from pytest_homeassistant_custom_component.common import (  # noqa: PLC0415
        MockConfigEntry,
        async_test_home_assistant,
    )

    import custom_components.sip_ua  # noqa: F401, PLC0415
    from custom_components.sip_ua.const import DOMAIN  # noqa: PLC0415
    from custom_components.sip_ua.settings import normalize  # noqa: PLC0415

    network = {"bind_address": LOOPBACK}
    data = normalize({"template": "direct", "number": "ha", "sip_domain": LOOPBACK, "network": network})
    figures: dict[str, list[dict[str, Any]]] = {}
    hass: HomeAssistant
    async with async_test_home_assistant() as hass:
        with tempfile.TemporaryDirectory() as folder:
            hass.config.config_dir = folder
            hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
            hass.set_state(CoreState.running)
            for component in ("media_source", "tts"):
                _insist(await async_setup_component(hass, component, {}), f"{component} cannot be set up")
            await _add_engine(hass, render)
            entry = MockConfigEntry(domain=DOMAIN, data=data, title="Benchmark")
            entry.add_to_hass(hass)
            _insist(await hass.config_entries.async_setup(entry.entry_id), "the integration cannot be set up")
            await hass.async_block_till_done()
            for kind in KINDS:
                figures[kind] = await _measure_kind(hass, kind, calls)
            _insist(await hass.config_entries.async_unload(entry.entry_id), "the integration cannot be unloaded")
            await hass.async_stop(force=True)
    return figures


async def _measure_kind(hass: Any, kind: str, calls: int) -> list[dict[str, Any]]:
    command = [sys.executable, __file__, "--far-end", "--calls", str(calls)]
    peer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, limit=2**24)
    if peer.stdout is None:
        raise RuntimeError("the far end says nothing")
    number = f"sip:peer@{LOOPBACK}:{int(await peer.stdout.readline())}"
    for call in range(calls):
        # Another text each time, or it would be in the cache of Home Assistant.
        await _make_call(hass, kind, number, f"This is call {call} {kind}.")
    told: list[dict[str, Any]] = json.loads(await peer.stdout.readline())
    await peer.wait()
    return told


async def _make_call(hass: Any, kind: str, number: str, message: str) -> None:
    async def act(action: str, **data: Any) -> Any:
        return await hass.services.async_call("sip_ua", action, data, blocking=True, return_response=True)

    if kind == KINDS[0]:
        await act("dial", number=number, message=message, wait="answered")
    elif kind == KINDS[1]:
        await act("dial", number=number)
        spoken = await act("speak", message=message, wait=True)
        _insist(spoken["result"] == "played", "what was said while it rang was not heard")
    else:
        await act("dial", number=number, wait="answered")
        await act("speak", message=message, wait=True)
    if kind == KINDS[0]:
        await asyncio.sleep(0.5)
    await act("hangup")
    await asyncio.sleep(0.05)


def _insist(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise RuntimeError(otherwise)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--render", type=float, default=0.2, help="seconds that the engine takes")
    parser.add_argument("--far-end", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.far_end:
        far_end(options.calls)
        return
    figures = asyncio.run(measure(options.calls, options.render))
    print(f"{options.calls} calls of each kind, G.711 although G.722 is expected, an engine of {options.render:g} s")
    print(f"{'answer to first speech, the text':36}{'median':>9}{'99th':>9}{'worst':>9}  ms  in the first packet")
    every = [call for told in figures.values() for call in told]
    for name, told in figures.items():
        _print(f"  {name}", told, "speech", f"{sum(call['speech'] == call['voice'] for call in told)} of {len(told)}")
    _print("answer to first packet of any kind", every, "voice", "")


def _print(name: str, told: list[dict[str, Any]], what: str, more: str) -> None:
    ranked = sorted((call[what] - call["answered"]) / 1e6 for call in told if call[what] is not None)
    p99 = ranked[int(len(ranked) * 0.99)]
    print(f"{name:36}{statistics.median(ranked):9.1f}{p99:9.1f}{ranked[-1]:9.1f}  {'':4}{more}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
