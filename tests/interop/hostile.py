"""Input that no honest peer sends: garbage, cut and lying messages, unknown methods, headers without end."""

import random
from collections.abc import Callable, Iterator

from .wire import offer, request

SEED = 4475
LARGEST = 65_507
"""The most that one UDP datagram over IPv4 carries."""
HUGE = 64_000


def garbage(to: tuple[str, int], sender: str) -> Iterator[bytes]:
    """Yield bytes that are no SIP at all."""
    chance = random.Random(SEED)
    yield from (b"\0", b"\r\n", b"\r\n\r\n", b"\n", b" ", b"\xff" * 1500, b"\0" * 1500, b"A" * LARGEST)
    yield b"\x80\x08" + bytes(170)
    yield b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)
    yield b"GET / HTTP/1.1\r\nHost: ha\r\n\r\n"
    for _ in range(60):
        yield chance.randbytes(chance.randrange(1, 1500))
    text = request("OPTIONS", to, sender)
    for _ in range(60):
        spoiled = bytearray(text)
        for _ in range(chance.randrange(1, 12)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        yield bytes(spoiled).replace(b"OPTIONS", b"INFO")


def truncated(to: tuple[str, int], sender: str) -> Iterator[bytes]:
    """Yield an INVITE cut off at every twelfth byte before its body is complete."""
    whole = request(
        "INVITE", to, sender, extra="Content-Type: application/sdp\r\n", body=offer(sender.partition(":")[0], 4000)
    )
    for end in range(1, len(whole) - 1, 12):
        yield whole[:end]


def wrong_length(to: tuple[str, int], sender: str) -> Iterator[bytes]:
    """Yield requests whose Content-Length lies."""
    body = offer(sender.partition(":")[0], 4000)
    kind = "Content-Type: application/sdp\r\n"
    for length in ("99999", "-1", "abc", "", "1e3", "0x10", "9" * 400, "4294967297", "12, 13", "\u0663"):
        yield request("INVITE", to, sender, extra=kind, body=body, length=length)
    for length in ("7", "0"):
        yield request("INFO", to, sender, extra=kind, body=body, length=length)
    yield request("INVITE", to, sender, extra=kind + "Content-Length: 3\r\n", body=body)


def unknown_methods(to: tuple[str, int], sender: str) -> Iterator[bytes]:
    """Yield requests with methods that nobody knows, or that make no sense outside of a dialog."""
    for method in ("FROBNICATE", "invite", "X", "M" * 3000, "BYE", "CANCEL", "ACK", "PRACK", "UPDATE", "REFER"):
        yield request(method, to, sender)
    for line in ("INVITE", "INVITE sip:ha", "INVITE sip:ha SIP/3.0", " INVITE sip:ha SIP/2.0", "SIP/2.0 999 x"):
        yield line.encode() + b"\r\n" + request("INVITE", to, sender).partition(b"\r\n")[2]


def endless_headers(to: tuple[str, int], sender: str) -> Iterator[bytes]:
    """Yield messages of 64 kB, each large in another place."""
    head, _, rest = request("INVITE", to, sender).partition(b"\r\n")
    for line in (
        b"X-Long: " + b"a" * HUGE,
        b"X-Folded: a" + b"\r\n a" * (HUGE // 4),
        b"\r\n".join(b"X-%d: y" % number for number in range(HUGE // 12)),
        b"\r\n".join([b"Via: SIP/2.0/UDP h;branch=z9hG4bK"] * (HUGE // 36)),
        b"Via: " + b", ".join([b"SIP/2.0/UDP h"] * (HUGE // 16)),
        b"Contact: " + b"<" * HUGE,
        b"Contact: " + b"," * HUGE,
        b"Contact: " + b'"' + b"\\" * HUGE,
        b"Subject: " + b"(" * HUGE,
        b"Authorization: Digest " + b"a=" * (HUGE // 2),
        b"Route: " + b"<sip:h;lr>," * (HUGE // 12),
        b"From: <sip:" + b"x" * HUGE + b"@h>;tag=1",
        b"To: <sip:h>" + b";p" * (HUGE // 2),
        b"CSeq: " + b"9" * HUGE + b" INVITE",
        b"Call-ID: " + b"c" * HUGE,
        b":" * HUGE,
    ):
        yield (head + b"\r\n" + line + b"\r\n" + rest)[:LARGEST]
    yield (b"INVITE sip:" + b"u" * HUGE + b" SIP/2.0\r\n" + rest)[:LARGEST]


def lying_responses(to: tuple[str, int], sender: str) -> Iterator[bytes]:
    """Yield responses to requests that were never sent."""
    for status in ("100 Trying", "180 Ringing", "200 OK", "401 Unauthorized", "302 Moved", "487 x", "699 y"):
        for method in ("INVITE", "REGISTER", "BYE", "FROBNICATE"):
            lines = request(method, to, sender).partition(b"\r\n")[2]
            yield f"SIP/2.0 {status}\r\n".encode() + lines


KINDS: dict[str, Callable[[tuple[str, int], str], Iterator[bytes]]] = {
    "garbage": garbage,
    "truncated messages": truncated,
    "wrong Content-Length": wrong_length,
    "unknown methods": unknown_methods,
    "64 kB headers": endless_headers,
    "responses to nothing": lying_responses,
}
