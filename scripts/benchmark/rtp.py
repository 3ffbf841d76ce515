"""Measures what the RTP room costs per packet of G.711 beside two floors: copying the bytes, and coding them in C.

    .venv/bin/python scripts/benchmark/rtp.py [--rounds N] [--packets N]

A two-way call sends, receives and plays one packet every 20 ms. Each line is the median of the rounds, in which all
contenders take turns; sockets are no part of it.
"""

import argparse
import gc
import random
import statistics
import struct
import sys
import types
from array import array
from collections.abc import Callable
from math import pi, sin
from pathlib import Path
from time import perf_counter

import audioop

REPO = Path(__file__).resolve().parents[2]
GOAL_US = 60
PTIME_US = 20_000
ALICE = ("192.0.2.1", 4000)
BOB = ("192.0.2.2", 5000)


def load_media_room() -> None:
    """Make the media room importable without Home Assistant, which the package above it needs."""
    sys.path.insert(0, str(REPO))
    package = types.ModuleType("custom_components.sip_ua")
    package.__path__ = [str(REPO / "custom_components/sip_ua")]
    sys.modules[package.__name__] = package


load_media_room()

from custom_components.sip_ua.rtp.parameters import MediaParameters, RtpConfig  # noqa: E402
from custom_components.sip_ua.rtp.session import RtpSession  # noqa: E402


def frames(count: int) -> list[bytes]:
    """Return something like a voice: a pitch of 120 Hz with harmonics."""
    step = 2 * pi * 120 / 8000
    sound = array("h", [round(sum(5000 / k * sin(k * step * at) for k in range(1, 6))) for at in range(160 * count)])
    pcm = sound.tobytes()
    return [pcm[at : at + 320] for at in range(0, len(pcm), 320)]


class Call:
    """Two sessions without a wire between them, on a virtual clock."""

    def __init__(self, packets: int, loss: float = 0.0) -> None:
        self.frames = frames(50)
        self.packets = packets
        chance = random.Random(1)  # noqa: S311 - the same losses in every run
        self.lost = {number for number in range(packets) if chance.random() < loss}
        self.alice, self.bob = self.session(1, BOB), self.session(2, ALICE)

    @staticmethod
    def session(ssrc: int, remote: tuple[str, int]) -> RtpSession:
        """Return a configured session."""
        session = RtpSession(
            RtpConfig(),
            ssrc=ssrc,
            first_sequence=65_000,
            first_timestamp=0,
            cname="benchmark",
            wallclock_offset=0.0,
            entropy=random.Random(ssrc).randbytes,  # noqa: S311 - the same in every run
        )
        media = MediaParameters(
            remote_rtp=remote,
            codec="PCMA",
            payload_type=8,
            receive=((8, "PCMA"),),
            dtmf_send=101,
            dtmf_receive=101,
        )
        session.configure(media, 0.0)
        return session

    def run(self) -> tuple[float, float, float]:
        """Return the seconds of sending, receiving and playing."""
        sent: list[bytes] = []
        start = perf_counter()
        for number in range(self.packets):
            for data, _ in self.alice.send_frame(self.frames[number % 50], number * 0.02):
                sent.append(data)
        sending = perf_counter() - start
        receiving = playing = 0.0
        for number, data in enumerate(sent):
            now = number * 0.02
            before = perf_counter()
            if number not in self.lost:
                self.bob.receive_rtp(data, ALICE, now)
            between = perf_counter()
            self.bob.play_out(now + 0.005)
            playing += perf_counter() - between
            receiving += between - before
        return sending, receiving, playing


def time_floor(work: Callable[[bytes], object], packets: int) -> float:
    """Return the seconds of so many calls."""
    voice = frames(50)
    start = perf_counter()
    for number in range(packets):
        work(voice[number % 50])
    return perf_counter() - start


def copy(pcm: bytes) -> bytes:
    """Copy a frame as a socket would want it and take it apart again."""
    packet = pcm[:12] + pcm[:160]
    return packet[:12] + packet[12:]


def code_in_c(pcm: bytes) -> bytes:
    """Do the least that a packet needs, with the coding in C: header, encode, read the header, decode."""
    packet = struct.pack("!BBHII", 0x80, 8, 1, 2, 3) + audioop.lin2alaw(pcm, 2)
    struct.unpack_from("!BBHII", packet)
    return audioop.alaw2lin(packet[12:], 2)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--packets", type=int, default=1500)
    options = arguments.parse_args()
    gc.disable()
    rows: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        rows.setdefault(name, []).append(seconds / options.packets * 1e6)

    for _ in range(options.rounds):
        note("floor: copy the bytes", time_floor(copy, options.packets))
        note("floor: header, and coding in C", time_floor(code_in_c, options.packets))
        parts = Call(options.packets).run()
        for name, seconds in zip(("send_frame", "receive_rtp", "play_out"), parts, strict=True):
            note(name, seconds)
        note("two-way G.711 call, per packet", sum(parts))
        note("the same through 3 % loss", sum(Call(options.packets, 0.03).run()))
        gc.collect()
    print(f"{'us per packet':34} {'median':>8} {'least':>8}")
    for name, values in rows.items():
        print(f"{name:34} {statistics.median(values):8.2f} {min(values):8.2f}")
    whole = statistics.median(rows["two-way G.711 call, per packet"])
    print(f"\none call without sockets: {100 * whole / PTIME_US:.3f} % of a core (goal for the packet: {GOAL_US} us)")


if __name__ == "__main__":
    main()
