"""SIPp calls at a steady rate, as `scripts/benchmark/load.py` does, but briefly: every call is answered and ends."""

from pathlib import Path

import pytest

from custom_components.sip_ua.sip.events import CallOutcome

from .load import answering_phone, load
from .peers import until

pytestmark = [pytest.mark.interop, pytest.mark.peer("sipp")]

RATE, SECONDS = 50, 2
CALLS = RATE * SECONDS


async def test_every_call_of_a_steady_load_is_answered_and_ends(tmp_path: Path) -> None:
    async with answering_phone() as ours:
        done = await load(ours.address, tmp_path, rate=RATE, calls=CALLS)
        await until(lambda: ours.heard == CALLS, "the figures of every voice")
        assert not ours.phone.calls
    assert done.good, done.result
    assert ours.rang == CALLS
    assert ours.outcomes == {CallOutcome.ANSWERED: CALLS}
    assert {name: len(times) for name, times in done.times.items()} == {"answer": CALLS, "hangup": CALLS}
    assert done.watch.resident
    assert done.watch.cpu > 0
