"""Runs in a network namespace: a telephone whose address changes, and its registrar in a namespace beside it.

The look from time to time is switched off, so that nothing but the kernel can have told. Each line of the output
tells a Contact that was registered.
"""

import asyncio
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import override

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from custom_components.sip_ua.net import network_watch
from custom_components.sip_ua.net.media import MediaEngine
from custom_components.sip_ua.net.phone import Phone
from custom_components.sip_ua.sip.account import Account, ServerAddress, Timing
from custom_components.sip_ua.sip.message import Request, parse_message

REGISTRAR = "10.99.0.1"
PATIENCE = 30.0


def ip(*arguments: str) -> None:
    """Change the network of this namespace."""
    subprocess.run(("ip", *arguments), check=True)


class Registrar(asyncio.DatagramProtocol):
    """Grants an hour to everybody, and tells who came."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse_message(data)
        assert isinstance(request, Request)
        if request.method == "REGISTER" and request.expires:
            sys.stdout.write(f"{request.contacts[0].uri}\n")
            sys.stdout.flush()
        response = request.create_response(200, to_tag="registrar")
        response.headers.add("Expires", "3600")
        self.transport.sendto(response.to_bytes(), addr)


async def serve() -> None:
    """Be the registrar, once the other end of the line has arrived here."""
    sys.stdin.readline()
    ip("addr", "add", f"{REGISTRAR}/24", "dev", "there")
    ip("link", "set", "there", "up")
    await asyncio.get_running_loop().create_datagram_endpoint(Registrar, local_addr=(REGISTRAR, 5060))
    await asyncio.sleep(4 * PATIENCE)


async def move() -> None:
    """Be the telephone, and move it twice: with a new address beside the old one's end, and with the line cut."""
    ip("link", "add", "here", "type", "veth", "peer", "name", "there")
    registrar = await asyncio.create_subprocess_exec(
        *("unshare", "--net", sys.executable, __file__, "registrar"), stdin=PIPE, stdout=PIPE
    )
    assert registrar.stdin is not None
    assert registrar.stdout is not None
    await asyncio.sleep(1)
    ip("link", "set", "there", "netns", str(registrar.pid))
    registrar.stdin.write(b"go\n")
    ip("addr", "add", "10.99.0.2/24", "dev", "here")
    ip("link", "set", "here", "up")
    media = MediaEngine()
    account = Account(number="ha", domain=REGISTRAR, server=ServerAddress(REGISTRAR), timing=Timing(keep_alive=0))
    phone = Phone(account, media, lambda _event: None)
    await phone.start()
    try:
        for host in ("10.99.0.2", "10.99.0.3", "10.99.0.4"):
            if host != "10.99.0.2":
                ip("addr", "flush", "dev", "here")
                ip("addr", "add", f"{host}/24", "dev", "here")
            async with asyncio.timeout(PATIENCE):
                while f"@{host}:" not in (line := (await registrar.stdout.readline()).decode()):
                    assert line
            sys.stdout.write(line)
    finally:
        registrar.terminate()
        await registrar.wait()
        await phone.stop()
        await media.stop()


if __name__ == "__main__":
    if sys.argv[1:]:
        asyncio.run(serve())
    else:
        setattr(network_watch, "LOOK_INTERVAL", 600.0)  # noqa: B010 - nothing else may have told
        asyncio.run(move())
