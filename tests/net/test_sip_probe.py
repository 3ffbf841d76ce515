"""Whether somebody speaks SIP is found out without a login."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import override
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net import sip_probe
from custom_components.sip_ua.net.sip_probe import speaks_sip
from custom_components.sip_ua.sip.message import Request, parse_message

type Answer = Callable[[Request], bytes]


class Peer(asyncio.DatagramProtocol):
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self, answer: Answer, deaf: int) -> None:
        self.asked: list[Request] = []
        self.answer = answer
        self.deaf = deaf

    @override
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse_message(data)
        assert isinstance(request, Request)
        self.asked.append(request)
        if len(self.asked) > self.deaf:
            self.transport.sendto(self.answer(request), addr)


@asynccontextmanager
async def peer(answer: Answer, *, deaf: int = 0, host: str = "127.0.0.1") -> AsyncGenerator[tuple[Peer, int]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Peer(answer, deaf), local_addr=(host, 0)
    )
    yield protocol, transport.get_extra_info("sockname")[1]
    transport.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_probe, "SENT_AFTER", (0.0, 0.02, 0.02))
    monkeypatch.setattr(sip_probe, "PATIENCE", 0.05)


def with_status(status: int) -> Answer:
    return lambda request: request.create_response(status, to_tag="there").to_bytes()


@pytest.mark.parametrize("status", [200, 401, 404])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_any_answer_is_one(status: int, host: str) -> None:
    async with peer(with_status(status), host=host) as (there, port):
        assert await speaks_sip(host, port)
    (asked,) = there.asked
    assert asked.method == "OPTIONS"
    assert "Authorization" not in asked.headers


async def test_a_lost_request_is_sent_again() -> None:
    async with peer(with_status(200), deaf=2) as (there, port):
        assert await speaks_sip("127.0.0.1", port)
    assert len(there.asked) == 3
    assert {request.call_id for request in there.asked} == {there.asked[0].call_id}


@pytest.mark.parametrize(
    "answer",
    [
        lambda _request: b"HTTP/1.1 400 Bad Request\r\n\r\n",
        lambda request: request.create_response(200).to_bytes().replace(request.call_id.encode(), b"another"),
        lambda request: request.to_bytes(),
    ],
)
async def test_what_is_no_answer_to_the_question_does_not_count(answer: Answer) -> None:
    async with peer(answer) as (there, port):
        assert not await speaks_sip("127.0.0.1", port)
    assert len(there.asked) == 3


async def test_nobody_there_is_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert not await speaks_sip("127.0.0.1", port)


async def test_an_address_that_cannot_be_sent_to_is_nobody() -> None:
    with patch.object(asyncio.get_running_loop(), "create_datagram_endpoint", side_effect=OSError):
        assert not await speaks_sip("127.0.0.1")
