"""What a far end does as often as it likes is told to people as often as a person could do it."""

import pytest

from custom_components.sip_ua.sip.dialog_call import TOLD_BURST, TOLD_RATE
from custom_components.sip_ua.sip.events import DigitReceived, TransferRefused

from .agents import BOB
from .responder import SDP
from .test_reliable import Called

FLOOD = 300
PAUSE = 0.02
"""Seconds between two requests, so that none overtakes another."""


@pytest.fixture(name="called")
def called_fixture() -> Called:
    """Return Bob in a call, whose far end has sent two requests."""
    called = Called()
    called.send("INVITE", 1, body=SDP.format(port=4000))
    called.bob.command("answer", called.bob.incoming.id, called.bob.media)
    called.link.run_for(0.1)
    called.send("ACK", 1, to_tag=called.tag("200"))
    return called


def test_a_flood_of_transfers_is_declined_and_told_in_part(called: Called) -> None:
    began, tag = called.link.now, called.tag("200")
    for number in range(FLOOD):
        called.send("REFER", 2 + number, "Refer-To: <sip:4711@alice.example>", to_tag=tag, wait=PAUSE)
    assert len(called.link.sent("603", BOB)) == FLOOD
    told = called.bob.events(TransferRefused)
    assert TOLD_BURST <= len(told) <= TOLD_BURST + TOLD_RATE * (called.link.now - began) + 1 < FLOOD


def test_a_flood_of_keys_is_refused_for_the_moment_and_the_next_key_is_heard(called: Called) -> None:
    began, tag = called.link.now, called.tag("200")
    called.content_type = "application/dtmf-relay"
    for number in range(FLOOD):
        called.send("INFO", 2 + number, body="Signal=1\r\nDuration=100\r\n", to_tag=tag, wait=PAUSE)
    told, refused = called.bob.events(DigitReceived), called.link.sent("503", BOB)
    assert len(told) + len(refused) == FLOOD
    assert TOLD_BURST <= len(told) <= TOLD_BURST + TOLD_RATE * (called.link.now - began) + 1 < FLOOD
    assert b"Retry-After: 1\r\n" in refused[0].data
    called.link.run_for(1)
    called.send("INFO", 2 + FLOOD, body="Signal=5\r\nDuration=100\r\n", to_tag=tag)
    assert called.bob.events(DigitReceived)[-1].digit == "5"
