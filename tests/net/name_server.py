"""A name server on loopback that answers from a table (RFC 1035, RFC 2782, RFC 3403)."""

import asyncio
import struct
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import cast, override

A, CNAME, AAAA, SRV, NAPTR = 1, 5, 28, 33, 35
_NO_SUCH_NAME = 3
SERVER_FAILURE = 2


def name(text: str) -> bytes:
    """Return a domain name as labels."""
    labels = text.rstrip(".").split(".") if text.rstrip(".") else []
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def text(value: str) -> bytes:
    """Return a character string."""
    return bytes([len(value)]) + value.encode()


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers by (name, type); a name without any record does not exist. `silent` answers nothing at all."""

    records: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    ttl: int = 60
    questions: list[tuple[str, int]] = field(default_factory=list)
    broken: set[tuple[str, int]] = field(default_factory=set)
    silent: bool = False
    transport: asyncio.DatagramTransport | None = None

    async def start(self) -> str:
        """Listen; return "address:port"."""
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        port: int = transport.get_extra_info("sockname")[1]
        return f"127.0.0.1:{port}"

    def stop(self) -> None:
        """Fall silent for ever."""
        if self.transport is not None:
            self.transport.close()

    def host(self, host: str, *addresses: str) -> None:
        """Give a host addresses."""
        for address in addresses:
            packed = ip_address(address).packed
            self.records.setdefault((host, A if len(packed) == 4 else AAAA), []).append(packed)

    def srv(self, service: str, priority: int, weight: int, port: int, target: str) -> None:
        """Add a server to a service."""
        record = struct.pack("!HHH", priority, weight, port) + name(target)
        self.records.setdefault((service, SRV), []).append(record)

    def naptr(self, domain: str, order: int, preference: int, flags: str, service: str, replacement: str) -> None:
        """Add a service to a domain."""
        record = struct.pack("!HH", order, preference) + text(flags) + text(service) + text("") + name(replacement)
        self.records.setdefault((domain, NAPTR), []).append(record)

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.transport is None:
            return
        position, labels = 12, []
        while data[position]:
            labels.append(data[position + 1 : position + 1 + data[position]].decode())
            position += 1 + data[position]
        host, kind = ".".join(labels).lower(), int.from_bytes(data[position + 1 : position + 3])
        self.questions.append((host, kind))
        if self.silent:
            return
        question = data[12 : position + 5]
        target = self.aliases.get(host, host)
        answers = [(name(host), CNAME, name(target))] if target != host else []
        answers += [(name(target), kind, record) for record in self.records.get((target, kind), ())]
        exists = any(known == target for known, _kind in self.records)
        code = 0 if exists else _NO_SUCH_NAME
        if (host, kind) in self.broken:
            code, answers = SERVER_FAILURE, []
        reply = data[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(answers), 0, 0) + question
        for owner, answered, record in answers:
            reply += owner + struct.pack("!HHIH", answered, 1, self.ttl, len(record)) + record
        self.transport.sendto(reply, addr)
