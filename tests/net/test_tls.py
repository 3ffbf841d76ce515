"""Whom TLS trusts, and what people are told when it does not (RFC 3261 section 26.3, RFC 5922)."""

import asyncio
import datetime as dt
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, IPAddress, UniformResourceIdentifier

from custom_components.sip_ua.net.connections import Admission
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.tls import MAX_DATES, TlsTrust
from custom_components.sip_ua.net.transport import TransportHandlers, Transports
from custom_components.sip_ua.sip.account import (
    Account,
    CertificateCheck,
    NetworkSettings,
    ServerAddress,
    TlsSettings,
    Transport,
)
from custom_components.sip_ua.sip.address import Address, Hop, Lookup
from custom_components.sip_ua.sip.core import Failure
from custom_components.sip_ua.sip.events import CertificateFacts, RegistrationFailure

from .certificates import CertificateAuthority, fingerprint_of, server_context
from .name_server import NameServer
from .transport_support import eventually

HOME = "127.0.0.1"
MESSAGE = b"OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 0\r\n\r\n"
REPLY = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
ACCOUNT = Account(
    number="12",
    domain="example.com",
    server=ServerAddress("localhost"),
    transport=Transport.TLS,
    network=NetworkSettings(bind_address=HOME),
)

UNCHECKED = TlsSettings(check=CertificateCheck.OFF)

type Outcome = bytes | tuple[RegistrationFailure, str]


class Server:
    """Answers the first octets of each connection, and keeps the names that it was asked for."""

    def __init__(self) -> None:
        self.asked_for: list[str | None] = []
        self.heard: list[bytes] = []
        self.port = 0

    def _asked(self, _connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.asked_for.append(name)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(await reader.read(len(MESSAGE)))
        writer.write(REPLY)
        await reader.read()
        writer.close()

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext) -> AsyncIterator[Server]:
        context.sni_callback = self._asked
        async with await asyncio.start_server(self._serve, HOME, 0, ssl=context) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self


def in_days(days: int) -> str:
    return str((dt.datetime.now(dt.UTC) + dt.timedelta(days=days)).date())


def trusting(authority: CertificateAuthority) -> TlsSettings:
    """Return the settings of a home that trusts its own authority alone."""
    return TlsSettings(check=CertificateCheck.AUTHORITY, authority=authority.pem)


def pinned(fingerprint: str) -> TlsSettings:
    """Return the settings of a home that trusts one certificate alone."""
    return TlsSettings(check=CertificateCheck.FINGERPRINT, fingerprint=fingerprint)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


async def talk(
    resolver: Resolver,
    port: int,
    tls: TlsSettings,
    *,
    host: str = "localhost",
    domain: str = "example.com",
    route: str = "",
    srv: bool = False,
    days: list[tuple[str, str] | None] | None = None,
) -> Outcome:
    """Send a message to a TLS server found under `host`, return the answer or why there is none.

    With `srv` the port is the DNS's to tell. A `route` is another name of the same server, looked up later. `days` gets
    those of the certificate of the server, which is one of ours then.
    """
    told: asyncio.Queue[Outcome] = asyncio.Queue()

    def message(data: bytes, hop: Hop, _now: float, _waited: float | None) -> None:
        assert hop.remote == Address(Transport.TLS, HOME, port)
        told.put_nowait(data)

    def nobody(_host: str) -> bool:
        return False

    def failed(address: Address, failure: Failure) -> None:
        assert address == Address(Transport.TLS, HOME, port)
        told.put_nowait((failure.kind, failure.text))

    transports = Transports(
        replace(ACCOUNT, tls=tls, domain=domain),
        resolver,
        TransportHandlers(message, failed, lambda: None, Admission(nobody, nobody)),
    )
    await transports.start()
    try:
        hops = await transports.locate(
            Lookup(1, host, None if srv else port, Transport.TLS, srv, ours=days is not None)
        )
        if route:
            assert await transports.locate(Lookup(2, route, port, Transport.TLS)) == hops
        transports.send(hops[0].remote, MESSAGE)
        outcome = await asyncio.wait_for(told.get(), 5)
        if days is not None:
            days.append(transports.certificate_dates)
        return outcome
    finally:
        await transports.close()


