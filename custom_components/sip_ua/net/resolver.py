"""Where a server is: NAPTR, SRV and address records in the order of RFC 3263 section 4 and RFC 2782."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import SystemRandom

from ..sip.account import Transport
from ..sip.address import Address, Lookup
from .dns import DnsClient, NaptrRecord, SrvRecord, ascii_name
from .errors import ResolutionError

MAX_TARGETS = 10
MAX_ADDRESSES = 16

_SRV_PREFIX = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}
_NAPTR_SERVICE = {"SIP+D2U": Transport.UDP, "SIP+D2T": Transport.TCP, "SIPS+D2T": Transport.TLS}

type RandomInteger = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class _Target:
    """A host that serves, not yet an address; `rank` is as that of an address."""

    transport: Transport
    host: str
    port: int
    rank: int = 0


class Resolver:
    """Locates SIP servers; it belongs to the event loop that it was made in."""

    def __init__(self, *, nameservers: Sequence[str] = (), randint: RandomInteger | None = None) -> None:
        """Ask the system's name servers, or these ("address:port").

        `randint(a, b)` returns a random integer from a to b, both included; it shares load by the weights of SRV.
        """
        self._dns = DnsClient(nameservers=nameservers)
        self._randint = SystemRandom().randint if randint is None else randint

    async def close(self) -> None:
        """Free what the resolver holds."""
        await self._dns.close()

    async def resolve(self, lookup: Lookup) -> list[Address]:
        """Return the addresses of a server, those to be tried first in front; raises ResolutionError.

        Their ranks are those of the services and priorities, from 0 on; the addresses of one host share one.
        """
        numeric = numeric_address(lookup)
        if numeric is not None:
            return [numeric]
        targets = await self._targets(lookup)
        found = await asyncio.gather(*(self._addresses(target) for target in targets), return_exceptions=True)
        addresses: dict[Address, None] = {}
        failure: ResolutionError | None = None
        for result in found:
            if isinstance(result, ResolutionError):
                failure = result
            elif isinstance(result, BaseException):
                raise result
            else:
                addresses.update(dict.fromkeys(result))
        if addresses:
            return list(addresses)[:MAX_ADDRESSES]
        raise failure or ResolutionError(lookup.host, f"the name {lookup.host} has no address")

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the numeric addresses of a host; raises ResolutionError where there is none."""
        numeric = numeric_host(host)
        if numeric is not None:
            return (numeric,)
        addresses = await self._dns.addresses(host)
        if not addresses:
            raise ResolutionError(host, f"the name {host} has no address")
        return addresses

    async def _addresses(self, target: _Target) -> list[Address]:
        hosts = await self.addresses(target.host)
        return [Address(target.transport, host, target.port, target.rank) for host in hosts]

    async def _targets(self, lookup: Lookup) -> list[_Target]:
        """Return the hosts that serve a name, best first (RFC 3263 sections 4.1 and 4.2)."""
        transport, host = lookup.transport, ascii_name(lookup.host)
        asks_srv = lookup.port is None and (lookup.srv or transport is None)
        found: list[tuple[Transport, SrvRecord]] = []
        if asks_srv:
            services = await self._services(host) if transport is None else [(transport, _srv_name(transport, host))]
            answers = await asyncio.gather(*(self._srv(name) for _transport, name in services))
            for (service, _name), records in zip(services, answers, strict=True):
                found += [(service, record) for record in self._in_turn(records)]
        if found:
            ranks = list(dict.fromkeys((service, record.priority) for service, record in found))
            return [
                _Target(service, record.target, record.port, ranks.index((service, record.priority)))
                for service, record in found[:MAX_TARGETS]
            ]
        plain = transport or Transport.UDP
        return [_Target(plain, host, lookup.port or plain.default_port)]

    async def _services(self, domain: str) -> list[tuple[Transport, str]]:
        """Return the names to ask SRV of: those that NAPTR gives, else those of every transport."""
        try:
            records = await self._dns.naptr(domain)
        except ResolutionError:
            # Many home routers never answer this question; it must not stop the next one.
            records = ()
        usable = [record for record in sorted(records, key=_naptr_rank) if _is_sip(record)]
        if usable:
            return list(dict.fromkeys((_NAPTR_SERVICE[record.service], record.replacement) for record in usable))
        return [(transport, _srv_name(transport, domain)) for transport in _SRV_PREFIX]

    async def _srv(self, name: str) -> tuple[SrvRecord, ...]:
        try:
            return await self._dns.srv(name)
        except ResolutionError:
            return ()

    def _in_turn(self, records: Iterable[SrvRecord]) -> list[SrvRecord]:
        """Return servers by priority, and at random by weight within one priority (RFC 2782)."""
        ordered: list[SrvRecord] = []
        # A target of "." says that the service is decidedly not there.
        offered = [record for record in records if record.target and record.port]
        for priority in sorted({record.priority for record in offered}):
            # Those of weight 0 stand in front, so that they keep a small chance.
            waiting = sorted(
                (record for record in offered if record.priority == priority), key=lambda item: item.weight > 0
            )
            while waiting:
                mark = self._randint(0, sum(record.weight for record in waiting))
                for index, record in enumerate(waiting):
                    mark -= record.weight
                    if mark <= 0:
                        ordered.append(waiting.pop(index))
                        break
        return ordered


def numeric_host(host: str) -> str | None:
    """Return a numeric address in its usual form, None for a name; brackets around IPv6 are taken off."""
    try:
        return str(ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None


def numeric_address(lookup: Lookup) -> Address | None:
    """Return the address that a lookup of a numeric host means (RFC 3263 section 4.2), None for a name."""
    host = numeric_host(lookup.host)
    if host is None:
        return None
    transport = lookup.transport or Transport.UDP
    return Address(transport, host, lookup.port or transport.default_port)


def _srv_name(transport: Transport, domain: str) -> str:
    return f"{_SRV_PREFIX[transport]}.{domain}"


def _naptr_rank(record: NaptrRecord) -> tuple[int, int]:
    return record.order, record.preference


def _is_sip(record: NaptrRecord) -> bool:
    return record.flags == "s" and record.service in _NAPTR_SERVICE and bool(record.replacement)
