"""Sends all 16 digits many times through a lossy network in each of the three ways, and counts what arrives.

    .venv/bin/python scripts/benchmark/dtmf.py [--times 100] [--loss 5] [--seed N] [--speech]

Two sessions, or for INFO two user agents, on a virtual clock: minutes pass in seconds, and the same seed loses the same
packets. `missed` and `doubled` compare what was told with what was pressed, in order. `naive` is what a far end would
make of the same telephone events that believes each end packet, the least that one can do. `--speech` also looks for
digits in a minute of Debian's recordings of a voice, which is brought into the cache folder; there is none in it.
"""

import argparse
import difflib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from scripts.exchange import lift_rooms  # noqa: E402

lift_rooms()

from custom_components.sip_ua.rtp.dtmf import parse_event  # noqa: E402
from custom_components.sip_ua.rtp.events import DigitReceived  # noqa: E402
from custom_components.sip_ua.rtp.packet import parse_packet  # noqa: E402
from custom_components.sip_ua.rtp.tone_detector import ToneDetector  # noqa: E402
from custom_components.sip_ua.sip.events import DigitReceived as CallDigitReceived  # noqa: E402
from custom_components.sip_ua.sip.info import DIGITS  # noqa: E402
from tests.rtp.wire import Faults as VoiceFaults, Wire  # noqa: E402
from tests.sip.link import Faults  # noqa: E402
from tests.sip.test_agent_calls import Pair  # noqa: E402

DURATION_MS, GAP_MS = 160, 60
SECONDS = len(DIGITS) * (DURATION_MS + GAP_MS) / 1000 + 0.3
TELEPHONE_EVENT = 101


@dataclass(frozen=True, slots=True)
class Count:
    """What became of the digits of one way."""

    way: str
    pressed: str
    told: str

    @property
    def missed(self) -> int:
        """How many of those pressed were not told."""
        return len(self.pressed) - self._matched

    @property
    def doubled(self) -> int:
        """How many were told that nobody pressed."""
        return len(self.told) - self._matched

    @property
    def _matched(self) -> int:
        # In pieces, since a comparison takes the square of the length.
        matched, at = 0, 0
        for begin in range(0, len(self.pressed), len(DIGITS)):
            piece = self.pressed[begin : begin + len(DIGITS)]
            window = self.told[at : at + 4 * len(DIGITS)]
            blocks = difflib.SequenceMatcher(None, piece, window, autojunk=False).get_matching_blocks()
            found = sum(block.size for block in blocks)
            matched += found
            at += max((block.b + block.size for block in blocks if block.size), default=0)
        return matched


def by_events(times: int, loss: float, seed: int) -> list[Count]:
    """Press the digits as telephone events (RFC 4733)."""
    wire = Wire(seed=seed, faults=VoiceFaults(loss=loss, jitter=0.02))
    naive: list[str] = []
    receive = wire.bob.rtp.receive_rtp

    def listen(data: bytes, source: tuple[str, int], now: float) -> None:
        packet = parse_packet(data)
        if packet.payload_type == TELEPHONE_EVENT and (event := parse_event(packet.payload)).end:
            naive.append(DIGITS[event.event])
        receive(data, source, now)

    class Ear:
        """Bob, who is listened to on the way."""

        def __getattr__(self, name: str) -> object:
            return listen if name == "receive_rtp" else getattr(session, name)

    session, wire.bob.rtp = wire.bob.rtp, Ear()  # type: ignore[assignment]
    wire.run(0.2)
    for _ in range(times):
        wire.alice.rtp.send_digits(DIGITS, duration_ms=DURATION_MS, gap_ms=GAP_MS)
        wire.run(SECONDS)
    wire.run(1)
    told = "".join(event.digit for event in wire.bob.told if isinstance(event, DigitReceived))
    return [Count("RFC 4733", times * DIGITS, told), Count("  naive", times * DIGITS, "".join(naive))]


def by_tones(times: int, loss: float, seed: int) -> list[Count]:
    """Press the digits as tones in the voice."""
    wire = Wire(seed=seed, faults=VoiceFaults(loss=loss), dtmf_send=None, dtmf_receive=None, hear_tones=True)
    wire.run(0.2)
    for _ in range(times):
        wire.alice.rtp.send_digits(DIGITS, duration_ms=DURATION_MS, gap_ms=GAP_MS, inband=True)
        wire.run(SECONDS)
    wire.run(1)
    told = "".join(event.digit for event in wire.bob.told if isinstance(event, DigitReceived))
    return [Count("in-band", times * DIGITS, told)]


def by_info(times: int, loss: float, seed: int) -> list[Count]:
    """Press the digits in INFO requests (RFC 6086)."""
    pair = Pair(seed=seed, faults=Faults(loss=loss, duplication=0.02, reordering=0.05))
    call_id, _ = pair.talk()
    for _ in range(times):
        pair.alice.command("send_digits", call_id, DIGITS, DURATION_MS, GAP_MS)
        pair.link.run_for(10)
    pair.link.run_for(60)
    told = "".join(event.digit for event in pair.bob.events(CallDigitReceived))
    return [Count("INFO", times * DIGITS, told)]


WAYS: tuple[Callable[[int, float, int], list[Count]], ...] = (by_events, by_info, by_tones)


def in_speech() -> int:
    """Look for digits in speech; returns how many were found."""
    from scripts.benchmark.speech import SPEECH_RATE, resampled, speech  # noqa: PLC0415 - needs the peers' folder

    sound = speech(60)
    found = 0
    for rate in (SPEECH_RATE, 8_000):
        detector = ToneDetector(rate)
        pcm = resampled(sound, SPEECH_RATE, rate).tobytes()
        step = rate // 50 * 2
        digits = [digit for at in range(0, len(pcm), step) for digit in detector.feed(pcm[at : at + step])]
        print(f"speech of {len(pcm) / 2 / rate:.0f} s at {rate} Hz: {len(digits)} digits heard in it")
        found += len(digits)
    return found


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="how often each digit is pressed (default: 100)")
    parser.add_argument("--loss", type=float, default=5.0, help="per cent of the packets (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="which packets are lost")
    parser.add_argument("--speech", action="store_true", help="look for digits in speech, too")
    options = parser.parse_args()
    print(f"each of {DIGITS} {options.times} times, {options.loss:g} % of the packets lost, seed {options.seed}")
    print(f"{'':12}{'pressed':>8}{'told':>8}{'missed':>8}{'doubled':>9}  in order")
    good = True
    for way in WAYS:
        for count in way(options.times, options.loss / 100, options.seed):
            same = count.told == count.pressed
            good = good and (same or count.way.startswith(" "))
            print(
                f"{count.way:12}{len(count.pressed):>8}{len(count.told):>8}{count.missed:>8}{count.doubled:>9}"
                f"  {'yes' if same else 'NO'}",
                flush=True,
            )
    if options.speech:
        good = not in_speech() and good
    print(f"goal: none missed, none doubled: {'met' if good else 'missed'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
