"""Measures how fast a call is announced and placed inside a running Home Assistant, beside a bare state write.

    .venv/bin/python scripts/benchmark/latency.py [--calls N]

The far end is another process, and the registrar of the account. It notes the clock of the machine (CLOCK_MONOTONIC,
the same in both processes) just before an INVITE leaves its socket; Home Assistant notes it when the state of the call
sensor has been written, and just before the action `sip_ua.dial` is called; the far end again when the INVITE has
arrived.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, override

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

LOOPBACK = "127.0.0.1"
GOAL_MEDIAN_MS, GOAL_P99_MS = 0.5, 2.0
PAUSE = 0.02
"""Seconds between two messages of one call."""
BARE_WRITES = 2000

INVITE = """\
{method} sip:ha@{host}:{port} SIP/2.0\r
Via: SIP/2.0/UDP {host}:{own};rport;branch=z9hG4bK{number}\r
Max-Forwards: 70\r
From: "Grandma" <sip:grandma@{host}:{own}>;tag=f{number}\r
To: <sip:ha@{host}:{port}>{to_tag}\r
Call-ID: {number}@benchmark\r
CSeq: 1 {method}\r
Contact: <sip:grandma@{host}:{own}>\r
User-Agent: far end\r
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r
{content}"""
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


# The far end, in a process of its own


def far_end(calls: int) -> None:
    """Take a registration, call and cancel one call after another, then refuse what comes in until it is given up.

    The calls begin with a line of input, once Home Assistant is ready. Prints its port and the clock readings as JSON,
    a line each.
    """
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind((LOOPBACK, 0))
    own.settimeout(5)
    _tell(own.getsockname()[1])
    _, port = _await(own, "REGISTER")
    sys.stdin.readline()
    left: list[int] = []
    rang: list[int] = []
    for number in range(calls):
        invite = request("INVITE", number, port, own.getsockname()[1])
        left.append(time.monotonic_ns())
        own.sendto(invite, (LOOPBACK, port))
        _await(own, "SIP/2.0 180")
        rang.append(time.monotonic_ns())
        time.sleep(PAUSE)
        own.sendto(request("CANCEL", number, port, own.getsockname()[1]), (LOOPBACK, port))
        answer, _ = _await(own, "SIP/2.0 487")
        tag = ";tag=" + answer.split("\r\nTo: ")[1].split("\r\n")[0].split("tag=")[1]
        own.sendto(request("ACK", number, port, own.getsockname()[1], tag), (LOOPBACK, port))
        time.sleep(PAUSE)
    _tell({"left": left, "rang": rang})
    arrived: list[int] = []
    for _ in range(calls):
        invite_of_ours, _ = _await(own, "INVITE")
        arrived.append(time.monotonic_ns())
        _answer(own, invite_of_ours, port, "486 Busy Here")
    _tell({"arrived": arrived})
    _await(own, "REGISTER")


def request(method: str, number: int, port: int, own: int, to_tag: str = "") -> bytes:
    """Return a request of the far end's call of a number, as it goes from its port to that of Home Assistant."""
    content = "Content-Length: 0\r\n\r\n"
    if method == "INVITE":
        content = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
    fields = {"host": LOOPBACK, "port": port, "own": own, "number": number}
    return INVITE.format(method=method, to_tag=to_tag, content=content, **fields).encode()


def _tell(figures: object) -> None:
    print(json.dumps(figures), flush=True)


def _await(own: socket.socket, start: str) -> tuple[str, int]:
    """Return the next message that starts so, and the port that it came from; every other request is answered."""
    while True:
        data, (_, port) = own.recvfrom(65535)
        text = data.decode()
        if text.startswith("SIP/2.0 4") and not text.startswith(start):
            raise RuntimeError(f"the call was refused: {text.splitlines()[0]}")
        if text.startswith("REGISTER"):
            _answer(own, text, port, "200 OK", *(line for line in text.split("\r\n") if line.startswith("Contact:")))
        elif not text.startswith((start, "SIP/2.0", "ACK")):
            _answer(own, text, port, "200 OK")
        if text.startswith(start):
            return text, port


def _answer(own: socket.socket, text: str, port: int, status: str, *more: str) -> None:
    kept = [line for line in text.split("\r\n") if line.split(":")[0] in {"Via", "From", "Call-ID", "CSeq"}]
    to = next(line for line in text.split("\r\n") if line.startswith("To:"))
    to = to if ";tag=" in to else f"{to};tag=b"
    own.sendto(
        "\r\n".join([f"SIP/2.0 {status}", *kept, to, *more, "Content-Length: 0\r\n\r\n"]).encode(), (LOOPBACK, port)
    )


# Home Assistant


