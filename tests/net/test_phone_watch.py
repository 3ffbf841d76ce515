"""The telephone watches a line over real sockets, and tells what it does."""

import asyncio
from collections.abc import AsyncIterator
from typing import override

import pytest

from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import Phone, PhoneEvent
from custom_components.sip_ua.sip.account import Account, NatMode, NetworkSettings
from custom_components.sip_ua.sip.dialog import Dialog
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import WatchedState, WatchedStateChanged
from custom_components.sip_ua.sip.headers import Via
from custom_components.sip_ua.sip.message import Request, parse_message
from custom_components.sip_ua.sip.params import Params

LOOPBACK = "127.0.0.1"
BODY = (
    b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:door@127.0.0.1">'
    b'<dialog id="a" direction="recipient"><state>early</state></dialog></dialog-info>'
)


class Door(asyncio.DatagramProtocol):
    """Grants every subscription, and tells once that it rings."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.left = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    @property
    def port(self) -> int:
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if not isinstance(message, Request):
            return
        self.asked.append(message)
        if message.expires == 0:
            self.left.set()
        assert self._transport is not None
        response = message.create_response(200, to_tag="door")
        response.headers.add("Contact", f"<sip:door@{LOOPBACK}:{self.port}>")
        response.headers.add("Expires", str(message.expires))
        self._transport.sendto(response.to_bytes(), addr)
        notify = Dialog.called(message, response).create_request(
            "NOTIFY",
            via=Via("UDP", LOOPBACK, self.port, Params({"branch": f"z9hG4bK{len(self.asked)}"})),
            cseq=len(self.asked),
        )
        notify.headers.add("Event", "dialog")
        notify.headers.add("Subscription-State", "active" if message.expires else "terminated;reason=timeout")
        notify.headers.add("Content-Type", "application/dialog-info+xml")
        notify.body = BODY
        self._transport.sendto(notify.to_bytes(), addr)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """Give a door station on a free port."""
    _, made = await asyncio.get_running_loop().create_datagram_endpoint(Door, (LOOPBACK, 0))
    yield made
    made.close()


async def test_a_telephone_watches_a_line_from_its_start_to_its_end(engine: MediaEngine, door: Door) -> None:
    told: list[PhoneEvent] = []
    rings = asyncio.Event()

    def listen(event: PhoneEvent) -> None:
        told.append(event)
        rings.set()

    network = NetworkSettings(bind_address=LOOPBACK, nat=NatMode.NONE)
    account = Account(number="ha", domain=LOOPBACK, network=network)
    phone = Phone(account, engine, listen)
    target = f"sip:door@{LOOPBACK}:{door.port}"
    watch_id = phone.watch(target)
    assert phone.watched == {watch_id: WatchedState.UNKNOWN}
    await phone.start()
    try:
        async with asyncio.timeout(5):
            await rings.wait()
        (event,) = told
        assert isinstance(event, WatchedStateChanged)
        assert (event.id, event.uri, event.state) == (watch_id, target, WatchedState.RINGING)
        assert phone.watched == {watch_id: WatchedState.RINGING}
        assert phone.messages is None
        with pytest.raises(LocalProtocolError):
            phone.unwatch("none")
    finally:
        await phone.stop()
    assert [request.expires for request in door.asked] == [3600, 0]


async def test_a_telephone_that_watches_no_more_unsubscribes_at_once(engine: MediaEngine, door: Door) -> None:
    rings = asyncio.Event()
    network = NetworkSettings(bind_address=LOOPBACK, nat=NatMode.NONE)
    phone = Phone(Account(number="ha", domain=LOOPBACK, network=network), engine, lambda _event: rings.set())
    await phone.start()
    try:
        watch_id = phone.watch(f"sip:door@{LOOPBACK}:{door.port}")
        async with asyncio.timeout(5):
            await rings.wait()
            phone.unwatch(watch_id)
            await door.left.wait()
    finally:
        await phone.stop()
    assert door.asked[1].expires == 0
    assert phone.watched == {}
