"""A telephone and its registrar on the fake link."""

from dataclasses import replace

from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import RegistrationChanged, RegistrationState

from .agents import ALICE, AgentEnd, join
from .link import Faults, Link
from .registrar import NAME, SERVER, Registrar


def account(**changes: object) -> Account:
    """Return an account at the registrar."""
    made = Account(number="alice", domain=NAME, password="secret", server=ServerAddress(NAME))
    return replace(made, **changes)  # type: ignore[arg-type]


class Home:
    """Alice's telephone and its registrar."""

    def __init__(self, made: Account | None = None, faults: Faults | None = None, seed: int = 0) -> None:
        self.link = Link(seed=seed) if faults is None else Link(seed=seed, faults=faults)
        self.server = Registrar(self.link)
        self.alice: AgentEnd = join(self.link, made or account(), ALICE, seed=seed + 1)
        self.alice.names[NAME] = [SERVER]

    def start(self, seconds: float = 5) -> None:
        self.alice.command("register")
        self.link.run_for(seconds)

    def seconds_until_bound(self) -> float:
        """Let time pass until the registrar knows where Alice is, and return how long that took."""
        began = self.link.now
        self.link.run_until(lambda: bool(self.server.bindings), within=4000)
        return self.link.now - began

    @property
    def status(self) -> RegistrationChanged:
        return self.alice.agent.registration

    @property
    def state(self) -> RegistrationState:
        return self.status.state

    @property
    def states(self) -> list[RegistrationState]:
        return [event.state for event in self.alice.events(RegistrationChanged)]


SECOND = Address(Transport.UDP, "198.51.100.6", 5060, rank=1)


class Cluster(Home):
    """A registrar and another one that takes its place."""

    def __init__(self, second: Address = SECOND) -> None:
        super().__init__()
        self.second = Registrar(self.link, address=second)
        self.alice.names[NAME] = [SERVER, second]

    def fail_over(self) -> None:
        self.server.silent = True
        self.start(40)
        assert self.second.bindings
        assert self.state is RegistrationState.REGISTERED

    def register_sends(self, since: float) -> list[Address]:
        return [passage.destination for passage in self.link.sent("REGISTER") if passage.sent_at >= since]