@pytest.mark.parametrize(
    "name",
    [
        DNSName("localhost"),
        DNSName("LocalHost"),
        DNSName("example.com"),
        UniformResourceIdentifier("sip:example.com"),
        UniformResourceIdentifier("sip:localhost;transport=tls"),
    ],
    ids=["the server's name", "in other case", "the domain", "the domain as a URI", "the server as a URI"],
)
async def test_a_server_with_the_right_name_is_trusted(
    resolver: Resolver,
    authority: CertificateAuthority,
    name: DNSName | UniformResourceIdentifier,
) -> None:
    async with Server().running(authority.context(name)) as server:
        assert await talk(resolver, server.port, trusting(authority)) == REPLY
        assert server.asked_for == ["localhost"]


async def test_the_days_of_the_servers_certificate_are_known_where_they_matter(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    days: list[tuple[str, str] | None] = []
    path = authority.file(DNSName("localhost"))
    async with Server().running(server_context(path)) as server:
        assert await talk(resolver, server.port, trusting(authority), days=days) == REPLY
        assert await talk(resolver, server.port, pinned(fingerprint_of(path)), days=days) == REPLY
    today = dt.datetime.now(dt.UTC).date()
    assert days == [(str(today - dt.timedelta(days=30)), str(today + dt.timedelta(days=10))), None]


def test_of_many_certificates_a_few_are_remembered() -> None:
    trust = TlsTrust(TlsSettings())
    for number in range(2 * MAX_DATES):
        trust.note_dates(f"{number}.example.com", CertificateFacts(not_before="2026-01-01", not_after="2027-01-01"))
    known = [number for number in range(2 * MAX_DATES) if trust.dates([f"{number}.example.com"])]
    assert known == list(range(MAX_DATES, 2 * MAX_DATES))


async def test_a_numeric_server_is_trusted_by_its_address(resolver: Resolver, authority: CertificateAuthority) -> None:
    async with Server().running(authority.context(IPAddress(ip_address(HOME)))) as server:
        assert await talk(resolver, server.port, trusting(authority), host=HOME) == REPLY


@pytest.mark.parametrize(
    ("name", "failure"),
    [("example.com", None), ("pbx.example.com", RegistrationFailure.CERTIFICATE_NAME)],
    ids=["the domain", "a server that the DNS names"],
)
async def test_a_server_found_by_dns_must_speak_for_the_domain_that_was_asked_for(
    authority: CertificateAuthority, name: str, failure: RegistrationFailure | None
) -> None:
    names = NameServer()
    resolver = Resolver(nameservers=[await names.start()])
    names.host("pbx.example.com", HOME)
    async with Server().running(authority.context(DNSName(name))) as server:
        names.srv("_sips._tcp.example.com", 1, 1, server.port, "pbx.example.com")
        outcome = await talk(resolver, server.port, trusting(authority), host="example.com", srv=True)
        assert (outcome if isinstance(outcome, bytes) else outcome[0]) == (failure or REPLY)
    await resolver.close()
    names.stop()


async def test_a_domain_with_umlauts_is_found_in_the_letters_of_certificates(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    async with Server().running(authority.context(DNSName("xn--bro-hoa.example"))) as server:
        assert await talk(resolver, server.port, trusting(authority), domain="b\u00fcro.example") == REPLY


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("example.com", "example.com"),
        ("pbx.example.com", "pbx.example.com"),
        ("b\u00fcro.example", "xn--bro-hoa.example"),
        (HOME, None),
    ],
    ids=["the domain and not the server that the DNS names", "a name", "umlauts in the letters of the DNS", "no name"],
)
@pytest.mark.parametrize("check", [CertificateCheck.OFF, CertificateCheck.AUTHORITY])
async def test_the_server_is_told_the_name_that_is_wanted_of_it(
    authority: CertificateAuthority, host: str, seen: str | None, check: CertificateCheck
) -> None:
    """One that stands for many names chooses its certificate by it (RFC 6066 section 3, which allows no address)."""
    names = NameServer()
    resolver = Resolver(nameservers=[await names.start()])
    for name in ("pbx.example.com", "xn--bro-hoa.example"):
        names.host(name, HOME)
    certificate = IPAddress(ip_address(HOME)) if seen is None else DNSName(seen)
    async with Server().running(authority.context(certificate)) as server:
        names.srv("_sips._tcp.example.com", 1, 1, server.port, "pbx.example.com")
        tls = TlsSettings(check=check, authority=authority.pem)
        assert await talk(resolver, server.port, tls, host=host, srv=host == "example.com") == REPLY
        assert server.asked_for == [seen]
    await resolver.close()
    names.stop()


