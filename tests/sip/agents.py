"""A user agent on the fake link, and the two ends of a call between two of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from custom_components.sip_ua.sip.account import Account, NatMode, NetworkSettings, Timing, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.events import (
    CallEnded,
    CallSnapshot,
    CallStep,
    Event,
    IncomingCall,
    MediaChanged,
    RegistrationFailure,
)
from custom_components.sip_ua.sip.offer_answer import CODECS, LocalMedia, NegotiatedMedia

from .link import Link

ALICE = Address(Transport.UDP, "192.0.2.1", 5060)
BOB = Address(Transport.UDP, "192.0.2.2", 5060)

type OnEvent = Callable[[AgentEnd, Event, float], None]


def entropy(seed: int) -> Callable[[int], bytes]:
    """Return a source of bytes that is the same each time."""
    return Random(seed).randbytes


def direct_account(number: str, **changes: object) -> Account:
    """Return an account without a server."""
    fields: dict[str, object] = {
        "number": number,
        "domain": f"{number}.example",
        "timing": Timing(),
        "network": NetworkSettings(nat=NatMode.AUTOMATIC),
    }
    return Account(**(fields | changes))  # type: ignore[arg-type]


@dataclass
class AgentEnd:
    """One user agent, its address, and all that it told."""

    agent: UserAgent
    address: Address
    link: Link
    names: dict[str, list[Address]] = field(default_factory=dict)
    on_event: OnEvent | None = None
    told: list[Event] = field(default_factory=list)
    codecs: tuple[str, ...] = ("PCMA", "PCMU")

    @property
    def media(self) -> LocalMedia:
        """Return where the voice of this end is taken."""
        return LocalMedia(self.address.host, 40000, tuple(CODECS[name] for name in self.codecs))

    def deliver(self, data: bytes, source: Address, now: float) -> None:
        """Take a message from the link."""
        self.agent.receive(data, Hop(source, HostPort(self.address.host, self.address.port)), now)

    def react(self, now: float) -> None:
        """Answer lookups and deal with events."""
        while True:
            lookups = self.agent.lookups()
            events = self.agent.events()
            if not lookups and not events:
                return
            for lookup in lookups:
                transport = lookup.transport or Transport.UDP
                named = self.names.get(lookup.host)
                if named is None and not lookup.host[0].isdigit():
                    failure = RegistrationFailure.NAME_NOT_FOUND
                    self.agent.lookup_failed(lookup.token, failure, f"{lookup.host}: not found", now)
                    continue
                found = named or [Address(transport, lookup.host, lookup.port or 5060)]
                local = HostPort(self.address.host, self.address.port)
                self.agent.looked_up(lookup.token, [Hop(address, local) for address in found], now)
            for event in events:
                self.told.append(event)
                if self.on_event is not None:
                    self.on_event(self, event, now)

    # Commands at the link's present time

    def dial(self, target: str, **options: Any) -> str:
        """Place a call."""
        call_id = self.agent.dial(target, self.media, self.link.now, **options)
        self.react(self.link.now)
        return call_id

    def command(self, name: str, *arguments: object) -> None:
        """Give the agent a command by its name."""
        getattr(self.agent, name)(*arguments, self.link.now)
        self.react(self.link.now)

    # What was told

    def events[T: Event](self, kind: type[T]) -> list[T]:
        """Return the events of one kind."""
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def incoming(self) -> CallSnapshot:
        """Return the only call that came in."""
        (event,) = self.events(IncomingCall)
        return event.call

    @property
    def ended(self) -> CallSnapshot:
        """Return the only call that ended."""
        (event,) = self.events(CallEnded)
        return event.call

    @property
    def voice(self) -> NegotiatedMedia | None:
        """Return the voice as last agreed."""
        changes = self.events(MediaChanged)
        return changes[-1].media if changes else None

    @property
    def ladder(self) -> list[str]:
        """Return the steps of the call progression: `>` sent, `<` received."""
        return [f"{'>' if step.sent else '<'}{step.step}" for step in self.events(CallStep)]


def join(link: Link, account: Account, address: Address, seed: int = 1, on_event: OnEvent | None = None) -> AgentEnd:
    """Put a user agent on the link."""
    agent = UserAgent(account, entropy=entropy(seed))
    end = AgentEnd(agent, address, link, on_event=on_event)
    link.join(agent, address, deliver=end.deliver, react=end.react)
    return end
