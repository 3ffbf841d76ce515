"""Whose name a certificate must bear: a far end's word never counts at a server of ours (RFC 5922 section 7.3)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.x509 import DNSName

from custom_components.sip_ua.net.connections import Admission
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.transport import TransportHandlers, Transports
from custom_components.sip_ua.sip.account import Account, Transport
from custom_components.sip_ua.sip.address import Address, Hop, Lookup
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.core import Failure
from custom_components.sip_ua.sip.events import RegistrationFailure

from .certificates import CertificateAuthority
from .name_server import NameServer
from .test_tls import ACCOUNT, HOME, MESSAGE, REPLY, Outcome, Server, trusting

OURS, THEIRS, EDGE = "pbx.example.com", "evil.example", "edge.example.com"


@pytest.fixture(name="authority")
def authority_fixture(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture(name="names")
async def names_fixture() -> AsyncIterator[Resolver]:
    """Give a resolver that finds all of them at one address."""
    server = NameServer()
    resolver = Resolver(nameservers=[await server.start()])
    for name in (OURS, THEIRS, EDGE):
        server.host(name, HOME)
    yield resolver
    await resolver.close()
    server.stop()


@dataclass
class Line:
    """The transports of an account, and what became of each message."""

    transports: Transports
    told: asyncio.Queue[Outcome] = field(default_factory=asyncio.Queue)

    async def find(self, host: str, port: int, *, ours: bool = False) -> Address:
        (hop,) = await self.transports.locate(Lookup(1, host, port, Transport.TLS, ours=ours))
        return hop.remote

    async def say(self, address: Address) -> bytes | RegistrationFailure:
        self.transports.send(address, MESSAGE)
        outcome = await asyncio.wait_for(self.told.get(), 5)
        return outcome if isinstance(outcome, bytes) else outcome[0]


@asynccontextmanager
async def line(resolver: Resolver, authority: CertificateAuthority) -> AsyncIterator[Line]:
    told: asyncio.Queue[Outcome] = asyncio.Queue()

    def message(data: bytes, _hop: Hop, _now: float, _waited: float | None) -> None:
        told.put_nowait(data)

    def failed(_address: Address, failure: Failure) -> None:
        told.put_nowait((failure.kind, failure.text))

    def nobody(_host: str) -> bool:
        return False

    handlers = TransportHandlers(message, failed, lambda: None, Admission(nobody, nobody))
    transports = Transports(replace(ACCOUNT, tls=trusting(authority)), resolver, handlers)
    await transports.start()
    try:
        yield Line(transports, told)
    finally:
        await transports.close()


@pytest.mark.parametrize(("holder", "outcome"), [(OURS, REPLY), (THEIRS, RegistrationFailure.CERTIFICATE_NAME)])
async def test_a_name_of_a_far_end_does_not_take_the_place_of_our_servers(
    names: Resolver, authority: CertificateAuthority, holder: str, outcome: object
) -> None:
    async with Server().running(authority.context(DNSName(holder))) as server, line(names, authority) as ours:
        address = await ours.find(OURS, server.port, ours=True)
        assert await ours.find(THEIRS, server.port) == address
        assert await ours.say(address) == outcome
        assert server.asked_for == [OURS]


async def test_what_was_believed_to_be_a_far_end_must_show_that_it_is_our_server(
    names: Resolver, authority: CertificateAuthority
) -> None:
    async with Server().running(authority.context(DNSName(THEIRS))) as server, line(names, authority) as ours:
        address = await ours.find(THEIRS, server.port)
        assert await ours.say(address) == REPLY
        assert await ours.find(OURS, server.port, ours=True) == address
        assert await ours.say(address) == RegistrationFailure.CERTIFICATE_NAME
        assert server.asked_for == [THEIRS, OURS]


async def test_another_port_at_the_address_of_our_server_is_no_way_around_its_name(
    names: Resolver, authority: CertificateAuthority
) -> None:
    """What comes from that address by TLS counts as the server's, whatever the port."""
    async with (
        Server().running(authority.context(DNSName(OURS))) as server,
        Server().running(authority.context(DNSName(THEIRS))) as other,
        line(names, authority) as ours,
    ):
        early = await ours.find(THEIRS, other.port)
        assert await ours.say(early) == REPLY
        address = await ours.find(OURS, server.port, ours=True)
        assert await ours.say(address) == REPLY
        assert await ours.say(early) == RegistrationFailure.CERTIFICATE_NAME


async def test_each_name_of_our_servers_is_as_good_as_the_others_and_makes_no_new_connection(
    names: Resolver, authority: CertificateAuthority
) -> None:
    async with Server().running(authority.context(DNSName(OURS))) as server, line(names, authority) as ours:
        address = await ours.find(OURS, server.port, ours=True)
        assert await ours.say(address) == REPLY
        for host in (EDGE, OURS, HOME):
            assert await ours.find(host, server.port, ours=True) == address
        for host in (THEIRS, HOME, THEIRS):
            assert await ours.find(host, server.port) == address
        ours.transports.send(address, MESSAGE)
        assert server.asked_for == [OURS]


async def test_a_far_end_is_checked_for_the_name_that_led_to_it_last(
    names: Resolver, authority: CertificateAuthority
) -> None:
    async with Server().running(authority.context(DNSName(EDGE))) as server, line(names, authority) as ours:
        address = await ours.find(EDGE, server.port)
        assert await ours.say(address) == REPLY
        await ours.find(THEIRS, server.port)
        assert await ours.say(address) == RegistrationFailure.CERTIFICATE_NAME


async def test_far_ends_without_number_do_not_make_us_forget_our_server(
    names: Resolver, authority: CertificateAuthority
) -> None:
    async with Server().running(authority.context(DNSName(OURS))) as server, line(names, authority) as ours:
        address = await ours.find(OURS, server.port, ours=True)
        for number in range(600):
            far_end = f"127.{number // 250 + 1}.{number % 250}.1"
            assert ours.transports.locate_numeric(Lookup(1, far_end, 5061, Transport.TLS))
        assert await ours.say(address) == REPLY
        assert server.asked_for == [OURS]


@pytest.mark.parametrize("registers", [True, False])
def test_only_the_accounts_own_servers_are_looked_up_as_such(registers: bool) -> None:
    account: Account = replace(ACCOUNT, server=ACCOUNT.server if registers else None)
    agent = UserAgent(account, entropy=bytes)
    agent.register(0)
    assert [lookup.ours for lookup in agent.lookups()] == [True] * registers
    assert agent.first_hop("sip:bob@evil.example").ours is registers
