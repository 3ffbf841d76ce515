"""Every message of RFC 4475 and RFC 5118 given to a telephone that anybody may call: what it answers, and what rings.

One file of `torture` is one message; those of RFC 5118 begin with `v6-`. Their Content-Length and line ends, which
the RFC's own archive has wrong, are those of the wire. What the parser makes of them is `test_message_torture`.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from custom_components.sip_ua.sip.address import Address, Send
from custom_components.sip_ua.sip.events import IncomingCall

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link

FOLDER = Path(__file__).parent / "torture"
DROPPED = 0
"""No answer at all: a response that belongs to nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """A message, where it stands, and the status that it is answered with; a call rings with 180."""

    section: str
    name: str
    status: int
    has: str = ""
    """What stands in the answer besides."""


# Registrations are no business of a telephone: 405 says so of the well-formed ones.
RFC_4475 = (
    Case("3.1.1.1", "wsinv", 481),
    Case("3.1.1.2", "intmeth", 405, "Allow: INVITE"),
    Case("3.1.1.3", "esc01", 180),
    Case("3.1.1.4", "escnull", 405),
    Case("3.1.1.5", "esc02", 405),
    Case("3.1.1.6", "lwsdisp", 200),
    Case("3.1.1.7", "longreq", 180),
    Case("3.1.1.8", "dblreq", 405),
    Case("3.1.1.9", "semiuri", 200),
    Case("3.1.1.10", "transports", 200),
    Case("3.1.1.11", "mpart01", 405),
    Case("3.1.1.12", "unreason", DROPPED),
    Case("3.1.1.13", "noreason", DROPPED),
    Case("3.1.2.1", "badinv01", 400),
    Case("3.1.2.2", "clerr", 400),
    Case("3.1.2.3", "ncl", 400),
    Case("3.1.2.4", "scalar02", 400),
    Case("3.1.2.5", "scalarlg", DROPPED),
    Case("3.1.2.6", "quotbal", 400),
    Case("3.1.2.7", "ltgtruri", 400),
    Case("3.1.2.8", "lwsruri", 400),
    Case("3.1.2.9", "lwsstart", 400),
    # Liberal in what is accepted, as the RFC allows in these: blanks at the end and around an address, header fields
    # in the Request-URI, a date without GMT, a display name without quotes.
    Case("3.1.2.10", "trws", 200),
    Case("3.1.2.11", "escruri", 180),
    Case("3.1.2.12", "baddate", 180),
    Case("3.1.2.13", "regbadct", 400),
    Case("3.1.2.14", "badaspec", 200),
    Case("3.1.2.15", "baddn", 200),
    Case("3.1.2.16", "badvers", 505),
    Case("3.1.2.17", "mismatch01", 400),
    Case("3.1.2.18", "mismatch02", 400),
    Case("3.1.2.19", "bigcode", DROPPED),
    Case("3.2.1", "badbranch", 200),
    Case("3.3.1", "insuf", 400),
    Case("3.3.2", "unkscm", 416),
    Case("3.3.3", "novelsc", 416),
    Case("3.3.4", "unksm2", 405),
    Case("3.3.5", "bext01", 420, "Unsupported: nothingSupportsThis, nothingSupportsThisEither"),
    Case("3.3.6", "invut", 415, "Accept: application/sdp"),
    Case("3.3.7", "regaut01", 405),
    Case("3.3.8", "multi01", 400),
    Case("3.3.9", "mcl01", 400),
    Case("3.3.10", "bcast", DROPPED),
    Case("3.3.11", "zeromf", 200),
    Case("3.3.12", "cparam01", 405),
    Case("3.3.13", "cparam02", 405),
    Case("3.3.14", "regescrt", 405),
    Case("3.3.15", "sdp01", 406),
    Case("3.4.1", "inv2543", 180),
)
RFC_5118 = (
    Case("4.1", "v6-good", 405),
    Case("4.2", "v6-bad", 400),
    Case("4.3", "v6-port-ambiguous", 405),
    Case("4.4", "v6-port-unambiguous", 405),
    Case("4.5", "v6-received-delimited", 481),
    Case("4.5", "v6-received-bare", 200),
    # Neither of the two offers a codec that we have.
    Case("4.6", "v6-in-sdp", 488, 'Warning: 305 sip "'),
    Case("4.7", "v6-several", 481),
    Case("4.8", "v6-several-in-sdp", 180),
    Case("4.9", "v6-mapped", 488, 'Warning: 305 sip "'),
    Case("4.10", "v6-three-colons", 200),
    Case("4.10", "v6-two-colons", 200),
)


class Wire:
    """Sends one message, as it is, and reads nothing."""

    def __init__(self, link: Link, data: bytes) -> None:
        self._out = [Send(BOB, data)]
        link.join(self, ALICE, deliver=lambda _data, _source, _now: None)

    def handle_timer(self, now: float) -> None:
        """Have no timer."""

    def next_timer(self) -> float | None:
        """Have no timer."""
        return None

    def sends(self) -> list[Send]:
        """Return the message once."""
        out, self._out = self._out, []
        return out


def ask(data: bytes) -> tuple[AgentEnd, list[tuple[Address, bytes]]]:
    """Send a message to Bob; return his telephone and what it has sent."""
    link = Link()
    bob = join(link, direct_account("bob"), BOB)
    Wire(link, data)
    link.run_for(0.1)
    return bob, [(passage.destination, passage.data) for passage in link.transcript if passage.source == BOB]


def test_every_message_of_both_standards_is_there() -> None:
    assert (len(RFC_4475), len(RFC_5118)) == (49, 12)
    named = [case.name for case in (*RFC_4475, *RFC_5118)]
    assert sorted(named) == sorted(path.stem for path in FOLDER.iterdir())


@pytest.mark.parametrize("case", [*RFC_4475, *RFC_5118], ids=lambda case: f"{case.section}-{case.name}")
def test_a_message_is_answered_as_the_standard_has_it(case: Case) -> None:
    bob, sent = ask((FOLDER / f"{case.name}.sip").read_bytes())
    assert len(bob.events(IncomingCall)) == (case.status == 180)
    if case.status == DROPPED:
        assert sent == []
        return
    # One answer, to where the message came from: the names in it are not asked for.
    ((destination, answer),) = sent
    assert destination.host == ALICE.host
    assert answer.startswith(b"SIP/2.0 %d " % case.status)
    assert case.has.encode() in answer
