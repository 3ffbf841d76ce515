"""Questions to the domain name system, never blocking, with a bounded cache (RFC 1035, RFC 2308, RFC 8767)."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiodns
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, DNSError

from .errors import ResolutionError

QUERY_TIMEOUT = 2.0
QUERY_TRIES = 2
SYSTEM_LOOKUP_TIMEOUT = 5.0
MAX_CACHED = 256
MAX_RECORDS = 32
SHORTEST_TTL = 5.0
LONGEST_TTL = 3600.0
NEGATIVE_TTL = 15.0
STALE_TTL = 86400.0
MAX_NAME_LENGTH = 253
_NOTHING_THERE = frozenset({ARES_ENODATA, ARES_ENOTFOUND})
_MULTICAST_DNS = ".local"


class _Question(StrEnum):
    ADDRESSES = "addresses"
    NAPTR = "NAPTR"
    SRV = "SRV"


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """A server of a service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class NaptrRecord:
    """A service of a domain (RFC 3403)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


type _Answer = tuple[str, ...] | tuple[SrvRecord, ...] | tuple[NaptrRecord, ...]


@dataclass(frozen=True, slots=True)
class _Cached[Records]:
    records: Records
    fresh_until: float
    usable_until: float


class DnsClient:
    """One channel to the name servers of this machine; it belongs to the loop that it was made in.

    An answer is kept for its time to live. When no server can be reached, an older one serves for up to a day:
    a telephone on the home network must not fall silent because the way to the Internet is down.
    """

    def __init__(self, *, nameservers: Sequence[str] = ()) -> None:
        """Ask `nameservers` ("address:port"), or where none are named those that the system is set up with."""
        self._loop = asyncio.get_running_loop()
        self._resolver = aiodns.DNSResolver(
            nameservers=nameservers or None, loop=self._loop, timeout=QUERY_TIMEOUT, tries=QUERY_TRIES
        )
        self._cache: dict[tuple[_Question, str], _Cached[_Answer]] = {}

    async def close(self) -> None:
        """Free sockets and thread; questions under way end with an error."""
        await self._resolver.close()

    async def srv(self, name: str) -> tuple[SrvRecord, ...]:
        """Return the SRV records of a name, none where there are none; raises ResolutionError without an answer."""
        return await self._ask(_Question.SRV, name, self._query_srv)

    async def naptr(self, name: str) -> tuple[NaptrRecord, ...]:
        """Return the NAPTR records of a name, none where there are none; raises ResolutionError without an answer."""
        return await self._ask(_Question.NAPTR, name, self._query_naptr)

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the IPv4 and then the IPv6 addresses of a host, as its records or the hosts file of the system say."""
        return await self._ask(_Question.ADDRESSES, host, self._query_addresses)

    async def _ask[Records: _Answer](
        self, question: _Question, name: str, query: Callable[[str], Awaitable[tuple[Records, float]]]
    ) -> Records:
        name = ascii_name(name)
        key = (question, name)
        cached: _Cached[Records] | None = self._cache.get(key)  # type: ignore[assignment]  # the key tells the type
        if cached is not None and self._loop.time() < cached.fresh_until:
            return cached.records
        try:
            records, ttl = await query(name)
        except DNSError as error:
            code, text = error.args
            if code not in _NOTHING_THERE:
                if cached is not None and cached.records and self._loop.time() < cached.usable_until:
                    return cached.records
                raise ResolutionError(name, f"no answer from the name server about {name} ({text})") from None
            records, ttl = (), NEGATIVE_TTL  # type: ignore[assignment]  # an empty tuple is of every type
        self._keep(key, records, ttl)
        return records

    def _keep(self, key: tuple[_Question, str], records: _Answer, ttl: float) -> None:
        now = self._loop.time()
        fresh_until = now + min(max(ttl, SHORTEST_TTL), LONGEST_TTL)
        self._cache.pop(key, None)
        self._cache[key] = _Cached(records, fresh_until, now + STALE_TTL)
        if len(self._cache) > MAX_CACHED:
            del self._cache[next(iter(self._cache))]

    async def _query_srv(self, name: str) -> tuple[tuple[SrvRecord, ...], float]:
        found, ttl = await self._query(name, "SRV")
        return tuple(SrvRecord(data.priority, data.weight, data.port, data.target.rstrip(".")) for data in found), ttl

    async def _query_naptr(self, name: str) -> tuple[tuple[NaptrRecord, ...], float]:
        found, ttl = await self._query(name, "NAPTR")
        return tuple(
            NaptrRecord(
                data.order, data.preference, data.flags.lower(), data.service.upper(), data.replacement.rstrip(".")
            )
            for data in found
        ), ttl

    async def _query(self, name: str, kind: str) -> tuple[list[Any], float]:
        """Return the data of the records of one kind, leaving out the aliases on the way, and their time to live."""
        result = await self._resolver.query_dns(name, kind)
        found = [record for record in result.answer if record.type == aiodns.query_type_map[kind]][:MAX_RECORDS]
        return [record.data for record in found], min((record.ttl for record in found), default=NEGATIVE_TTL)

    async def _query_addresses(self, host: str) -> tuple[tuple[str, ...], float]:
        try:
            result = await self._resolver.getaddrinfo(host, type=socket.SOCK_DGRAM)
        except DNSError:
            if not host.endswith(_MULTICAST_DNS):
                raise
            return await self._system_addresses(host), NEGATIVE_TTL
        nodes = sorted(result.nodes[:MAX_RECORDS], key=lambda node: node.family != socket.AF_INET)
        addresses = dict.fromkeys(node.addr[0].decode() for node in nodes)
        # The hosts file has no time to live, which c-ares gives as 0.
        return tuple(addresses), min((node.ttl for node in nodes), default=NEGATIVE_TTL)

    async def _system_addresses(self, host: str) -> tuple[str, ...]:
        """Ask the system, in a thread of its own, which alone knows multicast DNS (RFC 6762)."""
        try:
            async with asyncio.timeout(SYSTEM_LOOKUP_TIMEOUT):
                found = await self._loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except OSError:
            return ()
        found = sorted(found, key=lambda info: info[0] != socket.AF_INET)
        return tuple(dict.fromkeys(str(info[4][0]) for info in found))


def ascii_name(name: str) -> str:
    """Return a name as the wire has it (RFC 5891); raises ResolutionError where it can be no host."""
    plain = name.rstrip(".").lower()
    try:
        ascii_name = plain if plain.isascii() else plain.encode("idna").decode()
    except UnicodeError:
        ascii_name = ""
    labels = ascii_name.split(".")
    if len(ascii_name) > MAX_NAME_LENGTH or not all(0 < len(label) <= 63 for label in labels) or " " in ascii_name:
        raise ResolutionError(name, f"{name[:64]!r} is no name of a host")
    return ascii_name