async def test_a_route_with_the_numeric_address_of_the_server_leaves_its_name_in_place(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    async with Server().running(authority.context(DNSName("localhost"))) as server:
        assert await talk(resolver, server.port, trusting(authority), route=HOME) == REPLY
        assert server.asked_for == ["localhost"]


async def test_a_certificate_for_somebody_else_is_told_with_all_that_people_can_compare(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    path = authority.file(DNSName("pbx.example.net"), DNSName("other.example.net"))
    async with Server().running(server_context(path)) as server:
        failure, text = await talk(resolver, server.port, trusting(authority))
        assert failure is RegistrationFailure.CERTIFICATE_NAME
        assert text == (
            "not for localhost or example.com (for pbx.example.net, other.example.net; issued by Home Root; "
            f"valid until {in_days(10)}; SHA-256 fingerprint {fingerprint_of(path)})"
        )


async def test_an_authority_that_nobody_trusts_is_told_by_its_name(
    resolver: Resolver, authority: CertificateAuthority, tmp_path: Path
) -> None:
    other = CertificateAuthority(tmp_path, "Other Root")
    path = authority.file(DNSName("localhost"), subject="pbx")
    async with Server().running(server_context(path)) as server:
        for tls in (trusting(other), TlsSettings()):
            failure, text = await talk(resolver, server.port, tls)
            assert failure is RegistrationFailure.CERTIFICATE
            assert text == (
                "localhost: unable to get local issuer certificate (for localhost; issued by Home Root; "
                f"valid until {in_days(10)}; SHA-256 fingerprint {fingerprint_of(path)})"
            )


async def test_a_certificate_that_is_over_is_told_apart(resolver: Resolver, authority: CertificateAuthority) -> None:
    async with Server().running(authority.context(DNSName("localhost"), days=-1)) as server:
        failure, text = await talk(resolver, server.port, trusting(authority))
        assert failure is RegistrationFailure.CERTIFICATE_EXPIRED
        assert isinstance(text, str)
        assert text.startswith(
            f"localhost: certificate has expired (for localhost; issued by Home Root; valid until {in_days(-1)}; "
        )


async def test_the_certificate_of_the_server_itself_may_be_trusted_in_place_of_an_authority(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    path = authority.file(DNSName("localhost"))
    own = path.read_text().partition("-----BEGIN PRIVATE KEY")[0]
    tls = TlsSettings(check=CertificateCheck.AUTHORITY, authority=own)
    async with Server().running(server_context(path)) as server:
        assert await talk(resolver, server.port, tls) == REPLY
    async with Server().running(authority.context(DNSName("localhost"))) as server:
        failure, _text = await talk(resolver, server.port, tls)
        assert failure is RegistrationFailure.CERTIFICATE


async def test_a_pinned_certificate_is_trusted_whatever_its_names_issuer_and_dates_are(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    path = authority.file(DNSName("pbx.example.net"), days=-1)
    async with Server().running(server_context(path)) as server:
        assert await talk(resolver, server.port, pinned(fingerprint_of(path))) == REPLY
        assert server.asked_for == ["localhost"]


async def test_any_other_than_the_pinned_certificate_is_refused_however_good_it_is(
    resolver: Resolver, authority: CertificateAuthority
) -> None:
    path, before = authority.file(DNSName("localhost")), fingerprint_of(authority.file(DNSName("localhost")))
    context = server_context(path)
    # With this version it is the server that has the last word in a handshake, so that it hears our end.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with Server().running(context) as server:
        failure, text = await talk(resolver, server.port, pinned(before))
        assert failure is RegistrationFailure.CERTIFICATE_CHANGED
        assert isinstance(text, str)
        assert text.startswith(f"localhost: not the certificate with the fingerprint {before} (for localhost; ")
        assert text.endswith(f"SHA-256 fingerprint {fingerprint_of(path)})")
        await eventually(lambda: server.heard)
        assert server.heard == [b""], "nothing is said to a stranger"


async def test_the_owner_may_do_without_the_check(resolver: Resolver, authority: CertificateAuthority) -> None:
    async with Server().running(authority.context(DNSName("pbx.example.net"), days=-1)) as server:
        assert await talk(resolver, server.port, UNCHECKED) == REPLY


@pytest.mark.parametrize(
    ("answer", "failure", "text"),
    [
        # The alert protocol_version (70) of servers that know older versions only, and handshake_failure (40).
        (b"\x15\x03\x01\0\x02\x02\x46", RegistrationFailure.TLS_VERSION, "the server has no TLS 1.2 or newer"),
        (
            b"\x15\x03\x03\0\x02\x02\x28",
            RegistrationFailure.TLS_VERSION,
            "the server accepts none of our ciphers, or demands a certificate of this phone",
        ),
        (b"\x15\x03\x03\0\x02\x02\x50", RegistrationFailure.CONNECTION_REFUSED, "tlsv1 alert internal error"),
        (b"SIP/2.0 400 No\r\n", RegistrationFailure.CONNECTION_REFUSED, "what listens there does not speak TLS"),
        (b"", RegistrationFailure.CONNECTION_REFUSED, "the other side closed the connection during the handshake"),
    ],
    ids=["old versions", "no common cipher", "another alert", "no TLS", "silence"],
)
async def test_a_handshake_that_fails_is_told_in_words(
    resolver: Resolver, answer: bytes, failure: RegistrationFailure, text: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, HOME, 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await talk(resolver, port, UNCHECKED) == (failure, f"no TLS connection: {text}")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_present_versions_of_tls_are_spoken(
    resolver: Resolver, authority: CertificateAuthority, version: ssl.TLSVersion
) -> None:
    context = authority.context(DNSName("localhost"))
    context.minimum_version = context.maximum_version = version
    async with Server().running(context) as server:
        assert await talk(resolver, server.port, trusting(authority)) == REPLY


async def test_what_is_no_authority_is_told(resolver: Resolver, authority: CertificateAuthority) -> None:
    tls = TlsSettings(check=CertificateCheck.AUTHORITY, authority="-----BEGIN CERTIFICATE-----")
    async with Server().running(authority.context(DNSName("localhost"))) as server:
        failure, text = await talk(resolver, server.port, tls)
        assert failure is RegistrationFailure.CONNECTION_REFUSED
        assert isinstance(text, str)
        assert text.startswith("no TLS connection: ")


@pytest.mark.parametrize(
    ("check", "mode"),
    [
        (CertificateCheck.TRUSTED, ssl.CERT_REQUIRED),
        (CertificateCheck.AUTHORITY, ssl.CERT_REQUIRED),
        (CertificateCheck.FINGERPRINT, ssl.CERT_NONE),
        (CertificateCheck.OFF, ssl.CERT_NONE),
    ],
)
async def test_a_context_is_built_once_and_not_in_the_event_loop(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch, check: CertificateCheck, mode: ssl.VerifyMode
) -> None:
    threads: list[threading.Thread] = []
    build = ssl.create_default_context

    def spy(*, cadata: str | None) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return build(cadata=cadata)

    monkeypatch.setattr(ssl, "create_default_context", spy)
    trust = TlsTrust(TlsSettings(check=check, authority=authority.pem))
    context = await trust.context()
    assert await trust.context() is context
    assert [thread is threading.main_thread() for thread in threads] == [False]
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is mode
