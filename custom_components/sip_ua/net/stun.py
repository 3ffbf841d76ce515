"""The address that others see one of our UDP sockets at (RFC 8489 sections 6.2.1 and 12)."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final

from ..sip.address import HostPort
from ..sip.stun_message import (
    MAX_STUN_MESSAGE,
    TRANSACTION_ID_LENGTH,
    StunError,
    binding_request,
    parse_binding_response,
    transaction_id,
)

DEFAULT_PORT: Final = 3478
INITIAL_TIMEOUT: Final = 0.5
ATTEMPTS: Final = 5
"""Requests at 0, 0.5, 1.5, 3.5 and 7.5 s; a home's patience ends before the 39.5 s of the RFC."""


class StunClient:
    """Binding transactions over a socket that belongs to somebody else; any number of them at a time."""

    def __init__(self, send: Callable[[bytes, str, int], None]) -> None:
        """Send by `send(data, host, port)`; answers are to be given to `receive`."""
        self._send = send
        self._waiting: dict[bytes, tuple[HostPort, asyncio.Future[HostPort]]] = {}

    def receive(self, data: bytes, host: str, port: int) -> None:
        """Take in a STUN message; one that answers nothing, or comes from elsewhere, is ignored."""
        transaction = transaction_id(data)
        server, answer = self._waiting.get(transaction, (None, None))
        if answer is None or answer.done() or server != HostPort(host, port):
            return
        try:
            answer.set_result(parse_binding_response(data, transaction))
        except StunError as error:
            # A damaged answer is no answer; a refusal is one.
            if error.code:
                answer.set_exception(error)

    async def mapped_address(self, server: HostPort) -> HostPort:
        """Ask a server (numeric) where it sees us; raises StunError where it refuses and TimeoutError."""
        transaction = os.urandom(TRANSACTION_ID_LENGTH)
        request = binding_request(transaction)
        answer: asyncio.Future[HostPort] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = (server, answer)
        try:
            for attempt in range(ATTEMPTS):
                self._send(request, server.host, server.port)
                done, _pending = await asyncio.wait([answer], timeout=INITIAL_TIMEOUT * 2**attempt)
                if done:
                    return answer.result()
            raise TimeoutError(f"no answer from the STUN server {server.host} port {server.port}")
        finally:
            del self._waiting[transaction]
            answer.cancel()


async def mapped_address(bound: socket.socket, server: HostPort) -> HostPort:
    """Ask where a server sees a bound, non-blocking UDP socket that nobody else reads by now, e.g. a fresh RTP one.

    Raises StunError, TimeoutError, and OSError where nothing can be sent.
    """
    loop = asyncio.get_running_loop()

    def send(data: bytes, host: str, port: int) -> None:
        bound.sendto(data, (host, port))

    client = StunClient(send)

    def readable() -> None:
        try:
            data, source = bound.recvfrom(MAX_STUN_MESSAGE)
        except OSError:
            return
        client.receive(data, source[0], source[1])

    loop.add_reader(bound, readable)
    try:
        return await client.mapped_address(server)
    finally:
        loop.remove_reader(bound)
