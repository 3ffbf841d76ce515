"""Three user agents on one link: Alice transfers, Bob is transferred, Carol is called."""

from typing import Any

from custom_components.sip_ua.sip.account import ReferPolicy, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import (
    Event,
    IncomingCall,
    TransferProgress,
    TransferRequested,
    TransferState,
)

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Faults, Link

CAROL = Address(Transport.UDP, "192.0.2.3", 5060)
BOB_URI = f"sip:bob@{BOB.host}"
CAROL_URI = f"sip:carol@{CAROL.host}"


def answering(end: AgentEnd, event: Event, now: float) -> None:
    """Answer and follow at once."""
    if isinstance(event, IncomingCall):
        end.agent.answer(event.call.id, end.media, now)
    following(end, event, now)


def answering_later(end: AgentEnd, event: Event, now: float) -> None:
    """Let it ring for a second."""
    if isinstance(event, IncomingCall):
        end.link.after(1.0, lambda later: end.agent.answer(event.call.id, end.media, later))


def following(end: AgentEnd, event: Event, now: float) -> None:
    """Follow a transfer at once."""
    if isinstance(event, TransferRequested):
        end.agent.follow_transfer(event.transfer_id, end.media, now)


class Trio:
    """Alice, Bob and Carol."""

    def __init__(self, *, seed: int = 0, policy: ReferPolicy = ReferPolicy.ANYWHERE, **options: Any) -> None:
        faults = Faults(**{key: options.pop(key) for key in tuple(options) if key in Faults.__slots__})
        self.link = Link(seed=seed, faults=faults)
        self.alice = join(self.link, direct_account("alice"), ALICE, 3 * seed + 1)
        self.bob = join(self.link, direct_account("bob", refer_policy=policy, **options), BOB, 3 * seed + 2, answering)
        self.carol = join(self.link, direct_account("carol"), CAROL, 3 * seed + 3, answering)

    def talk(self, target: str = BOB_URI) -> str:
        """Let Alice talk to somebody."""
        before = self.alice.ladder.count(">ack")
        call_id = self.alice.dial(target)
        self.link.run_until(lambda: self.alice.ladder.count(">ack") > before, within=60)
        self.link.run_for(2)
        return call_id

    @property
    def states(self) -> list[TransferState]:
        """Return what Alice was told of the transfer."""
        return [event.state for event in self.alice.events(TransferProgress)]

    def talking(self, end: AgentEnd) -> list[str]:
        """Return whom an end is in a call with."""
        return [call.remote.uri for call in end.agent.calls.values()]

    def settle(self) -> None:
        """Hang up, let every timer run out, and see that nothing is left."""
        for end in (self.bob, self.carol, self.alice):
            for call_id in tuple(end.agent.calls):
                end.command("hangup", call_id)
        self.link.run_until_quiet()
        for end in (self.alice, self.bob, self.carol):
            assert not end.agent.calls
            assert end.agent.idle
