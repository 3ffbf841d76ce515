"""A call whose encrypted voice has counted round once, and in which we then take another key."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.net import stream
from custom_components.sip_ua.sip.events import CallState
from custom_components.sip_ua.sip.key_rules import KeyRules, LocalKeys

from .agent import Agent

LATE_SEQUENCE = 65_480
ROUND = 120
"""Packets after which the sequence that began so late has wrapped."""


def begin_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our sources begin at the end of the sequence; one that takes the place of another begins as usual."""
    monkeypatch.setattr(stream, "first_sequence", lambda _entropy: LATE_SEQUENCE)


async def change_keys(ours: Agent, call_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold and resume a call with new keys each time, as if we had moved."""
    await ours.until_packets(call_id, sent=ROUND)
    offer = LocalKeys.offer

    def offer_anew(keys: LocalKeys, rules: KeyRules, place: tuple[str, int]) -> LocalKeys:
        return offer(replace(keys, place=None), rules, place)

    monkeypatch.setattr(LocalKeys, "offer", offer_anew)
    await ours.phone.hold(call_id)
    await ours.until_state(call_id, CallState.HELD)
    await ours.phone.resume(call_id)
    await ours.until_state(call_id, CallState.TALKING)
