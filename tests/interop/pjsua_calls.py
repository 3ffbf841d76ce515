"""Connected calls with a pjsua, begun by either side."""

from custom_components.sip_ua.sip.events import CallState, IncomingCall

from .agent import Agent
from .peers import Pjsua


async def connect(ours: Agent, theirs: Pjsua) -> str:
    """Call a pjsua that answers by itself and return the call's id."""
    before = theirs.count_state("CONFIRMED")
    call_id = await ours.phone.dial(theirs.uri)
    await ours.until_state(call_id, CallState.TALKING)
    await theirs.until_state("CONFIRMED", times=before + 1)
    return call_id


async def be_called(ours: Agent, theirs: Pjsua) -> str:
    """Let pjsua call us, answer, and return the call's id."""
    before, calls = theirs.count_state("CONFIRMED"), len(ours.told(IncomingCall))
    await theirs.dial(f"sip:ha@{ours.address}")
    call_id = (await ours.until_incoming(calls)).call.id
    await ours.phone.answer(call_id)
    await theirs.until_state("CONFIRMED", times=before + 1)
    await ours.until_state(call_id, CallState.TALKING)
    return call_id
