"""Calls between two telephones over real sockets and a bad network: all are set up and torn down, each once."""

import pytest

from custom_components.sip_ua.sip.events import CallOutcome
from custom_components.sip_ua.sip.transaction import Timers
from tests.sip.link import Faults

from .faulty_calls import faulty_calls

QUICK = Timers(t1=0.05, t2=0.4, t4=0.5, trying=0.02)
"""A tenth of the usual times, so that a delay of 30 ms stands for one of 300 ms."""
SHORT = (0.0, 0.002)
LONG = (0.03, 0.03)
CALLS = 10


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(loss=0.05, delay=SHORT), id="5 percent lost"),
        pytest.param(Faults(loss=0.1, delay=SHORT), id="10 percent lost"),
        pytest.param(Faults(loss=0.2, delay=SHORT), id="20 percent lost"),
        pytest.param(Faults(duplication=0.5, detour=0.03, delay=SHORT), id="doubled"),
        pytest.param(Faults(reordering=0.5, detour=0.03, delay=SHORT), id="reordered"),
        pytest.param(Faults(delay=LONG), id="delayed"),
        pytest.param(
            Faults(loss=0.2, duplication=0.2, reordering=0.3, detour=0.03, delay=LONG), id="everything at once"
        ),
    ],
)
async def test_every_call_is_set_up_and_torn_down_whatever_the_network_does(faults: Faults) -> None:
    report = await faulty_calls(faults, calls=CALLS, timers=QUICK, seed=3)
    assert report.callers == [CallOutcome.ANSWERED] * CALLS
    assert report.called == [CallOutcome.ANSWERED] * CALLS
    assert report.rang == CALLS, "a repeated INVITE is no other call"
    assert report.left == 0
    assert report.figures.sent >= CALLS * 6
    assert (report.figures.lost > 0) == (faults.loss > 0)
    assert (report.figures.doubled > 0) == (faults.duplication > 0)
