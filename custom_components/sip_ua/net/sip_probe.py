"""Whether somebody at an address speaks SIP at all: one OPTIONS by UDP, which needs no login (RFC 3261 section 11)."""

import asyncio
import secrets
from typing import Final, override

from ..sip.account import SIP_DSCP
from ..sip.errors import RemoteProtocolError
from ..sip.message import Response, parse_message
from .marking import mark

DEFAULT_PORT: Final = 5060
SENT_AFTER: Final = (0.0, 0.5, 1.0)
"""Seconds to wait before each transmission of the request."""
PATIENCE: Final = 1.5
"""Seconds to wait for an answer to the last one."""


class _Asker(asyncio.DatagramProtocol):
    """Asks until an answer to its own question comes, whatever that is."""

    def __init__(self, host: str, port: int) -> None:
        """Make up what the answer has to repeat."""
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._call_id = secrets.token_hex(16)
        self._transport: asyncio.DatagramTransport | None = None

    @override
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keep what to send by."""
        self._transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take an answer."""
        try:
            message = parse_message(data)
        except RemoteProtocolError:
            return
        if isinstance(message, Response) and message.call_id == self._call_id and not self.answered.done():
            self.answered.set_result(None)

    @override
    def error_received(self, exc: Exception) -> None:
        """Learn that nobody listens there; the others of our requests may find somebody who has just started."""

    def ask(self) -> None:
        """Send the request once."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        host, port = transport.get_extra_info("sockname")[:2]
        sent_by = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = (
            f"OPTIONS sip:{self._server} SIP/2.0",
            f"Via: SIP/2.0/UDP {sent_by};branch=z9hG4bK{self._call_id};rport",
            "Max-Forwards: 70",
            f"From: <sip:anonymous@anonymous.invalid>;tag={self._call_id[:8]}",
            f"To: <sip:{self._server}>",
            f"Call-ID: {self._call_id}",
            "CSeq: 1 OPTIONS",
            f"Contact: <sip:{sent_by}>",
            "Accept: application/sdp",
            "Content-Length: 0",
            "",
            "",
        )
        transport.sendto("\r\n".join(lines).encode())


async def speaks_sip(host: str, port: int = DEFAULT_PORT) -> bool:
    """Return whether a numeric host answers SIP by UDP, be it by a refusal; takes at most three seconds."""
    try:
        transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Asker(host, port), remote_addr=(host, port)
        )
    except OSError:
        return False
    mark(transport.get_extra_info("socket"), SIP_DSCP)
    try:
        for delay in SENT_AFTER:
            await asyncio.wait([asker.answered], timeout=delay)
            if asker.answered.done():
                return True
            asker.ask()
        await asyncio.wait([asker.answered], timeout=PATIENCE)
        return asker.answered.done()
    finally:
        transport.close()
        asker.answered.cancel()
