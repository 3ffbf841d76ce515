"""Measures parsing and writing an INVITE beside a floor and other parsers, and how hostile input scales.

    .venv/bin/python scripts/benchmark/parse.py [--rounds N] [--no-peers]

Every contender gets the same messages, in turn and each in a process of its own; times are processor time. "typed"
means that Via, From, To, CSeq and Contact are read as objects. The other parsers are installed into a folder that is
thrown away.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import distributions
from pathlib import Path
from time import thread_time

REPO = Path(__file__).resolve().parents[2]
MESSAGES = 50
TURNS = 3
GOAL_US = 25

type Handler = Callable[[bytes], object]


def load_wire_room() -> None:
    """Make the signalling room importable without Home Assistant, which the package above it needs."""
    sys.path.insert(0, str(REPO))
    package = types.ModuleType("custom_components.sip_ua")
    package.__path__ = [str(REPO / "custom_components/sip_ua")]
    sys.modules[package.__name__] = package


def invite(number: int) -> bytes:
    """Return an INVITE with 16 header fields and a session description, different for each number."""
    body = (
        f"v=0\r\no=- {20518 + number} 0 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n"
        f"m=audio {20000 + 2 * number} RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
    )
    lines = [
        f"INVITE sip:{620 + number}@192.0.2.20:5060;transport=udp SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK6F5C4E2B{number};rport",
        "Record-Route: <sip:192.0.2.1;lr>",
        "Max-Forwards: 69",
        f'From: "Alice Example" <sip:**{610 + number}@pbx.example;user=phone>;tag=8A7F3C{number}',
        f'To: "Bob" <sip:{620 + number}@pbx.example>',
        f"Call-ID: 9C2D4F1E7B6A{number}@192.0.2.1",
        f"CSeq: {20 + number} INVITE",
        f"Contact: <sip:EF9A1B2C{number}@192.0.2.1:5060;transport=udp>",
        "User-Agent: Example PBX 8.02",
        "Allow: INVITE, ACK, OPTIONS, CANCEL, BYE, UPDATE, PRACK, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE",
        "Supported: 100rel, replaces, timer",
        "Session-Expires: 600;refresher=uac",
        "Min-SE: 90",
        f'P-Asserted-Identity: "Alice Example" <sip:**{610 + number}@pbx.example>',
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def floor(data: bytes) -> object:
    """Split the message into names and values and put it together again: what no parser can do without."""
    head, _, body = data.partition(b"\r\n\r\n")
    fields = [line.partition(b":") for line in head.split(b"\r\n")]
    return b"\r\n".join([b"".join(field) for field in fields]) + b"\r\n\r\n" + body


def sip_ua() -> Handler:
    """Parse with checks, read the typed fields, write."""
    message = importlib.import_module("custom_components.sip_ua.sip.message")

    def handle(data: bytes) -> object:
        parsed = message.parse_message(data)
        _ = (parsed.via, parsed.from_, parsed.to, parsed.cseq, parsed.contacts)
        return parsed.to_bytes()

    return handle


def aiosipua() -> Handler:
    """Parse and write, and read nothing."""
    message = importlib.import_module("aiosipua.message")
    return lambda data: bytes(message.SipMessage.parse(data))


def aiosipua_typed() -> Handler:
    """Parse, read the typed fields, write."""
    message = importlib.import_module("aiosipua.message")

    def handle(data: bytes) -> object:
        parsed = message.SipMessage.parse(data)
        _ = (parsed.via, parsed.from_addr, parsed.to_addr, parsed.cseq, parsed.contact)
        return bytes(parsed)

    return handle


def sipmessage() -> Handler:
    """Parse, read the typed fields, write."""
    message = importlib.import_module("sipmessage")

    def handle(data: bytes) -> object:
        parsed = message.Message.parse(data)
        _ = (parsed.via, parsed.from_address, parsed.to_address, parsed.cseq, parsed.contact)
        return bytes(parsed)

    return handle


def voip_utils() -> Handler:
    """Parse into a dictionary: it neither types nor writes."""
    sip = importlib.import_module("voip_utils.sip")
    return lambda data: sip.SipMessage.parse_sip(data.decode())


FLOOR = "floor: split and join"
OURS = "sip_ua, typed and checked"
OWN: dict[str, Callable[[], Handler]] = {FLOOR: lambda: floor, OURS: sip_ua}
OTHERS: dict[str, dict[str, Callable[[], Handler]]] = {
    "aiosipua": {"aiosipua, untyped": aiosipua, "aiosipua, typed": aiosipua_typed},
    "sipmessage": {"sipmessage, typed": sipmessage},
    "voip-utils": {"voip-utils, untyped, no writing": voip_utils},
}
CONTENDERS = OWN | {name: make for contenders in OTHERS.values() for name, make in contenders.items()}


def install_peers(folder: Path, peers: Iterable[str] = tuple(OTHERS)) -> dict[str, str]:
    """Install each of these packages into a folder; return the versions of those that could be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    uv = shutil.which("uv") or shutil.which("uv", path=str(cache / "sip_ua/uv/bin"))
    if uv is None:
        return {}
    for peer in peers:
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder), peer]
        subprocess.run(command, check=False, capture_output=True)
    found = {distribution.name.lower(): distribution.version for distribution in distributions(path=[str(folder)])}
    return {peer: found[peer] for peer in peers if peer in found}


