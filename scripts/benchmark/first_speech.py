"""Times how soon a called party hears speech after the answer, with the message known at dial and with it unknown.

    .venv/bin/python scripts/benchmark/first_speech.py [--calls N] [--codecs PCMA G722]

A bare called party in another process rings for a second, answers, and notes by the kernel's stamps when the first
packet comes, and the first that is not silence. The message is a file. Where it is `known`, it is handed over with
`dial` and is ready when the far end answers; where it is `unknown`, it is played as soon as the answer is told: an
engine of speech would add its time to that. `floor` is a bare datagram sent back when the answer comes, by a thread.
"""

import argparse
import array
import asyncio
import json
import math
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from scripts.benchmark.media import LOOPBACK, SO_TIMESTAMPNS, TIMESPEC, tell  # noqa: E402
from scripts.benchmark.quiet import ahead_of_others  # noqa: E402
from scripts.exchange import lift_rooms  # noqa: E402

lift_rooms()

from custom_components.sip_ua.net.audio import FileSource  # noqa: E402
from custom_components.sip_ua.net.av_codecs import ALL_CODECS  # noqa: E402
from custom_components.sip_ua.sip.codecs import CODECS  # noqa: E402
from custom_components.sip_ua.sip.events import CallState  # noqa: E402
from tests.interop.agent import Agent, direct_account  # noqa: E402
from tests.interop.tone import sine, write_wav  # noqa: E402
from tests.interop.wire import answer  # noqa: E402

GOAL_MS = 20.0
RINGING_SECONDS = 1.0
LISTENING_SECONDS = 1.5
LOUD = 500
RATE = 16_000


def stamped(endpoint: socket.socket) -> tuple[bytes, tuple[str, int], float]:
    """Read a datagram with where it comes from and the time of day at which it came."""
    data, ancillary, _, source = endpoint.recvmsg(4096, 64)
    seconds, nanoseconds = next(TIMESPEC.unpack(value) for _, kind, value in ancillary if kind == SO_TIMESTAMPNS)
    return data, source, seconds + nanoseconds / 1e9


def is_loud(pcm: bytes) -> bool:
    """Tell whether there is sound in a frame."""
    samples = array.array("h", pcm)
    return math.sqrt(math.sumprod(samples, samples) / len(samples)) > LOUD


def called_party(name: str) -> None:
    """Be called once a line on standard input; tells the ms to the echo, the first packet and the first sound."""
    signalling, voice, echo = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3))
    for endpoint in (signalling, voice, echo):
        endpoint.bind((LOOPBACK, 0))
        endpoint.settimeout(LISTENING_SECONDS)
        endpoint.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    tell(sys.stdout, [signalling.getsockname()[1], echo.getsockname()[1]])
    number = CODECS[name].payload_type
    description = (
        f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
        f"m=audio {voice.getsockname()[1]} RTP/AVP {number}\r\na=rtpmap:{number} {name}/8000\r\n"
    )
    contact = f"Contact: <sip:far@{LOOPBACK}:{signalling.getsockname()[1]}>\r\n"
    for line in sys.stdin:
        mirror = json.loads(line)
        signalling.settimeout(30)
        invite, source, _ = stamped(signalling)
        while not invite.startswith(b"INVITE"):
            invite, source, _ = stamped(signalling)
        signalling.sendto(answer(invite, "180 Ringing", to_tag="far", extra=contact), source)
        time.sleep(RINGING_SECONDS)
        accepted = answer(invite, "200 OK", to_tag="far", extra=f"{contact}Content-Type: application/sdp\r\n").replace(
            b"Content-Length: 0", f"Content-Length: {len(description)}".encode()
        )
        begun = time.time()
        signalling.sendto(accepted + description.encode(), source)
        echo.sendto(b"?", (LOOPBACK, mirror))
        floor = stamped(echo)[2] - begun
        decoder, first, loud = ALL_CODECS[name].create(), math.nan, math.nan
        while math.isnan(loud):
            data, _, moment = stamped(voice)
            first = moment - begun if math.isnan(first) else first
            if is_loud(decoder.decode(data[12:])):
                loud = moment - begun
        bye, source, _ = stamped(signalling)
        while not bye.startswith(b"BYE"):
            bye, source, _ = stamped(signalling)
        signalling.sendto(answer(bye, "200 OK", to_tag="far"), source)
        voice.settimeout(0.0)
        try:
            while True:
                voice.recv(4096)
        except BlockingIOError:
            voice.settimeout(LISTENING_SECONDS)
        tell(sys.stdout, [1000 * floor, 1000 * first, 1000 * loud])


def send_back(endpoint: socket.socket) -> None:
    """Send every datagram back where it came from, until one is empty."""
    while True:
        data, source = endpoint.recvfrom(64)
        if not data:
            return
        endpoint.sendto(data, source)


async def calls(name: str, count: int, folder: Path, *, known: bool) -> list[list[float]]:
    """Call so many times; returns what the called party told of each."""
    message = write_wav(folder / "message.wav", sine(500.0, 3.0, RATE, -15.0), RATE)
    mirror = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mirror.bind((LOOPBACK, 0))
    threading.Thread(target=send_back, args=(mirror,), daemon=True).start()
    command = [sys.executable, __file__, "--called-party", "--codecs", name]
    found: list[list[float]] = []
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the called party has no pipes")
        port, _ = json.loads(await asyncio.to_thread(process.stdout.readline))
        async with Agent(direct_account(codecs=(name,))) as ours:
            for _ in range(count):
                tell(process.stdin, mirror.getsockname()[1])
                source = FileSource(message)
                call_id = await ours.phone.dial(f"sip:far@{LOOPBACK}:{port}", source=source if known else None)
                told = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
                await until_talking(ours, call_id)
                if not known:
                    ours.phone.play(call_id, source)
                await asyncio.sleep(LISTENING_SECONDS / 2)
                await ours.phone.hangup(call_id)
                found.append(json.loads(await told))
        process.stdin.close()
    mirror.sendto(b"", mirror.getsockname())
    return found


async def until_talking(ours: Agent, call_id: str) -> None:
    """Return in the iteration of the loop in which the answer is told, or soon after."""
    while (call := ours.call(call_id)) is None or call.state is not CallState.TALKING:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10, help="how many of each kind (default: 10)")
    parser.add_argument("--codecs", nargs="+", choices=("PCMA", "PCMU", "G722"), default=["PCMA", "G722"])
    parser.add_argument("--called-party", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    ahead_of_others()
    if options.called_party:
        called_party(options.codecs[0])
        return 0
    print("ms from the answer, median and worst")
    print(f"{'codec':6}{'message':10}{'floor':>16}{'first packet':>16}{'first sound':>16}")
    met = True
    for name in options.codecs:
        for known in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                found = asyncio.run(calls(name, options.calls, Path(folder), known=known))
            columns: list[Any] = list(zip(*found, strict=True))
            cells = "".join(f"{statistics.median(column):>9.1f}{max(column):>7.1f}" for column in columns)
            print(f"{name:6}{'known' if known else 'unknown':10}{cells}", flush=True)
            met = met and (not known or statistics.median(columns[2]) < GOAL_MS)
    verdict = "met" if met else "missed"
    print(f"goal: speech within {GOAL_MS:g} ms where the message is known: {verdict}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
