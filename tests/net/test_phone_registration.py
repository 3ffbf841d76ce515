"""A telephone finds its registrar again: at another address of its name, and after the machine has slept."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import override

import pytest

from custom_components.sip_ua.net import dns, network_watch
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import Phone
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.sip.account import Account, NetworkSettings, ServerAddress, Timing
from custom_components.sip_ua.sip.events import RegistrationState
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.uri import SipUri
from tests.interop.peers import free_ports

from .name_server import A, NameServer
from .transport_support import HOME, eventually

MOVED = "127.0.0.2"


class Registrar(asyncio.DatagramProtocol):
    """Grants an hour to everybody, and counts."""

    def __init__(self) -> None:
        self.registered = 0
        self.heard: list[bytes] = []
        self.transport: asyncio.DatagramTransport | None = None

    async def start(self, host: str, port: int = 0) -> int:
        """Listen; return the port."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        found: int = self.transport.get_extra_info("sockname")[1]
        return found

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        request = parse_message(data)
        assert isinstance(request, Request)
        assert self.transport is not None
        self.registered += request.method == "REGISTER" and request.expires != 0
        response = request.create_response(200, to_tag="registrar")
        response.headers.add("Expires", "3600")
        self.transport.sendto(response.to_bytes(), addr)


@pytest.fixture
async def registrars() -> AsyncIterator[tuple[Registrar, Registrar]]:
    """Give two registrars, of which the second is made to listen by the test."""
    made = Registrar(), Registrar()
    yield made
    for registrar in made:
        if registrar.transport is not None:
            registrar.transport.close()


async def test_a_registrar_whose_name_got_another_address_is_followed_when_the_answer_is_old(
    engine: MediaEngine, registrars: tuple[Registrar, Registrar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "SHORTEST_TTL", 0.5)
    names = NameServer(ttl=0)
    names.host("pbx.example.com", HOME)
    resolver = Resolver(nameservers=[await names.start()])
    first, second = registrars
    port = await first.start(HOME)
    await second.start(MOVED, port)
    account = Account(
        number="12",
        domain="example.com",
        server=ServerAddress("pbx.example.com", port),
        timing=Timing(keep_alive=1),
        network=NetworkSettings(bind_address=HOME),
    )
    phone = Phone(account, engine, lambda _event: None, resolver=resolver)
    await phone.start()
    try:
        await eventually(lambda: first.registered)
        del names.records[("pbx.example.com", A)]
        names.host("pbx.example.com", MOVED)
        await eventually(lambda: second.registered)
        await eventually(lambda: phone.registration.detail.startswith(MOVED))
    finally:
        await phone.stop()
        await resolver.close()
        names.stop()


async def test_a_telephone_whose_machine_slept_registers_at_once(
    engine: MediaEngine, registrars: tuple[Registrar, Registrar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_watch, "LOOK_INTERVAL", 0.05)
    registrar, _ = registrars
    account = Account(
        number="12",
        domain="example.com",
        server=ServerAddress(HOME, await registrar.start(HOME)),
        timing=Timing(keep_alive=0),
        network=NetworkSettings(bind_address=HOME),
    )
    phone = Phone(account, engine, lambda _event: None)
    await phone.start()
    try:
        await eventually(lambda: registrar.registered)
        await asyncio.sleep(0.2)
        assert registrar.registered == 1
        read = time.clock_gettime
        slept = {time.CLOCK_BOOTTIME: 3600.0}
        monkeypatch.setattr(time, "clock_gettime", lambda clock: read(clock) + slept.get(clock, 0.0))
        await eventually(lambda: registrar.registered == 2)
        await asyncio.sleep(0.2)
        assert registrar.registered == 2
    finally:
        await phone.stop()


async def test_a_telephone_that_listens_at_every_address_registers_the_one_that_it_is_reached_at(
    engine: MediaEngine, registrars: tuple[Registrar, Registrar]
) -> None:
    registrar, _ = registrars
    port = free_ports()
    account = Account(
        number="12",
        domain="example.com",
        server=ServerAddress(HOME, await registrar.start(HOME)),
        network=NetworkSettings(local_port=port),
    )
    phone = Phone(account, engine, lambda _event: None)
    await phone.start()
    await eventually(lambda: phone.registration.state is RegistrationState.REGISTERED)
    await phone.stop()
    assert len(registrar.heard) >= 2, "it goes with a REGISTER too"
    for data in registrar.heard:
        message = parse_message(data)
        assert (message.via.host, message.via.port) == (HOME, port)
        (contact,) = message.contacts
        assert isinstance(contact.uri, SipUri)
        assert (contact.uri.host, contact.uri.port) == (HOME, port)
        assert b"0.0.0.0" not in data
