"""Changes to an input that make another one: of single octets, of whole pieces, of numbers, and of lengths."""

from collections.abc import Sequence
from random import Random
from typing import Final

MAX_LENGTH: Final = 65_535
MAX_STEPS: Final = 6
WORDS: Final = (
    *(
        b"\r\n",
        b"\n",
        b"\r\n ",
        b"\r\n\r\n",
        b"\0",
        b"\xff",
        b"\x80",
        b",",
        b";",
        b":",
        b"<",
        b">",
        b'"',
        b"\\",
        b"=",
        b"@",
    ),
    *(
        b"[",
        b"]",
        b"[::1]",
        b"%00",
        b"%",
        b"*",
        b"SIP/2.0",
        b"sip:",
        b"tel:",
        b"0",
        b"-1",
        b"4294967296",
        b"99999999999",
    ),
    *(
        b"Via:",
        b"v:",
        b"Contact:",
        b"Content-Length:",
        b"l: ",
        b"CSeq:",
        b"branch=z9hG4bK",
        b"tag=",
        b"lr",
        b"expires=",
    ),
    *(
        b"a=",
        b"m=audio ",
        b"c=IN IP4 ",
        b"a=rtpmap:",
        b"0.0.0.0",
        b"Digest ",
        b"nonce=",
        b"algorithm=",
        b"qop=",
        b"stale=",
    ),
)
EXTREMES: Final = (
    b"\0\0",
    b"\0\1",
    b"\x7f\xff",
    b"\x80\0",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
)


def mutated(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Return `data` after a few changes; `others` lend pieces."""
    made = bytearray(data)
    for _ in range(random.randint(1, MAX_STEPS)):
        at = random.randrange(len(made) + 1)
        until = min(at + 1 + int(random.expovariate(1 / 12)), len(made))
        match random.randrange(9):
            case 0 if at < len(made):
                made[at] ^= 1 << random.randrange(8)
            case 1 if at < len(made):
                made[at] = random.randrange(256)
            case 2:
                del made[at:until]
            case 3:
                made[at:at] = made[at:until] * random.choice((1, 2, 30))
            case 4:
                made[at:at] = random.choice(WORDS)
            case 5:
                made[at:until] = random.choice(WORDS)
            case 6:
                number = random.choice(EXTREMES)
                made[at : at + len(number)] = number
            case 7:
                other = random.choice(others)
                begin = random.randrange(len(other) + 1)
                made[at:until] = other[begin : begin + random.randrange(64)]
            case 8:
                del made[at:]
    return bytes(made[:MAX_LENGTH])