def measure(name: str, peers: str | None, rounds: int) -> list[float]:
    """Return the microseconds for one message, of every round; runs in a process of its own."""
    load_wire_room()
    if peers:
        # Before all else: the environment that runs this may have another version of one of them.
        sys.path.insert(0, peers)
    handle = CONTENDERS[name]()
    messages = [invite(number) for number in range(MESSAGES)]
    times = []
    for _ in range(rounds):
        begin = thread_time()
        for data in messages:
            handle(data)
        times.append((thread_time() - begin) / MESSAGES * 1e6)
    return times


def measure_all(names: Iterable[str], peers: str | None, rounds: int) -> dict[str, list[float]]:
    """Measure contenders in turn, `TURNS` times, each in a new process."""
    context = multiprocessing.get_context("spawn")
    times: dict[str, list[float]] = {name: [] for name in names}
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as pool:
        for _ in range(TURNS):
            for name in times:
                times[name] += pool.submit(measure, name, peers, rounds).result()
    return times


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "commas in Contact": lambda size: b"Contact: " + b"," * size,
    "quotes in Contact": lambda size: b"Contact: " + b'"' * size,
    "backslashes in a display name": lambda size: b'Contact: "' + b"\\" * size,
    "brackets in Contact": lambda size: b"Contact: " + b"<" * size,
    "semicolons in Contact": lambda size: b"Contact: <sip:a@b>" + b";a" * (size // 2),
    "percents in a user": lambda size: b"Contact: <sip:" + b"%41" * (size // 3) + b"@b>",
    "folded lines": lambda size: b"Subject: a" + b"\r\n b" * (size // 4),
    "header fields": lambda size: b"\r\n".join([b"A: b"] * (size // 6)),
}


def hostile(lines: bytes) -> bytes:
    """Return an OPTIONS request with these header fields."""
    head = invite(0).replace(b"INVITE", b"OPTIONS").partition(b"Contact: ")[0]
    return head + lines + b"\r\nContent-Length: 0\r\n\r\n"


def seconds_for(data: bytes) -> float:
    """Return the time that the best of several tries takes."""
    message = importlib.import_module("custom_components.sip_ua.sip.message")
    errors = importlib.import_module("custom_components.sip_ua.sip.errors")
    best = float("inf")
    for _ in range(5):
        begin = thread_time()
        with contextlib.suppress(errors.MessageError):
            _ = message.parse_message(data).contacts
        best = min(best, thread_time() - begin)
    return best


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="rounds of %(default)s messages each")
    parser.add_argument("--no-peers", action="store_true", help="do not install and measure the other parsers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peers = {} if options.no_peers else install_peers(Path(folder))
        names = [*OWN, *(name for peer in peers for name in OTHERS[peer])]
        times = measure_all(names, folder if peers else None, options.rounds)
    lowest = min(times[FLOOR])
    print(f"INVITE with 16 header fields, {len(invite(0))} octets, {TURNS} x {options.rounds} x {MESSAGES} messages")
    print(f"{'':34}{'best us':>10}{'median us':>11}{'x floor':>9}")
    for name, values in times.items():
        print(f"{name:34}{min(values):10.2f}{statistics.median(values):11.2f}{min(values) / lowest:9.1f}")
    if peers:
        print(", ".join(f"{peer} {version}" for peer, version in peers.items()))
    if missing := [peer for peer in OTHERS if peer not in peers and not options.no_peers]:
        print(f"!!! NOT MEASURED, as it could not be installed: {', '.join(missing)}")
    load_wire_room()
    print(f"\n{'hostile input':34}{'32 kB ms':>10}{'64 kB ms':>11}{'ratio':>9}")
    for name, make in HOSTILE.items():
        once, twice = (seconds_for(hostile(make(size))) * 1e3 for size in (32_000, 64_000))
        print(f"{name:34}{once:10.2f}{twice:11.2f}{twice / once:9.1f}")
    reached = min(times[OURS])
    print(f"\ngoal below {GOAL_US} us: {reached:.2f} us, {'reached' if reached < GOAL_US else 'missed here and now'}")


if __name__ == "__main__":
    main()