async def measure(calls: int) -> dict[str, list[float]]:
    """Run both measurements in one Home Assistant and return milliseconds."""
    from homeassistant.core import (  # noqa: PLC0415
        CoreState,
        Event as HassEvent,
        EventStateChangedData,
        HomeAssistant,
    )
    from homeassistant.loader import DATA_CUSTOM_COMPONENTS  # noqa: PLC0415
    from pytest_homeassistant_custom_component.common import (  # noqa: PLC0415
        MockConfigEntry,
        async_test_home_assistant,
    )

    import custom_components.sip_ua  # noqa: F401, PLC0415
    from custom_components.sip_ua.const import DOMAIN  # noqa: PLC0415
    from custom_components.sip_ua.settings import normalize  # noqa: PLC0415

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, "--far-end", "--calls", str(calls)]
    peer = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=2**24)
    far_port = await _told(peer)
    data = normalize(
        {
            "number": "ha",
            "server": LOOPBACK,
            "password": "benchmark",
            "servers": {"server_port": far_port},
            "network": {"local_port": port, "bind_address": LOOPBACK, "keep_alive": 0},
        }
    )
    figures: dict[str, list[float]] = {}
    hass: HomeAssistant
    async with async_test_home_assistant() as hass:
        hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
        hass.set_state(CoreState.running)
        entry = MockConfigEntry(domain=DOMAIN, data=data, title="Benchmark")
        entry.add_to_hass(hass)
        ringing: list[int] = []

        def written(event: HassEvent[EventStateChangedData]) -> None:
            state = event.data["new_state"]
            if state is not None and state.state == "ringing" and state.entity_id.startswith("sensor."):
                ringing.append(time.monotonic_ns())

        written.__dict__["_hass_callback"] = True
        stop = hass.bus.async_listen("state_changed", written)
        _insist(await hass.config_entries.async_setup(entry.entry_id), "the integration cannot be set up")
        await hass.async_block_till_done()
        if peer.stdin is not None:
            peer.stdin.write(b"begin\n")
        told = await _told(peer)
        stop()
        _insist(len(ringing) == calls, f"{len(ringing)} states for {calls} calls")
        figures["INVITE on the wire to state written"] = _milliseconds(told["left"], ringing)
        figures["INVITE on the wire to 180 received"] = _milliseconds(told["left"], told["rang"])
        dialled = await _dial(hass, "peer", calls)
        told = await _told(peer)
        figures["sip_ua.dial to INVITE on the wire"] = _milliseconds(dialled, told["arrived"])
        _insist(await hass.config_entries.async_unload(entry.entry_id), "the integration cannot be unloaded")
        await peer.wait()
        figures["bare datagram to a handler"] = await _bare_datagrams(calls)
        figures["bare state write"] = [_timed(_bare_write(hass, number)) for number in range(BARE_WRITES)]
        await hass.async_stop(force=True)
    return figures


async def _told(peer: asyncio.subprocess.Process) -> Any:
    """Return what the far end prints next."""
    line = b"" if peer.stdout is None else await peer.stdout.readline()
    _insist(bool(line), "the far end has given up")
    return json.loads(line)


async def _dial(hass: Any, target: str, calls: int) -> list[int]:
    """Dial again and again; every call is refused."""
    dialled: list[int] = []
    for _ in range(calls):
        dialled.append(time.monotonic_ns())
        await hass.services.async_call(
            "sip_ua", "dial", {"number": target, "wait": "ended"}, blocking=True, return_response=True
        )
        await asyncio.sleep(PAUSE)
    return dialled


def _insist(holds: bool, otherwise: str) -> None:  # noqa: FBT001
    if not holds:
        raise RuntimeError(otherwise)


class _Bare(asyncio.DatagramProtocol):
    """Notes when a datagram has reached the event loop, and does nothing with it."""

    def __init__(self) -> None:
        self.arrived: list[int] = []

    @override
    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self.arrived.append(time.monotonic_ns())


async def _bare_datagrams(calls: int) -> list[float]:
    """Return what a datagram from another process takes to a handler that does nothing: the floor of the rest."""
    loop = asyncio.get_running_loop()
    transport, bare = await loop.create_datagram_endpoint(_Bare, local_addr=(LOOPBACK, 0))
    port = transport.get_extra_info("sockname")[1]
    command = [sys.executable, __file__, "--floor", str(port), "--calls", str(calls)]
    peer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, limit=2**24)
    output, _ = await peer.communicate()
    transport.close()
    return _milliseconds(json.loads(output), bare.arrived)


def floor(port: int, calls: int) -> None:
    """Send datagrams of an INVITE's size, and print when each left."""
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    left: list[int] = []
    for _ in range(calls):
        time.sleep(2 * PAUSE)
        left.append(time.monotonic_ns())
        own.sendto(bytes(800), (LOOPBACK, port))
    print(json.dumps(left))


def _bare_write(hass: Any, number: int) -> Callable[[], None]:
    return lambda: hass.states.async_set("sensor.bare", str(number))


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1e6


def _milliseconds(starts: list[int], ends: list[int]) -> list[float]:
    return [(end - start) / 1e6 for start, end in zip(starts, ends, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--far-end", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--floor", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        floor(options.floor, options.calls)
        return
    if options.far_end:
        far_end(options.calls)
        return
    figures = asyncio.run(measure(options.calls))
    print(f"{options.calls} calls each way; goal: median {GOAL_MEDIAN_MS} ms, 99th percentile {GOAL_P99_MS} ms")
    print(f"{'':40}{'median':>10}{'99th':>10}{'worst':>10}  ms")
    for name, values in figures.items():
        ranked = sorted(values)
        p99 = ranked[int(len(ranked) * 0.99)]
        print(f"{name:40}{statistics.median(ranked):10.3f}{p99:10.3f}{ranked[-1]:10.3f}")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
