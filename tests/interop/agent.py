"""Our own telephone as the peers meet it: the phone of the net room with its events kept in order."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Self

from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import Phone, PhoneEvent
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.sip.account import (
    Account,
    DtmfMethod,
    NetworkSettings,
    ReferPolicy,
    ReliableProvisional,
    ServerAddress,
    Timing,
    Transport,
)
from custom_components.sip_ua.sip.events import (
    CallEnded,
    CallSnapshot,
    CallState,
    CallStateChanged,
    DigitReceived,
    IncomingCall,
    RegistrationChanged,
    RegistrationState,
)
from custom_components.sip_ua.sip.transaction import Timers

from .peers import LOOPBACK, REALM, Asterisk, Kamailio, PeerError, free_ports, until
from .peers.process import PATIENCE_SECONDS, POLL_SECONDS

RTP_PORTS = 8
EVENTS_SHOWN = 25


def network(local_port: int = 0, address: str = LOOPBACK) -> NetworkSettings:
    """Return settings that keep to loopback and to RTP ports that are free at this moment."""
    first = free_ports(RTP_PORTS, step=2)
    return NetworkSettings(
        local_port=local_port, bind_address=address, rtp_port_min=first, rtp_port_max=first + RTP_PORTS - 1
    )


def account_at(
    registrar: Asterisk | Kamailio,
    user: str = "ha",
    *,
    password: str | None = None,
    transport: Transport = Transport.UDP,
    timing: Timing | None = None,
    codecs: tuple[str, ...] = ("PCMA", "PCMU"),
    dtmf: DtmfMethod = DtmfMethod.AUTO,
) -> Account:
    """Return the settings of `user` at `registrar`, whose identity is in a domain that no DNS knows."""
    return Account(
        number=user,
        domain=REALM,
        password=registrar.users[user] if password is None else password,
        server=ServerAddress(LOOPBACK, registrar.port),
        transport=transport,
        timing=timing or Timing(),
        codecs=codecs,
        dtmf=dtmf,
        network=network(),
    )


def direct_account(
    timing: Timing | None = None,
    *,
    address: str = LOOPBACK,
    transport: Transport = Transport.UDP,
    codecs: tuple[str, ...] = ("PCMA", "PCMU"),
    reliable_provisional: ReliableProvisional = ReliableProvisional.SUPPORTED,
    refer_policy: ReferPolicy = ReferPolicy.OFF,
) -> Account:
    """Return the settings of a telephone that calls and is called without any server."""
    return Account(
        number="ha",
        domain=address,
        transport=transport,
        allow_direct_calls=True,
        timing=timing or Timing(),
        codecs=codecs,
        reliable_provisional=reliable_provisional,
        refer_policy=refer_policy,
        network=network(free_ports(), address),
    )


class Agent:
    """A phone, its media engine, and everything that the phone has told.

    `on_incoming`, if set, is called with each call that rings, in the iteration of the loop in which it does.
    """

    def __init__(
        self,
        account: Account,
        *,
        on_incoming: Callable[[IncomingCall], None] | None = None,
        timers: Timers | None = None,
        resolver: Resolver | None = None,
        media: MediaEngine | None = None,
    ) -> None:
        """Make the phone; nothing runs before `async with`."""
        self.account = account
        self.events: list[PhoneEvent] = []
        self.media = media or MediaEngine()
        self.on_incoming = on_incoming
        self.phone = Phone(account, self.media, self._hear, timers=timers, resolver=resolver)

    @property
    def address(self) -> str:
        """Return `host:port` for direct calls."""
        host = self.account.network.bind_address
        return f"{f'[{host}]' if ':' in host else host}:{self.account.network.local_port}"

    def _hear(self, event: PhoneEvent) -> None:
        self.events.append(event)
        if self.on_incoming is not None and isinstance(event, IncomingCall):
            self.on_incoming(event)

    async def __aenter__(self) -> Self:
        """Start the phone; it registers by itself."""
        await self.media.start()
        await self.phone.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the phone: calls end, the registration too."""
        await self.phone.stop()
        await self.media.stop()

    async def until[Value](self, condition: Callable[[], Value], what: str) -> Value:
        """Wait for a condition; on failure the last events tell what happened instead."""
        try:
            return await until(condition, what)
        except PeerError as error:
            events = "".join(f"\n  {event}" for event in self.events[-EVENTS_SHOWN:])
            raise PeerError(f"{error}\nthe last events of our phone:{events}") from None

    def told[Told: PhoneEvent](self, kind: type[Told]) -> list[Told]:
        """Return the events of one kind, in their order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def registrations(self) -> list[RegistrationChanged]:
        """Return every change and renewal of the registration."""
        return self.told(RegistrationChanged)

    async def until_registration(self, state: RegistrationState) -> RegistrationChanged:
        """Wait until the registration is in a state and return it."""
        await self.until(lambda: self.phone.registration.state is state, f"the registration is {state}")
        return self.phone.registration

    async def until_registered(self) -> RegistrationChanged:
        """Wait for the registration."""
        return await self.until_registration(RegistrationState.REGISTERED)

    def call(self, call_id: str) -> CallSnapshot | None:
        """Return what was told last about a call, also after its end."""
        for event in reversed(self.events):
            if isinstance(event, CallStateChanged | CallEnded | IncomingCall) and event.call.id == call_id:
                return event.call
        return None

    async def until_state(self, call_id: str, state: CallState) -> CallSnapshot:
        """Wait until a call is in a state and return the call."""

        def reached() -> CallSnapshot | None:
            call = self.call(call_id)
            return call if call is not None and call.state is state else None

        found = await self.until(reached, f"the call is {state}")
        if found is None:
            raise PeerError(f"the call was never {state}")
        return found

    async def until_incoming(self, number: int = 0) -> IncomingCall:
        """Wait for the incoming call with this number, counted from 0."""
        await self.until(lambda: len(self.told(IncomingCall)) > number, "a call comes in")
        return self.told(IncomingCall)[number]

    async def until_ended(self, call_id: str) -> CallSnapshot:
        """Wait for the end of a call and return the call."""
        return await self.until_state(call_id, CallState.ENDED)

    async def until_packets(self, call_id: str, *, sent: int = 0, received: int = 0) -> None:
        """Wait until a call has sent and received so many more packets of voice."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            before = now = await self.phone.statistics(call_id)
            while (
                before is None
                or now is None
                or now.packets_sent < before.packets_sent + sent
                or now.packets_received < before.packets_received + received
            ):
                await asyncio.sleep(POLL_SECONDS)
                now = await self.phone.statistics(call_id)
                before = before or now

    @property
    def digits(self) -> str:
        """Return the DTMF digits received so far."""
        return "".join(event.digit for event in self.told(DigitReceived))

    def record(self, call_id: str, folder: Path) -> Path:
        """Record what the far end of a call says; return the path of the recording."""
        path = folder / f"recorded-{call_id}.wav"
        self.phone.record(call_id, path)
        return path
