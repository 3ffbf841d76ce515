"""What the tests of the runtime share."""

from collections.abc import AsyncIterator

import pytest

from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.transport import Transports
from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.address import HostPort

from .media_support import Listener, Pair, open_stream
from .transport_support import ACCOUNT, Inbox, Open, Side, StunServer


@pytest.fixture
async def engine() -> AsyncIterator[MediaEngine]:
    """Give a media engine that is stopped after the test."""
    made = MediaEngine()
    yield made
    await made.stop()


@pytest.fixture
async def pair(engine: MediaEngine) -> Pair:
    """Give two streams that are yet to be connected to each other."""
    heard, there = Listener(), Listener()
    return Pair(await open_stream(engine, heard), await open_stream(engine, there), heard, there)


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    """Give a resolver whose name server is nobody."""
    resolver = Resolver(nameservers=["127.0.0.1:9"])
    yield resolver
    await resolver.close()


@pytest.fixture
async def open_side(resolver: Resolver) -> AsyncIterator[Open]:
    """Give a function that starts the transports of an account, which are closed after the test."""
    sides: list[Side] = []

    async def open_one(account: Account = ACCOUNT) -> Side:
        inbox = Inbox()
        side = Side(Transports(account, resolver, inbox.handlers), inbox)
        await side.transports.start()
        sides.append(side)
        return side

    yield open_one
    for side in sides:
        await side.transports.close()


@pytest.fixture
async def stun_server() -> AsyncIterator[StunServer]:
    """Give a STUN server that answers."""
    server = StunServer(HostPort("127.0.0.9", 4444))
    server.address = await server.start()
    yield server
    assert server.transport is not None
    server.transport.close()
